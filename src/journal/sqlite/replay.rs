//! Events routed once more: each time under a number of its own, with deliveries of their own.

use super::append::Addition;
use super::txn::{Fault, Txn};
use super::{append, codec};
use crate::event::EventId;
use crate::journal::{NewDelivery, Routing};
use rusqlite::{OptionalExtension, params};

/// Keeps what an event was routed to, under the next free number.
pub fn replay(txn: &mut Txn<'_>, event: EventId, routing: &Routing, now: i64) -> Result<Option<u32>, Fault> {
    let Some(seq) = append::seq(txn.connection, event)? else { return Ok(None) };
    let sql = "SELECT coalesce((SELECT max(number) FROM replays WHERE event = ?1), 1) + 1 FROM events \
               WHERE seq = ?1 AND generation IS NOT NULL";
    let number = txn.connection.prepare_cached(sql)?.query_row([seq], |row| row.get(0)).optional()?;
    let Some(number) = number else { return Ok(None) };
    let sql = "INSERT INTO replays (event, number, at, generation, rules) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (generation, rules) = (routing.generation.cast_signed(), codec::write_names(&routing.rules));
    txn.connection.prepare_cached(sql)?.execute(params![seq, number, now, generation, rules])?;
    for delivery in &routing.deliveries {
        add(txn, seq, delivery, number, now)?;
    }
    Ok(Some(number))
}

fn add(txn: &mut Txn<'_>, event: i64, routed: &NewDelivery, number: u32, now: i64) -> Result<(), Fault> {
    let mut delivery = routed.clone();
    delivery.id.replay = number;
    // What holds storms back or keeps an order is passed by.
    delivery.order = None;
    append::add(txn, event, &Addition::of(&delivery), now)?;
    let lane = txn.lane(&delivery.id.rule, &delivery.id.action)?;
    let sql = "UPDATE deliveries SET counted_from = ?4 WHERE event = ?1 AND lane = ?2 AND name = ?3";
    txn.connection.prepare_cached(sql)?.execute(params![event, lane, codec::name(&delivery.id), now])?;
    Ok(())
}
