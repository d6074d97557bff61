//! What a clock is written as.

use super::{Clock, DAYS, Days, EVERY_DAY, Hours, MINUTES_OF_DAY, OPERATOR};
use crate::diagnostic::{Problem, Span, did_you_mean};
use crate::pattern::Test;
use crate::yaml::{Entry, Node, Value};
use jiff::tz::TimeZone;

const HELP: &str = "write `[{clock: {zone: Europe/Berlin, days: mon-fri, hours: \"09:00-18:00\"}}]`";

pub(super) fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let Value::Map(entries) = &node.value else {
        let message = format!("`clock` takes a map of `zone`, `days` and `hours`, not a {}", node.kind());
        problems.push(Problem::error(node.span, message).with_help(HELP));
        return None;
    };
    let before = problems.len();
    problems.extend(entries.iter().filter_map(unknown_key));
    let zone = match node.get("zone") {
        Some(zone) => read(zone_of(zone), problems),
        None => read(Err(Problem::error(node.span, "`clock` has no `zone`").with_help(HELP)), problems),
    };
    let days = node.get("days").map(|node| read(days_of(node), problems));
    let hours = node.get("hours").map(|node| read(hours_of(node), problems));
    if days.is_none() && hours.is_none() && problems.len() == before {
        let problem =
            Problem::error(node.span, "`clock` has neither `days` nor `hours`: every time would do");
        problems.push(problem.with_help(HELP));
    }
    let clock = Clock {
        zone: zone?,
        days: days.unwrap_or(Some(EVERY_DAY))?,
        hours: hours.unwrap_or(Some(Box::default()))?,
    };
    (problems.len() == before).then_some(Test::Clock(clock))
}

fn read<T>(made: Result<T, Problem>, problems: &mut Vec<Problem>) -> Option<T> {
    made.map_err(|problem| problems.push(problem)).ok()
}

fn unknown_key(entry: &Entry) -> Option<Problem> {
    let Entry { key, key_span, .. } = entry;
    let known = || OPERATOR.kind.schema.iter().map(|param| param.name);
    if known().any(|known| known == key) {
        return None;
    }
    let problem = Problem::error(*key_span, format!("`clock` has no key `{key}`"));
    Some(problem.with_help(match did_you_mean(key, known()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("its keys are {}", known().collect::<Vec<_>>().join(", ")),
    }))
}

fn zone_of(node: &Node) -> Result<TimeZone, Problem> {
    let Value::String(name) = &node.value else {
        let message = format!("a zone is a name, not a {}", node.kind());
        return Err(Problem::error(node.span, message).with_help("write `zone: Europe/Berlin`"));
    };
    TimeZone::get(name).map_err(|_| {
        let problem = Problem::error(node.span, format!("there is no time zone `{name}`"));
        problem.with_help(match similar_zone(name) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "zones are named as in `Europe/Berlin`; `UTC` is one too".to_owned(),
        })
    })
}

/// A zone whose city has been given, or whose whole name is nearly the same.
pub(crate) fn similar_zone(name: &str) -> Option<String> {
    let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    let city = name.trim().replace(' ', "_");
    let is_city = |zone: &&String| zone.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(&city));
    let by_city = zones.iter().filter(|zone| zone.contains('/')).find(is_city).map(String::as_str);
    by_city.or_else(|| did_you_mean(name, zones.iter().map(String::as_str))).map(str::to_owned)
}

/// The texts of a string or of a list of strings, each split at its commas.
fn parts<'a>(node: &'a Node, what: &str) -> Result<Vec<(&'a str, Span)>, Problem> {
    let items = match &node.value {
        Value::List(items) if !items.is_empty() => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut found = Vec::new();
    for item in items {
        let Value::String(text) = &item.value else {
            let message = format!("{what} are a string or a list of strings, not a {}", item.kind());
            return Err(Problem::error(item.span, message).with_help(HELP));
        };
        found.extend(text.split(',').map(|part| (part.trim(), item.span)));
    }
    Ok(found)
}

fn days_of(node: &Node) -> Result<Days, Problem> {
    let mut days = 0;
    for (part, span) in parts(node, "days")? {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first.trim(), span)?, day(last.trim(), span)?);
        // A range may pass the end of the week: `fri-mon`.
        let count = (last + 7 - first) % 7;
        (0..=count).for_each(|offset| days |= 1 << ((first + offset) % 7));
    }
    Ok(Days(days))
}

fn day(text: &str, span: Span) -> Result<usize, Problem> {
    DAYS.iter().position(|name| *name == text).ok_or_else(|| {
        let lower = text.to_lowercase();
        let longer = DAYS.iter().find(|name| lower.starts_with(**name)).copied();
        let problem = Problem::error(span, format!("`{text}` is no day"));
        problem.with_help(match longer.or_else(|| did_you_mean(text, DAYS)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("days are {}; write `mon-fri` or `sat,sun`", DAYS.join(", ")),
        })
    })
}

fn hours_of(node: &Node) -> Result<Box<[Hours]>, Problem> {
    let spans = parts(node, "hours")?;
    spans.into_iter().map(|(part, span)| hours(part, span)).collect()
}

fn hours(text: &str, span: Span) -> Result<Hours, Problem> {
    let refused = |message: String| Err(Problem::error(span, message).with_help("write `\"09:00-18:00\"`"));
    let minutes = text.split_once('-').map(|(from, to)| (minute_of_day(from), minute_of_day(to)));
    let Some((Some(from_minute), Some(to_minute))) = minutes else {
        return refused(format!("`{text}` are no hours"));
    };
    if from_minute == MINUTES_OF_DAY {
        return refused(format!("`{text}` begins at 24:00, which is 00:00 of the next day"));
    }
    if from_minute == to_minute {
        let problem = Problem::error(span, format!("`{text}` begins and ends at the same time"));
        return Err(problem.with_help("for the whole day leave `hours` out"));
    }
    Ok(Hours { from_minute, to_minute })
}

/// `09:00`, `9:00`, and `24:00` for the end of a day.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) || !matches!(hour.len(), 1 | 2) || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    (minute < 60 && hour * 60 + minute <= MINUTES_OF_DAY).then_some(hour * 60 + minute)
}
