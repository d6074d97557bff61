//! When what stands in the WAL is moved into the database.
//!
//! SQLite would do it inside of the commit that makes the WAL large, whose events would wait for it.
//! Here it comes after the answers, and in small pieces: nothing is committed meanwhile.

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Fewer pages are not worth the two syncs.
const WORTH_IT: u32 = 50;
/// No sooner than that after the last one: what is written again and again is moved once.
const EVERY: Duration = Duration::from_millis(20);
/// With so many pages it is done all the same.
const AT_MOST: u32 = 1000;

pub struct Checkpoints {
    /// In the WAL, as the last commit has left it.
    pages: Arc<AtomicU32>,
    /// What of that has been moved. It stays there while somebody reads it.
    moved: u32,
    last: Instant,
    is_failing: bool,
}

impl Checkpoints {
    /// Instead of SQLite's own on this connection.
    pub fn of(connection: &mut Connection) -> Result<Self> {
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, moved: 0, last: Instant::now(), is_failing: false })
    }

    /// After a commit, and after its answers.
    pub fn step(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        // It begins anew once all of it has been moved.
        self.moved = if pages < self.moved { 0 } else { self.moved };
        let more = pages - self.moved;
        if more < WORTH_IT || (more < AT_MOST && self.last.elapsed() < EVERY) {
            return;
        }
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            Ok(_) => (self.moved, self.is_failing) = (pages, false),
            // Nothing is lost by it: what is committed stays in the WAL.
            Err(error) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(%error, "the journal's WAL could not be moved into the database, and grows");
                }
            }
        }
        self.last = Instant::now();
    }
}
