//! Deduplication: the newest fingerprints in memory, older ones in a table, every hit confirmed
//! by the whole digest in the event's row, or in what is left of it.
//!
//! What is new is written as one blob a commit, and stays in memory while it has room. Of what it has
//! no room for the oldest half moves to the table: in the table's order and some with each commit, so
//! that a commit writes few pages more. It is in memory until all of that half is in the table.

mod old;
mod recent;

use super::codec;
use crate::event::EventId;
use hashbrown::HashMap;
use old::Old;
use recent::{Entry, Place, Recent};
use rusqlite::{Connection, OptionalExtension, Result, params};
use std::collections::VecDeque;

/// How many move with each event that is kept: a half is moved by the time that an eighth has come.
const MOVED_PER_EVENT: usize = 4;

/// How many more move with each commit where memory is full: an older version left more in it.
const MOVED_IF_FULL: usize = 4096;

/// An event as deduplication sees it. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Print {
    pub id: EventId,
    pub seq: i64,
    pub fingerprint: [u8; 32],
    pub received: i64,
    pub until: i64,
}

/// The prints of one commit: as many of the queue.
#[derive(Clone, Copy, Debug)]
struct Group {
    number: i64,
    until: i64,
    count: u32,
}

/// What is remembered.
#[derive(Debug)]
pub struct Prints {
    recent: Recent,
    /// What `recent` was filled with, oldest first.
    groups: VecDeque<Group>,
    old: Old,
    moving: Option<Moving>,
    /// How many `recent` may hold.
    capacity: usize,
    /// Those of the commit under way.
    staged: HashMap<i64, Print>,
}

/// The oldest groups on their way to the table.
#[derive(Debug)]
struct Moving {
    /// The last of them.
    last: i64,
    /// When the last of their windows is over: longer than needed is no harm.
    until: i64,
    /// Where their prints are, in the order of the table; those before `done` are there.
    places: Vec<Place>,
    done: usize,
}

impl Prints {
    pub fn load(connection: &Connection, capacity: usize) -> Result<Self> {
        let mut prints = Self {
            recent: Recent::with_capacity(capacity),
            groups: VecDeque::new(),
            old: Old::load(connection)?,
            moving: None,
            capacity,
            staged: HashMap::new(),
        };
        let mut query =
            connection.prepare("SELECT number, until, pairs FROM recent_prints ORDER BY number")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let pairs = read_pairs(row.get_ref(2)?.as_blob()?);
            prints.remember(row.get(0)?, row.get(1)?, &pairs);
        }
        Ok(prints)
    }

    /// The twin received at `since` or later, the commit under way included.
    pub fn twin(&self, connection: &Connection, of: &[u8; 32], since: i64) -> Result<Option<EventId>> {
        let print = codec::print(of);
        let is_twin = |it: &Print| it.fingerprint == *of && it.received >= since;
        if let Some(staged) = self.staged.get(&print).filter(|it| is_twin(it)) {
            return Ok(Some(staged.id));
        }
        let older = self.old.find(connection, print)?;
        for seq in self.recent.find(print).into_iter().chain(older) {
            if let Some(twin) = read(connection, seq)?.filter(is_twin) {
                return Ok(Some(twin.id));
            }
        }
        Ok(None)
    }

    /// Adds a new event to the commit under way. What it pushes out of memory (a fingerprint that
    /// begins alike, or a twin whose window is over) moves to the table.
    pub fn stage(&mut self, connection: &Connection, event: Print) -> Result<()> {
        let print = codec::print(&event.fingerprint);
        let staged = self.staged.insert(print, event).map(|it| it.seq);
        if let Some(seq) = staged.or_else(|| self.recent.find(print)) {
            // Of what is over or gone for good, nothing is to be kept.
            if let Some(pushed) = read(connection, seq)?.filter(|pushed| pushed.until >= event.received) {
                self.old.add(connection, (print, seq), pushed.until)?;
            }
        }
        Ok(())
    }

    /// Writes the prints of the commit under way, and makes room for them.
    pub fn write(&mut self, connection: &Connection) -> Result<Written> {
        let Some(now) = self.staged.values().map(|it| it.received).max() else {
            return Ok(Written::default());
        };
        let (forgotten, moved) = self.make_room(connection, now)?;
        let old = self.old.sweep(connection, self.staged.len(), now)?;
        let until = self.staged.values().map(|it| it.until).max().unwrap_or(now);
        let pairs: Vec<_> = self.staged.iter().map(|(print, it)| (*print, it.seq)).collect();
        let sql = "INSERT INTO recent_prints (until, pairs) VALUES (?1, ?2)";
        connection.prepare_cached(sql)?.execute(params![until, write_pairs(&pairs)])?;
        let group = Some((connection.last_insert_rowid(), until, pairs));
        Ok(Written { forgotten, moved: Some(moved), old: Some(old), group })
    }

    /// How many groups at the front go (those past their window, and what has moved), and how far the
    /// move has come.
    fn make_room(&mut self, connection: &Connection, now: i64) -> Result<(usize, usize)> {
        let expected = self.recent.len() + self.staged.len();
        if self.moving.is_none() && expected > self.capacity - self.capacity / 8 {
            self.moving = self.begin_to_move();
        }
        let moved = self.move_some(connection, expected > self.capacity)?;
        let all_moved = self.moving.as_ref().filter(|moving| moved == moving.places.len());
        let last_moved = all_moved.map_or(i64::MIN, |moving| moving.last);
        let goes = |group: &&Group| group.until < now || group.number <= last_moved;
        let gone = self.groups.iter().take_while(goes).count();
        if let Some(last) = gone.checked_sub(1).and_then(|last| self.groups.get(last)) {
            let sql = "DELETE FROM recent_prints WHERE number <= ?1";
            connection.prepare_cached(sql)?.execute([last.number])?;
        }
        Ok((gone, moved))
    }

    /// The oldest groups with half of all prints.
    fn begin_to_move(&self) -> Option<Moving> {
        let (half, mut count, mut until) = (self.recent.len().div_ceil(2), 0, i64::MIN);
        let last = self.groups.iter().find(|group| {
            count += group.count as usize;
            until = until.max(group.until);
            count >= half
        })?;
        Some(Moving { last: last.number, until, places: self.recent.oldest_by_print(count), done: 0 })
    }

    /// Moves some, and more if there is no room left; says how many have moved by now.
    fn move_some(&mut self, connection: &Connection, is_full: bool) -> Result<usize> {
        let Some(moving) = &self.moving else { return Ok(0) };
        let more = if is_full { MOVED_IF_FULL } else { 0 };
        let to = (moving.done + self.staged.len() * MOVED_PER_EVENT + more).min(moving.places.len());
        for place in &moving.places[moving.done..to] {
            // What was past its window has left meanwhile.
            if let Some(entry) = self.recent.at(*place) {
                self.old.add(connection, entry, moving.until)?;
            }
        }
        Ok(to)
    }

    /// The commit is done.
    pub fn committed(&mut self, written: Written) {
        if let Some((moving, moved)) = self.moving.as_mut().zip(written.moved) {
            moving.done = moved;
        }
        for group in self.groups.drain(..written.forgotten) {
            self.recent.pop(group.count as usize);
        }
        // Those on their way may all have left past their windows; their numbers are given again then.
        let first = self.groups.front().map_or(i64::MAX, |group| group.number);
        self.moving.take_if(|moving| moving.done == moving.places.len() || moving.last < first);
        self.staged.clear();
        self.old = written.old.unwrap_or(self.old);
        if let Some((number, until, pairs)) = written.group {
            self.remember(number, until, &pairs);
        }
    }

    /// The commit failed.
    pub fn discard(&mut self) {
        self.staged.clear();
    }

    fn remember(&mut self, number: i64, until: i64, pairs: &[Entry]) {
        pairs.iter().for_each(|entry| self.recent.push(*entry));
        let count = u32::try_from(pairs.len()).expect("a group is not that large");
        self.groups.push_back(Group { number, until, count });
    }
}

/// What [`Prints::write`] has put into the transaction.
#[derive(Debug, Default)]
pub struct Written {
    forgotten: usize,
    moved: Option<usize>,
    old: Option<Old>,
    group: Option<(i64, i64, Vec<Entry>)>,
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

fn write_pairs(pairs: &[Entry]) -> Vec<u8> {
    pairs.iter().flat_map(|(print, seq)| [print.to_le_bytes(), seq.to_le_bytes()]).flatten().collect()
}

fn read_pairs(blob: &[u8]) -> Vec<Entry> {
    let (pairs, _) = blob.as_chunks::<16>();
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("half of 16 bytes"));
    pairs.iter().map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect()
}
