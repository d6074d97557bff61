//! `prefix`: strings that begin with one of some texts; `""` begins every string.

use super::{Example, Operator, Takes, Test, equals_ignore_case, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;

pub(super) const OPERATOR: Operator = Operator::new("prefix", "Strings that begin with a text, or with one of a list.", Takes::CasedTexts, build).with_notes("Case counts, unless the text stands under `equals-ignore-case`. Every string begins with `\"\"`; a number never begins with anything.").with_examples(&[Example { pattern: "type: [{prefix: agent.}]", matches: &["{type: agent.task}", "{type: [x, agent.y]}"], differs: &["{type: xagent.}", "{type: Agent.task}", "{}"] },Example { pattern: "metadata: {campaign: [{prefix: [q3-, q4-]}]}", matches: &["{metadata: {campaign: q4-x}}"], differs: &["{metadata: {campaign: q1-x}}"] },Example { pattern: "status: [{prefix: {equals-ignore-case: fin}}]", matches: &["{status: FINISHED}"], differs: &["{status: failed}"] },]);

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    texts::read_with_case(node, "prefix", problems).map(Test::Prefix)
}

pub(super) fn starts(text: &str, prefix: &str, ignore_case: bool) -> bool {
    if !ignore_case {
        return text.starts_with(prefix);
    }
    let mut text = equals_ignore_case::folded(text.chars());
    equals_ignore_case::folded(prefix.chars()).all(|wanted| text.next() == Some(wanted))
}
