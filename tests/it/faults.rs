//! Receivers that do everything wrong: each costs an attempt and never more than that, for requests
//! of rules and for those that a script makes in the middle of its run.

use crate::support::faulty::{Fault, Faulty};
use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// No answer is read further than this, whatever is sent: the caps are 4 KiB and 1 MiB, and the
/// buffers of two sockets hold some more.
const MOST_READ: usize = 24 << 20;

const OK_AND_MORE: Fault = Fault::Endless("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", "x");
const BAD_AND_MORE: Fault = Fault::Endless("HTTP/1.1 500 Oops\r\ncontent-length: 10000000000\r\n\r\n", "x");
const HEADERS: Fault = Fault::Endless("HTTP/1.1 200 OK\r\n", "x-more: and more of it\r\n");
const HALF: Fault = Fault::Says("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
const HALF_A_HEAD: Fault = Fault::Says("HTTP/1.1 200 OK\r\ncontent-le");
const NO_HTTP: Fault = Fault::Says("220 smtp.example ESMTP\r\n");

/// What is to become of the first attempt.
#[derive(Clone, Copy)]
enum End {
    Delivered,
    /// Tried again, with this in the error, and delivered when the receiver is mended.
    Retried(&'static str),
    /// The same, but such a receiver is not mended.
    Hopeless(&'static str),
    Blocked(&'static str),
}
use End::{Blocked, Delivered, Hopeless, Retried};

struct Case {
    name: &'static str,
    server: Option<Faulty>,
    url: String,
    end: End,
}

fn cases(table: &[(&'static str, Fault, End)]) -> Vec<Case> {
    let case = |(name, fault, end): &(&'static str, Fault, End)| {
        let server = Faulty::start(*fault);
        Case { name, url: server.url(), server: Some(server), end: *end }
    };
    // Depending on who is asked, the refusal comes at once or never.
    let (name, end, url) = ("unresolved", Hopeless(""), "http://nowhere.invalid/".to_owned());
    table.iter().map(case).chain([Case { name, server: None, url, end }]).collect()
}

/// Sends one event that goes to all of these, and looks at what becomes of it.
fn check(home: &Home, cases: &[Case], action: &str) {
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    for case in cases {
        let find = || delivery(home, &id, &format!("{}/{action}", case.name));
        let tried = eventually(case.name, || Some(find()).filter(|it| !attempts(it).is_empty()));
        let first = attempts(&tried)[0].clone();
        let (state, message) = match case.end {
            Delivered => ("delivered", ""),
            Retried(message) | Hopeless(message) => ("retry", message),
            Blocked(message) => ("blocked", message),
        };
        let said = first["message"].as_str().expect("a text");
        assert_eq!(first["outcome"], state, "{}: {first}", case.name);
        assert!(said.contains(message) && said.len() < 6000, "{}: {said}", case.name);
        if matches!(case.end, Retried(_)) {
            case.server.as_ref().expect("it has one").mend();
            eventually(case.name, || (find()["state"] == "delivered").then_some(()));
        }
    }
    for (case, server) in cases.iter().filter_map(|case| Some(case).zip(case.server.as_ref())) {
        if let Blocked(_) | Delivered = case.end {
            assert_eq!(server.asked(), 1, "{}", case.name);
        }
        if server.is_endless() {
            let bytes = eventually(case.name, || server.flooded());
            assert!(bytes < MOST_READ, "{}: {bytes} bytes were taken", case.name);
        }
    }
}

fn delivery(home: &Home, event: &str, path: &str) -> Value {
    let shown: Value = serde_json::from_str(&home.ok(&["events", event, "--json"])).expect("JSON");
    let all = shown["deliveries"].as_array().expect("a list");
    all.iter()
        .find(|it| it["id"] == format!("{event}/{path}"))
        .cloned()
        .unwrap_or_else(|| panic!("{path}: {shown}"))
}

fn attempts(delivery: &Value) -> &Vec<Value> {
    delivery["attempts"].as_array().expect("a list")
}

#[test]
fn whatever_a_receiver_does_a_request_costs_an_attempt() {
    let cases = cases(&[
        ("hangs", Fault::Hangs, Retried("no answer within 500ms")),
        ("closes", Fault::Closes, Retried("the connection broke to 127.0.0.1")),
        ("half-a-head", HALF_A_HEAD, Retried("the connection broke to 127.0.0.1")),
        ("no-http", NO_HTTP, Retried("the connection broke to 127.0.0.1")),
        ("trickles", Fault::Trickles, Retried("no answer within 500ms")),
        ("headers", HEADERS, Retried("the connection broke to 127.0.0.1")),
        ("bad-and-more", BAD_AND_MORE, Retried("500 Internal Server Error from 127.0.0.1: xxxx")),
        ("plain", Fault::Plain, Hopeless("cannot connect to 127.0.0.1: ")),
        ("self-signed", Fault::SelfSigned, Hopeless("invalid peer certificate: UnknownIssuer")),
        // The status is there: what becomes of the rest changes nothing.
        ("pieces", Fault::Pieces, Delivered),
        ("half", HALF, Delivered),
        ("ok-and-more", OK_AND_MORE, Delivered),
    ]);
    let mut rules = "retry: {first: 20ms, max: 20ms}\ntimeout: 500ms\nrules:\n".to_owned();
    for Case { name, url, .. } in &cases {
        let _ = writeln!(
            rules,
            "  - {{name: {name}, match: any, pause: off, actions: [{{http: {{url: '{url}'}}}}]}}"
        );
    }
    check(&Home::with_rules(&rules), &cases, "http");
}

#[test]
fn whatever_a_receiver_does_a_fetch_fails_or_answers() {
    let cases = cases(&[
        ("hangs", Fault::Hangs, Retried("no whole answer within 500ms")),
        ("closes", Fault::Closes, Retried("the connection broke to 127.0.0.1")),
        ("half-a-head", HALF_A_HEAD, Retried("the connection broke to 127.0.0.1")),
        ("half", HALF, Retried("the connection broke to 127.0.0.1")),
        ("no-http", NO_HTTP, Retried("the connection broke to 127.0.0.1")),
        ("trickles", Fault::Trickles, Retried("no whole answer within 500ms")),
        ("headers", HEADERS, Retried("the connection broke to 127.0.0.1")),
        ("plain", Fault::Plain, Hopeless("cannot connect to 127.0.0.1: ")),
        ("self-signed", Fault::SelfSigned, Hopeless("invalid peer certificate: UnknownIssuer")),
        ("pieces", Fault::Pieces, Delivered),
        // The script wants all of it, and that is more than it may have.
        ("ok-and-more", OK_AND_MORE, Blocked("limits.script.size")),
        ("bad-and-more", BAD_AND_MORE, Blocked("limits.script.size")),
    ]);
    let mut rules = "retry: {first: 20ms, max: 20ms}\nrules:\n".to_owned();
    let mut vars = String::new();
    for Case { name, url, .. } in &cases {
        let _ = writeln!(
            rules,
            "  - {{name: {name}, match: any, pause: off, actions: [{{script: {{file: ask.rhai, params: {{name: {name}}}}}}}]}}"
        );
        let _ = write!(vars, "{name}: '{url}', ");
    }
    let home = Home::with_rules(&format!("vars: {{urls: {{{vars}}}}}\n{rules}"));
    let script =
        r#"fn on_event(event, params) { fetch(#{ url: vars.urls[params.name], timeout: "500ms" }); }"#;
    home.write("rules/ask.rhai", script);
    check(&home, &cases, "script");
}

/// `retry-after` as a date, so many seconds from now.
fn date_in(seconds: i64) -> String {
    let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    then.strftime("retry-after: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string()
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_up_to_the_longest_wait() {
    let receiver = Receiver::start();
    for headers in ["retry-after: 3600\r\n", &date_in(3600)] {
        receiver.answer(429, headers, "slow down");
        let home = Home::with_rules(&format!(
            "
rules:
  - {{name: patient, match: {{status: patient}}, retry: {{first: 10ms, max: 2h}}, actions: [{{http: {{url: '{0}'}}}}]}}
  - {{name: hasty, match: {{status: hasty}}, retry: {{first: 10ms, max: 20ms}}, actions: [{{http: {{url: '{0}'}}}}]}}
",
            receiver.url("/in")
        ));
        let server = home.start();
        let id = server.accept(&event("t-1", "patient", json!({})));
        let find = || Some(delivery(&home, &id, "patient/http")).filter(|it| attempts(it).len() == 1);
        let due = eventually("the first attempt", find)["due"].as_str().map(str::to_owned);
        let due: jiff::Timestamp = due.expect("it is tried again").parse().expect("a time");
        let wait_s = due.as_second() - jiff::Timestamp::now().as_second();
        assert!((3500..=3600).contains(&wait_s), "{wait_s} s for {headers}");

        receiver.answer(429, headers, "slow down");
        let id = server.accept(&event("t-2", "hasty", json!({})));
        eventually("it is not waited for that long", || {
            (delivery(&home, &id, "hasty/http")["state"] == "delivered").then_some(())
        });
    }
}

#[test]
fn a_rule_says_itself_which_answers_are_final() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "
vars: {{url: '{0}'}}
retry: {{first: 10ms, never: [404]}}
rules:
  - {{name: strict, match: {{status: strict}}, actions: [{{http: {{url: '{0}'}}}}]}}
  - {{name: stubborn, match: {{status: stubborn}}, retry: {{never: []}}, actions: [{{http: {{url: '{0}'}}}}]}}
  - {{name: scripted, match: {{status: scripted}}, actions: [{{script: send.rhai}}]}}
",
        receiver.url("/in")
    ));
    home.write("rules/send.rhai", "fn on_event(event) { http(#{ url: vars.url }); }");
    let server = home.start();
    for (status, answer, path, state) in [
        ("strict", 404, "strict/http", "dead"),
        ("strict", 400, "strict/http", "delivered"),
        ("stubborn", 422, "stubborn/http", "delivered"),
        ("scripted", 404, "scripted/script/http-1", "dead"),
    ] {
        receiver.answer(answer, "", "no");
        let id = server.accept(&event(&format!("{status}-{answer}"), status, json!({})));
        let path = path.to_owned();
        eventually(&format!("{path} is {state}"), || {
            let shown = home.ok(&["deliveries", "--event", &id, "--json"]);
            let wanted = format!("{id}/{path}");
            let line = shown.lines().find(|line| line.contains(&wanted))?;
            line.contains(&format!(r#""state":"{state}""#)).then_some(())
        });
    }
}
