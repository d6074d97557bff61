//! What loading asks about patterns as they are written: sources they name, rules they hide.

use super::file::RawRule;
use super::report::{Report, suggestion};
use crate::diagnostic::{Problem, Span};
use crate::event::OWN_SOURCE;
use crate::json::Json;
use crate::pattern::{Clash, Pattern};
use crate::secret::{self, Part};
use crate::source::is_hidden_header;
use crate::yaml::{Node, Value};
use std::collections::{BTreeSet, HashMap};

/// Whether a pattern is the word for every event.
pub(super) fn is_any(node: &Node) -> bool {
    matches!(&node.value, Value::String(text) if text == "any")
}

/// The sources that a pattern gives literally, in its alternatives (`$or`) too.
fn literal_sources(node: &Node) -> Vec<(&str, Span)> {
    let mut found = Vec::new();
    for entry in node.entries() {
        match (entry.key.as_str(), &entry.node.value) {
            ("source", Value::String(text)) => found.push((text.as_str(), entry.node.span)),
            ("source", Value::List(items)) => found.extend(items.iter().filter_map(text)),
            ("$or", Value::List(items)) => found.extend(items.iter().flat_map(literal_sources)),
            _ => {}
        }
    }
    found
}

fn text(node: &Node) -> Option<(&str, Span)> {
    match &node.value {
        Value::String(text) => Some((text, node.span)),
        _ => None,
    }
}

/// Whether a pattern names hookyard's own events, which no other pattern sees.
pub(super) fn names_own_source(node: &Node) -> bool {
    literal_sources(node).iter().any(|(source, _)| *source == OWN_SOURCE)
}

/// Reports sources that are not configured.
pub(super) fn check_sources(node: &Node, sources: &BTreeSet<String>, report: &mut Report<'_>) {
    for (source, span) in literal_sources(node) {
        if source != OWN_SOURCE && !sources.contains(source) {
            let help = suggestion(source, sources.iter().map(String::as_str));
            report.error_with(span, format!("there is no source `{source}`"), Some(help));
        }
    }
}

/// Warns of texts that look as if something were filled in: in a pattern nothing is.
pub(super) fn check_texts(node: &Node, report: &mut Report<'_>) {
    match &node.value {
        Value::String(text) => {
            if let Some(what) = looks_filled_in(text) {
                let problem = Problem::warning(
                    node.span,
                    format!("a pattern has no {what}: `{text}` is meant as it stands"),
                );
                report.problem(
                    problem.with_help("write the value itself, or compare with `vars` in the rule's `when`"),
                );
            }
        }
        Value::List(items) => items.iter().for_each(|item| check_texts(item, report)),
        Value::Map(entries) => entries.iter().for_each(|entry| check_texts(&entry.node, report)),
        _ => {}
    }
}

fn looks_filled_in(text: &str) -> Option<&'static str> {
    let is_reference = |part: &Part| matches!(part, Part::Reference(_));
    if text.contains("${") && secret::split(text).is_ok_and(|parts| parts.iter().any(is_reference)) {
        return Some("references");
    }
    text.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")).then_some("templates")
}

/// Warns of headers that carry a credential: events are kept without them.
pub(super) fn check_headers(node: &Node, report: &mut Report<'_>) {
    for entry in node.entries() {
        match (entry.key.as_str(), &entry.node.value) {
            ("$or", Value::List(groups)) => groups.iter().for_each(|group| check_headers(group, report)),
            ("$not", _) => check_headers(&entry.node, report),
            ("headers", _) => {
                for header in entry.node.entries().iter().filter(|header| is_hidden_header(&header.key)) {
                    let message = format!(
                        "events are kept without the header `{}`: it may be a credential",
                        header.key
                    );
                    let help = "the signature of a request is checked by its source";
                    report.problem(Problem::warning(header.key_span, message).with_help(help));
                }
            }
            _ => {}
        }
    }
}

/// Reports a rule whose pattern and that of its file exclude each other.
pub(super) fn check_clash(rule: &RawRule<'_>, of_file: &Pattern, own: &Pattern, report: &mut Report<'_>) {
    let (true, Some((_, span))) = (rule.enabled, rule.name) else { return };
    let Some(Clash { path, unless_list }) = of_file.clash(own) else { return };
    let title = rule.title();
    let help = "a file's `match` holds for each of its rules: widen it, or move the rule to another file";
    if unless_list {
        let message = format!(
            "{title} and its file's `match` want different things of `{path}`: both hold only with a list on the way"
        );
        report.problem(Problem::warning(span, message).with_help(help));
    } else {
        let message =
            format!("no event reaches {title}: its file's `match` wants something else of `{path}`");
        report.problem(Problem::error(span, message).with_help(help));
    }
}

/// The rules of a file that stop all of their events: later ones with the same pattern are never
/// reached, nor is any behind one for every event. Only what is certain: a rule that always
/// applies.
#[derive(Default)]
pub(super) struct Walls {
    count: usize,
    /// By whether it is a fallback: the first without a pattern of its own, or with `any`.
    every: [Option<Wall>; 2],
    /// By that and the pattern's text.
    same: HashMap<(bool, Option<String>), Wall>,
}

/// Which it is of the walls, and what sentences call it.
#[derive(Clone)]
struct Wall(usize, String);

/// A pattern with its bare scalars as the lists of one that they mean.
fn lists(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => {
            let item = |item: &Node| if item.entries().is_empty() { item.to_json() } else { lists(item) };
            Json::Array(items.iter().map(item).collect())
        }
        Value::Map(entries) => {
            Json::object(entries.iter().map(|entry| (entry.key.clone(), lists(&entry.node))))
        }
        _ => Json::Array(vec![node.to_json()]),
    }
}

impl Walls {
    /// Reports a rule that no event can reach; the rules come in order.
    pub fn check(&mut self, rule: &RawRule<'_>, report: &mut Report<'_>) {
        if !rule.enabled {
            return;
        }
        let always = rule.stop && rule.when.is_none() && rule.requires.is_empty();
        if !always && self.count == 0 {
            return;
        }
        let pattern = rule.matching.map(|node| lists(node).to_string());
        if let (Some(Wall(_, wall)), Some((_, span))) = (self.before(rule, pattern.as_ref()), rule.name) {
            let message = format!("no event reaches {}: {wall} stops all of them", rule.title());
            report.error_with(span, message, Some("put it before that rule, or narrow that rule's `match`"));
        }
        if always {
            self.add(rule, pattern);
        }
    }

    /// The first that hides a rule. Fallbacks are tried after the others, wherever they stand.
    fn before(&self, rule: &RawRule<'_>, pattern: Option<&String>) -> Option<&Wall> {
        let kinds = [false, true].into_iter().filter(|fallback| rule.fallback || !fallback);
        let sees_own = rule.matching.is_some_and(names_own_source);
        let every = |fallback: bool| self.every[usize::from(fallback)].as_ref().filter(|_| !sees_own);
        let same = |fallback| self.same.get(&(fallback, pattern.cloned()));
        kinds.flat_map(|kind| every(kind).into_iter().chain(same(kind))).min_by_key(|wall| wall.0)
    }

    fn add(&mut self, rule: &RawRule<'_>, pattern: Option<String>) {
        let wall = Wall(self.count, rule.title());
        self.count += 1;
        if rule.matching.is_none_or(is_any) {
            self.every[usize::from(rule.fallback)].get_or_insert_with(|| wall.clone());
        }
        self.same.entry((rule.fallback, pattern)).or_insert(wall);
    }
}
