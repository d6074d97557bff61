//! Parameters of effects are data: whatever an event says, nothing in it is ever looked up.

use super::kit::{event_of, json};
use crate::action::{self, Context, Egress, Programs};
use crate::delivery::Effect;
use crate::json::Json;
use crate::registry::{Param, ParamType};
use crate::script::{self, Limits, Scripts};
use crate::secret::{Environment, Resolve};
use crate::template::{Params, Scope, Vars};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What could be taken for a template, a reference or an escape of either.
const EVIL: &str = "{{ 7*7 }}{% raw %}{# no #}${HOME}$${x}${file:/etc/passwd}${X:-y} $HOME {{ vars.secret }}";

const KIND: &str = "const ACTION = #{name: \"mine\", summary: \"Mine.\", params: #{a: \"string\", b: \"template\", c: \"url\", d: \"any\", e: \"list\", f: \"map\", g: \"duration?\"}};
    fn on_event(event, params) { log(#{message: params.a}); }";

/// A value for a parameter with [`EVIL`] wherever a text may be any; `None`: it takes none such.
fn value(kind: &str, param: &Param<'_>) -> Option<Json> {
    let evil = || Json::from(EVIL);
    let in_url = |scheme: &str| Json::from(format!("{scheme}://host.example/{{{{ a }}}}?q={EVIL}"));
    Some(match (kind, param.name) {
        // Two of the three bodies have to stand aside.
        ("http", "body" | "form" | "method") | ("email", "auth") => return None,
        ("http", "headers") => Json::object([("x-evil", evil())]),
        ("http", "auth") => Json::object([("bearer", evil())]),
        ("http", "sign") => Json::Array(vec![evil()]),
        ("http", "forward_headers") => Json::Array(vec!["x-evil".into()]),
        ("email", "server") => "smtps://mail.example".into(),
        ("email", "from") => format!("{EVIL} <a@example.com>").into(),
        ("email", "to" | "cc" | "bcc" | "reply_to") => {
            Json::Array(vec![format!("{EVIL} <b@example.com>").into()])
        }
        ("file", "text") | ("log", "level") => return None,
        ("file", "path") => "a.txt".into(),
        ("script", "file") => "main.rhai".into(),
        ("exec", "program") => "/bin/true".into(),
        ("slack", "blocks" | "attachments") => Json::Array(vec![Json::object([(EVIL, evil())])]),
        ("exec", "args") => Json::Array(vec![evil()]),
        _ => match param.ty {
            ParamType::String | ParamType::Path | ParamType::SlackText | ParamType::Html => evil(),
            ParamType::Url => in_url("https"),
            ParamType::Any | ParamType::SlackAny => Json::object([(EVIL, Json::Array(vec![evil()]))]),
            ParamType::Map => Json::object([(EVIL, evil())]),
            ParamType::List => Json::Array(vec![evil(), Json::object([("deep", evil())])]),
            ParamType::Bool
            | ParamType::Integer
            | ParamType::Number
            | ParamType::Duration
            | ParamType::Bytes => {
                return None;
            }
        },
    })
}

fn scripts() -> Arc<Scripts> {
    let programs: Programs = serde_json::from_str(r#"["/bin/true"]"#).expect("a list of programs");
    let context = Context::new(Egress::default(), std::env::temp_dir()).with_programs(programs);
    let main = |kind: &str| format!("fn on_event(event) {{ {kind}(event.payload.params); }}");
    let mut files = BTreeMap::from([("mine.rhai".to_owned(), Arc::from(KIND))]);
    for kind in kinds() {
        files.insert(format!("{kind}/main.rhai"), main(kind).into());
    }
    files.insert("main.rhai".to_owned(), "fn on_event(event) { }".into());
    let vars = Arc::new(vars());
    let (scripts, problems) = Scripts::compile(&files, &vars, &resolver(), Limits::default(), &context);
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    scripts
}

fn kinds() -> impl Iterator<Item = &'static str> {
    let built_in = action::KINDS.iter().map(|kind| kind.name);
    built_in.chain(script::KINDS.iter().map(|kind| kind.name)).chain(["mine"])
}

fn vars() -> Vars {
    Vars::compile(&json(r#"{"secret":"${HOME}"}"#)).expect("valid vars")
}

/// Where every name in [`EVIL`] has a value.
fn resolver() -> Arc<dyn Resolve> {
    let variables = ["HOME", "x", "X"].map(|name| (name.to_owned(), "RESOLVED".to_owned())).into();
    Arc::new(Environment { variables, ..Environment::default() })
}

/// The effect that a kind's function makes of these parameters, which come from an event.
fn effect(scripts: &Arc<Scripts>, kind: &str, params: &Json) -> Effect {
    let document =
        Json::object([("source", Json::from("s")), ("payload", Json::object([("params", params.clone())]))]);
    let ended = super::kit::run_for(
        scripts,
        &format!("{kind}/main.rhai"),
        event_of(&document.to_string()),
        super::kit::id(),
        &Params::Data(json("{}")),
    );
    let receipt = ended.unwrap_or_else(|error| panic!("{kind} {params}: {error}"));
    assert_eq!(receipt.effects.len(), 1, "{kind}");
    receipt.effects.into_iter().next().expect("it was counted")
}

#[test]
fn every_parameter_of_every_kind_is_kept_and_used_as_it_was_written() {
    let (scripts, vars, resolver) = (scripts(), vars(), resolver());
    let event = event_of(r#"{"source":"s","payload":{}}"#);
    let mut seen = 0;
    for kind in kinds() {
        let schema = scripts.schema(kind).expect(kind);
        let given = schema.iter().filter_map(|param| Some((param.name, value(kind, param)?)));
        let params = Json::object(given.collect::<Vec<_>>());
        seen += params.to_string().matches("7*7").count();
        let effect = effect(&scripts, kind, &params);
        assert!(matches!(effect.params, Params::Data(_)), "{kind}: {:?}", effect.params);
        // Through the journal and back.
        let stored = json(&effect.params.to_stored().to_string());
        let restored = Params::from_stored(&stored).expect(kind);
        let scope = Scope { event: &event, vars: &vars, resolver: &*resolver };
        let rendered = restored.render(scope).expect(kind);
        assert_eq!(rendered.plain.to_string(), params.to_string(), "{kind}: as it is used");
        assert_eq!(rendered.shown().to_string(), params.to_string(), "{kind}: as it is shown");
        assert!(rendered.secrets.is_empty(), "{kind}: {:?}", rendered.secrets.len());
        scripts.action(kind, &restored).map(drop).unwrap_or_else(|errors| panic!("{kind}: {errors:?}"));
    }
    assert!(seen > 25, "only {seen} texts were tried: the table no longer reaches the parameters");
}

/// The parameters that stood aside above.
#[test]
fn so_are_those_that_exclude_others() {
    let (scripts, vars, resolver) = (scripts(), vars(), resolver());
    let event = event_of(r#"{"source":"s","payload":{}}"#);
    for (kind, params) in [
        ("http", format!(r#"{{"url":"https://h.example/","body":"{EVIL}"}}"#)),
        (
            "http",
            format!(
                r#"{{"url":"https://h.example/","form":{{"{EVIL}":"{EVIL}"}},"auth":{{"basic":{{"user":"{EVIL}","password":"{EVIL}"}}}}}}"#
            ),
        ),
        ("file", format!(r#"{{"path":"a.txt","text":"{EVIL}"}}"#)),
        (
            "email",
            format!(
                r#"{{"server":"smtps://m.example","auth":{{"user":"{EVIL}","password":"{EVIL}"}},"from":"a@x.example","to":"b@x.example","subject":"{EVIL}","text":"{EVIL}"}}"#
            ),
        ),
    ] {
        let params = json(&params);
        let effect = effect(&scripts, kind, &params);
        let restored = Params::from_stored(&json(&effect.params.to_stored().to_string())).expect(kind);
        let scope = Scope { event: &event, vars: &vars, resolver: &*resolver };
        assert_eq!(restored.render(scope).expect(kind).plain.to_string(), params.to_string(), "{kind}");
    }
    // What is no such text anyway is refused, and not filled in.
    for (kind, params) in [
        ("http", format!(r#"{{"url":"{EVIL}"}}"#)),
        ("http", format!(r#"{{"url":"https://h.example/","method":"{EVIL}"}}"#)),
        ("log", format!(r#"{{"level":"{EVIL}"}}"#)),
        (
            "email",
            format!(
                r#"{{"server":"{EVIL}","from":"a@x.example","to":"b@x.example","subject":"","text":""}}"#
            ),
        ),
        ("file", format!(r#"{{"path":"../{EVIL}","text":""}}"#)),
        ("script", format!(r#"{{"file":"{EVIL}"}}"#)),
        ("exec", format!(r#"{{"program":"{EVIL}"}}"#)),
    ] {
        let document = format!(r#"{{"source":"s","payload":{{"params":{params}}}}}"#);
        let ended = super::kit::run_for(
            &scripts,
            &format!("{kind}/main.rhai"),
            event_of(&document),
            super::kit::id(),
            &Params::Data(json("{}")),
        );
        let error = ended.expect_err(&params).to_string();
        assert!(!error.contains("RESOLVED") && !error.contains("49"), "{params}: {error}");
    }
}

/// A retry makes the same effects under the same ids; what an event says changes neither.
#[test]
fn an_effect_has_the_same_id_when_its_script_runs_again() {
    let text = "fn on_event(event) {
        for task in event.payload.tasks { log(#{message: task}); }
        log(#{message: uuid(), name: \"named\"});
        script(#{file: \"main.rhai\"});
    }";
    let scripts = super::kit::loaded(&[("main.rhai", text)], Limits::default());
    let ids = || {
        let event = event_of(&format!(r#"{{"source":"s","payload":{{"tasks":["{EVIL}","b"]}}}}"#));
        let nothing = Params::Data(json("{}"));
        let effects = super::kit::run_for(&scripts, "main.rhai", event, super::kit::id(), &nothing)
            .expect("it runs")
            .effects;
        let ids = effects.iter().map(|effect| super::kit::id().effect(&effect.name).to_string());
        ids.map(|id| id.split_once('/').expect("it has a path").1.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(),
        ["rule/script/log-1", "rule/script/log-2", "rule/script/named", "rule/script/script-1"]
    );
    assert_eq!(ids(), ids());
}
