//! From YAML to a pattern, with everything that is wrong.

use super::alternatives::{alternatives, warn_if_always};
use super::shape::{self, Level};
use super::{Field, Fields, Pattern, Wanted, clash, doubt, kinds, slips};
use crate::diagnostic::{Problem, Severity, did_you_mean};
use crate::event::FIELDS;
use crate::yaml::{Entry, Node, Value};

type Problems = Vec<Problem>;

/// See [`Pattern::compile`].
pub(super) fn compile(node: &Node) -> Result<(Pattern, Problems), Problems> {
    let mut problems = Problems::new();
    let pattern = match &node.value {
        Value::String(text) if text == "any" => Pattern::Any,
        Value::Map(entries) if !entries.is_empty() => {
            check_document_fields(entries, &mut problems);
            Pattern::All(vec![fields(entries, Level::Document, &mut problems)])
        }
        _ => {
            problems.push(no_pattern(node));
            Pattern::Any
        }
    };
    problems.sort_by_key(|problem| problem.span.start);
    match problems.iter().any(|problem| problem.severity == Severity::Error) {
        true => Err(problems),
        false => Ok((pattern, problems)),
    }
}

fn no_pattern(node: &Node) -> Problem {
    let message = match &node.value {
        Value::Null | Value::Map(_) => "the pattern is empty".to_owned(),
        Value::String(text) => format!("`{text}` is no pattern"),
        _ => format!("a pattern is a map of fields, not a {}", node.kind()),
    };
    Problem::error(node.span, message).with_help("for every event write `match: any`")
}

fn check_document_fields(entries: &[Entry], problems: &mut Problems) {
    for entry @ Entry { key, key_span, node } in entries {
        if kinds::is_operator(key) {
            problems.push(operator_without_field(entry));
        } else if let (true, Value::List(groups)) = (key == "$or", &node.value) {
            groups.iter().for_each(|group| check_document_fields(group.entries(), problems));
        } else if key == "$not" {
            check_document_fields(node.entries(), problems);
        } else if !FIELDS.contains(&key.as_str()) && !key.starts_with('$') {
            let problem = Problem::error(*key_span, format!("an event has no field `{key}`"));
            problems.push(problem.with_help(slips::field(key)));
        }
    }
}

/// The fields of one map.
fn fields(entries: &[Entry], level: Level, problems: &mut Problems) -> Fields {
    let mut compiled = Fields::default();
    for entry in entries {
        match entry.key.as_str() {
            "$or" => compiled.any_of.extend(groups(&entry.node, level, problems)),
            "$not" => compiled.none_of.extend(group(&entry.node, "$not", level, problems)),
            // Told with the document's names.
            key if level == Level::Document && slips::is_bare_group(key, &entry.node) => {}
            key if is_group_slip(key, &entry.node, level) => problems.push(unknown_group(entry)),
            _ => compiled.fields.extend(field(entry, level, problems)),
        }
    }
    if level == Level::Document {
        doubt_alternatives(entries, &compiled, problems);
    }
    if let Some(entry) = entries.iter().find(|entry| entry.key == "$not")
        && compiled.none_of.iter().any(|not| doubt::is_required(not, &compiled.fields))
    {
        let message = "`$not` excludes what the fields beside it want: this never matches";
        let help = "name a further field under `$not`, or remove it";
        problems.push(Problem::warning(entry.key_span, message).with_help(help));
    }
    compiled
}

/// Warns of alternatives of `$or` that the fields beside it exclude.
fn doubt_alternatives(entries: &[Entry], compiled: &Fields, problems: &mut Problems) {
    let Some(Entry { node: Node { value: Value::List(items), .. }, .. }) =
        entries.iter().find(|entry| entry.key == "$or")
    else {
        return;
    };
    // Where one did not compile, what is left does not stand side by side with the items.
    for group in compiled.any_of.iter().filter(|group| group.len() == items.len()) {
        for (item, alternative) in items.iter().zip(group) {
            if let Some(clash) = clash::beside(compiled, alternative) {
                let message = format!(
                    "`{}` beside this `$or` wants something else: this alternative never holds",
                    clash.path
                );
                let help = "what stands beside `$or` must hold with each of its alternatives";
                problems.push(Problem::warning(item.span, message).with_help(help));
            }
        }
    }
}

/// A name that someone who meant a group would write. Below the document's own fields other
/// names with a dollar are fields.
fn is_group_slip(key: &str, node: &Node, level: Level) -> bool {
    let near = || {
        matches!(key, "$and" | "$nor" | "$any" | "$all" | "$none")
            || did_you_mean(key, ["$or", "$not"]).is_some()
    };
    let group = matches!(node.value, Value::List(_) | Value::Map(_));
    let bare = level != Level::Document && slips::is_bare_group(key, node);
    bare || key.starts_with('$') && (level == Level::Document || (group && near()))
}

fn unknown_group(entry: &Entry) -> Problem {
    let groups = "the groups are `$or` (a list of patterns) and `$not` (a pattern)";
    Problem::error(entry.key_span, format!("unknown group `{}`", entry.key))
        .with_help(slips::group(&entry.key).unwrap_or(groups))
}

const OR_HELP: &str = "write `$or: [{status: failed}, {payload: {cost: [{numeric: [\">\", 5]}]}}]`";

fn groups(node: &Node, level: Level, problems: &mut Problems) -> Option<Vec<Fields>> {
    match &node.value {
        Value::List(items) if items.len() >= 2 => {
            let groups = items.iter().filter_map(|item| alternative_group(item, level, problems));
            let groups = groups.collect::<Vec<_>>();
            if let Some((name, together)) = doubt::of_one_field(&groups) {
                warn_if_always(&together, node.span, name, problems);
            }
            Some(groups)
        }
        _ => {
            let problem = Problem::error(node.span, "`$or` takes a list of at least two patterns");
            problems.push(problem.with_help(OR_HELP));
            None
        }
    }
}

/// One of `$or`. At the document's own level the names have been checked already.
fn alternative_group(node: &Node, level: Level, problems: &mut Problems) -> Option<Fields> {
    if level != Level::Document && refuse_operators(node.entries(), problems) {
        return None;
    }
    group(node, "$or", level, problems)
}

/// In a group an operator's name is most likely meant as one, which needs a field around it.
fn refuse_operators(entries: &[Entry], problems: &mut Problems) -> bool {
    let before = problems.len();
    let operators = entries.iter().filter(|entry| kinds::is_operator(&entry.key));
    problems.extend(operators.map(operator_without_field));
    problems.len() > before
}

fn operator_without_field(Entry { key, key_span, .. }: &Entry) -> Problem {
    Problem::error(*key_span, format!("the operator `{key}` stands here without a field"))
        .with_help(format!("write `FIELD: [{{{key}: …}}]`; a list of tests is OR already"))
}

fn group(node: &Node, name: &str, level: Level, problems: &mut Problems) -> Option<Fields> {
    let entries = node.entries();
    if entries.is_empty() {
        let message = format!("`{name}` takes patterns of at least one field, not a {}", empty_or_kind(node));
        let help = if name == "$or" { OR_HELP } else { "write `$not: {status: failed}`" };
        problems.push(Problem::error(node.span, message).with_help(help));
        return None;
    }
    Some(fields(entries, level, problems))
}

fn empty_or_kind(node: &Node) -> &'static str {
    if matches!(node.value, Value::Map(_)) { "map without any" } else { node.kind() }
}

fn field(entry: &Entry, level: Level, problems: &mut Problems) -> Option<Field> {
    let Entry { key, key_span, node } = entry;
    if level != Level::Document && kinds::is_operator(key) {
        operator_as_field(entry, level, problems)?;
    }
    problems.extend(shape::header(level, entry));
    let place = level.place(key);
    let wanted = match &node.value {
        Value::Map(entries) if entries.is_empty() => {
            let problem = Problem::error(node.span, format!("the pattern of `{key}` is empty"));
            problems
                .push(problem.with_help("for a field that only has to be there write `[{exists: true}]`"));
            return None;
        }
        Value::Map(entries) => {
            let before = problems.len();
            let nested = fields(entries, level.below(key), problems);
            if problems.len() == before {
                problems.extend(shape::nested(key, place, &nested, node));
            }
            Wanted::Nested(nested)
        }
        Value::Null if node.span.end <= key_span.end + 1 => {
            let problem = Problem::error(*key_span, format!("`{key}` has no value"));
            problems.push(problem.with_help("write `null` if that is meant"));
            return None;
        }
        _ => Wanted::OneOf(alternatives(node, key, place, problems)?),
    };
    Some(Field { name: key.as_str().into(), wanted })
}

/// `campaign: {prefix: q4-}`: without the list it would be a field named `prefix`.
fn operator_as_field(entry: &Entry, level: Level, problems: &mut Problems) -> Option<()> {
    let Entry { key, key_span, node } = entry;
    if matches!(node.value, Value::List(_)) && level != Level::Scalar {
        let message = format!("`{key}` is an operator's name and stands here for a field");
        let help = format!("if the operator is meant, put it into a list: `[{{{key}: …}}]`");
        problems.push(Problem::warning(*key_span, message).with_help(help));
        return Some(());
    }
    let value = match &node.value {
        Value::Map(_) => "{…}".to_owned(),
        Value::String(text) => text.clone(),
        _ => node.to_json().to_string(),
    };
    let problem = Problem::error(*key_span, format!("the operator `{key}` does not stand in a list"));
    let is_group = key == "not" && node.entries().iter().any(|entry| !kinds::is_operator(&entry.key));
    problems.push(problem.with_help(match is_group {
        true => "for a group of fields write `$not: {…}`".to_owned(),
        false => format!("write `[{{{key}: {value}}}]`"),
    }));
    None
}
