//! `hookyard route [FILE]`: one event a line in, the names of the rules that match a line out.

use super::output::OutputError;
use super::{Common, Verdict, setup, sign};
use crate::event::{Event, EventId};
use crate::json::{self, Json};
use crate::rules::RuleSet;
use crate::source::Source;
use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(super) struct RouteArgs {
    /// Event documents, one a line [default: standard input]
    file: Option<PathBuf>,
    /// The lines are bodies as this source receives them (they are not verified)
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// End with counts, times and memory on standard error
    #[arg(long)]
    stats: bool,
    /// Use the real environment for references; without it they are placeholders
    #[arg(long)]
    env: bool,
}

pub(super) fn run(common: &Common, args: &RouteArgs) -> anyhow::Result<Verdict> {
    let config = setup::config(&setup::location(common)?)?;
    let source = args.source.as_ref().map(|name| sign::find(&config, name)).transpose()?;
    let started = Instant::now();
    let (_, rules) = setup::load(&config.rules, &setup::dry_settings(&config, args.env))?;
    let loading = started.elapsed();
    let input: Box<dyn BufRead> = match &args.file {
        Some(file) => Box::new(BufReader::new(File::open(file).with_context(|| file.display().to_string())?)),
        None => Box::new(io::stdin().lock()),
    };
    let mut stats = Stats::default();
    let mut out = BufWriter::new(io::stdout().lock());
    for line in input.split(b'\n') {
        stats.line(&line?, source, &rules, &mut out).map_err(OutputError::from)?;
    }
    out.flush().map_err(OutputError::from)?;
    if args.stats {
        stats.print(rules.rules.len(), loading);
    }
    Ok(if stats.bad > 0 { Verdict::Problems } else { Verdict::Fine })
}

#[derive(Default)]
struct Stats {
    lines: usize,
    events: usize,
    matched: usize,
    bad: usize,
    /// Parsing and routing only, not reading and printing.
    routing: Duration,
}

impl Stats {
    fn line(
        &mut self,
        line: &[u8],
        source: Option<&Source>,
        rules: &RuleSet,
        out: &mut impl Write,
    ) -> io::Result<()> {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let routed = event(line, source, self.lines).map(|event| rules.matching(&event));
        self.routing += started.elapsed();
        let names = match routed {
            Ok(names) => names,
            Err(error) => {
                self.bad += 1;
                eprintln!("line {}: {error}", self.lines);
                return Ok(());
            }
        };
        self.events += 1;
        self.matched += usize::from(!names.is_empty());
        let names = Json::Array(names.into_iter().map(Json::from).collect());
        writeln!(out, "{{\"line\":{},\"rules\":{names}}}", self.lines)
    }

    fn print(&self, rules: usize, loading: Duration) {
        let per_event_us = self.routing.as_secs_f64() * 1e6 / self.events.max(1) as f64;
        eprintln!("{rules} rules loaded in {:.0} ms", loading.as_secs_f64() * 1e3);
        eprintln!("{} events, {} matched, {} unreadable", self.events, self.matched, self.bad);
        if let Some(memory_kib) = peak_memory_kib() {
            eprintln!("{:.1} MiB peak memory", memory_kib as f64 / 1024.0);
        }
        eprintln!("{per_event_us:.2} µs/event");
    }
}

fn event(line: &[u8], source: Option<&Source>, number: usize) -> Result<Event, String> {
    let value = json::parse(line).map_err(|error| error.to_string())?;
    let id = EventId::new(0, number as u128);
    if let Some(source) = source {
        return Ok(source.unverified(id, value, Timestamp::now()));
    }
    match value {
        Json::Object(document) => Ok(Event::new(id, document)),
        other => Err(format!("an event document is a map, this is a {}", other.kind())),
    }
}

/// The most memory this process has had resident (Linux: `VmHWM` in proc_pid_status(5)).
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
