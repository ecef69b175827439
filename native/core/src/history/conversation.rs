//! The admission of one entry to a conversation outside a realm: steps 3 to 11 of fingerprint.6.

use std::collections::HashMap;

use super::Hash;
use super::accumulator::Scope;
use super::head::{Fingerprint, Head};
use super::nodes::NodeStore;
use super::tree::Tree;
use crate::errors::{Code, Error, Result};
use crate::identity::Enrolled;
use crate::limits::SEQ_COUNTER_JUMP;
use crate::message::{Addr, Claims, Kind, Seq, VerifiedEnvelope};
use crate::text;

/// What is known of a conversation after its last entry: enough to judge the next one and to sign one.
///
/// Memory: one number for each author and the compact range; the nodes of the tree are the store's matter.
#[derive(Debug)]
pub struct ConversationState<S> {
    tree: Tree<S>,
    open: Option<Opened>,
    authors: HashMap<Hash, Option<Seq>>,
    lag: u64,
}

#[derive(Debug)]
struct Opened {
    id: Hash,
    members: Option<Vec<Addr>>,
}

/// The proof that an entry passed steps 3 to 11 against a state of a certain size. Only `check` makes one.
#[derive(Debug)]
pub struct Admittable {
    index: u64,
    id: Hash,
    author: Hash,
    seq: Option<Seq>,
    lag: u64,
    opened: Option<Opened>,
}

impl Admittable {
    /// The leaf that the entry becomes.
    pub fn index(&self) -> u64 {
        self.index
    }

    pub fn id(&self) -> &Hash {
        &self.id
    }
}

impl<S: NodeStore> ConversationState<S> {
    /// A conversation without entries, over an empty store.
    pub fn new(store: S) -> Self {
        ConversationState { tree: Tree::new(store), open: None, authors: HashMap::new(), lag: 0 }
    }

    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The id of the conversation, which is the id of its open.
    pub fn id(&self) -> Option<Hash> {
        self.open.as_ref().map(|open| open.id)
    }

    /// How many authors have written.
    pub fn authors(&self) -> usize {
        self.authors.len()
    }

    /// The largest number of entries that an author had not seen yet.
    pub fn lag(&self) -> u64 {
        self.lag
    }

    /// The last number that the author used here.
    pub fn last_seq(&self, author: &Hash) -> Option<Seq> {
        self.authors.get(author).copied().flatten()
    }

    /// None before the open.
    pub fn head(&mut self) -> Result<Option<Fingerprint>> {
        self.head_at(self.size())
    }

    /// The head at an older size; None at 0.
    pub fn head_at(&mut self, size: u64) -> Result<Option<Fingerprint>> {
        let Some(scope) = self.scope().filter(|_| size > 0) else {
            return Ok(None);
        };
        let fingerprint = self.tree.fingerprint_at(&scope, size)?;
        Ok(Some(Fingerprint { scope, head: Head { size, fingerprint } }))
    }

    /// The id of the entry at `index`.
    pub fn leaf(&mut self, index: u64) -> Result<Hash> {
        self.tree.leaf(index)
    }

    /// Where the nodes of its tree are kept.
    pub fn store(&self) -> Result<&S> {
        self.tree.store()
    }

    /// Steps 3 to 11 for an entry whose envelope was verified (steps 1 and 2). Changes nothing.
    pub fn check(&mut self, entry: &VerifiedEnvelope) -> Result<Admittable> {
        let claims = entry.claims();
        let index = self.size();
        let Some(open) = &self.open else {
            return self.check_open(entry);
        };
        // 3: a second open would start the history again.
        if claims.kind == Kind::Open {
            return Err(Error::new(Code::OpenAgain, "an open as first entry only", format!("one at position {index}")));
        }
        // 4: an entry of another conversation, put in between.
        if claims.conversation != open.id {
            return Err(differs(Code::ConversationOther, "conversation", &open.id, &claims.conversation));
        }
        // 5: an enrolled stranger.
        check_member(open.members.as_deref(), &claims.agent, entry.sender())?;
        // 6 and 7: a number used twice, and a stolen key that uses up all numbers at once.
        let seq = check_seq(claims, self.last_seq(&claims.agent))?;
        // 8: outside a realm there is one branch.
        if claims.branch != open.id {
            return Err(differs(Code::BranchUnknown, "branch", &open.id, &claims.branch));
        }
        // 9 and 10: a message that was dropped, altered, moved or put in between.
        check_context(&mut self.tree, &Scope::of_file(open.id), claims)?;
        // 11
        if !claims.merges.is_empty() {
            let got = format!("{} of them", claims.merges.len());
            return Err(Error::new(Code::MergeNotBuilt, "no merged heads", got));
        }
        let lag = index - claims.context.size;
        Ok(Admittable { index, id: *entry.id(), author: claims.agent, seq: Some(seq), lag, opened: None })
    }

    /// Steps 3 and 5 for the first entry.
    fn check_open(&self, entry: &VerifiedEnvelope) -> Result<Admittable> {
        let claims = entry.claims();
        let Some(part) = &claims.open else {
            return Err(Error::new(Code::OpenMissing, "an open as first entry", claims.kind.as_str()));
        };
        check_member(part.members.as_deref(), &claims.agent, entry.sender())?;
        let opened = Some(Opened { id: *entry.id(), members: part.members.clone() });
        Ok(Admittable { index: 0, id: *entry.id(), author: claims.agent, seq: None, lag: 0, opened })
    }

    /// The entry becomes a leaf. Fails without a change if the state is not the one that the entry was checked against.
    pub fn apply(&mut self, entry: Admittable) -> Result<()> {
        if entry.index != self.size() {
            let got = format!("leaf {} of {}", entry.index, self.size());
            return Err(Error::new(Code::Internal, "the state that the entry was checked against", got));
        }
        self.tree.append(&entry.id)?;
        // The open has no number; its author counts as an author all the same.
        self.authors.insert(entry.author, entry.seq);
        self.lag = self.lag.max(entry.lag);
        if let Some(opened) = entry.opened {
            self.open = Some(opened);
        }
        Ok(())
    }

    fn scope(&self) -> Option<Scope> {
        self.open.as_ref().map(|open| Scope::of_file(open.id))
    }

    /// For the diagnosis, which goes on with this tree after the verdict has fallen.
    pub(super) fn into_parts(self) -> Parts<S> {
        let (conversation, members) = self.open.map_or((None, None), |open| (Some(open.id), open.members));
        Parts { tree: self.tree, conversation, members, authors: self.authors }
    }
}

/// What the diagnosis takes over from a state.
pub(super) struct Parts<S> {
    pub tree: Tree<S>,
    pub conversation: Option<Hash>,
    pub members: Option<Vec<Addr>>,
    pub authors: HashMap<Hash, Option<Seq>>,
}

/// Step 5. Names are the verifier's own: what an author calls itself is never looked at.
pub(super) fn check_member(members: Option<&[Addr]>, author: &Hash, sender: &Enrolled) -> Result<()> {
    let Some(members) = members else {
        return Ok(());
    };
    let listed = members.iter().any(|member| match member {
        Addr::Id(id) => id == author,
        Addr::Name(name) => *name == sender.name,
    });
    if listed {
        return Ok(());
    }
    Err(Error::new(Code::NotAMember, "an author of the open's list of members", sender.name.as_str().to_owned()))
}

/// Steps 6 and 7.
pub(super) fn check_seq(claims: &Claims, last: Option<Seq>) -> Result<Seq> {
    let Some(seq) = claims.seq else {
        return Err(Error::new(Code::Internal, "a message with a number", "one without"));
    };
    if let Some(last) = last.filter(|last| seq <= *last) {
        return Err(Error::new(Code::SeqUsed, format!("a number above {}", show(last)), show(seq)));
    }
    let start = last.filter(|last| last.epoch == seq.epoch).map_or(0, |last| last.counter);
    if seq.counter - start > SEQ_COUNTER_JUMP {
        let most = format!("a counter of at most {}", u64::from(start) + u64::from(SEQ_COUNTER_JUMP));
        return Err(Error::new(Code::SeqWindow, most, seq.counter.to_string()));
    }
    Ok(seq)
}

/// Steps 9 and 10.
pub(super) fn check_context<S: NodeStore>(tree: &mut Tree<S>, scope: &Scope, claims: &Claims) -> Result<()> {
    let (n, size) = (claims.context.size, tree.size());
    if n > size {
        return Err(Error::new(Code::ContextAhead, format!("a context of at most {size} messages"), n.to_string()));
    }
    let Some((parent, last)) = claims.parent.zip(n.checked_sub(1)) else {
        return Err(Error::new(Code::Internal, "a message with a parent", "one without"));
    };
    let leaf = tree.leaf(last)?;
    if leaf != parent {
        return Err(differs(Code::ContextForked, &format!("parent at {last}"), &leaf, &parent));
    }
    let fingerprint = tree.fingerprint_at(scope, n)?;
    if fingerprint != claims.context.fingerprint {
        return Err(differs(
            Code::ContextForked,
            &format!("fingerprint of {n} messages"),
            &fingerprint,
            &claims.context.fingerprint,
        ));
    }
    Ok(())
}

/// Two hashes that had to be one.
pub(super) fn differs(code: Code, what: &str, expected: &Hash, got: &Hash) -> Error {
    Error::new(code, format!("{what} {}", text::hex(expected)), text::hex(got))
}

fn show(seq: Seq) -> String {
    format!("[{}, {}]", seq.epoch, seq.counter)
}
