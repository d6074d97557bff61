//! The subcommands as a person uses them.

use crate::support::{Home, event, eventually};
use serde_json::{Value, json};

const RULES: &str = "
rules:
  - name: finished
    match: {status: finished}
    actions: [{file: {path: a.txt, text: 'task {{ payload.task_id }}'}}]
tests:
  - name: a finished task is written down
    event: {type: agent.task.status_update, payload: {task_id: t-1, status: finished}}
    expect: [{rule: finished, action: file, params: {text: task t-1}}]
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let home = Home::with_rules(RULES);
    let good = home.ok(&["check"]);
    assert!(good.contains("1 rule in 1 file"), "{good}");

    home.write(
        "rules/bad.yaml",
        "rules:\n  - name: Bad Name\n    mach: {status: finished}\n    actions: [{htp: {url: x}}]\n",
    );
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    for part in ["bad.yaml:2:11", "bad.yaml:3:5", "match", "bad.yaml:4:", "http", "mach: {status: finished}"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
}

#[test]
fn a_file_that_is_not_yaml_and_a_missing_directory_are_errors() {
    let home = Home::with_rules("rules: [{name: x");
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("rules.yaml:1"), "{}", text(&output.stderr));
    let output = home.run(&["check", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nowhere"), "{}", text(&output.stderr));
    assert_eq!(home.run(&["chekc"]).status.code(), Some(2), "wrong usage");
}

#[test]
fn a_wrong_configuration_is_shown_with_its_line() {
    let home = Home::with_rules(RULES);
    home.configure("limts: {body: 1MiB}\n");
    let shown = text(&home.run(&["check"]).stderr);
    assert!(shown.contains("hookyard.yaml:3:1") && shown.contains("limits"), "{shown}");
    home.configure("limits: {body: lots}\n");
    let shown = text(&home.run(&["check"]).stderr);
    assert!(shown.contains("hookyard.yaml:3:16") && shown.contains("lots"), "{shown}");
}

#[test]
fn without_a_configuration_everything_has_a_default() {
    let home = Home::with_rules(RULES);
    for empty in [None, Some("# nothing yet\n")] {
        match empty {
            None => std::fs::remove_file(home.path("hookyard.yaml")).expect("the file is there"),
            Some(text) => home.write("hookyard.yaml", text),
        }
        assert!(home.ok(&["check"]).contains("1 rule in 1 file"));
        let mut command = home.command(&["--listen", "127.0.0.1:0", "serve"]);
        command.env("HOOKYARD_ADMIN_LISTEN", "127.0.0.1:0");
        let server = home.start_as(command);
        server.accept(&event("t-1", "finished", json!({"empty": empty})));
        assert!(home.path("data/hookyard.db").exists());
    }
}

#[test]
fn test_runs_the_rules_own_tests() {
    let home = Home::with_rules(RULES);
    let good = home.ok(&["test"]);
    assert!(good.contains("1 passed, 0 failed"), "{good}");
    home.write("rules/rules.yaml", &RULES.replace("params: {text: task t-1}", "params: {text: task t-2}"));
    let output = home.run(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("task t-1") && shown.contains("task t-2"), "{shown}");
}

#[test]
fn route_names_the_rules_of_each_event_and_touches_nothing() {
    let home = Home::with_rules(RULES);
    home.write("events.jsonl", "{\"status\":\"finished\"}\n{\"status\":\"idle\"}\n");
    let output = home.run(&["route", "events.jsonl", "--stats"]);
    assert_eq!(text(&output.stdout), "{\"line\":1,\"rules\":[\"finished\"]}\n{\"line\":2,\"rules\":[]}\n");
    assert!(text(&output.stderr).contains("µs/event"), "{}", text(&output.stderr));
    home.write("bodies.jsonl", "{\"type\":\"x\",\"payload\":{\"status\":\"finished\"}}\nnot json\n");
    let output = home.run(&["route", "bodies.jsonl", "--source", "browser-use"]);
    assert_eq!(text(&output.stdout), "{\"line\":1,\"rules\":[\"finished\"]}\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("line 2"), "{}", text(&output.stderr));
    assert!(!home.path("data").exists());
}

#[test]
fn send_signs_posts_and_prints_the_answer() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let url = format!("http://{}/hooks/browser-use", server.hooks);
    let answer =
        home.ok(&["send", "finished", "--metadata", "team=marketing", "--payload", "cost=12", "--url", &url]);
    assert!(answer.starts_with("200 "), "{answer}");
    let shown: Value = serde_json::from_str(&home.ok(&["events", "last", "--json"])).expect("JSON");
    assert_eq!(shown["event"]["metadata"], json!({"team": "marketing"}));
    assert_eq!(shown["event"]["payload"]["cost"], json!(12));
    assert_eq!(shown["rules"], json!(["finished"]));

    let mut forged = home.command(&["send", "--url", &url]);
    let output = forged.env("BROWSER_USE_SECRET", "wrong").output().expect("it can be run");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("403 "), "{output:?}");
    let output = home.run(&["send", "--url", "http://127.0.0.1:1/hooks/browser-use"]);
    assert!(text(&output.stderr).contains("hookyard serve"), "{output:?}");
}

#[test]
fn sign_makes_headers_that_the_server_accepts() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    home.write("body.json", &event("t-1", "finished", json!({"city": "M\u{fc}nchen"})).to_string());
    let headers: Value = serde_json::from_str(&home.ok(&["sign", "body.json", "--json"])).expect("JSON");
    let headers: Vec<(&str, String)> = headers
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("text").to_owned()))
        .collect();
    let body = std::fs::read(home.path("body.json")).expect("it is there");
    let answer = crate::support::sender::post(server.hooks, &headers, &body).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn events_and_deliveries_are_listed_while_the_server_runs() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    server.accept(&event("t-2", "idle", json!({})));
    eventually("delivered", || home.ok(&["deliveries"]).contains("delivered").then_some(()));
    let listed = home.ok(&["events"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[0].starts_with("RECEIVED"));
    assert!(lines[1].contains("idle") && lines[2].contains("finished"), "the newest first: {listed}");
    assert_eq!(home.ok(&["events", "--status", "idle", "--json"]).lines().count(), 1);
    let one = home.ok(&["events", "last"]);
    assert!(one.contains("t-2") && one.contains("matched: nothing"), "{one}");
    assert_eq!(home.ok(&["deliveries", "--json"]).lines().count(), 1);
}

#[test]
fn reading_a_journal_that_is_not_there_says_so() {
    let home = Home::with_rules(RULES);
    let output = home.run(&["events"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hookyard.db"), "{}", text(&output.stderr));
    assert!(!home.path("data").exists(), "reading makes nothing");
}
