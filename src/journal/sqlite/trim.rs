//! Which events go: by age behind their dedupe window, by size also inside of it.
//!
//! An event that goes inside its window leaves its print behind, so that its twin is a duplicate
//! for as long as it would have been.

use super::codec;
use super::storm;
use super::txn::{Fault, Shared, Txn};
use crate::journal::Trim;
use rusqlite::{Connection, params};
use std::sync::atomic::Ordering;

/// A step looks at this many times as many events as it may remove.
const LOOK: usize = 8;
/// So many are looked at, and removed, at once. Then the size is looked at again, which costs as much as
/// removing one.
const AT_ONCE: usize = 32;

/// A step of trimming: short, so that appends pass in between.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Key of the event at which it ended.
    to: i64,
    pub removed: usize,
    /// Whether nothing that may go is left behind it.
    pub is_last: bool,
}

impl Step {
    /// Before the first one.
    pub fn first(trim: &Trim, shared: &Shared) -> Self {
        let to = if trim.afresh { i64::MIN } else { shared.trimmed_to.load(Ordering::Relaxed) };
        Self { to, removed: 0, is_last: false }
    }

    /// The step behind this one: removes some events, and prints that are of no use any more.
    pub fn run(self, txn: &mut Txn<'_>, trim: &Trim) -> Result<Self, Fault> {
        let now = trim.now.as_millisecond();
        let is_too_large = |txn: &Txn<'_>| Ok::<_, Fault>(used_bytes(txn.connection)? > trim.size_bytes);
        let forgotten = forget_prints(txn.connection, now, trim.limit)?;
        let of_any_age = is_too_large(txn)?;
        let before = if of_any_age { i64::MAX } else { codec::first_seq_at(trim.before) };
        let may_go = |it: &Candidate| it.is_settled && (of_any_age || it.dedupe_until < now);
        let (mut looked_at, mut removed, mut to) = (0, 0, self.to);
        let is_last = loop {
            let count = AT_ONCE.min(trim.limit - removed);
            let oldest = candidates(txn.connection, to, before, count)?;
            for run in oldest.chunk_by(|one, next| may_go(one) == may_go(next)) {
                if may_go(&run[0]) {
                    remove(txn, run[0].seq, run[run.len() - 1].seq, now)?;
                    removed += run.len();
                }
            }
            to = oldest.last().map_or(to, |last| last.seq);
            looked_at += oldest.len();
            if oldest.len() < count {
                break forgotten < trim.limit;
            }
            let is_enough = removed >= trim.limit || looked_at >= trim.limit.saturating_mul(LOOK);
            if is_enough || (of_any_age && !is_too_large(txn)?) {
                break false;
            }
        };
        txn.shared.trimmed_to.store(to, Ordering::Relaxed);
        Ok(Self { to, removed, is_last })
    }
}

/// Bytes of the database that hold something: freed pages are used again and do not count.
pub fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    // Asked with each group: not to be parsed each time.
    let number = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    let bytes = pages * number("PRAGMA page_size")?;
    Ok(bytes.cast_unsigned())
}

/// An event old enough to go.
struct Candidate {
    seq: i64,
    dedupe_until: i64,
    /// Routed, and every delivery has ended.
    is_settled: bool,
}

/// The next of them. What a collection holds stays as long as its delivery may be made; a dead one does
/// not keep its own event.
fn candidates(
    connection: &Connection,
    after: i64,
    before: i64,
    count: usize,
) -> rusqlite::Result<Vec<Candidate>> {
    let sql = "SELECT seq, dedupe_until, generation IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.due IS NOT NULL) AND NOT EXISTS \
               (SELECT 1 FROM json_each(e.fresh) j WHERE NOT EXISTS \
               (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.lane = j.value AND d.name = '')) AND NOT EXISTS \
               (SELECT 1 FROM window_events w JOIN deliveries d ON d.window = w.window \
               WHERE w.event = e.seq AND (d.due IS NOT NULL OR d.state = 4) \
               AND (d.due IS NOT NULL OR d.event <> e.seq)) \
               FROM events e WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let candidate = |row: &rusqlite::Row<'_>| {
        Ok(Candidate { seq: row.get(0)?, dedupe_until: row.get(1)?, is_settled: row.get(2)? })
    };
    connection.prepare_cached(sql)?.query_map([after, before, count], candidate)?.collect()
}

/// Removes all from the first to the last; of those whose window runs, the prints stay.
fn remove(txn: &mut Txn<'_>, first: i64, last: i64, now: i64) -> Result<(), Fault> {
    let sql = "SELECT state, count(*) FROM deliveries WHERE event BETWEEN ?1 AND ?2 GROUP BY state";
    let mut query = txn.connection.prepare_cached(sql)?;
    let mut states = query.query([first, last])?;
    while let Some(row) = states.next()? {
        txn.tally.add(codec::state(row.get(0)?), -row.get::<_, i64>(1)?);
    }
    let sql = "INSERT INTO removed_prints (seq, id, fingerprint, received, dedupe_until) \
               SELECT seq, id, fingerprint, received, dedupe_until FROM events \
               WHERE seq BETWEEN ?1 AND ?2 AND dedupe_until >= ?3";
    txn.connection.prepare_cached(sql)?.execute([first, last, now])?;
    let windows = storm::held_for(txn, first, last)?;
    for sql in [
        "DELETE FROM attempts WHERE event BETWEEN ?1 AND ?2",
        "DELETE FROM replays WHERE event BETWEEN ?1 AND ?2",
        "DELETE FROM deliveries WHERE event BETWEEN ?1 AND ?2",
        "DELETE FROM window_events WHERE event BETWEEN ?1 AND ?2",
    ] {
        txn.connection.prepare_cached(sql)?.execute([first, last])?;
    }
    let sql = "DELETE FROM events WHERE seq BETWEEN ?1 AND ?2";
    let count = txn.connection.prepare_cached(sql)?.execute([first, last])?;
    txn.tally.events -= i64::try_from(count).unwrap_or(i64::MAX);
    storm::let_go(txn, &windows)
}

/// Forgets prints of removed events whose window is over; returns how many.
fn forget_prints(connection: &Connection, now: i64, limit: usize) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM removed_prints WHERE seq IN (SELECT seq FROM removed_prints \
               WHERE dedupe_until < ?1 ORDER BY dedupe_until LIMIT ?2)";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection.prepare_cached(sql)?.execute(params![now, limit])
}
