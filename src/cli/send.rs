//! `hookyard send STATUS`: a signed event for a running server, and its answer.

use super::{Common, Verdict, output, server, setup, sign};
use crate::action::client::Request;
use crate::action::{Client, Consent, Egress};
use crate::config::Config;
use crate::json::{self, Json, Object};
use crate::source::Source;
use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

const TIME_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES: usize = 64 << 10;

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// The task's status: finished, stopped, failed, … (or `test` for the sender's creation test)
    #[arg(default_value = "finished")]
    status: String,
    /// Metadata of the task, as often as needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// More members of the payload; VALUE is JSON, or else text
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    payload: Vec<(String, String)>,
    /// The event's type
    #[arg(long = "type", value_name = "TYPE", default_value = "agent.task.status_update")]
    kind: String,
    /// Send this file as the body instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["status", "metadata", "payload", "kind"])]
    file: Option<PathBuf>,
    /// Whose secret signs, and whose path it goes to
    #[arg(long, value_name = "NAME", default_value = sign::DEFAULT_SOURCE)]
    source: String,
    /// Where to [default: the configured listener and the source's path]
    #[arg(long)]
    url: Option<String>,
}

/// `listen` is where the server was told to listen by a flag.
pub(super) fn run(common: &Common, args: &SendArgs, listen: Option<String>) -> anyhow::Result<Verdict> {
    let mut location = setup::location(common)?;
    location.overrides.listen = listen.or(location.overrides.listen.take());
    let config = setup::config(&location)?;
    let source = sign::find(&config, &args.source)?;
    let now = Timestamp::now();
    let body = match &args.file {
        Some(file) => std::fs::read(file).with_context(|| file.display().to_string())?,
        None => made(args, now).to_string().into_bytes(),
    };
    let parsed = json::parse(&body).map_err(|error| anyhow!("the body cannot be signed: {error}"))?;
    let headers = sign::headers(source, &now.as_second().to_string(), &parsed)?;
    let url = args.url.clone().unwrap_or_else(|| url(&config, source));
    let (status, answer) = post(&url, body, headers)?;
    let answer = answer.trim_end();
    if common.json {
        let answer = json::parse(answer.as_bytes()).unwrap_or_else(|_| answer.into());
        output::line(Json::object([("status", u64::from(status).into()), ("answer", answer)]))?;
    } else {
        output::line(format_args!("{status} {}", output::printable(answer)))?;
    }
    Ok(if status < 300 { Verdict::Fine } else { Verdict::Problems })
}

/// A status update as the sender makes it, or its creation test.
fn made(args: &SendArgs, now: Timestamp) -> Json {
    let (kind, payload) = if args.status == "test" {
        ("test", Json::object([("test", "ok".into())]))
    } else {
        (args.kind.as_str(), Json::Object(payload(args)))
    };
    Json::object([("type", kind.into()), ("timestamp", now.to_string().into()), ("payload", payload)])
}

fn payload(args: &SendArgs) -> Object {
    let metadata: Object = args.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let id = |n: u32| format!("{:08x}-0000-4000-8000-{:012x}", fastrand::u32(..), fastrand::u32(..) ^ n);
    let mut payload = Object::new();
    payload.insert("session_id", id(1));
    payload.insert("task_id", id(2));
    payload.insert("status", args.status.as_str());
    payload.insert("metadata", metadata);
    for (key, value) in &args.payload {
        let value = json::parse(value.as_bytes()).unwrap_or_else(|_| value.as_str().into());
        payload.insert(key.as_str(), value);
    }
    payload
}

/// The source's endpoint as this machine reaches it.
fn url(config: &Config, source: &Source) -> String {
    format!("http://{}{}", server::reachable(&config.listen), source.path())
}

fn post(url: &str, body: Vec<u8>, signed: Vec<(&'static str, String)>) -> anyhow::Result<(u16, String)> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in signed {
        headers.insert(name, value.parse().context("a signature is a header's value")?);
    }
    let request = Request { method: Method::POST, url: url.to_owned(), headers, body: body.into() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::new(Egress::default());
        let sent = timeout(TIME_LIMIT, client.send(request, &Consent::Author, ANSWER_BYTES)).await;
        let answer = sent.map_err(|_| anyhow!("{url}: no answer within {TIME_LIMIT:?}"))?;
        let answer =
            answer.with_context(|| format!("nothing answers at {url}: is `hookyard serve` running?"))?;
        Ok((answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned()))
    })
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("write KEY=VALUE"),
    }
}
