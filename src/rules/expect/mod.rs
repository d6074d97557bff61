//! Rule tests: the `tests:` of rules files, run against the rule set without sending anything.

mod compare;
mod read;

use super::{Planned, RuleSet, Tree};
use crate::action::{ActionError, Answers, Attempt, Heard};
use crate::delivery::{DeliveryId, Effect};
use crate::event::{Event, EventId};
use crate::json::{Json, Object};
use crate::kv;
use crate::template::{Rendered, Scope};
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// When test events are received, unless they say: always the same, so that a test is.
const RECEIVED_AT: &str = "2026-01-01T00:00:00.000Z";

/// A trace to continue, as every attempt has one (W3C Trace Context's own example).
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One item of `tests:`.
#[derive(Clone, Debug)]
pub(super) struct RuleTest {
    file: Arc<str>,
    line: u32,
    name: String,
    document: Object,
    /// What scripts have kept so far.
    state: kv::Memory,
    /// What `fetch` gets.
    answers: Answers,
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
    fn event(&self) -> Arc<Event> {
        let received_at: Timestamp = RECEIVED_AT.parse().expect("the constant is a timestamp");
        let milliseconds = u64::try_from(received_at.as_millisecond()).expect("it is past 1970");
        Arc::new(Event::new(EventId::new(milliseconds, u128::from(self.line)), self.document.clone()))
    }
}

impl fmt::Display for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rule, self.action)?;
        self.effect.as_ref().map_or(Ok(()), |effect| write!(f, "/{effect}"))
    }
}

/// Runs the tests of a rule directory against the rule set that was loaded from it. Nothing is
/// sent: parameters are filled in and compared, scripts are run and their effects compared. Load
/// with `requires` fulfilled, so that every rule can be tested.
pub async fn run_tests(tree: &Tree, rules: &RuleSet) -> Vec<TestResult> {
    let mut results = Vec::new();
    for test in read::all(tree) {
        let failure = run(rules, &test).await.err();
        results.push(TestResult { file: test.file, line: test.line, name: test.name, failure });
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
            None => outcome.deliver(rules, test, &event, delivery.id).await,
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
    async fn deliver(&mut self, rules: &RuleSet, test: &RuleTest, event: &Arc<Event>, id: DeliveryId) {
        let (_, planned) = rules.find(&id.rule, &id.action).expect("routing names actions of this rule set");
        let event = &alone(event, rules, &id);
        let scope = Scope { event, vars: &rules.vars, resolver: &*rules.resolver };
        let params = match planned.params.render(scope) {
            Ok(rendered) => rendered,
            Err(error) => return self.notes.push(format!("{} is blocked: {error}", lane(&id))),
        };
        let going = Going { rule: id.rule.clone(), action: id.action.clone(), effect: None };
        let shown = params.shown.clone();
        if !rules.scripts.is_run(&planned.kind) {
            return self.sent.push(Sent { going, params: shown, optional: false });
        }
        let attempt = attempt(planned, test, event, id, params);
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
}

/// The event as an attempt sees it: of a rule that controls storms it is a window of its own.
fn alone(event: &Arc<Event>, rules: &RuleSet, id: &DeliveryId) -> Arc<Event> {
    match rules.find(&id.rule, &id.action) {
        Some((rule, _)) if rule.control.is_some() => {
            let document = Json::clone(&event.shared());
            let window = Json::object([
                ("count", Json::from(1u32)),
                ("first", document.clone()),
                ("events", vec![document].into()),
            ]);
            Arc::new(event.with_window(window))
        }
        _ => Arc::clone(event),
    }
}

fn attempt(
    planned: &Planned,
    test: &RuleTest,
    event: &Arc<Event>,
    id: DeliveryId,
    params: Rendered,
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
        script_consent: planned.consent.clone(),
        state: Arc::new(test.state.clone()),
        answers: Some(Arc::new(test.answers.clone())),
        heard: Heard::default(),
    }
}
