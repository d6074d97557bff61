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
use answer::Answer;
use body::Held;
use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use refusal::Refusal;
use refusing::Refusing;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use warp::Filter;
use warp::filters::path::FullPath;
use warp::reply::Response;

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

/// All that the hook listener answers. Nothing is rejected: every request gets a response of ours.
pub fn filter(
    hooks: Arc<Hooks>,
) -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone + Send + Sync + 'static {
    let ready = hooks.clone();
    let reads = warp::get().or(warp::head()).unify();
    let healthz = reads.and(warp::path!("healthz")).map(|| Answer::Healthy.into_response());
    let readyz = reads.and(warp::path!("readyz")).map(move || match ready.ready() {
        Ok(()) => Answer::Healthy.into_response(),
        Err(why) => Refusal::NotReady(why).into_response(),
    });
    let hook = warp::method()
        .and(warp::path::full())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, path, headers, body| handle(hooks.clone(), method, path, headers, body));
    // What comes most comes first: each filter that does not fit costs a rejection.
    let posted = warp::post().and(hook.clone());
    posted.or(healthz).unify().or(readyz).unify().or(hook).unify()
}

async fn handle<S, B>(
    hooks: Arc<Hooks>,
    method: Method,
    path: FullPath,
    headers: HeaderMap,
    body: S,
) -> Response
where
    S: Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let source = hooks.sources.borrow().at(path.as_str()).cloned();
    let answer = match &source {
        Some(source) => hooks.receive(source, &method, &headers, body).await,
        None => hooks.turn_away(Refusal::NotFound, &headers, body).await,
    };
    answer.unwrap_or_else(|refusal| {
        count::refused(source.as_deref(), &refusal);
        if let Some(source) = &source {
            hooks.tell_of(source, &refusal);
        }
        refusal.into_response()
    })
}

impl Hooks {
    async fn receive<S, B>(
        &self,
        source: &Source,
        method: &Method,
        headers: &HeaderMap,
        body: S,
    ) -> Result<Response, Refusal>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        let limits = *self.limits.borrow();
        if let Err(refusal) = refusal::admit(method, headers, limits.body_bytes) {
            self.keep_refused(source, &refusal, headers, None, Timestamp::now());
            return self.turn_away(refusal, headers, body).await;
        }
        let held = body::read(body, limits, &self.in_flight).await.inspect_err(|refusal| {
            if refusal.is_the_sender_s() {
                self.keep_refused(source, refusal, headers, None, Timestamp::now());
            }
        })?;
        let answer = self.take(source, headers, &held, Timestamp::now()).await?;
        Ok(answer.into_response())
    }

    /// Refuses without the body. What the client is already sending is read and dropped first:
    /// closing on unread data would reset the connection, and the answer with it.
    async fn turn_away<S, B>(
        &self,
        refusal: Refusal,
        headers: &HeaderMap,
        body: S,
    ) -> Result<Response, Refusal>
    where
        S: Stream<Item = Result<B, warp::Error>>,
        B: Buf,
    {
        if !headers.contains_key(http::header::EXPECT) {
            let limits = *self.limits.borrow();
            body::discard(body, limits).await;
        }
        Err(refusal)
    }

    /// Verifies, routes and keeps.
    async fn take(
        &self,
        source: &Source,
        headers: &HeaderMap,
        held: &Held,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let random = fastrand::u128(..);
        let accepted = source.accept(Incoming { headers, body: held.bytes.clone(), now, random });
        let accepted = accepted.map_err(|refused| {
            let refusal = Refusal::Source(refused);
            self.keep_refused(source, &refusal, headers, Some(held), now);
            refusal
        });
        match accepted? {
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
            headers: pairs(&Headers::of(headers)),
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

fn pairs(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
