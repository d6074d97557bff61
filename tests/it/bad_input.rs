//! What strangers send and what authors break: each gets its answer, and the server goes on.

use crate::support::sender::{self, sign_at};
use crate::support::{Home, event, eventually, http, signed};
use serde_json::json;
use std::io::Write;

const RULES: &str =
    "rules: [{name: all, match: any, actions: [{file: {path: a.txt, text: '{{ payload.task_id }}'}}]}]";

type Headers = Vec<(&'static str, String)>;

#[test]
fn forged_and_malformed_requests_get_their_status() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let body = event("t-1", "finished", json!({})).to_string();
    let good = signed(&body);
    let with = |name: &str, value: &str| -> Vec<(&'static str, String)> {
        good.iter()
            .map(|(key, old)| (*key, if *key == name { value.to_owned() } else { old.clone() }))
            .collect()
    };
    let without = |name: &str| -> Vec<_> { good.iter().filter(|(key, _)| *key != name).cloned().collect() };
    let twice = |name: &str| -> Vec<_> {
        let extra = good.iter().find(|(key, _)| *key == name).cloned();
        good.iter().cloned().chain(extra).collect()
    };
    const SIGNATURE: &str = "x-browser-use-signature";
    const TIMESTAMP: &str = "x-browser-use-timestamp";
    let signature = good.iter().find(|(key, _)| *key == SIGNATURE).expect("it is signed").1.clone();
    let old = (sender::now_s() - 3600).to_string();
    let cases: Vec<(&str, Headers, &[u8], u16)> = vec![
        ("no signature", without(SIGNATURE), body.as_bytes(), 400),
        ("no timestamp", without(TIMESTAMP), body.as_bytes(), 400),
        ("two signatures", twice(SIGNATURE), body.as_bytes(), 400),
        ("two timestamps", twice(TIMESTAMP), body.as_bytes(), 400),
        ("an empty signature", with(SIGNATURE, ""), body.as_bytes(), 400),
        ("a signature that is not hex", with(SIGNATURE, &"x".repeat(64)), body.as_bytes(), 403),
        ("an upper-case signature", with(SIGNATURE, &signature.to_uppercase()), body.as_bytes(), 403),
        ("a truncated signature", with(SIGNATURE, &signature[..62]), body.as_bytes(), 403),
        ("another body's signature", signed("{}"), body.as_bytes(), 403),
        ("an old timestamp", sign_at(&body, &old), body.as_bytes(), 403),
        ("a timestamp of neither form", sign_at(&body, "yesterday"), body.as_bytes(), 400),
        ("a form", with("content-type", "application/x-www-form-urlencoded"), body.as_bytes(), 415),
        ("not JSON", good.clone(), b"hello", 400),
        ("not an object", signed("[]"), b"[]", 400),
        ("invalid UTF-8", good.clone(), b"{\"type\":\"\xff\"}", 400),
        ("equal keys", good.clone(), br#"{"type":"a","type":"b"}"#, 400),
        ("NaN", good.clone(), br#"{"type":"a","payload":{"cost":NaN}}"#, 400),
        ("a lone surrogate", good.clone(), br#"{"type":"\ud800"}"#, 400),
    ];
    for (what, headers, body, status) in cases {
        let answer = sender::post(server.hooks, &headers, body).expect("an answer");
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let shown = answer.json();
        assert_eq!(shown["status"], json!("error"), "{what}");
        assert!(!answer.body.contains(&signature), "{what}: the answer tells the expected MAC");
    }
    let brackets = "[".repeat(100_000);
    assert_eq!(sender::post(server.hooks, &good, brackets.as_bytes()).expect("an answer").status, 400);
    assert_eq!(server.status()["journal"]["events"], json!(0), "nothing was kept");
    server.accept(&event("t-2", "finished", json!({})));
}

#[test]
fn other_paths_methods_and_sizes_are_refused() {
    let home = Home::with_rules(RULES);
    home.configure("limits: {body: 1KiB, body_timeout: 300ms}\n");
    let server = home.start();
    let ask = |method, path| http::request(server.hooks, method, path, &[], b"").expect("an answer");
    assert_eq!(ask("POST", "/hooks/nobody").status, 404);
    assert_eq!(ask("GET", "/hooks/browser-use").status, 405);
    assert_eq!(ask("GET", "/hooks/browser-use").header("allow"), Some("POST"));

    let large = event("t-1", "finished", json!({"filling": "x".repeat(2000)})).to_string();
    assert_eq!(sender::post(server.hooks, &signed(&large), large.as_bytes()).expect("an answer").status, 413);
    let mut chunked =
        "POST /hooks/browser-use HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for _ in 0..200 {
        chunked.push_str("a\r\n0123456789\r\n");
    }
    chunked.push_str("0\r\n\r\n");
    assert_eq!(http::raw(server.hooks, chunked.as_bytes()).expect("an answer").status, 413);

    let mut stream = http::connect(server.hooks).expect("a connection");
    stream
        .write_all(b"POST /hooks/browser-use HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{\"ty")
        .expect("half can be sent");
    assert_eq!(http::read_answer(&mut stream).expect("an answer").status, 408);
    server.accept(&event("t-2", "finished", json!({})));
}

#[test]
fn an_endless_script_is_stopped_and_named() {
    let home = Home::with_rules(
        "rules:
  - {name: endless, match: any, actions: [{script: endless.rhai}]}
  - {name: all, match: any, actions: [{file: {path: a.txt, text: '{{ payload.task_id }}'}}]}",
    );
    home.write("rules/endless.rhai", "fn on_event(event) {\n  loop {\n  }\n}\n");
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the other rule acts", || home.lines("a.txt").first().cloned());
    let blocked = eventually("the script is stopped", || {
        home.ok(&["deliveries", "--blocked", "--json"]).lines().next().map(str::to_owned)
    });
    assert!(blocked.contains("limits.script."), "the limit is named: {blocked}");
    assert!(blocked.contains("endless.rhai"), "{blocked}");
}

#[test]
fn an_unwritable_directory_is_retried_and_loses_nothing() {
    let home = Home::with_rules(&format!("retry: {{first: 20ms, factor: 1}}\n{RULES}"));
    home.write("data/files", "a file where the directory should be");
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    eventually("an attempt failed", || {
        let listed = home.ok(&["deliveries", "--pending", "--json"]);
        listed.contains("\"attempts\":1").then_some(listed)
    });
    std::fs::remove_file(home.path("data/files")).expect("it is a file");
    assert_eq!(eventually("the line", || home.lines("a.txt").first().cloned()), "t-1");
}

#[test]
fn a_torn_last_line_is_closed_before_the_next() {
    let home = Home::with_rules(RULES);
    home.write("data/files/a.txt", "whole\nto");
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    eventually("the line", || (home.lines("a.txt").len() == 3).then_some(()));
    assert_eq!(home.lines("a.txt"), ["whole", "to", "t-1"]);
}
