//! What a request is made of: method, headers, credentials, body, from parameters.

use super::RESERVED;
use crate::action::client::{Request, header_name, header_value};
use crate::action::{ActionError, Attempt};
use crate::json::Json;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

/// The request that parameters describe. `original` is the event's own body and headers, where
/// those are sent if nothing else is given.
///
/// # Errors
/// [`ActionError::Blocked`]: what cannot be sent.
pub(super) fn compose(
    plain: &Json,
    default_method: &str,
    original: Option<&Attempt>,
) -> Result<Request, ActionError> {
    let text = |name| plain.get(name).and_then(Json::as_str);
    let method = method(text("method").unwrap_or(default_method))?;
    let mut headers = HeaderMap::new();
    let body = match given_body(plain, &mut headers)? {
        Some(body) => body,
        None => original.map_or(Ok(Bytes::new()), |attempt| original_body(attempt, &method, &mut headers))?,
    };
    if let Some(attempt) = original {
        forward(attempt, &mut headers)?;
    }
    for (name, value) in
        plain.get("headers").and_then(Json::as_object).iter().flat_map(|headers| headers.iter())
    {
        headers.insert(free_name(name)?, header_value(name, &scalar(name, value)?)?);
    }
    if let Some(auth) = plain.get("auth") {
        headers.insert(AUTHORIZATION, authorization(auth)?);
    }
    Ok(Request { method, url: text("url").unwrap_or_default().to_owned(), headers, body })
}

pub(super) fn method(text: &str) -> Result<Method, ActionError> {
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
pub(super) fn scalar(name: &str, value: &Json) -> Result<String, ActionError> {
    match value {
        Json::String(text) => Ok(text.to_string()),
        Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
        other => {
            Err(ActionError::Blocked(format!("`{name}` takes a text or a number, not a {}", other.kind())))
        }
    }
}

/// The body that parameters give, and its content type among the headers.
fn given_body(plain: &Json, headers: &mut HeaderMap) -> Result<Option<Bytes>, ActionError> {
    let typed = |headers: &mut HeaderMap, ty| headers.insert(CONTENT_TYPE, HeaderValue::from_static(ty));
    if let Some(json) = plain.get("json") {
        typed(headers, "application/json");
        return Ok(Some(json.text().into()));
    }
    if let Some(text) = plain.get("body").and_then(Json::as_str) {
        typed(headers, "text/plain; charset=utf-8");
        return Ok(Some(text.to_owned().into()));
    }
    if let Some(form) = plain.get("form").and_then(Json::as_object) {
        typed(headers, "application/x-www-form-urlencoded");
        return fields(form).map(Some);
    }
    Ok(None)
}

/// The body as it was received.
fn original_body(attempt: &Attempt, method: &Method, headers: &mut HeaderMap) -> Result<Bytes, ActionError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(Bytes::new());
    }
    if let Some(original) = attempt.headers.values("content-type").next() {
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
        for value in attempt.headers.values(parsed.as_str()) {
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
