//! The options that file, rule and action share: time limits and the retry schedule.

use super::keys;
use super::lane::LanePart;
use super::report::Report;
use crate::delivery::{Retry, Statuses};
use crate::diagnostic::Span;
use crate::yaml::{Node, Value};
use std::time::Duration;

/// No wait makes sense past this; it also keeps sums of times in range.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a rule says of all of its actions, its file included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outer {
    pub retry: RetryPart,
    pub timeout: Option<Duration>,
    pub lane: LanePart,
}

/// What one level says of the retry schedule; the levels are merged field by field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RetryPart {
    pub span: Option<Span>,
    first: Option<Duration>,
    factor: Option<f64>,
    max: Option<Duration>,
    give_up_after: Option<Duration>,
    jitter: Option<f64>,
    never: Option<Statuses>,
}

impl RetryPart {
    /// Reads `retry: {first, factor, max, for, jitter, never}`.
    pub fn read(node: &Node, report: &mut Report<'_>) -> Self {
        let mut part = Self { span: Some(node.span), ..Self::default() };
        for entry in report.entries(node, "`retry`") {
            let value = &entry.node;
            match report.key(entry, "`retry`", keys::RETRY) {
                "first" => part.first = positive(value, "`first`", report),
                "factor" => part.factor = number(value, "`factor`", (1.0, 1000.0), report),
                "max" => part.max = positive(value, "`max`", report),
                "for" => part.give_up_after = positive(value, "`for`", report),
                "jitter" => part.jitter = number(value, "`jitter`", (0.0, 1.0), report),
                "never" => part.never = statuses(value, report),
                _ => {}
            }
        }
        part
    }

    /// This level over the one around it.
    #[must_use]
    pub fn over(self, outer: Self) -> Self {
        Self {
            span: self.span.or(outer.span),
            first: self.first.or(outer.first),
            factor: self.factor.or(outer.factor),
            max: self.max.or(outer.max),
            give_up_after: self.give_up_after.or(outer.give_up_after),
            jitter: self.jitter.or(outer.jitter),
            never: self.never.or(outer.never),
        }
    }

    /// The schedule, with the defaults for what no level says.
    pub fn finish(self, report: &mut Report<'_>) -> Retry {
        let default = Retry::default();
        let max = self.max.unwrap_or(default.max);
        let retry = Retry {
            // A default never contradicts what the author wrote.
            first: self.first.unwrap_or_else(|| default.first.min(max)),
            factor: self.factor.unwrap_or(default.factor),
            max: self.max.unwrap_or_else(|| default.max.max(self.first.unwrap_or_default())),
            give_up_after: self.give_up_after.unwrap_or(default.give_up_after),
            jitter: self.jitter.unwrap_or(default.jitter),
            never: self.never.unwrap_or(default.never),
        };
        if let (true, Some(span)) = (retry.first > retry.max, self.span) {
            let format = humantime::format_duration;
            let (first, max) = (format(retry.first), format(retry.max));
            report
                .error(span, format!("the first wait of `retry` ({first}) is longer than its `max` ({max})"));
        }
        retry
    }
}

/// A time that is not zero.
pub(super) fn positive(node: &Node, what: &str, report: &mut Report<'_>) -> Option<Duration> {
    let duration = duration(node, what, report)?;
    if duration.is_zero() {
        report.error(node.span, format!("{what} is longer than nothing: write a time such as `5s`"));
        return None;
    }
    Some(duration)
}

/// A time with its unit: `5s`, `1h 30m`.
pub(super) fn duration(node: &Node, what: &str, report: &mut Report<'_>) -> Option<Duration> {
    let text = match &node.value {
        Value::String(text) => text,
        Value::Number(number) => {
            let message = format!("{what} needs a unit: `{}` could be seconds or minutes", number.text());
            report.error_with(node.span, message, Some(format!("write `{}s` for seconds", number.text())));
            return None;
        }
        _ => {
            report.wrong_type(node, what, "a time such as `5s`");
            return None;
        }
    };
    match crate::duration::parse(text) {
        Ok(duration) if duration <= LONGEST => Some(duration),
        Ok(_) => {
            report.error(node.span, format!("{what} is at most ten years, not `{text}`"));
            None
        }
        Err(_) => {
            let help = match text.contains("${") {
                true => "references are for `vars` and the parameters of actions",
                false => "write a number and a unit: `500ms`, `5s`, `10m`, `24h`, `7d`",
            };
            report.error_with(node.span, format!("{what} is no time: `{text}`"), Some(help));
            None
        }
    }
}

fn number(node: &Node, what: &str, (least, most): (f64, f64), report: &mut Report<'_>) -> Option<f64> {
    match &node.value {
        Value::Number(number) if (least..=most).contains(&number.as_f64()) => Some(number.as_f64()),
        Value::Number(number) => {
            report.error(node.span, format!("{what} is from {least} to {most}, not {}", number.text()));
            None
        }
        _ => {
            report.wrong_type(node, what, "a number");
            None
        }
    }
}

/// A list of HTTP statuses, which may be empty; what is left out says nothing.
fn statuses(node: &Node, report: &mut Report<'_>) -> Option<Statuses> {
    if matches!(node.value, Value::Null) {
        return None;
    }
    let items = report.list(node, "`never`");
    items.iter().map(|item| status(item, report)).collect()
}

fn status(node: &Node, report: &mut Report<'_>) -> Option<u16> {
    let (least, greatest) = Statuses::RANGE;
    let Value::Number(number) = &node.value else {
        report.wrong_type(node, "an item of `never`", "an HTTP status such as 404");
        return None;
    };
    let status = number.text().parse().ok().filter(|status| (least..=greatest).contains(status));
    if status.is_none() {
        let message =
            format!("an item of `never` is a status from {least} to {greatest}, not {}", number.text());
        report.error(node.span, message);
    }
    status
}
