//! How values stand in the tables: times, keys, names, lists.

use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::journal::State;
use crate::source::{Form, Verified};
use jiff::Timestamp;
use std::ops::RangeInclusive;
use ulid::Ulid;

/// Low bits of `events.seq` that tell the events of one millisecond apart.
const SLOT_BITS: u32 = 15;

/// The keys that the events of one millisecond can have.
pub fn seqs_of(ms: u64) -> RangeInclusive<i64> {
    // A ULID's time has 48 bits, so this fills an i64 exactly.
    let ms = (ms & ((1 << 48) - 1)).cast_signed();
    (ms << SLOT_BITS)..=((ms << SLOT_BITS) | ((1 << SLOT_BITS) - 1))
}

/// The first key of an event received at `time`.
pub fn first_seq_at(time: Timestamp) -> i64 {
    *seqs_of(u64::try_from(time.as_millisecond()).unwrap_or(0)).start()
}

/// The last key of an event received at this millisecond.
pub fn last_seq_at(ms: i64) -> i64 {
    *seqs_of(u64::try_from(ms).unwrap_or(0)).end()
}

/// When the event of a key was received.
pub fn received_at(seq: i64) -> Timestamp {
    time(seq >> SLOT_BITS)
}

/// A stored time; what lies outside of all calendars is cut to their ends.
pub fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The first 8 bytes of a fingerprint, as an index key.
pub fn print(fingerprint: &[u8; 32]) -> i64 {
    let (head, _) = fingerprint.split_first_chunk().expect("32 bytes have 8");
    i64::from_le_bytes(*head)
}

pub fn event_id(bytes: [u8; 16]) -> EventId {
    EventId(Ulid::from_bytes(bytes))
}

/// What a delivery's id has beside event, rule and action.
pub fn name(id: &DeliveryId) -> String {
    let replay = if id.replay > 1 { format!("~{}", id.replay) } else { String::new() };
    id.effects.iter().fold(replay, |name, effect| name + "/" + effect.as_str())
}

/// The id of a stored delivery.
pub fn delivery_id(event: EventId, rule: &str, action: &str, name: &str) -> DeliveryId {
    let mut parts = name.split('/');
    let replay = parts.next().and_then(|head| head.strip_prefix('~')?.parse().ok()).unwrap_or(1);
    let effects = parts.map(str::to_owned).collect();
    DeliveryId { event, replay, rule: rule.into(), action: action.into(), effects }
}

pub fn state(number: i64) -> State {
    match number {
        0 => State::Pending,
        1 => State::Blocked,
        2 => State::Delivered,
        3 => State::Skipped,
        5 => State::Suppressed,
        _ => State::Dead,
    }
}

/// A number of things, as a column holds it.
pub fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Names of rules, which have no commas, as one text.
pub fn write_names(names: &[String]) -> String {
    names.join(",")
}

pub fn read_names(names: &str) -> Vec<String> {
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// How a signature was found good: `python 0`.
pub fn write_verified(verified: Verified) -> String {
    [verified.form.name(), " ", &verified.secret.to_string()].concat()
}

pub fn read_verified(text: &str) -> Option<Verified> {
    let (form, secret) = text.split_once(' ')?;
    Some(Verified { form: Form::named(form)?, secret: secret.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_later_milliseconds_are_larger_and_the_last_one_fits() {
        assert!(seqs_of(7).end() < seqs_of(8).start());
        assert_eq!(*seqs_of((1 << 48) - 1).end(), i64::MAX);
        assert_eq!(first_seq_at(time(-5)), 0);
    }

    #[test]
    fn ids_and_signatures_read_back_as_written() {
        for text in ["/r/a", "~2/r/a", "/r/a/slack-1", "~3/r/a/x/file-2"] {
            let id: DeliveryId = format!("evt_01JDFV3M4X0000000000000000{text}").parse().unwrap();
            assert_eq!(delivery_id(id.event, &id.rule, &id.action, &name(&id)), id, "{text}");
        }
        for form in [Form::Python, Form::Utf8, Form::Raw] {
            let verified = Verified { form, secret: 3 };
            assert_eq!(read_verified(&write_verified(verified)), Some(verified));
        }
        assert_eq!(read_verified("magic 0"), None);
    }
}
