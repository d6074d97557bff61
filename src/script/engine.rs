//! The Rhai engines: what scripts and conditions can call, and every limit set explicitly.

use super::library::Resolver;
use super::{Limits, compare, effects, fault, number, outcome, read, secret, state};
use crate::action::ActionKind;
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, EvalAltResult, Position};

/// How deep expressions may nest: outside of functions, and within.
const EXPRESSION_DEPTHS: (usize, usize) = (64, 32);
const MAX_VARIABLES: usize = 1_000;
const MAX_FUNCTIONS: usize = 1_000;
const MAX_MODULES: usize = 100;

/// The engine of scripts: `vars` everywhere, the action kinds, the outcomes, imports from memory.
pub(super) fn script(
    limits: &Limits,
    vars: Dynamic,
    kinds: &'static [ActionKind],
    files: Resolver,
) -> Engine {
    let mut engine = base(limits, vars);
    engine.set_module_resolver(files);
    outcome::register(&mut engine);
    effects::register(&mut engine, kinds);
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
    set_language(&mut engine, vars, limits.depth);
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
    // One more than allowed, so that the resolver below sees the level too many and latches it.
    engine.set_max_call_levels(limits.depth.saturating_add(1));
    engine.set_max_expr_depths(EXPRESSION_DEPTHS.0, EXPRESSION_DEPTHS.1);
    engine.set_max_string_size(limits.size);
    engine.set_max_array_size(limits.size);
    engine.set_max_map_size(limits.size);
    engine.set_max_variables(MAX_VARIABLES);
    engine.set_max_functions(MAX_FUNCTIONS);
    engine.set_max_modules(MAX_MODULES);
}

#[expect(deprecated, reason = "Rhai marks `on_var` so to say that it may change, not that it goes")]
fn set_language(engine: &mut Engine, vars: Dynamic, depth: usize) {
    engine.set_fast_operators(false);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");
    engine.on_var(move |name, _, context| {
        if context.call_level() > depth {
            state::spend(state::Spent::Depth);
            return Err(EvalAltResult::ErrorStackOverflow(Position::NONE).into());
        }
        Ok((name == "vars").then(|| vars.clone()))
    });
    engine.register_fn("sleep", |_: rhai::INT| refuse_sleep());
    engine.register_fn("sleep", |_: rhai::FLOAT| refuse_sleep());
}

fn refuse_sleep() -> Result<(), Box<EvalAltResult>> {
    Err(fault("a script cannot sleep: end the run with `retry(why, \"5m\")`, or give an action `after`"))
}

fn print(text: &str, file: Option<&str>, position: Position) {
    let event = state::with_run(|run| run.id.event.to_string()).unwrap_or_default();
    let own = state::with_run(|run| run.file.clone()).unwrap_or_default();
    let file = file.map_or(own, str::to_owned);
    tracing::info!(target: "hookyard::script", event, file, line = position.line(), "{text}");
}
