//! The authority of a message, up to the root that enrolled its author, and the genesis (dag.4.4).

use super::conversation::Conversation;
use super::dag::Dag;
use super::registry::{Agent, Enrolment, Registry};
use super::replica::Replica;
use crate::errors::{Code, Error, Result};
use crate::identity::{Name, Purpose};
use crate::message::Id;
use crate::text;

/// One link: who got its authority from what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// A sub-agent, spawned by this agent.
    Grant { id: Id, by: Id },
    /// An agent of the registry, enrolled by this entry (of the genesis: the realm).
    Agent { id: Id, name: Name, purpose: Purpose, entry: Id },
    /// The registry entry at this position, which that root proposed.
    Entry { id: Id, position: u64, by: Id },
    /// The genesis: whoever trusts the realm's id trusts it.
    Genesis { realm: Id },
}

/// Links of one chain: nine grants, and roots that roots have enrolled.
const MOST: usize = 256;

/// The links from a message upwards. Raises `ConversationUnknown`, `ArgumentRange`.
pub fn trace(replica: &Replica, conversation: &Id, id: &Id) -> Result<Vec<Link>> {
    let state = replica.state();
    let unknown = || Error::new(Code::ConversationUnknown, "a conversation of this realm", text::hex(conversation));
    let found: &Conversation = state.conversation(conversation).ok_or_else(unknown)?;
    let registry = state.registry().ok_or_else(unknown)?;
    let node = replica.dag(conversation).ok_or_else(unknown)?.node(id)?;
    let mut links = Vec::new();
    let mut agent = node.author;
    if let Some(grant) = node.grant {
        for (id, grant) in found.chain(grant)? {
            links.push(Link::Grant { id, by: grant.by });
            agent = grant.by;
        }
    }
    climb(registry, replica.dag(registry.realm()), agent, node.registry_size, &mut links)?;
    Ok(links)
}

/// The agent that had a key at this size of the registry, who enrolled it, who enrolled that one.
fn climb(registry: &Registry, entries: Option<&Dag>, first: Id, size: u64, links: &mut Vec<Link>) -> Result<()> {
    let broken = || Error::new(Code::Internal, "an agent that was enrolled", "another");
    let (mut agent, mut size) = (first, size);
    while links.len() < MOST {
        let found: &Agent = registry.agent(&agent).ok_or_else(broken)?;
        let held: &Enrolment = found.live(size).or_else(|| found.enrolments.last()).ok_or_else(broken)?;
        let (id, name, purpose) = (found.id, found.name.clone(), found.purpose);
        links.push(Link::Agent { id, name, purpose, entry: held.entry });
        if held.entry == *registry.realm() {
            links.push(Link::Genesis { realm: held.entry });
            return Ok(());
        }
        let node = entries.ok_or_else(broken)?.node(&held.entry)?;
        links.push(Link::Entry { id: node.id, position: node.position, by: node.author });
        (agent, size) = (node.author, node.registry_size);
    }
    Ok(())
}
