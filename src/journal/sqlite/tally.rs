//! How much there is, kept as numbers because counting rows takes as long as there are rows.

use crate::journal::{Counts, State};
use rusqlite::{Connection, Result, params};

/// The row of the table `tally`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: i64,
    pub unrouted: i64,
    /// Before this event no delivery is without a row.
    pub fresh_from: i64,
    /// By state, in the order of their numbers in the table.
    deliveries: [i64; 6],
    /// Suppressed since [`Self::committed`]. Unlike their number above it does not sink when their
    /// events are removed.
    newly_suppressed: u64,
}

impl Tally {
    pub fn load(connection: &Connection) -> Result<Self> {
        let sql = "SELECT events, unrouted, pending, blocked, delivered, skipped, dead, suppressed, fresh_from FROM tally";
        connection.query_row(sql, [], |row| {
            let count = |at: usize| row.get(at);
            let deliveries = [count(2)?, count(3)?, count(4)?, count(5)?, count(6)?, count(7)?];
            let (events, unrouted, fresh_from) = (count(0)?, count(1)?, count(8)?);
            Ok(Self { events, unrouted, fresh_from, deliveries, newly_suppressed: 0 })
        })
    }

    pub fn write(&self, connection: &Connection) -> Result<()> {
        let sql = "UPDATE tally SET events = ?1, unrouted = ?2, pending = ?3, blocked = ?4, delivered = ?5, \
                   skipped = ?6, dead = ?7, suppressed = ?8, fresh_from = ?9";
        let [pending, blocked, delivered, skipped, dead, suppressed] = self.deliveries;
        let row = params![
            self.events,
            self.unrouted,
            pending,
            blocked,
            delivered,
            skipped,
            dead,
            suppressed,
            self.fresh_from
        ];
        connection.prepare_cached(sql)?.execute(row).map(drop)
    }

    /// `count` more deliveries in a state (fewer, if negative).
    pub fn add(&mut self, state: State, count: i64) {
        self.deliveries[state as usize] += count;
        if state == State::Suppressed {
            self.newly_suppressed += u64::try_from(count).unwrap_or(0);
        }
    }

    /// After a commit: what has happened is counted, once.
    pub fn committed(&mut self) {
        let suppressed = std::mem::take(&mut self.newly_suppressed);
        if suppressed > 0 {
            metrics::counter!("hookyard_suppressed_total").increment(suppressed);
        }
    }

    pub fn counts(&self, bytes: u64) -> Counts {
        let positive = |count: i64| u64::try_from(count).unwrap_or(0);
        let of = |state: State| positive(self.deliveries[state as usize]);
        Counts {
            events: positive(self.events),
            unrouted: positive(self.unrouted),
            pending: of(State::Pending),
            blocked: of(State::Blocked),
            delivered: of(State::Delivered),
            dead: of(State::Dead),
            suppressed: of(State::Suppressed),
            bytes,
        }
    }
}
