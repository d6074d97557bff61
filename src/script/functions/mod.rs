//! The standard library: what scripts can call beyond Rhai's own functions, by topic.
//!
//! Each topic registers its functions and describes them in a table beside them. What is pure is
//! in `when` too; what reads the clock, draws lots or writes is for scripts only.

mod digest;
mod duration;
mod encode;
mod ids;
mod lists;
mod log;
mod maps;
mod output;
mod regex;
mod text;
mod time;

use super::{convert, fault, fetch, kv, number, outcome, read};
use crate::template::Params;
use rhai::{Dynamic, Engine, EvalAltResult, Module, NativeCallContext, RhaiNativeFunc, Variant};

pub(super) use duration::{Span, read as read_duration, unfit as unfit_duration};
pub(super) use log::print;
pub(super) use output::Output;
pub(super) use time::Time;

pub(in crate::script) type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// A row of the standard library's table: one function with so many parameters.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// `time` of `time::now()`; empty for a function without a module.
    pub module: &'static str,
    /// `name(a: type, b: type) -> type`; the types are `int`, `float`, `String`, `bool`, `list`,
    /// `map`, `any`, `Time`, `Duration` and `()`. What takes one `Time` or `Duration` alone is
    /// also a field of it: `wait.seconds`.
    pub signature: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// An expression; a test evaluates it.
    pub example: &'static str,
    /// The value of the example as JSON. Empty if it is another each time: see
    /// [`Function::is_pure`].
    pub gives: &'static str,
}

impl Function {
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or_default()
    }

    /// As it is called: `time::now`.
    pub fn path(&self) -> String {
        if self.module.is_empty() {
            self.name().to_owned()
        } else {
            format!("{}::{}", self.module, self.name())
        }
    }

    /// The signature with the module before it.
    pub fn qualified(&self) -> String {
        self.path() + self.signature.trim_start_matches(self.name())
    }

    /// Name and type of each parameter.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let list = self.signature.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        list.map_or("", |(list, _)| list).split(", ").filter_map(|parameter| parameter.split_once(": "))
    }

    /// The type of its value.
    pub fn returns(&self) -> &'static str {
        self.signature.rsplit_once(" -> ").map_or("()", |(_, ty)| ty)
    }

    /// Whether the same arguments always give the same value: then it is in `when`, too.
    pub fn is_pure(&self) -> bool {
        !self.gives.is_empty()
    }
}

/// The tables by topic, in the order of the reference.
pub(super) const TOPICS: &[(&str, &[&[Function]])] = &[
    ("Values", &[read::TABLE, number::TABLE]),
    ("How a run ends", &[outcome::TABLE]),
    ("State", &[kv::TABLE]),
    ("Requests", &[fetch::TABLE]),
    ("The log", &[log::TABLE]),
    ("Texts", &[text::TABLE]),
    ("Regular expressions", &[regex::TABLE]),
    ("Lists", &[lists::TABLE]),
    ("Maps", &[maps::TABLE]),
    ("Times and durations", &[time::TABLE, duration::TABLE]),
    ("Digests, encodings, ids", &[digest::TABLE, encode::TABLE, ids::TABLE]),
];

/// Every function of hookyard's own, but the action kinds, which have tables of their own.
pub fn table() -> impl Iterator<Item = &'static Function> {
    TOPICS.iter().flat_map(|(_, tables)| tables.iter().copied().flatten())
}

/// The pure functions.
pub(super) fn register(engine: &mut Engine) {
    text::register(engine);
    lists::register(engine);
    maps::register(engine);
    time::register(engine);
    duration::register(engine);
    regex::register(engine);
    digest::register(engine);
    encode::register(engine);
    ids::register(engine);
}

/// The clock, the dice and the log, for scripts.
pub(super) fn register_impure(engine: &mut Engine) {
    time::register_clock(engine);
    ids::register_random(engine);
    log::register(engine);
}

/// Gives an error the place of the call: Rhai does so for no function of a module.
pub(in crate::script) fn placed<T>(context: &NativeCallContext, result: Fallible<T>) -> Fallible<T> {
    result.map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(context.call_position());
        }
        error
    })
}

/// Adds a function to a module: `time::parse`.
pub(in crate::script) fn add<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
    module: &mut Module,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    rhai::FuncRegistration::new(name).set_into_module(module, function);
}

/// Something that a value has, as a field and as a function: `wait.seconds`.
fn field<T: Variant + Clone, R: Variant + Clone>(engine: &mut Engine, name: &str, read: fn(&T) -> R) {
    engine.register_get(name, move |value: &mut T| read(value));
    engine.register_fn(name, move |value: &mut T| read(value));
}

/// A value as it reads in a text: a string as it is, nothing for `()`, lists and maps as JSON.
fn plain(value: &Dynamic) -> Fallible<String> {
    use crate::json::Json;
    match convert::to_params(value, "value").map_err(|error| fault(error.to_string()))? {
        Params::Data(Json::String(text)) => Ok(text.into()),
        Params::Data(Json::Null) => Ok(String::new()),
        Params::Data(other) => Ok(other.to_string()),
        _ => Err(fault(super::secret::WHOLE)),
    }
}

/// The beginning of a text for an error: it may be anything that a sender wrote.
pub(in crate::script) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let begin: String = text.chars().take(SHOWN).collect();
    let dots = if begin.len() < text.len() { "…" } else { "" };
    format!("{begin:?}{dots}")
}

/// A number that may not be negative: how many of something.
fn count(number: rhai::INT, what: &str) -> Fallible<usize> {
    usize::try_from(number).map_err(|_| fault(format!("{what} cannot be negative ({number})")))
}
