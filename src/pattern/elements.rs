//! Arrays in events: their elements, and the operators `not`, `every` and `none` over them.

use super::{Alternative, Test, compile};
use crate::diagnostic::Problem;
use crate::json::Json;
use crate::yaml::Node;

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

fn one_of(tests: &[Alternative], value: Option<&Json>) -> bool {
    tests.iter().any(|test| test.matches(value))
}

pub(super) fn not(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    compile::operand(node, "not", problems).map(|tests| Test::Quantified(Quantified::Not(tests)))
}

pub(super) fn every(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    compile::operand(node, "every", problems).map(|tests| Test::Quantified(Quantified::Every(tests)))
}

pub(super) fn none(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    compile::operand(node, "none", problems).map(|tests| Test::Quantified(Quantified::None(tests)))
}
