//! Storm control and order: the keys of a rule that say which of many events act, and which one waits.

use super::compile::Compiler;
use super::file::RawRule;
use super::keys::{self, Key};
use super::options;
use super::report::Report;
use super::{Rule, RuleSet};
use crate::event::{Event, WINDOW};
use crate::journal::{Storm, StormKind};
use crate::json::Json;
use crate::pattern::similar_zone;
use crate::registry::{Param, ParamType};
use crate::template::{Params, Scope};
use crate::yaml::{Entry, Node, Value};
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// A longer key is kept as its digest.
const MAX_KEY_BYTES: usize = 512;
/// Unless a debounce says otherwise it lasts at most so many times its quiet time.
const DEBOUNCE_MAX: u32 = 10;
/// How many events may be counted or collected, and how many are collected unless it says.
const MOST_EVENTS: u32 = 1_000;
const COLLECTED: u32 = 500;

const PER: &[Param<'static>] =
    &[Param { name: "per", ty: ParamType::String, required: false, summary: "Events with the same value." }];

/// The control of a rule.
pub(super) struct Control {
    kind: Kind,
    per: Params,
}

enum Kind {
    Throttle { within: Duration },
    Debounce { quiet: Duration, max: Duration },
    Threshold { count: u32, within: Duration },
    Collect { end: End, max: u32 },
}

/// When a collection ends.
enum End {
    After(Duration),
    /// When a clock on the wall in that zone next shows this time.
    At(Time, TimeZone),
}

/// What makes the deliveries of a rule come one after the other.
pub(super) struct Order(Params);

impl Compiler<'_> {
    /// The one control that a rule has.
    pub(super) fn control(&self, raw: &RawRule<'_>, report: &mut Report<'_>) -> Option<Control> {
        let (first, rest) = raw.storms.split_first()?;
        for entry in rest {
            let message =
                format!("`{}` and `{}` are both there: a rule has one of them", first.key, entry.key);
            report.error_with(entry.key_span, message, Some("make a rule of its own of the other"));
        }
        let kind = match first.key.as_str() {
            "throttle" => throttle(first, report),
            "debounce" => debounce(first, report),
            "threshold" => threshold(first, report),
            _ => collect(first, report),
        };
        let per = self.per(&first.node, report);
        Some(Control { kind: kind?, per: per? })
    }

    pub(super) fn order(&self, node: &Node, report: &mut Report<'_>) -> Option<Order> {
        for entry in report.entries(node, "`order`") {
            report.key(entry, "`order`", keys::ORDER);
        }
        if node.get("per").is_none() {
            let help = "write `order: {per: \"{{ payload.task_id }}\"}`, or `order: {per: all}` for one after the other";
            report.error_with(node.span, "`order` has no `per`: what keeps events apart", Some(help));
            return None;
        }
        self.per(node, report).map(Order)
    }

    /// The key's template. It says which window an event belongs to, so that it has none yet.
    fn per(&self, node: &Node, report: &mut Report<'_>) -> Option<Params> {
        let given = node.get("per");
        let json = Json::object(given.map(|per| ("per", per.to_json())));
        let compiled = Params::compile(&json, PER, &self.vars);
        let per = compiled
            .map_err(|errors| errors.into_iter().for_each(|error| report.config(node, error)))
            .ok()?;
        if per.reads(WINDOW) {
            let help = "write what the event itself has, as in \"{{ payload.task_id }}\"";
            let span = given.map_or(node.span, |per| per.span);
            report.error_with(span, "`window` is not there yet when `per` is filled in", Some(help));
            return None;
        }
        Some(per)
    }
}

/// The fields of a control, each once, and what is missing of them.
fn fields<'n>(
    entry: &'n Entry,
    known: &[Key],
    report: &mut Report<'_>,
) -> impl Fn(&str) -> Option<&'n Node> + use<'n> {
    let what = format!("`{}`", entry.key);
    let fields = report.entries(&entry.node, &what);
    for field in fields {
        report.key(field, &what, known);
    }
    for key in known.iter().filter(|key| key.required && entry.node.get(key.name).is_none()) {
        report.error_with(entry.node.span, format!("{what} has no `{}`", key.name), Some(key.summary));
    }
    let node = &entry.node;
    move |name| node.get(name)
}

fn throttle(entry: &Entry, report: &mut Report<'_>) -> Option<Kind> {
    let field = fields(entry, keys::THROTTLE, report);
    Some(Kind::Throttle { within: options::positive(field("within")?, "`within`", report)? })
}

fn debounce(entry: &Entry, report: &mut Report<'_>) -> Option<Kind> {
    let field = fields(entry, keys::DEBOUNCE, report);
    let quiet = field("quiet").and_then(|node| options::positive(node, "`quiet`", report));
    let max = field("max").map(|node| options::positive(node, "`max`", report));
    let quiet = quiet?;
    let max = max.unwrap_or_else(|| Some(quiet.saturating_mul(DEBOUNCE_MAX)))?;
    if max < quiet {
        report.error(entry.node.span, "`max` is shorter than `quiet`: it would never be quiet for so long");
        return None;
    }
    Some(Kind::Debounce { quiet, max })
}

fn threshold(entry: &Entry, report: &mut Report<'_>) -> Option<Kind> {
    let field = fields(entry, keys::THRESHOLD, report);
    let count = field("count").and_then(|node| number(node, "`count`", 2, report));
    let within = field("within").and_then(|node| options::positive(node, "`within`", report));
    Some(Kind::Threshold { count: count?, within: within? })
}

fn collect(entry: &Entry, report: &mut Report<'_>) -> Option<Kind> {
    let field = fields(entry, keys::COLLECT, report);
    let max = field("max").map_or(Some(COLLECTED), |node| number(node, "`max`", 1, report));
    let end = match (field("within"), field("until")) {
        (Some(node), None) => options::positive(node, "`within`", report).map(End::After),
        (None, Some(node)) => {
            let (time, zone) = (clock_time(node, report), zone(field("zone"), report));
            time.zip(zone).map(|(time, zone)| End::At(time, zone))
        }
        _ => {
            let help = "write `within: 10m`, or `until: \"08:00\"` with a `zone`";
            report.error_with(entry.node.span, "`collect` ends either after a time or at one", Some(help));
            None
        }
    };
    if let (None, Some(node)) = (field("until"), field("zone")) {
        report.error(node.span, "`zone` belongs to `until`, which is not there");
    }
    Some(Kind::Collect { end: end?, max: max? })
}

fn number(node: &Node, what: &str, least: u32, report: &mut Report<'_>) -> Option<u32> {
    let number = match &node.value {
        Value::Number(number) => number.as_i64().and_then(|number| u32::try_from(number).ok()),
        _ => None,
    };
    let fits = number.filter(|number| (least..=MOST_EVENTS).contains(number));
    if fits.is_none() {
        report.error(node.span, format!("{what} is a whole number from {least} to {MOST_EVENTS}"));
    }
    fits
}

fn clock_time(node: &Node, report: &mut Report<'_>) -> Option<Time> {
    let text = report.text(node, "`until`")?;
    let time = Time::strptime("%H:%M", text).ok().filter(|_| text.len() == 5);
    if time.is_none() {
        report.error(node.span, format!("`until` is a time of day such as \"08:00\", unlike `{text}`"));
    }
    time
}

fn zone(node: Option<&Node>, report: &mut Report<'_>) -> Option<TimeZone> {
    let Some(node) = node else { return Some(TimeZone::UTC) };
    let name = report.text(node, "`zone`")?;
    let zone = TimeZone::get(name).ok();
    if zone.is_none() {
        let help = match similar_zone(name) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "zones are named as in `Europe/Berlin`".to_owned(),
        };
        report.error_with(node.span, format!("there is no time zone `{name}`"), Some(help));
    }
    zone
}

impl Rule {
    /// The event as an attempt at one of the rule's actions sees it. Where storms are controlled and
    /// none has decided over it (a replay, a dry run) it has a window of its own.
    pub(super) fn seen(&self, event: &Arc<Event>) -> Arc<Event> {
        if self.control.is_none() || event.get(WINDOW).is_some() {
            return Arc::clone(event);
        }
        let document = Json::clone(&event.shared());
        let mut window = vec![("count", Json::from(1u32)), ("first", document.clone())];
        if self.control.as_ref().is_some_and(|control| matches!(control.kind, Kind::Collect { .. })) {
            window.push(("events", vec![document].into()));
        }
        Arc::new(event.with_window(Json::object(window)))
    }
}

impl Control {
    /// The control as it is for an event.
    ///
    /// # Errors
    /// Its key cannot be filled in.
    pub(super) fn storm(
        &self,
        rule: &str,
        event: &Event,
        rules: &RuleSet,
        now: Timestamp,
    ) -> Result<Storm, String> {
        let kind = match &self.kind {
            Kind::Throttle { within } => StormKind::Throttle { until: later(now, *within) },
            Kind::Debounce { quiet, max } => StormKind::Debounce { quiet: *quiet, max: *max },
            Kind::Threshold { count, within } => StormKind::Threshold { count: *count, within: *within },
            Kind::Collect { end: End::After(wait), max } => {
                StormKind::Collect { until: later(now, *wait), max: *max }
            }
            Kind::Collect { end: End::At(time, zone), max } => {
                StormKind::Collect { until: next(now, *time, zone), max: *max }
            }
        };
        Ok(Storm { rule: rule.to_owned(), key: key(&self.per, event, rules)?, kind })
    }
}

impl Order {
    /// The key of an event's deliveries.
    ///
    /// # Errors
    /// It cannot be filled in.
    pub(super) fn key(&self, event: &Event, rules: &RuleSet) -> Result<String, String> {
        key(&self.0, event, rules)
    }
}

/// The key as text; secrets in it are their names.
fn key(per: &Params, event: &Event, rules: &RuleSet) -> Result<String, String> {
    let scope = Scope { event, vars: &rules.vars, resolver: &*rules.resolver };
    let rendered =
        per.render(scope).map_err(|error| format!("`per` cannot be filled in: {}", error.message))?;
    let key = match rendered.shown().get("per") {
        None => String::new(),
        Some(Json::String(text)) => text.to_string(),
        Some(other) => other.to_string(),
    };
    match key.len() {
        0..=MAX_KEY_BYTES => Ok(key),
        _ => Ok(hex::encode(Sha256::digest(key))),
    }
}

/// When that time of day comes next.
fn next(now: Timestamp, time: Time, zone: &TimeZone) -> Timestamp {
    let today = zone.to_datetime(now).date();
    let at = |date: jiff::civil::Date| zone.to_timestamp(date.to_datetime(time)).ok();
    let tomorrow = || at(today.checked_add(1.day()).ok()?);
    at(today).filter(|at| *at > now).or_else(tomorrow).unwrap_or(Timestamp::MAX)
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_next_one_there_also_over_a_change_of_the_clocks() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |now: &str, hour: i8, minute: i8| {
            next(now.parse().unwrap(), Time::new(hour, minute, 0, 0).unwrap(), &zone).to_string()
        };
        assert_eq!(at("2026-11-26T06:59:59Z", 8, 0), "2026-11-26T07:00:00Z");
        assert_eq!(at("2026-11-26T07:00:00Z", 8, 0), "2026-11-27T07:00:00Z");
        // Clocks go back on 25 October 2026, and forward on 29 March 2026, when 02:30 is not there.
        assert_eq!(at("2026-10-24T18:00:00Z", 8, 0), "2026-10-25T07:00:00Z");
        assert_eq!(at("2026-03-28T18:00:00Z", 2, 30), "2026-03-29T01:30:00Z");
    }
}
