//! `clock`: timestamps that fall on some days and hours of a time zone.

use super::{Example, Operator, Test};
use crate::diagnostic::{Problem, Span, did_you_mean};
use crate::registry::{Param, ParamType};
use crate::yaml::{Entry, Node, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

pub(super) const OPERATOR: Operator = Operator::new(
    "clock",
    "Timestamps that fall on some days and hours of a time zone.",
    build,
)
.with_notes(
    "For a field such as `received_at` or `timestamp`: a string as in RFC 3339, `2026-11-23T08:00:00Z`, with \
     any offset. `zone` is a name of the IANA database; its summer time is followed, and what counts is \
     what a clock on the wall there shows. `days` is `mon-fri`, `sat,sun` or a list; without it every day. \
     `hours` is `\"09:00-18:00\"` or a list of such; the first minute is in, the last is not; without it \
     the whole day. Hours may pass midnight: the part after midnight then belongs to the day on which \
     they began, so `days: fri, hours: \"22:00-06:00\"` ends on Saturday at six.",
)
.with_schema(&[
    Param {
        name: "zone",
        ty: ParamType::String,
        required: true,
        summary: "The time zone: `Europe/Berlin`, `UTC`.",
    },
    Param {
        name: "days",
        ty: ParamType::Any,
        required: false,
        summary: "`mon-fri`, `sat,sun`, or a list of days and ranges; every day if absent.",
    },
    Param {
        name: "hours",
        ty: ParamType::Any,
        required: false,
        summary: "`\"09:00-18:00\"`, or a list of such; the whole day if absent.",
    },
])
.with_examples(&[
    Example {
        pattern: "received_at: [{clock: {zone: Europe/Berlin, days: mon-fri, hours: \"09:00-18:00\"}}]",
        matches: &["{received_at: \"2026-11-23T08:00:00Z\"}", "{received_at: \"2026-07-20T07:00:00Z\"}"],
        differs: &["{received_at: \"2026-11-23T17:00:00Z\"}", "{received_at: \"2026-11-22T12:00:00Z\"}"],
    },
    Example {
        pattern: "received_at: [{clock: {zone: UTC, days: fri, hours: \"22:00-06:00\"}}]",
        matches: &["{received_at: \"2026-11-20T22:00:00Z\"}", "{received_at: \"2026-11-21T05:59:59Z\"}"],
        differs: &["{received_at: \"2026-11-20T05:00:00Z\"}", "{received_at: \"2026-11-21T22:00:00Z\"}"],
    },
]);

/// When a clock on the wall of a zone has to show what.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    zone: TimeZone,
    days: Days,
    /// No span is the whole day.
    hours: Box<[Hours]>,
}

/// Days of the week: bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days(u8);

/// From a minute of the day to before another, which is the next day's if it is not later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from_minute: u16,
    to_minute: u16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const KEYS: [&str; 3] = ["zone", "days", "hours"];
const EVERY_DAY: Days = Days(0b111_1111);
const MINUTES_OF_DAY: u16 = 24 * 60;
const HELP: &str = "write `[{clock: {zone: Europe/Berlin, days: mon-fri, hours: \"09:00-18:00\"}}]`";

impl Clock {
    pub(super) fn is_time(&self, text: &str) -> bool {
        instant(text).is_some_and(|instant| self.shows(instant))
    }

    fn shows(&self, instant: Timestamp) -> bool {
        let there = self.zone.to_datetime(instant);
        let today = there.weekday().to_monday_zero_offset();
        let minute = u16::from(there.hour().unsigned_abs()) * 60 + u16::from(there.minute().unsigned_abs());
        if self.hours.is_empty() {
            return self.days.has(today);
        }
        let yesterday = (today + 6) % 7;
        self.hours.iter().any(|hours| {
            (self.days.has(today) && hours.today(minute))
                || (self.days.has(yesterday) && hours.spilled(minute))
        })
    }

    /// What the clock shows then, for people: `Sat 23:05 in Europe/Berlin`. `None` if the text is
    /// no timestamp.
    pub(super) fn reading(&self, text: &str) -> Option<String> {
        let there = self.zone.to_datetime(instant(text)?);
        Some(format!("{} in {}", there.strftime("%a %Y-%m-%d %H:%M"), self.zone_name()))
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// The shape is looked at first, because jiff's errors allocate and its grammar is wider.
fn instant(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let date_time = bytes.get(.."0000-00-00T00:00:00".len())?;
    let shaped = date_time.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b't' | b' '),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let ends = bytes.ends_with(b"Z") || bytes.ends_with(b"z") || bytes.iter().rev().take(6).any(is_sign);
    (shaped && ends).then(|| text.parse().ok())?
}

fn is_sign(byte: &u8) -> bool {
    matches!(byte, b'+' | b'-')
}

impl Days {
    fn has(self, day: i8) -> bool {
        self.0 >> day & 1 == 1
    }
}

impl Hours {
    fn passes_midnight(self) -> bool {
        self.to_minute <= self.from_minute
    }

    /// Whether the minute is in the part before midnight (or in all of it).
    fn today(self, minute: u16) -> bool {
        minute >= self.from_minute && (self.passes_midnight() || minute < self.to_minute)
    }

    /// Whether the minute is in the part after midnight.
    fn spilled(self, minute: u16) -> bool {
        self.passes_midnight() && minute < self.to_minute
    }
}

/// As it would be written: `mon-fri 09:00-18:00 in Europe/Berlin`.
impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != EVERY_DAY {
            write!(f, "{} ", self.days)?;
        }
        for (index, hours) in self.hours.iter().enumerate() {
            write!(f, "{}{hours} ", if index > 0 { "or " } else { "" })?;
        }
        write!(f, "in {}", self.zone_name())
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut day = 0;
        let mut comma = "";
        while day < 7 {
            let run = (day..7).take_while(|day| self.has(*day)).count() as i8;
            let [first, last] = [day, (day + run - 1).max(0)].map(|day| DAYS[day.unsigned_abs() as usize]);
            match run {
                0 => {}
                1 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            if run > 0 {
                comma = ",";
            }
            day += run.max(1);
        }
        Ok(())
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [self.from_minute, self.to_minute].map(|minute| (minute / 60, minute % 60));
        write!(f, "{:02}:{:02}-{:02}:{:02}", from.0, from.1, to.0, to.1)
    }
}

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
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
    if KEYS.contains(&key.as_str()) {
        return None;
    }
    let problem = Problem::error(*key_span, format!("`clock` has no key `{key}`"));
    Some(problem.with_help(match did_you_mean(key, KEYS) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("its keys are {}", KEYS.join(", ")),
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
fn similar_zone(name: &str) -> Option<String> {
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
