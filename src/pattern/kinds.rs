//! The table of operators: the reference, `hookyard kinds` and the errors follow from it.

use super::{
    Test, anything_but, cidr, elements, equals_ignore_case, exists, numeric, prefix, suffix, wildcard,
};
use crate::diagnostic::Problem;
use crate::registry::Kind;
use crate::yaml::Node;

/// Makes the test of what stands under an operator's name; `None` if that was a problem.
pub type Build = fn(&Node, &mut Vec<Problem>) -> Option<Test>;

/// Every operator. An example is a whole pattern.
pub const KINDS: &[Kind<Build>] = &[
    row(
        "prefix",
        "strings that begin with a text, or with one of a list",
        "type: [{prefix: agent.}]",
        prefix::build,
    ),
    row(
        "suffix",
        "strings that end with a text, or with one of a list",
        "type: [{suffix: .failed}]",
        suffix::build,
    ),
    row(
        "equals-ignore-case",
        "strings that differ from a text, or from one of a list, at most in case",
        "status: [{equals-ignore-case: finished}]",
        equals_ignore_case::build,
    ),
    row(
        "wildcard",
        "strings like a text in which `*` stands for any run of characters",
        "type: [{wildcard: \"agent.*.status_update\"}]",
        wildcard::build,
    ),
    row(
        "anything-but",
        "values of a field that is there, except a value, one of a list, or what an operator matches",
        "status: [{anything-but: [finished, stopped]}]",
        anything_but::build,
    ),
    row(
        "numeric",
        "numbers in a range: one comparison, or a lower and then an upper bound",
        "payload: {cost: [{numeric: [\">\", 0, \"<=\", 5]}]}",
        numeric::build,
    ),
    row(
        "cidr",
        "strings that are an IP address in a network, or in one of a list",
        "payload: {address: [{cidr: 10.0.0.0/8}]}",
        cidr::build,
    ),
    row(
        "exists",
        "whether the field is there, be it null or empty",
        "status: [{exists: true}]",
        exists::build,
    ),
    row(
        "not",
        "true where a test is false, an absent field included",
        "status: [{not: finished}]",
        elements::not,
    ),
    row(
        "every",
        "arrays of which each element passes a test, and that have at least one",
        "payload: {tags: [{every: {prefix: q4-}}]}",
        elements::every,
    ),
    row(
        "none",
        "arrays of which no element passes a test",
        "payload: {tags: [{none: {prefix: q4-}}]}",
        elements::none,
    ),
];

const fn row(name: &'static str, summary: &'static str, example: &'static str, build: Build) -> Kind<Build> {
    Kind { name, summary, example, schema: &[], build }
}

/// Whether an operator has this name.
pub(super) fn is_operator(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

/// Builds by the name of an operator that is in the table.
pub(super) fn build(name: &str, node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let kind = KINDS.iter().find(|kind| kind.name == name)?;
    (kind.build)(node, problems)
}
