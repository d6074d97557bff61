//! What is told of an event and the rules: as text, and as a record.

use crate::cli::output::printable;
use crate::event::Event;
use crate::journal::StoredEvent;
use crate::json::{self, Json};
use crate::pattern::{Explanation, Finding, Leaf};
use crate::rules::trace::{Traced, Verdict};
use crate::rules::{Off, RuleSet};
use std::io::IsTerminal;

/// More characters of a value are not shown in text; `--json` has all of it.
const SHOWN_CHARS: usize = 200;

/// Everything that is told.
pub(super) struct Report<'a> {
    pub stored: Option<&'a StoredEvent>,
    pub event: &'a Event,
    /// The rules of the generation that routed it.
    pub then: Option<&'a RuleSet>,
    /// `None` if they are broken.
    pub now: Option<&'a RuleSet>,
    pub only: Option<&'a str>,
}

impl Report<'_> {
    /// As people read it.
    pub(super) fn text(&self, paint: &Paint) -> String {
        let mut out = self.stored.map(|stored| self.then_text(stored, paint)).unwrap_or_default();
        if self.now.is_none() {
            return out + "now: the rules cannot be loaded";
        }
        out.push_str("now:\n");
        for traced in self.rules_now() {
            out.push_str(&rule_text(&traced, paint));
        }
        for off in self.off_now() {
            out.push_str(&format!("\n  {}  off: {}\n", paint.dim(&off.rule), off.why));
        }
        out.truncate(out.trim_end().len());
        out
    }

    /// What happened when it came: the names are from the journal, the reasons from the files that
    /// the journal keeps of that generation.
    fn then_text(&self, stored: &StoredEvent, paint: &Paint) -> String {
        let Some(number) = stored.generation else {
            return "then: it came while no rules were served, and waits for the first good ones\n\n"
                .to_owned();
        };
        let matched = if stored.rules.is_empty() { "no rule".to_owned() } else { stored.rules.join(", ") };
        let mut out = format!("then: generation {number} matched {}\n", paint.bold(&matched));
        match self.held_back() {
            Some(held) => {
                out.extend(held.iter().map(|traced| format!("  {}  {}\n", traced.rule.name, reason(traced))));
            }
            None => {
                out.push_str("  the files of that generation are not kept any more, or do not load now\n")
            }
        }
        out + "\n"
    }

    /// The rules of then whose pattern holds, but which something else kept from matching.
    fn held_back(&self) -> Option<Vec<Traced<'_>>> {
        let traced = self.then?.trace(self.event).into_iter();
        Some(traced.filter(|traced| !traced.verdict.matched() && traced.pattern.holds).collect())
    }

    fn rules_now(&self) -> impl Iterator<Item = Traced<'_>> {
        let traced = self.now.map(|now| now.trace(self.event)).unwrap_or_default();
        traced.into_iter().filter(|traced| self.only.is_none_or(|only| only == traced.rule.name))
    }

    fn off_now(&self) -> impl Iterator<Item = &Off> {
        let off = self.now.iter().flat_map(|now| &now.off);
        off.filter(|off| self.only.is_none_or(|only| only == off.rule))
    }

    /// As `--json` prints it.
    pub(super) fn to_json(&self) -> Json {
        let then = self.stored.map(|stored| {
            let held_back = self.held_back().map(|held| {
                let record = |traced: &Traced<'_>| {
                    Json::object([("rule", traced.rule.name.as_str().into()), ("why", reason(traced).into())])
                };
                Json::Array(held.iter().map(record).collect())
            });
            Json::object([
                ("generation", stored.generation.into()),
                ("matched", Json::Array(stored.rules.iter().map(|rule| rule.as_str().into()).collect())),
                ("held_back", held_back.into()),
            ])
        });
        Json::object([
            ("event", self.event.id().to_string().into()),
            ("then", then.into()),
            ("now", Json::Array(self.rules_now().map(|traced| rule_json(&traced)).collect())),
            ("off", Json::Array(self.off_now().map(off_json).collect())),
        ])
    }
}

fn rule_text(traced: &Traced<'_>, paint: &Paint) -> String {
    let mark = paint.mark(traced.verdict.matched());
    let mut out = format!("\n  {mark} {}  {}\n", paint.bold(&traced.rule.name), reason(traced));
    findings_text(&traced.pattern, 2, paint, &mut out);
    match &traced.when {
        None => {}
        Some(Ok(holds)) => out.push_str(&format!("    {} when: {holds}\n", paint.mark(*holds))),
        Some(Err(error)) => out.push_str(&format!("    {} when: {}\n", paint.mark(false), printable(error))),
    }
    out
}

fn findings_text(explanation: &Explanation<'_>, depth: usize, paint: &Paint, out: &mut String) {
    let pad = "  ".repeat(depth);
    for finding in &explanation.findings {
        match finding {
            Finding::Leaf(leaf) => {
                out.push_str(&format!("{pad}{} {}\n", paint.mark(leaf.holds), leaf_text(leaf)));
            }
            Finding::Group(group) => {
                out.push_str(&format!("{pad}{} {}\n", paint.mark(group.holds), group.kind.name()));
                group.branches.iter().for_each(|branch| branch_text(branch, depth + 1, paint, out));
            }
        }
    }
}

/// A branch of several fields stands under a line of its own, so that it can be told from the next.
fn branch_text(branch: &Explanation<'_>, depth: usize, paint: &Paint, out: &mut String) {
    if branch.findings.len() == 1 {
        return findings_text(branch, depth, paint, out);
    }
    out.push_str(&format!("{}{} all of\n", "  ".repeat(depth), paint.mark(branch.holds)));
    findings_text(branch, depth + 1, paint, out);
}

fn leaf_text(leaf: &Leaf<'_>) -> String {
    let note = leaf.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
    printable(&format!("{} is {}; wanted: {}{note}", leaf.path, found(leaf), leaf.wanted))
}

fn found(leaf: &Leaf<'_>) -> String {
    let Some(value) = leaf.actual else { return "absent".to_owned() };
    if value.is_null() {
        return "null".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{} {}…", value.kind(), &text[..end]),
        None => format!("{} {text}", value.kind()),
    }
}

/// One sentence about a rule.
fn reason(traced: &Traced<'_>) -> String {
    match &traced.verdict {
        Verdict::Matched => "matches".to_owned(),
        Verdict::MatchedWithError => "matches, but its `when` errs: its deliveries are blocked".to_owned(),
        Verdict::NoMatch => "does not match".to_owned(),
        Verdict::WhenFalse => "its pattern holds, its `when` does not".to_owned(),
        Verdict::StoppedBy(rule) => format!("would match, but `{rule}` before it matched and stops"),
        Verdict::NotNeeded { because_of } => format!("is a fallback, and `{because_of}` matched"),
        Verdict::OwnEvent => {
            "does not name `source: hookyard`, and so does not see hookyard's own events".to_owned()
        }
    }
}

fn rule_json(traced: &Traced<'_>) -> Json {
    let when = traced.when.as_ref().map(|when| match when {
        Ok(holds) => Json::object([("holds", (*holds).into())]),
        Err(error) => Json::object([("error", error.as_str().into())]),
    });
    Json::object([
        ("rule", traced.rule.name.as_str().into()),
        ("file", (&*traced.rule.file).into()),
        ("matched", traced.verdict.matched().into()),
        ("why", reason(traced).into()),
        ("nearness", json::Number::from_f64(traced.pattern.nearness()).map(Json::Number).into()),
        ("pattern", findings_json(&traced.pattern)),
        ("when", when.into()),
    ])
}

fn off_json(off: &Off) -> Json {
    Json::object([
        ("rule", off.rule.as_str().into()),
        ("file", (&*off.file).into()),
        ("why", off.why.as_str().into()),
    ])
}

fn findings_json(explanation: &Explanation<'_>) -> Json {
    let shown = explanation.findings.iter().map(|finding| match finding {
        Finding::Leaf(leaf) => Json::object([
            ("path", leaf.path.to_string().into()),
            ("actual", leaf.actual.cloned().into()),
            ("present", leaf.actual.is_some().into()),
            ("wanted", leaf.wanted.as_str().into()),
            ("holds", leaf.holds.into()),
            ("note", leaf.note.clone().into()),
        ]),
        Finding::Group(group) => Json::object([
            ("group", group.kind.name().into()),
            ("holds", group.holds.into()),
            ("branches", Json::Array(group.branches.iter().map(findings_json).collect())),
        ]),
    });
    Json::Array(shown.collect())
}

/// Colour on a terminal, none elsewhere.
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    pub(super) fn for_stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    fn with(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.with("2", text)
    }

    fn mark(&self, good: bool) -> String {
        if good { self.with("32", "✓") } else { self.with("31", "✗") }
    }
}
