//! The journal in SQLite against the common behaviour, and what is its own.

mod faults;
mod fresh;
mod kept;
mod maintain;
mod prints;
mod size;
mod windows;

use super::*;
use crate::journal::conformance::{NOW, Place, at, conformance, entry, id_of};
use futures_util::FutureExt;
use size::of_any_age;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory for the test"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("deep/below/hookyard.db")
    }

    fn open_with(&self, options: Options) -> Result<Arc<SqliteJournal>, JournalError> {
        SqliteJournal::open(&self.path(), options)
    }

    fn refusal(&self) -> String {
        self.open_with(Options::default()).err().expect("it is refused").to_string()
    }
}

impl Place for Dir {
    fn open(&self) -> Arc<dyn Journal> {
        self.open_with(Options::default()).expect("it opens")
    }
}

conformance!(
    Dir::new();
    an_event_reads_back_exactly_also_after_a_restart,
    a_twin_is_a_duplicate_within_its_window_also_after_a_restart,
    twins_at_once_are_kept_once,
    leasing_is_fair_and_keeps_to_the_capacity,
    a_backlog_does_not_starve_other_lanes,
    each_lane_has_a_room_of_its_own,
    a_lane_without_room_is_looked_at_again_in_time,
    a_lease_is_freed_by_release_and_by_a_restart,
    a_retry_comes_back_when_it_is_due,
    an_outcome_is_kept_with_its_effects_once,
    a_blocked_delivery_waits_for_healing_or_its_end,
    what_stays_blocked_is_leased_at_its_end,
    unrouted_events_are_routed_once,
    trimming_spares_what_is_still_needed,
    what_the_size_removed_is_not_shown_and_its_twins_are_duplicates,
    generations_are_numbered_and_kept,
    each_rule_directory_has_its_own_newest_generation,
    events_are_listed_newest_first_and_filtered,
    a_closed_journal_refuses,
    work_is_announced_after_the_commit,
    state_is_kept_with_the_outcome_once_also_after_a_restart,
    a_run_whose_reads_have_changed_is_not_kept,
    outcomes_kept_together_each_have_a_verdict_of_their_own,
    two_of_one_group_cannot_both_have_seen_the_same,
    values_expire_and_are_removed,
    keys_are_listed_by_prefix_in_order,
    derived_events_are_kept_with_the_outcome_and_counted,
    a_throttle_lets_the_first_act_also_after_a_restart,
    a_debounce_lets_the_last_act_when_it_is_quiet,
    what_has_begun_is_not_debounced_away,
    a_threshold_acts_once_on_the_nth_within_the_time,
    a_collection_is_one_delivery_of_all_also_after_a_restart,
    what_comes_after_a_collection_has_begun_begins_another,
    deliveries_in_order_come_one_at_a_time_per_key_behind_the_effects,
    what_is_kept_late_waits_for_a_younger_one_that_is_under_way,
    who_waits_in_order_is_let_go_or_cancelled_too,
    what_is_debounced_away_lets_its_followers_go,
    every_storm_control_keeps_the_order_too,
    a_dead_delivery_keeps_its_window_for_a_retry,
    a_dead_collection_keeps_its_events_for_a_retry,
    who_is_retried_in_order_goes_one_at_a_time,
    who_is_retried_goes_before_one_that_waits,
    what_is_blocked_holds_its_followers_and_heals_in_order,
    what_stays_blocked_lets_its_followers_go_after_its_time,
    a_full_collection_that_waited_in_order_is_due_at_once,
    an_event_that_would_do_nothing_opens_no_window,
    trimming_spares_what_a_dead_collection_holds,
    a_dead_delivery_is_tried_again_with_all_of_its_time,
    what_died_unattempted_has_its_conditions_asked_again,
    only_dead_deliveries_are_tried_again,
    many_are_tried_again_in_steps,
    what_is_cancelled_is_dead_and_what_is_under_way_goes_on,
    cancelling_keeps_to_what_was_asked_for,
    a_replay_has_ids_and_a_time_of_its_own,
    what_was_refused_first_has_its_time_from_when_it_was_taken,
    what_was_never_routed_is_not_replayed,
    deliveries_are_read_in_pages,
    deliveries_are_filtered_and_counted,
    events_are_found_by_what_matched_them,
    generations_are_listed,
    the_depth_of_lanes_is_told,
    who_watches_is_told_what_was_committed,
    effects_of_effects_come_to_an_end,
);

#[tokio::test]
async fn a_second_writer_is_refused_and_a_reader_is_not() {
    let dir = Dir::new();
    let journal = dir.open();
    let refusal = dir.refusal();
    assert!(refusal.contains("hookyard.db.lock") && refusal.contains("another hookyard"), "{refusal}");
    let reader = SqliteHistory::open_read_only(&dir.path()).unwrap();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    assert_eq!(reader.counts().await.unwrap().events, 1);
    journal.close().await;
    drop((journal, reader));
    let reader = SqliteHistory::open_read_only(&dir.path()).unwrap();
    assert_eq!(reader.counts().await.unwrap().pending, 1, "also when no server runs");
}

#[test]
fn reading_what_is_not_there_says_so() {
    let error = SqliteHistory::open_read_only(&Dir::new().path()).err().unwrap().to_string();
    assert!(error.contains("no such file"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_the_way_out() {
    let dir = Dir::new();
    let journal = dir.open();
    for number in 0..200 {
        journal.append(entry(number, 0, &["r/a"])).await.unwrap();
    }
    journal.close().await;
    drop(journal);
    let whole = std::fs::read(dir.path()).unwrap();
    let garbage = vec![0x5a; whole.len()];
    let mut torn = whole.clone();
    torn[8192..24576].fill(0x5a);
    for (case, content) in [("garbage", garbage), ("torn", torn)] {
        std::fs::write(dir.path(), content).unwrap();
        let refusal = dir.refusal();
        assert!(refusal.contains("is damaged") && refusal.contains("mv "), "{case}: {refusal}");
    }
}

#[test]
fn newer_and_foreign_files_are_refused() {
    let dir = Dir::new();
    drop(open::open(&dir.path(), &Options::default()).unwrap());
    let change = |sql: &str| rusqlite::Connection::open(dir.path()).unwrap().execute_batch(sql).unwrap();
    change("PRAGMA user_version = 9");
    let refusal = dir.refusal();
    assert!(refusal.contains("newer hookyard (schema 9"), "{refusal}");
    change("PRAGMA application_id = 5");
    let refusal = dir.refusal();
    assert!(refusal.contains("another program"), "{refusal}");
}

#[tokio::test]
async fn a_full_disk_refuses_while_it_lasts_and_then_work_goes_on() {
    let dir = Dir::new();
    let journal = dir.open_with(Options { max_pages: Some(60), ..Options::default() }).unwrap();
    let mut kept = 0;
    let error = loop {
        match journal.append(entry(kept, 0, &[])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(journal.counts().await.unwrap().events, kept, "nothing was half kept");
    assert_eq!(journal.trim(of_any_age(50)).await.unwrap(), 50);
    let next = entry(kept, 1, &["r/a"]);
    assert_eq!(journal.append(next.clone()).await.unwrap(), Appended::New(id_of(&next)));
}

#[tokio::test]
async fn a_failed_commit_fails_the_waiting_twin_too() {
    let dir = Dir::new();
    let armed = Arc::new(AtomicBool::new(true));
    let (entered, committing) = mpsc::channel();
    let gate = Arc::new(Barrier::new(2));
    let hook: CommitHook = {
        let gate = gate.clone();
        Arc::new(move || {
            if !armed.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            entered.send(()).expect("the test waits for it");
            gate.wait();
            Err("pulled the plug".into())
        })
    };
    let journal = dir.open_with(Options { before_commit: Some(hook), ..Options::default() }).unwrap();
    let append = |ms| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(entry(1, ms, &["r/a"])).await })
    };
    let first = append(0);
    tokio::task::spawn_blocking(move || committing.recv()).await.unwrap().unwrap();
    let twin = append(1);
    tokio::task::yield_now().await;
    assert!(!first.is_finished() && !twin.is_finished(), "neither is answered before the commit");
    gate.wait();
    for answer in [first.await.unwrap(), twin.await.unwrap()] {
        let error = answer.expect_err("the commit failed").to_string();
        assert!(error.contains("pulled the plug"), "{error}");
    }
    let again = entry(1, 2, &["r/a"]);
    assert_eq!(journal.append(again.clone()).await.unwrap(), Appended::New(id_of(&again)));
    assert_eq!(journal.counts().await.unwrap().events, 1);
}

#[tokio::test]
async fn what_memory_has_no_room_for_is_still_a_duplicate() {
    let dir = Dir::new();
    let options = Options { prints_in_memory: 3, ..Options::default() };
    let journal = dir.open_with(options.clone()).unwrap();
    for number in 0..20 {
        journal.append(entry(number, 0, &[])).await.unwrap();
    }
    for round in 0..2 {
        let journal = if round == 0 { journal.clone() } else { dir.open_with(options.clone()).unwrap() };
        for number in 0..20 {
            let first = Appended::Duplicate(id_of(&entry(number, 0, &[])));
            assert_eq!(journal.append(entry(number, 5, &[])).await.unwrap(), first, "{number}");
        }
        journal.close().await;
    }
}

#[tokio::test]
async fn fingerprints_that_begin_alike_are_told_apart() {
    let dir = Dir::new();
    let journal = dir.open();
    let mut first = entry(1, 0, &[]);
    first.received.fingerprint[31] = 0;
    let second = entry(1, 1, &[]);
    assert_eq!(journal.append(first.clone()).await.unwrap(), Appended::New(id_of(&first)));
    assert_eq!(journal.append(second.clone()).await.unwrap(), Appended::New(id_of(&second)));
    assert_eq!(journal.append(first.clone()).await.unwrap(), Appended::Duplicate(id_of(&first)));
    assert_eq!(journal.append(second.clone()).await.unwrap(), Appended::Duplicate(id_of(&second)));
}

#[tokio::test]
async fn healing_many_takes_steps_and_leaves_the_rest_alone() {
    let dir = Dir::new();
    let journal = dir.open();
    let until = NOW + 1_000_000;
    let add = async |from: u64, count: u64, paths: &[&str], blocked: bool| {
        let entries = (from..from + count).map(|number| {
            let mut entry = entry(number, 0, paths);
            for delivery in &mut entry.routing.as_mut().expect("it is routed").deliveries {
                delivery.due = at(until);
                delivery.blocked = blocked.then(|| "no such field".to_owned());
            }
            journal.append(entry)
        });
        futures_util::future::try_join_all(entries).await.unwrap();
    };
    add(0, 1500, &["mended/a", "mended/b"], true).await;
    add(1500, 10, &["mended/a"], false).await;
    add(1510, 10, &["other/a"], true).await;
    let mended = Heal::Rules(BTreeSet::from(["mended".to_owned()]));
    assert_eq!(journal.heal(mended.clone(), at(NOW)).await.unwrap(), 3000);
    assert_eq!(journal.heal(mended, at(NOW)).await.unwrap(), 0, "they are due already");
    let room = Capacity::each(9999, 9999);
    let lease = journal.lease(at(NOW), room).await.unwrap();
    assert_eq!(lease.deliveries.len(), 3000);
    assert!(lease.deliveries.iter().all(|it| it.id.rule == "mended" && it.was_blocked));
    assert_eq!(lease.next_due, Some(at(until)));
    assert_eq!(journal.heal(Heal::All, at(NOW)).await.unwrap(), 10);
}

#[tokio::test]
async fn an_event_whose_millisecond_is_full_is_refused_alone() {
    let dir = Dir::new();
    let journal = dir.open();
    let first = entry(1, 0, &["r/a"]);
    journal.append(first.clone()).await.unwrap();
    journal.close().await;
    let last = *codec::seqs_of(NOW.cast_unsigned()).end();
    let change = format!("UPDATE events SET seq = {last}");
    rusqlite::Connection::open(dir.path()).unwrap().execute_batch(&change).unwrap();
    let journal = dir.open();
    let (full, other) = tokio::join!(journal.append(entry(2, 0, &[])), journal.append(entry(3, 1, &[])));
    let error = full.expect_err("it has no key");
    assert!(matches!(&error, JournalError::Unavailable(why) if why.contains("millisecond")), "{error}");
    assert_eq!(other.unwrap(), Appended::New(id_of(&entry(3, 1, &[]))), "the rest of its group is kept");
}

#[tokio::test]
async fn a_new_journal_is_its_owners_alone_and_an_old_one_keeps_its_mode() {
    let dir = Dir::new();
    let mode = |suffix: &str| {
        let file = format!("{}{suffix}", dir.path().display());
        std::fs::metadata(&file).unwrap_or_else(|error| panic!("{file}: {error}")).permissions().mode()
            & 0o777
    };
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    assert_eq!(["", "-wal", "-shm", ".lock"].map(mode), [0o600; 4]);
    journal.close().await;
    drop(journal);
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o640)).unwrap();
    let journal = dir.open();
    journal.append(entry(2, 0, &["r/a"])).await.unwrap();
    assert_eq!(["", "-wal", "-shm", ".lock"].map(mode), [0o640, 0o640, 0o640, 0o600]);
}

#[tokio::test]
async fn a_closed_journal_is_one_whole_file() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    journal.close().await;
    let beside = std::fs::read_dir(dir.path().parent().unwrap()).unwrap();
    let mut names: Vec<_> = beside.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["hookyard.db", "hookyard.db.lock"]);
    assert!(matches!(journal.counts().await, Err(JournalError::Unavailable(_))));
}

#[tokio::test]
async fn a_lease_that_nobody_waits_for_any_more_goes_back() {
    let dir = Dir::new();
    let (armed, gate) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(2)));
    let hook: CommitHook = {
        let (armed, gate) = (armed.clone(), gate.clone());
        Arc::new(move || {
            if armed.swap(false, Ordering::SeqCst) {
                gate.wait();
            }
            Ok(())
        })
    };
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/stored"])).await.unwrap();
    journal.close().await;
    let journal = dir.open_with(Options { before_commit: Some(hook), ..Options::default() }).unwrap();
    journal.append(entry(2, 0, &["r/fresh"])).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    let mut slow = journal.append(entry(3, 0, &[]));
    assert!((&mut slow).now_or_never().is_none(), "the writer is held up");
    let lease = || journal.lease(at(NOW), Capacity::each(9, 9));
    assert!(lease().now_or_never().is_none(), "it waits behind the commit, and is dropped");
    gate.wait();
    slow.await.unwrap();
    // Its turn comes before this one's.
    journal.append(entry(4, 0, &[])).await.unwrap();
    assert_eq!(lease().await.unwrap().deliveries.len(), 2);
}

#[tokio::test]
async fn a_journal_of_the_first_version_is_brought_up_to_date() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.path().parent().unwrap()).unwrap();
    let old = rusqlite::Connection::open(dir.path()).unwrap();
    let first = include_str!("schema/1.sql");
    let tables = format!("{first} PRAGMA application_id = {}; PRAGMA user_version = 1;", 0x686f_6f6b);
    old.execute_batch(&tables).unwrap();
    drop(old);
    let refusal =
        SqliteHistory::open_read_only(&dir.path()).err().expect("it cannot be read yet").to_string();
    assert!(refusal.contains("older hookyard"), "{refusal}");
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    assert_eq!(journal.kv_sizes().await.unwrap(), []);
    journal.close().await;
    assert!(SqliteHistory::open_read_only(&dir.path()).is_ok());
}
