//! What stands in lists: values and operators of which a field, or what is under an operator, must
//! be one.

use super::doubt::{self, Always};
use super::shape::{self, Place};
use super::{Alternative, Test, kinds, slips, values};
use crate::diagnostic::{Problem, Span};
use crate::yaml::{Entry, Node, Value};

type Problems = Vec<Problem>;

/// What an operator takes that takes tests: a scalar, an operator's map, or a list of them.
pub(super) fn operand(node: &Node, operator: &str, problems: &mut Problems) -> Option<Vec<Alternative>> {
    match &node.value {
        Value::List(_) => alternatives(node, operator, Place::Operand, problems),
        _ => Some(vec![alternative(node, operator, Place::Operand, problems)?]),
    }
}

/// What a field or an operator must be one of.
pub(super) fn alternatives(
    node: &Node,
    name: &str,
    place: Place,
    problems: &mut Problems,
) -> Option<Vec<Alternative>> {
    let Value::List(items) = &node.value else {
        return Some(vec![alternative(node, name, place, problems)?]);
    };
    if items.is_empty() {
        let problem =
            Problem::error(node.span, format!("the list of `{name}` is empty: it would never match"));
        problems.push(problem.with_help("for an absent field write `[{exists: false}]`"));
        return None;
    }
    let compiled = items.iter().map(|item| alternative(item, name, place, problems)).collect::<Vec<_>>();
    let compiled = compiled.into_iter().collect::<Option<Vec<_>>>()?;
    warn_if_always(&compiled, node.span, name, problems);
    Some(values::gather(compiled))
}

fn alternative(node: &Node, name: &str, place: Place, problems: &mut Problems) -> Option<Alternative> {
    let compiled = match &node.value {
        Value::Map(entries) => tests(node, entries, place, problems),
        Value::List(_) => {
            problems.push(
                Problem::error(node.span, "a list stands in a list")
                    .with_help("write one list of all values"),
            );
            None
        }
        Value::Null if node.span.start == node.span.end => {
            let problem = Problem::error(node.span, format!("a value of `{name}` is missing"));
            problems.push(problem.with_help("write `null` if that is meant"));
            None
        }
        _ => Some(Alternative(vec![Test::Exact(node.to_json())])),
    }?;
    problems.extend(shape::alternative(name, place, &compiled, node));
    Some(compiled)
}

/// The operators of one map, all of which must hold.
fn tests(node: &Node, entries: &[Entry], place: Place, problems: &mut Problems) -> Option<Alternative> {
    if entries.is_empty() {
        let problem = Problem::error(node.span, "an operator is missing between `{` and `}`");
        problems.push(problem.with_help("write one, as in `{prefix: a}`"));
        return None;
    }
    let tests = entries.iter().map(|entry| test(entry, place, problems)).collect::<Vec<_>>();
    let tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
    if let Some(at) = doubt::never(&tests) {
        let message = format!("what `{}` looks at is there: this never matches", entries[at].key);
        problems.push(
            Problem::warning(node.span, message).with_help("for an absent field write `{exists: false}`"),
        );
    }
    if let Some((first, second)) = doubt::contradiction(&tests) {
        let [first, second] = [first, second].map(|at| &entries[at].key);
        let message = format!("`{first}` and `{second}` exclude each other here: this never matches");
        let help = "operators in one object must all hold; for either of them write two objects";
        problems.push(Problem::warning(node.span, message).with_help(help));
    }
    Some(Alternative(tests))
}

fn test(entry: &Entry, place: Place, problems: &mut Problems) -> Option<Test> {
    let Entry { key, key_span, node } = entry;
    if kinds::is_operator(key) {
        return kinds::build(key, node, problems);
    }
    let problem = Problem::error(*key_span, format!("unknown operator `{key}`"));
    problems.push(problem.with_help(slips::operator(key, matches!(place, Place::Operand))));
    None
}

/// Two negations as alternatives: what the one excludes, the other lets through.
pub(super) fn warn_if_always(alternatives: &[Alternative], span: Span, name: &str, problems: &mut Problems) {
    let Some(always) = doubt::always(alternatives) else { return };
    let what = match always {
        Always::Anything => "everything through, an absent field too",
        Always::Values => "every value through",
        Always::NoLists => "everything through that is no list",
    };
    let message = format!("the alternatives of `{name}` let {what}");
    let help =
        "for none of several values write one test of all: `[{anything-but: [a, b]}]`, `[{not: [a, b]}]`";
    problems.push(Problem::warning(span, message).with_help(help));
}
