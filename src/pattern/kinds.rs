//! The table of operators: the reference, `hookyard kinds` and the errors follow from it.

use super::{
    Operator, Test, anything_but, cidr, clock, elements, equals_ignore_case, exists, numeric, prefix, regex,
    suffix, wildcard,
};
use crate::diagnostic::Problem;
use crate::yaml::Node;

/// Every operator, in the order of the reference.
pub const KINDS: &[Operator] = &[
    prefix::OPERATOR,
    suffix::OPERATOR,
    equals_ignore_case::OPERATOR,
    wildcard::OPERATOR,
    regex::OPERATOR,
    anything_but::OPERATOR,
    numeric::OPERATOR,
    cidr::OPERATOR,
    exists::OPERATOR,
    clock::OPERATOR,
    elements::NOT,
    elements::EVERY,
    elements::NONE,
];

/// The names of all operators.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    KINDS.iter().map(|operator| operator.kind.name)
}

/// Whether an operator has this name.
pub(super) fn is_operator(name: &str) -> bool {
    names().any(|known| known == name)
}

/// What an operator that is in the table looks like.
pub(super) fn example(name: &str) -> &'static str {
    KINDS.iter().find(|operator| operator.kind.name == name).map_or("", |operator| operator.kind.example)
}

/// Builds by the name of an operator that is in the table.
pub(super) fn build(name: &str, node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let operator = KINDS.iter().find(|operator| operator.kind.name == name)?;
    (operator.kind.build)(node, problems)
}
