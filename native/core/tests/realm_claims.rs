//! The forms of what the kinds of a realm say: for each rule an entry that breaks it alone, and its twin that does not (envelope.5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::identity::{Directory, Name, Purpose};
use ama2sec_core::message::{
    StepPattern, Typ, UnverifiedEnvelope, claims_from_json, claims_to_json, encode_envelope, header_of, sig_structure,
    typ_of_json,
};
use ama2sec_core::realm::sizes::Sizes;
use ama2sec_core::text::hex;
use serde_json::{Value, json};
use support::*;

fn id(byte: u8) -> String {
    hex(&[byte; 32])
}

fn offer() -> String {
    hex(&[3; 64])
}

/// Claims of a kind inside a realm, sound but for what is inserted.
fn entry(kind: &str, own: (&str, Value)) -> Value {
    let registry = typ_of_json(&json!({"kind": kind})) == Typ::Registry;
    let conversation = if registry { id(1) } else { id(5) };
    let mut view = json!({"realm": id(1), "conversation": conversation, "kind": kind,
        "agent_identity": {"agent": id(8), "grant": null},
        "context_fingerprint": {"size": 2, "fingerprint": id(6), "registry_size": 2, "registry_fingerprint": id(6)},
        "execution_path": {"branch": conversation, "parent": id(7), "merges": []}, "workflow_state": null,
        "seq": [1000, 1], "time": 1000, "salt": hex(&[1; 16])});
    if registry {
        view["approves"] = Value::Null;
    } else {
        view["recipients"] = json!([]);
        view["body"] = Value::Null;
    }
    view[own.0] = own.1;
    view
}

fn policy() -> Value {
    json!({"root": 2, "enrol": 1, "revoke": 1, "define": 1, "erase": 2, "resume": 1, "hold": false})
}

fn grant_view() -> Value {
    json!({"key": id(9), "offer": offer(), "steps": ["b", "a/*", "a/x", "price"], "to": [id(2), "name:buyers"], "rights": 3,
           "expires": 5, "depth": 8, "next": null})
}

fn enrolment() -> Value {
    json!({"name": "sales", "key": id(9), "purpose": 4, "groups": ["b", "aa"], "next": id(3), "replaces": null, "offer": offer()})
}

fn genesis_view() -> Value {
    let holder = |name: &str| json!({"name": name, "key": id(9), "offer": offer()});
    let mut roots = [holder("ada"), holder("ben"), holder("carl")];
    roots.iter_mut().for_each(|root| root["next"] = Value::Null);
    json!({"realm": id(0), "conversation": id(0), "kind": "genesis", "agent_identity": {"grant": null},
        "context_fingerprint": {"size": 0, "fingerprint": id(0), "registry_size": 0, "registry_fingerprint": id(0)},
        "execution_path": {"branch": id(0), "parent": null, "merges": []}, "workflow_state": null, "time": 1000,
        "salt": hex(&[1; 16]), "document": {"name": "acme", "rules_version": 1, "profile": 0, "roots": roots,
        "sequencer": holder("seq"), "policy": policy()}})
}

/// One sound entry of every kind.
fn all() -> Vec<Value> {
    vec![
        genesis_view(),
        entry("fork", ("fork", grant_view())),
        entry("fork", ("fork", Value::Null)),
        entry("close", ("close", json!(true))),
        entry("enrol", ("enrolment", enrolment())),
        entry("revoke", ("revocation", json!({"agent": id(2), "suspect_from": 7, "reason": "left"}))),
        entry("policy", ("document", json!({"replaces": id(2), "policy": policy()}))),
        entry("define", ("document", json!({"name": "orders", "replaces": null, "document": "aabb"}))),
        entry("erase", ("erasure", json!({"message": id(2), "reason": ""}))),
        entry("term", ("term", json!({"size": 9, "root": id(2), "reason": "restored"}))),
    ]
}

fn made(view: &Value) -> Vec<u8> {
    let key = key(1);
    let payload = claims_from_json(view, key.public().thumbprint()).unwrap_or_else(|error| panic!("{error}: {view}"));
    let header = header_of(key.public().thumbprint(), typ_of_json(view));
    encode_envelope(&header, &payload, &key.sign(&sig_structure(&header, &payload)))
}

fn code(view: &Value) -> Option<Code> {
    UnverifiedEnvelope::parse(&made(view)).err().map(|error| error.code)
}

fn changed(mut view: Value, pointer: &str, value: Value) -> Value {
    *view.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    view
}

#[test]
fn every_kind_reads_and_its_view_gives_the_same_bytes_again() {
    for view in all() {
        let bytes = made(&view);
        let parsed = UnverifiedEnvelope::parse(&bytes).unwrap_or_else(|error| panic!("{error}: {view}"));
        assert_eq!(made(&claims_to_json(parsed.claims())), bytes);
        assert_eq!(parsed.typ(), typ_of_json(&view));
    }
}

#[test]
fn labels_are_there_exactly_as_the_table_says() {
    for view in all() {
        let names: Vec<String> = view.as_object().unwrap().keys().cloned().collect();
        for name in names.iter().filter(|name| !["kind", "agent_identity"].contains(&name.as_str())) {
            let mut less = view.clone();
            less.as_object_mut().unwrap().shift_remove(name);
            assert_eq!(code(&less), Some(Code::ClaimMissing), "{name} of {}", view["kind"]);
        }
        for extra in ["recipients", "seq", "body", "members", "fork", "document", "enrolment", "close", "approves"] {
            if !names.contains(&extra.to_owned()) {
                let mut more = view.clone();
                more[extra] = if extra == "seq" { json!([1, 1]) } else { Value::Null };
                assert_eq!(code(&more), Some(Code::ClaimForbidden), "{extra} of {}", view["kind"]);
            }
        }
    }
}

#[test]
fn a_kind_belongs_to_its_typ() {
    let key = key(1);
    for view in all() {
        let other = if typ_of_json(&view) == Typ::Message { Typ::Registry } else { Typ::Message };
        let payload = claims_from_json(&view, key.public().thumbprint()).unwrap();
        let header = header_of(key.public().thumbprint(), other);
        let bytes = encode_envelope(&header, &payload, &key.sign(&sig_structure(&header, &payload)));
        assert_eq!(UnverifiedEnvelope::parse(&bytes).unwrap_err().code, Code::TypKind);
    }
    let mut snapshot = all()[3].clone();
    snapshot["kind"] = json!("snapshot");
    assert_eq!(code(&snapshot), Some(Code::KindNotBuilt));
}

#[test]
fn each_form_has_its_code() {
    let fork = || entry("fork", ("fork", grant_view()));
    let enrol = || entry("enrol", ("enrolment", enrolment()));
    let revoke = || all()[5].clone();
    let say = |reason: usize| json!({"message": id(2), "reason": "x".repeat(reason)});
    let names = |count: usize| (0..count).map(|at| format!("n{at:03}")).collect::<Vec<_>>();
    for (view, expected) in [
        (changed(fork(), "/fork/key", json!("00")), Some(Code::ClaimType)),
        (changed(fork(), "/fork/offer", json!(id(1))), Some(Code::ClaimType)),
        (changed(fork(), "/fork/steps", json!(["a", "a"])), Some(Code::ListOrder)),
        (changed(fork(), "/fork/steps", json!(["bb", "a"])), Some(Code::ListOrder)),
        (changed(fork(), "/fork/steps", json!(["*"])), Some(Code::NameForm)),
        (changed(fork(), "/fork/steps", json!(["a//b"])), Some(Code::NameForm)),
        (changed(fork(), "/fork/steps", json!([format!("{}/*", "a".repeat(63))])), Some(Code::NameForm)),
        (changed(fork(), "/fork/steps", json!([format!("{}/*", "a".repeat(62))])), None),
        (changed(fork(), "/fork/steps", json!([])), None),
        (changed(fork(), "/fork/steps", json!(names(32))), None),
        (changed(fork(), "/fork/steps", json!(names(33))), Some(Code::TooMany)),
        (changed(fork(), "/fork/to", json!(["name:a", "name:A"])), Some(Code::NameForm)),
        (changed(fork(), "/fork/to", Value::Null), None),
        (changed(fork(), "/fork/rights", json!(7)), None),
        (changed(fork(), "/fork/rights", json!(8)), Some(Code::ClaimRange)),
        (changed(fork(), "/fork/rights", json!(-1)), Some(Code::ClaimType)),
        (changed(fork(), "/fork/expires", json!(1u64 << 48)), Some(Code::ClaimRange)),
        (changed(fork(), "/fork/expires", Value::Null), None),
        (changed(fork(), "/fork/depth", json!(9)), Some(Code::ClaimRange)),
        (changed(fork(), "/fork/next", json!("00")), Some(Code::ClaimType)),
        // An earlier element before a later one, and a list's length before its elements.
        (changed(changed(fork(), "/fork/steps", json!(names(33))), "/fork/key", json!("00")), Some(Code::ClaimType)),
        (changed(changed(fork(), "/fork/steps", json!(["*"])), "/fork/rights", json!(8)), Some(Code::NameForm)),
        (changed(enrol(), "/enrolment/purpose", json!(0)), Some(Code::ClaimRange)),
        (changed(enrol(), "/enrolment/purpose", json!(5)), Some(Code::ClaimRange)),
        (changed(enrol(), "/enrolment/name", json!("Sales")), Some(Code::NameForm)),
        (changed(enrol(), "/enrolment/groups", json!(names(16))), None),
        (changed(enrol(), "/enrolment/groups", json!(names(17))), Some(Code::TooMany)),
        (changed(enrol(), "/enrolment/groups", json!(["b", "a"])), Some(Code::ListOrder)),
        (changed(enrol(), "/enrolment/replaces", json!("")), Some(Code::ClaimType)),
        (changed(revoke(), "/revocation/suspect_from", json!(1u64 << 48)), Some(Code::ClaimRange)),
        (changed(revoke(), "/revocation/suspect_from", Value::Null), None),
        (entry("erase", ("erasure", say(256))), None),
        (entry("erase", ("erasure", say(257))), Some(Code::ClaimRange)),
        (changed(all()[9].clone(), "/term/size", json!(1u64 << 48)), Some(Code::ClaimRange)),
        (changed(all()[6].clone(), "/document/policy/root", json!(0)), Some(Code::ClaimRange)),
        (changed(all()[6].clone(), "/document/policy/resume", json!(17)), Some(Code::ClaimRange)),
        (changed(all()[6].clone(), "/document/policy/resume", json!(16)), None),
        (changed(genesis_view(), "/document/profile", json!(2)), Some(Code::ClaimRange)),
        (changed(genesis_view(), "/document/rules_version", json!(1u64 << 32)), Some(Code::ClaimRange)),
        (changed(genesis_view(), "/document/rules_version", json!(9)), None),
        (changed(genesis_view(), "/document/roots", json!([])), Some(Code::ClaimRange)),
        (changed(genesis_view(), "/document/roots/0/name", json!("zed")), Some(Code::ListOrder)),
        (changed(genesis_view(), "/document/sequencer/key", json!("00")), Some(Code::ClaimType)),
    ] {
        assert_eq!(code(&view), expected, "{view}");
    }
}

#[test]
fn claims_agree_with_each_other_and_with_the_kind() {
    let form = Some(Code::ClaimForm);
    let (fork, close, enrol) = (all()[1].clone(), all()[3].clone(), all()[4].clone());
    let own = json!({"agent": id(8), "grant": id(8)});
    for (view, expected) in [
        // a
        (changed(genesis_view(), "/conversation", json!(id(1))), form),
        (changed(genesis_view(), "/execution_path/parent", json!(id(1))), form),
        (changed(genesis_view(), "/context_fingerprint/size", json!(1)), form),
        // b
        (changed(close.clone(), "/conversation", json!(id(0))), form),
        (changed(fork.clone(), "/execution_path/parent", Value::Null), form),
        (changed(enrol.clone(), "/conversation", json!(id(2))), form),
        (changed(enrol.clone(), "/execution_path/branch", json!(id(2))), form),
        (changed(enrol.clone(), "/context_fingerprint/registry_size", json!(3)), form),
        (changed(enrol.clone(), "/context_fingerprint/registry_fingerprint", json!(id(2))), form),
        (changed(enrol.clone(), "/execution_path/parent", Value::Null), form),
        (
            changed(
                enrol.clone(),
                "/execution_path/merges",
                json!([{"branch": id(2), "size": 1, "fingerprint": id(3)}]),
            ),
            form,
        ),
        // c
        (changed(genesis_view(), "/realm", json!(id(1))), form),
        (changed(genesis_view(), "/agent_identity", json!({"agent": id(1), "grant": null})), form),
        (changed(close.clone(), "/realm", json!(id(0))), form),
        (changed(close.clone(), "/context_fingerprint/registry_size", json!(0)), form),
        (changed(close.clone(), "/agent_identity", json!({"agent": id(8), "grant": id(9)})), form),
        (changed(close.clone(), "/agent_identity", own.clone()), None),
        (changed(fork.clone(), "/agent_identity", own.clone()), None),
        (changed(enrol.clone(), "/agent_identity", own), form),
        // d
        (
            changed(
                close.clone(),
                "/workflow_state",
                json!({"instance": null, "definition": id(1), "step": "a", "outputs": {}, "approves": null}),
            ),
            form,
        ),
        // e: a fork's merges are well-formed; it is admission that refuses them.
        (
            changed(
                fork.clone(),
                "/execution_path/merges",
                json!([{"branch": id(2), "size": 1, "fingerprint": id(3)}]),
            ),
            None,
        ),
        (changed(fork, "/execution_path/merges", json!([{"branch": id(5), "size": 1, "fingerprint": id(3)}])), form),
        // g
        (changed(enrol.clone(), "/approves", json!(id(1))), form),
        (changed(enrol.clone(), "/enrolment", Value::Null), form),
        (changed(changed(enrol, "/enrolment", Value::Null), "/approves", json!(id(1))), None),
    ] {
        assert_eq!(code(&view), expected, "{view}");
    }
}

#[test]
fn documents_may_be_large_and_nothing_else() {
    let define = |length: usize| {
        entry("define", ("document", json!({"name": "orders", "replaces": null, "document": "aa".repeat(length)})))
    };
    assert_eq!(code(&define(60_000)), None);
    let room = |view: &Value| 65_536 - claims_from_json(view, &[0; 32]).unwrap().len();
    let most = 60_000 + room(&define(60_000));
    assert_eq!(code(&define(most)), None);
    assert_eq!(code(&define(most + 1)), Some(Code::SizeLimit));
    // A message is as small as ever, whatever fills it.
    let mut long = claims_of(&made(&all()[3]));
    long.recipients =
        (0..32).map(|at| ama2sec_core::message::Addr::Name(name(&format!("{}{at:02}", "a".repeat(62))))).collect();
    long.merges =
        (0..30).map(|at| ama2sec_core::message::Merge { branch: [at; 32], size: 1, fingerprint: [1; 32] }).collect();
    assert_eq!(UnverifiedEnvelope::parse(&sign_claims(1, &long)).unwrap_err().code, Code::SizeLimit);
}

#[test]
fn outside_a_realm_a_genesis_needs_a_roots_key() {
    let mut directory = Directory::default();
    directory.enrol(key(101).public().clone(), Name::parse("ada").unwrap(), Purpose::Root).unwrap();
    let bytes = genesis(QUORUMS, false);
    UnverifiedEnvelope::parse(&bytes).unwrap().verify(&directory, None).unwrap();
    let mut other = Directory::default();
    other.enrol(key(101).public().clone(), Name::parse("ada").unwrap(), Purpose::Message).unwrap();
    let fault = UnverifiedEnvelope::parse(&bytes).unwrap().verify(&other, None).unwrap_err();
    assert_eq!(fault.code, Code::PurposeWrong);
    // And no other entry of a realm is anything there.
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &[]);
    let open = world.open_bytes(sales, None);
    directory.enrol(key(1).public().clone(), Name::parse("sales").unwrap(), Purpose::Message).unwrap();
    assert_eq!(UnverifiedEnvelope::parse(&open).unwrap().verify(&directory, None).unwrap_err().code, Code::RealmOther);
}

#[test]
fn a_genesis_is_no_part_of_a_conversation_kept_as_a_file() {
    use ama2sec_core::history::conversation::ConversationState;
    use ama2sec_core::history::nodes::MemoryNodes;
    let mut directory = Directory::default();
    directory.enrol(key(101).public().clone(), Name::parse("ada").unwrap(), Purpose::Root).unwrap();
    let entry = UnverifiedEnvelope::parse(&genesis(QUORUMS, false)).unwrap().verify(&directory, None).unwrap();
    let mut state = ConversationState::new(MemoryNodes::default());
    assert_eq!(state.check(&entry).unwrap_err().code, Code::OpenMissing);
}

#[test]
fn patterns_cover_what_lies_below_them() {
    let covers = |pattern: &str, other: &str| StepPattern::parse(pattern).unwrap().covers(other);
    assert!(covers("a", "a") && covers("a/*", "a/b") && covers("a/*", "a/*") && covers("a/*", "a/b/*"));
    assert!(
        !covers("a", "b")
            && !covers("a/*", "a")
            && !covers("a/b", "a/*")
            && !covers("a/*", "ab")
            && !covers("a", "a/b")
    );
}

#[test]
fn maps_of_sizes_agree_with_plain_maps() {
    let mut random = Random(77);
    let mut made: Vec<(Sizes, std::collections::BTreeMap<u32, u64>)> = vec![(Sizes::default(), Default::default())];
    for _ in 0..3000 {
        let at = random.below(made.len() as u64) as usize;
        let (sizes, plain) = made[at].clone();
        let next = if random.below(3) == 0 {
            let (other, theirs) = &made[random.below(made.len() as u64) as usize];
            let mut joined = plain.clone();
            theirs.iter().for_each(|(branch, size)| {
                let own = joined.entry(*branch).or_insert(0);
                *own = (*own).max(*size);
            });
            (sizes.joined(other), joined)
        } else {
            let bits = 1 + random.below(20);
            let (branch, size) = (random.below(1 << bits) as u32, 1 + random.below(50));
            let mut raised = plain.clone();
            let own = raised.entry(branch).or_insert(0);
            *own = (*own).max(size);
            (sizes.raised(branch, size), raised)
        };
        let mut seen = std::collections::BTreeMap::new();
        next.0.each(|branch, size| {
            seen.insert(branch, size);
        });
        assert_eq!(seen, next.1);
        assert!(next.1.iter().all(|(branch, size)| next.0.get(*branch) == *size));
        assert_eq!(next.0.get(u32::MAX), 0);
        made.push(next);
    }
}
