//! Requests whose events are made anew when they are read.

use super::*;
use crate::journal::NewDelivery;
use crate::json::{self, Json};
use crate::secret::Secret;
use crate::source::{Accepted, Incoming, Received, Source, sign};
use http::HeaderMap;

fn received() -> Received {
    let secret = Secret::new("sesame");
    let config = json::parse(br#"{"preset":"browser-use"}"#).unwrap();
    let source = Source::build("mine", &config, &[Some(secret.clone())]).unwrap();
    let body = r#"{"type":"t", "timestamp":"then", "payload":{"status":"ok","n":1.50,"metadata":{"a":"b"}}}"#;
    let time = at(NOW).as_second().to_string();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-browser-use-timestamp", time.clone()),
        ("x-browser-use-signature", sign(&secret, &time, &json::parse(body.as_bytes()).unwrap())),
        ("cookie", "hush".to_owned()),
        ("via", "a".to_owned()),
        ("via", "b\u{e9}".to_owned()),
    ] {
        headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let incoming = Incoming { headers: &headers, body: body.into(), now: at(NOW), random: 7 };
    match source.accept(incoming) {
        Ok(Accepted::Event(received)) => *received,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_event_that_follows_from_its_request_is_read_back_as_it_was() {
    let dir = Dir::new();
    let journal = dir.open();
    let received = received();
    let id = received.event.id();
    let mut entry = entry(0, 0, &[]);
    let routing = entry.routing.as_mut().unwrap();
    for (action, due) in [("now", 0), ("later", 5_000)] {
        let id = format!("{id}/r/{action}").parse().unwrap();
        routing.deliveries.push(NewDelivery { id, due: at(NOW + due), blocked: None, order: None });
    }
    entry.received = received.clone();
    journal.append(entry).await.unwrap();
    journal.close().await;

    let documents: i64 = rusqlite::Connection::open(dir.path())
        .unwrap()
        .query_row("SELECT octet_length(document) FROM events", [], |row| row.get(0))
        .unwrap();
    assert_eq!(documents, 0, "it is not kept twice");
    let journal = dir.open();
    assert_eq!(journal.event(id).await.unwrap().unwrap().event, received.event);
    let lease = journal.lease(at(NOW + 9_000), Capacity::each(9, 9)).await.unwrap();
    assert_eq!(lease.deliveries.len(), 2);
    for leased in lease.deliveries {
        assert_eq!((&*leased.event, &leased.body), (&received.event, &received.body));
        assert_eq!(leased.headers, received.headers);
    }
    journal.close().await;

    let (sink, exported) = mpsc::channel();
    let export = move |record| sink.send(record).is_ok();
    SqliteHistory::open_read_only(&dir.path()).unwrap().export(export).await.unwrap();
    let record: Json = exported.recv().unwrap();
    assert_eq!(record.get("event"), Some(&*received.event.shared()));
}

#[tokio::test]
async fn one_whose_request_was_changed_from_outside_says_so() {
    let dir = Dir::new();
    let journal = dir.open();
    let received = received();
    let id = received.event.id();
    let entry = Entry { received, ..entry(0, 0, &[]) };
    journal.append(entry).await.unwrap();
    let outside = rusqlite::Connection::open(dir.path()).unwrap();
    for (change, says) in [("body = x'5b'", "at byte 1"), ("preset = 'x'", "the preset `x` is unknown")] {
        outside.execute(&format!("UPDATE events SET {change}"), []).unwrap();
        let error = journal.event(id).await.expect_err(change).to_string();
        assert!(error.contains(&id.to_string()) && error.contains(says), "{error}");
    }
}
