//! What is done now and then while the server runs.

use crate::config::Config;
use crate::dispatch;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, Trim};
use crate::reload::Current;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often old events are looked for.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// Old events removed in one step, so that a step is short.
const TRIM_STEP: usize = 500;
/// How often what histograms have been told is summed up: until then each value takes memory.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);

/// Lets the journal grow a tenth past `keep.size`. What is removed at that size is old events; a
/// journal that still grows is full of what has to stay, and refuses new ones (503).
pub(super) fn limit_size(journal: &SqliteJournal, config: &Config) {
    let size_bytes = config.keep.size_bytes;
    journal.limit_size(size_bytes.saturating_add(size_bytes / 10));
}

/// Removes old events in small steps, and follows `keep`.
pub(super) async fn trim(journal: Arc<SqliteJournal>, mut current: Current, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(()) = current.config.changed() => {}
            () = tokio::time::sleep(TRIM_EVERY) => {}
        }
        let config = Arc::clone(&current.config.borrow_and_update());
        limit_size(&journal, &config);
        while !shutdown.is_cancelled() && trim_step(&journal, &config).await {}
    }
}

/// Whether there is more to do.
async fn trim_step(journal: &SqliteJournal, config: &Config) -> bool {
    let now = Timestamp::now();
    let before = now.checked_sub(config.keep.age).unwrap_or(Timestamp::MIN);
    let trim = Trim { now, before, size_bytes: config.keep.size_bytes, limit: TRIM_STEP };
    match journal.trim(trim).await {
        Ok(removed) => removed == TRIM_STEP,
        Err(error) => {
            warn!("old events could not be removed: {error}");
            false
        }
    }
}

/// Routes events that came while there were no rules, as soon as there are some. (One that slips in
/// just then is found by the dispatcher.)
pub(super) async fn route_early(journal: Arc<dyn Journal>, current: Current, shutdown: CancellationToken) {
    let mut serving = current.serving;
    let first = async { serving.wait_for(Option::is_some).await.ok()?.clone() };
    let rules = tokio::select! {
        () = shutdown.cancelled() => return,
        first = first => first,
    };
    if let Some(rules) = rules {
        match dispatch::route_unrouted(&*journal, &*rules, Timestamp::now()).await {
            Ok(0) => {}
            Ok(count) => info!("{count} events that came before the rules are routed"),
            Err(error) => warn!("events that wait for rules could not be routed: {error}"),
        }
    }
    shutdown.cancelled().await;
}

/// Keeps the memory of the metrics bounded although nobody reads them.
pub(super) async fn metrics(handle: PrometheusHandle, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(SUM_UP_EVERY) => handle.run_upkeep(),
        }
    }
}
