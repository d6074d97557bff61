//! Fresh deliveries: due from their receipt on, waiting for nothing, and handed over in memory.
//!
//! Most deliveries are attempted and settled within moments. Such a one stands in its event's row
//! until its outcome makes it a row of its own, so that it is never looked for and never changed in
//! place. Whoever wants its row before that has it *put down*: the table then has it as pending, as
//! if it had never been fresh. That is done to all of them at a start, which is how a crash loses none.

use super::lanes::LaneId;
use super::txn::{Fault, Txn};
use crate::journal::Leased;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// How many bytes of events they may hold in memory, each counted as often as it has deliveries;
/// parsed they are several times that.
const MOST_BYTES: usize = 4 << 20;
/// Of an event larger than that none is kept in memory.
const LARGEST: usize = 64 << 10;
/// Those that are older than that by the time of the newest event are put down: a start has few events
/// to look at, and a lane that rests takes no room from the others.
const MOST_AGE_MS: u64 = 1000;

/// One of them, in the queue of its lane.
#[derive(Debug)]
pub struct Fresh {
    pub lane: LaneId,
    /// `events.seq`.
    pub event: i64,
    /// Unix milliseconds.
    pub due: i64,
    pub bytes: usize,
    pub leased: Leased,
}

/// Those without a row, whether they wait or are being attempted.
#[derive(Debug, Default)]
pub struct Unsettled {
    bytes_of: BTreeMap<(i64, LaneId), usize>,
    bytes: usize,
    /// Taken out of their queues by a transaction under way.
    pub withdrawn: Vec<Fresh>,
}

impl Unsettled {
    /// Whether one more of an event of this size may be kept in memory beside so many other bytes.
    pub fn has_room(&self, bytes: usize, beside: usize) -> bool {
        bytes <= LARGEST && self.bytes + beside + bytes <= MOST_BYTES
    }

    pub fn add(&mut self, fresh: &Fresh) {
        self.bytes += fresh.bytes;
        self.bytes_of.insert((fresh.event, fresh.lane), fresh.bytes);
    }

    /// It has a row now.
    pub fn remove(&mut self, event: i64, lane: LaneId) {
        self.bytes -= self.bytes_of.remove(&(event, lane)).unwrap_or_default();
    }

    /// The first event that has one.
    pub fn floor(&self) -> Option<i64> {
        self.bytes_of.keys().next().map(|(event, _)| *event)
    }

    fn before(&self, event: i64) -> Vec<(i64, LaneId)> {
        self.bytes_of.range(..(event, LaneId::MIN)).map(|(key, _)| *key).collect()
    }
}

/// The list of lanes as it stands in an event's row.
pub fn write_lanes(lanes: &[LaneId]) -> Option<String> {
    if lanes.is_empty() {
        return None;
    }
    let numbers: Vec<_> = lanes.iter().map(LaneId::to_string).collect();
    Some(format!("[{}]", numbers.join(",")))
}

/// Puts those down that have become old.
pub fn put_down_old(txn: &mut Txn<'_>) -> Result<(), Fault> {
    let newest_ms = super::codec::received_at(txn.newest).as_millisecond();
    let before = newest_ms.saturating_sub_unsigned(MOST_AGE_MS);
    put_down_before(txn, super::codec::last_seq_at(before))
}

/// Puts all of them down: what follows in this transaction finds them in the table.
pub fn put_down_all(txn: &mut Txn<'_>) -> Result<(), Fault> {
    put_down_before(txn, i64::MAX)
}

fn put_down_before(txn: &mut Txn<'_>, event: i64) -> Result<(), Fault> {
    let keys = txn.shared.lanes().fresh.before(event);
    for (event, lane) in keys {
        put_down(txn, event, lane)?;
    }
    Ok(())
}

/// The same for one, if it is fresh.
pub fn put_down_if_fresh(txn: &mut Txn<'_>, event: i64, lane: LaneId) -> Result<(), Fault> {
    let is_fresh = txn.shared.lanes().fresh.bytes_of.contains_key(&(event, lane));
    if is_fresh { put_down(txn, event, lane) } else { Ok(()) }
}

/// Gives one its row. From here on nobody leases it from memory.
pub fn put_down(txn: &mut Txn<'_>, event: i64, lane: LaneId) -> Result<(), Fault> {
    txn.shared.lanes().withdraw(event, lane);
    let sql = "INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message) \
               SELECT seq, ?2, '', 0, received, 0, received, '' FROM events WHERE seq = ?1 RETURNING due";
    let mut query = txn.connection.prepare_cached(sql)?;
    let mut rows = query.query(params![event, lane])?;
    if let Some(row) = rows.next()? {
        txn.due.push((lane, row.get(0)?));
    }
    txn.put_down.push((event, lane));
    Ok(())
}

/// Puts all down that an end of the process, or of a connection, has left without a row.
pub fn recover(connection: &Connection) -> rusqlite::Result<()> {
    let none = i64::MAX;
    let from: i64 = connection.query_row("SELECT fresh_from FROM tally", [], |row| row.get(0))?;
    if from == none {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; \
         INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message) \
         SELECT event, lane, name, state, due, attempts, updated, message FROM fresh; \
         UPDATE tally SET fresh_from = {none}; COMMIT;"
    ))
}
