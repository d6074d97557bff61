//! A small kind table, an event, and one call that loads files and runs one.

use crate::action::{
    Action, ActionError, ActionKind, Answers, Attempt, Canned, Consent, Context, Egress, Trace,
};
use crate::delivery::{DeliveryId, Effect, Receipt};
use crate::diagnostic::{Diagnostic, Severity};
use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::json::{self, Json};
use crate::kv::Memory;
use crate::registry::{ConfigError, Kind, Param, ParamType};
use crate::script::state::World;
use crate::script::{Limits, Scripts, convert, run};
use crate::secret::{Placeholders, Resolve};
use crate::template::{Params, Rendered, Vars, Veil};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;

const fn param(name: &'static str, ty: ParamType, required: bool) -> Param<'static> {
    Param { name, ty, required, summary: "For tests." }
}

pub const KINDS: &[ActionKind] = &[
    Kind {
        name: "note",
        summary: "Notes a text.",
        example: "note: {text: a}",
        schema: &[
            param("text", ParamType::SlackText, true),
            param("json", ParamType::Any, false),
            param("url", ParamType::Url, false),
            param("count", ParamType::Integer, false),
        ],
        build,
    },
    Kind {
        name: "log",
        summary: "Logs.",
        example: "log: {}",
        schema: &[param("message", ParamType::String, false)],
        build,
    },
];

fn build(params: &Params, _: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    match params.get("text").and_then(|text| text.literal()) {
        Some(text) if text.as_str() == Some("refused") => {
            Err(vec![ConfigError::at("/text", "is refused here").with_help("write another")])
        }
        _ => Ok(Arc::new(Nothing)),
    }
}

struct Nothing;

#[async_trait::async_trait]
impl Action for Nothing {
    async fn deliver(&self, _: &Attempt) -> Result<Receipt, ActionError> {
        Ok(Receipt::default())
    }
}

pub fn context() -> Context {
    Context::new(Egress::default(), std::env::temp_dir())
}

pub fn json(text: &str) -> Json {
    json::parse(text.as_bytes()).expect(text)
}

pub fn event() -> Event {
    event_of(
        r#"{"source":"browser-use","type":"agent.task.status_update","status":"finished",
            "metadata":{"team":"marketing","budget":"10","a.b":"dotted"},"headers":{"user-agent":"x"},
            "payload":{"task_id":"t-1","cost":12,"price":0.1,"big":123456789012345678901234567890,
            "long":9223372036854775807,"items":[{"n":1},{"n":2}],"none":null,"ok":true,
            "evil":"${SECRET} {{ headers }} $${x}"}}"#,
    )
}

pub fn event_of(document: &str) -> Event {
    let Json::Object(object) = json(document) else { panic!("an event is an object") };
    Event::new(EventId::new(1, 1), object)
}

pub fn id() -> DeliveryId {
    DeliveryId {
        event: EventId::new(1, 1),
        replay: 1,
        rule: "rule".into(),
        action: "script".into(),
        effects: vec![],
    }
}

pub fn resolver() -> Arc<dyn Resolve> {
    Arc::new(Placeholders)
}

pub fn vars() -> Vars {
    Vars::compile(&json(r#"{"plain":{"x":1},"secret":"${TOKEN}","list":["a","${B}"]}"#)).expect("valid vars")
}

pub fn load(files: &[(&str, &str)], limits: Limits) -> (Arc<Scripts>, Vec<Diagnostic>) {
    let files: BTreeMap<String, Arc<str>> =
        files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    Scripts::compile_with(KINDS, &files, &Arc::new(vars()), &resolver(), limits, &context())
}

/// Loads files that must be fine; what nobody uses in them is.
pub fn loaded(files: &[(&str, &str)], limits: Limits) -> Arc<Scripts> {
    let (scripts, mut problems) = load(files, limits);
    problems.retain(|problem| problem.severity == Severity::Error);
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    scripts
}

pub fn run_with(scripts: &Arc<Scripts>, params: &Params) -> Result<Receipt, ActionError> {
    run_for(scripts, "main.rhai", event(), id(), params)
}

/// Calls a file's `on_event` on this thread.
pub fn run_for(
    scripts: &Arc<Scripts>,
    file: &str,
    event: Event,
    id: DeliveryId,
    params: &Params,
) -> Result<Receipt, ActionError> {
    let (scripts, file, params) = (Arc::clone(scripts), file.to_owned(), params.clone());
    run::Call { scripts, file, event, id, params, world: world(Memory::default()) }.run()
}

/// An attempt at this event with these parameters, where nothing goes out.
pub fn attempt(filled: Params) -> Attempt {
    let plain = convert::shown(&filled);
    let veil = Some(Box::new(Veil { filled, shown: plain.clone() }));
    let params = Rendered { plain, veil, secrets: Vec::new() };
    Attempt {
        id: id(),
        number: 1,
        event: Arc::new(event()),
        body: Default::default(),
        headers: Headers::default(),
        params,
        trace: trace(),
        consent: Consent::Author,
        script_consent: Consent::Author,
        state: Arc::new(Memory::default()),
        answers: None,
        heard: Default::default(),
    }
}

fn trace() -> Trace {
    Trace::new(Headers::default(), EventId::new(1, 2), 1)
}

/// Where nothing goes out and nothing is kept.
pub fn world(store: Memory) -> World {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime for tests"));
    let answer = Canned { url: "https://api.example/tasks/7".into(), ..Canned::ok() };
    World {
        runtime: RUNTIME.handle().clone(),
        store: Arc::new(store),
        answers: Some(Arc::new(Answers::of(vec![answer]))),
        consent: Consent::Hosts(Arc::default()),
        trace: trace(),
        over: CancellationToken::new(),
    }
}

pub fn run_limited(text: &str, limits: Limits) -> Result<Receipt, ActionError> {
    run_with(
        &loaded(&[("main.rhai", text)], limits),
        &Params::Data(Json::object([("limit", Json::from(5u32))])),
    )
}

pub fn run_file(text: &str) -> Result<Receipt, ActionError> {
    // Generous, so that a busy machine changes no verdict.
    run_limited(text, Limits { time: std::time::Duration::from_secs(60), ..Limits::default() })
}

/// Runs statements as the body of `on_event(event, params)`.
pub fn body(statements: &str) -> Result<Receipt, ActionError> {
    run_file(&format!("fn on_event(event, params) {{\n{statements}\n}}"))
}

pub fn effects(statements: &str) -> Vec<Effect> {
    body(statements).expect(statements).effects
}

pub fn blocked(statements: &str) -> String {
    match body(statements) {
        Err(ActionError::Blocked(message)) => message,
        other => panic!("{statements}: {other:?} is not blocked"),
    }
}

pub fn shown(effect: &Effect) -> String {
    convert::shown(&effect.params).to_string()
}

/// The parameters of the one effect of these statements.
pub fn one(statements: &str) -> String {
    let effects = effects(statements);
    assert_eq!(effects.len(), 1, "{statements}");
    shown(&effects[0])
}

/// The value of an expression in a script.
pub fn value(expression: &str) -> Json {
    values(&[expression]).remove(0)
}

/// The values of expressions, all in one script.
pub fn values(expressions: &[&str]) -> Vec<Json> {
    let noted = one(&format!("note(#{{text: \"\", json: [{}]}});", expressions.join(",\n")));
    json(&noted).pointer("/json").and_then(Json::as_array).expect("the list").to_vec()
}
