//! admission.2: for each number an entry that fails that one alone; for each feasible pair the earlier number wins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_support/mod.rs"]
mod support;

use ama2sec_core::errors::Code;
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{
    Act, Addr, Claims, GrantPart, Id, Kind, Merge, Offer, Proposal, Seq, UnverifiedEnvelope, WorkflowState,
};
use ama2sec_core::realm::draft::{draft_fork, draft_message};
use ama2sec_core::realm::{Stamp, Verdict, admit};
use support::*;

/// A realm in which a sub-agent is about to write into a fork of its own branch.
struct Setting {
    world: World,
    sales: Who,
    manager: Who,
    worker: Who,
    chat: Id,
    claims: Claims,
    seed: u16,
    time: u64,
}

const EXPIRES: u64 = START + 1_000_000;

fn reach(world: &World, seed: u16, to: Id) -> GrantPart {
    GrantPart {
        steps: steps(&["price", "orders/*"]),
        to: Some(vec![Addr::Id(to)]),
        expires: Some(EXPIRES),
        depth: 3,
        ..grant(world.realm(), seed)
    }
}

fn base() -> (World, Who, Who, Who, Id, Id) {
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &["sellers"]);
    let manager = world.enrol("manager", 2, Purpose::Message, &["approvers"]);
    let members = vec![Addr::Name(name("sellers")), Addr::Id(manager.agent)];
    let chat = world.open(sales, Some(members));
    let seen = world.seen(chat, chat);
    world.say(manager, &seen, vec![]).home();
    let (seen, grant) = (world.seen(chat, chat), reach(&world, 11, manager.agent));
    let worker = world.spawn(sales, &seen, grant, 11);
    let seen = world.seen(chat, worker.agent);
    world.say(worker, &seen, vec![]).home();
    let seen = world.seen(chat, worker.agent);
    let branch = world.fork(worker, &seen, None).home().branch;
    let seen = world.seen(chat, branch);
    world.say(worker, &seen, vec![]).home();
    let seen = world.seen(chat, chat);
    world.say(manager, &seen, vec![]).home();
    (world, sales, manager, worker, chat, branch)
}

/// A message that merges the main branch.
fn message() -> Setting {
    let (mut world, sales, manager, worker, chat, branch) = base();
    let (seen, head) = (world.seen(chat, branch), world.head(chat, chat));
    let parts = world.parts(worker, chat, vec![Addr::Id(manager.agent)]);
    let bytes = signed(worker, |author| draft_message(author, &parts, &seen, vec![head]));
    Setting { claims: claims_of(&bytes), world, sales, manager, worker, chat, seed: 11, time: START }
}

/// A fork that hands on a narrower grant.
fn fork() -> Setting {
    let (mut world, sales, manager, worker, chat, branch) = base();
    let seen = world.seen(chat, branch);
    let parts = world.parts(worker, chat, vec![Addr::Id(manager.agent)]);
    let part = GrantPart { steps: steps(&["orders/x"]), depth: 2, rights: 1, ..reach(&world, 12, manager.agent) };
    let bytes = signed(worker, |author| draft_fork(author, &parts, &seen, Some(part)));
    Setting { claims: claims_of(&bytes), world, sales, manager, worker, chat, seed: 11, time: START }
}

/// A message of an operator, who is listed as a member.
fn operator() -> Setting {
    let mut world = World::default();
    let sales = world.enrol("sales", 1, Purpose::Message, &["sellers"]);
    let stop = world.enrol("stop", 3, Purpose::Operator, &["approvers"]);
    let chat = world.open(
        sales,
        Some(vec![Addr::Name(name("approvers")), Addr::Name(name("sellers"))].into_iter().rev().collect()),
    );
    let seen = world.seen(chat, chat);
    let parts = world.parts(stop, chat, vec![]);
    let bytes = signed(stop, |author| draft_message(author, &parts, &seen, vec![]));
    Setting { claims: claims_of(&bytes), world, sales, manager: stop, worker: stop, chat, seed: 3, time: START }
}

impl Setting {
    fn judge(&self) -> Option<Code> {
        let bytes = sign_claims(self.seed, &self.claims);
        UnverifiedEnvelope::parse(&bytes).unwrap_or_else(|error| panic!("{error}"));
        let stamp = Stamp { time: self.time, registry_size: self.world.state.registry_size() };
        let entry = screen(&self.world.state, stamp.registry_size, &bytes).unwrap();
        match admit(&self.world.state, stamp, &entry).unwrap() {
            Verdict::Admitted(_) => None,
            Verdict::Rejected(error, _) => Some(error.code),
        }
    }

    fn revoke(&mut self, who: Who) {
        let revoke = Proposal::Revoke { agent: who.agent, suspect_from: None, reason: String::new() };
        self.world.propose(root(0), revoke).home();
    }

    /// The principal's next key has other groups.
    fn regroup(&mut self, who: Who, text: &str, purpose: Purpose) {
        let part = enrol_part(self.world.realm(), text, who.seed + 1000, purpose, &["nobody"], Some(who.agent));
        self.world.propose(root(0), Proposal::Enrol(Box::new(part))).home();
    }

    fn close(&mut self, branch: Id, whole: bool) {
        let seen = self.world.seen(self.chat, branch);
        let by = if self.manager == self.worker { self.sales } else { self.manager };
        self.world.close(by, &seen, whole).home();
    }

    fn grant(&mut self) -> &mut GrantPart {
        match &mut self.claims.act {
            Some(Act::Fork(Some(grant))) => grant,
            other => panic!("{other:?}"),
        }
    }
}

type Fault = (u32, Code, fn(&mut Setting));

const OTHER: Id = [0xee; 32];

/// Each fails one check alone. The order in which two are applied: the later number first.
const COMMON: &[Fault] = &[
    (1, Code::PrincipalRevoked, |s| s.revoke(s.sales)),
    (3, Code::NotAMember, |s| s.regroup(s.sales, "sales", Purpose::Message)),
    (5, Code::GrantEnded, |s| s.close(s.worker.agent, false)),
    (6, Code::GrantExpired, |s| s.time = EXPIRES),
    (8, Code::SeqUsed, |s| s.claims.seq.as_mut().unwrap().counter = 101),
    (9, Code::SeqWindow, |s| s.claims.seq = Some(Seq { epoch: EXPIRES + 86_400_001, counter: 1 })),
    (10, Code::ContextAhead, |s| s.claims.context.registry_size = 1_000_000_000),
    (11, Code::RegistryForked, |s| s.claims.context.registry_fingerprint = OTHER),
    (12, Code::ConversationClosed, |s| s.close(s.chat, true)),
    (13, Code::BranchUnknown, |s| s.claims.branch = OTHER),
    (14, Code::ContextAhead, |s| s.claims.context.size = 1_000_000_000),
    (15, Code::ContextUnder, |s| {
        let seen = s.world.seen(s.chat, s.worker.agent);
        (s.claims.context.size, s.claims.context.fingerprint) = (seen.size, seen.fingerprint);
        s.claims.parent = Some(seen.parent);
    }),
    (16, Code::ContextForked, |s| s.claims.parent = Some(OTHER)),
    (16, Code::ContextForked, |s| s.claims.context.fingerprint = OTHER),
    (17, Code::BranchClosed, |s| s.close(s.claims.branch, false)),
    (18, Code::GrantPlace, |s| {
        let seen = s.world.seen(s.chat, s.chat);
        (s.claims.branch, s.claims.context.size) = (s.chat, seen.size);
        (s.claims.context.fingerprint, s.claims.parent) = (seen.fingerprint, Some(seen.parent));
        s.claims.merges.clear();
    }),
    (19, Code::GrantScope, |s| s.claims.recipients = vec![Addr::Id(OTHER)]),
];

const MESSAGE: &[Fault] = &[
    (21, Code::MergeUnknown, |s| s.claims.merges = vec![Merge { branch: [0xdd; 32], size: 1, fingerprint: OTHER }]),
    (21, Code::MergeAhead, |s| s.claims.merges[0].size = 1_000_000_000),
    (21, Code::MergeUnder, |s| {
        let merge = s.world.head(s.chat, s.chat);
        s.claims.merges = vec![Merge { branch: s.worker.agent, size: 1, ..merge }];
    }),
    (21, Code::MergeForked, |s| s.claims.merges[0].fingerprint = OTHER),
    (23, Code::MergeStale, |s| {
        let seen = s.world.seen_at(s.chat, s.chat, 2);
        s.claims.merges = vec![Merge { branch: s.chat, size: 2, fingerprint: seen.fingerprint }];
    }),
    (32, Code::WorkflowUnknown, |s| {
        s.claims.workflow = Some(WorkflowState {
            instance: None,
            definition: OTHER,
            step: name("price"),
            outputs: vec![],
            approves: None,
        });
    }),
];

const FORK: &[Fault] = &[
    (20, Code::MergeForm, |s| s.claims.merges = vec![s.world.head(s.chat, s.chat)]),
    (24, Code::ForkKey, |s| s.grant().offer = [1; 64]),
    (24, Code::ForkForm, |s| s.grant().expires = Some(START)),
    (24, Code::ForkWidens, |s| s.grant().depth = 3),
];

const OPERATOR: &[Fault] = &[
    (1, Code::PrincipalRevoked, |s| s.revoke(s.worker)),
    (2, Code::PurposeWrong, |_| {}),
    (3, Code::NotAMember, |s| {
        s.regroup(s.worker, "stop", Purpose::Operator);
        // The old key is replaced: the new one writes.
        s.seed += 1000;
    }),
    (8, Code::SeqUsed, |s| s.claims.seq = Some(Seq { epoch: 0, counter: 0 })),
    (10, Code::ContextAhead, |s| s.claims.context.registry_size = 1_000_000_000),
    (12, Code::ConversationClosed, |s| s.close(s.chat, true)),
    (13, Code::BranchUnknown, |s| s.claims.branch = OTHER),
    (32, Code::WorkflowUnknown, |s| {
        s.claims.workflow = Some(WorkflowState {
            instance: None,
            definition: OTHER,
            step: name("price"),
            outputs: vec![],
            approves: None,
        });
    }),
];

/// Pairs of claims that exclude each other, by (number, number).
fn infeasible(first: &Fault, second: &Fault) -> bool {
    // 8 and 9: a number at or below the last one lies inside the window. 14 and 15: one n. 15 and 18: the first branch has no base.
    matches!((first.0, second.0), (8, 9) | (14, 15) | (15, 18)) || first.0 == second.0
}

fn each_pair(setting: fn() -> Setting, faults: &[&[Fault]]) -> usize {
    let faults: Vec<&Fault> = faults.iter().flat_map(|faults| faults.iter()).collect();
    let mut pairs = 0;
    for (at, first) in faults.iter().enumerate() {
        for second in &faults[at + 1..] {
            if infeasible(first, second) {
                continue;
            }
            let mut both = setting();
            // A conversation that is closed takes no more entries.
            let order = if second.0 == 12 { [first, second] } else { [second, first] };
            order.into_iter().for_each(|fault| (fault.2)(&mut both));
            assert_eq!(both.judge(), Some(first.1), "{} before {} {:?}", first.0, second.0, second.1);
            pairs += 1;
        }
    }
    pairs
}

#[test]
fn each_check_fails_alone_and_its_twin_passes() {
    for (setting, faults) in [(message as fn() -> Setting, [COMMON, MESSAGE]), (fork, [COMMON, FORK])] {
        assert_eq!(setting().judge(), None);
        for (number, code, fault) in faults.into_iter().flatten() {
            let mut faulty = setting();
            fault(&mut faulty);
            assert_eq!(faulty.judge(), Some(*code), "{number}");
        }
    }
    assert_eq!(operator().judge(), Some(Code::PurposeWrong));
}

#[test]
fn of_two_faults_the_earlier_number_gives_the_code() {
    let mut pairs = each_pair(message, &[COMMON, MESSAGE]);
    pairs += each_pair(fork, &[COMMON, FORK]);
    // The operator's purpose is wrong in every one of them: 1 comes before it, all others after it.
    for (number, code, fault) in OPERATOR {
        let mut faulty = operator();
        fault(&mut faulty);
        let expected = if *number == 1 { *code } else { Code::PurposeWrong };
        assert_eq!(faulty.judge(), Some(expected), "{number}");
        pairs += 1;
    }
    assert!(pairs > 400, "{pairs}");
}

#[test]
fn an_open_is_judged_by_its_own_numbers() {
    let setting = || {
        let mut world = World::default();
        let sales = world.enrol("sales", 1, Purpose::Message, &["sellers"]);
        let stop = world.enrol("stop", 3, Purpose::Operator, &["sellers"]);
        let bytes = world.open_bytes(sales, Some(vec![Addr::Name(name("sellers"))]));
        let claims = claims_of(&bytes);
        Setting { claims, sales, manager: sales, worker: stop, chat: OTHER, world, seed: 1, time: START }
    };
    let faults: &[Fault] = &[
        (1, Code::PrincipalRevoked, |s| s.revoke(s.sales)),
        (2, Code::PurposeWrong, |s| {
            s.claims.agent = s.worker.agent;
            s.seed = 3;
        }),
        (3, Code::NotAMember, |s| s.claims.open.as_mut().unwrap().members = Some(vec![Addr::Id(OTHER)])),
        (8, Code::SeqUsed, |s| {
            let bytes = sign_claims(s.seed, &s.claims);
            s.world.offer(&bytes);
        }),
        (10, Code::ContextAhead, |s| s.claims.context.registry_size = 1_000_000_000),
        (11, Code::RegistryForked, |s| s.claims.context.registry_fingerprint = OTHER),
        (32, Code::WorkflowUnknown, |s| s.claims.open.as_mut().unwrap().definition = Some(name("orders"))),
    ];
    assert_eq!(setting().judge(), None);
    for (number, code, fault) in faults {
        let mut faulty = setting();
        fault(&mut faulty);
        assert_eq!(faulty.judge(), Some(*code), "{number}");
    }
    for (at, first) in faults.iter().enumerate() {
        // An open that fails is no conversation, so that 8 does not come with a later fault. Nor is sales' key that of 2.
        for second in
            faults[at + 1..].iter().filter(|second| first.0 != 8 && second.0 != 8 && (first.0, second.0) != (1, 2))
        {
            let mut both = setting();
            (second.2)(&mut both);
            (first.2)(&mut both);
            assert_eq!(both.judge(), Some(first.1), "{} before {}", first.0, second.0);
        }
    }
}

#[test]
fn narrowing_is_judged_part_by_part() {
    let wider: &[fn(&mut GrantPart)] = &[
        |grant| grant.steps = None,
        |grant| grant.steps = steps(&["price/y", "orders/x"]),
        |grant| grant.steps = steps(&["orders"]),
        |grant| grant.to = None,
        |grant| grant.to = Some(vec![Addr::Id(OTHER)]),
        |grant| grant.expires = None,
        |grant| grant.expires = Some(EXPIRES + 1),
        |grant| grant.depth = 3,
    ];
    for (at, change) in wider.iter().enumerate() {
        let mut setting = fork();
        change(setting.grant());
        assert_eq!(setting.judge(), Some(Code::ForkWidens), "{at}");
    }
    let within: &[fn(&mut GrantPart)] = &[
        |grant| grant.steps = steps(&[]),
        |grant| grant.steps = steps(&["price", "orders/*"]),
        |grant| grant.steps = steps(&["orders/a/*"]),
        |grant| grant.to = Some(vec![]),
        |grant| grant.expires = Some(EXPIRES),
        |grant| grant.rights = 7,
        |grant| grant.depth = 0,
    ];
    for (at, change) in within.iter().enumerate() {
        let mut setting = fork();
        change(setting.grant());
        assert_eq!(setting.judge(), None, "{at}");
    }
}

#[test]
fn a_key_is_granted_once_and_never_an_enrolled_one() {
    let reuse = |seed: u16| {
        let mut setting = fork();
        let realm = setting.world.realm();
        let fresh = grant(realm, seed);
        let part = setting.grant();
        (part.key, part.offer) = (fresh.key, fresh.offer);
        setting.judge()
    };
    assert_eq!(reuse(13), None);
    // The worker's own key, sales' present key, a root's.
    for seed in [11, 1, 101] {
        assert_eq!(reuse(seed), Some(Code::ForkKey), "{seed}");
    }
    // An offer for another realm, purpose, name or next key.
    let key = key(12);
    let (other, right) = (name("other"), name("child"));
    for (realm, purpose, name, next) in [
        (Some(OTHER), Purpose::Message, &right, None),
        (None, Purpose::Root, &right, None),
        (None, Purpose::Message, &other, None),
        (None, Purpose::Message, &right, Some(&OTHER)),
    ] {
        let mut setting = fork();
        let realm = realm.unwrap_or_else(|| setting.world.realm());
        setting.grant().offer = Offer { realm: &realm, purpose, name, next }.sign(&key);
        assert_eq!(setting.judge(), Some(Code::ForkKey));
    }
}

#[test]
fn a_grant_gives_no_more_rights_than_it_says() {
    for (rights, can_fork, can_merge) in [(0, false, false), (1, true, false), (2, false, true), (3, true, true)] {
        let mut world = World::default();
        let sales = world.enrol("sales", 1, Purpose::Message, &[]);
        let chat = world.open(sales, None);
        let seen = world.seen(chat, chat);
        let worker = world.spawn(sales, &seen, GrantPart { rights, ..grant(world.realm(), 11) }, 11);
        let seen = world.seen(chat, chat);
        world.say(sales, &seen, vec![]).home();
        let code = |allowed| if allowed { None } else { Some(Outcome::Rejected(Code::GrantScope)) };
        let seen = world.seen(chat, worker.agent);
        let outcome = world.fork(worker, &seen, None);
        assert!(code(can_fork).is_none_or(|expected| expected == outcome), "{rights} {outcome:?}");
        let (seen, head) = (world.seen(chat, worker.agent), world.head(chat, chat));
        let outcome = world.say(worker, &seen, vec![head]);
        assert!(code(can_merge).is_none_or(|expected| expected == outcome), "{rights} {outcome:?}");
        // The end of the conversation is nobody's right but a member's; of its own branch it is the child's.
        let seen = world.seen(chat, worker.agent);
        assert_eq!(world.close(worker, &seen, true), Outcome::Rejected(Code::GrantScope));
        world.close(worker, &seen, false).home();
        assert_eq!(world.say(worker, &seen, vec![]), Outcome::Rejected(Code::GrantEnded));
    }
}

#[test]
fn a_rejected_number_is_used_and_one_outside_the_window_is_not() {
    let Setting { mut world, sales, chat, .. } = message();
    let seen = world.seen(chat, chat);
    let message = |counter: u32, epoch: u64, fault: fn(&mut Claims)| {
        let mut parts = World::default().parts(sales, chat, vec![]);
        parts.seq = Seq { epoch, counter };
        parts.salt = [counter as u8; 16];
        let mut claims = claims_of(&signed(sales, |author| draft_message(author, &parts, &seen, vec![])));
        fault(&mut claims);
        sign_claims(1, &claims)
    };
    let broken: fn(&mut Claims) = |claims| claims.parent = Some(OTHER);
    let sound: fn(&mut Claims) = |_| {};
    let last = |world: &World| world.state.conversation(&chat).unwrap().last_seq(&sales.agent).unwrap();
    // A refused check burns, whichever it was, also one before the number's own.
    assert_eq!(world.offer(&message(5000, START, broken)), Outcome::Rejected(Code::ContextForked));
    assert_eq!(last(&world), Seq { epoch: START, counter: 5000 });
    assert_eq!(world.offer(&message(5000, START, sound)), Outcome::Rejected(Code::SeqUsed));
    // Outside the window: nothing is burned, or a stolen key could use up all numbers at once.
    assert_eq!(world.offer(&message(5000 + 65_537, START, sound)), Outcome::Rejected(Code::SeqWindow));
    assert_eq!(world.offer(&message(1, START + 86_400_001, broken)), Outcome::Rejected(Code::SeqWindow));
    assert_eq!(last(&world), Seq { epoch: START, counter: 5000 });
    world.offer(&message(5000 + 65_536, START, sound)).home();
    assert_eq!(world.offer(&message(1, START, sound)), Outcome::Rejected(Code::SeqUsed));
    world.offer(&message(65_536, START + 86_400_000, sound)).home();
    let records = world.state.conversation(&chat).unwrap().records();
    assert_eq!(records as usize, world.kept.iter().filter(|kept| kept.conversation == chat).count());
}

#[test]
fn a_revocation_counts_from_its_position_and_not_before() {
    let Setting { mut world, sales, manager, worker, chat, .. } = message();
    let r = world.state.registry_size();
    let seen = world.seen(chat, chat);
    let parts = world.parts(sales, chat, vec![]);
    let bytes = signed(sales, |author| draft_message(author, &parts, &seen, vec![]));
    world
        .propose(root(1), Proposal::Revoke { agent: sales.agent, suspect_from: Some(3), reason: "stolen".into() })
        .home();
    let judge = |registry_size| {
        let entry = screen(&world.state, registry_size, &bytes).unwrap();
        match admit(&world.state, Stamp { time: START, registry_size }, &entry).unwrap() {
            Verdict::Admitted(_) => None,
            Verdict::Rejected(error, _) => Some(error.code),
        }
    };
    assert_eq!(judge(r), None);
    assert_eq!(judge(r + 1), Some(Code::PrincipalRevoked));
    // Nothing was written into the conversation, and the child is out all the same; others go on.
    let seen = world.seen(chat, worker.agent);
    assert_eq!(world.say(worker, &seen, vec![]), Outcome::Rejected(Code::PrincipalRevoked));
    let seen = world.seen(chat, chat);
    world.say(manager, &seen, vec![]).home();
}

#[test]
fn a_rotation_ends_the_old_key_and_not_the_children() {
    let Setting { mut world, sales, worker, chat, .. } = message();
    let part = enrol_part(world.realm(), "sales", sales.seed + 1000, Purpose::Message, &["sellers"], Some(sales.agent));
    world.propose(root(0), Proposal::Enrol(Box::new(part))).home();
    let seen = world.seen(chat, chat);
    assert_eq!(world.say(sales, &seen, vec![]), Outcome::Rejected(Code::PrincipalRevoked));
    let rotated = Who { seed: sales.seed + 1000, ..sales };
    let seen = world.seen(chat, chat);
    world.say(rotated, &seen, vec![]).home();
    let seen = world.seen(chat, worker.agent);
    world.say(worker, &seen, vec![]).home();
}

#[test]
fn refused_entries_are_refused_in_the_order_of_their_steps() {
    let Setting { mut world, sales, chat, .. } = message();
    let seen = world.seen(chat, chat);
    let parts = world.parts(sales, chat, vec![]);
    let bytes = signed(sales, |author| draft_message(author, &parts, &seen, vec![]));
    let claims = claims_of(&bytes);
    let before = world.kept.len();
    let mut refused = |seed: u16, change: fn(&mut Claims)| {
        let mut claims = claims.clone();
        change(&mut claims);
        let mut bytes = sign_claims(seed, &claims);
        let outcome = world.offer(&bytes);
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        (outcome, world.offer(&bytes))
    };
    let unknown = Outcome::Refused(Code::KeyUnknown);
    let forged = Outcome::Refused(Code::SignatureInvalid);
    // 2 before 3 before 5 before 8.
    assert_eq!(refused(77, |claims| claims.realm = OTHER).0, unknown);
    assert_eq!(refused(1, |claims| claims.realm = OTHER), (Outcome::Refused(Code::RealmOther), forged));
    let (outcome, forged) = refused(1, |claims| (claims.realm, claims.conversation) = (OTHER, OTHER));
    assert_eq!((outcome, forged), (Outcome::Refused(Code::RealmOther), Outcome::Refused(Code::SignatureInvalid)));
    assert_eq!(refused(1, |claims| claims.conversation = OTHER).0, Outcome::Refused(Code::ConversationUnknown));
    // A sub-agent is known by its conversation, its id and its key.
    assert_eq!(refused(11, |_| {}).0, unknown);
    assert_eq!(refused(1, |claims| (claims.agent, claims.grant) = (OTHER, Some(OTHER))).0, unknown);
    // The registry is no conversation.
    let (outcome, _) = refused(1, |claims| claims.conversation = claims.realm);
    assert_eq!(outcome, Outcome::Refused(Code::ConversationUnknown));
    // Another realm's genesis, and the realm's own once more.
    assert_eq!(world.offer(&genesis(QUORUMS, true)), Outcome::Refused(Code::RealmOther));
    assert_eq!(world.kept.len(), before);
    assert_eq!(world.offer(&genesis(QUORUMS, false)), Outcome::Rejected(Code::GenesisInvalid));
    assert_eq!(claims.kind, Kind::Message);
}
