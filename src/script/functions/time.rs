//! `Time`: an instant, exact to the nanosecond, that prints as RFC 3339 in UTC; and `time::…`.

use super::duration::{Span, read as read_duration};
use super::{Fallible, Function, add, excerpt, field, placed};
use crate::json::Number;
use crate::pattern::{DAYS, similar_zone};
use crate::script::number::Exact;
use crate::script::{fault, state};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil, fmt};
use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, Map, Module, NativeCallContext, Variant};

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "time",
        signature: "now() -> Time",
        summary: "The time now.",
        example: r#"time::now() + "5m""#,
        gives: "",
    },
    Function {
        module: "time",
        signature: "parse(text: String) -> Time",
        summary: "The time that a text in RFC 3339 or of a mail or HTTP header means; times compare, and the \
                  difference of two is a duration.",
        example: r#"time::parse("2026-11-23T09:00:00+01:00") - "1h""#,
        gives: r#""2026-11-23T07:00:00Z""#,
    },
    Function {
        module: "time",
        signature: "unix(seconds: int) -> Time",
        summary: "The time so many seconds after 1970 began in UTC.",
        example: "time::unix(1764000000)",
        gives: r#""2025-11-24T16:00:00Z""#,
    },
    Function {
        module: "time",
        signature: "unix(seconds: float) -> Time",
        summary: "The time so many seconds after 1970 began in UTC, with their fraction.",
        example: "time::unix(1764000000.25)",
        gives: r#""2025-11-24T16:00:00.25Z""#,
    },
    Function {
        module: "time",
        signature: "format(time: Time, format: String) -> String",
        summary: "The time in UTC as `strftime` would write it.",
        example: r#"time::format(time::unix(1764000000), "%Y-%m-%d")"#,
        gives: r#""2025-11-24""#,
    },
    Function {
        module: "time",
        signature: "format(time: Time, format: String, zone: String) -> String",
        summary: "The time in a zone of the IANA database as `strftime` would write it.",
        example: r#"time::format(time::unix(1764000000), "%a %-d %b, %H:%M", "Europe/Berlin")"#,
        gives: r#""Mon 24 Nov, 17:00""#,
    },
    Function {
        module: "",
        signature: "in_zone(time: Time, zone: String) -> map",
        summary: "What calendar and clock show in a zone: `year`, `month`, `day`, `hour`, `minute`, `second`, \
                  and `weekday` from `mon` to `sun`.",
        example: r#"time::unix(1764000000).in_zone("Asia/Tokyo")"#,
        gives: r#"{"day":25,"hour":1,"minute":0,"month":11,"second":0,"weekday":"tue","year":2025}"#,
    },
    Function {
        module: "",
        signature: "unix(time: Time) -> int",
        summary: "The whole seconds since 1970 began in UTC.",
        example: r#"time::parse("Mon, 24 Nov 2025 16:00:00 GMT").unix"#,
        gives: "1764000000",
    },
    Function {
        module: "",
        signature: "unix_ms(time: Time) -> int",
        summary: "The whole milliseconds since 1970 began in UTC.",
        example: "time::unix(1764000000.5).unix_ms",
        gives: "1764000000500",
    },
];

/// A longer text is no time, and not worth reading.
const MAX_TEXT_BYTES: usize = 100;

/// About what one `%c` of a format costs.
const DIRECTIVE_BYTES: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::script) struct Time(pub Timestamp);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Time>("Time");
    engine.register_fn("to_string", |time: &mut Time| time.to_string());
    engine.register_fn("to_debug", |time: &mut Time| time.to_string());
    engine.register_fn("in_zone", in_zone);
    field(engine, "unix", |time: &Time| time.0.as_second());
    field(engine, "unix_ms", |time: &Time| time.0.as_millisecond());
    engine.register_fn("-", |a: Time, b: Time| Span(a.0.duration_since(b.0)));
    operators::<Span>(engine);
    operators::<ImmutableString>(engine);
    operators::<INT>(engine);
    operators::<FLOAT>(engine);
    engine.register_static_module("time", module().into());
}

/// The module again, with `time::now`.
pub(super) fn register_clock(engine: &mut Engine) {
    let mut module = module();
    add(&mut module, "now", || Time(Timestamp::now()));
    engine.register_static_module("time", module.into());
}

fn module() -> Module {
    let mut module = Module::new();
    add(&mut module, "parse", |call: NativeCallContext, text: ImmutableString| placed(&call, parse(&text)));
    add(&mut module, "unix", |call: NativeCallContext, seconds: INT| placed(&call, unix(&seconds.into())));
    add(&mut module, "unix", |call: NativeCallContext, seconds: FLOAT| placed(&call, unix_float(seconds)));
    add(&mut module, "unix", |call: NativeCallContext, seconds: Exact| placed(&call, unix(&seconds.0)));
    add(&mut module, "format", |call: NativeCallContext, time: Time, format: ImmutableString| {
        placed(&call, write(time, &format, TimeZone::UTC))
    });
    add(
        &mut module,
        "format",
        |call: NativeCallContext, time: Time, format: ImmutableString, name: ImmutableString| {
            placed(&call, zone(&name).and_then(|zone| write(time, &format, zone)))
        },
    );
    module
}

/// `time + "5m"` and `time - "5m"`, for all that means a duration.
fn operators<T: Variant + Clone>(engine: &mut Engine) {
    engine.register_fn("+", |time: Time, other: T| {
        let wait = read_duration(&Dynamic::from(other), "what is added to a time")?;
        shift(time, Some(wait))
    });
    engine.register_fn("-", |time: Time, other: T| {
        let wait = read_duration(&Dynamic::from(other), "what is subtracted from a time")?;
        shift(time, wait.checked_neg())
    });
}

fn shift(time: Time, by: Option<SignedDuration>) -> Fallible<Time> {
    let shifted = by.and_then(|by| time.0.checked_add(by).ok());
    shifted.map(Time).ok_or_else(|| fault("the time is not within the years -9999 to 9999"))
}

fn parse(text: &str) -> Fallible<Time> {
    let short = Some(text.trim()).filter(|text| text.len() <= MAX_TEXT_BYTES);
    let read = short.and_then(|text| {
        let mail = || fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
        text.parse::<Timestamp>().or_else(|_| mail()).ok()
    });
    read.map(Time).ok_or_else(|| {
        let local = short.is_some_and(|text| text.parse::<civil::DateTime>().is_ok());
        let help = match local {
            true => "has no offset from UTC: add `Z`, or one like `+01:00`",
            false => "is not a time like `2026-11-23T08:00:00Z` or `Mon, 23 Nov 2026 08:00:00 GMT`",
        };
        fault(format!("{} {help}", excerpt(text)))
    })
}

fn unix_float(seconds: FLOAT) -> Fallible<Time> {
    let number = Number::from_f64(seconds);
    unix(&number.ok_or_else(|| fault(format!("{seconds} is not a finite number")))?)
}

/// By the digits, since a double has too few for seconds and nanoseconds.
fn unix(seconds: &Number) -> Fallible<Time> {
    let text = seconds.text();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds: Option<i32> = format!("{fraction:0<9.9}").parse().ok();
    let nanoseconds = nanoseconds.map(|count| if text.starts_with('-') { -count } else { count });
    let time = match (whole.parse(), nanoseconds) {
        (Ok(seconds), Some(nanoseconds)) => Timestamp::new(seconds, nanoseconds).ok(),
        // It has an exponent (or is too large): there are no nanoseconds in it to keep.
        _ => SignedDuration::try_from_secs_f64(seconds.as_f64())
            .ok()
            .and_then(|seconds| Timestamp::from_duration(seconds).ok()),
    };
    time.map(Time)
        .ok_or_else(|| fault(format!("{} is no time in seconds: divide milliseconds by 1000", excerpt(text))))
}

fn zone(name: &str) -> Fallible<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        let similar = if name.len() <= MAX_TEXT_BYTES { similar_zone(name) } else { None };
        let help = match similar {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "zones are named as in `Europe/Berlin`; `UTC` is one too".to_owned(),
        };
        fault(format!("there is no time zone {}: {help}", excerpt(name)))
    })
}

fn write(time: Time, format: &str, zone: TimeZone) -> Fallible<String> {
    state::work(format.len().saturating_mul(DIRECTIVE_BYTES))?;
    let written = fmt::strtime::format(format, &time.0.to_zoned_datetime(zone));
    written.map_err(|error| fault(format!("the format {} does not work: {error}", excerpt(format))))
}

fn in_zone(time: Time, name: ImmutableString) -> Fallible<Map> {
    let there = zone(&name)?.to_datetime(time.0);
    let weekday = DAYS[usize::try_from(there.weekday().to_monday_zero_offset()).unwrap_or_default()];
    let number = |number: i64| Dynamic::from(number);
    Ok(Map::from([
        ("year".into(), number(there.year().into())),
        ("month".into(), number(there.month().into())),
        ("day".into(), number(there.day().into())),
        ("hour".into(), number(there.hour().into())),
        ("minute".into(), number(there.minute().into())),
        ("second".into(), number(there.second().into())),
        ("weekday".into(), weekday.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Limits;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn unix_seconds_are_exact(seconds in -377_705_023_201..=253_402_207_200i64, nanoseconds in 0..1_000_000_000) {
            let text = format!("{seconds}.{nanoseconds:09}");
            let sign = if seconds < 0 { -1 } else { 1 };
            let time = unix(&Number::parse(&text).expect("a decimal")).map_err(|error| error.to_string());
            prop_assert_eq!(time.map(|time| time.0).ok(), Timestamp::new(seconds, sign * nanoseconds).ok());
        }

        #[test]
        fn any_text_format_and_zone_is_taken_or_refused(text in "[-0-9T:Z+ .]{0,30}|\\PC*", seconds in any::<f64>()) {
            let limits = Limits { steps: u64::MAX, time: Duration::from_secs(60), ..Limits::default() };
            state::meter(&limits, state::Room::of_script(&limits, 0));
            drop((parse(&text), unix_float(seconds), zone(&text)));
            for format in [text.clone(), format!("%{text}"), text.replace(' ', "%_20")] {
                drop(write(Time(Timestamp::MIN), &format, TimeZone::UTC));
                drop(write(Time(Timestamp::MAX), &format, TimeZone::get("Asia/Tokyo").expect("a zone")));
            }
        }
    }
}
