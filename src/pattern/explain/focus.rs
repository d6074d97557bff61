//! Which element of a list decided, or came nearest.

use super::Path;
use crate::json::Json;
use crate::pattern::elements::one_of;
use crate::pattern::{Alternative, Quantified, Test};

/// Visits a value or, if it is a list, its elements with their paths; lists in lists count as one.
pub(super) fn each<'a>(value: &'a Json, at: &Path, visit: &mut dyn FnMut(&'a Json, &Path)) {
    match value {
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| each(item, &at.index(index), visit));
        }
        _ => visit(value, at),
    }
}

/// The element that decided or came nearest, with its path; the list itself where none is nearer
/// than the others.
pub(super) fn nearest<'a>(
    alternatives: &[Alternative],
    value: &'a Json,
    at: &Path,
    holds: bool,
) -> (&'a Json, Path) {
    let mut best: Option<(u32, &Json, Path)> = None;
    let (mut least, mut count) = (u32::MAX, 0);
    each(value, at, &mut |element, path| {
        let score = closeness(alternatives, element, holds);
        count += 1;
        least = least.min(score);
        if best.as_ref().is_none_or(|(highest, ..)| score > *highest) {
            best = Some((score, element, path.clone()));
        }
    });
    match best {
        Some((score, element, path)) if count == 1 || score > least => (element, path),
        _ => (value, at.clone()),
    }
}

const DECISIVE: u32 = 1000;

fn closeness(alternatives: &[Alternative], element: &Json, holds: bool) -> u32 {
    let of = |alternative: &Alternative| -> u32 {
        let of_value = alternative.0.iter().any(Test::is_of_value);
        if holds {
            return if of_value && alternative.matches_element(element) { DECISIVE } else { 0 };
        }
        alternative.0.iter().map(|test| test_closeness(test, element)).sum()
    };
    alternatives.iter().map(of).max().unwrap_or(0)
}

/// How much an element explains that a test failed.
fn test_closeness(test: &Test, element: &Json) -> u32 {
    match test {
        Test::Quantified(Quantified::Every(tests)) => DECISIVE * u32::from(!one_of(tests, Some(element))),
        Test::Quantified(Quantified::Not(tests) | Quantified::None(tests)) => {
            DECISIVE * u32::from(one_of(tests, Some(element)))
        }
        Test::Exists(_) => 0,
        test => {
            let fits = test.wants_kind().is_some_and(|kind| kind == element.kind());
            2 * u32::from(test.of_value(element)) + u32::from(fits)
        }
    }
}
