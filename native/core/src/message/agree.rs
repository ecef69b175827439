//! Step 6 of envelope.5: the claims agree with each other and with the kind.

use super::act::Act;
use super::claims::{Claims, Id, Kind, Typ, ZERO};
use crate::errors::{Code, Error, Result};

fn wrong<T>(expected: &'static str) -> Result<T> {
    Err(Error::new(Code::ClaimForm, expected, "claims that contradict it"))
}

/// The parts of step 6 in their order.
pub(super) fn agree(claims: &Claims, kid: &Id) -> Result<()> {
    match claims.kind {
        // a.
        Kind::Open | Kind::Genesis => agree_first(claims)?,
        // b.
        kind if kind.typ() == Typ::Registry => agree_registry(claims)?,
        kind if kind.is_bare() => agree_bare(claims)?,
        _ => agree_later(claims)?,
    }
    // c.
    agree_realm(claims, kid)?;
    // d.
    agree_workflow(claims)?;
    // e.
    let mut before: Option<&Id> = None;
    for merge in &claims.merges {
        if merge.branch == claims.branch || before == Some(&merge.branch) || merge.size == 0 {
            return wrong("merges of other branches, each once, none empty");
        }
        before = Some(&merge.branch);
    }
    // f.
    if claims.open.as_ref().is_some_and(|open| open.required && open.definition.is_none()) {
        return wrong("a definition where a workflow is required");
    }
    // g.
    match &claims.act {
        Some(Act::Registry(part)) if part.own.is_some() == part.approves.is_some() => {
            wrong("a proposal of its own, or the approval of one")
        }
        _ => Ok(()),
    }
}

fn agree_first(claims: &Claims) -> Result<()> {
    let context = &claims.context;
    let first = claims.conversation == ZERO && claims.branch == ZERO && claims.parent.is_none();
    if !first || context.size != 0 || context.fingerprint != ZERO || !claims.merges.is_empty() {
        return wrong("a first entry without conversation, branch, parent, context and merges");
    }
    Ok(())
}

fn agree_later(claims: &Claims) -> Result<()> {
    let context = &claims.context;
    if claims.conversation == ZERO || claims.branch == ZERO || context.size == 0 || context.fingerprint == ZERO {
        return wrong("an entry with conversation, branch and context");
    }
    if claims.parent.is_none() {
        return wrong("an entry with a parent");
    }
    Ok(())
}

fn agree_registry(claims: &Claims) -> Result<()> {
    let context = &claims.context;
    let one = claims.conversation == claims.realm && claims.branch == claims.realm;
    let registry = context.size == context.registry_size && context.fingerprint == context.registry_fingerprint;
    if !one || !registry || context.size == 0 || claims.parent.is_none() || !claims.merges.is_empty() {
        return wrong("a registry entry: one id for all three, the registry as context, a parent, no merges");
    }
    Ok(())
}

fn agree_bare(claims: &Claims) -> Result<()> {
    let context = &claims.context;
    let one = claims.conversation == claims.realm && claims.branch == claims.realm;
    let none = context.size == 0 && context.fingerprint == ZERO && claims.parent.is_none() && claims.merges.is_empty();
    if !one || !none {
        return wrong("a halt or a resume: one id for all three, no context, no parent, no merges");
    }
    Ok(())
}

fn agree_realm(claims: &Claims, kid: &Id) -> Result<()> {
    let context = &claims.context;
    if claims.realm == ZERO {
        if !matches!(claims.kind, Kind::Open | Kind::Message | Kind::Genesis) {
            return wrong("a kind that there is outside a realm");
        }
        let bare = context.registry_size == 0 && context.registry_fingerprint == ZERO && claims.grant.is_none();
        if !bare || claims.agent != *kid {
            return wrong("outside a realm: no registry, no grant, and the kid as agent");
        }
        return Ok(());
    }
    if claims.kind == Kind::Genesis {
        return wrong("a genesis without a realm: it makes one");
    }
    if claims.kind.is_bare() {
        if context.registry_size != 0 || context.registry_fingerprint != ZERO {
            return wrong("a halt or a resume: no registry context");
        }
    } else if context.registry_size == 0 {
        return wrong("inside a realm: a registry context");
    }
    match claims.grant {
        Some(grant) if grant != claims.agent => wrong("a sub-agent that acts under its own grant"),
        Some(_) if !matches!(claims.kind, Kind::Message | Kind::Fork | Kind::Rollback | Kind::Close) => {
            wrong("no grant in an entry of this kind")
        }
        _ => Ok(()),
    }
}

fn agree_workflow(claims: &Claims) -> Result<()> {
    let Some(state) = &claims.workflow else {
        return Ok(());
    };
    if !matches!(claims.kind, Kind::Open | Kind::Message) {
        return wrong("no workflow step in an entry of this kind");
    }
    if claims.kind == Kind::Open && state.instance.is_some() {
        return wrong("an open that starts an instance, not one that goes on with it");
    }
    if state.approves.is_some() && state.instance.is_none() {
        return wrong("an approval inside an instance");
    }
    Ok(())
}
