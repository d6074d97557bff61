//! `hookyard journal`: what is in the journal, making it small, writing it out.

use super::{Common, Verdict, events, output, setup};
use crate::journal::sqlite::{Info, SqliteHistory, vacuum};
use crate::json::Json;
use crate::operate::counts_json;
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Args)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say how much is in it
    Info,
    /// Give free space back to the disk; the server has to be stopped
    Vacuum,
    /// Print every event with its deliveries and attempts, one a line, the oldest first
    Export,
}

pub(super) fn run(common: &Common, args: &JournalArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let history = || SqliteHistory::open_read_only(&config.journal);
    match args.command {
        Command::Info => {
            let info = runtime.block_on(history()?.info(&config.journal))?;
            if common.json {
                output::line(to_json(&info))?;
            } else {
                output::line(shown(&info, &config.journal.display().to_string()))?;
            }
        }
        Command::Vacuum => {
            let (before, after) = vacuum(&config.journal)?;
            output::line(format_args!("{} before, {} now", ByteSize(before), ByteSize(after)))?;
        }
        Command::Export => {
            // A reader that is gone ends it, and is nobody's mistake.
            let damaged = Arc::new(AtomicBool::new(false));
            let found = Arc::clone(&damaged);
            let take = move |record: Json| {
                if let Some(error) = record.get("error").and_then(Json::as_str) {
                    eprintln!("{}", output::printable(error));
                    found.store(true, Ordering::Relaxed);
                }
                writeln!(std::io::stdout().lock(), "{record}").is_ok()
            };
            runtime.block_on(history()?.export(take))?;
            if damaged.load(Ordering::Relaxed) {
                return Ok(Verdict::Problems);
            }
        }
    }
    Ok(Verdict::Fine)
}

fn shown(info: &Info, path: &str) -> String {
    let counts = &info.counts;
    let time = |time: Option<jiff::Timestamp>| time.map_or("-".to_owned(), events::time);
    format!(
        "journal      {path}\n\
         size         {}, of which {} free; {} more to be moved into it\n\
         events       {} ({} to {}), {} unrouted\n\
         deliveries   {} pending, {} blocked, {} delivered, {} dead, {} suppressed\n\
         generations  {} kept; {} lanes",
        ByteSize(counts.bytes),
        ByteSize(info.free_bytes),
        ByteSize(info.wal_bytes),
        counts.events,
        time(info.oldest),
        time(info.newest),
        counts.unrouted,
        counts.pending,
        counts.blocked,
        counts.delivered,
        counts.dead,
        counts.suppressed,
        info.generations,
        info.lanes,
    )
}

fn to_json(info: &Info) -> Json {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let mut record = counts_json(&info.counts);
    for (name, value) in [
        ("free_bytes", Json::from(info.free_bytes)),
        ("wal_bytes", info.wal_bytes.into()),
        ("oldest", time(info.oldest).into()),
        ("newest", time(info.newest).into()),
        ("generations", info.generations.into()),
        ("lanes", info.lanes.into()),
    ] {
        record.insert(name, value);
    }
    Json::Object(record)
}
