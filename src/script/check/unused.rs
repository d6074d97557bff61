//! Functions and imports that nobody uses: warnings, and only where it is certain.
//!
//! A name counts as used wherever it could be: called, called as a method, handed on, or spelt in
//! a text (`Fn("shout")`); and behind any module in any file, whatever that module is.

use super::tokens::tokens;
use super::walk;
use crate::diagnostic::Diagnostic;
use crate::script::check::imports;
use crate::script::library::{HANDLER, Script, Scripts};
use rhai::{AST, ASTNode, Expr, FnPtr, Namespace, Position, Stmt, Token};
use std::collections::{BTreeMap, BTreeSet};

/// What printing looks for by itself.
const CALLED_BY_PRINTING: [&str; 2] = ["to_string", "to_debug"];

/// All warnings about scripts that are otherwise fine.
pub(in crate::script) fn unused(scripts: &Scripts) -> Vec<Diagnostic> {
    let uses: BTreeMap<&str, Uses> =
        scripts.iter().map(|(path, script)| (path.as_str(), Uses::of(&script.ast))).collect();
    let behind: BTreeSet<&str> =
        uses.values().flat_map(|uses| &uses.behind).map(|name| name.as_str()).collect();
    let imported: BTreeSet<&str> =
        scripts.values().flat_map(|script| &script.imports).map(String::as_str).collect();
    let mut found = Vec::new();
    for (path, script) in scripts {
        let uses = &uses[path.as_str()];
        found.extend(unused_imports(script, uses, &behind));
        match script.handler.is_none() && !imported.contains(path.as_str()) {
            true => found.extend(unused_file(script)),
            false => found.extend(unused_functions(script, uses, &behind)),
        }
    }
    found
}

/// The names that a file uses.
#[derive(Default)]
struct Uses {
    /// By themselves, and how often.
    plain: BTreeMap<String, usize>,
    /// First of a path: `f` of `f::bold(x)`.
    roots: BTreeSet<String>,
    /// Behind it: `bold`, and modules in modules.
    behind: BTreeSet<String>,
}

impl Uses {
    fn of(ast: &AST) -> Self {
        let mut uses = Self::default();
        walk(ast, |node, _| uses.node(node));
        uses
    }

    fn node(&mut self, node: &ASTNode<'_>) {
        match node {
            ASTNode::Stmt(Stmt::FnCall(call, _))
            | ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) => {
                self.name(&call.namespace, &call.name);
            }
            ASTNode::Expr(Expr::Variable(variable, ..)) => self.name(&variable.2, &variable.1),
            ASTNode::Expr(Expr::StringConstant(text, _)) => self.plain(text),
            ASTNode::Expr(Expr::DynamicConstant(value, _)) => {
                if let Some(function) = value.read_lock::<FnPtr>() {
                    self.plain(function.fn_name());
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, path: &Namespace, name: &str) {
        let mut modules = path.path.iter().map(|module| module.name.to_string());
        match modules.next() {
            None => self.plain(name),
            Some(root) => {
                self.roots.insert(root);
                self.behind.extend(modules);
                self.behind.insert(name.to_owned());
            }
        }
    }

    fn plain(&mut self, name: &str) {
        *self.plain.entry(name.to_owned()).or_default() += 1;
    }

    fn count(&self, name: &str) -> usize {
        self.plain.get(name).copied().unwrap_or_default()
    }
}

fn unused_imports(script: &Script, uses: &Uses, behind: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let is_used = |alias: &str| uses.roots.contains(alias) || behind.contains(alias) || uses.count(alias) > 0;
    let unused = imports(&script.ast).filter(|import| !is_used(&import.alias));
    let warn = |import: super::Import| {
        let path = import.path.unwrap_or_default();
        let warning = |message: String| script.source.warning(import.position, message);
        match import.alias.as_str() {
            "" => warning(format!("`{path}` is imported without a name, by which it could be used"))
                .with_help(format!("write `import \"{path}\" as name;`, or remove it")),
            alias => warning(format!("the import `{alias}` is not used")).with_help("remove it"),
        }
    };
    unused.map(warn).collect()
}

/// A file that neither handles events nor is imported, if there is anything in it.
fn unused_file(script: &Script) -> Option<Diagnostic> {
    let (_, at) = definitions(script).into_iter().next()?;
    let path = script.source.path.trim_end_matches(".rhai");
    let message = format!("no script imports this one, and it has no `{HANDLER}`: nothing of it can run");
    let help = format!("`import \"{path}\" as name;` where it is wanted, or add `fn {HANDLER}(event)`");
    Some(script.source.warning(at, message).with_help(help))
}

fn unused_functions(script: &Script, uses: &Uses, behind: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let is_unused = |name: &str| {
        !behind.contains(name)
            && name != HANDLER
            && !CALLED_BY_PRINTING.contains(&name)
            && uses.count(name) == uses_in_itself(script, name)
    };
    let unused = definitions(script).into_iter().filter(|(name, _)| is_unused(name));
    let warn = |(name, at): (String, Position)| {
        script.source.warning(at, format!("`{name}` is never called")).with_help("remove it")
    };
    unused.map(warn).collect()
}

/// How often a function calls itself.
fn uses_in_itself(script: &Script, name: &str) -> usize {
    let mut itself = script.ast.clone_functions_only();
    itself.retain_functions(|_, _, function, _| function == name);
    Uses::of(&itself).count(name)
}

/// Names and places of the functions in their order: the syntax tree has neither of the two.
fn definitions(script: &Script) -> Vec<(String, Position)> {
    let (mut found, mut is_head, mut last) = (Vec::new(), false, None);
    for (token, at) in tokens(&script.source.text) {
        match token {
            Token::Fn => is_head = true,
            Token::Identifier(word) if is_head => last = Some((word.to_string(), at)),
            // `fn name(`, and `fn "type".name(`.
            Token::LeftParen if is_head => {
                found.extend(last.take());
                is_head = false;
            }
            _ => {}
        }
    }
    found
}
