//! Splitting a configured text into literals, references and `{{ }}` holes, all in one pass, so
//! that nothing is ever substituted into text that is read again.

use crate::secret::{Part, Reference, dollar};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Reference(Reference),
    /// What stands between `{{` and `}}`.
    Hole(String),
    /// A statement, a comment, or a hole that trims the space around it, as written.
    Block(String),
}

/// The text is not closed, or has a reference where none may be: a sentence and a help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScanError {
    pub message: String,
    pub help: Option<String>,
}

impl ScanError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }
}

/// Splits `text`; literals that touch are one.
pub(super) fn scan(text: &str) -> Result<Vec<Piece>, ScanError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        push_literal(&mut pieces, &rest[..at]);
        rest = &rest[at..];
        let length = match rest.as_bytes().get(..2) {
            Some(b"{{") => hole(rest, &mut pieces)?,
            Some(b"{%") => block(rest, "%}", &mut pieces)?,
            Some(b"{#") => block(rest, "#}", &mut pieces)?,
            _ if rest.starts_with('$') => reference(rest, &mut pieces)?,
            _ => {
                push_literal(&mut pieces, "{");
                1
            }
        };
        rest = &rest[length..];
    }
    push_literal(&mut pieces, rest);
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Literal(last)) => last.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}

fn reference(rest: &str, pieces: &mut Vec<Piece>) -> Result<usize, ScanError> {
    let (part, length) = dollar(rest).map_err(|error| {
        let help = rest.starts_with("${{").then(|| "a dollar before `{{ }}` is written `$$`".to_owned());
        ScanError { message: error.to_string(), help }
    })?;
    match part {
        Part::Literal(text) => push_literal(pieces, &text),
        Part::Reference(reference) => pieces.push(Piece::Reference(reference)),
    }
    Ok(length)
}

fn hole(rest: &str, pieces: &mut Vec<Piece>) -> Result<usize, ScanError> {
    let end = hole_end(&rest[2..]).ok_or_else(|| ScanError::new("`{{` without its `}}`"))? + 2;
    let inner = &rest[2..end];
    refuse_reference(inner)?;
    let trims = inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']);
    pieces.push(if trims {
        Piece::Block(rest[..end + 2].to_owned())
    } else {
        Piece::Hole(inner.trim().to_owned())
    });
    Ok(end + 2)
}

fn block(rest: &str, close: &str, pieces: &mut Vec<Piece>) -> Result<usize, ScanError> {
    let unclosed = || ScanError::new(format!("`{}` without its `{close}`", &rest[..2]));
    let end = rest.find(close).ok_or_else(unclosed)? + close.len();
    refuse_reference(&rest[..end])?;
    pieces.push(Piece::Block(rest[..end].to_owned()));
    Ok(end)
}

fn refuse_reference(inner: &str) -> Result<(), ScanError> {
    if !inner.contains("${") {
        return Ok(());
    }
    Err(ScanError {
        message: "a reference cannot stand inside `{{ }}`".to_owned(),
        help: Some(
            "put it into `vars`, `vars: {token: \"${TOKEN}\"}`, and write `{{ vars.token }}`".to_owned(),
        ),
    })
}

/// Where the `}}` begins that ends a hole: not one within a string or brackets.
fn hole_end(inner: &str) -> Option<usize> {
    let bytes = inner.as_bytes();
    let (mut depth, mut at) = (0usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'}' if depth == 0 && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            quote @ (b'\'' | b'"') => at = string_end(bytes, at, quote)?,
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string ends that begins at `start`.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// `expression` with the insides of its strings blanked, for looking at its words.
pub(super) fn without_strings(expression: &str) -> String {
    let bytes = expression.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        if let quote @ (b'\'' | b'"') = bytes[at] {
            let end = string_end(bytes, at, quote).unwrap_or(bytes.len());
            out[at + 1..end.max(at + 1)].fill(b' ');
            at = end;
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_splits_in_one_pass() {
        let pieces = scan("a $${b} {${X}} {{ {'k': {'}}': 1}} }}${Y}{% if a %}").unwrap();
        let name = |name: &str| Reference::Env { name: name.into(), default: None };
        let expected = [
            Piece::Literal("a ${b} {".into()),
            Piece::Reference(name("X")),
            Piece::Literal("} ".into()),
            Piece::Hole("{'k': {'}}': 1}}".into()),
            Piece::Reference(name("Y")),
            Piece::Block("{% if a %}".into()),
        ];
        assert_eq!(pieces, expected);
    }

    #[test]
    fn what_is_not_closed_or_not_allowed_is_an_error() {
        for text in ["{{ a", "{{ 'a }}", "{% if", "{# x", "{{ ${X} }}", "${{ x }}", "${"] {
            assert!(scan(text).is_err(), "{text}");
        }
        assert!(scan("{{ ${X} }}").unwrap_err().help.unwrap().contains("vars"));
    }

    #[test]
    fn strings_are_blanked_without_moving_anything() {
        assert_eq!(without_strings(r#"a | b('|\'c') ~ "é""#), r#"a | b('    ') ~ "  ""#);
    }
}
