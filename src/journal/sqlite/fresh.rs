//! Fresh deliveries: due from their receipt on, waiting for nothing, and handed over in memory.
//!
//! Most deliveries are attempted and settled within moments. Such a one stands in its event's row
//! until its outcome makes it a row of its own, so that it is never looked for and never changed in
//! place. (An effect has a row from the start, for its parameters.) Whoever wants its row before that
//! has it *put down*: the table then has it as pending, as if it had never been fresh. That is done to
//! all of them at a start, which is how a crash loses none.

use super::lanes::LaneId;
use super::txn::{Fault, Txn};
use crate::delivery::{DeliveryId, Effect};
use crate::event::Event;
use crate::headers::Headers;
use crate::journal::Leased;
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// How many bytes of events they may hold in memory, each counted as often as it has deliveries;
/// parsed they are several times that.
const MOST_BYTES: usize = 4 << 20;
/// Of an event larger than that none is kept in memory.
const LARGEST: usize = 64 << 10;
/// Those that are older than that by the time of the newest event are put down: a start has few events
/// to look at, and a lane that rests takes no room from the others.
pub const MOST_AGE_MS: i64 = 1000;

/// A delivery's row, if it has one: its event's, lane and name.
pub type Key = (i64, LaneId, String);

/// One of them, in the queue of its lane.
#[derive(Debug)]
pub struct Fresh {
    pub key: Key,
    /// Unix milliseconds.
    pub due: i64,
    pub bytes: usize,
    /// An effect's parameters stand nowhere else.
    pub has_row: bool,
    /// The commit that brought it, known when that is made: it is leased once that is on the disk.
    pub commit: u64,
    /// Large, and handed from queue to queue.
    pub leased: Box<Leased>,
}

/// What the effects of a delivery have of it.
#[derive(Clone, Debug)]
pub struct Origin {
    pub event: Arc<Event>,
    pub body: Bytes,
    pub headers: Headers,
    pub received_at: Timestamp,
    pub bytes: usize,
}

impl Origin {
    pub fn of(fresh: &Fresh) -> Self {
        let Leased { event, body, headers, received_at, .. } = &*fresh.leased;
        Self {
            event: Arc::clone(event),
            body: body.clone(),
            headers: headers.clone(),
            received_at: *received_at,
            bytes: fresh.bytes,
        }
    }

    /// The first attempt of one of the event's deliveries.
    pub fn lease(&self, id: DeliveryId, effect: Option<Effect>) -> Leased {
        Leased {
            id,
            event: Arc::clone(&self.event),
            body: self.body.clone(),
            headers: self.headers.clone(),
            received_at: self.received_at,
            attempts: 0,
            counted_from: self.received_at,
            earlier_attempts: 0,
            was_blocked: false,
            effect,
        }
    }
}

/// Those that memory has, whether they wait or are being attempted.
#[derive(Debug, Default)]
pub struct Unsettled {
    known: BTreeMap<Key, Known>,
    bytes: usize,
    /// Taken out of their queues by a transaction under way.
    pub withdrawn: Vec<Fresh>,
}

#[derive(Debug)]
struct Known {
    bytes: usize,
    has_row: bool,
}

impl Unsettled {
    /// Whether so many of an event of this size may be kept in memory beside so many other bytes.
    pub fn has_room(&self, bytes: usize, count: usize, beside: usize) -> bool {
        bytes <= LARGEST && self.bytes + beside + bytes * count <= MOST_BYTES
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.known.contains_key(key)
    }

    /// It may be known already.
    pub fn add(&mut self, fresh: &Fresh) {
        let known = Known { bytes: fresh.bytes, has_row: fresh.has_row };
        let before = self.known.insert(fresh.key.clone(), known);
        self.bytes = self.bytes + fresh.bytes - before.map_or(0, |before| before.bytes);
    }

    pub fn remove(&mut self, key: &Key) {
        self.bytes -= self.known.remove(key).map_or(0, |known| known.bytes);
    }

    /// The first event that has one.
    pub fn floor(&self) -> Option<i64> {
        self.known.keys().next().map(|(event, ..)| *event)
    }

    fn before(&self, event: i64) -> Vec<Key> {
        self.known.range(..(event, LaneId::MIN, String::new())).map(|(key, _)| key.clone()).collect()
    }
}

/// The list of lanes as it stands in an event's row.
pub fn write_lanes(lanes: &[LaneId]) -> Option<String> {
    if lanes.is_empty() {
        return None;
    }
    let mut list = String::with_capacity(2 + 4 * lanes.len());
    for lane in lanes {
        list.push(if list.is_empty() { '[' } else { ',' });
        let _ = write!(list, "{lane}");
    }
    list.push(']');
    Some(list)
}

/// Puts those down that have become old.
pub fn put_down_old(txn: &mut Txn<'_>) -> Result<(), Fault> {
    let newest_ms = super::codec::received_at(txn.newest).as_millisecond();
    let before = newest_ms.saturating_sub(MOST_AGE_MS);
    put_down_before(txn, super::codec::last_seq_at(before))
}

/// Puts all of them down: what follows in this transaction finds them in the table.
pub fn put_down_all(txn: &mut Txn<'_>) -> Result<(), Fault> {
    put_down_before(txn, i64::MAX)
}

fn put_down_before(txn: &mut Txn<'_>, event: i64) -> Result<(), Fault> {
    let keys = txn.shared.lanes().fresh.before(event);
    keys.into_iter().try_for_each(|key| put_down(txn, key))
}

/// Puts one down, if memory has it: it gets its row, and from here on nobody leases it from memory.
pub fn put_down(txn: &mut Txn<'_>, key: Key) -> Result<(), Fault> {
    let mut lanes = txn.shared.lanes();
    let Some(known) = lanes.fresh.known.get(&key) else { return Ok(()) };
    let has_row = known.has_row;
    txn.due.extend(lanes.withdraw(&key).map(|due| (key.1, due)));
    drop(lanes);
    if !has_row {
        let sql = "INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message) \
                   SELECT seq, ?2, ?3, 0, received, 0, received, '' FROM events WHERE seq = ?1";
        txn.connection.prepare_cached(sql)?.execute(params![key.0, key.1, key.2])?;
    }
    txn.put_down.push(key);
    Ok(())
}

/// Puts all down that an end of the process, or of a connection, has left without a row.
pub fn recover(connection: &Connection) -> rusqlite::Result<()> {
    let none = i64::MAX;
    let from: i64 = connection.query_row("SELECT fresh_from FROM tally", [], |row| row.get(0))?;
    if from == none {
        return Ok(());
    }
    let put_down = format!(
        "BEGIN IMMEDIATE; \
         INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message) \
         SELECT event, lane, name, state, due, attempts, updated, message FROM fresh; \
         UPDATE tally SET fresh_from = {none}; COMMIT;"
    );
    connection.execute_batch(&put_down).inspect_err(|error| {
        tracing::error!(%error, "the deliveries that were under way at the last stop cannot be put down");
    })
}
