//! `when`: one pure expression over the document's fields, compiled once, quick and bounded.

use super::absent::Site;
use super::check::{self, Mistake, Natives};
use super::explain;
use super::functions::{self, Function};
use super::state::Room;
use super::{Limits, Scripts, convert, state};
use crate::diagnostic::did_you_mean;
use crate::event::{self, Event};
use crate::kv;
use rhai::{AST, ASTNode, Dynamic, Engine, Expr, FnCallExpr, Position, Scope, Stmt};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a condition may use: it runs before the answer to the sender. Sizes are measured of all that
/// is called, and an event has some parts twice: none may be too large for its own rules.
pub(super) fn limits(script: &Limits) -> Limits {
    Limits {
        steps: 10_000,
        time: Duration::from_millis(100),
        depth: 16,
        size: script.size.saturating_mul(4),
        effects: 0,
        kv: kv::Limits { key_bytes: 0, value_bytes: 0, namespace_bytes: 0 },
    }
}

/// What it may make of the event, many times over: requests are many.
const HELD_BYTES: usize = 64 << 20;

/// A `when` is evaluated wherever its caller is, also on a runtime's worker, whose stack is 2 MiB.
const STACK_BYTES: usize = 1 << 20;

/// A compiled `when`.
#[derive(Clone)]
pub struct Condition {
    engine: Arc<Engine>,
    limits: Limits,
    ast: Arc<AST>,
    text: Arc<str>,
    /// The names of the document that the expression uses: only these are converted.
    names: Vec<&'static str>,
    whole_event: bool,
}

/// Why an expression does not compile: message, and the 1-based place in the expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    pub message: String,
    pub help: Option<String>,
    pub line: usize,
    pub column: usize,
}

impl ConditionError {
    fn at(position: Position, message: impl Into<String>, help: Option<String>) -> Self {
        let (line, column) = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        Self { message: message.into(), help, line, column }
    }
}

impl Scripts {
    /// Compiles a `when`: one pure expression.
    ///
    /// # Errors
    /// Syntax, an unknown function or name: the sentence and, in the expression, line and column.
    pub fn condition(&self, expression: &str) -> Result<Condition, ConditionError> {
        let engine = Arc::clone(&self.condition_engine);
        let ast = engine.compile_expression(expression).map_err(|error| {
            let help = explain::parse_help(expression, &error);
            ConditionError::at(error.position(), explain::parse_message(error.err_type()), help)
        })?;
        let names = names(&ast)?;
        functions(&ast, &self.condition_natives)?;
        let whole_event = names.contains("event");
        let names = event::FIELDS.iter().copied().filter(|field| names.contains(*field)).collect();
        let limits = limits(&self.limits);
        Ok(Condition { engine, limits, ast: Arc::new(ast), text: expression.into(), names, whole_event })
    }
}

/// The variables of an expression, all of which must be known.
fn names(ast: &AST) -> Result<BTreeSet<String>, ConditionError> {
    let (mut names, mut wrong) = (BTreeSet::new(), None);
    let closures: BTreeSet<String> =
        ast.iter_functions().flat_map(|closure| closure.params).map(str::to_owned).collect();
    check::walk(ast, |node, _| {
        let ASTNode::Expr(Expr::Variable(variable, _, at)) = node else { return };
        let name = variable.1.as_str();
        let known = event::FIELDS.contains(&name) || matches!(name, "event" | "vars");
        names.insert(name.to_owned());
        if !known && !closures.contains(name) && wrong.is_none() {
            wrong = Some((name.to_owned(), *at));
        }
    });
    let Some((name, at)) = wrong else { return Ok(names) };
    let known = event::FIELDS.iter().copied().chain(["event", "vars"]);
    let help = match did_you_mean(&name, known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("what the sender posted is below `payload`: `payload.{name}`"),
    };
    Err(ConditionError::at(at, format!("there is no name `{name}` in an event"), Some(help)))
}

fn functions(ast: &AST, natives: &Natives) -> Result<(), ConditionError> {
    let mut wrong = None;
    check::walk(ast, |node, _| {
        let (call, arguments, at) = match node {
            ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at)) => {
                (call, call.args.len(), at)
            }
            ASTNode::Expr(Expr::MethodCall(call, at)) => (call, call.args.len() + 1, at),
            _ => return,
        };
        if wrong.is_none() {
            let mistake = mistake(call, arguments, natives);
            wrong = mistake.map(|(message, help)| ConditionError::at(*at, message, help));
        }
    });
    wrong.map_or(Ok(()), Err)
}

/// What is wrong with a call.
fn mistake(call: &FnCallExpr, arguments: usize, natives: &Natives) -> Option<Mistake> {
    let module = if call.namespace.is_empty() { "" } else { call.namespace.root() };
    let name = call.name.as_str();
    let language = call.op_token.is_some() || name.starts_with("anon$");
    let known = module.is_empty() && (language || natives.has(name, arguments));
    let path = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
    let impure = |function: &Function| function.path() == path && !function.is_pure();
    if known {
        return None;
    }
    if functions::table().any(impure) {
        let help = "a condition is pure: it sees the event and `vars`, and writes nothing".to_owned();
        return Some((format!("`{path}` is for scripts only"), Some(help)));
    }
    if natives.is_module(module) {
        return natives.mistake(module, name, arguments);
    }
    let meant = match module {
        "" => natives.elsewhere(name).or_else(|| did_you_mean(name, natives.names()).map(str::to_owned)),
        _ => did_you_mean(module, natives.modules()).map(str::to_owned),
    };
    let help = meant.map(|meant| format!("did you mean `{meant}`?"));
    Some((format!("there is no function `{path}` for {arguments} values here"), help))
}

impl Condition {
    /// Whether it holds. Pure, with a small step limit: it runs before the answer. A field that
    /// the document lacks is `()`.
    ///
    /// # Errors
    /// The sentence that says why it could not be said (a mixed comparison, an absent key, …).
    pub fn holds(&self, event: &Event) -> Result<bool, String> {
        let (mut scope, given_bytes) = state::give(|| self.scope(event));
        state::meter(&self.limits, Room { stack_bytes: STACK_BYTES, held_bytes: HELD_BYTES, given_bytes });
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &self.ast);
        let value = result.map_err(|error| self.explain(*error, event))?;
        if state::spent().is_some() {
            return Err("the condition reached a limit".to_owned());
        }
        value.as_bool().map_err(|_| format!("`when` must be true or false, not a {}", convert::kind(&value)))
    }

    fn scope(&self, event: &Event) -> Scope<'static> {
        let mut scope = Scope::new();
        for name in &self.names {
            scope.push_dynamic(*name, event.get(name).map_or(Dynamic::UNIT, convert::to_dynamic));
        }
        if self.whole_event {
            scope.push("event", convert::object_to_map(event.document()));
        }
        scope
    }

    fn explain(&self, error: rhai::EvalAltResult, event: &Event) -> String {
        let too_large = matches!(error.unwrap_inner(), rhai::EvalAltResult::ErrorDataTooLarge(..));
        if too_large || state::spent().is_some() {
            return "the condition is too much work to evaluate before the answer: move it into a script"
                .to_owned();
        }
        let site = Site { event, text: &|_| Some(&*self.text) };
        explain::told(explain::explain(error, "when", &self.limits, Some(&site)).message)
    }
}
