//! What is refused and never sequenced, as far as it follows from the state (admission.1): a replay asks the same.

use std::sync::Arc;

use super::registry_checks::judge_genesis;
use super::state::State;
use crate::errors::{Code, Error, Result};
use crate::identity::{Enrolled, in_parallel};
use crate::message::{Act, AuthenticEnvelope, Keys, Kind, UnverifiedEnvelope, ZERO, ask_many_ahead};
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
    let known = known_ahead(state, envelopes);
    let mut verified: Vec<Option<AuthenticEnvelope>> = known.iter().map(|_| None).collect();
    let (places, asked): (Vec<usize>, Vec<Known>) =
        known.into_iter().enumerate().filter_map(|(place, known)| Some((place, known?))).unzip();
    for (place, verdict) in places.into_iter().zip(ask_many_ahead(&asked, 0)) {
        if let Some(slot) = verified.get_mut(place) {
            *slot = verdict.under_that_key();
        }
    }
    verified
}

/// The same without asking for signatures, of envelopes that a checkpoint of the own key is over (log.7).
pub(super) fn vouch_ahead<'a>(
    state: &State,
    envelopes: impl IntoIterator<Item = Option<&'a [u8]>>,
) -> Vec<Option<AuthenticEnvelope>> {
    let vouched = |(envelope, signer): Known| envelope.vouched(signer);
    known_ahead(state, envelopes).into_iter().map(|known| known.map(vouched)).collect()
}

/// An envelope with the enrolment whose key must have signed it.
type Known = (UnverifiedEnvelope, Arc<Enrolled>);

/// Envelopes that can be read and whose keys are known now; read on all cores.
fn known_ahead<'a>(state: &State, envelopes: impl IntoIterator<Item = Option<&'a [u8]>>) -> Vec<Option<Known>> {
    let keys = state.keys(state.registry_size());
    let look = |envelope: &Option<&[u8]>| -> Option<Known> {
        let parsed = UnverifiedEnvelope::parse((*envelope)?).ok()?;
        let signer = keys.signer(&parsed).ok()?;
        Some((parsed, signer))
    };
    let envelopes: Vec<Option<&[u8]>> = envelopes.into_iter().collect();
    in_parallel(&envelopes, 0, 32, |chunk| chunk.iter().map(look).collect())
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
    if claims.kind == Kind::Open || claims.kind.is_of_registry() {
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
