//! Files with `const ACTION`: what makes one a kind, and what keeps it from being one.

use super::kit::*;
use crate::action::ActionError;
use crate::delivery::DeliveryId;
use crate::event::MAX_HOPS;
use crate::script::Limits;
use crate::secret::Placeholders;
use crate::template::{Params, Scope};

const HANDLER: &str = "fn on_event(event, params) { note(#{text: params.text}); }";

fn action(rest: &str) -> String {
    format!("const ACTION = #{{name: \"chat\", summary: \"Chats.\"{rest}}};\n{HANDLER}")
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    load(files, Limits::default()).1.iter().map(ToString::to_string).collect()
}

/// The one problem of one file.
fn problem(text: &str) -> String {
    let mut found = problems(&[("chat.rhai", text)]);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found.remove(0)
}

#[test]
fn what_is_wrong_with_a_kind_is_said_where_it_says_that_it_is_one() {
    let named = |name: &str| format!("const ACTION = #{{name: {name}, summary: \"Chats.\"}};\n{HANDLER}");
    let of = |params: &str| action(&format!(", params: {params}"));
    for (text, wanted) in [
        (
            format!("const ACTION = #{{summary: \"Chats.\"}};\n{HANDLER}"),
            "`ACTION` has no `name`, or it is no text",
        ),
        (
            format!("const ACTION = #{{name: \"chat\"}};\n{HANDLER}"),
            "`ACTION` has no `summary`, or it is no text",
        ),
        (
            format!("const ACTION = #{{name: \"chat\", summary: \" \"}};\n{HANDLER}"),
            "`ACTION` has no `summary`",
        ),
        (named("5"), "`ACTION` has no `name`, or it is no text"),
        (named("\"\""), "`ACTION` has no `name`"),
        (
            named("\"Chat\""),
            "\"Chat\" cannot name an action kind (scripts call it by that name: a-z, 0-9 and `_`, a letter first)",
        ),
        (named("\"my-chat\""), "\"my-chat\" cannot name an action kind"),
        (named("\"2chat\""), "\"2chat\" cannot name an action kind"),
        (named("\"chät\""), "\"chät\" cannot name an action kind"),
        // Built in: kinds, functions, words of the language, and what stands beside a kind in YAML.
        (named("\"note\""), "`note` is the name of something built in"),
        (named("\"script\""), "`script` is the name of something built in"),
        (named("\"exec\""), "`exec` is the name of something built in"),
        (named("\"fetch\""), "`fetch` is the name of something built in"),
        (named("\"fail\""), "`fail` is the name of something built in"),
        (named("\"parse_json\""), "`parse_json` is the name of something built in"),
        (named("\"len\""), "`len` is the name of something built in"),
        (named("\"print\""), "`print` is the name of something built in"),
        (named("\"switch\""), "`switch` is the name of something built in"),
        (named("\"eval\""), "`eval` is the name of something built in"),
        (named("\"this\""), "`this` is the name of something built in"),
        (named("\"when\""), "`when` is the name of something built in"),
        (named("\"timeout\""), "`timeout` is the name of something built in"),
        (
            action(", parms: #{}"),
            "`ACTION` has `name`, `summary` and `params`, but no `parms` (did you mean `params`?)",
        ),
        (of("[]"), "`params` of `ACTION` is a map of names and types (write `params: #{url: \"url\""),
        (of("\"text\""), "`params` of `ACTION` is a map of names and types"),
        (
            of("#{text: \"strng\"}"),
            "the parameter `text` has no type that there is: \"strng\" (did you mean `string`?)",
        ),
        (
            of("#{text: \"text\"}"),
            "(it is one of string, template, url, number, integer, bool, duration, list, map, any, with `?` if it may be absent)",
        ),
        (of("#{text: 5}"), "the parameter `text` has no type that there is"),
        (of("#{text: \"\"}"), "the parameter `text` has no type that there is"),
        (of("#{name: \"string\"}"), "the parameter `name` would never be handed over"),
        (of("#{after: \"duration?\"}"), "the parameter `after` would never be handed over"),
        (
            format!("const ACTION = make();\n{HANDLER} fn make() {{ #{{}} }}"),
            "`ACTION` says what kind of action the file is (write `const ACTION = #{name: \"…\", summary: \"…\", params: #{…}};`, all of it literal)",
        ),
        (
            format!("const ACTION = #{{name: \"ch\" + \"at\", summary: \"Chats.\"}};\n{HANDLER}"),
            "all of it literal",
        ),
        (format!("const ACTION = \"chat\";\n{HANDLER}"), "`ACTION` says what kind of action the file is"),
        (
            action("").replace("on_event", "on_evnt"),
            "an action kind does its work in a function (add `fn on_event(event, params) { … }`)",
        ),
    ] {
        let found = problem(&text);
        assert!(found.starts_with("chat.rhai:1:7: error: "), "{text}: {found}");
        assert!(found.contains(wanted), "{text}: {found}");
    }
}

#[test]
fn one_name_is_one_file() {
    let text = action(", params: #{text: \"string\"}");
    let found = problems(&[("a.rhai", &text), ("b/c.rhai", &text)]);
    assert_eq!(found, ["b/c.rhai:1:7: error: there is an action kind `chat` already, in a.rhai"]);
}

#[test]
fn all_types_are_taken_and_described() {
    let text = action(
        r#", params: #{a: "string", b: "template? What it says.", c: "url", d: "number", e: "integer", f: "bool", g: "duration", h: "list?", i: "map", j: "any?"}"#,
    );
    let scripts = loaded(&[("chat.rhai", &text.replace("params.text", "params.a"))], Limits::default());
    let kind = scripts.user_kinds().next().expect("it is a kind");
    let shape: Vec<_> = kind.schema().iter().map(|param| (param.name.to_owned(), param.required)).collect();
    assert_eq!(shape.iter().filter(|(_, required)| !required).count(), 3);
    assert_eq!(
        kind.schema().iter().find(|param| param.name == "b").map(|param| param.summary),
        Some("What it says.")
    );
    let example = kind.example();
    assert!(
        example.starts_with("chat: {a: \"{{ status }}\", c: \"https://example.com/\", d: 1, "),
        "{example}"
    );
    assert!(!example.contains("b:") && example.contains("g: 5m") && example.contains("i: {}"), "{example}");
}

fn rendered(scripts: &std::sync::Arc<crate::script::Scripts>, kind: &str, params: &str) -> Params {
    let (vars, event) = (vars(), event());
    let schema = scripts.schema(kind).expect("it is a kind");
    let params = Params::compile(&json(params), &schema, &vars).expect(params);
    params.render(Scope { event: &event, vars: &vars, resolver: &Placeholders }).expect("it renders").filled()
}

async fn delivered(text: &str, params: &str) -> Vec<crate::delivery::Effect> {
    let scripts = loaded(&[("chat.rhai", text)], Limits::default());
    let filled = rendered(&scripts, "chat", params);
    let attempt = attempt(Params::clone(&filled));
    let action = scripts.action("chat", &filled).expect("it builds");
    action.deliver(&attempt).await.expect(params).effects
}

#[tokio::test]
async fn what_is_absent_is_nothing_and_what_is_secret_stays_a_name() {
    let text = "const ACTION = #{name: \"chat\", summary: \"Chats.\", params: #{text: \"template\", url: \"url?\", all: \"any?\"}};
        fn on_event(event, params) {
            note(#{text: `${params.url == ()} ${type_of(params.all)}`, json: #{text: params.text, all: params.all}, url: params.url});
        }";
    let effects = delivered(text, r#"{"text":"{{ payload.evil }}"}"#).await;
    assert_eq!(
        shown(&effects[0]),
        r#"{"json":{"text":"${SECRET} {{ headers }} $${x}"},"text":"true ()"}"#,
        "what an event says is data"
    );
    let text = text.replace("${params.url == ()} ", "");
    let effects = delivered(&text, r#"{"text":"t","url":"${TOKEN}","all":[1,{"deep":"${B}"}]}"#).await;
    assert_eq!(
        shown(&effects[0]),
        r#"{"json":{"all":[1,{"deep":"${B}"}],"text":"t"},"text":"array","url":"${TOKEN}"}"#
    );
    assert!(matches!(effects[0].params.get("url"), Some(Params::Secret(_))));
    let error = loaded(&[("chat.rhai", &text)], Limits::default());
    let schema = error.schema("chat").expect("it is a kind");
    let wrong =
        |params: &str| Params::compile(&json(params), &schema, &vars()).expect_err(params).remove(0).message;
    assert!(wrong("{}").contains("`text` is missing"), "{}", wrong("{}"));
    assert!(wrong(r#"{"text":"t","txt":1}"#).contains("there is no parameter `txt`"));
    assert!(wrong(r#"{"text":5}"#).contains("a text is wanted here, not the number `5`"));
}

#[test]
fn a_kind_is_a_function_whose_parameters_are_checked_where_it_is_called() {
    let kind = action(", params: #{text: \"string\", count: \"integer?\"}");
    let call = |call: &str| {
        let main = format!("fn on_event(event) {{\n  {call};\n}}");
        let scripts = loaded(&[("main.rhai", &main), ("chat.rhai", &kind)], Limits::default());
        run_with(&scripts, &Params::Data(json("{}")))
    };
    let effects =
        call(r#"chat(#{text: event.payload.evil, count: 2, name: "mine", after: "1m"})"#).unwrap().effects;
    assert_eq!(
        (effects[0].name.as_str(), effects[0].kind.as_str(), effects[0].after.as_secs()),
        ("mine", "chat", 60)
    );
    assert_eq!(shown(&effects[0]), r#"{"count":2,"text":"${SECRET} {{ headers }} $${x}"}"#);
    for (wrong, wanted) in [
        ("chat(#{})", "`chat`: `text` is missing"),
        ("chat(#{txt: \"a\"})", "did you mean `text`?"),
        ("chat(#{text: \"\", count: 1.5})", "`chat.count`: wants a whole number"),
        ("chat(5)", "`chat` takes a map of its parameters"),
    ] {
        let message = call(wrong).unwrap_err().to_string();
        assert!(message.starts_with("main.rhai:2:3: ") && message.contains(wanted), "{wrong}: {message}");
    }
    let found = problems(&[("main.rhai", "fn on_event(e) { chta(#{text: \"\"}) }"), ("chat.rhai", &kind)]);
    assert!(found[0].contains("there is no function `chta` (did you mean `chat`?)"), "{found:?}");
}

#[test]
fn a_kind_that_calls_itself_ends_at_the_hop_limit() {
    let text =
        "const ACTION = #{name: \"chat\", summary: \"Chats.\"};\nfn on_event(event) {\n  chat(#{});\n}";
    let scripts = loaded(&[("main.rhai", text)], Limits::default());
    let at = |depth: usize| {
        let id = DeliveryId { effects: vec!["chat-1".to_owned(); depth], ..id() };
        run_for(&scripts, "main.rhai", event(), id, &Params::Data(json("{}")))
    };
    assert_eq!(at(MAX_HOPS - 1).unwrap().effects.len(), 1);
    let ended = at(MAX_HOPS).unwrap_err();
    let wanted = "main.rhai:3:3: effects have effects 8 times over, and no further";
    assert_eq!(ended, ActionError::Blocked(wanted.to_owned()));
    // What is derived is as far from its beginning as it says.
    let derived = event_of(r#"{"source":"hookyard","type":"x","hops":7,"payload":{}}"#);
    let nothing = Params::Data(json("{}"));
    assert_eq!(run_for(&scripts, "main.rhai", derived.clone(), id(), &nothing).unwrap().effects.len(), 1);
    let id = DeliveryId { effects: vec!["chat-1".to_owned()], ..id() };
    assert_eq!(
        run_for(&scripts, "main.rhai", derived, id, &nothing).unwrap_err(),
        ActionError::Blocked(wanted.into())
    );
}
