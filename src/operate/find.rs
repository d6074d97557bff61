//! Filters as people write them: in the query of a list, in the body of a wish.

use super::fields::{Fields, Wrong};
use crate::diagnostic::did_you_mean;
use crate::journal::{DeliveryFilter, EventFilter, State};
use crate::json::{Json, Object};
use jiff::Timestamp;

/// How long a list is if nobody says.
pub const DEFAULT_LIMIT: usize = 50;
/// No page is longer. Events are read whole, and each may be as large as a body.
const MOST_EVENTS: usize = 200;
const MOST_DELIVERIES: usize = 1000;

/// What an event can be found by.
pub(super) const OF_EVENTS: &[&str] = &["source", "type", "status", "since", "until", "unmatched", "rule"];
/// What a delivery can be found by.
pub(super) const OF_DELIVERIES: &[&str] = &["state", "event", "rule", "action", "since"];
/// What a list has beside that.
const OF_LISTS: &[&str] = &["before", "limit"];

/// Reads the query of a list of events.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn events(query: &str, now: Timestamp) -> Result<EventFilter, Wrong> {
    let fields = Fields::of_query(query, &[OF_EVENTS, OF_LISTS].concat())?;
    let (before, limit) = (fields.parsed("before")?, fields.count("limit", DEFAULT_LIMIT, MOST_EVENTS)?);
    Ok(EventFilter { before, limit, ..event_filter(&fields, now)? })
}

/// Reads the query of a list of deliveries.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn deliveries(query: &str, now: Timestamp) -> Result<DeliveryFilter, Wrong> {
    let fields = Fields::of_query(query, &[OF_DELIVERIES, OF_LISTS].concat())?;
    let (before, limit) = (fields.parsed("before")?, fields.count("limit", DEFAULT_LIMIT, MOST_DELIVERIES)?);
    Ok(DeliveryFilter { before, limit, ..delivery_filter(&fields, now)? })
}

/// Reads the query of a list that is not paged: how many are wanted.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn newest(query: &str, most: usize) -> Result<usize, Wrong> {
    Fields::of_query(query, &["limit"])?.count("limit", most, most)
}

/// Reads the query of the list of refused requests: of which source, and how many.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn refused(query: &str, most: usize) -> Result<(Option<String>, usize), Wrong> {
    let fields = Fields::of_query(query, &["source", "limit"])?;
    Ok((fields.text("source"), fields.count("limit", most, most)?))
}

pub(super) fn event_filter(fields: &Fields, now: Timestamp) -> Result<EventFilter, Wrong> {
    Ok(EventFilter {
        source: fields.text("source"),
        kind: fields.text("type"),
        status: fields.text("status"),
        since: fields.time("since", now)?,
        until: fields.time("until", now)?,
        before: None,
        unmatched: fields.flag("unmatched")?,
        rule: fields.text("rule"),
        limit: 0,
    })
}

pub(super) fn delivery_filter(fields: &Fields, now: Timestamp) -> Result<DeliveryFilter, Wrong> {
    Ok(DeliveryFilter {
        state: fields.text("state").map(|word| state(&word)).transpose()?,
        event: fields.parsed("event")?,
        rule: fields.text("rule"),
        action: fields.text("action"),
        since: fields.time("since", now)?,
        before: None,
        limit: 0,
    })
}

fn state(word: &str) -> Result<State, Wrong> {
    let known = State::ALL.into_iter().find(|state| state.name() == word);
    known.ok_or_else(|| {
        let names = State::ALL.map(State::name);
        let hint = match did_you_mean(word, names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there is {}", names.join(", ")),
        };
        Wrong(format!("`state`: there is no `{word}`: {hint}"))
    })
}

/// As [`event_filter`] reads it back.
pub(super) fn event_filter_json(filter: &EventFilter) -> Json {
    let unmatched = filter.unmatched.then_some(Json::Bool(true));
    let fields = [
        ("source", text(&filter.source)),
        ("type", text(&filter.kind)),
        ("status", text(&filter.status)),
        ("since", text(&filter.since)),
        ("until", text(&filter.until)),
        ("unmatched", unmatched),
        ("rule", text(&filter.rule)),
    ];
    present(fields)
}

/// As [`delivery_filter`] reads it back.
pub(super) fn delivery_filter_json(filter: &DeliveryFilter) -> Json {
    let fields = [
        ("state", text(&filter.state.map(State::name))),
        ("event", text(&filter.event)),
        ("rule", text(&filter.rule)),
        ("action", text(&filter.action)),
        ("since", text(&filter.since)),
    ];
    present(fields)
}

fn text(value: &Option<impl ToString>) -> Option<Json> {
    value.as_ref().map(|value| value.to_string().into())
}

fn present<const N: usize>(fields: [(&str, Option<Json>); N]) -> Json {
    let mut object = Object::new();
    for (name, value) in fields {
        if let Some(value) = value {
            object.insert(name, value);
        }
    }
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_filter_reads_back_as_written() {
        let query = "source=a&type=b.c&status=d&since=2h&until=1h&unmatched=1&rule=r";
        let filter = events(query, now()).unwrap();
        let json = event_filter_json(&filter);
        let fields = Fields::of_object(json.as_object().unwrap(), OF_EVENTS).unwrap();
        assert_eq!(event_filter(&fields, now()), Ok(EventFilter { limit: 0, ..filter }));
        let query = "state=dead&event=evt_01JDFV3M4X0000000000000000&rule=r&action=a&since=1d";
        let filter = deliveries(query, now()).unwrap();
        let json = delivery_filter_json(&filter);
        let fields = Fields::of_object(json.as_object().unwrap(), OF_DELIVERIES).unwrap();
        assert_eq!(delivery_filter(&fields, now()), Ok(DeliveryFilter { limit: 0, ..filter }));
        assert_eq!(event_filter_json(&EventFilter::default()).to_string(), "{}");
    }

    #[test]
    fn lists_have_cursors_and_sentences() {
        let id = "evt_01JDFV3M4X0000000000000000~2/r/a/slack-1";
        let filter = deliveries(&format!("before={id}&limit=9"), now()).unwrap();
        assert_eq!((filter.before.unwrap().to_string(), filter.limit), (id.to_owned(), 9));
        let wrong = |query| deliveries(query, now()).unwrap_err().to_string();
        assert_eq!(wrong("state=ded"), "`state`: there is no `ded`: did you mean `dead`?");
        assert_eq!(wrong("before=evt"), "`before`: `evt` is no delivery id: it reads `evt_…/rule/action`");
        assert_eq!(wrong("event=x"), "`event`: `x` is no event id: it is `evt_` and 26 letters and digits");
        assert_eq!(events("", now()).unwrap().limit, DEFAULT_LIMIT);
    }
}
