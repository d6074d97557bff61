//! The hook endpoints: a request in, an event in the journal, the answer out.
//!
//! ```text
//! capped body → Source::accept (verify, parse once) → RuleSet::route → Journal::append → 200
//! ```
//!
//! Before the answer everything is bounded: the body by its limit and time, all bodies together by
//! [`IN_FLIGHT_BYTES`], the rest by the size of the body. 200 means durable.

mod replay_refused;
mod answer;
mod body;
mod count;
mod refusal;
mod refusing;

use crate::headers::Headers;
use crate::journal::{Appended, Entry, Journal, JournalError, Routing};
use crate::refused::{Allowance, BODY_BYTES, Record, Ring};
use crate::rules::{Serving, own};
use crate::source::{Accepted, Incoming, Received, Source, Sources};
use answer::{Answer, Response};
use body::Held;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming as Body;
use jiff::Timestamp;
use refusal::Refusal;
use refusing::Refusing;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

pub use count::describe_metrics;
pub use replay_refused::{Replayed, replay_refused};

/// What all bodies being read or committed may take together, in bytes. Beyond it requests are
/// answered 503, so that memory is bounded whatever the senders do.
pub const IN_FLIGHT_BYTES: usize = 256 << 20;

/// For how long after a failed commit the server calls itself not ready.
const UNREADY_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// What a request may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookLimits {
    /// The size of a body.
    pub body_bytes: usize,
    /// From the end of the header to the end of the body.
    pub body_timeout: Duration,
}

impl Default for HookLimits {
    fn default() -> Self {
        Self { body_bytes: 1 << 20, body_timeout: Duration::from_secs(10) }
    }
}

/// Why the server is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("no rules have been loaded yet, so events are kept but not routed")]
    NoGeneration,
    #[error("the journal could not commit just now")]
    Journal,
}

/// What the endpoints share. Sources, rules and limits may be replaced at any time; a request is
/// handled by those it began with.
pub struct Hooks {
    sources: watch::Receiver<Arc<Sources>>,
    rules: watch::Receiver<Option<Arc<Serving>>>,
    limits: watch::Receiver<HookLimits>,
    journal: Arc<dyn Journal>,
    in_flight: Arc<Semaphore>,
    /// When a commit last failed, if none has succeeded since.
    failed_at: Mutex<Option<Instant>>,
    refusing: Refusing,
    counters: count::Counters,
    /// Where refused requests are kept.
    refused: Option<(Ring, Mutex<Allowance>)>,
}

impl Hooks {
    pub fn new(
        sources: watch::Receiver<Arc<Sources>>,
        rules: watch::Receiver<Option<Arc<Serving>>>,
        limits: watch::Receiver<HookLimits>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_BYTES));
        Self {
            sources,
            rules,
            limits,
            journal,
            in_flight,
            failed_at: Mutex::default(),
            refusing: Refusing::default(),
            counters: count::Counters::default(),
            refused: None,
        }
    }

    /// The same, with a place to keep refused requests in.
    #[must_use]
    pub fn keeping_refused(self, ring: Ring) -> Self {
        Self { refused: Some((ring, Mutex::new(Allowance::full(Instant::now())))), ..self }
    }

    /// Whether events are being kept and routed.
    ///
    /// # Errors
    /// What is missing. A failed commit counts for a few seconds only: without requests there
    /// would be no commit to show that the journal works again.
    pub fn ready(&self) -> Result<(), NotReady> {
        let failed_at = *self.failed_at.lock().expect("no one panics while holding it");
        if failed_at.is_some_and(|at| at.elapsed() < UNREADY_AFTER_FAILURE) {
            return Err(NotReady::Journal);
        }
        if self.rules.borrow().is_none() { Err(NotReady::NoGeneration) } else { Ok(()) }
    }

    /// Remembers how a commit went, and says so when that changes: while a disk is full, every
    /// request would say it.
    fn committed(&self, failure: Option<&JournalError>) {
        let mut failed_at = self.failed_at.lock().expect("no one panics while holding it");
        match (failure, failed_at.is_some()) {
            (Some(error), false) => {
                tracing::error!(%error, "events are not kept now; their senders are told to retry");
            }
            (None, true) => tracing::info!("events are kept again"),
            _ => {}
        }
        *failed_at = failure.map(|_| Instant::now());
    }
}

/// What the hook listener answers a request with. Nothing fails: every request gets a response of ours.
/// Cancel-safe: an event whose answer nobody waits for any more is kept, or it is not.
pub async fn answer(hooks: Arc<Hooks>, request: Request<Body>) -> Response {
    let (request, body) = request.into_parts();
    if let Some(answer) = hooks.probed(&request) {
        return answer;
    }
    let source = hooks.sources.borrow().at(request.uri.path()).cloned();
    let answer = match &source {
        Some(source) => hooks.receive(source, request, body).await,
        None => hooks.turn_away(Refusal::NotFound, &request.headers, body).await,
    };
    let refusal = match answer {
        Ok(answer) => return answer.into_response(),
        Err(refusal) => refusal,
    };
    count::refused(source.as_deref(), &refusal);
    if let Some(source) = &source {
        hooks.tell_of(source, &refusal);
    }
    refusal.into_response()
}

impl Hooks {
    /// The answer to who asks whether hookyard is well.
    fn probed(&self, request: &Parts) -> Option<Response> {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return None;
        }
        let path = request.uri.path();
        match path.strip_suffix('/').unwrap_or(path) {
            "/healthz" => Some(Answer::Healthy.into_response()),
            "/readyz" => Some(match self.ready() {
                Ok(()) => Answer::Healthy.into_response(),
                Err(why) => Refusal::NotReady(why).into_response(),
            }),
            _ => None,
        }
    }

    async fn receive(&self, source: &Source, request: Parts, body: Body) -> Result<Answer, Refusal> {
        let limits = *self.limits.borrow();
        let headers = &request.headers;
        if let Err(refusal) = refusal::admit(&request.method, headers, limits.body_bytes) {
            self.keep_refused(source, &refusal, headers, None, Timestamp::now());
            return self.turn_away(refusal, headers, body).await;
        }
        let held = body::read(body, limits, &self.in_flight).await.inspect_err(|refusal| {
            if refusal.is_the_sender_s() {
                self.keep_refused(source, refusal, headers, None, Timestamp::now());
            }
        })?;
        let now = to_the_millisecond(Timestamp::now());
        let accepted = self.accept(source, headers, &held, now)?;
        // It is made of pieces of the connection's buffer, into which more can be read now.
        drop(request);
        match accepted {
            Accepted::CreationTest => {
                count::creation_test(source);
                Ok(Answer::CreationTest)
            }
            Accepted::Event(received) => {
                self.refusing.accepted(source.name());
                self.keep(source, *received, now).await
            }
        }
    }

    /// Refuses without the body. What the client is already sending is read and dropped first:
    /// closing on unread data would reset the connection, and the answer with it.
    async fn turn_away(&self, refusal: Refusal, headers: &HeaderMap, body: Body) -> Result<Answer, Refusal> {
        if !headers.contains_key(http::header::EXPECT) {
            let limits = *self.limits.borrow();
            body::discard(body, limits).await;
        }
        Err(refusal)
    }

    /// Verifies.
    fn accept(
        &self,
        source: &Source,
        headers: &HeaderMap,
        held: &Held,
        now: Timestamp,
    ) -> Result<Accepted, Refusal> {
        let random = fastrand::u128(..);
        source.accept(Incoming { headers, body: held.bytes.clone(), now, random }).map_err(|refused| {
            let refusal = Refusal::Source(refused);
            self.keep_refused(source, &refusal, headers, Some(held), now);
            refusal
        })
    }

    /// Keeps a request that was refused for what it is, for people to look at; without its body, if
    /// that was not read.
    fn keep_refused(
        &self,
        source: &Source,
        refusal: &Refusal,
        headers: &HeaderMap,
        held: Option<&Held>,
        now: Timestamp,
    ) {
        let Some((ring, allowance)) = &self.refused else { return };
        if !allowance.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
            metrics::counter!("hookyard_refused_not_kept_total").increment(1);
            return;
        }
        ring.keep(Record {
            received_at: now,
            source: source.name().to_owned(),
            status: refusal.status().as_u16(),
            reason: refusal.to_string(),
            headers: Headers::of(headers),
            body: held
                .map(|held| &held.bytes)
                .filter(|bytes| bytes.len() <= BODY_BYTES)
                .map(|bytes| Bytes::copy_from_slice(bytes)),
        });
    }

    /// Tells the rules of a source that refuses on and on; not before the answer, and seldom.
    fn tell_of(&self, source: &Source, refusal: &Refusal) {
        let Some(payload) = self.refusing.refused(source.name(), refusal, Instant::now()) else { return };
        let (journal, serving) = (Arc::clone(&self.journal), self.rules.borrow().clone());
        let Some(serving) = serving else { return };
        tokio::spawn(async move {
            serving.announce(&*journal, own::SOURCE_REFUSING, payload, Timestamp::now()).await;
        });
    }

    /// Routes and keeps.
    async fn keep(&self, source: &Source, received: Received, now: Timestamp) -> Result<Answer, Refusal> {
        self.counters.verified(source, received.verified);
        let routing = self.route(&received, now);
        let matched = routing.as_ref().map(|routing| !routing.rules.is_empty());
        let dedupe_since = now.saturating_sub(source.dedupe_within()).unwrap_or(Timestamp::MIN);
        let appended = self
            .journal
            .append(Entry { received, received_at: now, dedupe_since, routing, taken: None })
            .await;
        self.committed(appended.as_ref().err());
        match appended {
            Ok(Appended::New(id)) => {
                self.counters.kept(source, matched);
                Ok(Answer::Received(id))
            }
            Ok(Appended::Duplicate(id)) => {
                count::duplicate(source);
                Ok(Answer::Duplicate(id))
            }
            Err(_) => Err(Refusal::Journal),
        }
    }

    /// By exactly one generation; `None` while there is none.
    fn route(&self, received: &Received, now: Timestamp) -> Option<Routing> {
        let serving = self.rules.borrow().clone()?;
        Some(serving.rules.route(&received.event, serving.number, now))
    }
}

/// As the journal keeps it.
fn to_the_millisecond(now: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
