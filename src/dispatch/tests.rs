//! The dispatcher on a real journal, with made-up rules and actions.

mod lanes;

use super::*;
use crate::action::{Action, ActionError, Attempt, Consent};
use crate::delivery::{Effect, Emitted, LaneLimits, Outcome, Receipt, Retry};
use crate::event::Event;
use crate::journal::conformance::{NOW, at, entry, id_of};
use crate::journal::sqlite::{CommitHook, Options, SqliteJournal};
use crate::journal::{Chosen, DeliveryFilter, Entry, Heal, Routing, State, StoredDelivery};
use crate::json::Json;
use crate::kv::{Changes, Expiry, Read, Write};
use crate::registry::ConfigError;
use crate::secret::Secret;
use crate::template::{Params, RenderError, Rendered};
use async_trait::async_trait;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

const TIMEOUT: Duration = Duration::from_millis(20);
type Answer = Pin<Box<dyn Future<Output = Result<Receipt, ActionError>> + Send>>;

/// An action that does what a closure says, and reports each attempt.
struct Fake<F> {
    seen: mpsc::Sender<String>,
    answer: F,
}

#[async_trait]
impl<F: Fn() -> Answer + Send + Sync> Action for Fake<F> {
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let consent = matches!(attempt.consent, Consent::Author);
        let line =
            format!("{} #{} {} author={consent}", attempt.id.rule, attempt.number, attempt.params.plain);
        self.seen.try_send(line).expect("the test has room for it");
        (self.answer)().await
    }
}

/// Rules with one action `a` each.
struct Rules {
    actions: Vec<(&'static str, Arc<dyn Action>)>,
    params: Params,
    holds: Result<bool, String>,
    timeout: Duration,
    lane: LaneLimits,
    consent: Consent,
    /// Whether the next attempt stumbles before its action is asked.
    stumbles: AtomicBool,
}

impl Rules {
    fn new(actions: Vec<(&'static str, Arc<dyn Action>)>) -> Self {
        let consent = Consent::Hosts(Arc::default());
        let (params, lane) = (Params::Data(Json::from("p")), LaneLimits::default());
        let (holds, stumbles) = (Ok(true), AtomicBool::new(false));
        Self { actions, params, holds, timeout: DRAIN, lane, consent, stumbles }
    }
}

/// Of all rules here.
const GENERATION: u64 = 1;

impl Plan for Rules {
    fn generation(&self) -> u64 {
        GENERATION
    }

    fn find(&self, rule: &str, _: &str) -> Option<Step<'_>> {
        let (_, action) = self.actions.iter().find(|(name, _)| *name == rule)?;
        let (params, action, consent) = (&self.params, action.clone(), &self.consent);
        let (retry, timeout, lane) = (Retry::default(), self.timeout, self.lane);
        Some(Step { params, action, retry, timeout, lane, consent })
    }

    fn seen(&self, _: &str, event: &Arc<Event>) -> Arc<Event> {
        assert!(!self.stumbles.swap(false, Ordering::SeqCst), "it stumbles");
        Arc::clone(event)
    }

    fn holds(&self, _: &str, _: &str, _: &Event) -> Result<bool, String> {
        self.holds.clone()
    }

    fn render(&self, params: &Params, _: &Event) -> Result<Rendered, RenderError> {
        let plain = params.literal().ok_or_else(|| RenderError {
            pointer: "/text".into(),
            message: "nothing is called `payload.nope`".into(),
        })?;
        let secrets = vec![(Secret::new("s3cret"), "${TOKEN}".to_owned())];
        Ok(Rendered { plain, veil: None, secrets })
    }

    fn build_effect(&self, kind: &str, _: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        let found = self.actions.iter().find(|(name, _)| *name == kind);
        found.map(|(_, action)| action.clone()).ok_or_else(|| vec![ConfigError::at("", "no such kind")])
    }

    fn route(&self, event: &Event, now: Timestamp) -> Routing {
        let id = format!("{}/late/a", event.id()).parse().expect("an id");
        let delivery = crate::journal::NewDelivery { id, due: now, blocked: None, order: None };
        Routing {
            generation: GENERATION,
            rules: vec!["late".into()],
            deliveries: vec![delivery],
            storms: Vec::new(),
        }
    }
}

/// A dispatcher at work on a journal of its own.
struct Bench {
    journal: Arc<dyn Journal>,
    rules: watch::Sender<Option<Arc<Rules>>>,
    clock: Arc<AtomicI64>,
    shutdown: CancellationToken,
    seen: mpsc::Receiver<String>,
    report: mpsc::Sender<String>,
    running: Option<JoinHandle<()>>,
    drain: Duration,
    lanes: Arc<Lanes>,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(&dir.path().join("journal.db"), options).unwrap();
        let (report, seen) = mpsc::channel(100);
        let clock = Arc::new(AtomicI64::new(NOW));
        let (rules, shutdown) = (watch::channel(None).0, CancellationToken::new());
        let (running, lanes) = (None, Arc::default());
        Self { journal, rules, clock, shutdown, seen, report, running, drain: DRAIN, lanes, _dir: dir }
    }

    fn start(&mut self, limits: Limits) {
        let clock = self.clock.clone();
        let clock: Clock = Arc::new(move || at(clock.load(Ordering::SeqCst)));
        let (_, limits) = watch::channel(limits);
        let mut dispatcher =
            Dispatcher::with_clock(self.journal.clone(), self.rules.subscribe(), limits, clock);
        dispatcher.drain = self.drain;
        self.lanes = dispatcher.lanes();
        self.running = Some(tokio::spawn(dispatcher.run(self.shutdown.clone())));
    }

    fn action(&self, answer: impl Fn() -> Answer + Send + Sync + 'static) -> Arc<dyn Action> {
        Arc::new(Fake { seen: self.report.clone(), answer })
    }

    fn serve(&self, rules: Rules) {
        self.rules.send_replace(Some(Arc::new(rules)));
    }

    /// Serves one rule `r` whose action answers like this.
    fn serve_answer(&self, answer: impl Fn() -> Result<Receipt, ActionError> + Send + Sync + 'static) {
        let action = self.action(move || Box::pin(std::future::ready(answer())));
        self.serve(Rules::new(vec![("r", action)]));
    }

    async fn append(&self, entry: Entry) {
        self.journal.append(entry).await.unwrap();
    }

    async fn next_seen(&mut self) -> String {
        tokio::time::timeout(DRAIN, self.seen.recv()).await.expect("an attempt is made").unwrap()
    }

    /// The first delivery that is in this state, as soon as there is one.
    async fn until(&self, state: State) -> StoredDelivery {
        self.until_tried(state, 0).await
    }

    /// The same, after at least this many attempts.
    async fn until_tried(&self, state: State, attempts: u32) -> StoredDelivery {
        let look = async {
            loop {
                let filter = DeliveryFilter { state: Some(state), limit: 1, ..DeliveryFilter::default() };
                let found = self.journal.deliveries(filter).await.unwrap().pop();
                if let Some(found) = found.filter(|found| found.attempts >= attempts) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DRAIN, look).await.unwrap_or_else(|_| panic!("no delivery became {state:?}"))
    }

    fn set_clock(&self, ms: i64) {
        self.clock.store(NOW + ms, Ordering::SeqCst);
        self.journal.work().notify_one();
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        let running = self.running.take().expect("it was started");
        tokio::time::timeout(DRAIN, running).await.expect("it ends in time").expect("it does not panic");
    }
}

fn ok() -> Result<Receipt, ActionError> {
    Ok(Receipt::of("204 with s3cret"))
}

fn retry() -> Result<Receipt, ActionError> {
    Err(ActionError::Retry { error: "503 for s3cret".into(), after: None })
}

#[tokio::test]
async fn a_delivery_is_attempted_and_its_receipt_kept_without_secrets() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(ok);
    bench.append(entry(1, 0, &["r/a"])).await;
    assert_eq!(bench.next_seen().await, r#"r #1 "p" author=true"#);
    let done = bench.until(State::Delivered).await;
    assert_eq!((done.attempts, done.message.as_str()), (1, "204 with ${TOKEN}"));
    let attempts = bench.journal.attempts(&done.id).await.unwrap();
    assert_eq!(
        (attempts[0].outcome.as_str(), attempts[0].message.as_str()),
        ("delivered", "204 with ${TOKEN}")
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_when_it_is_due() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(retry);
    bench.append(entry(1, 0, &["r/a"])).await;
    assert_eq!(bench.next_seen().await, r#"r #1 "p" author=true"#);
    let waiting = bench.until_tried(State::Pending, 1).await;
    assert!(waiting.due.is_some_and(|due| due >= at(NOW + 4000)), "{waiting:?}");
    assert_eq!(waiting.message, "503 for ${TOKEN}");
    bench.set_clock(7000);
    assert_eq!(bench.next_seen().await, r#"r #2 "p" author=true"#);
    bench.stop().await;
}

#[tokio::test]
async fn a_panic_and_a_silence_cost_an_attempt_not_the_lease() {
    for (panicking, message) in [
        (true, "the action panicked, which is a bug in hookyard: oh ${TOKEN}"),
        (false, "no answer within 20ms"),
    ] {
        let mut bench = Bench::new();
        bench.start(Limits::default());
        let panics: fn() -> Answer = || Box::pin(async { panic!("oh s3cret") });
        let hangs: fn() -> Answer = || Box::pin(std::future::pending());
        let action = bench.action(if panicking { panics } else { hangs });
        bench.serve(Rules { timeout: TIMEOUT, ..Rules::new(vec![("r", action)]) });
        bench.append(entry(1, 0, &["r/a"])).await;
        bench.next_seen().await;
        assert_eq!(bench.until_tried(State::Pending, 1).await.message, message);
        bench.set_clock(7000);
        bench.next_seen().await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_panic_of_our_own_costs_neither_its_lease_nor_what_is_attempted_beside_it() {
    let mut bench = Bench::new();
    let action = bench.action(|| Box::pin(std::future::ready(ok())));
    let stumbles = AtomicBool::new(true);
    bench.serve(Rules { stumbles, ..Rules::new(vec![("r", action)]) });
    for number in 0..3 {
        bench.append(entry(number, 0, &["r/a"])).await;
    }
    bench.start(Limits::default());
    for _ in 0..3 {
        assert_eq!(bench.next_seen().await, r#"r #1 "p" author=true"#);
    }
    bench.stop().await;
    assert_eq!(bench.journal.counts().await.unwrap().delivered, 3);
}

#[tokio::test]
async fn each_of_those_that_end_together_has_its_own_outcome() {
    let mut bench = Bench::new();
    let answering = |answer: fn() -> Result<Receipt, ActionError>| {
        bench.action(move || Box::pin(std::future::ready(answer())))
    };
    bench.serve(Rules::new(vec![("good", answering(ok)), ("busy", answering(retry))]));
    bench.append(entry(1, 0, &["good/a", "busy/a", "gone/a"])).await;
    bench.start(Limits::default());
    let rule = async |state, attempts| bench.until_tried(state, attempts).await.id.rule.to_string();
    assert_eq!(rule(State::Delivered, 1).await, "good");
    assert_eq!(rule(State::Pending, 1).await, "busy");
    assert_eq!(rule(State::Blocked, 0).await, "gone");
    bench.stop().await;
}

#[tokio::test]
async fn a_refusal_is_dead_at_once() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(|| Err(ActionError::Refused("410 Gone".into())));
    bench.append(entry(1, 0, &["r/a"])).await;
    assert_eq!(bench.until(State::Dead).await.message, "410 Gone");
    bench.stop().await;
}

#[tokio::test]
async fn what_has_no_rule_is_blocked_and_heals_with_it() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(ok);
    bench.append(entry(1, 0, &["gone/a"])).await;
    let blocked = bench.until(State::Blocked).await;
    assert!(blocked.message.contains("`gone`") && blocked.attempts == 0, "{blocked:?}");
    let action = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules::new(vec![("gone", action)]));
    bench.journal.heal(Heal::All, at(NOW)).await.unwrap();
    bench.until(State::Delivered).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_filled_in_is_blocked() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    let action = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules { params: Params::Secret(Vec::new()), ..Rules::new(vec![("r", action)]) });
    bench.append(entry(1, 0, &["r/a"])).await;
    assert_eq!(bench.until(State::Blocked).await.message, "/text: nothing is called `payload.nope`");
    bench.stop().await;
}

#[tokio::test]
async fn a_healed_delivery_is_asked_for_its_condition_again() {
    for (holds, state) in [
        (Ok(true), State::Delivered),
        (Ok(false), State::Skipped),
        (Err("still no field".to_owned()), State::Blocked),
    ] {
        let mut bench = Bench::new();
        let mut blocked = entry(1, 0, &["r/a"]);
        let delivery = &mut blocked.routing.as_mut().unwrap().deliveries[0];
        (delivery.blocked, delivery.due) = (Some("no field".into()), at(NOW + 1000));
        bench.append(blocked).await;
        let action = bench.action(|| Box::pin(std::future::ready(ok())));
        bench.serve(Rules { holds: holds.clone(), ..Rules::new(vec![("r", action)]) });
        bench.journal.heal(Heal::All, at(NOW)).await.unwrap();
        bench.start(Limits::default());
        let message = bench.until(state).await.message;
        assert!(holds.is_ok() || message.contains("no field"), "{message}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_generation_that_came_during_the_attempt_heals_too() {
    let mut bench = Bench::new();
    let gate = Arc::new(Semaphore::new(0));
    bench.start(Limits::default());
    let waiting = gate.clone();
    let broken = bench.action(move || {
        let gate = waiting.clone();
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Err(ActionError::Blocked("a bug in the script".into()))
        })
    });
    bench.serve(Rules::new(vec![("r", broken)]));
    bench.append(entry(1, 0, &["r/a"])).await;
    bench.next_seen().await;
    bench.serve_answer(ok);
    assert_eq!(bench.journal.heal(Heal::All, at(NOW)).await.unwrap(), 0, "nothing is blocked yet");
    gate.add_permits(1);
    bench.until(State::Delivered).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_healing_that_cannot_be_committed_is_repeated() {
    let (settled, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
    let hook: CommitHook = {
        let (settled, failed) = (settled.clone(), failed.clone());
        // The next commit is the blocked outcome's, the one behind it the healing's.
        Arc::new(move || match settled.load(Ordering::SeqCst) && failed.fetch_add(1, Ordering::SeqCst) == 1 {
            true => Err("input/output error".into()),
            false => Ok(()),
        })
    };
    let mut bench = Bench::with(Options { before_commit: Some(hook), ..Options::default() });
    bench.start(Limits::default());
    let gate = Arc::new(Semaphore::new(0));
    let waiting = gate.clone();
    let action = bench.action(move || {
        let gate = waiting.clone();
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            Err(ActionError::Blocked("a bug in the script".into()))
        })
    });
    bench.serve(Rules::new(vec![("r", action)]));
    bench.append(entry(1, 0, &["r/a"])).await;
    bench.next_seen().await;
    bench.serve_answer(ok);
    settled.store(true, Ordering::SeqCst);
    gate.add_permits(1);
    bench.until(State::Delivered).await;
    assert!(failed.load(Ordering::SeqCst) > 2, "the healing was committed at the second try");
}

#[test]
fn no_sleep_is_long_because_the_clock_may_be_set() {
    assert_eq!(until(at(NOW + 5), at(NOW)), Duration::from_millis(5));
    assert_eq!(until(at(NOW), at(NOW + 5)), Duration::ZERO);
    assert_eq!(until(at(NOW + 3_600_000), at(NOW)), LONGEST_SLEEP);
}

#[tokio::test]
async fn effects_become_deliveries_of_their_own() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    let script = bench.action(|| {
        let params = Params::Data(Json::from("{{ data }}"));
        let effect = Effect { name: "r-1".into(), kind: "told".into(), after: Duration::ZERO, params };
        Box::pin(std::future::ready(Ok(Receipt { effects: vec![effect], ..Receipt::of("1 effect") })))
    });
    let told = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules::new(vec![("r", script), ("told", told)]));
    bench.append(entry(1, 0, &["r/a"])).await;
    assert_eq!(bench.next_seen().await, r#"r #1 "p" author=true"#);
    assert_eq!(bench.next_seen().await, r#"r #1 "{{ data }}" author=false"#);
    bench.stop().await;
    assert_eq!(bench.journal.counts().await.unwrap().delivered, 2);
}

#[tokio::test]
async fn a_lane_keeps_to_its_limit() {
    let mut bench = Bench::new();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = gate.clone();
    let slow = bench.action(move || {
        let gate = waiting.clone();
        Box::pin(async move {
            gate.acquire().await.expect("the gate stays").forget();
            ok()
        })
    });
    bench.serve(Rules::new(vec![("r", slow)]));
    for number in 0..3 {
        bench.append(entry(number, 0, &["r/a"])).await;
    }
    bench.start(Limits { concurrency: 8, lane_concurrency: Some(2) });
    bench.next_seen().await;
    bench.next_seen().await;
    assert!(bench.seen.try_recv().is_err(), "two at once");
    gate.add_permits(1);
    bench.next_seen().await;
    gate.add_permits(2);
    bench.stop().await;
    assert_eq!(bench.journal.counts().await.unwrap().delivered, 3);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_committed_is_held_and_nothing_is_leased() {
    let failing = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(AtomicUsize::new(0));
    let hook: CommitHook = {
        let (failing, failed) = (failing.clone(), failed.clone());
        Arc::new(move || match failing.load(Ordering::SeqCst) {
            true => Err(format!("failure {}", failed.fetch_add(1, Ordering::SeqCst))),
            false => Ok(()),
        })
    };
    let mut bench = Bench::with(Options { before_commit: Some(hook), ..Options::default() });
    bench.append(entry(1, 0, &["r/a"])).await;
    bench.append(entry(2, 1000, &["other/a"])).await;
    let answers = || bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules::new(vec![("r", answers()), ("other", answers())]));
    failing.store(true, Ordering::SeqCst);
    bench.start(Limits::default());
    assert_eq!(bench.next_seen().await, r#"r #1 "p" author=true"#);
    while failed.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    bench.set_clock(1000);
    bench.journal.append(entry(9, 0, &[])).await.expect_err("nothing can be committed");
    assert!(bench.seen.try_recv().is_err(), "nothing is leased");
    failing.store(false, Ordering::SeqCst);
    assert_eq!(bench.next_seen().await, r#"other #1 "p" author=true"#);
    bench.stop().await;
    let counts = bench.journal.counts().await.unwrap();
    assert_eq!((counts.delivered, counts.pending), (2, 0));
    assert!(bench.seen.try_recv().is_err(), "each was attempted once");
}

#[tokio::test]
async fn a_stop_waits_for_what_is_under_way_and_puts_the_rest_back() {
    let mut bench = Bench::new();
    bench.drain = TIMEOUT;
    let hangs = bench.action(|| Box::pin(std::future::pending()));
    bench.serve(Rules::new(vec![("r", hangs)]));
    bench.append(entry(1, 0, &["r/a"])).await;
    bench.start(Limits::default());
    bench.next_seen().await;
    bench.stop().await;
    assert_eq!(bench.until(State::Pending).await.attempts, 0);
    let capacity = Capacity::each(1, 1);
    assert_eq!(bench.journal.lease(at(NOW), capacity).await.unwrap().deliveries.len(), 1);
}

#[tokio::test]
async fn events_wait_for_the_first_rules() {
    let mut bench = Bench::new();
    let mut early = entry(1, 0, &[]);
    early.routing = None;
    bench.append(early.clone()).await;
    let action = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.start(Limits::default());
    tokio::task::yield_now().await;
    assert_eq!(bench.journal.counts().await.unwrap().unrouted, 1);
    let started = tokio::time::Instant::now();
    bench.serve(Rules::new(vec![("late", action)]));
    assert_eq!(bench.until(State::Delivered).await.id.event, id_of(&early));
    assert!(started.elapsed() < SWEEP, "the rules were enough, no timer was waited for");
    assert_eq!(bench.journal.counts().await.unwrap().unrouted, 0);
    bench.stop().await;
}

/// Counts `c` up, as a script would: what it read goes into the commit.
fn counting(bench: &Bench) -> Arc<dyn Action> {
    let journal = bench.journal.clone();
    bench.action(move || {
        let journal = journal.clone();
        Box::pin(async move {
            let before = journal.kv_get("n", "c", at(NOW)).await.unwrap().map(|value| value.json);
            let count: u32 = before.as_deref().map_or(0, |json| json.parse().unwrap());
            // Others run in between.
            tokio::task::yield_now().await;
            let json = (count + 1).to_string();
            let writes = [("c".to_owned(), Write::Set { json, expiry: Expiry::Never })].into();
            let changes =
                Changes { namespace: "n".into(), reads: vec![Read::Key("c".into(), before)], writes };
            Ok(Receipt { changes: Some(changes), ..Receipt::of("counted") })
        })
    })
}

#[tokio::test]
async fn counters_are_right_however_many_runs_collide() {
    const EVENTS: u64 = 40;
    let mut bench = Bench::new();
    bench.serve(Rules::new(vec![("r", counting(&bench))]));
    for number in 0..EVENTS {
        bench.append(entry(number, 0, &["r/a"])).await;
    }
    bench.start(Limits::default());
    let all = async {
        while bench.journal.counts().await.unwrap().delivered < EVENTS {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DRAIN, all).await.expect("all of them end");
    let count = bench.journal.kv_get("n", "c", at(NOW)).await.unwrap().map(|value| value.json);
    assert_eq!(count.as_deref(), Some("40"));
    let runs = std::iter::from_fn(|| bench.seen.try_recv().ok()).count();
    assert!(runs > 40, "some collided, or this shows nothing: {runs}");
    let filter = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    let listed = bench.journal.deliveries(filter).await.unwrap();
    assert!(listed.iter().all(|delivery| delivery.attempts == 1), "a collision is no attempt");
    bench.stop().await;
}

#[tokio::test]
async fn what_is_emitted_is_an_event_with_deliveries_of_its_own() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    let emitted =
        || Emitted { kind: "task.escalated".into(), payload: Json::object([("status", Json::from("x"))]) };
    let emit = bench.action(move || {
        Box::pin(std::future::ready(Ok(Receipt { emitted: vec![emitted()], ..Receipt::of("emitted") })))
    });
    let late = bench.action(|| Box::pin(std::future::ready(ok())));
    bench.serve(Rules::new(vec![("r", emit), ("late", late)]));
    let parent = entry(1, 0, &["r/a"]);
    let root = id_of(&parent);
    bench.append(parent).await;
    bench.next_seen().await;
    assert_eq!(bench.next_seen().await, r#"late #1 "p" author=true"#);
    bench.stop().await;
    let filter =
        crate::journal::EventFilter { source: Some("hookyard".into()), limit: 9, ..Default::default() };
    let event = bench.journal.events(filter).await.unwrap().remove(0).event;
    let text = |name| event.get(name).and_then(Json::as_str).map(str::to_owned);
    assert_eq!((text("type"), text("status")), (Some("task.escalated".into()), Some("x".into())));
    assert_eq!((text("parent"), text("root")), (Some(root.to_string()), Some(root.to_string())));
    assert_eq!(event.hops(), 1);
}

#[tokio::test]
async fn events_are_not_derived_without_end() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    let emit = bench.action(|| {
        let emitted = vec![Emitted { kind: "again".into(), payload: Json::object::<String>([]) }];
        Box::pin(std::future::ready(Ok(Receipt { emitted, ..Receipt::of("emitted") })))
    });
    // What is derived matches the rule `late`, whose action emits again.
    bench.serve(Rules::new(vec![("late", emit)]));
    bench.append(entry(1, 0, &["late/a"])).await;
    let dead = bench.until(State::Dead).await;
    assert_eq!(dead.message, "events are derived from events 8 times over, and no further");
    bench.stop().await;
    // The root and eight generations; of the end of the circle nothing is told.
    assert_eq!(bench.journal.counts().await.unwrap().events, 9);
}

#[tokio::test]
async fn a_death_is_told_and_that_of_the_telling_is_not() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(|| Err(ActionError::Refused("410 Gone".into())));
    bench.append(entry(1, 0, &["r/a"])).await;
    let dead = async {
        while bench.journal.counts().await.unwrap().pending > 0
            || bench.journal.counts().await.unwrap().events < 2
        {
            tokio::task::yield_now().await;
        }
    };
    // `late` is not loaded here: the telling waits, blocked.
    tokio::time::timeout(DRAIN, dead).await.expect("it is told");
    let filter =
        crate::journal::EventFilter { source: Some("hookyard".into()), limit: 9, ..Default::default() };
    let told = bench.journal.events(filter).await.unwrap().remove(0).event;
    assert_eq!(told.get("type").and_then(Json::as_str), Some("hookyard.delivery.dead"));
    let payload = told.get("payload").expect("it has one");
    assert_eq!(payload.get("error").and_then(Json::as_str), Some("410 Gone"));
    assert!(payload.get("delivery").and_then(Json::as_str).is_some_and(|id| id.ends_with("/r/a")));
    assert_eq!(payload.pointer("/event/source").and_then(Json::as_str), Some("s"));
    let id: DeliveryId = format!("{}/late/a", told.id()).parse().unwrap();
    let outcome = Outcome::Dead { error: "gone, too".into() };
    let rules = bench.rules.borrow().clone().expect("they are served");
    assert!(derive::told(&outcome, &told, &id, &*rules, at(NOW)).is_none());
    bench.stop().await;
}

#[tokio::test]
async fn what_is_tried_again_by_hand_has_a_new_schedule_and_all_of_its_time() {
    let mut bench = Bench::new();
    bench.start(Limits::default());
    bench.serve_answer(|| Err(ActionError::Retry { error: "503".into(), after: None }));
    bench.append(entry(1, 0, &["r/a"])).await;
    bench.until_tried(State::Pending, 1).await;
    let days = 3 * 86_400_000;
    bench.set_clock(days);
    let dead = bench.until(State::Dead).await;
    assert!(dead.message.starts_with("given up after"), "{dead:?}");
    let chosen = Chosen::These(vec![dead.id.clone()]);
    assert_eq!(bench.journal.retry(chosen, at(NOW + days)).await.unwrap(), 1);
    let waiting = bench.until_tried(State::Pending, 3).await;
    let wait_ms = waiting.due.expect("it is tried again").as_millisecond() - NOW - days;
    assert!((4000..=6000).contains(&wait_ms), "as after a first attempt: {wait_ms} ms");
    bench.stop().await;
}
