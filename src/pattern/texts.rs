//! One text or a list of them, as the operators on strings take it.

use super::kinds;
use crate::diagnostic::{Problem, Span};
use crate::yaml::{Node, Value};

/// Texts of which one must fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    pub any_of: Vec<Box<str>>,
    /// Whether case is ignored (`prefix: {equals-ignore-case: a}`).
    pub ignore_case: bool,
}

impl Texts {
    /// Whether one of the texts fits.
    pub(super) fn any(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.any_of.iter().any(|text| fits(text))
    }
}

/// What `prefix` and `suffix` take: texts, or `{equals-ignore-case: …}` of them.
pub(super) fn read_with_case(node: &Node, operator: &str, problems: &mut Vec<Problem>) -> Option<Texts> {
    match &node.value {
        Value::Map(entries) if entries.len() == 1 && entries[0].key == "equals-ignore-case" => {
            let any_of = read(&entries[0].node, "equals-ignore-case", problems)?;
            Some(Texts { any_of, ignore_case: true })
        }
        _ => Some(Texts { any_of: read(node, operator, problems)?, ignore_case: false }),
    }
}

/// A text or a list of at least one.
pub(super) fn read(node: &Node, operator: &str, problems: &mut Vec<Problem>) -> Option<Vec<Box<str>>> {
    each(node, operator, problems, |text, _, _| Some(text.into()))
}

/// Makes something of each text and its place; `None` if one of them could not be made.
pub(super) fn each<T>(
    node: &Node,
    operator: &str,
    problems: &mut Vec<Problem>,
    mut make: impl FnMut(&str, Span, &mut Vec<Problem>) -> Option<T>,
) -> Option<Vec<T>> {
    let items = match &node.value {
        Value::List(items) if items.is_empty() => {
            let problem = Problem::error(node.span, format!("the list of `{operator}` is empty"));
            problems.push(problem.with_help(format!("write `{}`", kinds::example(operator))));
            return None;
        }
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let made = items.iter().map(|item| match &item.value {
        Value::String(text) => make(text, item.span, problems),
        _ => {
            let message = format!("`{operator}` takes a string or a list of them, not a {}", item.kind());
            problems.push(Problem::error(item.span, message).with_help(instead(item, operator)));
            None
        }
    });
    let made = made.collect::<Vec<_>>();
    made.into_iter().collect()
}

/// What to write where something else than a text stands under an operator.
fn instead(item: &Node, operator: &str) -> String {
    match (&item.value, operator) {
        (Value::Map(_), "prefix" | "suffix") => {
            format!("the one thing that can stand inside is `{{{operator}: {{equals-ignore-case: [a, b]}}}}`")
        }
        (Value::Map(_), "wildcard" | "regex") => {
            "to ignore case write a regex that begins with `(?i)`: `[{regex: '(?i)^a'}]`".to_owned()
        }
        (Value::Map(_), "equals-ignore-case") => {
            "a part is compared by `[{prefix: {equals-ignore-case: a}}]`".to_owned()
        }
        (Value::Bool(_) | Value::Number(_), _) => "quote it if it is meant as text".to_owned(),
        _ => format!("write `{}`", kinds::example(operator)),
    }
}
