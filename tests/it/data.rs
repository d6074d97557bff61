//! What a sender sends is data all the way: through scripts, effects and kinds to where it ends.

use crate::support::mail::MailServer;
use crate::support::{Home, Receiver, event, eventually};
use serde_json::{Value, json};

const EVIL: &str = "{{ 7*7 }} {% raw %} ${HOME} $${x} ${file:/etc/passwd} ${X:-y}";

const REACT: &str = r#"
fn on_event(event) {
    let evil = event.payload.task_id;
    http(#{ url: vars.http + "/" + url_encode(evil), headers: #{ "x-evil": evil }, json: #{ body: evil, list: [evil] } });
    slack(#{ url: vars.slack, text: evil, blocks: [#{ type: "section", text: evil }] });
    file(#{ path: "out.txt", text: evil });
    log(#{ message: evil });
    emit(#{ type: evil, payload: #{ status: evil, metadata: #{ evil: evil } } });
    email(#{ server: vars.mail, from: `${evil} <a@example.com>`, to: "b@example.com", subject: evil, text: evil });
    exec(#{ program: vars.program, args: [evil] });
    mine(#{ text: evil });
    script(#{ file: "second.rhai", params: #{ text: evil } });
}"#;

fn home(receiver: &Receiver, mail: &MailServer) -> Home {
    let home = Home::with_rules(
        "
retry: {first: 20ms, factor: 1.5, max: 1s}
rules:
  - {name: react, match: {source: browser-use}, actions: [{script: react.rhai}]}
  - {name: derived, match: {source: hookyard, hops: [1]}, actions: [{file: {path: derived.txt, text: '{{ type }}|{{ status }}|{{ metadata.evil }}'}}]}
",
    );
    let program = home.program("argument", "printf '%s\\n' \"$1\" >\"$0.out\"");
    home.configure(&format!("exec: [{program}]\n"));
    home.write(
        "rules/vars.yaml",
        &format!(
            "vars: {{http: '{}', slack: '{}', mail: 'smtp+plain://{}', program: {program}}}",
            receiver.url("/http"),
            receiver.url("/slack"),
            mail.address
        ),
    );
    home.write("rules/react.rhai", REACT);
    home.write(
        "rules/second.rhai",
        "fn on_event(event, params) { file(#{path: \"second.txt\", text: params.text}); }",
    );
    home.write(
        "rules/mine.rhai",
        "const ACTION = #{name: \"mine\", summary: \"Mine.\", params: #{text: \"template\"}};
         fn on_event(event, params) { file(#{path: \"mine.txt\", text: params.text}); }",
    );
    home
}

/// Every effect of the event with its state and attempts, by the end of its id.
fn effects(home: &Home, id: &str) -> Vec<(String, String, u64)> {
    let output = home.ok(&["deliveries", "--json", "--limit", "1000"]);
    let records = output.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record is JSON"));
    let begin = format!("{id}/react/script/");
    let effect = |record: Value| {
        let name = record["id"].as_str()?.strip_prefix(&begin)?.to_owned();
        Some((name, record["state"].as_str()?.to_owned(), record["attempts"].as_u64()?))
    };
    records.filter_map(effect).collect()
}

#[test]
fn nothing_in_an_event_is_ever_looked_up() {
    let (receiver, mail) = (Receiver::start(), MailServer::start(&[]));
    let home = home(&receiver, &mail);
    let mut command = home.command(&["serve"]);
    command.env("HOME", "/RESOLVED").env("x", "RESOLVED").env("X", "RESOLVED");
    let server = home.start_as(command);
    let id = server.accept(&event(EVIL, "finished", json!({})));
    eventually("all effects are delivered", || {
        let effects = effects(&home, &id);
        (effects.len() == 11 && effects.iter().all(|(_, state, _)| state == "delivered")).then_some(())
    });
    let requests = receiver.wait_for(2);
    let of = |path: &str| requests.iter().find(|it| it.path.starts_with(path)).expect(path).clone();
    assert_eq!(of("/http").json(), json!({"body": EVIL, "list": [EVIL]}));
    assert_eq!(of("/http").header("x-evil"), Some(EVIL));
    assert!(of("/http").path.starts_with("/http/%7B%7B%207%2A7%20%7D%7D%20"), "{}", of("/http").path);
    assert_eq!(of("/slack").json(), json!({"text": EVIL, "blocks": [{"type": "section", "text": EVIL}]}));
    for path in ["out.txt", "mine.txt", "second.txt"] {
        assert_eq!(home.lines(path), [EVIL], "{path}");
    }
    eventually("the derived event", || (home.lines("derived.txt").len() == 1).then_some(()));
    assert_eq!(home.lines("derived.txt"), [format!("{EVIL}|{EVIL}|{EVIL}")]);
    let argument = std::fs::read_to_string(home.path("argument.out")).expect("the program ran");
    assert_eq!(argument.trim_end(), EVIL);
    let mail = &mail.wait_for(1)[0];
    assert!(
        mail.contains(&format!("\nSubject: {EVIL}\n")) && mail.contains(&format!("\n{EVIL}\n")),
        "{mail}"
    );
    assert!(server.log().contains(EVIL), "{}", server.log());

    // As it is kept, shown and told.
    let shown = home.ok(&["events", &id, "--json"]) + &home.ok(&["events", "--json"]) + &server.log();
    assert!(shown.contains(&json!(EVIL).to_string()), "{shown}");
    assert!(!shown.contains("RESOLVED") && !shown.contains("root:"), "{shown}");
}

#[test]
fn an_effect_is_retried_and_dies_on_its_own_under_one_id() {
    let (receiver, mail) = (Receiver::start(), MailServer::start(&[]));
    let home = home(&receiver, &mail);
    home.write(
        "rules/react.rhai",
        r#"
fn on_event(event) {
    let first = kv::incr("runs", 1) == 1;
    http(#{ url: vars.http + "/again", json: #{} });
    http(#{ url: vars.http + "/dead", json: #{}, after: "1ms" });
    file(#{ path: "out.txt", text: event.payload.task_id });
}"#,
    );
    let server = home.start();
    receiver.answer_at("/http/again", 503, "later");
    receiver.answer_at("/http/again", 500, "later");
    receiver.answer_at("/http/dead", 410, "gone");
    let id = server.accept(&event("t-1", "finished", json!({})));
    let ended = eventually("each has its end", || {
        let mut effects = effects(&home, &id);
        effects.sort();
        (effects.len() == 3 && effects.iter().all(|(_, state, _)| state != "pending")).then_some(effects)
    });
    let wanted = [("file-1", "delivered", 1), ("http-1", "delivered", 3), ("http-2", "dead", 1)];
    assert_eq!(ended, wanted.map(|(name, state, attempts)| (name.to_owned(), state.to_owned(), attempts)));
    for request in receiver.seen() {
        let name = if request.path == "/http/again" { "http-1" } else { "http-2" };
        let key = format!("{id}/react/script/{name}");
        assert_eq!(request.header("idempotency-key"), Some(key.as_str()));
    }
    assert_eq!(home.lines("out.txt"), ["t-1"], "what was delivered is not sent again");
    assert_eq!(home.ok(&["kv", "get", "react", "runs"]), "1\n", "the script did not run again");
}
