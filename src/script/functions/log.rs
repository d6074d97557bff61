//! What a script writes into hookyard's log: `log::info(text)`, and Rhai's `print` and `debug`.

use super::{Fallible, Function, add, placed};
use crate::action::one_line;
use crate::script::{convert, explain, state};
use rhai::{Dynamic, Engine, ImmutableString, Module, NativeCallContext, Position};
use tracing::Level;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "log",
        signature: "debug(value: any) -> ()",
        summary: "Writes a line into hookyard's log, at level `debug`.",
        example: r#"log::debug("looked at")"#,
        gives: "",
    },
    Function {
        module: "log",
        signature: "info(value: any) -> ()",
        summary: "Writes a line into hookyard's log, at level `info`.",
        example: r#"log::info("seen")"#,
        gives: "",
    },
    Function {
        module: "log",
        signature: "warn(value: any) -> ()",
        summary: "Writes a line into hookyard's log, at level `warn`.",
        example: r#"log::warn(#{left: 3})"#,
        gives: "",
    },
    Function {
        module: "log",
        signature: "error(value: any) -> ()",
        summary: "Writes a line into hookyard's log, at level `error`; the run goes on.",
        example: r#"log::error("no team")"#,
        gives: "",
    },
];

/// How many lines a run may write, and how long each may be: a script may print in a loop, and
/// what it prints may be all that a sender sent.
const MAX_LINES: usize = 100;
const MAX_LINE_CHARS: usize = 2_000;

pub(super) fn register(engine: &mut Engine) {
    let mut module = Module::new();
    for (name, level) in
        [("debug", Level::DEBUG), ("info", Level::INFO), ("warn", Level::WARN), ("error", Level::ERROR)]
    {
        add(&mut module, name, move |context: NativeCallContext, value: Dynamic| -> Fallible<()> {
            let text = text(&value);
            placed(&context, state::work(text.len()))?;
            print(level, &text, context.call_source(), context.call_position());
            Ok(())
        });
    }
    engine.register_static_module("log", module.into());
}

/// A string as it is, anything else as JSON; a secret is its name.
fn text(value: &Dynamic) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return text.to_string();
    }
    convert::to_json(value).map_or_else(|_| explain::shown(value), |json| json.to_string())
}

/// Writes what a script prints, as one line whatever is in it, with its event and place.
pub(in crate::script) fn print(level: Level, text: &str, file: Option<&str>, position: Position) {
    let event = state::with_run(|run| run.asked.id.event.to_string()).unwrap_or_default();
    let own = state::with_run(|run| run.file.clone()).unwrap_or_default();
    let file = file.map_or(own, str::to_owned);
    let line = position.line();
    macro_rules! write {
        ($level:expr, $text:expr) => {
            tracing::event!(target: "hookyard::script", $level, event, file, line, "{}", $text)
        };
    }
    match state::line() {
        0..MAX_LINES => {}
        MAX_LINES => {
            return write!(
                Level::WARN,
                format_args!("this run wrote {MAX_LINES} lines: the rest is left out")
            );
        }
        _ => return,
    }
    let text = state::with_run(|run| bounded(&run.redact(text))).unwrap_or_else(|| bounded(text));
    match level {
        Level::ERROR => write!(Level::ERROR, text),
        Level::WARN => write!(Level::WARN, text),
        Level::INFO => write!(Level::INFO, text),
        _ => write!(Level::DEBUG, text),
    }
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes)", one_line(&text[..end]), text.len()),
        None => one_line(text),
    }
}
