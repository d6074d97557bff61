//! Reading the `tests:` of a rules file.

use super::{Expected, Going, RECEIVED_AT, RuleTest};
use crate::action::{Answers, Canned};
use crate::event::FIELDS;
use crate::json::{Json, Object};
use crate::kv;
use crate::rules::keys;
use crate::rules::report::Report;
use crate::rules::{Tree, file, load, tree};
use crate::yaml::{Entry, Node, Value};
use http::{HeaderName, HeaderValue, StatusCode};

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
        let (mut state, mut answers) = (kv::Memory::default(), Answers::default());
        for entry in report.map(node, "a test")? {
            let value = &entry.node;
            match report.key(entry, "a test", keys::TEST) {
                // As good as not there, which is told below.
                _ if is_null(value) => {}
                "name" => name = report.text(value, "a test's `name`"),
                "event" => document = read_event(value, report),
                "state" => state = read_state(value, report),
                "fetch" => {
                    let items = report.list(value, "`fetch`").iter();
                    answers.canned = items.filter_map(|item| read_answer(item, report)).collect();
                }
                "expect" => {
                    let items = report.list(value, "`expect`").iter();
                    expect = Some(items.filter_map(|item| read_expected(item, report)).collect());
                }
                _ => {}
            }
        }
        let needed = keys::TEST.iter().filter(|key| key.required).map(|key| key.name);
        for key in needed.filter(|key| node.get(key).is_none_or(is_null)) {
            let help = (key == "expect").then_some("write `expect: []` if nothing is to go out");
            report.error_with(node.span, format!("a test has no `{key}`"), help);
        }
        let name = name?.to_owned();
        Some(Self {
            file: report.file.clone(),
            line: node.span.line,
            name,
            document: document?,
            state,
            answers,
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

/// `{namespace: {key: value}}`.
fn read_state(node: &Node, report: &mut Report<'_>) -> kv::Memory {
    let mut state = kv::Memory::default();
    for Entry { key: namespace, node, .. } in report.entries(node, "`state`") {
        for Entry { key, node, .. } in report.entries(node, "a namespace of `state`") {
            state = state.with(namespace, key, node.to_json());
        }
    }
    state
}

/// An answer that a `fetch` of this URL gets.
fn read_answer(node: &Node, report: &mut Report<'_>) -> Option<Canned> {
    let (mut url, mut method) = (None, None);
    let mut canned = Canned::ok();
    for entry in report.map(node, "an item of `fetch`")? {
        let value = &entry.node;
        match report.key(entry, "an item of `fetch`", keys::ANSWER) {
            "url" => url = report.text(value, "`url`"),
            "method" => method = report.text(value, "`method`").map(str::to_owned),
            "status" => canned.status = read_status(value, report)?,
            "headers" => {
                for Entry { key, node, .. } in report.entries(value, "`headers`") {
                    let text = report.text(node, "a header's value")?;
                    match (key.parse::<HeaderName>(), text.parse::<HeaderValue>()) {
                        (Ok(name), Ok(text)) => _ = canned.headers.append(name, text),
                        _ => report.error(node.span, format!("`{key}` is no header that can be sent")),
                    }
                }
            }
            "json" => canned.body = value.to_json().to_string().into(),
            "body" => canned.body = report.text(value, "`body`")?.to_owned().into(),
            _ => {}
        }
    }
    if url.is_none() {
        report.error(node.span, "an item of `fetch` has no `url`: it is the one that the script asks");
    }
    Some(Canned { url: url?.to_owned(), method, ..canned })
}

fn read_status(node: &Node, report: &mut Report<'_>) -> Option<StatusCode> {
    let status = node.to_json().as_number().and_then(|number| number.as_i64());
    let status = status.and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    if status.is_none() {
        report.error(node.span, "`status` is a number such as 200");
    }
    status
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
