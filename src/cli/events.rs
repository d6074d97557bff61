//! `hookyard events`: what was received, newest first; or one event with all that was made of it.

use super::output::{self, OutputError, printable};
use super::{Common, Verdict, refused, setup};
use crate::duration::before;
use crate::event::{Event, EventId, FIELDS, NotAnEventId};
use crate::journal::sqlite::SqliteHistory;
use crate::journal::{
    AttemptRecord, DeliveryFilter, EventFilter, History, Replay, StoredDelivery, StoredEvent, Taken,
};
use crate::json::Json;
use crate::operate::{attempt_json, delivery_json, replay_json, taken_json, verified_json};
use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Show this event with its deliveries and attempts (`last` for the newest)
    #[arg(value_parser = which)]
    id: Option<Which>,
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
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    since: Option<Duration>,
    /// Only received longer ago than this (`1h`)
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    until: Option<Duration>,
    /// Only those that this rule has matched, at first or in a replay
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only those that no rule has matched
    #[arg(long)]
    unmatched: bool,
    /// List requests that were refused instead, with the reasons
    #[arg(long, conflicts_with_all = ["id", "kind", "status", "since", "until", "rule", "unmatched", "before"])]
    refused: bool,
    /// Only older than this event
    #[arg(long, value_name = "ID")]
    before: Option<EventId>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// Which event to show.
#[derive(Clone, Copy, Debug)]
enum Which {
    Last,
    Id(EventId),
}

fn which(text: &str) -> Result<Which, NotAnEventId> {
    if text == "last" { Ok(Which::Last) } else { text.parse().map(Which::Id) }
}

/// A delivery with its attempts.
type Made = (StoredDelivery, Vec<AttemptRecord>);

/// All that was made of an event.
struct Story {
    replays: Vec<Replay>,
    deliveries: Vec<Made>,
}

pub(super) fn run(common: &Common, args: &EventsArgs) -> anyhow::Result<Verdict> {
    if args.refused {
        return refused::list(common, args.source.as_deref(), args.limit);
    }
    let config = setup::config(&setup::location(common)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let history = SqliteHistory::open_read_only(&config.journal)?;
        match args.id {
            Some(id) => one(&history, id, common.json).await,
            None => list(&history, args, common.json).await,
        }
    })
}

async fn list(history: &dyn History, args: &EventsArgs, json: bool) -> anyhow::Result<Verdict> {
    let now = Timestamp::now();
    let ago = |age: Option<Duration>| age.map(|age| before(now, age));
    let filter = EventFilter {
        source: args.source.clone(),
        kind: args.kind.clone(),
        status: args.status.clone(),
        since: ago(args.since),
        until: ago(args.until),
        before: args.before,
        unmatched: args.unmatched,
        rule: args.rule.clone(),
        limit: args.limit,
    };
    let events = history.events(filter).await?;
    if json {
        output::json_lines(events.iter().map(|stored| to_json(stored, None)))?;
    } else {
        let rows: Vec<_> = events.iter().map(row).collect();
        output::table(&["RECEIVED", "ID", "SOURCE", "TYPE", "STATUS", "RULES"], &rows)?;
    }
    Ok(Verdict::Fine)
}

async fn one(history: &dyn History, which: Which, json: bool) -> anyhow::Result<Verdict> {
    let stored = match which {
        Which::Last => {
            history.events(EventFilter { limit: 1, ..EventFilter::default() }).await?.into_iter().next()
        }
        Which::Id(id) => history.event(id).await?,
    };
    let Some(stored) = stored else {
        match which {
            Which::Last => bail!("there is no event in the journal yet"),
            Which::Id(id) => bail!("{id}: there is no such event in the journal"),
        }
    };
    let filter =
        DeliveryFilter { event: Some(stored.event.id()), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut deliveries = Vec::new();
    for delivery in history.deliveries(filter).await?.into_iter().rev() {
        let attempts = history.attempts(&delivery.id).await?;
        deliveries.push((delivery, attempts));
    }
    let story = Story { replays: history.replays(stored.event.id()).await?, deliveries };
    if json {
        output::line(to_json(&stored, Some(&story)))?;
    } else {
        print(&stored, &story)?;
    }
    Ok(Verdict::Fine)
}

fn print(stored: &StoredEvent, Story { replays, deliveries }: &Story) -> Result<(), OutputError> {
    output::line(pretty(&stored.event))?;
    let generation =
        stored.generation.map_or("not routed yet".into(), |number| format!("routed by generation {number}"));
    let names = |rules: &[String]| if rules.is_empty() { "nothing".into() } else { rules.join(", ") };
    output::line("")?;
    if let Some(Taken { at, refused }) = &stored.taken {
        let (at, refused) = (time(*at), printable(refused));
        output::line(format_args!("refused first: {refused}; verified again by hand {at}"))?;
    }
    if let Some(verified) = stored.verified {
        let (form, secret) = (verified.form.name(), verified.secret + 1);
        output::line(format_args!("verified: signed as {form} with secret {secret} of its source"))?;
    }
    output::line(format_args!("{generation}; matched: {}", names(&stored.rules)))?;
    for Replay { number, at, generation, rules } in replays {
        let (at, rules) = (time(*at), names(rules));
        output::line(format_args!(
            "replayed as ~{number} {at} by generation {generation}; matched: {rules}"
        ))?;
    }
    for (delivery, attempts) in deliveries {
        output::line(format_args!("\n{}  {}", delivery.id, delivery.state.name()))?;
        for attempt in attempts {
            let took = format!("{:.1} ms", attempt.duration.as_secs_f64() * 1e3);
            let (number, at) = (attempt.number, time(attempt.started_at));
            let message = printable(&attempt.message);
            let by = attempt.generation.map(|number| format!(" by generation {number}")).unwrap_or_default();
            output::line(format_args!("  {number}. {at} {took}{by}  {}  {message}", attempt.outcome))?;
            // An error has the beginning of the answer in its message.
            let answer = attempt.answer.as_ref().filter(|_| attempt.outcome == "delivered");
            if let Some(answer) = answer.filter(|answer| !answer.body.is_empty()) {
                let more = if answer.cut { "…" } else { "" };
                output::line(format_args!("     {} {}{more}", answer.status, printable(&answer.body)))?;
            }
        }
        if attempts.is_empty() && !delivery.message.is_empty() {
            output::line(format_args!("  {}", printable(&delivery.message)))?;
        }
    }
    Ok(())
}

/// The document over several lines, its fields in their documented order.
fn pretty(event: &Event) -> String {
    let present = FIELDS.iter().filter_map(|name| Some((*name, event.get(name)?)));
    let others = event.document().iter().filter(|(name, _)| !FIELDS.contains(name));
    let mut out = String::new();
    members(present.chain(others), 0, &mut out);
    out
}

/// Indented JSON; numbers as they were written.
fn indent(value: &Json, depth: usize, out: &mut String) {
    match value {
        Json::Object(object) if !object.is_empty() => members(object.iter(), depth, out),
        Json::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                begin(index, depth + 1, out);
                indent(item, depth + 1, out);
            }
            out.push_str(&format!("\n{}]", "  ".repeat(depth)));
        }
        // Control characters are escaped by JSON itself, except DEL and those of C1.
        other => out.push_str(&printable(&other.to_string())),
    }
}

fn members<'a>(members: impl Iterator<Item = (&'a str, &'a Json)>, depth: usize, out: &mut String) {
    out.push('{');
    for (index, (key, member)) in members.enumerate() {
        begin(index, depth + 1, out);
        out.push_str(&printable(&format!("{}: ", Json::from(key))));
        indent(member, depth + 1, out);
    }
    out.push_str(&format!("\n{}}}", "  ".repeat(depth)));
}

fn begin(index: usize, depth: usize, out: &mut String) {
    out.push_str(if index > 0 { ",\n" } else { "\n" });
    out.push_str(&"  ".repeat(depth));
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

/// As `--json` prints it, the document's fields in their documented order.
fn to_json(stored: &StoredEvent, story: Option<&Story>) -> String {
    let rules = Json::Array(stored.rules.iter().map(|rule| rule.as_str().into()).collect());
    let generation = Json::from(stored.generation);
    let story = story.map_or_else(String::new, |Story { replays, deliveries }| {
        let (verified, taken) = (verified_json(stored.verified), taken_json(stored.taken.as_ref()));
        let replays = Json::Array(replays.iter().map(replay_json).collect());
        let deliveries = Json::Array(deliveries.iter().map(with_attempts).collect());
        format!(r#","verified":{verified},"taken":{taken},"replays":{replays},"deliveries":{deliveries}"#)
    });
    format!(r#"{{"event":{},"generation":{generation},"rules":{rules}{story}}}"#, stored.event)
}

fn with_attempts((delivery, attempts): &Made) -> Json {
    let mut record = delivery_json(delivery);
    if let Json::Object(object) = &mut record {
        object.insert("attempts", Json::Array(attempts.iter().map(attempt_json).collect()));
    }
    record
}

/// Seconds are enough for people; JSON has all of it.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
