//! `hookyard explain EVENT [RULE]`: why an event matched what it matched, then and now.

mod report;

use super::output;
use super::{Common, Verdict, setup, sign};
use crate::config::Config;
use crate::diagnostic::did_you_mean;
use crate::event::{Event, EventId};
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{EventFilter, History, StoredEvent};
use crate::json::{self, Json};
use crate::rules::{self, RuleSet};
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use report::{Paint, Report};
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
    let mut settings = setup::dry_settings(&config, args.env);
    // A rule that is off where this runs is told as off, as the server does.
    settings.assume_required = false;
    let stored = stored(&config, &args.event)?;
    let event = match &stored {
        Some(stored) => stored.event.clone(),
        None => from_file(&config, args)?,
    };
    let now = match (setup::load(&config.rules, &settings), &stored) {
        (Ok((_, now)), _) => Some(now),
        // What happened can be told all the same; what is wrong has been shown.
        (Err(error), Some(_)) => {
            eprintln!("error: {error:#}");
            None
        }
        (Err(error), None) => return Err(error),
    };
    let then = match stored.as_ref().and_then(|stored| stored.generation) {
        Some(number) => generation(&config, number)?.and_then(|tree| rules::load(&tree, &settings).rules),
        None => None,
    };
    if let (Some(rule), Some(now)) = (&args.rule, &now) {
        check_rule(rule, now, &config.rules)?;
    }
    let report = Report {
        stored: stored.as_ref(),
        event: &event,
        then: then.as_ref(),
        now: now.as_ref(),
        only: args.rule.as_deref(),
    };
    if common.json {
        output::json_lines([report.to_json()])?;
    } else {
        output::line(report.text(&Paint::for_stdout()))?;
    }
    Ok(if now.is_some() { Verdict::Fine } else { Verdict::Problems })
}

/// A rule that is off is told as off; one that is not there may be another's misspelt name.
fn check_rule(name: &str, now: &RuleSet, dir: &Path) -> anyhow::Result<()> {
    let on = now.rules.iter().map(|rule| rule.name.as_str());
    let mut known = on.chain(now.off.iter().map(|off| off.rule.as_str()));
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let hint = did_you_mean(name, &mut known).map(|meant| format!(": did you mean `{meant}`?"));
    bail!("there is no rule `{name}` in {}{}", dir.display(), hint.unwrap_or_default());
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
        return Ok(sign::find(config, source)?.unverified(id, value, Timestamp::now()));
    }
    match value {
        Json::Object(document) => Ok(Event::new(id, document)),
        other => bail!("{}: an event document is a map, this is a {}", args.event, other.kind()),
    }
}
