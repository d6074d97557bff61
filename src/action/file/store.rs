//! Appending lines to files: whole lines, inside one directory, one sync for all that wait.
//!
//! Each file that is being written has a queue and one writer, which takes all that has gathered, writes
//! and syncs it on the blocking pool, and answers, until the queue is empty. Lines gather while it is at
//! it, and where many files are written until it is their turn (`pace`). A file is open only during such
//! a batch, and files that others move or remove are found again.

use super::durable;
use super::pace::Pace;
use cap_std::fs::{Dir, OpenOptions};
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long lines gather that come while others of their file are being written. The first after a rest do
/// not wait.
const GATHERED: Duration = Duration::from_millis(10);

/// The directory that files are written below. Cheap to clone; all clones share the queues.
#[derive(Clone)]
pub(in crate::action) struct Files(Arc<Shared>);

struct Shared {
    root: PathBuf,
    /// The lines that wait, by file; an entry is there while the file has a writer.
    queues: Mutex<BTreeMap<String, Vec<Line>>>,
    pace: Mutex<Pace>,
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
        let (queues, pace) = (Mutex::default(), Mutex::new(Pace::new(Instant::now())));
        Self(Arc::new(Shared { root, queues, pace }))
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
            drop(tokio::spawn(self.clone().write_all(path.to_owned())));
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

    /// How many files have a writer.
    #[cfg(test)]
    pub(super) fn writers(&self) -> usize {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Writes batch after batch until nothing waits.
    async fn write_all(self, path: String) {
        self.wait_for_turn().await;
        while let Some(batch) = self.next_batch(&path) {
            let (files, name) = (self.clone(), path.clone());
            let writing = move || {
                let written = files.write(&name, &batch);
                let shown = || files.0.root.join(&name).display().to_string();
                let written = written.map_err(|error| FileError { path: shown(), error: error.to_string() });
                for line in batch {
                    // One that was dropped no longer waits.
                    let _ = line.done.send(written.clone());
                }
            };
            if let Err(error) = tokio::task::spawn_blocking(writing).await {
                tracing::error!(file = %path, %error, "lines were not written, which is a bug in hookyard");
            }
            if self.has_more(&path) {
                tokio::time::sleep(GATHERED).await;
                self.wait_for_turn().await;
            }
        }
    }

    async fn wait_for_turn(&self) {
        let now = Instant::now();
        let turn = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner).turn(now);
        // A timer is a millisecond late.
        if turn > now {
            tokio::time::sleep_until(turn).await;
        }
    }

    fn has_more(&self, path: &str) -> bool {
        let queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(path).is_some_and(|lines| !lines.is_empty())
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
        let root = durable::open_root(&self.0.root)?;
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

/// A file that is being appended to.
struct Open {
    file: cap_std::fs::File,
    size: u64,
}

impl Open {
    /// Opens or makes the file and the directories above it, and closes a torn last line.
    fn new(root: &Dir, path: &str) -> io::Result<Self> {
        if let Some(parent) = durable::parent(Path::new(path)) {
            durable::make_directories(root, parent)?;
        }
        let existed = root.try_exists(path)?;
        let file = root.open_with(path, OpenOptions::new().read(true).append(true).create(true))?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        if !existed {
            durable::sync_parent(root, Path::new(path))?;
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

    /// Writes all of `text`, or takes back what was written of it.
    fn append(&mut self, text: &str) -> io::Result<()> {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return self.take_back(text.len() - rest.len(), io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.take_back(text.len() - rest.len(), error),
            }
        }
        self.size += text.len() as u64;
        Ok(())
    }

    /// Removes the beginning of what could not be written whole, so that a full disk leaves no
    /// torn lines, unless somebody else has written behind it. Returns the error.
    fn take_back(&mut self, written_bytes: usize, error: io::Error) -> io::Result<()> {
        let ours = self.size + written_bytes as u64;
        if written_bytes > 0 && self.file.metadata()?.len() == ours {
            self.file.set_len(self.size)?;
        }
        Err(error)
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
    durable::sync_parent(root, Path::new(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
