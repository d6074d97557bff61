//! The `exec` action through the real program.

use crate::support::{Home, event, eventually};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::sync::mpsc;

fn running(program: &str, more: &str) -> String {
    format!(
        "rules: [{{name: sync, match: any, actions: [{{exec: {{program: {program}{more}}}, timeout: 300ms}}]}}]\nretry: {{first: 20ms, max: 1s}}\n"
    )
}

fn attempts(home: &Home, id: &str) -> Vec<Value> {
    let shown: Value = serde_json::from_str(&home.ok(&["events", id, "--json"])).expect("JSON");
    shown["deliveries"][0]["attempts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_listed_program_gets_the_event_and_its_effects_are_deliveries() {
    let home = Home::with_rules("");
    let program = home.program(
        "sync",
        r#"read -r event
        case "$event" in *'"task_id":"t-1"'*) ;; *) echo "no event: $event" >&2; exit 1;; esac
        echo "{\"file\": {\"path\": \"out.txt\", \"text\": \"$HOOKYARD_EVENT_DELIVERY $1 {{ id }}\"}, \"name\": \"note\"}""#,
    );
    home.write(
        "rules/rules.yaml",
        &running(&program, ", args: ['a b'], effects: true").replace("300ms", "30s"),
    );

    let refused = home.run(&["check"]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains(&format!("`exec: [{program}]`")), "{why}");

    home.configure(&format!("exec: [{program}]\n"));
    home.ok(&["check"]);
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    let line = eventually("the effect's line", || home.lines("out.txt").first().cloned());
    assert_eq!(line, format!("{id}/sync/exec a b {{{{ id }}}}"));
    let attempt = attempts(&home, &id).first().cloned().expect("an attempt");
    assert_eq!((&attempt["outcome"], &attempt["message"]), (&json!("delivered"), &json!("1 effect")));
}

#[test]
fn rule_tests_run_no_program() {
    let home = Home::with_rules("");
    let program = home.program("sync", "echo run >>\"$0.ran\"");
    home.configure(&format!("exec: [{program}]\n"));
    let rules = running(&program, ", args: [x]")
        + &format!(
            "tests: [{{name: it would run, event: {{source: browser-use}}, expect: [{{rule: sync, action: exec, params: {{program: {program}, args: [x]}}}}]}}]"
        );
    home.write("rules/rules.yaml", &rules);
    let tested = home.ok(&["test"]);
    assert!(tested.contains("1 passed, 0 failed"), "{tested}");
    assert!(!home.path("sync.ran").exists(), "the program was run");
}

#[test]
fn a_program_whose_time_is_up_is_killed_with_all_it_started_and_run_again() {
    let home = Home::with_rules("");
    let program = home.program(
        "sync",
        r#"if [ -e "$0.second" ]; then echo fine; exit 0; fi
        : >"$0.second"; exec 3>"$0.pipe"; sleep 1000 & wait"#,
    );
    let pipe = home.path("sync.pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo can be run").success());
    let (end, ended) = mpsc::channel();
    // Told when nobody holds the pipe any more.
    std::thread::spawn(move || {
        let mut pipe = File::open(pipe).expect("the program opens it, too");
        pipe.read_to_end(&mut Vec::new()).expect("a pipe can be read");
        end.send(()).ok();
    });
    home.write("rules/rules.yaml", &running(&program, ""));
    home.configure(&format!("exec: [{program}]\n"));
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    ended.recv_timeout(crate::support::PATIENCE).expect("the grandchild is dead");
    let attempts = eventually("the second attempt", || {
        Some(attempts(&home, &id)).filter(|attempts| {
            attempts.last().is_some_and(|attempt| attempt["outcome"] == json!("delivered"))
        })
    });
    assert_eq!(attempts[0]["message"], json!("no answer within 300ms"), "{attempts:?}");
    assert_eq!(attempts.last().map(|attempt| &attempt["message"]), Some(&json!("fine")));
}
