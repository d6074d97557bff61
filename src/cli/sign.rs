//! `hookyard sign [FILE]`: the headers that sign a body, for curl and for other people's tests.

use super::{Common, Verdict, output, setup};
use crate::config::Config;
use crate::json::{self, Json};
use crate::source::Source;
use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use std::io::Read;
use std::path::PathBuf;

/// The source of the built-in configuration.
pub(super) const DEFAULT_SOURCE: &str = "browser-use";

#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The body [default: standard input]
    file: Option<PathBuf>,
    /// The source whose secret signs
    #[arg(long, value_name = "NAME", default_value = DEFAULT_SOURCE)]
    source: String,
    /// The timestamp header [default: now, in Unix seconds]
    #[arg(long, value_name = "TEXT")]
    timestamp: Option<String>,
}

pub(super) fn run(common: &Common, args: &SignArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let source = find(&config, &args.source)?;
    let mut body = Vec::new();
    match &args.file {
        Some(file) => body = std::fs::read(file).with_context(|| file.display().to_string())?,
        None => {
            std::io::stdin().lock().read_to_end(&mut body)?;
        }
    }
    let body = json::parse(&body).map_err(|error| anyhow!("the body cannot be signed: {error}"))?;
    let timestamp = args.timestamp.clone().unwrap_or_else(|| Timestamp::now().as_second().to_string());
    let headers = headers(source, &timestamp, &body)?;
    if common.json {
        output::line(Json::object(headers.into_iter().map(|(name, value)| (name, value.into()))))?;
    } else {
        headers.iter().try_for_each(|(name, value)| output::line(format_args!("{name}: {value}")))?;
    }
    Ok(Verdict::Fine)
}

/// The source of that name.
pub(super) fn find<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Source> {
    let source = config.sources.named(name).map(|source| &**source);
    source.ok_or_else(|| anyhow!("--source {name}: there is no such source in the configuration"))
}

/// The headers that sign a body for a source, with its first secret.
pub(super) fn headers(
    source: &Source,
    timestamp: &str,
    body: &Json,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    source.sign(timestamp, body).ok_or_else(|| {
        anyhow!(
            "the source {} has no secret: set BROWSER_USE_SECRET, or `secrets` in hookyard.yaml",
            source.name()
        )
    })
}
