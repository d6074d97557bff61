//! Numbers that Rhai has no type for: printed and passed on exactly, never calculated with.

use super::fault;
use super::functions::Function;
use crate::json::Number;
use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString};
use std::cmp::Ordering;

type Fallible<T> = Result<T, Box<EvalAltResult>>;

/// An integer past 64 bits, or a decimal with more digits than a double keeps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exact(pub Number);

pub(super) const TABLE: &[Function] = &[Function {
    module: "",
    signature: "number(value: any) -> any",
    summary: "The number that a text spells, exact at any size; a number stays what it is.",
    example: r#"number("12.5") + 1"#,
    gives: "13.5",
}];

/// The Rhai value of a number: an integer or a float where that loses nothing, else [`Exact`].
pub(super) fn to_dynamic(number: &Number) -> Dynamic {
    if let Some(integer) = number.as_i64() {
        return integer.into();
    }
    let float = number.as_f64();
    match Number::from_f64(float) {
        Some(same) if !number.is_integer() && same == *number => float.into(),
        _ => Dynamic::from(Exact(number.clone())),
    }
}

/// Registers printing, the refusal of arithmetic, and `number(x)`.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Exact>("large number");
    engine.register_fn("to_string", |number: &mut Exact| number.0.text().to_owned());
    engine.register_fn("to_debug", |number: &mut Exact| number.0.text().to_owned());
    for operator in ["+", "-", "*", "/", "%", "**"] {
        refuse::<Exact, Exact>(engine, operator);
        refuse::<Exact, INT>(engine, operator);
        refuse::<INT, Exact>(engine, operator);
        refuse::<Exact, FLOAT>(engine, operator);
        refuse::<FLOAT, Exact>(engine, operator);
    }
    engine.register_fn("-", |number: Exact| -> Fallible<Dynamic> { Err(refusal(&number)) });
    engine.register_fn("number", |number: INT| number);
    engine.register_fn("number", |number: FLOAT| number);
    engine.register_fn("number", |number: Exact| number);
    engine.register_fn("number", |text: ImmutableString| parse(&text));
}

fn refuse<A: Clone + Send + Sync + 'static, B: Clone + Send + Sync + 'static>(
    engine: &mut Engine,
    operator: &str,
) {
    engine.register_fn(operator, |a: A, b: B| -> Fallible<Dynamic> {
        let (a, b) = (Dynamic::from(a), Dynamic::from(b));
        let number = a.try_cast::<Exact>().or_else(|| b.try_cast::<Exact>());
        Err(refusal(&number.expect("one of each registered pair is an `Exact`")))
    });
}

/// Why a large number is not calculated with.
pub(super) fn refusal(number: &Exact) -> Box<EvalAltResult> {
    fault(format!("{} cannot be calculated with: it has more digits than 64 bits hold", number.0.text()))
}

/// An integer among floats, if it is one of them.
pub(super) fn exactly(integer: INT) -> Fallible<FLOAT> {
    /// From here on a double does not hold every integer.
    const LIMIT: u64 = 1 << FLOAT::MANTISSA_DIGITS;
    if integer.unsigned_abs() > LIMIT {
        return Err(fault(format!("{integer} would lose digits among numbers with a fraction")));
    }
    Ok(integer as FLOAT)
}

fn parse(text: &str) -> Fallible<Dynamic> {
    let number = Number::parse(text.trim());
    number.as_ref().map(to_dynamic).ok_or_else(|| fault(format!("{text:?} is not a number")))
}

/// The exact order of two Rhai numbers; `None` if one is not a number.
pub(super) fn order(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    Some(read(a)?.cmp(&read(b)?))
}

fn read(value: &Dynamic) -> Option<Number> {
    if let Ok(integer) = value.as_int() {
        return Some(integer.into());
    }
    if let Ok(float) = value.as_float() {
        return Number::from_f64(float);
    }
    value.read_lock::<Exact>().map(|exact| exact.0.clone())
}
