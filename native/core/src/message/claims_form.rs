//! From bytes to claims: the numbered steps of envelope.5, the first that fails names the error.

use super::act_form::read_act;
use super::agree::agree;
use super::claims::{Addr, BodyClaim, Claims, Context, Id, Kind, Merge, OpenPart, Output, Seq, Typ, WorkflowState};
use super::codec::{Cursor, Head, check_parts};
use super::value::{LABELS, Value, Values, broken, label_name, value_of};
use crate::errors::{Code, Error, Result};
use crate::identity::Name;
use crate::limits::{
    MAX_BODY, MAX_CLAIMS, MAX_DOCUMENT_CLAIMS, MAX_MEDIA_TYPE, MAX_MERGES, MAX_OUTPUT_TEXT, MAX_OUTPUTS,
    MAX_RECIPIENTS, SIZE_END, TIME_END,
};
use crate::text;

/// Where each label's value stands in the payload, and the first label that the table does not have.
struct Found<'a> {
    values: Values<'a>,
    unknown: Option<String>,
}

/// Read claims from a payload, for the typ that the header names. The codec has the first word.
pub(super) fn parse_claims(payload: &[u8], kid: &Id, typ: Typ) -> Result<Claims> {
    let found = locate(payload)?;
    let kind = read_kind(found.values.get(3).copied().flatten(), typ)?;
    check_size(payload.len(), kind)?;
    if let Some(label) = found.unknown {
        return Err(Error::new(Code::ClaimUnknown, "a label of the table (envelope.5)", label));
    }
    check_labels(&found.values, kind)?;
    let claims = read_all(&found.values, kind)?;
    agree(&claims, kid)?;
    Ok(claims)
}

/// What the kind requires is there; then, nothing else is.
fn check_labels(values: &Values<'_>, kind: Kind) -> Result<()> {
    let wrong = |required: bool| {
        let wrong =
            |(label, value): &(usize, &Option<&[u8]>)| value.is_some() != required && kind.requires(*label) == required;
        values.iter().enumerate().skip(1).find(wrong).map(|(label, _)| label)
    };
    if let Some(missing) = wrong(true) {
        return Err(Error::new(
            Code::ClaimMissing,
            format!("the claim {missing} ({}) in a {}", label_name(missing), kind.as_str()),
            "none",
        ));
    }
    if let Some(extra) = wrong(false) {
        let expected = format!("no claim {extra} ({}) in a {}", label_name(extra), kind.as_str());
        return Err(Error::new(Code::ClaimForbidden, expected, "one"));
    }
    Ok(())
}

/// The bound of the kind, judged as soon as the kind is known (envelope.2.1).
pub(super) fn check_size(length: usize, kind: Kind) -> Result<()> {
    let most = if kind.has_document() { MAX_DOCUMENT_CLAIMS } else { MAX_CLAIMS };
    if length > most {
        let expected = format!("claims of at most {most} bytes");
        return Err(Error::new(Code::SizeLimit, expected, format!("{length} bytes")));
    }
    Ok(())
}

/// In one pass with the codec's.
fn locate(payload: &[u8]) -> Result<Found<'_>> {
    let mut found = Found { values: [None; LABELS.len()], unknown: None };
    let mut key: Option<&[u8]> = None;
    check_parts(payload, 0, |part| {
        let part = payload.get(part).unwrap_or_default();
        match key.take() {
            None => key = Some(part),
            Some(key) => found.put(key, part),
        }
    })?;
    match Cursor::new(payload).head() {
        Some(Head::Map(_)) => Ok(found),
        _ => Err(Error::new(Code::ClaimType, "a map of claims", "another type")),
    }
}

impl<'a> Found<'a> {
    fn put(&mut self, key: &[u8], value: &'a [u8]) {
        let label = Cursor::new(key).uint().and_then(|label| usize::try_from(label).ok()).filter(|label| *label > 0);
        match label.and_then(|label| self.values.get_mut(label)) {
            Some(slot) => *slot = Some(value),
            None => {
                // The first in the order of the map is named.
                self.unknown.get_or_insert_with(|| text::hex(key.get(..key.len().min(16)).unwrap_or_default()));
            }
        }
    }
}

fn read_kind(value: Option<&[u8]>, typ: Typ) -> Result<Kind> {
    let value = value.ok_or_else(|| Error::new(Code::ClaimMissing, "the claim 3 (kind)", "none"))?;
    let number = Cursor::new(value)
        .uint()
        .ok_or_else(|| Error::new(Code::ClaimType, "kind: an unsigned integer", "another type"))?;
    let kind = Kind::from_number(number)
        .ok_or_else(|| Error::new(Code::KindUnknown, "a kind of the table (envelope.5.1)", number.to_string()))?;
    if kind.typ() != typ {
        return Err(Error::new(Code::TypKind, format!("a kind of {}", typ.as_str()), kind.as_str()));
    }
    if !kind.is_built() {
        return Err(Error::new(Code::KindNotBuilt, "a kind that this version reads", kind.as_str()));
    }
    Ok(kind)
}

fn read_all(values: &Values<'_>, kind: Kind) -> Result<Claims> {
    let realm = value_of(values, 1)?.id()?;
    let conversation = value_of(values, 2)?.id()?;
    let mut identity = value_of(values, 4)?;
    identity.array_of(2, "[agent id, grant id or null]")?;
    let (agent, grant) = (identity.id()?, identity.id_or_null()?);
    let context = read_context(value_of(values, 5)?)?;
    let (branch, parent, merges) = read_path(value_of(values, 6)?)?;
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
        workflow: read_workflow(value_of(values, 7)?)?,
        recipients: if kind.requires(8) { read_recipients(value_of(values, 8)?)? } else { Vec::new() },
        seq: if kind.requires(9) { Some(read_seq(value_of(values, 9)?)?) } else { None },
        time: value_of(values, 10)?.uint_below(TIME_END)?,
        salt: value_of(values, 11)?.bytes_of("16 bytes")?,
        body: if kind.requires(12) { read_body(value_of(values, 12)?)? } else { None },
        open: if kind == Kind::Open { Some(read_open(values)?) } else { None },
        act: read_act(values, kind)?,
    })
}

fn read_recipients(mut value: Value<'_>) -> Result<Vec<Addr>> {
    let count = value.list(MAX_RECIPIENTS)?;
    value.ascending(count, Value::addr)
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
    let merges = value.ascending(count, |value| {
        value.array_of(3, "[branch, size, fingerprint]")?;
        Ok(Merge { branch: value.id()?, size: value.uint_below(SIZE_END)?, fingerprint: value.id()? })
    })?;
    Ok((branch, parent, merges))
}

pub(super) fn read_workflow(mut value: Value<'_>) -> Result<Option<WorkflowState>> {
    if value.cursor.null() {
        return Ok(None);
    }
    value.array_of(5, "null, or [instance, definition, step, outputs, approves]")?;
    let instance = value.id_or_null()?;
    let definition = value.id()?;
    let step = value.name()?;
    let outputs = read_outputs(&mut value, read_output)?;
    Ok(Some(WorkflowState { instance, definition, step, outputs, approves: value.id_or_null()? }))
}

/// A map by the names of outputs: of values, or of their types.
pub(crate) fn read_outputs<T>(
    value: &mut Value<'_>,
    read: impl Fn(&mut Value<'_>) -> Result<T>,
) -> Result<Vec<(Name, T)>> {
    let Some(Head::Map(pairs)) = value.cursor.head() else {
        return Err(value.wrong_type("a map of outputs"));
    };
    if pairs > MAX_OUTPUTS {
        return Err(value.fault(Code::TooMany, format!("at most {MAX_OUTPUTS} outputs"), pairs.to_string()));
    }
    (0..pairs).map(|_| Ok((value.name()?, read(value)?))).collect()
}

pub(crate) fn read_output(value: &mut Value<'_>) -> Result<Output> {
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
    let media_type = value.text("a media type")?;
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
    let members = value_of(values, 13)?.or_null(|members| {
        let count = members.list(MAX_RECIPIENTS)?;
        if count == 0 {
            return Err(members.fault(Code::ClaimRange, "at least one member, or null", "none"));
        }
        members.ascending(count, Value::addr)
    })?;
    let mut workflow = value_of(values, 14)?;
    workflow.array_of(2, "[required, definition or null]")?;
    let required = workflow.bool()?;
    Ok(OpenPart { members, required, definition: workflow.or_null(Value::name)? })
}
