//! One delivery: make the attempt, and decide what comes of it.

use super::decide::{self, End, Terms, decide};
use super::keep::{Collided, Counted, Waiting, heal_if_mended, keep, message, namespace, word};
use super::lanes::{Ended, Sign};
use super::{Plan, Shared, Step, derive, tell};
use crate::action::{Action, ActionError, Attempt, Consent, Heard, Trace};
use crate::delivery::{Answered, Outcome, Retry};
use crate::journal::{AttemptRecord, Leased, Settlement, State};
use crate::template::{Params, Rendered};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
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

/// Attempts what was leased by these rules, all at once, and settles each when it has ended. Beside each is the
/// number of its lease.
pub(super) async fn run_all<P: Plan>(shared: Arc<Shared<P>>, rules: Arc<P>, leased: Vec<(u64, Leased)>) {
    let (shared, rules) = (&*shared, &rules);
    let run = |(number, leased): (u64, Leased)| async move {
        let id = leased.id.clone();
        if let Err(panic) = AssertUnwindSafe(run(shared, rules, leased)).catch_unwind().await {
            let error = panic_message(&*panic);
            tracing::error!(delivery = %id, %error, "an attempt's outcome was lost, which is a bug in hookyard; it is made again");
            shared.journal.release(&id).await;
        }
        shared.ended(number);
    };
    leased.into_iter().map(run).collect::<FuturesUnordered<_>>().for_each(|()| async {}).await;
}

/// Attempts a delivery by these rules and settles it.
async fn run<P: Plan>(shared: &Shared<P>, rules: &Arc<P>, mut leased: Leased) {
    leased.event = rules.seen(&leased.id.rule, &leased.event);
    let waiting = Waiting::new();
    let settlement = Tried::once(shared, &**rules, &leased, &waiting).await.settlement(&**rules, &leased);
    let turn = match namespace(&settlement) {
        Some(namespace) => Some(shared.namespaces.shared(namespace).await),
        None => None,
    };
    let kept = keep(shared, Arc::new(settlement), &leased, &waiting).await;
    drop(turn);
    // What comes seldom is on the heap: each attempt's future would have room for it.
    let state = match kept {
        Ok(state) => state,
        Err(Collided(namespace)) => {
            Box::pin(run_alone(shared, &**rules, &leased, &namespace, &waiting)).await
        }
    };
    if state == State::Blocked {
        Box::pin(heal_if_mended(shared, rules, &leased)).await;
    }
}

/// Attempts it again while nobody else runs in its namespace, and says how it stands then.
async fn run_alone<'a, P: Plan>(
    shared: &'a Shared<P>,
    rules: &P,
    leased: &Leased,
    namespace: &str,
    waiting: &Waiting<'a>,
) -> State {
    let _alone = shared.namespaces.alone(namespace).await;
    // What a value's end or an operator's hand changes meanwhile is seen by the next run; neither comes
    // that often.
    loop {
        let settlement = Tried::once(shared, rules, leased, waiting).await.settlement(rules, leased);
        if let Ok(state) = keep(shared, Arc::new(settlement), leased, waiting).await {
            return state;
        }
    }
}

/// An attempt that ended, and what that means.
struct Tried {
    made: Option<Made>,
    outcome: Outcome,
    terms: Terms,
}

impl Tried {
    async fn once<'a, P: Plan>(
        shared: &'a Shared<P>,
        rules: &P,
        leased: &Leased,
        waiting: &Waiting<'a>,
    ) -> Self {
        let step = rules.find(&leased.id.rule, &leased.id.action);
        let retry = step.map_or_else(Retry::default, |step| step.retry);
        let mut made = None;
        let attempt = AssertUnwindSafe(attempt(shared, rules, leased, &mut made, waiting)).catch_unwind();
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
    leased: &Leased,
    made: &mut Option<Made>,
    waiting: &Waiting<'a>,
) -> End {
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
        waiting.get_or_init(|| Counted::new(&shared.settling));
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

/// A panic costs an attempt, never the lease.
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
