//! Scripts at work: state under concurrency, fetch, kinds of one's own, derived events, limits.

use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn records(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let output = home.ok(arguments);
    output.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}

/// The last message of the delivery of this action, once it is in this state.
fn message(home: &Home, action: &str, state: &str) -> String {
    let ends = format!("/{action}");
    let found = eventually(&format!("{action} is {state}"), || {
        records(home, &["deliveries", "--json"]).into_iter().find(|it| {
            let is_it = it["id"].as_str().is_some_and(|id| id.ends_with(&ends));
            is_it && it["state"] == state && it["message"] != ""
        })
    });
    found["message"].as_str().expect("a text").to_owned()
}

fn scripted(script: &str) -> Home {
    let home = Home::with_rules(
        "
retry: {first: 20ms, factor: 1.5, max: 1s}
rules:
  - name: r
    match: {source: browser-use}
    actions: [{script: main.rhai}]
",
    );
    home.write("rules/main.rhai", script);
    home
}

#[test]
fn counters_and_first_times_are_exact_and_survive_a_restart() {
    let home = scripted(
        r#"
const KV = "tasks";
fn on_event(event) {
    let count = kv::incr("all", 1);
    let task = event.payload.task_id;
    if kv::get(`seen/${task}`) == () {
        kv::set(`seen/${task}`, count);
        file(#{ path: "first.txt", text: task });
    }
    file(#{ path: "counts.txt", text: `${count}` });
}"#,
    );
    let server = home.start();
    // Three events of each of twenty tasks, four at a time.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for task in 0..20 {
                    let nonce = std::thread::current().id();
                    server.accept(&event(
                        &format!("t-{task}"),
                        "finished",
                        json!({"n": format!("{nonce:?}")}),
                    ));
                }
            });
        }
    });
    let wanted: BTreeSet<String> = (1..=60).map(|count| count.to_string()).collect();
    let lines = |path: &str| home.lines(path);
    eventually("sixty counts", || {
        (lines("counts.txt").into_iter().collect::<BTreeSet<_>>() == wanted).then_some(())
    });
    eventually("twenty first times", || (lines("first.txt").len() >= 20).then_some(()));
    assert_eq!(lines("first.txt").len(), 20, "each task is seen for the first time once");
    assert_eq!(home.ok(&["kv", "get", "tasks", "all"]), "60\n");
    let listed = records(&home, &["kv", "list", "tasks", "--prefix", "seen/", "--json"]);
    assert_eq!(listed.len(), 20);
    // By the server, which alone may write while it runs.
    let mut set = home.command(&["kv", "set", "tasks", "all", "100", "--ttl", "1h"]);
    let set = set.env("HOOKYARD_ADMIN_LISTEN", server.admin.to_string()).output().expect("it runs");
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let listed = records(&home, &["kv", "list", "tasks", "--prefix", "all", "--json"]);
    assert_eq!(listed[0]["value"], 100);
    assert!(listed[0]["expires"].is_string(), "{listed:?}");
    server.stop();
    home.ok(&["kv", "set", "tasks", "all", "1000"]);
    home.ok(&["kv", "delete", "tasks", "seen/t-0"]);
    let server = home.start();
    server.accept(&event("t-0", "finished", json!({"again": "yes"})));
    eventually("the next count", || lines("counts.txt").contains(&"1001".to_owned()).then_some(()));
    eventually("a first time again", || (lines("first.txt").len() == 21).then_some(()));
    let gone = home.run(&["kv", "get", "tasks", "nothing"]);
    assert_eq!(gone.status.code(), Some(1));
}

#[test]
fn a_fetch_is_asked_once_a_run_under_one_key_and_its_answer_read() {
    let api = Receiver::start();
    api.answer(503, "", "later, s3cret");
    api.answer(
        200,
        "x-kind: customer\r\ncontent-type: application/json\r\n",
        r#"{"name":"Ada","id":12345678901234567890123}"#,
    );
    let home = scripted(
        r#"
fn on_event(event) {
    let answer = fetch(#{
        url: vars.api, query: #{ task: event.payload.task_id, tag: ["a b", "c"] }, headers: #{ "x-a": "1" },
        auth: #{ bearer: vars.token },
    });
    if answer.status != 200 {
        log::warn(answer.body);
        retry(`the API says ${answer.status} ${answer.body}`);
    }
    file(#{ path: "names.txt", json: #{ name: answer.json.name, id: answer.json.id, kind: answer.headers["x-kind"] } });
}"#,
    );
    home.write(
        "rules/vars.yaml",
        &format!("vars: {{api: '{}', token: '${{API_TOKEN}}'}}", api.url("/customers?v=1")),
    );
    let mut command = home.command(&["serve"]);
    command.env("API_TOKEN", "s3cret");
    let server = home.start_as(command);
    let id = server.accept(&event("t&1", "finished", json!({})));
    eventually("the line", || (home.lines("names.txt").len() == 1).then_some(()));
    assert_eq!(home.lines("names.txt"), [r#"{"id":12345678901234567890123,"kind":"customer","name":"Ada"}"#]);
    let seen = api.seen();
    assert_eq!(seen.len(), 2);
    for request in seen {
        assert_eq!(request.method, "GET");
        assert_eq!(request.path, "/customers?v=1&tag=a+b&tag=c&task=t%261");
        assert_eq!(request.header("idempotency-key"), Some(format!("{id}/r/script/fetch-1").as_str()));
        assert_eq!(
            (request.header("authorization"), request.header("x-a")),
            (Some("Bearer s3cret"), Some("1"))
        );
    }
    let shown = home.ok(&["events", &id, "--json"]);
    assert!(shown.contains("the API says 503 later, ${API_TOKEN}") && !shown.contains("s3cret"), "{shown}");
    let log = server.log();
    assert!(log.contains("later, ${API_TOKEN}") && !log.contains("s3cret"), "what an answer repeats: {log}");
}

#[test]
fn a_fetch_without_an_answer_is_caught_or_makes_the_run_one_that_is_retried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let silent = listener.local_addr().expect("it is bound");
    let home = scripted(
        r#"
fn on_event(event) {
    if event.status == "caught" {
        try { fetch(#{ url: vars.silent, timeout: "50ms" }); } catch (error) { file(#{ path: "caught.txt", text: `${error}` }); }
    } else if event.status == "private" {
        fetch(#{ url: event.payload.url });
    } else {
        file(#{ path: "never.txt", text: "x" });
        fetch(#{ url: vars.silent, timeout: "50ms" });
    }
}"#,
    );
    home.write("rules/vars.yaml", &format!("vars: {{silent: 'http://{silent}/'}}"));
    let server = home.start();
    server.accept(&event("t-1", "caught", json!({})));
    eventually("the line", || (home.lines("caught.txt").len() == 1).then_some(()));
    assert_eq!(home.lines("caught.txt"), ["`fetch`: no whole answer within 50ms"]);
    server.accept(&event("t-2", "uncaught", json!({})));
    let waiting = message(&home, "script", "pending");
    assert!(waiting.contains("no whole answer within 50ms") && waiting.contains("main.rhai:9"), "{waiting}");
    assert!(home.lines("never.txt").is_empty(), "nothing of the run happened");
    // A port that nobody consented to, on the machine itself.
    let mut private = event("t-3", "private", json!({}));
    private["payload"]["url"] = json!(format!("http://{}/api/status", server.admin));
    server.accept(&private);
    let blocked = message(&home, "script", "blocked");
    assert!(blocked.contains("egress"), "{blocked}");
}

#[test]
fn scripts_that_wait_for_a_service_that_hangs_hold_up_no_other() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port 0 is free");
    let silent = listener.local_addr().expect("it is bound");
    let home = Home::with_rules(
        "
rules:
  - {name: hangs, match: {status: hang}, actions: [{script: hangs.rhai}]}
  - {name: loops, match: {status: loop}, actions: [{script: loops.rhai}]}
  - {name: works, match: {status: finished}, actions: [{script: works.rhai}]}
",
    );
    home.write("rules/vars.yaml", &format!("vars: {{silent: 'http://{silent}/'}}"));
    home.write("rules/hangs.rhai", "fn on_event(event) { fetch(#{url: vars.silent, timeout: 60}); }");
    home.write("rules/loops.rhai", "fn on_event(event) { loop { } }");
    home.write(
        "rules/works.rhai",
        "fn on_event(event) { file(#{path: \"done.txt\", text: event.payload.task_id}); }",
    );
    let server = home.start();
    // As many as a lane takes at once, and more than there are threads for scripts that compute.
    for number in 0..16 {
        server.accept(&event(&format!("h-{number}"), "hang", json!({})));
    }
    for number in 0..4 {
        server.accept(&event(&format!("l-{number}"), "loop", json!({})));
    }
    for number in 0..10 {
        server.accept(&event(&format!("t-{number}"), "finished", json!({})));
    }
    eventually("the others' work", || (home.lines("done.txt").len() == 10).then_some(()));
    let looped = message(&home, "script", "blocked");
    assert!(looped.contains("limits.script.steps") || looped.contains("limits.script.time"), "{looped}");
    let waiting = records(&home, &["deliveries", "--json", "--pending", "--rule", "hangs"]);
    assert_eq!(waiting.len(), 16, "they wait still");
}

#[test]
fn a_kind_of_ones_own_is_used_in_yaml_and_scripts_and_follows_its_file() {
    let chat = Receiver::start();
    let home = scripted(
        "fn on_event(event) { chat(#{ url: vars.chat, text: \"from a script\", after: \"10ms\" }); }",
    );
    let kind = r#"
const ACTION = #{ name: "chat", summary: "Posts to the chat.", params: #{ url: "url", text: "template", user: "string?" } };
fn on_event(event, params) { http(#{ url: params.url, json: #{ content: params.text, user: params.user } }); }
"#;
    home.write("rules/actions/chat.rhai", kind);
    home.write(
        "rules/chat.yaml",
        &format!(
            "
vars: {{chat: '{}'}}
rules:
  - name: tell
    match: {{source: browser-use}}
    actions: [{{chat: {{url: '{}', text: 'task {{{{ payload.task_id }}}}', user: bot}}}}]
",
            chat.url("/script"),
            chat.url("/yaml")
        ),
    );
    let server = home.start();
    let id = server.accept(&event("{{ t-1 }} ${X}", "finished", json!({})));
    let seen = chat.wait_for(2);
    let of = |path: &str| seen.iter().find(|request| request.path == path).expect(path).clone();
    assert_eq!(of("/yaml").json(), json!({"content": "task {{ t-1 }} ${X}", "user": "bot"}));
    assert_eq!(of("/yaml").header("idempotency-key"), Some(format!("{id}/tell/chat/http-1").as_str()));
    assert_eq!(of("/script").json(), json!({"content": "from a script"}));
    assert_eq!(
        of("/script").header("idempotency-key"),
        Some(format!("{id}/r/script/chat-1/http-1").as_str())
    );
    let shown = home.ok(&["kinds", "chat"]);
    assert!(shown.contains("chat (action, actions/chat.rhai): Posts to the chat."), "{shown}");

    // A parameter that the kind does not have any more is an error where it is used.
    home.save("rules/actions/chat.rhai", &kind.replace(", user: \"string?\"", ""));
    let check = home.run(&["check"]);
    let said = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
    assert!(said.contains("rules/chat.yaml") && said.contains("`user`"), "{said}");
    server.wait_for("the refusal", |status| status["reload"]["ok"] == json!(false));
    home.save("rules/actions/chat.rhai", &kind.replace("content: params.text", "text: params.text"));
    server.wait_for("the mended kind", |status| status["reload"]["ok"] == json!(true));
    server.accept(&event("t-2", "finished", json!({})));
    let seen = chat.wait_for(4);
    assert!(
        seen.iter().any(|request| request.json() == json!({"text": "task t-2", "user": "bot"})),
        "{seen:?}"
    );
}

#[test]
fn what_is_emitted_and_what_hookyard_tells_reaches_the_rules_that_name_it() {
    let gone = Receiver::start();
    gone.answer(410, "", "moved away");
    let home = Home::with_rules(&format!(
        "
rules:
  - name: escalate
    match: {{source: browser-use, status: failed}}
    actions:
      - emit: {{type: task.escalated, payload: {{task: '{{{{ payload.task_id }}}}', status: high, metadata: {{team: sales}}}}}}
      - http: {{url: '{}'}}
  - name: any
    match: any
    actions: [{{file: {{path: any.txt, text: '{{{{ source }}}}'}}}}]
  - name: escalated
    match: {{source: hookyard, type: task.escalated, status: high, metadata: {{team: sales}}, hops: [1]}}
    actions: [{{file: {{path: escalated.txt, text: '{{{{ payload.task }}}} {{{{ parent }}}}'}}}}]
  - name: told
    match: {{source: hookyard, type: [{{prefix: hookyard.}}]}}
    actions: [{{file: {{path: told.txt, text: '{{{{ type }}}} {{{{ payload.error | default(payload.message | default(payload.summary)) }}}}'}}}}]
",
        gone.url("/x")
    ));
    let server = home.start();
    let id = server.accept(&event("t-1", "failed", json!({})));
    eventually("the derived event", || (home.lines("escalated.txt").len() == 1).then_some(()));
    assert_eq!(home.lines("escalated.txt"), [format!("t-1 {id}")]);
    eventually("the dead delivery", || (home.lines("told.txt").len() == 1).then_some(()));
    assert!(
        home.lines("told.txt")[0].starts_with("hookyard.delivery.dead 410"),
        "{:?}",
        home.lines("told.txt")
    );
    assert_eq!(
        home.lines("any.txt"),
        ["browser-use"],
        "a rule sees such events only if it names their source"
    );

    home.save("rules/broken.yaml", "rules: [{name: x}]");
    eventually("the failed reload", || (home.lines("told.txt").len() == 2).then_some(()));
    assert!(home.lines("told.txt")[1].starts_with("hookyard.reload.failed"), "{:?}", home.lines("told.txt"));
    let body = event("t-2", "failed", json!({})).to_string();
    let wrong = [("x-browser-use-timestamp", "1"), ("x-browser-use-signature", "00")];
    for _ in 0..4 {
        let answer = crate::support::http::request(
            server.hooks,
            "POST",
            "/hooks/browser-use",
            &wrong,
            body.as_bytes(),
        );
        assert_eq!(answer.expect("an answer").status, 403);
    }
    eventually("the source that refuses", || (home.lines("told.txt").len() == 3).then_some(()));
    assert!(
        home.lines("told.txt")[2].starts_with("hookyard.source.refusing"),
        "{:?}",
        home.lines("told.txt")
    );
}
