//! Looking after the file: what is in it, making it small, writing it out.

use super::history::SqliteHistory;
use super::kept::{Kept, columns};
use super::{codec, open, order, tally::Tally};
use crate::event::EventId;
use crate::journal::{Counts, JournalError};
use crate::json::{Json, Object};
use jiff::Timestamp;
use rusqlite::{Connection, Result, Row};
use std::path::Path;

/// What is in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    pub counts: Counts,
    /// Bytes of the database that nothing is in: a vacuum gives them back.
    pub free_bytes: u64,
    /// Bytes that are written and not yet in the database.
    pub wal_bytes: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    pub generations: u64,
    pub lanes: u64,
}

impl SqliteHistory {
    /// What is in the journal.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it cannot be read.
    pub async fn info(&self, path: &Path) -> std::result::Result<Info, JournalError> {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let wal_bytes = std::fs::metadata(wal).map_or(0, |file| file.len());
        self.read(move |connection| info(connection, wal_bytes)).await
    }

    /// Hands out every event with all that was made of it, the oldest first, as JSON; as long as
    /// `sink` takes more. One whose document cannot be read has its id alone, and `error` says why.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it cannot be read.
    pub async fn export(
        &self,
        mut sink: impl FnMut(Json) -> bool + Send + 'static,
    ) -> std::result::Result<(), JournalError> {
        self.read(move |connection| export(connection, &mut sink)).await
    }
}

fn info(connection: &Connection, wal_bytes: u64) -> Result<Info> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let time = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (pages, free, size) = (pragma("page_count")?, pragma("freelist_count")?, pragma("page_size")?);
    Ok(Info {
        counts: Tally::load(connection)?.counts((pages * size).cast_unsigned()),
        free_bytes: (free * size).cast_unsigned(),
        wal_bytes,
        oldest: time("SELECT received FROM events WHERE seq = (SELECT min(seq) FROM events)")
            .or_else(none)?
            .map(codec::time),
        newest: time("SELECT received FROM events WHERE seq = (SELECT max(seq) FROM events)")
            .or_else(none)?
            .map(codec::time),
        generations: number("SELECT count(*) FROM generations")?.cast_unsigned(),
        lanes: number("SELECT count(*) FROM lanes")?.cast_unsigned(),
    })
}

fn none(error: rusqlite::Error) -> Result<Option<i64>> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(None),
        error => Err(error),
    }
}

fn export(connection: &Connection, sink: &mut dyn FnMut(Json) -> bool) -> Result<()> {
    let sql = concat!(
        "SELECT seq, generation, rules, verified, refused, taken, ",
        columns!(),
        " FROM events e ORDER BY seq"
    );
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let kept = Kept::read(row, 6)?;
        let id = kept.id;
        let mut record = match kept.event() {
            Ok(event) => Object::from_iter([("event", Json::clone(&event.shared()))]),
            Err(error) => {
                let id = Json::from(id.to_string());
                Object::from_iter([
                    ("event", Json::object([("id", id)])),
                    ("error", error.to_string().into()),
                ])
            }
        };
        for (name, value) in received(row, kept.received)? {
            record.insert(name, value);
        }
        record.insert("replays", replays(connection, seq)?);
        record.insert("deliveries", deliveries(connection, seq, id)?);
        if !sink(Json::Object(record)) {
            return Ok(());
        }
    }
    Ok(())
}

/// What is known of an event beside its document.
fn received(row: &Row<'_>, at: i64) -> Result<[(&'static str, Json); 5]> {
    let generation: Option<i64> = row.get(1)?;
    let verified: Option<String> = row.get(3)?;
    let verified = verified.as_deref().and_then(codec::read_verified).map(|verified| {
        let secret = Json::from(verified.secret as u64);
        Json::object([("form", Json::from(verified.form.name())), ("secret", secret)])
    });
    let taken = row.get::<_, Option<String>>(4)?.zip(row.get(5)?).map(|(refused, at)| {
        Json::object([("refused", Json::from(refused)), ("at", codec::time(at).to_string().into())])
    });
    Ok([
        ("received_at", codec::time(at).to_string().into()),
        ("generation", generation.map(i64::cast_unsigned).into()),
        ("rules", names(&row.get::<_, String>(2)?)),
        ("verified", verified.unwrap_or(Json::Null)),
        ("taken", taken.unwrap_or(Json::Null)),
    ])
}

fn names(names: &str) -> Json {
    Json::Array(codec::read_names(names).into_iter().map(Json::from).collect())
}

fn replays(connection: &Connection, event: i64) -> Result<Vec<Json>> {
    let sql = "SELECT number, at, generation, rules FROM replays WHERE event = ?1 ORDER BY number";
    let replay = |row: &Row<'_>| {
        Ok(Json::object([
            ("number", Json::from(row.get::<_, i64>(0)?)),
            ("at", codec::time(row.get(1)?).to_string().into()),
            ("generation", row.get::<_, i64>(2)?.cast_unsigned().into()),
            ("rules", names(&row.get::<_, String>(3)?)),
        ]))
    };
    connection.prepare_cached(sql)?.query_map([event], replay)?.collect()
}

fn deliveries(connection: &Connection, event_seq: i64, event: EventId) -> Result<Vec<Json>> {
    let sql = "SELECT l.rule, l.action, d.name, d.state, d.attempts, d.due, d.message, d.updated, d.lane FROM \
               (SELECT lane, name, state, attempts, due, message, updated FROM deliveries WHERE event = ?1 UNION ALL \
               SELECT lane, name, state, attempts, due, message, updated FROM fresh WHERE event = ?1) d \
               JOIN lanes l ON l.lane = d.lane ORDER BY d.lane, d.name";
    let delivery = |row: &Row<'_>| {
        let (rule, action, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let id = codec::delivery_id(event, &rule, &action, &name);
        let due = row.get::<_, Option<i64>>(5)?.filter(|due| *due != order::PARKED);
        Ok(Json::object([
            ("id", Json::from(id.to_string())),
            ("state", codec::state(row.get(3)?).name().into()),
            ("due", due.map(|due| codec::time(due).to_string()).into()),
            ("message", row.get::<_, String>(6)?.into()),
            ("updated_at", codec::time(row.get(7)?).to_string().into()),
            ("attempts", attempts(connection, event_seq, row.get(8)?, &name)?.into()),
        ]))
    };
    connection.prepare_cached(sql)?.query_map([event_seq], delivery)?.collect()
}

fn attempts(connection: &Connection, event: i64, lane: i64, name: &str) -> Result<Vec<Json>> {
    let sql = "SELECT number, started, duration_us, outcome, message, generation, request, answer_status, answer, \
               answer_cut FROM all_attempts \
               WHERE event = ?1 AND lane = ?2 AND name = ?3 ORDER BY number";
    let attempt = |row: &Row<'_>| {
        let microseconds: i64 = row.get(2)?;
        let generation: Option<i64> = row.get(5)?;
        // As it is kept: JSON, or the beginning of it.
        let request: Option<String> = row.get(6)?;
        Ok(Json::object([
            ("number", Json::from(row.get::<_, i64>(0)?)),
            ("started_at", codec::time(row.get(1)?).to_string().into()),
            ("duration_us", microseconds.into()),
            ("outcome", row.get::<_, String>(3)?.into()),
            ("message", row.get::<_, String>(4)?.into()),
            ("generation", generation.map(i64::cast_unsigned).into()),
            ("request", request.into()),
            ("answer", answer(row)?),
        ]))
    };
    connection.prepare_cached(sql)?.query_map(rusqlite::params![event, lane, name], attempt)?.collect()
}

/// `null` without an answer.
fn answer(row: &Row<'_>) -> Result<Json> {
    let Some(status) = row.get::<_, Option<i64>>(7)? else { return Ok(Json::Null) };
    let (body, cut): (Option<String>, Option<bool>) = (row.get(8)?, row.get(9)?);
    Ok(Json::object([
        ("status", Json::from(status)),
        ("body", body.into()),
        ("cut", cut.unwrap_or_default().into()),
    ]))
}

/// Gives what is free in the file back to the disk. Nobody else may have the journal open; returns
/// how many bytes it was, and is. Blocks, for seconds a gigabyte; wants as much room on the disk.
///
/// # Errors
/// [`JournalError::Unusable`] says what stands in the way.
pub fn vacuum(path: &Path) -> std::result::Result<(u64, u64), JournalError> {
    if !path.exists() {
        return Err(open::refuse(path, "there is no such file".into()));
    }
    let size = || std::fs::metadata(path).map_or(0, |file| file.len());
    let before = size();
    let (connection, _lock) = open::open(path, &open::Options::default())?;
    let vacuum = || {
        connection.execute_batch("VACUUM")?;
        connection.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))
    };
    vacuum().map_err(|error| open::unusable(path, &error))?;
    drop(connection);
    Ok((before, size()))
}
