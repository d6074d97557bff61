//! Sorting by a function of the script's, which may fail, and may contradict itself.

use crate::script::functions::Fallible;
use rhai::{Array, Dynamic};
use std::cmp::Ordering;

/// A list in order; what is equal stays in its order. The first error ends it: Rust's own sorting
/// goes on asking, and panics where the answers are no order.
pub(super) fn sorted(
    mut list: Array,
    compare: &mut impl FnMut(&Dynamic, &Dynamic) -> Fallible<Ordering>,
) -> Fallible<Array> {
    if list.len() <= 1 {
        return Ok(list);
    }
    let upper = list.split_off(list.len() / 2);
    let (lower, upper) = (sorted(list, compare)?, sorted(upper, compare)?);
    merged(lower, upper, compare)
}

fn merged(
    lower: Array,
    upper: Array,
    compare: &mut impl FnMut(&Dynamic, &Dynamic) -> Fallible<Ordering>,
) -> Fallible<Array> {
    let mut merged = Array::with_capacity(lower.len() + upper.len());
    let (mut lower, mut upper) = (lower.into_iter().peekable(), upper.into_iter().peekable());
    while let (Some(low), Some(high)) = (lower.peek(), upper.peek()) {
        let next = if compare(low, high)?.is_gt() { upper.next() } else { lower.next() };
        merged.extend(next);
    }
    merged.extend(lower.chain(upper));
    Ok(merged)
}
