//! Answers of the admin side.

use super::guard::Refused;
use crate::journal::JournalError;
use crate::json::Json;
use crate::operate::Wrong;
use http::{Response, StatusCode, header};

pub(super) fn json(status: StatusCode, body: &Json) -> Response<String> {
    json_text(status, &body.to_string())
}

/// JSON that was written already.
pub(super) fn json_text(status: StatusCode, body: &str) -> Response<String> {
    respond(status, "application/json", format!("{body}\n"))
}

pub(super) fn error(status: StatusCode, message: &str) -> Response<String> {
    json(status, &Json::object([("status", "error".into()), ("message", message.into())]))
}

/// What was asked cannot be meant.
pub(super) fn bad(wrong: &Wrong) -> Response<String> {
    error(StatusCode::BAD_REQUEST, &wrong.to_string())
}

/// The journal could not answer.
pub(super) fn unavailable(problem: &JournalError) -> Response<String> {
    error(StatusCode::SERVICE_UNAVAILABLE, &problem.to_string())
}

pub(super) fn too_large() -> Response<String> {
    error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or broke off")
}

pub(super) fn turned_away(refused: Refused) -> Response<String> {
    let mut response = error(refused.status(), &refused.to_string());
    if refused.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

pub(super) fn not_allowed(allowed: &'static str) -> Response<String> {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allowed} here"));
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allowed));
    response
}

pub(super) fn text(status: StatusCode, body: String) -> Response<String> {
    respond(status, "text/plain; charset=utf-8", body)
}

pub(super) fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}
