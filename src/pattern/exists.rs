//! `exists`: whether the field is there, be it null or empty.

use super::Test;
use crate::diagnostic::Problem;
use crate::yaml::{Node, Value};

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    if let Value::Bool(wanted) = node.value {
        return Some(Test::Exists(wanted));
    }
    let message = format!("`exists` takes true or false, not a {}", node.kind());
    problems.push(Problem::error(node.span, message));
    None
}
