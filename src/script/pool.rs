//! Threads for scripts, each with a stack that no script within its limits fills.
//!
//! Rhai measures and drops values recursively and bounds their size, not their nesting. A script
//! that nests lists in a loop gets tens of thousands of levels deep within a second, and a stack
//! that overflows ends the process, so the 2 MiB of a runtime's own pool threads do not do. What
//! is reserved here is address space; memory is taken only as deep as a stack is used.
//!
//! How many runs compute at once is bounded. One that waits for an answer from outside does so
//! aside, and does not count: a service that hangs holds up no other script.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

const STACK_BYTES: usize = 256 << 20;

/// How many runs may compute per core: they wait for nothing, but the clock may stop them.
const RUNS_PER_CORE: usize = 4;

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let runs = RUNS_PER_CORE * thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Pool { idle: Mutex::default(), most_idle: runs, permits: Arc::new(Semaphore::new(runs)) }
});

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

/// Runs something on a thread of the pool, when its turn has come. `None` if it panicked, or the
/// system gives no thread: the run fails, and is tried again.
///
/// Dropping the future does not stop what runs already; it keeps its thread until it ends.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let permit = Arc::clone(&POOL.permits).acquire_owned().await.ok()?;
    let (answer, answered) = oneshot::channel();
    let job = move || {
        let _permit = permit;
        // Where the caller's time was up, nobody waits for the answer any more.
        drop(answer.send(work()));
    };
    if let Err(error) = POOL.start(Box::new(job)) {
        tracing::error!(%error, "there is no thread for a script");
    }
    answered.await.ok()
}

/// Waits on a thread of the pool for something that is not computing.
pub(super) fn aside<T>(runtime: &Handle, wait: impl Future<Output = T>) -> T {
    // The run's own permit, lent to others until this one goes on.
    POOL.permits.add_permits(1);
    runtime.block_on(async {
        let waited = wait.await;
        POOL.permits.acquire().await.map(SemaphorePermit::forget).expect("it is never closed");
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
