//! The files of good loads: each content once, the newest generations only.

use super::codec;
use super::txn::{Fault, Txn};
use crate::journal::Generation;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

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
