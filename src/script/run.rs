//! A run as a transaction: the `script` action hands an event to `on_event` and commits its effects.

use super::absent::Site;
use super::effects::Asked;
use super::explain::{Explained, told};
use super::fetch::Failed;
use super::kv::State;
use super::state::{Active, End, Given, Run, World};
use super::{Scripts, convert, explain, library, pool, state};
use crate::action::{Action, ActionError, Attempt};
use crate::delivery::{DeliveryId, Effect, LANE_CONCURRENCY, Receipt};
use crate::event::Event;
use crate::json::{Json, Object};
use crate::template::Params;
use async_trait::async_trait;
use rhai::{Dynamic, EvalAltResult, Scope};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Runs of a lane that are under way at once if they only compute, where nothing says how many.
const RUNS_AT_ONCE: usize = 48;

/// One file's `on_event`: the `script` action, or a kind that the file is.
pub(super) struct ScriptAction {
    scripts: Arc<Scripts>,
    file: String,
    /// Of a kind: the parameters that may be absent.
    optional: Option<Vec<String>>,
    only_computes: bool,
}

impl ScriptAction {
    pub fn new(scripts: &Arc<Scripts>, file: String, optional: Option<Vec<String>>) -> Self {
        let only_computes = library::only_computes(&scripts.library, &file);
        Self { scripts: Arc::clone(scripts), file, optional, only_computes }
    }

    /// What `on_event` gets as `params`. What is absent of a kind's own is `()`.
    fn params(&self, filled: &Params) -> Params {
        let Some(optional) = &self.optional else { return given_params(filled) };
        let absent = optional.iter().filter(|name| !filled.has(name));
        let absent = absent.map(|name| (name.clone(), Params::Data(Json::Null)));
        match filled {
            Params::Map(members) => Params::Map(members.iter().cloned().chain(absent).collect()),
            Params::Data(Json::Object(object)) => {
                let members = object.iter().map(|(key, value)| (key.to_owned(), Params::Data(value.clone())));
                Params::Map(members.chain(absent).collect())
            }
            other => other.clone(),
        }
    }
}

#[async_trait]
impl Action for ScriptAction {
    /// Those that only compute wait for their turn in the pool, which bounds how many do.
    fn concurrency(&self) -> usize {
        if self.only_computes { RUNS_AT_ONCE } else { LANE_CONCURRENCY }
    }

    fn only_waits(&self) -> bool {
        self.only_computes && pool::is_brisk()
    }

    /// Runs on a thread of the scripts' pool. Dropping the future loses the run's effects and
    /// breaks off a `fetch`; the run itself ends at its own time limit.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let over = CancellationToken::new();
        let _ends_with_this = over.clone().drop_guard();
        let call = Call {
            scripts: Arc::clone(&self.scripts),
            file: self.file.clone(),
            event: Event::clone(&attempt.event),
            id: attempt.id.clone(),
            params: self.params(&attempt.params.filled()),
            world: World {
                runtime: Handle::current(),
                store: Arc::clone(&attempt.state),
                answers: attempt.answers.clone(),
                consent: attempt.script_consent.clone(),
                trace: attempt.trace.clone(),
                over,
            },
        };
        let ended = pool::run(move || call.run()).await;
        ended.unwrap_or_else(|| {
            Err(ActionError::Retry { error: "the script engine failed".to_owned(), after: None })
        })
    }
}

/// `params` of `{file, params}`; the short form has none.
fn given_params(filled: &Params) -> Params {
    filled.get("params").unwrap_or_else(|| Params::Data(Json::Object(Object::new())))
}

/// One call of a file's `on_event`.
pub struct Call {
    pub scripts: Arc<Scripts>,
    pub file: String,
    pub event: Event,
    pub id: DeliveryId,
    pub params: Params,
    pub world: World,
}

impl Call {
    /// Runs it on this thread, to its end. Not on a worker of the runtime: what it waits for is
    /// waited for here.
    ///
    /// # Errors
    /// Every way to end but returning and `drop`.
    pub fn run(self) -> Result<Receipt, ActionError> {
        let Self { scripts, file, event, id, params, world } = self;
        let (given, given_bytes) = state::give(|| Given {
            event: convert::object_to_map(event.document()).into(),
            params: convert::params_to_dynamic(&params),
        });
        let script = scripts.library.get(&file);
        let namespace = script.map_or(file.as_str(), |script| script.namespace.as_str());
        let active = Active::start(
            Run {
                given,
                asked: Asked::nothing(Arc::clone(&scripts), id, &event),
                event,
                state: State::of(namespace),
                file: file.clone(),
                fetches: 0,
                sent: Vec::new(),
                world,
                end: None,
            },
            &scripts.limits,
            given_bytes,
        );
        let result = handle(&scripts, &file);
        let used = state::time_used(scripts.limits.time);
        metrics::histogram!("hookyard_script_seconds").record(used.as_secs_f64());
        settle(active.finish(), result)
    }
}

fn handle(scripts: &Scripts, file: &str) -> Result<(), Box<EvalAltResult>> {
    let mut scope = Scope::new();
    scope.push("file", file.to_owned());
    let driver = match scripts.library.get(file).and_then(|script| script.handler) {
        Some(1) => &scripts.drivers[0],
        _ => &scripts.drivers[1],
    };
    scripts.engine.eval_ast_with_scope::<Dynamic>(&mut scope, driver).map(drop)
}

fn settle(run: Run, result: Result<(), Box<EvalAltResult>>) -> Result<Receipt, ActionError> {
    let failed = result.as_ref().err().and_then(|error| unanswered(error));
    let place = |result: Result<(), Box<EvalAltResult>>| {
        let explained = |error: Box<EvalAltResult>| explain_run(*error, &run);
        result.err().map(|error| told(run.redact(&explained(error).to_string())))
    };
    match run.end.clone() {
        Some(End::Drop(why)) => {
            let why = run.redact(&why);
            Ok(receipt(run, Some(&why)))
        }
        Some(End::Retry { why, wait }) => {
            Err(ActionError::Retry { error: told(run.redact(&why)), after: wait })
        }
        Some(End::Fail(why)) => Err(ActionError::Refused(told(run.redact(&why)))),
        Some(End::Limit(message, file, position)) => {
            let file = file.unwrap_or_else(|| run.file.clone()).into();
            let explained = Explained { file, position, message, calls: Vec::new() };
            Err(ActionError::Blocked(told(explained.to_string())))
        }
        None => match (place(result), state::spent()) {
            (None, None) => Ok(receipt(run, None)),
            (Some(error), None) if failed.is_some() => Err(ActionError::Down(error)),
            (Some(error), _) => Err(ActionError::Blocked(error)),
            // The script caught the error and ended before its next step.
            (None, Some(limit)) => {
                let message = explain::spent(limit, &run.asked.scripts.limits);
                Err(ActionError::Blocked(format!("{}: {message}", run.file)))
            }
        },
    }
}

/// The `fetch` that got no answer, if that is what ended the run.
fn unanswered(error: &EvalAltResult) -> Option<Failed> {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            unanswered(inner)
        }
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast(),
        _ => None,
    }
}

fn explain_run(error: EvalAltResult, run: &Run) -> Explained {
    let text = |file: &str| run.asked.scripts.library.get(file).map(|script| &*script.source.text);
    let site = Site { event: &run.event, text: &text };
    let mut explained = explain::explain(error, &run.file, &run.asked.scripts.limits, Some(&site));
    // The outermost call is the one of `on_event` itself, made from no file. An error that ends
    // the run comes without calls, and with the place of that one.
    let driver = explained.calls.last_mut().map_or(&mut explained.position, |last| &mut last.2);
    *driver = rhai::Position::NONE;
    if let (true, Some((file, at))) = (explained.calls.is_empty(), state::noted_place()) {
        explained.file = file.map_or(explained.file, Into::into);
        explained.position = at;
    }
    explained
}

/// What a run leaves behind that is kept.
fn receipt(run: Run, note: Option<&str>) -> Receipt {
    let effects = run.asked.effects;
    let count = count(&effects);
    let line = note.map_or_else(
        || count.clone(),
        |why| format!("dropped: {} ({count})", one_line(&told(why.to_owned()))),
    );
    Receipt { line, effects, changes: run.state.into_changes(), emitted: Vec::new() }
}

/// `2 effects`.
pub(super) fn count(effects: &[Effect]) -> String {
    match effects.len() {
        0 => "no effects".to_owned(),
        1 => "1 effect".to_owned(),
        count => format!("{count} effects"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
