//! Deliveries that are handed over in memory: what the table has of them, and when.

use super::size::number;
use super::*;
use crate::delivery::{Effect, Receipt};
use crate::journal::State;
use crate::json::Json;
use crate::template::Params;
use std::time::Duration;

const ROWS: &str = "SELECT count(*) FROM deliveries";

async fn lease(journal: &Arc<dyn Journal>, now: i64) -> Vec<crate::journal::Leased> {
    journal.lease(at(now), Capacity::each(99, 99)).await.unwrap().deliveries
}

fn settlement(id: &DeliveryId, outcome: Outcome) -> Settlement {
    Settlement { id: id.clone(), outcome, attempt: None, derived: Vec::new(), now: at(NOW) }
}

fn delivered(effects: Vec<Effect>) -> Outcome {
    Outcome::Delivered(Receipt { effects, ..Receipt::of("done") })
}

async fn pending(journal: &Arc<dyn Journal>) -> Vec<String> {
    let filter = DeliveryFilter { state: Some(State::Pending), limit: 99, ..DeliveryFilter::default() };
    let listed = journal.deliveries(filter.clone()).await.unwrap();
    assert_eq!(journal.count_deliveries(filter).await.unwrap(), listed.len() as u64);
    assert_eq!(journal.counts().await.unwrap().pending, listed.len() as u64);
    listed.iter().map(|delivery| format!("{}/{}", delivery.id.rule, delivery.id.action)).collect()
}

#[tokio::test]
async fn a_delivery_gets_its_row_with_its_outcome_and_is_shown_before() {
    let dir = Dir::new();
    let journal = dir.open();
    let event = entry(1, 0, &["r/a", "r/b"]);
    journal.append(event.clone()).await.unwrap();
    assert_eq!(number(&dir, ROWS), 0);
    assert_eq!(pending(&journal).await, ["r/b", "r/a"]);
    let depths = journal.lanes().await.unwrap();
    assert_eq!(depths.iter().map(|lane| lane.pending).collect::<Vec<_>>(), [1, 1]);
    let leased = lease(&journal, NOW).await;
    journal.settle([settlement(&leased[0].id, delivered(Vec::new()))].into()).await.unwrap();
    assert_eq!((number(&dir, ROWS), number(&dir, "SELECT count(*) FROM fresh")), (1, 1));
    let found = journal.delivery(&leased[0].id).await.unwrap().expect("it is kept");
    assert_eq!((found.state, found.message.as_str()), (State::Delivered, "done"));
    let other = journal.delivery(&leased[1].id).await.unwrap().expect("it is kept");
    assert_eq!((other.state, other.due), (State::Pending, Some(at(NOW))));
}

#[tokio::test]
async fn a_crash_leaves_them_to_the_next_start() {
    let dir = Dir::new();
    let journal = dir.open_with(Options::default()).unwrap();
    for n in 0..3 {
        journal.append(entry(n, 0, &["r/a", "r/b"])).await.unwrap();
    }
    let lease_one = journal.lease(at(NOW), Capacity::each(1, 1)).await.unwrap();
    journal.settle([settlement(&lease_one.deliveries[0].id, delivered(Vec::new()))].into()).await.unwrap();
    // What a crash leaves is what another process can read.
    let copy = Dir::new();
    std::fs::create_dir_all(copy.path().parent().unwrap()).unwrap();
    let into = format!("VACUUM INTO '{}'", copy.path().display());
    rusqlite::Connection::open(dir.path()).unwrap().execute_batch(&into).unwrap();
    let after = copy.open();
    assert_eq!(number(&copy, ROWS), 6, "each has a row from the start on");
    assert_eq!(pending(&after).await.len(), 5);
    assert_eq!(lease(&after, NOW).await.len(), 5, "and each is leased once");
}

#[tokio::test]
async fn what_becomes_old_is_put_down_and_leased_from_the_table() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["old/a", "held/a"])).await.unwrap();
    let held = journal.lease(at(NOW), Capacity::each(1, 1)).await.unwrap().deliveries.pop().unwrap();
    journal.append(entry(2, 900, &[])).await.unwrap();
    assert_eq!(number(&dir, ROWS), 0);
    journal.append(entry(3, 1100, &[])).await.unwrap();
    assert_eq!(number(&dir, ROWS), 2);
    let mut leased = lease(&journal, NOW).await;
    let other = leased.pop().expect("the one that waited");
    assert!(leased.is_empty() && other.id != held.id, "what is attempted is not leased again");
    for id in [&held.id, &other.id] {
        journal.settle([settlement(id, delivered(Vec::new()))].into()).await.unwrap();
    }
    assert_eq!(number(&dir, "SELECT count(*) FROM deliveries WHERE state = 2"), 2);
    assert_eq!(pending(&journal).await, [""; 0]);
}

#[tokio::test]
async fn a_lane_with_older_ones_in_the_table_hands_none_over() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    journal.close().await;
    let journal = dir.open();
    journal.append(entry(2, 1, &["r/a", "r/b"])).await.unwrap();
    assert_eq!(number(&dir, ROWS), 3);
    let first = journal.lease(at(NOW + 1), Capacity::each(1, 1)).await.unwrap().deliveries;
    assert_eq!(&first[0].body[..], b"body 1");
}

#[tokio::test]
async fn memory_is_bounded_whatever_comes() {
    let dir = Dir::new();
    let journal = dir.open();
    let large = |n| {
        let mut event = entry(n, 0, &["r/a"]);
        event.received.body = vec![b'x'; 50_000].into();
        event
    };
    for n in 0..100 {
        journal.append(large(n)).await.unwrap();
    }
    let stored = number(&dir, ROWS);
    assert!((10..30).contains(&stored), "some 4 MiB are held in memory: {stored} are not");
    let mut huge = entry(200, 0, &["other/a"]);
    huge.received.body = vec![b'x'; 100_000].into();
    journal.append(huge).await.unwrap();
    assert_eq!(number(&dir, ROWS), stored + 1);
    let leased = journal.lease(at(NOW), Capacity::each(999, 999)).await.unwrap().deliveries;
    assert_eq!(leased.len(), 101);
    for next in leased {
        journal.settle([settlement(&next.id, Outcome::Skipped)].into()).await.unwrap();
    }
    assert_eq!((number(&dir, ROWS), pending(&journal).await.len()), (101, 0));
}

#[tokio::test]
async fn what_only_waits_is_bounded_in_bytes_too() {
    let dir = Dir::new();
    let journal = dir.open();
    for n in 0..40 {
        let mut large = entry(n, 0, &["r/a"]);
        large.received.body = vec![b'x'; 4 << 20].into();
        journal.append(large).await.unwrap();
    }
    let lease_some = async || journal.lease(at(NOW), Capacity::each(8, 8)).await.unwrap().deliveries;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        for leased in lease_some().await {
            journal.only_waits(&leased.id);
            waiting.push(leased.id);
        }
    }
    assert_eq!((waiting.len(), lease_some().await.len()), (16, 0), "64 MiB");
    for id in waiting {
        journal.settle([settlement(&id, Outcome::Skipped)].into()).await.unwrap();
    }
    assert_eq!(lease_some().await.len(), 8);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_them_wait_and_nothing_else() {
    let dir = Dir::new();
    let journal = dir.open();
    for n in 0..3 {
        journal.append(entry(n, 0, &["fresh/a"])).await.unwrap();
    }
    let one = async |now| {
        let lease = journal.lease(at(now), Capacity::each(1, 9)).await.unwrap();
        (lease.deliveries.len(), lease.next_due)
    };
    assert_eq!(one(NOW).await.0, 1);
    assert_eq!(one(NOW - 5).await, (0, Some(at(NOW))));
    assert_eq!(one(NOW).await.0, 1);
    journal.close().await;
    let journal = dir.open();
    let one = async |now| journal.lease(at(now), Capacity::each(1, 9)).await.unwrap().deliveries.len();
    assert_eq!([one(NOW).await, one(NOW - 5).await, one(NOW).await], [1, 0, 1], "those in the table too");
}

#[tokio::test]
async fn what_waits_for_a_clock_that_was_set_back_holds_up_nothing_that_comes() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 3_600_000, &["r/a"])).await.unwrap();
    journal.append(entry(2, 0, &["r/a"])).await.unwrap();
    let leased = lease(&journal, NOW).await;
    assert_eq!(leased.iter().map(|it| &it.body[..]).collect::<Vec<_>>(), [b"body 2"]);
    assert_eq!(lease(&journal, NOW + 3_600_000).await.len(), 1);
}

#[tokio::test]
async fn cancelling_finds_them_and_leaves_those_alone_that_are_attempted() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a", "r/b"])).await.unwrap();
    let held = journal.lease(at(NOW), Capacity::each(1, 1)).await.unwrap().deliveries.pop().unwrap();
    let cancelled = journal.cancel(Chosen::Like(DeliveryFilter::default()), at(NOW)).await.unwrap();
    assert_eq!(cancelled, Cancelled { cancelled: 1, under_way: 1 });
    assert!(lease(&journal, NOW).await.is_empty());
    journal.settle([settlement(&held.id, delivered(Vec::new()))].into()).await.unwrap();
    assert_eq!(journal.counts().await.unwrap().delivered, 1);
}

#[tokio::test]
async fn what_could_not_be_put_down_is_leased_from_memory() {
    let dir = Dir::new();
    let armed = Arc::new(AtomicBool::new(false));
    let fault = {
        let armed = armed.clone();
        move || if armed.swap(false, Ordering::SeqCst) { Err("pulled the plug".into()) } else { Ok(()) }
    };
    let options = Options { before_commit: Some(Arc::new(fault)), ..Options::default() };
    let journal: Arc<dyn Journal> = dir.open_with(options).unwrap();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    armed.store(true, Ordering::SeqCst);
    journal.cancel(Chosen::Like(DeliveryFilter::default()), at(NOW)).await.expect_err("it is not kept");
    assert_eq!(pending(&journal).await, ["r/a"]);
    assert_eq!(lease(&journal, NOW).await.len(), 1);
}

#[tokio::test]
async fn a_full_disk_leaves_them_where_they_were() {
    let dir = Dir::new();
    let journal: Arc<dyn Journal> =
        dir.open_with(Options { max_pages: Some(100), ..Options::default() }).unwrap();
    // Their rows want pages that will not be there.
    let many: Vec<_> = (0..500).map(|n| format!("r{n}/a")).collect();
    journal.append(entry(0, 0, &many.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap();
    let mut next = 1;
    while journal.append(entry(next, 0, &[])).await.is_ok() {
        next += 1;
    }
    let all = Chosen::Like(DeliveryFilter::default());
    journal.cancel(all, at(NOW)).await.expect_err("there is no room");
    let lease = journal.lease(at(NOW), Capacity::each(999, 9)).await.unwrap();
    assert_eq!((lease.deliveries.len(), number(&dir, ROWS)), (500, 0));
}

#[tokio::test]
async fn what_is_put_back_is_attempted_again() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    let held = lease(&journal, NOW).await.pop().unwrap();
    journal.release(&held.id).await;
    assert_eq!(lease(&journal, NOW).await.pop().expect("it is due again").id, held.id);
}

#[tokio::test]
async fn an_effect_is_handed_over_and_found_after_a_crash() {
    let dir = Dir::new();
    let journal = dir.open();
    let event = entry(1, 0, &["r/a"]);
    journal.append(event.clone()).await.unwrap();
    let parent = lease(&journal, NOW).await.pop().unwrap();
    let effect = |name: &str, after| Effect {
        name: name.into(),
        kind: "log".into(),
        after: Duration::from_secs(after),
        params: Params::Data(Json::from("said")),
    };
    let effects = vec![effect("log-1", 0), effect("log-2", 60)];
    journal.settle([settlement(&parent.id, delivered(effects))].into()).await.unwrap();
    let leased = lease(&journal, NOW).await.pop().expect("it is due");
    assert_eq!(leased.id, parent.id.effect("log-1"));
    assert_eq!((&leased.event, &leased.body), (&parent.event, &event.received.body));
    assert!(lease(&journal, NOW).await.is_empty(), "it is leased once");
    let later = lease(&journal, NOW + 60_000).await;
    assert_eq!(later.iter().map(|it| &it.id).collect::<Vec<_>>(), [&parent.id.effect("log-2")]);
    journal.close().await;
    let journal = dir.open();
    assert_eq!(lease(&journal, NOW + 60_000).await.len(), 2, "neither was settled");
}

#[tokio::test]
async fn the_first_attempt_stands_in_its_row_and_later_ones_beside_it() {
    let dir = Dir::new();
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    for attempt in 1..=3u32 {
        let now = NOW + i64::from(attempt);
        let leased = lease(&journal, now).await.pop().expect("it is due");
        let record = AttemptRecord {
            number: leased.attempts + 1,
            started_at: at(now),
            duration: Duration::from_micros(7),
            generation: Some(3),
            outcome: "tried".into(),
            message: format!("attempt {attempt}"),
            request: Some(format!("request {attempt}")),
            answer: None,
        };
        let outcome = match attempt {
            3 => Outcome::Delivered(Receipt::of("attempt 3")),
            _ => Outcome::Retry { due: at(now), error: format!("attempt {attempt}") },
        };
        let settlement = Settlement { attempt: Some(record), ..settlement(&leased.id, outcome) };
        journal.settle([settlement].into()).await.unwrap();
        let made = journal.attempts(&leased.id).await.unwrap();
        let said: Vec<_> = made.iter().map(|it| (it.number, it.message.clone())).collect();
        assert_eq!(said, (1..=attempt).map(|n| (n, format!("attempt {n}"))).collect::<Vec<_>>());
    }
    assert_eq!(number(&dir, "SELECT count(*) FROM attempts"), 2);
}
