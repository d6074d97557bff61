//! The `log` action: one line in hookyard's own log.

use super::{Action, ActionError, ActionKind, Attempt, Context};
use crate::delivery::Receipt;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType};
use crate::template::Params;
use async_trait::async_trait;
use std::sync::Arc;

pub(super) const KIND: ActionKind = ActionKind {
    name: "log",
    summary: "Writes one line to hookyard's own log.",
    example: "log: {message: \"{{ payload.task_id }} is {{ status }}\", level: warn}",
    schema: &[
        Param {
            name: "message",
            ty: ParamType::String,
            required: false,
            summary: "What to write; by default the event's type, status and id.",
        },
        Param {
            name: "level",
            ty: ParamType::String,
            required: false,
            summary: "One of `error`, `warn`, `info` (the default), `debug`, `trace`.",
        },
    ],
    build,
};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn build(params: &Params, _: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let level = params.get("level").and_then(|level| level.literal());
    match level.as_ref().and_then(Json::as_str) {
        Some(level) if !LEVELS.contains(&level) => Err(vec![unknown_level(level)]),
        _ => Ok(Arc::new(Log)),
    }
}

fn unknown_level(level: &str) -> ConfigError {
    ConfigError::at("/level", format!("there is no log level `{level}`"))
        .with_help(format!("it is one of {}", LEVELS.join(", ")))
}

struct Log;

#[async_trait]
impl Action for Log {
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let text = |name| attempt.params.shown().get(name).and_then(Json::as_str);
        let message = one_line(&text("message").map_or_else(|| summary(attempt), str::to_owned));
        let delivery = attempt.id.to_string();
        macro_rules! write {
            ($level:ident) => {
                tracing::$level!(target: "hookyard::action::log", delivery, "{message}")
            };
        }
        match text("level").unwrap_or("info") {
            "error" => write!(error),
            "warn" => write!(warn),
            "info" => write!(info),
            "debug" => write!(debug),
            "trace" => write!(trace),
            other => return Err(ActionError::Blocked(unknown_level(other).message)),
        }
        Ok(Receipt::of("logged"))
    }
}

/// The event in a few words.
fn summary(attempt: &Attempt) -> String {
    let field = |name| attempt.event.get(name).and_then(Json::as_str);
    let id = attempt.event.id().to_string();
    let words = [field("type"), field("status"), Some(id.as_str())];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `text` with control characters (line breaks, terminal sequences) as escapes.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(char::is_control) {
        let (plain, control) = rest.split_at(at);
        let mut chars = control.chars();
        line.push_str(plain);
        line.extend(chars.next().into_iter().flat_map(char::escape_default));
        rest = chars.as_str();
    }
    line.push_str(rest);
    line
}
