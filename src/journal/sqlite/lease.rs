//! Taking out deliveries that are due, round-robin over the lanes.

use super::codec;
use super::lanes::{Held, LaneId, Lanes};
use super::txn::{Fault, Shared};
use crate::delivery::{DeliveryId, Effect};
use crate::event::EventId;
use crate::journal::{JournalError, Leased, State};
use crate::json;
use crate::template::Params;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// [`crate::journal::Capacity`], owned. Times are Unix milliseconds.
pub struct Wanted {
    pub now: i64,
    pub overall: usize,
    pub per_lane: usize,
    pub paused: BTreeSet<(String, String)>,
}

/// Leased rows on their way to the caller; those that it does not take go back.
pub struct Batch {
    rows: Vec<LeasedRow>,
    pub next_due: Option<i64>,
    shared: Arc<Shared>,
}

/// A leased delivery as it is stored.
pub struct LeasedRow {
    pub id: DeliveryId,
    state: State,
    attempts: u32,
    received: i64,
    document: String,
    body: Vec<u8>,
    headers: Vec<u8>,
    effect: Option<(String, String)>,
    counted_from: Option<i64>,
    earlier_attempts: Option<u32>,
}

impl Batch {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { rows: Vec::new(), next_due: None, shared }
    }

    pub fn take(mut self) -> Vec<LeasedRow> {
        std::mem::take(&mut self.rows)
    }
}

/// A caller that is dropped before it got its leases does not keep them.
impl Drop for Batch {
    fn drop(&mut self) {
        if !self.rows.is_empty() {
            let mut lanes = self.shared.lanes();
            self.rows.iter().for_each(|row| lanes.release(&row.id));
        }
    }
}

/// What the table says of the lanes at start.
pub fn load_lanes(connection: &Connection, lanes: &mut Lanes) -> Result<()> {
    let mut query = connection.prepare("SELECT lane, rule, action FROM lanes")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let lane = row.get(0)?;
        lanes.add(lane, row.get(1)?, row.get(2)?);
        if let Some(due) = first_due(connection, lane)? {
            lanes.note(lane, due);
        }
    }
    Ok(())
}

fn first_due(connection: &Connection, lane: LaneId) -> Result<Option<i64>> {
    let sql =
        "SELECT min(due) FROM deliveries INDEXED BY deliveries_open WHERE lane = ?1 AND due IS NOT NULL";
    connection.prepare_cached(sql)?.query_row([lane], |row| row.get(0))
}

/// Fills a batch: in each round every ready lane with room gets an equal share.
pub fn lease(connection: &Connection, batch: &mut Batch, wanted: &Wanted) -> std::result::Result<(), Fault> {
    let shared = batch.shared.clone();
    let mut lanes = shared.lanes();
    lanes.wake(wanted.now);
    while let Some(left) = wanted.overall.checked_sub(batch.rows.len()).filter(|left| *left > 0) {
        let turn = lanes.turn(left, wanted.per_lane, &wanted.paused);
        if turn.is_empty() {
            break;
        }
        let share = left / turn.len();
        for lane in turn {
            take_from(connection, &mut lanes, lane, share, wanted, &mut batch.rows)?;
        }
    }
    batch.next_due = lanes.next_due();
    Ok(())
}

/// Takes up to `share` from a lane, and notes when the next of it is due.
fn take_from(
    connection: &Connection,
    lanes: &mut Lanes,
    lane: LaneId,
    share: usize,
    wanted: &Wanted,
    taken: &mut Vec<LeasedRow>,
) -> Result<()> {
    let Some((under_way, rule, action)) =
        lanes.get(lane).map(|it| (it.under_way(), it.rule.clone(), it.action.clone()))
    else {
        return Ok(());
    };
    let mut room = share.min(wanted.per_lane.saturating_sub(under_way));
    // Leased rows stand in the index too, hence the longer look; one more says what comes next.
    let look = i64::try_from(under_way + room + 1).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(KEYS)?;
    let mut rows = query.query([lane, look])?;
    let mut next = None;
    while let Some(row) = rows.next()? {
        let (event, name, due): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if lanes.get(lane).is_some_and(|it| it.is_leased(event, &name)) {
            continue;
        }
        if due > wanted.now || room == 0 {
            next = Some(due);
            break;
        }
        let Some(leased) = LeasedRow::find(connection, (event, lane, &name), &rule, &action)? else {
            continue;
        };
        let state = Some(leased.state);
        lanes.hold(leased.id.clone(), Held { lane, event, name, due, state });
        taken.push(leased);
        room -= 1;
    }
    lanes.set_due(lane, next);
    lanes.wake(wanted.now);
    Ok(())
}

/// Answered from the index alone: what is leased is passed over without a look at its event.
const KEYS: &str = "SELECT event, name, due FROM deliveries INDEXED BY deliveries_open \
                    WHERE lane = ?1 AND due IS NOT NULL ORDER BY due LIMIT ?2";
const ROW: &str = "SELECT e.id, d.state, d.attempts, e.received, e.document, e.body, e.headers, d.effect_kind, \
                   d.effect_params, d.counted_from, d.earlier_attempts FROM deliveries d CROSS JOIN events e ON e.seq = d.event \
                   WHERE d.event = ?1 AND d.lane = ?2 AND d.name = ?3";

impl LeasedRow {
    fn find(
        connection: &Connection,
        key: (i64, LaneId, &str),
        rule: &str,
        action: &str,
    ) -> Result<Option<Self>> {
        let read = |row: &Row<'_>| {
            let effect: (Option<String>, Option<String>) = (row.get(7)?, row.get(8)?);
            Ok(Self {
                id: codec::delivery_id(codec::event_id(row.get(0)?), rule, action, key.2),
                state: codec::state(row.get(1)?),
                attempts: row.get(2)?,
                received: row.get(3)?,
                document: row.get(4)?,
                body: row.get(5)?,
                headers: row.get(6)?,
                effect: effect.0.zip(effect.1),
                counted_from: row.get(9)?,
                earlier_attempts: row.get(10)?,
            })
        };
        connection.prepare_cached(ROW)?.query_row(key, read).optional()
    }

    /// The lease that this row is.
    ///
    /// # Errors
    /// Its event or its effect cannot be read: the file was changed from outside.
    pub fn read_back(self) -> std::result::Result<Leased, JournalError> {
        let effect =
            self.effect.as_ref().map(|(kind, params)| read_effect(&self.id, kind, params)).transpose()?;
        let event: EventId = self.id.event;
        Ok(Leased {
            event: Arc::new(codec::event(event, &self.document)?),
            body: Bytes::from(self.body),
            headers: codec::read_pairs(&self.headers),
            received_at: codec::time(self.received),
            attempts: self.attempts,
            counted_from: codec::time(self.counted_from.unwrap_or(self.received)),
            earlier_attempts: self.earlier_attempts.unwrap_or(0).min(self.attempts),
            was_blocked: self.state == State::Blocked || self.earlier_attempts == Some(0),
            effect,
            id: self.id,
        })
    }
}

fn read_effect(id: &DeliveryId, kind: &str, params: &str) -> std::result::Result<Effect, JournalError> {
    let stored = json::parse(params.as_bytes()).ok();
    let params = stored.as_ref().and_then(Params::from_stored);
    let params =
        params.ok_or_else(|| JournalError::Unusable(format!("the stored effect {id} cannot be read")))?;
    let name = id.effects.last().cloned().unwrap_or_default();
    Ok(Effect { name, kind: kind.to_owned(), after: Duration::ZERO, params })
}
