//! The journal in one SQLite file: one thread writes in groups, leases live in memory.

mod append;
mod cancel;
mod checkpoint;
mod codec;
mod deliveries;
mod fresh;
mod generations;
mod handle;
mod heal;
mod history;
mod identity;
mod kept;
mod kv;
mod lanes;
mod lease;
mod maintain;
mod open;
mod order;
mod prints;
mod replay;
mod retry;
mod settle;
mod storm;
mod sync;
mod tally;
#[cfg(test)]
mod tests;
mod trim;
mod txn;
mod writer;

use crate::delivery::{DeliveryId, Outcome};
use crate::event::EventId;
use crate::journal::{
    Appended, AttemptRecord, Cancelled, Capacity, Chosen, Counts, DeliveryFilter, Derived, Entry,
    EventFilter, Generation, GenerationBrief, Happening, Heal, History, Journal, JournalError, LaneDepth,
    Lease, Replay, Routing, Settled, Settlement, StoredDelivery, StoredEvent, Trim, What,
};
use crate::kv as state;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{Notify, broadcast};

pub use history::SqliteHistory;
pub use maintain::{Info, vacuum};
pub use open::{CommitHook, Options};

/// What a receiver of happenings may be behind; each is a line or so.
const HAPPENINGS: usize = 1024;

/// Which file a journal is, whatever path leads to it: the same for the server that has it open and
/// for a command beside it. `None`: there is no such file.
pub fn identity(path: &Path) -> Option<String> {
    identity::Identity::of(path).ok().map(|file| file.to_string())
}

/// A journal that this process alone writes.
pub struct SqliteJournal {
    writer: Arc<handle::Handle>,
    history: SqliteHistory,
    /// A connection of its own for what scripts read: no long listing is in their way.
    state: SqliteHistory,
    happenings: broadcast::Sender<Arc<Happening>>,
}

impl SqliteJournal {
    /// Opens the journal, making the file and the directories above it if need be. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unusable`] if another process has it, or the file is damaged, is of a newer
    /// version or of another program; it says what to do.
    pub fn open(path: &Path, options: Options) -> Result<Arc<Self>, JournalError> {
        let unchecked = open::is_unchecked(path);
        let (connection, lock) = open::open(path, &options)?;
        let writer = Arc::new(handle::Handle::start(connection, path.to_owned(), options, lock)?);
        let (history, state) = (SqliteHistory::open_read_only(path)?, SqliteHistory::open_read_only(path)?);
        if unchecked {
            open::check_later(path)?;
        }
        let happenings = broadcast::Sender::new(HAPPENINGS);
        Ok(Arc::new(Self { writer, history, state, happenings }))
    }

    /// How large the journal shall be; freed pages do not count. Past it, [`Self::too_large`] is
    /// notified; a tenth past it, new events are refused with [`JournalError::Unavailable`], while
    /// deliveries and [`Journal::trim`] go on. Unlimited at first.
    pub fn limit_size(&self, bytes: u64) {
        self.writer.shared.keep_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Is notified when an event came and the journal is to be trimmed.
    pub fn too_large(&self) -> Arc<Notify> {
        self.writer.shared.too_large.clone()
    }

    /// What will have happened, if anybody watches: making it costs copies.
    fn watched<T>(&self, what: impl FnOnce() -> T) -> Option<T> {
        (self.happenings.receiver_count() > 0).then(what)
    }

    fn tell(&self, at: Timestamp, what: impl IntoIterator<Item = What>) {
        for what in what {
            // Whoever watched may have gone.
            let _ = self.happenings.send(Arc::new(Happening { at, what }));
        }
    }

    /// A stored delivery that cannot be read back will not be better later. Not waited for: a
    /// dropped lease must not lose the others.
    fn give_up(&self, id: DeliveryId, error: &JournalError, now: Timestamp) {
        tracing::error!(delivery = %id, %error, "a stored delivery cannot be read");
        let outcome = Outcome::Dead { error: error.to_string() };
        let settlement = Settlement { id, outcome, attempt: None, derived: Vec::new(), now };
        let (id, settlement) = (settlement.id.clone(), settle::Prepared::new([settlement].into()));
        let writer = self.writer.clone();
        tokio::spawn(async move {
            if writer.write(move |txn| settle::settle_all(txn, &settlement)).await.is_err() {
                // The next lease finds it again.
                writer.shared.lanes().release(&id);
            }
            // The lease may have had no others, and left some: then no attempt's end brings the next one.
            writer.shared.work.notify_one();
        });
    }
}

/// What a settlement that was kept has brought about.
fn happened(settlement: &Settlement) -> impl Iterator<Item = What> {
    let derived = settlement.derived.iter().map(What::derived);
    std::iter::once(What::tried(settlement)).chain(derived)
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, entry: Entry) -> Result<Appended, JournalError> {
        let (at, happening) = (entry.received_at, self.watched(|| What::received(&entry)));
        let row = append::Row::new(entry);
        let appended = self.writer.write(move |txn| row.append(txn)).await??;
        if matches!(appended, Appended::New(_)) {
            self.tell(at, happening);
        }
        Ok(appended)
    }

    async fn route(&self, event: EventId, routing: Routing, now: Timestamp) -> Result<(), JournalError> {
        let now = now.as_millisecond();
        self.writer.write(move |txn| append::route(txn, event, &routing, now)).await
    }

    async fn unrouted(&self, limit: usize) -> Result<Vec<StoredEvent>, JournalError> {
        let rows = self.writer.look(move |connection, _| Ok(history::unrouted(connection, limit)?)).await?;
        // One that cannot be read must not keep the others from being routed.
        let read_back = |row: history::EventRow| {
            row.read_back().inspect_err(|error| tracing::error!(%error, "an event cannot be routed")).ok()
        };
        Ok(rows.into_iter().filter_map(read_back).collect())
    }

    async fn lease(&self, now: Timestamp, capacity: Capacity) -> Result<Lease, JournalError> {
        let wanted = lease::Wanted { now: now.as_millisecond(), capacity };
        self.writer.ensure_open()?;
        let mut batch = lease::Batch::new(self.writer.shared.clone());
        if !lease::lease(None, &mut batch, &wanted).map_err(|fault| txn::unavailable(&fault))? {
            let look = self.writer.look(move |connection, _| {
                lease::lease(Some(connection), &mut batch, &wanted)?;
                Ok(batch)
            });
            batch = look.await?;
        }
        let (next_due, has_left) = (batch.next_due.map(codec::time), batch.has_left);
        let mut deliveries = Vec::new();
        for taken in batch.take() {
            match taken {
                lease::Taken::Fresh(fresh) => deliveries.push(*fresh.leased),
                lease::Taken::Stored(row) => {
                    let id = row.id.clone();
                    match row.read_back() {
                        Ok(leased) => deliveries.push(leased),
                        Err(error) => self.give_up(id, &error, now),
                    }
                }
            }
        }
        Ok(Lease { deliveries, next_due, has_left })
    }

    fn only_waits(&self, id: &DeliveryId) {
        self.writer.shared.only_wait([id]);
    }

    async fn release(&self, id: &DeliveryId) {
        self.writer.shared.lanes().release(id);
        self.writer.shared.work.notify_one();
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, JournalError> {
        self.writer
            .shared
            .only_wait(settlements.iter().filter(|one| one.namespace().is_none()).map(|one| &one.id));
        let prepared = settle::Prepared::new(Arc::clone(&settlements));
        let all = self.writer.write(move |txn| settle::settle_all(txn, &prepared)).await?;
        for (settlement, settled) in settlements.iter().zip(&all) {
            match settled {
                Settled::Kept => {
                    let happened = self.watched(|| happened(settlement));
                    self.tell(settlement.now, happened.into_iter().flatten());
                }
                Settled::Conflict | Settled::TooManyDescendants | Settled::TooManyEffects => {
                    self.writer.shared.lanes().resume(&settlement.id);
                }
            }
        }
        Ok(all)
    }

    async fn announce(&self, derived: Derived, now: Timestamp) -> Result<(), JournalError> {
        let happening = self.watched(|| What::derived(&derived));
        self.writer.write(move |txn| append::derive(txn, &derived, now.as_millisecond())).await?;
        self.tell(now, happening);
        Ok(())
    }

    async fn change(&self, changes: state::Changes, now: Timestamp) -> Result<(), JournalError> {
        self.writer.write(move |txn| kv::change(txn, &changes, now)).await
    }

    async fn heal(&self, which: Heal, now: Timestamp) -> Result<usize, JournalError> {
        let mut left = heal::Healing::new(&self.writer.shared.lanes(), &which, now.as_millisecond());
        while !left.is_done() {
            left = self.writer.write(move |txn| left.step(txn)).await?;
        }
        Ok(left.healed())
    }

    async fn retry(&self, which: Chosen, now: Timestamp) -> Result<usize, JournalError> {
        let mut left = retry::Retrying::new(which, now.as_millisecond());
        while !left.is_done() {
            left = self.writer.write(move |txn| left.step(txn)).await?;
        }
        let count = left.retried();
        self.tell(now, (count > 0).then_some(What::MadePending { count }));
        Ok(count)
    }

    async fn cancel(&self, which: Chosen, now: Timestamp) -> Result<Cancelled, JournalError> {
        let mut left = cancel::Cancelling::new(&self.writer.shared.lanes(), which, now.as_millisecond());
        while !left.is_done() {
            left = self.writer.write(move |txn| left.step(txn)).await?;
        }
        let count = left.so_far().cancelled;
        self.tell(now, (count > 0).then_some(What::Cancelled { count }));
        Ok(left.so_far())
    }

    async fn replay(
        &self,
        event: EventId,
        routing: Routing,
        now: Timestamp,
    ) -> Result<Option<u32>, JournalError> {
        let (generation, rules) = (routing.generation, self.watched(|| routing.rules.clone()));
        let at = now.as_millisecond();
        let number = self.writer.write(move |txn| replay::replay(txn, event, &routing, at)).await?;
        let happening =
            number.zip(rules).map(|(number, rules)| What::Replayed { event, number, generation, rules });
        self.tell(now, happening);
        Ok(number)
    }

    async fn keep_generation(
        &self,
        directory: &str,
        files: &BTreeMap<String, Vec<u8>>,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let (directory, files, now) = (directory.to_owned(), files.clone(), now.as_millisecond());
        self.writer.write(move |txn| generations::keep_generation(txn, &directory, &files, now)).await
    }

    async fn trim(&self, trim: Trim) -> Result<usize, JournalError> {
        let mut step = trim::Step::first(&trim, &self.writer.shared);
        loop {
            step = self.writer.write(move |txn| step.run(txn, &trim)).await?;
            if step.removed > 0 || step.is_last {
                return Ok(step.removed);
            }
        }
    }

    fn work(&self) -> Arc<Notify> {
        self.writer.shared.work.clone()
    }

    fn happenings(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.happenings.subscribe()
    }

    async fn close(&self) {
        // The writer last: the last one to close leaves one whole file behind, without a WAL.
        self.history.close().await;
        self.state.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl History for SqliteJournal {
    async fn events(&self, filter: EventFilter) -> Result<Vec<StoredEvent>, JournalError> {
        self.history.events(filter).await
    }

    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, JournalError> {
        self.history.event(id).await
    }

    async fn replays(&self, id: EventId) -> Result<Vec<Replay>, JournalError> {
        self.history.replays(id).await
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<StoredDelivery>, JournalError> {
        self.history.deliveries(filter).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<StoredDelivery>, JournalError> {
        self.history.delivery(id).await
    }

    async fn count_deliveries(&self, filter: DeliveryFilter) -> Result<u64, JournalError> {
        self.history.count_deliveries(filter).await
    }

    async fn lanes(&self) -> Result<Vec<LaneDepth>, JournalError> {
        self.history.lanes().await
    }

    async fn attempts(&self, id: &DeliveryId) -> Result<Vec<AttemptRecord>, JournalError> {
        self.history.attempts(id).await
    }

    async fn counts(&self) -> Result<Counts, JournalError> {
        self.history.counts().await
    }

    async fn kv_get(
        &self,
        namespace: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<state::Value>, JournalError> {
        self.state.kv_get(namespace, key, now).await
    }

    async fn kv_list(
        &self,
        namespace: &str,
        prefix: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<state::Entry>, JournalError> {
        self.state.kv_list(namespace, prefix, limit, now).await
    }

    async fn kv_sizes(&self) -> Result<Vec<state::Size>, JournalError> {
        self.state.kv_sizes().await
    }

    async fn kv_bytes(&self, namespace: &str) -> Result<u64, JournalError> {
        self.state.kv_bytes(namespace).await
    }

    async fn newest_generation(&self, directory: &str) -> Result<Option<Generation>, JournalError> {
        self.history.newest_generation(directory).await
    }

    async fn generations(&self) -> Result<Vec<GenerationBrief>, JournalError> {
        self.history.generations().await
    }

    async fn generation(&self, number: u64) -> Result<Option<Generation>, JournalError> {
        self.history.generation(number).await
    }
}
