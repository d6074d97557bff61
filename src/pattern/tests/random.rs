//! Random patterns and values, as flow YAML.

use proptest::prelude::*;

/// Flow YAML of one test: a plain value, or an object of one to three operators.
pub(in crate::pattern) fn test_text() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec!["1", "2.0", "a", "ab", "null", "true", "''"]);
    let operator = prop::sample::select(vec![
        "prefix: a",
        "prefix: [b, ab]",
        "prefix: {equals-ignore-case: A}",
        "suffix: b",
        "suffix: [a, '']",
        "equals-ignore-case: AB",
        "wildcard: 'a*'",
        "wildcard: ['*b', ab]",
        "regex: '^a'",
        "anything-but: a",
        "anything-but: [b, ab]",
        "anything-but: 1",
        "anything-but: {prefix: a}",
        "anything-but: {suffix: b}",
        "numeric: ['>', 1]",
        "cidr: 10.0.0.0/8",
        "exists: true",
        "exists: false",
        "not: a",
        "not: [1, {prefix: a}]",
        "not: {exists: true}",
        "every: {prefix: a}",
        "every: [1, {exists: true}]",
        "none: {prefix: a}",
        "none: [a, 1]",
    ]);
    let map = prop::collection::vec(operator, 1..4).prop_map(|mut operators| {
        operators.sort_by_key(|it| it.split(':').next().map(str::to_owned));
        operators.dedup_by_key(|it| it.split(':').next().map(str::to_owned));
        format!("{{{}}}", operators.join(", "))
    });
    prop_oneof![plain.prop_map(str::to_owned), map]
}

/// Flow YAML of a map of fields `a` and `b` and groups, which compiles.
pub(in crate::pattern) fn fields_text() -> impl Strategy<Value = String> {
    let tests =
        || prop::collection::vec(test_text(), 1..3).prop_map(|tests| format!("[{}]", tests.join(", ")));
    let flat = (tests(), prop::option::of(tests())).prop_map(|(a, b)| match b {
        Some(b) => format!("{{a: {a}, b: {b}}}"),
        None => format!("{{a: {a}}}"),
    });
    flat.prop_recursive(3, 12, 3, |inner| {
        let or = (inner.clone(), inner.clone()).prop_map(|(x, y)| format!("{{$or: [{x}, {y}]}}"));
        let not = (inner.clone(), inner.clone())
            .prop_map(|(x, y)| format!("{{$not: {x}, {}", y.trim_start_matches('{')))
            .prop_filter("one `$not` in a map", |text| text.matches("$not").count() == 1);
        prop_oneof![or, not, (inner.clone(), inner).prop_map(|(x, y)| format!("{{a: {x}, b: {y}}}"))]
    })
}

/// Flow YAML of a value made of what [`test_text`] tests for.
pub(in crate::pattern) fn value_text() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec!["1", "2", "a", "ab", "b", "Ab", "null", "true", "10.0.0.1", "''"]);
    scalar.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        let map = prop::collection::btree_map(prop::sample::select(vec!["a", "b"]), inner.clone(), 0..3);
        let map = map.prop_map(|map| {
            let entries = map.iter().map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>();
            format!("{{{}}}", entries.join(", "))
        });
        let list = prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
        prop_oneof![map, list]
    })
}
