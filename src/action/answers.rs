//! What `fetch` gets in a dry run, where nothing goes out: the answers that a test gives, or none.

use super::client::Answer;
use super::http::{FetchError, default_method};
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
        let url = text("url").unwrap_or_default();
        let method = text("method").unwrap_or_else(|| default_method(request));
        let fits = |canned: &&Canned| {
            canned.url == url
                && canned.method.as_ref().is_none_or(|wanted| method.eq_ignore_ascii_case(wanted))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn an_answer_is_that_of_the_url_and_of_the_method_that_would_be_sent() {
        let canned = |method: Option<&str>, status| Canned {
            url: "https://api.example/x".into(),
            method: method.map(str::to_owned),
            status: StatusCode::from_u16(status).unwrap(),
            ..Canned::ok()
        };
        let answers =
            Answers::of(vec![canned(Some("get"), 200), canned(Some("POST"), 201), canned(None, 202)]);
        let status = |more: &str| {
            let request = format!(r#"{{"url":"https://api.example/x"{more}}}"#);
            answers.find(&json::parse(request.as_bytes()).unwrap()).unwrap().status.as_u16()
        };
        assert_eq!(status(""), 200);
        assert_eq!(status(r#","json":{}"#), 201);
        assert_eq!(status(r#","method":"post""#), 201);
        assert_eq!(status(r#","method":"DELETE""#), 202);
        let other = json::parse(br#"{"url":"https://api.example/y"}"#).unwrap();
        assert!(matches!(answers.find(&other), Err(FetchError::Mistake(_))));
    }
}
