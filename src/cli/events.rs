//! `hookyard events`: what was received, newest first; or one event with all that was made of it.

use super::output::{self, printable};
use super::{Common, Verdict, setup};
use crate::event::EventId;
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{AttemptRecord, DeliveryFilter, EventFilter, History, StoredDelivery, StoredEvent};
use crate::json::{self, Json};
use anyhow::{anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Show this event with its deliveries and attempts (`last` for the newest)
    id: Option<String>,
    /// Only of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only with this status
    #[arg(long)]
    status: Option<String>,
    /// Only received within this time (`2h`)
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Only older than this event
    #[arg(long, value_name = "ID")]
    before: Option<EventId>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) fn run(common: &Common, args: &EventsArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let history = SqliteHistory::open_read_only(&config.journal)?;
        match args.id.as_deref() {
            Some(id) => one(&history, id, common.json).await,
            None => list(&history, args, common.json).await,
        }
    })
}

async fn list(history: &dyn History, args: &EventsArgs, json: bool) -> anyhow::Result<Verdict> {
    let since = args.since.map(|since| Timestamp::now().checked_sub(since)).transpose()?;
    let filter = EventFilter {
        source: args.source.clone(),
        kind: args.kind.clone(),
        status: args.status.clone(),
        since,
        before: args.before,
        limit: args.limit,
    };
    let events = history.events(filter).await?;
    if json {
        output::json_lines(&events.iter().map(to_json).collect::<Vec<_>>())?;
    } else {
        let rows: Vec<_> = events.iter().map(row).collect();
        output::table(&["RECEIVED", "ID", "SOURCE", "TYPE", "STATUS", "RULES"], &rows)?;
    }
    Ok(Verdict::Fine)
}

async fn one(history: &dyn History, id: &str, json: bool) -> anyhow::Result<Verdict> {
    let stored = match id {
        "last" => history.events(EventFilter { limit: 1, ..EventFilter::default() }).await?.into_iter().next(),
        id => history.event(id.parse()?).await?,
    };
    let Some(stored) = stored else { bail!("{id}: there is no such event in the journal") };
    let filter = DeliveryFilter { event: Some(stored.event.id()), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut deliveries = Vec::new();
    for delivery in history.deliveries(filter).await?.into_iter().rev() {
        let attempts = history.attempts(&delivery.id).await?;
        deliveries.push((delivery, attempts));
    }
    if json {
        output::json_lines([&with_deliveries(&stored, &deliveries)])?;
    } else {
        print(&stored, &deliveries)?;
    }
    Ok(Verdict::Fine)
}

fn print(stored: &StoredEvent, deliveries: &[(StoredDelivery, Vec<AttemptRecord>)]) -> anyhow::Result<()> {
    println!("{}", pretty(&stored.event.to_string())?);
    let generation = stored.generation.map_or("not routed yet".into(), |number| format!("routed by generation {number}"));
    println!("\n{generation}; matched: {}", if stored.rules.is_empty() { "nothing".into() } else { stored.rules.join(", ") });
    for (delivery, attempts) in deliveries {
        println!("\n{}  {}", delivery.id, delivery.state.name());
        for attempt in attempts {
            let took = humantime::format_duration(Duration::from_millis(attempt.duration.as_millis() as u64));
            println!("  {}. {} {took}  {}  {}", attempt.number, time(attempt.started_at), attempt.outcome, printable(&attempt.message));
        }
        if attempts.is_empty() && !delivery.message.is_empty() {
            println!("  {}", printable(&delivery.message));
        }
    }
    Ok(())
}

fn pretty(text: &str) -> anyhow::Result<String> {
    let value = json::parse(text.as_bytes()).map_err(|error| anyhow!("the journal holds an unreadable event: {error}"))?;
    let mut out = String::new();
    indent(&value, 0, &mut out);
    Ok(out)
}

/// Indented JSON; numbers as they were written.
fn indent(value: &Json, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth + 1);
    let close = "  ".repeat(depth);
    match value {
        Json::Object(object) if !object.is_empty() => {
            out.push('{');
            for (index, (key, member)) in object.iter().enumerate() {
                out.push_str(if index > 0 { ",\n" } else { "\n" });
                out.push_str(&format!("{pad}{}: ", Json::from(key)));
                indent(member, depth + 1, out);
            }
            out.push_str(&format!("\n{close}}}"));
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ",\n" } else { "\n" });
                out.push_str(&pad);
                indent(item, depth + 1, out);
            }
            out.push_str(&format!("\n{close}]"));
        }
        other => out.push_str(&other.to_string()),
    }
}

fn text(stored: &StoredEvent, field: &str) -> String {
    stored.event.get(field).and_then(Json::as_str).unwrap_or("-").to_owned()
}

fn row(stored: &StoredEvent) -> Vec<String> {
    let rules = match (&stored.generation, stored.rules.is_empty()) {
        (None, _) => "(not routed yet)".into(),
        (_, true) => "-".into(),
        (_, false) => stored.rules.join(" "),
    };
    vec![
        time(stored.received_at),
        stored.event.id().to_string(),
        text(stored, "source"),
        text(stored, "type"),
        text(stored, "status"),
        rules,
    ]
}

fn to_json(stored: &StoredEvent) -> Json {
    let rules = stored.rules.iter().map(|rule| rule.as_str().into()).collect();
    Json::object([
        ("event", Json::Object(stored.event.document().clone())),
        ("generation", stored.generation.into()),
        ("rules", Json::Array(rules)),
    ])
}

fn with_deliveries(stored: &StoredEvent, deliveries: &[(StoredDelivery, Vec<AttemptRecord>)]) -> Json {
    let shown = deliveries.iter().map(|(delivery, attempts)| {
        let mut record = super::deliveries::to_json(delivery);
        if let Json::Object(object) = &mut record {
            object.insert("attempts", Json::Array(attempts.iter().map(attempt_json).collect()));
        }
        record
    });
    let mut record = to_json(stored);
    if let Json::Object(object) = &mut record {
        object.insert("deliveries", Json::Array(shown.collect()));
    }
    record
}

fn attempt_json(attempt: &AttemptRecord) -> Json {
    Json::object([
        ("number", attempt.number.into()),
        ("started_at", attempt.started_at.to_string().into()),
        ("duration_ms", (attempt.duration.as_millis() as u64).into()),
        ("outcome", attempt.outcome.as_str().into()),
        ("message", attempt.message.as_str().into()),
    ])
}

/// Seconds are enough for people; JSON has all of it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
