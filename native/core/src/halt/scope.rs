//! What a halt covers, as its author has written it (halt.2).

use std::fmt;

use crate::identity::Name;
use crate::limits::MAX_SCOPE;
use crate::message::codec::{Cursor, Head, check_item};
use crate::message::{Id, Writer};
use crate::text;

/// A scope in one of its forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Realm,
    Conversation(Id),
    /// A conversation, and a branch of it with all that is forked off it.
    Branch(Id, Id),
    /// A conversation, and a workflow instance in it.
    Instance(Id, Id),
    Definition(Name),
    /// An agent, or a sub-agent, with everybody below it.
    Agent(Id),
}

impl Scope {
    /// The one form of these bytes; None: they have none, and so mean the realm (halt.2.2). Never fails.
    pub fn read(bytes: &[u8]) -> Option<Scope> {
        if bytes.len() > MAX_SCOPE || check_item(bytes, false).is_err() {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        let length = cursor.array()?;
        let number = cursor.uint()?;
        let id = |cursor: &mut Cursor<'_>| -> Option<Id> { cursor.bytes()?.try_into().ok() };
        match (number, length) {
            (0, 1) => Some(Scope::Realm),
            (1, 2) => id(&mut cursor).map(Scope::Conversation),
            (2, 3) => Some(Scope::Branch(id(&mut cursor)?, id(&mut cursor)?)),
            (3, 3) => Some(Scope::Instance(id(&mut cursor)?, id(&mut cursor)?)),
            (4, 2) => match cursor.peek() {
                Some(Head::Text(_)) => Name::parse(cursor.text()?).ok().map(Scope::Definition),
                _ => None,
            },
            (5, 2) => id(&mut cursor).map(Scope::Agent),
            _ => None,
        }
    }

    /// The form of halt.2.1, appended.
    pub fn write(&self, out: &mut Writer) {
        match self {
            Scope::Realm => out.array(1).uint(0),
            Scope::Conversation(id) => out.array(2).uint(1).bytes(id),
            Scope::Branch(conversation, branch) => out.array(3).uint(2).bytes(conversation).bytes(branch),
            Scope::Instance(conversation, instance) => out.array(3).uint(3).bytes(conversation).bytes(instance),
            Scope::Definition(name) => out.array(2).uint(4).text(name.as_str()),
            Scope::Agent(id) => out.array(2).uint(5).bytes(id),
        };
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Realm => out.write_str("realm"),
            Scope::Conversation(id) => write!(out, "conversation {}", text::hex(id)),
            Scope::Branch(id, branch) => write!(out, "branch {} of {}", text::hex(branch), text::hex(id)),
            Scope::Instance(id, instance) => write!(out, "instance {} of {}", text::hex(instance), text::hex(id)),
            Scope::Definition(name) => write!(out, "definition {}", name.as_str()),
            Scope::Agent(id) => write!(out, "agent {}", text::hex(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> [Scope; 6] {
        let name = Name::parse("orders").unwrap_or_else(|fault| unreachable!("{fault}"));
        [
            Scope::Realm,
            Scope::Conversation([1; 32]),
            Scope::Branch([1; 32], [2; 32]),
            Scope::Instance([1; 32], [3; 32]),
            Scope::Definition(name),
            Scope::Agent([4; 32]),
        ]
    }

    #[test]
    fn each_form_reads_back_and_no_other_bytes_are_one() {
        for scope in all() {
            let bytes = scope.encode();
            assert_eq!(Scope::read(&bytes).as_ref(), Some(&scope));
            for cut in 0..bytes.len() {
                assert_eq!(bytes.get(..cut).and_then(Scope::read), None, "{scope:?} cut at {cut}");
            }
            assert_eq!(Scope::read(&[bytes.as_slice(), &[0]].concat()), None);
            for at in 0..bytes.len() {
                for value in 0..=255 {
                    let mut other = bytes.clone();
                    if let Some(byte) = other.get_mut(at) {
                        *byte = value;
                    }
                    // What still reads is another scope, with these very bytes.
                    if let Some(found) = Scope::read(&other) {
                        assert_eq!(found.encode(), other);
                    }
                }
            }
        }
    }

    #[test]
    fn a_scope_is_bounded_and_canonical() {
        assert_eq!(Scope::read(&[0x58; 300]), None);
        // An array of one in a longer form; a key of text; a negative number; an id of 31 bytes.
        for bytes in [&[0x98, 1, 0][..], &[0x81, 0x18, 0], &[0x81, 0x61, b'0'], &[0x81, 0x20], &[0xa1, 0, 0], b"realm"]
        {
            assert_eq!(Scope::read(bytes), None, "{bytes:?}");
        }
        let short: Vec<u8> = [&[0x82, 1, 0x58, 31][..], &[7; 31]].concat();
        assert_eq!(Scope::read(&short), None);
    }
}
