//! The listeners: health, the admin side's guard, draining.

use crate::support::{Home, Receiver, event, eventually, http, signed};
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

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
    let mut head =
        format!("POST /hooks/browser-use HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n", body.len());
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
    assert!(server.wait().success());
    assert!(home.ok(&["events", "--json"]).contains("t-1"));
}

#[test]
fn metrics_count_what_happens() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let update = event("t-1", "finished", json!({}));
    server.accept(&update);
    server.send(&update);
    http::request(server.hooks, "POST", "/hooks/browser-use", &[("content-type", "application/json")], b"{}")
        .expect("an answer");
    let metrics = server.get("/metrics").body;
    for line in [
        "hookyard_duplicates_total{source=\"browser-use\"} 1",
        "hookyard_verified_total{source=\"browser-use\",form=\"python\",secret=\"0\"} 2",
        "hookyard_generation 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert!(metrics.contains("hookyard_refused_total{source=\"browser-use\""), "{metrics}");
    assert!(metrics.contains("# HELP hookyard_received_total"), "they say what they mean: {metrics}");
}

#[test]
fn a_stop_takes_ten_seconds_at_most_whatever_hangs() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let address = silent.local_addr().expect("a bound socket has an address");
    let home = Home::with_rules(&format!(
        "rules: [{{name: post, match: any, actions: [{{http: {{url: 'http://{address}/'}}}}]}}]"
    ));
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    silent.accept().expect("the attempt is under way");
    let mut half = http::connect(server.hooks).expect("a connection");
    half.write_all(b"POST /hooks/browser-use HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\n{")
        .expect("half a request can be sent");
    server.accept(&event("t-2", "finished", json!({})));
    let start = Instant::now();
    let status = server.stop();
    assert!(status.success(), "{status}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(home.ok(&["deliveries", "--pending", "--event", &id, "--json"]).lines().count(), 1);
}

#[test]
fn a_log_that_nobody_reads_ends_nothing() {
    let home = Home::with_rules(RULES);
    let server = home.start_unread();
    for number in 0..3 {
        let refused =
            http::request(server.hooks, "POST", "/hooks/browser-use", &[], b"{}").expect("an answer");
        assert_eq!(refused.status, 400, "{refused:?}");
        server.accept(&event(&format!("t-{number}"), "finished", json!({})));
    }
    assert_eq!(server.reload().status, 200);
    eventually("delivered", || (server.status()["journal"]["delivered"] == json!(3)).then_some(()));
    assert!(server.stop().success());
}

#[test]
fn a_journal_full_of_pending_work_refuses_more_until_it_may_grow() {
    let home = Home::with_rules(
        "rules: [{name: post, match: any, actions: [{http: {url: 'http://127.0.0.1:9/'}}]}]",
    );
    home.configure("keep: {size: 1MiB}\n");
    let server = home.start();
    let large =
        |number: usize| event(&format!("t-{number}"), "finished", json!({"text": "x".repeat(100_000)}));
    let mut numbers = 0..30;
    let refused =
        numbers.by_ref().map(|number| server.send(&large(number))).find(|answer| answer.status != 200);
    let refused = refused.expect("it does not grow for ever");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    for address in [server.hooks, server.admin] {
        let ready = http::request(address, "GET", "/readyz", &[], b"").expect("an answer");
        assert_eq!(ready.status, 503, "both listeners tell it alike: {ready:?}");
    }
    home.configure("keep: {size: 100MiB}\n");
    assert_eq!(server.reload().status, 200);
    let mut numbers = 100..;
    eventually("it takes more", || {
        (server.send(&large(numbers.next().expect("without end"))).status == 200).then_some(())
    });
}

#[test]
fn health_is_read_and_nothing_else() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let ask = |to, method: &str| http::request(to, method, "/healthz", &[], b"").expect("an answer").status;
    assert_eq!(ask(server.hooks, "DELETE"), 404);
    assert_eq!(ask(server.admin, "DELETE"), 405);
}

#[test]
fn a_second_content_encoding_does_not_slip_through() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let body = event("t-1", "finished", json!({})).to_string();
    let mut headers = signed(&body);
    headers.extend([("content-encoding", "identity".to_owned()), ("content-encoding", "gzip".to_owned())]);
    let answer = crate::support::sender::post(server.hooks, &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 415, "{answer:?}");
}
