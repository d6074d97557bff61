//! From the parser's marks (in characters) to spans (in bytes).

use crate::diagnostic::Span;
use saphyr_parser::Marker;

/// A place in the text that follows the marks: they come nearly in order, so each costs only the
/// way from the one before. Counting from the start of the text or line would be quadratic.
pub(super) struct Cursor<'a> {
    text: &'a str,
    ascii: bool,
    chars: usize,
    bytes: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, ascii: text.is_ascii(), chars: 0, bytes: 0 }
    }

    /// The byte at which a mark stands; the end of the text for one behind it.
    pub fn byte(&mut self, mark: Marker) -> usize {
        let target = mark.index();
        if self.ascii {
            return target.min(self.text.len());
        }
        while self.chars < target {
            let Some(next) = self.text[self.bytes..].chars().next() else { break };
            self.bytes += next.len_utf8();
            self.chars += 1;
        }
        while self.chars > target {
            let Some(previous) = self.text[..self.bytes].chars().next_back() else { break };
            self.bytes -= previous.len_utf8();
            self.chars -= 1;
        }
        self.bytes
    }

    /// The span of an event.
    pub fn span(&mut self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start);
        let end = self.byte(span.end).max(start);
        // The parser counts the blanks behind a quoted text and the line end of a block text.
        let end = start + self.text[start..end].trim_end().len();
        Span {
            line: small(span.start.line()),
            column: small(span.start.col() + 1),
            start: small(start),
            end: small(end),
        }
    }
}

/// Of a text that is not longer than `u32` can say, which `build` sees to.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The place behind the last character of a text.
pub(super) fn end_of(text: &str) -> Span {
    let last_line = text.rsplit('\n').next().unwrap_or_default();
    let end = small(text.len());
    Span {
        line: small(text.matches('\n').count() + 1),
        column: small(last_line.chars().count() + 1),
        start: end,
        end,
    }
}

/// The span of a quoted text without the comment behind it, which the parser counts in.
pub(super) fn quoted(text: &str, span: Span) -> Span {
    let bytes = &text.as_bytes()[span.start as usize..span.end as usize];
    let Some(open) = bytes.iter().position(|byte| matches!(byte, b'"' | b'\'')) else { return span };
    let quote = bytes[open];
    let mut at = open + 1;
    while let Some(byte) = bytes.get(at) {
        let escape = (quote == b'"' && *byte == b'\\') || (quote == b'\'' && bytes[at..].starts_with(b"''"));
        if !escape && *byte == quote {
            return Span { end: span.start + small(at + 1), ..span };
        }
        at += if escape { 2 } else { 1 };
    }
    span
}
