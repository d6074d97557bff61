//! Compiling what was read: patterns, conditions and actions of each rule, into a rule set.

use super::digest::Shared;
use super::file::{RawFile, RawRule};
use super::load::Settings;
use super::report::Report;
use super::index::Index;
use super::{FileScope, Off, Rule, RuleSet, action, matching};
use crate::pattern::Pattern;
use crate::script::{Condition, Scripts};
use crate::template::Vars;
use crate::yaml::{self, Entry, Node};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything the rules of one load are compiled with.
pub(super) struct Compiler<'a> {
    pub settings: &'a Settings,
    pub vars: Arc<Vars>,
    /// Whether `vars` is all that the author wrote.
    pub vars_whole: bool,
    pub vars_hosts: BTreeSet<String>,
    /// Where `vars` stand, with the file.
    pub vars_nodes: Vec<(Arc<str>, &'a Entry)>,
    pub scripts: Arc<Scripts>,
    /// Scripts that did not compile: nothing more is said of those who run them.
    pub broken_scripts: BTreeSet<String>,
    pub shared: Shared,
}

impl Compiler<'_> {
    pub fn rule_set(&self, files: &mut [RawFile<'_>]) -> RuleSet {
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
            index: Index::new(&rules, &scopes),
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
        if raw.matching.is_none() && file.matching.is_none() && !raw.has_misspelt("match") {
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
                warnings.into_iter().for_each(|warning| report.problem(warning));
                Some(pattern)
            }
            Err(errors) => {
                errors.into_iter().for_each(|error| report.problem(error));
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
}
