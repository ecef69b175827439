//! The JSON view of what the kinds of a realm say (conform, "The JSON view of claims").

use serde_json::{Map, Value, json};

use super::act::{Act, EnrolPart, GenesisPart, GrantPart, Policy, Proposal};
use super::act_form::{read_genesis, read_grant, read_proposal};
use super::claims::{Addr, Kind, WorkflowState};
use super::claims_form::read_workflow;
use super::view::{addrs, only, optional, write_addrs, write_hex, write_hex_or_null, write_int, write_workflow};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::text::hex;

const QUORUMS: [&str; 6] = ["root", "enrol", "revoke", "define", "erase", "resume"];

/// The members behind `workflow`, in the order of the labels.
pub(super) fn act_view(view: &mut Map<String, Value>, kind: Kind, act: &Act) {
    match act {
        Act::Fork(grant) => {
            view.insert("fork".into(), grant.as_deref().map_or(Value::Null, grant_view));
        }
        Act::Rollback(part) => {
            let closure = json!({"count": part.count, "hash": hex(&part.hash)});
            let says =
                json!({"target": hex(&part.target), "size": part.keep, "closure": closure, "reason": part.reason});
            view.insert("rollback".into(), says);
        }
        Act::Close(whole) => {
            view.insert("close".into(), (*whole).into());
        }
        Act::Genesis(part) => {
            view.insert("document".into(), genesis_view(part));
        }
        Act::Registry(part) => {
            let member = member(kind).unwrap_or("document");
            view.insert(member.into(), part.own.as_ref().map_or(Value::Null, proposal_view));
            view.insert("approves".into(), optional(part.approves.as_ref()));
        }
        Act::Halt(part) => {
            view.insert("scope".into(), hex(&part.scope).into());
            view.insert("reason".into(), part.reason.clone().into());
        }
    }
}

fn grant_view(grant: &GrantPart) -> Value {
    let steps = grant.steps.as_ref().map(|steps| steps.iter().map(|step| step.as_str()).collect::<Vec<_>>());
    json!({"key": hex(&grant.key), "offer": hex(&grant.offer), "steps": steps,
           "to": grant.to.as_ref().map_or(Value::Null, |to: &Vec<Addr>| addrs(to)), "rights": grant.rights,
           "expires": grant.expires, "depth": grant.depth, "next": optional(grant.next.as_ref())})
}

pub(crate) fn policy_view(policy: &Policy) -> Value {
    let mut view: Map<String, Value> =
        QUORUMS.iter().zip(policy.quorums()).map(|(name, quorum)| ((*name).to_owned(), quorum.into())).collect();
    view.insert("hold".into(), policy.hold.into());
    Value::Object(view)
}

fn genesis_view(part: &GenesisPart) -> Value {
    let roots: Vec<Value> = part
        .roots
        .iter()
        .map(|root| {
            json!({"name": root.name.as_str(), "key": hex(&root.key), "offer": hex(&root.offer),
                   "next": optional(root.next.as_ref())})
        })
        .collect();
    let (name, key, offer) = &part.sequencer;
    json!({"name": part.name.as_str(), "rules_version": part.rules_version, "profile": u8::from(part.dev), "roots": roots,
           "sequencer": {"name": name.as_str(), "key": hex(key), "offer": hex(offer)}, "policy": policy_view(&part.policy)})
}

pub(crate) fn proposal_view(proposal: &Proposal) -> Value {
    match proposal {
        Proposal::Enrol(part) => enrol_view(part),
        Proposal::Revoke { agent, suspect_from, reason } => {
            json!({"agent": hex(agent), "suspect_from": suspect_from, "reason": reason})
        }
        Proposal::Policy { replaces, policy } => json!({"replaces": hex(replaces), "policy": policy_view(policy)}),
        Proposal::Define { name, replaces, document } => {
            json!({"name": name.as_str(), "replaces": optional(replaces.as_ref()), "document": hex(document)})
        }
        Proposal::Erase { message, reason } => json!({"message": hex(message), "reason": reason}),
        Proposal::Term { size, root, reason } => json!({"size": size, "root": hex(root), "reason": reason}),
        Proposal::Resume { halts, reason } => {
            let halts: Vec<String> = halts.iter().map(|halt| hex(halt)).collect();
            json!({"halts": halts, "reason": reason})
        }
    }
}

fn enrol_view(part: &EnrolPart) -> Value {
    let groups: Vec<&str> = part.groups.iter().map(Name::as_str).collect();
    json!({"name": part.name.as_str(), "key": hex(&part.key), "purpose": part.purpose.number(), "groups": groups,
           "next": optional(part.next.as_ref()), "replaces": optional(part.replaces.as_ref()), "offer": hex(&part.offer)})
}

/// What a view says, read back by the rules of its form: for drafting, never as evidence. Raises `ArgumentRange` where it has not the
/// view's form, else the codes of envelope.5.
fn read_back<T>(
    name: &'static str,
    view: &Value,
    read: impl FnOnce(&mut super::value::Value<'_>) -> Result<T>,
) -> Result<T> {
    let mut out = Writer::default();
    write_act_claim(&mut out, name, view)
        .ok_or_else(|| Error::new(Code::ArgumentRange, format!("a {name} in the JSON view"), "something else"))?;
    read(&mut super::value::Value::new(&out.0, name))
}

/// A step that is taken or approved, for drafting.
pub fn workflow_from_json(view: &Value) -> Result<Option<WorkflowState>> {
    let mut out = Writer::default();
    write_workflow(&mut out, view)
        .ok_or_else(|| Error::new(Code::ArgumentRange, "a workflow_state in the JSON view", "something else"))?;
    read_workflow(super::value::Value::new(&out.0, "workflow_state"))
}

pub fn grant_from_json(view: &Value) -> Result<GrantPart> {
    read_back("fork", view, read_grant)
}

pub fn genesis_from_json(view: &Value) -> Result<GenesisPart> {
    read_back("document", view, read_genesis)
}

/// The own claim of a registry kind.
pub fn proposal_from_json(kind: Kind, view: &Value) -> Result<Proposal> {
    match member(kind).filter(|_| kind != Kind::Genesis) {
        Some(name) => read_back(name, view, |value| read_proposal(value, kind)),
        None => Err(Error::new(Code::ArgumentRange, "a kind of the registry", kind.as_str())),
    }
}

/// The member of a registry kind's own claim.
fn member(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Enrol => Some("enrolment"),
        Kind::Revoke => Some("revocation"),
        Kind::Erase => Some("erasure"),
        Kind::Term => Some("term"),
        Kind::Resume => Some("resume"),
        Kind::Genesis | Kind::Policy | Kind::Define => Some("document"),
        _ => None,
    }
}

/// One claim from its view: types are kept to, limits are not.
pub(super) fn write_act_claim(out: &mut Writer, name: &str, value: &Value) -> Option<()> {
    if value.is_null() {
        out.null();
        return Some(());
    }
    match name {
        "fork" => write_grant(out, value),
        "rollback" => {
            only(value, &["target", "size", "closure", "reason"])?;
            let closure = value.get("closure")?;
            only(closure, &["count", "hash"])?;
            out.array(4);
            write_hex(out, value.get("target")?)?;
            write_int(out, value.get("size")?)?;
            out.array(2);
            write_int(out, closure.get("count")?)?;
            write_hex(out, closure.get("hash")?)?;
            write_text(out, value.get("reason")?)
        }
        "document" => write_document(out, value),
        "enrolment" => write_enrol(out, value),
        "revocation" => {
            only(value, &["agent", "suspect_from", "reason"])?;
            out.array(3);
            write_hex(out, value.get("agent")?)?;
            write_int_or_null(out, value.get("suspect_from")?)?;
            write_text(out, value.get("reason")?)
        }
        "erasure" => {
            only(value, &["message", "reason"])?;
            out.array(2);
            write_hex(out, value.get("message")?)?;
            write_text(out, value.get("reason")?)
        }
        "term" => {
            only(value, &["size", "root", "reason"])?;
            out.array(3);
            write_int(out, value.get("size")?)?;
            write_hex(out, value.get("root")?)?;
            write_text(out, value.get("reason")?)
        }
        "resume" => {
            only(value, &["halts", "reason"])?;
            let halts = value.get("halts")?.as_array()?;
            out.array(2).array(halts.len());
            halts.iter().try_for_each(|halt| write_hex(out, halt))?;
            write_text(out, value.get("reason")?)
        }
        "scope" => write_hex(out, value),
        "reason" => write_text(out, value),
        "close" => {
            out.bool(value.as_bool()?);
            Some(())
        }
        "approves" => write_hex(out, value),
        _ => None,
    }
}

fn write_grant(out: &mut Writer, value: &Value) -> Option<()> {
    only(value, &["key", "offer", "steps", "to", "rights", "expires", "depth", "next"])?;
    out.array(8);
    write_hex(out, value.get("key")?)?;
    write_hex(out, value.get("offer")?)?;
    match value.get("steps")? {
        Value::Null => {
            out.null();
        }
        steps => write_texts(out, steps)?,
    }
    write_addrs(out, value.get("to")?)?;
    write_int(out, value.get("rights")?)?;
    write_int_or_null(out, value.get("expires")?)?;
    write_int(out, value.get("depth")?)?;
    write_hex_or_null(out, value.get("next")?)
}

fn write_document(out: &mut Writer, value: &Value) -> Option<()> {
    if value.get("roots").is_some() {
        return write_genesis(out, value);
    }
    if let Some(policy) = value.get("policy") {
        only(value, &["replaces", "policy"])?;
        out.array(2);
        write_hex(out, value.get("replaces")?)?;
        return write_policy(out, policy);
    }
    only(value, &["name", "replaces", "document"])?;
    out.array(3);
    write_text(out, value.get("name")?)?;
    write_hex_or_null(out, value.get("replaces")?)?;
    write_hex(out, value.get("document")?)
}

fn write_genesis(out: &mut Writer, value: &Value) -> Option<()> {
    only(value, &["name", "rules_version", "profile", "roots", "sequencer", "policy"])?;
    out.array(6);
    write_text(out, value.get("name")?)?;
    write_int(out, value.get("rules_version")?)?;
    write_int(out, value.get("profile")?)?;
    let roots = value.get("roots")?.as_array()?;
    out.array(roots.len());
    for root in roots {
        only(root, &["name", "key", "offer", "next"])?;
        out.array(4);
        write_holder(out, root)?;
        write_hex_or_null(out, root.get("next")?)?;
    }
    let sequencer = value.get("sequencer")?;
    only(sequencer, &["name", "key", "offer"])?;
    out.array(3);
    write_holder(out, sequencer)?;
    write_policy(out, value.get("policy")?)
}

fn write_holder(out: &mut Writer, value: &Value) -> Option<()> {
    write_text(out, value.get("name")?)?;
    write_hex(out, value.get("key")?)?;
    write_hex(out, value.get("offer")?)
}

fn write_policy(out: &mut Writer, value: &Value) -> Option<()> {
    only(value, &["root", "enrol", "revoke", "define", "erase", "resume", "hold"])?;
    out.map(7);
    for (label, name) in (1u64..).zip(QUORUMS) {
        out.uint(label);
        write_int(out, value.get(name)?)?;
    }
    out.uint(7).bool(value.get("hold")?.as_bool()?);
    Some(())
}

fn write_enrol(out: &mut Writer, value: &Value) -> Option<()> {
    only(value, &["name", "key", "purpose", "groups", "next", "replaces", "offer"])?;
    out.array(7);
    write_text(out, value.get("name")?)?;
    write_hex(out, value.get("key")?)?;
    write_int(out, value.get("purpose")?)?;
    write_texts(out, value.get("groups")?)?;
    write_hex_or_null(out, value.get("next")?)?;
    write_hex_or_null(out, value.get("replaces")?)?;
    write_hex(out, value.get("offer")?)
}

fn write_text(out: &mut Writer, value: &Value) -> Option<()> {
    out.text(value.as_str()?);
    Some(())
}

fn write_texts(out: &mut Writer, value: &Value) -> Option<()> {
    let list = value.as_array()?;
    out.array(list.len());
    list.iter().try_for_each(|text| write_text(out, text))
}

fn write_int_or_null(out: &mut Writer, value: &Value) -> Option<()> {
    if value.is_null() {
        out.null();
        return Some(());
    }
    write_int(out, value)
}
