//! Arrays in events: their elements, and the operators `not`, `every` and `none` over them.

use super::{Alternative, Example, Operator, Takes, Test, alternatives};
use crate::diagnostic::Problem;
use crate::json::Json;
use crate::yaml::Node;

pub(super) const NOT: Operator = Operator::new("not", "True where a test is false, an absent field included.", Takes::Tests, not).with_notes("It takes a value, an operator, or a list of them, which is OR as everywhere. In a list no element may pass.").with_examples(&[Example { pattern: "status: [{not: finished}]", matches: &["{}", "{status: failed}", "{status: null}"], differs: &["{status: finished}", "{status: [failed, finished]}"] },Example { pattern: "metadata: {team: [{not: [qa, {prefix: test-}]}]}", matches: &["{metadata: {team: sales}}", "{}"], differs: &["{metadata: {team: test-1}}"] },]);

pub(super) const EVERY: Operator = Operator::new(
    "every",
    "Fields of which each element passes a test, and that have at least one.",
    Takes::Tests,
    every,
)
.with_notes("A field that is no list is its only element. It takes what `not` takes.")
.with_examples(&[Example {
    pattern: "payload: {tags: [{every: {prefix: q4-}}]}",
    matches: &["{payload: {tags: [q4-a, q4-b]}}", "{payload: {tags: q4-a}}"],
    differs: &["{payload: {tags: [q4-a, b]}}", "{payload: {tags: []}}", "{}"],
}]);

pub(super) const NONE: Operator = Operator::new(
    "none",
    "Fields that are there and of which no element passes a test.",
    Takes::Tests,
    none,
)
.with_notes(
    "An empty list passes, an absent field does not; for that there is `not`. It takes what `not` takes.",
)
.with_examples(&[Example {
    pattern: "payload: {tags: [{none: {prefix: q4-}}]}",
    matches: &["{payload: {tags: [a, b]}}", "{payload: {tags: []}}"],
    differs: &["{payload: {tags: [a, q4-b]}}", "{}"],
}]);

/// Alternatives, and of how much of a field they must hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantified {
    /// True where the alternatives are false, an absent field included.
    Not(Vec<Alternative>),
    /// Each element, and at least one.
    Every(Vec<Alternative>),
    /// No element of a field that is there.
    None(Vec<Alternative>),
}

/// Whether something holds for a value or, if it is an array, for one of its elements; arrays in
/// arrays count as one.
pub(super) fn any<'a>(value: &'a Json, holds: &mut dyn FnMut(&'a Json) -> bool) -> bool {
    match value {
        Json::Array(items) => items.iter().any(|item| any(item, holds)),
        _ => holds(value),
    }
}

impl Quantified {
    pub(super) fn matches(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Not(tests) => !one_of(tests, value),
            Self::Every(tests) => value.is_some_and(|value| {
                let mut count = 0;
                let failed = any(value, &mut |element| {
                    count += 1;
                    !one_of(tests, Some(element))
                });
                count > 0 && !failed
            }),
            Self::None(tests) => {
                value.is_some_and(|value| !any(value, &mut |element| one_of(tests, Some(element))))
            }
        }
    }
}

pub(super) fn one_of(tests: &[Alternative], value: Option<&Json>) -> bool {
    tests.iter().any(|test| test.matches(value))
}

fn not(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    alternatives::operand(node, "not", problems).map(|tests| Test::Quantified(Quantified::Not(tests)))
}

fn every(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    alternatives::operand(node, "every", problems).map(|tests| Test::Quantified(Quantified::Every(tests)))
}

fn none(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    alternatives::operand(node, "none", problems).map(|tests| Test::Quantified(Quantified::None(tests)))
}
