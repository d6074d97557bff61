//! What can never match, and what can never fail: said only where it is certain.

use super::equals_ignore_case::folded;
use super::{Alternative, AnythingBut, Cidr, Field, Fields, Quantified, Test, Wanted};
use crate::json::Json;

/// How much a list of alternatives lets through that excludes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Always {
    /// Whether the field is there or not.
    Anything,
    /// Every scalar, and every list that has one.
    Values,
    /// All but lists.
    NoLists,
}

/// Two tests of one object that cannot hold together, by their places.
pub(super) fn contradiction(tests: &[Test]) -> Option<(usize, usize)> {
    let pairs = (0..tests.len()).flat_map(|second| (0..second).map(move |first| (first, second)));
    pairs.into_iter().find(|(first, second)| exclude(&tests[*first], &tests[*second]))
}

/// Whether two tests cannot hold together, for the same value.
pub(super) fn exclude(one: &Test, other: &Test) -> bool {
    excludes(one, other) || excludes(other, one)
}

/// A test that never holds by itself, by its place: what an element is, is there.
pub(super) fn never(tests: &[Test]) -> Option<usize> {
    let absent = |alternative: &Alternative| alternative.0.contains(&Test::Exists(false));
    tests.iter().position(|test| match test {
        Test::Quantified(Quantified::Every(tests)) => tests.iter().all(absent),
        _ => false,
    })
}

/// Whether alternatives exclude nothing: two negations of which each lets through what the other
/// excludes, or a negation beside what it excludes.
pub(super) fn always(alternatives: &[Alternative]) -> Option<Always> {
    let single = |alternative: &Alternative| <[Test; 1]>::try_from(alternative.0.clone()).ok();
    let is_wide = |test: &Test| matches!(test, Test::AnythingBut(_) | Test::Exists(_) | Test::Quantified(_));
    if !alternatives.iter().any(|alternative| matches!(alternative.0.as_slice(), [test] if is_wide(test))) {
        return None;
    }
    let tests = alternatives.iter().filter_map(single).map(|[test]| test).collect::<Vec<_>>();
    tests.iter().enumerate().find_map(|(at, test)| match test {
        Test::Exists(false) => tests.contains(&Test::Exists(true)).then_some(Always::Anything),
        Test::AnythingBut(but) => fills(&but.excluded(), &tests, at)
            .then_some(Always::Values)
            .or_else(|| tests[at + 1..].iter().any(|other| apart(but, other)).then_some(Always::Values)),
        Test::Quantified(Quantified::Not(excluded)) => {
            let excluded = excluded.iter().map(single).collect::<Option<Vec<_>>>()?;
            let filled = excluded.iter().all(|[excluded]| fills(excluded, &tests, at));
            filled.then_some(Always::Anything).or_else(|| {
                tests[at + 1..].iter().any(|other| nots_apart(&excluded, other)).then_some(Always::NoLists)
            })
        }
        _ => None,
    })
}

/// Whether a group of fields under `$not` is among the fields that must hold beside it.
pub(super) fn is_required(not: &Fields, fields: &[Field]) -> bool {
    // A group of which nothing compiled excludes nothing yet.
    !not.fields.is_empty()
        && not.any_of.is_empty()
        && not.none_of.is_empty()
        && not.fields.iter().all(|field| fields.contains(field))
}

/// The alternatives that patterns of one and the same single field are together.
pub(super) fn of_one_field(groups: &[Fields]) -> Option<(&str, Vec<Alternative>)> {
    let mut together = Vec::new();
    let mut name = None;
    for group in groups {
        let [Field { name: own, wanted: Wanted::OneOf(alternatives) }] = group.fields.as_slice() else {
            return None;
        };
        if !group.any_of.is_empty() || !group.none_of.is_empty() || *name.get_or_insert(own) != own {
            return None;
        }
        together.extend(alternatives.iter().cloned());
    }
    name.map(|name| (&**name, together))
}

impl AnythingBut {
    /// The test that holds for what is excluded.
    fn excluded(&self) -> Test {
        match self {
            Self::Values(values) => Test::Among(values.iter().cloned().collect()),
            Self::Test(test) => Test::clone(test),
        }
    }
}

/// Whether the tests other than the one at `at` let through all that `excluded` holds for.
fn fills(excluded: &Test, tests: &[Test], at: usize) -> bool {
    let mut others = tests.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, test)| test);
    match excluded {
        Test::Among(values) => {
            values.iter().all(|value| others.clone().any(|test| implies(&Test::Exact(value.clone()), test)))
        }
        _ => others.any(|test| implies(excluded, test)),
    }
}

fn apart(but: &AnythingBut, other: &Test) -> bool {
    matches!(other, Test::AnythingBut(other) if disjoint(&but.excluded(), &other.excluded()))
}

fn nots_apart(excluded: &[[Test; 1]], other: &Test) -> bool {
    let Test::Quantified(Quantified::Not(others)) = other else { return false };
    excluded.iter().all(|[test]| {
        others.iter().all(|other| matches!(other.0.as_slice(), [other] if disjoint(test, other)))
    })
}

/// Whether `a` fails wherever `b` holds, for the same value.
fn excludes(a: &Test, b: &Test) -> bool {
    match a {
        Test::Exists(false) => needs_value(b),
        Test::AnythingBut(but) => implies(b, &but.excluded()),
        Test::Quantified(Quantified::Not(tests)) => one_is_implied(b, tests),
        Test::Quantified(Quantified::None(tests)) => b.is_of_value() && one_is_implied(b, tests),
        Test::Quantified(Quantified::Every(tests)) => {
            let excluded = |test: &Test| excludes(test, b) || excludes(b, test);
            b.is_of_value() && tests.iter().all(|alternative| alternative.0.iter().any(excluded))
        }
        _ => disjoint(a, b),
    }
}

fn one_is_implied(by: &Test, alternatives: &[Alternative]) -> bool {
    alternatives.iter().any(|alternative| matches!(alternative.0.as_slice(), [test] if implies(by, test)))
}

/// Whether the field is there wherever the test holds.
fn needs_value(test: &Test) -> bool {
    !matches!(test, Test::Exists(false) | Test::Quantified(Quantified::Not(_)))
}

/// Whether `b` holds wherever `a` does.
fn implies(a: &Test, b: &Test) -> bool {
    match (a, b) {
        (_, Test::Exists(true)) => needs_value(a),
        (Test::Exact(value), b) if b.is_of_value() => b.of_value(value),
        (Test::Among(values), b) if b.is_of_value() => values.iter().all(|value| b.of_value(&value)),
        (Test::Prefix(a), Test::Prefix(b)) if !a.ignore_case && !b.ignore_case => {
            a.any_of.iter().all(|text| b.any(|prefix| text.starts_with(prefix)))
        }
        (Test::Suffix(a), Test::Suffix(b)) if !a.ignore_case && !b.ignore_case => {
            a.any_of.iter().all(|text| b.any(|suffix| text.ends_with(suffix)))
        }
        (Test::Numeric(a), Test::Numeric(b)) => b.has_all_of(a),
        _ => a == b,
    }
}

/// Whether no value satisfies both of two tests of a value.
fn disjoint(a: &Test, b: &Test) -> bool {
    if let (Some(a), Some(b)) = (a.wants_kind(), b.wants_kind())
        && a != b
    {
        return true;
    }
    let none_of = |values: &[Json], test: &Test| !values.iter().any(|value| test.of_value(value));
    match (a, b) {
        (Test::Exact(value), test) | (test, Test::Exact(value)) if test.is_of_value() => {
            none_of(std::slice::from_ref(value), test)
        }
        (Test::Among(values), test) | (test, Test::Among(values)) if test.is_of_value() => {
            none_of(&values.iter().collect::<Vec<_>>(), test)
        }
        (Test::Numeric(a), Test::Numeric(b)) => a.is_apart_from(b),
        (Test::Cidr(a), Test::Cidr(b)) => {
            let apart = |a: &Cidr, b: &Cidr| !a.contains(&b.network()) && !b.contains(&a.network());
            a.iter().all(|a| b.iter().all(|b| apart(a, b)))
        }
        _ => {
            edges_differ(a, b, heads, |text, head| text.starts_with(head))
                || edges_differ(a, b, tails, |text, tail| text.ends_with(tail))
        }
    }
}

/// Texts of which a string has one at its begin (or end), and whether case is ignored.
type Edges<'a> = (Vec<&'a str>, bool);

fn edges_differ(
    a: &Test,
    b: &Test,
    edges: fn(&Test) -> Option<Edges<'_>>,
    has: fn(&str, &str) -> bool,
) -> bool {
    let (Some((a, a_folds)), Some((b, b_folds))) = (edges(a), edges(b)) else { return false };
    let form = |text: &str| match a_folds || b_folds {
        true => folded(text.chars()).collect(),
        false => text.to_owned(),
    };
    let [a, b] = [a, b].map(|texts| texts.into_iter().map(form).collect::<Vec<_>>());
    a.iter().all(|a| b.iter().all(|b| !has(a, b) && !has(b, a)))
}

fn heads(test: &Test) -> Option<Edges<'_>> {
    match test {
        Test::Prefix(texts) | Test::EqualsIgnoreCase(texts) => {
            Some((texts.any_of.iter().map(|text| &**text).collect(), texts.ignore_case))
        }
        Test::Wildcard(wildcards) => {
            Some((wildcards.iter().filter_map(|it| it.pieces.first()).map(|piece| &**piece).collect(), false))
        }
        _ => None,
    }
}

fn tails(test: &Test) -> Option<Edges<'_>> {
    match test {
        Test::Suffix(texts) | Test::EqualsIgnoreCase(texts) => {
            Some((texts.any_of.iter().map(|text| &**text).collect(), texts.ignore_case))
        }
        Test::Wildcard(wildcards) => {
            Some((wildcards.iter().filter_map(|it| it.pieces.last()).map(|piece| &**piece).collect(), false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::json::Json;
    use crate::pattern::Pattern;
    use crate::pattern::tests::{document, node, pattern, test_text, value_text};
    use proptest::prelude::*;

    fn warnings(text: &str) -> Vec<String> {
        let warnings =
            Pattern::compile(&node(text)).unwrap_or_else(|problems| panic!("{text}: {problems:?}")).1;
        warnings.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn operators_that_exclude_each_other_are_named() {
        for (test, names) in [
            ("{exists: false, prefix: a}", "`exists` and `prefix`"),
            ("{exists: false, every: a}", "`exists` and `every`"),
            ("{prefix: a, numeric: ['>', 1]}", "`prefix` and `numeric`"),
            ("{prefix: [a, b], equals-ignore-case: [xa, xb]}", "`prefix` and `equals-ignore-case`"),
            ("{suffix: [a, b], wildcard: 'a*c'}", "`suffix` and `wildcard`"),
            ("{prefix: ab, anything-but: {prefix: a}}", "`prefix` and `anything-but`"),
            ("{prefix: ab, not: {prefix: a}}", "`prefix` and `not`"),
            ("{not: {exists: true}, regex: a}", "`not` and `regex`"),
            ("{prefix: a, none: [b, {prefix: a}]}", "`prefix` and `none`"),
            ("{prefix: a, every: {prefix: b}}", "`prefix` and `every`"),
            ("{cidr: 10.0.0.0/8, every: {cidr: [11.0.0.0/8, '::/0']}}", "`cidr` and `every`"),
        ] {
            let expected = format!("{names} exclude each other here: this never matches");
            assert_eq!(warnings(&format!("status: [{test}]")), [expected], "{test}");
        }
    }

    #[test]
    fn what_may_match_is_not_doubted() {
        for test in [
            "{exists: false, not: a}",
            "{exists: true, prefix: a}",
            "{prefix: a, suffix: b}",
            "{prefix: A, equals-ignore-case: ab}",
            "{prefix: ab, wildcard: 'a*'}",
            "{prefix: a, anything-but: {prefix: ab}}",
            "{exists: true, none: {exists: true}}",
            "{wildcard: 'a*', every: {prefix: [a, b]}}",
        ] {
            assert_eq!(warnings(&format!("status: [{test}]")), [""; 0], "{test}");
        }
    }

    #[test]
    fn alternatives_that_exclude_nothing_are_told() {
        for (tests, what) in [
            ("{anything-but: a}, {anything-but: b}", "every value through"),
            ("{anything-but: {prefix: a}}, {anything-but: {prefix: b}}", "every value through"),
            ("{anything-but: {prefix: a}}, {anything-but: 1}", "every value through"),
            ("{anything-but: [a, b]}, a, b", "every value through"),
            ("{anything-but: a}, {exists: true}", "every value through"),
            ("{exists: true}, {exists: false}", "everything through, an absent field too"),
            ("{not: [a, b]}, a, {prefix: b}", "everything through, an absent field too"),
            ("{not: a}, {not: {prefix: b}}", "everything through that is no list"),
        ] {
            let expected = format!("the alternatives of `status` let {what}");
            assert_eq!(warnings(&format!("status: [{tests}]")), [expected], "{tests}");
        }
        for tests in ["{anything-but: a}, b", "{not: a}, {prefix: ab}", "{not: a}, {not: {prefix: a}}, b"] {
            assert_eq!(warnings(&format!("status: [{tests}]")), [""; 0], "{tests}");
        }
    }

    #[test]
    fn groups_that_exclude_nothing_or_all_are_told() {
        let told = "the alternatives of `status` let everything through, an absent field too";
        assert_eq!(warnings("$or: [{status: [{exists: false}]}, {status: [{exists: true}]}]"), [told]);
        let never = "`$not` excludes what the fields beside it want: this never matches";
        assert_eq!(warnings("{status: a, type: b, $not: {status: a}}"), [never]);
        assert_eq!(warnings("{status: a, $not: {status: a, type: b}}"), [""; 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn what_is_said_to_never_match_never_does(test in test_text(), value in value_text()) {
            let text = format!("payload: {{f: [{test}]}}");
            if !warnings(&text).is_empty() {
                for payload in [format!("{{f: {value}}}"), "{}".to_owned()] {
                    let event = document(&format!("payload: {payload}"));
                    prop_assert!(!pattern(&text).matches(&event), "{} on {}", text, payload);
                }
            }
        }

        #[test]
        fn what_is_said_to_exclude_nothing_excludes_nothing(
            tests in prop::collection::vec(test_text(), 2..4),
            value in value_text(),
        ) {
            let text = format!("payload: {{f: [{}]}}", tests.join(", "));
            let event = document(&format!("payload: {{f: {value}}}"));
            let field = event.get("payload").and_then(|payload| payload.get("f")).expect("it is there");
            let matches = pattern(&text).matches(&event);
            for warning in warnings(&text) {
                if warning.ends_with("an absent field too") {
                    prop_assert!(matches && pattern(&text).matches(&document("payload: {}")), "{}", text);
                } else if warning.ends_with("that is no list") {
                    prop_assert!(matches || matches!(field, Json::Array(_)), "{} on {}", text, value);
                } else if warning.ends_with("every value through") {
                    prop_assert!(matches || matches!(field, Json::Array(_) | Json::Object(_)), "{} on {}", text, value);
                }
            }
        }
    }
}
