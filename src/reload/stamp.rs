//! What tells, without reading them, that files have changed.

use crate::config::{Config, watched};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Size, times and identity of each file: equal stamps mean equal files, but for what is written
/// within one tick of the file system's clock. Whoever compares reads them in full now and then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(BTreeMap<PathBuf, Identity>);

/// Device, inode, length, and the times of the last write and change in seconds and nanoseconds.
/// The change time also moves when a tool sets the write time back.
type Identity = (u64, u64, u64, (i64, i64), (i64, i64));

impl Stamp {
    /// Of the rule directory and the files of a configuration, and of `more` files.
    pub(super) fn of(config: &Config, more: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut stamp = Self::default();
        stamp.below(&config.rules, &mut BTreeSet::new());
        for file in watched(config).into_iter().chain(more) {
            if let Ok(found) = std::fs::metadata(&file) {
                stamp.0.insert(file, identity(&found));
            }
        }
        stamp
    }

    /// Each directory once, so that links cannot go in circles. What cannot be read has no stamp:
    /// the full look says what is wrong with it.
    fn below(&mut self, directory: &Path, visited: &mut BTreeSet<(u64, u64)>) {
        let new = std::fs::metadata(directory).is_ok_and(|found| visited.insert((found.dev(), found.ino())));
        let entries = new.then(|| std::fs::read_dir(directory).ok()).flatten();
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = entry.path();
            match std::fs::metadata(&path) {
                Ok(found) if found.is_dir() => self.below(&path, visited),
                Ok(found) => {
                    self.0.insert(path, identity(&found));
                }
                Err(_) => {}
            }
        }
    }
}

fn identity(file: &Metadata) -> Identity {
    let written = (file.mtime(), file.mtime_nsec());
    let changed = (file.ctime(), file.ctime_nsec());
    (file.dev(), file.ino(), file.len(), written, changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Location;
    use std::fs;

    #[test]
    fn a_file_that_is_replaced_by_one_of_its_size_looks_changed_and_a_hidden_one_does_not() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir_all(at("rules/team")).unwrap();
        fs::write(at("rules/team/a.yaml"), "rules: []").unwrap();
        fs::write(at("hookyard.yaml"), "").unwrap();
        let location = Location { file: Some(at("hookyard.yaml")), ..Location::default() };
        let config = Config::load(&location).map_err(|problems| format!("{problems:?}")).unwrap();
        let first = Stamp::of(&config, []);
        fs::write(at("rules/.a.yaml.swp"), "x").unwrap();
        assert_eq!(Stamp::of(&config, []), first);
        fs::write(at("new"), "rules: {}").unwrap();
        fs::rename(at("new"), at("rules/team/a.yaml")).unwrap();
        assert_ne!(Stamp::of(&config, []), first);
        assert_ne!(Stamp::of(&config, [at("rules")]), Stamp::of(&config, []), "files of references count");
    }
}
