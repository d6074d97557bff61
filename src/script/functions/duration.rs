//! `Duration`: a length of time that scripts read, compare and calculate with.

use super::{Fallible, Function, excerpt, field};
use crate::duration;
use crate::script::{convert, fault};
use jiff::SignedDuration;
use rhai::{Dynamic, Engine, FLOAT, INT, ImmutableString, Variant};
use std::fmt;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "duration(value: any) -> Duration",
        summary: "The duration that a text like `\"1h 30m\"` or a number of seconds means; it compares, adds, \
                  subtracts, takes `* 2`, and is what `retry` and `after` take.",
        example: r#"duration("90m") + "30s""#,
        gives: r#""1h 30m 30s""#,
    },
    Function {
        module: "",
        signature: "seconds(duration: Duration) -> int",
        summary: "Its whole seconds.",
        example: r#"duration("1h 30m").seconds"#,
        gives: "5400",
    },
    Function {
        module: "",
        signature: "milliseconds(duration: Duration) -> int",
        summary: "Its whole milliseconds.",
        example: "duration(1.5).milliseconds",
        gives: "1500",
    },
];

/// Between two times it may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::script) struct Span(pub SignedDuration);

/// `1h 30m`, as durations are written in rules.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0.is_negative() { "-" } else { "" };
        write!(f, "{sign}{}", humantime::format_duration(self.0.unsigned_abs()))
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Span>("Duration");
    engine.register_fn("to_string", |span: &mut Span| span.to_string());
    engine.register_fn("to_debug", |span: &mut Span| span.to_string());
    engine.register_fn("duration", |value: Dynamic| read(&value, "the value").map(Span));
    field(engine, "seconds", |span: &Span| span.0.as_secs());
    field(engine, "milliseconds", |span: &Span| INT::try_from(span.0.as_millis()).unwrap_or(INT::MAX));
    operators::<Span>(engine);
    operators::<ImmutableString>(engine);
    operators::<INT>(engine);
    operators::<FLOAT>(engine);
    engine.register_fn("*", times);
    engine.register_fn("*", |factor: INT, span: Span| times(span, factor));
}

/// `+` and `-` with something that means a duration.
fn operators<T: Variant + Clone>(engine: &mut Engine) {
    engine.register_fn("+", |span: Span, other: T| {
        let other = read(&Dynamic::from(other), "what is added")?;
        in_range(span.0.checked_add(other))
    });
    engine.register_fn("-", |span: Span, other: T| {
        let other = read(&Dynamic::from(other), "what is subtracted")?;
        in_range(span.0.checked_sub(other))
    });
}

fn times(span: Span, factor: INT) -> Fallible<Span> {
    let nanoseconds = span.0.as_nanos().checked_mul(factor.into());
    in_range(nanoseconds.and_then(SignedDuration::try_from_nanos_i128))
}

fn in_range(span: Option<SignedDuration>) -> Fallible<Span> {
    span.map(Span).ok_or_else(|| fault("the duration is longer than can be counted"))
}

/// What means a duration: one, a text like `"5m"`, or a number of seconds. `what` names it in the
/// error.
pub(in crate::script) fn read(value: &Dynamic, what: &str) -> Fallible<SignedDuration> {
    let read = if let Some(span) = value.read_lock::<Span>() {
        Some(span.0)
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        parse(&text)
    } else if let Ok(seconds) = value.as_int() {
        Some(SignedDuration::from_secs(seconds))
    } else {
        value.as_float().ok().and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok())
    };
    read.ok_or_else(|| unfit(value, what))
}

pub(in crate::script) fn unfit(value: &Dynamic, what: &str) -> Box<rhai::EvalAltResult> {
    let shown = match value.read_lock::<ImmutableString>() {
        Some(text) => excerpt(&text),
        None => convert::to_json(value).map_or_else(|error| error.to_string(), |json| json.to_string()),
    };
    fault(format!("{what} is a duration like `\"5m\"` or a number of seconds, not {shown}"))
}

fn parse(text: &str) -> Option<SignedDuration> {
    let text = text.trim_start();
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let length = SignedDuration::try_from(duration::parse(text).ok()?).ok()?;
    if negative { length.checked_neg() } else { Some(length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_reads_as_in_rules_and_no_text_panics() {
        assert_eq!(parse(" 1h 30m"), Some(SignedDuration::from_secs(5400)));
        assert_eq!(parse("-1m 1s"), Some(SignedDuration::from_secs(-61)));
        for text in ["", "-", "5", "m", "1h -30m", "--1s", "1h x", "18446744073709551615s 1000ms", "1e9s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(seconds in any::<i64>(), nanoseconds in -999_999_999..=999_999_999i32) {
            let span = Span(SignedDuration::new(seconds.clamp(-1 << 60, 1 << 60), nanoseconds));
            prop_assert_eq!(parse(&span.to_string()), Some(span.0));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9hmsy. ]{0,30}|\\PC*") {
            parse(&text);
        }
    }
}
