//! The JSON view of claims (conform, "The JSON view of claims"): for people and for outsiders who craft input.
//! It is never signed and never read back as evidence.

use serde_json::{Map, Value, json};

use super::claims::{Addr, Claims, Id, Kind, Output, Typ, WorkflowState};
use super::view_act::{act_view, write_act_claim};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::text::{hex, unhex};

fn addr_text(addr: &Addr) -> String {
    match addr {
        Addr::Id(id) => hex(id),
        Addr::Name(name) => format!("name:{}", name.as_str()),
    }
}

pub(super) fn addrs(list: &[Addr]) -> Value {
    list.iter().map(addr_text).collect()
}

pub(super) fn optional(id: Option<&Id>) -> Value {
    id.map_or(Value::Null, |id| hex(id).into())
}

/// Outputs by name.
pub(crate) fn outputs_view(outputs: &[(Name, Output)]) -> Value {
    outputs
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Output::Bool(value) => (*value).into(),
                Output::Int(value) => (*value).into(),
                Output::Text(value) => value.clone().into(),
            };
            (name.as_str().to_owned(), value)
        })
        .collect::<Map<String, Value>>()
        .into()
}

fn workflow_view(state: &WorkflowState) -> Value {
    let outputs = outputs_view(&state.outputs);
    json!({"instance": optional(state.instance.as_ref()), "definition": hex(&state.definition), "step": state.step.as_str(),
           "outputs": outputs, "approves": optional(state.approves.as_ref())})
}

/// The members in the order of the labels.
pub fn claims_to_json(claims: &Claims) -> Value {
    let mut view = Map::new();
    let context = &claims.context;
    let merges: Vec<Value> = claims
        .merges
        .iter()
        .map(|merge| json!({"branch": hex(&merge.branch), "size": merge.size, "fingerprint": hex(&merge.fingerprint)}))
        .collect();
    view.insert("realm".into(), hex(&claims.realm).into());
    view.insert("conversation".into(), hex(&claims.conversation).into());
    view.insert("kind".into(), claims.kind.as_str().into());
    view.insert(
        "agent_identity".into(),
        json!({"agent": hex(&claims.agent), "grant": optional(claims.grant.as_ref())}),
    );
    view.insert(
        "context_fingerprint".into(),
        json!({"size": context.size, "fingerprint": hex(&context.fingerprint), "registry_size": context.registry_size,
               "registry_fingerprint": hex(&context.registry_fingerprint)}),
    );
    view.insert(
        "execution_path".into(),
        json!({"branch": hex(&claims.branch), "parent": optional(claims.parent.as_ref()), "merges": merges}),
    );
    view.insert("workflow_state".into(), claims.workflow.as_ref().map_or(Value::Null, workflow_view));
    if claims.kind.requires(8) {
        view.insert("recipients".into(), addrs(&claims.recipients));
    }
    if let Some(seq) = claims.seq {
        view.insert("seq".into(), json!([seq.epoch, seq.counter]));
    }
    view.insert("time".into(), claims.time.into());
    view.insert("salt".into(), hex(&claims.salt).into());
    if claims.kind.requires(12) {
        let body = claims.body.as_ref().map_or(
            Value::Null,
            |body| json!({"commitment": hex(&body.commitment), "size": body.size, "media_type": body.media_type}),
        );
        view.insert("body".into(), body);
    }
    if let Some(open) = &claims.open {
        view.insert("members".into(), open.members.as_ref().map_or(Value::Null, |members| addrs(members)));
        let definition = open.definition.as_ref().map(|name| name.as_str());
        view.insert("workflow".into(), json!({"required": open.required, "definition": definition}));
    }
    if let Some(act) = &claims.act {
        act_view(&mut view, claims.kind, act);
    }
    Value::Object(view)
}

/// Claims bytes from the JSON view, for crafting authentic but hostile input: types are kept to, limits are not (conform).
/// Raises `ConformQuestion`.
pub fn claims_from_json(view: &Value, agent: &Id) -> Result<Vec<u8>> {
    let mut out = Writer::default();
    write_view(&mut out, view, agent).ok_or_else(|| {
        Error::new(Code::ConformQuestion, "claims in the JSON view (audits/spec/conform.md)", "something else")
    })?;
    Ok(out.0)
}

/// The typ of the kind that a view names; of anything else the typ of messages (conform, `make`).
pub fn typ_of_json(view: &Value) -> Typ {
    let kind = view.get("kind").and_then(|kind| match kind.as_u64() {
        Some(number) => Kind::from_number(number),
        None => Kind::from_text(kind.as_str()?),
    });
    kind.map_or(Typ::Message, Kind::typ)
}

const MEMBERS: [(u64, &str); 26] = [
    (1, "realm"),
    (2, "conversation"),
    (3, "kind"),
    (4, "agent_identity"),
    (5, "context_fingerprint"),
    (6, "execution_path"),
    (7, "workflow_state"),
    (8, "recipients"),
    (9, "seq"),
    (10, "time"),
    (11, "salt"),
    (12, "body"),
    (13, "members"),
    (14, "workflow"),
    (15, "fork"),
    (16, "rollback"),
    (17, "scope"),
    (18, "document"),
    (19, "enrolment"),
    (20, "revocation"),
    (21, "resume"),
    (22, "erasure"),
    (23, "term"),
    (25, "close"),
    (26, "reason"),
    (27, "approves"),
];

fn write_view(out: &mut Writer, view: &Value, agent: &Id) -> Option<()> {
    let view = view.as_object()?;
    if view.keys().any(|key| MEMBERS.iter().all(|(_, name)| name != key)) {
        return None;
    }
    // A missing agent is filled in; any other missing claim stays missing.
    let present = |name: &str| view.contains_key(name) || name == "agent_identity";
    out.map(MEMBERS.iter().filter(|(_, name)| present(name)).count());
    for (label, name) in MEMBERS {
        let filled = Value::Object(Map::new());
        let value = match view.get(name) {
            Some(value) => value,
            None if name == "agent_identity" => &filled,
            None => continue,
        };
        out.uint(label);
        write_claim(out, name, value, agent)?;
    }
    Some(())
}

fn write_claim(out: &mut Writer, name: &str, value: &Value, agent: &Id) -> Option<()> {
    match name {
        "realm" | "conversation" | "salt" => write_hex(out, value),
        "kind" => match value.as_str() {
            Some(text) => {
                out.uint(Kind::from_text(text)? as u64);
                Some(())
            }
            None => write_int(out, value),
        },
        "agent_identity" => {
            only(value, &["agent", "grant"])?;
            out.array(2);
            match value.get("agent") {
                Some(given) => write_hex(out, given)?,
                None => {
                    out.bytes(agent);
                }
            }
            write_hex_or_null(out, value.get("grant").unwrap_or(&Value::Null))
        }
        "context_fingerprint" => {
            only(value, &["size", "fingerprint", "registry_size", "registry_fingerprint"])?;
            out.array(4);
            write_int(out, value.get("size")?)?;
            write_hex(out, value.get("fingerprint")?)?;
            write_int(out, value.get("registry_size")?)?;
            write_hex(out, value.get("registry_fingerprint")?)
        }
        "execution_path" => write_path(out, value),
        "workflow_state" => write_workflow(out, value),
        "recipients" | "members" => write_addrs(out, value),
        "seq" => {
            let [epoch, counter] = value.as_array()?.as_slice() else {
                return None;
            };
            out.array(2);
            write_int(out, epoch)?;
            write_int(out, counter)
        }
        "time" => write_int(out, value),
        "body" if value.is_null() => {
            out.null();
            Some(())
        }
        "body" => {
            only(value, &["commitment", "size", "media_type"])?;
            out.array(3);
            write_hex(out, value.get("commitment")?)?;
            write_int(out, value.get("size")?)?;
            out.text(value.get("media_type")?.as_str()?);
            Some(())
        }
        "workflow" => {
            only(value, &["required", "definition"])?;
            out.array(2).bool(value.get("required")?.as_bool()?);
            match value.get("definition")? {
                Value::Null => out.null(),
                name => out.text(name.as_str()?),
            };
            Some(())
        }
        _ => write_act_claim(out, name, value),
    }
}

/// An object without other members than these.
pub(super) fn only(value: &Value, members: &[&str]) -> Option<()> {
    value.as_object()?.keys().all(|key| members.contains(&key.as_str())).then_some(())
}

pub(super) fn write_int(out: &mut Writer, value: &Value) -> Option<()> {
    out.int(value.as_i64()?);
    Some(())
}

pub(super) fn write_hex(out: &mut Writer, value: &Value) -> Option<()> {
    out.bytes(&unhex(value.as_str()?)?);
    Some(())
}

pub(super) fn write_hex_or_null(out: &mut Writer, value: &Value) -> Option<()> {
    if value.is_null() {
        out.null();
        return Some(());
    }
    write_hex(out, value)
}

pub(super) fn write_addrs(out: &mut Writer, value: &Value) -> Option<()> {
    if value.is_null() {
        out.null();
        return Some(());
    }
    let list = value.as_array()?;
    out.array(list.len());
    for addr in list {
        match addr.as_str()?.strip_prefix("name:") {
            Some(name) => {
                out.text(name);
            }
            None => write_hex(out, addr)?,
        }
    }
    Some(())
}

fn write_path(out: &mut Writer, value: &Value) -> Option<()> {
    only(value, &["branch", "parent", "merges"])?;
    out.array(3);
    write_hex(out, value.get("branch")?)?;
    write_hex_or_null(out, value.get("parent")?)?;
    let merges = value.get("merges")?.as_array()?;
    out.array(merges.len());
    for merge in merges {
        only(merge, &["branch", "size", "fingerprint"])?;
        out.array(3);
        write_hex(out, merge.get("branch")?)?;
        write_int(out, merge.get("size")?)?;
        write_hex(out, merge.get("fingerprint")?)?;
    }
    Some(())
}

pub(super) fn write_workflow(out: &mut Writer, value: &Value) -> Option<()> {
    if value.is_null() {
        out.null();
        return Some(());
    }
    only(value, &["instance", "definition", "step", "outputs", "approves"])?;
    out.array(5);
    write_hex_or_null(out, value.get("instance")?)?;
    write_hex(out, value.get("definition")?)?;
    out.text(value.get("step")?.as_str()?);
    // Sorted by the keys' encodings: shorter first, then bytewise (envelope.3.7).
    let mut outputs: Vec<_> = value.get("outputs")?.as_object()?.iter().collect();
    outputs.sort_by_key(|(name, _)| (name.len(), name.as_bytes().to_vec()));
    out.map(outputs.len());
    for (name, value) in outputs {
        out.text(name);
        match value {
            Value::Bool(value) => out.bool(*value),
            Value::Number(value) => out.int(value.as_i64()?),
            Value::String(value) => out.text(value),
            _ => return None,
        };
    }
    write_hex_or_null(out, value.get("approves")?)
}
