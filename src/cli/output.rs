//! Records on standard output: aligned columns for people, one JSON object a line for programs.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Standard output took no more.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub(super) struct OutputError(#[from] io::Error);

impl OutputError {
    /// `hookyard events | head` ends the reader, which is nobody's mistake.
    pub(super) fn reader_is_gone(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Prints a line.
pub(super) fn line(text: impl Display) -> Result<(), OutputError> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Prints one JSON record a line.
pub(super) fn json_lines(records: impl IntoIterator<Item: Display>) -> Result<(), OutputError> {
    records.into_iter().try_for_each(line)
}

/// Prints rows under a head, columns as wide as they need to be. Control characters (events are
/// data from strangers) are shown, not sent to the terminal.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(), OutputError> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let mut out = io::stdout().lock();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// One line of text without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { char.escape_default().to_string() } else { char.to_string() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_never_gets_a_strangers_control_characters() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\nc");
        assert_eq!(printable("M\u{fc}nchen \u{1f600}"), "M\u{fc}nchen \u{1f600}");
    }
}
