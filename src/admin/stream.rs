//! `/api/stream`: what happens, as it happens, as server-sent events.

use super::Admin;
use crate::journal::Happening;
use crate::json::Json;
use crate::operate::happening_json;
use futures_util::{Stream, StreamExt, stream};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use warp::reply::{Reply, Response};
use warp::sse;

impl Admin {
    /// Goes on until the reader hangs up or hookyard stops. Each event's data is one line of JSON.
    pub(super) fn stream(&self) -> Response {
        let lines = lines(self.journal.happenings()).take_until(self.shutdown.clone().cancelled_owned());
        let events = lines.map(|line| {
            let name = line.get("what").and_then(Json::as_str).unwrap_or_default().to_owned();
            Ok::<_, Infallible>(sse::Event::default().event(name).data(line.to_string()))
        });
        let mut response = sse::reply(sse::keep_alive().stream(events)).into_response();
        let no_store = http::HeaderValue::from_static("no-store");
        response.headers_mut().insert(http::header::CACHE_CONTROL, no_store);
        response
    }
}

/// What happens; and, where the reader was too slow, how much of it is lost.
fn lines(happenings: Receiver<Arc<Happening>>) -> impl Stream<Item = Json> {
    stream::unfold(happenings, async |mut happenings| match happenings.recv().await {
        Ok(happening) => Some((happening_json(&happening), happenings)),
        Err(RecvError::Lagged(count)) => {
            let lost = Json::object([("what", Json::from("lost")), ("count", count.into())]);
            Some((lost, happenings))
        }
        Err(RecvError::Closed) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::What;
    use jiff::Timestamp;
    use tokio::sync::broadcast;

    #[tokio::test]
    async fn a_slow_reader_loses_the_oldest_and_is_told() {
        let sender = broadcast::Sender::new(2);
        let read = lines(sender.subscribe());
        for count in 1..=5 {
            let what = What::Cancelled { count };
            sender.send(Arc::new(Happening { at: Timestamp::UNIX_EPOCH, what })).unwrap();
        }
        drop(sender);
        let told: Vec<String> = read.map(|line| line.to_string()).collect().await;
        assert_eq!(
            told,
            [
                r#"{"count":3,"what":"lost"}"#,
                r#"{"at":"1970-01-01T00:00:00Z","count":4,"what":"cancelled"}"#,
                r#"{"at":"1970-01-01T00:00:00Z","count":5,"what":"cancelled"}"#,
            ]
        );
    }
}
