//! Lists: what Rhai's own functions (`map`, `filter`, `some`, `all`, `sort`, `zip`, …) lack.

use super::{Fallible, Function, Output, plain};
use crate::script::number::{self, Exact};
use crate::script::{compare, convert, fault, read, state};
use rhai::{Array, Dynamic, Engine, FLOAT, INT, ImmutableString, Map, NativeCallContext};
use std::cmp::Ordering;
use std::collections::BTreeSet;

pub(super) const TABLE: &[Function] = &[
    Function {
        module: "",
        signature: "join(list: list, separator: String) -> String",
        summary: "The values of a list as one text.",
        example: r#"["a", 1, 2.5].join(", ")"#,
        gives: r#""a, 1, 2.5""#,
    },
    Function {
        module: "",
        signature: "sum(list: list) -> any",
        summary: "The sum of a list of numbers, exact for integers.",
        example: "[1, 2, 3].sum()",
        gives: "6",
    },
    Function {
        module: "",
        signature: "min(list: list) -> any",
        summary: "The least of a list of numbers, texts, times or durations; `()` of an empty one.",
        example: "[3, 1.5, 2].min()",
        gives: "1.5",
    },
    Function {
        module: "",
        signature: "max(list: list) -> any",
        summary: "The greatest of a list of numbers, texts, times or durations; `()` of an empty one.",
        example: r#"["a", "c", "b"].max()"#,
        gives: r#""c""#,
    },
    Function {
        module: "",
        signature: "unique(list: list) -> list",
        summary: "The list with the first only of those values that are the same JSON.",
        example: r#"["b", "a", "b"].unique()"#,
        gives: r#"["b","a"]"#,
    },
    Function {
        module: "",
        signature: "flatten(list: list) -> list",
        summary: "The list with the values of the lists in it in their place, one level deep.",
        example: "[1, [2, [3]], []].flatten()",
        gives: "[1,2,[3]]",
    },
    Function {
        module: "",
        signature: "group_by(list: list, path: String) -> map",
        summary: "The maps of a list by what each has at a path; under `\"\"` those that have nothing there.",
        example: r#"[#{n: 1, to: "a"}, #{n: 2, to: "b"}, #{n: 3, to: "a"}].group_by("to")"#,
        gives: r#"{"a":[{"n":1,"to":"a"},{"n":3,"to":"a"}],"b":[{"n":2,"to":"b"}]}"#,
    },
];

/// About what a value of a list costs to look at.
const ITEM_BYTES: usize = 16;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("join", join);
    engine.register_fn("sum", |list: &mut Array| sum(list));
    engine.register_fn("min", |list: &mut Array| best(list, Ordering::Less));
    engine.register_fn("max", |list: &mut Array| best(list, Ordering::Greater));
    engine.register_fn("unique", |list: &mut Array| unique(list));
    engine.register_fn("flatten", |list: &mut Array| flatten(list));
    engine.register_fn("group_by", |list: &mut Array, path: ImmutableString| group_by(list, &path));
}

fn join(context: NativeCallContext, list: &mut Array, separator: ImmutableString) -> Fallible<String> {
    let mut output = Output::new(&context);
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            output.push(&separator)?;
        }
        let part = plain(value)?;
        state::work(part.len() + ITEM_BYTES)?;
        output.push(&part)?;
    }
    output.finish()
}

fn sum(list: &Array) -> Fallible<Dynamic> {
    state::work(list.len() * ITEM_BYTES)?;
    let (mut whole, mut fractions): (INT, Option<FLOAT>) = (0, None);
    for value in list {
        if let Ok(integer) = value.as_int() {
            let sum = whole.checked_add(integer);
            whole = sum.ok_or_else(|| fault("the sum is larger than 64 bits hold"))?;
        } else if let Ok(float) = value.as_float() {
            fractions = Some(fractions.unwrap_or_default() + float);
        } else if let Some(exact) = value.read_lock::<Exact>() {
            return Err(number::refusal(&exact));
        } else {
            let kind = convert::kind(value);
            return Err(fault(format!("only numbers can be added up, not a {kind}: map it to `number(…)`")));
        }
    }
    match fractions {
        None => Ok(whole.into()),
        Some(fractions) => Ok((number::exactly(whole)? + fractions).into()),
    }
}

fn best(list: &Array, wanted: Ordering) -> Fallible<Dynamic> {
    state::work(list.len() * ITEM_BYTES)?;
    let mut values = list.iter();
    let Some(mut best) = values.next() else { return Ok(Dynamic::UNIT) };
    // The first is compared with itself, so that a list of one is no exception.
    for value in std::iter::once(best).chain(values) {
        let order = compare::order(value, best).ok_or_else(|| {
            let kinds = [value, best].map(convert::kind);
            fault(format!("`min` and `max` cannot compare a {} with a {}", kinds[0], kinds[1]))
        })?;
        if order == wanted {
            best = value;
        }
    }
    Ok(best.clone())
}

fn unique(list: &Array) -> Fallible<Array> {
    let mut seen = BTreeSet::new();
    let mut kept = Array::new();
    for value in list {
        let json = convert::to_json(value).map_err(|error| fault(error.to_string()))?.to_string();
        state::work(json.len() + ITEM_BYTES)?;
        if seen.insert(json) {
            kept.push(value.clone());
        }
    }
    Ok(kept)
}

fn flatten(list: &Array) -> Fallible<Array> {
    state::work(list.len() * ITEM_BYTES)?;
    let mut flat = Array::new();
    for value in list {
        match value.read_lock::<Array>() {
            Some(inner) => flat.extend(inner.iter().cloned()),
            None => flat.push(value.clone()),
        }
    }
    Ok(flat)
}

fn group_by(list: &Array, path: &str) -> Fallible<Map> {
    state::work(list.len().saturating_mul(path.len() + ITEM_BYTES))?;
    let mut groups = Map::new();
    for value in list {
        let Some(map) = value.read_lock::<Map>() else {
            return Err(fault(format!("`group_by` wants a list of maps, not of a {}", convert::kind(value))));
        };
        let key = read::get(&map, path).map_or_else(|| Ok(String::new()), |key| plain(&key))?;
        let group = groups.entry(key.into()).or_insert_with(|| Array::new().into());
        if let Some(mut group) = group.write_lock::<Array>() {
            group.push(value.clone());
        }
    }
    Ok(groups)
}
