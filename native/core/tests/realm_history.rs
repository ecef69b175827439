//! Random histories: a replica of one conversation agrees with the whole one after every entry, a state put together from its digest
//! agrees with itself, and ancestors agree with a plain walk over the entries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "realm_support/mod.rs"]
mod support;

use std::collections::{BTreeSet, HashMap};

use ama2sec_core::identity::Purpose;
use ama2sec_core::message::{GrantPart, Id, Kind, Merge, Proposal, UnverifiedEnvelope};
use ama2sec_core::realm::branches::Prefix;
use ama2sec_core::realm::{State, Verdict, admit};
use support::*;

/// What random agents do, with faults among it.
struct Play {
    world: World,
    random: Random,
    agents: Vec<Who>,
    chats: Vec<Id>,
    next: u16,
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut world = World::default();
        let agents =
            (1..5).map(|seed| world.enrol(&format!("agent-{seed}"), seed, Purpose::Message, &["all"])).collect();
        Play { world, random: Random(seed), agents, chats: Vec::new(), next: 200 }
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.random.below(list.len() as u64) as usize]
    }

    fn branch(&mut self, chat: Id) -> Id {
        let branches: Vec<Id> =
            self.world.state.conversation(&chat).unwrap().branches().all().iter().map(|branch| branch.id).collect();
        self.pick(&branches)
    }

    /// A context somewhere above the branch's base, most often the newest.
    fn lagging(&mut self, chat: Id, branch: Id) -> ama2sec_core::realm::draft::Seen {
        let branches = self.world.state.conversation(&chat).unwrap().branches();
        let found = branches.get(branches.number(&branch).unwrap()).unwrap();
        let (base, size) = (found.base, found.size);
        let lag = if self.random.below(3) == 0 { self.random.below(size - base) } else { 0 };
        self.world.seen_at(chat, branch, size - lag)
    }

    fn step(&mut self) -> Option<Outcome> {
        let agents = self.agents.clone();
        let who = self.pick(&agents);
        if self.chats.is_empty() || self.random.below(40) == 0 {
            if who.grant.is_none() {
                let bytes = self.world.open_bytes(who, None);
                let outcome = self.world.offer(&bytes);
                if let Outcome::Admitted(home) = outcome {
                    self.chats.push(home.branch);
                }
                return Some(outcome);
            }
            return None;
        }
        let chats = self.chats.clone();
        let chat = match who.grant {
            Some(id) => *chats.iter().find(|chat| self.world.state.conversation(chat).unwrap().grant(&id).is_some())?,
            None => self.pick(&chats),
        };
        let branch = self.branch(chat);
        let seen = self.lagging(chat, branch);
        Some(match self.random.below(20) {
            0..=7 => self.world.say(who, &seen, vec![]),
            8..=12 => {
                let merges = self.merges(chat, branch);
                self.world.say(who, &seen, merges)
            }
            13..=14 => self.world.fork(who, &seen, None),
            15..=16 => {
                self.next += 1;
                let part =
                    GrantPart { rights: 3, depth: self.random.below(4) as u8, ..grant(self.world.realm(), self.next) };
                let outcome = self.world.fork(who, &seen, Some(part));
                if let Outcome::Admitted(home) = outcome {
                    self.agents.push(Who { seed: self.next, agent: home.branch, grant: Some(home.branch) });
                }
                outcome
            }
            17 => self.world.close(who, &seen, self.random.below(12) == 0),
            18 => {
                // Another branch's context, or a number that was used.
                let mut wrong = seen;
                wrong.parent = [9; 32];
                self.world.say(who, &wrong, vec![])
            }
            _ => self.registry_step(),
        })
    }

    fn registry_step(&mut self) -> Outcome {
        self.next += 1;
        let (next, roll) = (self.next, self.random.below(6));
        let by = root(self.random.below(3) as usize);
        let agent = self.pick(&self.agents.clone()).agent;
        match roll {
            0..=2 => {
                let part = enrol_part(self.world.realm(), &format!("late-{next}"), next, Purpose::Message, &[], None);
                self.world.propose(by, Proposal::Enrol(Box::new(part)))
            }
            3 => self.world.propose(by, Proposal::Erase { message: agent, reason: "late".into() }),
            4 => {
                let open = self.world.state.registry().unwrap().proposals().next().map(|open| open.id);
                self.world.approve(by, Kind::Erase, open.unwrap_or(agent))
            }
            _ => self.world.propose(by, Proposal::Revoke { agent, suspect_from: None, reason: String::new() }),
        }
    }

    /// Heads of other branches, some of them stale.
    fn merges(&mut self, chat: Id, own: Id) -> Vec<Merge> {
        let count = 1 + self.random.below(3);
        let mut merges: Vec<Merge> = Vec::new();
        for _ in 0..count {
            let branch = self.branch(chat);
            if branch != own && merges.iter().all(|merge| merge.branch != branch) {
                let seen = self.lagging(chat, branch);
                merges.push(Merge { branch, size: seen.size, fingerprint: seen.fingerprint });
            }
        }
        merges
    }
}

fn played(seed: u64, steps: usize) -> Play {
    let mut play = Play::new(seed);
    for _ in 0..steps {
        play.step();
    }
    play
}

/// Feeds what was kept into a state that follows one conversation (or all), and compares after every entry.
fn replayed(kept: &[Kept], only: Option<Id>, mut each: impl FnMut(&State, &Kept)) {
    let realm = kept[0].id;
    let mut state = State::new();
    for entry in
        kept.iter().filter(|entry| only.is_none_or(|only| entry.conversation == only || entry.conversation == realm))
    {
        let authentic = screen(&state, entry.stamp.registry_size, &entry.envelope).unwrap();
        let verdict = admit(&state, entry.stamp, &authentic).unwrap();
        assert_eq!(verdict.code(), entry.code);
        assert_eq!(verdict.delta().home(), entry.home);
        state.apply(verdict.into_delta()).unwrap();
        each(&state, entry);
    }
}

#[test]
fn a_replica_of_one_conversation_agrees_after_every_entry() {
    let mut admitted = 0;
    let mut rejected = 0;
    for seed in [3, 77, 901, 4242] {
        let play = played(seed, 260);
        let mut digests: HashMap<Id, (Option<Id>, Id)> = HashMap::new();
        replayed(&play.world.kept, None, |state, entry| {
            digests.insert(
                entry.id,
                (state.conversation_digest(&entry.conversation).ok(), state.registry_digest().unwrap()),
            );
        });
        admitted += play.world.kept.iter().filter(|kept| kept.code == 0).count();
        rejected += play.world.kept.iter().filter(|kept| kept.code != 0).count();
        for chat in &play.chats {
            replayed(&play.world.kept, Some(*chat), |state, entry| {
                let own = (state.conversation_digest(&entry.conversation).ok(), state.registry_digest().unwrap());
                assert_eq!(own, digests[&entry.id]);
            });
        }
    }
    assert!(admitted > 400 && rejected > 100, "{admitted} {rejected}");
}

/// The leaves that each branch of a conversation owns.
fn own_leaves(state: &State, chat: &Id) -> HashMap<Id, Vec<Id>> {
    let branches = state.conversation(chat).unwrap().branches();
    (0u32..)
        .zip(branches.all())
        .map(|(number, branch)| {
            (branch.id, (branch.base..branch.size).map(|index| branches.leaf(number, index).unwrap()).collect())
        })
        .collect()
}

fn rebuilt(state: &State) -> State {
    let registry = state.registry().unwrap();
    let leaves: Vec<Id> = (0..registry.size()).map(|index| registry.leaf(index).unwrap()).collect();
    let conversations: Vec<_> =
        state.conversations().iter().map(|chat| (chat.canonical().unwrap(), own_leaves(state, chat.id()))).collect();
    State::rebuild(&registry.canonical().unwrap(), &leaves, &HashMap::new(), &conversations).unwrap()
}

#[test]
fn a_state_put_together_from_its_digest_gives_the_same_verdicts() {
    for seed in [5, 99] {
        let play = played(seed, 240);
        let kept = &play.world.kept;
        let mut state = State::new();
        let mut compared = 0;
        for (at, entry) in kept.iter().enumerate() {
            if at > 40 && at % 16 == 0 {
                state = rebuilt(&state);
            }
            let authentic = screen(&state, entry.stamp.registry_size, &entry.envelope).unwrap();
            let verdict = admit(&state, entry.stamp, &authentic).unwrap();
            assert_eq!((verdict.code(), verdict.delta().home()), (entry.code, entry.home), "{at}");
            state.apply(verdict.into_delta()).unwrap();
            compared += 1;
        }
        assert_eq!(compared, kept.len());
        let whole = &play.world.state;
        assert_eq!(state.registry_digest().unwrap(), whole.registry_digest().unwrap());
        for chat in &play.chats {
            assert_eq!(state.conversation_digest(chat).unwrap(), whole.conversation_digest(chat).unwrap());
        }
    }
}

/// Ancestors as a plain walk: what each entry names, and what that names.
struct Walk {
    /// (branch, size) -> the leaves below.
    chains: HashMap<Id, Vec<Id>>,
    context: HashMap<Id, (Id, u64, Vec<Merge>)>,
}

impl Walk {
    fn of(state: &State, chat: Id, kept: &[Kept]) -> Walk {
        let branches = state.conversation(&chat).unwrap().branches();
        let chains = (0u32..)
            .zip(branches.all())
            .map(|(number, branch)| {
                (branch.id, (0..branch.size).map(|at| branches.leaf(number, at).unwrap()).collect())
            })
            .collect();
        let own = kept.iter().filter(|entry| entry.conversation == chat && entry.code == 0);
        let context = own
            .map(|entry| {
                let parsed = UnverifiedEnvelope::parse(&entry.envelope).unwrap();
                let claims = parsed.claims();
                (entry.id, (claims.branch, claims.context.size, claims.merges.clone()))
            })
            .collect();
        Walk { chains, context }
    }

    /// All leaves of a prefix, and those of every head that is merged by a leaf of it.
    fn prefix(&self, branch: &Id, size: u64, into: &mut BTreeSet<Id>) {
        let mut heads = vec![(*branch, size)];
        let mut done = BTreeSet::new();
        while let Some((branch, size)) = heads.pop() {
            if !done.insert((branch, size)) {
                continue;
            }
            for leaf in &self.chains[&branch][..size as usize] {
                if into.insert(*leaf) {
                    heads.extend(self.context[leaf].2.iter().map(|merge| (merge.branch, merge.size)));
                }
            }
        }
    }

    fn ancestors(&self, id: &Id) -> BTreeSet<Id> {
        let (branch, size, merges) = &self.context[id];
        let mut all = BTreeSet::new();
        if *size > 0 {
            self.prefix(branch, *size, &mut all);
        }
        merges.iter().for_each(|merge| self.prefix(&merge.branch, merge.size, &mut all));
        all
    }
}

#[test]
fn ancestors_are_those_of_a_plain_walk() {
    let mut merged = 0;
    for seed in [8, 1234, 31] {
        let play = played(seed, 300);
        for chat in &play.chats {
            let state = &play.world.state;
            let branches = state.conversation(chat).unwrap().branches();
            let walk = Walk::of(state, *chat, &play.world.kept);
            for (id, (branch, size, merges)) in walk.context.iter().filter(|(_, (_, size, _))| *size > 0) {
                merged += merges.len();
                let start =
                    branches.ancestors(Prefix { branch: branches.number(branch).unwrap(), size: *size }).unwrap();
                let set =
                    merges.iter().try_fold(start, |set, merge| branches.with_head(set, branches.head(merge)?)).unwrap();
                let mut found = BTreeSet::new();
                for (number, size) in branches.map(&set).unwrap() {
                    let own = branches.get(number).unwrap();
                    assert!(size > own.base, "no branch without a leaf of its own");
                    assert_eq!(branches.covered(&set, number).unwrap(), size);
                    found.extend((own.base..size).map(|index| branches.leaf(number, index).unwrap()));
                }
                assert_eq!(found, walk.ancestors(id), "{seed}");
            }
        }
    }
    assert!(merged > 60, "{merged}");
}

#[test]
fn a_merge_is_stale_exactly_when_a_plain_walk_finds_nothing_new() {
    let (mut stale, mut fresh) = (0, 0);
    for seed in [17, 18, 19] {
        let mut play = played(seed, 150);
        let chats = play.chats.clone();
        for _ in 0..120 {
            let chat = play.pick(&chats);
            let conversation = play.world.state.conversation(&chat).unwrap();
            if conversation.is_closed() {
                continue;
            }
            let branch = play.branch(chat);
            let (seen, merges) = (play.lagging(chat, branch), play.merges(chat, branch));
            let walk = Walk::of(&play.world.state, chat, &play.world.kept);
            let mut sorted = merges.clone();
            sorted.sort_by_key(|merge| merge.branch);
            let mut all = BTreeSet::new();
            walk.prefix(&branch, seen.size, &mut all);
            let expected = sorted.iter().all(|merge| {
                let before = all.len();
                walk.prefix(&merge.branch, merge.size, &mut all);
                all.len() > before
            });
            let who = play.agents[0];
            let parts = play.world.parts(who, chat, vec![]);
            let bytes =
                signed(who, |author| ama2sec_core::realm::draft::draft_message(author, &parts, &seen, merges.clone()));
            let stamp = play.world.stamp();
            let entry = screen(&play.world.state, stamp.registry_size, &bytes).unwrap();
            match admit(&play.world.state, stamp, &entry).unwrap() {
                Verdict::Rejected(error, _) if error.code.as_str() == "MergeStale" => {
                    assert!(!expected);
                    stale += 1;
                }
                Verdict::Admitted(_) => {
                    assert!(expected);
                    fresh += 1;
                }
                Verdict::Rejected(..) => {}
            }
        }
    }
    assert!(stale > 20 && fresh > 20, "{stale} {fresh}");
}
