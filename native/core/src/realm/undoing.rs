//! What a rollback would undo, before it is signed (rollback.5): the same closure that `admit` will ask for.

use super::branches::Cut;
use super::conversation::Conversation;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::message::Id;
use crate::text;

/// A transition that would be undone, and the step that compensates it.
#[derive(Clone, Debug)]
pub struct UndoneStep {
    pub instance: Id,
    pub message: Id,
    pub step: Name,
    pub compensation: Option<Name>,
    pub pivot: bool,
}

/// The closure of a cut.
#[derive(Clone, Debug)]
pub struct Undoing {
    pub count: u64,
    pub hash: Id,
    pub cuts: Vec<(Id, Cut)>,
    /// In the order of the branches; the first `limit`.
    pub messages: Vec<Id>,
    /// By instance; the latest first.
    pub steps: Vec<UndoneStep>,
}

fn found<'a>(state: &'a State, id: &Id) -> Result<&'a Conversation> {
    let unknown = || Error::new(Code::ConversationUnknown, "a conversation of this realm", text::hex(id));
    state.conversation(id).ok_or_else(unknown)
}

fn number(conversation: &Conversation, branch: &Id) -> Result<u32> {
    let unknown = || Error::new(Code::BranchUnknown, "a branch of this conversation", text::hex(branch));
    conversation.branches().number(branch).ok_or_else(unknown)
}

/// What falls if `target` is cut at `keep`. Raises `ConversationUnknown`, `BranchUnknown`.
pub fn undoing(state: &State, conversation: &Id, target: &Id, keep: u64, limit: usize) -> Result<Undoing> {
    let conversation = found(state, conversation)?;
    let branches = conversation.branches();
    let cuts = branches.closure(number(conversation, target)?, keep)?;
    let (count, hash) = branches.closure_digest(&cuts)?;
    let leaves = cuts.iter().flat_map(|cut| (cut.at..cut.end).map(|index| (cut.branch, index)));
    let messages =
        leaves.take(limit).map(|(branch, index)| branches.leaf(branch, index)).collect::<Result<Vec<_>>>()?;
    let mut steps = Vec::new();
    for (instance, undone) in conversation.touched(&cuts)? {
        let Some(running) = conversation.instance(&instance) else { continue };
        for taken in undone.into_iter().rev() {
            let rule = running.definition.step(taken.step)?;
            let undo = rule.undo.map(|undo| running.definition.step(undo)).transpose()?;
            steps.push(UndoneStep {
                instance,
                message: taken.message,
                step: rule.name.clone(),
                compensation: undo.map(|undo| undo.name.clone()),
                pivot: rule.pivot,
            });
        }
    }
    let named = cuts.iter().map(|cut| Ok((branches.get(cut.branch)?.id, *cut))).collect::<Result<_>>()?;
    Ok(Undoing { count, hash, cuts: named, messages, steps })
}

/// What has become of a branch: where what it holds ends, whether it can be written into, and where one goes on instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub base: u64,
    pub end: u64,
    pub live: bool,
    pub undone: bool,
    pub successor: Option<Id>,
    pub tip: Id,
}

/// Raises `ConversationUnknown`, `BranchUnknown`.
pub fn fate(state: &State, conversation: &Id, branch: &Id) -> Result<Fate> {
    let conversation = found(state, conversation)?;
    let (branches, number) = (conversation.branches(), number(conversation, branch)?);
    let branch = branches.get(number)?;
    let successor = branch.successor.map(|next| branches.get(next)).transpose()?.map(|next| next.id);
    let tip = branches.get(branches.tip(number)?)?.id;
    Ok(Fate { base: branch.base, end: branch.end(), live: branch.is_live(), undone: branch.undone, successor, tip })
}
