//! Whatever a function is handed, it answers or errs: none panics.

use crate::script::functions::{Span, Time};
use crate::script::number::Exact;
use crate::script::{Limits, engine, library, state};
use jiff::{SignedDuration, Timestamp};
use rhai::{Array, Blob, Dynamic, Engine, FnPtr, ImmutableString, Map, Scope};
use std::any::TypeId;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The extremes of each type.
fn samples(engine: &Engine) -> Vec<(TypeId, Vec<Dynamic>)> {
    let closure = |text: &str| engine.eval::<FnPtr>(text).expect(text);
    let integers = [0, 1, -1, 3, 63, 64, i64::MAX, i64::MIN, i64::MAX - 1];
    let floats = [0.0, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 1e19];
    let texts = ["", "a", "é🦀x", "-1", "0x", "%q", "(", "9999999999999999999999", "UTC"];
    #[expect(clippy::reversed_empty_ranges, reason = "a script may write one")]
    let ranges = [0..0, 0..2, -2..9, 2..-1, i64::MIN..i64::MAX, i64::MAX - 1..i64::MAX, i64::MIN..0];
    let list: Array = vec![1.into(), "é".into(), Dynamic::UNIT, 2.5.into(), vec![Dynamic::TRUE].into()];
    let same: Array = vec![3.into(), 3.into(), 1.into()];
    let map = Map::from([("a".into(), 1.into()), ("é".into(), list.clone().into()), ("".into(), ().into())]);
    let closures = ["|a| a", "|a, b| a == b", "|a, b, c| throw 1", "|| 7", "|a| true", "|a, b| throw \"x\""];
    let exact = |text: &str| Exact(crate::json::Number::parse(text).expect("a number"));
    vec![
        (TypeId::of::<i64>(), integers.map(Dynamic::from).into()),
        (TypeId::of::<f64>(), floats.map(Dynamic::from).into()),
        (TypeId::of::<ImmutableString>(), texts.map(Dynamic::from).into()),
        (TypeId::of::<char>(), ['a', '🦀', '\0'].map(Dynamic::from).into()),
        (TypeId::of::<bool>(), [true, false].map(Dynamic::from).into()),
        (TypeId::of::<()>(), vec![Dynamic::UNIT]),
        (TypeId::of::<Array>(), [vec![], list, same].map(Dynamic::from_array).into()),
        (TypeId::of::<Map>(), [Map::new(), map].map(Dynamic::from_map).into()),
        (TypeId::of::<Blob>(), [vec![], vec![1, 255, 0], vec![7; 40]].map(Dynamic::from_blob).into()),
        (TypeId::of::<Range<i64>>(), ranges.clone().map(Dynamic::from).into()),
        (
            TypeId::of::<RangeInclusive<i64>>(),
            ranges.map(|range| Dynamic::from(range.start..=range.end)).into(),
        ),
        (TypeId::of::<FnPtr>(), closures.map(|text| Dynamic::from(closure(text))).into()),
        (TypeId::of::<rhai::Instant>(), vec![Dynamic::from(rhai::Instant::now())]),
        (
            TypeId::of::<Exact>(),
            ["0.1000000000000000000000001", "-123456789012345678901234567890"]
                .map(|n| Dynamic::from(exact(n)))
                .into(),
        ),
        (TypeId::of::<Time>(), [Timestamp::MIN, Timestamp::MAX].map(|time| Dynamic::from(Time(time))).into()),
        (
            TypeId::of::<Span>(),
            [SignedDuration::MIN, SignedDuration::MAX].map(|span| Dynamic::from(Span(span))).into(),
        ),
    ]
}

/// How a function is called with `a`, `b`, …
fn call(module: &str, name: &str, arguments: &[&str]) -> Option<String> {
    let begins_a_word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match (name.split_once('$'), arguments) {
        (Some(("get", field)), [object]) => Some(format!("{object}.{field}")),
        (Some(("set", field)), [object, value]) => Some(format!("{object}.{field} = {value}")),
        (Some(("index", "get$")), [object, index]) => Some(format!("{object}[{index}]")),
        (Some(("index", "set$")), [object, index, value]) => Some(format!("{object}[{index}] = {value}")),
        (Some(_), _) => None,
        (None, _) if begins_a_word && module.is_empty() => Some(format!("{name}({})", arguments.join(", "))),
        (None, _) if begins_a_word => Some(format!("{module}::{name}({})", arguments.join(", "))),
        (None, [a, b]) => Some(format!("{a} {name} {b}")),
        (None, [a]) => Some(format!("{name}{a}")),
        _ => None,
    }
}

#[test]
fn no_function_panics() {
    let limits = Limits { size: 10_000, ..Limits::default() };
    let engine = engine::script(&limits, Dynamic::from_map(Map::new()), library::Resolver::default());
    state::meter(&limits, state::Room::of_script(&limits, 0));
    let samples = samples(&engine);
    let all: Vec<&Dynamic> = samples.iter().flat_map(|(_, values)| values).collect();
    let of = |ty: &TypeId| -> Vec<Dynamic> {
        match samples.iter().find(|(known, _)| known == ty) {
            Some((_, values)) => values.clone(),
            None if *ty == TypeId::of::<Dynamic>() => all.iter().copied().cloned().collect(),
            None => Vec::new(),
        }
    };
    let functions = engine.collect_fn_metadata(
        None,
        |function| {
            let types: Vec<TypeId> = function.metadata.param_types.iter().copied().collect();
            Some((function.namespace.to_string(), function.metadata.name.to_string(), types))
        },
        true,
    );
    let functions: BTreeSet<_> = functions.into_iter().collect();
    let (mut calls, mut panics) = (0, BTreeSet::new());
    for (module, name, types) in functions {
        const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
        let Some(text) = call(&module, &name, &NAMES[..types.len()]) else { continue };
        let Ok(ast) = engine.compile(&text) else { continue };
        let choices: Vec<Vec<Dynamic>> = types.iter().map(&of).collect();
        for chosen in combinations(&choices) {
            let mut scope = Scope::new();
            for (name, value) in NAMES.iter().zip(&chosen) {
                scope.push_dynamic(*name, value.clone());
            }
            state::meter(&limits, state::Room::of_script(&limits, 0));
            calls += 1;
            if std::env::var("LOUD").is_ok() {
                eprintln!("CALL {text} {chosen:?}");
            }
            let done = catch_unwind(AssertUnwindSafe(|| {
                engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast).map(|v| drop(v.to_string()))
            }));
            if done.is_err() && panics.iter().filter(|p: &&String| p.starts_with(&text)).count() < 3 {
                panics.insert(format!("{text} {chosen:?}"));
            }
        }
    }
    assert!(calls > 10_000, "{calls}");
    assert!(panics.is_empty(), "{calls} {panics:#?}");
}

/// Every choice of one value each, at most so many of them.
fn combinations(choices: &[Vec<Dynamic>]) -> Vec<Vec<Dynamic>> {
    const MOST: usize = 5_000;
    let mut found = vec![Vec::new()];
    for values in choices {
        let more = found.iter().flat_map(|begin| {
            values.iter().map(move |value| begin.iter().chain([value]).cloned().collect::<Vec<Dynamic>>())
        });
        found = more.take(MOST).collect();
    }
    found
}
