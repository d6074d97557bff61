//! The `http` action: one request to a service of the author's choice.

use super::client::{
    Client, Request, destination, excerpt, header_name, header_value, identify, retry_after,
};
use super::params::{check_choice, check_keys, check_url, keys};
use super::{Action, ActionError, ActionKind, Attempt, Context};
use crate::delivery::Receipt;
use crate::json::Json;
use crate::registry::{ConfigError, Param, ParamType, token};
use crate::template::Params;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;

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
    ],
    build,
};

const fn param(name: &'static str, ty: ParamType, required: bool, summary: &'static str) -> Param {
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
/// Statuses that a repetition of the same request cannot change.
const HOPELESS: [u16; 4] = [400, 410, 413, 422];
/// How much of an answer is read for an error.
pub(super) const EXCERPT_BYTES: usize = 4096;

fn build(params: &Params, context: &Context) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    check_url(params, &mut errors);
    check_method(params, &mut errors);
    check_headers(params, &mut errors);
    check_auth(params, &mut errors);
    check_forwarded(params, &mut errors);
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
    if errors.is_empty() { Ok(Arc::new(Http { client: context.client().clone() })) } else { Err(errors) }
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
        let request = request(attempt)?;
        let host = host(&request.url)?;
        let answer = self.client.deliver(request, &attempt.consent, EXCERPT_BYTES).await?;
        let status = answer.status;
        if status.is_success() {
            return Ok(Receipt { line: status.to_string(), effects: Vec::new() });
        }
        let error = failed(status, &host, &excerpt(&answer.body));
        if HOPELESS.contains(&status.as_u16()) {
            return Err(ActionError::Refused(error));
        }
        Err(ActionError::Retry { error, after: retry_after(&answer.headers, jiff::Timestamp::now()) })
    }
}

/// The host of a URL, for messages.
pub(super) fn host(url: &str) -> Result<String, ActionError> {
    Ok(destination(url)?.host_str().unwrap_or_default().to_owned())
}

/// `503 Service Unavailable from crm.example: try later`.
pub(super) fn failed(status: StatusCode, host: &str, excerpt: &str) -> String {
    let hint = if status.is_redirection() { " (redirects are not followed)" } else { "" };
    let colon = if excerpt.is_empty() { "" } else { ": " };
    format!("{status} from {host}{hint}{colon}{excerpt}")
}

fn request(attempt: &Attempt) -> Result<Request, ActionError> {
    let plain = &attempt.params.plain;
    let text = |name| plain.get(name).and_then(Json::as_str);
    let method = method(text("method").unwrap_or("POST"))?;
    let mut headers = HeaderMap::new();
    let body = body(attempt, &method, &mut headers)?;
    forward(attempt, &mut headers)?;
    for (name, value) in
        plain.get("headers").and_then(Json::as_object).iter().flat_map(|headers| headers.iter())
    {
        headers.insert(free_name(name)?, header_value(name, &scalar(name, value)?)?);
    }
    if let Some(auth) = plain.get("auth") {
        headers.insert(AUTHORIZATION, authorization(auth)?);
    }
    identify(&mut headers, attempt)?;
    Ok(Request { method, url: text("url").unwrap_or_default().to_owned(), headers, body })
}

fn method(text: &str) -> Result<Method, ActionError> {
    const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let upper = text.to_ascii_uppercase();
    match upper.parse() {
        Ok(method) if METHODS.contains(&upper.as_str()) => Ok(method),
        _ => Err(ActionError::Blocked(format!(
            "`{text}` is not a method: it is one of {}",
            METHODS.join(", ")
        ))),
    }
}

fn free_name(name: &str) -> Result<http::HeaderName, ActionError> {
    let parsed = header_name(name)?;
    if RESERVED.contains(&parsed.as_str()) {
        return Err(ActionError::Blocked(format!("the header `{name}` is set by hookyard itself")));
    }
    Ok(parsed)
}

/// A header's or a form field's value as text.
fn scalar(name: &str, value: &Json) -> Result<String, ActionError> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
        other => {
            Err(ActionError::Blocked(format!("`{name}` takes a text or a number, not a {}", other.kind())))
        }
    }
}

/// The body, and its content type among the headers.
fn body(attempt: &Attempt, method: &Method, headers: &mut HeaderMap) -> Result<Bytes, ActionError> {
    let plain = &attempt.params.plain;
    let typed = |headers: &mut HeaderMap, ty| headers.insert(CONTENT_TYPE, HeaderValue::from_static(ty));
    if let Some(json) = plain.get("json") {
        typed(headers, "application/json");
        return Ok(json.to_string().into());
    }
    if let Some(text) = plain.get("body").and_then(Json::as_str) {
        typed(headers, "text/plain; charset=utf-8");
        return Ok(text.to_owned().into());
    }
    if let Some(form) = plain.get("form").and_then(Json::as_object) {
        typed(headers, "application/x-www-form-urlencoded");
        return fields(form);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(Bytes::new());
    }
    if let Some((_, original)) = attempt.headers.iter().find(|(name, _)| name == "content-type") {
        headers.insert(CONTENT_TYPE, header_value("content-type", original)?);
    }
    Ok(attempt.body.clone())
}

fn fields(form: &crate::json::Object) -> Result<Bytes, ActionError> {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form.iter() {
        for item in value.as_array().unwrap_or(std::slice::from_ref(value)) {
            out.append_pair(name, &scalar(name, item)?);
        }
    }
    Ok(out.finish().into())
}

fn forward(attempt: &Attempt, headers: &mut HeaderMap) -> Result<(), ActionError> {
    let names = attempt.params.plain.get("forward_headers").and_then(Json::as_array).unwrap_or_default();
    for name in names.iter().filter_map(Json::as_str) {
        let parsed = free_name(name)?;
        for (_, value) in attempt.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            headers.append(parsed.clone(), header_value(name, value)?);
        }
    }
    Ok(())
}

fn authorization(auth: &Json) -> Result<HeaderValue, ActionError> {
    let text = |pointer| auth.pointer(pointer).and_then(Json::as_str);
    let value = match (text("/bearer"), text("/basic/user"), text("/basic/password")) {
        (Some(token), None, None) => format!("Bearer {token}"),
        (None, Some(user), password) => {
            let password = password.unwrap_or_default();
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
        }
        _ => {
            return Err(ActionError::Blocked(
                "`auth` takes `bearer`, or `basic` with `user` and `password`".to_owned(),
            ));
        }
    };
    let mut value = header_value("authorization", &value)?;
    value.set_sensitive(true);
    Ok(value)
}
