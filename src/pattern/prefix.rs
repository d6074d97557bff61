//! `prefix`: strings that begin with one of some texts; `""` begins every string.

use super::{Test, equals_ignore_case, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    texts::read_with_case(node, "prefix", problems).map(Test::Prefix)
}

pub(super) fn starts(text: &str, prefix: &str, ignore_case: bool) -> bool {
    if !ignore_case {
        return text.starts_with(prefix);
    }
    let mut text = equals_ignore_case::folded(text.chars());
    equals_ignore_case::folded(prefix.chars()).all(|wanted| text.next() == Some(wanted))
}
