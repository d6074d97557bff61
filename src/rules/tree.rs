//! Reading a rule directory: all of its files into memory, as one consistent text to compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The files of a rule directory: path below it (with `/`) → content.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// How much all files together may hold: far past what people write, well below what hurts.
pub const MAX_TREE_BYTES: u64 = 64 << 20;

/// Why a rule directory was not read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("the rule directory {} does not exist", .0.display())]
    Missing(PathBuf),
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("the files below {} are larger than {} MiB together: is this a rule directory?", .0.display(), MAX_TREE_BYTES >> 20)]
    TooLarge(PathBuf),
}

/// Reads `*.yaml`, `*.yml` and `*.rhai` below a directory, following symbolic links (a
/// ConfigMap's files are links), skipping names that begin with `.` or end in `~`, and `*.d.rhai`,
/// by which editors know what scripts can call. A file that
/// vanishes between listing and reading is left out: whoever watches will call again.
///
/// # Errors
/// [`TreeError`]; the first file or directory that cannot be read.
pub fn read_tree(dir: &Path) -> Result<Tree, TreeError> {
    let mut reader =
        Reader { root: dir, visited: BTreeSet::new(), left_bytes: MAX_TREE_BYTES, tree: Tree::new() };
    let listed = reader.directory(dir, "");
    match listed {
        Err(TreeError::Unreadable { error, .. }) if is_gone(&error) && !dir.exists() => {
            Err(TreeError::Missing(dir.to_owned()))
        }
        Err(error) => Err(error),
        Ok(()) => Ok(reader.tree),
    }
}

struct Reader<'a> {
    root: &'a Path,
    /// Real paths of the directories read: each is read once, so links cannot go in circles.
    visited: BTreeSet<PathBuf>,
    left_bytes: u64,
    tree: Tree,
}

impl Reader<'_> {
    fn directory(&mut self, dir: &Path, prefix: &str) -> Result<(), TreeError> {
        let unreadable = |error| TreeError::Unreadable { path: dir.to_owned(), error };
        if !self.visited.insert(dir.canonicalize().map_err(unreadable)?) {
            return Ok(());
        }
        let entries = fs::read_dir(dir).map_err(unreadable)?;
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(unreadable)?;
        names.sort();
        for name in names {
            let path = dir.join(&name);
            let name = name.to_string_lossy();
            if !is_skipped(&name) {
                unless_gone(self.entry(&path, &format!("{prefix}{name}")))?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &str) -> Result<(), TreeError> {
        let unreadable = |error| TreeError::Unreadable { path: path.to_owned(), error };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // A broken link is only of interest if it would have been a rules file.
            Err(_) if !is_wanted(name) => return Ok(()),
            Err(error) => return Err(unreadable(error)),
        };
        if metadata.is_dir() {
            return self.directory(path, &format!("{name}/"));
        }
        // Reading a pipe or a device would wait for ever.
        if !metadata.is_file() || !is_wanted(name) {
            return Ok(());
        }
        let mut content = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(self.left_bytes + 1).read_to_end(&mut content).map_err(unreadable)?;
        let left_bytes = self.left_bytes.checked_sub(content.len() as u64);
        self.left_bytes = left_bytes.ok_or_else(|| TreeError::TooLarge(self.root.to_owned()))?;
        self.tree.insert(name.to_owned(), content);
        Ok(())
    }
}

fn unless_gone(result: Result<(), TreeError>) -> Result<(), TreeError> {
    match result {
        Err(TreeError::Unreadable { error, .. }) if is_gone(&error) => Ok(()),
        other => other,
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Editors' backups and locks, and what a ConfigMap keeps for itself.
fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || name.ends_with('~')
}

fn is_wanted(name: &str) -> bool {
    is_rules(name) || is_script(name)
}

/// Whether a path is that of a YAML file.
pub(super) fn is_rules(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// Whether a path is that of a script.
pub(super) fn is_script(path: &str) -> bool {
    path.ends_with(".rhai") && !path.ends_with(".d.rhai")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("below the directory")).unwrap();
        fs::write(path, text).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        read_tree(dir).unwrap().into_keys().collect()
    }

    #[test]
    fn rules_and_scripts_are_read_in_path_order_and_the_rest_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.yml",
            "a.yaml",
            "sub/deep/c.rhai",
            "README.md",
            ".a.yaml",
            "a.yaml~",
            ".git/x.yaml",
            "kv.d.rhai",
        ] {
            write(dir.path(), name, name);
        }
        assert_eq!(names(dir.path()), ["a.yaml", "b.yml", "sub/deep/c.rhai"]);
        assert_eq!(read_tree(dir.path()).unwrap()["b.yml"], b"b.yml");
    }

    #[test]
    fn a_config_map_is_read_through_its_links() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "..2026_11_23/a.yaml", "new");
        symlink("..2026_11_23", dir.path().join("..data")).unwrap();
        symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
        assert_eq!(names(dir.path()), ["a.yaml"]);
    }

    /// Whoever may put a link into the rule directory may as well copy the file; a script can only
    /// import what was read so, under the name that it has here.
    #[test]
    fn a_link_to_the_outside_is_read_once_under_its_own_name() {
        let (outside, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(outside.path(), "helper.rhai", "fn f() {}");
        write(outside.path(), "passwd", "root");
        symlink(outside.path().join("helper.rhai"), dir.path().join("lib.rhai")).unwrap();
        symlink(outside.path().join("passwd"), dir.path().join("passwd")).unwrap();
        symlink("/dev/zero", dir.path().join("endless.rhai")).unwrap();
        symlink(outside.path(), dir.path().join("shared")).unwrap();
        let tree = read_tree(dir.path()).unwrap();
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["lib.rhai", "shared/helper.rhai"]);
        write(outside.path(), "helper.rhai", "changed");
        assert_eq!(tree["lib.rhai"], b"fn f() {}");
    }

    #[test]
    fn links_that_lead_back_or_nowhere_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "sub/a.yaml", "");
        symlink("..", dir.path().join("sub/up")).unwrap();
        symlink("gone.yaml", dir.path().join("b.yaml")).unwrap();
        assert_eq!(names(dir.path()), ["sub/a.yaml"]);
    }

    #[test]
    fn a_missing_directory_is_told_from_an_unreadable_one() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "file", "");
        assert!(matches!(read_tree(&dir.path().join("none")), Err(TreeError::Missing(_))));
        assert!(matches!(read_tree(&dir.path().join("file")), Err(TreeError::Unreadable { .. })));
    }

    #[test]
    fn a_directory_past_the_size_limit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("big.yaml")).unwrap();
        file.set_len(MAX_TREE_BYTES + 1).unwrap();
        assert!(matches!(read_tree(dir.path()), Err(TreeError::TooLarge(_))));
    }
}
