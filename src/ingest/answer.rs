//! The bodies of the answers.

use crate::event::EventId;
use crate::json::Json;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::Full;

pub(super) type Response = http::Response<Full<Bytes>>;

/// A request that was taken: 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Kept, under this id.
    Received(EventId),
    /// Kept before, under this id.
    Duplicate(EventId),
    /// It goes nowhere, so it has no id.
    CreationTest,
    /// `/healthz`, `/readyz`.
    Healthy,
}

impl Answer {
    pub(super) fn into_response(self) -> Response {
        const SUCCESS: &str = r#"{"status":"success","message":"Webhook received""#;
        let body = match self {
            Self::Received(id) => [SUCCESS, r#","id":""#, &id.text(), r#""}"#].concat(),
            Self::Duplicate(id) => [SUCCESS, r#","id":""#, &id.text(), r#"","duplicate":true}"#].concat(),
            Self::CreationTest => [SUCCESS, "}"].concat(),
            Self::Healthy => r#"{"status":"ok"}"#.to_owned(),
        };
        json_response(StatusCode::OK, body)
    }
}

/// The body of every answer that is not a success.
pub(super) fn error(message: &str) -> String {
    format!(r#"{{"status":"error","message":{}}}"#, Json::from(message))
}

pub(super) fn json_response(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
