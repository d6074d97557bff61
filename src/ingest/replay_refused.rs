//! Refused requests taken after all: verified again by the sources of now.

use super::count;
use crate::journal::{Appended, Entry, Journal, JournalError, Taken};
use crate::json::Json;
use crate::refused::Record;
use crate::rules::Serving;
use crate::source::Sources;
use jiff::Timestamp;

/// What became of the refused requests that were verified again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub accepted: usize,
    /// Their senders had sent them again meanwhile.
    pub duplicates: usize,
    pub still_refused: usize,
}

impl Replayed {
    pub fn to_json(self) -> Json {
        Json::object([
            ("accepted", Json::from(self.accepted)),
            ("duplicates", self.duplicates.into()),
            ("still_refused", self.still_refused.into()),
        ])
    }
}

/// Verifies what is kept again, the oldest first, and keeps and routes what passes.
///
/// # Errors
/// [`JournalError`]: what was kept until then stays.
pub async fn replay_refused(
    records: Vec<Record>,
    sources: &Sources,
    rules: Option<&Serving>,
    journal: &dyn Journal,
    now: Timestamp,
) -> Result<Replayed, JournalError> {
    let (mut replayed, counters) = (Replayed::default(), count::Counters::default());
    for record in records.into_iter().rev() {
        let source = sources.named(&record.source);
        let verified =
            source.and_then(|source| record.verify(source, fastrand::u128(..)).ok().zip(Some(source)));
        let Some((received, source)) = verified else {
            replayed.still_refused += 1;
            continue;
        };
        counters.verified(source, received.verified);
        let routing = rules.map(|serving| serving.rules.route(&received.event, serving.number, now));
        let dedupe_since =
            record.received_at.saturating_sub(source.dedupe_within()).unwrap_or(Timestamp::MIN);
        let matched = routing.as_ref().map(|routing| !routing.rules.is_empty());
        let taken = Some(Taken { at: now, refused: record.reason });
        let entry = Entry { received, received_at: record.received_at, dedupe_since, routing, taken };
        match journal.append(entry).await? {
            Appended::New(_) => {
                counters.kept(source, matched);
                replayed.accepted += 1;
            }
            Appended::Duplicate(_) => {
                count::duplicate(source);
                replayed.duplicates += 1;
            }
        }
    }
    Ok(replayed)
}
