//! Ids and buckets.

use super::digest::sha256;
use super::{Fallible, Function};
use crate::script::{fault, state};
use jiff::Timestamp;
use rhai::{Engine, INT, ImmutableString};
use ulid::Ulid;
use uuid::Uuid;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "uuid() -> String",
        summary: "A random UUID (version 4).",
        example: "uuid()",
        gives: "",
    },
    Function {
        module: "",
        signature: "ulid() -> String",
        summary: "A ULID: 26 letters and digits that sort by the time at which they were made.",
        example: "ulid()",
        gives: "",
    },
    Function {
        module: "",
        signature: "bucket(text: String) -> int",
        summary: "A number from 0 to 99 that stays the same for a text: the first 8 bytes of its SHA-256, big \
                  endian, modulo 100.",
        example: r#"bucket("user-17")"#,
        gives: "70",
    },
    Function {
        module: "",
        signature: "bucket(text: String, count: int) -> int",
        summary: "A number from 0 to below `count` that stays the same for a text.",
        example: r#"bucket("user-17", 3)"#,
        gives: "0",
    },
];

const BUCKETS: INT = 100;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("bucket", |text: ImmutableString| bucket(&text, BUCKETS));
    engine.register_fn("bucket", |text: ImmutableString, count: INT| bucket(&text, count));
}

pub(super) fn register_random(engine: &mut Engine) {
    engine.register_fn("uuid", || Uuid::new_v4().to_string());
    engine.register_fn("ulid", || {
        let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
        Ulid::from_parts(now_ms, fastrand::u128(..)).to_string()
    });
}

fn bucket(text: &str, count: INT) -> Fallible<INT> {
    state::work(text.len())?;
    let count = u64::try_from(count).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| fault("there must be one bucket at least"))?;
    let [a, b, c, d, e, f, g, h, ..] = sha256(text);
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % count;
    Ok(INT::try_from(number).expect("it is below a positive `INT`"))
}
