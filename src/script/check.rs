//! What can be known to be wrong before a script runs, from its syntax tree.

use super::library::{HANDLER, Script, Scripts, find};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::event;
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};
use std::collections::BTreeSet;

/// Functions that the language itself has; the engine does not list them.
const LANGUAGE: &[&str] =
    &["Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "type_of", "print", "debug", "exit"];

/// What scripts can call, with the number of parameters.
pub(super) struct Natives(BTreeSet<(String, usize)>);

impl Natives {
    pub(super) fn of(engine: &Engine) -> Self {
        let functions = engine.collect_fn_metadata(
            None,
            |function| Some((function.metadata.name.to_string(), function.metadata.num_params)),
            true,
        );
        Self(functions.into_iter().collect())
    }

    pub(super) fn has(&self, name: &str, arguments: usize) -> bool {
        LANGUAGE.contains(&name) || self.0.contains(&(name.to_owned(), arguments))
    }

    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, arguments)| *arguments)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let words = self.0.iter().map(|(name, _)| name.as_str());
        words.filter(|name| name.starts_with(|c: char| c.is_alphabetic()) && !name.contains('$'))
    }
}

/// One `import`.
pub(super) struct Import {
    /// `None` if it is not written as a literal text.
    pub path: Option<String>,
    pub alias: String,
    pub position: Position,
}

pub(super) fn imports(ast: &AST) -> impl Iterator<Item = Import> {
    let mut found = Vec::new();
    walk(ast, |node, _| {
        if let ASTNode::Stmt(Stmt::Import(import, position)) = node {
            let path = match &import.0 {
                Expr::StringConstant(path, _) => Some(path.to_string()),
                _ => None,
            };
            let position = match import.0.position() {
                Position::NONE => *position,
                position => position,
            };
            found.push(Import { path, alias: import.1.name.to_string(), position });
        }
    });
    found.into_iter()
}

/// Where `target` is imported.
pub(super) fn import_position(ast: &AST, target: &str) -> Position {
    let mut imports = imports(ast);
    let meant =
        |import: &Import| import.path.as_deref().is_some_and(|path| find(path, |p| p == target).is_some());
    imports.find(meant).map_or(Position::NONE, |import| import.position)
}

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

    fn imports(&mut self) {
        let exists = |path: &str| self.scripts.contains_key(path);
        let mut wrong = Vec::new();
        for import in &self.imports {
            match &import.path {
                None => wrong.push((import.position, "an import's path is a literal text".to_owned(), None)),
                Some(path) if find(path, exists).is_none() => {
                    let help =
                        did_you_mean(path, self.scripts.keys().map(|path| path.trim_end_matches(".rhai")));
                    let help = help.map_or("paths start at the rule directory".into(), |p| {
                        format!("did you mean `{p}`?")
                    });
                    wrong.push((
                        import.position,
                        format!("there is no script `{path}` to import"),
                        Some(help),
                    ));
                }
                Some(_) => {}
            }
        }
        wrong.into_iter().for_each(|(at, message, help)| self.report(at, message, help));
    }

    /// An `on_event` that will not be found, and parameters that hide `vars`.
    fn handler(&mut self) {
        let ast = &self.script.ast;
        let handlers: Vec<_> = ast.iter_functions().filter(|f| f.name == HANDLER).collect();
        if let (Some(first), None) = (handlers.first(), self.script.handler) {
            let message = format!("`{HANDLER}` takes `(event, params)` or `(event)` and is not private");
            self.report(Position::NONE, message, Some(format!("this one reads `{first}`")));
        }
        if let Some(function) = ast.iter_functions().find(|f| hides_vars(f)) {
            self.report(Position::NONE, format!("`{function}`: {VARS_TAKEN}"), None);
        }
    }

    fn node(&mut self, node: &ASTNode<'_>, above: &[ASTNode<'_>]) {
        match node {
            ASTNode::Stmt(Stmt::Var(variable, ..)) => self.defines(&variable.0.name, variable.0.pos),
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

    fn defines(&mut self, name: &str, at: Position) {
        if name == "vars" {
            self.report(at, VARS_TAKEN.to_owned(), None);
        }
    }

    fn variable(&mut self, name: &str, at: Position) {
        let function = self.functions.iter().any(|(function, _)| function == name);
        if name == "vars" || function || self.captured.contains(name) || self.literals.contains(name) {
            return;
        }
        if self.constants.contains(name) {
            let help = format!(
                "write `global::{name}` for a `const` whose value is computed; a `let` stays outside"
            );
            return self.report(at, format!("`{name}` cannot be seen inside functions"), Some(help));
        }
        let help = match name {
            "event" | "params" => {
                format!("`{name}` is a parameter of `{HANDLER}`: hand it on to other functions")
            }
            _ => "a variable is made with `let`".to_owned(),
        };
        self.report(at, format!("there is no variable `{name}`"), Some(help));
    }

    fn qualified(&mut self, root: &str, name: &str, at: Position) {
        if root == "global" && !self.constants.contains(name) {
            self.report(at, format!("there is no constant `{name}` at the top of the file"), None);
        }
    }

    fn call(&mut self, call: &FnCallExpr, at: Position) {
        if call.op_token.is_some() || call.name.starts_with("anon$") {
            return;
        }
        let arguments = call.args.len();
        if !call.namespace.is_empty() {
            return self.imported(call, at);
        }
        let own = self.functions.contains(&(call.name.to_string(), arguments));
        // `call` of a variable that holds a closure: `greet.call(…)` only, so a bare name is a function.
        if !own && !self.natives.has(&call.name, arguments) {
            self.unknown(&call.name, arguments, at);
        }
    }

    /// `obj.f(x)` is `f(obj, x)`, a script function that reads `this`, or a closure in a map.
    fn method(&mut self, call: &FnCallExpr, at: Position) {
        let (name, arguments) = (call.name.as_str(), call.args.len());
        let own = self.functions.contains(&(name.to_owned(), arguments));
        let known = self.functions.contains(&(name.to_owned(), arguments + 1)) || self.keys.contains(name);
        if !own && !known && !self.natives.has(name, arguments + 1) {
            self.unknown(name, arguments, at);
        }
    }

    fn unknown(&mut self, name: &str, arguments: usize, at: Position) {
        let own = self.functions.iter().filter(|(known, _)| known == name).map(|(_, count)| *count);
        let counts: BTreeSet<usize> = own.chain(self.natives.named(name)).collect();
        if counts.is_empty() {
            let names = self.functions.iter().map(|(name, _)| name.as_str());
            let help = did_you_mean(name, names.chain(self.natives.names()));
            let help = help.map(|meant| format!("did you mean `{meant}`?"));
            return self.report(at, format!("there is no function `{name}`"), help);
        }
        let counts = counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        self.report(at, format!("`{name}` takes {counts} arguments, not {arguments}"), None);
    }

    fn imported(&mut self, call: &FnCallExpr, at: Position) {
        let root = call.namespace.root();
        let Some(import) = self.imports.iter().find(|import| import.alias == root) else {
            let help = format!("import it first: `import \"…\" as {root};`");
            return self.report(at, format!("there is no import named `{root}`"), Some(help));
        };
        let path = import.path.as_deref().and_then(|path| find(path, |path| self.scripts.contains_key(path)));
        let Some(library) = path.and_then(|path| self.scripts.get(&path)) else {
            return;
        };
        let mut functions = library.ast.iter_functions();
        let fits =
            |f: &rhai::ScriptFnMetadata<'_>| *f.name == *call.name && f.params.len() == call.args.len();
        if call.namespace.path.len() == 1 && !functions.any(|function| fits(&function)) {
            let help = did_you_mean(&call.name, library.ast.iter_functions().map(|f| f.name));
            let help = help.map(|meant| format!("did you mean `{root}::{meant}`?"));
            let count = call.args.len();
            let file = &library.source.path;
            self.report(at, format!("`{file}` has no function `{}` with {count} arguments", call.name), help);
        }
    }

    /// `event.stauts`: the document's fields are known.
    fn field(&mut self, object: &Expr, rest: &Expr, above: &[ASTNode<'_>]) {
        let Expr::Variable(name, ..) = object else { return };
        let property = match rest {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
            other => other,
        };
        let Expr::Property(property, at) = property else { return };
        let field = property.2.as_str();
        let known = event::FIELDS.contains(&field) || self.keys.contains(field);
        if name.1 != "event" || known || above.iter().any(|node| matches!(node, ASTNode::Expr(Expr::Dot(..))))
        {
            return;
        }
        let help = match did_you_mean(field, event::FIELDS.iter().copied()) {
            Some(meant) => format!("did you mean `event.{meant}`?"),
            None => format!("what the sender posted is below `event.payload`: `event.payload.{field}`"),
        };
        self.report(*at, format!("an event has no field `{field}`"), Some(help));
    }
}

const VARS_TAKEN: &str = "`vars` is the name of the rule set's shared values and cannot be used for another";

fn hides_vars(function: &rhai::ScriptFnMetadata<'_>) -> bool {
    !function.name.starts_with("anon$") && function.params.contains(&"vars")
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
