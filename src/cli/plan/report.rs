//! What a plan comes to: per rule the matches gained and lost, and what would go out.

use crate::cli::ask::count;
use crate::cli::output::{self, OutputError, printable};
use crate::delivery::DeliveryId;
use crate::json::Json;
use crate::rules::RuleSet;
use crate::rules::rehearse::{Rehearsed, Sent};
use std::collections::BTreeMap;
use std::path::Path;

/// What would become of one delivery.
pub(super) enum Outcome {
    /// It would wait for its rule to be mended, and why.
    Blocked(String),
    /// A script asked `fetch`, whose answer is unknown, and so is what it would do.
    Unknown,
    Rehearsed(Rehearsed),
}

/// Matches of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Matches {
    then: u64,
    now: u64,
    gained: u64,
    lost: u64,
}

/// What would go out of one action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    /// By action kind: an action's own, or those of a script's effects.
    requests: BTreeMap<String, u64>,
    /// Runs of scripts that end well and send nothing.
    silent: u64,
    blocked: u64,
    unknown: u64,
    /// Deliveries that a storm control of their rule may hold back.
    stormy: u64,
    /// Why the first one would be blocked.
    why: Option<String>,
}

pub(super) struct Report<'a> {
    rules: &'a RuleSet,
    show: bool,
    json: bool,
    events: u64,
    matches: BTreeMap<String, Matches>,
    lanes: BTreeMap<(String, String), Lane>,
    ran_scripts: bool,
}

impl<'a> Report<'a> {
    pub fn new(rules: &'a RuleSet, show: bool, json: bool) -> Self {
        let (matches, lanes) = (BTreeMap::new(), BTreeMap::new());
        Self { rules, show, json, events: 0, matches, lanes, ran_scripts: false }
    }

    /// An event, with the rules that matched it then and would now.
    pub fn event(&mut self, then: &[String], now: &[String]) {
        self.events += 1;
        for rule in then {
            let matches = self.matches.entry(rule.clone()).or_default();
            matches.then += 1;
            matches.lost += u64::from(!now.contains(rule));
        }
        for rule in now {
            let matches = self.matches.entry(rule.clone()).or_default();
            matches.now += 1;
            matches.gained += u64::from(!then.contains(rule));
        }
    }

    /// What stands under a storm control: which of them would act, depends on when they come.
    pub fn stormy(&mut self, id: &DeliveryId) {
        self.lanes.entry((id.rule.to_string(), id.action.to_string())).or_default().stormy += 1;
    }

    pub fn delivery(&mut self, id: &DeliveryId, outcome: Outcome) -> Result<(), OutputError> {
        let lane = self.lanes.entry((id.rule.to_string(), id.action.to_string())).or_default();
        let rehearsed = match outcome {
            Outcome::Blocked(why) => {
                lane.blocked += 1;
                lane.why.get_or_insert(why);
                return Ok(());
            }
            Outcome::Unknown => {
                lane.unknown += 1;
                self.ran_scripts = true;
                return Ok(());
            }
            Outcome::Rehearsed(rehearsed) => rehearsed,
        };
        let is_run = rehearsed.ran.is_some() || rehearsed.ended.is_some();
        self.ran_scripts |= is_run;
        lane.silent += u64::from(is_run && rehearsed.sent.is_empty());
        if let Some(why) = rehearsed.broken.into_iter().next() {
            lane.blocked += 1;
            lane.why.get_or_insert(why);
        }
        for sent in &rehearsed.sent {
            *lane.requests.entry(sent.kind.clone()).or_default() += 1;
        }
        match self.show {
            true => rehearsed.sent.iter().try_for_each(|sent| self.show(id, sent)),
            false => Ok(()),
        }
    }

    fn show(&self, id: &DeliveryId, sent: &Sent) -> Result<(), OutputError> {
        let effect = sent.effect.as_ref().map(|name| id.effect(name));
        let id = effect.as_ref().unwrap_or(id);
        if self.json {
            let fields = [("delivery", Json::from(id.to_string())), ("kind", sent.kind.as_str().into())];
            return output::line(Json::object(fields.into_iter().chain([("params", sent.params.clone())])));
        }
        output::line(format_args!("{id}  {}  {}", sent.kind, printable(&sent.params.to_string())))
    }

    /// The rules of now in their order, then those that are gone.
    fn in_order(&self) -> Vec<(&str, Matches)> {
        let of_now = self.rules.rules.iter().map(|rule| rule.name.as_str());
        let is_gone = |name: &&str| self.rules.rules.iter().all(|rule| rule.name != *name);
        let gone = self.matches.keys().map(String::as_str).filter(is_gone);
        of_now.chain(gone).filter_map(|name| Some((name, *self.matches.get(name)?))).collect()
    }

    pub fn print(&self, dir: &Path) -> Result<(), OutputError> {
        if self.json { self.print_json() } else { self.print_text(dir) }
    }

    fn print_json(&self) -> Result<(), OutputError> {
        for (rule, Matches { then, now, gained, lost }) in self.in_order() {
            output::line(Json::object([
                ("rule", Json::from(rule)),
                ("then", then.into()),
                ("now", now.into()),
                ("gained", gained.into()),
                ("lost", lost.into()),
            ]))?;
        }
        for ((rule, action), lane) in &self.lanes {
            let requests = lane.requests.iter().map(|(kind, count)| (kind.as_str(), Json::from(*count)));
            output::line(Json::object([
                ("rule", Json::from(rule.as_str())),
                ("action", action.as_str().into()),
                ("requests", Json::object(requests)),
                ("silent", lane.silent.into()),
                ("blocked", lane.blocked.into()),
                ("unknown", lane.unknown.into()),
                ("under_storm_control", lane.stormy.into()),
                ("why", lane.why.clone().into()),
            ]))?;
        }
        Ok(())
    }

    fn print_text(&self, dir: &Path) -> Result<(), OutputError> {
        let events = count(self.events, "event");
        output::line(format_args!("{events} by the rules of {}:\n", dir.display()))?;
        let row = |(rule, matches): (&str, Matches)| {
            let Matches { then, now, gained, lost } = matches;
            let counts = [then, now, gained, lost].map(|count| count.to_string());
            std::iter::once(rule.to_owned()).chain(counts).collect::<Vec<_>>()
        };
        let rows: Vec<_> = self.in_order().into_iter().map(row).collect();
        output::table(&["RULE", "THEN", "NOW", "GAINED", "LOST"], &rows)?;
        output::line("\nWhat would go out:\n")?;
        let rows: Vec<_> = self.lanes.iter().map(|((rule, action), lane)| lane.row(rule, action)).collect();
        output::table(&["RULE", "ACTION", "REQUESTS", "BLOCKED", "UNKNOWN", "WHY"], &rows)?;
        for note in self.notes() {
            output::line(format_args!("\n{note}"))?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<&'static str> {
        let unknown = self.lanes.values().any(|lane| lane.unknown > 0);
        let stormy = self.lanes.values().any(|lane| lane.stormy > 0);
        let notes = [
            (
                stormy,
                "Up to: these rules have a throttle, debounce, threshold or collect, which holds some of them back. A plan does not decide which.",
            ),
            (
                unknown,
                "UNKNOWN: these runs asked `fetch`. Nothing goes out in a plan, so the answer is unknown, and so is what they would send.",
            ),
            (
                self.ran_scripts,
                "Scripts saw the state of now, not that of then. What their effects and events would lead to is not followed.",
            ),
            (true, "Nothing was sent, and nothing was stored."),
        ];
        notes.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
    }
}

impl Lane {
    fn row(&self, rule: &str, action: &str) -> Vec<String> {
        let requests: Vec<_> = self.requests.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let requests = match (requests.is_empty(), self.stormy) {
            (true, _) => "-".to_owned(),
            (false, 0) => requests.join(", "),
            (false, _) => format!("up to {}", requests.join(", ")),
        };
        let (blocked, unknown) = (self.blocked.to_string(), self.unknown.to_string());
        let why = self.why.clone().unwrap_or_default();
        vec![rule.to_owned(), action.to_owned(), requests, blocked, unknown, why]
    }
}
