//! Lanes at work: lease what is due, attempt it within its time, keep what came of it.

mod attempt;
mod count;
mod decide;
mod derive;
mod keep;
mod lanes;
mod plan;
mod state;
mod tell;
#[cfg(test)]
mod tests;
mod unrouted;

use crate::delivery::{DeliveryId, LANE_CONCURRENCY};
use crate::journal::{Capacity, Journal, JournalError, Lease, Leased, OUTCOMES_PER_ATTEMPT, Room, Rooms};
use crate::rules::Serving;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use lanes::{LaneState, LaneStatus, Lanes};
pub use plan::{Plan, Step};

/// How long attempts under way may go on when hookyard stops; the rest is put back.
const DRAIN: Duration = Duration::from_secs(5);
/// Before the journal is asked again when it could not answer.
const JOURNAL_PAUSE: Duration = Duration::from_millis(500);
/// The clock may be set, or stand still with the machine: a sleep would not notice.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// So many of those that are leased together are attempted by one task: a task each would cost more than
/// many an attempt.
const TOGETHER: usize = 16;
/// How often events that slipped in unrouted beside the first rules are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// When there may be more to start, if nothing else brings it about.
#[derive(Default)]
struct Next {
    after: Option<Duration>,
    /// There is, as soon as there is room.
    when_one_ends: bool,
}

/// How much is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts overall.
    pub concurrency: usize,
    /// Attempts of one (rule, action) whose rule does not say; `None`: what suits its action.
    pub lane_concurrency: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 64, lane_concurrency: None }
    }
}

/// What reads the time, so that tests can say what it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The delivering half of hookyard.
pub struct Dispatcher<P = Serving> {
    shared: Arc<Shared<P>>,
    /// Attempts, some in each task.
    attempts: JoinSet<()>,
    /// How many were leased.
    leases: u64,
    /// The rules that lanes were looked at with last.
    seen: Option<Arc<P>>,
    /// When they were.
    looked_at: Timestamp,
    /// Whether to look at all of them again, those without room too.
    afresh: bool,
    /// [`DRAIN`], but for tests.
    drain: Duration,
}

/// What the dispatcher and its attempts share.
struct Shared<P> {
    journal: Arc<dyn Journal>,
    rules: watch::Receiver<Option<Arc<P>>>,
    limits: watch::Receiver<Limits>,
    clock: Clock,
    lanes: Arc<Lanes>,
    /// What is leased, until its outcome is kept. By the number of the lease: a delivery may be leased again
    /// before the task that had it comes to its end.
    under_way: Mutex<BTreeMap<u64, DeliveryId>>,
    /// One of them has ended.
    ended: Notify,
    /// Outcomes that could not be committed yet: while there is one, nothing is leased.
    held: AtomicUsize,
    /// Attempts that only wait, most of them for their outcomes to be committed: others may be made
    /// meanwhile.
    settling: AtomicUsize,
    state: Arc<state::Committed>,
    namespaces: state::Namespaces,
    labels: count::Labels,
}

impl<P: Plan> Dispatcher<P> {
    /// `rules` is `None` until there is a first generation; nothing is delivered before.
    /// `limits` may change at any time.
    pub fn new(
        journal: Arc<dyn Journal>,
        rules: watch::Receiver<Option<Arc<P>>>,
        limits: watch::Receiver<Limits>,
    ) -> Self {
        Self::with_clock(journal, rules, limits, Arc::new(Timestamp::now))
    }

    /// The same with another clock.
    pub fn with_clock(
        journal: Arc<dyn Journal>,
        rules: watch::Receiver<Option<Arc<P>>>,
        limits: watch::Receiver<Limits>,
        clock: Clock,
    ) -> Self {
        let state = Arc::new(state::Committed { journal: journal.clone(), clock: clock.clone() });
        let shared = Arc::new(Shared {
            journal,
            rules,
            limits,
            clock,
            lanes: Arc::default(),
            under_way: Mutex::default(),
            ended: Notify::new(),
            held: AtomicUsize::new(0),
            settling: AtomicUsize::new(0),
            state,
            namespaces: state::Namespaces::default(),
            labels: count::Labels::default(),
        });
        let (attempts, seen, looked_at, afresh) = (JoinSet::new(), None, Timestamp::MIN, false);
        Self { shared, attempts, leases: 0, seen, looked_at, afresh, drain: DRAIN }
    }

    /// The lanes, for who wants to show them.
    pub fn lanes(&self) -> Arc<Lanes> {
        Arc::clone(&self.shared.lanes)
    }

    /// Delivers until `shutdown`, then waits a few seconds for what is under way and puts the
    /// rest back. Dropping the future abandons attempts; the next start makes them again.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let sweep = unrouted::sweep(self.shared.clone(), shutdown.clone());
        tokio::join!(sweep, async {
            self.deliver(&shutdown).await;
            self.drain().await;
        });
    }

    async fn deliver(&mut self, shutdown: &CancellationToken) {
        let work = self.shared.journal.work();
        let (mut rules, mut limits) = (self.shared.rules.clone(), self.shared.limits.clone());
        loop {
            // Attempts that end together are to be followed by one lease, not by one each.
            tokio::task::yield_now().await;
            let next = self.start_due().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = work.notified() => {}
                // A closed channel means that they stay as they are.
                Ok(()) = rules.changed() => {}
                Ok(()) = limits.changed() => {}
                () = self.shared.ended.notified(), if next.when_one_ends => {}
                () = sleep_for(next.after) => {}
            }
            while self.attempts.try_join_next().is_some() {}
        }
    }

    /// Starts what is due and has room; says when there may be more to start.
    async fn start_due(&mut self) -> Next {
        let limits = *self.shared.limits.borrow();
        let room = self.room(limits.concurrency);
        let Some(rules) = self.shared.rules.borrow().clone() else { return Next::default() };
        self.meet(&rules);
        if self.shared.held.load(Ordering::SeqCst) > 0 {
            return Next { after: None, when_one_ends: true };
        }
        let now = (self.shared.clock)();
        // What has no room until some time would wait for as long as the clock was set back.
        self.afresh |= now < self.looked_at;
        self.looked_at = now;
        match self.lease(&rules, room, limits, now).await {
            Ok(lease) => {
                self.afresh = false;
                self.start(&rules, lease.deliveries, now);
                let after = lease.next_due.map(|due| until(due, now));
                Next { after, when_one_ends: lease.has_left }
            }
            Err(error) => {
                tracing::error!(%error, "nothing can be delivered now");
                Next { after: Some(JOURNAL_PAUSE), when_one_ends: false }
            }
        }
    }

    /// How many more may be attempted. Those that only wait do not count, up to some: they take memory
    /// only.
    fn room(&self, concurrency: usize) -> usize {
        let all = self.shared.under_way().len();
        let settling = self.shared.settling.load(Ordering::SeqCst).min(all);
        let in_memory = concurrency.saturating_mul(OUTCOMES_PER_ATTEMPT).saturating_sub(all);
        concurrency.saturating_sub(all - settling).min(in_memory)
    }

    /// Other rules than at the last look: no lane is paused any more, and some may be faster.
    fn meet(&mut self, rules: &Arc<P>) {
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, rules)) {
            return;
        }
        self.seen = Some(Arc::clone(rules));
        self.afresh = true;
        let resumed = self.shared.lanes.renew(|rule, action| rules.limits(rule, action).rate);
        resumed.iter().for_each(|(rule, action)| tell::measure(rule, action, false));
    }

    async fn lease(
        &self,
        rules: &Arc<P>,
        overall: usize,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Lease, JournalError> {
        let (lanes, rules) = (Arc::clone(&self.shared.lanes), Arc::clone(rules));
        let lanes = Arc::new(Doors { lanes, rules, of_all: limits, now });
        self.shared.journal.lease(now, Capacity { overall, lanes, afresh: self.afresh }).await
    }

    fn start(&mut self, rules: &Arc<P>, leased: Vec<Leased>, now: Timestamp) {
        for DeliveryId { rule, action, .. } in leased.iter().map(|leased| &leased.id) {
            self.shared.lanes.leased(rule, action, rules.limits(rule, action), now);
        }
        let first = self.leases;
        self.leases += leased.len() as u64;
        let mut numbered = (first..).zip(leased).peekable();
        while numbered.peek().is_some() {
            let together: Vec<_> = numbered.by_ref().take(TOGETHER).collect();
            let named = |(number, leased): &(u64, Leased)| (*number, leased.id.clone());
            self.shared.under_way().extend(together.iter().map(named));
            self.attempts.spawn(attempt::run_all(Arc::clone(&self.shared), Arc::clone(rules), together));
        }
    }

    async fn drain(&mut self) {
        let all = async { while self.attempts.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain, all).await.is_err() {
            self.attempts.shutdown().await;
            let left = std::mem::take(&mut *self.shared.under_way());
            for id in left.into_values() {
                tracing::warn!(delivery = %id, "put back: the attempt did not end in time");
                self.shared.journal.release(&id).await;
            }
        }
    }
}

impl<P> Shared<P> {
    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, DeliveryId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether these are the rules that are served still.
    fn serves(&self, rules: &P) -> bool {
        self.rules.borrow().as_ref().is_some_and(|current| std::ptr::eq(&raw const **current, rules))
    }

    /// The outcomes of these are kept, or they were put back.
    fn ended(&self, all: &mut [attempt::UnderWay<'_>]) {
        let mut under_way = self.under_way();
        for it in all {
            it.waiting.take();
            under_way.remove(&it.number);
        }
        drop(under_way);
        self.ended.notify_one();
    }
}

/// What lanes have room for by these rules.
struct Doors<P> {
    lanes: Arc<Lanes>,
    rules: Arc<P>,
    /// For lanes whose rule does not say.
    of_all: Limits,
    now: Timestamp,
}

impl<P: Plan> Rooms for Doors<P> {
    fn room(&self, rule: &str, action: &str) -> Room {
        let limits = self.rules.limits(rule, action);
        // One lane that hangs leaves some attempts to the others.
        let most = self.of_all.concurrency - self.of_all.concurrency / 4;
        let in_all = self.of_all.lane_concurrency.unwrap_or(limits.usual.min(most.max(LANE_CONCURRENCY)));
        self.lanes.room((rule, action), limits, in_all, self.now)
    }
}

/// How long to sleep until `due`; not longer than [`LONGEST_SLEEP`].
fn until(due: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(due.duration_since(now)).unwrap_or_default().min(LONGEST_SLEEP)
}

/// For ever, if there is nothing to wait for.
async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
