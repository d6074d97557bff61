//! What can be known to be wrong before a script runs, from its syntax tree.

mod calls;
mod imports;
mod names;
mod natives;
mod switches;
mod tokens;
mod unused;

use super::library::{Script, Scripts};
use crate::diagnostic::Diagnostic;
use rhai::{AST, ASTNode, Expr, Position, Stmt};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use imports::Import;
pub(super) use imports::{import_position, imports};
pub(super) use natives::{Mistake, Natives};
pub(super) use unused::unused;

/// Visits every node with the nodes above it.
pub(super) fn walk(ast: &AST, mut visit: impl FnMut(&ASTNode<'_>, &[ASTNode<'_>])) {
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some((node, above)) = path.split_last() {
            visit(node, above);
        }
        true
    });
}

/// Every problem of one file.
pub(super) fn check(script: &Script, scripts: &Scripts, natives: &Natives) -> Vec<Diagnostic> {
    let mut checker = Checker::new(script, scripts, natives);
    checker.imports();
    checker.handler();
    walk(&script.ast, |node, above| checker.node(node, above));
    checker.problems
}

struct Checker<'a> {
    script: &'a Script,
    scripts: &'a Scripts,
    natives: &'a Natives,
    /// Own functions: name and number of parameters.
    functions: BTreeSet<(String, usize)>,
    /// Parameters of closures, which is what captured variables become.
    captured: BTreeSet<String>,
    /// Top-level constants: all, and those whose value is a literal.
    constants: BTreeSet<String>,
    literals: BTreeSet<String>,
    imports: Vec<Import>,
    /// Keys that the file itself makes or sets: a map may hold closures, an event new fields.
    keys: BTreeSet<String>,
    /// The file's literals that are no texts, as a `switch` finds its cases; made when first wanted.
    hashes: OnceCell<BTreeMap<u64, String>>,
    problems: Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn new(script: &'a Script, scripts: &'a Scripts, natives: &'a Natives) -> Self {
        let ast = &script.ast;
        let functions = || ast.iter_functions();
        let closures = functions().filter(|function| function.name.starts_with("anon$"));
        let constants = ast.statements().iter().filter_map(|statement| match statement {
            Stmt::Var(variable, ..) => Some(variable.0.name.to_string()),
            _ => None,
        });
        Self {
            script,
            scripts,
            natives,
            functions: functions().map(|f| (f.name.to_owned(), f.params.len())).collect(),
            captured: closures.flat_map(|closure| closure.params).map(str::to_owned).collect(),
            constants: constants.collect(),
            literals: ast.iter_literal_variables(true, false).map(|(name, ..)| name.to_owned()).collect(),
            imports: imports(ast).collect(),
            keys: keys(ast),
            hashes: OnceCell::new(),
            problems: Vec::new(),
        }
    }

    fn report(&mut self, at: Position, message: String, help: Option<String>) {
        let problem = self.script.source.error(at, message);
        self.problems.push(match help {
            Some(help) => problem.with_help(help),
            None => problem,
        });
    }

    fn warn(&mut self, at: Position, message: String, help: &str) {
        self.problems.push(self.script.source.warning(at, message).with_help(help));
    }

    fn node(&mut self, node: &ASTNode<'_>, above: &[ASTNode<'_>]) {
        match node {
            ASTNode::Stmt(Stmt::Var(variable, ..)) => self.defines(&variable.0.name, variable.0.pos),
            ASTNode::Stmt(Stmt::Switch(parts, at)) => self.switch(&parts.0, &parts.1, *at),
            ASTNode::Stmt(Stmt::For(parts, _)) => self.defines(&parts.0.name, parts.0.pos),
            ASTNode::Stmt(Stmt::FnCall(call, at)) | ASTNode::Expr(Expr::FnCall(call, at)) => {
                self.call(call, *at)
            }
            ASTNode::Expr(Expr::MethodCall(call, at)) => self.method(call, *at),
            ASTNode::Expr(Expr::Variable(name, short, at)) => {
                let (index, name, namespace, _) = &**name;
                match namespace.is_empty() {
                    true if index.is_none() && short.is_none() => self.variable(name, *at),
                    true => {}
                    false => self.qualified(namespace.root(), name, *at),
                }
            }
            ASTNode::Expr(Expr::Dot(dot, ..)) => self.field(&dot.lhs, &dot.rhs, above),
            _ => {}
        }
    }
}

/// Keys of the maps written in a file, and properties it assigns to.
fn keys(ast: &AST) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    walk(ast, |node, _| match node {
        ASTNode::Expr(Expr::Map(members, _)) => keys.extend(members.1.keys().map(ToString::to_string)),
        ASTNode::Stmt(Stmt::Assignment(parts)) => {
            if let Expr::Dot(dot, ..) = &parts.1.lhs
                && let Expr::Property(property, _) = &dot.rhs
            {
                keys.insert(property.2.to_string());
            }
        }
        _ => {}
    });
    keys
}
