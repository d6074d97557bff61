//! A delivery's row with its outcome, and its attempts.

use super::{Place, due, message, state};
use crate::delivery::Outcome;
use crate::journal::sqlite::txn::{Fault, Txn};
use crate::journal::{AttemptRecord, Settlement};
use rusqlite::params;
use std::time::Duration;

/// Whether it was open still.
pub fn write(txn: &mut Txn<'_>, place: &Place, settlement: &Settlement) -> Result<bool, Fault> {
    // One that is put down meanwhile has a row already.
    Ok((place.is_fresh && insert(txn, place, settlement)?) || update(txn, place, settlement)?)
}

/// Whether it had no row.
fn insert(txn: &mut Txn<'_>, place: &Place, settlement: &Settlement) -> Result<bool, Fault> {
    let sql = "INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message, started, \
               duration_us, generation, outcome, said, request, answer_status, answer, answer_cut) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    execute(txn, sql, place, settlement)
}

fn update(txn: &mut Txn<'_>, place: &Place, settlement: &Settlement) -> Result<bool, Fault> {
    let sql = "UPDATE deliveries SET state = ?4, due = ?5, attempts = max(attempts, ?6), updated = ?7, message = ?8, \
               started = coalesce(?9, started), duration_us = coalesce(?10, duration_us), \
               generation = coalesce(?11, generation), outcome = coalesce(?12, outcome), said = coalesce(?13, said), \
               request = coalesce(?14, request), answer_status = coalesce(?15, answer_status), \
               answer = coalesce(?16, answer), answer_cut = coalesce(?17, answer_cut) \
               WHERE event = ?1 AND lane = ?2 AND name = ?3 AND due IS NOT NULL";
    execute(txn, sql, place, settlement)
}

/// Runs one of them: the delivery as it is from now on, and its attempt if that is the first. Whether there was
/// such a row.
fn execute(
    txn: &mut Txn<'_>,
    sql: &'static str,
    place: &Place,
    settlement: &Settlement,
) -> Result<bool, Fault> {
    let attempt = settlement.attempt.as_ref();
    let first = attempt.filter(|attempt| attempt.number == 1);
    let answer = first.and_then(|first| first.answer.as_ref());
    let row = params![
        place.event,
        place.lane,
        place.name,
        state(&settlement.outcome) as i64,
        due(&settlement.outcome),
        attempt.map_or(0, |attempt| attempt.number),
        settlement.now.as_millisecond(),
        message(&settlement.outcome),
        first.map(|first| first.started_at.as_millisecond()),
        first.map(|first| micros(first.duration)),
        first.and_then(|first| first.generation).map(u64::cast_signed),
        first.map(|first| first.outcome.as_str()),
        first.map(|first| first.message.as_str()).filter(|said| !is_last_word(settlement, said)),
        first.and_then(|first| first.request.as_deref()),
        answer.map(|answer| answer.status),
        answer.map(|answer| answer.body.as_str()),
        answer.map(|answer| answer.cut),
    ];
    Ok(txn.statement(sql)?.execute(row)? > 0)
}

/// Whether an attempt's message is the delivery's for good: then it need not be kept twice.
fn is_last_word(settlement: &Settlement, said: &str) -> bool {
    matches!(settlement.outcome, Outcome::Delivered(_)) && said == message(&settlement.outcome)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub fn insert_attempt(txn: &Txn<'_>, place: &Place, attempt: &AttemptRecord) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO attempts (event, lane, name, number, started, duration_us, outcome, message, \
               answer_status, answer, answer_cut, request, generation) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let answer = attempt.answer.as_ref();
    let row = params![
        place.event,
        place.lane,
        place.name,
        attempt.number,
        attempt.started_at.as_millisecond(),
        micros(attempt.duration),
        attempt.outcome,
        attempt.message,
        answer.map(|answer| answer.status),
        answer.map(|answer| answer.body.as_str()),
        answer.map(|answer| answer.cut),
        attempt.request,
        attempt.generation.map(u64::cast_signed),
    ];
    txn.connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}
