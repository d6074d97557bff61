//! Reading deliveries: lists in pages, counts, attempts, and how deep the lanes are.

use super::history::limit;
use super::{append, codec, order};
use crate::delivery::{Answered, DeliveryId};
use crate::journal::{AttemptRecord, DeliveryFilter, LaneDepth, State, StoredDelivery};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// Fewer than one in so many deliveries in a state are found by that state's index and sorted, more
/// by going through all of them, which come sorted.
const RARE: u64 = 20;

/// What is read of a delivery. What is fresh has no row yet: a view makes it of the event's.
const COLUMNS: &str = "d.event, d.lane, d.name, d.state, d.attempts, d.due, d.message, d.updated";
const DELIVERY: &str =
    "SELECT e.id, l.rule, l.action, d.name, d.state, d.attempts, d.due, d.message, d.updated";
/// What gives deliveries, as `d`, their names. Joined last: most may be passed over or sorted away.
const JOINED: &str = "CROSS JOIN lanes l ON l.lane = d.lane CROSS JOIN events e ON e.seq = d.event";

const ORDER: &str = "ORDER BY d.event DESC, d.lane DESC, d.name DESC";

/// The key that finds what a filter asks for, and the keys between which it stands.
struct Plan {
    index: &'static str,
    narrowed: &'static str,
    first: i64,
    last: i64,
}

impl Plan {
    /// `None`: nothing can be found.
    fn of(connection: &Connection, filter: &DeliveryFilter) -> Result<Option<Self>> {
        let (first, last) = match filter.event {
            Some(id) => match append::seq(connection, id)? {
                Some(seq) => (seq, seq),
                None => return Ok(None),
            },
            None => (filter.since.map_or(i64::MIN, codec::first_seq_at), i64::MAX),
        };
        let of_lane = filter.rule.is_some() || filter.action.is_some();
        let by_state = filter.event.is_none();
        let (index, narrowed) = match filter.state {
            Some(State::Dead) if by_state => ("INDEXED BY deliveries_dead", "d.state = 4"),
            Some(State::Pending) if by_state && (of_lane || is_rare(connection, "pending + blocked")?) => {
                ("INDEXED BY deliveries_open", "d.due IS NOT NULL")
            }
            Some(State::Blocked) if by_state && (of_lane || is_rare(connection, "blocked")?) => {
                ("INDEXED BY deliveries_blocked", "d.state = 1")
            }
            _ => ("", "1"),
        };
        Ok(Some(Self { index, narrowed, first, last }))
    }

    /// What stands behind `FROM`, of the table and of the view; it uses ?1 to ?5.
    fn conditions(&self, filter: &DeliveryFilter) -> [String; 2] {
        let Self { index, narrowed, .. } = self;
        let of_lane = match (&filter.rule, &filter.action) {
            (None, None) => "?4 IS NULL AND ?5 IS NULL",
            _ => {
                "d.lane IN (SELECT lane FROM lanes WHERE (?4 IS NULL OR rule = ?4) AND (?5 IS NULL OR action = ?5))"
            }
        };
        let both = format!("d.event BETWEEN ?1 AND ?2 AND (?3 IS NULL OR d.state = ?3) AND {of_lane}");
        [format!("deliveries d {index} WHERE {narrowed} AND {both}"), format!("fresh d WHERE {both}")]
    }
}

fn is_rare(connection: &Connection, what: &str) -> Result<bool> {
    let sql =
        format!("SELECT {what}, pending + blocked + delivered + skipped + dead + suppressed FROM tally");
    let count =
        |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned()));
    let (some, all) = connection.prepare_cached(&sql)?.query_row([], count)?;
    Ok(some.saturating_mul(RARE) < all)
}

/// What is said of a delivery that is due when another has ended.
const PARKED: &str = "waits for an earlier one of its key";

/// A page of deliveries.
pub fn list(connection: &Connection, filter: &DeliveryFilter) -> Result<Vec<StoredDelivery>> {
    let Some(plan) = Plan::of(connection, filter)? else { return Ok(Vec::new()) };
    let (event, lane, name) = cursor(connection, filter.before.as_ref())?;
    let page = plan.conditions(filter).map(|of| {
        let behind = "(d.event, d.lane, d.name) < (?6, ?7, ?8)";
        format!("SELECT * FROM (SELECT {COLUMNS} FROM {of} AND {behind} {ORDER} LIMIT ?9)")
    });
    let page = page.join(" UNION ALL ");
    let sql = format!("{DELIVERY} FROM (SELECT * FROM ({page}) d {ORDER} LIMIT ?9) d {JOINED} {ORDER}");
    let state = filter.state.map(|state| state as i64);
    let last = plan.last.min(event);
    let row =
        params![plan.first, last, state, filter.rule, filter.action, event, lane, name, limit(filter.limit)];
    connection.prepare_cached(&sql)?.query_map(row, delivery)?.collect()
}

/// Where a page ends: behind it all keys are smaller. A delivery that is gone stands where its
/// event stood.
fn cursor(connection: &Connection, before: Option<&DeliveryId>) -> Result<(i64, i64, String)> {
    let Some(id) = before else { return Ok((i64::MAX, i64::MAX, String::new())) };
    let event = append::seq(connection, id.event)?;
    let Some(event) = event else {
        return Ok((*codec::seqs_of(id.event.0.timestamp_ms()).start(), i64::MIN, String::new()));
    };
    let lane = lane(connection, id)?;
    Ok(lane.map_or((event, i64::MIN, String::new()), |lane| (event, lane, codec::name(id))))
}

fn lane(connection: &Connection, id: &DeliveryId) -> Result<Option<i64>> {
    let sql = "SELECT lane FROM lanes WHERE rule = ?1 AND action = ?2";
    connection
        .prepare_cached(sql)?
        .query_row([id.rule.as_str(), id.action.as_str()], |row| row.get(0))
        .optional()
}

/// How many there are of a filter's.
pub fn count(connection: &Connection, filter: &DeliveryFilter) -> Result<u64> {
    let Some(plan) = Plan::of(connection, filter)? else { return Ok(0) };
    let [stored, fresh] = plan.conditions(filter);
    let sql = format!("SELECT (SELECT count(*) FROM {stored}) + (SELECT count(*) FROM {fresh})");
    let state = filter.state.map(|state| state as i64);
    let row = params![plan.first, plan.last, state, filter.rule, filter.action];
    let count = connection.prepare_cached(&sql)?.query_row(row, |row| row.get::<_, i64>(0))?;
    Ok(count.cast_unsigned())
}

/// One delivery.
pub fn find(connection: &Connection, id: &DeliveryId) -> Result<Option<StoredDelivery>> {
    let (Some(event), Some(lane)) = (append::seq(connection, id.event)?, lane(connection, id)?) else {
        return Ok(None);
    };
    let key = "d.event = ?1 AND d.lane = ?2 AND d.name = ?3";
    let of = ["deliveries", "fresh"].map(|of| format!("SELECT {COLUMNS} FROM {of} d WHERE {key}"));
    let sql = format!("{DELIVERY} FROM ({}) d {JOINED}", of.join(" UNION ALL "));
    let row = params![event, lane, codec::name(id)];
    connection.prepare_cached(&sql)?.query_row(row, delivery).optional()
}

fn delivery(row: &Row<'_>) -> Result<StoredDelivery> {
    let (rule, action, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let (due, message): (Option<i64>, String) = (row.get(6)?, row.get(7)?);
    let is_parked = due == Some(order::PARKED);
    Ok(StoredDelivery {
        id: codec::delivery_id(codec::event_id(row.get(0)?), &rule, &action, &name),
        state: codec::state(row.get(4)?),
        attempts: row.get(5)?,
        due: due.filter(|_| !is_parked).map(codec::time),
        message: if is_parked && message.is_empty() { PARKED.to_owned() } else { message },
        updated_at: codec::time(row.get(8)?),
    })
}

/// The attempts of a delivery, the first one first.
pub fn attempts(connection: &Connection, id: &DeliveryId) -> Result<Vec<AttemptRecord>> {
    let (Some(event), Some(lane)) = (append::seq(connection, id.event)?, lane(connection, id)?) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT number, started, duration_us, outcome, message, answer_status, answer, answer_cut, request, generation \
               FROM all_attempts WHERE event = ?1 AND lane = ?2 AND name = ?3 ORDER BY number";
    connection.prepare_cached(sql)?.query_map(params![event, lane, codec::name(id)], attempt)?.collect()
}

fn attempt(row: &Row<'_>) -> Result<AttemptRecord> {
    let answer: (Option<u16>, Option<String>, Option<bool>) = (row.get(5)?, row.get(6)?, row.get(7)?);
    Ok(AttemptRecord {
        number: row.get(0)?,
        started_at: codec::time(row.get(1)?),
        duration: Duration::from_micros(row.get::<_, i64>(2)?.cast_unsigned()),
        outcome: row.get(3)?,
        message: row.get(4)?,
        request: row.get(8)?,
        generation: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
        answer: answer.0.map(|status| Answered {
            status,
            body: answer.1.unwrap_or_default(),
            cut: answer.2.unwrap_or_default(),
        }),
    })
}

/// The lanes that have open deliveries. Counted in their indexes, without a look at events.
pub fn lanes(connection: &Connection) -> Result<Vec<LaneDepth>> {
    let open = "SELECT lane, count(*), min(event) FROM deliveries INDEXED BY deliveries_open \
                WHERE due IS NOT NULL GROUP BY lane";
    let blocked = "SELECT lane, count(*), 0 FROM deliveries INDEXED BY deliveries_blocked \
                   WHERE state = 1 GROUP BY lane";
    let blocked: BTreeMap<i64, (u64, i64)> = by_lane(connection, blocked)?;
    // Before the table: what gets its row meanwhile is counted twice, not left out.
    let fresh = by_lane(connection, "SELECT lane, count(*), min(event) FROM fresh GROUP BY lane")?;
    let mut open = by_lane(connection, open)?;
    for (lane, (count, oldest)) in fresh {
        let (known, first) = open.entry(lane).or_insert((0, oldest));
        (*known, *first) = (*known + count, oldest.min(*first));
    }
    let name = "SELECT rule, action FROM lanes WHERE lane = ?1";
    let mut name = connection.prepare_cached(name)?;
    let mut found = Vec::new();
    for (lane, (open, oldest)) in open {
        let blocked = blocked.get(&lane).map_or(0, |(count, _)| *count);
        let (rule, action) = name.query_row([lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (pending, oldest) = (open.saturating_sub(blocked), codec::received_at(oldest));
        found.push(LaneDepth { rule, action, pending, blocked, oldest });
    }
    Ok(found)
}

fn by_lane(connection: &Connection, sql: &str) -> Result<BTreeMap<i64, (u64, i64)>> {
    let row = |row: &Row<'_>| Ok((row.get(0)?, (row.get::<_, i64>(1)?.cast_unsigned(), row.get(2)?)));
    connection.prepare_cached(sql)?.query_map([], row)?.collect()
}
