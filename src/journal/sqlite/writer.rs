//! The one thread that owns the writing connection: takes what is queued as one group, commits
//! it, and only then answers.

use super::lanes::Lanes;
use super::open::{self, Options};
use super::prints::Prints;
use super::tally::Tally;
use crate::delivery::DeliveryId;
use crate::journal::JournalError;
use rusqlite::{Connection, ErrorCode};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// At most this many commands wait; callers beyond wait for room.
const QUEUE: usize = 4096;
/// A group is not filled further than that.
const LARGEST_GROUP: usize = 256;
/// Groups below that are committed at once: company would come too slowly to pay for the wait.
const WORTH_WAITING: usize = 4;
/// The wait for company is made of this many naps. (A nap, not a wait on the queue: each sender
/// would have to wake the thread.)
const NAPS: usize = 4;
const NAP: Duration = Duration::from_micros(250);

/// Why a statement of a job failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Not an error of SQLite: a hook of the tests, a limit.
    #[error("{0}")]
    Refused(String),
}

/// What the writer and the callers share.
pub struct Shared {
    lanes: Mutex<Lanes>,
    pub work: Arc<Notify>,
    /// Larger than that, the journal takes no more events.
    pub size_limit_bytes: AtomicU64,
}

impl Shared {
    pub fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction under way, and what is to be remembered once it is committed.
pub struct Txn<'a> {
    pub connection: &'a Connection,
    pub prints: &'a mut Prints,
    pub shared: &'a Shared,
    pub options: &'a Options,
    pub tally: Tally,
    /// Whether there is room for more events, once that was asked.
    has_room: Option<bool>,
    /// Lanes added here: (lane, rule, action).
    pub lanes: Vec<(i64, String, String)>,
    /// Open deliveries added or made due: (lane, due).
    pub due: Vec<(i64, i64)>,
    /// Leases that end, and when what stays open is due.
    pub ended: Vec<(DeliveryId, Option<i64>)>,
}

/// Something to be done in a transaction, and answered after its commit.
trait Job: Send {
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

/// Something to be done between transactions, on what is committed.
type Look = Box<dyn FnOnce(&Connection, &Shared) + Send>;

enum Command {
    Write(Box<dyn Job>, OwnedSemaphorePermit),
    Look(Look, OwnedSemaphorePermit),
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
        let shared = Arc::new(Shared {
            lanes: Mutex::default(),
            work: Arc::default(),
            size_limit_bytes: AtomicU64::new(u64::MAX),
        });
        let mut writer = Writer::load(connection, path.clone(), options, shared.clone())
            .map_err(|error| open::unusable(&path, &error))?;
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

    /// Does something in the next group; returns when it is committed.
    pub async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Txn<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        let permit = self.permit().await?;
        let (reply, answer) = oneshot::channel();
        let job = Write { run: Some(run), result: None, reply };
        self.queue.send(Command::Write(Box::new(job), permit)).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Looks at what is committed, on the writer's thread, after the group under way.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        let permit = self.permit().await?;
        let (reply, answer) = oneshot::channel();
        let look: Look = Box::new(move |connection, shared| {
            let _ = reply.send(look(connection, shared).map_err(|fault| unavailable(&fault)));
        });
        self.queue.send(Command::Look(look, permit)).map_err(|_| closed())?;
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

    async fn permit(&self) -> Result<OwnedSemaphorePermit, JournalError> {
        self.room.clone().acquire_owned().await.map_err(|_| closed())
    }
}

fn closed() -> JournalError {
    JournalError::Unavailable("it is closed".into())
}

fn unavailable(fault: &Fault) -> JournalError {
    match fault {
        Fault::Sqlite(error) if is_full(error) => JournalError::Unavailable("the disk is full".into()),
        fault => JournalError::Unavailable(fault.to_string()),
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

struct Writer {
    /// `None` after an I/O error, until it could be opened again.
    connection: Option<Connection>,
    path: PathBuf,
    options: Options,
    shared: Arc<Shared>,
    prints: Prints,
    tally: Tally,
    /// How large groups are lately: what is worth waiting for.
    usual: usize,
    /// Answered when all is closed.
    closing: Option<oneshot::Sender<()>>,
}

type Group = Vec<(Box<dyn Job>, OwnedSemaphorePermit)>;

impl Writer {
    fn load(
        connection: Connection,
        path: PathBuf,
        options: Options,
        shared: Arc<Shared>,
    ) -> rusqlite::Result<Self> {
        let (prints, tally) = (Prints::load(&connection)?, Tally::load(&connection)?);
        super::lease::load_lanes(&connection, &mut shared.lanes())?;
        let connection = Some(connection);
        Ok(Self { connection, path, options, shared, prints, tally, usual: 1, closing: None })
    }

    fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        while self.closing.is_none() {
            let Ok(first) = commands.recv() else { break };
            let (mut group, mut looks) = (Group::new(), Vec::new());
            self.sort(first, &mut group, &mut looks);
            self.gather(commands, &mut group, &mut looks);
            if let Err(error) = self.commit(group) {
                self.fail_queued(commands, &error, &mut looks);
            }
            for (look, _permit) in looks {
                self.look(look);
            }
        }
        self.connection = None;
    }

    fn sort(&mut self, command: Command, group: &mut Group, looks: &mut Vec<(Look, OwnedSemaphorePermit)>) {
        match command {
            Command::Write(job, permit) => group.push((job, permit)),
            Command::Look(look, permit) => looks.push((look, permit)),
            Command::Close(reply) => self.closing = Some(reply),
        }
    }

    /// Takes what else is queued; while groups are large, waits a little for as many as usual.
    fn gather(
        &mut self,
        commands: &mpsc::Receiver<Command>,
        group: &mut Group,
        looks: &mut Vec<(Look, OwnedSemaphorePermit)>,
    ) {
        for nap in 0..=NAPS {
            while group.len() < LARGEST_GROUP && self.closing.is_none() {
                let Ok(command) = commands.try_recv() else { break };
                self.sort(command, group, looks);
            }
            let enough = group.is_empty() || group.len() >= self.usual || self.usual < WORTH_WAITING;
            if enough || nap == NAPS || self.closing.is_some() {
                break;
            }
            std::thread::sleep(NAP);
        }
        if !group.is_empty() {
            self.usual = group.len().max(self.usual - self.usual.div_ceil(8));
        }
    }

    /// What was queued while a commit failed fails with it: the twin of an event in that group
    /// must not be answered otherwise than the event.
    fn fail_queued(
        &mut self,
        commands: &mpsc::Receiver<Command>,
        error: &JournalError,
        looks: &mut Vec<(Look, OwnedSemaphorePermit)>,
    ) {
        let mut group = Group::new();
        while let Ok(command) = commands.try_recv() {
            self.sort(command, &mut group, looks);
        }
        answer(group, &Err(error.clone()));
    }

    /// Commits a group and answers each of its callers the same.
    fn commit(&mut self, mut group: Group) -> Result<(), JournalError> {
        if group.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let verdict = self.try_commit(&mut group);
        metrics::histogram!("hookyard_commit_seconds").record(started.elapsed().as_secs_f64());
        metrics::histogram!("hookyard_commit_group_size")
            .record(f64::from(u16::try_from(group.len()).unwrap_or(u16::MAX)));
        let verdict = verdict.map_err(|fault| self.recover(&fault));
        answer(group, &verdict);
        verdict
    }

    fn try_commit(&mut self, group: &mut Group) -> Result<(), Fault> {
        if self.connection.is_none() {
            self.connection = Some(open::connect(&self.path, &self.options)?);
        }
        let connection = self.connection.as_ref().expect("just opened if it was not");
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut txn = Txn {
            connection,
            prints: &mut self.prints,
            shared: &self.shared,
            options: &self.options,
            tally: self.tally,
            has_room: None,
            lanes: Vec::new(),
            due: Vec::new(),
            ended: Vec::new(),
        };
        for (job, _) in group {
            job.run(&mut txn)?;
        }
        if txn.tally != self.tally {
            txn.tally.write(connection)?;
        }
        let written = txn.prints.write(connection, self.options.prints_in_memory)?;
        self.options.before_commit.as_ref().map_or(Ok(()), |hook| hook()).map_err(Fault::Refused)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        txn.prints.committed(written);
        let Txn { tally, lanes, due, ended, .. } = txn;
        self.tally = tally;
        remember(&self.shared, lanes, due, ended);
        Ok(())
    }

    /// After a failed group: back to what is committed. A full disk needs nothing else; after any
    /// other error the connection's state is not trusted, and the next group opens it again.
    fn recover(&mut self, fault: &Fault) -> JournalError {
        tracing::error!(%fault, "the journal could not commit");
        self.prints.discard();
        let is_full = matches!(fault, Fault::Sqlite(error) if is_full(error));
        let rolled_back = |connection: &Connection| {
            connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok()
        };
        self.connection = self.connection.take().filter(|connection| is_full && rolled_back(connection));
        unavailable(fault)
    }

    fn look(&mut self, look: Look) {
        if self.connection.is_none() {
            match open::connect(&self.path, &self.options) {
                Ok(connection) => self.connection = Some(connection),
                // The caller's channel closes with `look`.
                Err(error) => return tracing::error!(%error, "the journal could not be opened again"),
            }
        }
        let connection = self.connection.as_ref().expect("just opened if it was not");
        look(connection, &self.shared);
    }
}

fn answer(group: Group, verdict: &Result<(), JournalError>) {
    for (job, permit) in group {
        job.answer(verdict.clone());
        drop(permit);
    }
}

fn remember(
    shared: &Shared,
    added: Vec<(i64, String, String)>,
    due: Vec<(i64, i64)>,
    ended: Vec<(DeliveryId, Option<i64>)>,
) {
    if due.is_empty() && ended.is_empty() && added.is_empty() {
        return;
    }
    let mut lanes = shared.lanes();
    for (lane, rule, action) in added {
        lanes.add(lane, rule, action);
    }
    for (lane, due) in &due {
        lanes.note(*lane, *due);
    }
    for (id, due) in &ended {
        lanes.end(id, *due);
    }
    drop(lanes);
    if !due.is_empty() || ended.iter().any(|(_, due)| due.is_some()) {
        shared.work.notify_one();
    }
}

impl Txn<'_> {
    /// Whether the journal is below its size limit. Asked once a group.
    pub fn has_room(&mut self) -> Result<bool, Fault> {
        let limit = self.shared.size_limit_bytes.load(Ordering::Relaxed);
        if limit == u64::MAX {
            return Ok(true);
        }
        if let Some(known) = self.has_room {
            return Ok(known);
        }
        let has_room = super::retain::used_bytes(self.connection)? < limit;
        self.has_room = Some(has_room);
        Ok(has_room)
    }

    /// The number of a lane, added if it is new.
    pub fn lane(&mut self, rule: &str, action: &str) -> Result<i64, Fault> {
        let known = self.shared.lanes().number(rule, action);
        let added = || self.lanes.iter().find(|(_, r, a)| r == rule && a == action).map(|(lane, ..)| *lane);
        if let Some(lane) = known.or_else(added) {
            return Ok(lane);
        }
        let sql = "INSERT INTO lanes (rule, action) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute([rule, action])?;
        let lane = self.connection.last_insert_rowid();
        self.lanes.push((lane, rule.to_owned(), action.to_owned()));
        Ok(lane)
    }
}
