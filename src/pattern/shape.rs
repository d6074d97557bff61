//! What the document's own fields are is known, and so what none of them can be: said of each
//! alternative that no event can satisfy.

use super::{Alternative, Fields, Quantified, Test, doubt};
use crate::diagnostic::Problem;
use crate::event::{self, Shape};
use crate::json::{Json, Object};
use crate::yaml::{Entry, Node, Value};

/// Which object the fields of a map belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Document,
    Headers,
    /// A text or a number, which has none.
    Scalar,
    /// What a sender put there.
    Inner,
}

/// Where alternatives stand.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Under a field of which it is known what it is, and whether every event has it.
    Own { shape: Shape, always: bool },
    /// Under any other field.
    Inner,
    /// Under an operator.
    Operand,
}

impl Level {
    /// The level of a field's own fields.
    pub fn below(self, name: &str) -> Self {
        match (self, event::field(name).map(|field| field.shape)) {
            (Self::Document, Some(Shape::Headers)) => Self::Headers,
            (Self::Document, Some(Shape::Text | Shape::Number)) | (Self::Headers, _) => Self::Scalar,
            _ => Self::Inner,
        }
    }

    /// The place of a field's alternatives.
    pub fn place(self, name: &str) -> Place {
        match (self, event::field(name)) {
            (Self::Document, Some(field)) => Place::Own { shape: field.shape, always: field.always },
            (Self::Headers, _) => Place::Own { shape: Shape::Text, always: false },
            _ => Place::Inner,
        }
    }
}

/// A warning if no event can satisfy an alternative, which is what `node` was compiled to.
pub(super) fn alternative(name: &str, place: Place, test: &Alternative, node: &Node) -> Option<Problem> {
    let Place::Own { shape, always } = place else { return None };
    let told = doubt::contradiction(&test.0).is_some();
    if told || can_hold(test, shape) || (!always && test.matches(None)) {
        return None;
    }
    let absent = if always { "" } else { " or absent" };
    let message = format!("`{name}` is {}{absent} in every event: this never holds", words(shape));
    Some(Problem::warning(node.span, message).with_help(match (&node.value, shape) {
        _ if test.matches(None) => "every event has one",
        (Value::Null, _) => "for what is absent write `[{exists: false}]`",
        (Value::Bool(_) | Value::Number(_), Shape::Text) => "quote it to compare it with the text",
        (_, Shape::Map | Shape::Headers) => "its fields are tested by a pattern nested under it",
        _ => "what the sender sent is under `payload`",
    }))
}

/// A warning if no event can satisfy a pattern that is nested under a field.
pub(super) fn nested(name: &str, place: Place, fields: &Fields, node: &Node) -> Option<Problem> {
    let Place::Own { shape: shape @ (Shape::Text | Shape::Number), .. } = place else { return None };
    // Of what is no map, all fields are absent.
    if fields.match_object(None) {
        return None;
    }
    let message = format!("`{name}` is {} and has no fields: this never matches", words(shape));
    Some(Problem::warning(node.span, message).with_help("what the sender sent is under `payload`"))
}

/// An error if a header is looked for by a name that none has.
pub(super) fn header(level: Level, Entry { key, key_span, .. }: &Entry) -> Option<Problem> {
    if level != Level::Headers || !key.chars().any(char::is_uppercase) {
        return None;
    }
    let message = format!("the names of headers are lower case in events, unlike `{key}`");
    Some(Problem::error(*key_span, message).with_help(format!("write `{}`", key.to_lowercase())))
}

fn words(shape: Shape) -> &'static str {
    match shape {
        Shape::Text => "a text",
        Shape::Number => "a number",
        Shape::Map | Shape::Headers => "a map",
        Shape::Structure => "a map or a list",
    }
}

fn can_hold(test: &Alternative, shape: Shape) -> bool {
    match shape {
        Shape::Text => can_hold_for(test, "string"),
        Shape::Number => can_hold_for(test, "number"),
        // No test of a value holds for a map, whatever is in it.
        Shape::Map | Shape::Headers => test.matches(Some(&Json::Object(Object::new()))),
        Shape::Structure => true,
    }
}

/// Whether some scalar of this kind might do: `false` only where none does.
fn can_hold_for(Alternative(tests): &Alternative, kind: &str) -> bool {
    tests.iter().all(|test| match test {
        Test::Exists(wanted) => *wanted,
        Test::Quantified(Quantified::Every(tests)) => tests.iter().any(|test| can_hold_for(test, kind)),
        Test::Quantified(_) => true,
        test => test.wants_kind().is_none_or(|wanted| wanted == kind),
    })
}

#[cfg(test)]
mod tests {
    use crate::pattern::Pattern;
    use crate::pattern::tests::node;

    fn told(text: &str) -> Vec<String> {
        let problems = match Pattern::compile(&node(text)) {
            Ok((_, warnings)) => warnings,
            Err(problems) => problems,
        };
        problems
            .into_iter()
            .map(|it| format!("{} {}: {}", it.severity.name(), it.message, it.help.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn what_no_field_of_an_event_can_be_is_told() {
        for (text, expected) in [
            (
                "status: null",
                "`status` is a text or absent in every event: this never holds: for what is absent",
            ),
            ("status: [failed, 5]", "this never holds: quote it"),
            ("type: [{numeric: ['>', 5]}]", "this never holds: what the sender sent is under `payload`"),
            ("type: [{every: {numeric: ['>', 5]}}]", "this never holds"),
            ("id: [{exists: false}]", "`id` is a text in every event: this never holds: every event has one"),
            ("status: {anything-but: [a, b]}", "error the operator `anything-but` does not stand in a list"),
            ("headers: {accept: {prefix: [a]}}", "error the operator `prefix` does not stand in a list"),
            ("metadata: [{exists: false}, {not: {exists: true}}]", "`metadata` is a map in every event"),
            ("metadata: sales", "this never holds: its fields are tested by a pattern nested under it"),
            ("hops: ['1']", "`hops` is a number or absent"),
            ("status: {code: 5}", "`status` is a text and has no fields: this never matches"),
            ("headers: {accept: 1}", "`accept` is a text or absent"),
            ("headers: {accept: {a: b}}", "`accept` is a text and has no fields"),
            (
                "headers: {User-Agent: a}",
                "error the names of headers are lower case in events, unlike `User-Agent`: write `user-agent`",
            ),
            ("$or: [{status: 5}, {type: a}]", "`status` is a text or absent"),
        ] {
            let told = told(text);
            assert!(told.first().is_some_and(|told| told.contains(expected)), "{text}: {told:?}");
        }
        assert_eq!(told("status: [null, 5, true]").len(), 3);
    }

    #[test]
    fn what_some_event_may_be_is_not_doubted() {
        for text in [
            "status: ['5', {exists: false}, {not: 5}, {anything-but: 5}]",
            "status: [{regex: a, exists: true}]",
            "metadata: [{exists: true}]",
            "metadata: {cost: [1, null, {numeric: ['>', 5]}]}",
            "payload: [a, null]",
            "payload: {Status: 5, headers: {User-Agent: 1}}",
            "headers: {user-agent: [{prefix: a}], x: [{exists: false}]}",
            "hops: [{numeric: ['>', 1]}, 5]",
            "received_at: [{clock: {zone: UTC, days: mon}}]",
        ] {
            assert_eq!(told(text), [""; 0], "{text}");
        }
    }
}
