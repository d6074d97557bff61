//! Retries, blocked and healed, dead; deduplication over a restart.

use crate::support::receiver::Request;
use crate::support::{Home, Receiver, event, eventually};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// One rule that posts to the receiver, retrying fast.
fn posting(receiver: &Receiver, more: &str) -> Home {
    Home::with_rules(&format!(
        "
retry: {{first: 20ms, factor: 1.5, max: 1s, for: 1h}}
rules:
  - name: post
    match: {{source: browser-use}}
    actions: [{{http: {{url: '{}', json: {{task: '{{{{ payload.task_id }}}}'}}{more}}}}}]
",
        receiver.url("/in")
    ))
}

fn deliveries(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let output = home.ok(&[&["deliveries", "--json"], arguments].concat());
    output.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

fn in_state(home: &Home, state: &str) -> Value {
    eventually(&format!("a {state} delivery"), || {
        deliveries(home, &[]).into_iter().find(|delivery| delivery["state"] == json!(state))
    })
}

#[test]
fn a_failing_receiver_is_tried_again_with_the_same_key() {
    let receiver = Receiver::start();
    receiver.answer(500, "", "down");
    receiver.answer(302, "location: http://127.0.0.1:1/\r\n", "");
    receiver.answer(429, "retry-after: 0\r\n", "slow down");
    let home = posting(&receiver, "");
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    let seen = receiver.wait_for(4);
    let keys: Vec<_> = seen.iter().map(|request| request.header("idempotency-key").expect("a key")).collect();
    assert!(keys.iter().all(|key| *key == format!("{id}/post/http")), "{keys:?}");
    in_state(&home, "delivered");
    let shown: Value = serde_json::from_str(&home.ok(&["events", &id, "--json"])).expect("JSON");
    let attempts = shown["deliveries"][0]["attempts"].as_array().expect("attempts").clone();
    let outcomes: Vec<_> =
        attempts.iter().map(|attempt| attempt["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["retry", "retry", "retry", "delivered"]);
    assert!(attempts[0]["message"].as_str().expect("text").contains("500"), "{attempts:?}");
    assert!(attempts[0]["message"].as_str().expect("text").contains("down"), "{attempts:?}");
}

#[test]
fn what_the_receiver_will_never_take_is_dead_at_once() {
    let receiver = Receiver::start();
    receiver.answer(422, "", "no such task");
    let home = posting(&receiver, "");
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    let dead = in_state(&home, "dead");
    assert_eq!(dead["attempts"], json!(1));
    assert!(dead["message"].as_str().expect("text").contains("no such task"), "{dead}");
    assert_eq!(deliveries(&home, &["--dead"]).len(), 1);
    assert_eq!(deliveries(&home, &["--pending"]).len(), 0);
    assert_eq!(server.status()["journal"]["dead"], json!(1));
}

#[test]
fn what_the_rule_broke_waits_and_heals_when_it_is_mended() {
    let home = Home::with_rules(
        "rules: [{name: log, match: any, actions: [{file: {path: a.jsonl, text: '{{ payload.missing }}'}}]}]",
    );
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    let blocked = in_state(&home, "blocked");
    assert_eq!(blocked["id"], json!(format!("{id}/log/file")));
    assert!(blocked["message"].as_str().expect("text").contains("missing"), "{blocked}");
    assert_eq!(server.status()["journal"]["blocked"], json!(1));

    home.save(
        "rules/rules.yaml",
        "rules: [{name: log, match: any, actions: [{file: {path: a.jsonl, text: '{{ payload.task_id }}'}}]}]",
    );
    assert_eq!(eventually("the mended line", || home.lines("a.jsonl").first().cloned()), "t-1");
    in_state(&home, "delivered");
}

#[test]
fn a_broken_script_waits_and_heals_too() {
    let home = Home::with_rules("rules: [{name: react, match: any, actions: [{script: react.rhai}]}]");
    let script = |body: &str| format!("fn on_event(event) {{\n  {body}\n}}\n");
    home.write("rules/react.rhai", &script("let n = event.payload.task_id > 3;"));
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    let blocked = in_state(&home, "blocked");
    let why = blocked["message"].as_str().expect("text");
    assert!(why.contains("react.rhai:2:") && why.contains("number"), "{why}");

    home.save("rules/react.rhai", &script(r#"file(#{path: "a.txt", text: event.payload.task_id});"#));
    assert_eq!(eventually("the mended script's line", || home.lines("a.txt").first().cloned()), "t-1");
}

#[test]
fn a_condition_that_errs_blocks_and_heals_to_its_true_answer() {
    let rule = |when: &str| {
        format!(
            "rules: [{{name: big, match: {{status: finished}}, when: '{when}', actions: [{{file: {{path: a.txt, text: '{{{{ payload.task_id }}}}'}}}}]}}]"
        )
    };
    let home = Home::with_rules(&rule("metadata.budget > 10"));
    let server = home.start();
    server.accept(&event("small", "finished", json!({"budget": "5"})));
    server.accept(&event("large", "finished", json!({"budget": "50"})));
    eventually("two blocked deliveries", || (deliveries(&home, &["--blocked"]).len() == 2).then_some(()));
    home.save("rules/rules.yaml", &rule("number(metadata.budget) > 10"));
    in_state(&home, "skipped");
    in_state(&home, "delivered");
    assert_eq!(home.lines("a.txt"), ["large"]);
}

#[test]
fn the_senders_retry_is_a_duplicate_also_after_a_restart() {
    let receiver = Receiver::start();
    let home = posting(&receiver, "");
    let server = home.start();
    let update = event("t-1", "finished", json!({}));
    let first = server.accept(&update);
    let again = server.send(&update).json();
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(first), &json!(true)));
    receiver.wait_for(1);
    in_state(&home, "delivered");
    assert!(server.stop().success());

    let server = home.start();
    let again = server.send(&update).json();
    assert_eq!((&again["id"], &again["duplicate"]), (&json!(first), &json!(true)));
    server.accept(&event("t-2", "finished", json!({})));
    let tasks: Vec<Value> =
        receiver.wait_for(2).iter().map(|request| request.json()["task"].clone()).collect();
    assert_eq!(tasks, [json!("t-1"), json!("t-2")], "the duplicate was not routed again");
}

#[test]
fn a_secret_in_a_rule_is_used_but_never_shown() {
    let receiver = Receiver::start();
    receiver.answer(500, "", "bad token tok-5ecret, sorry");
    let home = Home::with_rules(&format!(
        "
retry: {{first: 20ms}}
rules:
  - name: post
    match: any
    actions: [{{http: {{url: '{}?key=${{API_TOKEN}}', auth: {{bearer: '${{API_TOKEN}}'}}}}}}]
",
        receiver.url("/in")
    ));
    let mut command = home.command(&["serve"]);
    command.env("API_TOKEN", "tok-5ecret");
    let server = home.start_as(command);
    let id = server.accept(&event("t-1", "finished", json!({})));
    let seen = receiver.wait_for(2);
    assert_eq!(seen[0].header("authorization"), Some("Bearer tok-5ecret"));
    assert_eq!(seen[0].path, "/in?key=tok-5ecret");
    in_state(&home, "delivered");
    let shown = home.ok(&["events", &id, "--json"]) + &server.log() + &server.get("/api/status").body;
    assert!(shown.contains("${API_TOKEN}"), "the receiver's answer is shown: {shown}");
    assert!(!shown.contains("tok-5ecret"), "the secret is shown: {shown}");
}

/// What a receiver computes that knows the secret.
fn standard_webhooks(secret: &[u8], request: &Request) -> String {
    let header = |name| request.header(name).unwrap_or_else(|| panic!("{name} in {}", request.head));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length is a key");
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&request.body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn requests_of_rules_and_of_effects_are_signed() {
    let receiver = Receiver::start();
    let url = receiver.url("/in");
    let home = Home::with_rules(&format!(
        "
vars: {{out: '${{OUT_SECRET}}', url: '{url}'}}
rules:
  - {{name: plain, match: any, actions: [{{http: {{url: '{url}', sign: '${{OUT_SECRET}}'}}}}]}}
  - {{name: scripted, match: any, actions: [{{script: sign.rhai}}]}}
"
    ));
    let script =
        "fn on_event(event) { http(#{ url: vars.url, sign: [vars.out, \"old\"], json: #{ a: 1 } }); }";
    home.write("rules/sign.rhai", script);
    home.write(".env", "OUT_SECRET=whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==\n");
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    let seen = receiver.wait_for(2);
    let of = |name: &str| {
        let wanted = format!("{id}/{name}");
        seen.iter().find(|request| request.header("webhook-id") == Some(&wanted)).expect(name)
    };
    let (plain, effect) = (of("plain/http"), of("scripted/script/http-1"));
    let secret = b"secret of the tests";
    assert_eq!(plain.header("webhook-signature"), Some(&*standard_webhooks(secret, plain)));
    let both = format!("{} {}", standard_webhooks(secret, effect), standard_webhooks(b"old", effect));
    assert_eq!(effect.header("webhook-signature"), Some(&*both));
    let shown = home.ok(&["events", &id, "--json"]) + &server.log();
    assert!(!shown.contains("c2VjcmV0"), "the secret is shown: {shown}");

    // A secret that cannot be used is told, and mended like anything else.
    home.save(".env", "OUT_SECRET=whsec_n0t-base64\n");
    assert_eq!(server.reload().status, 200);
    server.accept(&event("t-2", "finished", json!({})));
    let blocked = in_state(&home, "blocked");
    let why = blocked["message"].as_str().expect("text");
    assert!(why.contains("`sign`") && why.contains("base64") && !why.contains("n0t"), "{why}");
    home.save(".env", "OUT_SECRET=mended\n");
    assert_eq!(server.reload().status, 200);
    let seen = receiver.wait_for(4);
    let mended: Vec<_> =
        seen[2..].iter().map(|request| request.header("webhook-signature").map(str::to_owned)).collect();
    let wanted = standard_webhooks(b"mended", &seen[2]);
    assert!(mended[0].as_deref().is_some_and(|signature| signature.starts_with(&wanted)), "{mended:?}");
}
