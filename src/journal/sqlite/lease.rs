//! Taking out deliveries that are due, round-robin over the lanes.

mod row;

use super::codec;
use super::fresh::{Fresh, Origin};
use super::lanes::{Held, Lane, LaneId, Lanes, Ties};
use super::txn::{Fault, Shared};
use crate::delivery::DeliveryId;
use crate::journal::{Capacity, OUTCOMES_PER_ATTEMPT, Room, Rooms, State};
use hashbrown::HashMap;
use jiff::Timestamp;
use row::LeasedRow;
use rusqlite::{Connection, Result};
use std::sync::Arc;

/// What is asked for.
pub struct Wanted {
    /// Unix milliseconds.
    pub now: i64,
    pub capacity: Capacity,
}

/// What is left of the room of the lanes that were asked in one lease.
struct Left<'a> {
    rooms: &'a dyn Rooms,
    known: HashMap<LaneId, Room>,
}

impl Left<'_> {
    /// How many more of a lane may be taken.
    fn of(&mut self, number: LaneId, lane: &Lane) -> usize {
        let room = self.known.entry(number).or_insert_with(|| self.rooms.room(&lane.rule, &lane.action));
        let waiting = room.in_all.saturating_mul(OUTCOMES_PER_ATTEMPT).saturating_sub(lane.leased());
        let beside_others = room.in_all.saturating_sub(lane.under_way()).min(waiting);
        room.until.map_or(beside_others, |(count, _)| count.min(beside_others))
    }

    fn taken(&mut self, number: LaneId, count: usize) {
        if let Some(Room { until: Some((left, _)), .. }) = self.known.get_mut(&number) {
            *left = left.saturating_sub(count);
        }
    }

    /// Before when there is nothing more to be taken of a lane whatever ends, in milliseconds.
    fn closed_until(&self, number: LaneId) -> Option<i64> {
        let until = self.known.get(&number)?.until.filter(|(left, _)| *left == 0);
        until.map(|(_, time)| ceil(time))
    }
}

/// The first whole millisecond that is not before a time.
fn ceil(time: Timestamp) -> i64 {
    let floor = time.as_millisecond();
    if codec::time(floor) < time { floor.saturating_add(1) } else { floor }
}

/// Leased rows on their way to the caller; those that it does not take go back.
pub struct Batch {
    taken: Vec<Taken>,
    pub next_due: Option<i64>,
    pub has_left: bool,
    shared: Arc<Shared>,
}

/// A leased delivery, from memory or from the table.
pub enum Taken {
    Fresh(Fresh),
    Stored(Box<LeasedRow>),
}

impl Taken {
    fn id(&self) -> &DeliveryId {
        match self {
            Self::Fresh(fresh) => &fresh.leased.id,
            Self::Stored(row) => &row.id,
        }
    }
}

impl Batch {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { taken: Vec::new(), next_due: None, has_left: false, shared }
    }

    pub fn take(mut self) -> Vec<Taken> {
        std::mem::take(&mut self.taken)
    }
}

/// A caller that is dropped before it got its leases does not keep them.
impl Drop for Batch {
    fn drop(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let mut lanes = self.shared.lanes();
        self.taken.iter().rev().for_each(|taken| lanes.release(taken.id()));
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

/// Fills a batch: in each round every ready lane with room gets an equal share. Without a connection only
/// from memory; returns whether that was all that there is.
pub fn lease(
    connection: Option<&Connection>,
    batch: &mut Batch,
    wanted: &Wanted,
) -> std::result::Result<bool, Fault> {
    let shared = batch.shared.clone();
    let mut lanes = shared.lanes();
    let Capacity { overall, lanes: rooms, afresh } = &wanted.capacity;
    if *afresh {
        lanes.open_all();
    }
    lanes.wake(wanted.now);
    let mut rooms = Left { rooms: &**rooms, known: HashMap::new() };
    while let Some(left) = overall.checked_sub(batch.taken.len()).filter(|left| *left > 0) {
        if !lanes.may_hold_more() {
            break;
        }
        let turn = turn(&mut lanes, left, &mut rooms, wanted.now);
        if turn.is_empty() {
            break;
        }
        let is_stored =
            |lane: &LaneId| lanes.get(*lane).and_then(Lane::due).is_some_and(|due| due <= wanted.now);
        if connection.is_none() && turn.iter().any(is_stored) {
            return Ok(false);
        }
        let share = left / turn.len();
        for lane in turn {
            let share = take_fresh(&mut lanes, (lane, share), &mut rooms, wanted.now, &mut batch.taken);
            if let Some(connection) = connection.filter(|_| share > 0) {
                take_stored(connection, &mut lanes, (lane, share), &mut rooms, wanted.now, &mut batch.taken)?;
            }
        }
    }
    batch.next_due = lanes.next_due();
    batch.has_left = lanes.leave(wanted.now);
    Ok(true)
}

/// Takes up to a share from a lane's memory; says what is left of it.
fn take_fresh(
    lanes: &mut Lanes,
    (number, share): (LaneId, usize),
    rooms: &mut Left<'_>,
    now: i64,
    taken: &mut Vec<Taken>,
) -> usize {
    let Some(lane) = lanes.get(number) else { return 0 };
    let most = share.min(rooms.of(number, lane));
    let fresh = lanes.take_fresh(number, most, now);
    rooms.taken(number, fresh.len());
    let left = share - fresh.len();
    for fresh in fresh {
        let (event, lane, name) = fresh.key.clone();
        let (state, origin) = (Some(State::Pending), Some(Origin::of(&fresh)));
        let (is_fresh, ties, bytes) = (!fresh.has_row, Ties::default(), fresh.bytes);
        let held = Held { lane, event, name, state, settling: false, is_fresh, ties, origin, bytes };
        lanes.hold(fresh.leased.id.clone(), held);
        taken.push(Taken::Fresh(fresh));
    }
    lanes.wake(now);
    left
}

/// The lanes whose turn it is. Those that have no room until some time are not asked before then.
fn turn(lanes: &mut Lanes, count: usize, rooms: &mut Left<'_>, now: i64) -> Vec<LaneId> {
    let mut closed = Vec::new();
    let turn = lanes.turn(count, |number, lane| {
        let has_room = lanes.is_open(lane, now) && rooms.of(number, lane) > 0;
        closed.extend(rooms.closed_until(number).map(|until| (number, until)));
        has_room
    });
    closed.into_iter().for_each(|(number, until)| lanes.close(number, until));
    turn
}

/// Takes up to a share from a lane's rows, and notes when the next of them is due.
fn take_stored(
    connection: &Connection,
    lanes: &mut Lanes,
    (lane, share): (LaneId, usize),
    rooms: &mut Left<'_>,
    now: i64,
    taken: &mut Vec<Taken>,
) -> Result<()> {
    let Some(it) = lanes.get(lane) else { return Ok(()) };
    let Some(first) = it.due() else { return Ok(()) };
    let (in_memory, rule, action) = (it.leased() + it.queued(), it.rule.clone(), it.action.clone());
    let most = share.min(rooms.of(lane, it));
    let mut room = most;
    // What memory has may stand there too, hence the longer look; one more says what comes next.
    let look = i64::try_from(in_memory + room + 1).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(KEYS)?;
    let mut rows = query.query([lane, first, look])?;
    let mut next = None;
    while let Some(row) = rows.next()? {
        let (event, name, due): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let key = (event, lane, name);
        if lanes.fresh.contains(&key) || lanes.get(lane).is_some_and(|it| it.is_leased(event, &key.2)) {
            continue;
        }
        let (.., name) = key;
        if due > now || room == 0 || !lanes.may_hold_more() {
            next = Some(due);
            break;
        }
        let Some(row) = LeasedRow::find(connection, (event, lane, &name), &rule, &action)? else {
            continue;
        };
        let state = Some(row.state);
        let (is_fresh, ties, origin, bytes) = (false, row.ties.clone(), None, row.bytes());
        let held = Held { lane, event, name, state, settling: false, is_fresh, ties, origin, bytes };
        lanes.hold(row.id.clone(), held);
        taken.push(Taken::Stored(Box::new(row)));
        room -= 1;
    }
    rooms.taken(lane, most - room);
    lanes.set_due(lane, next);
    lanes.wake(now);
    Ok(())
}

/// Answered from the index alone: what is leased is passed over without a look at its event, and that
/// of what was due before the first that is not leased.
const KEYS: &str = "SELECT event, name, due FROM deliveries INDEXED BY deliveries_open \
                    WHERE lane = ?1 AND due >= ?2 ORDER BY due LIMIT ?3";
