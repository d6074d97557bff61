//! The callers' side of the writer's thread: a bounded queue of jobs, answered when their commit is on
//! the disk.

use super::identity::Identity;
use super::open::{self, Options};
use super::txn::{Fault, Shared, Txn, unavailable};
use super::writer::Writer;
use crate::journal::JournalError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// At most this many commands wait; callers beyond wait for room.
const QUEUE: usize = 4096;

/// Something to be done in a transaction, and answered when that is on the disk.
pub trait Job: Send {
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), Fault>;
    fn answer(self: Box<Self>, verdict: Result<(), JournalError>);
}

struct Write<F, T> {
    run: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, JournalError>>,
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&mut Txn<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), Fault> {
        if let Some(run) = self.run.take() {
            self.result = Some(run(txn)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, verdict: Result<(), JournalError>) {
        let not_run = || JournalError::Unavailable("the group failed before this was tried".into());
        let Self { result, reply, .. } = *self;
        // A caller that went away does not need its answer.
        let _ = reply.send(verdict.and_then(|()| result.ok_or_else(not_run)));
    }
}

/// Something to be done between transactions, on what is committed. It is answered when that is on the
/// disk.
pub type Look = Box<dyn FnOnce(Result<(&Connection, &Shared), JournalError>) -> Answer + Send>;
pub type Answer = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

/// What the queue holds; each has its place in it until it is answered.
pub enum Command {
    Write(Box<dyn Job>, OwnedSemaphorePermit),
    Look(Look),
    Close(oneshot::Sender<()>),
}

/// The callers' side of the thread.
pub struct Handle {
    queue: mpsc::Sender<Command>,
    room: Arc<Semaphore>,
    pub shared: Arc<Shared>,
}

impl Handle {
    /// Starts the thread. It keeps `lock` until it has closed the database.
    ///
    /// # Errors
    /// [`JournalError::Unusable`] if what is in the file cannot be read, or no thread be had.
    pub fn start(
        connection: Connection,
        path: PathBuf,
        options: Options,
        lock: std::fs::File,
    ) -> Result<Self, JournalError> {
        // Bounded by the permits: a command holds one until it is done.
        let (queue, commands) = mpsc::channel();
        let shared = Arc::new(Shared::new());
        let identity = Identity::of(&path).map_err(|error| open::refuse(&path, error.to_string()))?;
        let place = (path.clone(), identity);
        let writer = Writer::load(connection, place, options, shared.clone());
        let mut writer = writer.map_err(|fault| match fault {
            Fault::Sqlite(error) => open::unusable(&path, &error),
            fault => open::refuse(&path, fault.to_string()),
        })?;
        let run = move || {
            writer.run(&commands);
            let closing = writer.closing.take();
            // In this order: who waits for the close may open the file again.
            drop(writer);
            drop(lock);
            drop(closing);
        };
        let thread = std::thread::Builder::new().name("journal".into()).spawn(run);
        thread.map_err(|error| JournalError::Unusable(format!("no thread for the journal: {error}")))?;
        Ok(Self { queue, room: Arc::new(Semaphore::new(QUEUE)), shared })
    }

    /// Does something in the next group; returns when that is committed, and on the disk.
    pub fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Txn<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> impl Future<Output = Result<T, JournalError>> {
        let (reply, answer) = oneshot::channel();
        // Not a part of the future: what is to be done may be large, and futures are moved.
        let job = Box::new(Write { run: Some(run), result: None, reply });
        async move {
            let permit = self.permit().await?;
            self.queue.send(Command::Write(job, permit)).map_err(|_| closed())?;
            answer.await.unwrap_or_else(|_| Err(closed()))
        }
    }

    /// Looks at what is committed, on the writer's thread, between groups.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        let permit = self.permit().await?;
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |open| {
            let look = |(connection, shared)| look(connection, shared).map_err(|fault| unavailable(&fault));
            let found = open.and_then(look);
            Box::new(move |verdict| {
                // A caller that went away does not need its answer.
                let _ = reply.send(verdict.and(found));
                drop(permit);
            })
        });
        self.queue.send(Command::Look(look)).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Finishes what is queued, then closes. Returns when the file is closed.
    pub async fn close(&self) {
        self.room.close();
        let (reply, done) = oneshot::channel();
        if self.queue.send(Command::Close(reply)).is_ok() {
            // The sender is dropped with the thread's last breath, answered or not.
            let _ = done.await;
        }
    }

    /// # Errors
    /// It is closed, or about to be.
    pub fn ensure_open(&self) -> Result<(), JournalError> {
        if self.room.is_closed() { Err(closed()) } else { Ok(()) }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, JournalError> {
        self.room.clone().acquire_owned().await.map_err(|_| closed())
    }
}

fn closed() -> JournalError {
    JournalError::Unavailable("it is closed".into())
}
