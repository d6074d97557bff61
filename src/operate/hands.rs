//! Dead deliveries tried again and open ones given up, by a wish that names or describes them.

use super::fields::{Fields, Wrong, check_name};
use super::find::{OF_DELIVERIES, delivery_filter, delivery_filter_json};
use crate::delivery::DeliveryId;
use crate::journal::{Chosen, DeliveryFilter, History, Journal, JournalError, State};
use crate::json::{self, Json, Object};
use jiff::Timestamp;

/// A wish, as `POST /api/retry` and `POST /api/cancel` take it: `{"ids": […]}` or
/// `{"filter": {…}}`, and perhaps `"dry": true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hands {
    pub chosen: Chosen,
    /// Only count.
    pub dry: bool,
}

impl Hands {
    /// Reads a wish; in its filter `state` may be one of these.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(body: &[u8], states: &[State], now: Timestamp) -> Result<Self, Wrong> {
        let object = object(body)?;
        for name in object.keys() {
            check_name(name, &["ids", "filter", "dry"])?;
        }
        let chosen = match (object.get("ids"), object.get("filter")) {
            (Some(ids), None) => Chosen::These(read_ids(ids, "ids")?),
            (None, Some(filter)) => Chosen::Like(read_filter(filter, states, now)?),
            _ => return Err(Wrong("either `ids` or `filter` says which deliveries".into())),
        };
        Ok(Self { chosen, dry: read_dry(&object)? })
    }

    /// As [`Self::read`] takes it.
    pub fn to_json(&self) -> Json {
        let chosen = match &self.chosen {
            Chosen::These(ids) => ("ids", Json::Array(ids.iter().map(|id| id.to_string().into()).collect())),
            Chosen::Like(filter) => ("filter", delivery_filter_json(filter)),
        };
        Json::object([chosen, ("dry", self.dry.into())])
    }
}

/// A JSON object.
pub(super) fn object(body: &[u8]) -> Result<Object, Wrong> {
    match json::parse(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(Wrong(format!("a JSON object is wanted, not a {}", other.kind()))),
        Err(error) => Err(Wrong(format!("a JSON object is wanted: {error}"))),
    }
}

/// A list of ids that is not empty.
pub(super) fn read_ids<T: std::str::FromStr<Err: std::fmt::Display>>(
    ids: &Json,
    name: &str,
) -> Result<Vec<T>, Wrong> {
    let items = ids.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Wrong(format!("`{name}` is a list of ids that is not empty")))?;
    let id = |item: &Json| {
        let text = item.as_str().ok_or_else(|| Wrong(format!("`{name}` has ids in it, not {item}")))?;
        text.parse().map_err(|error: T::Err| Wrong(format!("`{name}`: {error}")))
    };
    items.iter().map(id).collect()
}

pub(super) fn read_dry(object: &Object) -> Result<bool, Wrong> {
    match object.get("dry") {
        None => Ok(false),
        Some(Json::Bool(dry)) => Ok(*dry),
        Some(other) => Err(Wrong(format!("`dry` is true or false, not {other}"))),
    }
}

fn read_filter(filter: &Json, states: &[State], now: Timestamp) -> Result<DeliveryFilter, Wrong> {
    let object = filter.as_object().ok_or_else(|| Wrong("`filter` is an object".into()))?;
    let filter = delivery_filter(&Fields::of_object(object, OF_DELIVERIES)?, now)?;
    match filter.state.filter(|state| !states.contains(state)) {
        None => Ok(filter),
        Some(state) => {
            let wanted: Vec<_> = states.iter().map(|state| state.name()).collect();
            let (wanted, state) = (wanted.join(" or "), state.name());
            Err(Wrong(format!("`state` can only be {wanted} here, not {state}")))
        }
    }
}

/// Tries dead deliveries again, or counts them.
///
/// # Errors
/// The journal's; asking again does the rest.
pub async fn retry(journal: &dyn Journal, wish: Hands, now: Timestamp) -> Result<Json, JournalError> {
    let (chosen, passed_over) = fitting(journal, wish.chosen, &[State::Dead]).await?;
    let count = match wish.dry {
        true => count(journal, chosen, &[State::Dead]).await?,
        false => journal.retry(chosen, now).await? as u64,
    };
    Ok(Json::object([("count", count.into()), ("dry", wish.dry.into()), ("passed_over", passed_over)]))
}

/// The states of what can be cancelled.
pub const OPEN: [State; 2] = [State::Pending, State::Blocked];

/// Gives open deliveries up, or counts them.
///
/// # Errors
/// The journal's; asking again does the rest.
pub async fn cancel(journal: &dyn Journal, wish: Hands, now: Timestamp) -> Result<Json, JournalError> {
    let (chosen, passed_over) = fitting(journal, wish.chosen, &OPEN).await?;
    let (count, under_way) = match wish.dry {
        true => (count(journal, chosen, &OPEN).await?, 0),
        false => {
            let done = journal.cancel(chosen, now).await?;
            (done.cancelled as u64, done.under_way as u64)
        }
    };
    Ok(Json::object([
        ("count", count.into()),
        ("under_way", under_way.into()),
        ("dry", wish.dry.into()),
        ("passed_over", passed_over),
    ]))
}

/// Of named deliveries those that are in one of these states, and why the others are passed over.
async fn fitting(
    history: &dyn Journal,
    chosen: Chosen,
    states: &[State],
) -> Result<(Chosen, Json), JournalError> {
    let Chosen::These(ids) = chosen else { return Ok((chosen, Json::Array(Vec::new()))) };
    let (mut fit, mut passed_over) = (Vec::new(), Vec::new());
    for id in ids {
        match history.delivery(&id).await? {
            Some(found) if states.contains(&found.state) => fit.push(id),
            Some(found) => passed_over.push(why_not(&id, &format!("it is {}", found.state.name()))),
            None => passed_over.push(why_not(&id, "there is no such delivery")),
        }
    }
    Ok((Chosen::These(fit), Json::Array(passed_over)))
}

fn why_not(id: &DeliveryId, why: &str) -> Json {
    Json::object([("id", id.to_string().into()), ("why", Json::from(why))])
}

async fn count(history: &dyn Journal, chosen: Chosen, states: &[State]) -> Result<u64, JournalError> {
    let filter = match chosen {
        Chosen::These(ids) => return Ok(ids.len() as u64),
        Chosen::Like(filter) => filter,
    };
    let mut count = 0;
    for state in states.iter().filter(|state| filter.state.is_none_or(|wanted| wanted == **state)) {
        let filter = DeliveryFilter { state: Some(*state), ..filter.clone() };
        count += History::count_deliveries(history, filter).await?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "evt_01JDFV3M4X0000000000000000/r/a";

    fn read(body: &str) -> Result<Hands, Wrong> {
        Hands::read(body.as_bytes(), &OPEN, "2026-11-23T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_wish_reads_back_as_written() {
        for body in [
            &format!(r#"{{"ids":["{ID}"],"dry":true}}"#),
            r#"{"filter":{}}"#,
            r#"{"filter":{"state":"blocked","rule":"r","since":"2h"},"dry":false}"#,
        ] {
            let wish = read(body).expect(body);
            assert_eq!(read(&wish.to_json().to_string()), Ok(wish), "{body}");
        }
    }

    #[test]
    fn a_wish_that_says_nothing_or_too_much_is_told_so() {
        for (body, sentence) in [
            ("", "a JSON object is wanted: "),
            ("[]", "a JSON object is wanted, not a list"),
            ("{}", "either `ids` or `filter` says which deliveries"),
            (&format!(r#"{{"ids":["{ID}"],"filter":{{}}}}"#), "either `ids` or `filter`"),
            (r#"{"id":[]}"#, "there is no `id` here: did you mean `ids`?"),
            (r#"{"ids":[]}"#, "`ids` is a list of ids that is not empty"),
            (r#"{"ids":"x"}"#, "`ids` is a list of ids"),
            (r#"{"ids":[1]}"#, "`ids` has ids in it, not 1"),
            (r#"{"ids":["x"]}"#, "`ids`: `x` is no delivery id"),
            (r#"{"filter":[]}"#, "`filter` is an object"),
            (r#"{"filter":{"limit":1}}"#, "there is no `limit` here"),
            (r#"{"filter":{"state":"dead"}}"#, "`state` can only be pending or blocked here, not dead"),
            (r#"{"filter":{},"dry":1}"#, "`dry` is true or false, not 1"),
        ] {
            let wrong = read(body).expect_err(body).to_string();
            assert!(wrong.starts_with(sentence), "{body}: {wrong}");
        }
    }
}
