//! Dead deliveries made pending again, in steps, so that appends pass in between.

use super::lanes::LaneId;
use super::order;
use super::settle;
use super::txn::{Fault, Txn};
use super::{append, codec};
use crate::delivery::DeliveryId;
use crate::journal::{Chosen, DeliveryFilter, State};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

/// Deliveries changed in one transaction: some milliseconds.
pub const STEP: usize = 500;
/// Deliveries looked at in one: passing one over costs a microsecond or two.
pub const LOOK: usize = 20 * STEP;

/// A delivery's row: event, lane, name.
type Key = (i64, LaneId, String);

/// What is left to be made pending.
pub struct Retrying {
    left: Left,
    now: i64,
    retried: usize,
}

enum Left {
    These(Vec<DeliveryId>),
    /// Dead ones of this filter behind a key.
    Behind(Key, Box<DeliveryFilter>),
    Nothing,
}

impl Retrying {
    pub fn new(which: Chosen, now: i64) -> Self {
        let left = match which {
            Chosen::These(ids) => Left::These(ids),
            Chosen::Like(filter) if filter.state.is_none_or(|state| state == State::Dead) => {
                let first = filter.since.map_or(i64::MIN, codec::first_seq_at);
                Left::Behind((first, i64::MIN, String::new()), Box::new(filter))
            }
            // No other is ever retried.
            Chosen::Like(_) => Left::Nothing,
        };
        Self { left, now, retried: 0 }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    pub fn retried(&self) -> usize {
        self.retried
    }

    /// Makes some more of them pending. The oldest first; one that dies again meanwhile is not met
    /// twice.
    pub fn step(mut self, txn: &mut Txn<'_>) -> Result<Self, Fault> {
        let (keys, left) = match self.left {
            Left::These(ids) => these(txn, ids)?,
            Left::Behind(key, filter) => behind(txn, key, filter, self.now)?,
            Left::Nothing => (Vec::new(), Left::Nothing),
        };
        self.left = left;
        let mut lanes = BTreeSet::new();
        for key in &keys {
            if make_pending(txn, key, self.now)? {
                self.retried += 1;
                lanes.insert(key.1);
            }
        }
        txn.due.extend(lanes.into_iter().map(|lane| (lane, self.now)));
        Ok(self)
    }
}

fn these(txn: &Txn<'_>, mut ids: Vec<DeliveryId>) -> Result<(Vec<Key>, Left), Fault> {
    let rest = ids.split_off(ids.len().min(STEP));
    let mut keys = Vec::new();
    for id in &ids {
        keys.extend(settle::key(txn, id)?);
    }
    Ok((keys, if rest.is_empty() { Left::Nothing } else { Left::These(rest) }))
}

fn behind(
    txn: &Txn<'_>,
    after: Key,
    filter: Box<DeliveryFilter>,
    now: i64,
) -> Result<(Vec<Key>, Left), Fault> {
    let last = match filter.event {
        Some(id) => match append::seq(txn.connection, id)? {
            Some(seq) => seq,
            None => return Ok((Vec::new(), Left::Nothing)),
        },
        None => codec::last_seq_at(now),
    };
    let after = if filter.event.is_some() { after.max((last, i64::MIN, String::new())) } else { after };
    let lanes = txn.shared.lanes().matching(filter.rule.as_deref(), filter.action.as_deref());
    let lanes: BTreeSet<LaneId> = lanes.into_iter().collect();
    let sql = "SELECT event, lane, name FROM deliveries INDEXED BY deliveries_dead WHERE state = 4 AND event >= ?1 \
               AND event <= ?4 AND (event, lane, name) > (?1, ?2, ?3) ORDER BY event, lane, name LIMIT ?5";
    let mut query = txn.connection.prepare_cached(sql)?;
    let look = i64::try_from(LOOK).unwrap_or(i64::MAX);
    let mut rows = query.query(params![after.0, after.1, after.2, last, look])?;
    let (mut keys, mut looked, mut at) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        looked += 1;
        at = (row.get(0)?, row.get(1)?, row.get(2)?);
        if lanes.contains(&at.1) {
            keys.push(at.clone());
        }
        if keys.len() == STEP {
            return Ok((keys, Left::Behind(at, filter)));
        }
    }
    Ok((keys, if looked < LOOK { Left::Nothing } else { Left::Behind(at, filter) }))
}

/// Whether it was dead. One that is made in order takes its place among the others.
fn make_pending(txn: &mut Txn<'_>, (event, lane, name): &Key, now: i64) -> Result<bool, Fault> {
    let sql = "SELECT order_key FROM deliveries WHERE event = ?1 AND lane = ?2 AND name = ?3 AND state = 4";
    let mut query = txn.connection.prepare_cached(sql)?;
    let dead = query.query_row(params![event, lane, name], |row| row.get::<_, Option<String>>(0));
    let Some(order) = dead.optional()? else { return Ok(false) };
    let (due, parked) = match order {
        Some(key) => order::rejoin(txn, *lane, &key, (*event, name), now)?,
        None => (now, None),
    };
    let sql = "UPDATE deliveries SET state = 0, due = ?5, parked = ?6, updated = ?4, counted_from = ?4, \
               earlier_attempts = attempts WHERE event = ?1 AND lane = ?2 AND name = ?3";
    txn.connection.prepare_cached(sql)?.execute(params![event, lane, name, now, due, parked])?;
    txn.tally.add(State::Dead, -1);
    txn.tally.add(State::Pending, 1);
    Ok(true)
}
