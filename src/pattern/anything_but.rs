//! `anything-but`: values of a field that is there, except some.

use super::{Example, Operator, Takes, Test, kinds, values};
use crate::diagnostic::{Problem, did_you_mean};
use crate::json::Json;
use crate::yaml::{Entry, Node, Value};

pub(super) const OPERATOR: Operator = Operator::new("anything-but", "Values of a field that is there, except a value, one of a list, or what an operator matches.", Takes::Excluded, build).with_notes("It takes strings or numbers, one type in a list, or one of `prefix`, `suffix`, `equals-ignore-case` and `wildcard`. The field has to be there, and in a list one other element is enough: for the stronger meaning write `not` or `none`.").with_examples(&[Example { pattern: "status: [{anything-but: [finished, stopped]}]", matches: &["{status: failed}", "{status: null}", "{status: [finished, failed]}"], differs: &["{status: stopped}", "{}"] },Example { pattern: "type: [{anything-but: {prefix: [test., debug.]}}]", matches: &["{type: agent.x}"], differs: &["{type: debug.x}"] },]);

/// What the value must not be.
#[derive(Clone, Debug, PartialEq)]
pub enum AnythingBut {
    /// One of these few: all strings or all numbers.
    Values(Vec<Json>),
    /// What this test holds for: an operator, or a long list as one test.
    Test(Box<Test>),
}

/// The operators that can stand inside.
pub(super) const INSIDE: &[&str] = &["prefix", "suffix", "equals-ignore-case", "wildcard"];

const NOT: &str = "`not` takes any value and operator, and several: `[{not: [null, {prefix: a}]}]`";

impl AnythingBut {
    pub(super) fn is_one(&self, value: &Json) -> bool {
        match self {
            Self::Values(values) => values.contains(value),
            Self::Test(test) => test.of_value(value),
        }
    }
}

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    match &node.value {
        Value::Map(entries) => operator(node, entries, problems),
        Value::List(items) if items.is_empty() => {
            let problem = Problem::error(node.span, "the list of `anything-but` is empty");
            problems.push(problem.with_help("for whatever is there write `[{exists: true}]`"));
            None
        }
        Value::List(items) => scalars(items, problems),
        _ => scalars(std::slice::from_ref(node), problems),
    }
}

fn scalars(items: &[Node], problems: &mut Vec<Problem>) -> Option<Test> {
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        if !matches!(item.value, Value::String(_) | Value::Number(_)) {
            let message = format!("`anything-but` takes strings or numbers, not a {}", item.kind());
            problems.push(Problem::error(item.span, message).with_help(NOT));
            return None;
        }
        if item.kind() != items[0].kind() {
            let message =
                format!("`anything-but` takes one type: {} follows {}", item.kind(), items[0].kind());
            problems.push(
                Problem::error(item.span, message).with_help("quote the number if it is meant as text"),
            );
            return None;
        }
        values.push(item.to_json());
    }
    Some(Test::AnythingBut(match values.len() {
        0..=values::FEW => AnythingBut::Values(values),
        _ => AnythingBut::Test(Box::new(Test::Among(values.into_iter().collect()))),
    }))
}

fn operator(node: &Node, entries: &[Entry], problems: &mut Vec<Problem>) -> Option<Test> {
    let [Entry { key, key_span, node: operand }] = entries else {
        problems.push(Problem::error(node.span, "`anything-but` takes one operator").with_help(NOT));
        return None;
    };
    if !INSIDE.contains(&key.as_str()) {
        let problem = Problem::error(*key_span, format!("`{key}` cannot stand inside `anything-but`"));
        let help = match did_you_mean(key, INSIDE.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("it takes {}; {NOT}", INSIDE.join(", ")),
        };
        problems.push(problem.with_help(help));
        return None;
    }
    let test = kinds::build(key, operand, problems)?;
    if let Test::Prefix(texts) | Test::Suffix(texts) = &test
        && texts.any(str::is_empty)
    {
        let problem =
            Problem::error(operand.span, format!("every string has the {key} `\"\"`, so none is left"));
        problems.push(problem.with_help("for what is no string write `[{not: {prefix: \"\"}}]`"));
        return None;
    }
    Some(Test::AnythingBut(AnythingBut::Test(Box::new(test))))
}
