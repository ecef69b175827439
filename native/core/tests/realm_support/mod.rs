//! A realm for the tests: signed with real keys, every number from a fixed seed, judged by the bare functions.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity::{Name, Purpose, SigningKey};
use ama2sec_core::message::{
    Addr, AuthenticEnvelope, Claims, Draft, EnrolPart, GenesisPart, GrantPart, Id, Kind, Merge, Offer, OpenPart,
    Policy, Proposal, RootPart, Seq, StepPattern, UnverifiedEnvelope, ZERO, encode_envelope, header_of,
    next_key_digest, sig_structure,
};
use ama2sec_core::realm::draft::{
    Author, Parts, Seen, SeenRegistry, draft_approval, draft_close, draft_fork, draft_genesis, draft_message,
    draft_open, draft_proposal,
};
use ama2sec_core::realm::screen::{authenticate, check_conversation, check_genesis, check_realm};
use ama2sec_core::realm::{Home, Stamp, State, Verdict, admit, conversation_of};

pub mod flow;

pub const START: u64 = 1_793_000_000_000;

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

pub fn key(seed: u16) -> SigningKey {
    let mut bytes = [0x5a; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    SigningKey::from_seed(&bytes).unwrap()
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Who acts: a key by its seed, and the agent that it acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    pub seed: u16,
    pub agent: Id,
    pub grant: Option<Id>,
}

pub const QUORUMS: Policy = Policy { root: 2, enrol: 1, revoke: 1, define: 1, erase: 2, resume: 1, hold: false };
pub const ROOTS: [u16; 3] = [101, 102, 103];
pub const SEQUENCER: u16 = 104;

pub fn root(index: usize) -> Who {
    Who { seed: ROOTS[index], agent: *key(ROOTS[index]).public().thumbprint(), grant: None }
}

pub fn genesis_part(policy: Policy, dev: bool) -> GenesisPart {
    let roots = ["ada", "ben", "cyd"];
    let offer = |seed: u16, purpose, name: &Name, next: Option<&Id>| {
        Offer { realm: &ZERO, purpose, name, next }.sign(&key(seed))
    };
    GenesisPart {
        name: name("acme-orders"),
        rules_version: 1,
        dev,
        roots: roots
            .iter()
            .zip(ROOTS)
            .map(|(text, seed)| {
                let next = Some(next_key_digest(key(seed + 1000).public().as_bytes()));
                let name = name(text);
                let offer = offer(seed, Purpose::Root, &name, next.as_ref());
                RootPart { name, key: *key(seed).public().as_bytes(), offer, next }
            })
            .collect(),
        sequencer: (
            name("seq-1"),
            *key(SEQUENCER).public().as_bytes(),
            offer(SEQUENCER, Purpose::Sequencer, &name("seq-1"), None),
        ),
        policy,
    }
}

pub fn genesis(policy: Policy, dev: bool) -> Vec<u8> {
    let author = key(ROOTS[0]);
    let draft = draft_genesis(author.public(), genesis_part(policy, dev), START, [7; 16]).unwrap();
    draft.sign(&author).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Refused(Code),
    Rejected(Code),
    Admitted(Home),
}

impl Outcome {
    #[track_caller]
    pub fn home(&self) -> Home {
        match self {
            Outcome::Admitted(home) => *home,
            other => panic!("{other:?}"),
        }
    }
}

/// One sequenced entry as the plain loop keeps it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub envelope: Vec<u8>,
    pub id: Id,
    pub conversation: Id,
    pub stamp: Stamp,
    pub code: u16,
    pub home: Home,
}

/// A realm and a plain loop around the bare functions: screen, admit, apply.
#[derive(Debug)]
pub struct World {
    pub state: State,
    pub time: u64,
    pub kept: Vec<Kept>,
    counters: HashMap<(Id, Id), u32>,
    salt: u64,
}

impl Default for World {
    fn default() -> Self {
        World::new(QUORUMS, false)
    }
}

/// The steps of admission.1 that follow from the state.
pub fn screen(state: &State, r: u64, bytes: &[u8]) -> Result<AuthenticEnvelope, Error> {
    let entry = authenticate(state, r, UnverifiedEnvelope::parse(bytes)?)?;
    check_realm(state, &entry)?;
    check_conversation(state, &entry)?;
    check_genesis(state, &entry)?;
    Ok(entry)
}

impl World {
    pub fn new(policy: Policy, dev: bool) -> World {
        let mut world = World { state: State::new(), time: START, kept: Vec::new(), counters: HashMap::new(), salt: 0 };
        world.offer(&genesis(policy, dev)).home();
        world
    }

    pub fn realm(&self) -> Id {
        *self.state.realm().unwrap()
    }

    /// What the next entry is stamped with.
    pub fn stamp(&self) -> Stamp {
        Stamp { time: self.time, registry_size: self.state.registry_size() }
    }

    pub fn offer(&mut self, bytes: &[u8]) -> Outcome {
        let stamp = self.stamp();
        let entry = match screen(&self.state, stamp.registry_size, bytes) {
            Ok(entry) => entry,
            Err(error) => return Outcome::Refused(error.code),
        };
        let conversation = conversation_of(&UnverifiedEnvelope::parse(bytes).unwrap());
        let verdict = admit(&self.state, stamp, &entry).unwrap();
        let (code, outcome) = match &verdict {
            Verdict::Admitted(delta) => (0, Outcome::Admitted(delta.home())),
            Verdict::Rejected(error, _) => (error.code.number(), Outcome::Rejected(error.code)),
        };
        assert_eq!(verdict.delta().conversation(), &conversation);
        let home = self.state.apply(verdict.into_delta()).unwrap();
        self.kept.push(Kept { envelope: bytes.to_vec(), id: *entry.id(), conversation, stamp, code, home });
        outcome
    }

    pub fn next_seq(&mut self, who: Who, conversation: Id) -> Seq {
        let counter = self.counters.entry((who.agent, conversation)).or_insert(100);
        *counter += 1;
        Seq { epoch: START, counter: *counter }
    }

    pub fn salt(&mut self) -> [u8; 16] {
        self.salt += 1;
        let mut salt = [0; 16];
        salt[8..].copy_from_slice(&self.salt.to_be_bytes());
        salt
    }

    pub fn parts(&mut self, who: Who, conversation: Id, recipients: Vec<Addr>) -> Parts<'static> {
        Parts {
            recipients,
            seq: self.next_seq(who, conversation),
            time: self.time,
            salt: self.salt(),
            body: None,
            workflow: None,
        }
    }

    pub fn seen_registry(&self) -> SeenRegistry {
        self.state.seen_registry(self.state.registry_size()).unwrap()
    }

    /// Everything of a branch.
    pub fn seen(&self, conversation: Id, branch: Id) -> Seen {
        let branches = self.state.conversation(&conversation).unwrap().branches();
        let size = branches.get(branches.number(&branch).unwrap()).unwrap().size;
        self.seen_at(conversation, branch, size)
    }

    pub fn seen_at(&self, conversation: Id, branch: Id, size: u64) -> Seen {
        self.state.seen(self.seen_registry(), &conversation, &branch, size).unwrap()
    }

    pub fn head(&self, conversation: Id, branch: Id) -> Merge {
        let seen = self.seen(conversation, branch);
        Merge { branch, size: seen.size, fingerprint: seen.fingerprint }
    }

    pub fn proposal(&mut self, who: Who, proposal: Proposal) -> Vec<u8> {
        let (parts, seen) = (self.parts(who, self.realm(), Vec::new()), self.seen_registry());
        signed(who, |author| draft_proposal(author, &parts, &seen, proposal))
    }

    pub fn propose(&mut self, who: Who, proposal: Proposal) -> Outcome {
        let bytes = self.proposal(who, proposal);
        self.offer(&bytes)
    }

    pub fn approve(&mut self, who: Who, kind: Kind, id: Id) -> Outcome {
        let (parts, seen) = (self.parts(who, self.realm(), Vec::new()), self.seen_registry());
        let bytes = signed(who, |author| draft_approval(author, &parts, &seen, kind, id));
        self.offer(&bytes)
    }

    /// Enrols an agent whose next key has the seed + 1000.
    pub fn enrol(&mut self, text: &str, seed: u16, purpose: Purpose, groups: &[&str]) -> Who {
        let part = enrol_part(self.realm(), text, seed, purpose, groups, None);
        let agent = self.kept.len();
        self.propose(root(0), Proposal::Enrol(Box::new(part))).home();
        Who { seed, agent: self.kept[agent].id, grant: None }
    }

    pub fn open(&mut self, who: Who, members: Option<Vec<Addr>>) -> Id {
        let bytes = self.open_bytes(who, members);
        self.offer(&bytes).home().branch
    }

    pub fn open_bytes(&mut self, who: Who, members: Option<Vec<Addr>>) -> Vec<u8> {
        let (parts, seen) = (self.parts(who, ZERO, Vec::new()), self.seen_registry());
        let open = OpenPart { members, required: false, definition: None };
        signed(who, |author| draft_open(author, &parts, &seen, open))
    }

    pub fn say(&mut self, who: Who, seen: &Seen, merges: Vec<Merge>) -> Outcome {
        let parts = self.parts(who, seen.conversation, Vec::new());
        let bytes = signed(who, |author| draft_message(author, &parts, seen, merges));
        self.offer(&bytes)
    }

    pub fn fork(&mut self, who: Who, seen: &Seen, grant: Option<GrantPart>) -> Outcome {
        let parts = self.parts(who, seen.conversation, Vec::new());
        let bytes = signed(who, |author| draft_fork(author, &parts, seen, grant));
        self.offer(&bytes)
    }

    /// A sub-agent with the key of this seed.
    pub fn spawn(&mut self, who: Who, seen: &Seen, grant: GrantPart, seed: u16) -> Who {
        let home = self.fork(who, seen, Some(grant)).home();
        Who { seed, agent: home.branch, grant: Some(home.branch) }
    }

    pub fn close(&mut self, who: Who, seen: &Seen, whole: bool) -> Outcome {
        let parts = self.parts(who, seen.conversation, Vec::new());
        let bytes = signed(who, |author| draft_close(author, &parts, seen, whole));
        self.offer(&bytes)
    }
}

pub fn enrol_part(
    realm: Id,
    text: &str,
    seed: u16,
    purpose: Purpose,
    groups: &[&str],
    replaces: Option<Id>,
) -> EnrolPart {
    let (name, next) = (name(text), Some(next_key_digest(key(seed + 1000).public().as_bytes())));
    let offer = Offer { realm: &realm, purpose, name: &name, next: next.as_ref() }.sign(&key(seed));
    let groups = groups.iter().map(|group| Name::parse(group).unwrap()).collect();
    EnrolPart { name, key: *key(seed).public().as_bytes(), purpose, groups, next, replaces, offer }
}

/// A grant of everything to the key of this seed.
pub fn grant(realm: Id, seed: u16) -> GrantPart {
    let offer = Offer { realm: &realm, purpose: Purpose::Message, name: &name("child"), next: None }.sign(&key(seed));
    GrantPart {
        key: *key(seed).public().as_bytes(),
        offer,
        steps: None,
        to: None,
        rights: 7,
        expires: None,
        depth: 8,
        next: None,
    }
}

pub fn steps(patterns: &[&str]) -> Option<Vec<StepPattern>> {
    Some(patterns.iter().map(|pattern| StepPattern::parse(pattern).unwrap()).collect())
}

pub fn signed(who: Who, draft: impl FnOnce(Author<'_>) -> Result<Draft, Error>) -> Vec<u8> {
    let key = key(who.seed);
    draft(Author { key: key.public(), agent: who.agent, grant: who.grant }).unwrap().sign(&key).unwrap()
}

/// Claims that were changed, signed as they are.
pub fn sign_claims(seed: u16, claims: &Claims) -> Vec<u8> {
    let key = key(seed);
    let (header, payload) = (header_of(key.public().thumbprint(), claims.kind.typ()), claims.encode());
    encode_envelope(&header, &payload, &key.sign(&sig_structure(&header, &payload)))
}

pub fn claims_of(bytes: &[u8]) -> Claims {
    UnverifiedEnvelope::parse(bytes).unwrap().claims().clone()
}

pub fn id_of(bytes: &[u8]) -> Id {
    *UnverifiedEnvelope::parse(bytes).unwrap().id()
}
