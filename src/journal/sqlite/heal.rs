//! Healing: blocked deliveries are made due in steps, so that appends pass in between.

use super::lanes::{LaneId, Lanes};
use super::order;
use super::txn::{Fault, Txn};
use crate::journal::Heal;

/// Deliveries healed in one transaction: some milliseconds.
const STEP: usize = 500;

/// What is left to heal. Repeating one that was broken off does the rest.
pub struct Healing {
    lanes: Vec<LaneId>,
    now: i64,
    healed: usize,
}

impl Healing {
    pub fn new(lanes: &Lanes, which: &Heal, now: i64) -> Self {
        let lanes = match which {
            Heal::All => lanes.all(),
            Heal::Rules(rules) => rules.iter().flat_map(|rule| lanes.of_rule(rule)).collect(),
        };
        Self { lanes, now, healed: 0 }
    }

    pub fn is_done(&self) -> bool {
        self.lanes.is_empty()
    }

    pub fn healed(&self) -> usize {
        self.healed
    }

    /// Heals some more. Those that are made in order take their places among the others.
    pub fn step(mut self, txn: &mut Txn<'_>) -> Result<Self, Fault> {
        let sql = "UPDATE deliveries SET due = ?2 WHERE (event, lane, name) IN \
                   (SELECT event, lane, name FROM deliveries INDEXED BY deliveries_blocked \
                   WHERE lane = ?1 AND state = 1 AND due > ?2 AND due < ?4 LIMIT ?3) RETURNING event, name, order_key";
        let mut room = STEP;
        while let Some(lane) = self.lanes.last().copied().filter(|_| room > 0) {
            let limit = i64::try_from(room).unwrap_or(i64::MAX);
            let mut query = txn.connection.prepare_cached(sql)?;
            let healed = query.query_map([lane, self.now, limit, order::PARKED], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            let healed: Vec<(i64, String, Option<String>)> = healed.collect::<Result<_, _>>()?;
            if !healed.is_empty() {
                txn.due.push((lane, self.now));
            }
            self.healed += healed.len();
            room -= healed.len();
            for (event, name, key) in healed {
                if let Some(key) = key {
                    order::take_place(txn, lane, &key, (event, &name), self.now)?;
                }
            }
            if room > 0 {
                self.lanes.pop();
            }
        }
        Ok(self)
    }
}
