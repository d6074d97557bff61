//! The rows of storm windows: when they go, and what an older journal had of them.

use super::*;
use crate::journal::StormKind;
use crate::journal::conformance::held_back;

const DAY_MS: i64 = 86_400_000;

/// An event of its own key, `ms` after [`NOW`].
fn collected(number: u64, ms: i64) -> Entry {
    let kind = StormKind::Collect { until: at(NOW + ms + 1000), max: 9 };
    held_back(number, ms, &number.to_string(), kind)
}

fn rows(dir: &Dir, sql: &str) -> i64 {
    rusqlite::Connection::open(dir.path()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

async fn settle_all(journal: &SqliteJournal, now: i64, outcome: &Outcome) {
    for leased in journal.lease(at(now), Capacity::each(99, 99)).await.unwrap().deliveries {
        let outcome = outcome.clone();
        let settlement = Settlement { id: leased.id, outcome, attempt: None, derived: vec![], now: at(now) };
        journal.settle([settlement].into()).await.unwrap();
    }
}

#[tokio::test]
async fn windows_of_dead_deliveries_are_held_out_of_the_way_and_go_with_them() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    for number in 1..=6 {
        journal.append(collected(number, 0)).await.unwrap();
    }
    settle_all(&journal, NOW + 1000, &Outcome::Dead { error: "410".into() }).await;
    journal.append(collected(7, 1)).await.unwrap();
    settle_all(&journal, NOW + 2000, &Outcome::Skipped).await;
    // Each looks at two of those that ended.
    for number in 8..=11 {
        journal.append(collected(number, 3 * DAY_MS)).await.unwrap();
    }
    assert_eq!(rows(&dir, "SELECT count(*) FROM windows WHERE held = 1"), 6);
    assert_eq!(rows(&dir, "SELECT count(*) FROM windows"), 10, "what may never be made again has gone");
    let trim = Trim {
        now: at(NOW + 3 * DAY_MS),
        before: at(NOW + DAY_MS),
        size_bytes: u64::MAX,
        limit: 99,
        afresh: true,
    };
    assert_eq!(journal.trim(trim).await.unwrap(), 7);
    assert_eq!(rows(&dir, "SELECT count(*) FROM windows"), 4);
    assert_eq!(rows(&dir, "SELECT count(*) FROM window_events"), 4);
}

#[tokio::test]
async fn an_older_journal_gives_no_number_of_a_window_twice() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.path().parent().unwrap()).unwrap();
    let old = rusqlite::Connection::open(dir.path()).unwrap();
    let schema = [
        include_str!("../schema/1.sql"),
        include_str!("../schema/2.sql"),
        include_str!("../schema/3.sql"),
        include_str!("../schema/4.sql"),
    ]
    .concat();
    // Window 5 belongs to the dead delivery of event 50; 6 was taken from that of event 10, and 9 is gone.
    old.execute_batch(&format!(
        "{schema} PRAGMA application_id = {}; PRAGMA user_version = 4;
        INSERT INTO lanes VALUES (1, 'r', 'a'), (2, 's', 'a');
        INSERT INTO windows VALUES (5, 0, 'r', 'k', 50, 60, 2, NULL, 0, 0, 1, x''),
                                   (6, 0, 's', 'k', 70, 70, 1, NULL, 0, 0, 1, x'');
        INSERT INTO deliveries (event, lane, name, state, attempts, updated, message, window)
        VALUES (50, 1, '', 4, 1, 0, '', 5), (10, 1, '', 4, 1, 0, '', 6), (20, 1, '', 4, 1, 0, '', 9);",
        0x686f_6f6b
    ))
    .unwrap();
    drop(old);
    let journal = dir.open();
    let window =
        |event: i64| rows(&dir, &format!("SELECT coalesce(window, 0) FROM deliveries WHERE event = {event}"));
    assert_eq!([50, 10, 20].map(window), [5, 0, 0]);
    journal.append(collected(1, 0)).await.unwrap();
    assert_eq!(rows(&dir, "SELECT max(id) FROM windows"), 10);
}
