//! The codec, the claims and the envelope: for each rule one input that breaks it alone, and its twin that does not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault};

use ama2sec_core::errors::{Code, Error};
use ama2sec_core::identity::{Directory, Name, Purpose, SigningKey};
use ama2sec_core::message::codec::check_item;
use ama2sec_core::message::{
    Addr, Body, BodyPart, Draft, IdHasher, IdMap, Incoming, MessageParts, OpenParts, Seq, UnverifiedEnvelope, Writer,
    claims_from_json, claims_to_json, encode_entry, encode_envelope, header_bytes, message_id, parse_entry,
    sig_structure, verify_many,
};
use ama2sec_core::text::{hex, unhex};
use serde_json::{Value, json};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    for (seed, name, purpose) in
        [(1, "alice", Purpose::Message), (2, "bob", Purpose::Message), (3, "stop", Purpose::Operator)]
    {
        directory.enrol(key(seed).public().clone(), Name::parse(name).unwrap(), purpose).unwrap();
    }
    directory
}

fn id(byte: u8) -> String {
    hex(&[byte; 32])
}

/// A message's claims that are sound, for changing one thing in.
fn message() -> Value {
    json!({"realm": id(0), "conversation": id(5), "kind": "message", "agent_identity": {"grant": null},
        "context_fingerprint": {"size": 1, "fingerprint": id(6), "registry_size": 0, "registry_fingerprint": id(0)},
        "execution_path": {"branch": id(5), "parent": id(5), "merges": []}, "workflow_state": null, "recipients": [],
        "seq": [1000, 1], "time": 1000, "salt": hex(&[1; 16]), "body": null})
}

fn open() -> Value {
    json!({"realm": id(0), "conversation": id(0), "kind": "open", "agent_identity": {"grant": null},
        "context_fingerprint": {"size": 0, "fingerprint": id(0), "registry_size": 0, "registry_fingerprint": id(0)},
        "execution_path": {"branch": id(0), "parent": null, "merges": []}, "workflow_state": null, "recipients": [],
        "time": 1000, "salt": hex(&[1; 16]), "body": null, "members": null, "workflow": {"required": false, "definition": null}})
}

fn sealed(protected: &[u8], payload: &[u8], seed: u8) -> Vec<u8> {
    encode_envelope(protected, payload, &key(seed).sign(&sig_structure(protected, payload)))
}

fn made(view: &Value) -> Vec<u8> {
    let payload = claims_from_json(view, key(1).public().thumbprint()).unwrap();
    sealed(&header_bytes(key(1).public().thumbprint()), &payload, 1)
}

fn code_of(envelope: &[u8]) -> Option<Code> {
    UnverifiedEnvelope::parse(envelope).err().map(|fault: Error| fault.code)
}

fn changed(mut view: Value, pointer: &str, value: Value) -> Value {
    *view.pointer_mut(pointer).unwrap() = value;
    view
}

/// An independent, naive decoder: recursive, one function for a type, nothing shared with the real one.
fn naive(data: &[u8], depth: usize) -> Option<usize> {
    let first = *data.first()?;
    let (major, info) = (first >> 5, first & 31);
    let (value, used) = match info {
        0..=23 => (u64::from(info), 1),
        24..=27 if major < 6 => {
            let width = 1 << (info - 24);
            let raw = data.get(1..1 + width)?;
            let mut value = 0u64;
            for byte in raw {
                value = value * 256 + u64::from(*byte);
            }
            let shortest = if value < 24 {
                0
            } else if value < 256 {
                1
            } else if value < 65536 {
                2
            } else if value < 1 << 32 {
                4
            } else {
                8
            };
            if shortest != width {
                return None;
            }
            (value, 1 + width)
        }
        _ => return None,
    };
    match major {
        0 | 1 => (value < 1 << 63).then_some(used),
        2 | 3 => {
            let end = used.checked_add(usize::try_from(value).ok()?)?;
            let text = data.get(used..end)?;
            (major == 2 || String::from_utf8(text.to_vec()).is_ok()).then_some(end)
        }
        4 | 5 => {
            if depth == 8 {
                return None;
            }
            let mut at = used;
            let mut before: Option<Vec<u8>> = None;
            for _ in 0..value {
                if major == 5 {
                    let size = naive(data.get(at..)?, depth + 1)?;
                    let found = data[at..at + size].to_vec();
                    if !matches!(found[0] >> 5, 0 | 1 | 3) || before.is_some_and(|before| before >= found) {
                        return None;
                    }
                    before = Some(found);
                    at += size;
                }
                at += naive(data.get(at..)?, depth + 1)?;
            }
            Some(at)
        }
        7 => matches!(info, 20..=22).then_some(1),
        _ => None,
    }
}

#[test]
fn all_byte_strings_up_to_three_bytes_agree_with_a_naive_decoder() {
    let mut accepted = 0;
    let mut ask = |data: &[u8]| {
        let expected = naive(data, 0) == Some(data.len());
        assert_eq!(check_item(data, false).is_ok(), expected, "{}", hex(data));
        accepted += u32::from(expected);
    };
    ask(&[]);
    for a in 0..=255u8 {
        ask(&[a]);
        for b in 0..=255u8 {
            ask(&[a, b]);
            for c in 0..=255u8 {
                ask(&[a, b, c]);
            }
        }
    }
    assert!(accepted > 10_000, "{accepted}");
}

#[test]
fn each_rule_of_the_codec_has_its_code() {
    let cases: &[(&str, Option<Code>)] = &[
        ("", Some(Code::Truncated)),
        ("18", Some(Code::Truncated)),
        ("1817", Some(Code::NotMinimal)),
        ("1818", None),
        ("1900ff", Some(Code::NotMinimal)),
        ("190100", None),
        ("1a0000ffff", Some(Code::NotMinimal)),
        ("1b00000000ffffffff", Some(Code::NotMinimal)),
        ("1b7fffffffffffffff", None),
        ("1b8000000000000000", Some(Code::IntRange)),
        ("3b7fffffffffffffff", None),
        ("3b8000000000000000", Some(Code::IntRange)),
        ("5b8000000000000000", Some(Code::Truncated)),
        ("9b8000000000000000", Some(Code::Truncated)),
        ("bb8000000000000000", Some(Code::Truncated)),
        ("5801", Some(Code::NotMinimal)),
        ("41", Some(Code::Truncated)),
        ("4100", None),
        ("5f4100ff", Some(Code::IndefiniteLength)),
        ("9fff", Some(Code::IndefiniteLength)),
        ("bfff", Some(Code::IndefiniteLength)),
        ("ff", Some(Code::IndefiniteLength)),
        ("1f", Some(Code::TypeForbidden)),
        ("1c", Some(Code::TypeForbidden)),
        ("5c", Some(Code::TypeForbidden)),
        ("df", Some(Code::TypeForbidden)),
        ("c0", Some(Code::TypeForbidden)),
        ("d281", Some(Code::TypeForbidden)),
        ("f7", Some(Code::TypeForbidden)),
        ("e0", Some(Code::TypeForbidden)),
        ("f820", Some(Code::TypeForbidden)),
        ("f4", None),
        ("f93c00", Some(Code::FloatForbidden)),
        ("fa3f800000", Some(Code::FloatForbidden)),
        ("fb3ff0000000000000", Some(Code::FloatForbidden)),
        ("61ff", Some(Code::Utf8Invalid)),
        ("62c080", Some(Code::Utf8Invalid)),
        ("63eda080", Some(Code::Utf8Invalid)),
        ("62c3a9", None),
        ("a2010101", Some(Code::Truncated)),
        ("a201010101", Some(Code::MapDuplicateKey)),
        ("a202010101", Some(Code::MapKeyOrder)),
        ("a201010201", None),
        ("a220012001", Some(Code::MapDuplicateKey)),
        ("a120f6", None),
        ("a1616101", None),
        ("a14001", Some(Code::TypeForbidden)),
        ("a1f501", Some(Code::TypeForbidden)),
        ("a1f93c0001", Some(Code::FloatForbidden)),
        ("a18001", Some(Code::TypeForbidden)),
        ("8181818181818180", None),
        ("818181818181818180", Some(Code::DepthLimit)),
        ("8181818181818100", None),
        ("0000", Some(Code::TrailingBytes)),
    ];
    for (data, expected) in cases {
        assert_eq!(check_item(&unhex(data).unwrap(), false).err().map(|fault| fault.code), *expected, "{data}");
    }
    let deep = vec![0x81; 100_000];
    assert_eq!(check_item(&deep, false).unwrap_err().code, Code::DepthLimit);
}

#[test]
fn each_rule_of_the_claims_has_its_code_and_its_twin() {
    assert_eq!(code_of(&made(&message())), None);
    assert_eq!(code_of(&made(&open())), None);
    let ids = |count: u8| -> Value { (1..=count).map(id).collect() };
    let merge = |branch: u8, size: u64| json!({"branch": id(branch), "size": size, "fingerprint": id(9)});
    let merges = |count: u8| -> Value { (10..10 + count).map(|branch| merge(branch, 1)).collect() };
    let state = |instance: Value, step: &str, outputs: Value, approves: Value| json!({"instance": instance, "definition": id(8), "step": step, "outputs": outputs, "approves": approves});
    let outputs =
        |count: usize| -> Value { Value::Object((0..count).map(|i| (format!("k{i:02}"), json!(i))).collect()) };
    let cases = [
        (changed(message(), "/kind", json!(99)), Some(Code::KindUnknown)),
        (changed(message(), "/kind", json!("fork")), Some(Code::ClaimMissing)),
        (changed(message(), "/kind", json!("rollback")), Some(Code::ClaimMissing)),
        (changed(message(), "/kind", json!("close")), Some(Code::ClaimMissing)),
        (changed(message(), "/kind", json!("halt")), Some(Code::TypKind)),
        (changed(message(), "/kind", json!("genesis")), Some(Code::TypKind)),
        (changed(message(), "/realm", json!("00")), Some(Code::ClaimType)),
        (changed(message(), "/realm", json!(id(1))), Some(Code::ClaimForm)),
        (changed(message(), "/conversation", json!(id(0))), Some(Code::ClaimForm)),
        (changed(message(), "/agent_identity", json!({"agent": id(7), "grant": null})), Some(Code::ClaimForm)),
        (changed(message(), "/agent_identity", json!({"grant": id(7)})), Some(Code::ClaimForm)),
        (changed(message(), "/context_fingerprint/size", json!(0)), Some(Code::ClaimForm)),
        (changed(message(), "/context_fingerprint/size", json!((1u64 << 48) - 1)), None),
        (changed(message(), "/context_fingerprint/size", json!(1u64 << 48)), Some(Code::ClaimRange)),
        (changed(message(), "/context_fingerprint/fingerprint", json!(id(0))), Some(Code::ClaimForm)),
        (changed(message(), "/context_fingerprint/registry_size", json!(1)), Some(Code::ClaimForm)),
        (changed(message(), "/context_fingerprint/registry_fingerprint", json!(id(1))), Some(Code::ClaimForm)),
        (changed(message(), "/execution_path/parent", json!(null)), Some(Code::ClaimForm)),
        (changed(message(), "/execution_path/branch", json!(id(0))), Some(Code::ClaimForm)),
        (changed(message(), "/execution_path/merges", merges(16)), None),
        (changed(message(), "/execution_path/merges", merges(17)), Some(Code::TooMany)),
        (changed(message(), "/execution_path/merges", json!([merge(12, 1), merge(11, 1)])), Some(Code::ListOrder)),
        (changed(message(), "/execution_path/merges", json!([merge(12, 1), merge(12, 1)])), Some(Code::ListOrder)),
        (changed(message(), "/execution_path/merges", json!([merge(12, 1), merge(12, 2)])), Some(Code::ClaimForm)),
        (changed(message(), "/execution_path/merges", json!([merge(5, 1)])), Some(Code::ClaimForm)),
        (changed(message(), "/execution_path/merges", json!([merge(12, 0)])), Some(Code::ClaimForm)),
        (changed(message(), "/recipients", ids(32)), None),
        (changed(message(), "/recipients", ids(33)), Some(Code::TooMany)),
        (changed(message(), "/recipients", json!([id(2), id(1)])), Some(Code::ListOrder)),
        (changed(message(), "/recipients", json!([id(2), id(2)])), Some(Code::ListOrder)),
        (changed(message(), "/recipients", json!(["name:buyers"])), None),
        (changed(message(), "/recipients", json!(["name:../x"])), Some(Code::NameForm)),
        (changed(message(), "/seq", json!([1u64 << 48, 0])), Some(Code::ClaimRange)),
        (changed(message(), "/seq", json!([(1u64 << 48) - 1, u32::MAX])), None),
        (changed(message(), "/seq", json!([1, 1u64 << 32])), Some(Code::ClaimRange)),
        (changed(message(), "/time", json!(1u64 << 48)), Some(Code::ClaimRange)),
        (changed(message(), "/salt", json!("00")), Some(Code::ClaimType)),
        (changed(message(), "/body", json!({"commitment": id(1), "size": 262_144, "media_type": "a/b"})), None),
        (
            changed(message(), "/body", json!({"commitment": id(1), "size": 262_145, "media_type": "a/b"})),
            Some(Code::ClaimRange),
        ),
        (changed(message(), "/body", json!({"commitment": id(1), "size": 1, "media_type": ""})), Some(Code::ClaimForm)),
        (
            changed(message(), "/body", json!({"commitment": id(1), "size": 1, "media_type": "a b"})),
            Some(Code::ClaimForm),
        ),
        (changed(message(), "/body", json!({"commitment": id(1), "size": 1, "media_type": "x".repeat(127)})), None),
        (
            changed(message(), "/body", json!({"commitment": id(1), "size": 1, "media_type": "x".repeat(128)})),
            Some(Code::ClaimForm),
        ),
        (changed(message(), "/workflow_state", state(json!(id(1)), "pay", outputs(16), json!(null))), None),
        (
            changed(message(), "/workflow_state", state(json!(id(1)), "pay", outputs(17), json!(null))),
            Some(Code::TooMany),
        ),
        (
            changed(message(), "/workflow_state", state(json!(null), "pay", json!({}), json!(id(3)))),
            Some(Code::ClaimForm),
        ),
        (
            changed(message(), "/workflow_state", state(json!(id(1)), "Pay", json!({}), json!(null))),
            Some(Code::NameForm),
        ),
        (
            changed(
                message(),
                "/workflow_state",
                state(json!(id(1)), "pay", json!({"a": "x".repeat(256)}), json!(null)),
            ),
            None,
        ),
        (
            changed(
                message(),
                "/workflow_state",
                state(json!(id(1)), "pay", json!({"a": "x".repeat(257)}), json!(null)),
            ),
            Some(Code::ClaimRange),
        ),
        (
            changed(message(), "/workflow_state", state(json!(id(1)), "pay", json!({"a": -1, "b": true}), json!(null))),
            None,
        ),
        (changed(open(), "/workflow_state", state(json!(null), "pay", json!({}), json!(null))), None),
        (changed(open(), "/workflow_state", state(json!(id(1)), "pay", json!({}), json!(null))), Some(Code::ClaimForm)),
        (changed(open(), "/conversation", json!(id(1))), Some(Code::ClaimForm)),
        (changed(open(), "/execution_path/parent", json!(id(1))), Some(Code::ClaimForm)),
        (changed(open(), "/members", json!([])), Some(Code::ClaimRange)),
        (changed(open(), "/members", ids(32)), None),
        (changed(open(), "/members", ids(33)), Some(Code::TooMany)),
        (changed(open(), "/workflow", json!({"required": true, "definition": null})), Some(Code::ClaimForm)),
        (changed(open(), "/workflow", json!({"required": true, "definition": "order"})), None),
    ];
    for (view, expected) in cases {
        assert_eq!(code_of(&made(&view)), expected, "{view}");
    }
}

#[test]
fn labels_that_are_missing_forbidden_or_unknown() {
    for (view, extra) in [(message(), "members"), (open(), "seq")] {
        for name in view.as_object().unwrap().keys().filter(|name| *name != "agent_identity") {
            let mut less = view.clone();
            less.as_object_mut().unwrap().shift_remove(name);
            assert_eq!(code_of(&made(&less)), Some(Code::ClaimMissing), "{name}");
        }
        let mut more = view.clone();
        more[extra] = if extra == "seq" { json!([1, 1]) } else { json!(null) };
        assert_eq!(code_of(&made(&more)), Some(Code::ClaimForbidden));
    }
    let payload = claims_from_json(&message(), key(1).public().thumbprint()).unwrap();
    for (tail, expected) in [
        ("18 1a f6", Code::ClaimForbidden),
        ("18 1b f6", Code::ClaimForbidden),
        ("18 1c f6", Code::ClaimUnknown),
        ("20 f6", Code::ClaimUnknown),
        ("61 61 f6", Code::ClaimUnknown),
    ] {
        let mut longer = payload.clone();
        longer[0] += 1;
        longer.extend(unhex(&tail.replace(' ', "")).unwrap());
        assert_eq!(code_of(&sealed(&header_bytes(key(1).public().thumbprint()), &longer, 1)), Some(expected), "{tail}");
    }
    let empty = sealed(&header_bytes(key(1).public().thumbprint()), &[0xa0], 1);
    assert_eq!(code_of(&empty), Some(Code::ClaimMissing));
    assert_eq!(code_of(&sealed(&header_bytes(key(1).public().thumbprint()), &[0x80], 1)), Some(Code::ClaimType));
}

#[test]
fn each_rule_of_header_and_structure_has_its_code() {
    let kid = *key(1).public().thumbprint();
    let payload = claims_from_json(&message(), &kid).unwrap();
    let header = |write: &dyn Fn(&mut Writer)| {
        let mut out = Writer::default();
        write(&mut out);
        code_of(&sealed(&out.0, &payload, 1))
    };
    let typ = "ama2sec-message+cose";
    assert_eq!(
        header(&|out| {
            out.map(3).uint(1).int(-19).uint(4).bytes(&kid).uint(16).text(typ);
        }),
        None
    );
    for alg in [-8i64, -7, -20, 19, 0] {
        assert_eq!(
            header(&|out| {
                out.map(3).uint(1).int(alg).uint(4).bytes(&kid).uint(16).text(typ);
            }),
            Some(Code::AlgUnsupported)
        );
    }
    assert_eq!(
        header(&|out| {
            out.map(3).uint(1).text("EdDSA").uint(4).bytes(&kid).uint(16).text(typ);
        }),
        Some(Code::AlgUnsupported)
    );
    assert_eq!(
        header(&|out| {
            out.map(2).uint(4).bytes(&kid).uint(16).text(typ);
        }),
        Some(Code::HeaderForm)
    );
    assert_eq!(
        header(&|out| {
            out.map(3).uint(1).int(-19).uint(4).bytes(&kid[..31]).uint(16).text(typ);
        }),
        Some(Code::HeaderForm)
    );
    assert_eq!(
        header(&|out| {
            out.map(4).uint(1).int(-19).uint(2).array(0).uint(4).bytes(&kid).uint(16).text(typ);
        }),
        Some(Code::HeaderForm)
    );
    assert_eq!(
        header(&|out| {
            out.map(3).uint(1).int(-19).uint(4).bytes(&kid).uint(16).uint(1);
        }),
        Some(Code::HeaderForm)
    );
    assert_eq!(
        header(&|out| {
            out.map(3).uint(1).int(-19).uint(4).bytes(&kid).uint(16).text("application/cose");
        }),
        Some(Code::TypUnknown)
    );
    for (typ, code) in [
        ("ama2sec-halt+cose", Code::TypKind),
        ("ama2sec-log+cose", Code::TypKind),
        ("ama2sec-offer+cose", Code::TypNotBuilt),
    ] {
        assert_eq!(
            header(&|out| {
                out.map(3).uint(1).int(-19).uint(4).bytes(&kid).uint(16).text(typ);
            }),
            Some(code)
        );
    }
    assert_eq!(header(&|_| {}), Some(Code::Truncated));
    let good = made(&message());
    let protected = header_bytes(&kid);
    let build = |tag: &[u8], write: &dyn Fn(&mut Writer)| {
        let mut out = Writer(tag.to_vec());
        write(&mut out);
        code_of(&out.0)
    };
    assert_eq!(
        build(&[0xd2], &|out| {
            out.array(4).bytes(&protected).map(1).uint(1).int(-19).bytes(&payload).bytes(&[0; 64]);
        }),
        Some(Code::UnprotectedNotEmpty)
    );
    assert_eq!(
        build(&[0xd8, 0x62], &|out| {
            out.array(4).bytes(&protected).map(0).bytes(&payload).bytes(&[0; 64]);
        }),
        Some(Code::EnvelopeForm)
    );
    assert_eq!(
        build(&[], &|out| {
            out.array(4).bytes(&protected).map(0).bytes(&payload).bytes(&[0; 64]);
        }),
        Some(Code::EnvelopeForm)
    );
    assert_eq!(
        build(&[0xd2], &|out| {
            out.array(3).bytes(&protected).map(0).bytes(&payload);
        }),
        Some(Code::EnvelopeForm)
    );
    assert_eq!(
        build(&[0xd2], &|out| {
            out.array(4).bytes(&protected).map(0).null().bytes(&[0; 64]);
        }),
        Some(Code::EnvelopeForm)
    );
    assert_eq!(
        build(&[0xd2, 0xd2], &|out| {
            out.array(4).bytes(&protected).map(0).bytes(&payload).bytes(&[0; 64]);
        }),
        Some(Code::TypeForbidden)
    );
    for length in [0, 63, 65] {
        assert_eq!(
            build(&[0xd2], &|out| {
                out.array(4).bytes(&protected).map(0).bytes(&payload).bytes(&vec![0; length]);
            }),
            Some(Code::SignatureLength)
        );
    }
    assert_eq!(code_of(&[good.as_slice(), &[0]].concat()), Some(Code::TrailingBytes));
    assert_eq!(code_of(&[good.as_slice(), &good].concat()), Some(Code::TrailingBytes));
    assert_eq!(code_of(&[0xd2; 70_000]), Some(Code::SizeLimit));
}

#[test]
fn claims_of_4096_bytes_pass_and_of_4097_do_not() {
    let text = |count: usize, last: usize| {
        let outputs: serde_json::Map<String, Value> = (0..count)
            .map(|i| (format!("k{i:02}"), json!("x".repeat(if i + 1 == count { last } else { 255 }))))
            .collect();
        let recipients: Value = (1..=8).map(id).collect();
        let view = changed(message(), "/recipients", recipients);
        changed(
            view,
            "/workflow_state",
            json!({"instance": id(1), "definition": id(8), "step": "pay", "outputs": outputs, "approves": null}),
        )
    };
    let size = |view: &Value| claims_from_json(view, key(1).public().thumbprint()).unwrap().len();
    let mut met = 0;
    'count: for count in 1..=16 {
        for last in 24..=256 {
            let view = text(count, last);
            match size(&view) {
                4096 => {
                    assert_eq!(code_of(&made(&view)), None);
                    met |= 1;
                }
                4097 => {
                    assert_eq!(code_of(&made(&view)), Some(Code::SizeLimit));
                    met |= 2;
                }
                _ => {}
            }
            if met == 3 {
                break 'count;
            }
        }
    }
    assert_eq!(met, 3, "the boundary was not reached");
}

fn signed(body: &'static [u8]) -> (Vec<u8>, Vec<u8>) {
    let author = key(1);
    let part = BodyPart { salt: &[4; 32], body };
    let parts = MessageParts {
        author: author.public(),
        recipients: vec![Addr::Name(Name::parse("bob").unwrap())],
        time: 1000,
        salt: [3; 16],
        body: Some((part, "text/plain")),
    };
    let draft = Draft::open(parts, OpenParts { members: None }).unwrap();
    let envelope = draft.sign(&author).unwrap();
    (encode_entry(&envelope, Some(part)), envelope)
}

#[test]
fn every_bit_of_an_envelope_and_of_an_entry_counts() {
    let (entry, envelope) = signed(b"hello");
    let directory = directory();
    let verdict = |data: &[u8]| verify_many(&[Incoming { data, body: None }], &directory, 1).pop().unwrap();
    assert!(matches!(verdict(&entry).unwrap().body(), Body::Present { body, .. } if body.as_ref() == b"hello"));
    assert_eq!(*verdict(&envelope).unwrap().body(), Body::Withheld);
    let mut codes = std::collections::BTreeSet::new();
    for whole in [&entry, &envelope] {
        for bit in 0..whole.len() * 8 {
            let mut broken = whole.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            match verdict(&broken) {
                Err(fault) => {
                    codes.insert(fault.code);
                }
                Ok(_) => panic!("bit {bit} does not count"),
            }
        }
        for end in 0..whole.len() {
            assert!(verdict(&whole[..end]).is_err(), "truncated at {end}");
        }
    }
    assert!(codes.len() >= 15, "{codes:?}");
}

#[test]
fn verification_in_the_order_of_its_steps() {
    let directory = directory();
    let verify = |data: &[u8], body: Option<BodyPart<'_>>| {
        UnverifiedEnvelope::parse(data)
            .and_then(|envelope| envelope.verify(&directory, body))
            .map_err(|fault| fault.code)
    };
    let (_, envelope) = signed(b"hello");
    let part = |salt, body| Some(BodyPart { salt, body });
    assert!(verify(&envelope, part(&[4; 32], b"hello")).is_ok());
    assert_eq!(verify(&envelope, part(&[4; 32], b"hellO")).unwrap_err(), Code::BodyMismatch);
    assert_eq!(verify(&envelope, part(&[5; 32], b"hello")).unwrap_err(), Code::BodyMismatch);
    assert_eq!(verify(&envelope, part(&[4; 31], b"hello")).unwrap_err(), Code::BodyMismatch);
    assert_eq!(verify(&envelope, part(&[4; 32], b"hell")).unwrap_err(), Code::BodySize);
    assert_eq!(verify(&made(&message()), part(&[4; 32], b"")).unwrap_err(), Code::BodyUnexpected);
    assert_eq!(verify(&envelope, None).unwrap().body(), &Body::Withheld);
    let asking = |data: &[u8]| {
        UnverifiedEnvelope::parse(data)
            .and_then(|envelope| envelope.verify_asking(&directory, None, true))
            .map_err(|fault| fault.code)
    };
    assert_eq!(asking(&envelope).unwrap_err(), Code::BodyMissing);
    assert!(asking(&made(&message())).is_ok());
    let by = |seed: u8, view: &Value| {
        let kid = *key(seed).public().thumbprint();
        sealed(&header_bytes(&kid), &claims_from_json(view, &kid).unwrap(), seed)
    };
    assert_eq!(verify(&by(9, &message()), None).unwrap_err(), Code::KeyUnknown);
    assert_eq!(verify(&by(3, &message()), None).unwrap_err(), Code::PurposeWrong);
    let committed = changed(message(), "/body", json!({"commitment": id(1), "size": 5, "media_type": "text/plain"}));
    assert_eq!(verify(&by(3, &committed), None).unwrap_err(), Code::PurposeWrong);
    assert_eq!(asking(&by(3, &committed)).unwrap_err(), Code::BodyMissing); // the body is step 5, the purpose step 6
    let mut inside = changed(message(), "/realm", json!(id(1)));
    inside = changed(inside, "/context_fingerprint/registry_size", json!(1));
    assert_eq!(verify(&by(1, &inside), None).unwrap_err(), Code::RealmOther);
    assert_eq!(verify(&by(3, &inside), None).unwrap_err(), Code::RealmOther);
    // Signed by bob, claimed as alice: the kid names alice's key, under which it does not verify.
    let kid = *key(1).public().thumbprint();
    let payload = claims_from_json(&message(), &kid).unwrap();
    assert_eq!(verify(&sealed(&header_bytes(&kid), &payload, 2), None).unwrap_err(), Code::SignatureInvalid);
    let mut high = made(&message());
    let last = high.len() - 1;
    high[last] = 0xff;
    assert_eq!(verify(&high, None).unwrap_err(), Code::SignatureNotCanonical);
}

#[test]
fn the_json_view_has_one_form() {
    let kid = *key(1).public().thumbprint();
    let code = |change: &Value| {
        let mut view = message();
        for (name, value) in change.as_object().unwrap() {
            view[name] = value.clone();
        }
        claims_from_json(&view, &kid).map_err(|fault| fault.code).err()
    };
    for fine in [
        json!({}),
        json!({"time": -1}),
        json!({"time": i64::MAX}),
        json!({"kind": "sequencer-term"}),
        json!({"kind": -1}),
        json!({"recipients": null}),
        json!({"agent_identity": {}}),
    ] {
        assert_eq!(code(&fine), None, "{fine}");
    }
    for wrong in [
        json!({"time": 1u64 << 63}),
        json!({"time": 1.0}),
        json!({"seq": [1]}),
        json!({"agent_identity": []}),
        json!({"agent_identity": {"x": 1}}),
        json!({"body": {"commitment": "", "size": 1, "media_type": "a", "x": 1}}),
        json!({"x": 1}),
    ] {
        assert_eq!(code(&wrong), Some(Code::ConformQuestion), "{wrong}");
    }
}

#[test]
fn the_json_view_gives_back_the_same_bytes() {
    for view in [message(), open()] {
        let envelope = UnverifiedEnvelope::parse(&made(&view)).unwrap();
        let again = claims_from_json(&claims_to_json(envelope.claims()), envelope.kid()).unwrap();
        assert_eq!(again, envelope.claims().encode());
    }
}

#[test]
fn entries_have_one_form() {
    let (entry, envelope) = signed(b"hello");
    assert!(parse_entry(&entry).unwrap().body.is_some());
    assert!(parse_entry(&encode_entry(&envelope, None)).unwrap().body.is_none());
    let build = |write: &dyn Fn(&mut Writer)| {
        let mut out = Writer::default();
        write(&mut out);
        parse_entry(&out.0).unwrap_err().code
    };
    assert_eq!(
        build(&|out| {
            out.array(2).uint(1).bytes(&envelope);
        }),
        Code::ItemForm
    );
    assert_eq!(
        build(&|out| {
            out.array(3).uint(2).bytes(&envelope).null();
        }),
        Code::ItemForm
    );
    assert_eq!(
        build(&|out| {
            out.array(3).uint(1).text("x").null();
        }),
        Code::ItemForm
    );
    assert_eq!(
        build(&|out| {
            out.array(3).uint(1).bytes(&envelope).array(2).bytes(&[0; 31]).bytes(&[]);
        }),
        Code::ItemForm
    );
    assert_eq!(
        build(&|out| {
            out.array(3).uint(1).bytes(&envelope).array(1).bytes(&[0; 32]);
        }),
        Code::ItemForm
    );
    assert_eq!(
        build(&|out| {
            out.array(3).uint(1).bytes(&envelope).uint(0);
        }),
        Code::ItemForm
    );
    assert_eq!(parse_entry(&vec![0; 400_000]).unwrap_err().code, Code::SizeLimit);
}

#[test]
fn drafts_refuse_what_no_reader_would_take() {
    let author = key(1);
    let parts = |recipients: Vec<Addr>, body: Option<(BodyPart<'static>, &'static str)>, time| MessageParts {
        author: author.public(),
        recipients,
        time,
        salt: [0; 16],
        body,
    };
    let open = |parts| Draft::open(parts, OpenParts { members: None }).err().map(|fault| fault.code);
    static BIG: [u8; 262_145] = [0; 262_145];
    let body = |size: usize, media| Some((BodyPart { salt: &[0; 32], body: &BIG[..size] }, media));
    assert_eq!(open(parts(vec![], body(262_144, "a/b"), 0)), None);
    assert_eq!(open(parts(vec![], body(262_145, "a/b"), 0)), Some(Code::BodyLimit));
    assert_eq!(open(parts(vec![], body(1, "a b"), 0)), Some(Code::ClaimForm));
    assert_eq!(open(parts((0..33).map(|i| Addr::Id([i; 32])).collect(), None, 0)), Some(Code::TooMany));
    assert_eq!(open(parts(vec![], None, 1 << 48)), Some(Code::ArgumentRange));
    let message =
        |n| Draft::message(parts(vec![], None, 0), [5; 32], n, [6; 32], [5; 32], Seq { epoch: 1, counter: 1 });
    assert_eq!(message(0).unwrap_err().code, Code::ArgumentRange);
    let draft = message(1).unwrap();
    assert_eq!(draft.sign(&key(2)).unwrap_err().code, Code::ArgumentRange);
    assert_eq!(draft.seal(&key(2).sign(draft.to_sign())).unwrap_err().code, Code::SignerFault);
    assert_eq!(draft.seal(b"short").unwrap_err().code, Code::SignerFault);
    assert_eq!(draft.seal(&author.sign(draft.to_sign())).unwrap(), draft.sign(&author).unwrap());
}

#[test]
fn a_table_by_ids_tells_apart_what_begins_alike() {
    let id = |first: u8, last: u8| -> [u8; 32] { std::array::from_fn(|at| if at < 31 { first } else { last }) };
    let table: IdMap<(u8, u8)> =
        (0..=255).flat_map(|first| [(id(first, 0), (first, 0)), (id(first, 1), (first, 1))]).collect();
    assert_eq!(table.len(), 512);
    (0..=255).for_each(|first| assert_eq!(table.get(&id(first, 1)), Some(&(first, 1))));
    assert_eq!(table.get(&id(0, 2)), None);
    // Ids as they are, hashes, fill every part of the result.
    let hash = |number: u64| BuildHasherDefault::<IdHasher>::default().hash_one(message_id(&number.to_be_bytes()));
    let hashes: Vec<u64> = (0..256).map(hash).collect();
    for part in [0, 32, 57] {
        let places: HashSet<u64> = hashes.iter().map(|hash| hash >> part & 0x7f).collect();
        assert!(places.len() > 64, "{} places of 128 at bit {part}", places.len());
    }
}
