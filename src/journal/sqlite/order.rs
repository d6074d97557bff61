//! Deliveries in order: of those of a lane with the same key, one at a time is due.
//!
//! The others are parked: open, but due at no time that comes. Whoever ends lets the next go, so
//! a key with a million followers costs a lease no more than one with none.

use super::txn::{Fault, Txn};
use rusqlite::{OptionalExtension, params};

/// When what is parked is due.
pub const PARKED: i64 = i64::MAX;

/// Whether an open delivery of the same key comes before this one.
fn is_behind(txn: &Txn<'_>, lane: i64, key: &str, event: i64, name: &str) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_order WHERE lane = ?1 AND order_key = ?2 \
               AND due IS NOT NULL AND (event, name) < (?3, ?4))";
    Ok(txn.connection.prepare_cached(sql)?.query_row(params![lane, key, event, name], |row| row.get(0))?)
}

/// Lets the next one go, now that one has ended that was not parked itself.
pub fn release(txn: &mut Txn<'_>, lane: i64, key: &str, now: i64) -> Result<(), Fault> {
    let sql = "SELECT event, name, parked FROM deliveries INDEXED BY deliveries_order WHERE lane = ?1 \
               AND order_key = ?2 AND due IS NOT NULL ORDER BY event, name LIMIT 1";
    let next = txn.connection.prepare_cached(sql)?.query_row(params![lane, key], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
    });
    let Some((event, name, Some(due))) = next.optional()? else { return Ok(()) };
    let due = due.max(now);
    let sql = "UPDATE deliveries SET due = ?4, parked = NULL WHERE event = ?1 AND lane = ?2 AND name = ?3";
    txn.connection.prepare_cached(sql)?.execute(params![event, lane, name, due])?;
    txn.due.push((lane, due));
    Ok(())
}

/// When one of a key that is to be due, from then on open, is due among the others: its time, and
/// the one that it has while it is parked. One that went ahead of it waits now, unless an attempt at
/// it is under way.
pub fn rejoin(
    txn: &Txn<'_>,
    lane: i64,
    key: &str,
    (event, name): (i64, &str),
    due: i64,
) -> Result<(i64, Option<i64>), Fault> {
    if is_behind(txn, lane, key, event, name)? {
        return Ok((PARKED, Some(due)));
    }
    let sql = "SELECT event, name, due FROM deliveries INDEXED BY deliveries_order WHERE lane = ?1 AND order_key = ?2 \
               AND due IS NOT NULL AND (event, name) > (?3, ?4) AND parked IS NULL AND (state = 0 OR due <= ?5) \
               ORDER BY event, name LIMIT 1";
    let ahead = txn.connection.prepare_cached(sql)?.query_row(params![lane, key, event, name, due], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    let Some((ahead, name, time)) = ahead.optional()? else { return Ok((due, None)) };
    if txn.shared.lanes().get(lane).is_some_and(|lane| lane.is_leased(ahead, &name)) {
        return Ok((PARKED, Some(due)));
    }
    park(txn, (ahead, lane, &name), time)?;
    Ok((due, None))
}

/// The same for one that is open and was made due: it is parked if others come first.
pub fn take_place(
    txn: &Txn<'_>,
    lane: i64,
    key: &str,
    (event, name): (i64, &str),
    due: i64,
) -> Result<(), Fault> {
    match rejoin(txn, lane, key, (event, name), due)? {
        (_, Some(due)) => park(txn, (event, lane, name), due),
        (_, None) => Ok(()),
    }
}

fn park(txn: &Txn<'_>, (event, lane, name): (i64, i64, &str), due: i64) -> Result<(), Fault> {
    let sql = "UPDATE deliveries SET due = ?4, parked = ?5 WHERE event = ?1 AND lane = ?2 AND name = ?3";
    txn.connection.prepare_cached(sql)?.execute(params![event, lane, name, PARKED, due])?;
    Ok(())
}
