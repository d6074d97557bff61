//! How large the journal gets, and what trimming leaves of it.

use super::*;
use bytes::Bytes;

/// Removes what is old and out of its window, at a time when everything is.
pub fn of_any_age(limit: usize) -> Trim {
    Trim { now: at(NOW * 2), before: at(NOW * 2), size_bytes: u64::MAX, limit, afresh: false }
}

/// Removes all that may go for its size.
async fn empty(journal: &SqliteJournal, now: i64) -> usize {
    let step = Trim { now: at(now), before: at(NOW), size_bytes: 1, limit: 100, afresh: true };
    journal.trim(step).await.unwrap()
}

async fn lease(journal: &Arc<dyn Journal>) -> Result<Lease, JournalError> {
    journal.lease(at(NOW + 100), Capacity::each(9, 9)).await
}

pub fn number(dir: &Dir, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(dir.path()).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_journal_at_its_size_limit_refuses_events_and_still_settles() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    let first = entry(1, 0, &["r/a"]);
    journal.append(first.clone()).await.unwrap();
    journal.limit_size(1);
    let error = journal.append(entry(2, 0, &[])).await.expect_err("it is full").to_string();
    assert!(error.contains("size limit"), "{error}");
    assert_eq!(journal.append(entry(1, 1, &[])).await.unwrap(), Appended::Duplicate(id_of(&first)));
    let id = format!("{}/r/a", id_of(&first)).parse().unwrap();
    let settlement =
        Settlement { id, outcome: Outcome::Skipped, attempt: None, derived: Vec::new(), now: at(NOW) };
    journal.settle([settlement].into()).await.unwrap();
    assert_eq!(journal.counts().await.unwrap().pending, 0);
    journal.limit_size(u64::MAX);
    journal.append(entry(2, 0, &[])).await.unwrap();
}

#[tokio::test]
async fn trimming_passes_over_what_has_to_stay_in_bounded_steps() {
    let dir = Dir::new();
    let journal = dir.open();
    for number in 0..40 {
        let stays = number < 30;
        journal
            .append(entry(number, number.cast_signed(), if stays { &["r/a"] } else { &[] }))
            .await
            .unwrap();
    }
    let step = async |afresh| journal.trim(Trim { afresh, ..of_any_age(2) }).await.unwrap();
    for removed in [2, 2, 2, 2, 2, 0, 0] {
        assert_eq!(step(false).await, removed);
    }
    let leased = lease(&journal).await.unwrap().deliveries.swap_remove(0);
    let settlement = Settlement {
        id: leased.id,
        outcome: Outcome::Skipped,
        attempt: None,
        derived: Vec::new(),
        now: at(NOW),
    };
    journal.settle([settlement].into()).await.unwrap();
    assert_eq!(step(false).await, 0, "it is passed");
    assert_eq!(step(true).await, 1);
}

#[tokio::test]
async fn what_has_to_stay_stays_between_those_that_go() {
    let dir = Dir::new();
    let journal = dir.open();
    let stays = |number: u64| matches!(number % 7, 0 | 3 | 4);
    for number in 0..100 {
        let deliveries: &[&str] = if stays(number) { &["r/a", "r/b"] } else { &[] };
        journal.append(entry(number, number.cast_signed(), deliveries)).await.unwrap();
    }
    let gone = (0..100).filter(|number| !stays(*number)).count();
    assert_eq!(journal.trim(Trim { afresh: true, ..of_any_age(100) }).await.unwrap(), gone);
    for number in 0..100 {
        let id = id_of(&entry(number, number.cast_signed(), &[]));
        assert_eq!(journal.event(id).await.unwrap().is_some(), stays(number), "{number}");
    }
    let counts = journal.counts().await.unwrap();
    assert_eq!((counts.events, counts.pending), (100 - gone as u64, 2 * (100 - gone as u64)));
}

#[tokio::test]
async fn trimming_for_size_stops_where_the_journal_is_small_enough() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    for number in 0..200 {
        let mut entry = entry(number, number.cast_signed(), &[]);
        entry.received.body = Bytes::from(vec![b'x'; 4000]);
        journal.append(entry).await.unwrap();
    }
    let used =
        || number(&dir, "SELECT (SELECT * FROM pragma_page_count) - (SELECT * FROM pragma_freelist_count)");
    let size_bytes = u64::try_from(used()).unwrap() * 4096 * 3 / 4;
    let step = Trim { now: at(NOW), before: at(NOW), size_bytes, limit: 500, afresh: true };
    let removed = journal.trim(step).await.unwrap();
    assert!((40..100).contains(&removed), "{removed}");
    assert_eq!(journal.trim(step).await.unwrap(), 0);
    let left = journal.counts().await.unwrap().events;
    let oldest = entry(200 - left, 200 - left.cast_signed(), &[]);
    assert!(journal.event(id_of(&oldest)).await.unwrap().is_some(), "the newest are left");
}

#[tokio::test]
async fn a_journal_says_when_it_is_to_be_trimmed_and_uses_freed_pages_again() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    let size_bytes = 1 << 20;
    journal.limit_size(size_bytes);
    let too_large = journal.too_large();
    let mut removed = 0;
    for number in 0..400 {
        let mut entry = entry(number, number.cast_signed(), &[]);
        entry.received.body = Bytes::from(vec![b'x'; 8000]);
        journal.append(entry).await.expect("there is room");
        if too_large.notified().now_or_never().is_some() {
            let now = at(NOW + number.cast_signed());
            let step = Trim { now, before: at(NOW), size_bytes, limit: 50, afresh: true };
            removed += journal.trim(step).await.unwrap();
        }
    }
    assert!(removed > 250, "{removed}");
    let first = Appended::Duplicate(id_of(&entry(0, 0, &[])));
    assert_eq!(journal.append(entry(0, 400, &[])).await.unwrap(), first);
    assert!(number(&dir, "PRAGMA page_count") * 4096 < 1_200_000, "the file did not grow");
}

#[tokio::test]
async fn prints_of_removed_events_go_when_their_window_is_over() {
    let dir = Dir::new();
    let options = Options { prints_in_memory: 3, ..Options::default() };
    let journal = dir.open_with(options.clone()).unwrap();
    for number in 0..20 {
        journal.append(entry(number, 0, &[])).await.unwrap();
    }
    assert_eq!(empty(&journal, NOW).await, 20);
    for number in 0..20 {
        let first = Appended::Duplicate(id_of(&entry(number, 0, &[])));
        assert_eq!(journal.append(entry(number, 5, &[])).await.unwrap(), first, "{number}");
    }
    let rows = |table: &str| number(&dir, &format!("SELECT count(*) FROM {table}"));
    assert_eq!(rows("removed_prints"), 20);
    assert!((17..=20).contains(&rows("old_prints")), "{}", rows("old_prints"));
    assert_eq!(journal.trim(of_any_age(8)).await.unwrap(), 0, "there are no events to remove");
    assert_eq!(rows("removed_prints"), 0);
    let after_window = 3 * 86_400_000;
    for number in 20..40 {
        journal.append(entry(number, after_window + number.cast_signed(), &[])).await.unwrap();
    }
    let over = format!("SELECT count(*) FROM old_prints WHERE until < {}", NOW + after_window);
    assert_eq!(number(&dir, &over), 0, "each event that comes looks after two");
}

#[tokio::test]
async fn a_twin_of_what_is_gone_for_good_leaves_no_print_behind() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    journal.append(entry(1, 0, &[])).await.unwrap();
    let after_window = 2 * 86_400_000;
    let step = of_any_age(9);
    assert_eq!(journal.trim(step).await.unwrap(), 1);
    let again = entry(1, after_window, &[]);
    assert_eq!(journal.append(again.clone()).await.unwrap(), Appended::New(id_of(&again)));
    assert_eq!(number(&dir, "SELECT count(*) FROM old_prints"), 0);
}

#[tokio::test]
async fn events_of_a_millisecond_do_not_take_the_key_of_a_removed_one() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    let entries: Vec<_> = (0..3).map(|number| entry(number, 0, &[])).collect();
    for entry in &entries {
        journal.append(entry.clone()).await.unwrap();
        assert_eq!(empty(&journal, NOW).await, 1);
    }
    for entry in &entries {
        assert_eq!(journal.append(entry.clone()).await.unwrap(), Appended::Duplicate(id_of(entry)));
    }
}

#[tokio::test]
async fn the_wal_stays_small_however_much_is_written() {
    let dir = Dir::new();
    let journal = dir.open();
    let large = |number: u64| {
        let mut entry = entry(number, 0, &[]);
        entry.received.body = vec![b'x'; 10_000].into();
        entry
    };
    for group in 0..30 {
        let appends = (0..100).map(|number| journal.append(large(group * 100 + number)));
        futures_util::future::try_join_all(appends).await.unwrap();
    }
    let bytes = |name: &str| std::fs::metadata(dir.path().with_file_name(name)).unwrap().len();
    // Some 30 MB were written: once to the WAL, which begins anew in between, and once to the database.
    assert!(bytes("hookyard.db-wal") < 12 << 20, "{}", bytes("hookyard.db-wal"));
    assert!(bytes("hookyard.db") > 20 << 20, "{}", bytes("hookyard.db"));
}
