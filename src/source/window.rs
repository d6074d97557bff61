//! The time window: which timestamps of a request are near enough to now.

use super::config::{duration, parse_duration};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::time::Duration;

const DEFAULT: Duration = Duration::from_secs(5 * 60);

/// How far a request's timestamp may be from now: `off`, `5m`, `{past: 24h, future: 5m}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// It is signed, but not looked at.
    Off,
    /// Both ends included.
    Window { past: Duration, future: Duration },
}

/// Why a timestamp is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadTime {
    /// Neither Unix seconds nor RFC 3339.
    Form,
    /// Too old, or too far ahead.
    Outside,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self::Window { past: DEFAULT, future: DEFAULT }
    }
}

impl Tolerance {
    /// Checks the value of a timestamp header.
    pub(super) fn check(self, value: &[u8], now: Timestamp) -> Result<(), BadTime> {
        let Self::Window { past, future } = self else { return Ok(()) };
        let timestamp = parse(value).ok_or(BadTime::Form)?;
        let age = now.duration_since(timestamp);
        let limit = |limit: Duration| SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
        if age <= limit(past) && -age <= limit(future) { Ok(()) } else { Err(BadTime::Outside) }
    }
}

/// Unix seconds in ASCII digits (stricter than Python's `int`, which takes `+1`, `1_000` and
/// spaces), or RFC 3339 with its offset. Seconds past the calendar's end are that end, which is
/// outside any window.
fn parse(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(i64::MAX);
        return Some(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX));
    }
    is_rfc3339(value).then(|| text.parse().ok())?
}

/// Whether the shape is RFC 3339's `date-time` (jiff alone would take more of ISO 8601).
fn is_rfc3339(value: &[u8]) -> bool {
    let shaped = |text: &[u8], shape: &[u8]| {
        text.len() == shape.len()
            && text.iter().zip(shape).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't'),
                b'+' => matches!(byte, b'+' | b'-'),
                _ => byte == wanted,
            })
    };
    let Some((date_time, rest)) = value.split_at_checked("0000-00-00T00:00:00".len()) else { return false };
    let fraction = match rest {
        [b'.', digits @ ..] => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let offset = &rest[fraction..];
    shaped(date_time, b"0000-00-00T00:00:00")
        && fraction != 1
        && (matches!(offset, b"Z" | b"z") || shaped(offset, b"+00:00"))
}

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ToleranceVisitor)
    }
}

struct ToleranceVisitor;

impl<'de> de::Visitor<'de> for ToleranceVisitor {
    type Value = Tolerance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`off`, a duration like 5m, or {past: 24h, future: 5m}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tolerance, E> {
        if text == "off" {
            return Ok(Tolerance::Off);
        }
        parse_duration(text).map(|both| Tolerance::Window { past: both, future: both })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Tolerance, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Window {
            #[serde(default = "default", deserialize_with = "duration")]
            past: Duration,
            #[serde(default = "default", deserialize_with = "duration")]
            future: Duration,
        }
        fn default() -> Duration {
            DEFAULT
        }
        let Window { past, future } = Window::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(Tolerance::Window { past, future })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_737_406_233;

    fn check(tolerance: &str, value: &str) -> Result<(), BadTime> {
        let tolerance: Tolerance = serde_yaml::from_str(tolerance).expect(tolerance);
        tolerance.check(value.as_bytes(), Timestamp::from_second(NOW).unwrap())
    }

    #[test]
    fn both_ends_of_the_window_are_inside() {
        for (offset, verdict) in [
            (0, Ok(())),
            (-300, Ok(())),
            (300, Ok(())),
            (-301, Err(BadTime::Outside)),
            (301, Err(BadTime::Outside)),
        ] {
            assert_eq!(check("5m", &(NOW + offset).to_string()), verdict, "{offset}");
        }
        let wide = "{past: 24h, future: 10s}";
        assert_eq!(check(wide, &(NOW - 86_400).to_string()), Ok(()));
        assert_eq!(check(wide, &(NOW + 11).to_string()), Err(BadTime::Outside));
        assert_eq!(check("{past: 1s}", &(NOW + 300).to_string()), Ok(()));
    }

    #[test]
    fn unix_seconds_and_rfc_3339_with_an_offset_are_read() {
        for text in [
            "2025-01-20T20:50:33Z",
            "2025-01-20t20:50:33.269116z",
            "2025-01-20T22:50:33.5+02:00",
            "2025-01-20T15:20:33-05:30",
        ] {
            assert_eq!(check("1s", text), Ok(()), "{text}");
        }
        assert_eq!(check("5m", "99999999999999999999999"), Err(BadTime::Outside));
        assert_eq!(check("5m", "0"), Err(BadTime::Outside));
    }

    #[test]
    fn nothing_else_is_a_timestamp_and_with_off_it_need_not_be_one() {
        for text in [
            "",
            "+1737406233",
            "-1",
            " 1737406233",
            "1_737_406_233",
            "1737406233.0",
            "١٧٣٧٤٠٦٢٣٣",
            "2025-01-20T20:50:33",
            "2025-01-20 20:50:33Z",
            "20250120T205033Z",
            "2025-01-20T20:50:33.Z",
            "2025-01-20T20:50Z",
            "2025-01-20T20:50:33+0000",
            "2025-13-20T20:50:33Z",
            "2025-01-20T20:50:33Z[Etc/UTC]",
            "2025-05-26:22:22.269116+00:00",
        ] {
            assert_eq!(check("5m", text), Err(BadTime::Form), "{text}");
            assert_eq!(check("off", text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_tolerance_without_a_unit_is_an_error_that_shows_the_forms() {
        let error = serde_yaml::from_str::<Tolerance>("300").unwrap_err().to_string();
        assert!(error.contains("a duration like 5m"), "{error}");
        assert!(serde_yaml::from_str::<Tolerance>("{futrue: 1s}").is_err());
    }
}
