//! What the check of a workflow adds to the admission of a message, its signature included, and whether what a rollback costs depends on
//! what it leaves alone. CPU time of all threads, in turn; prints ratios and asserts only that every entry is admitted.

use std::hint::black_box;

use crate::admission::{Bench, Outcome, ROUNDS, SLICE, admitted, seen, timed};
use crate::clock::{cpu_of_all, median};
use crate::support::flow::{Doc, Word, with_rollback};
use crate::support::{self, Who, name, root};
use ama2sec_core::message::{Id, OpenPart, Output, Proposal, RollbackPart};
use ama2sec_core::realm::definition::Definition;
use ama2sec_core::realm::draft::{draft_fork, draft_message, draft_open, draft_proposal, draft_rollback};
use ama2sec_core::realm::engine::Submission;
use ama2sec_core::realm::undoing::undoing;

const AUTHORS: u16 = 64;
/// What it may add.
const ADDED: f64 = 0.10;
/// Rounds of five slices each.
const CHECKED: usize = ROUNDS / 3;
const OTHERS: usize = 100_000;
const INSTANCES: usize = 10_000;
/// Branches that a rollback cuts.
const CUT: usize = 10;
const ROLLBACKS: usize = 200;
const REALMS: usize = 7;

pub fn run() -> Outcome {
    println!(
        "a step of a workflow against a message without one, {AUTHORS} authors, slices of {SLICE}, CPU time of all threads"
    );
    checked()?;
    println!("a rollback that cuts {CUT} branches, CPU time of planning and of admitting it, medians of {ROLLBACKS}");
    let few = rollbacks(&mut Bench::new(AUTHORS, 1)?, ROLLBACKS, false)?;
    let branches = rollbacks(&mut Bench::new(AUTHORS, OTHERS)?, ROLLBACKS, false)?;
    let [mut plans, mut admits] = [vec![], vec![]];
    for _ in 0..REALMS {
        let mut running = Flow::new()?;
        while running.instances.len() < INSTANCES {
            let starts = running.stage(0)?;
            running.submit(&starts, true)?;
        }
        // One only: the next would cut the successor, which has no instances of its own.
        let [plan, admit] = rollbacks(&mut running.bench, 1, true)?;
        plans.push(plan);
        admits.push(admit);
    }
    let instances = [median(&mut plans), median(&mut admits)];
    println!("    {:<50} {:>21} {:>20}", "", "planning", "admitting");
    for (what, [plan, admit]) in [
        ("nothing else in the conversation", few),
        ("100,000 other branches", branches),
        ("10,000 instances further down on the same branch", instances),
    ] {
        let [alone, admitted] = few;
        println!("    {what:<50} {plan:>11.2} us {:>5.2}x {admit:>11.2} us {:>5.2}x", plan / alone, admit / admitted);
    }
    Ok(())
}

/// The stages of one instance, each of which needs the one before.
const STAGES: [&str; 5] = ["request", "check", "execute", "execute", "settle"];

fn steps() -> Vec<Doc> {
    vec![
        Doc { outputs: vec![("total", 1)], ..Doc::new("request", "desk", &[]) },
        Doc { when: vec![(0, "total", 1, Output::Int(1000))], ..Doc::new("check", "desk", &[0]) },
        Doc { approvals: Some((1, 1, vec!["desk"])), deadline: Some(86_400_000), ..Doc::new("execute", "desk", &[1]) },
        Doc { terminal: true, ..Doc::new("settle", "desk", &[2]) },
    ]
}

/// A conversation in which messages are steps, and one in which they are not.
struct Flow {
    bench: Bench,
    definition: Id,
    /// With the last message that took a step in it, and its author.
    instances: Vec<(Id, Id, usize)>,
    plain: Id,
}

impl Flow {
    fn new() -> Outcome<Flow> {
        let mut bench = Bench::new(AUTHORS, 1)?;
        let document = with_rollback("trading", 0, &["desk"], 64, &steps());
        let definition = *Definition::parse(&document)?.id();
        let mut parts = bench.parts(0)?;
        // The root has enrolled the authors.
        parts.seq.counter += u32::from(AUTHORS);
        let proposal = Proposal::Define { name: name("trading"), replaces: None, document };
        let envelope = bench.engine.with(|replica| {
            let registry = replica.state().seen_registry(replica.state().registry_size())?;
            Ok(support::signed(root(0), |author| draft_proposal(author, &parts, &registry, proposal)))
        })?;
        admitted(&bench.engine.submit(Submission { envelope: &envelope, body: None }, support::START)?)?;
        let plain = bench.chat;
        let (parts, who) = (bench.parts(1)?, bench.author(1)?);
        let open = OpenPart { members: None, required: true, definition: Some(name("trading")) };
        let envelope = bench.engine.with(|replica| {
            let registry = replica.state().seen_registry(replica.state().registry_size())?;
            Ok(support::signed(who, |author| draft_open(author, &parts, &registry, open)))
        })?;
        admitted(&bench.engine.submit(Submission { envelope: &envelope, body: None }, support::START)?)?;
        bench.chat = support::id_of(&envelope);
        Ok(Flow { bench, definition, instances: Vec::new(), plain })
    }

    /// A slice of messages, each of which takes one stage further an instance of its own, or starts it.
    fn stage(&mut self, stage: usize) -> Outcome<Vec<Vec<u8>>> {
        let step = *STAGES.get(stage).ok_or("a stage")?;
        let first = self.instances.len().saturating_sub(SLICE);
        let mut made = Vec::with_capacity(SLICE);
        for number in 0..SLICE {
            let before = if stage == 0 { None } else { self.instances.get(first + number).copied() };
            let author = before.map_or(number, |(_, _, last)| last + 1) % usize::from(AUTHORS);
            let approves = before.filter(|_| stage == 2).map(|(_, last, _)| last);
            let outputs = if stage == 0 { vec![("total", Output::Int(990))] } else { Vec::new() };
            let instance = before.map(|(id, ..)| id);
            let word = Word { instance, definition: self.definition, step, outputs, approves };
            let envelope = self.message(self.bench.chat, author, Some(&word))?;
            let id = support::id_of(&envelope);
            match (stage, self.instances.get_mut(first + number)) {
                (0, _) => self.instances.push((id, id, author)),
                (2, _) => {}
                (_, Some(instance)) => (instance.1, instance.2) = (id, author),
                _ => return Err("an instance".into()),
            }
            made.push(envelope);
        }
        Ok(made)
    }

    fn plain(&mut self) -> Outcome<Vec<Vec<u8>>> {
        let authors = (0..SLICE).map(|number| number % usize::from(AUTHORS));
        authors.map(|author| self.message(self.plain, author, None)).collect()
    }

    fn message(&mut self, chat: Id, author: usize, word: Option<&Word>) -> Outcome<Vec<u8>> {
        let (mut parts, who) = (self.bench.parts(author)?, self.bench.author(author)?);
        parts.workflow = word.map(Word::state);
        Ok(self.bench.engine.with(|replica| {
            let seen = seen(replica.state(), &chat, &chat)?;
            Ok(support::signed(who, |author| draft_message(author, &parts, &seen, Vec::new())))
        })?)
    }
}

fn checked() -> Outcome {
    let mut flow = Flow::new()?;
    for (how, bulk) in [("in bulk", true), ("one by one", false)] {
        let (mut plains, mut steps, mut added) = (vec![], vec![], vec![]);
        for _ in 0..CHECKED {
            for stage in 0..STAGES.len() {
                let plain = flow.plain()?;
                let plain = flow.timed(&plain, bulk)?;
                let step = flow.stage(stage)?;
                let step = flow.timed(&step, bulk)?;
                plains.push(plain);
                steps.push(step);
                added.push(step / plain - 1.0);
            }
        }
        let share = median(&mut added);
        let verdict = if share <= ADDED { "met" } else { "NOT MET" };
        println!(
            "    {how:<12} without {:>7.2} us, with {:>7.2} us   {:+.1} %, asked <= {:.0} %   {verdict}",
            median(&mut plains),
            median(&mut steps),
            share * 100.0,
            ADDED * 100.0
        );
    }
    Ok(())
}

impl Flow {
    fn timed(&self, made: &[Vec<u8>], bulk: bool) -> Outcome<f64> {
        timed(|| self.submit(made, bulk))
    }

    fn submit(&self, made: &[Vec<u8>], bulk: bool) -> Outcome {
        let mut all = made.iter().map(|envelope| Submission { envelope, body: None });
        if bulk {
            let all: Vec<Submission<'_>> = all.collect();
            return self.bench.engine.submit_many(&all, support::START)?.iter().try_for_each(admitted);
        }
        all.try_for_each(|one| admitted(&self.bench.engine.submit(one, support::START)?))
    }
}

/// Microseconds of planning a rollback, and of admitting it. `below`: it cuts the conversation's first branch.
fn rollbacks(bench: &mut Bench, rounds: usize, below: bool) -> Outcome<[f64; 2]> {
    let (mut plans, mut admits) = (vec![], vec![]);
    for round in 0..rounds {
        let author = round % usize::from(AUTHORS);
        let chat = bench.chat;
        let target = if below { chat } else { entry(bench, author, &chat, true)? };
        entry(bench, author, &target, false)?;
        for _ in 1..CUT {
            entry(bench, author, &target, true)?;
        }
        let (parts, who) = (bench.parts(author)?, bench.author(author)?);
        let begun = cpu_of_all();
        let (plan, keep) = bench.engine.with(|replica| {
            let keep = seen(replica.state(), &chat, &target)?.size - 1;
            Ok((undoing(replica.state(), &chat, &target, keep, 10_000)?, keep))
        })?;
        plans.push((cpu_of_all() - begun).as_secs_f64() * 1e6);
        if plan.cuts.len() != CUT {
            return Err(format!("{} branches would be cut", plan.cuts.len()).into());
        }
        let part = RollbackPart { target, keep, count: plan.count, hash: plan.hash, reason: "bench".to_owned() };
        let envelope = bench.engine.with(|replica| {
            let seen = seen(replica.state(), &chat, &target)?;
            Ok(support::signed(who, |author| draft_rollback(author, &parts, &seen, part)))
        })?;
        let begun = cpu_of_all();
        let answer = bench.engine.submit(Submission { envelope: &envelope, body: None }, support::START)?;
        admits.push((cpu_of_all() - begun).as_secs_f64() * 1e6);
        black_box(admitted(&answer)?);
    }
    Ok([median(&mut plans), median(&mut admits)])
}

/// A fork of a branch, or a message in it.
fn entry(bench: &mut Bench, author: usize, branch: &Id, fork: bool) -> Outcome<Id> {
    let (parts, who, chat): (_, Who, Id) = (bench.parts(author)?, bench.author(author)?, bench.chat);
    let envelope = bench.engine.with(|replica| {
        let seen = seen(replica.state(), &chat, branch)?;
        Ok(support::signed(who, |author| {
            if fork {
                draft_fork(author, &parts, &seen, None)
            } else {
                draft_message(author, &parts, &seen, Vec::new())
            }
        }))
    })?;
    admitted(&bench.engine.submit(Submission { envelope: &envelope, body: None }, support::START)?)?;
    Ok(support::id_of(&envelope))
}
