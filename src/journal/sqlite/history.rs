//! Reading the record, on connections that cannot write.

use super::kept::{self, Kept, columns};
use super::{append, codec, deliveries, generations, kv, open, tally::Tally};
use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::journal::{
    AttemptRecord, Counts, DeliveryFilter, EventFilter, Generation, GenerationBrief, History, JournalError,
    LaneDepth, Replay, StoredDelivery, StoredEvent, Taken,
};
use crate::kv::{Entry, Size, Value};
use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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

    async fn replays(&self, id: EventId) -> std::result::Result<Vec<Replay>, JournalError> {
        self.read(move |connection| replays(connection, id)).await
    }

    async fn deliveries(
        &self,
        filter: DeliveryFilter,
    ) -> std::result::Result<Vec<StoredDelivery>, JournalError> {
        self.read(move |connection| deliveries::list(connection, &filter)).await
    }

    async fn delivery(&self, id: &DeliveryId) -> std::result::Result<Option<StoredDelivery>, JournalError> {
        let id = id.clone();
        self.read(move |connection| deliveries::find(connection, &id)).await
    }

    async fn count_deliveries(&self, filter: DeliveryFilter) -> std::result::Result<u64, JournalError> {
        self.read(move |connection| deliveries::count(connection, &filter)).await
    }

    async fn lanes(&self) -> std::result::Result<Vec<LaneDepth>, JournalError> {
        self.read(deliveries::lanes).await
    }

    async fn attempts(&self, id: &DeliveryId) -> std::result::Result<Vec<AttemptRecord>, JournalError> {
        let id = id.clone();
        self.read(move |connection| deliveries::attempts(connection, &id)).await
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

    async fn generations(&self) -> std::result::Result<Vec<GenerationBrief>, JournalError> {
        self.read(generations::list).await
    }

    async fn generation(&self, number: u64) -> std::result::Result<Option<Generation>, JournalError> {
        self.read(move |connection| generations::generation(connection, number)).await
    }
}

/// An event as it is stored.
pub struct EventRow {
    kept: Kept,
    generation: Option<i64>,
    rules: String,
    verified: Option<String>,
    refused: Option<String>,
    taken: Option<i64>,
}

const EVENT: &str =
    concat!("SELECT ", columns!(), ", generation, rules, verified, refused, taken FROM events e");

impl EventRow {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            kept: Kept::read(row, 0)?,
            generation: row.get(kept::COUNT)?,
            rules: row.get(kept::COUNT + 1)?,
            verified: row.get(kept::COUNT + 2)?,
            refused: row.get(kept::COUNT + 3)?,
            taken: row.get(kept::COUNT + 4)?,
        })
    }

    /// The event that this row is.
    ///
    /// # Errors
    /// It cannot be made: the file was changed from outside.
    pub fn read_back(self) -> std::result::Result<StoredEvent, JournalError> {
        Ok(StoredEvent {
            event: self.kept.event()?,
            received_at: codec::time(self.kept.received),
            generation: self.generation.map(i64::cast_unsigned),
            rules: codec::read_names(&self.rules),
            verified: self.verified.as_deref().and_then(codec::read_verified),
            taken: self.refused.zip(self.taken).map(|(refused, at)| Taken { at: codec::time(at), refused }),
        })
    }
}

fn event(connection: &Connection, id: EventId) -> Result<Option<EventRow>> {
    let Some(seq) = append::seq(connection, id)? else { return Ok(None) };
    let sql = format!("{EVENT} WHERE seq = ?1");
    connection.prepare_cached(&sql)?.query_row([seq], EventRow::read).optional()
}

fn events(connection: &Connection, filter: &EventFilter) -> Result<Vec<EventRow>> {
    let matched = |what: &str| {
        format!("(({what}) OR EXISTS (SELECT 1 FROM replays r WHERE r.event = e.seq AND {what}))")
    };
    let by_this = matched("instr(?6, ',') = 0 AND instr(',' || rules || ',', ',' || ?6 || ',') > 0");
    let by_any = matched("rules <> ''");
    let sql = format!(
        "{EVENT} WHERE seq >= ?1 AND seq < ?2 AND (?3 IS NULL OR source = ?3) AND (?4 IS NULL OR type = ?4) \
         AND (?5 IS NULL OR status = ?5) AND (?6 IS NULL OR {by_this}) \
         AND (NOT ?7 OR (generation IS NOT NULL AND NOT {by_any})) ORDER BY seq DESC LIMIT ?8"
    );
    let since = filter.since.map_or(i64::MIN, codec::first_seq_at);
    let until = filter.until.map_or(i64::MAX, codec::first_seq_at);
    let before = match filter.before {
        Some(id) => append::seq(connection, id)?.unwrap_or(*codec::seqs_of(id.0.timestamp_ms()).start()),
        None => i64::MAX,
    };
    let row = params![
        since,
        before.min(until),
        filter.source,
        filter.kind,
        filter.status,
        filter.rule,
        filter.unmatched,
        limit(filter.limit)
    ];
    connection.prepare_cached(&sql)?.query_map(row, EventRow::read)?.collect()
}

fn replays(connection: &Connection, id: EventId) -> Result<Vec<Replay>> {
    let Some(seq) = append::seq(connection, id)? else { return Ok(Vec::new()) };
    let sql = "SELECT number, at, generation, rules FROM replays WHERE event = ?1 ORDER BY number";
    let replay = |row: &Row<'_>| {
        Ok(Replay {
            number: row.get(0)?,
            at: codec::time(row.get(1)?),
            generation: row.get::<_, i64>(2)?.cast_unsigned(),
            rules: codec::read_names(&row.get::<_, String>(3)?),
        })
    };
    connection.prepare_cached(sql)?.query_map([seq], replay)?.collect()
}

/// The oldest events that no generation has routed.
pub fn unrouted(connection: &Connection, count: usize) -> Result<Vec<EventRow>> {
    let sql = format!("{EVENT} INDEXED BY events_unrouted WHERE generation IS NULL ORDER BY seq LIMIT ?1");
    connection.prepare_cached(&sql)?.query_map([limit(count)], EventRow::read)?.collect()
}

pub fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
