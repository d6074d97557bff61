//! User scripts in Rhai: compiled once per generation, run as transactions.
//!
//! | module | what it is |
//! |---|---|
//! | `library` | all files: parsed, checked (`check`), folded, evaluated once into modules |
//! | `engine` | the engines and every limit; `state`, `sizes`: what a run has spent and collected |
//! | `run` | a run as a transaction, on a thread of `pool`; `condition`: `when`; `exec`: a program |
//! | `effects`, `schema`, `outcome`, `read`, `number`, `secret`, `compare` | the host functions |
//! | `kv`, `fetch` | state between events, and requests whose answers a run reads |
//! | `safer` | functions of Rhai's own that would run away, replaced |
//! | `functions` | the standard library, by topic, with its table; `kinds`: action kinds in Rhai |
//! | `definitions`, `reference` | all that a script can call, for editors and for docs/scripting.md |
//! | `convert` | JSON ⇄ Rhai values; `explain`, `absent`, `source`: errors as sentences with a place |

mod absent;
mod check;
mod compare;
mod condition;
mod convert;
pub mod definitions;
mod effects;
mod engine;
mod exec;
mod explain;
mod fetch;
pub mod functions;
mod kinds;
mod kv;
mod library;
mod number;
mod outcome;
mod pool;
mod read;
mod reference;
mod run;
mod safer;
mod schema;
mod secret;
mod sizes;
mod source;
mod state;
#[cfg(test)]
mod tests;

use crate::action::{self, Action, ActionKind, Context};
use crate::diagnostic::Diagnostic;
use crate::kv as kv_limits;
use crate::registry::{ConfigError, Kind, Param, ParamType};
use crate::secret::Resolve;
use crate::template::{Params, Vars};
use check::Natives;
use rhai::{AST, Engine, EvalAltResult, Position};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use condition::{Condition, ConditionError};
pub use kinds::{OPTIONS, UserKind, may_define};
pub use reference::reference;
pub use run::Call;
pub use state::World;

/// Makes an action from its parameters; checks all of them that is literal.
pub type Build = fn(&Arc<Scripts>, &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>>;

/// A row: an action whose effects are checked by the scripts.
pub type ScriptKind = Kind<Build>;

/// The kinds that are built by [`Scripts`], beside those of [`action::KINDS`].
pub const KINDS: &[ScriptKind] = &[KIND, exec::KIND];

/// The row of the `script` action.
pub const KIND: ScriptKind = Kind {
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
    build: |scripts, params| scripts.script(params),
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
    pub kv: kv_limits::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 1_000_000,
            time: Duration::from_secs(1),
            depth: 32,
            size: 1 << 20,
            effects: 100,
            kv: kv_limits::Limits::default(),
        }
    }
}

/// All scripts of a generation.
pub struct Scripts {
    engine: Engine,
    drivers: [AST; 2],
    library: library::Scripts,
    kinds: &'static [ActionKind],
    /// The action kinds among the scripts.
    user: kinds::Kinds,
    context: Context,
    limits: Limits,
    vars: Arc<Vars>,
    resolver: Arc<dyn Resolve>,
    condition_engine: Arc<Engine>,
    condition_natives: Natives,
}

impl Scripts {
    /// Compiles every script (path below the rule directory → text).
    ///
    /// Returns all problems beside what could be compiled.
    pub fn compile(
        files: &BTreeMap<String, Arc<str>>,
        vars: &Arc<Vars>,
        resolver: &Arc<dyn Resolve>,
        limits: Limits,
        context: &Context,
    ) -> (Arc<Self>, Vec<Diagnostic>) {
        Self::compile_with(action::KINDS, files, vars, resolver, limits, context)
    }

    /// [`Scripts::compile`] with another table of kinds.
    pub(crate) fn compile_with(
        kinds: &'static [ActionKind],
        files: &BTreeMap<String, Arc<str>>,
        vars: &Arc<Vars>,
        resolver: &Arc<dyn Resolve>,
        limits: Limits,
        context: &Context,
    ) -> (Arc<Self>, Vec<Diagnostic>) {
        let shown = convert::params_to_dynamic(vars.params());
        let modules = library::Resolver::default();
        let mut engine = engine::script(&limits, shown.clone(), modules.clone());
        let drivers = DRIVERS.map(|text| engine.compile(text).expect("the drivers are valid Rhai"));
        let built_in = built_in(kinds);
        let compiled = pool::wait(|| library::compile(files, built_in, &mut engine, &modules, &limits));
        let library::Compiled { scripts: library, kinds: user, problems } = compiled;
        let condition_engine = Arc::new(engine::condition(&condition::limits(&limits), shown));
        let scripts = Self {
            engine,
            drivers,
            library,
            kinds,
            user,
            context: context.clone(),
            limits,
            vars: Arc::clone(vars),
            resolver: Arc::clone(resolver),
            condition_natives: Natives::of(&condition_engine),
            condition_engine,
        };
        (Arc::new(scripts), problems)
    }

    /// The names of all action kinds: built in, `script`, and those of the files.
    pub fn kind_names(&self) -> impl Iterator<Item = &str> + Clone {
        built_in(self.kinds).chain(self.user.keys().map(String::as_str))
    }

    /// The action kinds among the files.
    pub fn user_kinds(&self) -> impl Iterator<Item = &UserKind> {
        self.user.values()
    }

    /// Whether an action of this kind is a script's run, which sends nothing itself.
    pub fn is_run(&self, kind: &str) -> bool {
        kind == KIND.name || self.user.contains_key(kind)
    }

    /// The parameters of a kind; `None` if there is none of this name.
    pub fn schema(&self, kind: &str) -> Option<Cow<'_, [Param<'_>]>> {
        let own = || KINDS.iter().find(|row| row.name == kind).map(|row| row.schema);
        let built_in = self.kinds.iter().find(|row| row.name == kind).map(|row| row.schema).or_else(own);
        built_in.map(Cow::Borrowed).or_else(|| Some(Cow::Owned(self.user.get(kind)?.schema())))
    }

    /// Makes an action of a kind. `params` is the compiled structure.
    ///
    /// # Errors
    /// What its `build` refuses; no such kind.
    pub fn action(
        self: &Arc<Self>,
        kind: &str,
        params: &Params,
    ) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        if let Some(row) = self.kinds.iter().find(|row| row.name == kind) {
            return (row.build)(params, &self.context);
        }
        if let Some(row) = KINDS.iter().find(|row| row.name == kind) {
            return (row.build)(self, params);
        }
        let no_such = || vec![ConfigError::at("", format!("there is no action `{kind}`"))];
        let user = self.user.get(kind).ok_or_else(no_such)?;
        let optional = Some(user.optional().map(str::to_owned).collect());
        Ok(Arc::new(run::ScriptAction::new(self, user.file.clone(), optional)))
    }

    /// The `script` action: `react.rhai`, or `{file: react.rhai, params: {…}}`.
    ///
    /// # Errors
    /// A file that is not there, with a suggestion, or that has no `on_event`.
    fn script(self: &Arc<Self>, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        let file = self.entry(params)?;
        Ok(Arc::new(run::ScriptAction::new(self, file, None)))
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

/// The names of the kinds of a table, and of those that the scripts build.
fn built_in<'a>(kinds: &'static [ActionKind]) -> impl Iterator<Item = &'a str> + Clone {
    kinds.iter().map(|kind| kind.name).chain(KINDS.iter().map(|kind| kind.name))
}

/// A script's mistake, as a sentence. Rhai adds the place of the call.
fn fault(message: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}
