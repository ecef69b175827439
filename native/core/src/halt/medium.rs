//! The sidecar as a file: its bytes, and the locks that each process has on them. The model checker has another one (`model/medium.rs`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::fcntl;
use nix::libc;

use super::layout::LENGTH;

// Locks of an open file, where there are such: those of a process are lost as soon as it closes any descriptor of the file, that of a copy
// of the folder too. The two kinds keep each other out.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use nix::fcntl::FcntlArg::{F_GETLK as ASK, F_SETLK as SET};
#[cfg(any(target_os = "linux", target_os = "android"))]
use nix::fcntl::FcntlArg::{F_OFD_GETLK as ASK, F_OFD_SETLK as SET};

pub(super) type Inode = (u64, u64);

#[derive(Debug)]
pub(super) struct Medium {
    file: File,
    path: PathBuf,
    inode: Inode,
}

impl Medium {
    /// A new one with its full size, on the disk.
    pub fn create(path: &Path, header: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // Zeros that are written, not a hole: what has a place on the disk can be overwritten when the disk is full.
        let zeros = vec![0; 64 * 1024];
        let mut at = 0;
        while at < LENGTH {
            let part = zeros.get(..zeros.len().min((LENGTH - at) as usize)).unwrap_or_default();
            file.write_all_at(part, at)?;
            at += part.len() as u64;
        }
        file.write_all_at(header, 0)?;
        file.sync_all()
    }

    /// None: it is no plain file.
    pub fn inode_of(path: &Path) -> io::Result<Option<Inode>> {
        let there = std::fs::metadata(path)?;
        Ok(there.is_file().then(|| (there.dev(), there.ino())))
    }

    pub fn open(path: &Path) -> io::Result<Medium> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let opened = file.metadata()?;
        Ok(Medium { file, path: path.to_owned(), inode: (opened.dev(), opened.ino()) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn inode(&self) -> Inode {
        self.inode
    }

    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether the path is still the file that was opened, whole.
    pub fn is_there(&self) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|there| (there.dev(), there.ino()) == self.inode && there.len() == LENGTH)
    }

    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, at)
    }

    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    pub fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Tries once to hold these bytes. Whether it was had.
    pub fn lock(&self, at: u64, length: usize) -> bool {
        fcntl(&self.file, SET(&range(at, length, libc::F_WRLCK))).is_ok()
    }

    pub fn unlock(&self, at: u64, length: usize) {
        let _ = fcntl(&self.file, SET(&range(at, length, libc::F_UNLCK)));
    }

    /// Whether another process holds these bytes; what cannot be found out counts as held.
    pub fn is_held_elsewhere(&self, at: u64, length: usize) -> bool {
        let mut asked = range(at, length, libc::F_WRLCK);
        match fcntl(&self.file, ASK(&mut asked)) {
            Ok(_) => libc::c_int::from(asked.l_type) != libc::F_UNLCK,
            Err(_) => true,
        }
    }
}

fn range(at: u64, length: usize, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: i16::try_from(kind).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: i64::try_from(at).unwrap_or(i64::MAX),
        l_len: i64::try_from(length).unwrap_or(i64::MAX),
        l_pid: 0,
    }
}
