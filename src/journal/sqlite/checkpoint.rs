//! When what stands in the WAL is moved into the database.
//!
//! SQLite would do it inside of the commit that makes the WAL large, whose events would wait for it.
//! Here it comes between commits, and in small pieces: none is made meanwhile.

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB, Result};
use std::ffi::c_int;
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
    /// What of that has been moved; it stays there while somebody reads it.
    moved: u32,
    /// Whether somebody reads what is to be moved, or moves it.
    is_in_the_way: bool,
    last: Instant,
    is_failing: bool,
}

impl Checkpoints {
    /// Instead of SQLite's own on this connection.
    pub fn of(connection: &mut Connection) -> Result<Self> {
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut _, pages| {
            seen.store(number(pages), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, moved: 0, is_in_the_way: false, last: Instant::now(), is_failing: false })
    }

    /// How many pages the last commit has left in the WAL.
    pub fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    /// After a commit, beside its sync and its answers.
    pub fn step(&mut self, connection: &Connection) {
        if !self.is_time() {
            return;
        }
        match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
            Ok((all, moved)) => {
                self.moved = number(moved);
                self.is_in_the_way = moved < all;
                self.is_failing = false;
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                self.is_in_the_way = true;
            }
            // Nothing is lost by it: what is committed stays in the WAL.
            Err(error) => {
                self.is_in_the_way = true;
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(%error, "the journal's WAL could not be moved into the database, and grows");
                }
            }
        }
        self.last = Instant::now();
    }

    fn is_time(&mut self) -> bool {
        let pages = self.pages();
        // It begins anew once all of it has been moved.
        self.moved = if pages < self.moved { 0 } else { self.moved };
        let more = pages - self.moved;
        let is_soon = self.last.elapsed() < EVERY;
        more >= WORTH_IT && (!is_soon || (more >= AT_MOST && !self.is_in_the_way))
    }
}

/// SQLite says -1 where there is none.
fn number(pages: c_int) -> u32 {
    u32::try_from(pages).unwrap_or(0)
}
