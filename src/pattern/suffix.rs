//! `suffix`: strings that end with one of some texts.

use super::{Example, Operator, Takes, Test, equals_ignore_case, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) const OPERATOR: Operator =
    Operator::new("suffix", "Strings that end with a text, or with one of a list.", Takes::CasedTexts, build)
        .with_notes("Case counts, unless the text stands under `equals-ignore-case`.")
        .with_examples(&[
            Example {
                pattern: "type: [{suffix: .failed}]",
                matches: &["{type: x.failed}"],
                differs: &["{type: x.failed2}", "{type: null}"],
            },
            Example {
                pattern: "payload: {file: [{suffix: [.png, .jpg]}]}",
                matches: &["{payload: {file: a.jpg}}"],
                differs: &["{payload: {file: a.JPG}}"],
            },
            Example {
                pattern: "payload: {file: [{suffix: {equals-ignore-case: .jpg}}]}",
                matches: &["{payload: {file: a.JPG}}"],
                differs: &["{payload: {file: a.png}}"],
            },
        ]);

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
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
