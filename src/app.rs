//! All of it wired: journal, rules, dispatcher, listeners; and the order in which they stop.

mod upkeep;

use crate::action::Context;
use crate::admin::{self, Admin};
use crate::config::{Config, Location};
use crate::dispatch::{self, Dispatcher};
use crate::ingest::{self, HookLimits, Hooks};
use crate::journal::sqlite::{self, Options, SqliteJournal};
use crate::journal::{Journal, JournalError};
use crate::refused::Ring;
use crate::reload::{Current, Reloader, Request};
use crate::server::{self, ServerLimits};
use futures_util::FutureExt;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// From the signal to the end of the process, at most: what has to end by itself gets this long,
/// and the journal what is left of [`STOP`].
const DRAIN: Duration = Duration::from_secs(8);
/// When the process has to be gone, with a second to spare for the ten that are promised.
const STOP: Duration = Duration::from_secs(9);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Unguarded(#[from] admin::Unguarded),
    #[error("cannot listen on {address}: {error} (--listen, --admin-listen or hookyard.yaml choose another)")]
    Listen { address: String, error: std::io::Error },
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
    /// A bug: better to be started again than to go on without it.
    #[error("{0} ended by itself, which is a bug of hookyard: the log has the details")]
    Ended(&'static str),
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
            TcpListener::bind(address)
                .await
                .map_err(|error| AppError::Listen { address: address.to_owned(), error })
        };
        Ok(Self { hooks: bind(&config.listen).await?, admin: bind(&config.admin.listen).await? })
    }
}

/// A server that has started. [`App::run`] serves until it is told to stop.
pub struct App {
    pub current: Current,
    journal: Arc<SqliteJournal>,
    journal_file: Option<String>,
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
        let metrics = metrics().map_err(|error| AppError::Metrics(error.to_string()))?;
        ingest::describe_metrics();
        admin::describe_metrics();
        let journal = open_journal(config.journal.clone()).await?;
        let journal_file = sqlite::identity(&config.journal);
        journal.limit_size(config.keep.size_bytes);
        // One file store over all generations: appends to one file are synced together.
        let files = Context::new(config.egress.clone(), config.files.clone());
        let context = move |config: &Config| {
            files.with_egress(config.egress.clone()).with_programs(config.exec.clone())
        };
        let (reloader, current) = Reloader::start(location, config, journal.clone(), context).await;
        let (reload, reloads) = mpsc::channel(8);
        Ok(Self { current, journal, journal_file, reloader, reloads, reload, metrics })
    }

    /// Serves until `shutdown`, then drains: no new connections, requests and attempts under way
    /// end or are put back, the journal is closed; all of it within ten seconds.
    ///
    /// # Errors
    /// [`AppError::Ended`] if a part of the server ended by itself; it is drained all the same.
    pub async fn run(self, listeners: Listeners, shutdown: CancellationToken) -> Result<(), AppError> {
        let journal: Arc<dyn Journal> = self.journal.clone();
        let mut tasks = self.spawn(listeners, &shutdown);
        let ended = tokio::select! {
            biased;
            () = shutdown.cancelled() => None,
            part = tasks.ended() => (!shutdown.is_cancelled()).then_some(part),
        };
        let stop = Instant::now() + STOP;
        info!("stopping: no new connections, finishing what is under way");
        shutdown.cancel();
        tasks.drain(stop - (STOP - DRAIN)).await;
        if timeout_at(stop, journal.close()).await.is_err() {
            warn!("the journal could not be closed in time; what was acknowledged is in it");
        }
        info!("stopped");
        ended.map_or(Ok(()), |part| Err(AppError::Ended(part)))
    }

    fn spawn(self, listeners: Listeners, shutdown: &CancellationToken) -> Parts {
        let journal: Arc<dyn Journal> = self.journal.clone();
        let current = self.current;
        let limits = follow(&current, server_limits);
        let hooks = Hooks::new(
            current.sources.clone(),
            current.serving.clone(),
            follow(&current, hook_limits),
            Arc::clone(&journal),
        );
        let hooks = Arc::new(match Ring::start(&current.config.borrow().journal) {
            Ok(ring) => hooks.keeping_refused(ring),
            Err(error) => {
                warn!("refused requests are not kept: there is no thread for it: {error}");
                hooks
            }
        });
        let limits_of_delivery = follow(&current, dispatch_limits);
        let dispatcher = Dispatcher::new(Arc::clone(&journal), current.serving.clone(), limits_of_delivery);
        let admin = admin::routes(Admin {
            current: current.clone(),
            hooks: Arc::clone(&hooks),
            journal: Arc::clone(&journal),
            journal_file: self.journal_file,
            reloads: self.reload,
            metrics: self.metrics.clone(),
            started_at: Timestamp::now(),
            lanes: dispatcher.lanes(),
            shutdown: shutdown.clone(),
        });
        let hooks =
            service_fn(move |request| ingest::answer(Arc::clone(&hooks), request).map(Ok::<_, Infallible>));
        let admin = TowerToHyperService::new(warp::service(admin));
        let mut parts = Parts::default();
        parts.spawn("requests", server::serve(listeners.hooks, hooks, limits.clone(), shutdown.clone()));
        parts.spawn("admin requests", server::serve(listeners.admin, admin, limits, shutdown.clone()));
        parts.spawn("deliveries", dispatcher.run(shutdown.clone()));
        parts.spawn("reloading", self.reloader.run(self.reloads, shutdown.clone()));
        parts.spawn("removing old events", upkeep::trim(self.journal, current, shutdown.clone()));
        parts.spawn("metrics", upkeep::metrics(self.metrics, shutdown.clone()));
        parts
    }
}

/// The recorder: times are histograms, as are the sizes of groups.
fn metrics() -> Result<PrometheusHandle, BuildError> {
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &admin::BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_group_size".into()), &sizes)?
        .install_recorder()
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
    dispatch::Limits {
        concurrency: config.limits.concurrency,
        lane_concurrency: config.limits.lane_concurrency,
    }
}

/// The tasks that make up the server, by what they do. Dropping it ends them.
#[derive(Default)]
struct Parts {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Parts {
    fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(part).id();
        self.names.insert(id, name);
    }

    /// Waits until one has ended; for ever if there is none. Cancel-safe.
    async fn ended(&mut self) -> &'static str {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                let id = error.id();
                error!("{} ended badly: {error}", self.names.get(&id).unwrap_or(&"a part"));
                id
            }
            None => std::future::pending().await,
        };
        self.names.remove(&id).expect("every task was named when it was spawned")
    }

    /// Waits until all have ended, or abandons them.
    async fn drain(mut self, until: Instant) {
        while !self.tasks.is_empty() {
            if timeout_at(until, self.ended()).await.is_err() {
                let late: Vec<_> = self.names.values().copied().collect();
                warn!(
                    "abandoned, not ended within {DRAIN:?}: {}; what was not settled is tried again at the next start",
                    late.join(", ")
                );
                self.tasks.shutdown().await;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_named_even_if_it_panicked() {
        let mut parts = Parts::default();
        parts.spawn("deliveries", async { panic!("as a bug would") });
        assert_eq!(parts.ended().await, "deliveries");
        assert!(parts.names.is_empty());
    }

    #[tokio::test]
    async fn what_hangs_is_abandoned() {
        let mut parts = Parts::default();
        parts.spawn("requests", std::future::pending());
        parts.spawn("deliveries", async {});
        parts.drain(Instant::now()).await;
    }
}
