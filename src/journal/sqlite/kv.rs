//! The state of scripts: read at any time, changed only with the outcome of the run that did.

use super::codec;
use super::txn::{Fault, Txn};
use crate::kv::{Changes, Entry, Read, Size, Value, Write};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

/// Expired values that are removed with each change: more than a change can add, so that they do
/// not pile up.
const SWEPT: i64 = 8;

pub fn get(connection: &Connection, namespace: &str, key: &str, now: Timestamp) -> Result<Option<Value>> {
    let sql =
        "SELECT value, expires FROM kv WHERE namespace = ?1 AND key = ?2 AND coalesce(expires > ?3, true)";
    let mut query = connection.prepare_cached(sql)?;
    query.query_row(params![namespace, key, now.as_millisecond()], |row| value(row, 0)).optional()
}

/// The keys with a prefix, in the order of their bytes.
pub fn list(
    connection: &Connection,
    namespace: &str,
    prefix: &str,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Entry>> {
    let sql = "SELECT key, value, expires FROM kv WHERE namespace = ?1 AND key >= ?2 AND key < ?3 \
               AND coalesce(expires > ?4, true) ORDER BY key LIMIT ?5";
    let entry = |row: &Row<'_>| Ok(Entry { key: row.get(0)?, value: value(row, 1)? });
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // A blob is greater than every text.
    let end = successor(prefix).map_or(rusqlite::types::Value::Blob(Vec::new()), Into::into);
    let row = params![namespace, prefix, end, now.as_millisecond(), limit];
    connection.prepare_cached(sql)?.query_map(row, entry)?.collect()
}

/// The first text behind all that begin with `prefix`, if there is one.
fn successor(prefix: &str) -> Option<String> {
    let mut characters = prefix.chars();
    while let Some(last) = characters.next_back() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            return Some(format!("{}{next}", characters.as_str()));
        }
    }
    None
}

/// The namespaces and what they hold, also what has expired and is not removed yet.
pub fn sizes(connection: &Connection) -> Result<Vec<Size>> {
    let sql = "SELECT namespace, keys, bytes FROM kv_sizes ORDER BY namespace";
    let size = |row: &Row<'_>| {
        let (keys, bytes): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(Size { namespace: row.get(0)?, keys: keys.cast_unsigned(), bytes: bytes.cast_unsigned() })
    };
    connection.prepare_cached(sql)?.query_map([], size)?.collect()
}

/// Bytes of a namespace.
pub fn bytes(connection: &Connection, namespace: &str) -> Result<u64> {
    let sql = "SELECT bytes FROM kv_sizes WHERE namespace = ?1";
    let bytes: Option<i64> =
        connection.prepare_cached(sql)?.query_row([namespace], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0).cast_unsigned())
}

fn value(row: &Row<'_>, at: usize) -> Result<Value> {
    let expires: Option<i64> = row.get(at + 1)?;
    Ok(Value { json: row.get(at)?, expires: expires.map(codec::time) })
}

/// Whether everything that a run read would be read again now.
pub fn stands(txn: &Txn<'_>, changes: &Changes, now: Timestamp) -> Result<bool> {
    for read in &changes.reads {
        let same = match read {
            Read::Key(key, then) => {
                get(txn.connection, &changes.namespace, key, now)?.map(|value| value.json) == *then
            }
            Read::Prefix(prefix, then) => {
                // One more than there were, to see one that came.
                let found = list(txn.connection, &changes.namespace, prefix, then.len() + 1, now)?;
                found.iter().map(|entry| &entry.key).eq(then)
            }
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a run's changes.
pub fn change(txn: &Txn<'_>, changes: &Changes, now: Timestamp) -> Result<(), Fault> {
    if changes.writes.is_empty() {
        return Ok(());
    }
    for (key, write) in &changes.writes {
        match write {
            Write::Set { json, expiry } => {
                let sql = "INSERT INTO kv (namespace, key, value, expires) VALUES (?1, ?2, ?3, ?4) \
                           ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires";
                let expires = expiry.from(now).map(|end| end.as_millisecond());
                let row = params![changes.namespace, key, json, expires];
                txn.connection.prepare_cached(sql)?.execute(row)?;
            }
            Write::Delete => {
                let sql = "DELETE FROM kv WHERE namespace = ?1 AND key = ?2";
                txn.connection.prepare_cached(sql)?.execute([&changes.namespace, key])?;
            }
        }
    }
    sweep(txn, changes.writes.len(), now)?;
    Ok(())
}

/// Removes what has expired, a few values more than were written.
fn sweep(txn: &Txn<'_>, written: usize, now: Timestamp) -> Result<()> {
    let sql = "DELETE FROM kv WHERE (namespace, key) IN \
               (SELECT namespace, key FROM kv WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
    let count = i64::try_from(written).unwrap_or(i64::MAX).saturating_add(SWEPT);
    txn.connection.prepare_cached(sql)?.execute([now.as_millisecond(), count]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_behind_all_texts_with_the_prefix() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{10ffff}"), None);
        assert_eq!(successor(""), None);
    }
}
