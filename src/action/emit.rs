//! The `emit` action: an event derived from this one, routed by the rules that name `source: hookyard`.

use super::{Action, ActionError, ActionKind, Attempt, Context};
use crate::delivery::{Emitted, Receipt};
use crate::event::OWN_TYPES;
use crate::json::{Json, Object};
use crate::registry::{ConfigError, Param, ParamType};
use crate::template::Params;
use async_trait::async_trait;
use std::sync::Arc;

pub(super) const KIND: ActionKind = ActionKind {
    name: "emit",
    summary: "Derives an event from this one; rules that match `source: hookyard` see it.",
    example: "emit: {type: task.escalated, payload: {task: \"{{ payload.task_id }}\"}}",
    schema: &[
        Param {
            name: "type",
            ty: ParamType::String,
            required: true,
            summary: "Its `type`; those that begin with `hookyard.` are hookyard's own.",
        },
        Param {
            name: "payload",
            ty: ParamType::Map,
            required: false,
            summary: "Its `payload`; `status` and `metadata` in it are the event's, too. Empty by default.",
        },
    ],
    build,
};

fn build(params: &Params, _: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let literal = params.get("type").and_then(|kind| kind.literal());
    match literal.as_ref().and_then(Json::as_str).map(check) {
        Some(Err(message)) => Err(vec![ConfigError::at("/type", message)]),
        _ => Ok(Arc::new(Emit)),
    }
}

fn check(kind: &str) -> Result<(), String> {
    match kind {
        "" => Err("an event's `type` is not empty".to_owned()),
        kind if kind.starts_with(OWN_TYPES) => Err(format!(
            "types that begin with `{OWN_TYPES}` are hookyard's own: choose another, unlike `{kind}`"
        )),
        _ => Ok(()),
    }
}

struct Emit;

#[async_trait]
impl Action for Emit {
    /// Secrets go in as their names: an event is stored and shown.
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let shown = attempt.params.shown();
        let kind = shown.get("type").and_then(Json::as_str).unwrap_or_default();
        check(kind).map_err(ActionError::Blocked)?;
        let payload = shown.get("payload").cloned().unwrap_or_else(|| Json::Object(Object::new()));
        let emitted = vec![Emitted { kind: kind.to_owned(), payload }];
        Ok(Receipt { emitted, ..Receipt::of(format!("emitted {kind}")) })
    }
}
