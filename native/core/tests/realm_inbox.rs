//! Inboxes: who is to have an entry, what is delivered and when, bounds, readers, bells (agent.3, agent.5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_desk/mod.rs"]
mod desk;
#[path = "realm_support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use ama2sec_core::errors::{Code, Error, Result};
use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{Addr, BodyPart, Id, OpenPart, Proposal};
use ama2sec_core::realm::draft::{Parts, draft_fork, draft_message, draft_open};
use ama2sec_core::realm::engine::{Answer, Engine, Submission};
use ama2sec_core::realm::inbox::{Bell, Consumed, Held, Opening, Whom};
use ama2sec_core::realm::log::{Appended, Log, MemoryLog, Pair, Source};
use ama2sec_core::realm::{Limits, Start};
use desk::Desk;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use support::*;

const BODY: BodyPart<'_> = BodyPart { salt: &[3; 32], body: b"seven" };

/// A log that fails in one way, once it is told to.
#[derive(Default)]
struct Fickle {
    inner: Arc<MemoryLog>,
    way: AtomicU8,
    reads: AtomicU64,
    rival: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

const FULL: u8 = 1;
const SILENT: u8 = 2;
/// The third read from now fails.
const THIRD: u8 = 3;
/// The body of a message is another one, when it is read.
const SWAPPED: u8 = 4;
/// Somebody else has the checkpoint.
const BUSY: u8 = 5;

impl Source for Fickle {
    fn head(&self) -> Result<u64> {
        self.inner.head()
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Pair>> {
        let way = self.way.load(Ordering::SeqCst);
        if way == THIRD && self.reads.fetch_add(1, Ordering::SeqCst) == 2 {
            return Err(Error::new(Code::LogFailed, "a read", "none"));
        }
        let mut pairs = self.inner.read(from, limit)?;
        if way == SWAPPED && self.reads.fetch_add(1, Ordering::SeqCst) >= 2 {
            pairs.iter_mut().for_each(|pair| pair.body = pair.body.take().map(|(salt, _)| (salt, b"eight"[..].into())));
        }
        Ok(pairs)
    }

    fn checkpoint(&self) -> Result<Option<String>> {
        if self.way.load(Ordering::SeqCst) == BUSY {
            return Err(Error::new(Code::LogBusy, "a lock", "none"));
        }
        self.inner.checkpoint()
    }
}

impl Log for Fickle {
    fn append(&self, expected: u64, pairs: &[Pair], checkpoint: &str) -> Result<Appended> {
        if let Some(rival) = self.rival.lock().unwrap().take() {
            rival();
        }
        match self.way.load(Ordering::SeqCst) {
            FULL => Err(Error::new(Code::LogFull, "room", "none")),
            SILENT => Ok(Appended::Unknown),
            _ => self.inner.append(expected, pairs, checkpoint),
        }
    }
    fn watch(&self, from: u64) -> Result<u64> {
        self.inner.watch(from)
    }
    fn end_watch(&self) {
        self.inner.end_watch();
    }
    fn put_control(&self, name: &str, value: &[u8]) -> Result<()> {
        self.inner.put_control(name, value)
    }
    fn control(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.inner.control(name)
    }
    fn erase(&self, positions: &[u64]) -> Result<bool> {
        self.inner.erase(positions)
    }
}

/// A realm with people: each in the group of its name's first letter, and in `all`.
struct Office<L: Log> {
    desk: Desk<L>,
    people: Vec<Who>,
}

const NAMES: [&str; 4] = ["amy", "art", "bea", "bob"];

fn office<L: Log>(log: L) -> Office<L> {
    let mut desk = Desk::new(log, Limits::NONE);
    let realm = desk.realm();
    let people = (10..).zip(NAMES).map(|(seed, name)| {
        let part = enrol_part(realm, name, seed, Purpose::Message, &[&name[..1], "all"], None);
        let record = desk.propose(root(0), Proposal::Enrol(Box::new(part)));
        Who { seed, agent: record.id, grant: None }
    });
    let people = people.collect();
    Office { desk, people }
}

impl<L: Log> Office<L> {
    fn whom(&self, at: usize) -> Whom {
        let groups = [&NAMES[at][..1], "all"].map(name).into();
        Whom { id: self.people[at].agent, groups, child: false }
    }

    fn open(&self, whom: Whom, limit: u32, start: u64, bell: &Arc<Bell>) -> Held {
        self.desk.engine.open_inbox(Opening { whom, limit, start, acked: BTreeSet::new() }, bell).unwrap()
    }

    /// An agent that begins with what comes now.
    fn here(&self, at: usize, limit: u32, bell: &Arc<Bell>) -> Held {
        self.open(self.whom(at), limit, self.records(), bell)
    }

    fn records(&self) -> u64 {
        self.desk.engine.with(|replica| Ok(replica.records())).unwrap()
    }

    fn parts(&mut self, to: Vec<Addr>) -> Parts<'static> {
        Parts { recipients: to, body: Some((BODY, "text/plain")), ..self.desk.parts() }
    }

    fn opening(&mut self, who: Who, members: Option<Vec<Addr>>, to: Vec<Addr>) -> Vec<u8> {
        let parts = self.parts(to);
        let open = OpenPart { members, required: false, definition: None };
        self.desk
            .bytes(who, |author, state| draft_open(author, &parts, &state.seen_registry(state.registry_size())?, open))
    }

    fn message(&mut self, who: Who, chat: &Id, branch: &Id, to: Vec<Addr>) -> Vec<u8> {
        let parts = self.parts(to);
        self.desk.bytes(who, |author, state| {
            let branches = state.conversation(chat).unwrap().branches();
            let size = branches.get(branches.number(branch).unwrap())?.size;
            let registry = state.seen_registry(state.registry_size())?;
            draft_message(author, &parts, &state.seen(registry, chat, branch, size)?, vec![])
        })
    }

    fn fork(&mut self, who: Who, chat: &Id, child: Option<u16>) -> Vec<u8> {
        let (parts, realm) = (self.desk.parts(), self.desk.realm());
        let grant = child.map(|seed| grant(realm, seed));
        self.desk.bytes(who, |author, state| {
            let size = state.conversation(chat).unwrap().branches().get(0)?.size;
            let registry = state.seen_registry(state.registry_size())?;
            draft_fork(author, &parts, &state.seen(registry, chat, chat, size)?, grant)
        })
    }

    fn hand_in(&self, bytes: &[u8]) -> Result<Answer> {
        self.desk.engine.submit(Submission { envelope: bytes, body: Some(BODY) }, START)
    }

    #[track_caller]
    fn send(&self, bytes: &[u8]) -> u64 {
        match self.hand_in(bytes).unwrap() {
            Answer::Sequenced { record, error: None, .. } => record.position,
            other => panic!("{other:?}"),
        }
    }

    fn take_all(&self, held: &Held) -> Vec<u64> {
        let router = self.desk.engine.router();
        let reader = router.read_by(held).unwrap();
        let mut found = Vec::new();
        while let Some(entry) = self.desk.engine.take(held, reader).unwrap() {
            let position = entry.record.position;
            assert!(router.below_without(held, position).unwrap().unwrap() > position);
            router.acknowledge(held, position).unwrap();
            found.push(position);
        }
        found
    }

    fn code_of_take(&self, held: &Held, reader: u32) -> Option<Code> {
        self.desk.engine.take(held, reader).err().map(|fault| fault.code)
    }
}

fn bell() -> Arc<Bell> {
    Arc::new(Bell::new().unwrap())
}

fn is_rung(bell: &Bell) -> bool {
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&none)).unwrap() == 1
}

#[test]
fn everybody_has_what_is_addressed_to_him_and_the_log_says_the_same_later() {
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let [amy, art, bea, bob] = office.people[..] else { panic!() };
    let start = office.records();
    let held: Vec<Held> = (0..4).map(|at| office.here(at, 1000, &bell)).collect();
    let id = |who: Who| Addr::Id(who.agent);
    let group = |text: &str| Addr::Name(name(text));
    // What each of amy, art, bea and bob is to have of it.
    let closed = office.opening(amy, Some(vec![id(amy), id(bea), group("b")]), vec![]);
    let mut wanted = [vec![], vec![], vec![office.send(&closed)], vec![]];
    wanted[3] = wanted[2].clone();
    let open = office.opening(bea, None, vec![]);
    let position = office.send(&open);
    (0..4).filter(|at| *at != 2).for_each(|at| wanted[at].push(position));
    let (closed, open) = (id_of(&closed), id_of(&open));
    for (who, chat, to, readers) in [
        (amy, open, vec![id(art)], vec![1]),
        (amy, open, vec![id(amy), id(bob)], vec![3]),
        (amy, open, vec![group("b")], vec![2, 3]),
        (art, open, vec![group("a")], vec![0]),
        // Named twice is named once.
        (amy, open, vec![id(art), group("a"), group("all")], vec![1, 2, 3]),
        (bob, closed, vec![], vec![0, 2]),
        (bea, closed, vec![id(art)], vec![1]),
        (bob, open, vec![], vec![0, 1, 2]),
    ] {
        let bytes = office.message(who, &chat, &chat, to);
        let position = office.send(&bytes);
        readers.iter().for_each(|at| wanted[*at].push(position));
    }
    // A stranger is rejected, a fork needs no handler, and neither does what has no body.
    let strange = office.message(art, &closed, &closed, vec![id(bea)]);
    assert!(matches!(office.hand_in(&strange).unwrap(), Answer::Sequenced { error: Some(_), .. }));
    let fork = office.fork(bea, &open, Some(900));
    office.desk.record(&fork);
    let bare = office.desk.message();
    office.desk.record(&bare);
    // A sub-agent is reached by its id alone, and not as one of everybody.
    let child = Whom { id: id_of(&fork), groups: [].into(), child: true };
    let small = office.open(child.clone(), 10, start, &bell);
    let bytes = office.message(amy, &open, &open, vec![Addr::Id(child.id)]);
    let to_child = office.send(&bytes);
    let bytes = office.message(amy, &open, &open, vec![]);
    let last = office.send(&bytes);
    (1..4).for_each(|at| wanted[at].push(last));
    assert_eq!(office.desk.engine.router().waiting(&small).unwrap(), (vec![to_child], None));
    for (at, held) in held.iter().enumerate() {
        assert_eq!(office.desk.engine.router().waiting(held).unwrap(), (wanted[at].clone(), None), "{}", NAMES[at]);
        // Read from the log again, it is the same; but for what was acknowledged.
        office.desk.engine.router().close(held).unwrap();
        let again = office.open(office.whom(at), 2, start, &bell);
        assert_eq!(office.take_all(&again), wanted[at], "{}", NAMES[at]);
        office.desk.engine.router().close(&again).unwrap();
        let acked = BTreeSet::from([wanted[at][1]]);
        let opening = Opening { whom: office.whom(at), limit: 1000, start: wanted[at][0] + 1, acked };
        let later = office.desk.engine.open_inbox(opening, &bell).unwrap();
        assert_eq!(office.take_all(&later), wanted[at][2..], "{}", NAMES[at]);
    }
}

#[test]
fn what_was_not_committed_is_delivered_to_nobody() {
    let log = Arc::new(Fickle::default());
    let (mut office, bell) = (office(Arc::clone(&log)), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let held = office.here(1, 1000, &bell);
    let reader = office.desk.engine.router().read_by(&held).unwrap();
    let nothing = |office: &Office<Arc<Fickle>>| {
        assert_eq!(office.desk.engine.router().waiting(&held).unwrap(), (vec![], None));
        assert!(office.desk.engine.take(&held, reader).unwrap().is_none());
        assert!(!is_rung(&bell));
    };
    nothing(&office);
    let first = office.opening(amy, None, vec![]);
    let second = office.opening(amy, None, vec![]);
    let third = office.opening(amy, None, vec![]);
    // A log that took nothing, and says so.
    log.way.store(FULL, Ordering::SeqCst);
    assert_eq!(office.hand_in(&first).unwrap_err().code, Code::LogFull);
    nothing(&office);
    log.way.store(0, Ordering::SeqCst);
    let position = office.send(&first);
    assert_eq!(bell.drain(), [held.token()]);
    assert_eq!(office.take_all(&held), [position]);
    // The same bytes again are in the log, and were delivered.
    assert!(matches!(office.hand_in(&first).unwrap(), Answer::Duplicate(_)));
    assert!(office.take_all(&held).is_empty());
    // Others are first: what they wrote is delivered, and the own entry behind it, once.
    let realm = office.desk.realm();
    let rival = Engine::load(Arc::clone(&log.inner), key(SEQUENCER), &realm, Limits::NONE, Start::Quick).unwrap();
    let theirs = office.opening(amy, None, vec![]);
    *log.rival.lock().unwrap() = Some(Box::new(move || {
        let answer = rival.submit(Submission { envelope: &theirs, body: Some(BODY) }, START).unwrap();
        assert!(matches!(answer, Answer::Sequenced { error: None, .. }));
    }));
    let mine = office.send(&second);
    assert_eq!(office.take_all(&held), [mine - 1, mine]);
    // A log that does not say: nobody has it, before the realm was opened again and it is there.
    bell.drain();
    let reader = office.desk.engine.router().read_by(&held).unwrap();
    log.way.store(SILENT, Ordering::SeqCst);
    assert_eq!(office.hand_in(&third).unwrap_err().code, Code::LogUnknown);
    assert!(office.desk.engine.take(&held, reader).unwrap().is_none());
    assert!(!is_rung(&bell));
}

#[test]
fn what_others_append_is_delivered_when_it_is_taken_in() {
    let log = Arc::new(MemoryLog::new());
    let (mut office, bell) = (office(Arc::clone(&log)), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let realm = office.desk.realm();
    let other = Engine::load(Arc::clone(&log), key(SEQUENCER), &realm, Limits::NONE, Start::Quick).unwrap();
    let whom = office.whom(1);
    let start = other.with(|replica| Ok(replica.records())).unwrap();
    let held = other.open_inbox(Opening { whom, limit: 10, start, acked: BTreeSet::new() }, &bell).unwrap();
    let reader = other.router().read_by(&held).unwrap();
    let bytes = office.opening(amy, None, vec![]);
    let position = office.send(&bytes);
    assert!(other.take(&held, reader).unwrap().is_none());
    thread::scope(|scope| {
        let follows = scope.spawn(|| other.follow());
        let none = Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&*bell, PollFlags::IN)], Some(&none)).unwrap(), 1);
        let entry = other.take(&held, reader).unwrap().unwrap();
        assert_eq!((entry.record.position, entry.body.clone()), (position, body()));
        log.end_watch();
        follows.join().unwrap().unwrap();
    });
    assert_eq!(other.position_of(&id_of(&bytes)).unwrap(), Some(position));
    assert_eq!(other.position_of(&[1; 32]).unwrap(), None);
}

fn body() -> ama2sec_core::message::Body {
    ama2sec_core::message::Body::Present { salt: [3; 32], body: b"seven"[..].into() }
}

#[test]
fn what_cannot_be_read_when_it_comes_is_read_later_and_a_log_that_lies_is_named() {
    for (way, later) in [(THIRD, None), (SWAPPED, Some(Code::BodyMismatch))] {
        let log = Arc::new(Fickle::default());
        let (mut office, bell) = (office(Arc::clone(&log)), bell());
        let [amy, ..] = office.people[..] else { panic!() };
        let held = office.here(1, 10, &bell);
        let reader = office.desk.engine.router().read_by(&held).unwrap();
        assert!(office.desk.engine.take(&held, reader).unwrap().is_none());
        let realm = office.desk.realm();
        let rival = Engine::load(Arc::clone(&log.inner), key(SEQUENCER), &realm, Limits::NONE, Start::Quick).unwrap();
        let mut wanted = Vec::new();
        for _ in 0..2 {
            let bytes = office.opening(amy, None, vec![]);
            let answer = rival.submit(Submission { envelope: &bytes, body: Some(BODY) }, START).unwrap();
            let Answer::Sequenced { record, error: None, .. } = answer else { panic!("{answer:?}") };
            wanted.push(record.position);
        }
        // Judging reads twice, the second time to see that this was all; then comes the delivery.
        log.way.store(way, Ordering::SeqCst);
        office.desk.engine.refresh().unwrap();
        assert_eq!(bell.drain(), [held.token()]);
        assert_eq!(office.desk.engine.router().waiting(&held).unwrap(), (vec![], Some(wanted[0])));
        match later {
            None => assert_eq!(office.take_all(&held), wanted),
            Some(code) => assert_eq!(office.code_of_take(&held, reader), Some(code)),
        }
    }
}

#[test]
fn what_was_judged_and_not_yet_held_against_a_checkpoint_is_delivered_with_the_next_commit() {
    let log = Arc::new(Fickle::default());
    let (mut office, bell) = (office(Arc::clone(&log)), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let held = office.here(1, 10, &bell);
    let realm = office.desk.realm();
    let rival = Engine::load(Arc::clone(&log.inner), key(SEQUENCER), &realm, Limits::NONE, Start::Quick).unwrap();
    let (theirs, mine) = (office.opening(amy, None, vec![]), office.opening(amy, None, vec![]));
    rival.submit(Submission { envelope: &theirs, body: Some(BODY) }, START).unwrap();
    log.way.store(BUSY, Ordering::SeqCst);
    assert_eq!(office.desk.engine.refresh().unwrap_err().code, Code::LogBusy);
    assert_eq!(office.desk.engine.router().waiting(&held).unwrap(), (vec![], None));
    log.way.store(0, Ordering::SeqCst);
    let position = office.send(&mine);
    assert_eq!(office.desk.engine.router().waiting(&held).unwrap(), (vec![position - 1, position], None));
}

#[test]
fn the_memory_is_bounded_and_nothing_is_lost() {
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let held = office.here(1, 3, &bell);
    let bytes: Vec<Vec<u8>> = (0..60).map(|_| office.opening(amy, None, vec![])).collect();
    let sent: Vec<u64> = bytes.iter().map(|bytes| office.send(bytes)).collect();
    let router = office.desk.engine.router();
    assert_eq!(router.waiting(&held).unwrap(), (sent[..3].to_vec(), Some(sent[3])));
    let reader = router.read_by(&held).unwrap();
    for wanted in &sent[..3] {
        assert_eq!(office.desk.engine.take(&held, reader).unwrap().unwrap().record.position, *wanted);
    }
    assert_eq!(office.code_of_take(&held, reader), Some(Code::Backpressure));
    // The first one that waits decides what is below.
    assert_eq!(router.below_without(&held, sent[1]).unwrap(), Some(sent[0]));
    router.acknowledge(&held, sent[1]).unwrap();
    assert_eq!(router.below_without(&held, sent[1]).unwrap(), None);
    assert_eq!(router.below_without(&held, sent[0]).unwrap(), Some(sent[2]));
    router.acknowledge(&held, sent[0]).unwrap();
    assert_eq!(router.below_without(&held, sent[2]).unwrap(), Some(sent[3]));
    assert_eq!(office.desk.engine.take(&held, reader).unwrap().unwrap().record.position, sent[3]);
    router.acknowledge(&held, sent[2]).unwrap();
    // What reached no handler comes again, in its place; a new reader has all again.
    router.give_back(&held, sent[3]).unwrap();
    assert_eq!(office.desk.engine.take(&held, reader).unwrap().unwrap().record.position, sent[3]);
    assert_eq!(office.take_all(&held), sent[3..]);
    assert_eq!(office.code_of_take(&held, reader), Some(Code::AgentInUse));
    assert_eq!(router.waiting(&held).unwrap(), (vec![], None));
    assert_eq!(router.close(&held).unwrap(), office.records());
    let none = Opening { whom: office.whom(1), limit: 0, start: 0, acked: BTreeSet::new() };
    assert_eq!(office.desk.engine.open_inbox(none, &bell).unwrap_err().code, Code::ArgumentRange);
}

#[test]
fn an_old_handle_reaches_nobody_and_one_agent_is_open_once() {
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let (old, router) = (office.here(1, 10, &bell), office.desk.engine.router());
    let again = Opening { whom: office.whom(1), limit: 10, start: 0, acked: BTreeSet::new() };
    assert_eq!(office.desk.engine.open_inbox(again, &bell).unwrap_err().code, Code::AgentInUse);
    router.close(&old).unwrap();
    assert!(router.is_empty());
    // The next one in its place: another agent, which has what is sent to the old one's group no more than the old one has.
    let new = office.here(2, 10, &bell);
    assert_eq!(new.token() & 0xffff_ffff, 0);
    let bytes = office.opening(amy, None, vec![Addr::Name(name("a"))]);
    office.send(&bytes);
    let bytes = office.opening(amy, None, vec![Addr::Name(name("b"))]);
    let position = office.send(&bytes);
    let router = office.desk.engine.router();
    assert_eq!(router.waiting(&new).unwrap(), (vec![position], None));
    let codes = [
        router.read_by(&old).err(),
        router.acknowledge(&old, position).err(),
        router.below_without(&old, position).err(),
        router.give_back(&old, position).err(),
        router.waiting(&old).err(),
        router.close(&old).err(),
    ];
    assert!(codes.iter().all(|fault| fault.as_ref().is_some_and(|fault| fault.code == Code::AgentInUse)), "{codes:?}");
    assert_eq!(office.code_of_take(&old, 1), Some(Code::AgentInUse));
}

#[test]
fn consumed_is_the_prefix_before_the_first_message_that_waits_wherever_it_is() {
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let [amy, art, bea, ..] = office.people[..] else { panic!() };
    let held = office.here(1, 2, &bell);
    let opening = office.opening(amy, None, vec![Addr::Id(bea.agent)]);
    office.send(&opening);
    let chat = id_of(&opening);
    let say = |office: &mut Office<_>, to: Who, branch: &Id| {
        let bytes = office.message(amy, &chat, branch, vec![Addr::Id(to.agent)]);
        office.send(&bytes)
    };
    let mut mine = vec![say(&mut office, art, &chat)];
    say(&mut office, bea, &chat);
    mine.push(say(&mut office, art, &chat));
    let fork = office.fork(amy, &chat, None);
    office.desk.record(&fork);
    let side = id_of(&fork);
    // Two are in memory; these are in the log.
    mine.extend([say(&mut office, art, &side), say(&mut office, art, &chat), say(&mut office, bea, &chat)]);
    mine.pop();
    let consumed = |office: &Office<MemoryLog>, branch: &Id| {
        let Consumed { size, whole, base } = office.desk.engine.consumed(&held, &chat, branch).unwrap();
        (size, whole, base)
    };
    assert_eq!(office.desk.engine.router().waiting(&held).unwrap(), (mine[..2].to_vec(), Some(mine[2])));
    assert_eq!((consumed(&office, &chat), consumed(&office, &side)), ((1, 6, 0), (1, 6, 4)));
    let router = office.desk.engine.router();
    router.acknowledge(&held, mine[0]).unwrap();
    assert_eq!((consumed(&office, &chat), consumed(&office, &side)), ((3, 6, 0), (3, 6, 4)));
    router.acknowledge(&held, mine[1]).unwrap();
    // Nothing in memory, and nothing was read on yet.
    assert_eq!((consumed(&office, &chat), consumed(&office, &side)), ((4, 6, 0), (5, 6, 4)));
    assert_eq!((consumed(&office, &chat), consumed(&office, &side)), ((4, 6, 0), (5, 6, 4)));
    assert_eq!(office.take_all(&held), mine[2..]);
    assert_eq!((consumed(&office, &chat), consumed(&office, &side)), ((6, 6, 0), (6, 6, 4)));
    let code = |chat: &Id, branch: &Id| office.desk.engine.consumed(&held, chat, branch).unwrap_err().code;
    assert_eq!(code(&[1; 32], &side), Code::ConversationUnknown);
    assert_eq!(code(&chat, &[1; 32]), Code::BranchUnknown);
    // What was acknowledged before the agent was opened holds nothing back, wherever it is.
    office.desk.engine.router().close(&held).unwrap();
    let acked = BTreeSet::from([mine[1], mine[3]]);
    let opening = Opening { whom: office.whom(1), limit: 1, start: mine[0], acked };
    let again = office.desk.engine.open_inbox(opening, &bell).unwrap();
    let router = office.desk.engine.router();
    assert_eq!(router.waiting(&again).unwrap(), (vec![mine[0]], Some(mine[2])));
    router.acknowledge(&again, mine[0]).unwrap();
    let size = |branch: &Id| office.desk.engine.consumed(&again, &chat, branch).unwrap().size;
    assert_eq!((size(&chat), size(&side)), (6, 5));
}

#[test]
fn a_bell_signals_once_for_many_and_not_to_whoever_drains_himself() {
    for bell in [Bell::new().unwrap(), Bell::paired().unwrap()] {
        assert!(!is_rung(&bell));
        bell.ring(7);
        bell.ring(3);
        assert!(is_rung(&bell));
        assert_eq!(bell.drain(), [7, 3]);
        assert!(!is_rung(&bell));
        assert!(bell.drain().is_empty());
        bell.hold();
        bell.ring(5);
        assert!(!is_rung(&bell));
        assert_eq!(bell.drain(), [5]);
        bell.ring(6);
        assert!(is_rung(&bell));
        assert_eq!(bell.drain(), [6]);
        assert!(!is_rung(&bell));
    }
}

#[test]
fn a_reader_is_rung_for_once_and_only_if_it_found_nothing() {
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let [amy, ..] = office.people[..] else { panic!() };
    let held = office.here(1, 10, &bell);
    let bytes: Vec<Vec<u8>> = (0..4).map(|_| office.opening(amy, None, vec![])).collect();
    office.send(&bytes[0]);
    assert!(bell.drain().is_empty());
    let reader = office.desk.engine.router().read_by(&held).unwrap();
    assert!(office.desk.engine.take(&held, reader).unwrap().is_some());
    assert!(office.desk.engine.take(&held, reader).unwrap().is_none());
    office.send(&bytes[1]);
    office.send(&bytes[2]);
    assert_eq!(bell.drain(), [held.token()]);
    office.send(&bytes[3]);
    assert!(bell.drain().is_empty());
}

#[test]
fn many_senders_and_readers_at_once_lose_nothing_and_keep_the_order() {
    const EACH: usize = 60;
    let (mut office, bell) = (office(MemoryLog::new()), bell());
    let people = office.people.clone();
    let held: Vec<Held> = (0..4).map(|at| office.here(at, 5, &bell)).collect();
    let bytes: Vec<Vec<Vec<u8>>> =
        people.iter().map(|who| (0..EACH).map(|_| office.opening(*who, None, vec![])).collect()).collect();
    let office = &office;
    let read = |held: &Held| {
        let (engine, mut found) = (&office.desk.engine, Vec::new());
        let reader = engine.router().read_by(held).unwrap();
        while found.len() < 3 * EACH {
            match engine.take(held, reader).unwrap() {
                Some(entry) => {
                    found.push(entry.record.position);
                    engine.router().acknowledge(held, entry.record.position).unwrap();
                }
                None => thread::yield_now(),
            }
        }
        assert!(engine.take(held, reader).unwrap().is_none() || found.len() < 3 * EACH);
        found
    };
    thread::scope(|scope| {
        let readers: Vec<_> = held.iter().map(|held| scope.spawn(move || read(held))).collect();
        for mine in &bytes {
            scope.spawn(move || mine.iter().for_each(|bytes| assert!(office.send(bytes) > 0)));
        }
        for reader in readers {
            let found = reader.join().unwrap();
            assert!(found.is_sorted_by(|a, b| a < b));
        }
    });
}
