//! What can be told from what evidence: after the first fault the reading goes on, and explains it (fingerprint.8).

use std::collections::HashMap;

use super::Hash;
use super::accumulator::Scope;
use super::conversation::{ConversationState, Parts, check_member, check_seq};
use super::head::{Fingerprint, Head};
use super::nodes::NodeStore;
use super::repair::{Alternative, Row};
use super::report::{EquivocationEvidence, FirstFault, ProvenBy, Repair, RepairKind, Report};
use super::salvage::envelopes_in;
use super::window::Window;
use super::working::{Edit, Leaf, Signed, Standing, Working};
use crate::errors::{Code, Error, Result};
use crate::message::{Addr, Claims, Kind, Seq, UnverifiedEnvelope, VerifiedEnvelope};

/// Repairs that are made before the rest is left unjudged (fingerprint.8.3).
pub(super) const MAX_REPAIRS: usize = 16;
/// Entries that do not fit and are tried again after each repair.
const MAX_PENDING: usize = 1024;
/// Entries that were left out and wait for a later author to say so. Of more than these no report could be made either.
const MAX_ASIDE: usize = 1024;
/// Positions of misfits that the report lists.
const MISFITS_SHOWN: usize = 8;

/// One item of the file behind its header, with its verdict.
pub(super) struct Judged<'a> {
    pub position: u64,
    pub offset: u64,
    pub bytes: &'a [u8],
    pub verdict: Result<VerifiedEnvelope>,
}

/// An entry whose signed context does not fit (yet).
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub position: u64,
    pub id: Hash,
    pub signed: Signed,
}

/// An entry that was left out of the history; `place` is where it would stand.
#[derive(Clone, Debug)]
struct Aside {
    place: u64,
    position: u64,
    id: Option<Hash>,
}

/// How the conversation's id is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Anchor {
    /// From an open that did not verify, or not at all.
    Unknown,
    /// From a verified message, which names it.
    Named,
    /// From the verified open.
    Open,
}

/// The reading after the first fault.
#[derive(Debug)]
pub(super) struct Diagnosis<S> {
    pub(super) work: Working<S>,
    pub(super) conversation: Option<Hash>,
    anchor: Anchor,
    members: Option<Vec<Addr>>,
    authors: HashMap<Hash, Option<Seq>>,
    pub(super) repairs: Vec<Repair>,
    /// Other edits that the proof of the last repair allows just as well, until a later entry decides.
    pub(super) alternatives: Vec<Alternative>,
    /// Leaves that were taken out and may belong elsewhere.
    pub(super) limbo: Vec<Leaf>,
    pub(super) pending: Vec<Pending>,
    aside: Vec<Aside>,
    first: FirstFault,
    head: Option<Fingerprint>,
    lag: u64,
    read: u64,
    fits: u64,
    misfits: u64,
    /// Positions of entries that count as misfits without being pending.
    left_out: Vec<u64>,
    pub(super) judged: bool,
    envelopes: Window,
    /// Leaves that did not verify and are not proven yet; a few too many do no harm.
    suspects: usize,
}

impl<S: NodeStore> Diagnosis<S> {
    /// Goes on from the state before the fault. `sound` entries stood before it.
    pub fn new(mut state: ConversationState<S>, window: Window, first: FirstFault) -> Result<Self> {
        let head = state.head_at(first.position)?;
        let lag = state.lag();
        let Parts { tree, conversation, members, authors } = state.into_parts();
        let anchor = if conversation.is_some() { Anchor::Open } else { Anchor::Unknown };
        let (recent, envelopes) = window.split();
        Ok(Diagnosis {
            work: Working::new(tree, recent),
            conversation,
            anchor,
            members,
            authors,
            repairs: Vec::new(),
            alternatives: Vec::new(),
            limbo: Vec::new(),
            pending: Vec::new(),
            aside: Vec::new(),
            read: first.position,
            first,
            head,
            lag,
            fits: 0,
            misfits: 0,
            left_out: Vec::new(),
            judged: true,
            envelopes,
            suspects: 0,
        })
    }

    /// An entry that was admitted before its fault showed (`HeadForked`).
    pub fn count_admitted(&mut self) {
        self.read += 1;
    }

    /// An item behind the last one that was judged.
    pub fn count_unjudged(&mut self) {
        self.read += 1;
    }

    /// The next item, the faulty one first.
    pub fn take(&mut self, item: Judged<'_>) -> Result<()> {
        self.read += 1;
        if !self.judged {
            return Ok(());
        }
        match item.verdict {
            Ok(entry) => {
                self.envelopes.keep(item.position, entry.bytes());
                if entry.claims().kind == Kind::Open {
                    self.take_open(item.position, &entry)
                } else {
                    self.take_message(item.position, &entry)
                }
            }
            Err(error) => self.take_unverified(item.position, item.bytes, &error),
        }
    }

    // --- what did not verify ---------------------------------------------------------------------------------------------

    /// Its signature, body or form fails: it keeps its place until a signed fingerprint says what stood there.
    fn take_unverified(&mut self, position: u64, item: &[u8], error: &Error) -> Result<()> {
        self.count(position, false, true);
        let form = !matches!(error.code, Code::KeyUnknown | Code::PurposeWrong | Code::RealmOther);
        let found = envelopes_in(item);
        if found.is_empty() && matches!(error.code, Code::ItemUnknown | Code::ItemNotBuilt) {
            self.set_aside(position, None);
            return Ok(());
        }
        if found.is_empty() {
            let n = self.work.size();
            let standing = Standing::Suspect { form };
            return self.stand(Leaf { id: None, position, author: None, seq: None, n, standing });
        }
        found.iter().try_for_each(|envelope| self.take_suspect(position, envelope, form))
    }

    fn take_suspect(&mut self, position: u64, envelope: &UnverifiedEnvelope, form: bool) -> Result<()> {
        let (id, claims) = (*envelope.id(), envelope.claims());
        if self.work.size() == 0 && self.conversation.is_none() {
            let open = claims.kind == Kind::Open;
            self.conversation = Some(if open { id } else { claims.conversation });
            if !open {
                self.work.append(Leaf::placed(claims.conversation, position))?;
            }
        }
        if let Some(index) = self.work.find_id(&id) {
            // The entry that a later author named, or a damaged copy of one that is there.
            match self.work.get(index).map(|leaf| leaf.standing) {
                Some(Standing::Placed) => self.arrive(index, position, &id, claims, Standing::Suspect { form }),
                _ => self.set_aside(position, Some(id)),
            }
            return Ok(());
        }
        self.stand(leaf_of(&id, claims, position, Standing::Suspect { form }))
    }

    fn stand(&mut self, leaf: Leaf) -> Result<()> {
        self.suspects += usize::from(matches!(leaf.standing, Standing::Suspect { .. }));
        self.work.append(leaf)?;
        // Nothing fits any more: no reason to keep what such a file goes on with.
        self.judged &= !self.work.is_lost();
        Ok(())
    }

    // --- opens -----------------------------------------------------------------------------------------------------------

    fn take_open(&mut self, position: u64, entry: &VerifiedEnvelope) -> Result<()> {
        let (id, claims) = (*entry.id(), entry.claims());
        let members = claims.open.as_ref().and_then(|open| open.members.clone());
        if let Some(index) = self.work.find_id(&id) {
            let standing = self.work.get(index).map(|leaf| leaf.standing);
            if index == 0 && standing == Some(Standing::Placed) {
                // The open was named by what stands before it in the file.
                self.arrive(index, position, &id, claims, Standing::Sound);
                (self.anchor, self.members) = (Anchor::Open, members);
                self.count(position, true, true);
                return Ok(());
            }
            return self.duplicate(position, index, leaf_of(&id, claims, position, Standing::Sound));
        }
        if self.anchor != Anchor::Open && self.fits == 0 {
            return self.start_again(position, entry, members);
        }
        self.count(position, false, true);
        self.add(Row::new(RepairKind::OtherConversation, position, vec![id]), ProvenBy::Itself);
        Ok(())
    }

    /// The real open comes late: what stood before it was put in front.
    fn start_again(&mut self, position: u64, entry: &VerifiedEnvelope, members: Option<Vec<Addr>>) -> Result<()> {
        let before: Vec<Leaf> = self.work.leaves().map(|(_, leaf)| leaf.clone()).collect();
        self.work.clear()?;
        self.alternatives.clear();
        let others: Vec<Pending> = std::mem::take(&mut self.pending);
        self.left_out.extend(others.iter().map(|pending| pending.position));
        for leaf in before {
            if matches!(leaf.standing, Standing::Suspect { .. }) {
                self.aside.push(Aside { place: 0, position: leaf.position, id: leaf.id });
            } else if let Some(id) = leaf.id.filter(|_| leaf.standing != Standing::Placed) {
                self.add(Row::new(RepairKind::OtherConversation, leaf.position, vec![id]), ProvenBy::Itself);
            }
        }
        self.conversation = Some(*entry.id());
        (self.anchor, self.members) = (Anchor::Open, members);
        self.authors.insert(entry.claims().agent, None);
        self.count(position, true, true);
        self.stand(leaf_of(entry.id(), entry.claims(), position, Standing::Sound))
    }

    // --- messages --------------------------------------------------------------------------------------------------------

    fn take_message(&mut self, position: u64, entry: &VerifiedEnvelope) -> Result<()> {
        let (id, claims) = (*entry.id(), entry.claims());
        let conversation = self.name_conversation(position, claims)?;
        let leaf = leaf_of(&id, claims, position, Standing::Sound);
        if claims.conversation != conversation {
            self.count(position, false, true);
            self.add(Row::new(RepairKind::OtherConversation, position, vec![id]), ProvenBy::Itself);
            return Ok(());
        }
        let stranger = self.anchor == Anchor::Open
            && check_member(self.members.as_deref(), &claims.agent, entry.sender()).is_err();
        if stranger || claims.branch != conversation || !claims.merges.is_empty() {
            self.count(position, false, true);
            self.set_aside(position, Some(id));
            return Ok(());
        }
        let last = self.authors.get(&claims.agent).copied().flatten();
        // An entry with a fresh number is no copy, and nobody's second under one number: the window need not be looked through.
        let fresh = claims.seq > last;
        if fresh && !self.is_named(&id) {
            return self.take_fresh(position, leaf, claims, last);
        }
        if let Some(index) = self.work.find_id(&id) {
            if self.work.get(index).map(|leaf| leaf.standing) == Some(Standing::Placed) {
                self.arrive(index, position, &id, claims, Standing::Sound);
                self.use_seq(claims);
                return self.judge(position, leaf, claims, false);
            }
            return self.duplicate(position, index, leaf);
        }
        if let Some(index) = self.work.find(|other| other.author == leaf.author && other.seq == leaf.seq) {
            return self.equivocation(position, index, leaf, entry.bytes());
        }
        self.take_fresh(position, leaf, claims, last)
    }

    fn take_fresh(&mut self, position: u64, leaf: Leaf, claims: &Claims, last: Option<Seq>) -> Result<()> {
        if check_seq(claims, last).is_err_and(|error| error.code == Code::SeqWindow) {
            self.count(position, false, true);
            self.set_aside(position, leaf.id);
            return Ok(());
        }
        // A number below the author's last one is no reason to leave an entry out here: moved entries bring such numbers about.
        self.use_seq(claims);
        self.judge(position, leaf, claims, true)
    }

    /// Whether a repair has put this id into the history, or taken it out.
    fn is_named(&self, id: &Hash) -> bool {
        self.conversation == Some(*id)
            || self.repairs.iter().any(|row| row.ids.contains(id))
            || self.limbo.iter().any(|leaf| leaf.id == Some(*id))
    }

    /// The conversation that this file is of. Where the open is missing or damaged, the first message names it.
    fn name_conversation(&mut self, position: u64, claims: &Claims) -> Result<Hash> {
        if let Some(conversation) = self.conversation.filter(|_| self.anchor != Anchor::Unknown) {
            return Ok(conversation);
        }
        self.conversation = Some(claims.conversation);
        self.anchor = Anchor::Named;
        if self.work.size() == 0 {
            self.work.append(Leaf::placed(claims.conversation, position))?;
        }
        Ok(claims.conversation)
    }

    fn use_seq(&mut self, claims: &Claims) {
        let last = self.authors.entry(claims.agent).or_default();
        *last = (*last).max(claims.seq);
    }

    /// Steps 9 and 10 against the history as it is explained so far; where they fail, the explanation goes on.
    fn judge(&mut self, position: u64, mut leaf: Leaf, claims: &Claims, append: bool) -> Result<()> {
        let (Some(id), Some(scope)) = (leaf.id, self.scope()) else {
            return Err(Error::new(Code::Internal, "an entry with an id in a conversation", "none"));
        };
        let (n, parent) = (claims.context.size, claims.parent);
        let signed = Signed { n, parent, fingerprint: claims.context.fingerprint };
        let pending = Pending { position, id, signed };
        let mut fits = self.work.fits(&scope, &signed)?;
        if fits {
            self.confirm(&pending);
        } else if self.explain(&pending)? {
            fits = self.work.fits(&scope, &signed)?;
        }
        self.count(position, fits, false);
        if !fits {
            leaf.standing = Standing::Misfit;
            if self.pending.len() < MAX_PENDING {
                self.pending.push(pending);
            } else {
                self.leave_out(position);
            }
        }
        if append && self.judged { self.stand(leaf) } else { Ok(()) }
    }

    /// A fit at size n proves every leaf below n: its author signed exactly these.
    pub(super) fn confirm(&mut self, by: &Pending) {
        let n = by.signed.n;
        let proven_by = ProvenBy::Entry { position: by.position, id: by.id };
        self.confirm_below(n, proven_by);
    }

    fn confirm_below(&mut self, n: u64, proven_by: ProvenBy) {
        self.alternatives.retain(|alternative| n <= alternative.undecided_below);
        let mut rows = Vec::new();
        if self.suspects > 0 {
            for (_, leaf) in self.work.leaves_mut().take_while(|(index, _)| *index < n) {
                if let Standing::Suspect { form } = leaf.standing {
                    self.suspects = self.suspects.saturating_sub(1);
                    leaf.standing = Standing::Sound;
                    let ids = leaf.id.into_iter().collect();
                    rows.extend(form.then(|| Row::new(RepairKind::Altered, leaf.position, ids)));
                }
            }
        }
        let (proven, open) = self.aside.drain(..).partition(|aside| aside.place < n);
        self.aside = open;
        let proven: Vec<Aside> = proven;
        rows.extend(
            proven.iter().map(|aside| Row::new(RepairKind::Inserted, aside.position, aside.id.into_iter().collect())),
        );
        rows.into_iter().for_each(|row| self.add(row, proven_by));
    }

    // --- entries that explain themselves -----------------------------------------------------------------------------------

    /// An entry arrives that a later author had named before: it is there, in another place.
    fn arrive(&mut self, index: u64, position: u64, id: &Hash, claims: &Claims, standing: Standing) {
        self.suspects += usize::from(standing != Standing::Sound);
        if let Some(leaf) = self.work.get_mut(index) {
            *leaf = leaf_of(id, claims, position, standing);
        }
        match self.repairs.iter_mut().find(|row| row.kind == RepairKind::Missing && row.ids.contains(id)) {
            Some(row) => row.kind = RepairKind::Swapped,
            None => {
                self.add(Row::new(RepairKind::Swapped, self.first.position.min(position), vec![*id]), ProvenBy::Itself)
            }
        }
    }

    fn duplicate(&mut self, position: u64, index: u64, leaf: Leaf) -> Result<()> {
        self.count(position, false, true);
        self.add(Row::new(RepairKind::Duplicated, position, leaf.id.into_iter().collect()), ProvenBy::Itself);
        self.alternatives = vec![self.other_instead(index, leaf)];
        Ok(())
    }

    fn equivocation(&mut self, position: u64, index: u64, leaf: Leaf, envelope: &[u8]) -> Result<()> {
        self.count(position, false, true);
        let other = self.work.get(index).cloned();
        let ids = other.iter().chain([&leaf]).filter_map(|leaf| leaf.id).collect();
        let first = other.and_then(|other| self.envelopes.envelope(other.position));
        let mut row = Row::new(RepairKind::Equivocation, position, ids);
        row.evidence = first.map(|first| Box::new(EquivocationEvidence { first, second: envelope.to_vec() }));
        self.add(row, ProvenBy::Itself);
        let both = Edit::Rewrite { from: self.work.size(), tail: vec![leaf.clone()], resume: self.work.size() };
        self.alternatives = vec![
            self.other_instead(index, leaf),
            Alternative { edit: both, undecided_below: self.work.size(), replaces: 0..0, rows: Vec::new() },
        ];
        Ok(())
    }

    /// Of two leaves that exclude each other the later one counts, and not the one at `index`.
    fn other_instead(&self, index: u64, leaf: Leaf) -> Alternative {
        let size = self.work.size();
        let behind = (index.saturating_add(1)..size).filter_map(|index| self.work.get(index).cloned());
        let tail = behind.chain([leaf]).collect();
        let edit = Edit::Rewrite { from: index, tail, resume: size };
        Alternative { edit, undecided_below: size, replaces: 0..0, rows: Vec::new() }
    }

    /// Not a leaf, unless a later author says so. If one fits without it, it was put in.
    fn set_aside(&mut self, position: u64, id: Option<Hash>) {
        if self.aside.len() < MAX_ASIDE {
            self.aside.push(Aside { place: self.work.size(), position, id });
        } else {
            // A hostile file sets aside an entry for each of its bytes.
            self.judged = false;
        }
    }

    // --- counting --------------------------------------------------------------------------------------------------------

    fn count(&mut self, position: u64, fits: bool, settled: bool) {
        if position > self.first.position {
            if fits {
                self.fits += 1;
            } else {
                self.misfits += 1;
            }
        }
        if settled && !fits {
            self.leave_out(position);
        }
    }

    fn leave_out(&mut self, position: u64) {
        if self.left_out.len() < MISFITS_SHOWN {
            self.left_out.push(position);
        }
    }

    /// A pending entry fits after a repair.
    pub(super) fn resolve(&mut self, pending: &Pending) {
        if pending.position > self.first.position {
            self.fits += 1;
            self.misfits = self.misfits.saturating_sub(1);
        }
        if let Some(index) = self.work.find_id(&pending.id)
            && let Some(leaf) = self.work.get_mut(index)
            && leaf.standing == Standing::Misfit
        {
            leaf.standing = Standing::Sound;
        }
        self.confirm(pending);
    }

    pub(super) fn add(&mut self, row: Row, proven_by: ProvenBy) {
        if self.repairs.len() >= MAX_REPAIRS {
            self.judged = false;
            return;
        }
        let Row { kind, position, ids, evidence } = row;
        self.repairs.push(Repair { kind, position, ids, proven_by, evidence });
    }

    pub(super) fn scope(&self) -> Option<Scope> {
        self.conversation.map(Scope::of_file)
    }

    /// The report. `head` is the one that the verifier kept; `ended` says that the reading stopped before the end.
    pub fn finish(mut self, head: Option<Head>, ended: Option<&Error>) -> Result<Report> {
        // What stands behind a fault of the codec cannot be found: it is not judged.
        self.judged &= ended.is_none();
        if let Some(head) = head {
            self.compare(head, ended)?;
        }
        self.name_the_unknown();
        let shown = self.first.position;
        let mut misfits = self.left_out;
        misfits.extend(self.pending.iter().map(|pending| pending.position));
        misfits.retain(|position| *position > shown);
        misfits.sort_unstable();
        misfits.dedup();
        misfits.truncate(MISFITS_SHOWN);
        Ok(Report {
            entries_read: self.read,
            sound: self.first.position,
            first_fault: self.first,
            repairs: self.repairs,
            fits_after: self.fits,
            misfits_after: self.misfits,
            misfits,
            judged: self.judged,
            head: self.head,
            lag: self.lag,
        })
    }

    /// A retained head is one more signed fingerprint; it names no parent.
    fn compare(&mut self, head: Head, ended: Option<&Error>) -> Result<()> {
        let signed = Signed { n: head.size, parent: None, fingerprint: head.fingerprint };
        let Some(scope) = self.scope() else {
            return Ok(());
        };
        if head.size > self.work.size() {
            if ended.is_none_or(|error| error.code == Code::Truncated) {
                self.add(Row::new(RepairKind::CutOff, self.read, Vec::new()), ProvenBy::Head);
            }
        } else if self.work.fits(&scope, &signed)? {
            self.confirm_below(head.size, ProvenBy::Head);
        } else {
            self.explain_head(&signed)?;
        }
        Ok(())
    }

    /// What no signed fingerprint explains is called so.
    fn name_the_unknown(&mut self) {
        let suspects = self.work.leaves().filter(|(_, leaf)| matches!(leaf.standing, Standing::Suspect { .. }));
        let open: Vec<(u64, Option<Hash>)> = suspects
            .map(|(_, leaf)| (leaf.position, leaf.id))
            .chain(self.aside.iter().map(|aside| (aside.position, aside.id)))
            .chain(self.pending.iter().map(|pending| (pending.position, Some(pending.id))))
            .filter(|(position, _)| self.repairs.iter().all(|row| row.position != *position))
            .collect();
        let first = (self.first.position, self.first.id);
        let unknown = match open.into_iter().min_by_key(|(position, _)| *position) {
            Some(unknown) => unknown,
            None if self.repairs.is_empty() => first,
            None => return,
        };
        self.add(Row::new(RepairKind::Unknown, unknown.0, unknown.1.into_iter().collect()), ProvenBy::Nothing);
    }
}

fn leaf_of(id: &Hash, claims: &Claims, position: u64, standing: Standing) -> Leaf {
    Leaf { id: Some(*id), position, author: Some(claims.agent), seq: claims.seq, n: claims.context.size, standing }
}

/// The leaf of an entry that was admitted.
pub(super) fn sound_leaf(entry: &VerifiedEnvelope, position: u64) -> Leaf {
    leaf_of(entry.id(), entry.claims(), position, Standing::Sound)
}
