//! The files of good loads: each content once, the newest generations only.

use super::codec;
use super::txn::{Fault, Txn};
use crate::journal::{Generation, GenerationBrief};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Keeps the files of a good load, each content once; the newest generation of the directory again
/// if they are the same. The numbers of all directories are one sequence: events are routed by a
/// number alone.
pub fn keep_generation(
    txn: &mut Txn<'_>,
    directory: &str,
    files: &BTreeMap<String, Vec<u8>>,
    now: i64,
) -> Result<u64, Fault> {
    let digest = digest(files);
    let newest = newest(txn.connection, directory)?;
    if let Some((number, _)) = newest.filter(|(_, known)| *known == digest) {
        return Ok(number.cast_unsigned());
    }
    let number = next_number(txn.connection)?;
    let sql = "INSERT INTO generations (number, directory, loaded, digest) VALUES (?1, ?2, ?3, ?4)";
    txn.connection.prepare_cached(sql)?.execute(params![number, directory, now, digest])?;
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

/// Number and digest of the newest generation of a directory.
fn newest(connection: &Connection, directory: &str) -> rusqlite::Result<Option<(i64, [u8; 32])>> {
    let sql = "SELECT number, digest FROM generations WHERE directory = ?1 ORDER BY number DESC LIMIT 1";
    connection.query_row(sql, [directory], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

fn next_number(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(number), 0) + 1 FROM generations";
    connection.query_row(sql, [], |row| row.get(0))
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

/// The newest generation of a directory, with its files.
pub fn newest_generation(connection: &Connection, directory: &str) -> rusqlite::Result<Option<Generation>> {
    match newest(connection, directory)? {
        Some((number, _)) => generation(connection, number.cast_unsigned()),
        None => Ok(None),
    }
}

/// A generation with its files.
pub fn generation(connection: &Connection, number: u64) -> rusqlite::Result<Option<Generation>> {
    let key = number.cast_signed();
    let sql = "SELECT loaded FROM generations WHERE number = ?1";
    let Some(loaded) = connection.query_row(sql, [key], |row| row.get(0)).optional()? else {
        return Ok(None);
    };
    let sql = "SELECT path, content FROM generation_files JOIN contents USING (hash) WHERE number = ?1";
    let mut query = connection.prepare(sql)?;
    let files = query.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(Some(Generation { number, loaded_at: codec::time(loaded), files }))
}

/// All that are kept, the newest first.
pub fn list(connection: &Connection) -> rusqlite::Result<Vec<GenerationBrief>> {
    let sql = "SELECT number, directory, loaded, (SELECT count(*) FROM generation_files f WHERE f.number = g.number) \
               FROM generations g ORDER BY number DESC";
    let brief = |row: &rusqlite::Row<'_>| {
        Ok(GenerationBrief {
            number: row.get::<_, i64>(0)?.cast_unsigned(),
            directory: row.get(1)?,
            loaded_at: codec::time(row.get(2)?),
            files: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        })
    };
    connection.prepare(sql)?.query_map([], brief)?.collect()
}
