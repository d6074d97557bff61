//! Compiling what was read: patterns, conditions and actions of each rule, into a rule set.

use super::action::SharedActions;
use super::digest::{OfFile, Shared};
use super::file::{self, RawFile, RawRule};
use super::index::Index;
use super::load::Settings;
use super::matching::Walls;
use super::options::Outer;
use super::report::Report;
use super::{FileScope, Off, Planned, Rule, RuleSet, action, matching};
use crate::action::KINDS;
use crate::pattern::Pattern;
use crate::script::{Condition, Scripts};
use crate::template::Vars;
use crate::yaml::{self, Entry, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Everything the rules of one load are compiled with.
pub(super) struct Compiler<'a> {
    pub settings: &'a Settings,
    pub vars: Arc<Vars>,
    /// Whether `vars` is all that the author wrote.
    pub vars_whole: bool,
    /// The hosts of the URLs in `vars`, each with its port.
    pub vars_hosts: BTreeSet<String>,
    /// Where `vars` stand, with the file.
    pub vars_nodes: Vec<(Arc<str>, &'a Entry)>,
    pub scripts: Arc<Scripts>,
    /// Scripts that did not compile, with their texts: nothing more is said of those who run them.
    pub broken_scripts: BTreeMap<String, Arc<str>>,
    pub shared: Shared,
}

/// What has been compiled so far.
#[derive(Default)]
struct Set {
    rules: Vec<Rule>,
    off: Vec<Off>,
    files: Vec<FileScope>,
    /// The names of all rules, on or off, and the files they stand in.
    names: HashMap<Box<str>, Arc<str>>,
    actions: SharedActions,
}

/// What the rules of one file are compiled with.
struct Scope {
    digest: OfFile,
    walls: Walls,
    pattern: Option<Pattern>,
}

impl Set {
    /// Reports a rule name that another rule of any file has.
    fn check_name(&mut self, rule: &RawRule<'_>, report: &mut Report<'_>) {
        let Some((name, span)) = rule.name else { return };
        if let Some(first) = self.names.get(name) {
            let message = format!("there is a rule `{name}` already, in {first}");
            report.error_with(span, message, Some("names are unique over all files"));
        } else {
            self.names.insert(name.into(), Arc::clone(&report.file));
        }
    }
}

impl Compiler<'_> {
    /// Compiles the rules of all files, one after the other: no more than one is unpacked.
    pub fn rule_set(&self, files: &mut [RawFile<'_>]) -> RuleSet {
        let mut set = Set::default();
        for file in files {
            let pattern = file.matching.and_then(|node| self.pattern(node, &mut file.report));
            let first = set.rules.len();
            let digest = self.shared.of_file(file);
            let mut scope = Scope { digest, walls: Walls::default(), pattern };
            set.rules.reserve(file.rules.len());
            for packed in std::mem::take(&mut file.rules) {
                self.add(&packed.unpack(), file, &mut scope, &mut set);
            }
            set.files.push(FileScope { pattern: scope.pattern, rules: first..set.rules.len() });
        }
        let Set { rules, off, files, .. } = set;
        let names = rules.iter().enumerate().map(|(index, rule): (_, &Rule)| (rule.name.clone(), index));
        RuleSet {
            by_name: names.collect(),
            index: Index::new(&rules, &files),
            rules,
            off,
            files,
            vars: Arc::clone(&self.vars),
            resolver: Arc::clone(&self.settings.resolver),
            scripts: Arc::clone(&self.scripts),
        }
    }

    /// Reads and compiles a rule, and puts it where it belongs: with those that are on, or not.
    fn add(&self, node: &Node, file: &mut RawFile<'_>, scope: &mut Scope, set: &mut Set) {
        let Some(raw) = file::rule(node, self, &mut file.report) else { return };
        set.check_name(&raw, &mut file.report);
        scope.walls.check(&raw, &mut file.report);
        let rule = self.rule(file, &raw, &scope.digest, &mut set.actions);
        let patterns = (scope.pattern.as_ref(), rule.as_ref().and_then(|rule| rule.pattern.as_ref()));
        if let (Some(of_file), Some(own)) = patterns {
            matching::check_clash(&raw, of_file, own, &mut file.report);
        }
        match self.why_off(&raw, &mut file.report) {
            Some(why) => {
                let rule = raw.name.map_or("", |(name, _)| name).to_owned();
                set.off.push(Off { rule, file: Arc::clone(&file.report.file), why });
            }
            None => {
                set.rules.extend(rule.inspect(|rule| self.check_references(rule, &raw, &mut file.report)))
            }
        }
    }

    /// Compiles a rule, whether it is on or not. `None` if that cannot be done; the reasons are
    /// reported.
    fn rule(
        &self,
        file: &mut RawFile<'_>,
        raw: &RawRule<'_>,
        of_file: &OfFile,
        shared: &mut SharedActions,
    ) -> Option<Rule> {
        let uses_scripts = raw.actions.iter().any(|action| !KINDS.iter().any(|row| row.name == action.kind));
        let (retry, timeout) = (raw.retry.over(file.retry), raw.timeout.or(file.timeout));
        let outer = Outer { retry, timeout, lane: raw.lane };
        let report = &mut file.report;
        if raw.matching.is_none() && file.matching.is_none() && !raw.has_misspelt("match") {
            let help = "write `match: any` for every event";
            let span = raw.name.map_or(raw.node.span, |(_, span)| span);
            report.error_with(span, format!("{} has no `match`", raw.title()), Some(help));
        }
        action::check_names(&raw.actions, &raw.title(), report);
        let pattern = raw.matching.map(|node| self.pattern(node, report));
        let when = raw.when.map(|node| self.condition(node, report));
        let actions: Vec<_> = raw
            .actions
            .iter()
            .map(|action| shared.get(action, outer, report, |report| self.action(action, outer, report)))
            .collect();
        let windowless = |(planned, _): &(&Option<Arc<Planned>>, _)| {
            raw.storms.is_empty() && planned.as_ref().is_some_and(|planned| planned.reads_window)
        };
        if let Some((_, action)) = actions.iter().zip(&raw.actions).find(windowless) {
            let help = "give the rule `throttle`, `debounce`, `threshold` or `collect`";
            report.error_with(
                action.value.span,
                "`window` is there only where a rule controls storms",
                Some(help),
            );
        }
        let control = (!raw.storms.is_empty()).then(|| self.control(raw, report).map(Box::new));
        let order = raw.order.map(|node| self.order(node, report).map(Box::new));
        let sees_own = raw.matching.into_iter().chain(file.matching).any(matching::names_own_source);
        Some(Rule {
            name: raw.name?.0.to_owned(),
            file: Arc::clone(&report.file),
            description: raw.description.map(Into::into),
            digest: of_file.rule(raw, uses_scripts),
            actions: actions.into_iter().collect::<Option<_>>()?,
            pattern: pattern.map_or(Some(None), |pattern| pattern.map(Some))?,
            when: when.unwrap_or(Some(None))?.map(Box::new),
            stop: raw.stop,
            fallback: raw.fallback,
            any: raw.matching.is_some_and(matching::is_any),
            sees_own,
            control: control.map_or(Some(None), |control| control.map(Some))?,
            order: order.map_or(Some(None), |order| order.map(Some))?,
        })
    }

    fn pattern(&self, node: &Node, report: &mut Report<'_>) -> Option<Pattern> {
        matching::check_sources(node, &self.settings.sources, report);
        matching::check_texts(node, report);
        matching::check_headers(node, report);
        match Pattern::compile(node) {
            Ok((pattern, warnings)) => {
                warnings.into_iter().for_each(|warning| report.problem(warning));
                // Growing leaves spare room, which a copy has not: a third of the memory.
                Some(pattern.clone())
            }
            Err(errors) => {
                errors.into_iter().for_each(|error| report.problem(error));
                None
            }
        }
    }

    /// Compiles a `when`; the inner option is never `None`, so that it fits one that may be absent.
    pub(super) fn condition(&self, node: &Node, report: &mut Report<'_>) -> Option<Option<Condition>> {
        let yaml::Value::String(expression) = &node.value else { return None };
        let compiled = self.scripts.condition(expression);
        compiled.map(Some).map_err(|error| report.condition(node, expression, error)).ok()
    }
}
