//! `hookyard retry` and `hookyard cancel`: dead deliveries tried again, open ones given up.

use super::ask::Ask;
use super::output::{self, printable};
use super::{Common, Verdict, server, setup};
use crate::config::Config;
use crate::delivery::DeliveryId;
use crate::duration::before;
use crate::event::EventId;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Chosen, DeliveryFilter, State};
use crate::json::Json;
use crate::operate::{self, Hands};
use clap::{ArgGroup, Args};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)))]
pub(super) struct RetryArgs {
    #[command(flatten)]
    which: Which,
    /// All that are dead
    #[arg(long, group = "which")]
    dead: bool,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).multiple(true)))]
pub(super) struct CancelArgs {
    #[command(flatten)]
    which: Which,
    /// Only those still to be made
    #[arg(long, group = "which", conflicts_with = "blocked")]
    pending: bool,
    /// Only those that wait for their rule to be mended
    #[arg(long, group = "which")]
    blocked: bool,
    #[command(flatten)]
    ask: Ask,
}

/// Which deliveries.
#[derive(Debug, Args)]
struct Which {
    /// These: `evt_…/rule/action`
    #[arg(value_name = "ID", group = "which", conflicts_with_all = ["rule", "action", "event", "since"])]
    ids: Vec<DeliveryId>,
    /// Only of this rule
    #[arg(long, group = "which", value_name = "NAME")]
    rule: Option<String>,
    /// Only of actions of this name
    #[arg(long, group = "which", value_name = "NAME")]
    action: Option<String>,
    /// Only of this event
    #[arg(long, group = "which", value_name = "ID")]
    event: Option<EventId>,
    /// Only of events received within this time (`2h`)
    #[arg(long, group = "which", value_name = "DURATION", value_parser = crate::duration::parse)]
    since: Option<Duration>,
}

impl Which {
    fn chosen(&self, state: Option<State>) -> anyhow::Result<Chosen> {
        if !self.ids.is_empty() {
            return Ok(Chosen::These(self.ids.clone()));
        }
        Ok(Chosen::Like(DeliveryFilter {
            state,
            event: self.event,
            rule: self.rule.clone(),
            action: self.action.clone(),
            since: self.since.map(|since| before(Timestamp::now(), since)),
            ..DeliveryFilter::default()
        }))
    }
}

pub(super) fn retry(common: &Common, args: &RetryArgs) -> anyhow::Result<Verdict> {
    let work = Work {
        path: "/api/retry",
        here: async |journal: Arc<SqliteJournal>, wish| {
            Ok(operate::retry(&*journal, wish, Timestamp::now()).await?)
        },
        would: |found| format!("{} would be tried again", deliveries(found)),
        done: |found| format!("{} to be tried again now", deliveries(found)),
    };
    work.run(common, args.which.chosen(None)?, args.ask)
}

pub(super) fn cancel(common: &Common, args: &CancelArgs) -> anyhow::Result<Verdict> {
    let state = [(args.pending, State::Pending), (args.blocked, State::Blocked)];
    let state = state.into_iter().find_map(|(wanted, state)| wanted.then_some(state));
    let work = Work {
        path: "/api/cancel",
        here: async |journal: Arc<SqliteJournal>, wish| {
            Ok(operate::cancel(&*journal, wish, Timestamp::now()).await?)
        },
        would: |found| format!("{} would be given up", deliveries(found)),
        done: |found| format!("{} given up", deliveries(found)),
    };
    work.run(common, args.which.chosen(state)?, args.ask)
}

fn deliveries(found: u64) -> String {
    if found == 1 { "1 delivery".into() } else { format!("{found} deliveries") }
}

/// What one of the two does.
struct Work<F> {
    path: &'static str,
    /// In the journal itself.
    here: F,
    would: fn(u64) -> String,
    done: fn(u64) -> String,
}

impl<F: AsyncFn(Arc<SqliteJournal>, Hands) -> anyhow::Result<Json>> Work<F> {
    /// Counts and asks, unless it is told to go ahead; then does it.
    fn run(self, common: &Common, chosen: Chosen, ask: Ask) -> anyhow::Result<Verdict> {
        let config = setup::config(&setup::location(common)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if !ask.yes {
            let wish = Hands { chosen: chosen.clone(), dry: true };
            let found = runtime.block_on(self.perform(&config, wish))?;
            let number = number(&found, "count");
            if number == 0 {
                return self.tell(common, &found);
            }
            if let Err(verdict) = ask.confirm(&(self.would)(number)) {
                return Ok(verdict);
            }
        }
        let done = runtime.block_on(self.perform(&config, Hands { chosen, dry: false }))?;
        self.tell(common, &done)
    }

    async fn perform(&self, config: &Config, wish: Hands) -> anyhow::Result<Json> {
        let json = wish.to_json();
        server::perform(config, self.path, &json, async |journal| (self.here)(journal, wish).await).await
    }

    fn tell(&self, common: &Common, done: &Json) -> anyhow::Result<Verdict> {
        let passed_over = done.get("passed_over").and_then(Json::as_array).unwrap_or_default();
        if common.json {
            output::line(done)?;
        } else {
            passed_over.iter().for_each(tell_of);
            let under_way = number(done, "under_way");
            if under_way > 0 {
                eprintln!("{} under way: left alone", deliveries(under_way));
            }
            output::line((self.done)(number(done, "count")))?;
        }
        Ok(if passed_over.is_empty() { Verdict::Fine } else { Verdict::Problems })
    }
}

/// Why something that was named is passed over.
pub(super) fn tell_of(passed_over: &Json) {
    let text = |name| passed_over.get(name).and_then(Json::as_str).unwrap_or_default();
    eprintln!("{}: {}", printable(text("id")), printable(text("why")));
}

pub(super) fn number(record: &Json, name: &str) -> u64 {
    let number = record.get(name).and_then(Json::as_number).and_then(|number| number.as_i64());
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}
