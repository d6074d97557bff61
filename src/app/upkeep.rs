//! What is done now and then while the server runs.

use crate::config::Config;
use crate::journal::sqlite::SqliteJournal;
use crate::journal::{Journal, Trim};
use crate::reload::Current;
use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often old events are looked for. (A journal that grows too large says so itself.)
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// Old events removed in one step, so that a step is short.
const TRIM_STEP: usize = 500;
/// Between two looks at all that has to stay pass so many times the first one's length.
const REST: u32 = 9;
/// How often what histograms have been told is summed up: until then each value takes memory.
const SUM_UP_EVERY: Duration = Duration::from_secs(5);

/// Removes old events in small steps, and follows `keep`.
pub(super) async fn trim(journal: Arc<SqliteJournal>, mut current: Current, shutdown: CancellationToken) {
    let too_large = journal.too_large();
    let mut timer = tokio::time::interval(TRIM_EVERY);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rest_until = Instant::now();
    loop {
        let is_time = tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(()) = current.config.changed() => true,
            _ = timer.tick() => true,
            () = too_large.notified() => false,
        };
        let config = Arc::clone(&current.config.borrow_and_update());
        journal.limit_size(config.keep.size_bytes);
        let started = Instant::now();
        let afresh = is_time || started >= rest_until;
        if shutdown.run_until_cancelled(trim_all(&journal, &config, afresh)).await.is_none() {
            return;
        }
        if afresh {
            rest_until = Instant::now() + started.elapsed() * REST;
        }
    }
}

/// Removes what may go; `afresh`: also what was passed over earlier.
async fn trim_all(journal: &SqliteJournal, config: &Config, mut afresh: bool) {
    loop {
        let now = Timestamp::now();
        let before = now.checked_sub(config.keep.age).unwrap_or(Timestamp::MIN);
        let trim = Trim { now, before, size_bytes: config.keep.size_bytes, limit: TRIM_STEP, afresh };
        match journal.trim(trim).await {
            Ok(0) => return,
            Ok(_) => afresh = false,
            Err(error) => return warn!("old events could not be removed: {error}"),
        }
    }
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
