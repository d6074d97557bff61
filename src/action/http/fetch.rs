//! A request that a script makes in the middle of its run, and whose answer it gets.

use super::request::{compose, scalar};
use super::{BODIES, check_request, param};
use crate::action::client::{Answer, Client, Request, SendError, header_value};
use crate::action::{ActionError, Consent, Trace};
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType};
use crate::template::Params;
use std::time::Duration;
use url::Url;

/// The parameters of `fetch`.
pub(crate) const FETCH: &[Param<'static>] = &[
    param("url", ParamType::Url, true, "Where to."),
    param("method", ParamType::String, false, "The method; `GET` by default, `POST` if there is a body."),
    param("headers", ParamType::Map, false, "Headers to send, by name."),
    param("auth", ParamType::Map, false, "`#{bearer: TOKEN}` or `#{basic: #{user: NAME, password: TEXT}}`."),
    param("query", ParamType::Map, false, "Added to the URL's query, encoded; a list repeats its field."),
    param("json", ParamType::Any, false, "The body as a structure, sent as JSON."),
    param("body", ParamType::String, false, "The body as text."),
    param("form", ParamType::Map, false, "The body as form fields; a list repeats its field."),
    param("timeout", ParamType::Duration, false, "How long to wait for the whole answer; 10s by default."),
];

/// Who asks: what identifies the request, and where it may go.
pub(crate) struct Caller<'a> {
    pub idempotency_key: String,
    pub trace: &'a Trace,
    pub consent: &'a Consent,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The script's mistake, or a destination that is refused.
    Mistake(String),
    /// No connection, a broken one, the time limit: a later run may have more luck.
    Failed(String),
}

impl From<ActionError> for FetchError {
    fn from(error: ActionError) -> Self {
        Self::Mistake(error.to_string())
    }
}

/// Everything that is wrong with the parameters of a `fetch`.
pub(crate) fn check_fetch(params: &Params) -> Vec<ConfigError> {
    check_request(params)
}

/// Sends the request that `plain` describes and reads the whole answer, whatever its status.
/// Dropping the future closes the connection.
///
/// # Errors
/// [`FetchError`]; also an answer of more than `cap_bytes`.
pub(crate) async fn fetch(
    client: &Client,
    plain: &Json,
    caller: &Caller<'_>,
    timeout: Duration,
    cap_bytes: usize,
) -> Result<Answer, FetchError> {
    let request = request(plain, caller)?;
    let sent = tokio::time::timeout(timeout, client.send(request, caller.consent, cap_bytes)).await;
    match sent {
        Ok(Ok(answer)) if answer.truncated => Err(FetchError::Mistake(format!(
            "the answer is longer than limits.script.size ({cap_bytes} bytes)"
        ))),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(SendError::Blocked(why))) => Err(FetchError::Mistake(why)),
        Ok(Err(SendError::Failed(why))) => Err(FetchError::Failed(why)),
        Err(_) => {
            Err(FetchError::Failed(format!("no whole answer within {}", humantime::format_duration(timeout))))
        }
    }
}

/// The method of a request that names none.
pub(crate) fn default_method(plain: &Json) -> &'static str {
    let has_body = BODIES.iter().any(|name| plain.get(name).is_some());
    if has_body { "POST" } else { "GET" }
}

fn request(plain: &Json, caller: &Caller<'_>) -> Result<Request, FetchError> {
    let mut request = compose(plain, default_method(plain), None)?;
    if let Some(query) = plain.get("query").and_then(Json::as_object) {
        request.url = with_query(&request.url, query)?;
    }
    let headers = &mut request.headers;
    headers.insert("idempotency-key", header_value("Idempotency-Key", &caller.idempotency_key)?);
    headers.insert("traceparent", header_value("traceparent", &caller.trace.parent())?);
    Ok(request)
}

fn with_query(url: &str, query: &crate::json::Object) -> Result<String, FetchError> {
    let unreadable = |error| FetchError::Mistake(format!("the URL cannot be read: {error}"));
    let mut url = Url::parse(url).map_err(unreadable)?;
    {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in query.iter() {
            for item in value.as_array().unwrap_or(std::slice::from_ref(value)) {
                pairs.append_pair(name, &scalar(name, item)?);
            }
        }
    }
    Ok(url.into())
}
