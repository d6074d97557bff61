//! The main job: a signed event in, rules and scripts act on it.

use crate::support::{Home, Receiver, event, eventually, signed};
use serde_json::json;

const FINISHED_TO_FILE: &str = "
rules:
  - name: finished
    match: {source: browser-use, status: finished}
    actions: [{file: {path: finished.jsonl}}]
";

#[test]
fn an_event_is_verified_kept_and_acted_on() {
    let home = Home::with_rules(FINISHED_TO_FILE);
    let server = home.start();
    let answer = server.send(&event("t-1", "finished", json!({"team": "marketing"})));
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!((&body["status"], &body["message"]), (&json!("success"), &json!("Webhook received")));
    let id = body["id"].as_str().expect("an id").to_owned();

    let line = eventually("a line in the file", || home.lines("finished.jsonl").first().cloned());
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    assert_eq!(line["id"], json!(id));
    assert_eq!(line["delivery"], json!(format!("{id}/finished/file")));
    assert_eq!(line["source"], json!("browser-use"));
    assert_eq!(line["type"], json!("agent.task.status_update"));
    assert_eq!(line["metadata"], json!({"team": "marketing"}));
    assert_eq!(line["payload"]["task_id"], json!("t-1"));
    assert!(line["headers"].get("x-browser-use-signature").is_none(), "a signature is not shown: {line}");
}

#[test]
fn what_no_rule_wants_is_accepted_and_kept() {
    let home = Home::with_rules(FINISHED_TO_FILE);
    let server = home.start();
    let mut unknown = event("t-1", "levitating", json!({}));
    unknown["type"] = json!("agent.of.chaos");
    let id = server.accept(&unknown);
    drop(server);
    let shown: serde_json::Value = serde_json::from_str(&home.ok(&["events", &id, "--json"])).expect("JSON");
    assert_eq!(shown["event"]["type"], json!("agent.of.chaos"));
    assert_eq!(shown["rules"], json!([]));
    assert_eq!(shown["deliveries"], json!([]));
}

#[test]
fn an_http_action_forwards_the_exact_bytes() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&format!(
        "rules:
  - name: forward
    match: any
    actions: [{{http: {{url: '{}', forward_headers: [x-request-id]}}}}]
",
        receiver.url("/in")
    ));
    let server = home.start();
    // Spaces and order are not signed, but they are what was sent.
    let body = r#"{"type": "x",  "payload": {"b": 1.50, "a": 123456789012345678901234567890}}"#;
    let mut headers = signed(r#"{"payload":{"a":123456789012345678901234567890,"b":1.5},"type":"x"}"#);
    headers.push(("x-request-id", "r-7".into()));
    let answer = crate::support::sender::post(server.hooks, &headers, body.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["id"].as_str().expect("an id").to_owned();

    let request = receiver.wait_for(1).remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/in"));
    assert_eq!(request.text(), body);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-request-id"), Some("r-7"));
    assert_eq!(request.header("idempotency-key"), Some(format!("{id}/forward/http").as_str()));
    assert!(request.header("traceparent").is_some_and(|trace| trace.len() == 55 && trace.starts_with("00-")));
    assert_eq!(request.header("x-browser-use-signature"), None);
}

#[test]
fn a_script_acts_with_two_effects() {
    let receiver = Receiver::start();
    let home = Home::with_rules(
        "
vars: {crm: 'CRM_URL'}
rules:
  - name: react
    match: {status: stopped}
    actions: [{script: {file: react.rhai, params: {limit: 2}}}]
"
        .replace("CRM_URL", &receiver.url("/crm"))
        .as_str(),
    );
    home.write(
        "rules/react.rhai",
        r#"
        fn on_event(event, params) {
            if params.limit != 2 { fail("the limit is " + params.limit); }
            file(#{path: "stopped.jsonl", json: #{task: event.payload.task_id, team: event.get("metadata.team", "none")}});
            http(#{url: vars.crm, json: #{cost: event.payload.cost}});
        }
        "#,
    );
    let server = home.start();
    let mut stopped = event("t-9", "stopped", json!({}));
    stopped["payload"]["cost"] = json!(12);
    let id = server.accept(&stopped);

    let request = receiver.wait_for(1).remove(0);
    assert_eq!(request.json(), json!({"cost": 12}));
    assert_eq!(request.header("idempotency-key"), Some(format!("{id}/react/script/http-1").as_str()));
    let line = eventually("a line in the file", || home.lines("stopped.jsonl").first().cloned());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"), json!({"task": "t-9", "team": "none"}));
}

#[test]
fn what_a_sender_writes_is_never_code() {
    let receiver = Receiver::start();
    let home = Home::with_rules(
        r#"
rules:
  - name: all
    match: {source: browser-use}
    actions:
      - file: {path: raw.jsonl, json: {text: "{{ payload.text }}"}}
      - http: {url: "URL/{{ payload.text }}", json: {text: "{{ payload.text }}"}, headers: {x-first: "{{ metadata.word }}"}}
      - script: react.rhai
"#
        .replace("URL", &receiver.url(""))
        .as_str(),
    );
    home.write("rules/react.rhai", r#"fn on_event(event) { file(#{path: "effect.jsonl", text: event.payload.text}); }"#);
    let server = home.start();
    let evil = "${BROWSER_USE_SECRET} {{ headers }} {% raw %} #{} `${}` <a>&";
    let mut injected = event("t", "finished", json!({"word": "a b"}));
    injected["payload"]["text"] = json!(evil);
    server.accept(&injected);

    let request = receiver.wait_for(1).remove(0);
    assert_eq!(request.json()["text"], json!(evil));
    assert!(request.path.starts_with("/%24%7BBROWSER"), "{}", request.path);
    assert_eq!(eventually("the effect", || home.lines("effect.jsonl").first().cloned()), evil);
    let line = eventually("the file", || home.lines("raw.jsonl").first().cloned());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["text"], json!(evil));
}

#[test]
fn the_creation_test_is_answered_and_goes_nowhere() {
    let home = Home::with_rules("rules: [{name: all, match: any, actions: [{file: {path: all.jsonl}}]}]");
    let mut command = home.command(&["serve"]);
    command.env_remove("BROWSER_USE_SECRET");
    let server = home.start_as(command);
    let test = br#"{"type":"test","timestamp":"2024-03-21T12:00:00Z","payload":{"test":"ok"}}"#;
    let post = |body: &[u8]| crate::support::sender::post(server.hooks, &[], body).expect("an answer");
    let answer = post(test);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json().get("id"), None);

    let other = post(event("t", "finished", json!({})).to_string().as_bytes());
    assert_eq!(other.status, 503, "{other:?}");
    assert!(other.header("retry-after").is_some());
    let state = server.status()["sources"][0]["state"].clone();
    assert_eq!(state, json!("waiting for its secret"));
    assert_eq!(server.status()["journal"]["events"], json!(0));
}

#[test]
fn a_signed_test_event_is_an_ordinary_event() {
    let home = Home::with_rules("rules: [{name: all, match: {type: test}, actions: [{file: {path: all.jsonl}}]}]");
    let server = home.start();
    server.accept(&json!({"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}));
    eventually("the file", || home.lines("all.jsonl").first().cloned());
}
