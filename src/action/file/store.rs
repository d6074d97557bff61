//! Appending lines to files: whole lines, inside one directory, one sync for all that wait.
//!
//! Each file that is being written has a queue and one writer on the blocking pool, which takes
//! all that has gathered, writes and syncs it, and answers, until the queue is empty. A file is
//! open only during such a batch, so the number of open files is bounded by that of deliveries
//! under way, and files that others move or remove are found again.

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// The directory that files are written below. Cheap to clone; all clones share the queues.
#[derive(Clone)]
pub(in crate::action) struct Files(Arc<Shared>);

struct Shared {
    root: PathBuf,
    /// The lines that wait, by file; an entry is there while the file has a writer.
    queues: Mutex<BTreeMap<String, Vec<Line>>>,
}

/// A line that waits for its sync.
struct Line {
    text: String,
    rotation: Rotation,
    done: oneshot::Sender<Result<(), FileError>>,
}

/// When a new file is begun, and how many old ones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rotation {
    pub at_bytes: u64,
    pub keep: u64,
}

/// Why a line was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} cannot be written: {error}")]
pub(super) struct FileError {
    path: String,
    error: String,
}

impl Files {
    /// Touches no disk.
    pub fn new(root: PathBuf) -> Self {
        Self(Arc::new(Shared { root, queues: Mutex::default() }))
    }

    /// Appends a line and its end to the file at `path` (relative, normal) and returns when it is
    /// synced. If the future is dropped, the line is written all the same.
    ///
    /// # Errors
    /// Any I/O error of the batch it was in: part of the batch may have been written.
    pub(super) async fn append(
        &self,
        path: &str,
        mut text: String,
        rotation: Rotation,
    ) -> Result<(), FileError> {
        text.push('\n');
        let (done, answer) = oneshot::channel();
        if self.enqueue(path, Line { text, rotation, done }) {
            let (files, path) = (self.clone(), path.to_owned());
            drop(tokio::task::spawn_blocking(move || files.write_all(&path)));
        }
        let ended = |_| FileError { path: path.to_owned(), error: "its writer was stopped".to_owned() };
        answer.await.map_err(ended)?
    }

    /// Whether the file has no writer yet.
    fn enqueue(&self, path: &str, line: Line) -> bool {
        let mut queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let new = !queues.contains_key(path);
        queues.entry(path.to_owned()).or_default().push(line);
        new
    }

    /// Writes batch after batch until nothing waits.
    fn write_all(&self, path: &str) {
        let _freed = FreedByPanic { files: self, path };
        while let Some(batch) = self.next_batch(path) {
            let shown = || self.0.root.join(path).display().to_string();
            let written = self.write(path, &batch);
            let written = written.map_err(|error| FileError { path: shown(), error: error.to_string() });
            for line in batch {
                // One that was dropped no longer waits.
                let _ = line.done.send(written.clone());
            }
        }
    }

    /// All that waits; nothing ends the file's writer.
    fn next_batch(&self, path: &str) -> Option<Vec<Line>> {
        let mut queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = std::mem::take(queues.get_mut(path)?);
        if batch.is_empty() {
            queues.remove(path);
            return None;
        }
        Some(batch)
    }

    fn write(&self, path: &str, batch: &[Line]) -> io::Result<()> {
        Dir::create_ambient_dir_all(&self.0.root, ambient_authority())?;
        let root = Dir::open_ambient_dir(&self.0.root, ambient_authority())?;
        let mut file = Open::new(&root, path)?;
        let mut gathered = String::new();
        for line in batch {
            let size = file.size + gathered.len() as u64;
            if size > 0 && size + line.text.len() as u64 > line.rotation.at_bytes {
                file.append(&gathered)?;
                gathered.clear();
                file.sync()?;
                rotate(&root, path, line.rotation.keep)?;
                file = Open::new(&root, path)?;
            }
            gathered.push_str(&line.text);
        }
        file.append(&gathered)?;
        file.sync()
    }
}

/// Lets the file have another writer if this one panics: nobody would wait for ever.
struct FreedByPanic<'a> {
    files: &'a Files,
    path: &'a str,
}

impl Drop for FreedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.files.0.queues.lock().unwrap_or_else(PoisonError::into_inner).remove(self.path);
        }
    }
}

/// A file that is being appended to.
struct Open {
    file: cap_std::fs::File,
    size: u64,
}

impl Open {
    /// Opens or makes the file and the directories above it, and closes a torn last line.
    fn new(root: &Dir, path: &str) -> io::Result<Self> {
        let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            root.create_dir_all(parent)?;
        }
        let existed = root.try_exists(path)?;
        let file = root.open_with(path, OpenOptions::new().read(true).append(true).create(true))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if !existed {
            sync_directory(root, path)?;
        }
        let mut open = Self { file, size: metadata.len() };
        open.close_torn_line()?;
        Ok(open)
    }

    fn close_torn_line(&mut self) -> io::Result<()> {
        if self.size == 0 {
            return Ok(());
        }
        let mut last = [0];
        self.file.seek(SeekFrom::End(-1))?;
        self.file.read_exact(&mut last)?;
        if last == *b"\n" { Ok(()) } else { self.append("\n") }
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.size += text.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Moves `path` to `path.1`, that to `path.2`, and so on; what would come after `keep` goes.
fn rotate(root: &Dir, path: &str, keep: u64) -> io::Result<()> {
    let old = |number: u64| if number == 0 { path.to_owned() } else { format!("{path}.{number}") };
    absent_is_fine(root.remove_file(old(keep)))?;
    for number in (0..keep).rev() {
        absent_is_fine(root.rename(old(number), root, old(number + 1)))?;
    }
    sync_directory(root, path)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes names durable: without this a new file may be gone after a crash, its data synced or not.
fn sync_directory(root: &Dir, path: &str) -> io::Result<()> {
    let parent = Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
    // Opened as a file: the handle of a `Dir` may be one that cannot be synced.
    root.open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Rotation = Rotation { at_bytes: 1 << 20, keep: 5 };

    struct Scratch {
        directory: tempfile::TempDir,
        files: Files,
    }

    fn scratch() -> Scratch {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path().join("files"));
        Scratch { directory, files }
    }

    impl Scratch {
        fn path(&self, path: &str) -> PathBuf {
            self.directory.path().join("files").join(path)
        }

        fn content(&self, path: &str) -> String {
            std::fs::read_to_string(self.path(path)).unwrap_or_default()
        }

        async fn append(&self, path: &str, text: &str, rotation: Rotation) -> Result<(), FileError> {
            self.files.append(path, text.to_owned(), rotation).await
        }
    }

    #[tokio::test]
    async fn directories_are_made_and_lines_appended() {
        let scratch = scratch();
        scratch.append("a/b/c.log", "one", LARGE).await.unwrap();
        scratch.append("a/b/c.log", "two", LARGE).await.unwrap();
        assert_eq!(scratch.content("a/b/c.log"), "one\ntwo\n");
    }

    #[tokio::test]
    async fn a_torn_last_line_is_closed() {
        let scratch = scratch();
        std::fs::create_dir_all(scratch.path("")).unwrap();
        std::fs::write(scratch.path("x"), "whole\ntor").unwrap();
        scratch.append("x", "next", LARGE).await.unwrap();
        assert_eq!(scratch.content("x"), "whole\ntor\nnext\n");
    }

    #[tokio::test]
    async fn a_full_file_moves_aside_and_the_oldest_goes() {
        let scratch = scratch();
        let small = Rotation { at_bytes: 10, keep: 2 };
        for text in ["1111", "2222", "3333", "4444", "5555", "6666", "7777"] {
            scratch.append("r", text, small).await.unwrap();
        }
        let contents = ["r", "r.1", "r.2", "r.3"].map(|name| scratch.content(name));
        assert_eq!(contents, ["7777\n", "5555\n6666\n", "3333\n4444\n", ""]);
        scratch.append("r", "a line longer than the limit", Rotation { keep: 0, ..small }).await.unwrap();
        assert_eq!(scratch.content("r"), "a line longer than the limit\n");
    }

    #[tokio::test]
    async fn concurrent_lines_are_whole_and_each_is_there() {
        let scratch = scratch();
        let line = |index: usize| format!("{index}-{}", "x".repeat(index * 37 % 5000));
        let appends = (0..300).map(|index| scratch.files.append("many", line(index), LARGE));
        for result in futures_util::future::join_all(appends).await {
            result.unwrap();
        }
        let content = ["many.1", "many"].map(|name| scratch.content(name)).concat();
        let mut found: Vec<_> = content.lines().map(str::to_owned).collect();
        let mut expected: Vec<_> = (0..300).map(line).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert!(scratch.files.0.queues.lock().unwrap().len() <= 1);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_an_error_that_names_it() {
        let scratch = scratch();
        scratch.append("plain", "x", LARGE).await.unwrap();
        let error = scratch.append("plain/below", "y", LARGE).await.unwrap_err();
        assert!(error.to_string().contains("files/plain/below cannot be written"), "{error}");
        scratch.append("plain", "z", LARGE).await.unwrap();
        assert_eq!(scratch.content("plain"), "x\nz\n");
    }

    #[tokio::test]
    async fn a_file_that_others_move_is_begun_anew() {
        let scratch = scratch();
        scratch.append("x", "one", LARGE).await.unwrap();
        std::fs::rename(scratch.path("x"), scratch.path("y")).unwrap();
        scratch.append("x", "two", LARGE).await.unwrap();
        assert_eq!((scratch.content("y"), scratch.content("x")), ("one\n".to_owned(), "two\n".to_owned()));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_symbolic_link_does_not_lead_out() {
        let scratch = scratch();
        let outside = scratch.directory.path().join("outside");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::create_dir_all(scratch.path("")).unwrap();
        std::os::unix::fs::symlink(&outside, scratch.path("dir")).unwrap();
        std::os::unix::fs::symlink(outside.join("f"), scratch.path("link")).unwrap();
        assert!(scratch.append("dir/x", "y", LARGE).await.is_err());
        assert!(scratch.append("link", "y", LARGE).await.is_err());
        assert_eq!(std::fs::read_dir(outside).unwrap().count(), 0);
    }
}
