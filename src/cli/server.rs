//! Asking a running server, by its admin side.

use crate::action::client::Request;
use crate::action::{Client, Consent, Egress};
use crate::config::Config;
use crate::json::{self, Json};
use anyhow::{Context as _, anyhow};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIME_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES: usize = 16 << 20;

/// What the server said.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Json,
}

impl Answer {
    /// Its sentence, where it refuses.
    pub fn message(&self) -> String {
        let message = self.body.get("message").and_then(Json::as_str).map(str::to_owned);
        message.unwrap_or_else(|| self.status.to_string())
    }
}

/// A listen address as this machine reaches it: one that listens everywhere is here, too.
pub(super) fn reachable(listen: &str) -> String {
    match listen.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => listen.to_owned(),
    }
}

/// Asks the configured admin side. `None`: nobody listens there.
pub(super) async fn call(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Json>,
) -> anyhow::Result<Option<Answer>> {
    let address = reachable(&config.admin.listen);
    if TcpStream::connect(&address).await.is_err() {
        return Ok(None);
    }
    let url = format!("http://{address}{path}");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = &config.admin.token {
        let bearer = format!("Bearer {}", token.expose());
        headers.insert(AUTHORIZATION, bearer.parse().context("admin.token cannot be sent as a header")?);
    }
    let body = body.map(ToString::to_string).unwrap_or_default().into();
    let request = Request { method, url: url.clone(), headers, body };
    let client = Client::new(Egress::default());
    let sent = timeout(TIME_LIMIT, client.send(request, &Consent::Author, ANSWER_BYTES)).await;
    let answer = sent.map_err(|_| anyhow!("{url}: no answer within {TIME_LIMIT:?}"))??;
    let body = json::parse(&answer.body)
        .with_context(|| format!("what answers at {address} is no admin side of hookyard"))?;
    Ok(Some(Answer { status: answer.status, body }))
}
