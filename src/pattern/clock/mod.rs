//! `clock`: timestamps that fall on some days and hours of a time zone.

mod read;

use super::{Example, Operator, Takes};
use crate::registry::{Param, ParamType};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt;

pub(crate) use read::similar_zone;

pub(super) const OPERATOR: Operator = Operator::new(
    "clock",
    "Timestamps that fall on some days and hours of a time zone.",
    Takes::Params,
    read::build,
)
.with_notes(
    "For a field such as `received_at` or `timestamp`: a string as in RFC 3339, `2026-11-23T08:00:00Z`, \
     with any offset. `zone` is a name of the IANA database; its summer time is followed, and what counts \
     is what a clock on the wall there shows. `days` is `mon-fri`, `sat,sun` or a list; without it every \
     day. `hours` is `\"09:00-18:00\"` or a list of such; a span has its first minute and ends before its \
     last; without it the whole day. Hours may pass midnight: the part after midnight then belongs to the \
     day on which they began, so `days: fri, hours: \"22:00-06:00\"` ends on Saturday at six.",
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

/// The days of the week from Monday on, as they are written in rules.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const EVERY_DAY: Days = Days(0b111_1111);
const MINUTES_OF_DAY: u16 = 24 * 60;

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
