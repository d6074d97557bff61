//! Sources that refuse one request after the other: a secret that was changed on one side only.

use super::refusal::Refusal;
use crate::json::Json;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many in a row are no stray request.
const MANY: u64 = 3;
/// It is told again if it goes on for so long.
const TOLD_EVERY: Duration = Duration::from_secs(15 * 60);

/// What has become of each source's last requests.
#[derive(Default)]
pub(super) struct Refusing(Mutex<HashMap<String, Row>>);

/// Refusals without an accepted request between them.
#[derive(Default)]
struct Row {
    count: u64,
    told: Option<Instant>,
}

impl Refusing {
    /// A request of the source was verified.
    pub(super) fn accepted(&self, source: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(source) {
            row.count = 0;
        }
    }

    /// A request was not. Returns the payload of the event that tells so, if it is time for one.
    pub(super) fn refused(&self, source: &str, refusal: &Refusal, now: Instant) -> Option<Json> {
        let Refusal::Source(refused) = refusal else { return None };
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(source.to_owned()).or_default();
        row.count += 1;
        let was_told = row.told.is_some_and(|told| now.duration_since(told) < TOLD_EVERY);
        if row.count < MANY || was_told {
            return None;
        }
        row.told = Some(now);
        Some(Json::object([
            ("source", Json::from(source)),
            ("reason", refusal.reason().into()),
            ("message", refused.to_string().into()),
            ("count", row.count.into()),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Refused;

    #[test]
    fn it_is_told_after_a_few_in_a_row_and_not_again_soon() {
        let (refusing, start) = (Refusing::default(), Instant::now());
        let wrong = Refusal::Source(Refused::Signature);
        let told = |after_s| refusing.refused("shop", &wrong, start + Duration::from_secs(after_s)).is_some();
        assert_eq!([told(0), told(1)], [false, false]);
        refusing.accepted("shop");
        assert_eq!([told(2), told(3), told(4), told(5)], [false, false, true, false]);
        assert_eq!([told(903), told(905)], [false, true], "after a quarter of an hour");
        assert_eq!(refusing.refused("shop", &Refusal::Overloaded, start), None, "no fault of the sender's");
    }
}
