//! One message for each rule of envelope.4 to envelope.7, each signed, so that only the rule that it breaks refuses it.

use ama2sec_attacks::mutators::add_order;
use ama2sec_attacks::seal::{commit, content, envelope, map, name_author, set, sign};
use ama2sec_attacks::support::{Made, claims, conversation, members, open, seq};
use ama2sec_attacks::tree::Node;
use ama2sec_core::identity::Name;
use ama2sec_core::message::{Output, WorkflowState};

use super::Sample;

pub fn samples() -> Vec<Sample> {
    let made = conversation(4, 3, 1, 5);
    let message = &made[3].item;
    let mut all = honest(&made);
    all.extend(forms(message, &made[3].envelope));
    all.extend(claim_faults(message, &open(0, members(0..2), 4).item));
    all.extend(verdicts(message));
    all
}

fn honest(made: &[Made]) -> Vec<Sample> {
    let ids: Vec<_> = made.iter().map(|entry| entry.id).collect();
    let mut full = claims(1, &ids, 2, seq(1, 9), 9);
    full.workflow = Some(WorkflowState {
        instance: Some([3; 32]),
        definition: [4; 32],
        step: Name::parse("approve").expect("a name"),
        outputs: [("ok", Output::Bool(true)), ("sum", Output::Int(-7)), ("note", Output::Text("näh".into()))]
            .map(|(name, value)| (Name::parse(name).expect("a name"), value))
            .to_vec(),
        approves: Some([5; 32]),
    });
    full.merges = vec![ama2sec_attacks::support::merge([9; 32])];
    vec![
        ("ok", "open", made[0].item.clone()),
        ("ok", "open-for-all", open(2, None, 1).item),
        ("ok", "message", made[1].item.clone()),
        ("ok", "withheld", made[2].envelope.clone()),
        ("ok", "workflow-and-merge", ama2sec_attacks::support::sign(1, &full)),
    ]
}

/// The same message after `edit`, committed to its body and signed again.
fn edited(message: &[u8], edit: impl FnOnce(&mut Node) -> Option<()>) -> Vec<u8> {
    let mut root = Node::read_whole(message).expect("an item");
    let found = envelope(&mut root).expect("an envelope");
    edit(found).expect("the place of the edit");
    sign(found);
    root.write()
}

fn in_claims(message: &[u8], edit: impl FnOnce(&mut Node) -> Option<()>) -> Vec<u8> {
    edited(message, |envelope| edit(map(envelope, 2)?))
}

fn in_header(message: &[u8], edit: impl FnOnce(&mut Node) -> Option<()>) -> Vec<u8> {
    edited(message, |envelope| edit(map(envelope, 0)?))
}

fn text(value: &str) -> Node {
    Node::Text(value.into())
}

fn insert(map: &mut Node, label: u64, value: Node) -> Option<()> {
    let Node::Map(pairs) = map else {
        return None;
    };
    let at = pairs.partition_point(|(key, _)| key.write() < Node::uint(label).write());
    pairs.insert(at, (Node::uint(label), value));
    Some(())
}

fn remove(map: &mut Node, label: u64) -> Option<()> {
    let Node::Map(pairs) = map else {
        return None;
    };
    pairs.retain(|(key, _)| *key != Node::uint(label));
    Some(())
}

fn forms(entry: &[u8], bare: &[u8]) -> Vec<Sample> {
    let four = |edit: fn(&mut Vec<Node>)| {
        let mut root = Node::read_whole(bare).expect("an envelope");
        if let Node::Tag(_, inner) = &mut root
            && let Node::Array(parts) = inner.as_mut()
        {
            edit(parts);
        }
        root.write()
    };
    let unsorted = in_claims(entry, |claims| {
        if let Node::Map(pairs) = claims {
            pairs.swap(4, 5);
        }
        Some(())
    });
    let twice = in_claims(entry, |claims| insert(claims, 10, Node::uint(5)));
    vec![
        ("EnvelopeForm", "other-tag", [&[0xd1], &bare[1..]].concat()),
        ("EnvelopeForm", "no-tag", bare[1..].to_vec()),
        ("EnvelopeForm", "five-parts", four(|parts| parts.push(Node::null()))),
        ("ItemForm", "record", [&[0x83, 0x02], &entry[2..]].concat()),
        ("TrailingBytes", "second-envelope", [bare, bare].concat()),
        ("Truncated", "cut", bare[..bare.len() - 9].to_vec()),
        ("HeaderForm", "fourth-label", in_header(entry, |header| insert(header, 5, Node::null()))),
        ("HeaderForm", "short-kid", in_header(entry, |header| set(header.label(4), Node::Bytes(vec![0; 31])))),
        (
            "AlgUnsupported",
            "eddsa",
            in_header(entry, |header| set(header.label(1), Node::Int { negative: true, argument: 7 })),
        ),
        ("TypUnknown", "capital", in_header(entry, |header| set(header.label(16), text("ama2sec-Message+cose")))),
        ("TypNotBuilt", "halt", in_header(entry, |header| set(header.label(16), text("ama2sec-halt+cose")))),
        ("UnprotectedNotEmpty", "kid-twice", four(|parts| parts[1] = Node::Map(vec![(Node::uint(4), Node::null())]))),
        ("SignatureLength", "63", four(|parts| parts[3] = Node::Bytes(content(&parts[3])[..63].to_vec()))),
        ("MapKeyOrder", "claims", unsorted),
        ("MapDuplicateKey", "time-twice", twice),
    ]
}

fn claim_faults(entry: &[u8], open: &[u8]) -> Vec<Sample> {
    let names = |names: &[&str]| Node::Array(names.iter().map(|name| text(name)).collect());
    let ids = |count: u8| Node::Array((0..count).map(|id| Node::Bytes(vec![id; 32])).collect());
    let claim = |label: u64, value: Node| in_claims(entry, move |claims| set(claims.label(label), value));
    vec![
        ("ClaimUnknown", "label-28", in_claims(entry, |claims| insert(claims, 28, Node::null()))),
        ("ClaimForbidden", "label-27", in_claims(entry, |claims| insert(claims, 27, Node::null()))),
        ("ClaimMissing", "no-seq", in_claims(entry, |claims| remove(claims, 9))),
        ("ClaimMissing", "no-kind", in_claims(entry, |claims| remove(claims, 3))),
        ("ClaimForbidden", "members-in-message", in_claims(entry, |claims| insert(claims, 13, Node::null()))),
        ("KindUnknown", "99", claim(3, Node::uint(99))),
        ("ClaimMissing", "rollback", claim(3, Node::uint(4))),
        ("ClaimMissing", "fork", claim(3, Node::uint(3))),
        ("TypKind", "halt", claim(3, Node::uint(32))),
        ("ClaimType", "salt-of-15", claim(11, Node::Bytes(vec![0; 15]))),
        ("ClaimType", "negative-time", claim(10, Node::Int { negative: true, argument: 0 })),
        ("ClaimRange", "time-2-48", claim(10, Node::uint(1 << 48))),
        ("ClaimRange", "no-members", in_claims(open, |claims| set(claims.label(13), Node::Array(Vec::new())))),
        (
            "ClaimForm",
            "message-without-parent",
            in_claims(entry, |claims| set(claims.label(6)?.element(1), Node::null())),
        ),
        ("ClaimForm", "media-type", in_claims(entry, |claims| set(claims.label(12)?.element(2), text("a b")))),
        (
            "ClaimForm",
            "other-agent",
            in_claims(entry, |claims| set(claims.label(4)?.element(0), Node::Bytes(vec![7; 32]))),
        ),
        (
            "ClaimForm",
            "required-undefined",
            in_claims(open, |claims| set(claims.label(14)?.element(0), Node::Raw(vec![0xf5]))),
        ),
        ("TooMany", "recipients", claim(8, ids(33))),
        ("ListOrder", "recipients", claim(8, names(&["bob", "bob"]))),
        ("NameForm", "traversal", claim(8, names(&["a..b"]))),
        ("SizeLimit", "claims", claim(8, Node::Array(vec![Node::Bytes(vec![0; 4096])]))),
    ]
}

fn verdicts(entry: &[u8]) -> Vec<Sample> {
    let resigned = |change: fn(&mut [u8; 64])| {
        let mut root = Node::read_whole(entry).expect("an item");
        let found = envelope(&mut root).and_then(|envelope| match envelope {
            Node::Tag(_, inner) => inner.element(3),
            _ => None,
        });
        let place = found.expect("a signature");
        let mut signature: [u8; 64] = content(place).try_into().expect("64 bytes");
        change(&mut signature);
        *place = Node::Bytes(signature.to_vec());
        root.write()
    };
    let by = |author: usize| edited(entry, |envelope| name_author(envelope, author));
    let body = |edit: fn(&mut Node) -> Option<()>| {
        let mut root = Node::read_whole(entry).expect("an item");
        root.element(2).and_then(edit).expect("a body");
        root.write()
    };
    let other_realm = in_claims(entry, |claims| {
        set(claims.label(1), Node::Bytes(vec![1; 32]))?;
        set(claims.label(5)?.element(2), Node::uint(1))
    });
    let stranger = edited(entry, |envelope| {
        set(map(envelope, 0)?.label(4), Node::Bytes(vec![8; 32]))?;
        set(map(envelope, 2)?.label(4)?.element(0), Node::Bytes(vec![8; 32]))
    });
    let mut longer = Node::read_whole(entry).expect("an item");
    let _ = longer.element(2).and_then(|body| set(body.element(1), Node::Bytes(vec![b'x'; 300])));
    let _ = commit(&mut longer);
    envelope(&mut longer).and_then(sign);
    vec![
        ("ok", "by-bob", by(1)),
        ("ok", "longer-body", longer.write()),
        ("PurposeWrong", "operator", by(6)),
        ("KeyUnknown", "stranger", stranger),
        ("RealmOther", "realm", other_realm),
        ("SignatureInvalid", "bit", resigned(|signature| signature[3] ^= 1)),
        ("SignatureNotCanonical", "s-plus-order", resigned(add_order)),
        ("SignatureWeak", "identity", resigned(|signature| signature[..32].copy_from_slice(&identity()))),
        ("BodyMismatch", "salt", body(|body| set(body.element(0), Node::Bytes(vec![1; 32])))),
        ("BodySize", "longer", body(|body| set(body.element(1), Node::Bytes(vec![0; 99])))),
        ("BodyUnexpected", "none-claimed", in_claims(entry, |claims| set(claims.label(12), Node::null()))),
    ]
}

fn identity() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}
