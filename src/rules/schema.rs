//! A JSON Schema (draft 2020-12) of rules files, for editors: it completes, explains and underlines
//! while one types. It refuses no file that loads; what a schema cannot say is left to `check`.

mod action;

use super::keys::{self, Key, Takes};
use crate::delivery::Statuses;
use crate::{event, pattern};
use serde_json::{Map, Value, json};

pub use action::{SchemaKind, built_in_kinds};

/// What humantime reads: numbers, each with a unit.
const TIME: &str = r"^\s*([0-9]+\s*[A-Za-zµ]+\s*)+$";

/// So many in a second, a minute, an hour or a day.
const RATE: &str = r"^\s*0*[1-9][0-9]*\s*/\s*[smhd]\s*$";

/// The schema of a rules file in which these kinds of actions can be used.
pub fn schema(kinds: &[SchemaKind<'_>]) -> Value {
    let mut definitions = pattern::definitions();
    let own = [
        ("rule", object(keys::RULE)),
        ("action", action::schema(kinds)),
        ("retry", nullable(object(keys::RETRY))),
        ("pause", pause()),
        ("test", object(keys::TEST)),
        ("expected", object(keys::EXPECT)),
        ("answer", object(keys::ANSWER)),
        ("event", event()),
        ("filled", action::filled()),
    ];
    definitions.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    let mut file = nullable(object(keys::FILE));
    file["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    file["title"] = "hookyard rules".into();
    file["description"] = "Rules for the webhooks that hookyard receives, and their tests.".into();
    // A rule says itself what it is for, unless its file does for all.
    file["if"] = json!({"not": {"required": ["match"]}});
    file["then"] = json!({"properties": {"rules": {"items": {"required": ["match"]}}}});
    file["$defs"] = definitions.into();
    file
}

fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// A map that has these keys and no others.
fn object(keys: &[Key]) -> Value {
    let required = keys.iter().filter(|key| key.required).map(|key| key.name).collect::<Vec<_>>();
    json!({
        "type": "object",
        "properties": properties(keys),
        "required": required,
        "additionalProperties": false,
    })
}

fn properties(keys: &[Key]) -> Map<String, Value> {
    let property = |key: &Key| {
        let mut schema = value(key.takes);
        schema["description"] = key.summary.into();
        (key.name.to_owned(), schema)
    };
    keys.iter().map(property).collect()
}

/// The same, where all of it may be comments too.
fn nullable(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

fn value(takes: Takes) -> Value {
    let list = |of: Value| nullable(json!({"type": "array", "items": of}));
    match takes {
        Takes::Text => json!({"type": "string"}),
        Takes::Name => json!({"type": "string", "pattern": "^[a-z0-9_-]+$"}),
        Takes::Flag => json!({"type": "boolean"}),
        Takes::Time => json!({"type": "string", "pattern": TIME}),
        Takes::Factor => json!({"type": "number", "minimum": 1, "maximum": 1000}),
        Takes::Fraction => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Takes::Statuses => list(status(Statuses::RANGE)),
        Takes::Count => json!({"type": "integer", "minimum": 1, "maximum": keys::MOST}),
        Takes::Rate => json!({"type": "string", "pattern": RATE}),
        Takes::Pause => definition("pause"),
        Takes::Variables => list(json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})),
        Takes::Pattern => definition("pattern"),
        Takes::Map => json!({"type": ["object", "null"]}),
        Takes::Retry => definition("retry"),
        Takes::Rules => list(definition("rule")),
        Takes::Actions => json!({"type": "array", "minItems": 1, "items": definition("action")}),
        Takes::Tests => list(definition("test")),
        Takes::Event => definition("event"),
        Takes::Throttle => object(keys::THROTTLE),
        Takes::Debounce => object(keys::DEBOUNCE),
        Takes::Threshold => object(keys::THRESHOLD),
        Takes::Collect => object(keys::COLLECT),
        Takes::Order => object(keys::ORDER),
        Takes::Events => json!({"type": "integer", "minimum": 1, "maximum": 1000}),
        Takes::ClockTime => json!({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}),
        Takes::Answers => list(definition("answer")),
        Takes::Status => status((100, 999)),
        Takes::Any => json!({}),
        Takes::Expected => json!({"type": "array", "items": definition("expected")}),
    }
}

fn pause() -> Value {
    json!({"anyOf": [{"const": "off"}, nullable(object(keys::PAUSE))]})
}

fn status((least, greatest): (u16, u16)) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": greatest})
}

/// The document of a test's event, of which each field may have any value.
fn event() -> Value {
    let property = |field: &event::Field| (field.name.to_owned(), json!({"description": field.summary}));
    let properties: Map<_, _> = event::DOCUMENT.iter().map(property).collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}
