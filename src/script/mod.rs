//! User scripts in Rhai: compiled once per generation, run as transactions.

use crate::action::{Action, Context};
use crate::diagnostic::Diagnostic;
use crate::event::Event;
use crate::registry::ConfigError;
use crate::secret::Resolve;
use crate::template::{Params, Vars};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
pub struct Scripts {}

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
        let _ = (files, vars, resolver, limits, context);
        todo!("script")
    }

    /// The `script` action: `{file: react.rhai, params: {…}}`. `params` is the compiled structure.
    ///
    /// # Errors
    /// A file that is not there, with a suggestion.
    pub fn action(self: &Arc<Self>, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        let _ = params;
        todo!("script")
    }

    /// Compiles a `when`: one pure expression.
    ///
    /// # Errors
    /// Syntax, an unknown function or name: the sentence and, in the expression, line and column.
    pub fn condition(&self, expression: &str) -> Result<Condition, ConditionError> {
        let _ = expression;
        todo!("script")
    }
}

/// A compiled `when`.
#[derive(Clone)]
pub struct Condition {}

/// Why an expression does not compile: message, and the 1-based place in the expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    pub message: String,
    pub help: Option<String>,
    pub line: usize,
    pub column: usize,
}

impl Condition {
    /// Whether it holds. Pure, with a small step limit: it runs before the answer.
    ///
    /// # Errors
    /// The sentence that says why it could not be said (a mixed comparison, an absent key, …).
    pub fn holds(&self, event: &Event, vars: &Vars) -> Result<bool, String> {
        let _ = (event, vars);
        todo!("script")
    }
}
