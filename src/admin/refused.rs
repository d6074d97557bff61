//! `/api/refused`: requests that were refused, and `POST /api/refused/replay`: verified again.

use super::Admin;
use super::answer::{bad, error, json, unavailable};
use crate::ingest;
use crate::json::Json;
use crate::operate;
use crate::refused::{self, Record};
use http::{Response, StatusCode};
use jiff::Timestamp;

/// So many are shown at most; the ring holds no more than some megabytes.
const SHOWN: usize = 1_000;

impl Admin {
    /// The newest first.
    pub(super) async fn refused(&self, query: &str) -> Response<String> {
        let (source, limit) = match operate::refused(query, SHOWN) {
            Ok(wanted) => wanted,
            Err(wrong) => return bad(&wrong),
        };
        match self.read_refused().await {
            Ok(records) => {
                let of_source = |record: &&Record| source.as_ref().is_none_or(|name| *name == record.source);
                let shown: Vec<Json> =
                    records.iter().filter(of_source).take(limit).map(Record::shown).collect();
                json(StatusCode::OK, &Json::object([("refused", Json::Array(shown))]))
            }
            Err(problem) => problem,
        }
    }

    /// With the sources and rules of now, as of the times of receipt.
    pub(super) async fn replay_refused(&self) -> Response<String> {
        let records = match self.read_refused().await {
            Ok(records) => records,
            Err(problem) => return problem,
        };
        let sources = self.current.sources.borrow().clone();
        let serving = self.current.serving.borrow().clone();
        match ingest::replay_refused(records, &sources, serving.as_deref(), &*self.journal, Timestamp::now())
            .await
        {
            Ok(replayed) => json(StatusCode::OK, &replayed.to_json()),
            Err(problem) => unavailable(&problem),
        }
    }

    async fn read_refused(&self) -> Result<Vec<Record>, Response<String>> {
        let journal = self.current.config.borrow().journal.clone();
        let read = tokio::task::spawn_blocking(move || refused::read(&journal)).await;
        let failed = |why: String| {
            error(StatusCode::SERVICE_UNAVAILABLE, &format!("the refused requests cannot be read: {why}"))
        };
        read.map_err(|problem| failed(problem.to_string()))?.map_err(|problem| failed(problem.to_string()))
    }
}
