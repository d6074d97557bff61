//! Storms end to end: what acts of many events, kept over a restart.

use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};

/// A status update of a task; the number makes each another event.
fn update(task: &str, number: usize) -> Value {
    let mut event = event(task, "finished", json!({"team": "sales"}));
    event["payload"]["n"] = json!(number);
    event
}

#[test]
fn a_collection_is_one_request_with_all_events_over_a_kill() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "
rules:
  - name: digest
    match: {{source: browser-use}}
    collect: {{per: '{{{{ metadata.team }}}}', within: 1h, max: 4}}
    actions:
      - http:
          url: '{0}'
          json: {{count: '{{{{ window.count }}}}', first: '{{{{ window.first.payload.n }}}}', numbers: '{{{{ window.events | map(attribute=\"payload\") | map(attribute=\"n\") | list }}}}'}}
      - script: sum.rhai
",
        receiver.url("/digest")
    ));
    home.write(
        "rules/sum.rhai",
        r#"fn on_event(event) { let sum = 0; for one in event.window.events { sum += one.payload.n; } file(#{path: "sum.txt", text: `${sum} of ${event.window.count}`}); }"#,
    );
    let server = home.start();
    for number in 1..=3 {
        server.accept(&update("t", number));
    }
    server.kill();
    assert!(receiver.seen().is_empty() && home.lines("sum.txt").is_empty());
    let server = home.start();
    server.accept(&update("t", 4));
    let seen = receiver.wait_for(1);
    assert_eq!(seen[0].json(), json!({"count": 4, "first": 1, "numbers": [1, 2, 3, 4]}));
    eventually("the sum", || (home.lines("sum.txt") == ["10 of 4"]).then_some(()));
    let listed = home.ok(&["deliveries", "--json"]);
    assert_eq!(
        listed.lines().filter(|line| line.contains("\"state\":\"suppressed\"")).count(),
        6,
        "{listed}"
    );
}

#[test]
fn the_first_the_last_and_the_nth_act() {
    let home = Home::with_rules(
        "
rules:
  - name: first
    match: {source: browser-use}
    throttle: {per: '{{ payload.task_id }}', within: 1h}
    actions: [{file: {path: first.txt, text: '{{ payload.task_id }} {{ payload.n }}'}}]
  - name: last
    match: {source: browser-use}
    debounce: {per: '{{ payload.task_id }}', quiet: 700ms}
    actions: [{file: {path: last.txt, text: '{{ payload.task_id }} {{ payload.n }} {{ window.count }}'}}]
  - name: third
    match: {source: browser-use}
    threshold: {per: '{{ payload.task_id }}', count: 3, within: 1h}
    actions: [{file: {path: third.txt, text: '{{ payload.task_id }} {{ payload.n }} {{ window.first.payload.n }}'}}]
",
    );
    let server = home.start();
    for number in 1..=4 {
        server.accept(&update("a", number));
        server.accept(&update("b", number));
    }
    let lines = |path: &str| {
        let mut lines = home.lines(path);
        lines.sort();
        lines
    };
    eventually("the last", || (lines("last.txt").len() >= 2).then_some(()));
    assert_eq!(lines("last.txt"), ["a 4 4", "b 4 4"]);
    assert_eq!(lines("first.txt"), ["a 1", "b 1"]);
    assert_eq!(lines("third.txt"), ["a 3 1", "b 3 1"]);
    // The others are seen wherever deliveries are.
    let metrics = server.get("/metrics").body;
    for counted in ["hookyard_suppressed_total 18", "hookyard_deliveries{state=\"suppressed\"} 18"] {
        assert!(metrics.lines().any(|line| line == counted), "{counted} is not in\n{metrics}");
    }
    let listed = server.get("/api/deliveries?state=suppressed").json();
    assert_eq!(listed["deliveries"].as_array().expect("a list").len(), 18, "{listed}");
    let listed = home.ok(&["deliveries", "--suppressed", "--json"]);
    assert!(listed.lines().all(|line| line.contains("\"state\":\"suppressed\"")), "{listed}");
    assert_eq!(listed.lines().count(), 18);
}

#[test]
fn deliveries_in_order_wait_for_one_that_is_retried() {
    let receiver = Receiver::start();
    for _ in 0..2 {
        receiver.answer(503, "", "later");
    }
    let home = Home::with_rules(&format!(
        "
retry: {{first: 20ms, max: 50ms}}
rules:
  - name: post
    match: {{source: browser-use}}
    order: {{per: '{{{{ payload.task_id }}}}'}}
    actions: [{{http: {{url: '{}', json: {{n: '{{{{ payload.n }}}}'}}}}}}]
",
        receiver.url("/in")
    ));
    let server = home.start();
    for number in 1..=20 {
        server.accept(&update("a", number));
    }
    let seen = receiver.wait_for(22);
    let numbers: Vec<_> =
        seen.iter().map(|request| request.json()["n"].as_u64().expect("a number")).collect();
    let wanted: Vec<u64> = [1, 1].into_iter().chain(1..=20).collect();
    assert_eq!(numbers, wanted);
}

#[test]
fn a_replay_sees_a_window_of_its_own() {
    let home = Home::with_rules(
        "
rules:
  - name: digest
    match: {source: browser-use}
    collect: {within: 1h, max: 2}
    actions: [{file: {path: digest.txt, text: '{{ window.count }} {{ window.first.payload.n }} {{ window.events | length }}'}}, {script: own.rhai}]
  - name: first
    match: {source: browser-use}
    throttle: {within: 1h}
    actions: [{file: {path: first.txt, text: '{{ window.count }} {{ window.first.payload.n }}'}}]
",
    );
    home.write(
        "rules/own.rhai",
        r#"fn on_event(event) { file(#{path: "own.txt", text: `${event.window.count} ${event.window.events.len()}`}); }"#,
    );
    let server = home.start();
    let id = server.accept(&update("t", 1));
    server.accept(&update("t", 2));
    let lines = |path: &str, wanted: &[&str]| {
        eventually(path, || (home.lines(path) == wanted).then_some(()));
    };
    lines("digest.txt", &["2 1 2"]);
    lines("own.txt", &["2 2"]);
    lines("first.txt", &["1 1"]);
    assert!(server.stop().success());
    home.ok(&["replay", &id, "--yes"]);
    let _server = home.start();
    lines("digest.txt", &["2 1 2", "1 1 1"]);
    lines("own.txt", &["2 2", "1 1"]);
    lines("first.txt", &["1 1", "1 1"]);
}

#[test]
fn what_was_blocked_by_its_key_acts_for_itself_once_the_rule_is_mended() {
    let rules = |per: &str| {
        format!(
            "
rules:
  - name: first
    match: {{source: browser-use}}
    throttle: {{per: '{{{{ {per} }}}}', within: 1h}}
    order: {{per: all}}
    actions: [{{file: {{path: first.txt, text: '{{{{ payload.n }}}} of {{{{ window.count }}}}'}}}}]
"
        )
    };
    let home = Home::with_rules(&rules("payload.nope"));
    let server = home.start();
    for number in 1..=3 {
        server.accept(&update("t", number));
    }
    home.write("rules/rules.yaml", &rules("payload.task_id"));
    assert_eq!(server.reload().status, 200);
    eventually("all", || (home.lines("first.txt") == ["1 of 1", "2 of 1", "3 of 1"]).then_some(()));
}

#[test]
fn who_waits_in_order_is_due_at_no_time() {
    let receiver = Receiver::start();
    receiver.answer(503, "", "later");
    let home = Home::with_rules(&format!(
        "
retry: {{first: 10m}}
rules:
  - name: post
    match: {{source: browser-use}}
    order: {{per: '{{{{ payload.task_id }}}}'}}
    actions: [{{http: {{url: '{}'}}}}]
",
        receiver.url("/in")
    ));
    let server = home.start();
    for number in 1..=2 {
        server.accept(&update("a", number));
    }
    receiver.wait_for(1);
    let shown = home.ok(&["deliveries"]);
    assert!(shown.contains("waits for an earlier one of its key") && !shown.contains("9999"), "{shown}");
    let second = &server.get("/api/deliveries").json()["deliveries"][0];
    assert_eq!(
        (&second["state"], &second["due"], &second["message"]),
        (&json!("pending"), &json!(null), &json!("waits for an earlier one of its key"))
    );
    let exported = home.ok(&["journal", "export"]);
    assert!(!exported.contains("9999"), "{exported}");
}
