//! All scripts of a generation: parsed, checked, folded, and evaluated once into modules.

use super::check::{self, Natives};
use super::kinds::{self, Kinds};
use super::source::Source;
use super::state::Room;
use super::{Limits, explain::Explained};
use super::{effects, explain, state};
use crate::diagnostic::{Diagnostic, Severity, did_you_mean};
use rhai::{
    AST, Engine, EvalAltResult, FnAccess, Module, ModuleResolver, OptimizationLevel, Position, Scope, Shared,
    Stmt,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

/// The function that handles an event.
pub(super) const HANDLER: &str = "on_event";

/// One file, parsed.
pub(super) struct Script {
    pub source: Source,
    /// As written: nothing folded, nothing left out.
    pub ast: AST,
    /// The paths it imports that exist.
    pub imports: BTreeSet<String>,
    /// How many parameters its `on_event` takes.
    pub handler: Option<usize>,
    /// Where its state is: `const KV`, else its path without `.rhai`.
    pub namespace: String,
}

pub(super) type Scripts = BTreeMap<String, Script>;

/// Serves `import` from memory: nothing else can be imported.
#[derive(Clone, Default)]
pub(super) struct Resolver(Arc<RwLock<BTreeMap<String, Shared<Module>>>>);

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let modules = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found =
            find(path, |path| modules.contains_key(path)).and_then(|path| modules.get(&path).cloned());
        found.ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into())
    }
}

/// The file an import means: its path from the rule directory, with or without `.rhai`.
pub(super) fn find(path: &str, exists: impl Fn(&str) -> bool) -> Option<String> {
    let path = path.trim_start_matches("./");
    let with_extension = format!("{path}.rhai");
    [path, &with_extension].into_iter().find(|path| exists(path)).map(str::to_owned)
}

/// Whether runs of a file do nothing but compute: neither it nor what it imports says `fetch`, which
/// waits for others, or `kv`, which its next run may read.
pub(super) fn only_computes(scripts: &Scripts, file: &str) -> bool {
    let (mut left, mut seen) = (vec![file], BTreeSet::new());
    while let Some(path) = left.pop() {
        let Some(script) = scripts.get(path).filter(|_| seen.insert(path)) else { continue };
        if ["fetch", "kv"].iter().any(|word| script.source.text.contains(word)) {
            return false;
        }
        left.extend(script.imports.iter().map(String::as_str));
    }
    true
}

/// What the files of a generation come to.
pub(super) struct Compiled {
    /// Those that can run.
    pub scripts: Scripts,
    /// The action kinds among them.
    pub kinds: Kinds,
    pub problems: Vec<Diagnostic>,
}

/// Compiles every file into the resolver's memory, and adds the action kinds, the `built_in` ones
/// and those of the files, to the engine.
pub(super) fn compile<'a>(
    files: &BTreeMap<String, Arc<str>>,
    built_in: impl Iterator<Item = &'a str> + Clone,
    engine: &mut Engine,
    resolver: &Resolver,
    limits: &Limits,
) -> Compiled {
    engine.set_optimization_level(OptimizationLevel::None);
    let (scripts, mut problems) = parse_all(files, engine);
    let mut natives = Natives::of(engine);
    let (kinds, found) = kinds::collect(&scripts, built_in.clone(), &natives, engine);
    problems.extend(found);
    let mut add = |name: &str| {
        effects::register(engine, name);
        natives.add(name);
    };
    built_in.for_each(&mut add);
    kinds.keys().for_each(|name| add(name));
    problems.extend(scripts.values().flat_map(|script| check::check(script, &scripts, &natives)));
    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.set_strict_variables(true);
    let mut loader =
        Loader { engine, resolver, limits, scripts: &scripts, states: BTreeMap::new(), problems };
    for path in scripts.keys() {
        loader.load(path);
    }
    let (states, mut problems) = (loader.states, loader.problems);
    // Something may only look unused where another thing is misspelt or was not read.
    if problems.iter().all(|problem| problem.severity != Severity::Error) {
        problems.extend(check::unused(&scripts));
    }
    let ready = |path: &String| matches!(states.get(path), Some(State::Ready));
    let scripts = scripts.into_iter().filter(|(path, _)| ready(path)).collect();
    Compiled { scripts, kinds, problems }
}

fn parse_all(files: &BTreeMap<String, Arc<str>>, engine: &Engine) -> (Scripts, Vec<Diagnostic>) {
    let (mut scripts, mut problems) = (Scripts::new(), Vec::new());
    let sources =
        files.iter().map(|(path, text)| Source { path: path.as_str().into(), text: Arc::clone(text) });
    for source in sources {
        match engine.compile(&*source.text) {
            Ok(ast) => {
                let imports = check::imports(&ast)
                    .filter_map(|import| find(&import.path?, |path| files.contains_key(path)));
                let imports = imports.collect();
                let handler = handler(&ast);
                let namespace = namespace(&ast, &source).unwrap_or_else(|problem| {
                    problems.push(problem);
                    String::new()
                });
                let path = source.path.to_string();
                scripts.insert(path, Script { source, ast, imports, handler, namespace });
            }
            Err(error) => problems.push(explain::syntax(&source, &error)),
        }
    }
    (scripts, problems)
}

fn handler(ast: &AST) -> Option<usize> {
    let handlers = ast.iter_functions().filter(|function| function.name == HANDLER);
    let public = handlers.filter(|function| matches!(function.access, FnAccess::Public));
    public.map(|function| function.params.len()).filter(|count| matches!(count, 1 | 2)).max()
}

/// The constant that names the namespace of a script's state.
const NAMESPACE: &str = "KV";

fn namespace(ast: &AST, source: &Source) -> Result<String, Diagnostic> {
    let named = ast.statements().iter().find_map(|statement| match statement {
        Stmt::Var(variable, ..) if variable.0.name == NAMESPACE => Some(variable.0.pos),
        _ => None,
    });
    let Some(at) = named else {
        return Ok(source.path.trim_end_matches(".rhai").to_owned());
    };
    let constant = ast.iter_literal_variables(true, false).find(|(name, ..)| *name == NAMESPACE);
    let given = constant.and_then(|(.., value)| value.into_string().ok());
    let fits = |name: &String| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
        (1..=MAX_NAMESPACE_BYTES).contains(&name.len()) && name.bytes().all(allowed)
    };
    given.filter(fits).ok_or_else(|| {
        let message = format!("`{NAMESPACE}` names the namespace of the script's state");
        let help = format!(
            "write `const {NAMESPACE} = \"failures\";`: at most {MAX_NAMESPACE_BYTES} letters, digits and `_-./`"
        );
        source.error(at, message).with_help(help)
    })
}

const MAX_NAMESPACE_BYTES: usize = 100;

enum State {
    /// Being loaded: an import that comes back here is a cycle.
    Loading,
    Ready,
    Broken,
}

struct Loader<'a> {
    engine: &'a Engine,
    resolver: &'a Resolver,
    limits: &'a Limits,
    scripts: &'a Scripts,
    states: BTreeMap<String, State>,
    problems: Vec<Diagnostic>,
}

impl Loader<'_> {
    /// Loads a file behind the files it imports. Returns whether it can be used.
    fn load(&mut self, path: &str) -> bool {
        match self.states.get(path) {
            Some(State::Ready) => return true,
            Some(State::Loading | State::Broken) => return false,
            None => {}
        }
        let Some(script) = self.scripts.get(path) else {
            return false;
        };
        self.states.insert(path.to_owned(), State::Loading);
        // All of them, so that the problems of each are found.
        let missing = script.imports.iter().filter(|import| !self.import(script, import)).count();
        let broken = |problem: &Diagnostic| *problem.file == *path && problem.severity == Severity::Error;
        let ready = missing == 0 && !self.problems.iter().any(broken) && self.evaluate(path, script);
        self.states.insert(path.to_owned(), if ready { State::Ready } else { State::Broken });
        ready
    }

    fn import(&mut self, script: &Script, import: &str) -> bool {
        if matches!(self.states.get(import), Some(State::Loading)) {
            let message = format!(
                "`{}` and `{import}` import each other, directly or through others",
                script.source.path
            );
            let help = "move what both need into a third file";
            self.problems.push(
                script.source.error(check::import_position(&script.ast, import), message).with_help(help),
            );
            return false;
        }
        self.load(import)
    }

    fn evaluate(&mut self, path: &str, script: &Script) -> bool {
        match self.module(script) {
            Ok(module) => {
                let mut modules = self.resolver.0.write().unwrap_or_else(PoisonError::into_inner);
                modules.insert(path.to_owned(), module.into());
                true
            }
            Err(problem) => {
                self.problems.push(problem);
                false
            }
        }
    }

    /// Compiles again with the literal top-level constants folded in, which makes them visible
    /// in functions, and runs the top-level code.
    fn module(&self, script: &Script) -> Result<Module, Diagnostic> {
        let mut constants = Scope::new();
        for (name, _, value) in script.ast.iter_literal_variables(true, false) {
            constants.push_constant_dynamic(name, value);
        }
        // Only so that strict mode knows the names; their values come from elsewhere.
        constants.push("vars", ());
        for function in script.ast.iter_functions() {
            constants.push(function.name, ());
        }
        let ast = self.engine.compile_with_scope(&constants, &*script.source.text);
        let mut ast = ast.map_err(|error| explain::syntax(&script.source, &error))?;
        ast.set_source(&*script.source.path);
        state::meter(self.limits, Room::of_script(self.limits, 0));
        Module::eval_ast_as_new(Scope::new(), &ast, self.engine).map_err(|error| {
            let explained = explain::explain(*error, &script.source.path, self.limits, None);
            top_level(script, &explained)
        })
    }
}

fn top_level(script: &Script, explained: &Explained) -> Diagnostic {
    let message = explained.message.clone();
    let here = *explained.file == *script.source.path;
    let at = if here { explained.position } else { Position::NONE };
    script.source.error(at, message).with_help("code outside of functions runs once, when the file is loaded")
}

/// The file that a script action names.
///
/// # Errors
/// The sentence and, if there is one, what to write instead.
pub(super) fn entry(scripts: &Scripts, file: &str) -> Result<String, (String, Option<String>)> {
    let Some(path) = find(file, |path| scripts.contains_key(path)) else {
        let help = did_you_mean(file, scripts.keys().map(String::as_str));
        return Err((
            format!("there is no script `{file}` among the rules"),
            help.map(|meant| format!("did you mean `{meant}`?")),
        ));
    };
    if scripts[&path].handler.is_none() {
        let help = format!("add `fn {HANDLER}(event, params) {{ … }}`, or only `import` the file");
        return Err((format!("`{path}` has no function `{HANDLER}(event, params)`"), Some(help)));
    }
    Ok(path)
}
