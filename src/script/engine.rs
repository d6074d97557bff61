//! The Rhai engines: what scripts and conditions can call, and every limit set explicitly.

use super::library::Resolver;
use super::state::{self, Spent};
use super::{Limits, compare, fault, fetch, functions, kv, number, outcome, read, safer, secret, sizes};
use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, Position, Token};
use std::sync::PoisonError;
use tracing::Level;

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
    kv::register(&mut engine);
    fetch::register(&mut engine);
    functions::register_impure(&mut engine);
    let_debug_be_a_name(&mut engine);
    engine.on_print(|text| functions::print(Level::INFO, text, None, Position::NONE));
    engine.on_debug(|text, file, at| functions::print(Level::INFO, text, file, at));
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

/// `debug` is a word of the language, which could not follow `log::`.
#[expect(deprecated, reason = "Rhai marks `on_parse_token` so to say that it may change, not that it goes")]
fn let_debug_be_a_name(engine: &mut Engine) {
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if *word == "debug" => Token::Identifier(word),
        other => other,
    });
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
    functions::register(&mut engine);
    safer::register(&mut engine);
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
        if state::read() && sizes::exceed(context.scope(), state::most()) {
            return Err(sizes::too_large());
        }
        if name == "vars" {
            return Ok(Some(vars.clone()));
        }
        // Outside of functions stands only what calls the handler.
        if context.call_level() == 0
            && let Some(argument) = state::hand_over(name)
        {
            return Ok(Some(argument));
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
