//! `equals-ignore-case`: strings that differ from one of some texts at most in case.

use super::{Example, Operator, Takes, Test, Texts, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) const OPERATOR: Operator = Operator::new("equals-ignore-case", "Strings that differ from a text, or from one of a list, at most in case.", Takes::Texts, build).with_notes("Case is folded by the full mappings of Unicode and by no language: `ß`, `ẞ` and `ss` are one. Accents count, and é is not e with a combining accent.").with_examples(&[Example { pattern: "status: [{equals-ignore-case: finished}]", matches: &["{status: FINISHED}", "{status: finished}"], differs: &["{status: finish}", "{status: [FAILED]}"] },Example { pattern: "payload: {street: [{equals-ignore-case: STRASSE}]}", matches: &["{payload: {street: straße}}"], differs: &["{payload: {street: strase}}"] },]);

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let any_of = texts::read(node, "equals-ignore-case", problems)?;
    Some(Test::EqualsIgnoreCase(Texts { any_of, ignore_case: true }))
}

pub(super) fn equal(a: &str, b: &str) -> bool {
    folded(a.chars()).eq(folded(b.chars()))
}

/// Characters without their case, by Unicode's full mappings and no language's: `ß`, `ẞ` and
/// `ss` are one, `ı` and `i` too. Lower case alone would leave `ß` and `SS` apart.
pub(super) fn folded(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}
