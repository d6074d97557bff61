//! The subcommands as a person uses them.

use crate::support::{Home, event, eventually};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;

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
    for part in
        ["rules/bad.yaml:2:11", "bad.yaml:3:5", "match", "bad.yaml:4:", "http", "mach: {status: finished}"]
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
fn check_warns_of_what_is_not_set_and_needs_no_admin_token() {
    let home = Home::with_rules("rules: [{name: tell, match: any, actions: [{http: {url: '${CRM_URL}'}}]}]");
    home.write("hookyard.yaml", "admin: {token: '${ADMIN_TOKEN}'}\n");
    let output = home.run(&["check"]);
    assert!(output.status.success(), "{output:?}");
    let shown = text(&output.stderr);
    assert!(shown.contains("warning") && shown.contains("CRM_URL"), "{shown}");
    assert_eq!(home.run(&["check", "--env"]).status.code(), Some(1));
    let output = home.run(&["serve"]);
    assert!(text(&output.stderr).contains("ADMIN_TOKEN"), "{output:?}");

    for (wrong, word) in [("- a\n", "map"), ("listen: 127.0.0.1\n", "port")] {
        home.write("hookyard.yaml", wrong);
        let shown = text(&home.run(&["check"]).stderr);
        assert!(shown.contains(word), "{wrong}: {shown}");
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

#[test]
fn explain_tells_then_and_now_rule_by_rule() {
    let home = Home::with_rules(
        "
rules:
  - {name: first, match: {status: finished}, stop: true, actions: [{log: {}}]}
  - {name: second, match: {metadata: {team: [{prefix: mark}]}}, actions: [{log: {}}]}
  - {name: third, match: {payload: {metadata: {task_id: t-1}, cost: [{numeric: ['>', 10]}]}}, actions: [{log: {}}]}
  - {name: stray, match: any, fallback: true, actions: [{log: {}}]}
",
    );
    let server = home.start();
    let mut update = event("t-1", "finished", json!({"team": "marketing"}));
    update["payload"]["cost"] = json!("12");
    let id = server.accept(&update);
    home.save("rules/rules.yaml", "rules: [{name: first, match: {status: idle}, actions: [{log: {}}]}]");
    server.wait_for_generation(1);

    let shown = home.ok(&["explain", &id]);
    for line in [
        "then: generation 1 matched first",
        "second  would match, but `first` before it matched and stops",
        "stray  is a fallback, and `first` matched",
        "✗ status is string \"finished\"; wanted: \"idle\"",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    let record: Value =
        serde_json::from_str(&home.ok(&["explain", "last", "first", "--json"])).expect("JSON");
    assert_eq!(record["then"]["matched"], json!(["first"]));
    assert_eq!(record["now"][0]["matched"], json!(false));

    home.write("event.json", r#"{"status": "idle", "payload": {"status": "idle"}}"#);
    assert!(home.ok(&["explain", "event.json"]).contains("✓ first  matches"));
    home.write("body.json", r#"{"type": "x", "payload": {"status": "idle"}}"#);
    assert!(home.ok(&["explain", "body.json", "--source", "browser-use"]).contains("✓ first  matches"));
    let output = home.run(&["explain", "last", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nobody"), "{output:?}");
}

#[test]
fn explain_tells_a_rule_that_is_off_from_one_that_matches() {
    let home = Home::with_rules(
        "rules: [{name: tell, requires: [NOT_SET], match: any, actions: [{log: {message: '${NOT_SET}'}}]}]",
    );
    home.write("event.json", "{}");
    for arguments in [&["explain", "event.json"][..], &["explain", "event.json", "tell"]] {
        let shown = home.ok(arguments);
        assert!(shown.contains("tell  off: NOT_SET is not set"), "{shown}");
    }
    let record: Value = serde_json::from_str(&home.ok(&["explain", "event.json", "--json"])).expect("JSON");
    assert_eq!(record["off"], json!([{"rule": "tell", "file": "rules.yaml", "why": "NOT_SET is not set"}]));
    let output = home.run(&["explain", "event.json", "tel"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no rule `tel` in rules/: did you mean `tell`?"), "{output:?}");
}

#[test]
fn explain_keeps_alternatives_apart_and_long_values_short() {
    let home = Home::with_rules(
        "rules: [{name: a, match: {$or: [{status: x, type: t}, {status: y}], payload: {text: short, n: 1}}, actions: [{log: {}}]}]",
    );
    let long = "x".repeat(5000);
    home.write("event.json", &json!({"status": "x", "payload": {"text": long, "n": null}}).to_string());
    let shown = home.ok(&["explain", "event.json"]);
    for line in [
        "    ✗ $or\n      ✗ all of\n        ✓ status is string \"x\"; wanted: \"x\"\n        ✗ type is absent",
        "\n      ✗ status is string \"x\"; wanted: \"y\"\n",
        "xxx…; wanted: \"short\"",
        "payload.n is null; wanted: 1",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() < 400), "{shown}");
}

#[test]
fn explain_points_at_what_was_meant() {
    let home = Home::with_rules(
        "rules: [{name: costly, match: {payload: {metadata: {task_id: t-1}, cost: [{numeric: ['>', 10]}]}}, actions: [{log: {}}]}]",
    );
    home.write("event.json", r#"{"payload": {"task_id": "t-1", "cost": "12", "metadata": {}}}"#);
    let shown = home.ok(&["explain", "event.json"]);
    assert!(shown.contains("did you mean payload.task_id?"), "{shown}");
    assert!(shown.contains("found string \"12\", numeric wants a number"), "{shown}");
}

#[test]
fn the_schema_of_rules_is_printed_for_editors() {
    let home = Home::with_rules(RULES);
    let shown = home.ok(&["schema"]);
    let schema: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(schema["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
    assert_eq!(schema["$defs"]["action"]["properties"]["slack"]["required"], json!(["url"]));
    assert!(shown.lines().count() > 100);
    let line: Value = serde_json::from_str(home.ok(&["schema", "--json"]).trim_end()).expect("one line");
    assert_eq!(line, schema);
}

#[test]
fn an_event_is_shown_in_the_order_of_its_document() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    server.accept(&event("t-1", "finished", json!({"team": "a"})));
    for arguments in [&["events", "--json"][..], &["events", "last", "--json"], &["events", "last"]] {
        let shown = home.ok(arguments).replace(": ", ":");
        let places: Vec<_> =
            ["\"id\":", "\"source\":", "\"type\":", "\"status\":", "\"metadata\":", "\"payload\":"]
                .iter()
                .map(|field| shown.find(field).unwrap_or_else(|| panic!("{field} is not in {shown}")))
                .collect();
        assert!(places.is_sorted(), "{arguments:?}: {shown}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let home = Home::with_rules(RULES);
    for command in ["check", "test", "sign"] {
        let mut child = home
            .command(&[command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be run");
        drop(child.stdout.take());
        child.stdin.take().expect("it is piped").write_all(b"{}").ok();
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        assert_eq!(text(&output.stderr), "", "{command}");
    }
}

#[test]
fn an_empty_rule_directory_is_a_problem() {
    let home = Home::with_rules(RULES);
    std::fs::create_dir(home.path("empty")).expect("a directory can be made");
    let output = home.run(&["check", "empty"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("has no rules in it"), "{output:?}");
}

#[test]
fn an_id_that_is_none_is_wrong_usage() {
    let home = Home::with_rules(RULES);
    let output = home.run(&["events", "nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("no event id"), "{output:?}");
}

#[test]
fn flags_win_over_the_environment_before_and_behind_the_word_serve() {
    let home = Home::with_rules(RULES);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let taken = taken.local_addr().expect("a bound socket has an address").to_string();
    for arguments in [["--listen", "127.0.0.1:0", "serve"], ["serve", "--listen", "127.0.0.1:0"]] {
        let mut command = home.command(&arguments);
        command.env("HOOKYARD_LISTEN", format!("{taken}0")).env("HOOKYARD_ADMIN_LISTEN", "");
        let server = home.start_as(command);
        assert!(server.hooks.ip().is_loopback());
        assert!(server.stop().success());
    }
    let mut command = home.command(&["serve"]);
    let refused = command.env("HOOKYARD_LISTEN", "nowhere").output().expect("it can be run");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("cannot listen on nowhere"), "{refused:?}");
}

#[test]
fn send_goes_where_the_environment_says_the_server_listens() {
    let home = Home::with_rules(RULES);
    let server = home.start();
    let mut command = home.command(&["send", "--json"]);
    let output = command.env("HOOKYARD_LISTEN", server.hooks.to_string()).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&answer["status"], &answer["answer"]["status"]), (&json!(200), &json!("success")));
}

#[test]
fn the_built_in_configuration_has_no_lines_to_point_at() {
    let home = Home::with_rules(RULES);
    std::fs::remove_file(home.path("hookyard.yaml")).expect("the file is there");
    let output = home.command(&["check"]).env("BROWSER_USE_SECRET", "").output().expect("it can be run");
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stderr);
    assert!(shown.contains("the secret is empty") && !shown.contains("0:0"), "{shown}");
}

#[test]
fn limits_under_which_nothing_passes_are_refused() {
    let home = Home::with_rules(RULES);
    for (more, key) in
        [("limits: {body_timeout: 0s}", "limits.body_timeout"), ("keep: {size: 1KiB}", "keep.size")]
    {
        home.configure(&format!("{more}\n"));
        let shown = text(&home.run(&["check"]).stderr);
        assert!(shown.contains(key), "{shown}");
    }
}

#[test]
fn definition_files_for_editors_are_written_and_nobody_elses_is_lost() {
    let home = Home::with_rules(RULES);
    home.write(
        "rules/actions/chat.rhai",
        "const ACTION = #{name: \"chat\", summary: \"Posts.\", params: #{text: \"template\"}};\n\
         fn on_event(event, params) { log(#{message: params.text}); }",
    );
    // Also inside the rule directory: they are no scripts.
    for dir in [".rhai", "rules"] {
        let written = home.ok(&["kinds", "--rhai-definitions", dir]);
        assert_eq!(written.lines().count(), 6, "{written}");
        assert!(written.contains(&format!("{dir}/kv.d.rhai")), "{written}");
    }
    let actions = std::fs::read_to_string(home.path(".rhai/actions.d.rhai")).expect("it was written");
    assert!(actions.contains("\n/// Posts.\n") && actions.contains("\nfn chat("), "{actions}");
    assert!(home.ok(&["check"]).contains("1 script: no problems"));

    home.write("rules/actions/chat.rhai", "fn on_event(event) { }");
    home.write(".rhai/kv.d.rhai", "module mine;\n");
    let refused = home.run(&["kinds", "--rhai-definitions", ".rhai"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains(".rhai/kv.d.rhai was not written by this command"));
    assert_eq!(std::fs::read_to_string(home.path(".rhai/kv.d.rhai")).expect("it is there"), "module mine;\n");
    let kept = std::fs::read_to_string(home.path(".rhai/actions.d.rhai")).expect("it is there");
    assert_eq!(kept, actions, "nothing is written beside a file that is refused");
    std::fs::remove_file(home.path(".rhai/kv.d.rhai")).expect("it is there");
    home.ok(&["kinds", "--rhai-definitions", ".rhai"]);
    let renewed = std::fs::read_to_string(home.path(".rhai/actions.d.rhai")).expect("it was written");
    assert!(!renewed.contains("fn chat("), "{renewed}");
}

#[test]
fn the_references_of_the_pages_are_printed() {
    let home = Home::with_rules(RULES);
    let operators = home.ok(&["kinds", "--markdown"]);
    assert!(
        operators.contains("### `prefix`") && operators == home.ok(&["kinds", "--markdown", "operators"])
    );
    let functions = home.ok(&["kinds", "--markdown", "functions"]);
    assert!(functions.contains("| `time::now() -> Time` |") && functions.contains("| `emit(#{…})` |"));
}
