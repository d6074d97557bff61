//! What the benchmarks share: a source, rules, entries, a journal in a directory of its own.

use bytes::Bytes;
use futures_util::future::try_join_all;
use hookyard::action::{Consent, Context, Egress, Trace};
use hookyard::delivery::{DeliveryId, Outcome, Receipt};
use hookyard::event::Event;
use hookyard::headers::Headers;
use hookyard::journal::sqlite::{Options, SqliteJournal};
use hookyard::journal::{AttemptRecord, Entry, Journal, Leased, NewDelivery, Routing, Settlement};
use hookyard::json;
use hookyard::kv::Memory;
use hookyard::rules::{RuleSet, Settings, load};
use hookyard::script::{Call, Limits, Scripts, World};
use hookyard::secret::{Placeholders, Resolve, Secret};
use hookyard::source::{Accepted, Incoming, Received, Source};
use hookyard::template::{Params, Vars};
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Appended at once where many are.
const BATCH: usize = 2000;

/// The usual source, with a secret.
pub fn source() -> Source {
    let config = json::parse(br#"{"secrets": ["x"]}"#).expect("it is JSON");
    Source::build("browser-use", &config, &[Some(Secret::new("whsec_bench"))]).expect("it is right")
}

/// An event of the size and shape that the sender's documentation shows, or filled up to `bytes`.
pub fn body(number: u64, bytes: usize) -> Bytes {
    let event = |filling: &str| {
        format!(
            r#"{{"type": "agent.task.status_update", "timestamp": "2025-05-25T09:22:22.269116+00:00", "payload": {{"session_id": "cd9cc7bf-e3af-4181-8000-{number:012x}", "task_id": "5b73fb3f-a3cb-4912-8000-{number:012x}", "status": "finished", "metadata": {{"campaign": "q4-automation", "team": "marketing"}}{filling}}}}}"#
        )
    };
    let mut filling = String::new();
    for line in 0.. {
        if event(&filling).len() >= bytes {
            break;
        }
        let _ = write!(
            filling,
            r#", "result_{line}": {{"title": "Ergebnis {line}", "price": {line}.25, "seen": true}}"#
        );
    }
    Bytes::from(event(&filling))
}

/// The headers of a request that its sender has signed.
pub fn signed(source: &Source, body: &Bytes, now: Timestamp) -> HeaderMap {
    let parsed = json::parse(body).expect("it is JSON");
    let signed = source.sign(&now.as_second().to_string(), &parsed).expect("it has a secret");
    let mut headers = HeaderMap::new();
    for (name, value) in signed.into_iter().chain([("content-type", "application/json".to_owned())]) {
        let name = name.to_lowercase().parse::<http::HeaderName>().expect("a header's name");
        headers.insert(name, HeaderValue::try_from(value).expect("a header's value"));
    }
    headers
}

/// A verified event.
pub fn received(number: u64, now: Timestamp) -> Received {
    let (source, body) = (source(), body(number, 0));
    let headers = signed(&source, &body, now);
    let incoming = Incoming { headers: &headers, body, now, random: u128::from(number) };
    match source.accept(incoming) {
        Ok(Accepted::Event(received)) => *received,
        other => panic!("{other:?}"),
    }
}

/// An entry with one delivery, in one of eight lanes.
pub fn entry(number: u64) -> Entry {
    let now = Timestamp::now();
    let received = received(number, now);
    let rule = format!("rule-{}", number % 8);
    let id = format!("{}/{rule}/file", received.event.id()).parse().expect("it is an id");
    let delivery = NewDelivery { id, due: now, blocked: None, order: None };
    Entry {
        taken: None,
        received,
        received_at: now,
        dedupe_since: now.saturating_sub(SignedDuration::from_hours(24)).expect("not in hours"),
        routing: Some(Routing {
            generation: 1,
            rules: vec![rule],
            deliveries: vec![delivery],
            storms: Vec::new(),
        }),
    }
}

/// The outcome of an attempt that worked.
pub fn delivered(leased: Leased) -> Settlement {
    let now = Timestamp::now();
    let attempt = AttemptRecord {
        number: leased.attempts + 1,
        started_at: now,
        duration: Duration::from_millis(3),
        generation: Some(1),
        outcome: "delivered".to_owned(),
        message: "written to all.txt".to_owned(),
        request: None,
        answer: None,
    };
    let receipt = Receipt::of("written to all.txt");
    Settlement {
        id: leased.id,
        outcome: Outcome::Delivered(receipt),
        attempt: Some(attempt),
        derived: Vec::new(),
        now,
    }
}

/// So many rules, by status and team; one is for the event.
pub fn rules(count: usize) -> RuleSet {
    let mut text = "rules:\n".to_owned();
    for number in 0..count {
        let team = if number == 0 { "marketing".to_owned() } else { format!("team-{number}") };
        let _ = writeln!(
            text,
            "  - {{name: r{number}, match: {{status: finished, metadata: {{team: {team}}}}}, actions: [{{log: {{}}}}]}}"
        );
    }
    loaded(text)
}

/// A rule with the usual message.
pub fn announcing() -> RuleSet {
    let message =
        "{url: 'https://hooks.slack.example/services/x', text: '{{ payload.task_id }}: {{ status }}'}";
    loaded(format!("rules:\n  - {{name: announce, match: any, actions: [{{slack: {message}}}]}}\n"))
}

/// The rules of one file.
pub fn loaded(text: String) -> RuleSet {
    let settings = Settings {
        sources: ["browser-use".to_owned()].into(),
        resolver: Arc::new(Placeholders),
        limits: hookyard::script::Limits::default(),
        context: Context::new(Egress::default(), "nowhere"),
        assume_required: true,
    };
    let tree = [("rules.yaml".to_owned(), text.into_bytes())].into_iter().collect();
    load(&tree, &settings).rules.expect("the rules are right")
}

/// Each number once.
#[derive(Default)]
pub struct Numbers(Cell<u64>);

impl Numbers {
    pub fn take(&self, count: usize) -> std::ops::Range<u64> {
        let first = self.0.get();
        self.0.set(first + count as u64);
        first..first + count as u64
    }
}

/// A journal and what drives it.
pub struct Home {
    pub runtime: Runtime,
    pub journal: Arc<SqliteJournal>,
    pub dir: TempDir,
}

impl Home {
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let journal = Self::open(&dir);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, journal, dir }
    }

    pub fn open(dir: &TempDir) -> Arc<SqliteJournal> {
        SqliteJournal::open(&dir.path().join("bench.db"), Options::default()).expect("it opens")
    }

    /// Appends many, in batches.
    pub fn append(&self, entries: impl Iterator<Item = Entry>) {
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let appends = try_join_all(entries.by_ref().take(BATCH).map(|entry| self.journal.append(entry)));
            self.runtime.block_on(appends).expect("they are kept");
        }
    }
}

/// A script, compiled, and what it is called with.
pub struct Runs {
    runtime: Runtime,
    scripts: Arc<Scripts>,
    event: Event,
    id: DeliveryId,
    state: Arc<Memory>,
}

impl Runs {
    pub fn new() -> Self {
        const SCRIPT: &str = r#"
fn on_event(event, params) {
    let task = event.payload.task_id;
    if event.status == "finished" && event.metadata.team == params.team {
        file(#{ path: "finished.jsonl", json: #{ task: task } });
    }
}"#;
        let files = [("react.rhai".to_owned(), Arc::from(SCRIPT))].into();
        let vars = Arc::new(Vars::compile(&json::parse(b"{}").expect("it is JSON")).expect("it is empty"));
        let context = Context::new(Egress::default(), "unused");
        let resolver: Arc<dyn Resolve> = Arc::new(Placeholders);
        let (scripts, problems) = Scripts::compile(&files, &vars, &resolver, Limits::default(), &context);
        assert!(problems.is_empty(), "{problems:?}");
        let event = received(0, Timestamp::now()).event;
        let id = format!("{}/rule/script", event.id()).parse().expect("it is an id");
        let runtime = Runtime::new().expect("a runtime");
        Self { runtime, scripts, event, id, state: Arc::default() }
    }

    pub fn call(&self) -> Call {
        Call {
            scripts: Arc::clone(&self.scripts),
            file: "react.rhai".to_owned(),
            event: self.event.clone(),
            id: self.id.clone(),
            params: Params::Data(json::parse(br#"{"team":"marketing"}"#).expect("it is JSON")),
            world: World {
                runtime: self.runtime.handle().clone(),
                store: self.state.clone(),
                answers: None,
                consent: Consent::Author,
                trace: Trace::new(Headers::default(), self.id.event, 1),
                over: CancellationToken::new(),
            },
        }
    }
}
