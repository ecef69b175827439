//! Questions about a realm, for Python: by name, with arguments and answers as JSON (dag.4.4).

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::message::Id as CoreId;
use ama2sec_core::realm::State;
use ama2sec_core::realm::dag::{Dag, HeadAt, Node, heads};
use ama2sec_core::realm::replica::Replica;
use ama2sec_core::realm::trace::trace;
use ama2sec_core::realm::undoing::{fate, undoing};
use ama2sec_core::realm::view::{
    Listed, definitions_view, fate_view, head_view, instance_view, link_view, node_view, options_view, registry_view,
    undoing_view, workflows_view,
};
use ama2sec_core::realm::work_options::{Asker, options};
use pyo3::prelude::*;
use serde_json::{Value, json};

/// Keyword arguments of a question, by way of JSON: ids as hex.
pub fn to_json(py: Python<'_>, arguments: Option<&Bound<'_, pyo3::types::PyDict>>) -> PyResult<Value> {
    let Some(arguments) = arguments else {
        return Ok(json!({}));
    };
    let text: String = py.import("json")?.getattr("dumps")?.call1((arguments,))?.extract()?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Entries of an answer where the caller gives no limit.
const LIMIT: u64 = 10_000;

struct Asked<'a>(&'a Value);

impl Asked<'_> {
    fn wrong(name: &str) -> Error {
        Error::new(Code::ArgumentType, format!("the argument {name}"), "another value, or none")
    }

    fn id(&self, name: &str) -> Result<CoreId> {
        let bytes = self.0.get(name).and_then(Value::as_str).and_then(ama2sec_core::text::unhex);
        bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| Self::wrong(name))
    }

    fn ids(&self, name: &str) -> Result<Vec<CoreId>> {
        let list = self.0.get(name).and_then(Value::as_array).ok_or_else(|| Self::wrong(name))?;
        list.iter().map(|id| Asked(&json!({"id": id})).id("id")).collect()
    }

    fn number(&self, name: &str, default: u64) -> Result<usize> {
        let value = self.0.get(name).map_or(Some(default), Value::as_u64);
        value.and_then(|value| usize::try_from(value).ok()).ok_or_else(|| Self::wrong(name))
    }

    fn head(&self, name: &str) -> Result<HeadAt> {
        let part = self.0.get(name).ok_or_else(|| Self::wrong(name))?;
        let size = part.get("size").and_then(Value::as_u64).ok_or_else(|| Self::wrong(name))?;
        Ok(HeadAt { branch: Asked(part).id("branch")?, size })
    }
}

fn nodes(found: &[&Node]) -> Value {
    found.iter().map(|node| node_view(node)).collect()
}

/// What the agent `agent`, who has consumed `size` of `branch`, may do at `time` in `instance` (or starting one).
fn next_steps(state: &State, conversation: CoreId, asked: &Asked<'_>) -> Result<Value> {
    let instance = if asked.0.get("instance").is_none_or(Value::is_null) { None } else { Some(asked.id("instance")?) };
    let (branch, size) = (asked.id("branch")?, asked.number("size", 0)? as u64);
    let (agent, time) = (asked.id("agent")?, asked.number("time", 0)? as u64);
    let (definition, options) = options(state, Asker { agent, conversation, instance, branch, size, time })?;
    Ok(options_view(&definition, &options))
}

/// `instance`: that one alone; `running`: the first so many of those that run; else all.
fn listed(asked: &Asked<'_>) -> Result<Listed> {
    if asked.0.get("instance").is_some_and(|id| !id.is_null()) {
        return Ok(Listed::One(asked.id("instance")?));
    }
    if asked.0.get("running").is_some_and(|most| !most.is_null()) {
        return Ok(Listed::Running(asked.number("running", 0)?));
    }
    Ok(Listed::All)
}

/// The questions that the state answers: nothing has to be read again for them. None: it is another one.
pub fn answer_at_once(
    replica: &Replica,
    question: &str,
    conversation: Option<CoreId>,
    arguments: &Value,
) -> Option<Result<Value>> {
    let (asked, state) = (Asked(arguments), replica.state());
    match question {
        "registry" => return Some(Ok(state.registry().map_or(Value::Null, registry_view))),
        "definitions" => return Some(Ok(state.registry().map_or(Value::Null, definitions_view))),
        "conversations" => {
            return Some(Ok(state.conversations().iter().map(|found| ama2sec_core::text::hex(found.id())).collect()));
        }
        "workflows" | "instance" | "next_steps" | "undoing" | "fate" => {}
        _ => return None,
    }
    Some(conversation.ok_or_else(unknown).and_then(|id| match question {
        "workflows" => Ok(workflows_view(state.conversation(&id).ok_or_else(unknown)?, listed(&asked)?)),
        "instance" => {
            let instance = asked.id("id")?;
            let found = state.conversation(&id).ok_or_else(unknown)?.instance(&instance);
            Ok(found.map_or(Value::Null, |found| instance_view(&instance, found)))
        }
        "next_steps" => next_steps(state, id, &asked),
        "undoing" => {
            let (target, keep, limit) = (asked.id("target")?, asked.number("size", 0)?, asked.number("limit", LIMIT)?);
            Ok(undoing_view(&undoing(state, &id, &target, keep as u64, limit)?))
        }
        _ => Ok(fate_view(&fate(state, &id, &asked.id("branch")?)?)),
    }))
}

fn unknown() -> Error {
    Error::new(Code::ConversationUnknown, "a conversation of this realm", "another")
}

/// The questions of dag.4.4, by name; and those that the state answers.
pub fn answer(replica: &Replica, question: &str, conversation: Option<CoreId>, arguments: &Value) -> Result<Value> {
    if let Some(answer) = answer_at_once(replica, question, conversation, arguments) {
        return answer;
    }
    let (asked, state) = (Asked(arguments), replica.state());
    let conversation = conversation.ok_or_else(unknown)?;
    let dag: &Dag = replica.dag(&conversation).ok_or_else(unknown)?;
    let limit = asked.number("limit", LIMIT)?;
    if question == "timeline" {
        return Ok(dag.timeline(asked.number("start", 0)?, limit).iter().map(node_view).collect());
    }
    let branches = state.conversation(&conversation).ok_or_else(unknown)?.branches();
    Ok(match question {
        "heads" => heads(branches, limit)?.iter().map(head_view).collect(),
        "ancestors" => nodes(&dag.ancestors(branches, &asked.id("id")?, limit)?),
        "descendants" => nodes(&dag.descendants(branches, &asked.id("id")?, limit)?),
        "is_ancestor" => dag.is_ancestor(branches, &asked.id("above")?, &asked.id("id")?)?.into(),
        "path" => dag
            .path(branches, &asked.id("id")?, &asked.id("to")?, limit)?
            .map_or(Value::Null, |chain| chain.iter().map(|id| ama2sec_core::text::hex(id)).collect()),
        "nearest_common_ancestors" => nodes(&dag.nearest_common_ancestors(branches, &asked.ids("ids")?, limit)?),
        "diff" => {
            let (first, second) = dag.diff(branches, asked.head("first")?, asked.head("second")?, limit)?;
            json!([nodes(&first), nodes(&second)])
        }
        "trace" => trace(replica, &conversation, &asked.id("id")?)?.iter().map(link_view).collect(),
        _ => {
            return Err(Error::new(
                Code::ArgumentRange,
                "a question of dag.4.4",
                ama2sec_core::text::shown(question.as_bytes()),
            ));
        }
    })
}
