//! Compiling a rule directory: everything that is wrong at once, or a rule set.

use super::digest::Shared;
use super::expect::RuleTest;
use super::file::{self, RawFile, RawRule};
use super::report::Report;
use super::tree::{self, Tree};
use super::{FileScope, Off, Rule, RuleSet, action, matching};
use crate::action::Context;
use crate::diagnostic::{Diagnostic, Severity};
use crate::json::Json;
use crate::pattern::Pattern;
use crate::registry::ConfigError;
use crate::script::{Condition, Limits, Scripts};
use crate::secret::{Reference, Resolve, Unresolved};
use crate::template::Vars;
use crate::yaml::{self, Entry, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// The `tests:` of all files, for [`super::run_tests`].
    pub tests: Vec<RuleTest>,
}

/// Compiles a whole rule directory.
pub fn load(tree: &Tree, settings: &Settings) -> Loaded {
    let mut diagnostics = Vec::new();
    let yaml_files = texts(tree, tree::is_rules, &mut diagnostics);
    let script_files = texts(tree, tree::is_script, &mut diagnostics);
    let unread = !diagnostics.is_empty();
    let (nodes, reports) = parse(&yaml_files, &mut diagnostics);
    let mut files: Vec<_> =
        nodes.iter().zip(reports).map(|(node, report)| file::read(node, report)).collect();
    check_rule_names(&mut files);

    let (merged, vars) = compile_vars(&mut files);
    let vars_whole = vars.is_some() && !unread && nodes.len() == yaml_files.len();
    let vars = Arc::new(vars.unwrap_or_else(no_vars));
    let (scripts, found) =
        Scripts::compile(&script_files, &vars, &settings.resolver, settings.limits, &settings.context);
    diagnostics.extend(found);

    let compiler = Compiler {
        settings,
        vars_hosts: vars.hosts(&*settings.resolver),
        vars_nodes: files.iter().filter_map(|file| Some((file.report.file.clone(), file.vars?))).collect(),
        vars,
        vars_whole,
        scripts,
        shared: Shared::new(&merged.to_string(), &script_files, settings.limits),
    };
    let rules = compiler.rule_set(&mut files);
    let tests = files.iter_mut().flat_map(|file| std::mem::take(&mut file.tests)).collect();
    diagnostics.extend(files.into_iter().flat_map(|file| file.report.into_diagnostics()));
    diagnostics.sort_by_key(|found| (Arc::clone(&found.file), found.span.map_or(0, |span| span.start)));
    let failed = diagnostics.iter().any(|found| found.severity == Severity::Error);
    Loaded { rules: (!failed).then_some(rules), diagnostics, tests }
}

/// The texts of the files of one sort; those that are not UTF-8 are reported.
fn texts(
    tree: &Tree,
    is_wanted: fn(&str) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Arc<str>> {
    let mut texts = BTreeMap::new();
    for (path, content) in tree.iter().filter(|(path, _)| is_wanted(path)) {
        match std::str::from_utf8(content) {
            Ok(text) => drop(texts.insert(path.clone(), Arc::from(text))),
            Err(error) => {
                let line = content[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                let message = format!("the file is not UTF-8 text (line {line})");
                diagnostics.push(Diagnostic::error(path.as_str(), message).with_help("save it as UTF-8"));
            }
        }
    }
    texts
}

fn parse(files: &BTreeMap<String, Arc<str>>, diagnostics: &mut Vec<Diagnostic>) -> (Vec<Node>, Vec<Report>) {
    let (mut nodes, mut reports) = (Vec::new(), Vec::new());
    for (path, text) in files {
        let file: Arc<str> = Arc::from(path.as_str());
        match yaml::parse(&file, text) {
            Ok(node) => {
                nodes.push(node);
                reports.push(Report::new(file, Arc::clone(text)));
            }
            Err(found) => diagnostics.extend(found),
        }
    }
    (nodes, reports)
}

/// Reports a rule name that another rule of any file has.
fn check_rule_names(files: &mut [RawFile<'_>]) {
    let mut seen: HashMap<&str, Arc<str>> = HashMap::new();
    for file in files {
        for (name, span) in file.rules.iter().filter_map(|rule| rule.name) {
            if let Some(first) = seen.get(name) {
                let message = format!("there is a rule `{name}` already, in {first}");
                file.report.error_with(span, message, Some("names are unique over all files"));
            } else {
                seen.insert(name, Arc::clone(&file.report.file));
            }
        }
    }
}

/// Merges the `vars` of all files. `None` if something is wrong with them.
fn compile_vars(files: &mut [RawFile<'_>]) -> (Json, Option<Vars>) {
    let mut whole = true;
    let mut owners: BTreeMap<&str, (usize, &Node)> = BTreeMap::new();
    for (index, file) in files.iter_mut().enumerate() {
        let Some(entry) = file.vars else { continue };
        whole &= !matches!(
            entry.node.to_json(),
            Json::String(_) | Json::Array(_) | Json::Number(_) | Json::Bool(_)
        );
        for Entry { key, key_span, node } in file.report.map(&entry.node, "`vars`") {
            if owners.insert(key, (index, node)).is_some_and(|(other, _)| other != index) {
                let message = format!("another file has `{key}` in its `vars`, which all files share");
                file.report.error(*key_span, message);
                whole = false;
            }
        }
    }
    let merged = Json::object(owners.iter().map(|(key, (_, node))| (*key, node.to_json())));
    match Vars::compile(&merged) {
        Ok(vars) => (merged, whole.then_some(vars)),
        Err(errors) => {
            errors.into_iter().for_each(|error| report_vars(files, &owners, error));
            (merged, None)
        }
    }
}

/// Reports an error in the merged `vars` in the file that the first step of its pointer is from.
fn report_vars(files: &mut [RawFile<'_>], owners: &BTreeMap<&str, (usize, &Node)>, error: ConfigError) {
    let first = error.pointer.split('/').nth(1).unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let owner = owners.get(first.as_str()).or_else(|| owners.values().next());
    let Some((index, _)) = owner else { return };
    let file = &mut files[*index];
    if let Some(entry) = file.vars {
        file.report.config(&entry.node, error);
    }
}

fn no_vars() -> Vars {
    Vars::compile(&Json::object::<String>([])).expect("an empty map has no malformed reference")
}

/// Everything the rules of one load are compiled with.
pub(super) struct Compiler<'a> {
    pub settings: &'a Settings,
    pub vars: Arc<Vars>,
    /// Whether `vars` is all that the author wrote.
    pub vars_whole: bool,
    pub vars_hosts: BTreeSet<String>,
    /// Where `vars` stand, with the file.
    vars_nodes: Vec<(Arc<str>, &'a Entry)>,
    pub scripts: Arc<Scripts>,
    shared: Shared,
}

impl Compiler<'_> {
    fn rule_set(&self, files: &mut [RawFile<'_>]) -> RuleSet {
        let (mut rules, mut off, mut scopes) = (Vec::new(), Vec::new(), Vec::new());
        for file in files {
            matching::check_reachable(&file.rules, &mut file.report);
            let pattern = file.matching.and_then(|node| self.pattern(node, &mut file.report));
            let first = rules.len();
            let raw_rules = std::mem::take(&mut file.rules);
            for raw in &raw_rules {
                let rule = self.rule(file, raw);
                match self.why_off(raw, &mut file.report) {
                    Some(why) => {
                        let rule = raw.name.map_or("", |(name, _)| name).to_owned();
                        off.push(Off { rule, file: Arc::clone(&file.report.file), why });
                    }
                    None => {
                        rules.extend(rule.inspect(|rule| self.check_references(rule, raw, &mut file.report)))
                    }
                }
            }
            scopes.push(FileScope { pattern, rules: first..rules.len() });
        }
        RuleSet {
            by_name: rules
                .iter()
                .enumerate()
                .map(|(index, rule): (_, &Rule)| (rule.name.clone(), index))
                .collect(),
            rules,
            off,
            vars: Arc::clone(&self.vars),
            resolver: Arc::clone(&self.settings.resolver),
            files: scopes,
            scripts: Arc::clone(&self.scripts),
            context: self.settings.context.clone(),
        }
    }

    /// Compiles a rule, whether it is on or not. `None` if that cannot be done; the reasons are
    /// reported.
    fn rule(&self, file: &mut RawFile<'_>, raw: &RawRule<'_>) -> Option<Rule> {
        let uses_scripts = raw.actions.iter().any(|action| action.kind == super::SCRIPT);
        let digest = self.shared.rule(file, raw, uses_scripts);
        let (retry, timeout) = (raw.retry.over(file.retry), raw.timeout.or(file.timeout));
        let report = &mut file.report;
        if raw.matching.is_none() && file.matching.is_none() {
            let help = "write `match: any` for every event";
            let span = raw.name.map_or(raw.node.span, |(_, span)| span);
            report.error_with(span, format!("{} has no `match`", raw.title()), Some(help));
        }
        action::check_names(&raw.actions, &raw.title(), report);
        let pattern = raw.matching.map(|node| self.pattern(node, report));
        let when = raw.when.map(|node| self.condition(node, report));
        let actions: Vec<_> =
            raw.actions.iter().map(|action| self.action(action, retry, timeout, report)).collect();
        let sees_own = raw.matching.into_iter().chain(file.matching).any(matching::names_own_source);
        Some(Rule {
            name: raw.name?.0.to_owned(),
            file: Arc::clone(&report.file),
            description: raw.description.map(str::to_owned),
            digest,
            actions: actions.into_iter().collect::<Option<_>>()?,
            pattern: pattern.map_or(Some(None), |pattern| pattern.map(Some))?,
            when: when.unwrap_or(Some(None))?,
            stop: raw.stop,
            fallback: raw.fallback,
            any: raw.matching.is_some_and(matching::is_any),
            sees_own,
        })
    }

    fn pattern(&self, node: &Node, report: &mut Report) -> Option<Pattern> {
        matching::check_sources(node, &self.settings.sources, report);
        match Pattern::compile(node) {
            Ok((pattern, warnings)) => {
                warnings.into_iter().for_each(|warning| report.add(warning));
                Some(pattern)
            }
            Err(errors) => {
                errors.into_iter().for_each(|error| report.add(error));
                None
            }
        }
    }

    /// Compiles a `when`; the inner option is never `None`, so that it fits one that may be absent.
    pub(super) fn condition(&self, node: &Node, report: &mut Report) -> Option<Option<Condition>> {
        let yaml::Value::String(expression) = &node.value else { return None };
        let compiled = self.scripts.condition(expression);
        compiled.map(Some).map_err(|error| report.condition(node, expression, error)).ok()
    }

    /// Why a rule is not in force, with a note where it is for want of a variable.
    fn why_off(&self, raw: &RawRule<'_>, report: &mut Report) -> Option<String> {
        if !raw.enabled {
            return Some("it says `enabled: false`".to_owned());
        }
        if self.settings.assume_required {
            return None;
        }
        let mut unset = Vec::new();
        for (name, span) in &raw.requires {
            let reference = Reference::Env { name: (*name).to_owned(), default: None };
            match self.settings.resolver.resolve(&reference) {
                Ok(value) if !value.expose().is_empty() => {}
                Err(error @ Unresolved::Reserved(_)) => report.error(*span, error.to_string()),
                _ => unset.push((*name, *span)),
            }
        }
        let (_, span) = unset.first()?;
        let names = unset.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" and ");
        let why = format!("{names} {} not set", if unset.len() == 1 { "is" } else { "are" });
        report.warning(*span, format!("{} is off: {why}", raw.title()));
        Some(why)
    }

    /// Reports references without a value that the actions of a rule use.
    fn check_references(&self, rule: &Rule, raw: &RawRule<'_>, report: &mut Report) {
        for (planned, action) in rule.actions.iter().zip(&raw.actions) {
            for reference in planned.params.references(&self.vars) {
                if let Err(error) = self.settings.resolver.resolve(&reference) {
                    self.unresolved(&reference, &error, action.value, raw, report);
                }
            }
        }
    }

    fn unresolved(
        &self,
        reference: &Reference,
        error: &Unresolved,
        action: &Node,
        raw: &RawRule<'_>,
        report: &mut Report,
    ) {
        let placeholder = self.settings.resolver.placeholders();
        let mut diagnostic = if placeholder { Diagnostic::warning } else { Diagnostic::error }(
            Arc::clone(&report.file),
            error.to_string(),
        );
        let text = reference.to_string();
        let elsewhere = || self.vars_nodes.iter().find(|(_, vars)| find_text(&vars.node, &text).is_some());
        let node = find_text(action, &text).unwrap_or(action);
        if node.span == action.span && find_text(action, &text).is_none() {
            let place = elsewhere().map_or_else(String::new, |(file, _)| format!(" of {file}"));
            diagnostic.message = format!("{error}; {} uses `{text}` in the `vars`{place}", raw.title());
        }
        if let (Reference::Env { name, .. }, Unresolved::Unset(_)) = (reference, error) {
            diagnostic.help = Some(format!("set it, or write `requires: [{name}]` in the rule"));
        }
        report.add(diagnostic.with_span(node.span, &report.text));
    }
}

/// The text in which a reference stands.
fn find_text<'n>(node: &'n Node, reference: &str) -> Option<&'n Node> {
    match &node.value {
        yaml::Value::String(text) => text.contains(reference).then_some(node),
        yaml::Value::List(items) => items.iter().find_map(|item| find_text(item, reference)),
        yaml::Value::Map(entries) => entries.iter().find_map(|entry| find_text(&entry.node, reference)),
        _ => None,
    }
}
