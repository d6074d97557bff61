//! A run as a transaction: all of it happened, or nothing.

use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::net::TcpListener;

/// Asks for one of everything, and then ends as the event's status says.
const SCRIPT: &str = r#"
fn on_event(event) {
    let count = kv::incr("count", 1);
    kv::set(`seen/${event.payload.task_id}`, true);
    file(#{ path: "effects.txt", text: `${event.payload.task_id} ${count}` });
    emit(#{ type: "task.seen", payload: #{ task: event.payload.task_id } });
    switch event.status {
        "throws" => throw "in the middle",
        "errs" => event.payload.nope,
        "fails" => fail("in the middle"),
        "retries" => retry("in the middle"),
        "loops" => loop { },
        "hangs" => fetch(#{ url: vars.silent, timeout: 60 }),
        "unanswered" => fetch(#{ url: vars.silent, timeout: "50ms" }),
        "asks" => fetch(#{ url: vars.api }),
        _ => (),
    }
    kv::incr("done", 1);
}"#;

fn home(silent: &TcpListener, api: &Receiver, timeout: &str) -> Home {
    let home = Home::with_rules(&format!(
        "
retry: {{first: 1h, max: 1h}}
rules:
  - {{name: run, match: {{source: browser-use, status: [{{anything-but: hangs}}]}}, actions: [{{script: main.rhai, timeout: 60s}}]}}
  - {{name: late, match: {{status: hangs}}, actions: [{{script: main.rhai, timeout: {timeout}}}]}}
  - {{name: seen, match: {{source: hookyard, type: task.seen}}, actions: [{{file: {{path: derived.txt, text: '{{{{ payload.task }}}}'}}}}]}}
"
    ));
    let silent = silent.local_addr().expect("it is bound");
    home.write(
        "rules/vars.yaml",
        &format!("vars: {{silent: 'http://{silent}/', api: '{}'}}", api.url("/api")),
    );
    home.write("rules/main.rhai", SCRIPT);
    home
}

fn records(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let output = home.ok(arguments);
    output.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

fn kept(home: &Home) -> Vec<String> {
    let keys = records(home, &["kv", "list", "main", "--json"]);
    keys.iter().map(|it| format!("{}={}", it["key"].as_str().expect("a key"), it["value"])).collect()
}

#[test]
fn of_a_run_that_does_not_end_well_nothing_has_happened() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let home = home(&silent, &Receiver::start(), "300ms");
    let server = home.start();
    let bad = ["throws", "errs", "fails", "retries", "loops", "hangs", "unanswered"];
    for status in bad {
        server.accept(&event(status, status, json!({})));
    }
    let ended = eventually("all runs have ended", || {
        let all = records(&home, &["deliveries", "--json"]);
        (all.len() == bad.len() && all.iter().all(|it| it["attempts"] == json!(1))).then_some(all)
    });
    let mut states: Vec<_> = ended.iter().map(|it| it["state"].as_str().expect("a word")).collect();
    states.sort_unstable();
    assert_eq!(states, ["blocked", "blocked", "blocked", "dead", "pending", "pending", "pending"]);
    assert_eq!(kept(&home), Vec::<String>::new());
    assert_eq!(records(&home, &["events", "--json"]).len(), bad.len(), "nothing was emitted");

    // One that ends well: all of it, and of no other.
    server.accept(&event("good", "good", json!({})));
    eventually("the derived event", || (home.lines("derived.txt").len() == 1).then_some(()));
    eventually("the effect", || (home.lines("effects.txt").len() == 1).then_some(()));
    assert_eq!(
        (home.lines("derived.txt"), home.lines("effects.txt")),
        (vec!["good".into()], vec!["good 1".into()])
    );
    assert_eq!(kept(&home), ["count=1", "done=1", "seen/good=true"]);
}

#[test]
fn a_run_that_is_killed_in_the_middle_runs_again_from_its_beginning() {
    let (silent, api) = (TcpListener::bind("127.0.0.1:0").expect("port 0 is free"), Receiver::start());
    let home = home(&silent, &api, "60s");
    home.write("rules/main.rhai", &SCRIPT.replace("vars.api", "vars.silent, timeout: 60"));
    let server = home.start();
    let id = server.accept(&event("asks", "asks", json!({})));
    // It has asked: everything before that is done, as far as the script knows.
    let (mut asked, _) = silent.accept().expect("the script connects");
    let (head, _) = crate::support::http::read_head(&mut asked).expect("it asks");
    let key = format!("idempotency-key: {id}/run/script/fetch-1");
    assert!(head.contains(&key), "{head}");
    server.kill();
    assert_eq!(kept(&home), Vec::<String>::new());

    home.write("rules/main.rhai", SCRIPT);
    let _server = home.start();
    let again = api.wait_for(1);
    assert_eq!(again[0].header("idempotency-key"), Some(format!("{id}/run/script/fetch-1").as_str()));
    eventually("the derived event", || (home.lines("derived.txt").len() == 1).then_some(()));
    eventually("the effect", || (home.lines("effects.txt").len() == 1).then_some(()));
    assert_eq!(home.lines("effects.txt"), ["asks 1"]);
    assert_eq!(kept(&home), ["count=1", "done=1", "seen/asks=true"]);
}
