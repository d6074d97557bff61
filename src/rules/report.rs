//! What is found wrong in one file, while it is being read and compiled.

use super::keys::{self, Key};
use crate::diagnostic::{Diagnostic, Problem, Span, did_you_mean};
use crate::registry::ConfigError;
use crate::script::ConditionError;
use crate::yaml::{Entry, Node, Value};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

/// A file and the problems found in it so far.
pub(super) struct Report<'t> {
    pub file: Arc<str>,
    text: &'t str,
    /// The text as diagnostics share it: copied for the first.
    source: OnceCell<Arc<str>>,
    found: Vec<Diagnostic>,
}

impl<'t> Report<'t> {
    pub fn new(file: Arc<str>, text: &'t str) -> Self {
        Self { file, text, source: OnceCell::new(), found: Vec::new() }
    }

    fn source(&self) -> &Arc<str> {
        self.source.get_or_init(|| self.text.into())
    }

    /// What several rules of a file have in common is reported once.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let mut seen = HashSet::new();
        let place = |found: &Diagnostic| found.span.map(|span| (span.start, span.end));
        let key = |found: &Diagnostic| {
            (place(found), found.severity.name(), found.message.clone(), found.help.clone())
        };
        self.found.into_iter().filter(|found| seen.insert(key(found))).collect()
    }

    /// How many problems there are so far.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    pub fn error(&mut self, span: Span, message: impl Into<String>) {
        self.error_with(span, message, None::<String>);
    }

    pub fn error_with(&mut self, span: Span, message: impl Into<String>, help: Option<impl Into<String>>) {
        let mut diagnostic = Diagnostic::error(Arc::clone(&self.file), message);
        diagnostic.help = help.map(Into::into);
        self.add_at(span, diagnostic);
    }

    pub fn warning(&mut self, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::warning(Arc::clone(&self.file), message);
        self.add_at(span, diagnostic);
    }

    /// A problem of this file that another module found.
    pub fn problem(&mut self, problem: Problem) {
        self.found.push(problem.in_file(&self.file, self.source()));
    }

    /// A diagnostic of this file that has no place yet.
    pub fn add_at(&mut self, span: Span, diagnostic: Diagnostic) {
        self.found.push(diagnostic.with_span(span, self.source()));
    }

    /// An error about something in the configuration `node`.
    pub fn config(&mut self, node: &Node, error: ConfigError) {
        self.error_with(node.locate(&error.pointer, error.at_key), error.message, error.help);
    }

    /// An error in an expression, at its place inside the scalar it stands in.
    pub fn condition(&mut self, node: &Node, expression: &str, error: ConditionError) {
        let span = self.place_inside(node.span, expression, error.line, error.column);
        self.error_with(span, error.message, error.help);
    }

    /// The name of an entry's key, if it is among those that the map has; an error and `""` if not.
    pub fn key<'n>(&mut self, entry: &'n Entry, what: &str, known: &[Key]) -> &'n str {
        if keys::has(known, &entry.key) {
            return &entry.key;
        }
        self.unknown_key(entry, what, keys::names(known));
        ""
    }

    pub fn unknown_key<'k>(
        &mut self,
        entry: &Entry,
        what: &str,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) {
        let help = suggestion(&entry.key, known);
        self.error_with(entry.key_span, format!("`{}` is no key of {what}", entry.key), Some(help));
    }

    pub fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        let found = match node.value {
            Value::Null => "left empty".to_owned(),
            _ => format!("a {}", node.kind()),
        };
        self.error(node.span, format!("{what} is {wanted}, not {found}"));
    }

    /// The entries of a map; `None`, and an error, for anything else.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        if matches!(node.value, Value::Map(_)) {
            return Some(node.entries());
        }
        self.wrong_type(node, what, "a map");
        None
    }

    /// The entries of a map that may be empty: all of them may be comments.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        match node.value {
            Value::Null => &[],
            _ => self.map(node, what).unwrap_or_default(),
        }
    }

    /// The items of a list, which may be empty; anything but a list is an error.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => {
                self.wrong_type(node, what, "a list");
                &[]
            }
        }
    }

    /// A text; anything else is an error.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::String(text) => Some(text),
            _ => {
                self.wrong_type(node, what, "a text");
                None
            }
        }
    }

    /// `true` or `false`; anything else is an error.
    pub fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        match node.value {
            Value::Bool(flag) => Some(flag),
            _ => {
                self.wrong_type(node, what, "`true` or `false`");
                None
            }
        }
    }

    /// Where line and column (1-based) of a scalar's value stand in the file. A value's lines are
    /// looked up in the source one after the other, which holds for plain, quoted and block
    /// scalars; where escapes or folding hide a line, the whole scalar is meant.
    fn place_inside(&self, scalar: Span, value: &str, line: usize, column: usize) -> Span {
        let mut cursor = scalar.start as usize;
        let mut found = None;
        for wanted in value.lines().take(line.max(1)) {
            let trimmed = wanted.trim_start();
            let Some(at) = self.text.get(cursor..).and_then(|rest| rest.find(trimmed)) else { return scalar };
            let indent = wanted.chars().count() - trimmed.chars().count();
            let skipped = column.saturating_sub(1).saturating_sub(indent);
            let start = cursor + at;
            let offset = trimmed.char_indices().nth(skipped).map_or(trimmed.len(), |(offset, _)| offset);
            found = Some(start + offset);
            cursor = start + trimmed.len();
        }
        found.map_or(scalar, |start| self.point(start))
    }

    /// The span of the one character at a byte offset.
    fn point(&self, start: usize) -> Span {
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let width = self.text[start..].chars().next().map_or(0, char::len_utf8);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Span {
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
            start: count(start),
            end: count(start + width),
        }
    }
}

/// `did you mean …?`, or what there is to choose from.
pub(super) fn suggestion<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match did_you_mean(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there is {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, value: &str, line: usize, column: usize) -> (u32, u32) {
        let report = Report::new("a.yaml".into(), text);
        let start = u32::try_from(text.find(": ").expect("a key") + 2).unwrap();
        let scalar = Span { line: 1, column: start + 1, start, end: start };
        let span = report.place_inside(scalar, value, line, column);
        (span.line, span.column)
    }

    #[test]
    fn a_place_in_an_expression_becomes_one_in_the_file() {
        assert_eq!(place("when: a == b", "a == b", 1, 6), (1, 12));
        assert_eq!(place("when: \"a == b\"", "a == b", 1, 6), (1, 13));
        assert_eq!(place("when: |\n  a\n    && ü < b\n", "a\n  && ü < b", 2, 8), (3, 10));
    }

    #[test]
    fn a_place_that_escapes_hide_is_the_scalar() {
        assert_eq!(place(r#"when: "a == \"b\"""#, "a == \"b\"", 1, 6), (1, 7));
    }
}
