//! `hookyard serve`: the server, its signals, and what it says when it starts.

use super::{Common, Verdict, logging, setup};
use crate::app::{App, Listeners};
use crate::config::{Config, Location};
use crate::reload::{Current, Request};
use clap::Args;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long threads that are still busy (a name being looked up) are waited for at the end.
const LAST_WAIT: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Default, Args)]
pub(super) struct ServeArgs {
    /// Where webhooks come in [default: 127.0.0.1:8080] [env: HOOKYARD_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// Where the admin side listens [default: 127.0.0.1:8081] [env: HOOKYARD_ADMIN_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) admin_listen: Option<String>,
}

impl ServeArgs {
    /// Flags may stand before or behind the word `serve`; they win over the environment.
    pub(super) fn or(self, other: Self) -> Self {
        Self { listen: self.listen.or(other.listen), admin_listen: self.admin_listen.or(other.admin_listen) }
    }
}

pub(super) fn run(common: &Common, args: ServeArgs) -> anyhow::Result<Verdict> {
    logging::start();
    let mut location = setup::location(common)?;
    location.offline = false;
    let overrides = &mut location.overrides;
    overrides.listen = args.listen.or(overrides.listen.take());
    overrides.admin_listen = args.admin_listen.or(overrides.admin_listen.take());
    let config = setup::config(&location)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let flags = flags(common, &location, &config);
    // `send` goes where the configuration says: not where a flag or the system has put it.
    let findable = location.overrides.listen.is_none() && !config.listen.ends_with(":0");
    let ended = runtime.block_on(serve(location, config, &flags, findable));
    runtime.shutdown_timeout(LAST_WAIT);
    ended
}

async fn serve(location: Location, config: Config, flags: &str, findable: bool) -> anyhow::Result<Verdict> {
    // First of all, so that a signal during a long start is not lost.
    let signals = Signals::install()?;
    let shutdown = CancellationToken::new();
    let app = App::start(location, config.clone()).await?;
    let listeners = Listeners::bind(&config).await?;
    let (hooks, admin) = (listeners.hooks.local_addr()?, listeners.admin.local_addr()?);
    tokio::spawn(signals.obey(shutdown.clone(), app.reload.clone()));
    // Nobody reading it is no reason not to serve.
    let _ = welcome(&app.current, hooks, admin, flags, findable);
    app.run(listeners, shutdown).await?;
    Ok(Verdict::Fine)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// SIGTERM and SIGINT stop (a second one at once), SIGHUP reloads.
    async fn obey(mut self, shutdown: CancellationToken, reload: mpsc::Sender<Request>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => {
                    info!("SIGHUP: reloading");
                    // The verdict is logged by the reload itself. A full queue reloads anyway.
                    let (answer, _) = oneshot::channel();
                    if let Err(TrySendError::Closed(_)) = reload.try_send(answer) {
                        warn!("SIGHUP came too late: hookyard is stopping");
                    }
                    continue;
                }
            }
            if shutdown.is_cancelled() {
                warn!(
                    "second signal: stopping at once; what was not settled is tried again at the next start"
                );
                std::process::exit(1);
            }
            shutdown.cancel();
        }
    }
}

/// The options with which other commands find this server.
fn flags(common: &Common, location: &Location, config: &Config) -> String {
    let mut flags = String::new();
    if let Some(file) = &common.config {
        flags.push_str(&format!(" --config {}", file.display()));
    }
    if location.overrides.journal.is_some() {
        flags.push_str(&format!(" --journal {}", config.journal.display()));
    }
    flags
}

/// What is served, and what to try next.
fn welcome(
    current: &Current,
    hooks: SocketAddr,
    admin: SocketAddr,
    flags: &str,
    findable: bool,
) -> std::io::Result<()> {
    let config = current.config.borrow();
    let sources = current.sources.borrow();
    let program = program();
    let mut out = std::io::stdout().lock();
    writeln!(out, "hookyard {} is receiving", env!("CARGO_PKG_VERSION"))?;
    for source in sources.iter() {
        let waiting = match source.is_waiting() {
            true => "  (waiting for its secret: all but the creation test is answered 503)",
            false => "",
        };
        writeln!(out, "  hooks    http://{hooks}{}{waiting}", source.path())?;
    }
    writeln!(out, "  admin    http://{admin}/api/status")?;
    writeln!(out, "  rules    {}  ({})", config.rules.display(), current.verdict.borrow().summary)?;
    writeln!(out, "  journal  {}", config.journal.display())?;
    if let Some(source) = sources.iter().next() {
        let url = match findable {
            true => String::new(),
            false => format!(" --url http://{hooks}{}", source.path()),
        };
        let name = match source.name() {
            super::sign::DEFAULT_SOURCE => String::new(),
            name => format!(" --source {name}"),
        };
        writeln!(out, "\nTry, in a second terminal (with the same secret in its environment):")?;
        writeln!(out, "  {program} send finished --metadata team=marketing{name}{url}{flags}")?;
        writeln!(out, "  {program} events{flags}")?;
        writeln!(out, "  {program} events last{flags}")?;
    }
    let rules = config.rules.display();
    writeln!(out, "then edit a file in {rules} and send again: it is live when you save.\n")
}

/// How the reader can call this program: as it was built here, or by its name.
fn program() -> String {
    let here = std::env::current_dir().ok();
    let built = std::env::current_exe().ok().zip(here).and_then(|(exe, here)| {
        let relative = exe.strip_prefix(here).ok().map(Path::to_path_buf)?;
        relative.starts_with("target").then(|| format!("./{}", relative.display()))
    });
    built.unwrap_or_else(|| "hookyard".to_owned())
}
