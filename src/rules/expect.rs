//! Rule tests: the `tests:` of rules files, run against the rule set without sending anything.

use super::report::{Report, suggestion};
use super::{Planned, RuleSet, SCRIPT};
use crate::action::{ActionError, Attempt};
use crate::delivery::{DeliveryId, Effect};
use crate::event::{Event, EventId, FIELDS};
use crate::json::{Json, Object};
use crate::template::Scope;
use crate::yaml::Node;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;

const TEST_KEYS: &[&str] = &["name", "event", "expect"];
const EXPECT_KEYS: &[&str] = &["rule", "action", "effect", "params"];

/// When test events are received, unless they say: always the same, so that a test is.
const RECEIVED_AT: &str = "2026-01-01T00:00:00.000Z";

/// A trace to continue, as every attempt has one (W3C Trace Context's own example).
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One item of `tests:`.
#[derive(Clone, Debug)]
pub struct RuleTest {
    pub file: Arc<str>,
    pub line: u32,
    pub name: String,
    document: Object,
    expect: Vec<Expected>,
}

/// What one test came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    pub file: Arc<str>,
    pub line: u32,
    pub name: String,
    /// What was missing, unexpected or different, a line each; `None`: it passed.
    pub failure: Option<String>,
}

/// Something that should go out.
#[derive(Clone, Debug)]
struct Expected {
    going: Going,
    /// What its shown parameters hold at least.
    params: Json,
}

/// Who sends it: `rule/action` or `rule/action/effect`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Going {
    rule: String,
    action: String,
    effect: Option<String>,
}

/// Something that would go out.
struct Sent {
    going: Going,
    params: Json,
    /// A script's own run sends nothing: it may be expected, but need not be.
    optional: bool,
}

impl RuleTest {
    /// Reads an item of `tests`.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (mut name, mut document, mut expect) = (None, None, None);
        for entry in report.map(node, "a test") {
            let value = &entry.node;
            match entry.key.as_str() {
                "name" => name = report.text(value, "a test's `name`"),
                "event" => document = read_event(value, report),
                "expect" => {
                    let items = report.list(value, "`expect`").iter();
                    expect = Some(items.filter_map(|item| read_expected(item, report)).collect());
                }
                _ => report.unknown_key(entry, "a test", TEST_KEYS),
            }
        }
        for key in TEST_KEYS.iter().filter(|key| node.get(key).is_none()) {
            let help = (*key == "expect").then_some("write `expect: []` if nothing is to go out");
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

    fn event(&self) -> Arc<Event> {
        let received_at: Timestamp = RECEIVED_AT.parse().expect("the constant is a timestamp");
        let milliseconds = u64::try_from(received_at.as_millisecond()).expect("it is past 1970");
        Arc::new(Event::new(EventId::new(milliseconds, u128::from(self.line)), self.document.clone()))
    }
}

/// The event document, with what a source would have filled in.
fn read_event(node: &Node, report: &mut Report) -> Option<Object> {
    for entry in report.map(node, "a test's `event`") {
        if !FIELDS.contains(&entry.key.as_str()) {
            report.unknown_key(entry, "an event", FIELDS);
        }
    }
    if node.get("source").is_none() {
        let help = "write the name of the source it is to come from, such as `source: browser-use`";
        report.error_with(node.span, "a test's `event` has no `source`", Some(help));
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

fn read_expected(node: &Node, report: &mut Report) -> Option<Expected> {
    let (mut rule, mut action, mut effect, mut params) = (None, None, None, Json::object::<String>([]));
    for entry in report.map(node, "an item of `expect`") {
        let value = &entry.node;
        match entry.key.as_str() {
            "rule" => rule = report.text(value, "`rule`"),
            "action" => action = report.text(value, "`action`"),
            "effect" => effect = report.text(value, "`effect`"),
            "params" => {
                report.map(value, "`params`");
                params = value.to_json();
            }
            _ => report.unknown_key(entry, "an item of `expect`", EXPECT_KEYS),
        }
    }
    for key in ["rule", "action"].iter().filter(|key| node.get(key).is_none()) {
        report.error(node.span, format!("an item of `expect` has no `{key}`"));
    }
    let going =
        Going { rule: rule?.to_owned(), action: action?.to_owned(), effect: effect.map(str::to_owned) };
    Some(Expected { going, params })
}

/// Runs tests. Nothing is sent: parameters are filled in and compared, scripts are run and their
/// effects compared.
pub async fn run_tests(rules: &RuleSet, tests: &[RuleTest]) -> Vec<TestResult> {
    let mut results = Vec::with_capacity(tests.len());
    for test in tests {
        let failure = run(rules, test).await.err();
        results.push(TestResult {
            file: Arc::clone(&test.file),
            line: test.line,
            name: test.name.clone(),
            failure,
        });
    }
    results
}

async fn run(rules: &RuleSet, test: &RuleTest) -> Result<(), String> {
    let event = test.event();
    let routing = rules.route(&event, 0, Timestamp::UNIX_EPOCH);
    let mut outcome = Observed::default();
    for delivery in routing.deliveries {
        match delivery.blocked {
            Some(reason) => outcome.notes.push(format!("{} is blocked: {reason}", lane(&delivery.id))),
            None => outcome.deliver(rules, &event, delivery.id).await,
        }
    }
    outcome.compare(rules, &test.expect)
}

fn lane(id: &DeliveryId) -> String {
    format!("{}/{}", id.rule, id.action)
}

/// What running a test brought to light.
#[derive(Default)]
struct Observed {
    sent: Vec<Sent>,
    /// What went wrong on the way: each fails the test.
    notes: Vec<String>,
    /// How scripts ended that sent nothing on purpose: told if something is missing.
    endings: Vec<String>,
}

impl Observed {
    async fn deliver(&mut self, rules: &RuleSet, event: &Arc<Event>, id: DeliveryId) {
        let (_, planned) = rules.find(&id.rule, &id.action).expect("routing names actions of this rule set");
        let scope = Scope { event, vars: &rules.vars, resolver: &*rules.resolver };
        let params = match planned.params.render(scope) {
            Ok(rendered) => rendered,
            Err(error) => return self.notes.push(format!("{} is blocked: {error}", lane(&id))),
        };
        let going = Going { rule: id.rule.clone(), action: id.action.clone(), effect: None };
        let shown = params.shown.clone();
        if planned.kind != SCRIPT {
            return self.sent.push(Sent { going, params: shown, optional: false });
        }
        let attempt = attempt(planned, event, id, params);
        match planned.action.deliver(&attempt).await {
            Ok(receipt) => {
                receipt.effects.into_iter().for_each(|effect| self.effect(effect, &going, scope));
                self.sent.push(Sent { going, params: shown, optional: true });
            }
            Err(ActionError::Blocked(error)) => {
                self.notes.push(format!("{} is blocked: {error}", lane(&attempt.id)));
            }
            Err(error) => self.endings.push(format!("{} ended with: {error}", lane(&attempt.id))),
        }
    }

    fn effect(&mut self, effect: Effect, by: &Going, scope: Scope<'_>) {
        let going = Going { effect: Some(effect.name), ..by.clone() };
        match effect.params.render(scope) {
            Ok(rendered) => self.sent.push(Sent { going, params: rendered.shown, optional: false }),
            Err(error) => self.notes.push(format!("{going} cannot be filled in: {error}")),
        }
    }

    /// What differs from what was expected.
    fn compare(mut self, rules: &RuleSet, expected: &[Expected]) -> Result<(), String> {
        let taken = pair(expected, &self.sent);
        let mut lines = std::mem::take(&mut self.notes);
        let unmatched = |index: &usize| !taken.contains(&Some(*index));
        let mut left: Vec<usize> = (0..self.sent.len()).filter(unmatched).collect();
        for (wanted, _) in expected.iter().zip(&taken).filter(|(_, taken)| taken.is_none()) {
            match left.iter().position(|index| self.sent[*index].going == wanted.going) {
                Some(position) => {
                    let near = &self.sent[left.remove(position)];
                    lines.push(near_miss(wanted, near));
                }
                None => lines.push(missing(rules, &wanted.going)),
            }
        }
        if taken.contains(&None) {
            lines.append(&mut self.endings);
        }
        let unexpected = left.into_iter().map(|index| &self.sent[index]).filter(|sent| !sent.optional);
        lines.extend(unexpected.map(|sent| format!("unexpected: {} {}", sent.going, sent.params)));
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }
}

fn attempt(
    planned: &Planned,
    event: &Arc<Event>,
    id: DeliveryId,
    params: crate::template::Rendered,
) -> Attempt {
    Attempt {
        id,
        number: 1,
        event: Arc::clone(event),
        body: Bytes::from(event.get("payload").unwrap_or(&Json::Null).to_string()),
        headers: Vec::new(),
        params,
        traceparent: TRACEPARENT.to_owned(),
        consent: planned.consent.clone(),
    }
}

/// Gives each expectation something sent that fits it, as many as possible (augmenting paths: an
/// expectation that fits several gives way to one that fits only what it took).
fn pair(expected: &[Expected], sent: &[Sent]) -> Vec<Option<usize>> {
    let mut owner = vec![None; sent.len()];
    for index in 0..expected.len() {
        claim(index, expected, sent, &mut owner, &mut vec![false; sent.len()]);
    }
    let position = |index| owner.iter().position(|owner| *owner == Some(index));
    (0..expected.len()).map(position).collect()
}

fn claim(
    index: usize,
    expected: &[Expected],
    sent: &[Sent],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for candidate in 0..sent.len() {
        if tried[candidate] || !fits(&expected[index], &sent[candidate]) {
            continue;
        }
        tried[candidate] = true;
        if owner[candidate].is_none_or(|other| claim(other, expected, sent, owner, tried)) {
            owner[candidate] = Some(index);
            return true;
        }
    }
    false
}

fn fits(expected: &Expected, sent: &Sent) -> bool {
    expected.going == sent.going && difference(&expected.params, Some(&sent.params), "params").is_none()
}

/// The first place where `got` does not hold what is wanted.
fn difference(wanted: &Json, got: Option<&Json>, place: &str) -> Option<String> {
    match (wanted, got) {
        (Json::Object(members), Some(Json::Object(_))) => members.iter().find_map(|(key, value)| {
            difference(value, got.and_then(|got| got.get(key)), &format!("{place}.{key}"))
        }),
        (Json::Array(items), Some(Json::Array(others))) if items.len() == others.len() => {
            items.iter().zip(others).enumerate().find_map(|(index, (item, other))| {
                difference(item, Some(other), &format!("{place}[{index}]"))
            })
        }
        (_, Some(got)) if wanted == got => None,
        (_, Some(got)) => Some(format!("{place}: wanted {wanted}, got {got}")),
        (_, None) => Some(format!("{place}: wanted {wanted}, got nothing")),
    }
}

fn near_miss(wanted: &Expected, got: &Sent) -> String {
    let difference = difference(&wanted.params, Some(&got.params), "params");
    // Equal parameters mean that the same was expected more often than it was sent.
    let difference = difference.unwrap_or_else(|| "it goes out fewer times than expected".to_owned());
    format!("different: {}: {difference}", wanted.going)
}

fn missing(rules: &RuleSet, going: &Going) -> String {
    let names = || rules.rules.iter().map(|rule| rule.name.as_str());
    if names().all(|name| name != going.rule) && rules.off.iter().all(|off| off.rule != going.rule) {
        return format!("missing: {going}; there is no such rule: {}", suggestion(&going.rule, names()));
    }
    match rules.off.iter().find(|off| off.rule == going.rule) {
        Some(off) => format!("missing: {going}; the rule is off: {}", off.why),
        None => format!("missing: {going}"),
    }
}

impl std::fmt::Display for Going {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.rule, self.action)?;
        self.effect.as_ref().map_or(Ok(()), |effect| write!(f, "/{effect}"))
    }
}
