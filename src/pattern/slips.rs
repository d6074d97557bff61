//! What is probably meant where a name is no operator, field or group: near spellings, and the
//! words that other languages have.

use super::kinds;
use crate::diagnostic::did_you_mean;
use crate::event::FIELDS;
use crate::yaml::{Node, Value};

/// Words of other languages, without case, dashes, underscores and dollars, and what stands here
/// for them.
const OPERATORS: &[(&[&str], &str)] = &[
    (&["eq", "equals", "equal", "is", "exactly", "=", "=="], "write the value itself: `[failed]`"),
    (
        &["ne", "neq", "notequals", "isnot", "nin", "notin", "noneof", "!=", "<>"],
        "write `[{anything-but: [a, b]}]`, or `not` for what may be absent too",
    ),
    (&["in", "oneof", "anyof", "any", "or"], "a list is OR already: `[a, {prefix: b}]`"),
    (&["and", "allof"], "operators of one object must all hold: `[{prefix: a, suffix: b}]`"),
    (
        &["gt", "gte", "ge", "lt", "lte", "le", ">", ">=", "<", "<=", "between", "range", "min", "max"],
        "write `[{numeric: [\">\", 0, \"<=\", 5]}]`",
    ),
    (
        &["contains", "includes", "has", "like", "glob", "substring"],
        "for a part of a text write `[{wildcard: \"*a*\"}]`; of a list any element may match already",
    ),
    (&["startswith", "beginswith", "begins"], "write `[{prefix: a}]`"),
    (&["endswith", "ends"], "write `[{suffix: a}]`"),
    (&["matches", "match", "pattern", "regexp", "re"], "write `[{regex: '^a'}]`"),
    (&["ignorecase", "icase", "iequals", "caseinsensitive"], "write `[{equals-ignore-case: a}]`"),
    (&["all", "each"], "write `[{every: {prefix: a}}]`"),
    (&["present", "defined", "exist", "null", "isnull"], "write `[{exists: true}]`, or `[null]` for null"),
    (&["absent", "missing", "undefined"], "write `[{exists: false}]`"),
    (&["ip", "network", "subnet", "ipaddress"], "write `[{cidr: 10.0.0.0/8}]`"),
    (&["time", "schedule", "hours", "days", "weekday"], "write `[{clock: {zone: UTC, days: mon-fri}}]`"),
];

/// What to write instead of a name that is no operator. `in_operand`: where no field can stand,
/// because an operator such as `every` is around it.
pub(super) fn operator(name: &str, in_operand: bool) -> String {
    let letters: String = name.to_lowercase().chars().filter(|c| !"-_$ ".contains(*c)).collect();
    if let Some((_, help)) = OPERATORS.iter().find(|(words, _)| words.contains(&letters.as_str())) {
        return (*help).to_owned();
    }
    if let Some(meant) = did_you_mean(name, kinds::names()) {
        return format!("did you mean `{meant}`?");
    }
    let known = kinds::names().collect::<Vec<_>>().join(", ");
    match in_operand {
        true => format!("operators are {known}; for fields there is the group `$not: {{{name}: …}}`"),
        false => format!("operators are {known}; for a nested field leave the `[ ]` out"),
    }
}

/// What to write instead of a name that the document does not have.
pub(super) fn field(name: &str) -> String {
    if let Some(meant) = did_you_mean(name, FIELDS.iter().copied()) {
        return format!("did you mean `{meant}`?");
    }
    if let Some(group) = group(name) {
        return group.to_owned();
    }
    if name.contains('.') && !name.split('.').any(str::is_empty) {
        let first = name.split('.').next().unwrap_or_default();
        let steps = (!FIELDS.contains(&first)).then_some("payload").into_iter().chain(name.split('.'));
        return format!("a dot is no nesting: write `{}`", nested(&steps.collect::<Vec<_>>()));
    }
    format!("what the sender sent is under `payload`: `payload: {{{name}: …}}`")
}

/// What to write instead of a group that is none, if it can be told from its name.
pub(super) fn group(name: &str) -> Option<&'static str> {
    match name.trim_start_matches('$').to_lowercase().as_str() {
        "or" | "any" | "anyof" | "any-of" | "any_of" => Some("did you mean `$or`, with a list of patterns?"),
        "and" | "all" | "allof" | "all-of" | "all_of" => Some("fields beside each other are AND already"),
        "not" | "nor" | "none" => Some("did you mean `$not`, with a pattern?"),
        _ => None,
    }
}

/// Whether a field's name is that of a group without its dollar, and what stands under it are
/// patterns: as a field's alternatives they would be unknown operators.
pub(super) fn is_bare_group(name: &str, node: &Node) -> bool {
    let Value::List(items) = &node.value else { return false };
    let is_pattern = |item: &Node| {
        let mut keys = item.entries().iter().map(|entry| &entry.key);
        !item.entries().is_empty() && keys.all(|key| !kinds::is_operator(key))
    };
    matches!(name.to_lowercase().as_str(), "or" | "and") && !items.is_empty() && items.iter().all(is_pattern)
}

/// `a: {b: {c: …}}`.
fn nested(steps: &[&str]) -> String {
    match steps {
        [last] => format!("{last}: …"),
        [first, rest @ ..] => format!("{first}: {{{}}}", nested(rest)),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_other_languages_are_told_what_they_are_here() {
        for (name, told) in [
            ("eq", "the value itself"),
            ("exactly", "the value itself"),
            ("not_in", "`[{anything-but: [a, b]}]`"),
            ("$or", "a list is OR already"),
            ("allOf", "must all hold"),
            (">=", "`[{numeric: "),
            ("contains", "`[{wildcard: "),
            ("startsWith", "`[{prefix: a}]`"),
            ("ends-with", "`[{suffix: a}]`"),
            ("regexp", "`[{regex: "),
            ("prefx", "did you mean `prefix`?"),
            ("anything_but", "did you mean `anything-but`?"),
            ("sku", "leave the `[ ]` out"),
        ] {
            let help = operator(name, false);
            assert!(help.contains(told), "{name}: {help}");
        }
        assert!(operator("sku", true).ends_with("the group `$not: {sku: …}`"));
    }

    #[test]
    fn no_operator_is_a_word_of_another_language() {
        for (words, _) in OPERATORS {
            assert!(words.iter().all(|word| !kinds::is_operator(word)), "{words:?}");
        }
    }

    #[test]
    fn a_field_that_is_none_is_told_where_it_stands() {
        for (name, told) in [
            ("sttus", "did you mean `status`?"),
            ("payload.cost", "a dot is no nesting: write `payload: {cost: …}`"),
            ("task.id", "write `payload: {task: {id: …}}`"),
            ("detail", "is under `payload`: `payload: {detail: …}`"),
            ("or", "did you mean `$or`"),
            ("..", "`payload: {..: …}`"),
        ] {
            let help = field(name);
            assert!(help.contains(told), "{name}: {help}");
        }
    }
}
