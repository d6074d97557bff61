//! The operator's commands, beside a running server and without one.

use crate::support::home::Server;
use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

/// Posts what is finished; what fails is tried again after minutes.
fn rules(receiver: &Receiver) -> String {
    format!(
        "
retry: {{first: 10m}}
rules:
  - name: post
    match: {{status: finished}}
    actions: [{{http: {{url: '{}', json: {{task: '{{{{ payload.task_id }}}}'}}}}}}]
",
        receiver.url("/in")
    )
}

/// Runs a command as beside this server, or without any.
fn run(home: &Home, server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = home.command(arguments);
    if let Some(server) = server {
        command.env("HOOKYARD_ADMIN_LISTEN", server.admin.to_string());
    }
    command.stdin(Stdio::null()).output().expect("the program can be run")
}

/// The same, with the exit code that it has to have; its standard output.
fn ended(home: &Home, server: Option<&Server>, arguments: &[&str], code: i32) -> String {
    let output = run(home, server, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("output is text")
}

fn ok(home: &Home, server: Option<&Server>, arguments: &[&str]) -> String {
    ended(home, server, arguments, 0)
}

fn record(home: &Home, server: Option<&Server>, arguments: &[&str]) -> Value {
    let shown = ok(home, server, &[arguments, &["--json"]].concat());
    serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn in_state(home: &Home, state: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} {state} deliveries"), || {
        let listed = home.ok(&["deliveries", "--json", "--limit", "1000"]);
        let listed = listed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let found: Vec<_> = listed.filter(|it| it["state"] == json!(state)).collect();
        (found.len() == count).then_some(found)
    })
}

/// Two dead deliveries of two tasks, while the server runs.
fn with_dead(receiver: &Receiver) -> (Home, Server, Vec<String>) {
    receiver.answer(410, "", "gone");
    receiver.answer(410, "", "gone");
    let home = Home::with_rules(&rules(receiver));
    let server = home.start();
    let ids = (0..2).map(|n| server.accept(&event(&format!("t-{n}"), "finished", json!({})))).collect();
    in_state(&home, "dead", 2);
    (home, server, ids)
}

#[test]
fn dead_deliveries_are_tried_again_beside_the_server() {
    let receiver = Receiver::start();
    let (home, server, ids) = with_dead(&receiver);
    let server_of = Some(&server);
    let unasked = run(&home, server_of, &["retry", "--rule", "post"]);
    assert_eq!(unasked.status.code(), Some(2), "nobody can be asked: {unasked:?}");
    assert!(complaint(&unasked).contains("2 deliveries would be tried again: --yes does it"), "{unasked:?}");
    in_state(&home, "dead", 2);
    let first = format!("{}/post/http", ids[0]);
    let shown = ok(&home, server_of, &["retry", &first, "--yes"]);
    assert_eq!(shown, "1 delivery to be tried again now\n");
    in_state(&home, "delivered", 1);
    assert_eq!(record(&home, server_of, &["retry", "--dead", "--yes"])["count"], json!(1));
    in_state(&home, "delivered", 2);
    assert_eq!(ok(&home, server_of, &["retry", "--dead"]), "0 deliveries to be tried again now\n");
    let output = run(&home, server_of, &["retry", &first, "--yes"]);
    assert_eq!((output.status.code(), complaint(&output)), (Some(1), format!("{first}: it is delivered\n")));
}

#[test]
fn dead_deliveries_are_tried_again_while_no_server_runs() {
    let receiver = Receiver::start();
    let (home, server, _) = with_dead(&receiver);
    assert!(server.stop().success());
    let dry = run(&home, None, &["retry", "--since", "2h", "--action", "http"]);
    assert!(complaint(&dry).contains("2 deliveries would be tried again"), "{dry:?}");
    assert_eq!(ok(&home, None, &["retry", "--since", "2h", "--yes"]), "2 deliveries to be tried again now\n");
    assert_eq!(in_state(&home, "pending", 2)[0]["attempts"], json!(1));
    let server = home.start();
    in_state(&home, "delivered", 2);
    assert_eq!(receiver.wait_for(4).len(), 4);
    assert!(server.stop().success());
}

#[test]
fn open_deliveries_are_cancelled_with_a_server_and_without() {
    let receiver = Receiver::start();
    for _ in 0..3 {
        receiver.answer(500, "", "");
    }
    let home = Home::with_rules(&rules(&receiver));
    let server = home.start();
    let ids: Vec<_> =
        (0..3).map(|n| server.accept(&event(&format!("t-{n}"), "finished", json!({})))).collect();
    eventually("three attempts", || {
        in_state(&home, "pending", 3).iter().all(|it| it["attempts"] == json!(1)).then_some(())
    });
    assert_eq!(ok(&home, Some(&server), &["cancel", "--event", &ids[0], "--yes"]), "1 delivery given up\n");
    assert_eq!(ok(&home, Some(&server), &["cancel", "--blocked", "--yes"]), "0 deliveries given up\n");
    assert!(server.stop().success());
    let unasked = run(&home, None, &["cancel", "--pending"]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(complaint(&unasked).contains("2 deliveries would be given up"), "{unasked:?}");
    let done = record(&home, None, &["cancel", "--rule", "post", "--yes"]);
    assert_eq!((&done["count"], &done["under_way"]), (&json!(2), &json!(0)));
    assert!(in_state(&home, "dead", 3).iter().all(|it| it["message"] == json!("cancelled")));
    assert_eq!(ok(&home, None, &["retry", "--dead", "--yes"]), "3 deliveries to be tried again now\n");
}

#[test]
fn the_server_of_another_project_is_not_acted_on() {
    let receiver = Receiver::start();
    let (home, server, _) = with_dead(&receiver);
    let other = Home::with_rules(&rules(&receiver));
    other.start().stop();
    for arguments in [
        &["retry", "--dead", "--yes"][..],
        &["cancel", "--rule", "post", "--yes"],
        &["replay", "--since", "1h", "--yes"],
        &["replay", "--refused", "--yes"],
        &["kv", "set", "n", "k", "1"],
        &["tail"],
    ] {
        let output = run(&other, Some(&server), arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let complaint = complaint(&output);
        assert!(complaint.contains("it is another project's: set admin.listen"), "{complaint}");
    }
    assert_eq!(in_state(&home, "dead", 2).len(), 2);
    assert_eq!(ok(&home, None, &["kv", "list", "n"]), "KEY  EXPIRES  VALUE\n");
    // Where no journal is, the server is meant that listens there.
    let remote = Home::with_rules(&rules(&receiver));
    assert_eq!(
        ok(&remote, Some(&server), &["retry", "--dead", "--yes"]),
        "2 deliveries to be tried again now\n"
    );
}

#[test]
fn wrong_usage_is_told() {
    let home = Home::with_rules("rules: [{name: post, match: any, actions: [{log: {}}]}]");
    for long_ago in [&["events"][..], &["deliveries"], &["plan"], &["retry", "--yes"]] {
        let output = run(&home, None, &[long_ago, &["--since", "99999999y"]].concat());
        assert!(complaint(&output).contains("there is no such file"), "{long_ago:?}: {output:?}");
    }
    for arguments in [
        &["retry", "--yes"][..],
        &["cancel"],
        &["replay", "--rule", "post"],
        &["retry", "not-an-id"],
        &["retry", "evt_01JDFV3M4X0000000000000000/r/a", "--rule", "r"],
        &["replay", "evt_01JDFV3M4X0000000000000000", "--since", "1h"],
        &["replay", "--since", "soon"],
        &["cancel", "--pending", "--blocked"],
        &["generations", "use", "newest"],
    ] {
        let output = run(&home, None, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(!complaint(&output).is_empty(), "{arguments:?}");
    }
    for arguments in [
        &["retry", "--dead", "--yes"][..],
        &["cancel", "--pending"],
        &["replay", "--since", "1h", "--yes"],
        &["plan"],
        &["generations"],
        &["generations", "use", "1", "--yes"],
    ] {
        let output = run(&home, None, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(complaint(&output).contains("hookyard.db"), "there is no journal yet: {output:?}");
    }
    assert!(!home.path("data").exists(), "asking makes nothing");
}

#[test]
fn a_token_is_sent_and_a_wrong_one_is_refused() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let config =
        |token: &str| format!("listen: 127.0.0.1:0\nadmin: {{listen: '127.0.0.1:0', token: {token}}}\n");
    home.write("hookyard.yaml", &config("right"));
    let server = home.start();
    let id = server.accept(&event("t-1", "finished", json!({})));
    in_state(&home, "delivered", 1);
    ok(&home, Some(&server), &["replay", &id, "--yes"]);
    in_state(&home, "delivered", 2);
    ok(&home, Some(&server), &["health"]);
    home.write("other.yaml", &config("wrong"));
    for command in [&["retry", "--dead", "--yes"][..], &["replay", &id, "--yes"], &["tail"]] {
        let output = run(&home, Some(&server), &[&["--config", "other.yaml"], command].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}: {output:?}");
        assert!(complaint(&output).contains("the server refuses: send the admin token"), "{output:?}");
    }
}

#[test]
fn events_are_replayed_beside_the_server_and_without() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let server = home.start();
    let finished = server.accept(&event("t-1", "finished", json!({})));
    let idle = server.accept(&event("t-2", "idle", json!({})));
    in_state(&home, "delivered", 1);
    let unasked =
        run(&home, Some(&server), &["replay", "--since", "2h", "--type", "agent.task.status_update"]);
    assert_eq!(unasked.status.code(), Some(2));
    let why = "2 events would be replayed by generation 1: post/http 1: --yes does it";
    assert!(complaint(&unasked).contains(why), "{unasked:?}");
    let shown = ok(&home, Some(&server), &["replay", "--unmatched"]);
    assert_eq!(shown, "1 event would be replayed by generation 1, and nothing comes of it\n");
    ok(&home, Some(&server), &["replay", &finished, "--yes"]);
    in_state(&home, "delivered", 2);
    let wrong = run(&home, Some(&server), &["replay", "--since", "1h", "--rule", "pots"]);
    assert!(complaint(&wrong).contains("did you mean `post`?"), "{wrong:?}");
    assert!(server.stop().success());

    home.write("rules/rules.yaml", &rules(&receiver).replace("finished", "[finished, idle]"));
    let wrong = run(&home, None, &["replay", "--since", "1h", "--rule", "pots"]);
    assert!(complaint(&wrong).contains("did you mean `post`?"), "{wrong:?}");
    let done = record(&home, None, &["replay", "--unmatched", "--rule", "post", "--yes"]);
    assert_eq!(
        (&done["events"], &done["deliveries"], &done["generation"]),
        (&json!(1), &json!(1), &json!(2))
    );
    let pending = in_state(&home, "pending", 1);
    assert_eq!(pending[0]["id"], json!(format!("{idle}~2/post/http")));
    let unknown = "evt_01JDFV3M4X0000000000000000";
    let output = run(&home, None, &["replay", unknown, "--yes"]);
    assert_eq!(
        (output.status.code(), complaint(&output)),
        (Some(1), format!("{unknown}: there is no such event\n"))
    );
    let server = home.start();
    in_state(&home, "delivered", 3);
    assert_eq!(server.status()["generation"], json!(2), "what the replay went by is what is served");
    let shown: Value = serde_json::from_str(&home.ok(&["events", &idle, "--json"])).expect("JSON");
    assert_eq!(
        (&shown["replays"][0]["number"], &shown["replays"][0]["rules"]),
        (&json!(2), &json!(["post"]))
    );
    assert_eq!(shown["verified"], json!({"form": "python", "secret": 0}));
    let text = home.ok(&["events", &idle]);
    assert!(text.contains("replayed as ~2") && text.contains("signed as python with secret 1"), "{text}");
    home.write("rules/rules.yaml", "rules: [{name: x");
    assert!(server.stop().success());
    let broken = run(&home, None, &["replay", &idle, "--yes"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(complaint(&broken).contains("rules.yaml:1"), "{broken:?}");
}

#[test]
fn a_plan_tells_what_is_gained_and_lost_and_touches_nothing() {
    let home = Home::with_rules(
        "
rules:
  - {name: finished, match: {status: finished}, actions: [{log: {}}]}
  - {name: gone, match: {status: idle}, actions: [{log: {}}]}
",
    );
    let server = home.start();
    let first = server.accept(&event("t-1", "finished", json!({})));
    server.accept(&event("t-2", "idle", json!({})));
    server.accept(&event("t-3", "failed", json!({})));
    in_state(&home, "delivered", 2);
    home.write(
        "edited/rules.yaml",
        "
vars: {crm: '${CRM_URL}'}
rules:
  - name: finished
    match: {status: [finished, failed]}
    actions:
      - http: {url: '{{ vars.crm }}', auth: {bearer: '${CRM_TOKEN}'}, json: {task: '{{ payload.task_id }}'}}
      - script: react.rhai
      - script: {file: ask.rhai}
        name: ask
      - file: {path: a.txt, text: '{{ payload.missing }}'}
  - name: calm
    match: {source: browser-use}
    throttle: {per: '{{ source }}', within: 1h}
    actions: [{log: {}, name: calm}]
  - {name: odd, match: {status: failed}, when: payload.task_id > 3, actions: [{log: {}}]}
",
    );
    home.write(
        "edited/react.rhai",
        "fn on_event(event) { if event.status == \"failed\" { log(#{message: event.payload.task_id}); } }",
    );
    home.write(
        "edited/ask.rhai",
        "fn on_event(event) { try { fetch(#{url: \"https://api.example/x\"}); } catch { } log(#{message: \"x\"}); }",
    );
    let lines = |arguments: &[&str]| -> Vec<Value> {
        let shown = ok(&home, Some(&server), &[&["plan", "edited", "--json"], arguments].concat());
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let records = lines(&["--since", "24h"]);
    let rule = |name: &str| {
        records.iter().find(|it| it["rule"] == json!(name) && it["then"].is_u64()).expect("a rule")
    };
    let counts = |name: &str| {
        ["then", "now", "gained", "lost"].map(|field| rule(name)[field].as_u64().expect("a number"))
    };
    assert_eq!(counts("finished"), [1, 2, 1, 0]);
    assert_eq!(counts("gone"), [1, 0, 0, 1]);
    assert_eq!(counts("odd"), [0, 1, 1, 0]);
    let lane = |action: &str| records.iter().find(|it| it["action"] == json!(action)).expect("a lane");
    assert_eq!(lane("http")["requests"], json!({"http": 2}));
    assert_eq!((&lane("script")["requests"], &lane("script")["silent"]), (&json!({"log": 1}), &json!(1)));
    assert_eq!((&lane("ask")["requests"], &lane("ask")["unknown"]), (&json!({}), &json!(2)));
    assert_eq!(lane("file")["blocked"], json!(2));
    assert!(lane("file")["why"].as_str().expect("text").contains("missing"));
    assert_eq!(lane("log")["blocked"], json!(1), "its `when` errs");
    assert_eq!(
        (&lane("calm")["requests"], &lane("calm")["under_storm_control"]),
        (&json!({"log": 3}), &json!(3))
    );
    assert_eq!(lane("http")["under_storm_control"], json!(0));
    let shown = lines(&["--show", "--status", "finished"]);
    let request = shown.iter().find(|it| it["kind"] == json!("http")).expect("it is shown");
    assert_eq!(request["delivery"], json!(format!("{first}/finished/http")));
    assert_eq!(request["params"]["json"], json!({"task": "t-1"}));
    assert_eq!(request["params"]["auth"], json!({"bearer": "${CRM_TOKEN}"}), "secrets are names");

    let text = ok(&home, Some(&server), &["plan", "edited"]);
    for part in [
        "3 events by the rules of edited",
        "GAINED",
        "  2 http",
        "up to 3 log",
        "a throttle",
        "`fetch`",
        "Nothing was sent",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(home.ok(&["events", "--json"]).lines().count(), 3);
    assert_eq!(home.ok(&["deliveries", "--json"]).lines().count(), 2);
    assert_eq!(record(&home, None, &["generations"])["number"], json!(1), "no generation was made");
    assert!(server.stop().success());
    assert!(
        ok(&home, None, &["plan", "edited", "--since", "1h"]).contains("3 events"),
        "without a server, too"
    );
    home.write("edited/rules.yaml", "rules: [{nam: x}]");
    let wrong = run(&home, None, &["plan", "edited"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(complaint(&wrong).contains("edited/rules.yaml:1"), "{wrong:?}");
}

#[test]
fn generations_are_listed_compared_and_gone_back_to() {
    let one = "rules: [{name: one, match: any, actions: [{log: {}}]}]\n";
    let two = "rules: [{name: two, match: any, actions: [{log: {}}]}]\n";
    let home = Home::with_rules(one);
    let server = home.start();
    home.save("rules/rules.yaml", two);
    home.save("rules/teams/more.yaml", "rules: [{name: more, match: any, actions: [{log: {}}]}]\n");
    eventually("both are served", || (server.status()["rules"] == json!(["two", "more"])).then_some(()));
    let generation = server.status()["generation"].as_u64().expect("a number");
    let (newest, server_of) = (generation.to_string(), Some(&server));
    let listed = ok(&home, server_of, &["generations"]);
    assert!(listed.contains("(this one)") && listed.lines().count() as u64 == generation + 1, "{listed}");
    let diff = ok(&home, server_of, &["generations", "diff", "1", &newest]);
    for part in [
        "--- a/rules.yaml\n+++ b/rules.yaml\n",
        "-rules: [{name: one",
        "+rules: [{name: two",
        "+++ b/teams/more.yaml",
    ] {
        assert!(diff.contains(part), "{part} is not in\n{diff}");
    }
    assert_eq!(ok(&home, server_of, &["generations", "diff", &newest]), "", "it is what is there now");
    let records = ok(&home, server_of, &["generations", "diff", "1", &newest, "--json"]);
    let first: Value = serde_json::from_str(records.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["path"], &first["change"]), (&json!("rules.yaml"), &json!("changed")));

    let unasked = run(&home, server_of, &["generations", "use", "1"]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unasked.stdout).contains("removed  teams/more.yaml"), "{unasked:?}");
    assert_eq!(server.status()["rules"], json!(["two", "more"]), "nothing was done");
    let done = ok(&home, server_of, &["generations", "use", "1", "--yes"]);
    assert!(done.contains("is served: 1 rule"), "{done}");
    assert_eq!(server.status()["rules"], json!(["one"]));
    let read = |path: &str| std::fs::read_to_string(home.path(path)).unwrap_or_default();
    assert_eq!((read("rules/rules.yaml"), read("rules/rules.yaml~")), (one.to_owned(), two.to_owned()));
    assert!(!home.path("rules/teams/more.yaml").exists() && read("rules/teams/more.yaml~").contains("more"));
    assert!(ok(&home, server_of, &["generations", "use", "1"]).contains("is generation 1 already"));
    assert!(server.stop().success());

    ok(&home, None, &["generations", "use", &newest, "--yes"]);
    assert_eq!(read("rules/rules.yaml"), two);
    assert!(read("rules/teams/more.yaml").contains("more"));
    let missing = run(&home, None, &["generations", "use", "99", "--yes"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(complaint(&missing).contains("there is no generation 99"), "{missing:?}");
}

#[test]
fn lists_have_the_filters_of_the_api() {
    let receiver = Receiver::start();
    let (home, server, ids) = with_dead(&receiver);
    let idle = server.accept(&event("t-9", "idle", json!({})));
    let listed = |arguments: &[&str]| -> Vec<String> {
        let shown = ok(&home, None, &[arguments, &["--json"]].concat());
        let id = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let id = record["event"]["id"].as_str().or(record["id"].as_str());
            id.expect("an id").to_owned()
        };
        shown.lines().map(id).collect()
    };
    assert_eq!(listed(&["events", "--unmatched"]), [idle]);
    assert_eq!(listed(&["events", "--rule", "post", "--since", "1h"]).len(), 2);
    assert!(listed(&["events", "--until", "1h"]).is_empty());
    let (first, second) = (format!("{}/post/http", ids[0]), format!("{}/post/http", ids[1]));
    assert_eq!(
        listed(&["deliveries", "--dead", "--action", "http", "--since", "1h"]),
        [second.clone(), first.clone()]
    );
    assert_eq!(listed(&["deliveries", "--before", &second]), [first]);
    assert!(listed(&["deliveries", "--action", "log"]).is_empty());
}

#[test]
fn tail_follows_and_health_tells() {
    let receiver = Receiver::start();
    let home = Home::with_rules(&rules(&receiver));
    let gone = run(&home, None, &["health"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stdout).contains("no server answers"), "{gone:?}");
    let gone = run(&home, None, &["tail"]);
    assert_eq!((gone.status.code(), complaint(&gone).contains("no server answers")), (Some(1), true));

    let server = home.start();
    assert_eq!(ok(&home, Some(&server), &["health"]), "ready\n");
    assert_eq!(record(&home, Some(&server), &["health"]), json!({"ready": true, "why": null}));
    let tails = [&["tail"][..], &["tail", "--json"]].map(|arguments| {
        let mut command = home.command(arguments);
        command.env("HOOKYARD_ADMIN_LISTEN", server.admin.to_string());
        let mut tail =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be started");
        let lines = BufReader::new(tail.stdout.take().expect("it is piped")).lines();
        let (sender, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        (tail, told)
    });
    // Who has connected by then is told of it: so there are events until both have told of one.
    let mut count = 0;
    let first = tails.each_ref().map(|(_, told)| {
        eventually("a line", || {
            count += 1;
            server.accept(&event(&format!("t-{count}"), "finished", json!({})));
            told.try_recv().ok()
        })
    });
    assert!(first[0].contains(" received evt_") || first[0].contains(" delivered evt_"), "{first:?}");
    let record: Value = serde_json::from_str(&first[1]).expect("JSON");
    assert!(record["what"].is_string(), "{record}");
    assert!(server.stop().success());
    for (mut tail, _told) in tails {
        assert_eq!(tail.wait().expect("it ends").code(), Some(1), "the server has stopped");
    }
    let empty = Home::with_rules("rules: [{name: x");
    let server = empty.start();
    let unready = run(&empty, Some(&server), &["health"]);
    assert_eq!(unready.status.code(), Some(1), "{unready:?}");
    assert!(String::from_utf8_lossy(&unready.stdout).contains("rules"), "{unready:?}");
}
