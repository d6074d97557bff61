//! One delivery: make the attempt, and decide what comes of it.

use super::decide::{self, End, Terms, decide};
use super::keep::{Counted, keep, message, word};
use super::lanes::{Ended, Sign};
use super::{Plan, Shared, Step, TOGETHER, derive, tell};
use crate::action::{Action, ActionError, Attempt, Consent, Heard, Trace};
use crate::delivery::{Answered, Outcome, Retry};
use crate::journal::{AttemptRecord, Leased, Settled, Settlement};
use crate::template::{Params, Rendered};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, future};
use jiff::Timestamp;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::slice;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How much of its parameters is kept of an attempt.
const REQUEST_BYTES: usize = 4096;

/// An attempt that was made.
struct Made {
    started_at: Timestamp,
    duration: Duration,
    /// Its parameters, secrets as names, or their beginning.
    request: String,
    answer: Option<Answered>,
}

/// A delivery under way.
pub(super) struct UnderWay<'a> {
    /// Of its lease.
    pub number: u64,
    pub leased: Leased,
    /// Once its attempt only waits, until its outcome is kept: others are made meanwhile.
    pub waiting: OnceLock<Counted<'a>>,
}

/// Attempts what was leased by these rules, all at once; what ends together is kept together. Beside each is the
/// number of its lease.
pub(super) async fn run_all<P: Plan>(shared: Arc<Shared<P>>, rules: Arc<P>, leased: Vec<(u64, Leased)>) {
    let (shared, rules) = (&*shared, &rules);
    let attempts: FuturesUnordered<_> = leased.into_iter().map(|leased| run(shared, rules, leased)).collect();
    let ended = attempts.filter_map(future::ready).ready_chunks(TOGETHER);
    ended.for_each_concurrent(None, |ended| keep_all(shared, rules, ended)).await;
}

/// Attempts a delivery by these rules. `None`: nothing is left to be kept.
async fn run<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &Arc<P>,
    (number, leased): (u64, Leased),
) -> Option<(UnderWay<'a>, Settlement)> {
    let mut it = UnderWay { number, leased, waiting: OnceLock::new() };
    match AssertUnwindSafe(settlement(shared, rules, &mut it)).catch_unwind().await {
        Ok(Some(settlement)) => return Some((it, settlement)),
        Ok(None) => {}
        Err(panic) => give_back(shared, &it, panic_message(&*panic)).await,
    }
    shared.ended(&mut [it]);
    None
}

/// Attempts it. What changes state is kept before others can have changed it; of the rest that is left to do.
async fn settlement<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &Arc<P>,
    it: &mut UnderWay<'a>,
) -> Option<Settlement> {
    it.leased.event = rules.seen(&it.leased.id.rule, &it.leased.event);
    let settlement = Tried::once(shared, &**rules, it).await.settlement(&**rules, &it.leased);
    let Some(namespace) = settlement.namespace().map(str::to_owned) else { return Some(settlement) };
    // On the heap: most change nothing, and each attempt's future would have room for it.
    Box::pin(keep_in_turn(shared, rules, it, (settlement, namespace))).await;
    None
}

/// Keeps what changes the state of a namespace. If another run has changed what it had read, it is attempted again while nobody else
/// runs in it.
async fn keep_in_turn<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &Arc<P>,
    it: &UnderWay<'a>,
    (settlement, namespace): (Settlement, String),
) {
    let turn = shared.namespaces.shared(&namespace).await;
    let mut settled = keep(shared, rules, slice::from_ref(it), [settlement].into()).await;
    drop(turn);
    if settled != [Settled::Conflict] {
        return;
    }
    let _alone = shared.namespaces.alone(&namespace).await;
    // What a value's end or an operator's hand changes meanwhile is seen by the next run; neither comes
    // that often.
    while settled == [Settled::Conflict] {
        let settlement = Tried::once(shared, &**rules, it).await.settlement(&**rules, &it.leased);
        settled = keep(shared, rules, slice::from_ref(it), [settlement].into()).await;
    }
}

/// Keeps the outcomes of attempts that ended together, and ends their leases.
async fn keep_all<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &Arc<P>,
    ended: Vec<(UnderWay<'a>, Settlement)>,
) {
    let (mut all, settlements): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
    let kept = AssertUnwindSafe(keep(shared, rules, &all, settlements.into())).catch_unwind();
    if let Err(panic) = kept.await {
        for it in &all {
            give_back(shared, it, panic_message(&*panic)).await;
        }
    }
    shared.ended(&mut all);
}

/// A panic costs an attempt, never the lease.
async fn give_back<P>(shared: &Shared<P>, it: &UnderWay<'_>, error: &str) {
    let id = &it.leased.id;
    tracing::error!(delivery = %id, %error, "an attempt's outcome was lost, which is a bug in hookyard; it is made again");
    shared.journal.release(id).await;
}

/// An attempt that ended, and what that means.
struct Tried {
    made: Option<Made>,
    outcome: Outcome,
    terms: Terms,
}

impl Tried {
    async fn once<'a, P: Plan>(shared: &'a Shared<P>, rules: &P, it: &UnderWay<'a>) -> Self {
        let leased = &it.leased;
        let step = rules.find(&leased.id.rule, &leased.id.action);
        let retry = step.map_or_else(Retry::default, |step| step.retry);
        let mut made = None;
        let attempt = AssertUnwindSafe(attempt(shared, rules, it, &mut made)).catch_unwind();
        let end = attempt.await.unwrap_or_else(|panic| End::Failed(panicked(&*panic)));
        let terms = Terms {
            number: leased.attempts - leased.earlier_attempts + 1,
            counted_from: leased.counted_from,
            now: (shared.clock)(),
            retry,
            random: fastrand::f64(),
        };
        let sign = decide::sign(&end);
        let tried = Self { made, outcome: decide(end, &terms), terms };
        tried.tell_lane(shared, rules, leased, sign).await;
        tried
    }

    /// Before the lease ends: what is leased next of the lane depends on it. What other rules led to
    /// says nothing of where the lane leads now.
    async fn tell_lane<P: Plan>(&self, shared: &Shared<P>, rules: &P, leased: &Leased, sign: Sign) {
        let Some(made) = self.made.as_ref().filter(|_| shared.serves(rules)) else { return };
        let (rule, action) = (leased.id.rule.as_str(), leased.id.action.as_str());
        let part = leased.effect.as_ref().map_or("", |effect| effect.kind.as_str());
        let ended = Ended { part, sign, why: message(&self.outcome), started_at: made.started_at };
        let limits = rules.limits(rule, action);
        if let Some(change) = shared.lanes.ended(rule, action, limits, ended, self.terms.now) {
            // On the heap: it comes seldom, and each attempt's future would have room for it.
            Box::pin(tell::changed(shared, rules, leased, change, self.terms.now)).await;
        }
    }

    /// The outcome with the events it brings about.
    fn settlement<P: Plan>(mut self, rules: &P, leased: &Leased) -> Settlement {
        let (id, now) = (&leased.id, self.terms.now);
        let mut derived = Vec::new();
        if let Outcome::Delivered(receipt) = &self.outcome {
            match derive::emitted(&receipt.emitted, &leased.event, id, rules, now) {
                Ok(emitted) => derived = emitted,
                Err(error) => self.outcome = Outcome::Dead { error: error.to_string() },
            }
        }
        derived.extend(derive::told(&self.outcome, &leased.event, id, rules, now));
        let Self { made, outcome, .. } = self;
        let number = leased.attempts + 1;
        let attempt = made.map(|made| record(made, &outcome, (number, rules.generation())));
        Settlement { id: id.clone(), outcome, attempt, derived, now }
    }
}

/// What is to be done, once the rule has been found good for it.
struct Ready<'a> {
    action: Arc<dyn Action>,
    params: Rendered,
    consent: Consent,
    step: Step<'a>,
}

async fn attempt<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &P,
    it: &UnderWay<'a>,
    made: &mut Option<Made>,
) -> End {
    let leased = &it.leased;
    let Ready { action, params, consent, step } = match ready(rules, leased) {
        Ok(Some(ready)) => ready,
        Ok(None) => return End::Unwanted,
        Err(error) => return End::Broken(error),
    };
    let attempt = Attempt {
        id: leased.id.clone(),
        number: leased.attempts + 1,
        event: leased.event.clone(),
        body: leased.body.clone(),
        headers: leased.headers.clone(),
        params,
        trace: Trace::new(leased.headers.clone(), leased.event.id(), fastrand::u64(..)),
        consent,
        script_consent: step.consent.clone(),
        state: shared.state.clone(),
        answers: None,
        heard: Heard::default(),
    };
    if action.only_waits() && may_others_be_made(shared, rules, leased) {
        it.waiting.get_or_init(|| Counted::new(&shared.settling));
        shared.journal.only_waits(&leased.id);
    }
    let (started_at, started) = ((shared.clock)(), Instant::now());
    let answer =
        AssertUnwindSafe(tokio::time::timeout(step.timeout, action.deliver(&attempt))).catch_unwind();
    let answer = answer.await;
    let duration = started.elapsed();
    let redact = |text: String| attempt.params.redact(&text);
    let heard = attempt.heard.take().map(|heard| Answered { body: redact(heard.body), ..heard });
    let request = beginning(attempt.params.shown().text());
    *made = Some(Made { started_at, duration, request, answer: heard });
    match answer {
        Ok(Ok(Ok(mut receipt))) => {
            receipt.line = redact(receipt.line);
            End::Delivered(receipt)
        }
        Ok(Ok(Err(error))) => End::Failed(redacted(error, redact)),
        Ok(Err(_)) => End::TimedOut(step.timeout),
        Err(panic) => End::Failed(redacted(panicked(&*panic), redact)),
    }
}

/// Whether others of its lane may be made while it waits: not where somebody has said how many may be
/// under way, nor while its destination is being probed.
fn may_others_be_made<P: Plan>(shared: &Shared<P>, rules: &P, leased: &Leased) -> bool {
    let (rule, action) = (leased.id.rule.as_str(), leased.id.action.as_str());
    let is_said =
        rules.limits(rule, action).concurrency.is_some() || shared.limits.borrow().lane_concurrency.is_some();
    !is_said && !shared.lanes.is_paused(rule, action)
}

/// Finds the action and fills its parameters in, or says what of the rule is broken. `None`: its
/// condition is false.
fn ready<'a, P: Plan>(rules: &'a P, leased: &Leased) -> Result<Option<Ready<'a>>, String> {
    let (rule, action) = (leased.id.rule.as_str(), leased.id.action.as_str());
    let gone = || format!("the rule `{rule}` with the action `{action}` is not loaded, or is off");
    let step = rules.find(rule, action).ok_or_else(gone)?;
    let render = |params: &Params| rules.render(params, &leased.event).map_err(|error| error.to_string());
    if let Some(effect) = &leased.effect {
        let built = rules.build_effect(&effect.kind, &effect.params);
        let action = built.map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            format!("`{}` cannot be made: {}", effect.name, errors.join("; "))
        })?;
        let (params, consent) = (render(&effect.params)?, step.consent.clone());
        return Ok(Some(Ready { action, params, consent, step }));
    }
    if leased.was_blocked && !rules.holds(rule, action, &leased.event)? {
        return Ok(None);
    }
    let (action, params) = (step.action.clone(), render(step.params)?);
    Ok(Some(Ready { action, params, consent: Consent::Author, step }))
}

/// At most [`REQUEST_BYTES`] of a text.
fn beginning(mut text: String) -> String {
    let end = (0..=text.len().min(REQUEST_BYTES)).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

fn redacted(error: ActionError, redact: impl Fn(String) -> String) -> ActionError {
    match error {
        ActionError::Retry { error, after } => ActionError::Retry { error: redact(error), after },
        ActionError::Answered { status, error, after } => {
            ActionError::Answered { status, error: redact(error), after }
        }
        ActionError::Down(error) => ActionError::Down(redact(error)),
        ActionError::Refused(error) => ActionError::Refused(redact(error)),
        ActionError::Blocked(error) => ActionError::Blocked(redact(error)),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> ActionError {
    let text = panic_message(panic);
    ActionError::Retry {
        error: format!("the action panicked, which is a bug in hookyard: {text}"),
        after: None,
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn record(made: Made, outcome: &Outcome, (number, generation): (u32, u64)) -> AttemptRecord {
    AttemptRecord {
        number,
        started_at: made.started_at,
        duration: made.duration,
        generation: Some(generation),
        outcome: word(outcome).to_owned(),
        message: message(outcome).to_owned(),
        request: Some(made.request),
        answer: made.answer,
    }
}
