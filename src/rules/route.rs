//! Routing: which rules an event matches, and which deliveries that makes.

use super::matching::OWN_SOURCE;
use super::{Planned, Rule, RuleSet};
use crate::delivery::DeliveryId;
use crate::event::Event;
use crate::journal::{NewDelivery, Routing};
use crate::script::Condition;
use jiff::Timestamp;
use std::time::Duration;

/// A rule that an event matched.
struct Matched {
    index: usize,
    /// Why its `when` could not be evaluated.
    error: Option<String>,
}

impl RuleSet {
    /// Which rules an event matches and which deliveries that makes. Pure but for `when`.
    pub fn route(&self, event: &Event, generation: u64, now: Timestamp) -> Routing {
        let matched = self.matched(event);
        let deliveries = matched.iter().flat_map(|found| {
            let actions = self.rules[found.index].actions.iter();
            actions.filter_map(|planned| self.delivery(found, planned, event, now))
        });
        Routing {
            generation,
            deliveries: deliveries.collect(),
            rules: matched.iter().map(|found| self.rules[found.index].name.clone()).collect(),
        }
    }

    /// Names of the rules an event matches, in rule order.
    pub fn matching(&self, event: &Event) -> Vec<&str> {
        self.matched(event).into_iter().map(|found| self.rules[found.index].name.as_str()).collect()
    }

    /// Evaluates the conditions of a delivery that was blocked again.
    ///
    /// # Errors
    /// The sentence of the condition that still errs, or that the action is gone.
    pub fn holds(&self, rule: &str, action: &str, event: &Event) -> Result<bool, String> {
        let gone = || format!("the rule `{rule}` has no action `{action}` that is on");
        let (found, planned) = self.find(rule, action).ok_or_else(gone)?;
        Ok(holds(found.when.as_ref(), event)? && holds(planned.when.as_ref(), event)?)
    }

    fn matched(&self, event: &Event) -> Vec<Matched> {
        let mut matched = self.pass(event, false, Vec::new());
        if matched.iter().all(|found| self.rules[found.index].any) {
            matched = self.pass(event, true, matched);
            matched.sort_by_key(|found| found.index);
        }
        matched
    }

    /// Adds the rules that match, of those that are fallbacks or of those that are not.
    fn pass(&self, event: &Event, fallback: bool, mut matched: Vec<Matched>) -> Vec<Matched> {
        for index in self.candidates(event, fallback) {
            if self.is_stopped(index, &matched) {
                continue;
            }
            match holds(self.rules[index].when.as_ref(), event) {
                Ok(true) => matched.push(Matched { index, error: None }),
                Ok(false) => {}
                Err(error) => matched.push(Matched { index, error: Some(error) }),
            }
        }
        matched
    }

    /// The rules whose patterns match, in rule order: the one way from an event to its rules.
    fn candidates(&self, event: &Event, fallback: bool) -> impl Iterator<Item = usize> {
        let document = event.document();
        let own = event.source() == OWN_SOURCE;
        let files = self
            .files
            .iter()
            .filter(move |file| file.pattern.as_ref().is_none_or(|pattern| pattern.matches(document)));
        files.flat_map(|file| file.rules.clone()).filter(move |index| {
            let rule = &self.rules[*index];
            rule.fallback == fallback
                && (rule.sees_own || !own)
                && rule.pattern.as_ref().is_none_or(|pattern| pattern.matches(document))
        })
    }

    /// Whether an earlier rule of the same file matched and stops. One whose `when` erred does
    /// not: what it would have said is unknown, and a later rule must not be lost by that.
    fn is_stopped(&self, index: usize, matched: &[Matched]) -> bool {
        let rule = &self.rules[index];
        let stops = |found: &Matched| {
            let earlier = &self.rules[found.index];
            found.index < index && found.error.is_none() && earlier.stop && same_file(earlier, rule)
        };
        matched.iter().any(stops)
    }

    fn delivery(
        &self,
        found: &Matched,
        planned: &Planned,
        event: &Event,
        now: Timestamp,
    ) -> Option<NewDelivery> {
        let blocked = match &found.error {
            Some(error) => Some(error.clone()),
            None => match holds(planned.when.as_ref(), event) {
                Ok(true) => None,
                Ok(false) => return None,
                Err(error) => Some(error),
            },
        };
        let wait = if blocked.is_some() { planned.retry.give_up_after } else { planned.after };
        Some(NewDelivery {
            id: DeliveryId {
                event: event.id(),
                replay: 1,
                rule: self.rules[found.index].name.clone(),
                action: planned.name.clone(),
                effects: Vec::new(),
            },
            due: later(now, wait),
            blocked,
        })
    }
}

fn same_file(one: &Rule, other: &Rule) -> bool {
    one.file == other.file
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn holds(condition: Option<&Condition>, event: &Event) -> Result<bool, String> {
    condition.map_or(Ok(true), |condition| condition.holds(event))
}
