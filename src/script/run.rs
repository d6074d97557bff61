//! A run as a transaction: the `script` action hands an event to `on_event` and commits its effects.

use super::absent::Site;
use super::explain::Explained;
use super::state::{Active, End, Run};
use super::{Scripts, convert, explain, pool, state};
use crate::action::{Action, ActionError, Attempt};
use crate::delivery::{DeliveryId, Receipt};
use crate::event::Event;
use crate::json::{Json, Object};
use crate::template::Params;
use async_trait::async_trait;
use rhai::{Dynamic, EvalAltResult, Map, Scope};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The `script` action: one file's `on_event`.
pub(super) struct ScriptAction {
    pub scripts: Arc<Scripts>,
    pub file: String,
}

#[async_trait]
impl Action for ScriptAction {
    /// Runs on a thread of the scripts' pool. Dropping the future loses the run's effects; the run
    /// itself ends at its own time limit.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let (scripts, file) = (Arc::clone(&self.scripts), self.file.clone());
        let (event, id) = (Arc::clone(&attempt.event), attempt.id.clone());
        let params = given_params(&attempt.params.filled);
        let ended = pool::run(move || run(&scripts, &file, &event, &id, &params)).await;
        ended.unwrap_or_else(|| {
            Err(ActionError::Retry { error: "the script engine failed".to_owned(), after: None })
        })
    }
}

/// `params` of `{file, params}`; the short form has none.
fn given_params(filled: &Params) -> Params {
    filled.get("params").unwrap_or_else(|| Params::Data(Json::Object(Object::new())))
}

/// Runs a file's `on_event` on this thread, to its end.
///
/// # Errors
/// Every way to end but returning and `drop`.
pub(super) fn run(
    scripts: &Arc<Scripts>,
    file: &str,
    event: &Event,
    id: &DeliveryId,
    params: &Params,
) -> Result<Receipt, ActionError> {
    let document = convert::object_to_map(event.document());
    let active = Active::start(
        Run {
            scripts: Arc::clone(scripts),
            id: id.clone(),
            file: file.to_owned(),
            effects: Vec::new(),
            bytes: 0,
            counts: BTreeMap::new(),
            end: None,
        },
        &scripts.limits,
    );
    let result = call(scripts, file, document, params);
    let run = active.finish();
    settle(run, result, event)
}

fn call(scripts: &Scripts, file: &str, event: Map, params: &Params) -> Result<(), Box<EvalAltResult>> {
    let mut scope = Scope::new();
    scope.push("file", file.to_owned());
    scope.push("event", event);
    scope.push("params", convert::params_to_dynamic(params));
    let driver = match scripts.library.get(file).and_then(|script| script.handler) {
        Some(1) => &scripts.drivers[0],
        _ => &scripts.drivers[1],
    };
    scripts.engine.eval_ast_with_scope::<Dynamic>(&mut scope, driver).map(drop)
}

fn settle(run: Run, result: Result<(), Box<EvalAltResult>>, event: &Event) -> Result<Receipt, ActionError> {
    let place = |result: Result<(), Box<EvalAltResult>>| {
        let explained = |error: Box<EvalAltResult>| explain_run(*error, &run, event);
        result.err().map(explained)
    };
    match run.end.clone() {
        Some(End::Drop(why)) => Ok(receipt(run, Some(&why))),
        Some(End::Retry { why, wait }) => Err(ActionError::Retry { error: why, after: wait }),
        Some(End::Fail(why)) => Err(ActionError::Refused(why)),
        Some(End::Limit(message, file, position)) => {
            let file = file.unwrap_or_else(|| run.file.clone()).into();
            let explained = Explained { file, position, message, calls: Vec::new() };
            Err(ActionError::Blocked(explained.to_string()))
        }
        None => match (place(result), state::spent()) {
            (None, None) => Ok(receipt(run, None)),
            (Some(explained), _) => Err(ActionError::Blocked(explained.to_string())),
            // The script caught the error and ended before its next step.
            (None, Some(limit)) => {
                let message = explain::spent(limit, &run.scripts.limits);
                Err(ActionError::Blocked(format!("{}: {message}", run.file)))
            }
        },
    }
}

fn explain_run(error: EvalAltResult, run: &Run, event: &Event) -> Explained {
    let text = |file: &str| run.scripts.library.get(file).map(|script| &*script.source.text);
    let site = Site { event, text: &text };
    let mut explained = explain::explain(error, &run.file, &run.scripts.limits, Some(&site));
    // The outermost call is the one of `on_event` itself, made from no file. An error that ends
    // the run comes without calls, and with the place of that one.
    let driver = explained.calls.last_mut().map_or(&mut explained.position, |last| &mut last.2);
    *driver = rhai::Position::NONE;
    explained
}

/// What a run leaves behind that is kept.
pub(super) fn receipt(run: Run, note: Option<&str>) -> Receipt {
    let count = match run.effects.len() {
        0 => "no effects".to_owned(),
        1 => "1 effect".to_owned(),
        count => format!("{count} effects"),
    };
    let line = note.map_or_else(|| count.clone(), |why| format!("dropped: {} ({count})", one_line(why)));
    Receipt { line, effects: run.effects }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
