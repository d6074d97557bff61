//! Where hookyard differs from EventBridge on purpose, point by point, as the page tells it.

use super::*;
use crate::json;

fn refused(text: &str) -> bool {
    Pattern::compile(&node(text)).is_err()
}

#[test]
fn a_bare_scalar_is_a_list_of_one() {
    table(&[("a", "{f: a}", true), ("null", "{f: null}", true), ("1", "{f: [2, 1]}", true)]);
    assert_eq!(pattern("status: a"), pattern("status: [a]"));
}

#[test]
fn an_empty_match_is_refused_and_any_is_a_word() {
    for text in ["", "{}", "null", "[]", "payload: {}", "payload: []"] {
        assert!(refused(text), "{text}");
    }
    assert!(pattern("any").matches(&Object::new()));
}

#[test]
fn an_operators_name_is_a_field_only_above_a_list_and_then_a_warning() {
    assert!(refused("metadata: {campaign: {prefix: q4-}}"));
    assert!(refused("metadata: {campaign: {exists: true}}"));
    let (compiled, warnings) = Pattern::compile(&node("payload: {prefix: [a]}")).expect("it is a field");
    assert_eq!(warnings.len(), 1);
    assert!(compiled.matches(&document("payload: {prefix: a}")));
}

#[test]
fn operators_in_one_object_must_hold_for_the_same_value() {
    table(&[
        ("[{prefix: a, suffix: b}]", "{f: ab}", true),
        ("[{prefix: a, suffix: b}]", "{f: a}", false),
        ("[{prefix: a, suffix: b}]", "{f: [a, b]}", false),
        ("[{numeric: ['>', 1], anything-but: 5}]", "{f: 5}", false),
        ("[{numeric: ['>', 1], anything-but: 5}]", "{f: 6}", true),
        ("[{exists: true, not: x}]", "{}", false),
        ("[{exists: true, not: x}]", "{f: null}", true),
    ]);
}

#[test]
fn equal_keys_are_refused_with_their_line_in_patterns_and_events() {
    let text = "payload:\n  a: [1]\n  a: [2]\n";
    let problems = yaml::parse(&"a.yaml".into(), &text.into()).expect_err("two keys are equal");
    assert_eq!(problems[0].span.map(|span| span.line), Some(3));
    assert!(json::parse(br#"{"a": 1, "a": 2}"#).is_err());
}

#[test]
fn integers_of_any_size_are_compared_exactly() {
    table(&[
        (
            "[{numeric: ['>', 1764000000000000000, '<', 1764000000000000002]}]",
            "{f: 1764000000000000001}",
            true,
        ),
        ("[{numeric: ['>', 9007199254740992]}]", "{f: 9007199254740992}", false),
        ("[{numeric: ['>', 9007199254740992]}]", "{f: 9007199254740993}", true),
        ("[{numeric: ['=', 123456789012345678901234567890]}]", "{f: 123456789012345678901234567890}", true),
        ("[{numeric: ['<', 123456789012345678901234567890]}]", "{f: 123456789012345678901234567889}", true),
        ("[{numeric: ['=', 0.1]}]", "{f: 0.1000000000000000055511151231257827}", false),
        ("[9007199254740993]", "{f: 9007199254740993.0}", true),
        ("[{anything-but: 9007199254740993}]", "{f: 9007199254740992}", true),
    ]);
}

#[test]
fn a_network_may_be_one_address() {
    table(&[
        ("[{cidr: 10.0.0.1/32}]", "{f: 10.0.0.1}", true),
        ("[{cidr: 10.0.0.1/32}]", "{f: 10.0.0.2}", false),
        ("[{cidr: '::1/128'}]", "{f: '0:0:0:0:0:0:0:1'}", true),
        ("[{cidr: '::/0'}]", "{f: 10.0.0.1}", false),
    ]);
}

#[test]
fn a_dot_in_a_key_is_no_nesting() {
    table(&[
        ("{a.b: 1}", "{f: {a.b: 1}}", true),
        ("{a.b: 1}", "{f: {a: {b: 1}}}", false),
        ("{a: {b: 1}}", "{f: {a.b: 1}}", false),
    ]);
}

#[test]
fn a_string_that_looks_like_an_address_is_compared_as_written() {
    table(&[("10.0.0.1", "{f: 10.0.0.01}", false), ("'::1'", "{f: '0:0:0:0:0:0:0:1'}", false)]);
}

#[test]
fn the_order_of_an_or_and_its_siblings_does_not_matter() {
    let events = ["{a: 1}", "{a: 9}", "{a: [1, 9]}", "{b: 1}", "{a: 9, b: 1}"];
    let expected = [false, false, true, false, true];
    for text in ["{a: [9], $or: [{a: [1]}, {b: [1]}]}", "{$or: [{b: [1]}, {a: [1]}], a: [9]}"] {
        let found = events.map(|event| {
            pattern(&format!("payload: {text}")).matches(&document(&format!("payload: {event}")))
        });
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn operators_on_strings_take_lists_everywhere() {
    table(&[
        ("[{prefix: [a, b]}]", "{f: bx}", true),
        ("[{suffix: [a, b]}]", "{f: xb}", true),
        ("[{wildcard: ['a*', '*b']}]", "{f: xb}", true),
        ("[{equals-ignore-case: [a, b]}]", "{f: B}", true),
        ("[{prefix: {equals-ignore-case: [a, b]}}]", "{f: Bx}", true),
        ("[{prefix: [a, b]}]", "{f: cx}", false),
    ]);
}

#[test]
fn anything_but_is_the_same_and_not_and_none_are_stronger() {
    table(&[
        ("[{anything-but: x}]", "{}", false),
        ("[{anything-but: x}]", "{f: [x, y]}", true),
        ("[{not: x}]", "{}", true),
        ("[{not: x}]", "{f: [x, y]}", false),
        ("[{none: x}]", "{}", false),
        ("[{none: x}]", "{f: [x, y]}", false),
        ("[{none: x}]", "{f: [y]}", true),
        ("[{every: {anything-but: x}}]", "{f: [x, y]}", false),
    ]);
}

#[test]
fn a_key_exists_whatever_it_holds() {
    for value in ["null", "''", "[]", "{}", "{a: 1}", "[[]]"] {
        assert!(holds("[{exists: true}]", &format!("{{f: {value}}}")), "{value}");
        assert!(!holds("[{exists: false}]", &format!("{{f: {value}}}")), "{value}");
    }
}

#[test]
fn a_group_may_be_excluded_as_a_whole() {
    let text = "{$not: {a: 1, b: 1}, $or: [{c: 1}, {d: 1}]}";
    for (payload, expected) in
        [("{a: 1, c: 1}", true), ("{a: 1, b: 1, c: 1}", false), ("{b: 1}", false), ("{d: 1}", true)]
    {
        assert_eq!(holds(text, &format!("{{f: {payload}}}")), expected, "{payload}");
    }
}

#[test]
fn quirks_are_decided_as_the_page_says() {
    table(&[
        ("[{equals-ignore-case: Straẞe}]", "{f: straße}", true),
        ("[{equals-ignore-case: Straẞe}]", "{f: STRASSE}", true),
        ("[{equals-ignore-case: ff}]", "{f: ﬀ}", true),
        ("[{prefix: {equals-ignore-case: STRASS}}]", "{f: straße}", true),
        ("[{anything-but: {prefix: {equals-ignore-case: A}}}]", "{f: ab}", false),
        ("[{wildcard: '*:*:*:*:*:event-bus/*'}]", "{f: 'a:b:c:d:e:event-bus/x'}", true),
        ("[{numeric: ['=', 1e-325]}]", "{f: 1e-325}", true),
        ("[{numeric: ['=', 1e-325]}]", "{f: 0}", false),
        ("{a: 1, b: [{exists: false}]}", "{f: [{a: 1, b: 1}, {a: 2}]}", false),
        ("{a: 1, b: [{exists: false}]}", "{f: [{a: 1}, {a: 1, b: 1}]}", true),
        ("{b: 1, a: [{exists: false}]}", "{f: [{b: 1, a: 1}, {b: 2}]}", false),
        ("{a: [{exists: false}]}", "{f: [1, 2]}", true),
    ]);
    assert!(refused("status: [{exactly: a}]"));
    assert!(refused("payload: {$and: [{a: 1}, {b: 1}]}"));
}
