//! `hookyard deliveries`: where each delivery stands.

use super::{Common, Verdict, events, output, setup};
use crate::delivery::DeliveryId;
use crate::duration::before;
use crate::event::EventId;
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{DeliveryFilter, History, State, StoredDelivery};
use crate::operate;
use clap::Args;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    /// Only those given up
    #[arg(long, group = "state")]
    dead: bool,
    /// Only those that wait for their rule to be mended
    #[arg(long, group = "state")]
    blocked: bool,
    /// Only those still to be made
    #[arg(long, group = "state")]
    pending: bool,
    /// Only those that a storm control of their rule held back
    #[arg(long, group = "state")]
    suppressed: bool,
    /// Only of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only of actions of this name
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Only of this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only of events received within this time (`2h`)
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    since: Option<Duration>,
    /// Only those that stand behind this one
    #[arg(long, value_name = "ID")]
    before: Option<DeliveryId>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) fn run(common: &Common, args: &DeliveriesArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let state = [
        (args.dead, State::Dead),
        (args.blocked, State::Blocked),
        (args.pending, State::Pending),
        (args.suppressed, State::Suppressed),
    ];
    let state = state.into_iter().find_map(|(wanted, state)| wanted.then_some(state));
    let filter = DeliveryFilter {
        state,
        event: args.event,
        rule: args.rule.clone(),
        action: args.action.clone(),
        since: args.since.map(|since| before(Timestamp::now(), since)),
        before: args.before.clone(),
        limit: args.limit,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let history = SqliteHistory::open_read_only(&config.journal)?;
    let deliveries = runtime.block_on(history.deliveries(filter))?;
    if common.json {
        output::json_lines(deliveries.iter().map(operate::delivery_json))?;
    } else {
        let rows: Vec<_> = deliveries.iter().map(row).collect();
        output::table(&["UPDATED", "DELIVERY", "STATE", "ATTEMPTS", "DUE", "LAST"], &rows)?;
    }
    Ok(Verdict::Fine)
}

fn row(delivery: &StoredDelivery) -> Vec<String> {
    vec![
        events::time(delivery.updated_at),
        delivery.id.to_string(),
        delivery.state.name().to_owned(),
        delivery.attempts.to_string(),
        delivery.due.map_or("-".into(), events::time),
        delivery.message.clone(),
    ]
}
