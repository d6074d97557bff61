//! `hookyard deliveries`: where each delivery stands.

use super::{Common, Verdict, events, output, setup};
use crate::event::EventId;
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{DeliveryFilter, History, State, StoredDelivery};
use crate::json::Json;
use clap::Args;

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
    /// Only of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only of this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) fn run(common: &Common, args: &DeliveriesArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let state = [(args.dead, State::Dead), (args.blocked, State::Blocked), (args.pending, State::Pending)];
    let state = state.into_iter().find_map(|(wanted, state)| wanted.then_some(state));
    let filter = DeliveryFilter {
        state,
        event: args.event,
        rule: args.rule.clone(),
        limit: args.limit,
        ..DeliveryFilter::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let history = SqliteHistory::open_read_only(&config.journal)?;
    let deliveries = runtime.block_on(history.deliveries(filter))?;
    if common.json {
        output::json_lines(deliveries.iter().map(to_json))?;
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

/// As `--json` prints it.
pub(super) fn to_json(delivery: &StoredDelivery) -> Json {
    Json::object([
        ("id", delivery.id.to_string().into()),
        ("state", delivery.state.name().into()),
        ("attempts", delivery.attempts.into()),
        ("due", delivery.due.map(|due| due.to_string()).into()),
        ("message", delivery.message.as_str().into()),
        ("updated_at", delivery.updated_at.to_string().into()),
    ])
}
