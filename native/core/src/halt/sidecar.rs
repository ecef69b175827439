//! The sidecar file: made once, then only overwritten (halt.4). Who has it open shares one descriptor in a process: where locks are a
//! process's, closing any other would drop them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use super::layout::{
    CONTENT, Content, EPOCH_AT, HEAD, HEADER_BYTES, Header, LENGTH, PEOPLE, PEOPLE_AT, SLOTS, content_at, head_at,
    length_of,
};
use super::medium::{Inode, Medium};
use super::sync::{Mutex, MutexGuard, PoisonError, fresh};
use crate::errors::{Code, Error, Result};
use crate::message::Id;

/// The one slot that is left for a halt of the whole realm when all others are taken.
pub(super) const LAST: usize = SLOTS - 1;

/// What a write did. It is in force when this is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    pub slot: usize,
}

/// A sidecar that was there and sound when it was opened.
#[derive(Debug)]
pub struct Sidecar {
    pub(super) medium: Medium,
    process: u32,
    /// Who writes in this process; it guards no data.
    writing: Mutex<()>,
    /// Gates of this process: its own locks do not keep it out.
    pub(super) own: Mutex<HashSet<usize>>,
}

static OPEN: OnceLock<std::sync::Mutex<HashMap<Inode, Weak<Sidecar>>>> = OnceLock::new();

/// Where the sidecar of a realm's file is.
pub fn sidecar_of(realm: &Path) -> PathBuf {
    let mut name = realm.as_os_str().to_owned();
    name.push(".stop");
    PathBuf::from(name)
}

pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A stop must get through, whatever a panic has left behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn named(fault: &io::Error) -> Error {
    let code = match fault.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::LogFull,
        io::ErrorKind::AlreadyExists => Code::FileExists,
        io::ErrorKind::NotFound => Code::FileUnreadable,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::LogReadOnly,
        _ => Code::LogFailed,
    };
    Error::new(code, "a sidecar beside the realm's file", fault.kind().to_string())
}

impl Sidecar {
    /// A new one with its full size, on the disk. Raises `FileExists`, `LogFull`, `LogReadOnly`, `LogFailed`.
    pub fn create(path: &Path, header: &Header) -> Result<()> {
        Medium::create(path, &header.encode()).map_err(|fault| {
            if fault.kind() != io::ErrorKind::AlreadyExists {
                // Half a sidecar is none.
                let _ = std::fs::remove_file(path);
            }
            named(&fault)
        })
    }

    /// The one that is there. Raises `FileUnreadable`, `LogReadOnly`, `LatchForm`.
    pub fn open(path: &Path) -> Result<Arc<Sidecar>> {
        let mut open = OPEN.get_or_init(Default::default).lock().unwrap_or_else(PoisonError::into_inner);
        let inode = Medium::inode_of(path).map_err(|fault| named(&fault))?;
        let inode = inode.ok_or_else(|| Error::new(Code::LatchForm, "a sidecar", "no plain file"))?;
        if let Some(known) = open.get(&inode).and_then(Weak::upgrade).filter(|known| known.is_ours()) {
            return Ok(known);
        }
        let sidecar = Sidecar::on(Medium::open(path).map_err(|fault| named(&fault))?)?;
        open.retain(|_, known| known.strong_count() > 0);
        open.insert(sidecar.medium.inode(), Arc::downgrade(&sidecar));
        Ok(sidecar)
    }

    /// Raises `LatchForm`.
    pub(super) fn on(medium: Medium) -> Result<Arc<Sidecar>> {
        let process = std::process::id();
        let sidecar = Sidecar { medium, process, writing: Mutex::default(), own: Mutex::default() };
        sidecar.header()?;
        Ok(Arc::new(sidecar))
    }

    /// Not what a forked child has inherited: its locks are its parent's, and keep neither of them from the other.
    pub(super) fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    pub(super) fn path(&self) -> &Path {
        self.medium.path()
    }

    /// Raises `LatchForm`.
    pub fn header(&self) -> Result<Header> {
        self.read_header()
            .map(|(header, _)| header)
            .ok_or_else(|| Error::new(Code::LatchForm, "a sidecar with its header and its length", "something else"))
    }

    fn read_header(&self) -> Option<(Header, u64)> {
        let mut bytes = [0; HEADER_BYTES];
        self.medium.read_at(&mut bytes, 0).ok()?;
        (self.medium.length().ok()? == LENGTH).then_some(())?;
        Header::read(&bytes)
    }

    /// Says whose sidecar it is, where that was not known when it was made.
    pub fn name(&self, header: &Header) -> Result<()> {
        let _turn = held(&self.writing);
        self.medium.write_at(&header.encode(), 0).map_err(|fault| named(&fault))
    }

    /// Kid and agent id of who may resume, as an engine has written them: a hint, and no more.
    pub(super) fn people(&self) -> Vec<(Id, Id)> {
        let mut bytes = vec![0; PEOPLE * 64];
        if self.medium.read_at(&mut bytes, PEOPLE_AT).is_err() {
            return Vec::new();
        }
        let id = |part: &[u8]| -> Option<Id> { part.try_into().ok().filter(|id| *id != [0; 32]) };
        let pair = |pair: &[u8]| Some((id(pair.get(..32)?)?, id(pair.get(32..)?)?));
        bytes.chunks_exact(64).filter_map(pair).collect()
    }

    pub(super) fn set_people(&self, people: &[(Id, Id)]) {
        let mut bytes: Vec<u8> = people.iter().take(PEOPLE).flat_map(|(kid, agent)| [*kid, *agent].concat()).collect();
        bytes.resize(PEOPLE * 64, 0);
        // A hint that is not written is one that nobody finds.
        let _ = self.medium.write_at(&bytes, PEOPLE_AT);
    }

    /// Another number after each change. None: it cannot be read.
    pub(super) fn epoch(&self) -> Option<u64> {
        let mut bytes = [0; 8];
        self.medium.read_at(&mut bytes, EPOCH_AT).ok()?;
        Some(u64::from_be_bytes(bytes))
    }

    pub(super) fn is_there(&self) -> bool {
        self.medium.is_there()
    }

    /// All slots that are taken, three times if need be. None: stopped.
    pub(super) fn slots(&self) -> Option<Vec<(usize, Content)>> {
        (0..3).find_map(|_| self.read_slots())
    }

    fn read_slots(&self) -> Option<Vec<(usize, Content)>> {
        self.read_header()?;
        let mut heads = vec![0; SLOTS * HEAD];
        self.medium.read_at(&mut heads, head_at(0)).ok()?;
        let mut found = Vec::new();
        for (slot, head) in heads.chunks_exact(HEAD).enumerate() {
            let head: &[u8; HEAD] = head.try_into().ok()?;
            let mut content = vec![0; length_of(head)? as usize];
            self.medium.read_at(&mut content, content_at(slot)).ok()?;
            if let Some(content) = Content::read(head, &content).ok()? {
                found.push((slot, content));
            }
        }
        Some(found)
    }

    /// Takes a free slot. Ok(None): there is none but the last. Raises `LogFailed`, `LogReadOnly`.
    pub(super) fn take(&self, content: &Content) -> Result<Option<Written>> {
        let _turn = held(&self.writing);
        for slot in 0..LAST {
            if let Some(written) = self.put(slot, content)? {
                return Ok(Some(written));
            }
        }
        Ok(None)
    }

    /// No slot is free: overwrites the last one, or where somebody is at it the one before, and so on. Whoever is suspended there delays
    /// nobody; and nothing is written without the lock, because whoever holds it may be about to free what he has seen. Raises `LogFailed`
    /// where all are held, and what writing raises.
    pub(super) fn take_over(&self, content: &Content) -> Result<Written> {
        let _turn = held(&self.writing);
        let (head, bytes) = encoded(content)?;
        let slot = (0..SLOTS).rev().find(|slot| self.medium.lock(head_at(*slot), HEAD));
        let slot = slot.ok_or_else(|| Error::new(Code::LogFailed, "a slot that nobody is at", "none"))?;
        let put = self.write(slot, &head, &bytes);
        self.medium.unlock(head_at(slot), HEAD);
        put.map_err(|fault| named(&fault))?;
        Ok(Written { slot })
    }

    /// Writes other content into a slot, if it still has what the caller has seen there. Whether it had.
    pub(super) fn replace(&self, slot: usize, seen: &Content, content: &Content) -> Result<bool> {
        let (head, bytes) = encoded(content)?;
        self.change(slot, &encoded(seen)?.0, || self.write(slot, &head, &bytes))
    }

    /// Frees a slot, if it still has what the caller has seen there: nothing but a resume in force, or the end of a drill, does. Whether it
    /// had; a slot that others have filled meanwhile is theirs.
    pub(super) fn free(&self, slot: usize, seen: &Content) -> Result<bool> {
        self.change(slot, &encoded(seen)?.0, || {
            self.medium.write_at(&[0; HEAD], head_at(slot))?;
            self.changed()
        })
    }

    fn put(&self, slot: usize, content: &Content) -> Result<Option<Written>> {
        let (head, bytes) = encoded(content)?;
        let put = self.locked(slot, &[0; HEAD], || self.write(slot, &head, &bytes))?;
        Ok(put.then_some(Written { slot }))
    }

    fn change(&self, slot: usize, seen: &[u8; HEAD], change: impl FnOnce() -> io::Result<()>) -> Result<bool> {
        let _turn = held(&self.writing);
        let changed = self.locked(slot, seen, change)?;
        if changed {
            // If this is lost with the machine, it is done again.
            let _ = self.medium.sync_data();
        }
        Ok(changed)
    }

    /// Does something under the lock of a slot, if its head is this one. False: it is another, or somebody else is at it.
    fn locked(&self, slot: usize, head: &[u8; HEAD], act: impl FnOnce() -> io::Result<()>) -> Result<bool> {
        let at = head_at(slot);
        if !self.medium.lock(at, HEAD) {
            return Ok(false);
        }
        let done = || -> io::Result<bool> {
            let mut there = [0; HEAD];
            self.medium.read_at(&mut there, at)?;
            if there != *head {
                return Ok(false);
            }
            act()?;
            Ok(true)
        };
        let done = done();
        self.medium.unlock(at, HEAD);
        done.map_err(|fault| named(&fault))
    }

    /// Content, head, epoch: what is not whole is free (halt.4.3).
    fn write(&self, slot: usize, head: &[u8; HEAD], bytes: &[u8]) -> io::Result<()> {
        self.medium.write_at(bytes, content_at(slot))?;
        self.medium.write_at(head, head_at(slot))?;
        self.changed()
    }

    /// Whether the disk has all that was written. If not, somebody should know: it takes nothing back.
    pub(super) fn sync(&self) -> bool {
        self.medium.sync_data().is_ok()
    }

    fn changed(&self) -> io::Result<()> {
        self.medium.write_at(&fresh().to_be_bytes(), EPOCH_AT)
    }
}

fn encoded(content: &Content) -> Result<([u8; HEAD], Vec<u8>)> {
    content.encode().ok_or_else(|| Error::new(Code::LatchForm, format!("at most {CONTENT} bytes in a slot"), "more"))
}
