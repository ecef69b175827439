//! What is refused and never sequenced, as far as it follows from the state (admission.1): a replay asks the same.

use super::registry_checks::judge_genesis;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::message::{Act, AuthenticEnvelope, Keys, Kind, Typ, UnverifiedEnvelope, ZERO, authenticate_many};
use crate::text;

/// Steps 2 and 3: the key is known as of the first `r` registry entries, and the signature verifies under it.
pub fn authenticate(state: &State, r: u64, envelope: UnverifiedEnvelope) -> Result<AuthenticEnvelope> {
    envelope.authenticate(&state.keys(r))
}

/// Signatures of many envelopes on all cores, under the keys that are known now. None: there is no such key yet, or the signature is wrong;
/// whoever is asked for the verdict finds that out when its turn comes.
pub(super) fn verify_ahead<'a>(
    state: &State,
    envelopes: impl IntoIterator<Item = Option<&'a [u8]>>,
) -> Vec<Option<AuthenticEnvelope>> {
    let keys = state.keys(state.registry_size());
    let (mut asked, mut places, mut verified) = (Vec::new(), Vec::new(), Vec::new());
    for (place, envelope) in envelopes.into_iter().enumerate() {
        verified.push(None);
        if let Some(bytes) = envelope
            && let Ok(parsed) = UnverifiedEnvelope::parse(bytes)
            && let Ok(signer) = keys.signer(&parsed)
        {
            asked.push((parsed, signer));
            places.push(place);
        }
    }
    for (place, verdict) in places.into_iter().zip(authenticate_many(&asked, 0)) {
        if let Some(slot) = verified.get_mut(place) {
            *slot = verdict.ok();
        }
    }
    verified
}

/// Step 5: an entry of another realm, played in here. A genesis is of the realm that it makes.
pub fn check_realm(state: &State, entry: &AuthenticEnvelope) -> Result<()> {
    let named = if entry.claims().kind == Kind::Genesis { entry.id() } else { &entry.claims().realm };
    match state.realm() {
        Some(realm) if realm == named => Ok(()),
        Some(realm) => Err(Error::new(Code::RealmOther, format!("realm {}", text::hex(realm)), text::hex(named))),
        // Before the genesis no other entry's key is known.
        None => Ok(()),
    }
}

/// Step 8. The registry is no conversation that could be written to.
pub fn check_conversation(state: &State, entry: &AuthenticEnvelope) -> Result<()> {
    let claims = entry.claims();
    if claims.kind == Kind::Open || claims.kind.typ() == Typ::Registry {
        return Ok(());
    }
    match state.conversation(&claims.conversation) {
        Some(_) => Ok(()),
        None => {
            let got = text::hex(&claims.conversation);
            Err(Error::new(Code::ConversationUnknown, "a conversation of this realm", got))
        }
    }
}

/// Step 9: the first entry of a realm, judged before there is one.
pub fn check_genesis(state: &State, entry: &AuthenticEnvelope) -> Result<()> {
    match (&entry.claims().act, state.realm()) {
        (Some(Act::Genesis(genesis)), None) => judge_genesis(genesis, &entry.claims().agent).map(|_| ()),
        (_, Some(_)) => Ok(()),
        (_, None) => Err(Error::new(Code::Internal, "a genesis as the first entry", text::hex(&ZERO))),
    }
}
