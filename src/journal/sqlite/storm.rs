//! Storms held back: which of a rule's events act, decided in the commit that keeps the event.
//!
//! A window is a row for one rule and key. What does not act is kept as a suppressed delivery, so
//! that an event's timeline says what became of it.

use super::append::{self, Addition};
use super::codec;
use super::order;
use super::txn::{Fault, Txn};
use crate::journal::{MAX_COLLECTED_BYTES, NewDelivery, State, Storm, StormKind};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

/// Windows that have ended are removed, a few with each event that a storm control looks at.
const SWEPT: i64 = 2;
/// How long an ended window is kept: what it held back counts for the next that acts.
const KEPT_MS: i64 = 24 * 3600 * 1000;

/// An event on its way in, as far as a window needs it.
#[derive(Clone, Copy)]
pub struct Arrival {
    pub seq: i64,
    pub received: i64,
    pub bytes: usize,
}

/// The newest window of a rule and key.
struct Window {
    id: i64,
    first: i64,
    last: i64,
    count: i64,
    bytes: i64,
    opened: i64,
    until: i64,
    recent: Vec<(i64, i64)>,
}

/// Decides over the deliveries of one rule, and adds them as they then are.
pub fn admit(
    txn: &mut Txn<'_>,
    arrival: Arrival,
    storm: &Storm,
    deliveries: &[&NewDelivery],
) -> Result<(), Fault> {
    sweep(txn, arrival.received)?;
    let window = find(txn, storm)?;
    let mut case = Case { txn, arrival, storm, deliveries };
    match &storm.kind {
        StormKind::Throttle { until } => case.throttle(window, until.as_millisecond()),
        StormKind::Debounce { quiet, max } => case.debounce(window, millis(*quiet), millis(*max)),
        StormKind::Threshold { count, within } => case.threshold(window, *count as usize, millis(*within)),
        StormKind::Collect { until, max } => case.collect(window, until.as_millisecond(), i64::from(*max)),
    }
}

struct Case<'a, 'txn> {
    txn: &'a mut Txn<'txn>,
    arrival: Arrival,
    storm: &'a Storm,
    deliveries: &'a [&'a NewDelivery],
}

impl Case<'_, '_> {
    /// The first acts, the others until the end of the window do not.
    fn throttle(&mut self, window: Option<Window>, until: i64) -> Result<(), Fault> {
        let now = self.arrival.received;
        match window {
            Some(window) if now < window.until => {
                self.count(&window, window.until)?;
                self.suppress(&window, &format!("throttled until {}", codec::time(window.until)))
            }
            before => {
                let unseen = before.map_or(0, |window| window.count - 1);
                let id = self.open(until, Some(unseen + 1))?;
                self.act(id, 0)
            }
        }
    }

    /// The last acts, when it has been quiet, or at the latest.
    fn debounce(&mut self, window: Option<Window>, quiet: i64, max: i64) -> Result<(), Fault> {
        let now = self.arrival.received;
        match window {
            Some(window) if now < window.until && self.withdraw(&window)? => {
                let until = now.saturating_add(quiet).min(window.opened.saturating_add(max));
                self.count(&window, until)?;
                self.act(window.id, until - now)
            }
            _ => {
                let wait = quiet.min(max);
                let id = self.open(now.saturating_add(wait), None)?;
                self.act(id, wait)
            }
        }
    }

    /// The n-th within the time acts, then it is silent for that time.
    fn threshold(&mut self, window: Option<Window>, count: usize, within: i64) -> Result<(), Fault> {
        let now = self.arrival.received;
        let mut recent = match &window {
            Some(window) if window.recent.is_empty() && now < window.until => {
                self.count(window, window.until)?;
                let since = codec::time(window.until);
                return self.suppress(window, &format!("the threshold was reached: silent until {since}"));
            }
            Some(window) => window.recent.clone(),
            None => Vec::new(),
        };
        recent.push((now, self.arrival.seq));
        recent.retain(|(received, _)| *received > now.saturating_sub(within));
        let reached = recent.len() >= count;
        let first = recent[0].1;
        let shown = recent.len();
        // What acted before stays as its deliveries saw it; what only counts goes on.
        let counting = window.filter(|window| !window.recent.is_empty());
        let id = match counting {
            Some(window) => window.id,
            None => self.open(now, None)?,
        };
        let until = now.saturating_add(within);
        let kept = if reached { &[][..] } else { &recent[..] };
        let sql = "UPDATE windows SET first = ?2, last = ?3, count = count + 1, shown = ?4, until = ?5, recent = ?6 \
                   WHERE id = ?1";
        let row = params![id, first, self.arrival.seq, codec::count(shown), until, write_recent(kept)];
        self.txn.connection.prepare_cached(sql)?.execute(row)?;
        if reached {
            return self.act(id, 0);
        }
        self.add(State::Suppressed, Some(id), 0, &format!("counted: {shown} of {count}"))
    }

    /// All until the end of the window act as one, with the first.
    fn collect(&mut self, window: Option<Window>, until: i64, max: i64) -> Result<(), Fault> {
        let now = self.arrival.received;
        let bytes = codec::count(self.arrival.bytes);
        let fits = |window: &Window| window.bytes + bytes <= codec::count(MAX_COLLECTED_BYTES);
        match window {
            Some(window) if now < window.until && fits(&window) && self.is_untouched(&window)? => {
                self.hold(window.id)?;
                let full = window.count + 1 >= max;
                let until = if full { now } else { window.until };
                self.count(&window, until)?;
                if full {
                    self.hasten(&window)?;
                }
                self.suppress(&window, "collected, for one delivery of all")
            }
            _ => {
                let wait = if max <= 1 { 0 } else { until.saturating_sub(now).max(0) };
                let id = self.open(now.saturating_add(wait), None)?;
                self.hold(id)?;
                self.act(id, wait)
            }
        }
    }

    /// Begins a window with this event.
    fn open(&mut self, until: i64, shown: Option<i64>) -> Result<i64, Fault> {
        let sql = "INSERT INTO windows (kind, rule, key, first, last, count, shown, bytes, opened, until, recent) \
                   VALUES (?1, ?2, ?3, ?4, ?4, 1, ?5, ?6, ?7, ?8, x'')";
        let Arrival { seq, received, bytes } = self.arrival;
        let storm = self.storm;
        let row = params![
            number(&storm.kind),
            storm.rule,
            storm.key,
            seq,
            shown,
            codec::count(bytes),
            received,
            until
        ];
        self.txn.connection.prepare_cached(sql)?.execute(row)?;
        Ok(self.txn.connection.last_insert_rowid())
    }

    /// One more event in a window.
    fn count(&mut self, window: &Window, until: i64) -> Result<(), Fault> {
        let sql =
            "UPDATE windows SET count = count + 1, last = ?2, bytes = bytes + ?3, until = ?4 WHERE id = ?1";
        let row = params![window.id, self.arrival.seq, codec::count(self.arrival.bytes), until];
        self.txn.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Puts the event into a collection.
    fn hold(&mut self, window: i64) -> Result<(), Fault> {
        let sql = "INSERT OR IGNORE INTO window_events (window, event) VALUES (?1, ?2)";
        self.txn.connection.prepare_cached(sql)?.execute([window, self.arrival.seq])?;
        Ok(())
    }

    /// Adds the rule's deliveries, due so long after they would be.
    fn act(&mut self, window: i64, wait: i64) -> Result<(), Fault> {
        self.add(State::Pending, Some(window), wait, "")
    }

    fn suppress(&mut self, window: &Window, why: &str) -> Result<(), Fault> {
        self.add(State::Suppressed, Some(window.id), 0, why)
    }

    fn add(&mut self, state: State, window: Option<i64>, wait: i64, message: &str) -> Result<(), Fault> {
        for delivery in self.deliveries {
            let row = Addition { state, window, wait, message, ..Addition::of(delivery) };
            append::add(self.txn, self.arrival.seq, &row, self.arrival.received)?;
        }
        Ok(())
    }

    /// Whether no attempt has begun at what the window leads to. A lease is seen here before its
    /// outcome is: both pass through the writer's thread.
    fn is_untouched(&self, window: &Window) -> Result<bool, Fault> {
        let sql = "SELECT lane, name, state = 0 AND due IS NOT NULL AND attempts = 0 FROM deliveries \
                   WHERE event = ?1 AND window = ?2";
        let acting =
            if matches!(self.storm.kind, StormKind::Debounce { .. }) { window.last } else { window.first };
        let mut query = self.txn.connection.prepare_cached(sql)?;
        let rows = query.query_map([acting, window.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(i64, String, bool)> = rows.collect::<Result<_, _>>()?;
        let lanes = self.txn.shared.lanes();
        let is_leased =
            |lane: i64, name: &str| lanes.get(lane).is_some_and(|lane| lane.is_leased(acting, name));
        Ok(!rows.is_empty() && rows.iter().all(|(lane, name, waits)| *waits && !is_leased(*lane, name)))
    }

    /// Takes back what an earlier event was to do, if it is not being done.
    fn withdraw(&mut self, window: &Window) -> Result<bool, Fault> {
        if !self.is_untouched(window)? {
            return Ok(false);
        }
        let sql = "SELECT lane, order_key FROM deliveries WHERE event = ?1 AND window = ?2 AND state = 0 \
                   AND due IS NOT NULL AND parked IS NULL AND order_key IS NOT NULL";
        let mut query = self.txn.connection.prepare_cached(sql)?;
        let heads = query.query_map([window.last, window.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let heads: Vec<(i64, String)> = heads.collect::<Result<_, _>>()?;
        let sql = "UPDATE deliveries SET state = ?3, due = NULL, parked = NULL, message = ?4, updated = ?5 \
                   WHERE event = ?1 AND window = ?2 AND state = 0 AND due IS NOT NULL";
        let (why, now) = ("debounced: a later event acts", self.arrival.received);
        let row = params![window.last, window.id, State::Suppressed as i64, why, now];
        let count = self.txn.connection.prepare_cached(sql)?.execute(row)?;
        self.txn.tally.add(State::Pending, -codec::count(count));
        self.txn.tally.add(State::Suppressed, codec::count(count));
        for (lane, key) in heads {
            order::release(self.txn, lane, &key, now)?;
        }
        Ok(true)
    }

    /// A collection that is full is due at once, or when it is let go.
    fn hasten(&mut self, window: &Window) -> Result<(), Fault> {
        let sql = "UPDATE deliveries SET due = iif(parked IS NULL, ?3, due), parked = iif(parked IS NULL, NULL, ?3) \
                   WHERE event = ?1 AND window = ?2 AND state = 0 AND coalesce(parked, due) > ?3 RETURNING lane";
        let now = self.arrival.received;
        let mut query = self.txn.connection.prepare_cached(sql)?;
        let lanes = query.query_map([window.first, window.id, now], |row| row.get(0))?;
        let lanes: Vec<i64> = lanes.collect::<Result<_, _>>()?;
        self.txn.due.extend(lanes.into_iter().map(|lane| (lane, now)));
        Ok(())
    }
}

fn find(txn: &Txn<'_>, storm: &Storm) -> Result<Option<Window>, Fault> {
    let sql = "SELECT id, first, last, count, bytes, opened, until, recent FROM windows \
               WHERE rule = ?1 AND key = ?2 AND kind = ?3 ORDER BY id DESC LIMIT 1";
    let window = |row: &rusqlite::Row<'_>| {
        Ok(Window {
            id: row.get(0)?,
            first: row.get(1)?,
            last: row.get(2)?,
            count: row.get(3)?,
            bytes: row.get(4)?,
            opened: row.get(5)?,
            until: row.get(6)?,
            recent: read_recent(row.get_ref(7)?.as_blob()?),
        })
    };
    let mut query = txn.connection.prepare_cached(sql)?;
    Ok(query.query_row(params![storm.rule, storm.key, number(&storm.kind)], window).optional()?)
}

fn number(kind: &StormKind) -> i64 {
    match kind {
        StormKind::Throttle { .. } => 0,
        StormKind::Debounce { .. } => 1,
        StormKind::Threshold { .. } => 2,
        StormKind::Collect { .. } => 3,
    }
}

/// Removes a few windows that ended long ago. One whose delivery may still be made is held: it goes
/// with that delivery, and is not looked at here again.
fn sweep(txn: &Txn<'_>, now: i64) -> Result<(), Fault> {
    let sql = "SELECT id FROM windows INDEXED BY windows_until WHERE held = 0 AND until < ?1 ORDER BY until LIMIT ?2";
    let mut query = txn.connection.prepare_cached(sql)?;
    let ended = query.query_map([now.saturating_sub(KEPT_MS), SWEPT], |row| row.get(0))?;
    for window in ended.collect::<Result<Vec<i64>, _>>()? {
        if !remove(txn, window)? {
            txn.connection.prepare_cached("UPDATE windows SET held = 1 WHERE id = ?1")?.execute([window])?;
        }
    }
    Ok(())
}

/// Removes a window unless a delivery of it may still be made: one that is open, or dead, which an
/// operator may try again.
fn remove(txn: &Txn<'_>, window: i64) -> Result<bool, Fault> {
    let sql = "DELETE FROM windows WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_window \
               WHERE window = ?1 AND (due IS NOT NULL OR state = 4))";
    let removed = txn.connection.prepare_cached(sql)?.execute([window])? > 0;
    if removed {
        txn.connection.prepare_cached("DELETE FROM window_events WHERE window = ?1")?.execute([window])?;
    }
    Ok(removed)
}

/// The windows that are held, perhaps for a delivery of one of these events: found by those, not by all
/// that are held.
pub fn held_for(txn: &Txn<'_>, first: i64, last: i64) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT DISTINCT w.id FROM deliveries d CROSS JOIN windows w ON w.id = d.window \
               WHERE d.event BETWEEN ?1 AND ?2 AND d.window IS NOT NULL AND w.held = 1";
    let mut query = txn.connection.prepare_cached(sql)?;
    Ok(query.query_map([first, last], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Removes those of them that nothing holds any more.
pub fn let_go(txn: &Txn<'_>, held: &[i64]) -> Result<(), Fault> {
    held.iter().try_for_each(|window| remove(txn, *window).map(drop))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn write_recent(recent: &[(i64, i64)]) -> Vec<u8> {
    recent.iter().flat_map(|(received, seq)| [received.to_le_bytes(), seq.to_le_bytes()]).flatten().collect()
}

fn read_recent(blob: &[u8]) -> Vec<(i64, i64)> {
    let (numbers, _) = blob.as_chunks::<8>();
    let (pairs, _) = numbers.as_chunks::<2>();
    pairs.iter().map(|[received, seq]| (i64::from_le_bytes(*received), i64::from_le_bytes(*seq))).collect()
}
