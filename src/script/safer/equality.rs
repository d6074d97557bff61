//! Whether lists and maps are equal, and where in a list a value is.
//!
//! Rhai's own copy what they compare for each comparison: a large value looked for in a long list
//! is copied as often as the list is long, all in one step.

use super::changing;
use super::lists::{dedup, place};
use crate::script::functions::Fallible;
use crate::script::state;
use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Map, NativeCallContext,
    OP_EQUALS,
};

/// About what a value costs to compare.
const ITEM_BYTES: usize = 16;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("==", |context: NativeCallContext, a: &mut Array, b: Array| lists(&context, a, &b));
    engine.register_fn("!=", |context: NativeCallContext, a: &mut Array, b: Array| {
        lists(&context, a, &b).map(|equal| !equal)
    });
    engine.register_fn("==", |context: NativeCallContext, a: &mut Map, b: Map| maps(&context, a, &b));
    engine.register_fn("!=", |context: NativeCallContext, a: &mut Map, b: Map| {
        maps(&context, a, &b).map(|equal| !equal)
    });
    engine.register_fn("contains", |context: NativeCallContext, list: &mut Array, value: Dynamic| {
        position(&context, list, &value, 0).map(|found| found.is_some())
    });
    engine.register_fn("index_of", |context: NativeCallContext, list: &mut Array, value: Dynamic| {
        position(&context, list, &value, 0).map(index)
    });
    engine.register_fn(
        "index_of",
        |context: NativeCallContext, list: &mut Array, value: Dynamic, start: INT| {
            let start = place(list, start);
            position(&context, list, &value, start).map(index)
        },
    );
    // Rhai would call the function that a text names, and the text may be what a sender sent.
    type Text = ImmutableString;
    engine.register_fn("index_of", |context: NativeCallContext, list: &mut Array, text: Text| {
        position(&context, list, &text.into(), 0).map(index)
    });
    engine.register_fn("index_of", |context: NativeCallContext, list: &mut Array, text: Text, start: INT| {
        let start = place(list, start);
        position(&context, list, &text.into(), start).map(index)
    });
    // Values that cannot be compared are not the same: they only stand side by side.
    changing(engine, "dedup", |context: NativeCallContext, list: &mut Array| {
        dedup(list, |last, item| match equal(&context, last, item) {
            Err(error) if error.is_catchable() => Ok(false),
            other => other,
        })
    });
}

/// `-1` if it is nowhere, as Rhai has it.
fn index(found: Option<usize>) -> INT {
    found.map_or(-1, |index| INT::try_from(index).unwrap_or(INT::MAX))
}

fn position(
    context: &NativeCallContext<'_>,
    list: &Array,
    value: &Dynamic,
    start: usize,
) -> Fallible<Option<usize>> {
    for (index, item) in list.iter().enumerate().skip(start) {
        if equal(context, item, value)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

fn lists(context: &NativeCallContext<'_>, a: &Array, b: &Array) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    all(a.iter().zip(b), |(a, b)| equal(context, a, b))
}

fn maps(context: &NativeCallContext<'_>, a: &Map, b: &Map) -> Fallible<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    all(a, |(key, a)| b.get(key).map_or(Ok(false), |b| equal(context, a, b)))
}

fn all<T>(items: impl IntoIterator<Item = T>, mut holds: impl FnMut(T) -> Fallible<bool>) -> Fallible<bool> {
    for item in items {
        if !holds(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal(context: &NativeCallContext<'_>, a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    // Also how deep calls are.
    state::work(ITEM_BYTES)?;
    if let (Some(a), Some(b)) = (a.read_lock::<Array>(), b.read_lock::<Array>()) {
        return lists(context, &a, &b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Map>(), b.read_lock::<Map>()) {
        return maps(context, &a, &b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Blob>(), b.read_lock::<Blob>()) {
        return Ok(*a == *b);
    }
    scalars(context, a, b)
}

/// By the operator; values of different kinds for which there is none are not equal.
fn scalars(context: &NativeCallContext<'_>, a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
    let same = a.type_id() == b.type_id();
    match context.call_native_fn_raw(OP_EQUALS, true, &mut [&mut shallow(a), &mut shallow(b)]) {
        Ok(equal) => Ok(equal.as_bool().unwrap_or(false)),
        Err(error) if matches!(*error, EvalAltResult::ErrorFunctionNotFound(..)) && !same => Ok(false),
        Err(error) => Err(error),
    }
}

/// What stands for a value beside one of another kind: of a large one only of what kind it is.
fn shallow(value: &Dynamic) -> Dynamic {
    if value.is_array() {
        Dynamic::from_array(Array::new())
    } else if value.is_map() {
        Dynamic::from_map(Map::new())
    } else if value.is_blob() {
        Dynamic::from_blob(Blob::new())
    } else if value.is_fnptr() {
        Dynamic::from(FnPtr::new("closure").expect("it is a function's name"))
    } else {
        value.flatten_clone()
    }
}
