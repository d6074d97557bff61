//! Maps: what Rhai's own functions (`keys`, `values`, `contains`, `map`, `filter`, …) lack.

use super::{Fallible, Function};
use crate::json::MAX_DEPTH;
use crate::script::{convert, fault, state};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use std::collections::BTreeSet;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "pick(map: map, keys: list) -> map",
        summary: "The map with these keys only, those of them that it has.",
        example: r#"#{a: 1, b: 2, c: 3}.pick(["a", "c", "x"])"#,
        gives: r#"{"a":1,"c":3}"#,
    },
    Function {
        module: "",
        signature: "omit(map: map, keys: list) -> map",
        summary: "The map without these keys.",
        example: r#"#{a: 1, b: 2, c: 3}.omit(["b"])"#,
        gives: r#"{"a":1,"c":3}"#,
    },
    Function {
        module: "",
        signature: "merge(map: map, other: map) -> map",
        summary: "Both maps in one; what the second has wins, and where both have a map, they are merged too.",
        example: "#{a: 1, b: #{x: 1, y: 1}}.merge(#{b: #{y: 2}, c: 3})",
        gives: r#"{"a":1,"b":{"x":1,"y":2},"c":3}"#,
    },
    Function {
        module: "",
        signature: "entries(map: map) -> list",
        summary: "The map as a list of `[key, value]`, in the order of the keys.",
        example: "#{b: 2, a: 1}.entries()",
        gives: r#"[["a",1],["b",2]]"#,
    },
];

/// About what an entry of a map costs to look at.
const ENTRY_BYTES: usize = 32;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("pick", |map: &mut Map, keys: Array| select(map, &keys, true));
    engine.register_fn("omit", |map: &mut Map, keys: Array| select(map, &keys, false));
    engine.register_fn("merge", |mut map: Map, with: Map| -> Fallible<Map> {
        merge(&mut map, with, MAX_DEPTH)?;
        Ok(map)
    });
    engine.register_fn("entries", |map: &mut Map| -> Fallible<Array> {
        state::work(map.len() * ENTRY_BYTES)?;
        let entry = |(key, value): (&rhai::Identifier, &Dynamic)| {
            Dynamic::from_array(vec![key.as_str().into(), value.clone()])
        };
        Ok(map.iter().map(entry).collect())
    });
}

/// The entries whose key is listed, or those whose key is not.
fn select(map: &Map, keys: &Array, listed: bool) -> Fallible<Map> {
    state::work((map.len() + keys.len()) * ENTRY_BYTES)?;
    let keys = keys.iter().map(text).collect::<Fallible<BTreeSet<_>>>()?;
    let wanted = map.iter().filter(|(key, _)| keys.contains(key.as_str()) == listed);
    Ok(wanted.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn text(key: &Dynamic) -> Fallible<ImmutableString> {
    let text = key.read_lock::<ImmutableString>().map(|key| key.clone());
    text.ok_or_else(|| fault(format!("the keys of a map are strings, not a {}", convert::kind(key))))
}

fn merge(map: &mut Map, with: Map, levels: usize) -> Fallible<()> {
    state::work(with.len() * ENTRY_BYTES)?;
    for (key, value) in with {
        let both = value.is_map() && map.get(&key).is_some_and(Dynamic::is_map);
        let merged = match map.remove(&key) {
            Some(old) if both => {
                let levels = levels.checked_sub(1);
                let levels = levels.ok_or_else(|| fault(convert::Unfit::TooDeep.to_string()))?;
                let mut old: Map = old.flatten().cast();
                merge(&mut old, value.flatten().cast(), levels)?;
                old.into()
            }
            _ => value,
        };
        map.insert(key, merged);
    }
    Ok(())
}
