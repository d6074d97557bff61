//! The JSON Schema beside the compiler: it refuses nothing that compiles, and much that does not.

use super::*;
use boon::{Compiler, Schemas};
use serde_json::{Value, json};

/// What a schema says of values: why it refuses one.
pub(crate) fn validator(schema: Value) -> impl Fn(&Value) -> Result<(), String> {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("hookyard.json", schema).expect("it is JSON");
    let index = compiler.compile("hookyard.json", &mut schemas).expect("the schema is one itself");
    move |value| schemas.validate(value, index).map_err(|error| format!("{error:#}"))
}

pub(super) fn patterns() -> impl Fn(&Value) -> Result<(), String> {
    validator(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": crate::pattern::definitions(),
        "$ref": "#/$defs/pattern",
    }))
}

fn value(text: &str) -> Value {
    node(text).to_json().to_serde()
}

#[test]
fn the_examples_of_the_operators_are_fine() {
    let check = patterns();
    for example in KINDS.iter().flat_map(|operator| operator.examples) {
        assert_eq!(check(&value(example.pattern)), Ok(()), "{}", example.pattern);
    }
}

#[test]
fn what_a_schema_can_tell_is_refused() {
    let check = patterns();
    for text in [
        "all",
        "{}",
        "[a]",
        "sttus: a",
        "prefix: a",
        "payload: {}",
        "status: []",
        "status: [[a]]",
        "status: [{}]",
        "status: [{prefx: a}]",
        "status: [{prefix: 1}]",
        "status: [{prefix: {wildcard: a}}]",
        "status: [{suffix: []}]",
        "status: [{wildcard: {equals-ignore-case: a}}]",
        "status: [{anything-but: [a, 1]}]",
        "status: [{anything-but: null}]",
        "status: [{anything-but: {numeric: ['>', 1]}}]",
        "status: [{anything-but: {prefix: a, suffix: b}}]",
        "status: [{numeric: ['>']}]",
        "status: [{numeric: ['<', 5, '>', 1]}]",
        "status: [{numeric: ['!=', 5]}]",
        "status: [{numeric: ['>', '5']}]",
        "status: [{exists: 1}]",
        "status: [{every: {prefx: a}}]",
        "status: [{none: []}]",
        "status: [{clock: {days: mon}}]",
        "status: [{clock: {zone: UTC, day: mon}}]",
        "metadata: {campaign: {prefix: q4-}}",
        "headers: {User-Agent: a}",
        "$or: [{status: a}]",
        "$not: [{status: a}]",
        "$and: [{status: a}]",
        "payload: {$or: [{prefix: [a]}, {a: 1}]}",
    ] {
        assert!(Pattern::compile(&node(text)).is_err(), "{text}");
        assert!(check(&value(text)).is_err(), "{text}");
    }
}
