//! The journal as an operator meets it: one process, a corrupted file, a full disk.

use crate::support::faulty::{Fault, Faulty};
use crate::support::home::Server;
use crate::support::http::Answer;
use crate::support::{Home, Receiver, SECRET, event, eventually, http};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const RULES: &str =
    "rules: [{name: all, match: any, actions: [{file: {path: a.txt, text: '{{ payload.task_id }}'}}]}]";

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

/// The kernel plays the disk: no file may grow past a limit. The signal that would end the program
/// is ignored, so that the write itself fails.
fn start_on_a_disk_that_may_fail(home: &Home) -> Server {
    let program = env!("CARGO_BIN_EXE_hookyard");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; exec {program} serve")]);
    command.current_dir(home.path("")).env("BROWSER_USE_SECRET", SECRET);
    home.start_as(command)
}

fn fail_disk(server: &Server, fails: bool) {
    let limit = if fails { "--fsize=1:" } else { "--fsize=unlimited:" };
    let status = Command::new("prlimit").args([limit, "--pid", &server.pid().to_string()]).status();
    assert!(status.expect("prlimit can be run").success());
}

#[test]
fn an_outcome_that_the_disk_does_not_take_is_kept_until_it_does() {
    let receiver = Faulty::start(Fault::Waits);
    let home = Home::with_rules(&format!(
        "rules: [{{name: post, match: any, actions: [{{http: {{url: '{}'}}}}]}}]",
        receiver.url()
    ));
    let server = start_on_a_disk_that_may_fail(&home);
    let id = server.accept(&event("t-1", "finished", json!({})));
    eventually("the receiver has it", || (receiver.asked() == 1).then_some(()));
    fail_disk(&server, true);
    receiver.mend();
    eventually("it is said", || server.log().contains("an outcome cannot be committed").then_some(()));
    assert_eq!(server.send(&event("t-2", "finished", json!({}))).status, 503);
    fail_disk(&server, false);
    let delivered = || server.status()["journal"]["delivered"] == json!(1);
    eventually("the outcome is kept", || delivered().then_some(()));
    let shown: Value = serde_json::from_str(&home.ok(&["events", &id, "--json"])).expect("JSON");
    assert_eq!(shown["deliveries"][0]["attempts"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(receiver.asked(), 1, "it was not sent again");
    server.accept(&event("t-2", "finished", json!({})));
    eventually("the next one is sent", || (receiver.asked() == 2).then_some(()));
    assert!(server.stop().success());
}

#[test]
fn a_disk_that_takes_no_more_answers_503_and_goes_on_when_it_does() {
    let home = Home::with_rules(RULES);
    let server = start_on_a_disk_that_may_fail(&home);
    let accepted = server.accept(&event("t-1", "finished", json!({})));
    eventually("the first line", || home.lines("a.txt").first().cloned());
    fail_disk(&server, true);
    let refused = server.send(&event("t-2", "finished", json!({})));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    fail_disk(&server, false);
    eventually("there is room again", || {
        (server.send(&event("t-2", "finished", json!({}))).status == 200).then_some(())
    });
    eventually("the second line", || (home.lines("a.txt") == ["t-1", "t-2"]).then_some(()));
    assert!(server.stop().success());
    let listed = home.ok(&["events", "--json"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(&accepted));
}

#[test]
fn a_full_journal_of_delivered_events_goes_on_and_still_knows_their_twins() {
    let home = Home::with_rules(RULES);
    home.configure("keep: {size: 4MiB}\n");
    let server = home.start();
    let first = event("t-0", "finished", json!({}));
    let id = server.accept(&first);
    // Some three times what may be kept.
    let padding = "x".repeat(40_000);
    for number in 1..300 {
        server.accept(&event(&format!("t-{number}"), "finished", json!({"padding": padding})));
    }
    eventually("every line", || (home.lines("a.txt").len() == 300).then_some(()));
    let is_twin = |answer: Answer| {
        let answer = answer.json();
        answer["id"] == json!(id) && answer["duplicate"] == json!(true)
    };
    assert!(is_twin(server.send(&first)));
    assert!(server.stop().success());
    let server = home.start();
    assert!(is_twin(server.send(&first)), "also after a restart");
    assert!(server.stop().success());
    let listed = home.ok(&["events", "--json", "--limit", "1000"]);
    assert!(!listed.contains(&id) && listed.lines().count() < 150, "{} are left", listed.lines().count());
    let bytes = fs::metadata(home.path("data/hookyard.db")).expect("the journal is there").len();
    assert!(bytes < 5 << 20, "freed pages are used again: {bytes}");
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

#[test]
fn a_journal_is_looked_at_written_out_and_made_small() {
    let receiver = Receiver::start();
    receiver.answer(410, "", "gone for good");
    let home = Home::with_rules(&format!(
        "rules: [{{name: post, match: any, actions: [{{http: {{url: '{}', json: {{task: '{{{{ payload.task_id }}}}'}}}}}}]}}]",
        receiver.url("/in")
    ));
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    let info = |dead: u64| {
        let info = home.ok(&["journal", "info", "--json"]);
        let info: Value = serde_json::from_str(&info).expect("JSON");
        (info["dead"] == json!(dead)).then_some(info)
    };
    let counted = eventually("the dead delivery", || info(1));
    assert_eq!((&counted["events"], &counted["generations"]), (&json!(1), &json!(1)));
    let shown = home.ok(&["journal", "info"]);
    assert!(shown.contains("data/hookyard.db") && shown.contains("1 dead"), "{shown}");

    let refused = home.run(&["journal", "vacuum"]);
    assert_eq!(refused.status.code(), Some(1), "the server runs: {refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another hookyard"), "{refused:?}");

    receiver.wait_for(1);
    let replay =
        http::request(server.admin, "POST", "/api/replay", &[], json!({"ids": [id]}).to_string().as_bytes());
    assert_eq!(replay.expect("an answer").status, 200);
    receiver.wait_for(2);
    assert!(server.stop().success());
    let exported = home.ok(&["journal", "export"]);
    let first: Value = serde_json::from_str(exported.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["event"]["id"], &first["verified"]["form"]), (&json!(id), &json!("python")));
    assert_eq!(
        (&first["replays"][0]["number"], &first["replays"][0]["rules"]),
        (&json!(2), &json!(["post"]))
    );
    let attempt = &first["deliveries"][0]["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["generation"]), (&json!("dead"), &json!(1)));
    assert_eq!(attempt["answer"], json!({"status": 410, "body": "gone for good", "cut": false}));
    assert!(attempt["request"].as_str().expect("a text").contains("t-1"), "{attempt}");

    let small = home.ok(&["journal", "vacuum"]);
    assert!(small.contains(" before, ") && small.trim_end().ends_with(" now"), "{small}");
    assert_eq!(home.ok(&["journal", "export"]), exported, "nothing is lost");
}
