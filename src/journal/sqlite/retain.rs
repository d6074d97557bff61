//! What is kept how long: events by age and size, generations by number.

use super::codec;
use super::txn::{Fault, Txn};
use crate::journal::{Generation, Trim};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// A step looks at this many times as many events as it may remove.
const LOOK: usize = 8;

/// Removes some of the oldest events; returns how many.
pub fn trim(txn: &mut Txn<'_>, trim: &Trim) -> Result<usize, Fault> {
    let too_large = used_bytes(txn.connection)? > trim.size_bytes;
    let before = if too_large { i64::MAX } else { codec::first_seq_at(trim.before) };
    let look = trim.limit.saturating_mul(LOOK);
    let rows = candidates(txn, before, trim.now.as_millisecond(), look)?;
    let (mut removed, mut ended_at) = (0, i64::MIN);
    for row in &rows {
        if removed == trim.limit {
            break;
        }
        if row.may_go {
            remove(txn, row.seq, &row.fingerprint)?;
            removed += 1;
        }
        ended_at = row.seq;
    }
    let all_seen = rows.len() < look && rows.last().is_none_or(|row| row.seq == ended_at);
    txn.shared.trimmed_to.store(if all_seen { i64::MIN } else { ended_at }, Ordering::Relaxed);
    Ok(removed)
}

/// An event old enough to go.
struct Candidate {
    seq: i64,
    fingerprint: [u8; 32],
    may_go: bool,
}

/// The next of them behind where the last step ended: so that a step's work is bounded, however
/// many old events have to stay.
fn candidates(txn: &Txn<'_>, before: i64, now: i64, look: usize) -> rusqlite::Result<Vec<Candidate>> {
    let sql = "SELECT seq, fingerprint, dedupe_until < ?3 AND generation IS NOT NULL AND NOT EXISTS \
               (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.due IS NOT NULL) \
               FROM events e WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?4";
    let look = i64::try_from(look).unwrap_or(i64::MAX);
    let mut query = txn.connection.prepare_cached(sql)?;
    let from = txn.shared.trimmed_to.load(Ordering::Relaxed);
    let row = params![from, before, now, look];
    let candidate = |row: &rusqlite::Row<'_>| {
        Ok(Candidate { seq: row.get(0)?, fingerprint: row.get(1)?, may_go: row.get(2)? })
    };
    query.query_map(row, candidate)?.collect()
}

/// Bytes of the database that hold something: freed pages are used again and do not count.
pub fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let bytes = (number("page_count")? - number("freelist_count")?) * number("page_size")?;
    Ok(bytes.cast_unsigned())
}

fn remove(txn: &mut Txn<'_>, seq: i64, fingerprint: &[u8; 32]) -> Result<(), Fault> {
    let sql = "SELECT state, count(*) FROM deliveries WHERE event = ?1 GROUP BY state";
    let mut query = txn.connection.prepare_cached(sql)?;
    let mut states = query.query([seq])?;
    while let Some(row) = states.next()? {
        txn.tally.add(codec::state(row.get(0)?), -row.get::<_, i64>(1)?);
    }
    for table in ["attempts", "deliveries"] {
        txn.connection.prepare_cached(&format!("DELETE FROM {table} WHERE event = ?1"))?.execute([seq])?;
    }
    let print = codec::print(fingerprint);
    let sql = "DELETE FROM old_prints WHERE print = ?1 AND seq = ?2";
    txn.connection.prepare_cached(sql)?.execute([print, seq])?;
    txn.connection.prepare_cached("DELETE FROM events WHERE seq = ?1")?.execute([seq])?;
    txn.tally.events -= 1;
    Ok(())
}

/// Keeps the files of a good load, each content once; the newest generation again if they are
/// the same.
pub fn keep_generation(txn: &mut Txn<'_>, files: &BTreeMap<String, Vec<u8>>, now: i64) -> Result<u64, Fault> {
    let digest = digest(files);
    let newest = newest(txn.connection)?;
    if let Some((number, _)) = newest.filter(|(_, known)| *known == digest) {
        return Ok(number.cast_unsigned());
    }
    let number = newest.map_or(1, |(number, _)| number + 1);
    let sql = "INSERT INTO generations (number, loaded, digest) VALUES (?1, ?2, ?3)";
    txn.connection.prepare_cached(sql)?.execute(params![number, now, digest])?;
    for (path, content) in files {
        let hash = sha256(content);
        let sql = "INSERT OR IGNORE INTO contents (hash, content) VALUES (?1, ?2)";
        txn.connection.prepare_cached(sql)?.execute(params![hash, content])?;
        let sql = "INSERT INTO generation_files (number, path, hash) VALUES (?1, ?2, ?3)";
        txn.connection.prepare_cached(sql)?.execute(params![number, path, hash])?;
    }
    forget_generations(txn.connection, number - i64::from(txn.options.generations))?;
    Ok(number.cast_unsigned())
}

fn newest(connection: &Connection) -> rusqlite::Result<Option<(i64, [u8; 32])>> {
    let sql = "SELECT number, digest FROM generations ORDER BY number DESC LIMIT 1";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn forget_generations(connection: &Connection, up_to: i64) -> rusqlite::Result<()> {
    for table in ["generations", "generation_files"] {
        connection.execute(&format!("DELETE FROM {table} WHERE number <= ?1"), [up_to])?;
    }
    let sql = "DELETE FROM contents WHERE hash NOT IN (SELECT hash FROM generation_files)";
    connection.execute(sql, []).map(drop)
}

/// SHA-256 over all paths and contents, each behind its length.
fn digest(files: &BTreeMap<String, Vec<u8>>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for bytes in files.iter().flat_map(|(path, content)| [path.as_bytes(), content]) {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().into()
}

fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// A generation with its files; the newest, if no number is given.
pub fn generation(connection: &Connection, number: Option<u64>) -> rusqlite::Result<Option<Generation>> {
    let sql =
        "SELECT number, loaded FROM generations WHERE ?1 IS NULL OR number = ?1 ORDER BY number DESC LIMIT 1";
    let wanted = number.map(u64::cast_signed);
    let found =
        connection.query_row(sql, [wanted], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional()?;
    let Some((number, loaded)) = found else { return Ok(None) };
    let sql = "SELECT path, content FROM generation_files JOIN contents USING (hash) WHERE number = ?1";
    let mut query = connection.prepare(sql)?;
    let files = query.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Some(Generation { number: number.cast_unsigned(), loaded_at: codec::time(loaded), files }))
}
