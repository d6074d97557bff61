//! Who chooses where a request goes: the author, whatever an event says.

use super::compile::{Body, Problem, Segment};
use super::escape::host_end;
use super::scan::without_strings;

/// A destination is the author's: event data may fill in what stands behind its host, or choose
/// among `vars`, and nothing else.
pub(super) fn check_destination(body: &Body) -> Result<(), Problem> {
    let fine = match body {
        Body::Value(hole) => is_vars_value(&hole.source),
        Body::Text(segments) => {
            let literal = segments.iter().take_while(|segment| !matches!(segment, Segment::Hole(_)));
            let references = literal.clone().any(|segment| matches!(segment, Segment::Reference(_)));
            let prefix = literal.map(|segment| match segment {
                Segment::Literal(text) => text.as_str(),
                Segment::Reference(_) | Segment::Hole(_) => "",
            });
            // With references the host is known only at an attempt, and checked there.
            references || host_end(&prefix.collect::<String>()).is_some()
        }
        Body::Reference(_) => true,
        Body::Block(_) => false,
    };
    if fine {
        return Ok(());
    }
    let help = "write the host literally, `https://host/{{ … }}`, or put whole URLs into `vars` and write `{{ vars.NAME }}`";
    Err(Problem::new("an event must not choose the host of a URL").with_help(help))
}

/// Whether an expression is `vars.a.b`, `vars.a[…]`, or one of these with a `default` of them.
fn is_vars_value(source: &str) -> bool {
    let Some(rest) = source.trim().strip_prefix("vars") else { return false };
    let Some(rest) = behind_accessors(rest) else { return false };
    let rest = rest.trim_start();
    if rest.is_empty() {
        return true;
    }
    let call = rest.strip_prefix('|').map(str::trim_start);
    let inner = call.and_then(|call| call.strip_prefix("default").or_else(|| call.strip_prefix('d')));
    let inner = inner.and_then(|rest| rest.trim().strip_prefix('(')?.strip_suffix(')'));
    inner.is_some_and(is_vars_value)
}

/// What follows `.name` and `[…]` as often as they stand there.
fn behind_accessors(mut rest: &str) -> Option<&str> {
    loop {
        if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            rest = &name[end..];
        } else if rest.starts_with('[') {
            let end = bracket_end(rest)?;
            // A slice is a piece of the value.
            if without_strings(&rest[..end]).contains(':') {
                return None;
            }
            rest = &rest[end..];
        } else {
            return Some(rest);
        }
    }
}

fn bracket_end(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in without_strings(text).bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}
