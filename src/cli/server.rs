//! Asking a running server, by its admin side.

use crate::action::client::Request;
use crate::action::{Client, Consent, Egress};
use crate::admin::JOURNAL_HEADER;
use crate::config::Config;
use crate::journal::Journal;
use crate::journal::sqlite::{self, Options, SqliteHistory, SqliteJournal};
use crate::json::{self, Json};
use anyhow::{Context as _, anyhow, bail};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIME_LIMIT: Duration = Duration::from_secs(30);
/// For what goes through the whole record. Who does not want to wait breaks it off; the server goes
/// on with it.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
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
    ask(config, method, path, body, TIME_LIMIT).await
}

/// Has something done to the record: by the server if one runs, which alone may write then, else
/// here, in the journal itself.
pub(super) async fn perform(
    config: &Config,
    path: &str,
    wish: &Json,
    here: impl AsyncFnOnce(Arc<SqliteJournal>) -> anyhow::Result<Json>,
) -> anyhow::Result<Json> {
    if let Some(answer) = ask(config, Method::POST, path, Some(wish), PATIENCE).await? {
        return match answer.status.is_success() {
            true => Ok(answer.body),
            false => bail!("the server refuses: {}", answer.message()),
        };
    }
    if !config.journal.exists() {
        // Its sentence; opening for writing would make one.
        SqliteHistory::open_read_only(&config.journal)?;
    }
    let journal = SqliteJournal::open(&config.journal, Options::default())?;
    let done = here(Arc::clone(&journal)).await;
    journal.close().await;
    done
}

/// A request for the admin side at `address`.
pub(super) fn request(
    config: &Config,
    method: Method,
    address: &str,
    path: &str,
    body: Option<&Json>,
) -> anyhow::Result<Request> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = &config.admin.token {
        let bearer = format!("Bearer {}", token.expose());
        headers.insert(AUTHORIZATION, bearer.parse().context("admin.token cannot be sent as a header")?);
    }
    // Where there is no journal, the server is meant that listens there, on whatever machine.
    if let Some(journal) = sqlite::identity(&config.journal) {
        headers.insert(JOURNAL_HEADER, journal.parse().expect("it is digits and a dash"));
    }
    let body = body.map(ToString::to_string).unwrap_or_default().into();
    Ok(Request { method, url: format!("http://{address}{path}"), headers, body })
}

/// The sentence for a server that is another project's.
pub(super) fn another(config: &Config) -> String {
    format!(
        "the server at {} does not keep {}, it is another project's: set admin.listen or HOOKYARD_ADMIN_LISTEN to \
         where this project's server listens, or stop that one",
        reachable(&config.admin.listen),
        config.journal.display()
    )
}

async fn ask(
    config: &Config,
    method: Method,
    path: &str,
    body: Option<&Json>,
    patience: Duration,
) -> anyhow::Result<Option<Answer>> {
    let address = reachable(&config.admin.listen);
    if TcpStream::connect(&address).await.is_err() {
        return Ok(None);
    }
    let request = request(config, method, &address, path, body)?;
    let client = Client::new(Egress::default());
    let sent = timeout(patience, client.send(request, &Consent::Author, ANSWER_BYTES)).await;
    let answer = sent.map_err(|_| anyhow!("http://{address}{path}: no answer within {patience:?}"))??;
    let body = json::parse(&answer.body)
        .with_context(|| format!("what answers at {address} is no admin side of hookyard"))?;
    if answer.status == StatusCode::MISDIRECTED_REQUEST {
        bail!("{}", another(config));
    }
    Ok(Some(Answer { status: answer.status, body }))
}
