//! The admin side: status, reload, metrics, health; on its own listener, guarded.

mod guard;
mod state;

use crate::config::{Config, is_loopback};
use crate::ingest::Hooks;
use crate::journal::Journal;
use crate::json::Json;
use crate::reload::{Current, Request};
use bytes::Buf;
use futures_util::{Stream, StreamExt};
use guard::Guard;
use http::{Method, Response, StatusCode, header};
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use warp::Filter;
use warp::filters::path::FullPath;

/// No body that is meant for here is longer.
const BODY_BYTES: usize = 1 << 20;
/// Prometheus' text exposition format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the admin side needs.
#[derive(Clone)]
pub struct Admin {
    pub current: Current,
    /// Whose readiness `/readyz` tells, here as on their own listener.
    pub hooks: Arc<Hooks>,
    pub journal: Arc<dyn Journal>,
    pub reloads: mpsc::Sender<Request>,
    pub metrics: PrometheusHandle,
    pub started_at: Timestamp,
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
pub fn routes(admin: Admin) -> impl Filter<Extract = (Response<String>,), Error = warp::Rejection> + Clone {
    warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).and(warp::body::stream()).then(
        move |method, path: FullPath, headers, body| {
            let admin = admin.clone();
            async move { admin.answer(&method, path.as_str(), &headers, body).await }
        },
    )
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
        headers: &http::HeaderMap,
        body: impl Stream<Item = Result<B, warp::Error>>,
    ) -> Response<String> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match path {
            "/healthz" if reads => return text(StatusCode::OK, "ok\n".into()),
            "/readyz" if reads => return self.ready(),
            "/healthz" | "/readyz" => return not_allowed("GET"),
            _ => {}
        }
        let guard = Guard { token: self.current.config.borrow().admin.token.clone() };
        if let Err(refused) = guard.check(headers) {
            return turned_away(refused);
        }
        match (path, reads, method == Method::POST) {
            ("/api/status", true, _) => self.status().await,
            ("/metrics", true, _) => self.render_metrics().await,
            ("/api/reload", _, true) => self.reload().await,
            ("/api/kv", _, true) => match read_body(body).await {
                Some(body) => self.change_state(&body).await,
                None => error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or broke off"),
            },
            ("/api/status" | "/metrics", ..) => not_allowed("GET"),
            ("/api/reload" | "/api/kv", ..) => not_allowed("POST"),
            _ => error(StatusCode::NOT_FOUND, "no such page: try /api/status, /metrics, /healthz, /readyz"),
        }
    }

    fn ready(&self) -> Response<String> {
        match self.hooks.ready() {
            Ok(()) => text(StatusCode::OK, "ready\n".into()),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    }

    async fn status(&self) -> Response<String> {
        let counts = match self.journal.counts().await {
            Ok(counts) => counts,
            Err(problem) => return error(StatusCode::SERVICE_UNAVAILABLE, &problem.to_string()),
        };
        let serving = self.current.serving.borrow().clone();
        let rules = serving.as_ref().map_or(&[][..], |serving| &serving.rules.rules);
        let off = serving.as_ref().map_or(&[][..], |serving| &serving.rules.off);
        let sources = Arc::clone(&self.current.sources.borrow());
        let journal = Json::object([
            ("events", counts.events.into()),
            ("unrouted", counts.unrouted.into()),
            ("pending", counts.pending.into()),
            ("blocked", counts.blocked.into()),
            ("delivered", counts.delivered.into()),
            ("dead", counts.dead.into()),
            ("bytes", counts.bytes.into()),
        ]);
        let body = Json::object([
            ("version", env!("CARGO_PKG_VERSION").into()),
            ("started_at", self.started_at.to_string().into()),
            ("generation", serving.as_ref().map(|serving| serving.number).into()),
            ("rules", Json::Array(rules.iter().map(|rule| rule.name.as_str().into()).collect())),
            ("rules_off", Json::Array(off.iter().map(off_json).collect())),
            ("sources", Json::Array(sources.iter().map(|source| source_json(source)).collect())),
            ("reload", self.current.verdict.borrow().to_json()),
            ("journal", journal),
        ]);
        json(StatusCode::OK, &body)
    }

    /// Queue depths are read when they are asked for; everything else is counted as it happens.
    async fn render_metrics(&self) -> Response<String> {
        match self.journal.counts().await {
            Ok(counts) => {
                for (state, count) in
                    [("pending", counts.pending), ("blocked", counts.blocked), ("dead", counts.dead)]
                {
                    metrics::gauge!("hookyard_deliveries", "state" => state).set(count as f64);
                }
                metrics::gauge!("hookyard_journal_events").set(counts.events as f64);
                metrics::gauge!("hookyard_journal_bytes").set(counts.bytes as f64);
            }
            Err(problem) => tracing::warn!("the queue depths cannot be read: {problem}"),
        }
        respond(StatusCode::OK, METRICS_TYPE, self.metrics.render())
    }

    async fn reload(&self) -> Response<String> {
        let (answer, verdict) = oneshot::channel();
        let gone = || error(StatusCode::SERVICE_UNAVAILABLE, "hookyard is stopping");
        if self.reloads.send(answer).await.is_err() {
            return gone();
        }
        match verdict.await {
            Ok(verdict) => {
                let status = if verdict.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
                json(status, &verdict.to_json())
            }
            Err(_) => gone(),
        }
    }
}

fn off_json(off: &crate::rules::Off) -> Json {
    Json::object([("name", off.rule.as_str().into()), ("why", off.why.as_str().into())])
}

fn source_json(source: &crate::source::Source) -> Json {
    Json::object([
        ("name", source.name().into()),
        ("path", source.path().into()),
        ("state", if source.is_waiting() { "waiting for its secret" } else { "receiving" }.into()),
    ])
}

fn json(status: StatusCode, body: &Json) -> Response<String> {
    respond(status, "application/json", format!("{body}\n"))
}

fn error(status: StatusCode, message: &str) -> Response<String> {
    json(status, &Json::object([("status", "error".into()), ("message", message.into())]))
}

fn turned_away(refused: guard::Refused) -> Response<String> {
    let mut response = error(refused.status(), &refused.to_string());
    if refused.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

fn not_allowed(allowed: &'static str) -> Response<String> {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allowed} here"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

fn text(status: StatusCode, body: String) -> Response<String> {
    respond(status, "text/plain; charset=utf-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}
