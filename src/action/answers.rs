//! What `fetch` gets in a dry run, where nothing goes out: the answers that a test gives, or none.

use super::client::Answer;
use super::http::FetchError;
use crate::json::Json;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
pub struct Answers {
    pub canned: Vec<Canned>,
    /// Where nobody could give any: how often one was wanted.
    unknown: Option<Arc<AtomicUsize>>,
}

impl Answers {
    /// These.
    pub fn of(canned: Vec<Canned>) -> Self {
        Self { canned, unknown: None }
    }

    /// None, and it is told whether one was wanted: what comes of such a run is unknown, whether
    /// its script catches that or not.
    pub fn unknown() -> Self {
        Self { canned: Vec::new(), unknown: Some(Arc::default()) }
    }

    /// Whether an answer was wanted that is unknown.
    pub fn were_wanted(&self) -> bool {
        self.unknown.as_ref().is_some_and(|wanted| wanted.load(Ordering::Relaxed) > 0)
    }

    /// # Errors
    /// There is none for this request.
    pub(crate) fn find(&self, request: &Json) -> Result<Answer, FetchError> {
        let text = |name| request.get(name).and_then(Json::as_str);
        let (url, method) = (text("url").unwrap_or_default(), text("method"));
        let fits = |canned: &&Canned| {
            let method = |wanted: &String| method.is_some_and(|given| given.eq_ignore_ascii_case(wanted));
            canned.url == url && canned.method.as_ref().is_none_or(method)
        };
        let canned = self.canned.iter().find(fits).ok_or_else(|| FetchError::Mistake(self.missing(url)))?;
        Ok(Answer {
            status: canned.status,
            headers: canned.headers.clone(),
            body: canned.body.clone(),
            truncated: false,
        })
    }

    fn missing(&self, url: &str) -> String {
        match &self.unknown {
            Some(wanted) => {
                wanted.fetch_add(1, Ordering::Relaxed);
                format!("nothing goes out in a dry run: what {url} would answer is unknown")
            }
            None => {
                format!("nothing goes out in a test, and it gives no answer for {url}: add it under `fetch:`")
            }
        }
    }
}
