//! A leased delivery as it is stored, with all that an attempt needs.

use crate::delivery::{DeliveryId, Effect};
use crate::event::Event;
use crate::journal::sqlite::codec;
use crate::journal::sqlite::kept::{Kept, columns};
use crate::journal::sqlite::lanes::{LaneId, Ties};
use crate::journal::{JournalError, Leased, State};
use crate::json::{self, Json};
use crate::template::Params;
use rusqlite::{Connection, OptionalExtension, Result, Row};
use std::sync::Arc;
use std::time::Duration;

/// A leased delivery as it is stored.
pub struct LeasedRow {
    pub id: DeliveryId,
    pub state: State,
    attempts: u32,
    kept: Kept,
    effect: Option<(String, String)>,
    pub ties: Ties,
    window: Option<Window>,
    earlier_attempts: Option<u32>,
}

/// The storm window of a delivery.
struct Window {
    count: i64,
    /// Its first event, unless that is gone.
    first: Option<Kept>,
    /// Those of a collection, in the order of receipt.
    events: Vec<Kept>,
}

const ROW: &str = concat!(
    "SELECT d.state, d.attempts, d.effect_kind, d.effect_params, d.order_key, d.window, d.counted_from, d.earlier_attempts, ",
    columns!(),
    " FROM deliveries d CROSS JOIN events e ON e.seq = d.event WHERE d.event = ?1 AND d.lane = ?2 AND d.name = ?3"
);

impl LeasedRow {
    pub fn find(
        connection: &Connection,
        key: (i64, LaneId, &str),
        rule: &str,
        action: &str,
    ) -> Result<Option<Self>> {
        let read = |row: &Row<'_>| {
            let ties = Ties { order: row.get(4)?, window: row.get(5)?, counted_from: row.get(6)? };
            let effect: (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
            let kept = Kept::read(row, 8)?;
            Ok(Self {
                id: codec::delivery_id(kept.id, rule, action, key.2),
                state: codec::state(row.get(0)?),
                attempts: row.get(1)?,
                effect: effect.0.zip(effect.1),
                window: ties.window.map_or(Ok(None), |window| Window::find(connection, window))?,
                ties,
                earlier_attempts: row.get(7)?,
                kept,
            })
        };
        connection.prepare_cached(ROW)?.query_row(key, read).optional()
    }

    /// Of its texts.
    pub fn bytes(&self) -> usize {
        let window = self.window.iter().flat_map(|window| &window.events);
        self.kept.bytes() + window.map(Kept::bytes).sum::<usize>()
    }

    /// The lease that this row is.
    ///
    /// # Errors
    /// Its event or its effect cannot be read: the file was changed from outside.
    pub fn read_back(self) -> std::result::Result<Leased, JournalError> {
        let effect =
            self.effect.as_ref().map(|(kind, params)| read_effect(&self.id, kind, params)).transpose()?;
        let event = self.kept.event()?;
        let event = match self.window {
            Some(window) => event.with_window(window.read_back(&event)),
            None => event,
        };
        Ok(Leased {
            event: Arc::new(event),
            body: self.kept.body,
            headers: self.kept.headers,
            received_at: codec::time(self.kept.received),
            attempts: self.attempts,
            counted_from: codec::time(self.ties.counted_from.unwrap_or(self.kept.received)),
            earlier_attempts: self.earlier_attempts.unwrap_or(0).min(self.attempts),
            was_blocked: self.state == State::Blocked || self.earlier_attempts == Some(0),
            effect,
            id: self.id,
        })
    }
}

impl Window {
    fn find(connection: &Connection, id: i64) -> Result<Option<Self>> {
        let sql = "SELECT coalesce(shown, count), first FROM windows WHERE id = ?1";
        let found = connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
        let Some((count, first)): Option<(i64, i64)> = found.optional()? else { return Ok(None) };
        let read = |row: &Row<'_>| Kept::read(row, 0);
        let sql = concat!("SELECT ", columns!(), " FROM events e WHERE e.seq = ?1");
        let first = connection.prepare_cached(sql)?.query_row([first], read).optional()?;
        let sql = concat!(
            "SELECT ",
            columns!(),
            " FROM window_events w JOIN events e ON e.seq = w.event WHERE w.window = ?1 ORDER BY w.event"
        );
        let events = connection.prepare_cached(sql)?.query_map([id], read)?.collect::<Result<_>>()?;
        Ok(Some(Self { count, first, events }))
    }

    /// As templates and scripts see it. An event that cannot be read is left out: it was changed
    /// from outside.
    fn read_back(&self, event: &Event) -> Json {
        let document = |event: &Event| Json::clone(&event.shared());
        let made = |kept: &Kept| kept.event().ok().map(|event| document(&event));
        let first = self.first.as_ref().and_then(made).unwrap_or_else(|| document(event));
        let mut window = vec![("count", Json::from(self.count)), ("first", first)];
        if !self.events.is_empty() {
            window.push(("events", Json::Array(self.events.iter().filter_map(made).collect())));
        }
        Json::object(window)
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
