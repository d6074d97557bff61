//! Refused requests: `hookyard events --refused` and `hookyard replay --refused`.

use super::ask::Ask;
use super::{Common, Verdict, events, output, server, setup};
use crate::action::Context;
use crate::config::Config;
use crate::ingest;
use crate::journal::Journal;
use crate::journal::sqlite::SqliteJournal;
use crate::json::Json;
use crate::refused::{self, Record};
use crate::reload;
use crate::rules::Serving;
use anyhow::Context as _;
use jiff::Timestamp;
use std::sync::Arc;

/// Lists them, the newest first.
pub(super) fn list(common: &Common, source: Option<&str>, limit: usize) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let records = read(&config)?;
    let wanted = records.iter().filter(|record| source.is_none_or(|source| source == record.source));
    let wanted: Vec<&Record> = wanted.take(limit).collect();
    if common.json {
        output::json_lines(wanted.iter().map(|record| record.shown()))?;
    } else {
        let row = |record: &&Record| {
            let body = record.body.as_ref().map_or("(not kept)".into(), |body| {
                String::from_utf8_lossy(body).chars().take(60).collect::<String>()
            });
            vec![
                events::time(record.received_at),
                record.source.clone(),
                record.status.to_string(),
                record.reason.clone(),
                body,
            ]
        };
        let rows: Vec<_> = wanted.iter().map(row).collect();
        output::table(&["RECEIVED", "SOURCE", "STATUS", "REASON", "BODY"], &rows)?;
    }
    Ok(Verdict::Fine)
}

/// Verifies them again as of their times of receipt, and routes those that pass.
pub(super) fn replay(common: &Common, ask: Ask) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let count = read(&config)?.len();
    if let Err(verdict) = ask.confirm(&format!("{count} refused requests would be verified again")) {
        return Ok(verdict);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let here = async |journal: Arc<SqliteJournal>| here(&config, &journal).await;
    let wish = Json::Object(crate::json::Object::new());
    let done = runtime.block_on(server::perform(&config, "/api/refused/replay", &wish, here))?;
    let number = |name| done.get(name).map(Json::to_string).unwrap_or_default();
    if common.json {
        output::line(&done)?;
    } else {
        output::line(format_args!(
            "{} accepted and routed, {} had come again meanwhile, {} still refused",
            number("accepted"),
            number("duplicates"),
            number("still_refused")
        ))?;
    }
    Ok(Verdict::Fine)
}

async fn here(config: &Config, journal: &Arc<SqliteJournal>) -> anyhow::Result<Json> {
    let now = Timestamp::now();
    let context = Context::new(config.egress.clone(), config.files.clone());
    let settings = reload::settings(config, context.with_programs(config.exec.clone()));
    let (tree, rules) = setup::load(&config.rules, &settings)?;
    let number = journal.keep_generation(&reload::name_of(&config.rules), &tree, now).await?;
    let serving = Serving { number, rules };
    let replayed =
        ingest::replay_refused(read(config)?, &config.sources, Some(&serving), &**journal, now).await?;
    Ok(replayed.to_json())
}

fn read(config: &Config) -> anyhow::Result<Vec<Record>> {
    refused::read(&config.journal).context("the refused requests cannot be read")
}
