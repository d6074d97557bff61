mod differs;
mod frame;
mod operators;
mod page;
mod problems;
mod random;
mod schema;

use super::*;
use crate::yaml;

pub(crate) use schema::validator;

pub(super) use random::{fields_text, test_text, value_text};

pub(super) fn node(text: &str) -> Node {
    yaml::parse(&"a.yaml".into(), &text.into()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

pub(super) fn pattern(text: &str) -> Pattern {
    Pattern::compile(&node(text)).unwrap_or_else(|problems| panic!("{text}: {problems:?}")).0
}

pub(super) fn document(text: &str) -> Object {
    match node(text).to_json() {
        Json::Object(object) => object,
        other => panic!("{text}: {other}"),
    }
}

/// Whether a pattern of the field `payload: {f: …}` matches a payload.
fn holds(test: &str, payload: &str) -> bool {
    pattern(&format!("payload: {{f: {test}}}")).matches(&document(&format!("payload: {payload}")))
}

fn table(rows: &[(&str, &str, bool)]) {
    for (test, payload, expected) in rows {
        assert_eq!(holds(test, payload), *expected, "{test} on {payload}");
    }
}
