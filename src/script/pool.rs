//! Threads for scripts, each with a stack that no script within its limits fills.
//!
//! Rhai measures and drops values recursively and bounds their size, not their nesting. A script
//! that nests lists in a loop gets tens of thousands of levels deep within a second, and a stack
//! that overflows ends the process, so the 2 MiB of a runtime's own pool threads do not do. What
//! is reserved here is address space; memory is taken only as deep as a stack is used.
//!
//! How many runs compute at once is bounded. One that waits for an answer from outside does so
//! aside, and does not count: a service that hangs holds up no other script. A thread that has done
//! one run takes the next that waits: many short ones cost no change of threads each.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const STACK_BYTES: usize = 256 << 20;

/// How many runs may compute per core: they wait for nothing, but the clock may stop them.
const RUNS_PER_CORE: usize = 4;
/// Short runs are done fastest one after the other: who has waited that long is beside a long one, and
/// only then a core has more than one.
const PATIENCE: Duration = Duration::from_millis(2);

/// What is taken for the time of a run before there was one.
const UNKNOWN_TIME: Duration = Duration::from_millis(10);
/// How long a run may expect to wait for its turn without being an attempt under way: its attempt's time
/// goes on meanwhile.
const SOON: Duration = Duration::from_secs(1);

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Pool::new(cores, RUNS_PER_CORE * cores)
});

thread_local! {
    /// The pool in which this thread's run has a place, while it computes.
    static PLACE: Cell<Option<&'static Pool>> = const { Cell::new(None) };
}

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    /// How many runs compute at once while none has to wait for long.
    usual: usize,
    /// How many runs may compute at once; as many threads stay when there is nothing to do.
    places: usize,
    state: Mutex<State>,
    /// Wakes a thread that has nothing to do: it has a place.
    hired: Condvar,
    /// Wakes a run that has waited aside: it has a place again.
    returned: Condvar,
}

#[derive(Default)]
struct State {
    /// Runs that have no place yet.
    queue: VecDeque<Job>,
    /// How long a run takes, lately.
    usual_time: Duration,
    /// Places that are taken, those on their way to a thread included.
    taken: usize,
    /// Threads that have nothing to do, and places on their way to them.
    idle: usize,
    hired: usize,
    /// Runs that have waited and want a place again, and places on their way to them.
    returning: usize,
    returned: usize,
}

impl Pool {
    fn new(usual: usize, places: usize) -> Self {
        let state = Mutex::new(State { usual_time: UNKNOWN_TIME, ..State::default() });
        Self { usual, places, state, hired: Condvar::new(), returned: Condvar::new() }
    }

    async fn run<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, mut answered) = oneshot::channel();
        let job = move || {
            // Where the caller's time was up, nobody waits for the answer any more.
            if !answer.is_closed() {
                let started = Instant::now();
                let result = work();
                self.timed(started.elapsed());
                drop(answer.send(result));
            }
        };
        self.enqueue(Box::new(job));
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut answered).await {
            return answer.ok();
        }
        self.hire(&mut self.state(), self.places);
        answered.await.ok()
    }

    fn timed(&self, time: Duration) {
        let mut state = self.state();
        state.usual_time = (state.usual_time * 7 + time) / 8;
    }

    /// Whether what is enqueued now has its turn soon.
    fn is_brisk(&self) -> bool {
        let state = self.state();
        let waiting = u32::try_from(state.queue.len() / self.usual).unwrap_or(u32::MAX);
        state.usual_time.saturating_mul(waiting) < SOON
    }

    fn enqueue(&'static self, job: Job) {
        let mut state = self.state();
        state.queue.push_back(job);
        self.hire(&mut state, self.usual);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a thread begin, if there is a free place among so many, and something to do.
    fn hire(&'static self, state: &mut State, places: usize) {
        if state.queue.is_empty() || state.taken >= places {
            return;
        }
        if state.idle > 0 {
            (state.idle, state.hired, state.taken) = (state.idle - 1, state.hired + 1, state.taken + 1);
            self.hired.notify_one();
            return;
        }
        let thread = thread::Builder::new().name("script".into()).stack_size(STACK_BYTES);
        match thread.spawn(|| self.work()) {
            Ok(_) => state.taken += 1,
            Err(error) => {
                tracing::error!(%error, "there is no thread for a script");
                if state.taken == 0 {
                    // No other thread would take them: their callers hear that it failed.
                    state.queue.clear();
                }
            }
        }
    }

    /// What a thread does that has a place: one run after the other while they come.
    fn work(&'static self) {
        let mut state = self.state();
        loop {
            if state.returning == 0
                && let Some(job) = state.queue.pop_front()
            {
                drop(state);
                PLACE.set(Some(self));
                // A run that panics drops its answer, which is how the caller hears of it.
                drop(catch_unwind(AssertUnwindSafe(job)));
                let has_place = PLACE.take().is_some();
                state = self.state();
                if has_place {
                    continue;
                }
            } else {
                self.give_up(&mut state);
            }
            if state.idle >= self.places {
                return;
            }
            state.idle += 1;
            while state.hired == 0 {
                state = self.hired.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.hired -= 1;
        }
    }

    /// Gives a place to a run that comes back, else to one that has had none.
    fn give_up(&'static self, state: &mut State) {
        if state.returning > 0 {
            (state.returning, state.returned) = (state.returning - 1, state.returned + 1);
            self.returned.notify_one();
        } else {
            state.taken -= 1;
            self.hire(state, self.places);
        }
    }

    /// Waits for a place.
    fn come_back(&self) {
        let mut state = self.state();
        if state.taken < self.places {
            state.taken += 1;
            return;
        }
        state.returning += 1;
        while state.returned == 0 {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.returned -= 1;
    }
}

/// Runs something on a thread of the pool, when its turn has come. `None` if it panicked, or the
/// system gives no thread: the run fails, and is tried again.
///
/// Dropping the future does not stop what runs already; it keeps its thread until it ends.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    POOL.run(work).await
}

/// Whether a run that begins to wait now has its turn soon.
pub(super) fn is_brisk() -> bool {
    POOL.is_brisk()
}

/// Waits for something that is not computing: meanwhile another run may compute.
pub(super) fn aside<T>(runtime: &Handle, wait: impl Future<Output = T>) -> T {
    let Some(pool) = PLACE.take() else { return runtime.block_on(wait) };
    pool.give_up(&mut pool.state());
    let waited = runtime.block_on(wait);
    pool.come_back();
    PLACE.set(Some(pool));
    waited
}

/// Runs something on a thread of its own with such a stack, and waits for it (for loading).
pub(super) fn wait<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = Mutex::new(Some(work));
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).take();
    thread::scope(|scope| {
        let call = || take().map(|work| work());
        match thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, call) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // The system has no thread to give: this one has to do.
            Err(_) => take().map(|work| work()),
        }
    })
    .expect("the work is taken once, by the thread or here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};
    use tokio::sync::{Notify, Semaphore};

    fn pool(runs: usize) -> &'static Pool {
        Box::leak(Box::new(Pool::new(1, runs)))
    }

    impl Pool {
        /// Waits until no place is taken: an answer comes a little before.
        async fn is_free(&self) {
            let free = async {
                while self.state().taken > 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), free).await.expect("all places are given back");
            let state = self.state();
            assert_eq!((state.hired, state.returning, state.returned), (0, 0, 0));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whatever_becomes_of_runs_as_many_may_compute_as_before() {
        let (pool, runtime) = (pool(2), Handle::current());
        for round in 0..50 {
            let runtime = runtime.clone();
            let ended = pool.run(move || match round % 5 {
                0 => aside(&runtime, std::future::ready(())),
                1 => aside(&runtime, async { panic!("while it waits") }),
                2 => panic!("while it computes"),
                3 => aside(&runtime, tokio::task::yield_now()),
                // Twice, and nothing to wait for.
                _ => (0..2).for_each(|_| aside(&runtime, async {})),
            });
            assert_eq!(ended.await.is_none(), matches!(round % 5, 1 | 2));
        }
        pool.is_free().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_that_gives_up_leaves_no_place_taken() {
        let pool = pool(1);
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Barrier::new(2)));
        let (here, there) = (begun.clone(), go_on.clone());
        let computing = tokio::spawn(pool.run(move || {
            here.notify_one();
            there.wait();
        }));
        begun.notified().await;
        // One that has no turn yet, and the one that has it.
        assert!(tokio::time::timeout(Duration::from_millis(1), pool.run(|| ())).await.is_err());
        computing.abort();
        assert!(computing.await.is_err());
        go_on.wait();
        // Behind the one that was given up.
        assert_eq!(pool.run(|| 7).await, Some(7));
        pool.is_free().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_compute_at_once_than_may_and_who_waits_does_not_count() {
        let (pool, gate) = (pool(2), Arc::new(Semaphore::new(0)));
        let (computing, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut runs = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (runtime, gate) = (Handle::current(), gate.clone());
            let (computing, most) = (computing.clone(), most.clone());
            runs.spawn(pool.run(move || {
                let compute = || {
                    most.fetch_max(computing.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    computing.fetch_sub(1, Ordering::SeqCst);
                };
                compute();
                aside(&runtime, async { gate.acquire().await.expect("it stays open").forget() });
                compute();
            }));
        }
        // Ten times as many wait as may compute; another has its turn all the same.
        assert_eq!(pool.run(|| 1).await, Some(1));
        gate.add_permits(20);
        assert!(runs.join_all().await.iter().all(Option::is_some));
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
        pool.is_free().await;
    }
}
