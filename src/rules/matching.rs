//! What loading asks about patterns as they are written: sources they name, rules they hide.

use super::file::RawRule;
use super::report::{Report, suggestion};
use crate::diagnostic::Span;
use crate::event::OWN_SOURCE;
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
        let pattern = rule.matching.map(|node| node.to_json().to_string());
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
