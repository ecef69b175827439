//! What is in a realm, as JSON for people and for drawing. Never read back as evidence.

use serde_json::{Value, json};

use super::dag::{HeadAt, Node};
use super::record::Record;
use super::registry::{Agent, Registry};
use super::trace::Link;
use crate::errors::CATALOGUE;
use crate::identity::Name;
use crate::message::{policy_view, proposal_view};
use crate::text::hex;

/// The spelling of a record's code; None for 0, `?` for a number that this version does not have.
pub fn code_name(number: u16) -> Option<&'static str> {
    if number == 0 {
        return None;
    }
    Some(CATALOGUE.iter().find(|entry| entry.number == number).map_or("?", |entry| entry.name))
}

pub fn record_view(record: &Record) -> Value {
    json!({"position": record.position, "time": record.time, "registry_size": record.registry_size,
           "digest": hex(&record.digest), "id": hex(&record.id), "conversation": hex(&record.conversation),
           "branch": hex(&record.home.branch), "index": record.home.index, "prev": record.prev,
           "code": code_name(record.code)})
}

pub fn node_view(node: &Node) -> Value {
    let home = node.home.map(|home| json!({"branch": hex(&home.branch), "index": home.index}));
    let merges: Vec<Value> = node
        .merges
        .iter()
        .zip(node.merged.iter().map(|id| Value::from(hex(id))).chain(std::iter::repeat(Value::Null)))
        .map(|(merge, last)| json!({"branch": hex(&merge.branch), "size": merge.size, "last": last}))
        .collect();
    json!({"id": hex(&node.id), "kind": node.kind.as_str(), "author": hex(&node.author),
           "grant": node.grant.map(|grant| hex(&grant)), "position": node.position, "time": node.time,
           "code": code_name(node.code), "home": home, "branch": hex(&node.branch), "size": node.size,
           "parent": node.parent.map(|parent| hex(&parent)), "merges": merges})
}

pub fn head_view(head: &HeadAt) -> Value {
    json!({"branch": hex(&head.branch), "size": head.size})
}

pub fn link_view(link: &Link) -> Value {
    match link {
        Link::Grant { id, by } => json!({"link": "grant", "id": hex(id), "by": hex(by)}),
        Link::Agent { id, name, purpose, entry } => {
            json!({"link": "agent", "id": hex(id), "name": name.as_str(), "purpose": purpose.as_str(), "entry": hex(entry)})
        }
        Link::Entry { id, position, by } => {
            json!({"link": "entry", "id": hex(id), "position": position, "by": hex(by)})
        }
        Link::Genesis { realm } => json!({"link": "genesis", "realm": hex(realm)}),
    }
}

fn agent_view(agent: &Agent, size: u64) -> Value {
    let live = agent.live(size);
    let groups: Vec<&str> = live.iter().flat_map(|held| held.groups.iter().map(Name::as_str)).collect();
    let enrolments: Vec<Value> = agent
        .enrolments
        .iter()
        .map(|held| {
            json!({"entry": hex(&held.entry), "key": hex(held.signer.key.as_bytes()), "from": held.from,
                   "until": held.until, "next": held.next.map(|next| hex(&next))})
        })
        .collect();
    json!({"id": hex(&agent.id), "name": agent.name.as_str(), "purpose": agent.purpose.as_str(), "live": live.is_some(),
           "groups": groups, "enrolments": enrolments, "revoked_at": agent.revoked_at, "suspect_from": agent.suspect_from})
}

pub fn registry_view(registry: &Registry) -> Value {
    let agents: Vec<Value> = registry.agents().into_iter().map(|agent| agent_view(agent, registry.size())).collect();
    let proposals: Vec<Value> = registry
        .proposals()
        .map(|open| {
            let approved: Vec<String> = open.approved.iter().map(|agent| hex(agent)).collect();
            json!({"id": hex(&open.id), "kind": open.proposal.kind().as_str(), "author": hex(&open.author),
                   "says": proposal_view(&open.proposal), "approved": approved})
        })
        .collect();
    json!({"realm": hex(registry.realm()), "origin": registry.origin(), "size": registry.size(),
           "policy": policy_view(registry.policy()), "policy_id": hex(registry.policy_id()), "agents": agents,
           "proposals": proposals})
}
