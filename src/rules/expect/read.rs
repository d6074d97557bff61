//! Reading the `tests:` of a rules file.

use super::{Expected, Going, RECEIVED_AT, RuleTest};
use crate::event::FIELDS;
use crate::json::{Json, Object};
use crate::rules::keys;
use crate::rules::report::Report;
use crate::rules::{Tree, file, load, tree};
use crate::yaml::{Node, Value};

/// Where an event comes from that does not say: the source that works without configuration.
const DEFAULT_SOURCE: &str = "browser-use";

/// The tests of all files. What is wrong with them, [`crate::rules::load`] has reported.
pub(super) fn all(tree: &Tree) -> Vec<RuleTest> {
    let mut reported = Vec::new();
    let (nodes, rest) = load::parse(&load::texts(tree, tree::is_rules, &mut reported), &mut reported);
    nodes.iter().zip(rest).flat_map(|(node, (rows, report))| file::read(node, rows, report).tests).collect()
}

impl RuleTest {
    /// Reads an item of `tests`.
    pub(in crate::rules) fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let (mut name, mut document, mut expect) = (None, None, None);
        for entry in report.map(node, "a test")? {
            let value = &entry.node;
            match report.key(entry, "a test", keys::TEST) {
                // As good as not there, which is told below.
                _ if is_null(value) => {}
                "name" => name = report.text(value, "a test's `name`"),
                "event" => document = read_event(value, report),
                "expect" => {
                    let items = report.list(value, "`expect`").iter();
                    expect = Some(items.filter_map(|item| read_expected(item, report)).collect());
                }
                _ => {}
            }
        }
        for key in keys::names(keys::TEST).filter(|key| node.get(key).is_none_or(is_null)) {
            let help = (key == "expect").then_some("write `expect: []` if nothing is to go out");
            report.error_with(node.span, format!("a test has no `{key}`"), help);
        }
        let name = name?.to_owned();
        Some(Self {
            file: report.file.clone(),
            line: node.span.line,
            name,
            document: document?,
            expect: expect?,
        })
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node.value, Value::Null)
}

/// The event document, with what a source would have filled in.
fn read_event(node: &Node, report: &mut Report<'_>) -> Option<Object> {
    for entry in report.map(node, "a test's `event`")? {
        if !FIELDS.contains(&entry.key.as_str()) {
            report.unknown_key(entry, "an event", FIELDS.iter().copied());
        }
    }
    let Json::Object(mut document) = node.to_json() else { return None };
    let derived = |document: &Object, field: &str| document.get("payload")?.get(field).cloned();
    if let (None, Some(status @ Json::String(_))) = (document.get("status"), derived(&document, "status")) {
        document.insert("status", status);
    }
    if let (None, Some(metadata @ Json::Object(_))) =
        (document.get("metadata"), derived(&document, "metadata"))
    {
        document.insert("metadata", metadata);
    }
    if document.get("source").is_none() {
        document.insert("source", DEFAULT_SOURCE);
    }
    for field in ["metadata", "headers", "payload"] {
        if document.get(field).is_none() {
            document.insert(field, Object::new());
        }
    }
    if document.get("received_at").is_none() {
        document.insert("received_at", RECEIVED_AT);
    }
    Some(document)
}

fn read_expected(node: &Node, report: &mut Report<'_>) -> Option<Expected> {
    let (mut rule, mut action, mut effect, mut params) = (None, None, None, Json::object::<String>([]));
    for entry in report.map(node, "an item of `expect`")? {
        let value = &entry.node;
        match report.key(entry, "an item of `expect`", keys::EXPECT) {
            "rule" => rule = report.text(value, "`rule`"),
            "action" => action = report.text(value, "`action`"),
            "effect" => effect = report.text(value, "`effect`"),
            "params" => {
                report.entries(value, "`params`");
                params = value.to_json();
            }
            _ => {}
        }
    }
    for key in keys::EXPECT.iter().filter(|key| key.required && node.get(key.name).is_none()) {
        let key = key.name;
        report.error(node.span, format!("an item of `expect` has no `{key}`"));
    }
    let going =
        Going { rule: rule?.to_owned(), action: action?.to_owned(), effect: effect.map(str::to_owned) };
    Some(Expected { going, params })
}
