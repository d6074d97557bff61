use super::*;

#[test]
fn arrays_match_by_any_element_and_nested_fields_in_the_same_one() {
    table(&[
        ("a", "{f: [b, [a]]}", true),
        ("a", "{f: []}", false),
        ("[{anything-but: a}]", "{f: [a, b]}", true),
        ("[{prefix: a, suffix: b}]", "{f: [ax, xb]}", false),
        ("[{prefix: a, suffix: b}]", "{f: [ax, axb]}", true),
        ("{x: 1, y: 2}", "{f: [{x: 1, y: 1}, {x: 2, y: 2}]}", false),
        ("{x: 1, y: 2}", "{f: [{x: 2}, {x: 1, y: 2}]}", true),
        ("a", "{f: {a: a}}", false),
    ]);
}

#[test]
fn groups_stand_beside_fields_in_any_order() {
    let text = "payload: {$or: [{a: 1}, {b: 1}], c: 1, $not: {d: 1, e: 1}}";
    for (payload, expected) in [
        ("{a: 1, c: 1}", true),
        ("{b: 1, c: 1, d: 1}", true),
        ("{b: 1, c: 1, d: 1, e: 1}", false),
        ("{c: 1}", false),
        ("{a: 1}", false),
    ] {
        assert_eq!(pattern(text).matches(&document(&format!("payload: {payload}"))), expected, "{payload}");
    }
    assert!(pattern("$or: [{status: a}, {type: b}]").matches(&document("type: b")));
}

#[test]
fn any_matches_all_and_two_patterns_can_be_one() {
    assert_eq!(pattern("any"), Pattern::Any);
    assert!(Pattern::Any.matches(&Object::new()));
    let both = pattern("type: a").and(pattern("status: b")).and(Pattern::Any);
    assert!(both.matches(&document("{type: a, status: b}")));
    assert!(!both.matches(&document("{type: a, status: c}")));
}

#[test]
fn a_key_with_a_dot_is_one_key() {
    assert!(!pattern("payload: {a.b: 1}").matches(&document("payload: {a: {b: 1}}")));
    assert!(pattern("payload: {a.b: 1}").matches(&document("payload: {a.b: 1}")));
}
