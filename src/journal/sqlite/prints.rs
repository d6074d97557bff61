//! Deduplication: the newest fingerprints in memory, older ones in a table, every hit confirmed
//! by the whole digest in the event's row, or in what is left of it.
//!
//! An index over digests would be hit at a random page by each event, which costs more than the
//! rest of a commit. So what is new is written as one blob a commit, and only what memory has no
//! room for while its window still runs moves to an indexed table.

use super::codec;
use crate::event::EventId;
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::collections::{HashMap, VecDeque};

/// An event as deduplication sees it. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Print {
    pub id: EventId,
    pub seq: i64,
    pub fingerprint: [u8; 32],
    pub received: i64,
    pub until: i64,
}

/// The prints of one commit.
#[derive(Debug)]
struct Group {
    number: i64,
    until: i64,
    pairs: Vec<(i64, i64)>,
}

/// What is remembered.
#[derive(Debug, Default)]
pub struct Prints {
    /// First 8 bytes → key of the newest event that has them.
    newest: HashMap<i64, i64>,
    /// What `newest` was filled with, oldest first.
    groups: VecDeque<Group>,
    count: usize,
    /// Whether `old_prints` may have a row.
    has_old: bool,
    /// Those of the commit under way.
    staged: HashMap<i64, Print>,
}

impl Prints {
    pub fn load(connection: &Connection) -> Result<Self> {
        let mut prints = Self::default();
        let mut query =
            connection.prepare("SELECT number, until, pairs FROM recent_prints ORDER BY number")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let pairs = read_pairs(row.get_ref(2)?.as_blob()?);
            prints.remember(Group { number: row.get(0)?, until: row.get(1)?, pairs });
        }
        prints.has_old =
            connection.query_row("SELECT EXISTS (SELECT 1 FROM old_prints)", [], |row| row.get(0))?;
        Ok(prints)
    }

    /// The twin received at `since` or later, the commit under way included.
    pub fn twin(&self, connection: &Connection, of: &[u8; 32], since: i64) -> Result<Option<EventId>> {
        let print = codec::print(of);
        let is_twin = |it: &Print| it.fingerprint == *of && it.received >= since;
        if let Some(staged) = self.staged.get(&print).filter(|it| is_twin(it)) {
            return Ok(Some(staged.id));
        }
        for seq in self.candidates(connection, print)? {
            if let Some(twin) = read(connection, seq)?.filter(is_twin) {
                return Ok(Some(twin.id));
            }
        }
        Ok(None)
    }

    fn candidates(&self, connection: &Connection, print: i64) -> Result<Vec<i64>> {
        let mut seqs = Vec::from_iter(self.newest.get(&print).copied());
        if self.has_old {
            let mut query = connection.prepare_cached("SELECT seq FROM old_prints WHERE print = ?1")?;
            for seq in query.query_map([print], |row| row.get(0))? {
                seqs.push(seq?);
            }
        }
        Ok(seqs)
    }

    /// Adds a new event to the commit under way. What it pushes out of memory (a fingerprint that
    /// begins alike, or a twin whose window is over) moves to the table.
    pub fn stage(&mut self, connection: &Connection, event: Print) -> Result<()> {
        let print = codec::print(&event.fingerprint);
        let pushed = self.staged.insert(print, event).map(|it| it.seq);
        if let Some(seq) = pushed.or(self.newest.get(&print).copied()) {
            self.set_aside(connection, print, seq)?;
        }
        Ok(())
    }

    fn set_aside(&mut self, connection: &Connection, print: i64, seq: i64) -> Result<()> {
        // Also true if the commit fails: then a lookup is made in vain.
        self.has_old = true;
        // Of what is gone for good, nothing would ever remove the row.
        let sql = "INSERT OR IGNORE INTO old_prints (print, seq) SELECT ?1, ?2 WHERE EXISTS \
                   (SELECT 1 FROM events WHERE seq = ?2 UNION ALL SELECT 1 FROM removed_prints WHERE seq = ?2)";
        connection.prepare_cached(sql)?.execute([print, seq]).map(drop)
    }

    /// Writes the prints of the commit under way, and makes room for them.
    pub fn write(&mut self, connection: &Connection, capacity: usize) -> Result<Written> {
        let Some(now) = self.staged.values().map(|it| it.received).max() else {
            return Ok(Written::default());
        };
        let forgotten = self.make_room(connection, capacity, now)?;
        let until = self.staged.values().map(|it| it.until).max().unwrap_or(now);
        let pairs: Vec<_> = self.staged.iter().map(|(print, it)| (*print, it.seq)).collect();
        let sql = "INSERT INTO recent_prints (until, pairs) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute(params![until, write_pairs(&pairs)])?;
        let number = connection.last_insert_rowid();
        Ok(Written { forgotten, group: Some(Group { number, until, pairs }) })
    }

    /// How many groups at the front go: those past their window, and what is too much.
    fn make_room(&mut self, connection: &Connection, capacity: usize, now: i64) -> Result<usize> {
        let mut excess = (self.count + self.staged.len()).saturating_sub(capacity);
        let mut gone = 0;
        while let Some(group) = self.groups.get(gone) {
            let over = group.until < now;
            if !over && excess == 0 {
                break;
            }
            excess = excess.saturating_sub(group.pairs.len());
            let (number, pairs) = (group.number, if over { Vec::new() } else { group.pairs.clone() });
            connection.prepare_cached("DELETE FROM recent_prints WHERE number = ?1")?.execute([number])?;
            for (print, seq) in pairs {
                self.set_aside(connection, print, seq)?;
            }
            gone += 1;
        }
        Ok(gone)
    }

    /// The commit is done.
    pub fn committed(&mut self, written: Written) {
        for group in self.groups.drain(..written.forgotten) {
            self.count -= group.pairs.len();
            for (print, seq) in group.pairs {
                if self.newest.get(&print) == Some(&seq) {
                    self.newest.remove(&print);
                }
            }
        }
        self.staged.clear();
        if let Some(group) = written.group {
            self.remember(group);
        }
    }

    /// The commit failed.
    pub fn discard(&mut self) {
        self.staged.clear();
    }

    fn remember(&mut self, group: Group) {
        self.newest.extend(group.pairs.iter().copied());
        self.count += group.pairs.len();
        self.groups.push_back(group);
    }
}

/// What [`Prints::write`] has put into the transaction.
#[derive(Debug, Default)]
pub struct Written {
    forgotten: usize,
    group: Option<Group>,
}

fn read(connection: &Connection, seq: i64) -> Result<Option<Print>> {
    let sql = "SELECT id, fingerprint, received, dedupe_until FROM events WHERE seq = ?1 UNION ALL \
               SELECT id, fingerprint, received, dedupe_until FROM removed_prints WHERE seq = ?1";
    let print = |row: &rusqlite::Row<'_>| {
        let id = codec::event_id(row.get(0)?);
        Ok(Print { id, seq, fingerprint: row.get(1)?, received: row.get(2)?, until: row.get(3)? })
    };
    connection.prepare_cached(sql)?.query_row([seq], print).optional()
}

fn write_pairs(pairs: &[(i64, i64)]) -> Vec<u8> {
    pairs.iter().flat_map(|(print, seq)| [print.to_le_bytes(), seq.to_le_bytes()]).flatten().collect()
}

fn read_pairs(blob: &[u8]) -> Vec<(i64, i64)> {
    let (pairs, _) = blob.as_chunks::<16>();
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("half of 16 bytes"));
    pairs.iter().map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect()
}
