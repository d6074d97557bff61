//! `traceparent` as in W3C Trace Context, <https://www.w3.org/TR/trace-context/#traceparent-header>.

use crate::event::EventId;
use crate::headers::Headers;

/// What a request made for an event belongs to.
#[derive(Clone, Debug)]
pub struct Trace {
    /// As they came with the event.
    headers: Headers,
    event: EventId,
    /// Identifies the attempt.
    span: u64,
}

impl Trace {
    /// `span` is the attempt's own number.
    pub fn new(headers: Headers, event: EventId, span: u64) -> Self {
        Self { headers, event, span: span.max(1) } // All zeros is no span.
    }

    /// The header to send: the incoming trace continued if its header is valid, else a trace whose
    /// id is the event's ULID.
    pub fn parent(&self) -> String {
        let mut incoming = self.headers.values("traceparent");
        let (trace, flags) = match (incoming.next().and_then(parse), incoming.next()) {
            (Some((trace, sampled)), None) => (trace.to_owned(), u8::from(sampled)),
            // "Sampled" is for the receivers: without it most tracers would drop what they see.
            _ => (format!("{:032x}", u128::from_be_bytes(self.event.0.to_bytes())), 1),
        };
        format!("00-{trace}-{:016x}-{flags:02x}", self.span)
    }
}

/// The trace id, and whether it is sampled. A later version may have more fields behind ours.
fn parse(value: &str) -> Option<(&str, bool)> {
    let mut fields = value.trim().split('-');
    let mut field = |length| fields.next().filter(|field| field.len() == length && is_hex(field));
    let (version, trace, parent, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    let known = version == "00" && fields.next().is_none() || version != "00" && version != "ff";
    let zero = |field: &str| field.bytes().all(|digit| digit == b'0');
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (known && !zero(trace) && !zero(parent)).then_some((trace, flags & 1 == 1))
}

fn is_hex(field: &str) -> bool {
    field.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn with(values: &[&str]) -> String {
        let headers: Headers = values.iter().map(|it| ("traceparent", *it)).collect();
        Trace::new(headers, EventId::new(1, 2), 0xabc).parent()
    }

    #[test]
    fn a_valid_trace_is_continued_with_a_new_span() {
        let value = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(with(&[&value]), format!("00-{TRACE}-0000000000000abc-01"));
        let later = format!("cc-{TRACE}-00f067aa0ba902b7-02-what-the-future-brings");
        assert_eq!(with(&[&later]), format!("00-{TRACE}-0000000000000abc-00"));
    }

    #[test]
    fn anything_else_gives_a_trace_of_the_event() {
        let own = "00-00000000000100000000000000000002-0000000000000abc-01";
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(with(&[]), own);
        assert_eq!(with(&[&valid, &valid]), own, "two headers");
        for bad in [
            "",
            "00",
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-00f067aa0ba902b-01"),
        ] {
            assert_eq!(with(&[bad]), own, "{bad}");
        }
    }
}
