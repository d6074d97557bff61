//! The Rhai engines: what scripts and conditions can call, and every limit set explicitly.

use super::library::Resolver;
use super::state::{self, Spent};
use super::{Limits, compare, fault, fetch, kv, number, outcome, read, secret, sizes, text};
use crate::action::one_line;
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, Position};
use std::sync::PoisonError;

/// How deep expressions may nest: outside of functions, and within.
const EXPRESSION_DEPTHS: (usize, usize) = (64, 32);
const MAX_VARIABLES: usize = 1_000;
const MAX_FUNCTIONS: usize = 1_000;
const MAX_MODULES: usize = 100;

/// The engine of scripts: `vars` everywhere, the outcomes, imports from memory. The action kinds
/// are added when it is known which there are.
pub(super) fn script(limits: &Limits, vars: Dynamic, files: Resolver) -> Engine {
    let mut engine = base(limits, vars);
    engine.set_module_resolver(files);
    outcome::register(&mut engine);
    text::register(&mut engine);
    kv::register(&mut engine);
    fetch::register(&mut engine);
    engine.on_print(|text| print(text, None, Position::NONE));
    engine.on_debug(print);
    engine
}

/// The engine of conditions: values and pure functions only.
pub(super) fn condition(limits: &Limits, vars: Dynamic) -> Engine {
    let mut engine = base(limits, vars);
    for symbol in ["print", "debug", "import", "fn", "let", "const", "throw"] {
        engine.disable_symbol(symbol);
    }
    engine
}

fn base(limits: &Limits, vars: Dynamic) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    set_limits(&mut engine, limits);
    set_language(&mut engine, vars, *limits);
    compare::register(&mut engine);
    number::register(&mut engine);
    secret::register(&mut engine);
    read::register(&mut engine);
    engine
}

/// Every one: Rhai's defaults differ between debug and release builds.
fn set_limits(engine: &mut Engine, limits: &Limits) {
    // Steps are counted by `state`: Rhai forgets those made inside callbacks of `map` and `filter`.
    engine.set_max_operations(0);
    engine.on_progress(|_| state::progress());
    // Depth is watched by the resolver below and, in functions that read no variable, by the
    // stack that `state` lets them take: the error that Rhai itself raises could be caught.
    engine.set_max_call_levels(usize::MAX);
    engine.set_max_expr_depths(EXPRESSION_DEPTHS.0, EXPRESSION_DEPTHS.1);
    engine.set_max_string_size(limits.size);
    engine.set_max_array_size(limits.size);
    engine.set_max_map_size(limits.size);
    engine.set_max_variables(MAX_VARIABLES);
    engine.set_max_functions(MAX_FUNCTIONS);
    engine.set_max_modules(MAX_MODULES);
}

#[expect(deprecated, reason = "Rhai marks `on_var` so to say that it may change, not that it goes")]
fn set_language(engine: &mut Engine, vars: Dynamic, limits: Limits) {
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");
    engine.on_var(move |name, index, context| {
        if context.call_level() > limits.depth {
            state::spend(Spent::Depth);
            return Err(EvalAltResult::ErrorStackOverflow(Position::NONE).into());
        }
        if state::read() && sizes::exceed(context.scope(), limits.size) {
            state::spend(Spent::Size);
            return Err(EvalAltResult::ErrorDataTooLarge(String::new(), Position::NONE).into());
        }
        if name == "vars" {
            return Ok(Some(vars.clone()));
        }
        let unknown = index == 0 && !context.scope().contains(name);
        Ok(unknown.then(|| constant(name, &context)).flatten())
    });
    engine.register_fn("sleep", |_: rhai::INT| refuse_sleep());
    engine.register_fn("sleep", |_: rhai::FLOAT| refuse_sleep());
}

/// A top-level constant of the file, inside one of its functions. Literal ones that are simple
/// are folded in when the file is compiled; the check at load refuses those that are computed.
fn constant(name: &str, context: &EvalContext<'_, '_, '_, '_, '_, '_>) -> Option<Dynamic> {
    let constants = context.global_runtime_state().constants.as_ref()?;
    constants.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
}

fn refuse_sleep() -> Result<(), Box<EvalAltResult>> {
    Err(fault("a script cannot sleep: end the run with `retry(why, \"5m\")`, or give an action `after`"))
}

/// Writes what a script prints into the log, as one line whatever is in it.
fn print(text: &str, file: Option<&str>, position: Position) {
    let event = state::with_run(|run| run.asked.id.event.to_string()).unwrap_or_default();
    let own = state::with_run(|run| run.file.clone()).unwrap_or_default();
    let file = file.map_or(own, str::to_owned);
    let line = position.line();
    tracing::info!(target: "hookyard::script", event, file, line, "{}", one_line(text));
}
