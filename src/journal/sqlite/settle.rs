//! Keeping outcomes: the delivery, its attempt and its effects in one step.

mod row;

use super::append::Addition;
use super::fresh::{Fresh, Origin};
use super::lanes::{Held, Ties};
use super::txn::{Fault, Txn};
use super::{append, codec, fresh, kv};
use crate::delivery::{DeliveryId, Effect, Outcome};
use crate::journal::{Derived, MAX_DESCENDANTS, MAX_EFFECTS, NewDelivery, Settled, Settlement, State};
use jiff::{SignedDuration, Timestamp};
use row::{insert_attempt, write};
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;

/// Settlements with their texts made, so that the writer has only to store them.
pub struct Prepared {
    settlements: Arc<[Settlement]>,
    /// Of each the stored parameters of its effects.
    params: Vec<Vec<String>>,
}

impl Prepared {
    pub fn new(settlements: Arc<[Settlement]>) -> Self {
        let stored = |effect: &Effect| effect.params.to_stored().to_string();
        let params = |settlement: &Settlement| match &settlement.outcome {
            Outcome::Delivered(receipt) => receipt.effects.iter().map(stored).collect(),
            _ => Vec::new(),
        };
        let params = settlements.iter().map(params).collect();
        Self { settlements, params }
    }
}

/// Where a delivery's row is.
struct Place {
    event: i64,
    lane: i64,
    name: String,
    /// Known of what is leased: only its settlement changes it.
    state: Option<State>,
    /// Whether it has no row yet.
    is_fresh: bool,
    ties: Ties,
    /// What its effects have of it, if memory has that.
    origin: Option<Origin>,
}

/// Keeps outcomes one after the other.
pub fn settle_all(
    txn: &mut Txn<'_>,
    Prepared { settlements, params }: &Prepared,
) -> Result<Vec<Settled>, Fault> {
    settlements.iter().zip(params).map(|(settlement, params)| settle(txn, settlement, params)).collect()
}

/// Keeps an outcome. A delivery that has ended, or is not here any more, stays as it is: so a
/// settlement can be repeated when its answer was lost.
fn settle(txn: &mut Txn<'_>, settlement: &Settlement, params: &[String]) -> Result<Settled, Fault> {
    if let Some((place, before)) = open(txn, &settlement.id)? {
        if let Some(obstacle) = obstacle(txn, &place, settlement)? {
            return Ok(obstacle);
        }
        if write(txn, &place, settlement)? {
            txn.tally.add(before, -1);
            txn.tally.add(state(&settlement.outcome), 1);
            keep(txn, &place, settlement, params)?;
        }
    }
    txn.ended.push((settlement.id.clone(), due(&settlement.outcome)));
    Ok(Settled::Kept)
}

/// The delivery's place and state, if it has not ended.
fn open(txn: &mut Txn<'_>, id: &DeliveryId) -> Result<Option<(Place, State)>, Fault> {
    let Some(mut place) = find(txn, id)? else { return Ok(None) };
    if let Some(state) = place.state {
        return Ok(Some((place, state)));
    }
    let Some((state, ties)) = open_row(txn, &place)? else { return Ok(None) };
    place.ties = ties;
    Ok(Some((place, state)))
}

/// Why the outcome cannot be kept as it is. Seen are the jobs of this group that came before.
fn obstacle(txn: &Txn<'_>, place: &Place, settlement: &Settlement) -> Result<Option<Settled>, Fault> {
    if let Outcome::Delivered(receipt) = &settlement.outcome {
        if let Some(changes) = &receipt.changes
            && !kv::stands(txn, changes, settlement.now)?
        {
            return Ok(Some(Settled::Conflict));
        }
        let nested = !settlement.id.effects.is_empty() && !receipt.effects.is_empty();
        if nested && effects(txn, place, &settlement.id)? + receipt.effects.len() > MAX_EFFECTS {
            return Ok(Some(Settled::TooManyEffects));
        }
    }
    match settlement.derived.first() {
        Some(Derived { root, .. })
            if append::descendants(txn, *root)? + settlement.derived.len() > MAX_DESCENDANTS =>
        {
            Ok(Some(Settled::TooManyDescendants))
        }
        _ => Ok(None),
    }
}

/// How many effects a rule's action has led to, as far as it matters.
fn effects(txn: &Txn<'_>, place: &Place, id: &DeliveryId) -> Result<usize, Fault> {
    let begin = codec::name(&DeliveryId { effects: Vec::new(), ..id.clone() });
    let sql = "SELECT count(*) FROM (SELECT 1 FROM deliveries \
               WHERE event = ?1 AND lane = ?2 AND name >= ?3 AND name < ?4 LIMIT ?5)";
    let most = i64::try_from(MAX_EFFECTS).unwrap_or(i64::MAX);
    // All that begin with a slash, which `0` comes next to.
    let row = params![place.event, place.lane, format!("{begin}/"), format!("{begin}0"), most];
    let count: i64 = txn.connection.prepare_cached(sql)?.query_row(row, |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(MAX_EFFECTS))
}

/// Keeps what came with the outcome.
fn keep(txn: &mut Txn<'_>, place: &Place, settlement: &Settlement, params: &[String]) -> Result<(), Fault> {
    let (now, ties) = (settlement.now.as_millisecond(), &place.ties);
    if let Some(attempt) = settlement.attempt.as_ref().filter(|attempt| attempt.number > 1) {
        insert_attempt(txn, place, attempt)?;
    }
    if let Outcome::Delivered(receipt) = &settlement.outcome {
        for (effect, params) in receipt.effects.iter().zip(params) {
            let child = child(settlement, effect, ties);
            let handed_over = handed_over(txn, place, (effect, params), &child)?;
            let effect = Some((effect.kind.as_str(), params.as_str()));
            let is_handed_over = handed_over.is_some();
            let addition = Addition { effect, window: ties.window, is_handed_over, ..Addition::of(&child) };
            append::add(txn, place.event, &addition, now)?;
            handed_over.into_iter().for_each(|fresh| txn.hand_over(fresh));
        }
        if let Some(from) = ties.counted_from.filter(|_| !receipt.effects.is_empty()) {
            inherit_time(txn, place, from)?;
        }
        if let Some(changes) = &receipt.changes {
            kv::change(txn, changes, settlement.now)?;
        }
    }
    for derived in &settlement.derived {
        append::derive(txn, derived, now)?;
    }
    match (due(&settlement.outcome), &ties.order) {
        (Some(due), _) => txn.due.push((place.lane, due)),
        (None, Some(key)) => super::order::release(txn, place.lane, key, now)?,
        (None, None) => {}
    }
    Ok(())
}

/// An effect that waits for nothing, as it is handed over in memory.
fn handed_over(
    txn: &mut Txn<'_>,
    place: &Place,
    (effect, params): (&Effect, &str),
    child: &NewDelivery,
) -> Result<Option<Fresh>, Fault> {
    // What has an origin has no ties that the effect would take over.
    let Some(origin) = place.origin.as_ref().filter(|_| effect.after.is_zero()) else { return Ok(None) };
    let lane = txn.lane(&child.id.rule, &child.id.action)?;
    let (bytes, due) = (origin.bytes + params.len(), child.due.as_millisecond());
    if !txn.has_room_for_fresh(&[lane], bytes, due) {
        return Ok(None);
    }
    let key = (place.event, lane, codec::name(&child.id));
    let leased = Box::new(origin.lease(child.id.clone(), Some(effect.clone())));
    Ok(Some(Fresh { key, due, bytes, has_row: true, commit: u64::MAX, leased }))
}

fn state(outcome: &Outcome) -> State {
    match outcome {
        Outcome::Delivered(_) => State::Delivered,
        Outcome::Retry { .. } => State::Pending,
        Outcome::Blocked { .. } => State::Blocked,
        Outcome::Skipped => State::Skipped,
        Outcome::Dead { .. } => State::Dead,
    }
}

fn due(outcome: &Outcome) -> Option<i64> {
    match outcome {
        Outcome::Retry { due, .. } | Outcome::Blocked { until: due, .. } => Some(due.as_millisecond()),
        Outcome::Delivered(_) | Outcome::Skipped | Outcome::Dead { .. } => None,
    }
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Delivered(receipt) => &receipt.line,
        Outcome::Skipped => "its condition is false",
        Outcome::Retry { error, .. } | Outcome::Blocked { error, .. } | Outcome::Dead { error } => error,
    }
}

/// Where a delivery's row is, if it is here.
pub fn key(txn: &Txn<'_>, id: &DeliveryId) -> Result<Option<(i64, i64, String)>, Fault> {
    let lane = txn.shared.lanes().number(&id.rule, &id.action);
    let event = append::seq(txn.connection, id.event)?;
    Ok(event.zip(lane).map(|(event, lane)| (event, lane, codec::name(id))))
}

fn find(txn: &mut Txn<'_>, id: &DeliveryId) -> Result<Option<Place>, Fault> {
    let lanes = txn.shared.lanes();
    if let Some(held) = lanes.held(id) {
        let Held { event, lane, state, is_fresh, .. } = *held;
        let (name, ties, origin) = (held.name.clone(), held.ties.clone(), held.origin.clone());
        return Ok(Some(Place { event, lane, name, state, is_fresh, ties, origin }));
    }
    let lane = lanes.number(&id.rule, &id.action);
    drop(lanes);
    let event = append::seq(txn.connection, id.event)?;
    let name = codec::name(id);
    let Some((event, lane)) = event.zip(lane) else { return Ok(None) };
    fresh::put_down(txn, (event, lane, name.clone()))?;
    let ties = Ties::default();
    Ok(Some(Place { event, lane, name, state: None, is_fresh: false, ties, origin: None }))
}

fn open_row(txn: &Txn<'_>, place: &Place) -> Result<Option<(State, Ties)>, Fault> {
    let sql = "SELECT state, order_key, window, counted_from FROM deliveries \
               WHERE event = ?1 AND lane = ?2 AND name = ?3 AND due IS NOT NULL";
    let mut query = txn.connection.prepare_cached(sql)?;
    let found = query.query_row(params![place.event, place.lane, place.name], |row| {
        let ties = Ties { order: row.get(1)?, window: row.get(2)?, counted_from: row.get(3)? };
        Ok((codec::state(row.get(0)?), ties))
    });
    Ok(found.optional()?)
}

/// The effects of a delivery whose retry time was begun anew have as much of it left as it has: counted
/// from receipt they might be dead with their first failure.
fn inherit_time(txn: &Txn<'_>, place: &Place, from: i64) -> Result<(), Fault> {
    let sql = "UPDATE deliveries SET counted_from = ?4 WHERE event = ?1 AND lane = ?2 AND counted_from IS NULL \
               AND substr(name, 1, length(?3) + 1) = ?3 || '/'";
    let row = params![place.event, place.lane, place.name, from];
    txn.connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn child(settlement: &Settlement, effect: &Effect, ties: &Ties) -> NewDelivery {
    let after = SignedDuration::try_from(effect.after).unwrap_or(SignedDuration::MAX);
    let due = settlement.now.saturating_add(after).unwrap_or(Timestamp::MAX);
    NewDelivery { id: settlement.id.effect(&effect.name), due, blocked: None, order: ties.order.clone() }
}
