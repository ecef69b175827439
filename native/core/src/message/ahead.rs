//! Signatures that are asked about before their envelope's turn, while somebody else has what would say whose key it is.

use std::sync::Arc;

use super::envelope::{AuthenticEnvelope, Keys, UnverifiedEnvelope, name_key};
use crate::errors::Result;
use crate::identity::{Enrolled, SignatureVerified};

/// What rule S says of an envelope's signature under one key. Both are bytes that do not change, so the answer holds for ever; whether that
/// is the author's key is another question, and is asked when the envelope has its turn. There is no other way to make one than to ask.
#[derive(Clone, Debug)]
pub struct AskedAhead {
    envelope: UnverifiedEnvelope,
    asked: Arc<Enrolled>,
    answer: Result<SignatureVerified>,
}

impl UnverifiedEnvelope {
    /// Step 3 of envelope.6 under a key that may turn out to be another than the author's.
    pub fn ask_ahead(self, key: Arc<Enrolled>) -> AskedAhead {
        let question = self.question(&key);
        let answer = question.verify();
        AskedAhead::new(self, key, answer)
    }
}

impl AskedAhead {
    pub(super) fn new(
        envelope: UnverifiedEnvelope,
        asked: Arc<Enrolled>,
        answer: Result<SignatureVerified>,
    ) -> AskedAhead {
        AskedAhead { envelope, asked, answer }
    }

    pub fn envelope(&self) -> &UnverifiedEnvelope {
        &self.envelope
    }

    /// The answer under the key that was asked about.
    pub fn answer(&self) -> Result<SignatureVerified> {
        self.answer.clone().map_err(|fault| name_key(fault, &self.asked))
    }

    /// Under the key that was asked about, if the signature is right: whether that is the author's the caller has to find out.
    pub(crate) fn under_that_key(self) -> Option<AuthenticEnvelope> {
        let AskedAhead { envelope, asked, answer } = self;
        Some(envelope.authenticated(asked, answer.ok()?))
    }

    /// Steps 2 and 3, as `UnverifiedEnvelope::authenticate` takes them, and with the same codes in the same order. The answer from before
    /// counts if the author's key is the one that was asked about; else the signature is asked about again.
    pub fn authenticate(&self, keys: &impl Keys) -> Result<AuthenticEnvelope> {
        let sender = keys.signer(&self.envelope)?;
        if sender.key != self.asked.key {
            return self.envelope.clone().authenticate(keys);
        }
        let proof = self.answer.clone().map_err(|fault| name_key(fault, &sender))?;
        Ok(self.envelope.clone().authenticated(sender, proof))
    }
}
