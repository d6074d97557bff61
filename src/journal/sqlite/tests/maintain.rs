//! Looking after the file.

use super::*;
use crate::json::Json;
use std::sync::Mutex;

#[tokio::test]
async fn a_journal_says_what_is_in_it_and_writes_it_out() {
    let dir = Dir::new();
    let journal = dir.open();
    for number in 1..=3 {
        journal.append(entry(number, number as i64 * 1000, &["r/a", "s/b"])).await.unwrap();
    }
    let history = SqliteHistory::open_read_only(&dir.path()).unwrap();
    let info = history.info(&dir.path()).await.unwrap();
    assert_eq!((info.counts.events, info.counts.pending, info.lanes), (3, 6, 2));
    assert_eq!((info.oldest, info.newest), (Some(at(NOW + 1000)), Some(at(NOW + 3000))));
    assert!(info.wal_bytes > 0);
    let seen: Arc<Mutex<Vec<Json>>> = Arc::default();
    let sink = seen.clone();
    let take_two = move |record| {
        let mut seen = sink.lock().unwrap();
        seen.push(record);
        seen.len() < 2
    };
    history.export(take_two).await.unwrap();
    let seen = seen.lock().unwrap();
    let text = |record: &Json, pointer| record.pointer(pointer).map(Json::to_string).unwrap_or_default();
    assert_eq!(seen.len(), 2, "no more than are taken");
    assert_eq!(
        (text(&seen[0], "/event/payload/n"), text(&seen[1], "/event/payload/n")),
        ("1.50".into(), "2.50".into())
    );
    assert_eq!(text(&seen[0], "/deliveries/1/state"), "\"pending\"");
    assert_eq!(text(&seen[0], "/rules"), r#"["r","s"]"#);
}

#[tokio::test]
async fn a_vacuum_gives_room_back_and_wants_the_journal_for_itself() {
    let dir = Dir::new();
    let journal = dir.open();
    for number in 0..300 {
        journal.append(entry(number, 0, &[])).await.unwrap();
    }
    let refusal = vacuum(&dir.path()).expect_err("the server runs").to_string();
    assert!(refusal.contains("another hookyard"), "{refusal}");
    let trim = crate::journal::Trim {
        now: at(NOW + 9 * 86_400_000),
        before: at(NOW + 8 * 86_400_000),
        size_bytes: u64::MAX,
        limit: 1000,
        afresh: true,
    };
    while journal.trim(trim).await.unwrap() > 0 {}
    journal.close().await;
    drop(journal);
    let (before, after) = vacuum(&dir.path()).unwrap();
    assert!(after + 65_536 < before, "{before} → {after}");
    let journal = dir.open();
    journal.append(entry(1, 0, &["r/a"])).await.unwrap();
    journal.close().await;
    let gone = vacuum(&dir.path().with_file_name("nothing.db")).expect_err("there is none").to_string();
    assert!(gone.contains("no such file"), "{gone}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_written_out_as_such() {
    let dir = Dir::new();
    let journal = dir.open();
    for number in 1..=2 {
        journal.append(entry(number, number as i64, &["r/a"])).await.unwrap();
    }
    journal.close().await;
    let outside = rusqlite::Connection::open(dir.path()).unwrap();
    outside
        .execute("UPDATE events SET document = '{' WHERE seq = (SELECT min(seq) FROM events)", [])
        .unwrap();
    let seen: Arc<Mutex<Vec<Json>>> = Arc::default();
    let sink = seen.clone();
    let take = move |record| {
        sink.lock().unwrap().push(record);
        true
    };
    SqliteHistory::open_read_only(&dir.path()).unwrap().export(take).await.unwrap();
    let seen = seen.lock().unwrap();
    let error = seen[0].get("error").and_then(Json::as_str).expect("a sentence");
    assert!(error.contains("cannot be read"), "{error}");
    let id = seen[0].pointer("/event/id").and_then(Json::as_str).expect("its id");
    assert_eq!(id, id_of(&entry(1, 1, &[])).to_string());
    assert!(seen[0].pointer("/deliveries/0/id").is_some(), "what was made of it is there");
    assert_eq!((seen.len(), seen[1].get("error")), (2, None));
}
