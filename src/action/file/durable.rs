//! Names that survive a crash: a new file or directory is only there for good once the directory
//! that holds its name is synced.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::Path;

/// Opens the directory that files are written below, and makes it first if it is not there.
pub(super) fn open_root(path: &Path) -> io::Result<Dir> {
    match Dir::open_ambient_dir(path, ambient_authority()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    // The nearest directory that is there, and what is missing below it.
    let missing = |directory: &&Path| !directory.as_os_str().is_empty() && !directory.exists();
    let below: Vec<&Path> = path.ancestors().take_while(missing).collect();
    for directory in below.into_iter().rev() {
        already_there_is_fine(std::fs::create_dir(directory))?;
        let holder = parent(directory).unwrap_or(Path::new("."));
        std::fs::File::open(holder)?.sync_all()?;
    }
    Dir::open_ambient_dir(path, ambient_authority())
}

/// Makes the directories of `path`, each synced into the one above it.
pub(super) fn make_directories(root: &Dir, path: &Path) -> io::Result<()> {
    if root.is_dir(path) {
        return Ok(());
    }
    if let Some(above) = parent(path) {
        make_directories(root, above)?;
    }
    already_there_is_fine(root.create_dir(path))?;
    sync_parent(root, path)
}

/// Syncs the directory that holds the name of `path`.
pub(super) fn sync_parent(root: &Dir, path: &Path) -> io::Result<()> {
    // Opened as a file: the handle of a `Dir` may be one that cannot be synced.
    root.open(parent(path).unwrap_or(Path::new(".")))?.sync_all()
}

/// The path of the directory above, unless it is the one that `path` is relative to.
pub(super) fn parent(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

/// Two writers may make the same directory at once.
fn already_there_is_fine(made: io::Result<()>) -> io::Result<()> {
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_made_and_what_is_there_stays() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a/b/root");
        for _ in 0..2 {
            let root = open_root(&path).unwrap();
            make_directories(&root, Path::new("x/y/z")).unwrap();
            make_directories(&root, Path::new("x")).unwrap();
            assert!(path.join("x/y/z").is_dir());
        }
        std::fs::write(scratch.path().join("file"), "").unwrap();
        assert!(open_root(&scratch.path().join("file/root")).is_err());
        let root = open_root(scratch.path()).unwrap();
        assert!(make_directories(&root, Path::new("file/x")).is_err());
    }
}
