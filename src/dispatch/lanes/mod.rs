//! The lanes as the dispatcher knows them: how fast each may go, and which rest because their
//! destination does not work. In memory: a restart forgets it.

mod breaker;
mod bucket;
#[cfg(test)]
mod tests;

use crate::delivery::{LaneLimits, Rate};
use crate::journal::Room;
use breaker::Breaker;
use bucket::Bucket;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use breaker::{Change, Ended, Sign};

/// Those of which there is something to remember; shared by the dispatcher and whoever shows them.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<Known>);

/// By rule, then by action.
type Known = BTreeMap<String, BTreeMap<String, Lane>>;

#[derive(Debug, Default)]
struct Lane {
    /// What it was filled by last.
    rate: Option<Rate>,
    bucket: Bucket,
    breaker: Breaker,
}

/// A lane as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStatus {
    pub rule: String,
    pub action: String,
    pub state: LaneState,
    /// Until when it is paused, or was if it is probing.
    pub paused_until: Option<Timestamp>,
    /// The failure that paused it, secrets as names.
    pub why: Option<String>,
    /// What its rule says, if it has a rate.
    pub rate: Option<Rate>,
}

/// Whether its deliveries are attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    Open,
    Paused,
    /// The pause is over, and one delivery at a time is let through until one has worked.
    Probing,
}

impl LaneState {
    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Probing => "probing",
        }
    }
}

impl Lanes {
    /// What there is to say of each: of those that have a rate and have been used, and of those
    /// that are paused. All others are open.
    pub fn snapshot(&self, now: Timestamp) -> Vec<LaneStatus> {
        let known = self.known();
        let all =
            known.iter().flat_map(|(rule, lanes)| lanes.iter().map(move |(action, it)| (rule, action, it)));
        let told = all.filter(|(.., lane)| lane.rate.is_some() || lane.breaker.paused.is_some());
        told.map(|(rule, action, lane)| lane.status(rule, action, now)).collect()
    }

    /// What may be leased of a lane now. `in_all` is for lanes whose rule does not say.
    pub(super) fn room(
        &self,
        (rule, action): (&str, &str),
        limits: LaneLimits,
        in_all: usize,
        now: Timestamp,
    ) -> Room {
        let mut room = Room { in_all: limits.concurrency.unwrap_or(in_all), until: None };
        let mut known = self.known();
        let mut lane = known.get_mut(rule).and_then(|lanes| lanes.get_mut(action));
        if let Some(until) = lane.as_mut().and_then(|lane| lane.breaker.paused_until(now)) {
            if until > now {
                return Room { until: Some((0, until)), ..room };
            }
            room.in_all = 1;
        }
        let mut full = Bucket::default();
        let bucket = lane.map_or(&mut full, |lane| &mut lane.bucket);
        room.until = limits.rate.map(|rate| bucket.room(rate, now));
        room
    }

    /// Whether a lane is paused, or its destination is being probed.
    pub(super) fn is_paused(&self, rule: &str, action: &str) -> bool {
        let known = self.known();
        known.get(rule).and_then(|lanes| lanes.get(action)).is_some_and(|lane| lane.breaker.paused.is_some())
    }

    /// A delivery of a lane was leased.
    pub(super) fn leased(&self, rule: &str, action: &str, limits: LaneLimits, now: Timestamp) {
        let Some(rate) = limits.rate else { return };
        let mut known = self.known();
        let lane = entry(&mut known, rule, action);
        lane.rate = Some(rate);
        lane.bucket.take(rate, now);
    }

    /// An attempt of a lane has ended.
    pub(super) fn ended(
        &self,
        rule: &str,
        action: &str,
        limits: LaneLimits,
        ended: Ended<'_>,
        now: Timestamp,
    ) -> Option<Change> {
        let pause = limits.pause?;
        let mut known = self.known();
        let is_known = known.get(rule).is_some_and(|lanes| lanes.contains_key(action));
        if !is_known && ended.sign != Sign::Fails {
            return None;
        }
        let lane = entry(&mut known, rule, action);
        let change = lane.breaker.ended(ended, pause, now);
        if lane.rate.is_none() && lane.breaker.is_idle() {
            remove(&mut known, rule, action);
        }
        change
    }

    /// Other rules are served: no lane is paused any more, for what was wrong may be mended.
    /// Returns those that were. How fast a lane went stays, if there is such a lane still.
    pub(super) fn renew(&self, rate: impl Fn(&str, &str) -> Option<Rate>) -> Vec<(String, String)> {
        let mut resumed = Vec::new();
        self.known().retain(|rule, lanes| {
            lanes.retain(|action, lane| {
                if std::mem::take(&mut lane.breaker).paused.is_some() {
                    resumed.push((rule.clone(), action.clone()));
                }
                lane.rate = rate(rule, action);
                lane.rate.is_some()
            });
            !lanes.is_empty()
        });
        resumed
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn status(&self, rule: &str, action: &str, now: Timestamp) -> LaneStatus {
        let paused = self.breaker.paused.as_ref();
        LaneStatus {
            rule: rule.to_owned(),
            action: action.to_owned(),
            state: match paused {
                None => LaneState::Open,
                Some(paused) if paused.until > now => LaneState::Paused,
                Some(_) => LaneState::Probing,
            },
            paused_until: paused.map(|paused| paused.until),
            why: paused.map(|paused| paused.why.clone()),
            rate: self.rate,
        }
    }
}

fn entry<'a>(known: &'a mut Known, rule: &str, action: &str) -> &'a mut Lane {
    known.entry(rule.to_owned()).or_default().entry(action.to_owned()).or_default()
}

fn remove(known: &mut Known, rule: &str, action: &str) {
    if let Some(lanes) = known.get_mut(rule) {
        lanes.remove(action);
        if lanes.is_empty() {
            known.remove(rule);
        }
    }
}
