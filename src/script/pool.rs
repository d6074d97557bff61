//! Threads for scripts, each with a stack that no script within its limits fills.
//!
//! Rhai measures and drops values recursively and bounds their size, not their nesting. A script
//! that nests lists in a loop gets tens of thousands of levels deep within a second, and a stack
//! that overflows ends the process, so the 2 MiB of a runtime's own pool threads do not do. What
//! is reserved here is address space; memory is taken only as deep as a stack is used.
//!
//! How many runs compute at once is bounded. One that waits for an answer from outside does so
//! aside, and does not count: a service that hangs holds up no other script.

use std::cell::Cell;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

const STACK_BYTES: usize = 256 << 20;

/// How many runs may compute per core: they wait for nothing, but the clock may stop them.
const RUNS_PER_CORE: usize = 4;

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    Pool::new(RUNS_PER_CORE * thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

thread_local! {
    /// The right to compute of the run on this thread, while it does.
    static PERMIT: Cell<Option<OwnedSemaphorePermit>> = const { Cell::new(None) };
}

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    /// Threads that have nothing to do. There are as many threads as there are runs under way:
    /// the caller bounds those.
    idle: Mutex<Vec<Sender<Job>>>,
    most_idle: usize,
    /// One for each run that computes.
    permits: Arc<Semaphore>,
}

impl Pool {
    fn new(runs: usize) -> Self {
        Self { idle: Mutex::default(), most_idle: runs, permits: Arc::new(Semaphore::new(runs)) }
    }

    async fn run<T: Send + 'static>(&'static self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        let (answer, answered) = oneshot::channel();
        let job = move || {
            let turn = Turn::take(permit);
            let done = work();
            drop(turn);
            // Where the caller's time was up, nobody waits for the answer any more.
            drop(answer.send(done));
        };
        if let Err(error) = self.start(Box::new(job)) {
            tracing::error!(%error, "there is no thread for a script");
        }
        answered.await.ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Sender<Job>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a job to a thread; to a new one if none is idle.
    fn start(&'static self, job: Job) -> std::io::Result<()> {
        let idle = self.idle().pop();
        let job = match idle {
            Some(thread) => match thread.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let work = move || self.work(job);
        thread::Builder::new().name("script".into()).stack_size(STACK_BYTES).spawn(work).map(drop)
    }

    /// What a thread does: its first job, then others while they come.
    fn work(&self, mut job: Job) {
        let (sender, jobs) = mpsc::channel();
        loop {
            // A job that panics drops its answer, which is how the caller hears of it.
            drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
            let mut idle = self.idle();
            if idle.len() >= self.most_idle {
                return;
            }
            idle.push(sender.clone());
            drop(idle);
            match jobs.recv() {
                Ok(next) => job = next,
                Err(mpsc::RecvError) => return,
            }
        }
    }
}

/// Holds the permit of this thread's run, and gives back what there is of it also when that panics.
struct Turn(());

impl Turn {
    fn take(permit: OwnedSemaphorePermit) -> Self {
        PERMIT.set(Some(permit));
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        PERMIT.set(None);
    }
}

/// Runs something on a thread of the pool, when its turn has come. `None` if it panicked, or the
/// system gives no thread: the run fails, and is tried again.
///
/// Dropping the future does not stop what runs already; it keeps its thread until it ends.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    POOL.run(work).await
}

/// Waits for something that is not computing: meanwhile another run may compute.
pub(super) fn aside<T>(runtime: &Handle, wait: impl Future<Output = T>) -> T {
    let Some(permit) = PERMIT.take() else { return runtime.block_on(wait) };
    let permits = Arc::clone(permit.semaphore());
    drop(permit);
    runtime.block_on(async {
        let waited = wait.await;
        PERMIT.set(permits.acquire_owned().await.ok());
        waited
    })
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
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;

    fn pool(runs: usize) -> &'static Pool {
        Box::leak(Box::new(Pool::new(runs)))
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
        assert_eq!(pool.permits.available_permits(), 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_that_gives_up_leaves_no_permit_behind() {
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
        assert_eq!(pool.permits.available_permits(), 1);
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
        assert_eq!(pool.permits.available_permits(), 2);
    }
}
