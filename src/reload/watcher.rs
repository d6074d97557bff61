//! When to look at the disk again: file system events as hints, and a slow poll for where there
//! are none (network file systems, bind-mounted single files).

use crate::config::{Config, watched};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

/// Without any event, the disk is looked at this often.
const POLL: Duration = Duration::from_secs(2);
/// A save is over when nothing has happened for this long...
const QUIET: Duration = Duration::from_millis(40);
/// ...but a directory that never rests is read all the same.
const LONGEST: Duration = Duration::from_millis(500);

/// Watches the rule directory and the files of the configuration.
pub(super) struct Watcher {
    hints: Arc<Notify>,
    /// `None` where the system has no watching (or no handles left): the poll does it alone.
    watcher: Option<RecommendedWatcher>,
    targets: BTreeSet<Target>,
}

impl Watcher {
    pub(super) fn start(config: &Config) -> Self {
        let hints = Arc::new(Notify::new());
        let hint = Arc::clone(&hints);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the files is an event too; it must not lead to reading them again.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                hint.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| debug!("no file events, polling only: {error}")).ok();
        let mut watcher = Self { hints, watcher, targets: BTreeSet::new() };
        watcher.follow(config);
        watcher
    }

    /// Returns when something may have changed and the saving has come to rest. Cancel-safe: a
    /// hint that is lost with the future is made up for by the poll.
    pub(super) async fn changed(&mut self) {
        if timeout(POLL, self.hints.notified()).await.is_err() {
            return;
        }
        let latest = Instant::now() + LONGEST;
        while timeout_at(latest.min(Instant::now() + QUIET), self.hints.notified()).await.is_ok() {
            if Instant::now() >= latest {
                return;
            }
        }
    }

    /// Watches what this configuration names. A directory that was replaced is another directory,
    /// and has to be watched anew.
    pub(super) fn follow(&mut self, config: &Config) {
        let wanted = targets(config);
        let Some(watcher) = self.watcher.as_mut().filter(|_| wanted != self.targets) else { return };
        for target in &self.targets {
            // A path that is gone is not watched any more, which is what is wanted.
            let _ = watcher.unwatch(&target.path);
        }
        for target in &wanted {
            let mode = if target.recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            if let Err(error) = watcher.watch(&target.path, mode) {
                debug!("{} is not watched, polling it: {error}", target.path.display());
            }
        }
        self.targets = wanted;
    }
}

/// A directory to watch. The identity tells it from another one of the same name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    path: PathBuf,
    recursive: bool,
    /// Device and inode; `None` while it does not exist.
    identity: Option<(u64, u64)>,
}

impl Target {
    fn new(path: &Path, recursive: bool) -> Self {
        let path = if path == Path::new("") { Path::new(".") } else { path };
        let identity = std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        Self { path: path.to_path_buf(), recursive, identity }
    }
}

/// The rule directory with all below it, and the directories of the other files: a file that is
/// replaced by renaming is only seen from its directory.
fn targets(config: &Config) -> BTreeSet<Target> {
    let parents = watched(config).into_iter().filter_map(|file| Some(Target::new(file.parent()?, false)));
    parents.chain([Target::new(&config.rules, true)]).collect()
}
