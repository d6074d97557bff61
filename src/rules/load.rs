//! Compiling a rule directory: everything that is wrong at once, or a rule set.

use super::compile::Compiler;
use super::digest::Shared;
use super::file;
use super::report::Report;
use super::tree::{self, Tree};
use super::{RuleSet, vars};
use crate::action::Context;
use crate::diagnostic::{Diagnostic, Severity};
use crate::script::{Limits, Scripts, UserKind};
use crate::secret::Resolve;
use crate::yaml::{self, Node, Packed};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What loading needs to know besides the files.
#[derive(Clone)]
pub struct Settings {
    /// Names of the configured sources (a rule may not name another).
    pub sources: BTreeSet<String>,
    pub resolver: Arc<dyn Resolve>,
    pub limits: Limits,
    pub context: Context,
    /// Whether `requires` is treated as fulfilled (`check` and `test`).
    pub assume_required: bool,
}

/// What became of a load.
pub struct Loaded {
    /// `None` if there is an error among the diagnostics.
    pub rules: Option<RuleSet>,
    /// In order of file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a whole rule directory.
pub fn load(tree: &Tree, settings: &Settings) -> Loaded {
    let mut diagnostics = Vec::new();
    let yaml_files = texts(tree, tree::is_rules, &mut diagnostics);
    let script_files = texts(tree, tree::is_script, &mut diagnostics);
    let script_files: BTreeMap<String, Arc<str>> =
        script_files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    let unread = !diagnostics.is_empty();
    let (nodes, rest) = parse(&yaml_files, &mut diagnostics);
    let mut files: Vec<_> =
        nodes.iter().zip(rest).map(|(node, (rows, report))| file::read(node, rows, report)).collect();

    let (merged, vars) = vars::compile(&mut files);
    let vars_whole = vars.is_some() && !unread && nodes.len() == yaml_files.len();
    let vars = Arc::new(vars.unwrap_or_else(vars::none));
    let (scripts, mut found) =
        Scripts::compile(&script_files, &vars, &settings.resolver, settings.limits, &settings.context);
    if unread {
        // What looks unused may be used there.
        found.retain(|found| found.severity == Severity::Error);
    }
    let broken = |file: &str| Some((file.to_owned(), script_files.get(file)?.clone()));
    let broken_scripts = errors(&found).filter_map(|found| broken(&found.file)).collect();
    diagnostics.extend(found);

    let compiler = Compiler {
        settings,
        vars_hosts: vars.hosts(&*settings.resolver),
        vars_nodes: files.iter().filter_map(|file| Some((file.report.file.clone(), file.vars?))).collect(),
        vars,
        vars_whole,
        scripts,
        broken_scripts,
        shared: Shared::new(&merged.to_string(), &script_files, settings.limits, settings.context.programs()),
    };
    let rules = compiler.rule_set(&mut files);
    diagnostics.extend(files.into_iter().flat_map(|file| file.report.into_diagnostics()));
    diagnostics.sort_by_key(|found| (Arc::clone(&found.file), found.span.map_or(0, |span| span.start)));
    let failed = errors(&diagnostics).next().is_some();
    Loaded { rules: (!failed).then_some(rules), diagnostics }
}

/// The action kinds that the scripts of a directory define, also while its rules are broken.
pub fn user_kinds(tree: &Tree, settings: &Settings) -> Vec<UserKind> {
    let mut unread = Vec::new();
    let files = texts(tree, tree::is_script, &mut unread);
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
    let vars = Arc::new(vars::none());
    let (scripts, _) =
        Scripts::compile(&files, &vars, &settings.resolver, settings.limits, &settings.context);
    scripts.user_kinds().cloned().collect()
}

fn errors(diagnostics: &[Diagnostic]) -> impl Iterator<Item = &Diagnostic> {
    diagnostics.iter().filter(|found| found.severity == Severity::Error)
}

/// The texts of the files of one sort; those that are not UTF-8 are reported.
pub(super) fn texts<'t>(
    tree: &'t Tree,
    is_wanted: fn(&str) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'t str, &'t str> {
    let mut texts = BTreeMap::new();
    for (path, content) in tree.iter().filter(|(path, _)| is_wanted(path)) {
        if content.trim_ascii().is_empty() && tree::is_rules(path) {
            // An editor may be about to write it: what stood in it must not be gone for a moment.
            let empty = Diagnostic::error(path.as_str(), "the file is empty");
            diagnostics.push(empty.with_help("write `rules:` and a rule, or remove the file"));
            continue;
        }
        match std::str::from_utf8(content) {
            Ok(text) => _ = texts.insert(path.as_str(), text),
            Err(error) => {
                let line = content[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                let message = format!("the file is not UTF-8 text (line {line})");
                diagnostics.push(Diagnostic::error(path.as_str(), message).with_help("save it as UTF-8"));
            }
        }
    }
    texts
}

/// The files' nodes; and of each its rules and its report.
pub(super) fn parse<'t>(
    files: &BTreeMap<&'t str, &'t str>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<Node>, Vec<(Vec<Packed>, Report<'t>)>) {
    let (mut nodes, mut rest) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let file: Arc<str> = Arc::from(*path);
        match yaml::parse_rows(&file, text, "rules") {
            Ok((node, rows)) => {
                nodes.push(node);
                rest.push((rows, Report::new(file, text)));
            }
            Err(found) => diagnostics.extend(found),
        }
    }
    (nodes, rest)
}
