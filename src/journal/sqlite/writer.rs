//! The one thread that owns the writing connection: takes what is queued as one group and commits it.
//! It is answered when it is on the disk, too (`sync`).

use super::checkpoint::Checkpoints;
use super::handle::{Command, Job, Look};
use super::identity::Identity;
use super::open::{self, Options};
use super::prints::Prints;
use super::sync::{Syncs, Wal, What, Written};
use super::tally::Tally;
use super::txn::{Fault, Outlook, Shared, Txn, is_full, unavailable};
use super::{fresh, lease};
use crate::journal::JournalError;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A group is not filled further than that.
const LARGEST_GROUP: usize = 256;
/// For so long a group may wait for company.
const LONGEST_WAIT: Duration = Duration::from_millis(1);

pub struct Writer {
    /// `None` after an I/O error, until it could be opened again.
    open: Option<Open>,
    path: PathBuf,
    identity: Identity,
    options: Options,
    shared: Arc<Shared>,
    prints: Prints,
    tally: Tally,
    /// How many commits there were.
    commits: u64,
    /// How many frames of the WAL may not be on the disk since a sync has failed.
    unsure: Option<u32>,
    /// The highest key that an event has, or had.
    newest: i64,
    /// Answered when all is closed.
    pub closing: Option<oneshot::Sender<()>>,
}

/// The connection that writes, and what belongs to it.
struct Open {
    /// Before the connection: all is answered before that is closed.
    syncs: Syncs,
    checkpoints: Checkpoints,
    connection: Connection,
}

impl Open {
    fn of(mut connection: Connection, wal: Wal, shared: &Arc<Shared>) -> Result<Self, Fault> {
        let checkpoints = Checkpoints::of(&mut connection)?;
        // Commits are synced behind its back, by `sync`.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { syncs: Syncs::start(wal, Arc::clone(shared))?, checkpoints, connection })
    }
}

pub type Group = Vec<(Box<dyn Job>, OwnedSemaphorePermit)>;

impl Writer {
    pub fn load(
        connection: Connection,
        (path, identity): (PathBuf, Identity),
        options: Options,
        shared: Arc<Shared>,
    ) -> Result<Self, Fault> {
        let prints = Prints::load(&connection, options.prints_in_memory)?;
        let tally = Tally::load(&connection)?;
        let newest = newest(&connection)?;
        open::move_wal(&connection)?;
        let open = match fresh::recover(&connection) {
            // Nothing is kept or leased before there is room again; what is here can be read.
            Err(error) if is_full(&error) => None,
            Err(error) => return Err(error.into()),
            Ok(()) => {
                lease::load_lanes(&connection, &mut shared.lanes())?;
                let wal = Wal::of(&connection, &options)?;
                Some(Open::of(connection, wal, &shared)?)
            }
        };
        let (commits, unsure, closing) = (0, None, None);
        Ok(Self { open, path, identity, options, shared, prints, tally, commits, unsure, newest, closing })
    }

    pub fn run(&mut self, commands: &mpsc::Receiver<Command>) {
        while self.closing.is_none() {
            let Ok(first) = commands.recv() else { break };
            let mut group = Group::new();
            self.take(first, &mut group);
            self.gather(commands, &mut group);
            if let Err((mut group, error)) = self.commit(group) {
                self.fail_queued(commands, &mut group, &error);
                answer(group, &Err(error));
            }
            if let Some(open) = &mut self.open {
                open.checkpoints.step(&open.connection);
            }
        }
    }

    /// Puts a job into the group. A look waits for no commit: what is leased is attempted while
    /// outcomes are being kept.
    fn take(&mut self, command: Command, group: &mut Group) {
        match command {
            Command::Write(job, permit) => group.push((job, permit)),
            Command::Look(look) => self.look(look),
            Command::Close(reply) => self.closing = Some(reply),
        }
    }

    /// Takes what else is queued, and gives way to those that make more of it as long as that brings
    /// company. Where they have a core of their own it brings none, and a group is what came during the
    /// last commit.
    fn gather(&mut self, commands: &mpsc::Receiver<Command>, group: &mut Group) {
        let began = Instant::now();
        self.take_queued(commands, group);
        while !group.is_empty() && self.has_place(group) && began.elapsed() < LONGEST_WAIT {
            let before = group.len();
            std::thread::yield_now();
            self.take_queued(commands, group);
            if group.len() == before {
                break;
            }
        }
    }

    fn take_queued(&mut self, commands: &mpsc::Receiver<Command>, group: &mut Group) {
        while self.has_place(group) {
            let Ok(command) = commands.try_recv() else { break };
            self.take(command, group);
        }
    }

    fn has_place(&self, group: &Group) -> bool {
        group.len() < LARGEST_GROUP && self.closing.is_none()
    }

    /// What was queued while a commit failed fails with it: the twin of an event in that group
    /// must not be answered otherwise than the event. Taken before anyone is answered, so that
    /// who tries again is not among them. Nothing is leased from the table behind outcomes that were not
    /// kept either.
    fn fail_queued(&mut self, commands: &mpsc::Receiver<Command>, group: &mut Group, error: &JournalError) {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Look(look) => look(Err(error.clone()))(Ok(())),
                command => self.take(command, group),
            }
        }
    }

    /// Commits a group, or nothing of it. It is answered when it is on the disk.
    fn commit(&mut self, mut group: Group) -> Result<(), (Group, JournalError)> {
        if group.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        match self.try_commit(&mut group) {
            Ok(outlook) => {
                let open = self.open.as_ref().expect("what is committed went through it");
                open.syncs.push(What::Group(Written { group, outlook, began }));
                Ok(())
            }
            Err(fault) => Err((group, self.recover(&fault))),
        }
    }

    fn try_commit(&mut self, group: &mut Group) -> Result<Outlook, Fault> {
        self.identity.check(&self.path)?;
        self.reopen()?;
        let Open { connection, .. } = self.open.as_ref().expect("just opened if it was not");
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut txn =
            Txn::new(connection, &mut self.prints, &self.shared, &self.options, (self.tally, self.newest));
        for (job, _) in group {
            job.run(&mut txn)?;
        }
        fresh::put_down_old(&mut txn)?;
        txn.tally.fresh_from = txn.fresh_from();
        if txn.tally != self.tally {
            txn.tally.write(connection)?;
        }
        let written = txn.prints.write(connection)?;
        self.options.before_commit.as_ref().map_or(Ok(()), |hook| hook()).map_err(Fault::Refused)?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        txn.prints.committed(written);
        let memory = txn.memory();
        (self.tally, self.newest) = (txn.tally, txn.newest);
        self.tally.committed();
        self.commits += 1;
        Ok(memory.keep(&self.shared, self.commits))
    }

    /// After a failed group: back to what is committed. A full disk needs nothing else; after any
    /// other error the connection's state is not trusted, and the next group opens it again.
    fn recover(&mut self, fault: &Fault) -> JournalError {
        tracing::error!(%fault, "the journal could not commit");
        self.prints.discard();
        self.shared.lanes().return_withdrawn();
        self.shared.work.notify_one();
        let is_full = matches!(fault, Fault::Sqlite(error) if is_full(error));
        let rolled_back = |open: &Open| {
            open.connection.is_autocommit() || open.connection.execute_batch("ROLLBACK").is_ok()
        };
        if !self.open.as_ref().is_some_and(|open| is_full && rolled_back(open)) {
            self.shut();
        }
        unavailable(fault)
    }

    /// All that waits for the disk is answered first.
    fn shut(&mut self) {
        if let Some(Open { syncs, checkpoints, connection }) = self.open.take() {
            if !syncs.end() {
                self.unsure = Some(checkpoints.pages());
            }
            drop(connection);
        }
    }

    /// Opens again what an error closed, or a failed sync made doubtful. The group that failed may be in
    /// the file all the same (a sync that failed says nothing), so memory is filled anew from there.
    fn reopen(&mut self) -> Result<(), Fault> {
        if self.open.as_ref().is_some_and(|open| open.syncs.are_broken()) {
            self.shut();
        }
        if self.open.is_some() {
            return Ok(());
        }
        self.identity.check(&self.path)?;
        let connection = open::connect(&self.path, &self.options)?;
        let wal = Wal::of(&connection, &self.options)?;
        if let Some(frames) = self.unsure {
            wal.rewrite(frames)?;
            self.unsure = None;
        }
        fresh::recover(&connection)?;
        self.prints = Prints::load(&connection, self.options.prints_in_memory)?;
        self.tally = Tally::load(&connection)?;
        self.newest = newest(&connection)?;
        let mut lanes = self.shared.lanes();
        lanes.forget_fresh();
        lease::load_lanes(&connection, &mut lanes)?;
        lanes.doubt_states();
        drop(lanes);
        self.open = Some(Open::of(connection, wal, &self.shared)?);
        tracing::info!("the journal is open again");
        self.shared.work.notify_one();
        Ok(())
    }

    fn look(&mut self, look: Look) {
        if let Err(fault) = self.reopen() {
            return look(Err(unavailable(&fault)))(Ok(()));
        }
        let Open { connection, syncs, .. } = self.open.as_ref().expect("it is open");
        let answer = look(Ok((connection, &self.shared)));
        syncs.push(What::Look(answer));
    }
}

fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    Ok(super::append::newest_seq(connection, &(i64::MIN..=i64::MAX))?.unwrap_or(i64::MIN))
}

/// Tells everyone in a group what became of it.
pub fn answer(group: Group, verdict: &Result<(), JournalError>) {
    for (job, permit) in group {
        job.answer(verdict.clone());
        drop(permit);
    }
}
