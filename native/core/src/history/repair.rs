//! The search for what happened to a history: candidates, each proven by a fingerprint that somebody signed (fingerprint.8.2).

use std::ops::Range;

use super::Hash;
use super::diagnose::{Diagnosis, Pending};
use super::nodes::NodeStore;
use super::report::{EquivocationEvidence, ProvenBy, RepairKind};
use super::working::{Edit, Leaf, Signed, Standing};
use crate::errors::Result;

/// Leaves before a context in which one that is too many, or two that changed places, are looked for (fingerprint.8.2).
const NEAR: u64 = 256;
/// Leaves that all searches together may hash, whatever a hostile file asks for: what verifying some ten thousand entries costs.
const MAX_WORK: u64 = 1 << 22;
/// What a search costs at least, counted in hashed leaves.
const SEARCH: u64 = 64;
/// Entries that are tried again after a repair.
const RETRIED: usize = 64;
/// Leaves that stand too early by their own account, tried against all others.
const MAX_AHEAD: usize = 4;

/// One line of the report before it is known what proves it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub kind: RepairKind,
    pub position: u64,
    pub ids: Vec<Hash>,
    pub evidence: Option<Box<EquivocationEvidence>>,
}

impl Row {
    pub fn new(kind: RepairKind, position: u64, ids: Vec<Hash>) -> Self {
        Row { kind, position, ids, evidence: None }
    }
}

/// Another explanation that the same proof allows. A later entry decides between them.
#[derive(Clone, Debug)]
pub(super) struct Alternative {
    pub edit: Edit,
    /// A fit at a larger size decides for what is there already.
    pub undecided_below: u64,
    /// Which rows of the report it replaces, and by what.
    pub replaces: Range<usize>,
    pub rows: Vec<Row>,
}

/// A candidate with what the report says of it.
struct Candidate {
    edit: Edit,
    rows: Vec<Row>,
    /// Leaves that it takes out.
    out: Vec<Leaf>,
}

impl Candidate {
    fn new(edit: Edit, rows: Vec<Row>) -> Self {
        Candidate { edit, rows, out: Vec::new() }
    }
}

impl<S: NodeStore> Diagnosis<S> {
    /// Looks for one edit under which this entry's context fits, makes it, and tries the other entries again that did not fit.
    pub(super) fn explain(&mut self, entry: &Pending) -> Result<bool> {
        if !self.search(entry)? {
            return Ok(false);
        }
        self.settle()?;
        Ok(true)
    }

    fn settle(&mut self) -> Result<()> {
        loop {
            let Some(scope) = self.scope() else {
                return Ok(());
            };
            for pending in std::mem::take(&mut self.pending) {
                if self.work.fits(&scope, &pending.signed)? {
                    self.resolve(&pending);
                } else {
                    self.pending.push(pending);
                }
            }
            let retried: Vec<Pending> = self.pending.iter().take(RETRIED).copied().collect();
            let mut progress = false;
            for pending in retried {
                if self.judged && self.search(&pending)? {
                    progress = true;
                    break;
                }
            }
            if !progress {
                return Ok(());
            }
        }
    }

    /// Finds and makes one edit that this entry proves.
    fn search(&mut self, entry: &Pending) -> Result<bool> {
        // A search that tests nothing still looks through the window.
        self.work.spent = self.work.spent.saturating_add(SEARCH);
        if self.work.spent > MAX_WORK {
            return Ok(false);
        }
        let proven_by = ProvenBy::Entry { position: entry.position, id: entry.id };
        if self.switch(&entry.signed, proven_by)? {
            self.confirm(entry);
            return Ok(true);
        }
        let Some(parent) = entry.signed.parent else {
            return Ok(false);
        };
        let found = match self.open_candidate(&entry.signed)? {
            Some(found) => Some(found),
            None => match self.work.find_id(&parent) {
                None => self.absent_parent(entry, parent)?,
                Some(index) => self.present_parent(&entry.signed, index, parent)?,
            },
        };
        let Some((candidate, others)) = found else {
            return Ok(false);
        };
        self.adopt(candidate, others, proven_by)?;
        self.confirm(entry);
        Ok(true)
    }

    /// The same with a retained head, which names no parent.
    pub(super) fn explain_head(&mut self, signed: &Signed) -> Result<()> {
        if self.switch(signed, ProvenBy::Head)? {
            return Ok(());
        }
        for edit in self.near(signed.n) {
            if self.test(&edit, signed)? {
                let candidate = self.plain(edit);
                return self.adopt(candidate, Vec::new(), ProvenBy::Head);
            }
        }
        Ok(())
    }

    fn test(&mut self, edit: &Edit, signed: &Signed) -> Result<bool> {
        let Some(scope) = self.scope() else {
            return Ok(false);
        };
        self.work.would_fit(&scope, edit, signed)
    }

    /// Whether another explanation of the last repair fits where the one that was taken does not.
    fn switch(&mut self, signed: &Signed, proven_by: ProvenBy) -> Result<bool> {
        for alternative in self.alternatives.clone() {
            if self.test(&alternative.edit, signed)? {
                self.alternatives.clear();
                self.work.apply(&alternative.edit)?;
                let Range { start, end } = alternative.replaces;
                let end = end.min(self.repairs.len());
                self.repairs.drain(start.min(end)..end);
                alternative.rows.into_iter().for_each(|row| self.add(row, proven_by));
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn adopt(&mut self, found: Candidate, others: Vec<Candidate>, proven_by: ProvenBy) -> Result<()> {
        let mut alternatives: Vec<Alternative> =
            others.into_iter().map(|other| self.keep_alternative(&found, other)).collect();
        self.work.apply(&found.edit)?;
        let rows_before = self.repairs.len();
        for row in found.rows {
            // A leaf that was taken out at another place has only been moved.
            let moved = (row.kind == RepairKind::Missing).then(|| self.take_from_limbo(&row.ids)).flatten();
            match moved {
                Some(position) => self.add_moved(row, position, proven_by),
                None => self.add(row, proven_by),
            }
        }
        self.limbo.extend(found.out);
        let added = rows_before..self.repairs.len();
        alternatives.iter_mut().for_each(|alternative| alternative.replaces = added.clone());
        self.alternatives = alternatives;
        Ok(())
    }

    /// Another explanation in the coordinates of the history after the one that was taken.
    fn keep_alternative(&self, taken: &Candidate, other: Candidate) -> Alternative {
        let from = taken.edit.lowest().min(other.edit.lowest());
        let tail: Vec<Leaf> = self.work.tail_after(&other.edit, from);
        let resume = taken.edit.size_after(self.work.size());
        let undecided_below = resume.min(from + tail.len() as u64);
        Alternative { edit: Edit::Rewrite { from, tail, resume }, undecided_below, replaces: 0..0, rows: other.rows }
    }

    fn take_from_limbo(&mut self, ids: &[Hash]) -> Option<u64> {
        let place = self.limbo.iter().position(|leaf| leaf.id.is_some_and(|id| ids.contains(&id)))?;
        Some(self.limbo.remove(place).position)
    }

    fn add_moved(&mut self, row: Row, position: u64, proven_by: ProvenBy) {
        let taken_out = |repair: &super::report::Repair| {
            repair.kind == RepairKind::Inserted && repair.ids.iter().any(|id| row.ids.contains(id))
        };
        if let Some(repair) = self.repairs.iter_mut().find(|repair| taken_out(repair)) {
            repair.kind = RepairKind::Swapped;
            repair.proven_by = proven_by;
            return;
        }
        self.add(Row::new(RepairKind::Swapped, position, row.ids), proven_by);
    }

    // --- candidates ------------------------------------------------------------------------------------------------------

    /// Leaf 0 is the open, whose id is the conversation's: a verified message names it even where the open is damaged.
    fn open_candidate(&mut self, signed: &Signed) -> Result<Option<(Candidate, Vec<Candidate>)>> {
        let Some((conversation, first)) = self.conversation.zip(self.work.get(0).cloned()) else {
            return Ok(None);
        };
        if first.id == Some(conversation) {
            return Ok(None);
        }
        let edit = Edit::Replace { at: 0, leaf: Leaf::placed(conversation, first.position) };
        if !self.test(&edit, signed)? {
            return Ok(None);
        }
        let ids = first.id.into_iter().chain([conversation]).collect();
        Ok(Some((Candidate::new(edit, vec![Row::new(RepairKind::Altered, first.position, ids)]), Vec::new())))
    }

    /// The named parent is not there: it was dropped, or what stands in its place was altered.
    fn absent_parent(&mut self, entry: &Pending, parent: Hash) -> Result<Option<(Candidate, Vec<Candidate>)>> {
        let signed = &entry.signed;
        let at = signed.n.saturating_sub(1);
        let here = self.work.get(at).cloned();
        let position = here.as_ref().map_or(entry.position, |leaf| leaf.position);
        let placed = self.limbo.iter().find(|leaf| leaf.id == Some(parent)).cloned();
        let placed = placed.unwrap_or_else(|| Leaf::placed(parent, position));
        let insert = Edit::Insert { at, leaf: placed.clone() };
        if !self.test(&insert, signed)? {
            return Ok(None);
        }
        let missing = Row::new(RepairKind::Missing, position, vec![parent]);
        let inserted = Candidate::new(insert, vec![missing.clone()]);
        let Some(here) = here else {
            return Ok(Some((inserted, Vec::new())));
        };
        let replace = Edit::Replace { at, leaf: placed };
        // An envelope that did not verify was altered; an authentic one is another message, and was put in.
        let suspect = matches!(here.standing, Standing::Suspect { .. });
        let rows = if suspect {
            let ids = here.id.into_iter().chain([parent]).collect();
            vec![Row::new(RepairKind::Altered, here.position, ids)]
        } else {
            vec![missing, Row::new(RepairKind::Inserted, here.position, here.id.into_iter().collect())]
        };
        let out = if suspect { Vec::new() } else { vec![here.clone()] };
        let replaced = Candidate { edit: replace, rows, out };
        if suspect || here.is_ahead(at) {
            Ok(Some((replaced, vec![inserted])))
        } else {
            Ok(Some((inserted, vec![replaced])))
        }
    }

    /// The named parent is there: at another place, or something before it is wrong.
    fn present_parent(
        &mut self,
        signed: &Signed,
        index: u64,
        parent: Hash,
    ) -> Result<Option<(Candidate, Vec<Candidate>)>> {
        let last = signed.n.saturating_sub(1);
        if index > last {
            let here = self.work.get(last).cloned();
            if let Some(found) = self.parent_behind(signed, index, parent, here)? {
                return Ok(Some(found));
            }
        } else if index < last {
            let moved = Row::new(RepairKind::Swapped, self.position(index), vec![parent]);
            for edit in [Edit::Exchange { low: index, high: last }, Edit::Move { from: index, to: last }] {
                if self.test(&edit, signed)? {
                    return Ok(Some((Candidate::new(edit, vec![moved]), Vec::new())));
                }
            }
        }
        for edit in self.near(signed.n) {
            if self.test(&edit, signed)? {
                return Ok(Some((self.plain(edit), Vec::new())));
            }
        }
        for (edit, row) in self.edits_out_of_limbo(signed.n) {
            if self.test(&edit, signed)? {
                return Ok(Some((Candidate::new(edit, vec![row]), Vec::new())));
            }
        }
        Ok(None)
    }

    /// The parent stands later than it was signed. All of these are the same prefix; what comes later tells them apart.
    fn parent_behind(
        &mut self,
        signed: &Signed,
        index: u64,
        parent: Hash,
        here: Option<Leaf>,
    ) -> Result<Option<(Candidate, Vec<Candidate>)>> {
        let last = signed.n.saturating_sub(1);
        let forward = Edit::Move { from: index, to: last };
        let Some(here) = here else {
            return Ok(None);
        };
        if !self.test(&forward, signed)? {
            return Ok(None);
        }
        let position = here.position.min(self.position(index));
        let pair: Vec<Hash> = here.id.into_iter().chain([parent]).collect();
        let exchange = Candidate::new(
            Edit::Exchange { low: last, high: index },
            vec![Row::new(RepairKind::Swapped, position, pair.clone())],
        );
        let ids = if index == last + 1 { pair } else { vec![parent] };
        let moved = Candidate::new(forward, vec![Row::new(RepairKind::Swapped, position, ids)]);
        let mut candidates = if here.is_ahead(last) { vec![exchange, moved] } else { vec![moved, exchange] };
        if index - last <= 8 {
            let remove = self.plain(Edit::Remove { at: last, count: index - last });
            let first = if matches!(here.standing, Standing::Suspect { .. }) { 0 } else { candidates.len() };
            candidates.insert(first, remove);
        }
        let found = candidates.remove(0);
        Ok(Some((found, candidates)))
    }

    /// One leaf too many, two neighbours exchanged, one that stands too early by its own account exchanged with another.
    fn near(&self, n: u64) -> Vec<Edit> {
        if self.work.spent > MAX_WORK {
            return Vec::new();
        }
        let low = self.work.base().max(n.saturating_sub(NEAR));
        let mut edits: Vec<Edit> = (low..n).rev().map(|at| Edit::Remove { at, count: 1 }).collect();
        edits.extend((low..n.saturating_sub(1)).rev().map(|at| Edit::Exchange { low: at, high: at + 1 }));
        let ahead = self.work.leaves().filter(|(index, leaf)| *index >= low && *index < n && leaf.is_ahead(*index));
        for (index, _) in ahead.take(MAX_AHEAD) {
            edits.extend((index + 1..n).map(|high| Edit::Exchange { low: index, high }));
        }
        edits
    }

    /// Leaves that were taken out, put back at any place near.
    fn edits_out_of_limbo(&self, n: u64) -> Vec<(Edit, Row)> {
        if self.work.spent > MAX_WORK {
            return Vec::new();
        }
        let low = self.work.base().max(n.saturating_sub(NEAR));
        let mut edits = Vec::new();
        for leaf in self.limbo.iter().take(MAX_AHEAD) {
            let row = Row::new(RepairKind::Missing, leaf.position, leaf.id.into_iter().collect());
            edits.extend((low..n).rev().map(|at| (Edit::Insert { at, leaf: leaf.clone() }, row.clone())));
        }
        edits
    }

    /// A candidate of which the edit says everything.
    fn plain(&self, edit: Edit) -> Candidate {
        match edit {
            Edit::Remove { at, count } => {
                let out: Vec<Leaf> = (at..at + count).filter_map(|index| self.work.get(index).cloned()).collect();
                // The copy of an entry that is still there, or one of two under one number, is in the report already.
                let named = |leaf: &&Leaf| self.repairs.iter().all(|row| row.position != leaf.position);
                let row = |leaf: &Leaf| Row::new(RepairKind::Inserted, leaf.position, leaf.id.into_iter().collect());
                let rows = out.iter().filter(named).map(row).collect();
                Candidate { edit, rows, out }
            }
            Edit::Exchange { low, high } => {
                let ids = [low, high].into_iter().filter_map(|index| self.work.get(index)?.id).collect();
                let position = self.position(low).min(self.position(high));
                Candidate::new(edit, vec![Row::new(RepairKind::Swapped, position, ids)])
            }
            other => Candidate::new(other, Vec::new()),
        }
    }

    fn position(&self, index: u64) -> u64 {
        self.work.get(index).map_or(index, |leaf| leaf.position)
    }
}
