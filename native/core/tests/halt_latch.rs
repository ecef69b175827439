//! The sidecar between real processes (halt.4, halt.5): who stops at once, who is suspended or killed in the midst of it, what is half
//! written, and where there is no room. Places in the file are those of the spec's text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ama2sec_core::errors::Code;
use ama2sec_core::halt::{Content, Header, Latch, Latched, Scope, Sidecar};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use tempfile::TempDir;

const EPOCH: u64 = 112;
const HEADS: u64 = 8_192;
const CONTENTS: u64 = 16_384;
const SLOTS: u64 = 128;
const SOON: Duration = Duration::from_millis(50);

fn stop_of(salt: u8) -> Content {
    let scope = Scope::Conversation([salt; 32]).encode();
    Content::Local { salt: [salt; 16], time: 1, scope, reason: "enough".into() }
}

fn salts(latched: &Latched) -> Vec<u8> {
    let salt = |content: &Content| match content {
        Content::Local { salt, .. } => salt[0],
        other => panic!("{other:?}"),
    };
    let mut all: Vec<u8> = latched.stops.iter().map(|stop| salt(&stop.content)).collect();
    all.sort_unstable();
    all
}

/// A sidecar in a folder of its own.
fn sidecar() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.stop");
    Sidecar::create(&path, &Header::default()).unwrap();
    (folder, path)
}

/// Whoever opens it next, in a process that did not have it open.
fn read_anew(path: &Path) -> Latched {
    (*Latch::beside(path).unwrap().look()).clone()
}

/// Another process, which does what it is told.
struct Other(Child, BufReader<std::process::ChildStdout>);

impl Other {
    fn new(path: &Path) -> Other {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "another_process", "--nocapture"])
            .env("LATCH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Other(child, out)
    }

    fn tell(&mut self, what: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{what}").unwrap();
    }

    /// Its next answer. None: it is gone.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.1.read_line(&mut line).unwrap() > 0 {
            // The test's own lines stand in between, and before an answer on the same line.
            if let Some((_, answer)) = line.trim_end().split_once('@') {
                return Some(answer.to_owned());
            }
            line.clear();
        }
        None
    }

    #[track_caller]
    fn ask(&mut self, what: &str) -> String {
        self.tell(what);
        self.hear().expect("it is there")
    }

    fn suspend(&self) {
        assert!(Command::new("kill").args(["-STOP", &self.0.id().to_string()]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `Other` runs, and nothing where nobody is one.
#[test]
fn another_process() {
    let Some(path) = std::env::var_os("LATCH") else { return };
    let path = Path::new(&path);
    let outside = Latch::beside(path).unwrap();
    let (mut open, mut tickets, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (word, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u64 = number.parse().unwrap();
        let said = match word {
            "stop" => format!("{:?}", outside.stop(stop_of(number as u8)).unwrap().unwrap().slot),
            "stops" => {
                for salt in 1..=100 {
                    outside.stop(stop_of(salt)).unwrap();
                    println!("@{salt}");
                }
                "all".into()
            }
            "open" => {
                open.extend((0..number).map(|_| Latch::open(path).unwrap()));
                "open".into()
            }
            "enter" => {
                tickets.push(open[0].go_in());
                "inside".into()
            }
            "leave" => {
                open[0].go_out(tickets.pop().unwrap());
                "outside".into()
            }
            "look" => format!("{:?}", salts(&open[0].look())),
            "read" => format!("{}", std::fs::read(path).unwrap().len()),
            // At a slot, as somebody is who was suspended in the midst of it.
            "hold" => {
                let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
                fcntl(&file, FcntlArg::F_SETLK(&head_lock(number))).unwrap();
                held.push(file);
                "held".into()
            }
            other => panic!("{other}"),
        };
        println!("@{said}");
    }
}

fn head_lock(slot: u64) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: (HEADS + 32 * slot) as i64,
        l_len: 32,
        l_pid: 0,
    }
}

#[test]
fn all_who_stop_at_once_are_latched() {
    for _ in 0..3 {
        let (_folder, path) = sidecar();
        let mut others = [(); 4].map(|()| Other::new(&path));
        let watching = Latch::open(&path).unwrap();
        for round in 0..30 {
            for (other, salt) in others.iter_mut().zip(0..) {
                other.tell(&format!("stop {}", 4 * round + salt));
            }
            let mut slots: Vec<String> = others.iter_mut().map(|other| other.hear().unwrap()).collect();
            slots.sort();
            slots.dedup();
            assert_eq!(slots.len(), 4, "each has a slot of its own");
            let all: Vec<u8> = (0..4 * (round + 1)).collect();
            assert_eq!(salts(&watching.look()), all);
            assert_eq!(salts(&read_anew(&path)), all);
        }
    }
}

#[test]
fn whoever_is_suspended_in_a_slot_or_on_his_way_delays_no_stop() {
    let (_folder, path) = sidecar();
    let mut other = Other::new(&path);
    assert_eq!(other.ask("open 1"), "open");
    assert_eq!(other.ask("enter"), "inside");
    assert_eq!(other.ask("hold 0"), "held");
    other.suspend();
    let latch = Latch::beside(&path).unwrap();
    assert_eq!(latch.stop(stop_of(1)).unwrap().unwrap().slot, 1);
    assert_eq!(salts(&latch.look()), [1]);
    // He may be about to act: it is never said that he is not.
    assert!(!latch.quiesce(SOON));
    other.kill();
    assert!(latch.quiesce(SOON));
    assert_eq!(latch.stop(stop_of(2)).unwrap().unwrap().slot, 0);
    assert_eq!(salts(&read_anew(&path)), [1, 2]);
}

#[test]
fn whoever_reads_the_file_in_a_program_that_has_it_open_takes_its_gate_from_nobody() {
    let (_folder, path) = sidecar();
    let mut other = Other::new(&path);
    assert_eq!(other.ask("open 1"), "open");
    assert_eq!(other.ask("enter"), "inside");
    // A copy of the folder, say: closing a descriptor must not let go of the locks that the program has by another.
    assert_eq!(other.ask("read"), "606208");
    let latch = Latch::beside(&path).unwrap();
    latch.stop(stop_of(1)).unwrap();
    assert!(!latch.quiesce(SOON), "somebody is on his way, and has not looked");
    assert_eq!(other.ask("look"), "[1]");
    assert_eq!(other.ask("leave"), "outside");
    assert!(latch.quiesce(SOON));
}

#[test]
fn a_stop_that_was_said_is_there_whenever_its_process_is_killed() {
    let mut met = std::collections::BTreeSet::new();
    for turn in 0..60 {
        let (_folder, path) = sidecar();
        let watching = Latch::open(&path).unwrap();
        let mut other = Other::new(&path);
        other.tell("stops");
        // Behind more and more of what it says, and some moments.
        let mut said: Vec<u8> = (0..turn).filter_map(|_| other.hear()?.parse().ok()).collect();
        std::thread::sleep(Duration::from_micros(turn * 7 % 50));
        other.0.kill().unwrap();
        said.extend(std::iter::from_fn(|| other.hear()?.parse::<u8>().ok()));
        other.0.wait().unwrap();
        for latched in [&*watching.look(), &read_anew(&path)] {
            assert_eq!(latched.fault, None);
            let there = salts(latched);
            assert!(said.iter().all(|salt| there.contains(salt)), "{said:?} were said, {there:?} are latched");
            assert!(there.len() <= said.len() + 1, "at most one was not said yet");
        }
        met.insert(said.len());
        // What is left is sound: the next one has room.
        Latch::beside(&path).unwrap().stop(stop_of(200)).unwrap();
        assert!(salts(&watching.look()).contains(&200));
    }
    assert!(met.len() > 10, "{met:?}");
}

/// One stop, as its three writes: place and bytes.
fn writes_of(salt: u8) -> [(u64, Vec<u8>); 3] {
    let (_folder, path) = sidecar();
    Latch::beside(&path).unwrap().stop(stop_of(salt)).unwrap();
    let file = File::open(&path).unwrap();
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, at).unwrap();
        (at, bytes)
    };
    let (at, head) = read(HEADS, 32);
    let length = u32::from_be_bytes(head[4..8].try_into().unwrap()) as usize;
    [read(CONTENTS, length), (at, head), read(EPOCH, 8)]
}

#[test]
fn each_part_of_a_stop_that_was_written_is_nothing_or_all_of_it_or_stops_everything() {
    let writes = writes_of(7);
    for freed in [false, true] {
        let (_folder, path) = sidecar();
        if freed {
            // What another one has left in the slot.
            let latch = Latch::beside(&path).unwrap();
            let scope = Scope::Conversation([9; 32]).encode();
            let long = Content::Local { salt: [9; 16], time: 1, scope, reason: "x".repeat(200) };
            latch.stop(long).unwrap();
            assert!(latch.free(&latch.look().stops[0]).unwrap());
        }
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let watching = Latch::open(&path).unwrap();
        for (part, (at, bytes)) in writes.iter().enumerate() {
            for upto in 0..=bytes.len() {
                file.write_all_at(&bytes[..upto], *at).unwrap();
                let latched = read_anew(&path);
                let (whole, none) = (salts(&latched) == [7], latched.is_clear());
                match part {
                    // A head of zeros is free, whatever the content.
                    0 => assert!(none, "{upto} bytes of the content"),
                    1 if upto == 0 => assert!(none),
                    1 if upto < 24 => assert!(latched.fault.is_some() && !whole, "{upto} bytes of the head"),
                    _ => assert!(whole && latched.fault.is_none(), "{upto} bytes of part {part}"),
                }
            }
        }
        // It has returned: also whoever had read before sees it.
        assert_eq!(salts(&watching.look()), [7]);
    }
}

#[test]
fn there_are_gates_for_64_programs_and_a_dead_ones_is_free() {
    let (_folder, path) = sidecar();
    let (mut many, mut one) = (Other::new(&path), Other::new(&path));
    assert_eq!(many.ask("open 63"), "open");
    assert_eq!(one.ask("open 1"), "open");
    let error = Latch::open(&path).unwrap_err();
    assert_eq!(error.code, Code::ArgumentRange);
    // The 64 go on, and whoever has no gate can stop them.
    let outside = Latch::beside(&path).unwrap();
    outside.stop(stop_of(1)).unwrap();
    assert!(outside.quiesce(SOON));
    assert_eq!((many.ask("look"), one.ask("look")), ("[1]".into(), "[1]".into()));
    assert_eq!(one.ask("enter"), "inside");
    one.kill();
    let latch = Latch::open(&path).unwrap();
    // What the dead one had written there is not his who took it over.
    assert!(outside.quiesce(SOON));
    assert_eq!(Latch::open(&path).unwrap_err().code, Code::ArgumentRange);
    drop(latch);
    Latch::open(&path).unwrap();
}

fn filled(path: &Path) -> Latch {
    let latch = Latch::beside(path).unwrap();
    for salt in 0..SLOTS as u8 - 1 {
        assert_eq!(latch.stop(stop_of(salt)).unwrap().unwrap().slot, usize::from(salt));
    }
    latch
}

#[test]
fn where_no_slot_is_free_the_realm_is_stopped_and_whoever_is_at_the_last_one_delays_nobody() {
    let (_folder, path) = sidecar();
    let latch = filled(&path);
    let realm = |latched: &Latched| -> Vec<usize> {
        let wide =
            |content: &Content| matches!(content, Content::Local { scope, .. } if *scope == Scope::Realm.encode());
        latched.stops.iter().filter(|stop| wide(&stop.content)).map(|stop| stop.slot).collect()
    };
    assert!(realm(&latch.look()).is_empty());
    for _ in 0..3 {
        assert_eq!(latch.stop(stop_of(200)).unwrap().unwrap().slot, 127);
        assert_eq!(realm(&latch.look()), [127]);
    }
    assert_eq!(latch.look().stops.len(), 128);
    assert_eq!(latch.post(vec![1; 40]).unwrap_err().code, Code::LatchForm);
    assert_eq!(latch.drill([1; 16], SOON).unwrap_err().code, Code::LatchForm);
    let mut other = Other::new(&path);
    assert_eq!(other.ask("hold 127"), "held");
    other.suspend();
    assert_eq!(latch.stop(stop_of(201)).unwrap().unwrap().slot, 126);
    assert_eq!(realm(&read_anew(&path)), [126, 127]);
}

#[test]
fn each_change_has_an_epoch_of_its_own() {
    let (_folder, path) = sidecar();
    let file = File::open(&path).unwrap();
    let epoch = || {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, EPOCH).unwrap();
        u64::from_be_bytes(bytes)
    };
    let latch = Latch::beside(&path).unwrap();
    let mut other = Other::new(&path);
    let mut all = vec![epoch()];
    for salt in 0..40 {
        latch.stop(stop_of(salt)).unwrap();
        all.push(epoch());
        let stop = latch.look().stops.last().unwrap().clone();
        assert!(latch.replace(&stop, Content::Signed(vec![salt])).unwrap());
        all.push(epoch());
        assert!(latch.free(latch.look().stops.last().unwrap()).unwrap());
        all.push(epoch());
        other.ask(&format!("stop {}", salt + 100));
        all.push(epoch());
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}
