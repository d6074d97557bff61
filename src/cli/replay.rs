//! `hookyard replay`: events routed again by the rules of now.

use super::ask::{Ask, count};
use super::hands::{number, tell_of};
use super::{Common, Verdict, output, refused, server, setup};
use crate::action::Context;
use crate::config::Config;
use crate::duration::before;
use crate::event::EventId;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{EventFilter, Journal};
use crate::json::Json;
use crate::operate::{self, Events, Replaying};
use crate::reload;
use crate::rules::{RuleSet, Serving};
use anyhow::bail;
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What a dry run says, also where there is nothing to ask about.
const WOULD: &str = "would be replayed";

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)))]
pub(super) struct ReplayArgs {
    /// These events
    #[arg(value_name = "ID", group = "which",
          conflicts_with_all = ["since", "until", "source", "kind", "status", "unmatched"])]
    ids: Vec<EventId>,
    /// Only received within this time (`2h`)
    #[arg(long, group = "which", value_name = "DURATION", value_parser = crate::duration::parse)]
    since: Option<Duration>,
    /// Only received longer ago than this (`1h`)
    #[arg(long, group = "which", value_name = "DURATION", value_parser = crate::duration::parse)]
    until: Option<Duration>,
    /// Only of this source; hookyard's own events only if they are named so
    #[arg(long, group = "which", value_name = "NAME")]
    source: Option<String>,
    /// Only of this type
    #[arg(long = "type", group = "which", value_name = "TYPE")]
    kind: Option<String>,
    /// Only with this status
    #[arg(long, group = "which")]
    status: Option<String>,
    /// Only those that no rule has matched so far
    #[arg(long, group = "which")]
    unmatched: bool,
    /// Requests that were refused instead: verified again as of their times of receipt, after a secret
    /// was mended, and routed if they pass
    #[arg(long, group = "which",
          conflicts_with_all = ["ids", "since", "until", "source", "kind", "status", "unmatched", "rule"])]
    refused: bool,
    /// Only what this rule makes of them
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

impl ReplayArgs {
    fn events(&self, now: Timestamp) -> anyhow::Result<Events> {
        if !self.ids.is_empty() {
            return Ok(Events::These(self.ids.clone()));
        }
        let ago = |age: Option<Duration>| age.map(|age| before(now, age));
        Ok(Events::Like(EventFilter {
            source: self.source.clone(),
            kind: self.kind.clone(),
            status: self.status.clone(),
            since: ago(self.since),
            until: ago(self.until),
            unmatched: self.unmatched,
            ..EventFilter::default()
        }))
    }
}

pub(super) fn run(common: &Common, args: &ReplayArgs) -> anyhow::Result<Verdict> {
    if args.refused {
        return refused::replay(common, args.ask);
    }
    let config = setup::config(&setup::location(common)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wish = Replaying { events: args.events(Timestamp::now())?, rule: args.rule.clone(), dry: true };
    if !args.ask.yes {
        let found = runtime.block_on(perform(&config, &wish))?;
        if number(&found, "deliveries") == 0 {
            return tell(common, &found, WOULD);
        }
        if let Err(verdict) = args.ask.confirm(&sentence(&found, WOULD)) {
            return Ok(verdict);
        }
    }
    let done = runtime.block_on(perform(&config, &Replaying { dry: false, ..wish }))?;
    tell(common, &done, "replayed")
}

async fn perform(config: &Config, wish: &Replaying) -> anyhow::Result<Json> {
    server::perform(config, "/api/replay", &wish.to_json(), async |journal| {
        here(config, &journal, wish).await
    })
    .await
}

/// Without a server: by the rules as they are on disk, which are a generation from then on.
async fn here(config: &Config, journal: &Arc<SqliteJournal>, wish: &Replaying) -> anyhow::Result<Json> {
    let now = Timestamp::now();
    let context = Context::new(config.egress.clone(), config.files.clone());
    let settings = reload::settings(config, context.with_programs(config.exec.clone()));
    let (tree, rules) = setup::load(&config.rules, &settings)?;
    check_rule(wish.rule.as_deref(), &rules)?;
    let number = match wish.dry {
        true => None,
        false => Some(journal.keep_generation(&reload::name_of(&config.rules), &tree, now).await?),
    };
    let serving = Serving { number: number.unwrap_or(0), rules };
    let replayed = operate::replay(&**journal, &serving, wish, now).await?;
    Ok(replayed.to_json(wish.dry, number))
}

fn check_rule(wanted: Option<&str>, rules: &RuleSet) -> anyhow::Result<()> {
    match wanted.and_then(|wanted| operate::unknown_rule(wanted, rules)) {
        Some(wrong) => bail!("{wrong}"),
        None => Ok(()),
    }
}

fn tell(common: &Common, done: &Json, what: &str) -> anyhow::Result<Verdict> {
    let passed_over = done.get("passed_over").and_then(Json::as_array).unwrap_or_default();
    if common.json {
        output::line(done)?;
    } else {
        passed_over.iter().for_each(tell_of);
        output::line(sentence(done, what))?;
    }
    Ok(if passed_over.is_empty() { Verdict::Fine } else { Verdict::Problems })
}

/// `3 events would be replayed by generation 7: tell/slack 2, crm/http 3`.
fn sentence(found: &Json, what: &str) -> String {
    let events = count(number(found, "events"), "event");
    let generation = found.get("generation").filter(|number| !number.is_null());
    let by = generation.map(|number| format!(" by generation {number}")).unwrap_or_default();
    let text = |lane: &Json, name| lane.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let lanes = found.get("by").and_then(Json::as_array).unwrap_or_default().iter();
    let lanes = lanes
        .map(|lane| format!("{}/{} {}", text(lane, "rule"), text(lane, "action"), number(lane, "count")));
    match lanes.collect::<Vec<_>>().join(", ") {
        lanes if lanes.is_empty() => format!("{events} {what}{by}, and nothing comes of it"),
        lanes => format!("{events} {what}{by}: {lanes}"),
    }
}
