//! Waking whoever waits for more records, in this process and in others (log.4).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::turnstile::{beside, open_beside};
use crate::errors::Result;

/// How long nobody looks by himself: a writer that was killed behind its commit has woken nobody.
const SLOWEST: Duration = Duration::from_millis(100);

/// The counter file. What it says is never used, only that it changes.
#[derive(Debug)]
pub(super) struct Wake {
    file: File,
    path: PathBuf,
    ended: AtomicBool,
}

impl Wake {
    pub fn of(path: &Path) -> Result<Wake> {
        Ok(Wake { file: open_beside(path, ".wake")?, path: beside(path, ".wake"), ended: AtomicBool::new(false) })
    }

    /// Adds 1 to the counter. If it fails, those who wait look by themselves.
    pub fn others(&self) {
        let mut count = [0; 8];
        let _ = self.file.read_at(&mut count, 0);
        let _ = self.file.write_at(&u64::from_be_bytes(count).wrapping_add(1).to_be_bytes(), 0);
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.others();
    }

    /// Waits until `found` finds something, or for the end; then `last` is the answer.
    pub fn wait<T>(&self, found: impl Fn() -> Result<Option<T>>, last: impl Fn() -> Result<T>) -> Result<T> {
        // First the watch, then the look: what comes in between wakes.
        let watch = platform::Watch::of(&self.path);
        loop {
            if self.ended.load(Ordering::SeqCst) {
                return last();
            }
            if let Some(there) = found()? {
                return Ok(there);
            }
            watch.change(SLOWEST);
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};

    /// None where the system has no watch to give: then it is only slower.
    pub struct Watch(Option<OwnedFd>);

    impl Watch {
        pub fn of(path: &Path) -> Watch {
            let made = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
            Watch(made.and_then(|fd| add_watch(&fd, path, WatchFlags::MODIFY).map(|_| fd)).ok())
        }

        /// Until the file changes, or for so long.
        pub fn change(&self, longest: Duration) {
            let Some(fd) = &self.0 else { return std::thread::sleep(longest) };
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(longest.subsec_nanos()) };
            let woken = poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout));
            if woken.is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut room = [MaybeUninit::uninit(); 1024];
            let mut events = Reader::new(fd, &mut room);
            while events.next().is_ok_and(|event| !event.events().contains(ReadFlags::IGNORED)) {}
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use std::path::Path;
    use std::time::Duration;

    pub struct Watch;

    impl Watch {
        pub fn of(_: &Path) -> Watch {
            Watch
        }

        /// A look every 10 ms.
        pub fn change(&self, _: Duration) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
