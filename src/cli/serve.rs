//! `hookyard serve`: the server, its signals, and what it says when it starts.

use super::{Common, Verdict, logging, setup};
use crate::app::{App, Listeners};
use crate::reload::{Current, Request};
use clap::Args;
use std::net::SocketAddr;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

#[derive(Clone, Debug, Default, Args)]
pub(super) struct ServeArgs {
    /// Where webhooks come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "HOOKYARD_LISTEN")]
    listen: Option<String>,
    /// Where the admin side listens [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS", env = "HOOKYARD_ADMIN_LISTEN")]
    admin_listen: Option<String>,
}

impl ServeArgs {
    /// Flags may stand before or behind the word `serve`.
    pub(super) fn or(self, other: Self) -> Self {
        Self { listen: self.listen.or(other.listen), admin_listen: self.admin_listen.or(other.admin_listen) }
    }
}

pub(super) fn run(common: &Common, args: ServeArgs) -> anyhow::Result<Verdict> {
    logging::start();
    let mut location = setup::location(common)?;
    location.overrides.listen = args.listen;
    location.overrides.admin_listen = args.admin_listen;
    let config = setup::config(&location)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let app = App::start(location, config.clone()).await?;
        let listeners = Listeners::bind(&config).await?;
        signals(shutdown.clone(), app.reload.clone())?;
        welcome(&app.current, listeners.hooks.local_addr()?, listeners.admin.local_addr()?);
        app.run(listeners, shutdown).await;
        Ok(Verdict::Fine)
    })
}

/// SIGTERM and SIGINT stop (a second one at once), SIGHUP reloads.
fn signals(shutdown: CancellationToken, reload: mpsc::Sender<Request>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hangup.recv() => {
                    info!("SIGHUP: reloading");
                    // The verdict is logged by the reload itself.
                    let (answer, _) = oneshot::channel();
                    if reload.send(answer).await.is_err() {
                        warn!("SIGHUP came too late: hookyard is stopping");
                    }
                    continue;
                }
            }
            if shutdown.is_cancelled() {
                warn!("second signal: stopping at once; what was not settled is tried again at the next start");
                std::process::exit(1);
            }
            shutdown.cancel();
        }
    });
    Ok(())
}

/// What is served, and what to try next.
fn welcome(current: &Current, hooks: SocketAddr, admin: SocketAddr) {
    let config = current.config.borrow();
    let program = program();
    println!("hookyard {} is receiving", env!("CARGO_PKG_VERSION"));
    for source in current.sources.borrow().iter() {
        let waiting = if source.is_waiting() { "  (waiting for its secret: everything but the creation test gets 503)" } else { "" };
        println!("  hooks    http://{hooks}{}{waiting}", source.path());
    }
    println!("  admin    http://{admin}/api/status");
    println!("  rules    {}  ({})", config.rules.display(), current.verdict.borrow().summary);
    println!("  journal  {}", config.journal.display());
    println!("\nTry, in a second terminal (with the same BROWSER_USE_SECRET):");
    println!("  {program} send finished --metadata team=marketing");
    println!("  {program} events");
    println!("  {program} events last");
    println!("then edit a file in {} and send again: it is live when you save.\n", config.rules.display());
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
