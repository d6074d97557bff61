//! Rhai's errors as sentences that say where and what to write instead.

use super::Limits;
use super::absent::{Site, absent};
use super::fetch::Failed;
use super::functions;
use super::secret::WHOLE;
use super::source::Source;
use super::state::{self, MEMORY_PER_SIZE, Spent};
use crate::diagnostic::Diagnostic;
use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};
use std::fmt;
use std::sync::Arc;

/// An error of a script: where, what, and the calls that led there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Explained {
    pub file: Arc<str>,
    pub position: Position,
    pub message: String,
    /// Function names, innermost first, with the place of each call.
    pub calls: Vec<(String, Arc<str>, Position)>,
}

/// Rhai wraps an error once per call: the innermost one is explained, the wraps are the stack.
pub(super) fn explain(
    error: EvalAltResult,
    file: &str,
    limits: &Limits,
    site: Option<&Site<'_>>,
) -> Explained {
    let (mut error, mut file, mut calls) = (error, Arc::<str>::from(file), Vec::new());
    loop {
        error = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, at) => {
                calls.push((call_name(name), Arc::clone(&file), at));
                if !source.is_empty() {
                    file = source.into();
                }
                *inner
            }
            EvalAltResult::ErrorInModule(_, inner, _) => *inner,
            innermost => {
                calls.reverse();
                let position = innermost.position();
                let message = message(innermost, &file, limits, site);
                return Explained { file, position, message, calls };
            }
        }
    }
}

fn call_name(name: String) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { format!("`{name}`") }
}

/// `react.rhai:3:14: the sentence`, then one line per call.
impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.file, Place(self.position), self.message)?;
        self.calls.iter().try_for_each(|(name, file, at)| match at.is_none() {
            true => write!(f, "\n  in {name}"),
            false => write!(f, "\n  in {name}, called at {file}{}", Place(*at)),
        })
    }
}

/// `:3:14`, or nothing.
struct Place(Position);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.line(), self.0.position()) {
            (Some(line), column) => write!(f, ":{line}:{}", column.unwrap_or(1)),
            _ => Ok(()),
        }
    }
}

/// The sentence about an innermost error.
fn message(mut error: EvalAltResult, file: &str, limits: &Limits, site: Option<&Site<'_>>) -> String {
    if let Some(limit) = state::spent() {
        return spent(limit, limits);
    }
    match &error {
        EvalAltResult::ErrorPropertyNotFound(name, at) => absent(name, file, *at, site),
        EvalAltResult::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => not_found(signature),
        EvalAltResult::ErrorModuleNotFound(path, _) => format!("there is no script `{path}` to import"),
        EvalAltResult::ErrorDataRace(..) => {
            "a closure uses the variable whose method it is handed to: put one of the two into a variable of \
             its own with `let`, or write a `for` loop"
                .to_owned()
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => format!("`{name}` cannot be changed"),
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => "the script threw an error".to_owned(),
        EvalAltResult::ErrorRuntime(value, _) => {
            value.read_lock::<Failed>().map_or_else(|| shown(value), |failed| failed.0.clone())
        }
        EvalAltResult::ErrorStackOverflow(_) => spent(Spent::Depth, limits),
        EvalAltResult::ErrorDataTooLarge(..) => spent(Spent::Size, limits),
        _ => {
            error.clear_position();
            lower_first(&error.to_string())
        }
    }
}

/// How much of a text is told, in a delivery's record and in the log: a script may throw all that a
/// sender sent.
const TOLD_BYTES: usize = 4_000;

/// The beginning of a text that is told.
pub(super) fn told(text: String) -> String {
    if text.len() <= TOLD_BYTES {
        return text;
    }
    let end = (0..=TOLD_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}… ({} bytes)", &text[..end], text.len())
}

/// A value as it is told. One text in many places of a list would be printed many times.
pub(super) fn shown(value: &Dynamic) -> String {
    struct Beginning(String);
    impl fmt::Write for Beginning {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.0.len() > TOLD_BYTES { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut beginning = Beginning(String::new());
    // An error only says that it is enough.
    let _ = fmt::Write::write_fmt(&mut beginning, format_args!("{value}"));
    told(beginning.0)
}

/// `signature` is the name and, in brackets, the kinds of the values: `sha256 (i64)`.
fn not_found(signature: &str) -> String {
    let message = format!("there is no function `{signature}` for values of these kinds");
    let (name, kinds) = signature.split_once(" (").unwrap_or((signature, ""));
    if kinds.trim_end_matches(')').split(", ").any(|kind| kind == "secret") {
        return format!("{message}: {WHOLE}");
    }
    let rows = functions::table().filter(|function| function.path() == name);
    let signatures: Vec<_> = rows.map(|function| format!("`{}`", function.qualified())).collect();
    if signatures.is_empty() { message } else { format!("{message}: it is {}", signatures.join(" or ")) }
}

pub(super) fn spent(limit: Spent, limits: &Limits) -> String {
    match limit {
        Spent::Steps => format!("the script took more steps than limits.script.steps ({})", limits.steps),
        Spent::Time => format!("the script ran longer than limits.script.time ({:?})", limits.time),
        Spent::Size => format!("a value grew past limits.script.size ({})", limits.size),
        Spent::Depth => format!("calls are nested deeper than limits.script.depth ({})", limits.depth),
        Spent::Memory => format!(
            "all values together take more memory than {MEMORY_PER_SIZE} times limits.script.size ({})",
            limits.size
        ),
        Spent::Abandoned => "the attempt's time was over".to_owned(),
    }
}

pub(super) fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let second_is_lower = text.chars().nth(1).is_some_and(|c| !c.is_uppercase());
    match characters.next() {
        Some(first) if second_is_lower => first.to_lowercase().chain(characters).collect(),
        _ => text.to_owned(),
    }
}

/// A syntax error, with the hint that its text calls for.
pub(super) fn syntax(source: &Source, error: &ParseError) -> Diagnostic {
    let problem = source.error(error.position(), parse_message(error.err_type()));
    match parse_help(&source.text, error) {
        Some(help) => problem.with_help(help),
        None => problem,
    }
}

pub(super) fn parse_message(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::VariableUndefined(name) => format!("there is no variable `{name}`"),
        ParseErrorType::ModuleUndefined(name) => format!("there is no import named `{name}`"),
        other => lower_first(&other.to_string()),
    }
}

/// `payload.default`: a word of the language cannot follow a dot.
pub(super) fn parse_help(text: &str, error: &ParseError) -> Option<String> {
    let (before, after) = around(text, error.position())?;
    let word: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let object = dotted(before)?;
    (!word.is_empty()).then(|| format!("`{word}` is a word of the language: write `{object}[\"{word}\"]`"))
}

/// `event.payload` of the text `… event.payload.x`, where `position` is that of `x`.
pub(super) fn dotted_before(text: &str, position: Position) -> Option<&str> {
    dotted(around(text, position)?.0)
}

/// The line of a position, before it and from it on.
fn around(text: &str, position: Position) -> Option<(&str, &str)> {
    let line = text.lines().nth(position.line()? - 1)?;
    let start = line.char_indices().nth(position.position()?.checked_sub(1)?)?.0;
    Some(line.split_at(start))
}

/// The names joined by dots that a text ends in, before its last dot.
fn dotted(text: &str) -> Option<&str> {
    let object = text.trim_end().strip_suffix('.')?;
    let object = object.strip_suffix('?').unwrap_or(object);
    let begin = object.rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let begin = begin.map_or(0, |at| at + object[at..].chars().next().map_or(1, char::len_utf8));
    let path = &object[begin..];
    // What stands before may be more of it: `f(x).a`, `list[0].a`.
    let whole = !path.starts_with('.') && !path.is_empty();
    whole.then_some(path)
}
