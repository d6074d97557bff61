//! Routing: which rules an event matches, and which deliveries that makes.

use super::{FileScope, Planned, RuleSet};
use crate::delivery::DeliveryId;
use crate::event::{Event, OWN_SOURCE};
use crate::journal::{NewDelivery, Routing, Storm};
use crate::script::Condition;
use jiff::Timestamp;
use std::time::Duration;

/// A rule that an event matched.
pub(super) struct Matched {
    pub index: usize,
    /// Why its `when`, or a key of its storm control, could not be evaluated.
    pub error: Option<String>,
    /// The key by which its deliveries come one after the other.
    order: Option<String>,
}

impl Matched {
    fn new(index: usize, error: Option<String>) -> Self {
        Self { index, error, order: None }
    }
}

/// What was found of the rules that match.
#[derive(Default)]
struct Found {
    matched: Vec<Matched>,
    /// Those of them that stop, in rule order.
    stops: Vec<usize>,
}

impl Found {
    fn add(&mut self, index: usize, stop: bool) {
        self.matched.push(Matched::new(index, None));
        if stop {
            let at = self.stops.partition_point(|other| *other < index);
            self.stops.insert(at, index);
        }
    }

    /// Whether an earlier rule of the same file matched and stops. One whose `when` erred does
    /// not: what it would have said is unknown, and a later rule must not be lost by that.
    fn is_stopped(&self, index: usize, file: &FileScope) -> bool {
        let first = self.stops.partition_point(|stop| *stop < file.rules.start);
        self.stops.get(first).is_some_and(|stop| *stop < index)
    }
}

impl RuleSet {
    /// Which rules an event matches and which deliveries that makes. Pure but for `when`.
    pub fn route(&self, event: &Event, generation: u64, now: Timestamp) -> Routing {
        let mut matched = self.matched(event);
        let mut storms = Vec::new();
        for found in &mut matched {
            self.hold_back(found, event, now, &mut storms);
        }
        let deliveries = matched.iter().flat_map(|found| {
            let actions = self.rules[found.index].actions.iter();
            actions.filter_map(|planned| self.delivery(found, planned, event, now))
        });
        Routing {
            generation,
            deliveries: deliveries.collect(),
            storms,
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
        Ok(holds(found.when.as_deref(), event)? && holds(planned.when.as_ref(), event)?)
    }

    pub(super) fn matched(&self, event: &Event) -> Vec<Matched> {
        let candidates = self.index.candidates(event.document());
        let mut found = Found::default();
        self.pass(event, &candidates, false, &mut found);
        if found.matched.iter().all(|found| self.rules[found.index].any) {
            self.pass(event, &candidates, true, &mut found);
            found.matched.sort_by_key(|found| found.index);
        }
        found.matched
    }

    /// Adds the rules that match, of those that are fallbacks or of those that are not.
    fn pass(&self, event: &Event, candidates: &[u32], fallback: bool, found: &mut Found) {
        for (index, file) in self.matching_patterns(event, candidates, fallback) {
            if found.is_stopped(index, file) {
                continue;
            }
            let rule = &self.rules[index];
            match holds(rule.when.as_deref(), event) {
                Ok(true) => found.add(index, rule.stop),
                Ok(false) => {}
                Err(error) => found.matched.push(Matched::new(index, Some(error))),
            }
        }
    }

    /// The candidates whose patterns match, in rule order, each with its file.
    fn matching_patterns<'a>(
        &'a self,
        event: &'a Event,
        candidates: &'a [u32],
        fallback: bool,
    ) -> impl Iterator<Item = (usize, &'a FileScope)> {
        let document = event.document();
        let own = event.source() == OWN_SOURCE;
        let opens = |file: &FileScope| file.pattern.as_ref().is_none_or(|it| it.matches(document));
        // Candidates of one file stand together: its pattern is tested once.
        let mut last: Option<(&FileScope, bool)> = None;
        candidates.iter().map(|index| *index as usize).filter_map(move |index| {
            let rule = &self.rules[index];
            if rule.fallback != fallback || (own && !rule.sees_own) {
                return None;
            }
            let (file, open) = last.filter(|(file, _)| file.rules.contains(&index)).unwrap_or_else(|| {
                let file = self.file_of(index);
                (file, opens(file))
            });
            last = Some((file, open));
            (open && self.index.matches(index, rule.pattern.as_ref(), document)).then_some((index, file))
        })
    }

    /// Fills in the keys of a rule that holds events back or puts its deliveries in order.
    fn hold_back(&self, found: &mut Matched, event: &Event, now: Timestamp, storms: &mut Vec<Storm>) {
        let rule = &self.rules[found.index];
        // What is blocked has its place in the order too: its followers wait for it.
        match rule.order.as_ref().map(|order| order.key(event, self)).transpose() {
            Ok(order) => found.order = order,
            Err(error) => {
                found.error.get_or_insert(error);
            }
        }
        if found.error.is_some() {
            return;
        }
        match rule.control.as_ref().map(|control| control.storm(&rule.name, event, self, now)).transpose() {
            Ok(storm) => storms.extend(storm),
            Err(error) => found.error = Some(error),
        }
    }

    fn file_of(&self, index: usize) -> &FileScope {
        &self.files[self.files.partition_point(|file| file.rules.end <= index)]
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
                rule: self.rules[found.index].name.as_str().into(),
                action: planned.name.as_str().into(),
                effects: Vec::new(),
            },
            due: later(now, wait),
            blocked,
            order: found.order.clone(),
        })
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn holds(condition: Option<&Condition>, event: &Event) -> Result<bool, String> {
    condition.map_or(Ok(true), |condition| condition.holds(event))
}
