//! The durable record of events, deliveries and attempts, and reading it.

mod capacity;
#[cfg(test)]
pub(crate) mod conformance;
mod filter;
mod happening;
pub mod sqlite;
mod summary;

use crate::delivery::{Answered, DeliveryId, Effect, Outcome};
use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::kv;
use crate::source::{Received, Verified};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

pub use filter::{Chosen, DeliveryFilter, EventFilter};
pub use happening::{Happening, What};
pub use summary::{Cancelled, GenerationBrief, LaneDepth, Replay};

pub use capacity::{Capacity, OUTCOMES_PER_ATTEMPT, Room, Rooms};

/// Why the journal did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Not now: the disk is full, an I/O error, a shutdown. Nothing of the call was kept.
    #[error("the journal cannot commit: {0}")]
    Unavailable(String),
    /// Not at all, until an operator acts. Says what to do.
    #[error("{0}")]
    Unusable(String),
}

/// An event with what routing made of it, to be committed in one step.
#[derive(Clone, Debug)]
pub struct Entry {
    pub received: Received,
    pub received_at: Timestamp,
    /// A twin of an event received since then is a duplicate.
    pub dedupe_since: Timestamp,
    /// `None` while there is no generation: the event is kept as unrouted.
    pub routing: Option<Routing>,
    /// Of a request that was refused at its receipt. The retry time of its deliveries counts from
    /// when it was taken: counted from receipt, a late one would be dead with its first failure.
    pub taken: Option<Taken>,
}

/// A request that was refused first and verified again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was verified again.
    pub at: Timestamp,
    /// The sentence that its sender got.
    pub refused: String,
}

/// Which deliveries an event leads to, by which generation.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    pub generation: u64,
    /// Names of the rules that matched, in rule order (also those without actions left).
    pub rules: Vec<String>,
    pub deliveries: Vec<NewDelivery>,
    /// What holds deliveries back: at most one for each rule.
    pub storms: Vec<Storm>,
}

/// A rule's control of a storm, as it is for one event. Decided in the commit that keeps the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    pub rule: String,
    /// Events with the same key are one storm.
    pub key: String,
    pub kind: StormKind,
}

/// Which events of a storm act; the deliveries of the others are kept as suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StormKind {
    /// The first; the others until this time do not.
    Throttle { until: Timestamp },
    /// The last, when it has been quiet so long; `max` after the first at the latest.
    Debounce { quiet: Duration, max: Duration },
    /// The one that is the n-th within the time; then none until that time has passed.
    Threshold { count: u32, within: Duration },
    /// One delivery for all until this time, for at most so many, or [`MAX_COLLECTED_BYTES`].
    Collect { until: Timestamp, max: u32 },
}

/// How large the events of one collection may be together, in bytes of their documents or of what those
/// are made of: they are read at once.
pub const MAX_COLLECTED_BYTES: usize = 4 << 20;

/// A delivery to be.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub id: DeliveryId,
    /// When it is due (`after`), or when a blocked one is given up.
    pub due: Timestamp,
    /// Why it is blocked from the start (its rule's `when` erred).
    pub blocked: Option<String>,
    /// Of the deliveries of a lane with the same key only the oldest is due.
    pub order: Option<String>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    New(EventId),
    /// The id under which the first twin was kept.
    Duplicate(EventId),
}

/// Deliveries taken out for an attempt. Leases live in memory: a restart frees them.
#[derive(Debug, Default)]
pub struct Lease {
    pub deliveries: Vec<Leased>,
    /// When the next lane that has nothing due yet gets something due, or one that has no room until
    /// then may have some; if there is one.
    pub next_due: Option<Timestamp>,
    /// Whether something is due already that found no room among those under way: it is to be asked for
    /// when an attempt has ended. ([`Journal::work`] tells when one only waits from then on.)
    pub has_left: bool,
}

/// One of them, with all that an attempt needs.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: DeliveryId,
    pub event: Arc<Event>,
    pub body: Bytes,
    pub headers: Headers,
    pub received_at: Timestamp,
    /// Attempts made so far.
    pub attempts: u32,
    /// Since when its retry time counts: its receipt, or when somebody last had it tried again.
    pub counted_from: Timestamp,
    /// Those of its attempts that its schedule does not count any more.
    pub earlier_attempts: u32,
    /// Whether it was blocked until now, or may have died of that: tried again by hand, it was never
    /// attempted before. Then nobody knows yet whether its conditions hold.
    pub was_blocked: bool,
    /// For the delivery of an effect: what the script asked for.
    pub effect: Option<Effect>,
}

/// The outcome of an attempt, to be committed with everything it brought about.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub id: DeliveryId,
    pub outcome: Outcome,
    /// The attempt, unless none was made.
    pub attempt: Option<AttemptRecord>,
    /// Events that it brings about.
    pub derived: Vec<Derived>,
    pub now: Timestamp,
}

impl Settlement {
    /// The namespace of scripts whose state it changes: the next run of its lane would read what was before.
    pub fn namespace(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Delivered(receipt) => receipt.changes.as_ref().map(|changes| changes.namespace.as_str()),
            _ => None,
        }
    }
}

/// An event that hookyard makes of another.
#[derive(Clone, Debug)]
pub struct Derived {
    pub event: Event,
    /// The event that it goes back to: all of its descendants are counted together.
    pub root: EventId,
    pub routing: Routing,
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Kept,
    /// What the run had read of its state has changed: nothing was kept, and the lease goes on.
    Conflict,
    /// Its root has [`MAX_DESCENDANTS`]: nothing was kept, and the lease goes on.
    TooManyDescendants,
    /// Its rule's action has led to [`MAX_EFFECTS`]: nothing was kept, and the lease goes on.
    TooManyEffects,
}

/// How many events may go back to one.
pub const MAX_DESCENDANTS: usize = 1_000;

/// How many effects one action of a rule may lead to by effects that ask for effects: a script that
/// asks for itself twice would fill the disk.
pub const MAX_EFFECTS: usize = 10_000;

/// An attempt as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    pub number: u32,
    pub started_at: Timestamp,
    pub duration: Duration,
    /// Whose rules made it; `None` of one that an older version kept.
    pub generation: Option<u64>,
    /// `delivered`, `retry`, `blocked`, `dead`.
    pub outcome: String,
    /// The receipt or the error, secrets as names.
    pub message: String,
    /// The parameters that it was made with, secrets as names; JSON, or its beginning.
    pub request: Option<String>,
    /// What the other side answered, secrets as names; `None` without an answer.
    pub answer: Option<Answered>,
}

/// The files of one good load, kept so that a start with broken rules can serve them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub number: u64,
    pub loaded_at: Timestamp,
    /// Path below the rule directory → content.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Whose blocked deliveries become due.
#[derive(Clone, Debug)]
pub enum Heal {
    All,
    /// Those of these rules.
    Rules(BTreeSet<String>),
}

/// Which of the oldest events may go: those received before `before` whose twins are no
/// duplicates any more at `now`; and while the journal is larger than `size_bytes`, any others
/// (deduplication still knows those). Never one that is unrouted or has an undelivered delivery.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    pub now: Timestamp,
    pub before: Timestamp,
    pub size_bytes: u64,
    /// At most this many at once: a small step does not hold up what is to be appended.
    pub limit: usize,
    /// Begin with the oldest event again, not where the last call ended: what had to stay then may
    /// go by now.
    pub afresh: bool,
}

/// The record that both halves of hookyard write. All methods are durable when they return `Ok`
/// and are cancel-safe: dropping the future leaves the call either done or not done.
#[async_trait]
pub trait Journal: History {
    /// Keeps an event and its deliveries, or finds that it is here already.
    async fn append(&self, entry: Entry) -> Result<Appended, JournalError>;

    /// Routes an event that was kept as unrouted. Does nothing if it is routed by now.
    async fn route(&self, event: EventId, routing: Routing, now: Timestamp) -> Result<(), JournalError>;

    /// The oldest events that no generation has routed yet.
    async fn unrouted(&self, limit: usize) -> Result<Vec<StoredEvent>, JournalError>;

    /// Takes out deliveries that are due, fairly over the lanes.
    async fn lease(&self, now: Timestamp, capacity: Capacity) -> Result<Lease, JournalError>;

    /// From here on an attempt does not count any more against what its lane has room for, as it does
    /// not from [`Self::settle`] on: it only waits.
    fn only_waits(&self, id: &DeliveryId);

    /// Puts a lease back unchanged (at a drain).
    async fn release(&self, id: &DeliveryId);

    /// Keeps outcomes of attempts with their effects, their changes of state and the events they
    /// derive, all of them in one commit, and ends their leases. From the call on their attempts do not
    /// count any more against what their lanes have room for, but for those that change state, which
    /// the lane's next run may read. Says what became of each, in their order.
    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, JournalError>;

    /// Keeps an event that hookyard made of nothing else.
    async fn announce(&self, derived: Derived, now: Timestamp) -> Result<(), JournalError>;

    /// Changes state outside of any run (an operator's hand).
    async fn change(&self, changes: kv::Changes, now: Timestamp) -> Result<(), JournalError>;

    /// Makes blocked deliveries due at once; returns how many. If it fails or is dropped, only some
    /// of them may be: asking again does the rest.
    async fn heal(&self, which: Heal, now: Timestamp) -> Result<usize, JournalError>;

    /// Makes dead deliveries pending again under the same id: due now, their attempts counted on,
    /// their retry time and their schedule begun anew. Others are passed over. Returns how many it
    /// were. It works in steps, as [`Self::heal`] does: asking again does the rest.
    async fn retry(&self, which: Chosen, now: Timestamp) -> Result<usize, JournalError>;

    /// Gives pending and blocked deliveries up, with the message `cancelled`. Of one that is being
    /// attempted nobody knows whether it has arrived already: it is left alone and counted. In
    /// steps, as [`Self::retry`].
    async fn cancel(&self, which: Chosen, now: Timestamp) -> Result<Cancelled, JournalError>;

    /// Keeps what an event was routed to once more: deliveries under the next free replay number,
    /// which is returned and set in their ids; their retry time counts from now. `None`, and
    /// nothing is kept, if the event is not here or was never routed.
    async fn replay(
        &self,
        event: EventId,
        routing: Routing,
        now: Timestamp,
    ) -> Result<Option<u32>, JournalError>;

    /// Keeps the files of a good load from this rule directory; the directory's newest generation
    /// again if they are the same.
    async fn keep_generation(
        &self,
        directory: &str,
        files: &BTreeMap<String, Vec<u8>>,
        now: Timestamp,
    ) -> Result<u64, JournalError>;

    /// Removes some of the oldest events; returns how many. 0: there is nothing to remove.
    async fn trim(&self, trim: Trim) -> Result<usize, JournalError>;

    /// Is notified when deliveries may have become due.
    fn work(&self) -> Arc<Notify>;

    /// What is committed from now on, in about that order. A receiver that does not keep up loses
    /// the oldest, and is told how many.
    fn happenings(&self) -> broadcast::Receiver<Arc<Happening>>;

    /// Commits what is under way and closes. Later calls are [`JournalError::Unavailable`].
    async fn close(&self);
}

/// Reading the record; the read-only side that `hookyard events` can open beside a server.
#[async_trait]
pub trait History: Send + Sync {
    async fn events(&self, filter: EventFilter) -> Result<Vec<StoredEvent>, JournalError>;
    async fn event(&self, id: EventId) -> Result<Option<StoredEvent>, JournalError>;
    /// When and by what an event was routed again, the first time first.
    async fn replays(&self, id: EventId) -> Result<Vec<Replay>, JournalError>;
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<StoredDelivery>, JournalError>;
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<StoredDelivery>, JournalError>;
    /// How many such deliveries there are; `before` and `limit` do not count.
    async fn count_deliveries(&self, filter: DeliveryFilter) -> Result<u64, JournalError>;
    /// The lanes that have open deliveries.
    async fn lanes(&self) -> Result<Vec<LaneDepth>, JournalError>;
    async fn attempts(&self, id: &DeliveryId) -> Result<Vec<AttemptRecord>, JournalError>;
    async fn counts(&self) -> Result<Counts, JournalError>;
    /// A value of the state of scripts, unless it has expired at `now`.
    async fn kv_get(
        &self,
        namespace: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<kv::Value>, JournalError>;
    /// The keys with a prefix in their order, at most `limit`.
    async fn kv_list(
        &self,
        namespace: &str,
        prefix: &str,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<kv::Entry>, JournalError>;
    /// What each namespace holds.
    async fn kv_sizes(&self) -> Result<Vec<kv::Size>, JournalError>;
    /// Bytes of one of them.
    async fn kv_bytes(&self, namespace: &str) -> Result<u64, JournalError>;
    /// The newest generation of this rule directory.
    async fn newest_generation(&self, directory: &str) -> Result<Option<Generation>, JournalError>;
    /// The generations that are kept, of all rule directories, the newest first.
    async fn generations(&self) -> Result<Vec<GenerationBrief>, JournalError>;
    /// The generation of this number, if its files are still kept.
    async fn generation(&self, number: u64) -> Result<Option<Generation>, JournalError>;
}

/// An event with what was made of it.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub event: Event,
    pub received_at: Timestamp,
    /// `None`: unrouted.
    pub generation: Option<u64>,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// How its signature was found good; hookyard's own events have none.
    pub verified: Option<Verified>,
    /// Of a request that was refused first.
    pub taken: Option<Taken>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Blocked,
    Delivered,
    Skipped,
    Dead,
    /// A storm control of its rule held it back.
    Suppressed,
}

impl State {
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Blocked, Self::Delivered, Self::Skipped, Self::Dead, Self::Suppressed];

    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Dead => "dead",
            Self::Suppressed => "suppressed",
        }
    }
}

/// A delivery as it is listed.
#[derive(Clone, Debug)]
pub struct StoredDelivery {
    pub id: DeliveryId,
    pub state: State,
    pub attempts: u32,
    /// When it is tried next, or given up if blocked. Not for ended ones, nor for one that waits for
    /// an earlier one of its key.
    pub due: Option<Timestamp>,
    /// The last receipt or error.
    pub message: String,
    pub updated_at: Timestamp,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub events: u64,
    pub unrouted: u64,
    pub pending: u64,
    pub blocked: u64,
    pub delivered: u64,
    pub dead: u64,
    pub suppressed: u64,
    pub bytes: u64,
}
