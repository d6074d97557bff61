//! Lines, batches, rotation, and what stands in the way.

use super::store::*;
use std::path::PathBuf;

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
    assert!(scratch.files.writers() <= 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error_that_names_it() {
    let scratch = scratch();
    scratch.append("plain", "x", LARGE).await.unwrap();
    let error = scratch.append("plain/below", "y", LARGE).await.unwrap_err();
    assert!(error.to_string().contains("files/plain/below cannot be written"), "{error}");
    std::fs::create_dir(scratch.path("directory")).unwrap();
    assert!(scratch.append("directory", "y", LARGE).await.is_err());
    #[cfg(unix)]
    std::os::unix::fs::symlink("loop", scratch.path("loop")).unwrap();
    #[cfg(unix)]
    assert!(scratch.append("loop", "y", LARGE).await.is_err());
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

/// The limit on a file's size stands in for a full disk: a write that crosses it is cut short.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_line_that_does_not_fit_leaves_nothing_of_itself() {
    let scratch = scratch();
    scratch.append("x", "whole", LARGE).await.unwrap();
    // In a process of its own: the limit is the process's.
    let script =
        "ulimit -f 1; trap '' XFSZ; exec \"$0\" --exact --ignored action::file::store_tests::fills_the_disk";
    let status = std::process::Command::new("bash")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("HOOKYARD_TEST_DIRECTORY", scratch.path(""))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(scratch.content("x"), "whole\nafter\n");
}

/// The other process of the test above.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by another test, under a limit"]
async fn fills_the_disk() {
    let Some(directory) = std::env::var_os("HOOKYARD_TEST_DIRECTORY") else { return };
    let files = Files::new(directory.into());
    let error = files.append("x", "y".repeat(5000), LARGE).await.unwrap_err();
    assert!(error.to_string().contains("cannot be written"), "{error}");
    files.append("x", "after".to_owned(), LARGE).await.unwrap();
}
