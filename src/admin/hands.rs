//! `POST /api/retry`, `/api/cancel`, `/api/replay`.

use super::Admin;
use super::answer::{bad, error, json, unavailable};
use crate::journal::{JournalError, State};
use crate::json::Json;
use crate::operate::{self, Hands, Replaying};
use http::{Response, StatusCode};
use jiff::Timestamp;
use metrics::counter;

impl Admin {
    pub(super) async fn retry(&self, body: &[u8]) -> Response<String> {
        let now = Timestamp::now();
        let wish = match Hands::read(body, &[State::Dead], now) {
            Ok(wish) => wish,
            Err(wrong) => return bad(&wrong),
        };
        let journal = self.journal.clone();
        through("retried", async move { operate::retry(&*journal, wish, now).await }).await
    }

    pub(super) async fn cancel(&self, body: &[u8]) -> Response<String> {
        let now = Timestamp::now();
        let wish = match Hands::read(body, &operate::OPEN, now) {
            Ok(wish) => wish,
            Err(wrong) => return bad(&wrong),
        };
        let journal = self.journal.clone();
        through("cancelled", async move { operate::cancel(&*journal, wish, now).await }).await
    }

    pub(super) async fn replay(&self, body: &[u8]) -> Response<String> {
        let now = Timestamp::now();
        let wish = match Replaying::read(body, now) {
            Ok(wish) => wish,
            Err(wrong) => return bad(&wrong),
        };
        let Some(rules) = self.current.serving.borrow().clone() else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "no rules are served yet: /api/status says why");
        };
        if let Some(wrong) = wish.rule.as_deref().and_then(|rule| operate::unknown_rule(rule, &rules.rules)) {
            return bad(&wrong);
        }
        let journal = self.journal.clone();
        through("replayed", async move {
            let replayed = operate::replay(&*journal, &rules, &wish, now).await?;
            Ok(replayed.to_json(wish.dry, Some(rules.number)))
        })
        .await
    }
}

/// Does it to its end, also if who asked hangs up meanwhile; counts what was done.
async fn through(
    what: &'static str,
    work: impl Future<Output = Result<Json, JournalError>> + Send + 'static,
) -> Response<String> {
    match tokio::spawn(work).await {
        Ok(Ok(done)) => {
            let count = done.get("count").or_else(|| done.get("deliveries")).and_then(Json::as_number);
            let count = count.and_then(|count| u64::try_from(count.as_i64()?).ok()).unwrap_or(0);
            if count > 0 && done.get("dry") == Some(&Json::Bool(false)) {
                tracing::info!(count, "{what} by hand");
                counter!("hookyard_by_hand_total", "what" => what).increment(count);
            }
            json(StatusCode::OK, &done)
        }
        Ok(Err(problem)) => unavailable(&problem),
        Err(lost) => {
            tracing::error!("{what} by hand, which ended badly: {lost}");
            error(StatusCode::INTERNAL_SERVER_ERROR, "a bug of hookyard: the log has the details")
        }
    }
}
