//! Whether what a rule needs from outside is there: `requires`, and the references it uses.

use super::Rule;
use super::compile::Compiler;
use super::file::RawRule;
use super::report::Report;
use crate::diagnostic::Diagnostic;
use crate::secret::{Reference, Unresolved};
use crate::yaml::{Node, Value};
use std::sync::Arc;

impl Compiler<'_> {
    /// Why a rule is not in force, with a note where it is for want of a variable.
    pub(super) fn why_off(&self, raw: &RawRule<'_>, report: &mut Report<'_>) -> Option<String> {
        if !raw.enabled {
            return Some("it says `enabled: false`".to_owned());
        }
        if self.settings.assume_required {
            return None;
        }
        let mut unset = Vec::new();
        for (name, span) in &raw.requires {
            let reference = Reference::Env { name: (*name).to_owned(), default: None };
            let resolver = &self.settings.resolver;
            match resolver.check(&reference).and_then(|()| resolver.resolve(&reference)) {
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
    pub(super) fn check_references(&self, rule: &Rule, raw: &RawRule<'_>, report: &mut Report<'_>) {
        for (planned, action) in rule.actions.iter().zip(&raw.actions) {
            for reference in planned.params.references(&self.vars) {
                if self.is_assumed(&reference, raw) {
                    continue;
                }
                if let Err(error) = self.settings.resolver.check(&reference) {
                    self.unresolved(&reference, &error, action.value, raw, report);
                }
            }
        }
    }

    /// Whether the rule would be off without it, which a dry run is not told about.
    fn is_assumed(&self, reference: &Reference, raw: &RawRule<'_>) -> bool {
        let required = |name: &str| raw.requires.iter().any(|(required, _)| *required == name);
        self.settings.assume_required && matches!(reference, Reference::Env { name, .. } if required(name))
    }

    fn unresolved(
        &self,
        reference: &Reference,
        error: &Unresolved,
        action: &Node,
        raw: &RawRule<'_>,
        report: &mut Report<'_>,
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
        report.add_at(node.span, diagnostic);
    }
}

/// The text in which a reference stands.
fn find_text<'n>(node: &'n Node, reference: &str) -> Option<&'n Node> {
    match &node.value {
        Value::String(text) => text.contains(reference).then_some(node),
        Value::List(items) => items.iter().find_map(|item| find_text(item, reference)),
        Value::Map(entries) => entries.iter().find_map(|entry| find_text(&entry.node, reference)),
        _ => None,
    }
}
