//! `exists`: whether the field is there, be it null or empty.

use super::{Example, Operator, Takes, Test};
use crate::diagnostic::Problem;
use crate::yaml::{Node, Value};

pub(super) const OPERATOR: Operator =
    Operator::new("exists", "Whether the field is there, be it null or empty.", Takes::Flag, build)
        .with_notes("It is about the key: `null`, `\"\"`, `[]` and `{}` are there.")
        .with_examples(&[
            Example {
                pattern: "status: [{exists: true}]",
                matches: &["{status: null}", "{status: []}", "{status: {}}"],
                differs: &["{}"],
            },
            Example {
                pattern: "status: [{exists: false}, failed]",
                matches: &["{}", "{status: failed}"],
                differs: &["{status: null}", "{status: ok}"],
            },
        ]);

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    if let Value::Bool(wanted) = node.value {
        return Some(Test::Exists(wanted));
    }
    let message = format!("`exists` takes true or false, not a {}", node.kind());
    problems.push(
        Problem::error(node.span, message).with_help("write `[{exists: true}]` or `[{exists: false}]`"),
    );
    None
}
