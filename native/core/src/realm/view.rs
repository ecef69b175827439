//! What is in a realm, as JSON for people and for drawing. Never read back as evidence.

use serde_json::{Value, json};

use super::conversation::Conversation;
use super::dag::{HeadAt, Node};
use super::definition::{Definition, StepIndex};
use super::record::Record;
use super::registry::{Agent, Registry};
use super::trace::Link;
use super::undoing::{Fate, Undoing};
use super::work::Instance;
use super::work_options::StepOption;
use crate::errors::{CATALOGUE, Error};
use crate::identity::Name;
use crate::message::{Id, outputs_view, policy_view, proposal_view};
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
           "parent": node.parent.map(|parent| hex(&parent)), "merges": merges,
           "stands_on": node.stands_on.map(|kept| hex(&kept))})
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

/// Definitions by name, in force and replaced; the document as hex.
pub fn definitions_view(registry: &Registry) -> Value {
    let versions =
        registry.definitions().into_iter().flat_map(|(name, all)| all.iter().map(move |defined| (name, defined)));
    versions
        .map(|(name, defined)| {
            json!({"name": name.as_str(), "id": hex(defined.definition.id()), "entry": hex(&defined.entry),
                   "from": defined.from, "document": hex(defined.definition.document())})
        })
        .collect()
}

/// Which instances are listed: whoever takes a step asks for few of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    All,
    One(Id),
    /// The first so many of those that have not ended.
    Running(usize),
}

/// What workflow a conversation has, and which instances, in the order of their ids.
pub fn workflows_view(conversation: &Conversation, listed: Listed) -> Value {
    let short = |(id, instance): (&Id, &Instance)| json!({"id": hex(id), "definition": hex(instance.definition.id()), "ended": instance.has_ended()});
    let instances: Vec<Value> = match listed {
        Listed::All => conversation.instances().into_iter().map(short).collect(),
        Listed::One(id) => conversation.instance(&id).map(|found| short((&id, found))).into_iter().collect(),
        Listed::Running(0) => Vec::new(),
        Listed::Running(most) => {
            conversation.instances().into_iter().filter(|(_, found)| !found.has_ended()).take(most).map(short).collect()
        }
    };
    json!({"definition": conversation.definition().map(Name::as_str), "required": conversation.is_workflow_required(),
           "instances": instances})
}

/// One instance, with its transitions and approvals in log order.
pub fn instance_view(id: &Id, instance: &Instance) -> Value {
    let name = |step: StepIndex| instance.definition.steps().get(step).map(|step| step.name.as_str());
    let transitions: Vec<Value> = instance
        .transitions()
        .iter()
        .map(|taken| {
            json!({"message": hex(&taken.message), "branch": hex(&taken.home.branch), "index": taken.home.index,
                   "step": name(taken.step), "principal": hex(&taken.principal), "outputs": outputs_view(&taken.outputs)})
        })
        .collect();
    let approvals: Vec<Value> = instance
        .approvals()
        .iter()
        .map(|given| {
            json!({"message": hex(&given.message), "branch": hex(&given.home.branch), "index": given.home.index,
                   "step": name(given.step), "subject": hex(&given.subject), "principal": hex(&given.principal)})
        })
        .collect();
    json!({"id": hex(id), "definition": hex(instance.definition.id()), "name": instance.definition.name().as_str(),
           "start_time": instance.start_time, "ended": instance.has_ended(), "transitions": transitions,
           "approvals": approvals})
}

/// What may be done now (workflow.5.3): for each step the code that it would get, or none.
pub fn options_view(definition: &Definition, options: &[StepOption]) -> Value {
    let fault = |error: &Option<Error>| {
        error.as_ref().map_or(
            json!({"code": null, "expected": null, "got": null}),
            |error| json!({"code": error.code.as_str(), "expected": error.expected, "got": error.got}),
        )
    };
    options
        .iter()
        .map(|option| {
            let mut view = fault(&option.taken);
            view["step"] = definition.steps().get(option.step).map(|step| step.name.as_str()).into();
            view["approve"] = option.approved.as_ref().map_or(Value::Null, |(subject, error)| {
                let mut approve = fault(error);
                approve["subject"] = hex(subject).into();
                approve
            });
            view
        })
        .collect()
}

/// What would be undone (rollback.5).
pub fn undoing_view(undoing: &Undoing) -> Value {
    let branches: Vec<Value> =
        undoing.cuts.iter().map(|(id, cut)| json!({"branch": hex(id), "cut": cut.at, "end": cut.end})).collect();
    let messages: Vec<String> = undoing.messages.iter().map(|id| hex(id)).collect();
    let steps: Vec<Value> = undoing
        .steps
        .iter()
        .map(|undone| {
            json!({"instance": hex(&undone.instance), "message": hex(&undone.message), "step": undone.step.as_str(),
                   "compensation": undone.compensation.as_ref().map(Name::as_str), "pivot": undone.pivot})
        })
        .collect();
    json!({"count": undoing.count, "hash": hex(&undoing.hash), "branches": branches, "messages": messages, "steps": steps})
}

pub fn fate_view(fate: &Fate) -> Value {
    json!({"base": fate.base, "end": fate.end, "live": fate.live, "undone": fate.undone,
           "successor": fate.successor.map(|id| hex(&id)), "tip": hex(&fate.tip)})
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
