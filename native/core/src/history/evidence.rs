//! Equivocation: one author signed two messages under one number. The evidence is portable; this checks it.

use super::Hash;
use super::report::EquivocationEvidence;
use crate::errors::{Code, Error, Result};
use crate::identity::Directory;
use crate::message::{Seq, UnverifiedEnvelope};
use crate::text;

/// The proof that one key signed two different messages under one number of one conversation. Only `check` makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    author: Hash,
    name: String,
    conversation: Hash,
    seq: Seq,
    ids: [Hash; 2],
}

impl Equivocation {
    /// The thumbprint of the key.
    pub fn author(&self) -> &Hash {
        &self.author
    }

    /// The verifier's name for the author.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn conversation(&self) -> &Hash {
        &self.conversation
    }

    pub fn seq(&self) -> Seq {
        self.seq
    }

    pub fn ids(&self) -> &[Hash; 2] {
        &self.ids
    }
}

impl EquivocationEvidence {
    /// Checks both envelopes as anybody would, and then that they contradict each other. No honest author can be framed: its
    /// writer never signs twice under one number (fingerprint.7.3).
    pub fn check(&self, directory: &Directory) -> Result<Equivocation> {
        let first = UnverifiedEnvelope::parse(&self.first)?.verify(directory, None)?;
        let second = UnverifiedEnvelope::parse(&self.second)?.verify(directory, None)?;
        let (a, b) = (first.claims(), second.claims());
        if a.agent != b.agent {
            return Err(order("two envelopes of the author", &a.agent, &b.agent));
        }
        if a.conversation != b.conversation {
            return Err(order("two envelopes of the conversation", &a.conversation, &b.conversation));
        }
        let Some(seq) = a.seq.filter(|seq| b.seq == Some(*seq)) else {
            return Err(Error::new(Code::ArgumentRange, "two envelopes under one number", "two numbers, or none"));
        };
        if first.id() == second.id() {
            // The id does not cover the signature: two signatures over the same claims are one message.
            return Err(Error::new(Code::ArgumentRange, "two different messages", text::hex(first.id())));
        }
        let name = first.sender().name.as_str().to_owned();
        Ok(Equivocation { author: a.agent, name, conversation: a.conversation, seq, ids: [*first.id(), *second.id()] })
    }
}

fn order(what: &str, expected: &Hash, got: &Hash) -> Error {
    Error::new(Code::ArgumentRange, format!("{what} {}", text::hex(expected)), text::hex(got))
}
