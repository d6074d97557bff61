//! The second half of a commit: what the writer has put into the WAL reaches the disk, and only then is
//! it answered.
//!
//! A thread of its own waits for the disk. The writer makes the next groups meanwhile, and one sync is
//! enough for all that were written before it began.

mod frames;

use super::handle::Answer;
use super::open::{CommitHook, Options};
use super::txn::{Outlook, Shared, unavailable};
use super::writer::{Group, answer};
use crate::journal::JournalError;
use rusqlite::Connection;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

/// The WAL of one connection, from its opening to its first fault.
pub struct Wal {
    file: File,
    /// Once a sync has failed, nobody knows what of the file is on the disk: nothing that was written
    /// since then is acknowledged either.
    is_broken: AtomicBool,
    /// A fault to inject, for tests.
    before_sync: Option<CommitHook>,
}

impl Wal {
    /// That of a connection which has read something. SQLite has it beside the database itself, not beside
    /// a link to it. To close this file does not cost SQLite its locks: it has none on it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn of(connection: &Connection, options: &Options) -> io::Result<Self> {
        let mut path = OsString::from(connection.path().unwrap_or_default());
        path.push("-wal");
        let named = |error: io::Error| {
            let path = Path::new(&path).display();
            io::Error::new(error.kind(), format!("{path} cannot be opened: {error}"))
        };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(named)?;
        Ok(Self { file, is_broken: AtomicBool::new(false), before_sync: options.before_sync.clone() })
    }

    fn sync(&self) -> Result<(), JournalError> {
        let synced = self.before_sync.as_ref().map_or(Ok(()), |hook| hook().map_err(io::Error::other));
        synced.and_then(|()| self.file.sync_data()).map_err(|error| {
            self.is_broken.store(true, Ordering::SeqCst);
            tracing::error!(%error, "the journal could not sync what it has written");
            unavailable(&error.into())
        })
    }

    /// Brings its first so many frames to the disk after a sync failed. The system may then take for written
    /// what is not, and would not write it again by itself: a crash would find a WAL that ends there, without
    /// what came behind it. Nobody may be writing to it.
    ///
    /// # Errors
    /// The disk cannot be written still; or what was written cannot be read back any more, which only a start
    /// finds out of.
    pub fn rewrite(&self, frames: u32) -> io::Result<()> {
        if frames == 0 {
            return self.file.sync_data();
        }
        let mut wal = Vec::new();
        (&self.file).seek(SeekFrom::Start(0))?;
        (&self.file).read_to_end(&mut wal)?;
        let whole = frames::whole(&wal, frames as usize).ok_or_else(|| {
            io::Error::other("what was written to its WAL is not to be read any more: restart hookyard")
        })?;
        self.file.write_all_at(whole, 0)?;
        self.file.sync_data()
    }
}

/// A group that is in the WAL.
pub struct Written {
    pub group: Group,
    pub outlook: Outlook,
    pub began: Instant,
}

/// What waits for the disk.
pub enum What {
    Group(Written),
    /// What was seen there.
    Look(Answer),
}

/// The writer's side of the thread, which is there for one WAL.
pub struct Syncs {
    wal: Arc<Wal>,
    queue: Option<mpsc::Sender<What>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncs {
    /// # Errors
    /// No thread can be had.
    pub fn start(wal: Wal, shared: Arc<Shared>) -> io::Result<Self> {
        let (queue, waiting) = mpsc::channel();
        let wal = Arc::new(wal);
        let run = {
            let wal = Arc::clone(&wal);
            move || run(&waiting, &wal, &shared)
        };
        let thread = std::thread::Builder::new().name("journal sync".into()).spawn(run)?;
        Ok(Self { wal, queue: Some(queue), thread: Some(thread) })
    }

    /// Whether a sync has failed: all that comes is refused.
    pub fn are_broken(&self) -> bool {
        self.wal.is_broken.load(Ordering::SeqCst)
    }

    /// Answers when all that is in the WAL by now is on the disk.
    pub fn push(&self, what: What) {
        let queue = self.queue.as_ref().expect("it is taken at the end alone");
        if queue.send(what).is_err() {
            // The thread has panicked: who waited is told that there is no answer, and another thread begins.
            self.wal.is_broken.store(true, Ordering::SeqCst);
        }
    }

    /// Answers what is left; says whether all of it has reached the disk.
    pub fn end(mut self) -> bool {
        self.join();
        !self.are_broken()
    }

    fn join(&mut self) {
        self.queue = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that syncs the journal has panicked, which is a bug in hookyard");
        }
    }
}

/// What was given to it is answered first.
impl Drop for Syncs {
    fn drop(&mut self) {
        self.join();
    }
}

fn run(waiting: &mpsc::Receiver<What>, wal: &Wal, shared: &Shared) {
    // What was there before may not be on the disk either.
    let (mut is_ahead, mut verdict) = (true, Ok(()));
    while let Ok(first) = waiting.recv() {
        // All of these were written before the sync begins.
        let batch: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        is_ahead |= batch.iter().any(|what| matches!(what, What::Group(_)));
        if verdict.is_ok() && std::mem::take(&mut is_ahead) {
            verdict = wal.sync();
        }
        for what in batch {
            match what {
                What::Group(written) => finish(written, &verdict, shared),
                What::Look(answer) => answer(verdict.clone()),
            }
        }
    }
}

fn finish(written: Written, verdict: &Result<(), JournalError>, shared: &Shared) {
    let Written { group, outlook, began } = written;
    metrics::histogram!("hookyard_commit_seconds").record(began.elapsed().as_secs_f64());
    metrics::histogram!("hookyard_commit_group_size")
        .record(f64::from(u16::try_from(group.len()).unwrap_or(u16::MAX)));
    if verdict.is_ok() {
        outlook.keep(shared);
    }
    answer(group, verdict);
}
