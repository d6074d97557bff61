//! Why each rule matched an event or did not: what routing does, told rule by rule.

use super::route::Matched;
use super::{FileScope, Rule, RuleSet};
use crate::event::{Event, OWN_SOURCE};
use crate::pattern::{Explanation, Pattern};

/// One rule and an event.
pub struct Traced<'a> {
    pub rule: &'a Rule,
    pub verdict: Verdict,
    /// The file's pattern and the rule's own, as one.
    pub pattern: Explanation<'a>,
    /// What the rule's `when` came to; `None` without one, or where the pattern does not hold.
    pub when: Option<Result<bool, String>>,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Matched,
    /// Its pattern holds, its `when` erred: its deliveries are blocked until that is mended.
    MatchedWithError,
    /// Its pattern does not hold.
    NoMatch,
    /// Its pattern holds, its `when` does not.
    WhenFalse,
    /// An earlier rule of its file matched and says `stop: true`.
    StoppedBy(String),
    /// It is a fallback, and this rule matched.
    NotNeeded {
        because_of: String,
    },
    /// The event is one of hookyard's own, which a rule sees only if it names their source.
    OwnEvent,
}

impl Verdict {
    /// Whether deliveries come of it.
    pub fn matched(&self) -> bool {
        matches!(self, Self::Matched | Self::MatchedWithError)
    }
}

impl RuleSet {
    /// Every rule that is on, those that match first, then by how near they came.
    pub fn trace<'a>(&'a self, event: &'a Event) -> Vec<Traced<'a>> {
        let matched = self.matched(event);
        let mut traced: Vec<_> = self
            .files
            .iter()
            .flat_map(|file| file.rules.clone().map(move |index| (file, index)))
            .map(|(file, index)| self.trace_rule(event, file, index, &matched))
            .collect();
        traced.sort_by(|a, b| {
            let key = |traced: &Traced<'_>| (traced.verdict.matched(), traced.pattern.holds);
            key(b).cmp(&key(a)).then_with(|| b.pattern.nearness().total_cmp(&a.pattern.nearness()))
        });
        traced
    }

    fn trace_rule<'a>(
        &'a self,
        event: &'a Event,
        file: &FileScope,
        index: usize,
        matched: &[Matched],
    ) -> Traced<'a> {
        let rule = &self.rules[index];
        let pattern = whole(file, rule).explain(event.document());
        let when = rule.when.as_ref().filter(|_| pattern.holds).map(|when| when.holds(event));
        let verdict = match matched.iter().find(|found| found.index == index) {
            Some(Matched { error: Some(_), .. }) => Verdict::MatchedWithError,
            Some(_) => Verdict::Matched,
            None if !pattern.holds => Verdict::NoMatch,
            None if event.source() == OWN_SOURCE && !rule.sees_own => Verdict::OwnEvent,
            None => self.held_back(file, index, matched).unwrap_or(Verdict::WhenFalse),
        };
        Traced { rule, verdict, pattern, when }
    }

    /// Which other rule kept this one, whose pattern holds, from matching.
    fn held_back(&self, file: &FileScope, index: usize, matched: &[Matched]) -> Option<Verdict> {
        let name = |found: &Matched| self.rules[found.index].name.clone();
        let needless = |found: &&Matched| !self.rules[found.index].any && !self.rules[found.index].fallback;
        if self.rules[index].fallback
            && let Some(found) = matched.iter().find(needless)
        {
            return Some(Verdict::NotNeeded { because_of: name(found) });
        }
        let stops = |found: &&Matched| {
            file.rules.contains(&found.index)
                && found.index < index
                && found.error.is_none()
                && self.rules[found.index].stop
        };
        matched.iter().find(stops).map(|found| Verdict::StoppedBy(name(found)))
    }
}

/// What an event has to match for a rule: its file's pattern and its own.
fn whole(file: &FileScope, rule: &Rule) -> Pattern {
    let parts = [file.pattern.clone(), rule.pattern.clone()].into_iter().flatten();
    parts.reduce(Pattern::and).unwrap_or(Pattern::Any)
}
