//! Trees against a bare loop of the same hashes, in one process, one thread, in turn, in CPU time; many branches at random; memory.
//!
//!     bench [--big]              signatures, proofs and trees
//!     bench proofs [--check]     proofs alone; `--check`: the microseconds of one check, for the other benchmarks
//!     bench trees [--big]        trees alone; `--big`: 10 M leaves, 10 messages in each of 1 M branches
//!     bench memory KIND COUNT    what one kind of store holds, in a process of its own (the others call it)

use std::error::Error;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use ama2sec_core::history::Hash;
use ama2sec_core::history::accumulator::{BranchTree, Scope, TreeHash};
use ama2sec_core::history::forest::{Branch, Forest};
use ama2sec_core::history::node_file::{FileBranch, NodeFile};
use ama2sec_core::history::nodes::{MemoryNodes, NodeStore};
use ama2sec_core::history::sha_tree::Rfc6962;

use crate::clock::{cpu, median};

type Outcome<T> = Result<T, Box<dyn Error>>;

const SCOPE: Scope = Scope { realm: [1; 32], conversation: [2; 32], branch: [2; 32] };
/// Appends in a slice, and slices of each side.
const SLICE: u64 = 1_000;
const SLICES: usize = 41;
const MILLION: u64 = 1_000_000;

pub fn run(asked: &[String]) -> Outcome<()> {
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    match asked.as_slice() {
        ["memory", kind, count] => return memory(kind, count.parse()?),
        [] | ["--big"] | ["trees"] | ["trees", "--big"] => {}
        _ => return Err("bench [trees] [--big]".into()),
    }
    let big = asked.contains(&"--big");
    println!(
        "\none branch in memory, one thread: an append, the root and the fingerprint, against a loop of the same hashes"
    );
    let sizes: &[u64] =
        if big { &[1_000, 10_000, 100_000, MILLION, 10 * MILLION] } else { &[1_000, 10_000, 100_000, MILLION] };
    let mut rate = 0.0;
    for size in sizes {
        let found = single::<BranchTree, _>(*size, MemoryNodes::default())?;
        found.print(*size, (*size == MILLION).then_some(0.65));
        rate = if *size == MILLION { found.rate() } else { rate };
    }
    println!("the realm tree (SHA-256): an append and the root");
    single::<Rfc6962, _>(MILLION, MemoryNodes::default())?.print(MILLION, Some(0.65));
    println!("one branch with its nodes in a file");
    single::<BranchTree, _>(MILLION, NodeFile::new(tempfile::tempfile()?).branch())?.print(MILLION, None);
    let each = if big { 10 } else { 3 };
    println!("1 M branches, {each} messages in each, at random: an append, the root and the fingerprint");
    independent(each)?.print("independent branches", rate, 0.7);
    forks(each)?.print("forks off a parent of 1 M leaves", rate, 0.35);
    chain()?;
    println!("memory, by capacity and as the process sees it (RSS)");
    in_own_process("memory", MILLION)?;
    in_own_process("file", if big { MILLION } else { MILLION / 10 })?;
    in_own_process("long", if big { 10 * MILLION } else { MILLION })
}

/// The hash of a tree, and what is asked of it after an append.
trait Measured: TreeHash {
    /// Hashes beyond the root, for each append.
    const BEYOND: u32;
    fn beyond(n: u64, root: &Hash) -> Hash;
}

impl Measured for BranchTree {
    const BEYOND: u32 = 1;
    fn beyond(n: u64, root: &Hash) -> Hash {
        SCOPE.fingerprint(n, root)
    }
}

impl Measured for Rfc6962 {
    const BEYOND: u32 = 0;
    fn beyond(_: u64, root: &Hash) -> Hash {
        *root
    }
}

struct Single {
    ours: f64,
    bare: f64,
    ratio: f64,
    hashes: f64,
}

impl Single {
    fn rate(&self) -> f64 {
        1e3 / self.ours
    }

    fn print(&self, size: u64, asked: Option<f64>) {
        print!("  at {size:>9} leaves {:>7.0} ns  {:>5.2} M/s  {:>4.1} hashes", self.ours, self.rate(), self.hashes);
        print!(
            "  {:>5.0} ns a hash  bare loop {:>7.0} ns  ratio {:.2}",
            self.ours / self.hashes,
            self.bare,
            self.ratio
        );
        verdict(asked.map(|asked| (self.ratio, asked)));
    }
}

fn verdict(found: Option<(f64, f64)>) {
    match found {
        Some((found, asked)) => {
            println!("   asked: >= {asked:.2}   {}", if found >= asked { "met" } else { "NOT MET" })
        }
        None => println!(),
    }
}

fn single<T: Measured, S: NodeStore>(size: u64, nodes: S) -> Outcome<Single> {
    let (mut forest, branch) = Forest::<T, S>::with_branch(nodes);
    fill(&mut forest, branch, size)?;
    let (mut ours, mut bare, mut ratios, mut hashes) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..SLICES {
        // Every slice starts at the same size, so that it is measured at the size that is printed.
        forest.truncate(branch, size)?;
        let start = cpu();
        for n in size..size + SLICE {
            forest.append(branch, &leaf(n))?;
            let root = forest.root(branch, n + 1)?.ok_or("a root")?;
            black_box(T::beyond(n + 1, &root));
        }
        let our = (cpu() - start).as_nanos() as f64;
        let start = cpu();
        for n in size..size + SLICE {
            // As many as the append and the root need, each on the result of the last.
            let mut node = leaf(n);
            let (completed, bagged) = (n.trailing_ones(), (n + 1).count_ones() - 1);
            for _ in 0..completed + bagged {
                node = T::node(black_box(&node), &node);
            }
            black_box(T::beyond(n + 1, &node));
            hashes += completed + bagged + T::BEYOND;
        }
        let loop_time = (cpu() - start).as_nanos() as f64;
        ratios.push(loop_time / our);
        ours.push(our / SLICE as f64);
        bare.push(loop_time / SLICE as f64);
    }
    let hashes = f64::from(hashes) / (SLICE as f64 * SLICES as f64);
    Ok(Single { ours: median(&mut ours), bare: median(&mut bare), ratio: median(&mut ratios), hashes })
}

fn fill<T: TreeHash, S: NodeStore>(forest: &mut Forest<T, S>, branch: Branch, size: u64) -> Outcome<()> {
    let mut at = forest.size(branch)?;
    while at < size {
        let piece: Vec<Hash> = (at..size.min(at + 4096)).map(leaf).collect();
        at = forest.extend(branch, &piece)?;
    }
    Ok(())
}

/// Work on many branches at random.
struct Many {
    operations: u64,
    time: Duration,
    /// The 99th percentile of the first half of the operations, and of the second.
    p99: [f64; 2],
}

impl Many {
    fn print(&self, name: &str, single: f64, asked: f64) {
        let rate = self.operations as f64 / self.time.as_secs_f64() / 1e6;
        let [first, second] = self.p99;
        print!("  {name:<34} {rate:>5.2} M/s  of one branch {:.2}", rate / single);
        verdict(Some((rate / single, asked)));
        let (times, met) = (second / first, if second / first <= 1.5 { "met" } else { "NOT MET" });
        println!("    p99 {first:.2} us, in the second half {second:.2} us: {times:.2}x   asked: <= 1.50   {met}");
    }
}

fn independent(each: u64) -> Outcome<Many> {
    let mut forest = Forest::<BranchTree, MemoryNodes>::default();
    let branches = (0..MILLION).map(|_| forest.plant(MemoryNodes::default())).collect::<Result<Vec<_>, _>>()?;
    at_random(&mut forest, &branches, each)
}

fn forks(each: u64) -> Outcome<Many> {
    let (mut forest, main) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    fill(&mut forest, main, MILLION)?;
    let mut fork = |i| forest.fork(main, scattered(i, MILLION) + 1, MemoryNodes::default());
    let branches = (0..MILLION).map(&mut fork).collect::<Result<Vec<_>, _>>()?;
    at_random(&mut forest, &branches, each)
}

/// A fork of a fork of a fork: finding the owner of a node takes a logarithmic number of steps.
fn chain() -> Outcome<()> {
    const DEEP: u64 = 10_000;
    let (mut forest, mut branch) = Forest::<BranchTree, _>::with_branch(MemoryNodes::default());
    for size in 1..=DEEP {
        forest.append(branch, &leaf(size))?;
        branch = forest.fork(branch, size, MemoryNodes::default())?;
    }
    let start = cpu();
    for i in 0..SLICE {
        black_box(forest.leaf(branch, scattered(i, DEEP))?);
    }
    let each = (cpu() - start).as_nanos() as f64 / SLICE as f64;
    println!("  a leaf at random through a chain of {DEEP} forks: {each:.0} ns");
    Ok(())
}

fn at_random(forest: &mut Forest<BranchTree, MemoryNodes>, branches: &[Branch], each: u64) -> Outcome<Many> {
    let operations = branches.len() as u64 * each;
    let mut times = [Vec::new(), Vec::new()];
    let start = cpu();
    for i in 0..operations {
        let branch = branches[scattered(i, branches.len() as u64) as usize];
        // The clock costs as much as a hash: only one of 16 is timed by itself.
        let began = (i % 16 == 0).then(Instant::now);
        let index = forest.append(branch, &leaf(i))?;
        black_box(forest.fingerprint(&SCOPE.realm, &SCOPE.conversation, branch, index + 1)?);
        if let Some(began) = began {
            times[usize::from(i >= operations / 2)].push(began.elapsed().as_nanos() as f64 / 1e3);
        }
    }
    let time = cpu() - start;
    let p99 = times.map(|mut half| {
        half.sort_by(f64::total_cmp);
        half[half.len() * 99 / 100]
    });
    Ok(Many { operations, time, p99 })
}

fn in_own_process(kind: &str, count: u64) -> Outcome<()> {
    let status = Command::new(std::env::current_exe()?).args(["memory", kind, &count.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("bench memory {kind}: {status}").into()) }
}

const MESSAGES: u64 = 10;

fn memory(kind: &str, count: u64) -> Outcome<()> {
    let shared = || tempfile::tempfile().map(NodeFile::new);
    match kind {
        "memory" => {
            let name = format!("{count} branches of {MESSAGES} messages in memory");
            let (counted, seen) = grown(count, MemoryNodes::default, MemoryNodes::resident)?;
            held(&name, counted, seen, count, 100 + 70 * MESSAGES);
        }
        "file" => {
            let name = format!("{count} branches of {MESSAGES} messages in a file");
            let file = shared()?;
            let (counted, seen) = grown(count, || file.branch(), FileBranch::resident)?;
            held(&name, counted, seen, count, 250);
        }
        "long" => {
            let file = shared()?;
            let before = rss()?;
            let (mut forest, branch) = Forest::<BranchTree, _>::with_branch(file.branch());
            fill(&mut forest, branch, count)?;
            let branch_alone = size_of_val(&forest) + forest.resident(FileBranch::resident);
            let name = format!("one branch of {count} leaves in a file of {} MB", file.given() / MILLION);
            println!(
                "  {name}: {branch_alone} B by capacity, RSS with what the file remembers {} kB",
                (rss()? - before) / 1000
            );
        }
        _ => return Err("memory, file or long".into()),
    }
    Ok(())
}

/// Bytes by capacity and by RSS after the branches have grown by turns, in random order, one message at a time.
fn grown<S: NodeStore>(count: u64, store: impl Fn() -> S, of: impl Fn(&S) -> usize) -> Outcome<(u64, u64)> {
    let before = rss()?;
    let mut forest = Forest::<BranchTree, S>::default();
    let branches = (0..count).map(|_| forest.plant(store())).collect::<Result<Vec<_>, _>>()?;
    // Any odd step visits every branch once a round where the count is even; the handles are not counted below.
    for i in 0..count * MESSAGES {
        let at = (i * 611_953) % count;
        forest.append(branches[at as usize], &leaf(i))?;
    }
    let handles = size_of_val(branches.as_slice()) as u64;
    Ok((forest.resident(of) as u64, rss()? - before - handles))
}

fn held(name: &str, counted: u64, seen: u64, count: u64, asked: u64) {
    let each = |bytes: u64| bytes as f64 / count as f64;
    print!("  {name}: {:.0} B a branch by capacity, {:.0} B by RSS", each(counted), each(seen));
    let met = counted.max(seen) <= asked * count;
    println!("   asked: <= {asked} B   {}", if met { "met" } else { "NOT MET" });
}

/// Resident bytes of this process. Only Linux tells them in this way.
fn rss() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = stat.lines().find(|line| line.starts_with("Rss:")).ok_or("Rss")?;
    Ok(line.split_whitespace().nth(1).ok_or("a number")?.parse::<u64>()? * 1024)
}

/// A leaf that costs nothing to make.
fn leaf(i: u64) -> Hash {
    let mut leaf = [0x5a; 32];
    leaf[..8].copy_from_slice(&i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    leaf
}

/// The i-th of a fixed series of scattered numbers below `end`.
fn scattered(i: u64, end: u64) -> u64 {
    let mixed = (i ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_right(32) % end
}
