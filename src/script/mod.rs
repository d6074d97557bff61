//! User scripts in Rhai: compiled once per generation, run as transactions.
//!
//! | module | what it is |
//! |---|---|
//! | `library` | all files: parsed, checked (`check`), folded, evaluated once into modules |
//! | `engine` | the engines and every limit; `state`, `sizes`: what a run has spent and collected |
//! | `run` | a run as a transaction, on a thread of `pool`; `condition`: `when` |
//! | `effects`, `schema`, `outcome`, `read`, `number`, `secret`, `compare` | the host functions |
//! | `functions` | the standard library, by topic, with its table |
//! | `convert` | JSON ⇄ Rhai values; `explain`, `absent`, `source`: errors as sentences with a place |

mod absent;
mod check;
mod compare;
mod condition;
mod convert;
mod effects;
mod engine;
mod explain;
pub mod functions;
mod library;
mod number;
mod outcome;
mod pool;
mod read;
mod run;
mod schema;
mod secret;
mod sizes;
mod source;
mod state;
#[cfg(test)]
mod tests;

use crate::action::{Action, ActionKind, Context, KINDS};
use crate::diagnostic::Diagnostic;
use crate::registry::{ConfigError, Kind, Param, ParamType};
use crate::template::{Params, Vars};
use check::Natives;
use rhai::{AST, Engine, EvalAltResult, Position};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use condition::{Condition, ConditionError};

/// The row of the `script` action. Its `build` is [`Scripts::action`], which needs the scripts.
pub const KIND: Kind<()> = Kind {
    name: "script",
    summary: "Runs `on_event` of a Rhai script; the actions it calls are committed with its outcome.",
    example: "script: {file: react.rhai, params: {limit: 5}}",
    schema: &[
        Param {
            name: "file",
            ty: ParamType::String,
            required: true,
            summary: "The script's path below the rule directory.",
        },
        Param {
            name: "params",
            ty: ParamType::Map,
            required: false,
            summary: "What `on_event` gets as `params`.",
        },
    ],
    build: (),
};

/// Calls a script's handler: with the event alone, and with its parameters.
const DRIVERS: [&str; 2] = [
    "import file as script; script::on_event(event)",
    "import file as script; script::on_event(event, params)",
];

/// What a run may use. Each is named with its config key when it is hit (`limits.script.steps`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub steps: u64,
    pub time: Duration,
    pub depth: usize,
    /// Bytes of one string, and elements of one array or map, and of all effects together.
    pub size: usize,
    pub effects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 1_000_000, time: Duration::from_secs(1), depth: 32, size: 1 << 20, effects: 100 }
    }
}

/// All scripts of a generation.
pub struct Scripts {
    engine: Engine,
    drivers: [AST; 2],
    library: library::Scripts,
    kinds: &'static [ActionKind],
    context: Context,
    limits: Limits,
    condition_engine: Arc<Engine>,
    condition_natives: Natives,
}

impl Scripts {
    /// Compiles every script (path below the rule directory → text).
    ///
    /// Returns all problems beside what could be compiled.
    pub fn compile(
        files: &BTreeMap<String, Arc<str>>,
        vars: &Vars,
        limits: Limits,
        context: &Context,
    ) -> (Arc<Self>, Vec<Diagnostic>) {
        Self::compile_with(KINDS, files, vars.params(), limits, context)
    }

    /// [`Scripts::compile`] with another table of kinds, and `vars` as its tree.
    pub(crate) fn compile_with(
        kinds: &'static [ActionKind],
        files: &BTreeMap<String, Arc<str>>,
        vars: &Params,
        limits: Limits,
        context: &Context,
    ) -> (Arc<Self>, Vec<Diagnostic>) {
        let vars = convert::params_to_dynamic(vars);
        let resolver = library::Resolver::default();
        let mut engine = engine::script(&limits, vars.clone(), kinds, resolver.clone());
        let drivers = DRIVERS.map(|text| engine.compile(text).expect("the drivers are valid Rhai"));
        let (library, problems) = pool::wait(|| library::compile(files, &mut engine, &resolver, &limits));
        let condition_engine = Arc::new(engine::condition(&condition::LIMITS, vars));
        let scripts = Self {
            engine,
            drivers,
            library,
            kinds,
            context: context.clone(),
            limits,
            condition_natives: Natives::of(&condition_engine),
            condition_engine,
        };
        (Arc::new(scripts), problems)
    }

    /// The `script` action: `react.rhai`, or `{file: react.rhai, params: {…}}`. `params` is the
    /// compiled structure.
    ///
    /// # Errors
    /// A file that is not there, with a suggestion, or that has no `on_event`.
    pub fn action(self: &Arc<Self>, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        let file = self.entry(params)?;
        Ok(Arc::new(run::ScriptAction { scripts: Arc::clone(self), file }))
    }

    /// The path of the script that the parameters of a `script` action name.
    fn entry(&self, params: &Params) -> Result<String, Vec<ConfigError>> {
        let short = matches!(params, Params::Data(crate::json::Json::String(_)));
        let pointer = if short { "" } else { "/file" };
        let Some(file) = effects::script_file(params) else {
            let message = "`file` names a script literally, like `react.rhai`";
            return Err(vec![ConfigError::at(pointer, message)]);
        };
        library::entry(&self.library, &file).map_err(|(message, help)| {
            let error = ConfigError::at(pointer, message);
            vec![match help {
                Some(help) => error.with_help(help),
                None => error,
            }]
        })
    }
}

/// A script's mistake, as a sentence. Rhai adds the place of the call.
fn fault(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}
