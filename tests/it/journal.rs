//! The journal as an operator meets it: one process, a corrupted file, a full disk.

use crate::support::{Home, event, eventually};
use serde_json::json;
use std::fs;

const RULES: &str = "rules: [{name: all, match: any, actions: [{file: {path: a.txt, text: '{{ payload.task_id }}'}}]}]";

fn refusal(home: &Home) -> String {
    let output = home.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("an error is text")
}

#[test]
fn a_second_process_is_refused_and_says_why() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let why = refusal(&home);
    assert!(why.contains("hookyard.db") && why.contains("another"), "{why}");
    server.accept(&event("t-1", "finished", json!({})));
    assert!(home.ok(&["events", "--json"]).contains("t-1"), "reading goes beside the server");
}

#[test]
fn a_corrupted_journal_is_refused_and_says_what_to_do() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({})));
    assert!(server.stop().success());
    let path = home.path("data/hookyard.db");
    let mut bytes = fs::read(&path).expect("the journal is there");
    bytes[..64].fill(0x5a);
    fs::write(&path, &bytes).expect("it can be written");
    let why = refusal(&home);
    assert!(why.contains("hookyard.db"), "{why}");
    assert!(why.contains("move"), "it says what to do: {why}");
    assert_eq!(fs::read(&path).expect("it is still there"), bytes, "nothing was touched");
}

#[test]
fn a_full_journal_answers_503_and_goes_on_when_there_is_room() {
    let home = Home::with_rules(
        "rules: [{name: all, match: any, actions: [{file: {path: a.txt, text: '{{ payload.gone }}'}}]}]",
    );
    home.configure("keep: {size: 400KiB}\n");
    let server = home.start();
    let big = |task: &str| {
        let mut update = event(task, "finished", json!({}));
        update["payload"]["filling"] = json!("x".repeat(20_000));
        update
    };
    let mut accepted = 0;
    let refused = loop {
        let answer = server.send(&big(&format!("t-{accepted}")));
        if answer.status != 200 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1000, "the journal never fills");
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some());

    home.configure("keep: {size: 100MiB}\n");
    eventually("there is room again", || (server.send(&big("later")).status == 200).then_some(()));
    home.save("rules/rules.yaml", RULES);
    let all = || Some(home.lines("a.txt").len()).filter(|count| *count > accepted);
    assert_eq!(eventually("everything accepted is delivered", all), accepted + 1);
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let home = Home::with_rules(RULES);
    assert!(home.start().stop().success());
    let path = home.path("data/hookyard.db");
    let connection = rusqlite::Connection::open(&path).expect("it is a database");
    connection.pragma_update(None, "user_version", 9999).expect("the version can be set");
    drop(connection);
    let why = refusal(&home);
    assert!(why.contains("newer"), "{why}");
}
