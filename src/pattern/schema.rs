//! What a JSON Schema can say of patterns, for editors: made from the rows of the operators and
//! the fields of the document. It refuses no pattern that compiles.

use super::{KINDS, Operator, Takes, anything_but, kinds};
use crate::event::{self, Shape};
use crate::registry::ParamType;
use serde_json::{Map, Value, json};

/// Definitions to stand under `$defs`, of which `pattern` is what stands behind `match:`.
pub fn definitions() -> Map<String, Value> {
    let pattern = json!({
        "description": "A pattern: fields, each with a list of what it may be; or `any` for every event.",
        "anyOf": [{"const": "any"}, definition("document")],
    });
    let definitions = [
        ("pattern", pattern),
        ("document", document()),
        ("fields", fields()),
        ("wanted", any_of(&["scalar", "alternatives", "fields"])),
        ("alternatives", json!({"type": "array", "minItems": 1, "items": definition("alternative")})),
        ("alternative", any_of(&["scalar", "tests"])),
        ("scalar", json!({"type": ["string", "number", "boolean", "null"]})),
        ("tests", tests()),
        ("texts", json!({"anyOf": [{"type": "string"}, list_of("string")]})),
    ];
    definitions.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn any_of(names: &[&str]) -> Value {
    json!({"anyOf": names.iter().map(|name| definition(name)).collect::<Vec<_>>()})
}

fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn list_of(kind: &str) -> Value {
    json!({"type": "array", "minItems": 1, "items": {"type": kind}})
}

/// The document's own fields, of which there are no others.
fn document() -> Value {
    let mut properties = groups("document", definition("document"));
    for field in event::DOCUMENT {
        let mut schema = json!({"description": field.summary, "$ref": "#/$defs/wanted"});
        if field.shape == Shape::Headers {
            schema["propertyNames"] = json!({"pattern": "^[^A-Z]*$"});
        }
        properties.insert(field.name.to_owned(), schema);
    }
    json!({"type": "object", "minProperties": 1, "additionalProperties": false, "properties": properties})
}

/// Fields of what a sender sent. An operator's name is one only above a list, and none is offered.
fn fields() -> Value {
    let operators = kinds::names().collect::<Vec<_>>();
    let inner = json!({"$ref": "#/$defs/fields", "propertyNames": {"not": {"enum": operators}}});
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": groups("fields", inner),
        "patternProperties": {format!("^({})$", operators.join("|")): definition("alternatives")},
        "additionalProperties": definition("wanted"),
    })
}

/// `$or`, of `alternative`, and `$not`.
fn groups(of: &str, alternative: Value) -> Map<String, Value> {
    let or = json!({
        "description": "At least two patterns, of which one must hold.",
        "type": "array",
        "minItems": 2,
        "items": alternative,
    });
    let mut not = definition(of);
    not["description"] = "A pattern that must not hold as a whole.".into();
    Map::from_iter([("$or".to_owned(), or), ("$not".to_owned(), not)])
}

fn tests() -> Value {
    let row = |operator: &Operator| {
        let mut schema = operand(operator);
        let Operator { kind, notes, .. } = operator;
        let parts = [kind.summary, notes, &format!("`{}`", kind.example)].map(str::to_owned);
        let parts = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        schema["description"] = parts.join("\n\n").into();
        (kind.name.to_owned(), schema)
    };
    let properties: Map<_, _> = KINDS.iter().map(row).collect();
    json!({
        "description": "Operators, all of which must hold for the same value.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn operand(operator: &Operator) -> Value {
    match operator.takes {
        Takes::Texts => definition("texts"),
        Takes::CasedTexts => {
            let cased = only("equals-ignore-case", definition("texts"));
            json!({"anyOf": [definition("texts"), cased]})
        }
        Takes::Flag => json!({"type": "boolean"}),
        Takes::Bounds => bounds(),
        Takes::Excluded => excluded(),
        Takes::Tests => any_of(&["scalar", "alternatives", "tests"]),
        Takes::Params => params(operator),
    }
}

fn only(key: &str, schema: Value) -> Value {
    let properties = Map::from_iter([(key.to_owned(), schema)]);
    json!({"type": "object", "required": [key], "additionalProperties": false, "properties": properties})
}

fn bounds() -> Value {
    let number = json!({"type": "number"});
    let of = |items: Vec<Value>| {
        let count = items.len();
        json!({"type": "array", "prefixItems": items, "minItems": count, "maxItems": count})
    };
    json!({"anyOf": [
        of(vec![json!({"enum": ["=", "<", "<=", ">", ">="]}), number.clone()]),
        of(vec![json!({"enum": [">", ">="]}), number.clone(), json!({"enum": ["<", "<="]}), number]),
    ]})
}

fn excluded() -> Value {
    let inside = KINDS.iter().filter(|operator| anything_but::INSIDE.contains(&operator.kind.name));
    let inside = inside.map(|operator| only(operator.kind.name, operand(operator)));
    let plain = [json!({"type": ["string", "number"]}), list_of("string"), list_of("number")];
    json!({"anyOf": plain.into_iter().chain(inside).collect::<Vec<_>>()})
}

/// A map of parameters, which for an operator are texts: more than one where any type is taken.
fn params(operator: &Operator) -> Value {
    let schema = operator.kind.schema;
    let property = |param: &crate::registry::Param| {
        let mut value = match param.ty {
            ParamType::Any => definition("texts"),
            _ => json!({"type": "string"}),
        };
        value["description"] = param.summary.into();
        (param.name.to_owned(), value)
    };
    let properties: Map<_, _> = schema.iter().map(property).collect();
    let required = schema.iter().filter(|param| param.required).map(|param| param.name).collect::<Vec<_>>();
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}
