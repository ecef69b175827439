//! Conversations for the tests: signed with real keys, every number from a fixed seed.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{Scope, fingerprints};
use ama2sec_core::history::transcript::HEADER;
use ama2sec_core::identity::{Directory, Name, Purpose, SigningKey};
use ama2sec_core::message::{
    Addr, BodyPart, Claims, Context, Draft, Kind, Merge, MessageParts, OpenPart, OpenParts, Seq, UnverifiedEnvelope,
    ZERO, encode_entry, encode_envelope, header_bytes, sig_structure,
};

pub const NAMES: [&str; 7] = ["alice", "bob", "carol", "dave", "erin", "mallory", "operator"];

/// A small generator with a fixed seed: a failure can be repeated.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

pub fn key(author: usize) -> SigningKey {
    SigningKey::from_seed(&[author as u8 + 1; 32]).unwrap()
}

/// alice to erin are members by default, mallory is enrolled and no member, operator's key has another purpose.
pub fn directory() -> Directory {
    let mut made = Directory::default();
    for (author, name) in NAMES.iter().enumerate() {
        let purpose = if author == 6 { Purpose::Operator } else { Purpose::Message };
        made.enrol(key(author).public().clone(), Name::parse(name).unwrap(), purpose).unwrap();
    }
    made
}

/// One entry of a test conversation, with all that is needed to break it.
#[derive(Clone, Debug)]
pub struct Made {
    pub author: usize,
    pub n: u64,
    pub id: Hash,
    pub parent: Option<Hash>,
    pub envelope: Vec<u8>,
    /// The whole transcript item.
    pub item: Vec<u8>,
}

/// Claims of a message that can be changed before they are signed.
pub fn claims(author: usize, ids: &[Hash], n: usize, seq: Seq, salt: u64) -> Claims {
    let conversation = ids[0];
    let prints = fingerprints(&Scope::of_file(conversation), &ids[..n]).unwrap();
    let mut short = [0u8; 16];
    short[..8].copy_from_slice(&salt.to_be_bytes());
    Claims {
        realm: ZERO,
        conversation,
        kind: Kind::Message,
        agent: *key(author).public().thumbprint(),
        grant: None,
        context: Context { size: n as u64, fingerprint: prints[n], ..Context::EMPTY },
        branch: conversation,
        parent: Some(ids[n - 1]),
        merges: Vec::new(),
        workflow: None,
        recipients: vec![Addr::Name(Name::parse("bob").unwrap())],
        seq: Some(seq),
        time: 1_793_000_000_000,
        salt: short,
        body: None,
        open: None,
        act: None,
    }
}

pub fn sign(author: usize, claims: &Claims) -> Vec<u8> {
    let key = key(author);
    let (header, payload) = (header_bytes(key.public().thumbprint()), claims.encode());
    encode_envelope(&header, &payload, &key.sign(&sig_structure(&header, &payload)))
}

pub fn made(author: usize, envelope: Vec<u8>, body: Option<BodyPart<'_>>) -> Made {
    let parsed = UnverifiedEnvelope::parse(&envelope).unwrap();
    let item = encode_entry(&envelope, body);
    let claims = parsed.claims();
    Made { author, n: claims.context.size, id: *parsed.id(), parent: claims.parent, envelope, item }
}

/// A message with a body, as an honest author writes it.
pub fn message(author: usize, ids: &[Hash], n: usize, seq: Seq, salt: u64) -> Made {
    let key = key(author);
    let text = format!("message {salt} of {}", NAMES[author]);
    let part = BodyPart { salt: &[salt as u8; 32], body: text.as_bytes() };
    let mut claims = claims(author, ids, n, seq, salt);
    claims.body = Some(ama2sec_core::message::BodyClaim {
        commitment: ama2sec_core::message::commitment(&[salt as u8; 32], text.as_bytes()),
        size: text.len() as u64,
        media_type: "text/plain".into(),
    });
    let _ = key;
    made(author, sign(author, &claims), Some(part))
}

pub fn open(author: usize, members: Option<Vec<Addr>>, salt: u8) -> Made {
    let key = key(author);
    let parts = MessageParts {
        author: key.public(),
        recipients: Vec::new(),
        time: 1_793_000_000_000,
        salt: [salt; 16],
        body: None,
    };
    let draft = Draft::open(parts, OpenParts { members }).unwrap();
    made(author, draft.sign(&key).unwrap(), None)
}

pub fn members(authors: std::ops::Range<usize>) -> Option<Vec<Addr>> {
    // Ids and names in one list: both are looked up.
    let addr = |author: usize| match author % 2 {
        0 => Addr::Id(*key(author).public().thumbprint()),
        _ => Addr::Name(Name::parse(NAMES[author]).unwrap()),
    };
    Some(authors.map(addr).collect())
}

/// The number of the next message of an author.
pub fn seq(author: usize, counter: u64) -> Seq {
    Seq { epoch: 1_793_000_000_000 + author as u64, counter: 100 + counter as u32 }
}

/// `size` entries of `authors` authors who see each other's messages up to `lag` entries late.
pub fn conversation(size: usize, authors: usize, lag: u64, seed: u64) -> Vec<Made> {
    let mut random = Random(seed);
    let first = open(0, members(0..authors), seed as u8);
    let mut ids = vec![first.id];
    let mut all = vec![first];
    while all.len() < size {
        let author = random.below(authors as u64) as usize;
        let n = ids.len().saturating_sub(random.below(lag + 1) as usize).max(1);
        let next = message(author, &ids, n, seq(author, ids.len() as u64), ids.len() as u64);
        ids.push(next.id);
        all.push(next);
    }
    all
}

pub fn ids(entries: &[Made]) -> Vec<Hash> {
    entries.iter().map(|entry| entry.id).collect()
}

/// The bytes of the transcript.
pub fn file(entries: &[Made]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.item));
    bytes
}

/// Unused imports of some tests are used here.
pub fn merge(branch: Hash) -> Merge {
    Merge { branch, size: 1, fingerprint: [7; 32] }
}

pub fn open_part(members: Option<Vec<Addr>>) -> OpenPart {
    OpenPart { members, required: false, definition: None }
}
