//! What `fetch` gets in a dry run, where nothing goes out: the answers that a test gives.

use super::client::Answer;
use super::http::FetchError;
use crate::json::Json;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The answer to requests of one URL.
#[derive(Clone, Debug)]
pub struct Canned {
    /// As the script writes it, without its query.
    pub url: String,
    /// Any, if it does not say.
    pub method: Option<String>,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Canned {
    /// `200 OK` and nothing else.
    pub fn ok() -> Self {
        let (status, headers, body) = (StatusCode::OK, HeaderMap::new(), Bytes::new());
        Self { url: String::new(), method: None, status, headers, body }
    }
}

/// The answers of one dry run.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub Vec<Canned>);

impl Answers {
    /// # Errors
    /// There is none for this request.
    pub(crate) fn find(&self, request: &Json) -> Result<Answer, FetchError> {
        let text = |name| request.get(name).and_then(Json::as_str);
        let (url, method) = (text("url").unwrap_or_default(), text("method"));
        let fits = |canned: &&Canned| {
            let method = |wanted: &String| method.is_some_and(|given| given.eq_ignore_ascii_case(wanted));
            canned.url == url && canned.method.as_ref().is_none_or(method)
        };
        let canned = self.0.iter().find(fits).ok_or_else(|| {
            FetchError::Mistake(format!(
                "nothing goes out in a test, and it gives no answer for {url}: add it under `fetch:`"
            ))
        })?;
        Ok(Answer {
            status: canned.status,
            headers: canned.headers.clone(),
            body: canned.body.clone(),
            truncated: false,
        })
    }
}
