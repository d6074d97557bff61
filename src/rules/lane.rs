//! What limits the lane of an action: `rate`, `concurrency` and `pause`, in its rule or beside its
//! kind.

use super::keys;
use super::options;
use super::report::Report;
use crate::delivery::{LaneLimits, Pause, Rate};
use crate::diagnostic::Span;
use crate::yaml::{Node, Value};
use std::time::Duration;

/// What one level says; the levels are merged field by field.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LanePart {
    rate: Option<Rate>,
    concurrency: Option<usize>,
    pause: Option<PausePart>,
}

#[derive(Clone, Copy, Debug)]
enum PausePart {
    Off,
    On { span: Span, after: Option<u32>, first: Option<Duration>, max: Option<Duration> },
}

impl LanePart {
    /// Reads what stands behind one of the three keys.
    pub fn read(&mut self, key: &str, node: &Node, report: &mut Report<'_>) {
        match key {
            "rate" => self.rate = rate(node, report),
            "concurrency" => self.concurrency = count(node, "`concurrency`", report),
            _ => self.pause = PausePart::read(node, report),
        }
    }

    /// This level over the one around it.
    #[must_use]
    pub fn over(self, outer: Self) -> Self {
        let pause = match (self.pause, outer.pause) {
            (Some(own), Some(outer)) => Some(own.over(outer)),
            (own, outer) => own.or(outer),
        };
        Self { rate: self.rate.or(outer.rate), concurrency: self.concurrency.or(outer.concurrency), pause }
    }

    /// The limits, with the defaults for what no level says.
    pub fn finish(self, report: &mut Report<'_>) -> LaneLimits {
        let pause = self.pause.map_or(Some(Pause::default()), |pause| pause.finish(report));
        LaneLimits { rate: self.rate, concurrency: self.concurrency, pause, ..LaneLimits::default() }
    }
}

impl PausePart {
    /// Reads `pause: {after, first, max}` or `pause: off`.
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match &node.value {
            Value::Null => return None,
            Value::String(text) if text == "off" => return Some(Self::Off),
            Value::Map(_) => {}
            _ => {
                report.wrong_type(
                    node,
                    "`pause`",
                    "`off`, or a map such as `{after: 5, first: 10s, max: 10m}`",
                );
                return None;
            }
        }
        let (mut after, mut first, mut max) = (None, None, None);
        for entry in report.entries(node, "`pause`") {
            let value = &entry.node;
            match report.key(entry, "`pause`", keys::PAUSE) {
                "after" => after = count(value, "`after`", report),
                "first" => first = options::positive(value, "`first`", report),
                "max" => max = options::positive(value, "`max`", report),
                _ => {}
            }
        }
        let after = after.and_then(|count| u32::try_from(count).ok());
        Some(Self::On { span: node.span, after, first, max })
    }

    fn over(self, outer: Self) -> Self {
        match (self, outer) {
            (Self::On { span, after, first, max }, Self::On { after: a, first: f, max: m, .. }) => {
                Self::On { span, after: after.or(a), first: first.or(f), max: max.or(m) }
            }
            (own, _) => own,
        }
    }

    fn finish(self, report: &mut Report<'_>) -> Option<Pause> {
        let Self::On { span, after, first, max } = self else { return None };
        let default = Pause::default();
        let pause = Pause {
            after: after.unwrap_or(default.after),
            // A default never contradicts what the author wrote.
            first: first.unwrap_or_else(|| default.first.min(max.unwrap_or(default.max))),
            max: max.unwrap_or_else(|| default.max.max(first.unwrap_or_default())),
        };
        if pause.first > pause.max {
            let [first, max] = [pause.first, pause.max].map(humantime::format_duration);
            report.error(span, format!("the first `pause` ({first}) is longer than its `max` ({max})"));
        }
        Some(pause)
    }
}

fn rate(node: &Node, report: &mut Report<'_>) -> Option<Rate> {
    let text = match &node.value {
        Value::String(text) => text,
        Value::Number(number) => {
            let message = format!("`rate` needs a unit: `{}` could be in a second or an hour", number.text());
            report.error_with(node.span, message, Some(format!("write `{}/s`", number.text())));
            return None;
        }
        _ => {
            report.wrong_type(node, "`rate`", "a text such as `10/s`");
            return None;
        }
    };
    match text.parse() {
        Ok(rate) => Some(rate),
        Err(wanted) => {
            report.error(node.span, format!("`rate` is {wanted}, not `{text}`"));
            None
        }
    }
}

/// A whole number of something, at least one.
fn count(node: &Node, what: &str, report: &mut Report<'_>) -> Option<usize> {
    let Value::Number(number) = &node.value else {
        report.wrong_type(node, what, "a whole number");
        return None;
    };
    let count = number.text().parse().ok().filter(|count| (1..=keys::MOST).contains(count));
    if count.is_none() {
        report.error(
            node.span,
            format!("{what} is a whole number from 1 to {}, not {}", keys::MOST, number.text()),
        );
    }
    count
}
