//! Reading the record, on connections that cannot write.

use super::{append, codec, generations, kv, open, tally::Tally};
use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::journal::{
    AttemptRecord, Counts, DeliveryFilter, EventFilter, Generation, History, JournalError, State,
    StoredDelivery, StoredEvent,
};
use crate::kv::{Entry, Size, Value};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinError;

/// The record for reading; other processes may open it while the server runs.
#[derive(Clone)]
pub struct SqliteHistory {
    /// `None`: closed.
    connection: Arc<Mutex<Option<Connection>>>,
}

impl SqliteHistory {
    /// Opens an existing journal. Takes no lock and writes nothing.
    ///
    /// # Errors
    /// [`JournalError::Unusable`] says what stands in the way and what to do.
    pub fn open_read_only(path: &Path) -> std::result::Result<Self, JournalError> {
        let connection = Arc::new(Mutex::new(Some(open::read_only(path)?)));
        Ok(Self { connection })
    }

    /// Reads on a thread where that may take its time.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, JournalError> {
        let read = move |connection: &mut Option<Connection>| connection.as_ref().map(read);
        match self.on_its_thread(read).await {
            Ok(Some(Ok(found))) => Ok(found),
            Ok(Some(Err(error))) => Err(unreadable(&error.to_string())),
            Ok(None) => Err(unreadable("it is closed")),
            Err(error) => Err(unreadable(&error.to_string())),
        }
    }

    /// Closes, after a read that is under way. Later reads are [`JournalError::Unavailable`].
    pub(super) async fn close(&self) {
        if let Err(error) = self.on_its_thread(|connection| *connection = None).await {
            tracing::warn!(%error, "the journal's reader did not close");
        }
    }

    async fn on_its_thread<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Option<Connection>) -> T + Send + 'static,
    ) -> std::result::Result<T, JoinError> {
        let connection = self.connection.clone();
        let run = move || run(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(run).await
    }
}

fn unreadable(why: &str) -> JournalError {
    JournalError::Unavailable(format!("it cannot be read: {why}"))
}

#[async_trait]
impl History for SqliteHistory {
    async fn events(&self, filter: EventFilter) -> std::result::Result<Vec<StoredEvent>, JournalError> {
        let rows = self.read(move |connection| events(connection, &filter)).await?;
        rows.into_iter().map(EventRow::read_back).collect()
    }

    async fn event(&self, id: EventId) -> std::result::Result<Option<StoredEvent>, JournalError> {
        let row = self.read(move |connection| event(connection, id)).await?;
        row.map(EventRow::read_back).transpose()
    }

    async fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> std::result::Result<Vec<StoredDelivery>, JournalError> {
        self.read(move |connection| deliveries(connection, &filter)).await
    }

    async fn attempts(&self, id: &DeliveryId) -> std::result::Result<Vec<AttemptRecord>, JournalError> {
        let id = id.clone();
        self.read(move |connection| attempts(connection, &id)).await
    }

    async fn counts(&self) -> std::result::Result<Counts, JournalError> {
        self.read(|connection| {
            let number =
                |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
            let bytes = number("page_count")? * number("page_size")?;
            Ok(Tally::load(connection)?.counts(bytes.cast_unsigned()))
        })
        .await
    }

    async fn kv_get(
        &self,
        namespace: &str,
        key: &str,
        now: Timestamp,
    ) -> std::result::Result<Option<Value>, JournalError> {
        let (namespace, key) = (namespace.to_owned(), key.to_owned());
        self.read(move |connection| kv::get(connection, &namespace, &key, now)).await
    }

    async fn kv_list(
        &self,
        namespace: &str,
        prefix: &str,
        limit: usize,
        now: Timestamp,
    ) -> std::result::Result<Vec<Entry>, JournalError> {
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        self.read(move |connection| kv::list(connection, &namespace, &prefix, limit, now)).await
    }

    async fn kv_sizes(&self) -> std::result::Result<Vec<Size>, JournalError> {
        self.read(kv::sizes).await
    }

    async fn kv_bytes(&self, namespace: &str) -> std::result::Result<u64, JournalError> {
        let namespace = namespace.to_owned();
        self.read(move |connection| kv::bytes(connection, &namespace)).await
    }

    async fn newest_generation(
        &self,
        directory: &str,
    ) -> std::result::Result<Option<Generation>, JournalError> {
        let directory = directory.to_owned();
        self.read(move |connection| generations::newest_generation(connection, &directory)).await
    }

    async fn generation(&self, number: u64) -> std::result::Result<Option<Generation>, JournalError> {
        self.read(move |connection| generations::generation(connection, number)).await
    }
}

/// An event as it is stored.
pub struct EventRow {
    id: EventId,
    received: i64,
    generation: Option<i64>,
    rules: String,
    document: String,
}

const EVENT: &str = "SELECT id, received, generation, rules, document FROM events";

impl EventRow {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: codec::event_id(row.get(0)?),
            received: row.get(1)?,
            generation: row.get(2)?,
            rules: row.get(3)?,
            document: row.get(4)?,
        })
    }

    /// The event that this row is.
    ///
    /// # Errors
    /// Its document cannot be read: the file was changed from outside.
    pub fn read_back(self) -> std::result::Result<StoredEvent, JournalError> {
        Ok(StoredEvent {
            event: codec::event(self.id, &self.document)?,
            received_at: codec::time(self.received),
            generation: self.generation.map(i64::cast_unsigned),
            rules: self.rules.split(',').filter(|rule| !rule.is_empty()).map(str::to_owned).collect(),
        })
    }
}

fn event(connection: &Connection, id: EventId) -> Result<Option<EventRow>> {
    let Some(seq) = append::seq(connection, id)? else { return Ok(None) };
    let sql = format!("{EVENT} WHERE seq = ?1");
    connection.prepare_cached(&sql)?.query_row([seq], EventRow::read).optional()
}

fn events(connection: &Connection, filter: &EventFilter) -> Result<Vec<EventRow>> {
    let sql = format!(
        "{EVENT} WHERE seq >= ?1 AND seq < ?2 AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR type = ?4) \
         AND (?5 IS NULL OR status = ?5) ORDER BY seq DESC LIMIT ?6"
    );
    let since = filter.since.map_or(i64::MIN, codec::first_seq_at);
    let before = match filter.before {
        Some(id) => append::seq(connection, id)?.unwrap_or(*codec::seqs_of(id.0.timestamp_ms()).start()),
        None => i64::MAX,
    };
    let row = params![since, before, filter.source, filter.kind, filter.status, limit(filter.limit)];
    connection.prepare_cached(&sql)?.query_map(row, EventRow::read)?.collect()
}

/// The oldest events that no generation has routed.
pub fn unrouted(connection: &Connection, count: usize) -> Result<Vec<EventRow>> {
    let sql = format!("{EVENT} INDEXED BY events_unrouted WHERE generation IS NULL ORDER BY seq LIMIT ?1");
    connection.prepare_cached(&sql)?.query_map([limit(count)], EventRow::read)?.collect()
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn deliveries(connection: &Connection, filter: &DeliveryFilter) -> Result<Vec<StoredDelivery>> {
    let event = match filter.event {
        Some(id) => match append::seq(connection, id)? {
            Some(seq) => Some(seq),
            None => return Ok(Vec::new()),
        },
        None => None,
    };
    // Each has the key that finds it without a look at all that was ever delivered.
    let (index, narrowed) = match (event, filter.state) {
        (Some(_), _) => ("", "d.event = ?1"),
        (None, Some(State::Dead)) => ("INDEXED BY deliveries_dead", "?1 IS NULL AND d.state = 4"),
        (None, Some(State::Pending | State::Blocked)) => {
            ("INDEXED BY deliveries_open", "?1 IS NULL AND d.due IS NOT NULL")
        }
        (None, _) => ("", "?1 IS NULL"),
    };
    let sql = format!(
        "SELECT e.id, l.rule, l.action, d.name, d.state, d.attempts, d.due, d.message, d.updated \
         FROM deliveries d {index} JOIN lanes l ON l.lane = d.lane JOIN events e ON e.seq = d.event \
         WHERE {narrowed} AND (?2 IS NULL OR d.state = ?2) AND (?3 IS NULL OR l.rule = ?3) \
         ORDER BY d.event DESC, d.lane DESC, d.name DESC LIMIT ?4"
    );
    let state = filter.state.map(|state| state as i64);
    let row = params![event, state, filter.rule, limit(filter.limit)];
    connection.prepare_cached(&sql)?.query_map(row, delivery)?.collect()
}

fn delivery(row: &Row<'_>) -> Result<StoredDelivery> {
    let (rule, action, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(StoredDelivery {
        id: codec::delivery_id(codec::event_id(row.get(0)?), &rule, &action, &name),
        state: codec::state(row.get(4)?),
        attempts: row.get(5)?,
        due: row.get::<_, Option<i64>>(6)?.map(codec::time),
        message: row.get(7)?,
        updated_at: codec::time(row.get(8)?),
    })
}

fn attempts(connection: &Connection, id: &DeliveryId) -> Result<Vec<AttemptRecord>> {
    let Some(event) = append::seq(connection, id.event)? else { return Ok(Vec::new()) };
    let sql = "SELECT number, started, duration_us, outcome, message FROM attempts \
               WHERE event = ?1 AND name = ?2 AND lane = (SELECT lane FROM lanes WHERE rule = ?3 AND action = ?4) \
               ORDER BY number";
    let row = params![event, codec::name(id), id.rule, id.action];
    let attempt = |row: &Row<'_>| {
        Ok(AttemptRecord {
            number: row.get(0)?,
            started_at: codec::time(row.get(1)?),
            duration: Duration::from_micros(row.get::<_, i64>(2)?.cast_unsigned()),
            outcome: row.get(3)?,
            message: row.get(4)?,
        })
    };
    connection.prepare_cached(sql)?.query_map(row, attempt)?.collect()
}
