//! The admin API: every endpoint with good input and bad, with and without the token.

use crate::support::home::Server;
use crate::support::http::{self, Answer};
use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;

const TOKEN: &str = "t0ken-of-the-admin";

/// Posts finished tasks to the receiver; what fails is tried again after minutes.
fn rules(receiver: &Receiver) -> String {
    format!(
        "
retry: {{first: 10m}}
rules:
  - name: post
    description: Tells the CRM.
    match: {{status: finished}}
    actions:
      - http: {{url: '{}', json: {{task: '{{{{ payload.task_id }}}}'}}, auth: {{bearer: '${{API_TOKEN}}'}}}}
        name: crm
      - log: {{}}
  - {{name: sleeping, enabled: false, match: any, actions: [{{log: {{}}}}]}}
",
        receiver.url("/in")
    )
}

/// The server with what these rules refer to.
fn start(home: &Home) -> Server {
    let mut command = home.command(&["serve"]);
    command.env("API_TOKEN", "tok-5ecret");
    home.start_as(command)
}

fn in_state(home: &Home, state: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} {state} deliveries"), || {
        let listed = home.ok(&["deliveries", "--json", "--limit", "1000"]);
        let listed = listed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let found: Vec<_> = listed.filter(|it| it["state"] == json!(state)).collect();
        (found.len() == count).then_some(found)
    })
}

fn message(answer: &Answer) -> String {
    answer.json()["message"].as_str().unwrap_or_else(|| panic!("a sentence in {answer:?}")).to_owned()
}

/// One page after the other, until there is none.
fn pages(server: &Server, path: &str, list: &str) -> Vec<String> {
    let (mut ids, mut before) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{path}{before}")).json();
        let records = page[list].as_array().unwrap_or_else(|| panic!("a list in {page}"));
        ids.extend(records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()));
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return ids,
        }
    }
}

#[test]
fn events_are_listed_found_and_paged() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let mut ids: Vec<String> = (0..5)
        .map(|n| server.accept(&event(&format!("t-{n}"), if n < 3 { "finished" } else { "idle" }, json!({}))))
        .collect();
    ids.reverse();
    assert_eq!(pages(&server, "/api/events?limit=2", "events"), ids);
    assert_eq!(pages(&server, "/api/events?limit=5", "events"), ids);
    assert_eq!(pages(&server, "/api/events?status=idle&limit=1", "events"), ids[..2]);
    assert_eq!(pages(&server, "/api/events?unmatched=1&limit=9", "events"), ids[..2]);
    assert_eq!(pages(&server, "/api/events?rule=post&since=1h&limit=9", "events"), ids[2..]);
    assert_eq!(
        pages(&server, "/api/events?source=browser-use&type=agent.task.status_update&limit=9", "events"),
        ids
    );
    for none in ["source=other", "type=x", "until=1h", "since=2100-01-01T00:00:00Z", "rule=sleeping"] {
        assert_eq!(
            server.get(&format!("/api/events?{none}")).json(),
            json!({"events": [], "next": null}),
            "{none}"
        );
    }
    let first = server.get("/api/events").json()["events"][0].clone();
    assert_eq!((&first["source"], &first["status"]), (&json!("browser-use"), &json!("idle")));
    assert_eq!((&first["rules"], first.get("payload")), (&json!([]), None));
}

#[test]
fn deliveries_are_listed_found_and_paged() {
    let receiver = Receiver::start();
    receiver.answer(422, "", "no such task");
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    server.accept(&event("t-0", "finished", json!({})));
    in_state(&home, "dead", 1);
    let second = server.accept(&event("t-1", "finished", json!({})));
    in_state(&home, "delivered", 3);
    let all = pages(&server, "/api/deliveries?limit=1", "deliveries");
    assert_eq!((all.len(), all[0].starts_with(&second)), (4, true), "{all:?}");
    assert_eq!(pages(&server, "/api/deliveries?limit=3", "deliveries"), all);
    assert_eq!(pages(&server, "/api/deliveries?state=delivered&limit=2", "deliveries").len(), 3);
    assert_eq!(pages(&server, &format!("/api/deliveries?event={second}&limit=1"), "deliveries"), all[..2]);
    assert_eq!(
        pages(&server, "/api/deliveries?rule=post&action=crm&since=1h&limit=1", "deliveries").len(),
        2
    );
    let dead = server.get("/api/deliveries?state=dead").json();
    assert_eq!((&dead["next"], &dead["deliveries"][0]["attempts"]), (&json!(null), &json!(1)));
    assert!(dead["deliveries"][0]["message"].as_str().expect("text").contains("no such task"), "{dead}");
}

#[test]
fn one_event_is_told_from_its_receipt_to_its_last_attempt() {
    let receiver = Receiver::start();
    receiver.answer(422, "", "bad token tok-5ecret,\nsorry");
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let id = server.accept(&event("t-1", "finished", json!({"team": "a"})));
    in_state(&home, "dead", 1);
    in_state(&home, "delivered", 1);
    assert_eq!(server.post("/api/replay", &json!({"ids": [id]})).status, 200);
    in_state(&home, "delivered", 3);
    let answer = server.get(&format!("/api/events/{id}"));
    let told = answer.json();
    assert_eq!((&told["event"]["id"], &told["event"]["metadata"]), (&json!(id), &json!({"team": "a"})));
    let moments = told["timeline"].as_array().expect("a list");
    let whats: Vec<_> = moments.iter().map(|moment| moment["what"].as_str().expect("a word")).collect();
    assert_eq!(whats[..3], ["received", "verified", "matched"], "{told}");
    assert_eq!(whats.iter().filter(|what| **what == "attempted").count(), 4, "{told}");
    assert_eq!(
        (&moments[1]["by"], &moments[2]["rules"]),
        (&json!({"form": "python", "secret": 0}), &json!(["post"]))
    );
    let replayed = moments.iter().find(|moment| moment["what"] == json!("replayed")).expect("it was");
    assert_eq!((&replayed["number"], &replayed["rules"]), (&json!(2), &json!(["post"])));
    let refused = moments.iter().find(|moment| moment["outcome"] == json!("dead")).expect("one was");
    let said = json!({"status": 422, "body": "bad token ${API_TOKEN},\nsorry", "cut": false});
    assert_eq!(refused["answer"], said);
    assert_eq!(refused["request"]["json"], json!({"task": "t-1"}));
    assert_eq!(refused["request"]["auth"], json!({"bearer": "${API_TOKEN}"}));
    assert!(!answer.body.contains("tok-5ecret"), "{refused}");
    let ids: Vec<_> =
        told["deliveries"].as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
    assert!(
        ids.contains(&json!(format!("{id}/post/crm"))) && ids.contains(&json!(format!("{id}~2/post/crm")))
    );
    assert!(!answer.body.contains("x-browser-use-signature"), "headers of the request are nobody's business");

    let missing = server.get("/api/events/evt_01JDFV3M4X0000000000000000");
    assert_eq!(missing.status, 404);
    assert!(message(&missing).contains("there is no event evt_01JDFV3M4X0000000000000000"));
    let wrong = server.get("/api/events/evt_x");
    assert_eq!((wrong.status, message(&wrong).contains("is no event id")), (400, true));
}

#[test]
fn rules_and_generations_are_shown() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let shown = server.get("/api/rules").json();
    assert_eq!(shown["generation"], json!(1));
    assert_eq!(
        shown["rules"][0],
        json!({
            "name": "post", "file": "rules.yaml", "on": true, "description": "Tells the CRM.",
            "actions": [{"name": "crm", "kind": "http"}, {"name": "log", "kind": "log"}],
        })
    );
    assert_eq!((&shown["rules"][1]["name"], &shown["rules"][1]["on"]), (&json!("sleeping"), &json!(false)));
    assert!(shown["rules"][1]["why"].as_str().expect("text").contains("enabled"), "{shown}");
    home.save("rules/more.yaml", "rules: [{name: more, match: any, actions: [{log: {}}]}]");
    server.wait_for_generation(1);
    let listed = server.get("/api/generations").json();
    let numbers: Vec<_> =
        listed["generations"].as_array().expect("a list").iter().map(|it| it["number"].clone()).collect();
    assert_eq!((&listed["served"], numbers), (&json!(2), vec![json!(2), json!(1)]));
    assert_eq!(listed["generations"][0]["files"], json!(2));
    let first = server.get("/api/generations/1").json();
    assert_eq!(first["files"], json!({"rules.yaml": rules(&receiver)}));
    let missing = server.get("/api/generations/9");
    assert_eq!((missing.status, message(&missing).contains("there is no generation 9")), (404, true));
    let wrong = server.get("/api/generations/newest");
    assert_eq!((wrong.status, message(&wrong).contains("`newest`")), (400, true));
}

#[test]
fn the_status_tells_of_lanes_and_readiness() {
    let receiver = Receiver::start();
    receiver.answer(500, "", "");
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    server.accept(&event("t-1", "finished", json!({})));
    in_state(&home, "delivered", 1);
    let status = server.wait_for("the failed attempt", |status| status["lanes"][0]["pending"] == json!(1));
    let lane = &status["lanes"][0];
    assert_eq!(
        (&lane["rule"], &lane["action"], &lane["blocked"]),
        (&json!("post"), &json!("crm"), &json!(0))
    );
    assert_eq!((&status["ready"], &status["not_ready"]), (&json!(true), &json!(null)));
}

#[test]
fn what_is_dead_is_tried_again_once_the_receiver_is_mended() {
    let receiver = Receiver::start();
    for _ in 0..3 {
        receiver.answer(410, "", "gone");
    }
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let ids: Vec<_> =
        (0..3).map(|n| server.accept(&event(&format!("t-{n}"), "finished", json!({})))).collect();
    in_state(&home, "dead", 3);
    let dry = server.post("/api/retry", &json!({"filter": {"rule": "post"}, "dry": true})).json();
    assert_eq!((&dry["count"], &dry["dry"]), (&json!(3), &json!(true)));
    in_state(&home, "dead", 3);
    let first = format!("{}/post/crm", ids[0]);
    let other = format!("{}/post/log", ids[0]);
    let named = json!({"ids": [first, other, format!("{}/no/log", ids[0])]});
    let done = server.post("/api/retry", &named).json();
    assert_eq!(done["count"], json!(1), "{done}");
    let why: Vec<_> =
        done["passed_over"].as_array().expect("a list").iter().map(|it| it["why"].clone()).collect();
    assert_eq!(why, [json!("it is delivered"), json!("there is no such delivery")]);
    in_state(&home, "dead", 2);
    let done = server.post("/api/retry", &json!({"filter": {"since": "1h", "state": "dead"}})).json();
    assert_eq!(done["count"], json!(2));
    in_state(&home, "delivered", 6);
    let seen = receiver.wait_for(6);
    let keys: Vec<_> =
        seen.iter().filter(|it| it.header("idempotency-key") == Some(first.as_str())).collect();
    assert_eq!(keys.len(), 2, "the same key, so that the receiver can tell");
    let again = server.post("/api/retry", &json!({"filter": {}})).json();
    assert_eq!(again["count"], json!(0));
}

#[test]
fn what_is_cancelled_is_dead() {
    let receiver = Receiver::start();
    receiver.answer(500, "", "");
    receiver.answer(500, "", "");
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    for n in 0..2 {
        server.accept(&event(&format!("t-{n}"), "finished", json!({})));
    }
    in_state(&home, "delivered", 2);
    eventually("both attempts", || {
        let waiting = in_state(&home, "pending", 2);
        waiting.iter().all(|it| it["attempts"] == json!(1)).then_some(())
    });
    let dry = server.post("/api/cancel", &json!({"filter": {}, "dry": true})).json();
    assert_eq!((&dry["count"], in_state(&home, "pending", 2).len()), (&json!(2), 2));
    let done = server.post("/api/cancel", &json!({"filter": {"rule": "post", "action": "crm"}})).json();
    assert_eq!((&done["count"], &done["under_way"]), (&json!(2), &json!(0)));
    assert!(in_state(&home, "dead", 2).iter().all(|it| it["message"] == json!("cancelled")));
    let id = in_state(&home, "dead", 2)[0]["id"].as_str().expect("text").to_owned();
    let (event, _) = id.split_once('/').expect("an event's id");
    let told = server.get(&format!("/api/events/{event}")).json();
    assert!(
        told["timeline"].as_array().expect("a list").iter().any(|it| it["message"] == json!("cancelled")),
        "{told}"
    );
}

#[test]
fn a_replay_goes_by_the_rules_of_now_under_keys_of_its_own() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let finished = server.accept(&event("t-1", "finished", json!({})));
    let idle = server.accept(&event("t-2", "idle", json!({})));
    in_state(&home, "delivered", 2);
    home.save("rules/rules.yaml", &rules(&receiver).replace("status: finished", "status: [finished, idle]"));
    server.wait_for_generation(1);
    let dry = json!({"filter": {"unmatched": true, "since": "1h"}, "dry": true});
    let by =
        json!([{"rule": "post", "action": "crm", "count": 1}, {"rule": "post", "action": "log", "count": 1}]);
    let answer = server.post("/api/replay", &dry).json();
    assert_eq!((&answer["events"], &answer["by"], &answer["generation"]), (&json!(1), &by, &json!(2)));
    let done = server.post("/api/replay", &json!({"filter": {"unmatched": true}})).json();
    assert_eq!((&done["events"], &done["deliveries"]), (&json!(1), &json!(2)));
    in_state(&home, "delivered", 4);
    assert_eq!(server.post("/api/replay", &dry).json()["events"], json!(0), "it is not unmatched any more");
    let unknown = "evt_01JDFV3M4X0000000000000000";
    let both = json!({"ids": [finished, idle, unknown], "rule": "post"});
    let done = server.post("/api/replay", &both).json();
    assert_eq!((&done["events"], &done["passed_over"][0]["id"]), (&json!(2), &json!(unknown)));
    in_state(&home, "delivered", 8);
    let mut keys: Vec<_> = receiver
        .wait_for(4)
        .iter()
        .map(|request| request.header("idempotency-key").expect("a key").to_owned())
        .collect();
    keys.sort();
    let mut wanted = [
        format!("{finished}/post/crm"),
        format!("{finished}~2/post/crm"),
        format!("{idle}~2/post/crm"),
        format!("{idle}~3/post/crm"),
    ];
    wanted.sort();
    assert_eq!(keys, wanted);
}

#[test]
fn a_wish_that_cannot_be_meant_is_told_in_a_sentence() {
    let home = Home::with_rules("rules: [{name: post, match: any, actions: [{log: {}}]}]");
    let server = start(&home);
    for (path, body, sentence) in [
        ("/api/retry", json!({}), "either `ids` or `filter`"),
        ("/api/retry", json!({"filter": {"state": "pending"}}), "`state` can only be dead here"),
        ("/api/cancel", json!({"ids": []}), "`ids` is a list of ids that is not empty"),
        ("/api/cancel", json!({"filter": {"rul": "x"}}), "did you mean `rule`?"),
        ("/api/replay", json!({"filter": {"since": "soon"}}), "`since` is a duration such as 2h"),
        (
            "/api/replay",
            json!({"filter": {}, "rule": "pst"}),
            "there is no rule `pst` that is on: did you mean `post`?",
        ),
        ("/api/kv", json!({"key": "k"}), "`namespace`"),
    ] {
        let answer = server.post(path, &body);
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert!(message(&answer).contains(sentence), "{path} {body}: {answer:?}");
    }
    for (path, sentence) in [
        ("/api/events?limit=0", "`limit` is a number from 1 to 200, not `0`"),
        ("/api/events?limit=1&limit=2", "`limit` is there twice"),
        ("/api/events?typ=x", "did you mean `type`?"),
        ("/api/events?before=x", "`before`: `x` is no event id"),
        ("/api/deliveries?state=ded", "did you mean `dead`?"),
        ("/api/deliveries?event=%00", "is no event id"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, message(&answer).contains(sentence)), (400, true), "{path}: {answer:?}");
    }
    let text = http::request(server.admin, "POST", "/api/retry", &[], b"not json").expect("an answer");
    assert_eq!((text.status, message(&text).contains("a JSON object is wanted")), (400, true));
    let long = vec![b' '; (1 << 20) + 1];
    let answer = http::request(server.admin, "POST", "/api/replay", &[], &long).expect("an answer");
    assert_eq!(answer.status, 413);
}

#[test]
fn what_is_not_there_and_wrong_methods_are_told_with_what_is_right() {
    let home = Home::with_rules("rules: [{name: post, match: any, actions: [{log: {}}]}]");
    let server = start(&home);
    let missing = server.get("/api/evnts");
    assert_eq!((missing.status, message(&missing).contains("did you mean /api/events?")), (404, true));
    for path in [
        "/api/status",
        "/api/rules",
        "/api/generations",
        "/api/generations/1",
        "/api/events",
        "/api/events/evt_01JDFV3M4X0000000000000000",
        "/api/deliveries",
        "/api/stream",
        "/metrics",
        "/healthz",
    ] {
        let answer = server.post(path, &json!({}));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{path}");
    }
    for path in ["/api/retry", "/api/cancel", "/api/replay", "/api/reload", "/api/kv"] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{path}");
    }
    let mut stream = http::connect(server.admin).expect("the admin side listens");
    let head = format!("HEAD /api/events HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.admin);
    stream.write_all(head.as_bytes()).expect("it reads");
    let (head, body) = http::read_head(&mut stream).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}");
}

#[test]
fn without_the_token_nothing_is_told() {
    let home = Home::with_rules("rules: [{name: post, match: any, actions: [{log: {}}]}]");
    home.write(
        "hookyard.yaml",
        &format!("listen: 127.0.0.1:0\nadmin: {{listen: '127.0.0.1:0', token: {TOKEN}}}\n"),
    );
    let server = start(&home);
    let ask = |method: &str, path: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("authorization", &bearer)] };
        http::request(server.admin, method, path, headers, b"{}").expect("an answer")
    };
    let reading = [
        "/api/status",
        "/api/rules",
        "/api/generations",
        "/api/generations/1",
        "/api/events",
        "/api/events/evt_x",
        "/api/deliveries",
        "/api/stream",
        "/metrics",
        "/nowhere",
    ];
    let acting = ["/api/retry", "/api/cancel", "/api/replay", "/api/reload", "/api/kv"];
    let all = reading.map(|path| ("GET", path)).into_iter().chain(acting.map(|path| ("POST", path)));
    for (method, path) in all {
        for token in ["", "wrong"] {
            let answer = ask(method, path, token);
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path}");
        }
        // That one goes on for ever.
        if path != "/api/stream" {
            assert_ne!(ask(method, path, TOKEN).status, 401, "{path}");
        }
    }
    assert_eq!((ask("GET", "/healthz", "").status, ask("GET", "/readyz", "").status), (200, 200));
}

/// The data of a stream of server-sent events, line by line.
fn follow(admin: SocketAddr) -> impl Iterator<Item = Value> {
    let mut stream = http::connect(admin).expect("the admin side listens");
    stream
        .write_all(format!("GET /api/stream HTTP/1.1\r\nhost: {admin}\r\n\r\n").as_bytes())
        .expect("it reads");
    let mut lines = BufReader::new(stream).lines();
    let head = lines.next().expect("an answer").expect("an answer");
    assert!(head.contains("200"), "{head}");
    let head: Vec<_> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    assert!(head.iter().any(|line| line.to_lowercase() == "content-type: text/event-stream"), "{head:?}");
    lines.map_while(Result::ok).filter_map(|line| {
        let data = line.strip_prefix("data:")?.trim().to_owned();
        Some(serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")))
    })
}

#[test]
fn the_stream_tells_what_happens_and_ends_with_the_server() {
    let receiver = Receiver::start();
    receiver.answer(410, "", "gone");
    let home = Home::with_rules(&rules(&receiver));
    let server = start(&home);
    let mut stream = follow(server.admin);
    let id = server.accept(&event("t-1", "finished", json!({})));
    let received = stream.next().expect("it goes on");
    assert_eq!((&received["what"], &received["event"]), (&json!("received"), &json!(id)));
    assert_eq!((&received["status"], &received["rules"]), (&json!("finished"), &json!(["post"])));
    let mut tried: Vec<Value> = stream.by_ref().take(2).collect();
    tried.sort_by_key(|line| line["delivery"].to_string());
    assert_eq!((&tried[0]["what"], &tried[1]["what"]), (&json!("dead"), &json!("delivered")), "{tried:?}");
    assert_eq!(tried[0]["delivery"], json!(format!("{id}/post/crm")));
    assert_eq!(tried[0]["attempt"], json!(1));
    server.post("/api/retry", &json!({"filter": {}}));
    let more: Vec<Value> = stream.by_ref().take(2).collect();
    assert!(
        more.iter().any(|line| line["what"] == json!("made pending") && line["count"] == json!(1)),
        "{more:?}"
    );
    assert!(more.iter().any(|line| line["what"] == json!("delivered")), "{more:?}");
    server.signal("TERM");
    assert!(stream.next().is_none(), "it ends with the server");
    assert!(server.wait().success());
}

#[test]
fn every_metric_is_described() {
    let receiver = Receiver::start();
    receiver.answer(500, "", "");
    let home = Home::with_rules(
        &(rules(&receiver)
            + "  - {name: react, match: {status: finished}, actions: [{script: react.rhai}]}\n"),
    );
    home.write("rules/react.rhai", "fn on_event(event) { file(#{path: \"a.txt\", text: \"x\"}); }");
    let server = start(&home);
    server.accept(&event("t-1", "finished", json!({})));
    in_state(&home, "delivered", 3);
    eventually("the failed attempt", || {
        server.get("/metrics").body.contains("hookyard_retried_total 1").then_some(())
    });
    server.post("/api/cancel", &json!({"filter": {}}));
    server.accept(&event("t-2", "finished", json!({})));
    let text = server.get("/metrics").body;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().expect("a name");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let described = |name: &str| {
            text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} "))
        };
        assert!(described(name) || family.is_some_and(described), "{line}");
    }
    for sample in [
        "hookyard_attempts_total{rule=\"post\",action=\"crm\",outcome=\"retry\"} 1",
        "hookyard_by_hand_total{what=\"cancelled\"} 1",
        "hookyard_delivery_seconds_count{source=\"browser-use\",rule=\"react\",action=\"script\"} ",
        "hookyard_attempt_seconds_bucket{rule=\"post\",action=\"crm\",le=\"",
        "hookyard_script_seconds_count ",
        "hookyard_commit_seconds_bucket{le=\"",
        "hookyard_commit_group_size_bucket{le=\"256\"}",
        "hookyard_generation 1",
        "hookyard_reloads_total{result=\"good\"} 1",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
}

/// Also of those that no run of a test brings about.
#[test]
fn every_metric_that_the_sources_name_is_described() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = String::new();
    let mut directories = vec![src];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                sources += &fs::read_to_string(path).expect("a source file is text");
            }
        }
    }
    // As one line: a macro's arguments may stand on the next.
    let sources = sources.split_whitespace().collect::<String>();
    let names: BTreeSet<&str> = sources
        .split('"')
        .filter(|text| {
            text.strip_prefix("hookyard_")
                .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        })
        .collect();
    assert!(names.len() > 30, "only {names:?} were found: the test no longer reads the sources");
    for name in names {
        let of_constant = sources.split("const").find_map(|item| {
            item.split_once(&format!(":&str=\"{name}\"")).map(|(constant, _)| constant.to_owned())
        });
        let described = [Some(format!("\"{name}\"")), of_constant].into_iter().flatten().any(|name| {
            ["describe_counter!(", "describe_gauge!(", "describe_histogram!(", "head("]
                .iter()
                .any(|call| sources.contains(&format!("{call}{name},")))
        });
        assert!(described, "{name} has no description");
    }
}
