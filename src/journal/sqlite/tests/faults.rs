//! Faults of the disk and of those who tidy it up.

use super::*;
use std::fs;
use tokio::task::JoinHandle;

/// A fault that happens once, when it is armed.
fn once(armed: &Arc<AtomicBool>) -> Option<CommitHook> {
    let armed = armed.clone();
    let fault =
        move || if armed.swap(false, Ordering::SeqCst) { Err("input/output error".into()) } else { Ok(()) };
    Some(Arc::new(fault))
}

#[tokio::test]
async fn a_commit_that_was_made_although_it_failed_is_found_again() {
    let dir = Dir::new();
    let armed = Arc::new(AtomicBool::new(false));
    let options = Options { before_sync: once(&armed), ..Options::default() };
    let journal = dir.open_with(options).unwrap();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    let unsure = entry(2, 0, &["new/a"]);
    journal.append(unsure.clone()).await.expect_err("the error is reported");

    let again = journal.append(entry(2, 1, &["new/a"])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(id_of(&unsure)), "the sender's retry finds its twin");
    journal.append(entry(3, 0, &["new/a"])).await.unwrap();
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.pending), (3, 3));
    let lease = journal.lease(at(NOW), Capacity::each(9, 9)).await.unwrap();
    assert_eq!(lease.deliveries.len(), 3, "its delivery is found, in a lane of its own");
}

#[tokio::test]
async fn a_settlement_that_was_kept_although_it_failed_can_be_repeated() {
    let dir = Dir::new();
    let armed = Arc::new(AtomicBool::new(false));
    let options = Options { before_sync: once(&armed), ..Options::default() };
    let journal = dir.open_with(options).unwrap();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let lease = || journal.lease(at(NOW), Capacity::each(9, 9));
    let leased = lease().await.unwrap().deliveries.pop().expect("it is due");
    let outcome = Outcome::Blocked { until: at(NOW), error: "no such field".into() };
    let settlement = Settlement { id: leased.id, outcome, attempt: None, derived: Vec::new(), now: at(NOW) };
    armed.store(true, Ordering::SeqCst);
    journal.settle([settlement.clone()].into()).await.expect_err("the error is reported");
    assert!(lease().await.unwrap().deliveries.is_empty(), "it is still held");
    journal.settle([settlement].into()).await.unwrap();
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.pending, counts.blocked), (0, 1), "it is counted once");
    assert_eq!(lease().await.unwrap().deliveries.len(), 1, "it is due again");
}

/// Holds the next sync up between two meetings once it is armed, and then lets it fail or not.
struct Gate {
    armed: Arc<AtomicBool>,
    meet: Arc<Barrier>,
}

impl Gate {
    fn new(verdict: Result<(), String>) -> (Self, Options) {
        let gate = Self { armed: Arc::default(), meet: Arc::new(Barrier::new(2)) };
        let (armed, meet) = (gate.armed.clone(), gate.meet.clone());
        let hook: CommitHook = Arc::new(move || {
            if !armed.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            meet.wait();
            meet.wait();
            verdict.clone()
        });
        (gate, Options { before_sync: Some(hook), ..Options::default() })
    }

    /// Appends one event, and another while the first is being synced; both have a delivery.
    async fn append_two(
        &self,
        journal: &Arc<SqliteJournal>,
    ) -> [JoinHandle<Result<Appended, JournalError>>; 2] {
        let append = |number| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(entry(number, 0, &["r/a"])).await })
        };
        self.armed.store(true, Ordering::SeqCst);
        let first = append(1);
        let meet = self.meet.clone();
        tokio::task::spawn_blocking(move || meet.wait()).await.unwrap();
        let second = append(2);
        while journal.counts().await.unwrap().events < 2 {
            tokio::task::yield_now().await;
        }
        [first, second]
    }
}

#[tokio::test]
async fn the_next_group_is_written_while_one_is_synced_and_neither_is_answered_before() {
    let dir = Dir::new();
    let (gate, options) = Gate::new(Ok(()));
    let journal = dir.open_with(options).unwrap();
    let [first, second] = gate.append_two(&journal).await;
    assert!(!first.is_finished() && !second.is_finished(), "nothing of it is on the disk");
    let lease = || journal.lease(at(NOW), Capacity::each(9, 9));
    assert!(lease().await.unwrap().deliveries.is_empty(), "nor is it attempted");
    gate.meet.wait();
    for append in [first, second] {
        assert!(matches!(append.await.unwrap().unwrap(), Appended::New(_)));
    }
    assert_eq!(lease().await.unwrap().deliveries.len(), 2);
}

#[tokio::test]
async fn what_was_written_behind_a_failed_sync_fails_with_it() {
    let dir = Dir::new();
    let (gate, options) = Gate::new(Err("input/output error".into()));
    let journal = dir.open_with(options).unwrap();
    let appends = gate.append_two(&journal).await;
    gate.meet.wait();
    for append in appends {
        append.await.unwrap().expect_err("a crash might lose it");
    }
    for number in [1, 2] {
        let again = journal.append(entry(number, 1, &["r/a"])).await.unwrap();
        assert_eq!(again, Appended::Duplicate(id_of(&entry(number, 0, &[]))), "it is in the file, and kept");
    }
    let lease = journal.lease(at(NOW), Capacity::each(9, 9)).await.unwrap();
    assert_eq!(lease.deliveries.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_back_after_a_failed_sync_is_not_built_upon() {
    let dir = Dir::new();
    let wal = dir.path().with_file_name("hookyard.db-wal");
    let armed = Arc::new(AtomicBool::new(false));
    let hook: CommitHook = {
        let (armed, wal) = (armed.clone(), wal.clone());
        Arc::new(move || {
            if !armed.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            // As if the last page, which was not written, had gone from memory, too. Behind it may be frames of
            // another time, with another salt.
            let mut bytes = fs::read(&wal).expect("it is there");
            let (salt, frame) = (bytes[16..24].to_vec(), 24 + 4096);
            let frames = bytes[32..].chunks_exact(frame).take_while(|frame| frame[8..16] == salt).count();
            bytes[32 + frames * frame - 1] ^= 1;
            fs::write(&wal, bytes).expect("it can be written");
            Err("input/output error".into())
        })
    };
    let journal = dir.open_with(Options { before_sync: Some(hook), ..Options::default() }).unwrap();
    let kept = entry(1, 0, &["r/a"]);
    journal.append(kept.clone()).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    journal.append(entry(2, 0, &["r/a"])).await.expect_err("it may be lost");
    for _ in 0..2 {
        let error =
            journal.append(entry(3, 0, &["r/a"])).await.expect_err("it would be lost with it").to_string();
        assert!(error.contains("restart hookyard"), "{error}");
    }
    journal.close().await;

    let journal = dir.open();
    assert_eq!(journal.append(entry(1, 1, &[])).await.unwrap(), Appended::Duplicate(id_of(&kept)));
    let again = entry(2, 1, &[]);
    assert_eq!(
        journal.append(again.clone()).await.unwrap(),
        Appended::New(id_of(&again)),
        "it was never acknowledged"
    );
    assert_eq!(journal.counts().await.unwrap().events, 2);
}

#[tokio::test]
async fn a_sync_that_fails_before_anything_was_written_costs_no_more_than_that() {
    let dir = Dir::new();
    let armed = Arc::new(AtomicBool::new(true));
    let journal = dir.open_with(Options { before_sync: once(&armed), ..Options::default() }).unwrap();
    journal.unrouted(1).await.expect_err("what it has seen may not be on the disk");
    assert!(journal.unrouted(1).await.unwrap().is_empty());
    journal.append(entry(1, 0, &[])).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_left_in_the_wal_is_moved_at_the_next_start() {
    let (dir, killed, alone) = (Dir::new(), Dir::new(), Dir::new());
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let copy = |from: &Dir, to: &Dir, end: &str| {
        let named = |dir: &Dir| dir.path().with_file_name(format!("hookyard.db{end}"));
        fs::create_dir_all(to.path().parent().unwrap()).unwrap();
        fs::copy(named(from), named(to)).unwrap();
    };
    ["", "-wal"].into_iter().for_each(|end| copy(&dir, &killed, end));
    let _next = killed.open();
    copy(&killed, &alone, "");
    assert_eq!(alone.open().counts().await.unwrap().events, 1, "the database alone has it");
}

#[tokio::test]
async fn behind_a_link_the_wal_beside_the_file_itself_is_synced() {
    let dir = Dir::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("real.db"), dir.path()).unwrap();
    let stale = dir.path().with_file_name("hookyard.db-wal");
    fs::write(&stale, "of another time").unwrap();
    let armed = Arc::new(AtomicBool::new(false));
    let journal = dir.open_with(Options { before_sync: once(&armed), ..Options::default() }).unwrap();
    armed.store(true, Ordering::SeqCst);
    journal.append(entry(1, 0, &[])).await.expect_err("the sync fails");
    let again = journal.append(entry(1, 1, &[])).await.unwrap();
    assert_eq!(again, Appended::Duplicate(id_of(&entry(1, 0, &[]))), "its WAL was found, and written again");
    assert!(elsewhere.path().join("real.db-wal").exists());
    assert_eq!(fs::read_to_string(&stale).unwrap(), "of another time");
}

#[tokio::test]
async fn nothing_is_leased_behind_an_outcome_that_could_not_be_kept() {
    let dir = Dir::new();
    let (armed, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(2)));
    let hook: CommitHook = {
        let (armed, gate) = (armed.clone(), gate.clone());
        Arc::new(move || {
            if !armed.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            gate.wait();
            gate.wait();
            Err("pulled the plug".into())
        })
    };
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a", "r/b"])).await.unwrap();
    journal.close().await;
    let journal = dir.open_with(Options { before_commit: Some(hook), ..Options::default() }).unwrap();
    let lease = || journal.lease(at(NOW), Capacity::each(1, 1));
    let id = lease().await.unwrap().deliveries.pop().expect("it is due").id;
    armed.store(true, Ordering::SeqCst);
    let skipped =
        Settlement { id, outcome: Outcome::Skipped, attempt: None, derived: Vec::new(), now: at(NOW) };
    let mut settle = journal.settle([skipped].into());
    assert!((&mut settle).now_or_never().is_none());
    gate.wait();
    // The commit is under way.
    let mut next = lease();
    assert!((&mut next).now_or_never().is_none());
    gate.wait();
    settle.await.expect_err("the commit failed");
    next.await.expect_err("the commit before it failed");
    assert_eq!(lease().await.unwrap().deliveries.len(), 1, "it is still there");
}

#[tokio::test]
async fn a_journal_taken_away_while_it_is_open_acknowledges_nothing() {
    let dir = Dir::new();
    let journal = dir.open();
    let first = entry(1, 0, &[]);
    journal.append(first.clone()).await.unwrap();
    let aside = dir.path().with_extension("aside");
    fs::rename(dir.path(), &aside).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::write(dir.path(), "").unwrap();
        }
        let error = journal.append(entry(2, 0, &[])).await.expect_err("it would be lost").to_string();
        assert!(error.contains("hookyard.db was moved, deleted or replaced"), "{error}");
    }
    fs::rename(&aside, dir.path()).unwrap();
    assert_eq!(journal.append(entry(1, 1, &[])).await.unwrap(), Appended::Duplicate(id_of(&first)));
    journal.append(entry(2, 0, &[])).await.unwrap();
    assert_eq!(journal.counts().await.unwrap().events, 2);
}

#[test]
fn a_start_that_ended_before_the_tables_were_made_is_made_good() {
    let dir = Dir::new();
    fs::create_dir_all(dir.path().parent().unwrap()).unwrap();
    for sql in ["", "PRAGMA journal_mode = WAL", "PRAGMA journal_mode = WAL; BEGIN; CREATE TABLE events (a)"]
    {
        rusqlite::Connection::open(dir.path()).unwrap().execute_batch(sql).unwrap();
        assert!(open::open(&dir.path(), &Options::default()).is_ok(), "{sql}");
        fs::remove_file(dir.path()).unwrap();
    }
}

#[test]
fn a_file_that_may_only_be_read_is_refused_at_start() {
    let dir = Dir::new();
    drop(open::open(&dir.path(), &Options::default()).unwrap());
    let readable = open::read_only(&dir.path()).unwrap();
    let why = open::refuse_read_only(&readable, &dir.path()).expect_err("it is refused").to_string();
    assert!(why.contains("may not be written"), "{why}");
}
