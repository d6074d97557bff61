//! `hookyard plan [DIR]`: what edited rules would make of the events of late, against what really
//! happened.

mod report;
mod run;

use super::{Common, Verdict, setup};
use crate::journal::EventFilter;
use crate::journal::sqlite::SqliteHistory;
use clap::Args;
use jiff::Timestamp;
use report::Report;
use run::Run;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The edited rule directory [default: what the configuration says]
    dir: Option<PathBuf>,
    /// Events received within this time
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = crate::duration::parse)]
    since: Duration,
    /// Only of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only with this status
    #[arg(long)]
    status: Option<String>,
    /// Print all that would go out, secrets as names
    #[arg(long)]
    show: bool,
    /// Use the real environment for references and `requires`; without it they are placeholders, and
    /// fulfilled
    #[arg(long)]
    env: bool,
}

pub(super) fn run(common: &Common, args: &PlanArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let dir = args.dir.as_ref().unwrap_or(&config.rules);
    let mut settings = setup::dry_settings(&config, args.env);
    settings.assume_required = !args.env;
    let (_, rules) = setup::load(dir, &settings)?;
    let now = Timestamp::now();
    let filter = EventFilter {
        source: args.source.clone(),
        kind: args.kind.clone(),
        status: args.status.clone(),
        since: Some(crate::duration::before(now, args.since)),
        ..EventFilter::default()
    };
    let history = SqliteHistory::open_read_only(&config.journal)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new(&rules, args.show, common.json);
    runtime.block_on(Run { history: &history, rules: &rules, now }.over(filter, &mut report))?;
    report.print(dir)?;
    Ok(Verdict::Fine)
}
