//! What the journal has: events, deliveries, generations; in lists with cursors, or one.

use super::Admin;
use super::answer::{bad, error, json, json_text, unavailable};
use crate::event::EventId;
use crate::journal::{DeliveryFilter, EventFilter};
use crate::json::{Json, Object};
use crate::operate::{self, Wrong, delivery_json, event_json, generation_json};
use http::{Response, StatusCode};
use jiff::Timestamp;

/// No more generations are shown; fewer are kept.
const GENERATIONS: usize = 1_000;

impl Admin {
    pub(super) async fn events(&self, query: &str) -> Response<String> {
        let filter = match operate::events(query, Timestamp::now()) {
            Ok(filter) => filter,
            Err(wrong) => return bad(&wrong),
        };
        let limit = filter.limit;
        match self.journal.events(EventFilter { limit: limit + 1, ..filter }).await {
            Ok(events) => page("events", &events, limit, event_json, |last| last.event.id().to_string()),
            Err(problem) => unavailable(&problem),
        }
    }

    pub(super) async fn event(&self, id: &str) -> Response<String> {
        let id = match id.parse::<EventId>() {
            Ok(id) => id,
            Err(wrong) => return bad(&Wrong(wrong.to_string())),
        };
        match operate::timeline(&*self.journal, id).await {
            Ok(Some(timeline)) => json_text(StatusCode::OK, &timeline),
            Ok(None) => {
                let why = format!("there is no event {id} in the journal (old ones are removed by `keep`)");
                error(StatusCode::NOT_FOUND, &why)
            }
            Err(problem) => unavailable(&problem),
        }
    }

    pub(super) async fn deliveries(&self, query: &str) -> Response<String> {
        let filter = match operate::deliveries(query, Timestamp::now()) {
            Ok(filter) => filter,
            Err(wrong) => return bad(&wrong),
        };
        let limit = filter.limit;
        match self.journal.deliveries(DeliveryFilter { limit: limit + 1, ..filter }).await {
            Ok(found) => page("deliveries", &found, limit, delivery_json, |last| last.id.to_string()),
            Err(problem) => unavailable(&problem),
        }
    }

    pub(super) async fn generations(&self, query: &str) -> Response<String> {
        let limit = match operate::newest(query, GENERATIONS) {
            Ok(limit) => limit,
            Err(wrong) => return bad(&wrong),
        };
        let served = self.current.serving.borrow().as_ref().map(|serving| serving.number);
        match self.journal.generations().await {
            Ok(found) => {
                let list = Json::Array(found.iter().take(limit).map(generation_json).collect());
                json(StatusCode::OK, &Json::object([("served", served.into()), ("generations", list)]))
            }
            Err(problem) => unavailable(&problem),
        }
    }

    pub(super) async fn generation(&self, number: &str) -> Response<String> {
        let Ok(number) = number.parse() else {
            return bad(&Wrong(format!("a generation has a number, not `{number}`")));
        };
        match self.journal.generation(number).await {
            Ok(Some(generation)) => {
                let text = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes).into_owned());
                let files: Object =
                    generation.files.iter().map(|(path, content)| (path.as_str(), text(content))).collect();
                let body = Json::object([
                    ("number", number.into()),
                    ("loaded_at", generation.loaded_at.to_string().into()),
                    ("files", Json::Object(files)),
                ]);
                json(StatusCode::OK, &body)
            }
            Ok(None) => {
                let why =
                    format!("there is no generation {number}: /api/generations lists those that are kept");
                error(StatusCode::NOT_FOUND, &why)
            }
            Err(problem) => unavailable(&problem),
        }
    }
}

/// `{"NAME": […], "next": …}`: one more was asked for than is shown, so that `next` is only there
/// if there is something behind it.
fn page<T>(
    name: &str,
    found: &[T],
    limit: usize,
    record: fn(&T) -> Json,
    cursor: fn(&T) -> String,
) -> Response<String> {
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit).map(cursor);
    let records = Json::Array(shown.iter().map(record).collect());
    json(StatusCode::OK, &Json::object([(name, records), ("next", next.into())]))
}
