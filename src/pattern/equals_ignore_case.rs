//! `equals-ignore-case`: strings that differ from one of some texts at most in case.

use super::{Test, Texts, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
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
