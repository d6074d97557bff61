//! Fingerprints that memory has no room for while their window runs: a table by fingerprint.
//!
//! A new row at a random page with each event would cost more than the rest of a commit, and so would
//! removing it again. Both are done in the order of the table: what moves there is sorted first, and what
//! is over is found by going round, some rows with each commit.

use rusqlite::{Connection, Result, params};

/// Rows looked at with each event that is kept: as many come, so a round catches up.
const SWEPT_PER_EVENT: usize = 2;
/// Between the end of a round and the next, in milliseconds: until the first row that stayed is over, but
/// rows with a shorter window may have come since.
const SHORTEST_REST_MS: i64 = 60_000;
const LONGEST_REST_MS: i64 = 3_600_000;

/// The table, and how far the round through it has come.
#[derive(Clone, Copy, Debug)]
pub struct Old {
    /// Whether there may be a row.
    pub has_any: bool,
    behind: (i64, i64),
    /// When the first row that this round has passed is over.
    first_over: i64,
    /// When the next round begins.
    rests_until: i64,
}

impl Old {
    pub fn load(connection: &Connection) -> Result<Self> {
        let has_any =
            connection.query_row("SELECT EXISTS (SELECT 1 FROM old_prints)", [], |row| row.get(0))?;
        Ok(Self { has_any, behind: START, first_over: i64::MAX, rests_until: i64::MIN })
    }

    /// Keys of events whose fingerprints begin like this.
    pub fn find(&self, connection: &Connection, print: i64) -> Result<Vec<i64>> {
        if !self.has_any {
            return Ok(Vec::new());
        }
        let mut query = connection.prepare_cached("SELECT seq FROM old_prints WHERE print = ?1")?;
        query.query_map([print], |row| row.get(0))?.collect()
    }

    /// Adds one that matters until then.
    pub fn add(&mut self, connection: &Connection, (print, seq): (i64, i64), until: i64) -> Result<()> {
        // Also true if the commit fails: then a lookup is made in vain.
        self.has_any = true;
        let sql = "INSERT OR IGNORE INTO old_prints (print, seq, until) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute([print, seq, until]).map(drop)
    }

    /// Goes on with the round; returns how it stands if this is committed.
    pub fn sweep(mut self, connection: &Connection, events: usize, now: i64) -> Result<Self> {
        if !self.has_any || now < self.rests_until {
            return Ok(self);
        }
        let limit = events * SWEPT_PER_EVENT;
        let rows = self.next_rows(connection, limit)?;
        for (print, seq, until) in &rows {
            if *until < now {
                let sql = "DELETE FROM old_prints WHERE print = ?1 AND seq = ?2";
                connection.prepare_cached(sql)?.execute([print, seq])?;
            } else {
                self.first_over = self.first_over.min(*until);
            }
            self.behind = (*print, *seq);
        }
        if rows.len() < limit {
            let rest = self
                .first_over
                .saturating_sub(now)
                .saturating_add(1)
                .clamp(SHORTEST_REST_MS, LONGEST_REST_MS);
            let rests_until = now.saturating_add(rest);
            self = Self { behind: START, first_over: i64::MAX, rests_until, ..self };
        }
        Ok(self)
    }

    /// Of what an older version wrote, the event says until when it matters; or nothing does any more.
    fn next_rows(&self, connection: &Connection, limit: usize) -> Result<Vec<(i64, i64, i64)>> {
        let sql = "SELECT print, seq, coalesce(until, \
                   (SELECT dedupe_until FROM events e WHERE e.seq = o.seq), \
                   (SELECT dedupe_until FROM removed_prints r WHERE r.seq = o.seq), -9223372036854775808) \
                   FROM old_prints o WHERE (print, seq) > (?1, ?2) ORDER BY print, seq LIMIT ?3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let mut query = connection.prepare_cached(sql)?;
        query.query_map(params![self.behind.0, self.behind.1, limit], row)?.collect()
    }
}

const START: (i64, i64) = (i64::MIN, i64::MIN);
