//! Lengths of time as people write them: `5s`, `1h 30m`, `1.5d`.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Why a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADuration {
    #[error("it is empty")]
    Empty,
    #[error("`{0}` needs a unit, as `{0}s` has")]
    NoUnit(u64),
    #[error("`{0}` is no unit: there are ms, s, m, h, d, w, months and years, and us and ns")]
    UnknownUnit(String),
    #[error("it is longer or finer than can be counted")]
    OutOfRange,
    #[error("it is made of numbers, each with its unit")]
    Malformed,
}

impl From<humantime::DurationError> for NotADuration {
    fn from(error: humantime::DurationError) -> Self {
        use humantime::DurationError::{
            Empty, InvalidCharacter, NumberExpected, NumberOverflow, UnknownUnit,
        };
        match error {
            Empty => Self::Empty,
            UnknownUnit { unit, value, .. } if unit.is_empty() => Self::NoUnit(value),
            UnknownUnit { unit, .. } => Self::UnknownUnit(unit),
            NumberOverflow => Self::OutOfRange,
            InvalidCharacter(_) | NumberExpected(_) => Self::Malformed,
        }
    }
}

/// Reads a length of time. Never panics: such a text may be a sender's.
///
/// # Errors
/// [`NotADuration`].
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let mut sum = Duration::ZERO;
    for part in parts(text) {
        sum = sum.checked_add(read(part)?).ok_or(NotADuration::OutOfRange)?;
    }
    Ok(sum)
}

/// So long before `now`; the beginning of all times, if that was even earlier.
pub fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}

#[expect(clippy::disallowed_methods, reason = "one part alone is never summed up")]
fn read(part: &str) -> Result<Duration, NotADuration> {
    Ok(humantime::parse_duration(part)?)
}

/// `1h`, `30m` of `1h 30m`: a part begins at a digit behind a unit. Each is read alone, since the sum
/// that humantime makes of them panics at the largest of all.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut after_unit = false;
    let mut begins = |c: char| {
        let begins = c.is_ascii_digit() && after_unit;
        after_unit = c.is_alphabetic() || after_unit && !begins;
        begins
    };
    let mut starts: Vec<usize> = vec![0];
    starts.extend(text.char_indices().filter(|(_, c)| begins(*c)).map(|(at, _)| at));
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([text.len()]).collect();
    starts.into_iter().zip(ends).map(|(start, end)| &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_longer_ago_than_can_be_counted_is_the_beginning() {
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert_eq!(before(now, Duration::from_secs(3600)), "2026-11-23T07:00:00Z".parse().unwrap());
        for age in [parse("99999999y").unwrap(), Duration::MAX] {
            assert_eq!(before(now, age), Timestamp::MIN);
        }
    }

    #[test]
    fn parts_are_added_up() {
        for (text, milliseconds) in [
            ("1h 30m", 5_400_000),
            ("90m", 5_400_000),
            ("1h30m", 5_400_000),
            (" 5 min ", 300_000),
            ("1.5h", 5_400_000),
            ("2days 1s", 172_801_000),
            ("1 000ms", 1_000),
            ("0s", 0),
            ("1000000us 7ms", 1_007),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_why() {
        for (text, why) in [
            ("", "it is empty"),
            (" ", "it is empty"),
            ("5", "`5` needs a unit, as `5s` has"),
            (
                "5 parsecs",
                "`parsecs` is no unit: there are ms, s, m, h, d, w, months and years, and us and ns",
            ),
            ("m", "it is made of numbers, each with its unit"),
            ("1h -30m", "it is made of numbers, each with its unit"),
            ("0.5ns", "it is longer or finer than can be counted"),
            // Here humantime itself panics.
            ("18446744073709551615s 1000ms", "it is longer or finer than can be counted"),
            ("18446744073709551615s 1s", "it is longer or finer than can be counted"),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), why, "{text}");
        }
        assert_eq!(parse("18446744073709551615s 999ms"), Ok(Duration::new(u64::MAX, 999_000_000)));
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(seconds in any::<u64>(), nanoseconds in 0..1_000_000_000u32) {
            let duration = Duration::new(seconds, nanoseconds);
            prop_assert_eq!(parse(&humantime::format_duration(duration).to_string()), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9hmsy. ]{0,40}|(1844674407370955161[0-9](s|ms|min) ?){1,3}|\\PC*") {
            drop(parse(&text));
        }
    }
}
