//! From bytes to what the kinds of a realm say: the forms of dag.2 and registry.2, in the order of envelope.5.5.

use super::act::own_label;
use super::act::{
    Act, EnrolPart, GenesisPart, GrantPart, HaltPart, Policy, Proposal, RegistryPart, RollbackPart, RootPart,
    StepPattern,
};
use super::claims::Kind;
use super::codec::Head;
use super::value::{Value, Values, broken, value_of};
use crate::errors::{Code, Result};
use crate::identity::Purpose;
use crate::limits::{
    MAX_DEPTH_OF_GRANTS, MAX_GROUPS, MAX_HALTS_ENDED, MAX_REASON, MAX_RECIPIENTS, MAX_ROOTS, MAX_STEPS, SIZE_END,
    TIME_END,
};

/// The own claim of a kind that has one, and label 27.
pub(super) fn read_act(values: &Values<'_>, kind: Kind) -> Result<Option<Act>> {
    let Some(label) = own_label(kind).and_then(|label| usize::try_from(label).ok()) else {
        return Ok(None);
    };
    let mut value = value_of(values, label)?;
    let act = match kind {
        Kind::Fork => Act::Fork(value.or_null(read_grant)?.map(Box::new)),
        Kind::Rollback => Act::Rollback(Box::new(read_rollback(&mut value)?)),
        Kind::Close => Act::Close(value.bool()?),
        Kind::Genesis => Act::Genesis(Box::new(read_genesis(&mut value)?)),
        Kind::Halt | Kind::LocalHalt => {
            let scope = value.cursor.bytes().ok_or_else(|| value.wrong_type("a scope"))?.to_vec();
            Act::Halt(Box::new(HaltPart { scope, reason: read_reason(&mut value_of(values, 26)?)? }))
        }
        _ => {
            let own = value.or_null(|value| read_proposal(value, kind))?;
            let approves = value_of(values, 27)?.id_or_null()?;
            Act::Registry(Box::new(RegistryPart { own, approves }))
        }
    };
    Ok(Some(act))
}

/// rollback.1.2
pub(super) fn read_rollback(value: &mut Value<'_>) -> Result<RollbackPart> {
    value.array_of(4, "[target, size, closure, reason]")?;
    let (target, keep) = (value.id()?, value.uint_below(SIZE_END)?);
    value.array_of(2, "a closure: [count, hash]")?;
    let count = value.uint_below(SIZE_END)?;
    if count == 0 {
        return Err(value.fault(Code::ClaimRange, "at least one leaf that is undone", "none"));
    }
    Ok(RollbackPart { target, keep, count, hash: value.id()?, reason: read_reason(value)? })
}

pub(super) fn read_grant(value: &mut Value<'_>) -> Result<GrantPart> {
    value.array_of(8, "null, or [key, offer, steps, to, rights, expires, depth, next]")?;
    Ok(GrantPart {
        key: value.id()?,
        offer: value.bytes_of("64 bytes")?,
        steps: value.or_null(|value| {
            let count = value.list(MAX_STEPS)?;
            value.ascending(count, |value| StepPattern::parse(value.text("a step pattern")?))
        })?,
        to: value.or_null(|value| {
            let count = value.list(MAX_RECIPIENTS)?;
            value.ascending(count, Value::addr)
        })?,
        rights: value.small(0, 7)?,
        expires: value.or_null(|value| value.uint_below(TIME_END))?,
        depth: value.small(0, MAX_DEPTH_OF_GRANTS)?,
        next: value.id_or_null()?,
    })
}

pub(super) fn read_genesis(value: &mut Value<'_>) -> Result<GenesisPart> {
    value.array_of(6, "[name, rules_version, profile, roots, sequencer, policy]")?;
    let name = value.name()?;
    let rules_version = value.uint_below(1 << 32)?;
    let profile = value.small(0, 1)?;
    let count = value.list(MAX_ROOTS)?;
    if count == 0 {
        return Err(value.fault(Code::ClaimRange, "at least one root", "none"));
    }
    let roots = value.ascending(count, read_root)?;
    value.array_of(3, "[name, key, offer]")?;
    let sequencer = (value.name()?, value.id()?, value.bytes_of("64 bytes")?);
    Ok(GenesisPart {
        name,
        rules_version: u32::try_from(rules_version).map_err(|_| broken())?,
        dev: profile == 1,
        roots,
        sequencer,
        policy: read_policy(value)?,
    })
}

fn read_root(value: &mut Value<'_>) -> Result<RootPart> {
    value.array_of(4, "[name, key, offer, next or null]")?;
    Ok(RootPart {
        name: value.name()?,
        key: value.id()?,
        offer: value.bytes_of("64 bytes")?,
        next: value.id_or_null()?,
    })
}

pub(crate) fn read_policy(value: &mut Value<'_>) -> Result<Policy> {
    const EXPECTED: &str = "a policy: a map of the keys 1 to 7";
    if value.cursor.head() != Some(Head::Map(7)) {
        return Err(value.wrong_type(EXPECTED));
    }
    let mut quorums = [0u8; 6];
    for (label, quorum) in (1u64..).zip(&mut quorums) {
        read_key(value, label, EXPECTED)?;
        *quorum = value.small(1, 16)?;
    }
    read_key(value, 7, EXPECTED)?;
    let [root, enrol, revoke, define, erase, resume] = quorums;
    Ok(Policy { root, enrol, revoke, define, erase, resume, hold: value.bool()? })
}

fn read_key(value: &mut Value<'_>, label: u64, expected: &'static str) -> Result<()> {
    if value.cursor.uint() == Some(label) { Ok(()) } else { Err(value.wrong_type(expected)) }
}

pub(crate) fn read_proposal(value: &mut Value<'_>, kind: Kind) -> Result<Proposal> {
    match kind {
        Kind::Enrol => read_enrol(value).map(|part| Proposal::Enrol(Box::new(part))),
        Kind::Revoke => {
            value.array_of(3, "null, or [agent id, suspect_from or null, reason]")?;
            let agent = value.id()?;
            let suspect_from = value.or_null(|value| value.uint_below(SIZE_END))?;
            Ok(Proposal::Revoke { agent, suspect_from, reason: read_reason(value)? })
        }
        Kind::Policy => {
            value.array_of(2, "null, or [replaces, policy]")?;
            Ok(Proposal::Policy { replaces: value.id()?, policy: read_policy(value)? })
        }
        Kind::Define => {
            value.array_of(3, "null, or [name, replaces or null, document]")?;
            let (name, replaces) = (value.name()?, value.id_or_null()?);
            let document = value.cursor.bytes().ok_or_else(|| value.wrong_type("a document"))?.to_vec();
            Ok(Proposal::Define { name, replaces, document })
        }
        Kind::Erase => {
            value.array_of(2, "null, or [message id, reason]")?;
            Ok(Proposal::Erase { message: value.id()?, reason: read_reason(value)? })
        }
        Kind::Resume => {
            value.array_of(2, "null, or [halt ids, reason]")?;
            let count = value.list(MAX_HALTS_ENDED)?;
            if count == 0 {
                return Err(value.fault(Code::ClaimRange, "at least one halt", "none"));
            }
            Ok(Proposal::Resume { halts: value.ascending(count, Value::id)?, reason: read_reason(value)? })
        }
        _ => {
            value.array_of(3, "null, or [realm size, realm root, reason]")?;
            let (size, root) = (value.uint_below(SIZE_END)?, value.id()?);
            Ok(Proposal::Term { size, root, reason: read_reason(value)? })
        }
    }
}

fn read_enrol(value: &mut Value<'_>) -> Result<EnrolPart> {
    value.array_of(7, "null, or [name, key, purpose, groups, next, replaces, offer]")?;
    let (name, key) = (value.name()?, value.id()?);
    let purpose = Purpose::from_number(value.small(1, 4)?).ok_or_else(broken)?;
    let count = value.list(MAX_GROUPS)?;
    let groups = value.ascending(count, Value::name)?;
    let (next, replaces) = (value.id_or_null()?, value.id_or_null()?);
    Ok(EnrolPart { name, key, purpose, groups, next, replaces, offer: value.bytes_of("64 bytes")? })
}

fn read_reason(value: &mut Value<'_>) -> Result<String> {
    let reason = value.text("a reason")?;
    if reason.len() > MAX_REASON {
        let got = format!("{} bytes", reason.len());
        return Err(value.fault(Code::ClaimRange, format!("a reason of at most {MAX_REASON} bytes"), got));
    }
    Ok(reason.to_owned())
}
