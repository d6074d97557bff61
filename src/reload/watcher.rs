//! When to look at the disk again: file system events as hints, and a slow poll for where there
//! are none (network file systems, bind-mounted single files).

use crate::config::{Config, watched};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

/// Without any event, the disk is looked at this often.
const POLL: Duration = Duration::from_secs(2);
/// A save is over when nothing has happened for this long...
pub(super) const QUIET: Duration = Duration::from_millis(100);
/// ...but a directory that never rests is read all the same.
pub(super) const LONGEST: Duration = Duration::from_secs(3);

/// Why to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// Something happened there.
    Event,
    /// It is time to.
    Poll,
}

/// Watches the rule directory and the files of the configuration.
pub(super) struct Watcher {
    hints: Arc<Notify>,
    /// `None` where the system has no watching (or no handles left): the poll does it alone.
    watcher: Option<RecommendedWatcher>,
    targets: BTreeSet<Target>,
    concern: Arc<Mutex<Concern>>,
}

/// Which paths are of interest: a journal beside the configuration is written all the time.
#[derive(Default)]
struct Concern {
    /// The rule directory, with all below it.
    rules: PathBuf,
    /// Names of files anywhere else.
    names: BTreeSet<OsString>,
}

impl Concern {
    fn of(config: &Config) -> Self {
        let rules = std::path::absolute(&config.rules).unwrap_or_else(|_| config.rules.clone());
        let names = watched(config).iter().filter_map(|file| Some(file.file_name()?.to_owned())).collect();
        Self { rules, names }
    }

    /// `..data` is where a ConfigMap's files are. An event without a path may be anything.
    fn has(&self, event: &notify::Event) -> bool {
        let named = |path: &PathBuf| {
            path.file_name()
                .is_none_or(|name| self.names.contains(name) || name.as_encoded_bytes().starts_with(b".."))
        };
        event.paths.is_empty() || event.paths.iter().any(|path| path.starts_with(&self.rules) || named(path))
    }
}

impl Watcher {
    pub(super) fn start(config: &Config) -> Self {
        let hints = Arc::new(Notify::new());
        let concern = Arc::new(Mutex::new(Concern::of(config)));
        let (hint, concerned) = (Arc::clone(&hints), Arc::clone(&concern));
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let concern = concerned.lock().unwrap_or_else(PoisonError::into_inner);
            // Reading the files is an event too; it must not lead to reading them again.
            if !event.is_ok_and(|event| event.kind.is_access() || !concern.has(&event)) {
                hint.notify_one();
            }
        });
        let watcher = watcher.inspect_err(|error| debug!("no file events, polling only: {error}")).ok();
        let mut watcher = Self { hints, watcher, targets: BTreeSet::new(), concern };
        watcher.follow(config);
        watcher
    }

    /// Returns when something may have changed and the saving has come to rest. Cancel-safe: a
    /// hint that is lost with the future is made up for by the poll.
    pub(super) async fn changed(&mut self) -> Hint {
        if timeout(POLL, self.hints.notified()).await.is_err() {
            return Hint::Poll;
        }
        let latest = Instant::now() + LONGEST;
        while timeout_at(latest.min(Instant::now() + QUIET), self.hints.notified()).await.is_ok() {
            if Instant::now() >= latest {
                break;
            }
        }
        Hint::Event
    }

    /// Watches what this configuration names. A directory that was replaced is another directory,
    /// and has to be watched anew.
    pub(super) fn follow(&mut self, config: &Config) {
        *self.concern.lock().unwrap_or_else(PoisonError::into_inner) = Concern::of(config);
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

#[cfg(test)]
mod tests {
    use super::*;
    use notify::Event;

    #[test]
    fn a_journal_beside_the_configuration_is_no_concern() {
        let names = ["hookyard.yaml".into(), ".env".into()].into();
        let concern = Concern { rules: "/home/rules".into(), names };
        let has = |path: &str| concern.has(&Event::default().add_path(path.into()));
        for path in
            ["/home/rules", "/home/rules/team/a.yaml", "/home/hookyard.yaml", "/home/.env", "/home/..data"]
        {
            assert!(has(path), "{path}");
        }
        for path in ["/home/hookyard.db-wal", "/home/rules.txt", "/home/data"] {
            assert!(!has(path), "{path}");
        }
        assert!(concern.has(&Event::default()), "an event without a path may be anything");
    }
}
