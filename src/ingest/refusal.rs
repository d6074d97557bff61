//! Requests that are not taken: which status, which words.

use super::NotReady;
use super::answer::{self, Response, json_response};
use crate::source::Refused;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

/// When a sender should try again after a passing failure, in seconds.
const RETRY_AFTER_S: &str = "5";
/// The same while an operator has to act first.
const RETRY_AFTER_NO_SECRET_S: &str = "60";

/// Media types that no JSON comes in. Others are let through: senders and people are careless
/// about this header, and the body is parsed anyway.
const NOT_JSON: &[&str] = &[
    "application/x-www-form-urlencoded",
    "application/xml",
    "text/html",
    "text/xml",
    "text/csv",
    "text/css",
];
const NOT_JSON_FAMILIES: &[&str] = &["multipart/", "image/", "audio/", "video/", "font/"];

/// Why a request is not taken. `Display` is what the client is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("nothing is received at this path")]
    NotFound,
    #[error("webhooks are sent by POST")]
    Method,
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("the body has a content-encoding; send it without")]
    Encoding,
    #[error("the content-type is not that of JSON; send application/json")]
    MediaType,
    #[error("the body did not come in time")]
    Slow,
    #[error("the body ended early or is framed wrongly")]
    Broken,
    #[error("too many requests are being handled; send it again later")]
    Overloaded,
    #[error("the event could not be kept; send it again later")]
    Journal,
    #[error("{0}")]
    NotReady(NotReady),
    #[error(transparent)]
    Source(#[from] Refused),
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding | Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Overloaded | Self::Journal | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Source(refused) => refused.status(),
        }
    }

    /// Whether the request itself was wrong, not the time at which it came.
    pub(super) fn is_the_sender_s(&self) -> bool {
        self.status().is_client_error()
    }

    /// The label `reason` of the metric.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method",
            Self::TooLarge { .. } => "too_large",
            Self::Encoding => "content_encoding",
            Self::MediaType => "content_type",
            Self::Slow => "body_timeout",
            Self::Broken => "body_broken",
            Self::Overloaded => "overloaded",
            Self::Journal => "journal",
            Self::NotReady(_) => "not_ready",
            Self::Source(refused) => refused.reason(),
        }
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = json_response(self.status(), answer::error(&self.to_string()));
        let headers = response.headers_mut();
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let waiting = self == Self::Source(Refused::NoSecret);
                let seconds = if waiting { RETRY_AFTER_NO_SECRET_S } else { RETRY_AFTER_S };
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
            }
            _ => {}
        }
        response
    }
}

/// What can be judged by the header alone: 405, 413, 415, in this order.
pub(super) fn admit(method: &Method, headers: &HeaderMap, limit_bytes: usize) -> Result<(), Refusal> {
    if method != Method::POST {
        return Err(Refusal::Method);
    }
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    let declared = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit_bytes as u64) {
        return Err(Refusal::TooLarge { limit_bytes });
    }
    let is_encoded = |coding: &HeaderValue| {
        !coding.to_str().is_ok_and(|coding| coding.trim().eq_ignore_ascii_case("identity"))
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().any(is_encoded) {
        return Err(Refusal::Encoding);
    }
    if text(header::CONTENT_TYPE).is_some_and(is_not_json) {
        return Err(Refusal::MediaType);
    }
    Ok(())
}

fn is_not_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    NOT_JSON.contains(&essence.as_str())
        || NOT_JSON_FAMILIES.iter().any(|family| essence.starts_with(family))
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_clearly_not_json_is_refused_by_its_type() {
        for json in [
            "application/json",
            "application/json; charset=utf-8",
            "application/cloudevents+json",
            "text/plain",
            "",
        ] {
            assert!(!is_not_json(json), "{json}");
        }
        for other in [
            "application/x-www-form-urlencoded",
            "Multipart/Form-Data; boundary=x",
            "TEXT/HTML",
            "application/atom+xml",
        ] {
            assert!(is_not_json(other), "{other}");
        }
    }
}
