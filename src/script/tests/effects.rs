//! Actions called in scripts.

use super::kit::*;
use crate::action::ActionError;
use crate::script::Limits;
use crate::template::Params;
use std::time::Duration;

#[test]
fn effects_are_named_by_kind_and_number_or_by_the_script() {
    let effects = effects(
        r#"note(#{text: "a"}); note(#{text: "b", name: "mine", after: "5m"}); note(#{text: "c", after: 2}); log(#{});"#,
    );
    let seen: Vec<_> =
        effects.iter().map(|e| (e.name.as_str(), e.kind.as_str(), e.after.as_secs())).collect();
    assert_eq!(
        seen,
        [("note-1", "note", 0), ("mine", "note", 300), ("note-3", "note", 2), ("log-1", "log", 0)]
    );
    assert_eq!(effects[1].after, Duration::from_secs(300));
}

#[test]
fn what_is_wrong_with_a_call_is_said_at_its_line() {
    for (call, wanted) in [
        (r#"note(#{txt: "a"})"#, "did you mean `text`?"),
        ("note(#{})", "`text` is missing"),
        ("note(#{text: 1})", "wants a string, not a number"),
        (r#"note(#{text: "", count: 1.5})"#, "wants a whole number"),
        (r#"note(#{text: "refused"})"#, "is refused here (write another)"),
        (r#"note("text")"#, "takes a map"),
        (r#"note(#{text: "", name: "A b"})"#, "cannot name an effect"),
        (r#"let n = ""; n.pad(65, "a"); note(#{text: "", name: n})"#, "at most 64"),
        (r#"note(#{text: ""}); note(#{text: "", name: "note-1"})"#, "already has an effect named `note-1`"),
        (r#"note(#{text: "", json: || 1})"#, "`note.json` is a function"),
        (r#"note(#{text: "", after: "soon"})"#, "`after` is a duration"),
        (r#"script(#{file: "other.rhai"})"#, "there is no script `other.rhai`"),
    ] {
        let message = blocked(&format!("\n{call};"));
        assert!(message.starts_with("main.rhai:3:"), "{call}: {message}");
        assert!(message.contains(wanted), "{call}: {message}");
    }
}

#[test]
fn absent_values_are_left_out() {
    let call = r#"note(#{text: "a", url: (), json: #{x: (), y: #{z: ()}, list: [()]}});"#;
    assert_eq!(one(call), r#"{"json":{"list":[null],"y":{"z":null}},"text":"a"}"#);
}

#[test]
fn parameters_are_data_however_they_look() {
    let effects = effects("note(#{text: event.payload.evil, json: #{deep: [event.payload.evil]}});");
    let Params::Data(_) = &effects[0].params else { panic!("{:?} is no plain data", effects[0].params) };
    assert!(shown(&effects[0]).contains(r#""text":"${SECRET} {{ headers }} $${x}""#));
}

#[test]
fn a_secret_can_be_passed_on_and_never_read() {
    let effects =
        effects("let list = vars.list; note(#{text: vars.secret, json: #{all: list, params: params}});");
    let Some(Params::Secret(parts)) = effects[0].params.get("text") else { panic!("no secret") };
    assert_eq!(parts.len(), 1);
    assert!(shown(&effects[0]).contains("${TOKEN}"));
    assert_eq!(one("note(#{text: `${vars.secret}`});"), r#"{"text":"${TOKEN}"}"#);
    assert_eq!(
        one("note(#{text: vars.to_json()});"),
        r#"{"text":"{\"list\":[\"a\",\"${B}\"],\"plain\":{\"x\":1},\"secret\":\"${TOKEN}\"}"}"#
    );
    for misuse in [
        r#""Bearer " + vars.secret"#,
        r#"vars.secret + "x""#,
        r#"vars.secret == "guess""#,
        "vars.secret < vars.secret",
    ] {
        let message = blocked(&format!("let x = {misuse};"));
        assert!(message.contains("secret"), "{misuse}: {message}");
    }
    assert!(blocked("vars.secret.len()").contains("no function"), "a secret has no text functions");
    assert!(blocked("vars.secret[0]").contains("index"), "a secret has no characters");
}

#[test]
fn vars_are_the_same_everywhere_and_cannot_be_changed() {
    let text =
        "fn on_event(event) { let f = |n| n + vars.plain.x; note(#{text: `${helper()} ${f.call(1)}`}); }
        fn helper() { vars.plain.x }";
    assert_eq!(shown(&run_file(text).unwrap().effects[0]), r#"{"text":"1 2"}"#);
    for change in ["vars.plain = 2;", "vars.plain.x = 2;", "vars = 1;", "vars.list.push(1);"] {
        let tried = body(&format!("try {{ {change} }} catch {{ }} note(#{{text: vars.to_json()}});"));
        let kept = shown(&tried.expect(change).effects[0]);
        assert!(
            kept.contains(r#"\"plain\":{\"x\":1}"#) && kept.contains(r#"[\"a\",\"${B}\"]"#),
            "{change}: {kept}"
        );
    }
}

#[test]
fn a_script_can_ask_for_a_script_up_to_a_depth() {
    let files = [
        ("main.rhai", r#"fn on_event(e) { script(#{file: "sub/next", params: #{n: 1}}); }"#),
        ("sub/next.rhai", "fn on_event(e) {}"),
    ];
    let scripts = loaded(&files, Limits::default());
    let nothing = Params::Data(json("{}"));
    let effects = run_with(&scripts, &nothing).unwrap().effects;
    assert_eq!(shown(&effects[0]), r#"{"file":"sub/next","params":{"n":1}}"#);
    assert!(scripts.action("script", &effects[0].params).is_ok());
    let mut deep = id();
    deep.effects = vec!["script-1".into(); crate::event::MAX_HOPS];
    let refused = run_for(&scripts, "main.rhai", event(), deep, &nothing).unwrap_err();
    assert!(matches!(&refused, ActionError::Blocked(message) if message.contains("8 times")), "{refused:?}");
}

#[test]
fn an_action_names_a_script_that_can_run() {
    let scripts =
        loaded(&[("react.rhai", "fn on_event(e) {}"), ("lib.rhai", "fn f() {}")], Limits::default());
    let error =
        |params: &str| scripts.action("script", &Params::Data(json(params))).err().expect(params).remove(0);
    assert!(scripts.action("script", &Params::Data(json(r#""react.rhai""#))).is_ok());
    assert_eq!(error(r#""raect.rhai""#).help.as_deref(), Some("did you mean `react.rhai`?"));
    assert_eq!(
        error(r#"{"file":"lib.rhai"}"#).message,
        "`lib.rhai` has no function `on_event(event, params)`"
    );
    assert_eq!(error(r#"{"params":{}}"#).pointer, "/file");
}

#[test]
fn the_real_kinds_are_functions_of_scripts() {
    let text = r##"fn on_event(event) {
        http(#{url: "https://crm.example/x", json: #{id: event.payload.task_id, gone: ()}});
        slack(#{url: vars.secret, text: event.payload.evil});
        file(#{path: "a.jsonl", text: "line"});
        log(#{message: "m", level: "warn"});
    }"##;
    let files = std::collections::BTreeMap::from([("main.rhai".to_owned(), text.into())]);
    let (scripts, problems) = compile(&files);
    assert_eq!(problems, []);
    let effects = run_with(&scripts, &Params::Data(json("{}"))).unwrap().effects;
    assert_eq!(
        effects.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
        ["http-1", "slack-1", "file-1", "log-1"]
    );
    assert_eq!(shown(&effects[0]), r#"{"json":{"id":"t-1"},"url":"https://crm.example/x"}"#);
    assert!(shown(&effects[1]).contains(r#""url":"${TOKEN}""#));
    for kind in crate::action::KINDS {
        let files = std::collections::BTreeMap::from([(
            "main.rhai".to_owned(),
            format!("fn on_event(event) {{ {}(#{{no_such_parameter: 1}}); }}", kind.name).into(),
        )]);
        let (scripts, _) = compile(&files);
        let error = run_with(&scripts, &Params::Data(json("{}"))).unwrap_err().to_string();
        assert!(error.contains("no_such_parameter"), "{}: {error}", kind.name);
    }
}

#[tokio::test]
async fn the_script_action_runs_and_its_effects_can_be_stored() {
    let scripts = loaded(
        &[("main.rhai", "fn on_event(event, params) { note(#{text: `${params.limit}`, url: params.url}); }")],
        Limits::default(),
    );
    let vars = vars();
    let written = json(r#"{"file":"main.rhai","params":{"limit":"{{ payload.cost }}","url":"${TOKEN}"}}"#);
    let params = Params::compile(&written, crate::script::KIND.schema, &vars).unwrap();
    let event = event();
    let resolver = crate::secret::Placeholders;
    let filled =
        params.render(crate::template::Scope { event: &event, vars: &vars, resolver: &resolver }).unwrap();
    let attempt = crate::action::Attempt {
        id: id(),
        number: 1,
        event: std::sync::Arc::new(event),
        body: Default::default(),
        headers: crate::headers::Headers::default(),
        params: filled,
        trace: crate::action::Trace::new(
            crate::headers::Headers::default(),
            crate::event::EventId::new(1, 2),
            1,
        ),
        consent: crate::action::Consent::Author,
        script_consent: crate::action::Consent::Author,
        state: std::sync::Arc::new(crate::kv::Memory::default()),
        answers: None,
        heard: crate::action::Heard::default(),
    };
    let receipt = scripts.action("script", &params).unwrap().deliver(&attempt).await.unwrap();
    assert_eq!(receipt.line, "1 effect");
    assert_eq!(shown(&receipt.effects[0]), r#"{"text":"12","url":"${TOKEN}"}"#);
    let stored = receipt.effects[0].params.to_stored();
    let read = Params::from_stored(&stored).expect("what was written");
    assert!(matches!(read.get("url"), Some(Params::Secret(_))), "{read:?}");
}

/// With the real table of kinds.
fn compile(
    files: &std::collections::BTreeMap<String, std::sync::Arc<str>>,
) -> (std::sync::Arc<crate::script::Scripts>, Vec<crate::diagnostic::Diagnostic>) {
    let vars = std::sync::Arc::new(vars());
    crate::script::Scripts::compile(files, &vars, &resolver(), Limits::default(), &context())
}
