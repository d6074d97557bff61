//! What changed from one tree of rules to another, as a unified diff.

use super::{Change, changes};
use crate::cli::Common;
use crate::cli::output::{self, OutputError};
use crate::json::Json;
use crate::rules::Tree;
use similar::TextDiff;

pub(super) fn show(common: &Common, from: &Tree, to: &Tree) -> Result<(), OutputError> {
    for (path, change) in changes(from, to) {
        let diff = diff(path, change, from.get(path), to.get(path));
        if common.json {
            let record =
                [("path", path.into()), ("change", change.word().into()), ("diff", Json::from(diff))];
            output::line(Json::object(record))?;
        } else {
            output::line(printable(diff.trim_end()))?;
        }
    }
    Ok(())
}

/// What is not UTF-8 never was good rules; it is shown as far as it is text.
fn diff(path: &str, change: Change, old: Option<&Vec<u8>>, new: Option<&Vec<u8>>) -> String {
    let text = |bytes: Option<&Vec<u8>>| bytes.map(|it| String::from_utf8_lossy(it).into_owned());
    let (old, new) = (text(old).unwrap_or_default(), text(new).unwrap_or_default());
    let (before, after) = match change {
        Change::Added => ("/dev/null".to_owned(), format!("b/{path}")),
        Change::Changed => (format!("a/{path}"), format!("b/{path}")),
        Change::Removed => (format!("a/{path}"), "/dev/null".to_owned()),
    };
    TextDiff::from_lines(&old, &new).unified_diff().header(&before, &after).to_string()
}

/// Lines and tabs as they are, other control characters shown.
fn printable(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(output::printable).collect::<Vec<_>>().join("\t");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_as_diff_shows_it() {
        let (old, new) = (b"a\nb\nc\n".to_vec(), b"a\nB\nc\n".to_vec());
        let shown = diff("x.yaml", Change::Changed, Some(&old), Some(&new));
        assert_eq!(shown, "--- a/x.yaml\n+++ b/x.yaml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        let shown = diff("x.yaml", Change::Added, None, Some(&new));
        assert!(shown.starts_with("--- /dev/null\n+++ b/x.yaml\n@@ -0,0 +1,3 @@\n+a\n"), "{shown}");
        assert_eq!(printable("+\tx\u{1b}[1m\n y"), "+\tx\\u{1b}[1m\n y");
    }
}
