//! The `http` action: one request to a service of the author's choice.

mod fetch;
mod request;
mod sign;

use super::client::{Answer, Client, destination, excerpt, header_name, identify, retry_after};
use super::params::{check_choice, check_keys, check_url, keys};
use super::{Action, ActionError, ActionKind, Attempt, Context};
use crate::delivery::{ANSWER_BYTES, Receipt};
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::template::Params;
use async_trait::async_trait;
use request::{compose, method, scalar};
use std::sync::Arc;

pub(crate) use fetch::{Caller, FETCH, FetchError, check_fetch, default_method, fetch};

pub(super) const KIND: ActionKind = ActionKind {
    name: "http",
    summary: "Sends a request: by default the event's exact original body by POST.",
    example: "http: {url: \"https://crm.example/tasks/{{ payload.task_id }}\", method: PUT, json: {status: \"{{ status }}\"}}",
    schema: &[
        param("url", ParamType::Url, true, "Where to: literal through its host, or a value of `vars`."),
        param("method", ParamType::String, false, "The method; `POST` by default."),
        param("headers", ParamType::Map, false, "Headers to send, by name."),
        param("auth", ParamType::Map, false, "`{bearer: TOKEN}` or `{basic: {user: NAME, password: TEXT}}`."),
        param("json", ParamType::Any, false, "The body as a structure, sent as JSON."),
        param("body", ParamType::String, false, "The body as text."),
        param("form", ParamType::Map, false, "The body as form fields; a list repeats its field."),
        param(
            "forward_headers",
            ParamType::List,
            false,
            "Names of the event's original headers to send along.",
        ),
        param(
            "sign",
            ParamType::Any,
            false,
            "A secret, or a list of them, for signatures by Standard Webhooks: `${SECRET}`, which is `whsec_` \
             and base64, or taken as it is.",
        ),
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param<'static> {
    Param { name, ty, required, summary }
}

/// What belongs to the connection or to hookyard.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const BODIES: [&str; 3] = ["json", "body", "form"];
/// How much of an answer is read, for an error and the record.
pub(super) const EXCERPT_BYTES: usize = ANSWER_BYTES;

fn build(params: &Params, context: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = check_request(params);
    check_forwarded(params, &mut errors);
    sign::check(params, &mut errors);
    if errors.is_empty() { Ok(Arc::new(Http { client: context.client().clone() })) } else { Err(errors) }
}

/// Everything that is wrong with what describes a request.
fn check_request(params: &Params) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    check_url(params, &mut errors);
    check_method(params, &mut errors);
    check_headers(params, &mut errors);
    check_auth(params, &mut errors);
    let bodies: Vec<_> = BODIES.into_iter().filter(|name| params.has(name)).collect();
    if let [first, second, ..] = *bodies {
        errors.push(
            ConfigError::key(
                token(second),
                format!("`{first}` and `{second}` are both there, and a request has one body"),
            )
            .with_help("keep one of `json`, `body` and `form`, or none for the original body"),
        );
    }
    errors
}

fn check_method(params: &Params, errors: &mut Vec<ConfigError>) {
    let literal = params.get("method").and_then(|method| method.literal());
    let Some(text) = literal.as_ref().and_then(Json::as_str) else { return };
    if let Err(ActionError::Blocked(message)) = method(text) {
        errors.push(ConfigError::at("/method", message));
    }
}

fn check_headers(params: &Params, errors: &mut Vec<ConfigError>) {
    let Some(headers) = params.get("headers") else { return };
    for name in keys(&headers).unwrap_or_default() {
        let pointer = format!("/headers{}", token(&name));
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            errors.push(ConfigError::key(pointer, format!("the header `{name}` is set by hookyard itself")));
        } else if header_name(&name).is_err() {
            errors.push(ConfigError::key(pointer, format!("`{name}` is not a header's name")));
        } else if let Some(Err(error)) =
            headers.get(&name).and_then(|value| value.literal()).map(|value| scalar(&name, &value))
        {
            errors.push(ConfigError::at(pointer, error.to_string()));
        }
    }
}

fn check_auth(params: &Params, errors: &mut Vec<ConfigError>) {
    let Some(auth) = params.get("auth") else { return };
    check_choice(&auth, "/auth", &["bearer", "basic"], errors);
    if let Some(basic) = auth.get("basic") {
        check_keys(&basic, "/auth/basic", &["user", "password"], errors);
    }
}

fn check_forwarded(params: &Params, errors: &mut Vec<ConfigError>) {
    let names = params.get("forward_headers").and_then(|names| names.literal());
    for (index, name) in names.iter().flat_map(|names| names.as_array().unwrap_or_default()).enumerate() {
        let fine = name.as_str().is_some_and(|name| {
            header_name(name).is_ok() && !RESERVED.contains(&name.to_ascii_lowercase().as_str())
        });
        if !fine {
            let message = format!("{name} is not the name of a header that can be forwarded");
            errors.push(ConfigError::at(format!("/forward_headers/{index}"), message));
        }
    }
}

struct Http {
    client: Client,
}

#[async_trait]
impl Action for Http {
    async fn deliver(&self, attempt: &Attempt) -> Result<Receipt, ActionError> {
        let mut request = compose(&attempt.params.plain, "POST", Some(attempt))?;
        identify(&mut request.headers, attempt)?;
        if let Some(secrets) = attempt.params.plain.get("sign") {
            sign::sign(&mut request, secrets, &attempt.id.to_string(), jiff::Timestamp::now())?;
        }
        let url = request.url.clone();
        let answer = self.client.deliver(request, &attempt.consent, EXCERPT_BYTES).await?;
        attempt.heard.keep(&answer);
        let status = answer.status;
        if status.is_success() {
            return Ok(Receipt::of(status.to_string()));
        }
        Err(failed(&answer, &host(&url)?))
    }
}

/// The host of a URL, for messages.
pub(super) fn host(url: &str) -> Result<String, ActionError> {
    Ok(destination(url)?.host_str().unwrap_or_default().to_owned())
}

/// An answer that is no success: `503 Service Unavailable from crm.example: try later`.
pub(super) fn failed(answer: &Answer, host: &str) -> ActionError {
    let (status, excerpt) = (answer.status, excerpt(&answer.body));
    let hint = if status.is_redirection() { " (redirects are not followed)" } else { "" };
    let colon = if excerpt.is_empty() { "" } else { ": " };
    let error = format!("{status} from {host}{hint}{colon}{excerpt}");
    let after = retry_after(&answer.headers, jiff::Timestamp::now());
    ActionError::Answered { status: status.as_u16(), error, after }
}
