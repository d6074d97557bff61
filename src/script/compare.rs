//! Comparisons of values of different kinds: an error instead of a silent `false`.
//!
//! Rhai answers `false` to `12 > "10"`. Metadata of browser tasks are strings, so that slip is a
//! rule that never matches. Every pair of kinds gets its own overload, since Rhai's fast
//! operators (which would pass them by) are off.

use super::functions::{Span, Time};
use super::number::{self, Exact};
use super::secret::Hidden;
use super::{convert, fault};
use rhai::{Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Map};
use std::cmp::Ordering;

type Verdict = Result<bool, Box<EvalAltResult>>;

const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Registers the overloads of the six operators.
pub(super) fn register(engine: &mut Engine) {
    row::<INT>(engine);
    row::<FLOAT>(engine);
    row::<Exact>(engine);
    row::<ImmutableString>(engine);
    row::<char>(engine);
    row::<bool>(engine);
    row::<()>(engine);
    row::<Array>(engine);
    row::<Map>(engine);
    row::<Hidden>(engine);
    row::<Time>(engine);
    row::<Span>(engine);
}

/// Everything that `A` can stand left of.
fn row<A: Clone + Send + Sync + 'static>(engine: &mut Engine) {
    pair::<A, INT>(engine);
    pair::<A, FLOAT>(engine);
    pair::<A, Exact>(engine);
    pair::<A, ImmutableString>(engine);
    pair::<A, char>(engine);
    pair::<A, bool>(engine);
    pair::<A, ()>(engine);
    pair::<A, Array>(engine);
    pair::<A, Map>(engine);
    pair::<A, Hidden>(engine);
    pair::<A, Time>(engine);
    pair::<A, Span>(engine);
}

fn pair<A: Clone + Send + Sync + 'static, B: Clone + Send + Sync + 'static>(engine: &mut Engine) {
    for operator in OPERATORS {
        if !built_in::<A, B>(operator) {
            engine.register_fn(operator, move |a: A, b: B| {
                compare(operator, &Dynamic::from(a), &Dynamic::from(b))
            });
        }
    }
}

/// Whether Rhai's own operator already does what it should.
fn built_in<A: 'static, B: 'static>(operator: &str) -> bool {
    let number = [is::<A, INT>() || is::<A, FLOAT>(), is::<B, INT>() || is::<B, FLOAT>()];
    let text = [is::<A, ImmutableString>() || is::<A, char>(), is::<B, ImmutableString>() || is::<B, char>()];
    let equality = matches!(operator, "==" | "!=");
    let same = |a: bool, b: bool| a && b;
    number == [true, true]
        || text == [true, true]
        || equality
            && (same(is::<A, bool>(), is::<B, bool>())
                || same(is::<A, ()>(), is::<B, ()>())
                || same(is::<A, Array>(), is::<B, Array>())
                || same(is::<A, Map>(), is::<B, Map>()))
}

fn is<A: 'static, B: 'static>() -> bool {
    std::any::TypeId::of::<A>() == std::any::TypeId::of::<B>()
}

fn compare(operator: &'static str, a: &Dynamic, b: &Dynamic) -> Verdict {
    if let Some(order) = order(a, b) {
        return Ok(holds(operator, order));
    }
    if (a.is_unit() || b.is_unit()) && matches!(operator, "==" | "!=") {
        return Ok(operator == "!=");
    }
    Err(fault(explain(operator, convert::kind(a), convert::kind(b))))
}

/// The order of two numbers, two texts, two times or two durations.
pub(super) fn order(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    number::order(a, b)
        .or_else(|| of::<ImmutableString>(a, b))
        .or_else(|| of::<Time>(a, b))
        .or_else(|| of::<Span>(a, b))
}

fn of<T: Ord + Clone + 'static>(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    Some(a.read_lock::<T>()?.cmp(&*b.read_lock::<T>()?))
}

fn holds(operator: &str, order: Ordering) -> bool {
    match operator {
        "==" => order.is_eq(),
        "!=" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn explain(operator: &str, a: &str, b: &str) -> String {
    let hint = match (a, b) {
        ("number", "string") | ("string", "number") => ": write `number(…)` around the string",
        ("boolean", "string") | ("string", "boolean") => ": write `== \"true\"` for a string",
        ("()", _) | (_, "()") => {
            ": `()` is what is absent; ask for it with `== ()` or read it with `.get(…)`"
        }
        ("time", "string") | ("string", "time") => ": write `time::parse(…)` around the string",
        ("duration", "string" | "number") | ("string" | "number", "duration") => {
            ": write `duration(…)` around what is none yet"
        }
        ("secret", _) | (_, "secret") => ": a secret can only be passed on",
        _ => "",
    };
    format!("`{operator}` cannot compare a {a} with a {b}{hint}")
}
