//! Events routed again, by the rules of now.

use super::fields::{Fields, Wrong, check_name};
use super::find::{OF_EVENTS, event_filter, event_filter_json};
use super::hands::{object, read_dry, read_ids};
use crate::diagnostic::did_you_mean;
use crate::event::{EventId, OWN_SOURCE};
use crate::journal::{EventFilter, Journal, JournalError, Routing, StoredEvent};
use crate::json::Json;
use crate::rules::{RuleSet, Serving};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Events read, routed and committed together; each may be as large as a body.
const PAGE: usize = 50;

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Events {
    These(Vec<EventId>),
    /// Hookyard's own only if it names their source: what comes of an event comes anew with its
    /// replay.
    Like(EventFilter),
}

/// A wish, as `POST /api/replay` takes it: `{"ids": […]}` or `{"filter": {…}}`, perhaps `"rule"`,
/// perhaps `"dry": true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaying {
    pub events: Events,
    /// Only what this rule makes of them.
    pub rule: Option<String>,
    /// Only route and count.
    pub dry: bool,
}

impl Replaying {
    /// Reads a wish.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(body: &[u8], now: Timestamp) -> Result<Self, Wrong> {
        let object = object(body)?;
        for name in object.keys() {
            check_name(name, &["ids", "filter", "rule", "dry"])?;
        }
        let events = match (object.get("ids"), object.get("filter")) {
            (Some(ids), None) => Events::These(read_ids(ids, "ids")?),
            (None, Some(Json::Object(filter))) => {
                Events::Like(event_filter(&Fields::of_object(filter, OF_EVENTS)?, now)?)
            }
            (None, Some(_)) => return Err(Wrong("`filter` is an object".into())),
            _ => return Err(Wrong("either `ids` or `filter` says which events".into())),
        };
        let rule = match object.get("rule") {
            None => None,
            Some(Json::String(rule)) => Some(rule.to_string()),
            Some(other) => return Err(Wrong(format!("`rule` is the name of a rule, not {other}"))),
        };
        Ok(Self { events, rule, dry: read_dry(&object)? })
    }

    /// As [`Self::read`] takes it.
    pub fn to_json(&self) -> Json {
        let events = match &self.events {
            Events::These(ids) => ("ids", Json::Array(ids.iter().map(|id| id.to_string().into()).collect())),
            Events::Like(filter) => ("filter", event_filter_json(filter)),
        };
        let rule = self.rule.as_deref().map(|rule| ("rule", Json::from(rule)));
        Json::object([events, ("dry", self.dry.into())].into_iter().chain(rule))
    }
}

/// What is wrong with the name of a rule, if no rule that is on has it.
pub fn unknown_rule(rule: &str, rules: &RuleSet) -> Option<Wrong> {
    let names = || rules.rules.iter().map(|rule| rule.name.as_str());
    if names().any(|name| name == rule) {
        return None;
    }
    let hint = did_you_mean(rule, names()).map(|meant| format!(": did you mean `{meant}`?"));
    Some(Wrong(format!("there is no rule `{rule}` that is on{}", hint.unwrap_or_default())))
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub events: u64,
    /// Of those, how many a rule has matched now.
    pub matched: u64,
    /// Deliveries by rule and action.
    pub deliveries: BTreeMap<(String, String), u64>,
    /// What was asked for by its id and is not replayed, and why.
    pub passed_over: Vec<(EventId, &'static str)>,
}

impl Replayed {
    /// As `POST /api/replay` answers.
    pub fn to_json(&self, dry: bool, generation: Option<u64>) -> Json {
        let by = |((rule, action), count): (&(String, String), &u64)| {
            let (rule, action) = (rule.as_str().into(), action.as_str().into());
            Json::object([("rule", rule), ("action", action), ("count", Json::from(*count))])
        };
        let why = |(id, why): &(EventId, &str)| {
            Json::object([("id", Json::from(id.to_string())), ("why", (*why).into())])
        };
        Json::object([
            ("events", self.events.into()),
            ("matched", self.matched.into()),
            ("deliveries", self.deliveries.values().sum::<u64>().into()),
            ("by", Json::Array(self.deliveries.iter().map(by).collect())),
            ("passed_over", Json::Array(self.passed_over.iter().map(why).collect())),
            ("generation", generation.into()),
            ("dry", dry.into()),
        ])
    }

    fn count(&mut self, routing: &Routing) {
        self.events += 1;
        self.matched += u64::from(!routing.rules.is_empty());
        for delivery in &routing.deliveries {
            *self
                .deliveries
                .entry((delivery.id.rule.to_string(), delivery.id.action.to_string()))
                .or_default() += 1;
        }
    }
}

/// Routes events again and keeps what comes of it, a page at a time; or only counts. If it fails or
/// is dropped, some of them are replayed: which ones, their timelines tell.
///
/// # Errors
/// The journal's.
pub async fn replay(
    journal: &dyn Journal,
    rules: &Serving,
    wish: &Replaying,
    now: Timestamp,
) -> Result<Replayed, JournalError> {
    let mut replayed = Replayed::default();
    let mut pages = Pages::of(&wish.events);
    while let Some(page) = pages.next(journal, &mut replayed).await? {
        let mut kept = Vec::new();
        for stored in &page {
            let routing = routing(rules, stored, wish.rule.as_deref(), now);
            replayed.count(&routing);
            if !wish.dry {
                kept.push(journal.replay(stored.event.id(), routing, now));
            }
        }
        try_join_all(kept).await?;
    }
    Ok(replayed)
}

fn routing(rules: &Serving, stored: &StoredEvent, only: Option<&str>, now: Timestamp) -> Routing {
    let mut routing = rules.rules.route(&stored.event, rules.number, now);
    if let Some(only) = only {
        routing.rules.retain(|rule| rule == only);
        routing.deliveries.retain(|delivery| delivery.id.rule == only);
    }
    routing
}

/// The events, a page at a time.
enum Pages<'a> {
    These(&'a [EventId]),
    Like(EventFilter),
    Nothing,
}

impl<'a> Pages<'a> {
    fn of(events: &'a Events) -> Self {
        match events {
            Events::These(ids) => Self::These(ids),
            Events::Like(filter) => Self::Like(EventFilter { before: None, limit: PAGE, ..filter.clone() }),
        }
    }

    async fn next(
        &mut self,
        journal: &dyn Journal,
        replayed: &mut Replayed,
    ) -> Result<Option<Vec<StoredEvent>>, JournalError> {
        match self {
            Self::Nothing | Self::These([]) => Ok(None),
            Self::These(ids) => {
                let (page, rest) = ids.split_at(ids.len().min(PAGE));
                *self = Self::These(rest);
                named(journal, page, replayed).await.map(Some)
            }
            Self::Like(filter) => {
                let mut page = journal.events(filter.clone()).await?;
                let last = page.last().map(|stored| stored.event.id()).filter(|_| page.len() == PAGE);
                let with_own = filter.source.is_some();
                page.retain(|it| it.generation.is_some() && (with_own || it.event.source() != OWN_SOURCE));
                match last {
                    Some(_) => filter.before = last,
                    None => *self = Self::Nothing,
                }
                Ok(Some(page))
            }
        }
    }
}

async fn named(
    journal: &dyn Journal,
    ids: &[EventId],
    replayed: &mut Replayed,
) -> Result<Vec<StoredEvent>, JournalError> {
    let mut found = Vec::new();
    for id in ids {
        match journal.event(*id).await? {
            None => replayed.passed_over.push((*id, "there is no such event")),
            Some(stored) if stored.generation.is_none() => {
                replayed.passed_over.push((*id, "it waits for its first routing"));
            }
            Some(stored) => found.push(stored),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Replaying, Wrong> {
        Replaying::read(body.as_bytes(), "2026-11-23T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_wish_reads_back_as_written() {
        for body in [
            r#"{"ids":["evt_01JDFV3M4X0000000000000000"],"rule":"r"}"#,
            r#"{"filter":{"since":"2h","type":"t","unmatched":true},"dry":true}"#,
        ] {
            let wish = read(body).expect(body);
            assert_eq!(read(&wish.to_json().to_string()), Ok(wish), "{body}");
        }
    }

    #[test]
    fn a_wish_that_is_none_is_told_so() {
        for (body, sentence) in [
            ("{}", "either `ids` or `filter` says which events"),
            (r#"{"filter":1}"#, "`filter` is an object"),
            (r#"{"filter":{"unmatched":"x"}}"#, "`unmatched` is `true` or `false`, not `x`"),
            (r#"{"filter":{},"rule":1}"#, "`rule` is the name of a rule, not 1"),
            (r#"{"ids":["evt_01JDFV3M4X0000000000000000/r/a"]}"#, "`ids`: `evt_"),
            (r#"{"fitler":{}}"#, "there is no `fitler` here: did you mean `filter`?"),
        ] {
            let wrong = read(body).expect_err(body).to_string();
            assert!(wrong.starts_with(sentence), "{body}: {wrong}");
        }
    }
}
