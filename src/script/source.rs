//! A script's text, and Rhai's positions as places in it.

use crate::diagnostic::{Diagnostic, Span};
use rhai::Position;
use std::sync::Arc;

/// One `.rhai` file.
#[derive(Clone)]
pub(super) struct Source {
    /// Its path below the rule directory.
    pub path: Arc<str>,
    pub text: Arc<str>,
}

impl Source {
    pub(super) fn error(&self, at: Position, message: impl Into<String>) -> Diagnostic {
        self.placed(Diagnostic::error(Arc::clone(&self.path), message), at)
    }

    pub(super) fn warning(&self, at: Position, message: impl Into<String>) -> Diagnostic {
        self.placed(Diagnostic::warning(Arc::clone(&self.path), message), at)
    }

    fn placed(&self, found: Diagnostic, at: Position) -> Diagnostic {
        match span(&self.text, at) {
            Some(span) => found.with_span(span, &self.text),
            None => found,
        }
    }
}

/// The word (or the one character) at a position.
fn span(text: &str, at: Position) -> Option<Span> {
    let line_number = at.line()?;
    let column = at.position().unwrap_or(1);
    let line_start: usize = text.split_inclusive('\n').take(line_number - 1).map(str::len).sum();
    let line = text[line_start..].split(['\n', '\r']).next().unwrap_or_default();
    let offset = line.char_indices().nth(column - 1).map_or(line.len(), |(offset, _)| offset);
    let start = line_start + offset;
    let word = line[offset..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8);
    let length = word.sum::<usize>().max(line[offset..].chars().next().map_or(0, char::len_utf8));
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Some(Span {
        line: number(line_number),
        column: number(column),
        start: number(start),
        end: number(start + length),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_becomes_the_bytes_of_the_word_there() {
        let text = "let ä = 1;\r\n  öö.stauts\n";
        let found = span(text, Position::new(2, 6)).unwrap();
        assert_eq!(&text[found.start as usize..found.end as usize], "stauts");
        assert_eq!((found.line, found.column), (2, 6));
        assert_eq!(span(text, Position::NONE), None);
        let end = span(text, Position::new(9, 9)).unwrap();
        assert_eq!((end.start, end.end), (text.len() as u32, text.len() as u32));
    }
}
