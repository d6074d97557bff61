//! All of it wired: journal, rules, dispatcher, listeners; and the order in which they stop.

use crate::action::Context;
use crate::admin::{self, Admin};
use crate::config::{Config, Location};
use crate::dispatch::{self, Dispatcher};
use crate::ingest::{self, HookLimits, Hooks};
use crate::journal::sqlite::{Options, SqliteJournal};
use crate::journal::{Journal, JournalError, Trim};
use crate::reload::{Current, Reloader, Request};
use crate::server::{self, ServerLimits};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long requests and attempts under way may take to end after the signal.
const DRAIN: Duration = Duration::from_secs(8);
/// How often old events are looked for.
const TRIM_EVERY: Duration = Duration::from_secs(60);
/// Old events removed in one step, so that a step is short.
const TRIM_STEP: usize = 500;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Unguarded(#[from] admin::Unguarded),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: String, error: std::io::Error },
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
}

/// The two sockets, bound by the caller (who may have bound port 0 and wants to know).
pub struct Listeners {
    pub hooks: TcpListener,
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds what the configuration says.
    ///
    /// # Errors
    /// [`AppError::Listen`] with the address.
    pub async fn bind(config: &Config) -> Result<Self, AppError> {
        let bind = async |address: &str| {
            TcpListener::bind(address).await.map_err(|error| AppError::Listen { address: address.to_owned(), error })
        };
        Ok(Self { hooks: bind(&config.listen).await?, admin: bind(&config.admin.listen).await? })
    }
}

/// A server that has started. [`App::run`] serves until it is told to stop.
pub struct App {
    pub current: Current,
    journal: Arc<SqliteJournal>,
    reloader: Reloader,
    reloads: mpsc::Receiver<Request>,
    /// Asks for a reload (SIGHUP does).
    pub reload: mpsc::Sender<Request>,
    metrics: PrometheusHandle,
}

impl App {
    /// Opens the journal and loads the rules.
    ///
    /// # Errors
    /// A journal that cannot be used, an admin side that would be open. Broken rules are no
    /// error: the last good ones are served, or events wait.
    pub async fn start(location: Location, config: Config) -> Result<Self, AppError> {
        admin::check(&config)?;
        let metrics = PrometheusBuilder::new().install_recorder().map_err(|error| AppError::Metrics(error.to_string()))?;
        let journal = open_journal(config.journal.clone()).await?;
        // One file store over all generations: appends to one file are synced together.
        let files = Context::new(config.egress.clone(), config.files.clone());
        let context = move |config: &Config| files.with_egress(config.egress.clone());
        let (reloader, current) = Reloader::start(location, config, journal.clone(), context).await;
        let (reload, reloads) = mpsc::channel(8);
        Ok(Self { current, journal, reloader, reloads, reload, metrics })
    }

    /// Serves until `shutdown`, then drains: no new connections, requests under way are
    /// answered, attempts under way are settled or put back, the journal is closed.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) {
        let started_at = Timestamp::now();
        let journal: Arc<dyn Journal> = self.journal.clone();
        let limits = follow(&self.current, server_limits);
        let hooks = ingest::filter(Arc::new(Hooks::new(
            self.current.sources.clone(),
            self.current.serving.clone(),
            follow(&self.current, hook_limits),
            Arc::clone(&journal),
        )));
        let admin = admin::routes(Admin {
            current: self.current.clone(),
            journal: Arc::clone(&journal),
            reloads: self.reload.clone(),
            metrics: self.metrics,
            started_at,
        });
        let hooks = server::serve(listeners.hooks, TowerToHyperService::new(warp::service(hooks)), limits.clone(), shutdown.clone());
        let hooks = tokio::spawn(hooks);
        let admin = tokio::spawn(server::serve(listeners.admin, TowerToHyperService::new(warp::service(admin)), limits, shutdown.clone()));
        let background = [
            tokio::spawn(self.reloader.run(self.reloads, shutdown.clone())),
            tokio::spawn(trim(Arc::clone(&journal), self.current.clone(), shutdown.clone())),
            tokio::spawn(route_unrouted(Arc::clone(&journal), self.current.clone(), shutdown.clone())),
        ];
        // Deliveries go on until the last request is answered.
        let no_more = CancellationToken::new();
        let dispatcher = 
            Dispatcher::new(Arc::clone(&journal), self.current.serving.clone(), follow(&self.current, dispatch_limits));
        let dispatcher = tokio::spawn(dispatcher.run(no_more.clone()));

        shutdown.cancelled().await;
        info!("stopping: no new connections, finishing what is under way");
        drained("requests", hooks).await;
        drained("admin requests", admin).await;
        no_more.cancel();
        drained("deliveries", dispatcher).await;
        for task in background {
            drained("background work", task).await;
        }
        journal.close().await;
        info!("stopped");
    }
}

async fn open_journal(path: PathBuf) -> Result<Arc<SqliteJournal>, JournalError> {
    let open = move || SqliteJournal::open(&path, Options::default());
    tokio::task::spawn_blocking(open).await.expect("opening does not panic and is not aborted")
}

/// A part of the configuration, as it is now and after each reload.
fn follow<T: Send + Sync + 'static>(current: &Current, part: fn(&Config) -> T) -> watch::Receiver<T> {
    let mut config = current.config.clone();
    let (follower, receiver) = watch::channel(part(&config.borrow_and_update()));
    tokio::spawn(async move {
        while config.changed().await.is_ok() {
            follower.send_replace(part(&config.borrow_and_update()));
        }
    });
    receiver
}

fn server_limits(config: &Config) -> ServerLimits {
    let limits = &config.limits;
    ServerLimits {
        connections: limits.connections,
        per_address: limits.per_address,
        header_timeout: limits.header_timeout,
        body_timeout: limits.body_timeout,
        idle_timeout: limits.idle_timeout,
    }
}

fn hook_limits(config: &Config) -> HookLimits {
    let body_bytes = usize::try_from(config.limits.body_bytes).unwrap_or(usize::MAX);
    HookLimits { body_bytes, body_timeout: config.limits.body_timeout }
}

fn dispatch_limits(config: &Config) -> dispatch::Limits {
    dispatch::Limits { concurrency: config.limits.concurrency, lane_concurrency: config.limits.lane_concurrency }
}

async fn drained<T>(what: &str, mut task: JoinHandle<T>) {
    match timeout(DRAIN, &mut task).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => warn!("{what} ended badly: {error}"),
        Err(_) => {
            warn!("{what} did not end within {DRAIN:?} and are abandoned; what was not settled is tried again at the next start");
            task.abort();
        }
    }
}

/// Removes old events in small steps, now and then.
async fn trim(journal: Arc<dyn Journal>, current: Current, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(TRIM_EVERY) => {}
        }
        let keep = current.config.borrow().keep;
        let now = Timestamp::now();
        let before = now.checked_sub(keep.age).unwrap_or(Timestamp::MIN);
        loop {
            match journal.trim(Trim { now, before, size_bytes: keep.size_bytes, limit: TRIM_STEP }).await {
                Ok(removed) if removed == TRIM_STEP => {}
                Ok(_) => break,
                Err(error) => {
                    warn!("old events could not be removed: {error}");
                    break;
                }
            }
        }
    }
}

/// Events that came while there were no rules are routed by the first good ones.
async fn route_unrouted(journal: Arc<dyn Journal>, mut current: Current, shutdown: CancellationToken) {
    loop {
        let serving = current.serving.borrow_and_update().clone();
        if let Some(serving) = serving
            && let Err(error) = dispatch::route_unrouted(&*journal, &*serving, Timestamp::now()).await
        {
            warn!("events that wait for rules could not be routed: {error}");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = current.serving.changed() => if changed.is_err() { return },
        }
    }
}
