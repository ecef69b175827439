//! Entries on their way to the engine: what can be found out about one before its turn, in its caller's own thread (admission.1).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::engine::Submission;
use super::log::KeptBody;
use super::state::State;
use crate::errors::Result;
use crate::identity::{Enrolled, in_parallel};
use crate::message::{AskedAhead, AuthenticEnvelope, Body, BodyPart, Id, Keys, UnverifiedEnvelope, ask_many_ahead};

/// How far it has come.
enum Stage {
    /// Step 1.
    Read(UnverifiedEnvelope),
    /// The signature was asked about too, under a key that may be another than the author's.
    Asked(AskedAhead),
}

/// An entry on its way. What was found out about it depends on its own bytes alone, and is told when its turn comes, step by step: of two
/// faults the earlier one, as if nothing had been known before.
pub(super) struct Incoming {
    stage: Result<Stage>,
    /// Step 7.
    body: Result<Option<KeptBody>>,
}

impl Incoming {
    pub fn read(envelope: &[u8], body: Option<BodyPart<'_>>) -> Incoming {
        match UnverifiedEnvelope::parse(envelope) {
            Ok(parsed) => {
                let body = parsed.check_body(body, true).map(kept);
                Incoming { stage: Ok(Stage::Read(parsed)), body }
            }
            Err(fault) => Incoming { stage: Err(fault), body: Ok(None) },
        }
    }

    /// Many, on all cores.
    pub fn read_many(entries: &[Submission<'_>]) -> Vec<Incoming> {
        let read = |entry: &Submission<'_>| Incoming::read(entry.envelope, entry.body);
        in_parallel(entries, 0, 32, |chunk| chunk.iter().map(read).collect())
    }

    /// What could be read.
    pub fn envelope(&self) -> Option<&UnverifiedEnvelope> {
        match &self.stage {
            Err(_) => None,
            Ok(Stage::Read(envelope)) => Some(envelope),
            Ok(Stage::Asked(asked)) => Some(asked.envelope()),
        }
    }

    /// The message id of what could be read.
    pub fn id(&self) -> Option<Id> {
        self.envelope().map(|envelope| *envelope.id())
    }

    /// Steps 1 to 3, with the keys as they are at its turn.
    pub fn authenticate(&self, keys: &impl Keys) -> Result<AuthenticEnvelope> {
        match &self.stage {
            Err(fault) => Err(fault.clone()),
            Ok(Stage::Read(envelope)) => envelope.clone().authenticate(keys),
            Ok(Stage::Asked(asked)) => asked.authenticate(keys),
        }
    }

    /// Step 7: the body that is kept, if there is one.
    pub fn body(&self) -> Result<Option<KeptBody>> {
        self.body.clone()
    }

    fn unasked(&self) -> Option<&UnverifiedEnvelope> {
        match &self.stage {
            Ok(Stage::Read(envelope)) => Some(envelope),
            _ => None,
        }
    }
}

fn kept(body: Body) -> Option<KeptBody> {
    match body {
        Body::Present { salt, body } => Some((salt, Arc::from(body))),
        Body::None | Body::Withheld => None,
    }
}

/// Signatures that can be asked about under the keys of a state, and where their entries stand.
pub(super) struct Questions {
    pairs: Vec<(UnverifiedEnvelope, Arc<Enrolled>)>,
    places: Vec<usize>,
}

impl Questions {
    pub fn of<'a>(state: &State, incoming: impl Iterator<Item = &'a Incoming>) -> Questions {
        let keys = state.keys(state.registry_size());
        let (mut pairs, mut places) = (Vec::new(), Vec::new());
        for (place, item) in incoming.enumerate() {
            if let Some(envelope) = item.unasked()
                && let Ok(signer) = keys.signer(envelope)
            {
                pairs.push((envelope.clone(), signer));
                places.push(place);
            }
        }
        Questions { pairs, places }
    }

    /// Asks, sharing inversions and cores; to be given the same entries.
    pub fn ask<'a>(self, known: &KnownKeys, incoming: impl IntoIterator<Item = &'a mut Incoming>) {
        if self.pairs.is_empty() {
            return;
        }
        known.learn(self.pairs.iter().map(|(_, signer)| signer));
        let mut answers = self.places.into_iter().zip(ask_many_ahead(&self.pairs, 0)).peekable();
        for (place, item) in incoming.into_iter().enumerate() {
            if let Some((_, asked)) = answers.next_if(|(next, _)| *next == place) {
                item.stage = Ok(Stage::Asked(asked));
            }
        }
    }
}

/// Keys under which entries came before, by their thumbprints. A guess at whose key the next one is under, for whoever has not got the
/// engine: nothing that is found out with it counts before the state was asked (`AskedAhead`).
#[derive(Default)]
pub(super) struct KnownKeys(RwLock<HashMap<Id, Arc<Enrolled>>>);

/// Beyond so many it begins anew.
const MOST: usize = 1 << 16;

impl KnownKeys {
    fn learn<'a>(&self, signers: impl Iterator<Item = &'a Arc<Enrolled>>) {
        // Nobody panics while he holds it; a map that lacks a key is as good as any.
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for signer in signers {
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(*signer.key.thumbprint(), Arc::clone(signer));
        }
    }

    /// Asks about the signature of an entry, where its key has come before.
    pub fn ask(&self, incoming: &mut Incoming) {
        let Some(envelope) = incoming.unasked() else { return };
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(envelope.kid()).cloned();
        if let Some(signer) = found {
            incoming.stage = Ok(Stage::Asked(envelope.clone().ask_ahead(signer)));
        }
    }
}
