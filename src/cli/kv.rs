//! `hookyard kv`: the state of scripts: look at it, and change it by hand.

use super::{Common, Verdict, events, output, server, setup};
use crate::config::Config;
use crate::journal::sqlite::{Options, SqliteHistory, SqliteJournal};
use crate::journal::{History, Journal};
use crate::json::{self, Json};
use crate::kv::{Changes, Entry, Expiry, Size, Write};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct KvArgs {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the namespaces, or the keys of one with their values
    List {
        namespace: Option<String>,
        /// Only keys that begin so
        #[arg(long, default_value = "")]
        prefix: String,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Print the value of a key as JSON; exit code 1 if there is none
    Get { namespace: String, key: String },
    /// Set a key, also while the server runs
    Set {
        namespace: String,
        key: String,
        /// JSON, or else text
        value: String,
        /// Remove it after this time (`10m`)
        #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
        ttl: Option<Duration>,
    },
    /// Remove a key, also while the server runs
    Delete { namespace: String, key: String },
}

pub(super) fn run(common: &Common, args: &KvArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let now = Timestamp::now();
    runtime.block_on(async {
        let history = || SqliteHistory::open_read_only(&config.journal);
        match &args.command {
            None | Some(Command::List { namespace: None, .. }) => {
                sizes(common, &history()?.kv_sizes().await?)?;
                Ok(Verdict::Fine)
            }
            Some(Command::List { namespace: Some(namespace), prefix, limit }) => {
                entries(common, &history()?.kv_list(namespace, prefix, *limit, now).await?)?;
                Ok(Verdict::Fine)
            }
            Some(Command::Get { namespace, key }) => match history()?.kv_get(namespace, key, now).await? {
                Some(value) => {
                    output::line(value.json)?;
                    Ok(Verdict::Fine)
                }
                None => {
                    eprintln!(
                        "there is no `{}` in the namespace `{}`",
                        output::printable(key),
                        output::printable(namespace)
                    );
                    Ok(Verdict::Problems)
                }
            },
            Some(Command::Set { namespace, key, value, ttl }) => {
                let value = json::parse(value.as_bytes()).unwrap_or_else(|_| value.as_str().into());
                let expiry = ttl.map_or(Expiry::Never, Expiry::After);
                let write = Write::Set { json: value.to_string(), expiry };
                change(&config, namespace, key, write).await
            }
            Some(Command::Delete { namespace, key }) => change(&config, namespace, key, Write::Delete).await,
        }
    })
}

fn sizes(common: &Common, sizes: &[Size]) -> anyhow::Result<()> {
    if common.json {
        return Ok(output::json_lines(sizes.iter().map(|size| {
            let (name, keys, bytes) = (size.namespace.as_str().into(), size.keys.into(), size.bytes.into());
            Json::object::<&str>([("namespace", name), ("keys", keys), ("bytes", bytes)])
        }))?);
    }
    let row = |size: &Size| vec![size.namespace.clone(), size.keys.to_string(), size.bytes.to_string()];
    Ok(output::table(&["NAMESPACE", "KEYS", "BYTES"], &sizes.iter().map(row).collect::<Vec<_>>())?)
}

fn entries(common: &Common, entries: &[Entry]) -> anyhow::Result<()> {
    if common.json {
        return Ok(output::json_lines(entries.iter().map(|Entry { key, value }| {
            let parsed = json::parse(value.json.as_bytes()).unwrap_or(Json::Null);
            let expires = value.expires.map(|end| end.to_string()).into();
            Json::object::<&str>([("key", key.as_str().into()), ("value", parsed), ("expires", expires)])
        }))?);
    }
    let row = |entry: &Entry| {
        let expires = entry.value.expires.map_or("-".to_owned(), events::time);
        vec![entry.key.clone(), expires, entry.value.json.clone()]
    };
    Ok(output::table(&["KEY", "EXPIRES", "VALUE"], &entries.iter().map(row).collect::<Vec<_>>())?)
}

/// By the server if one runs: it alone may write then. Else in the journal itself.
async fn change(config: &Config, namespace: &str, key: &str, write: Write) -> anyhow::Result<Verdict> {
    if key.is_empty() || namespace.is_empty() {
        bail!("a namespace and a key are not empty");
    }
    let mut body = crate::json::Object::new();
    body.insert("namespace", namespace);
    body.insert("key", key);
    if let Write::Set { json, expiry } = &write {
        body.insert("value", json::parse(json.as_bytes()).context("the value was made here")?);
        if let Expiry::After(ttl) = expiry {
            body.insert("ttl", humantime::format_duration(*ttl).to_string());
        }
    }
    if let Some(answer) = server::call(config, Method::POST, "/api/kv", Some(&Json::Object(body))).await? {
        return match answer.status.is_success() {
            true => Ok(Verdict::Fine),
            false => bail!("the server refuses: {}", answer.message()),
        };
    }
    let journal = SqliteJournal::open(&config.journal, Options::default())?;
    let writes = [(key.to_owned(), write)].into();
    journal
        .change(Changes { namespace: namespace.to_owned(), reads: Vec::new(), writes }, Timestamp::now())
        .await?;
    journal.close().await;
    Ok(Verdict::Fine)
}
