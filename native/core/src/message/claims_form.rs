//! From bytes to claims: the numbered steps of envelope.5, the first that fails names the error.

use std::borrow::Cow;

use super::claims::{
    Addr, BodyClaim, Claims, Context, Id, Kind, Merge, OpenPart, Output, Seq, WorkflowState, ZERO, write_addr,
};
use super::codec::{Cursor, Head};
use super::write::Writer;
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::limits::{
    MAX_BODY, MAX_CLAIMS, MAX_MEDIA_TYPE, MAX_MERGES, MAX_OUTPUT_TEXT, MAX_OUTPUTS, MAX_RECIPIENTS, SIZE_END, TIME_END,
};
use crate::text;

/// Labels have numbers 1 to 26; index 0 is unused.
const LABELS: [&str; 27] = [
    "",
    "realm",
    "conversation",
    "kind",
    "agent_identity",
    "context_fingerprint",
    "execution_path",
    "workflow_state",
    "recipients",
    "seq",
    "time",
    "salt",
    "body",
    "members",
    "workflow",
    "fork",
    "rollback",
    "halt scope",
    "document",
    "enrolment",
    "revocation",
    "resume",
    "erasure",
    "term",
    "snapshot",
    "close",
    "reason",
];

fn label_name(label: usize) -> &'static str {
    LABELS.get(label).copied().unwrap_or("unknown")
}

fn required(kind: Kind, label: usize) -> bool {
    match kind {
        Kind::Open => matches!(label, 1..=8 | 10..=14),
        _ => matches!(label, 1..=12),
    }
}

/// Where each label's value stands in the payload.
struct Found<'a> {
    values: [Option<&'a [u8]>; 27],
    unknown: Option<String>,
}

/// Read claims from a payload that has passed the codec, for the typ of agents' messages.
pub(super) fn parse_claims(payload: &[u8], kid: &Id) -> Result<Claims> {
    let found = locate(payload)?;
    let kind = read_kind(found.values.get(3).copied().flatten())?;
    if payload.len() > MAX_CLAIMS {
        return Err(size_fault(payload.len()));
    }
    if let Some(label) = found.unknown {
        return Err(Error::new(Code::ClaimUnknown, "a label of the table (envelope.5)", label));
    }
    let present = |label: usize| found.values.get(label).copied().flatten().is_some();
    if let Some(missing) = (1..27).find(|&label| required(kind, label) && !present(label)) {
        return Err(Error::new(
            Code::ClaimMissing,
            format!("the claim {missing} ({}) in a {}", label_name(missing), kind.as_str()),
            "none",
        ));
    }
    if let Some(extra) = (1..27).find(|&label| !required(kind, label) && present(label)) {
        let expected = format!("no claim {extra} ({}) in a {}", label_name(extra), kind.as_str());
        return Err(Error::new(Code::ClaimForbidden, expected, "one"));
    }
    let claims = read_all(&found.values, kind)?;
    agree(&claims, kid)?;
    Ok(claims)
}

fn size_fault(length: usize) -> Error {
    Error::new(Code::SizeLimit, format!("claims of at most {MAX_CLAIMS} bytes"), format!("{length} bytes"))
}

fn locate(payload: &[u8]) -> Result<Found<'_>> {
    let mut cursor = Cursor::new(payload);
    let Some(Head::Map(pairs)) = cursor.head() else {
        return Err(Error::new(Code::ClaimType, "a map of claims", "another type"));
    };
    let mut found = Found { values: [None; 27], unknown: None };
    for _ in 0..pairs {
        let key = cursor.item().ok_or_else(broken)?;
        let value = cursor.item().ok_or_else(broken)?;
        let label = Cursor::new(key).uint().and_then(|label| usize::try_from(label).ok()).filter(|label| *label > 0);
        match label.and_then(|label| found.values.get_mut(label)) {
            Some(slot) => *slot = Some(value),
            None => {
                // The first in the order of the map is named.
                found.unknown.get_or_insert_with(|| text::hex(key.get(..key.len().min(16)).unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

/// The codec has accepted these bytes, and now they do not read: a fault of ours, never a verdict.
fn broken() -> Error {
    Error::new(Code::Internal, "claims that read as the codec checked them", "other bytes")
}

fn read_kind(value: Option<&[u8]>) -> Result<Kind> {
    let value = value.ok_or_else(|| Error::new(Code::ClaimMissing, "the claim 3 (kind)", "none"))?;
    let number = Cursor::new(value)
        .uint()
        .ok_or_else(|| Error::new(Code::ClaimType, "kind: an unsigned integer", "another type"))?;
    let kind = Kind::from_number(number)
        .ok_or_else(|| Error::new(Code::KindUnknown, "a kind of the table (envelope.5.1)", number.to_string()))?;
    if !kind.is_message_typ() {
        return Err(Error::new(Code::TypKind, "a kind of ama2sec-message+cose", kind.as_str()));
    }
    if !kind.is_built() {
        return Err(Error::new(Code::KindNotBuilt, "open or message in this version", kind.as_str()));
    }
    Ok(kind)
}

/// One claim's value, read element by element; errors carry the claim's name.
struct Value<'a> {
    cursor: Cursor<'a>,
    label: &'static str,
}

impl<'a> Value<'a> {
    fn fault(&self, code: Code, expected: impl Into<Cow<'static, str>>, got: impl Into<Cow<'static, str>>) -> Error {
        Error::new(code, format!("{}: {}", self.label, expected.into()), got)
    }

    fn wrong_type(&self, expected: &'static str) -> Error {
        self.fault(Code::ClaimType, expected, "another type or length")
    }

    fn id(&mut self) -> Result<Id> {
        let bytes = self.cursor.bytes().ok_or_else(|| self.wrong_type("32 bytes"))?;
        bytes.try_into().map_err(|_| self.wrong_type("32 bytes"))
    }

    fn id_or_null(&mut self) -> Result<Option<Id>> {
        if self.cursor.null() { Ok(None) } else { self.id().map(Some) }
    }

    fn array_of(&mut self, count: usize, expected: &'static str) -> Result<()> {
        if self.cursor.array() == Some(count) { Ok(()) } else { Err(self.wrong_type(expected)) }
    }

    fn list(&mut self, most: usize) -> Result<usize> {
        let count = self.cursor.array().ok_or_else(|| self.wrong_type("a list"))?;
        if count > most {
            return Err(self.fault(Code::TooMany, format!("at most {most}"), count.to_string()));
        }
        Ok(count)
    }

    fn uint_below(&mut self, end: u64) -> Result<u64> {
        let value = self.cursor.uint().ok_or_else(|| self.wrong_type("an unsigned integer"))?;
        if value >= end {
            return Err(self.fault(Code::ClaimRange, format!("a number below {end}"), value.to_string()));
        }
        Ok(value)
    }

    fn name(&mut self) -> Result<Name> {
        let found = self.cursor.text().ok_or_else(|| self.wrong_type("a name"))?;
        Name::parse(found)
    }

    fn name_or_null(&mut self) -> Result<Option<Name>> {
        if self.cursor.null() { Ok(None) } else { self.name().map(Some) }
    }

    fn addr(&mut self) -> Result<Addr> {
        match self.cursor.peek() {
            Some(Head::Text(_)) => self.name().map(Addr::Name),
            Some(Head::Bytes(_)) => self.id().map(Addr::Id),
            _ => Err(self.wrong_type("an id or a name")),
        }
    }

    fn ordered_addrs(&mut self, count: usize) -> Result<Vec<Addr>> {
        let mut addrs: Vec<Addr> = Vec::with_capacity(count);
        let mut before: Vec<u8> = Vec::new();
        for _ in 0..count {
            let addr = self.addr()?;
            let mut encoded = Writer::default();
            write_addr(&mut encoded, &addr);
            if encoded.0 <= before {
                return Err(self.order_fault());
            }
            before = encoded.0;
            addrs.push(addr);
        }
        Ok(addrs)
    }

    fn order_fault(&self) -> Error {
        self.fault(Code::ListOrder, "strictly ascending elements", "one at or below the one before")
    }
}

type Values<'a> = [Option<&'a [u8]>; 27];

fn value_of<'a>(values: &Values<'a>, label: usize) -> Result<Value<'a>> {
    let bytes = values.get(label).copied().flatten().ok_or_else(broken)?;
    Ok(Value { cursor: Cursor::new(bytes), label: label_name(label) })
}

fn read_all(values: &Values<'_>, kind: Kind) -> Result<Claims> {
    let realm = value_of(values, 1)?.id()?;
    let conversation = value_of(values, 2)?.id()?;
    let mut identity = value_of(values, 4)?;
    identity.array_of(2, "[agent id, grant id or null]")?;
    let (agent, grant) = (identity.id()?, identity.id_or_null()?);
    let context = read_context(value_of(values, 5)?)?;
    let (branch, parent, merges) = read_path(value_of(values, 6)?)?;
    let workflow = read_workflow(value_of(values, 7)?)?;
    let mut to = value_of(values, 8)?;
    let count = to.list(MAX_RECIPIENTS)?;
    let recipients = to.ordered_addrs(count)?;
    let seq = if kind == Kind::Message { Some(read_seq(value_of(values, 9)?)?) } else { None };
    let time = value_of(values, 10)?.uint_below(TIME_END)?;
    let mut salt = value_of(values, 11)?;
    let salt =
        salt.cursor.bytes().and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| salt.wrong_type("16 bytes"))?;
    let body = read_body(value_of(values, 12)?)?;
    let open = if kind == Kind::Open { Some(read_open(values)?) } else { None };
    Ok(Claims {
        realm,
        conversation,
        kind,
        agent,
        grant,
        context,
        branch,
        parent,
        merges,
        workflow,
        recipients,
        seq,
        time,
        salt,
        body,
        open,
    })
}

fn read_context(mut value: Value<'_>) -> Result<Context> {
    value.array_of(4, "[size, fingerprint, registry size, registry fingerprint]")?;
    Ok(Context {
        size: value.uint_below(SIZE_END)?,
        fingerprint: value.id()?,
        registry_size: value.uint_below(SIZE_END)?,
        registry_fingerprint: value.id()?,
    })
}

fn read_path(mut value: Value<'_>) -> Result<(Id, Option<Id>, Vec<Merge>)> {
    value.array_of(3, "[branch, parent or null, merges]")?;
    let branch = value.id()?;
    let parent = value.id_or_null()?;
    let count = value.list(MAX_MERGES)?;
    let mut merges: Vec<Merge> = Vec::with_capacity(count);
    let mut before: &[u8] = &[];
    for _ in 0..count {
        let mut whole = value.cursor;
        value.array_of(3, "[branch, size, fingerprint]")?;
        merges.push(Merge { branch: value.id()?, size: value.uint_below(SIZE_END)?, fingerprint: value.id()? });
        let encoded = whole.item().ok_or_else(broken)?;
        if encoded <= before {
            return Err(value.order_fault());
        }
        before = encoded;
    }
    Ok((branch, parent, merges))
}

fn read_workflow(mut value: Value<'_>) -> Result<Option<WorkflowState>> {
    if value.cursor.null() {
        return Ok(None);
    }
    value.array_of(5, "null, or [instance, definition, step, outputs, approves]")?;
    let instance = value.id_or_null()?;
    let definition = value.id()?;
    let step = value.name()?;
    let Some(Head::Map(pairs)) = value.cursor.head() else {
        return Err(value.wrong_type("a map of outputs"));
    };
    if pairs > MAX_OUTPUTS {
        return Err(value.fault(Code::TooMany, format!("at most {MAX_OUTPUTS} outputs"), pairs.to_string()));
    }
    let mut outputs = Vec::with_capacity(pairs);
    for _ in 0..pairs {
        let name = value.name()?;
        outputs.push((name, read_output(&mut value)?));
    }
    Ok(Some(WorkflowState { instance, definition, step, outputs, approves: value.id_or_null()? }))
}

fn read_output(value: &mut Value<'_>) -> Result<Output> {
    let mut ahead = value.cursor;
    match ahead.head() {
        Some(Head::Bool(found)) => {
            value.cursor = ahead;
            Ok(Output::Bool(found))
        }
        Some(Head::Negative(found)) => {
            value.cursor = ahead;
            Ok(Output::Int(found))
        }
        Some(Head::Uint(found)) => {
            value.cursor = ahead;
            i64::try_from(found).map(Output::Int).map_err(|_| broken())
        }
        Some(Head::Text(length)) if length > MAX_OUTPUT_TEXT => {
            Err(value.fault(Code::ClaimRange, format!("a text of at most {MAX_OUTPUT_TEXT} bytes"), length.to_string()))
        }
        Some(Head::Text(_)) => value.cursor.text().map(|found| Output::Text(found.to_owned())).ok_or_else(broken),
        _ => Err(value.wrong_type("a boolean, an integer or a text")),
    }
}

fn read_seq(mut value: Value<'_>) -> Result<Seq> {
    value.array_of(2, "[epoch, counter]")?;
    let epoch = value.uint_below(TIME_END)?;
    let counter = value.uint_below(1 << 32)?;
    Ok(Seq { epoch, counter: u32::try_from(counter).map_err(|_| broken())? })
}

fn read_body(mut value: Value<'_>) -> Result<Option<BodyClaim>> {
    if value.cursor.null() {
        return Ok(None);
    }
    value.array_of(3, "null, or [commitment, size, media type]")?;
    let commitment = value.id()?;
    let size = value.uint_below(MAX_BODY as u64 + 1)?;
    let media_type = value.cursor.text().ok_or_else(|| value.wrong_type("a media type"))?;
    check_media_type(media_type).map_err(|fault| value.fault(fault.code, fault.expected, fault.got))?;
    Ok(Some(BodyClaim { commitment, size, media_type: media_type.to_owned() }))
}

/// 1 to 127 bytes of printable ASCII without space (envelope.5.5).
pub(super) fn check_media_type(media_type: &str) -> Result<()> {
    let sound =
        (1..=MAX_MEDIA_TYPE).contains(&media_type.len()) && media_type.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        return Ok(());
    }
    Err(Error::new(
        Code::ClaimForm,
        "a media type of 1 to 127 printable ASCII characters",
        text::shown(media_type.as_bytes()),
    ))
}

fn read_open(values: &Values<'_>) -> Result<OpenPart> {
    let mut members = value_of(values, 13)?;
    let listed = if members.cursor.null() {
        None
    } else {
        let count = members.list(MAX_RECIPIENTS)?;
        if count == 0 {
            return Err(members.fault(Code::ClaimRange, "at least one member, or null", "none"));
        }
        Some(members.ordered_addrs(count)?)
    };
    let mut workflow = value_of(values, 14)?;
    workflow.array_of(2, "[required, definition or null]")?;
    let Some(Head::Bool(required)) = workflow.cursor.head() else {
        return Err(workflow.wrong_type("a boolean"));
    };
    Ok(OpenPart { members: listed, required, definition: workflow.name_or_null()? })
}

/// Step 6: the claims agree with each other and with the kind.
pub(super) fn agree(claims: &Claims, kid: &Id) -> Result<()> {
    let wrong = |expected: &'static str| Err(Error::new(Code::ClaimForm, expected, "claims that contradict it"));
    let context = &claims.context;
    if claims.kind == Kind::Open {
        let first = claims.conversation == ZERO && claims.branch == ZERO && claims.parent.is_none();
        if !first || context.size != 0 || context.fingerprint != ZERO || !claims.merges.is_empty() {
            return wrong("an open without conversation, branch, parent, context and merges");
        }
    } else if claims.conversation == ZERO
        || claims.branch == ZERO
        || context.size == 0
        || context.fingerprint == ZERO
        || claims.parent.is_none()
    {
        return wrong("a message with conversation, branch, parent and context");
    }
    if claims.realm == ZERO {
        let bare = context.registry_size == 0 && context.registry_fingerprint == ZERO && claims.grant.is_none();
        if !bare || claims.agent != *kid {
            return wrong("outside a realm: no registry, no grant, and the kid as agent");
        }
    } else if context.registry_size == 0 {
        return wrong("inside a realm: a registry context");
    }
    if let Some(state) = &claims.workflow {
        if claims.kind == Kind::Open && state.instance.is_some() {
            return wrong("an open that starts an instance, not one that goes on with it");
        }
        if state.approves.is_some() && state.instance.is_none() {
            return wrong("an approval inside an instance");
        }
    }
    let mut before: Option<&Id> = None;
    for merge in &claims.merges {
        if merge.branch == claims.branch || before == Some(&merge.branch) || merge.size == 0 {
            return wrong("merges of other branches, each once, none empty");
        }
        before = Some(&merge.branch);
    }
    if claims.open.as_ref().is_some_and(|open| open.required && open.definition.is_none()) {
        return wrong("a definition where a workflow is required");
    }
    Ok(())
}
