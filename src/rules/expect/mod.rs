//! Rule tests: the `tests:` of rules files, run against the rule set without sending anything.

mod compare;
mod read;

use super::rehearse::Stage;
use super::{RuleSet, Tree};
use crate::action::Answers;
use crate::delivery::DeliveryId;
use crate::event::{Event, EventId};
use crate::json::{Json, Object};
use crate::kv;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// When test events are received, unless they say: always the same, so that a test is.
const RECEIVED_AT: &str = "2026-01-01T00:00:00.000Z";

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
    let stage = Stage { state: Arc::new(test.state.clone()), answers: test.answers.clone() };
    let mut outcome = Observed::default();
    for delivery in routing.deliveries {
        match delivery.blocked {
            Some(reason) => outcome.notes.push(format!("{} is blocked: {reason}", lane(&delivery.id))),
            None => outcome.deliver(rules, &stage, &event, delivery.id).await,
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
    async fn deliver(&mut self, rules: &RuleSet, stage: &Stage, event: &Arc<Event>, id: DeliveryId) {
        let going = Going { rule: id.rule.to_string(), action: id.action.to_string(), effect: None };
        let rehearsed = rules.rehearse(event, id, stage).await;
        for sent in rehearsed.sent {
            let going = Going { effect: sent.effect, ..going.clone() };
            self.sent.push(Sent { going, params: sent.params, optional: false });
        }
        self.sent.extend(rehearsed.ran.map(|params| Sent { going, params, optional: true }));
        self.notes.extend(rehearsed.broken);
        self.endings.extend(rehearsed.ended);
    }
}
