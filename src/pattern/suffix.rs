//! `suffix`: strings that end with one of some texts.

use super::{Test, equals_ignore_case, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    texts::read_with_case(node, "suffix", problems).map(Test::Suffix)
}

pub(super) fn ends(text: &str, suffix: &str, ignore_case: bool) -> bool {
    if !ignore_case {
        return text.ends_with(suffix);
    }
    // Folding may change how many characters there are, so the lengths are counted folded.
    let length = |text: &str| equals_ignore_case::folded(text.chars()).count();
    let Some(skipped) = length(text).checked_sub(length(suffix)) else { return false };
    equals_ignore_case::folded(text.chars()).skip(skipped).eq(equals_ignore_case::folded(suffix.chars()))
}
