//! A transaction under way, and what becomes of memory once it is committed.

use super::fresh::{self, Fresh};
use super::lanes::{LaneId, Lanes};
use super::open::Options;
use super::prints::Prints;
use super::tally::Tally;
use crate::delivery::DeliveryId;
use crate::journal::JournalError;
use rusqlite::{CachedStatement, Connection, ErrorCode};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Why a statement of a job failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Not an error of SQLite: a hook of the tests, a limit.
    #[error("{0}")]
    Refused(String),
}

/// What the writer and the callers share.
pub struct Shared {
    lanes: Mutex<Lanes>,
    pub work: Arc<Notify>,
    /// Larger than that, the journal is to be trimmed; a tenth past it, it takes no more events.
    pub keep_bytes: AtomicU64,
    pub too_large: Arc<Notify>,
    /// Key of the event at which the last step of trimming ended.
    pub trimmed_to: AtomicI64,
}

impl Shared {
    pub fn new() -> Self {
        Self {
            lanes: Mutex::default(),
            work: Arc::default(),
            keep_bytes: AtomicU64::new(u64::MAX),
            too_large: Arc::default(),
            trimmed_to: AtomicI64::new(i64::MIN),
        }
    }

    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts that are only waiting from here on: their lanes may have room for others, which somebody
    /// may be waiting for.
    pub fn only_wait<'a>(&self, ids: impl IntoIterator<Item = &'a DeliveryId>) {
        let mut lanes = self.lanes();
        let brings_room = ids.into_iter().fold(false, |brings_room, id| lanes.settle(id) | brings_room);
        drop(lanes);
        if brings_room {
            self.work.notify_one();
        }
    }
}

/// A transaction under way, and what is to be remembered once it is committed.
pub struct Txn<'a> {
    pub connection: &'a Connection,
    pub prints: &'a mut Prints,
    pub shared: &'a Shared,
    pub options: &'a Options,
    pub tally: Tally,
    /// The highest key that an event has, or had.
    pub newest: i64,
    /// Whether there is room for more events, once that was asked.
    has_room: Option<bool>,
    /// What most jobs of a group run: looked up once.
    statements: Vec<(&'static str, CachedStatement<'a>)>,
    /// Lanes added here: (lane, rule, action).
    pub lanes: Vec<(i64, String, String)>,
    /// Open deliveries added or made due: (lane, due).
    pub due: Vec<(i64, i64)>,
    /// Deliveries that are handed over in memory.
    fresh: Vec<Fresh>,
    fresh_bytes: usize,
    /// Those that were fresh and got a row.
    pub put_down: Vec<fresh::Key>,
    /// Leases that end, and when what stays open is due.
    pub ended: Vec<(DeliveryId, Option<i64>)>,
}
pub fn unavailable(fault: &Fault) -> JournalError {
    match fault {
        Fault::Sqlite(error) if is_full(error) => JournalError::Unavailable("the disk is full".into()),
        Fault::Io(error) if error.kind() == ErrorKind::StorageFull => {
            JournalError::Unavailable("the disk is full".into())
        }
        fault => JournalError::Unavailable(fault.to_string()),
    }
}

pub fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// What a transaction leaves to be remembered.
#[derive(Default)]
pub struct Memory {
    lanes: Vec<(i64, String, String)>,
    due: Vec<(i64, i64)>,
    fresh: Vec<Fresh>,
    put_down: Vec<fresh::Key>,
    ended: Vec<(DeliveryId, Option<i64>)>,
}

impl Memory {
    /// After the commit with this number. Returns what is to follow once that is on the disk.
    pub fn keep(self, shared: &Shared, commit: u64) -> Outlook {
        let brings_work =
            !self.due.is_empty() || !self.fresh.is_empty() || self.ended.iter().any(|(_, due)| due.is_some());
        let mut lanes = shared.lanes();
        for (lane, rule, action) in self.lanes {
            lanes.add(lane, rule, action);
        }
        lanes.put_down(&self.put_down);
        self.fresh.into_iter().for_each(|fresh| lanes.push_fresh(Fresh { commit, ..fresh }));
        self.due.iter().for_each(|(lane, due)| lanes.note(*lane, *due));
        // What has ended for good is leased by nobody. What is still open is held as long as it is not sure
        // that its outcome is kept: it will be kept again if not.
        let (open, ended): (Vec<_>, Vec<_>) = self.ended.into_iter().partition(|(_, due)| due.is_some());
        ended.iter().for_each(|(id, _)| lanes.end(id, None));
        let open = open.into_iter().map(|(id, _)| id).collect();
        Outlook { commit, open, brings_work }
    }
}

/// What follows once a commit is on the disk: what it has brought may be leased, and leases end.
pub struct Outlook {
    commit: u64,
    /// Deliveries that were tried and are to be tried again.
    open: Vec<DeliveryId>,
    brings_work: bool,
}

impl Outlook {
    pub fn keep(self, shared: &Shared) {
        let mut lanes = shared.lanes();
        lanes.synced = self.commit;
        // When each is due may have been changed by later commits: the next look at the table says.
        self.open.iter().for_each(|id| lanes.end(id, Some(i64::MIN)));
        drop(lanes);
        if self.brings_work {
            shared.work.notify_one();
        }
    }
}

impl<'a> Txn<'a> {
    pub fn new(
        connection: &'a Connection,
        prints: &'a mut Prints,
        shared: &'a Shared,
        options: &'a Options,
        (tally, newest): (Tally, i64),
    ) -> Self {
        let (lanes, due, fresh, put_down, ended) = Default::default();
        let (has_room, statements, fresh_bytes) = (None, Vec::new(), 0);
        Self {
            connection,
            prints,
            shared,
            options,
            tally,
            newest,
            has_room,
            statements,
            lanes,
            due,
            fresh,
            fresh_bytes,
            put_down,
            ended,
        }
    }

    /// Whether deliveries of these lanes, of an event of this size, may be handed over in memory.
    pub fn has_room_for_fresh(&self, numbers: &[LaneId], bytes: usize, due: i64) -> bool {
        let lanes = self.shared.lanes();
        lanes.fresh.has_room(bytes, numbers.len(), self.fresh_bytes)
            && numbers.iter().all(|number| lanes.takes_fresh(*number, due))
    }

    /// Adds one that is handed over in memory.
    pub fn hand_over(&mut self, fresh: Fresh) {
        self.fresh_bytes += fresh.bytes;
        self.fresh.push(fresh);
    }

    /// Before which event no delivery is without a row once this is committed. Those that have one may
    /// count, too.
    pub fn fresh_from(&self) -> i64 {
        let before = self.shared.lanes().fresh.floor();
        let added = self.fresh.iter().map(|fresh| fresh.key.0).min();
        before.into_iter().chain(added).min().unwrap_or(i64::MAX)
    }

    /// What is to be remembered once it is committed.
    pub fn memory(&mut self) -> Memory {
        Memory {
            lanes: std::mem::take(&mut self.lanes),
            due: std::mem::take(&mut self.due),
            fresh: std::mem::take(&mut self.fresh),
            put_down: std::mem::take(&mut self.put_down),
            ended: std::mem::take(&mut self.ended),
        }
    }

    /// A statement that many jobs of a group run.
    pub fn statement(&mut self, sql: &'static str) -> Result<&mut CachedStatement<'a>, Fault> {
        let known = self.statements.iter().position(|(known, _)| std::ptr::eq(*known, sql));
        let at = match known {
            Some(at) => at,
            None => {
                self.statements.push((sql, self.connection.prepare_cached(sql)?));
                self.statements.len() - 1
            }
        };
        Ok(&mut self.statements[at].1)
    }

    /// Whether the journal is below its size limit; says if it is to be trimmed. Asked once a group.
    pub fn has_room(&mut self) -> Result<bool, Fault> {
        let keep = self.shared.keep_bytes.load(Ordering::Relaxed);
        if keep == u64::MAX {
            return Ok(true);
        }
        if let Some(known) = self.has_room {
            return Ok(known);
        }
        let used = super::trim::used_bytes(self.connection)?;
        if used > keep {
            self.shared.too_large.notify_one();
        }
        let has_room = used < keep.saturating_add(keep / 10);
        self.has_room = Some(has_room);
        Ok(has_room)
    }

    /// The number of a lane, added if it is new.
    pub fn lane(&mut self, rule: &str, action: &str) -> Result<i64, Fault> {
        let known = self.shared.lanes().number(rule, action);
        let added = || self.lanes.iter().find(|(_, r, a)| r == rule && a == action).map(|(lane, ..)| *lane);
        if let Some(lane) = known.or_else(added) {
            return Ok(lane);
        }
        let sql = "INSERT INTO lanes (rule, action) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute([rule, action])?;
        let lane = self.connection.last_insert_rowid();
        self.lanes.push((lane, rule.to_owned(), action.to_owned()));
        Ok(lane)
    }
}
