//! Functions that take a function: what ends a run inside of it cannot be caught around them.
//!
//! Rhai wraps every error of such a function into one that `try` catches, also those of its own
//! limits, and drops those of a comparer.

use super::lists::{dedup, place};
use super::{changing, sort};
use crate::script::functions::{Fallible, excerpt};
use crate::script::{fault, state};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, ImmutableString, Map, NativeCallContext, Variant,
};
use std::cmp::Ordering;

pub(super) fn register(engine: &mut Engine) {
    lists(engine);
    comparers(engine);
    maps(engine);
    names(engine);
}

fn lists(engine: &mut Engine) {
    changing_by(engine, "for_each", |each, list: &mut Array| {
        // The one of these whose function gets a value as `this` only.
        let mut items = list.iter_mut().enumerate();
        items.try_for_each(|(index, item)| each.call(Some(item), [], [number(index)], None).map(drop))
    });
    by(engine, "map", |each, list: &mut Array| {
        list.iter_mut().enumerate().map(|(index, item)| each.at(index, item)).collect::<Fallible<Array>>()
    });
    by(engine, "filter", |each, list: &mut Array| {
        let mut kept = Array::new();
        for (index, item) in list.iter_mut().enumerate() {
            if each.holds(index, item)? {
                kept.push(item.clone());
            }
        }
        Ok(kept)
    });
    by(engine, "some", |each, list: &mut Array| Ok(each.first(list, 0)?.is_some()));
    by(engine, "all", |each, list: &mut Array| {
        for (index, item) in list.iter_mut().enumerate() {
            if !each.holds(index, item)? {
                return Ok(false);
            }
        }
        Ok(true)
    });
    changing_by(engine, "drain", |each, list: &mut Array| split(list, |index, item| each.holds(index, item)));
    changing_by(engine, "retain", |each, list: &mut Array| {
        split(list, |index, item| each.holds(index, item).map(|holds| !holds))
    });
    by_from(engine, "index_of", |each, list, start| {
        Ok(each.first(list, start)?.map_or(-1, |index| INT::try_from(index).unwrap_or(INT::MAX)))
    });
    by_from(engine, "find", |each, list, start| {
        Ok(each.first(list, start)?.map_or(Dynamic::UNIT, |index| list[index].clone()))
    });
    by_from(engine, "find_map", |each, list, start| {
        for (index, item) in list.iter_mut().enumerate().skip(start) {
            let found = each.at(index, item)?;
            if !found.is_unit() {
                return Ok(found);
            }
        }
        Ok(Dynamic::UNIT)
    });
    by_with(engine, "reduce", |each, list, initial| {
        list.iter_mut().enumerate().try_fold(initial, |sum, (index, item)| each.fold(sum, index, item))
    });
    by_with(engine, "reduce_rev", |each, list, initial| {
        list.iter_mut().enumerate().rev().try_fold(initial, |sum, (index, item)| each.fold(sum, index, item))
    });
    engine.register_fn(
        "zip",
        |context: NativeCallContext, list: &mut Array, with: Array, function: FnPtr| {
            let each = Callback { name: "zip", context, function };
            let pairs = list.iter().cloned().zip(with).enumerate();
            pairs
                .map(|(index, (a, b))| each.call(None, [a, b], [number(index)], None))
                .collect::<Fallible<Array>>()
        },
    );
}

fn comparers(engine: &mut Engine) {
    changing_by(engine, "dedup", |each, list: &mut Array| dedup(list, |last, item| each.same(last, item)));
    for name in ["sort", "sort_by"] {
        changing_by(engine, name, |each, list: &mut Array| {
            *list = each.sorted(list)?;
            Ok(())
        });
    }
    for name in ["order", "order_by"] {
        by(engine, name, |each, list: &mut Array| each.sorted(list));
    }
}

fn maps(engine: &mut Engine) {
    by(engine, "map", |each, map: &mut Map| {
        map.iter_mut().map(|(key, value)| Ok((key.clone(), each.of(key, value)?))).collect::<Fallible<Map>>()
    });
    by(engine, "filter", |each, map: &mut Map| {
        let mut kept = Map::new();
        for (key, value) in map.iter_mut() {
            if is_true(&each.of(key, value)?) {
                kept.insert(key.clone(), value.clone());
            }
        }
        Ok(kept)
    });
    changing_by(engine, "drain", |each, map: &mut Map| {
        split_map(map, |key, value| each.of(key, value).map(|taken| is_true(&taken)))
    });
    changing_by(engine, "retain", |each, map: &mut Map| {
        split_map(map, |key, value| each.of(key, value).map(|kept| !is_true(&kept)))
    });
}

/// Rhai takes a function's name for the function, and what an event says may be one.
fn names(engine: &mut Engine) {
    for name in ["map", "filter", "some", "all", "reduce", "reduce_rev"] {
        engine.register_fn(name, move |_: &mut Array, text: ImmutableString| no_function(name, &text));
    }
    for name in ["dedup", "sort", "drain", "retain"] {
        changing(engine, name, move |_: &mut Array, text: ImmutableString| no_function(name, &text));
    }
    for name in ["reduce", "reduce_rev"] {
        engine.register_fn(name, move |_: &mut Array, text: ImmutableString, _: Dynamic| {
            no_function(name, &text)
        });
    }
}

fn no_function(name: &str, text: &str) -> Fallible<()> {
    Err(fault(format!("`{name}` wants a function, not the text {}: write `|item| …`", excerpt(text))))
}

/// Takes out what is to be taken, in one pass; after an error nothing more.
fn split(list: &mut Array, mut takes: impl FnMut(usize, &mut Dynamic) -> Fallible<bool>) -> Fallible<Array> {
    let (mut taken, mut kept, mut failed) = (Array::new(), Array::new(), None);
    for (index, mut item) in std::mem::take(list).into_iter().enumerate() {
        match if failed.is_none() { takes(index, &mut item) } else { Ok(false) } {
            Ok(true) => taken.push(item),
            Ok(false) => kept.push(item),
            Err(error) => {
                failed = Some(error);
                kept.push(item);
            }
        }
    }
    *list = kept;
    failed.map_or(Ok(taken), Err)
}

fn split_map(map: &mut Map, mut takes: impl FnMut(&str, &mut Dynamic) -> Fallible<bool>) -> Fallible<Map> {
    let (mut taken, mut kept, mut failed) = (Map::new(), Map::new(), None);
    for (key, mut value) in std::mem::take(map) {
        let takes = if failed.is_none() { takes(&key, &mut value) } else { Ok(false) };
        let goes = takes.unwrap_or_else(|error| {
            failed = Some(error);
            false
        });
        if goes {
            taken.insert(key, value)
        } else {
            kept.insert(key, value)
        };
    }
    *map = kept;
    failed.map_or(Ok(taken), Err)
}

fn is_true(value: &Dynamic) -> bool {
    value.as_bool().unwrap_or(false)
}

fn number(index: usize) -> Dynamic {
    INT::try_from(index).unwrap_or(INT::MAX).into()
}

/// A function of the script's, as something calls it again and again.
struct Callback<'a> {
    name: &'static str,
    context: NativeCallContext<'a>,
    function: FnPtr,
}

impl Callback<'_> {
    /// With a value of a list, as `this` or as the first argument, and its index if it wants that.
    fn at(&self, index: usize, item: &mut Dynamic) -> Fallible<Dynamic> {
        self.call(Some(item), [], [number(index)], Some(0))
    }

    fn holds(&self, index: usize, item: &mut Dynamic) -> Fallible<bool> {
        self.at(index, item).map(|holds| is_true(&holds))
    }

    fn first(&self, list: &mut Array, start: usize) -> Fallible<Option<usize>> {
        for (index, item) in list.iter_mut().enumerate().skip(start) {
            if self.holds(index, item)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn fold(&self, sum: Dynamic, index: usize, item: &mut Dynamic) -> Fallible<Dynamic> {
        self.call(Some(item), [sum], [number(index)], Some(1))
    }

    /// With a value of a map and its key.
    fn of(&self, key: &str, value: &mut Dynamic) -> Fallible<Dynamic> {
        self.call(Some(value), [key.into()], [], Some(1))
    }

    fn same(&self, a: &Dynamic, b: &Dynamic) -> Fallible<bool> {
        self.call(None, [a.clone(), b.clone()], [], None).map(|same| is_true(&same))
    }

    fn sorted(&self, list: &Array) -> Fallible<Array> {
        sort::sorted(list.clone(), &mut |a, b| self.order(a, b))
    }

    fn order(&self, a: &Dynamic, b: &Dynamic) -> Fallible<Ordering> {
        let answer = self.call(None, [a.clone(), b.clone()], [], None)?;
        match (answer.as_int(), answer.as_bool()) {
            (Ok(number), _) => Ok(number.cmp(&0)),
            (_, Ok(before)) => Ok(if before { Ordering::Less } else { Ordering::Greater }),
            _ => Err(fault(format!(
                "what `{}` is handed says the order of two values: a number below, at or above 0, or whether \
                 the first comes first",
                self.name
            ))),
        }
    }

    fn call<const N: usize, const E: usize>(
        &self,
        item: Option<&mut Dynamic>,
        arguments: [Dynamic; N],
        extras: [Dynamic; E],
        place: Option<usize>,
    ) -> Fallible<Dynamic> {
        let Self { name, context, function } = self;
        let answer = function.call_raw_with_extra_args(name, context, item, arguments, extras, place);
        answer.map_err(|error| {
            if error.unwrap_inner().is_system_exception() {
                state::note_place(context.call_source(), context.call_position());
            }
            unwrapped(*error)
        })
    }
}

/// An error that ends the run, without the wrap that `try` catches.
fn unwrapped(mut error: EvalAltResult) -> Box<EvalAltResult> {
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
                if inner.unwrap_inner().is_system_exception() =>
            {
                error = *inner;
            }
            other => return other.into(),
        }
    }
}

/// Registers a function whose last argument is a function.
fn by<T: Variant + Clone, R: Variant + Clone>(
    engine: &mut Engine,
    name: &'static str,
    work: fn(&Callback<'_>, &mut T) -> Fallible<R>,
) {
    engine.register_fn(name, move |context: NativeCallContext, of: &mut T, function: FnPtr| {
        work(&Callback { name, context, function }, of)
    });
}

fn changing_by<T: Variant + Clone, R: Variant + Clone>(
    engine: &mut Engine,
    name: &'static str,
    work: fn(&Callback<'_>, &mut T) -> Fallible<R>,
) {
    changing(engine, name, move |context: NativeCallContext, of: &mut T, function: FnPtr| {
        work(&Callback { name, context, function }, of)
    });
}

/// The same, from the beginning or from some place on.
fn by_from<R: Variant + Clone>(
    engine: &mut Engine,
    name: &'static str,
    work: fn(&Callback<'_>, &mut Array, usize) -> Fallible<R>,
) {
    engine.register_fn(name, move |context: NativeCallContext, list: &mut Array, function: FnPtr| {
        work(&Callback { name, context, function }, list, 0)
    });
    engine.register_fn(
        name,
        move |context: NativeCallContext, list: &mut Array, function: FnPtr, start: INT| {
            let start = place(list, start);
            work(&Callback { name, context, function }, list, start)
        },
    );
}

/// The same, with nothing or something to begin with.
fn by_with(
    engine: &mut Engine,
    name: &'static str,
    work: fn(&Callback<'_>, &mut Array, Dynamic) -> Fallible<Dynamic>,
) {
    engine.register_fn(name, move |context: NativeCallContext, list: &mut Array, function: FnPtr| {
        work(&Callback { name, context, function }, list, Dynamic::UNIT)
    });
    engine.register_fn(
        name,
        move |context: NativeCallContext, list: &mut Array, function: FnPtr, initial: Dynamic| {
            work(&Callback { name, context, function }, list, initial)
        },
    );
}
