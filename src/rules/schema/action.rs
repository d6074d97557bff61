//! The part of the schema that follows from the kinds of actions.

use super::{TIME, properties};
use crate::registry::{Kind, Param, ParamType};
use crate::rules::{SCRIPT, keys};
use crate::script::UserKind;
use crate::{action, script};
use serde_json::{Map, Value, json};

/// A kind of action, by what an author has to know of it.
pub struct SchemaKind<'a> {
    pub name: &'a str,
    pub summary: &'a str,
    pub params: Vec<Param<'a>>,
}

impl<'a> SchemaKind<'a> {
    /// A row of a table.
    pub fn of<Build>(kind: &Kind<Build>) -> Self {
        Self { name: kind.name, summary: kind.summary, params: kind.schema.to_vec() }
    }

    /// A user's.
    pub fn of_user(kind: &'a UserKind) -> Self {
        Self { name: &kind.name, summary: &kind.summary, params: kind.schema() }
    }
}

/// Those that need no script of the user's.
pub fn built_in_kinds() -> Vec<SchemaKind<'static>> {
    action::KINDS.iter().map(SchemaKind::of).chain(script::KINDS.iter().map(SchemaKind::of)).collect()
}

/// An item of `actions`: one kind, and options beside it.
pub(super) fn schema(kinds: &[SchemaKind<'_>]) -> Value {
    let mut known = properties(keys::OPTION);
    known.extend(kinds.iter().map(|kind| (kind.name.to_owned(), kind_schema(kind))));
    let one = kinds.iter().map(|kind| json!({"required": [kind.name]})).collect::<Vec<_>>();
    json!({"type": "object", "properties": known, "additionalProperties": false, "oneOf": one})
}

fn kind_schema(kind: &SchemaKind<'_>) -> Value {
    let property = |param: &Param<'_>| {
        let mut schema = value(param.ty);
        schema["description"] = param.summary.into();
        (param.name.to_owned(), schema)
    };
    let known: Map<_, _> = kind.params.iter().map(property).collect();
    let required = kind.params.iter().filter(|param| param.required).map(|param| param.name);
    let required = required.collect::<Vec<_>>();
    let mut types = vec!["object"];
    // Where nothing has to be given, nothing may be; a script is given by its file alone, too.
    types.extend(required.is_empty().then_some("null"));
    types.extend((kind.name == SCRIPT).then_some("string"));
    json!({
        "description": kind.summary,
        "type": types,
        "properties": known,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text that a reference or a template makes a value of another type.
pub(super) fn filled() -> Value {
    json!({
        "description": "A reference, `${NAME}`, or a template, `{{ payload.cost }}`.",
        "type": "string",
        "pattern": r"\$\{|\{\{|\{%",
    })
}

fn value(ty: ParamType) -> Value {
    let or_filled = |schema: Value| json!({"anyOf": [schema, {"$ref": "#/$defs/filled"}]});
    match ty {
        ParamType::String | ParamType::Url | ParamType::Path | ParamType::SlackText | ParamType::Html => {
            json!({"type": "string"})
        }
        ParamType::Bool => or_filled(json!({"type": "boolean"})),
        ParamType::Integer => or_filled(json!({"type": "integer"})),
        ParamType::Number => or_filled(json!({"type": "number"})),
        ParamType::Duration => or_filled(json!({"type": "string", "pattern": TIME})),
        ParamType::Bytes => or_filled(
            json!({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*[A-Za-z]*\\s*$"}]}),
        ),
        ParamType::List => or_filled(json!({"type": "array"})),
        ParamType::Map => or_filled(json!({"type": "object"})),
        ParamType::Any | ParamType::SlackAny => json!({}),
    }
}
