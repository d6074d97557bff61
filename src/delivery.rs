//! The unit that is retried: its readable identity, what an attempt came to, and the schedule.

mod lane;
mod retry;

use crate::event::EventId;
use crate::json::Json;
use crate::kv;
use crate::template::Params;
use compact_str::CompactString;
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use lane::{LANE_CONCURRENCY, LaneLimits, NotARate, Pause, Rate};
pub use retry::{Retry, Statuses};

/// `evt_01J…/crm-sync/crm`: event / rule / action; an effect adds `/slack-1`, a replay `~2`
/// behind the event. The same over all attempts; sent as `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    pub event: EventId,
    /// 1 for the first routing, from 2 on for replays.
    pub replay: u32,
    pub rule: CompactString,
    pub action: CompactString,
    /// Names of the effects that lead to it, outermost first. Empty for an action of the rule.
    pub effects: Vec<String>,
}

impl DeliveryId {
    /// The delivery of an effect that this delivery's script asked for.
    #[must_use]
    pub fn effect(&self, name: &str) -> Self {
        let mut child = self.clone();
        child.effects.push(name.to_owned());
        child
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event.fmt(f)?;
        if self.replay > 1 {
            write!(f, "~{}", self.replay)?;
        }
        write!(f, "/{}/{}", self.rule, self.action)?;
        self.effects.iter().try_for_each(|name| write!(f, "/{name}"))
    }
}

/// A text that is no delivery id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no delivery id: it reads `evt_…/rule/action`")]
pub struct NotADeliveryId(String);

impl FromStr for DeliveryId {
    type Err = NotADeliveryId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut segments = text.split('/');
            let (event, replay) = match segments.next()?.split_once('~') {
                Some((event, replay)) => (event, replay.parse().ok().filter(|number| *number > 1)?),
                None => (text.split('/').next()?, 1),
            };
            let mut names = segments.map(|name| is_name(name).then_some(name));
            let (rule, action) = (names.next()??.into(), names.next()??.into());
            Some(Self {
                event: event.parse().ok()?,
                replay,
                rule,
                action,
                effects: names.map(|name| name.map(str::to_owned)).collect::<Option<_>>()?,
            })
        };
        parse().ok_or_else(|| NotADeliveryId(text.to_owned()))
    }
}

/// Whether a text can name a rule, an action or an effect: `[a-z0-9_-]+`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// An action that a script asked for: a delivery of its own, committed with the run's outcome.
#[derive(Clone, Debug)]
pub struct Effect {
    /// `slack-1`, or the name that the script gave.
    pub name: String,
    /// The action kind.
    pub kind: String,
    /// How long after the commit it is due.
    pub after: Duration,
    /// Data: no template is ever looked for in it. Secrets stay references.
    pub params: Params,
}

/// How much of an answer's body is kept, in bytes.
pub const ANSWER_BYTES: usize = 4096;

/// What the other side answered to an attempt, as it is kept and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The first [`ANSWER_BYTES`] of the body; what of them is no text is replaced.
    pub body: String,
    /// Whether there was more.
    pub cut: bool,
}

/// What an attempt that worked leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Receipt {
    /// One line, no secrets: `204 No Content`.
    pub line: String,
    pub effects: Vec<Effect>,
    /// What it read and wrote of the state of scripts.
    pub changes: Option<kv::Changes>,
    /// The events that it makes.
    pub emitted: Vec<Emitted>,
}

impl Receipt {
    /// Nothing but a line.
    pub fn of(line: impl Into<String>) -> Self {
        Self { line: line.into(), ..Self::default() }
    }
}

/// An event to be derived from the one that was delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// Its `type`.
    pub kind: String,
    pub payload: Json,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    Delivered(Receipt),
    /// Tried again at `due`.
    Retry {
        due: Timestamp,
        error: String,
    },
    /// What the rule itself broke; due when it is mended, or given up at `until`.
    Blocked {
        until: Timestamp,
        error: String,
    },
    /// Its condition was found false when it could be evaluated at last.
    Skipped,
    Dead {
        error: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "evt_01JDFV3M4X0000000000000000";

    #[test]
    fn an_id_reads_back_as_written() {
        for text in ["/crm-sync/crm", "~2/crm-sync/crm", "/a/b/slack-1", "/a/b/script-1/file-2"] {
            let text = format!("{EVENT}{text}");
            assert_eq!(text.parse::<DeliveryId>().expect(&text).to_string(), text);
        }
        for text in ["", "/a", "/a/", "~1/a/b", "~x/a/b", "/A/b", "/a/b/"] {
            let text = format!("{EVENT}{text}");
            assert!(text.parse::<DeliveryId>().is_err(), "{text}");
        }
    }
}
