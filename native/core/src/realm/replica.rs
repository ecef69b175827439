//! A replica of a realm: the state, the realm tree, and what a record must say next. Engines write with it, audits read with it.

use std::collections::HashMap;

use super::admission::{Stamp, admit};
use super::checkpoint::{Checkpoint, Note};
use super::dag::Dag;
use super::delta::{Delta, Verdict};
use super::log::Pair;
use super::record::{Home, Record, entry_digest};
use super::screen::{check_conversation, check_genesis, check_realm, verify_ahead, vouch_ahead};
use super::state::{State, conversation_in};
use crate::errors::{Code, Error, Result};
use crate::history::forest::{Branch, Forest};
use crate::history::nodes::MemoryNodes;
use crate::history::sha_tree::{Rfc6962, TreeHead, rfc6962_leaf};
use crate::message::{AuthenticEnvelope, BodyPart, Id, IdMap, Keys, UnverifiedEnvelope};
use crate::text;

/// What a replica has taken in so far.
#[derive(Debug)]
pub struct Replica {
    state: State,
    tree: Forest<Rfc6962, MemoryNodes>,
    place: Branch,
    records: u64,
    /// Where the next record must stand at least.
    position: u64,
    time: u64,
    /// The position of each conversation's last record plus 1.
    last: IdMap<u64>,
    /// The one conversation that a filtered replica follows, besides the registry.
    only: Option<Id>,
    /// What queries need and verdicts do not: kept from the start in a replay, and in an engine from the first query on.
    dags: Option<HashMap<Id, Dag>>,
}

/// An entry of a log that is being replayed; its envelope may have been read and its signature verified beforehand.
pub struct Replayed<'a> {
    pub envelope: &'a [u8],
    pub body: Option<BodyPart<'a>>,
    /// A signature that was verified under the key that was known then. It is used only if that is still the key.
    pub verified: Option<AuthenticEnvelope>,
    pub(super) asking: Asking,
}

/// How much is asked of the pairs of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    Everything,
    /// All but the signatures: a checkpoint of the own key will have to be over these very pairs (log.7).
    AllButSignatures,
}

impl Default for Replica {
    fn default() -> Self {
        Replica::new(None)
    }
}

impl Replica {
    /// Before the genesis. With a conversation: a replica that follows it alone, and the registry.
    pub fn new(only: Option<Id>) -> Replica {
        let (tree, place) = Forest::with_branch(MemoryNodes::default());
        Replica {
            state: State::new(),
            tree,
            place,
            records: 0,
            position: 0,
            time: 0,
            last: IdMap::default(),
            only,
            dags: None,
        }
    }

    /// One that can be asked who comes after whom.
    #[must_use]
    pub fn with_dags(self) -> Replica {
        Replica { dags: Some(HashMap::new()), ..self }
    }

    pub(super) fn has_dags(&self) -> bool {
        self.dags.is_some()
    }

    /// Makes the dags of all that was taken in so far, from a log that is read again: `read(position)` gives pairs from there on. It is not
    /// trusted: each pair is one that was replayed, or nothing is made. A branch never forgets a leaf, so what an entry names is still
    /// found in the state that came after it. Raises `RecordDigest`.
    pub(super) fn make_dags(&mut self, read: impl Fn(u64) -> Result<Vec<Pair>>) -> Result<()> {
        let mut dags: HashMap<Id, Dag> = HashMap::new();
        let mut position = 0;
        while position < self.records {
            for pair in self.again(position, &read)? {
                let envelope = self.check_again(position, &pair)?;
                let record = &pair.record;
                dags.entry(record.conversation).or_default().push(record, envelope.claims(), &self.state)?;
                position += 1;
            }
        }
        self.dags = Some(dags);
        Ok(())
    }

    /// Pairs of records that were taken in, from a log that is read again: at least one, none beyond what was taken in. Raises `CheckpointStale`.
    pub(super) fn again(&self, position: u64, read: impl Fn(u64) -> Result<Vec<Pair>>) -> Result<Vec<Pair>> {
        let mut pairs = read(position)?;
        pairs.truncate(usize::try_from(self.records.saturating_sub(position)).unwrap_or(usize::MAX));
        if pairs.is_empty() {
            return Err(fault(Code::CheckpointStale, format!("{} records", self.records), position.to_string()));
        }
        Ok(pairs)
    }

    /// The pair is the one that was taken in at this position. Raises `RecordDigest`.
    pub(super) fn check_again(&mut self, position: u64, pair: &Pair) -> Result<UnverifiedEnvelope> {
        let (record, leaf) = (&pair.record, self.tree.leaf(self.place, position)?);
        if leaf != record.leaf() || record.digest != entry_digest(&pair.envelope) {
            let expected = format!("the pair that was taken in at position {position}");
            return Err(fault(Code::RecordDigest, expected, "another"));
        }
        UnverifiedEnvelope::parse(&pair.envelope)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// How many records it has taken in.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The time of the last record.
    pub fn time(&self) -> u64 {
        self.time
    }

    pub fn is_filtered(&self) -> bool {
        self.only.is_some()
    }

    /// Who comes after whom in a conversation, or among the entries of the registry. None also where no dags are kept.
    pub fn dag(&self, conversation: &Id) -> Option<&Dag> {
        self.dags.as_ref()?.get(conversation)
    }

    /// The realm tree at a size that there was.
    pub fn tree_head(&mut self, size: u64) -> Result<TreeHead> {
        let root = self.tree.root(self.place, size)?;
        let root = root.ok_or_else(|| Error::new(Code::ArgumentRange, "a size of at least 1", "0"))?;
        Ok(TreeHead { size, root })
    }

    /// The nodes of the realm tree, for proofs.
    pub fn tree(&mut self) -> crate::history::forest::View<'_, Rfc6962, MemoryNodes> {
        self.tree.view(self.place)
    }

    /// The stamp of the next entry: a time that does not go back, and the registry's size (record.1.2).
    pub fn stamp(&self, now: u64) -> Stamp {
        Stamp { time: self.time.max(now), registry_size: self.state.registry_size() }
    }

    /// The record of the next entry with this verdict.
    pub fn record(&self, stamp: Stamp, entry: &AuthenticEnvelope, verdict: &Verdict) -> Result<Record> {
        let delta = verdict.delta();
        let record = Record {
            position: self.position,
            time: stamp.time,
            registry_size: stamp.registry_size,
            digest: entry_digest(entry.bytes()),
            id: *entry.id(),
            conversation: *delta.conversation(),
            home: delta.home(),
            prev: self.prev(delta.conversation()),
            code: verdict.code(),
        };
        record.check()?;
        Ok(record)
    }

    fn prev(&self, conversation: &Id) -> u64 {
        self.last.get(conversation).copied().unwrap_or(0)
    }

    /// Takes in an entry whose record is written.
    pub fn apply(&mut self, record: &Record, entry: &AuthenticEnvelope, delta: Delta) -> Result<Home> {
        let home = self.state.apply(delta)?;
        // What a filtered replica sees is no tree.
        if self.only.is_none() {
            self.tree.append(self.place, &rfc6962_leaf(&record.encode()))?;
        }
        if let Some(dags) = &mut self.dags {
            dags.entry(record.conversation).or_default().push(record, entry.claims(), &self.state)?;
        }
        self.records += 1;
        self.position = record.position + 1;
        self.time = record.time;
        self.last.insert(record.conversation, self.position);
        Ok(home)
    }

    /// The numbered steps of record.4.2, behind the record's form. The first that fails is the fault, and nothing has changed.
    pub fn replay(&mut self, record: &Record, entry: Replayed<'_>) -> Result<AuthenticEnvelope> {
        // b to d: a record taken out, put in, moved; a clock turned back; a revocation moved.
        self.check_record(record)?;
        // e: another entry under a true record.
        if record.digest != entry_digest(entry.envelope) {
            return Err(fault(Code::RecordDigest, "the digest of the entry", text::hex(&record.digest)));
        }
        let verified = entry.verified.filter(|verified| verified.bytes() == entry.envelope);
        let parsed = match &verified {
            Some(verified) => verified.parsed().clone(),
            None => UnverifiedEnvelope::parse(entry.envelope)?,
        };
        if record.id != *parsed.id() {
            return Err(fault(Code::RecordDigest, text::hex(parsed.id()), text::hex(&record.id)));
        }
        // f: a record of this conversation that was withheld.
        let prev = self.prev(&record.conversation);
        if record.prev != prev {
            return Err(fault(Code::RecordPrev, format!("prev {prev}"), record.prev.to_string()));
        }
        self.check_followed(record)?;
        // g: what had to be refused.
        let authentic = self.authenticate(record, parsed, verified, entry.asking)?;
        check_realm(&self.state, &authentic)?;
        check_conversation(&self.state, &authentic)?;
        check_genesis(&self.state, &authentic)?;
        match entry.body {
            Some(_) if !record.is_admitted() => {
                return Err(fault(Code::BodyUnexpected, "no body beside a rejected entry", "one"));
            }
            body => authentic.check_body(body, false)?,
        };
        // h: a wrong verdict.
        let stamp = Stamp { time: record.time, registry_size: record.registry_size };
        let verdict = admit(&self.state, stamp, &authentic)?;
        self.check_verdict(record, &authentic, &verdict)?;
        self.apply(record, &authentic, verdict.into_delta())?;
        Ok(authentic)
    }

    /// Replays pairs of a log: their signatures on all cores, then one after the other. Those before the first fault are taken in.
    pub(super) fn take_over(&mut self, pairs: &[Pair], asking: Asking) -> Result<()> {
        let envelopes = pairs.iter().map(|pair| Some(&*pair.envelope));
        let verified = match asking {
            Asking::Everything => verify_ahead(&self.state, envelopes),
            Asking::AllButSignatures => vouch_ahead(&self.state, envelopes),
        };
        for (pair, verified) in pairs.iter().zip(verified) {
            let entry = Replayed { envelope: &pair.envelope, body: pair.body_part(), verified, asking };
            self.replay(&pair.record, entry)?;
        }
        Ok(())
    }

    /// record.4.2.i: the checkpoint is a sequencer's that the registry has now, and over what was taken in.
    pub fn check_checkpoint(&mut self, text: &[u8]) -> Result<Checkpoint> {
        let note = Note::parse(text)?;
        let Some(registry) = self.state.registry() else {
            return Err(fault(Code::CheckpointKey, "a sequencer of the realm", "none before the genesis"));
        };
        let signer = registry.sequencers().find(|held| note.is_signed_by(&held.key));
        let Some(signer) = signer.or_else(|| registry.sequencers().next()) else {
            return Err(fault(Code::CheckpointKey, "a sequencer of the realm", "none"));
        };
        let checkpoint = note.check(&signer.key, &registry.origin())?;
        if self.only.is_none() {
            self.check_root(&checkpoint, Code::CheckpointRoot)?;
        }
        Ok(checkpoint)
    }

    /// A checkpoint that was kept, of any sequencer that the registry has or had (record.4.3).
    pub fn check_kept(&mut self, text: &[u8]) -> Result<Checkpoint> {
        let note = Note::parse(text)?;
        let Some(registry) = self.state.registry() else {
            return Err(fault(Code::OpenMissing, "a genesis as first entry", "no entry"));
        };
        let all = registry.all_sequencers();
        let signer = all.iter().find(|held| note.is_signed_by(&held.key)).or(all.first());
        let Some(signer) = signer else {
            return Err(fault(Code::CheckpointKey, "a sequencer of the realm", "none"));
        };
        let checkpoint = note.check(&signer.key, &registry.origin())?;
        if self.only.is_none() {
            self.check_root(&checkpoint, Code::CheckpointForked)?;
        }
        Ok(checkpoint)
    }

    pub(super) fn check_root(&mut self, checkpoint: &Checkpoint, code: Code) -> Result<()> {
        if checkpoint.size() > self.records {
            let expected = format!("at least {} records", checkpoint.size());
            return Err(fault(Code::CheckpointStale, expected, self.records.to_string()));
        }
        let own = self.tree_head(checkpoint.size())?;
        if own == *checkpoint.head() {
            return Ok(());
        }
        Err(fault(code, format!("root {} at size {}", text::hex(&own.root), own.size), text::hex(checkpoint.root())))
    }

    fn check_record(&self, record: &Record) -> Result<()> {
        let next = self.position;
        let follows =
            if self.only.is_some() && self.records > 0 { record.position >= next } else { record.position == next };
        if !follows {
            return Err(fault(Code::RecordPosition, format!("position {next}"), record.position.to_string()));
        }
        if record.time < self.time {
            return Err(fault(Code::RecordTime, format!("a time from {}", self.time), record.time.to_string()));
        }
        let size = self.state.registry_size();
        if record.registry_size != size {
            let expected = format!("{size} registry entries below it");
            return Err(fault(Code::RecordRegistry, expected, record.registry_size.to_string()));
        }
        Ok(())
    }

    /// A filtered replica takes in what it follows, and nothing else.
    fn check_followed(&self, record: &Record) -> Result<()> {
        let followed = match (&self.only, self.state.realm()) {
            (Some(only), Some(realm)) => record.conversation == *only || record.conversation == *realm,
            _ => true,
        };
        if followed {
            return Ok(());
        }
        Err(fault(Code::RecordVerdict, "a record of the conversation or the registry", text::hex(&record.conversation)))
    }

    fn authenticate(
        &self,
        record: &Record,
        parsed: UnverifiedEnvelope,
        verified: Option<AuthenticEnvelope>,
        asking: Asking,
    ) -> Result<AuthenticEnvelope> {
        let keys = self.state.keys(record.registry_size);
        let signer = keys.signer(&parsed)?;
        match verified {
            Some(entry) if entry.sender().key == signer.key => Ok(entry),
            _ if asking == Asking::AllButSignatures => Ok(parsed.vouched(signer)),
            _ => parsed.authenticate(&keys),
        }
    }

    fn check_verdict(&self, record: &Record, entry: &AuthenticEnvelope, verdict: &Verdict) -> Result<()> {
        let delta = verdict.delta();
        if record.code != verdict.code() {
            let expected = match verdict {
                Verdict::Admitted(_) => "admitted".to_owned(),
                Verdict::Rejected(error, _) => format!("rejected as {error}"),
            };
            return Err(fault(Code::RecordVerdict, expected, format!("code {}", record.code)));
        }
        let conversation = conversation_in(entry.claims(), entry.id());
        if record.conversation != conversation {
            return Err(fault(Code::RecordVerdict, text::hex(&conversation), text::hex(&record.conversation)));
        }
        if record.home != delta.home() {
            let show = |home: Home| format!("leaf {} of {}", home.index, text::hex(&home.branch));
            return Err(fault(Code::RecordVerdict, show(delta.home()), show(record.home)));
        }
        Ok(())
    }
}

fn fault(
    code: Code,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    got: impl Into<std::borrow::Cow<'static, str>>,
) -> Error {
    Error::new(code, expected, got)
}
