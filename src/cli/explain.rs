//! `hookyard explain EVENT [RULE]`: why an event matched what it matched, then and now.

use super::output::{self, printable};
use super::{Common, Verdict, setup, sign};
use crate::config::Config;
use crate::event::{Event, EventId};
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{EventFilter, History, StoredEvent};
use crate::json::{self, Json};
use crate::pattern::{Explanation, Finding, Leaf};
use crate::rules::trace::{self, Traced};
use crate::rules::{self, RuleSet};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use std::io::IsTerminal;
use std::path::Path;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// An event's id, `last` for the newest, or a file with an event document
    event: String,
    /// Only this rule
    rule: Option<String>,
    /// The file is a body as this source receives it (it is not verified)
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Use the real environment for references; without it they are placeholders
    #[arg(long)]
    env: bool,
}

pub(super) fn run(common: &Common, args: &ExplainArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let settings = setup::dry_settings(&config, args.env);
    let stored = stored(&config, &args.event)?;
    let event = match &stored {
        Some(stored) => stored.event.clone(),
        None => from_file(&config, args)?,
    };
    let (_, now) = setup::load(&config.rules, &settings)?;
    let then = match stored.as_ref().and_then(|stored| stored.generation) {
        Some(number) => generation(&config, number)?.and_then(|tree| rules::load(&tree, &settings).rules),
        None => None,
    };
    if let Some(rule) = &args.rule
        && !now.rules.iter().any(|known| known.name == *rule)
    {
        bail!("there is no rule `{rule}` that is on in {}", config.rules.display());
    }
    let report = Report {
        stored: stored.as_ref(),
        event: &event,
        then: then.as_ref(),
        now: &now,
        only: args.rule.as_deref(),
    };
    if common.json {
        output::json_lines([&report.to_json()])?;
    } else {
        report.print();
    }
    Ok(Verdict::Fine)
}

/// The event of the journal that is meant; `None` if a file is.
fn stored(config: &Config, wanted: &str) -> anyhow::Result<Option<StoredEvent>> {
    let id = wanted.parse::<EventId>();
    if id.is_err() && wanted != "last" {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let history = SqliteHistory::open_read_only(&config.journal)?;
        let found = match id {
            Ok(id) => history.event(id).await?,
            Err(_) => {
                history.events(EventFilter { limit: 1, ..EventFilter::default() }).await?.into_iter().next()
            }
        };
        found.map(Some).ok_or_else(|| anyhow!("{wanted}: there is no such event in the journal"))
    })
}

/// The rules that routed it, if they are still kept.
fn generation(config: &Config, number: u64) -> anyhow::Result<Option<rules::Tree>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let history = SqliteHistory::open_read_only(&config.journal)?;
        Ok(history.generation(number).await?.map(|generation| generation.files))
    })
}

fn from_file(config: &Config, args: &ExplainArgs) -> anyhow::Result<Event> {
    let path = Path::new(&args.event);
    let text = std::fs::read(path)
        .with_context(|| format!("{} is no event id, and cannot be read as a file", args.event))?;
    let value = json::parse(&text).map_err(|error| anyhow!("{}: {error}", args.event))?;
    let id = EventId::new(0, 0);
    if let Some(source) = &args.source {
        return Ok(sign::find(config, source)?.unverified(id, &value, Timestamp::now()));
    }
    match value {
        Json::Object(document) => Ok(Event::new(id, document)),
        other => bail!("{}: an event document is a map, this is a {}", args.event, other.kind()),
    }
}

struct Report<'a> {
    stored: Option<&'a StoredEvent>,
    event: &'a Event,
    /// The rules of the generation that routed it.
    then: Option<&'a RuleSet>,
    now: &'a RuleSet,
    only: Option<&'a str>,
}

impl Report<'_> {
    fn print(&self) {
        let paint = Paint::for_stdout();
        if let Some(stored) = self.stored {
            self.print_then(stored, &paint);
        }
        println!("now:");
        for traced in self.rules_now() {
            print_rule(&traced, &paint);
        }
        for off in &self.now.off {
            if self.only.is_none_or(|only| only == off.rule) {
                println!("\n  {}  off: {}", paint.dim(&off.rule), off.why);
            }
        }
    }

    /// What happened when it came: the names are from the journal, the reasons from the files that
    /// the journal keeps of that generation.
    fn print_then(&self, stored: &StoredEvent, paint: &Paint) {
        let Some(number) = stored.generation else {
            return println!("then: it came while no rules were served, and waits for the first good ones\n");
        };
        let matched = if stored.rules.is_empty() { "no rule".to_owned() } else { stored.rules.join(", ") };
        println!("then: generation {number} matched {}", paint.bold(&matched));
        let Some(then) = self.then else {
            return println!(
                "  the files of that generation are not kept any more, so its reasons are unknown\n"
            );
        };
        for traced in then
            .trace(self.event)
            .into_iter()
            .filter(|traced| !traced.verdict.matched() && traced.pattern.holds)
        {
            println!("  {}  {}", traced.rule.name, reason(&traced));
        }
        println!();
    }

    fn rules_now(&self) -> impl Iterator<Item = Traced<'_>> {
        self.now
            .trace(self.event)
            .into_iter()
            .filter(|traced| self.only.is_none_or(|only| only == traced.rule.name))
    }

    fn to_json(&self) -> Json {
        let then = self.stored.map(|stored| {
            let held_back = self.then.map(|then| {
                let traced = then.trace(self.event).into_iter();
                let held = traced.filter(|traced| !traced.verdict.matched() && traced.pattern.holds);
                Json::Array(
                    held.map(|traced| {
                        Json::object([
                            ("rule", traced.rule.name.as_str().into()),
                            ("why", reason(&traced).into()),
                        ])
                    })
                    .collect(),
                )
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
        ])
    }
}

fn print_rule(traced: &Traced<'_>, paint: &Paint) {
    let matched = traced.verdict.matched();
    println!("\n  {} {}  {}", paint.mark(matched), paint.bold(&traced.rule.name), reason(traced));
    print_findings(&traced.pattern, 2, paint);
    match &traced.when {
        None => {}
        Some(Ok(holds)) => println!("    {} when: {holds}", paint.mark(*holds)),
        Some(Err(error)) => println!("    {} when: {}", paint.mark(false), printable(error)),
    }
}

fn print_findings(explanation: &Explanation<'_>, depth: usize, paint: &Paint) {
    let pad = "  ".repeat(depth);
    for finding in &explanation.findings {
        match finding {
            Finding::Leaf(leaf) => println!("{pad}{} {}", paint.mark(leaf.holds), leaf_text(leaf)),
            Finding::Group(group) => {
                println!("{pad}{} {}", paint.mark(group.holds), group.kind.name());
                for branch in &group.branches {
                    print_findings(branch, depth + 1, paint);
                }
            }
        }
    }
}

fn leaf_text(leaf: &Leaf<'_>) -> String {
    let note = leaf.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
    printable(&format!("{} is {}; wanted: {}{note}", leaf.path, found(leaf), leaf.wanted))
}

fn found(leaf: &Leaf<'_>) -> String {
    leaf.actual.map_or_else(|| "absent".to_owned(), |value| format!("{} {value}", value.kind()))
}

/// One sentence about a rule.
fn reason(traced: &Traced<'_>) -> String {
    match &traced.verdict {
        trace::Verdict::Matched => "matches".to_owned(),
        trace::Verdict::MatchedWithError => {
            "matches, but its `when` errs: its deliveries are blocked".to_owned()
        }
        trace::Verdict::NoMatch => "does not match".to_owned(),
        trace::Verdict::WhenFalse => "its pattern holds, its `when` does not".to_owned(),
        trace::Verdict::StoppedBy(rule) => format!("would match, but `{rule}` before it matched and stops"),
        trace::Verdict::NotNeeded { because_of } => format!("is a fallback, and `{because_of}` matched"),
        trace::Verdict::OwnEvent => {
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
struct Paint {
    on: bool,
}

impl Paint {
    fn for_stdout() -> Self {
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
