//! The admin side: what an operator can look at and do, as JSON, on its own listener, guarded.

mod answer;
mod guard;
mod hands;
mod metrics;
mod page;
mod record;
mod refused;
mod state;
mod status;
mod stream;

use crate::config::{Config, is_loopback};
use crate::dispatch::Lanes;
use crate::ingest::Hooks;
use crate::journal::Journal;
use crate::reload::{Current, Request};
use answer::{error, not_allowed, text, too_large, turned_away};
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use guard::Guard;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use page::{Act, Page, Show, nothing_at};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use warp::Filter;
use warp::filters::path::FullPath;
use warp::reply::{Reply, Response};

pub use metrics::{BUCKETS, describe as describe_metrics};

/// By this header a command says which journal it means. All projects listen on the same address
/// unless they are told otherwise: the server that answers there may be another project's.
pub const JOURNAL_HEADER: &str = "x-hookyard-journal";

/// No body that is meant for here is longer.
const BODY_BYTES: usize = 1 << 20;

const ANOTHER_JOURNAL: &str = "this server keeps another journal than the one that is meant";

/// What the admin side needs.
#[derive(Clone)]
pub struct Admin {
    pub current: Current,
    /// Whose readiness `/readyz` tells, here as on their own listener.
    pub hooks: Arc<Hooks>,
    pub journal: Arc<dyn Journal>,
    /// Which file that is, by [`crate::journal::sqlite::identity`].
    pub journal_file: Option<String>,
    pub reloads: mpsc::Sender<Request>,
    pub metrics: PrometheusHandle,
    pub started_at: Timestamp,
    /// Which lanes are paused, and which keep to a rate.
    pub lanes: Arc<Lanes>,
    /// Ends what would go on for ever.
    pub shutdown: CancellationToken,
}

/// Why the admin listener would be open to strangers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("admin.listen is {0}, which others can reach: set admin.token, or listen on 127.0.0.1")]
pub struct Unguarded(String);

/// Refuses a configuration whose admin side anyone could use.
///
/// # Errors
/// [`Unguarded`] off loopback without a token.
pub fn check(config: &Config) -> Result<(), Unguarded> {
    let admin = &config.admin;
    if admin.token.is_none() && !is_loopback(&admin.listen) {
        return Err(Unguarded(admin.listen.clone()));
    }
    Ok(())
}

/// All admin endpoints as one filter; it takes every request.
pub fn routes(admin: Admin) -> impl Filter<Extract = (Response,), Error = warp::Rejection> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |method, path: FullPath, query: String, headers, body| {
            let admin = admin.clone();
            async move { admin.answer(&method, path.as_str(), &query, &headers, body).await }
        })
}

/// A body of at most [`BODY_BYTES`]; `None` if it is longer or breaks off.
async fn read_body<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>) -> Option<Vec<u8>> {
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.ok()?;
        if bytes.len() + chunk.remaining() > BODY_BYTES {
            return None;
        }
        let length = chunk.remaining();
        bytes.extend_from_slice(&chunk.copy_to_bytes(length));
    }
    Some(bytes)
}

impl Admin {
    async fn answer<B: Buf>(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Response {
        let page = Page::at(path);
        if !page.is_some_and(Page::is_open) {
            let guard = Guard { token: self.current.config.borrow().admin.token.clone() };
            if let Err(refused) = guard.check(headers) {
                return turned_away(refused).into_response();
            }
            if self.is_another(headers) {
                return error(StatusCode::MISDIRECTED_REQUEST, ANOTHER_JOURNAL).into_response();
            }
        }
        match page {
            None => error(StatusCode::NOT_FOUND, &nothing_at(path)).into_response(),
            Some(Page::Stream) if *method == Method::GET => self.stream(),
            Some(Page::Show(what)) if matches!(*method, Method::GET | Method::HEAD) => {
                self.show(what, query).await.into_response()
            }
            Some(Page::Show(_) | Page::Stream) => not_allowed("GET").into_response(),
            Some(Page::Act(what)) if *method == Method::POST => match read_body(body).await {
                Some(body) => self.act(what, &body).await.into_response(),
                None => too_large().into_response(),
            },
            Some(Page::Act(_)) => not_allowed("POST").into_response(),
        }
    }

    /// Whether another journal is meant than the one that is kept here.
    fn is_another(&self, headers: &HeaderMap) -> bool {
        let meant = headers.get(JOURNAL_HEADER);
        meant.is_some_and(|meant| self.journal_file.as_deref().map(str::as_bytes) != Some(meant.as_bytes()))
    }

    async fn show(&self, what: Show<'_>, query: &str) -> http::Response<String> {
        match what {
            Show::Healthy => text(StatusCode::OK, "ok\n".into()),
            Show::Ready => self.ready(),
            Show::Metrics => self.render_metrics().await,
            Show::Status => self.status().await,
            Show::Rules => self.rules(),
            Show::Generations => self.generations(query).await,
            Show::Generation(number) => self.generation(number).await,
            Show::Events => self.events(query).await,
            Show::Event(id) => self.event(id).await,
            Show::Deliveries => self.deliveries(query).await,
            Show::Refused => self.refused(query).await,
        }
    }

    async fn act(&self, what: Act, body: &[u8]) -> http::Response<String> {
        match what {
            Act::Reload => self.reload().await,
            Act::State => self.change_state(body).await,
            Act::Retry => self.retry(body).await,
            Act::Cancel => self.cancel(body).await,
            Act::Replay => self.replay(body).await,
            Act::ReplayRefused => self.replay_refused().await,
        }
    }

    fn ready(&self) -> http::Response<String> {
        match self.hooks.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }
}
