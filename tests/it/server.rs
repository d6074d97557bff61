//! The listeners: health, the admin side's guard, draining.

use crate::support::{Home, Receiver, event, eventually, http, signed};
use serde_json::json;
use std::io::Write;

const RULES: &str = "rules: [{name: all, match: any, actions: [{log: {}}]}]";

#[test]
fn health_is_answered_on_both_listeners() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    for address in [server.hooks, server.admin] {
        for path in ["/healthz", "/readyz"] {
            let answer = http::request(address, "GET", path, &[], b"").expect("an answer");
            assert_eq!(answer.status, 200, "{address} {path}: {answer:?}");
        }
    }
}

#[test]
fn the_admin_side_answers_this_machine_only_unless_there_is_a_token() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let ask = |to, host: &str, more: &str| {
        let head = format!("GET /api/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n");
        http::raw(to, head.as_bytes()).expect("an answer").status
    };
    assert_eq!(ask(server.admin, "localhost", ""), 200);
    assert_eq!(ask(server.admin, "rebound.example", ""), 403);
    assert_eq!(ask(server.admin, "localhost", "origin: https://evil.example\r\n"), 403);
    drop(server);

    home.write("hookyard.yaml", "listen: 127.0.0.1:0\nadmin: {listen: '127.0.0.1:0', token: '${TOKEN}'}\n");
    let mut command = home.command(&["serve"]);
    command.env("TOKEN", "t0ken");
    let server = home.start_as(command);
    assert_eq!(ask(server.admin, "localhost", ""), 401);
    assert_eq!(ask(server.admin, "hooks.example", "authorization: Bearer t0ken\r\n"), 200);

    home.write("hookyard.yaml", "listen: 127.0.0.1:0\nadmin: {listen: '0.0.0.0:0'}\n");
    let refused = home.run(&["serve", "--journal", "other.db"]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("admin.token"), "{why}");
}

#[test]
fn a_stopping_server_finishes_what_is_under_way() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "rules: [{{name: post, match: any, actions: [{{http: {{url: '{}'}}}}]}}]",
        receiver.url("/in")
    ));
    let server = home.start();
    // Half a request is under way when the signal comes.
    let body = event("t-1", "finished", json!({})).to_string();
    let mut head = format!("POST /hooks/browser-use HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in signed(&body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let (first, second) = body.split_at(body.len() / 2);
    let mut stream = http::connect(server.hooks).expect("a connection");
    stream.write_all(format!("{head}\r\n{first}").as_bytes()).expect("half a request can be sent");
    // Another request is answered, so the first one's bytes have long been read.
    assert_eq!(server.send(&event("t-0", "finished", json!({}))).status, 200);
    server.signal("TERM");
    eventually("new connections are refused", || http::connect(server.hooks).err());
    stream.write_all(second.as_bytes()).expect("the rest can be sent");
    let answer = http::read_answer(&mut stream).expect("it is answered");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(server.stop().success());
    assert!(home.ok(&["events", "--json"]).contains("t-1"));
}

#[test]
fn metrics_count_what_happens() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let update = event("t-1", "finished", json!({}));
    server.accept(&update);
    server.send(&update);
    http::request(server.hooks, "POST", "/hooks/browser-use", &[("content-type", "application/json")], b"{}").expect("an answer");
    let metrics = server.get("/metrics").body;
    for line in [
        "hookyard_duplicates_total{source=\"browser-use\"} 1",
        "hookyard_verified_total{source=\"browser-use\",form=\"python\",secret=\"0\"} 2",
        "hookyard_generation 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("hookyard_refused_total{source=\"browser-use\""), "{metrics}");
}
