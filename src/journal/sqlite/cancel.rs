//! Open deliveries given up by hand, in steps, so that appends pass in between.

use super::fresh;
use super::lanes::{LaneId, Lanes};
use super::order;
use super::retry::STEP;
use super::settle;
use super::txn::{Fault, Txn};
use super::{append, codec};
use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::journal::{Cancelled, Chosen, DeliveryFilter, State};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What their message says from then on.
const MESSAGE: &str = "cancelled";

/// What is left to be given up.
pub struct Cancelling {
    left: Left,
    now: i64,
    so_far: Cancelled,
    /// Those that were left alone.
    leased: BTreeSet<(LaneId, i64, String)>,
}

enum Left {
    These(Vec<DeliveryId>),
    /// Those of one event.
    Of(EventId, Box<DeliveryFilter>),
    Like(Box<Search>),
    Nothing,
}

/// The open deliveries of some lanes, each lane in the order in which they are due.
struct Search {
    lanes: Vec<LaneId>,
    /// In the last of them: due, event, name.
    after: (i64, i64, String),
    /// What is received while this goes on is none of it.
    events: RangeInclusive<i64>,
    state: Option<State>,
}

const LANE_START: (i64, i64, String) = (i64::MIN, i64::MIN, String::new());

impl Cancelling {
    pub fn new(lanes: &Lanes, which: Chosen, now: i64) -> Self {
        let left = match which {
            Chosen::These(ids) => Left::These(ids),
            Chosen::Like(DeliveryFilter { event: Some(event), state, rule, action, .. }) => {
                Left::Of(event, Box::new(DeliveryFilter { state, rule, action, ..DeliveryFilter::default() }))
            }
            Chosen::Like(DeliveryFilter { state, rule, action, since, .. }) => {
                let lanes = lanes.matching(rule.as_deref(), action.as_deref());
                let events = since.map_or(i64::MIN, codec::first_seq_at)..=codec::last_seq_at(now);
                Left::Like(Box::new(Search { lanes, after: LANE_START, events, state }))
            }
        };
        Self { left, now, so_far: Cancelled::default(), leased: BTreeSet::new() }
    }

    pub fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    pub fn so_far(&self) -> Cancelled {
        self.so_far
    }

    /// Gives some more of them up.
    pub fn step(mut self, txn: &mut Txn<'_>) -> Result<Self, Fault> {
        fresh::put_down_all(txn)?;
        self.left = match std::mem::replace(&mut self.left, Left::Nothing) {
            Left::These(ids) => self.these(txn, ids)?,
            Left::Of(event, filter) => self.of(txn, event, &filter)?,
            Left::Like(search) => self.like(txn, search)?,
            Left::Nothing => Left::Nothing,
        };
        Ok(self)
    }

    fn these(&mut self, txn: &mut Txn<'_>, mut ids: Vec<DeliveryId>) -> Result<Left, Fault> {
        let rest = ids.split_off(ids.len().min(STEP));
        for id in &ids {
            if let Some((event, lane, name)) = settle::key(txn, id)? {
                self.give_up(txn, lane, event, &name, None)?;
            }
        }
        Ok(if rest.is_empty() { Left::Nothing } else { Left::These(rest) })
    }

    /// An event has as few deliveries as rules match it, and scripts have effects.
    fn of(&mut self, txn: &mut Txn<'_>, event: EventId, filter: &DeliveryFilter) -> Result<Left, Fault> {
        let Some(event) = append::seq(txn.connection, event)? else { return Ok(Left::Nothing) };
        let lanes = txn.shared.lanes().matching(filter.rule.as_deref(), filter.action.as_deref());
        let sql = "SELECT lane, name FROM deliveries WHERE event = ?1 AND due IS NOT NULL";
        let mut query = txn.connection.prepare_cached(sql)?;
        let rows = query.query_map([event], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (lane, name) in rows.collect::<Result<Vec<(LaneId, String)>, _>>()? {
            if lanes.contains(&lane) {
                self.give_up(txn, lane, event, &name, filter.state)?;
            }
        }
        Ok(Left::Nothing)
    }

    fn like(&mut self, txn: &mut Txn<'_>, mut search: Box<Search>) -> Result<Left, Fault> {
        let mut room = STEP;
        while let Some(lane) = search.lanes.last().copied().filter(|_| room > 0) {
            let rows = open_of(txn, lane, &search.after, room)?;
            let mut let_go = false;
            for (_, event, name) in rows.iter().filter(|(_, event, _)| search.events.contains(event)) {
                let_go |= self.give_up(txn, lane, *event, name, search.state)?;
            }
            let is_all = rows.len() < room;
            room -= rows.len();
            if let_go {
                // Those have another due time now: it may lie behind.
                search.after = LANE_START;
                continue;
            }
            search.after = rows.into_iter().last().filter(|_| !is_all).unwrap_or(LANE_START);
            if is_all {
                search.lanes.pop();
            }
        }
        Ok(if search.lanes.is_empty() { Left::Nothing } else { Left::Like(search) })
    }

    /// Gives one up if it is open, in the state that is wanted, and nobody is at it. Returns whether
    /// another one waited for it, and is let go.
    fn give_up(
        &mut self,
        txn: &mut Txn<'_>,
        lane: LaneId,
        event: i64,
        name: &str,
        wanted: Option<State>,
    ) -> Result<bool, Fault> {
        let sql = "SELECT state, iif(parked IS NULL, order_key, NULL) FROM deliveries \
                   WHERE event = ?1 AND lane = ?2 AND name = ?3 AND due IS NOT NULL";
        let mut query = txn.connection.prepare_cached(sql)?;
        let open = query.query_row(params![event, lane, name], |row| {
            Ok((codec::state(row.get(0)?), row.get::<_, Option<String>>(1)?))
        });
        let open = open.optional()?.filter(|(state, _)| wanted.is_none_or(|wanted| wanted == *state));
        let Some((state, awaited)) = open else { return Ok(false) };
        if txn.shared.lanes().get(lane).is_some_and(|it| it.is_leased(event, name)) {
            // A search that begins anew meets it again.
            self.so_far.under_way += usize::from(self.leased.insert((lane, event, name.to_owned())));
            return Ok(false);
        }
        let sql = "UPDATE deliveries SET state = 4, due = NULL, parked = NULL, updated = ?4, message = ?5 \
                   WHERE event = ?1 AND lane = ?2 AND name = ?3";
        let row = params![event, lane, name, self.now, MESSAGE];
        txn.connection.prepare_cached(sql)?.execute(row)?;
        txn.tally.add(state, -1);
        txn.tally.add(State::Dead, 1);
        self.so_far.cancelled += 1;
        if let Some(key) = &awaited {
            order::release(txn, lane, key, self.now)?;
        }
        Ok(awaited.is_some())
    }
}

/// The next open deliveries of a lane: due, event, name.
fn open_of(
    txn: &Txn<'_>,
    lane: LaneId,
    after: &(i64, i64, String),
    limit: usize,
) -> Result<Vec<(i64, i64, String)>, Fault> {
    let sql = "SELECT due, event, name FROM deliveries INDEXED BY deliveries_open WHERE lane = ?1 AND due IS NOT NULL \
               AND due >= ?2 AND (due, event, name) > (?2, ?3, ?4) ORDER BY due, event, name LIMIT ?5";
    let mut query = txn.connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    Ok(query.query_map(params![lane, after.0, after.1, after.2, limit], row)?.collect::<Result<_, _>>()?)
}
