//! Imports, and calls of what was imported or is a module of hookyard's own.

use super::{Checker, walk};
use crate::diagnostic::did_you_mean;
use crate::script::library::find;
use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// One `import`.
pub(in crate::script) struct Import {
    /// `None` if it is not written as a literal text.
    pub path: Option<String>,
    pub alias: String,
    pub position: Position,
}

pub(in crate::script) fn imports(ast: &AST) -> impl Iterator<Item = Import> {
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
pub(in crate::script) fn import_position(ast: &AST, target: &str) -> Position {
    let mut imports = imports(ast);
    let meant =
        |import: &Import| import.path.as_deref().is_some_and(|path| find(path, |p| p == target).is_some());
    imports.find(meant).map_or(Position::NONE, |import| import.position)
}

impl Checker<'_> {
    pub(super) fn imports(&mut self) {
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
            if self.natives.is_module(&import.alias) {
                let message = format!("`{}` is a module of hookyard's own", import.alias);
                let help = "it would be hidden: give the import another name".to_owned();
                wrong.push((import.position, message, Some(help)));
            }
        }
        wrong.into_iter().for_each(|(at, message, help)| self.report(at, message, help));
    }

    /// `root::f(…)`.
    pub(super) fn qualified_call(&mut self, call: &FnCallExpr, at: Position) {
        let root = call.namespace.root();
        if let Some(import) = self.imports.iter().position(|import| import.alias == root) {
            return self.imported(import, call, at);
        }
        if !self.natives.is_module(root) {
            return self.no_import(root, at);
        }
        let mistake = match call.namespace.path.len() {
            1 => self.natives.mistake(root, &call.name, call.args.len()),
            _ => Some((format!("`{root}` has no modules in it"), None)),
        };
        if let Some((message, help)) = mistake {
            self.report(at, message, help);
        }
    }

    fn no_import(&mut self, root: &str, at: Position) {
        let aliases = self.imports.iter().map(|import| import.alias.as_str());
        let help = match did_you_mean(root, self.natives.modules().into_iter().chain(aliases)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("import it first: `import \"…\" as {root};`"),
        };
        self.report(at, format!("there is no import named `{root}`"), Some(help));
    }

    fn imported(&mut self, import: usize, call: &FnCallExpr, at: Position) {
        let (import, root) = (&self.imports[import], call.namespace.root());
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
}
