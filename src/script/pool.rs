//! Threads for scripts: a fixed number, each with a stack that no script within its limits fills.
//!
//! Rhai measures and drops values recursively and bounds their size, not their nesting. A script
//! that nests lists in a loop gets tens of thousands of levels deep within a second, and a stack
//! that overflows ends the process, so the 2 MiB of a runtime's own pool threads do not do. What
//! is reserved here is address space; memory is taken only as deep as a stack is used.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use tokio::sync::{Semaphore, oneshot};

const STACK_BYTES: usize = 256 << 20;

/// How many runs may be under way per core: they wait for nothing, but the clock may stop them.
const RUNS_PER_CORE: usize = 4;

static POOL: LazyLock<Pool> = LazyLock::new(Pool::start);

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: Sender<Job>,
    /// One per thread, so that the channel never holds more than a job each.
    permits: Arc<Semaphore>,
}

impl Pool {
    fn start() -> Self {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = (0..cores * RUNS_PER_CORE).filter(|_| spawn_worker(Arc::clone(&queue))).count();
        let permits = Semaphore::new(threads);
        if threads == 0 {
            // The system gives no threads: runs fail (and are retried) rather than wait for ever.
            permits.close();
        }
        Self { jobs, permits: Arc::new(permits) }
    }
}

fn spawn_worker(queue: Arc<Mutex<Receiver<Job>>>) -> bool {
    let work = move || {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            match job {
                // A job that panics drops its answer, which is how the caller hears of it.
                Ok(job) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job))),
                Err(mpsc::RecvError) => return,
            }
        }
    };
    thread::Builder::new().name("script".into()).stack_size(STACK_BYTES).spawn(work).is_ok()
}

/// Runs something on a thread of the pool, when one is free. `None` if it panicked.
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
    POOL.jobs.send(Box::new(job)).ok()?;
    answered.await.ok()
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
