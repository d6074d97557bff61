//! What loading asks about patterns as they are written: sources they name, rules they hide.

use super::file::RawRule;
use super::report::{Report, suggestion};
use crate::diagnostic::Span;
use crate::yaml::{Node, Value};
use std::collections::BTreeSet;

/// The source of hookyard's own events. Its name needs no configuration.
pub(super) const OWN_SOURCE: &str = "hookyard";

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
pub(super) fn check_sources(node: &Node, sources: &BTreeSet<String>, report: &mut Report) {
    for (source, span) in literal_sources(node) {
        if source != OWN_SOURCE && !sources.contains(source) {
            let help = suggestion(source, sources.iter().map(String::as_str));
            report.error_with(span, format!("there is no source `{source}`"), Some(help));
        }
    }
}

/// Reports rules that no event can reach, because an earlier rule of the file stops all of theirs.
/// Only what is certain: the same pattern, or `any`, in a rule that always applies.
pub(super) fn check_reachable(rules: &[RawRule<'_>], report: &mut Report) {
    for (index, rule) in rules.iter().enumerate() {
        let Some(wall) = rules[..index].iter().find(|earlier| hides(earlier, rule)) else { continue };
        let Some((_, span)) = rule.name else { continue };
        let message = format!("no event reaches {}: {} stops all of them", rule.title(), wall.title());
        report.error_with(span, message, Some("put it before that rule, or narrow that rule's `match`"));
    }
}

fn hides(earlier: &RawRule<'_>, later: &RawRule<'_>) -> bool {
    let always = earlier.stop && earlier.enabled && earlier.when.is_none() && earlier.requires.is_empty();
    // Fallbacks are tried after the others, wherever they stand.
    let in_order = !earlier.fallback || later.fallback;
    always && in_order && later.enabled && covers(earlier.matching, later.matching)
}

fn covers(earlier: Option<&Node>, later: Option<&Node>) -> bool {
    match (earlier, later) {
        (None, None) => true,
        (Some(earlier), Some(later)) if earlier.to_json() == later.to_json() => true,
        (None, Some(later)) => !names_own_source(later),
        (Some(earlier), later) => is_any(earlier) && !later.is_some_and(names_own_source),
    }
}
