use super::*;
use crate::diagnostic::Severity;
use crate::yaml;
use proptest::prelude::*;

fn node(text: &str) -> Node {
    yaml::parse(&"a.yaml".into(), &text.into()).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

pub(super) fn pattern(text: &str) -> Pattern {
    Pattern::compile(&node(text)).unwrap_or_else(|problems| panic!("{text}: {problems:?}")).0
}

pub(super) fn document(text: &str) -> Object {
    match node(text).to_json() {
        Json::Object(object) => object,
        other => panic!("{text}: {other}"),
    }
}

/// Whether a pattern of the field `payload: {f: …}` matches a payload.
fn holds(test: &str, payload: &str) -> bool {
    pattern(&format!("payload: {{f: {test}}}")).matches(&document(&format!("payload: {payload}")))
}

fn table(rows: &[(&str, &str, bool)]) {
    for (test, payload, expected) in rows {
        assert_eq!(holds(test, payload), *expected, "{test} on {payload}");
    }
}

/// `column message (help)` of each problem.
fn problems(text: &str) -> Vec<String> {
    let problems = Pattern::compile(&node(text)).expect_err(text);
    let show = |problem: Problem| {
        format!("{} {} ({})", problem.span.column, problem.message, problem.help.unwrap_or_default())
    };
    problems.into_iter().map(show).collect()
}

#[test]
fn each_operator_has_examples_that_match_and_differ_as_they_say() {
    for operator in KINDS {
        let name = operator.kind.name;
        assert_eq!(operator.kind.example, operator.examples[0].pattern, "{name}");
        for example in operator.examples {
            assert!(example.pattern.contains(&format!("{{{name}: ")), "{name}: {}", example.pattern);
            assert!(!example.matches.is_empty() && !example.differs.is_empty(), "{name}");
            let pattern = pattern(example.pattern);
            for (events, expected) in [(example.matches, true), (example.differs, false)] {
                for event in events {
                    assert_eq!(pattern.matches(&document(event)), expected, "{}: {event}", example.pattern);
                }
            }
        }
    }
}

#[test]
fn exact_values_are_type_strict_and_numbers_exact() {
    table(&[
        ("a", "{f: a}", true),
        ("a", "{f: A}", false),
        ("1", "{f: 1.0}", true),
        ("1", "{f: '1'}", false),
        ("'1'", "{f: 1}", false),
        ("true", "{f: 'true'}", false),
        ("[a, 2, null]", "{f: null}", true),
        ("[a, 2, null]", "{}", false),
        ("''", "{f: null}", false),
        ("9007199254740993", "{f: 9007199254740992}", false),
        ("1764000000000000001", "{f: 1764000000000000001}", true),
    ]);
}

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
fn presence_is_of_the_key() {
    table(&[
        ("[{exists: true}]", "{f: {}}", true),
        ("[{exists: true}]", "{f: []}", true),
        ("[{exists: false}]", "{f: null}", false),
        ("[{exists: false}, x]", "{f: x}", true),
        ("[{exists: false}, x]", "{}", true),
        ("{g: [{exists: false}]}", "{}", true),
        ("{g: [{exists: false}]}", "{f: scalar}", true),
        ("{g: [{exists: false}]}", "{f: {g: 1}}", false),
        ("{g: [{exists: false}]}", "{f: []}", true),
    ]);
}

#[test]
fn anything_but_needs_the_field_and_not_does_not() {
    table(&[
        ("[{anything-but: x}]", "{}", false),
        ("[{anything-but: x}]", "{f: null}", true),
        ("[{anything-but: x}]", "{f: 1}", true),
        ("[{anything-but: [1, 2]}]", "{f: 2.0}", false),
        ("[{anything-but: {prefix: [a, b]}}]", "{f: bx}", false),
        ("[{anything-but: {wildcard: 'a*'}}]", "{f: ba}", true),
        ("[{not: x}]", "{}", true),
        ("[{not: [x, {prefix: y}]}]", "{f: yy}", false),
        ("[{not: {exists: true}}]", "{}", true),
        ("[{not: x}]", "{f: [x, y]}", false),
    ]);
}

#[test]
fn quantifiers_look_at_all_elements() {
    table(&[
        ("[{every: [a, b]}]", "{f: [a, b, a]}", true),
        ("[{every: a}]", "{f: []}", false),
        ("[{every: a}]", "{f: a}", true),
        ("[{every: a}]", "{f: [a, {}]}", false),
        ("[{none: a}]", "{f: []}", true),
        ("[{none: a}]", "{}", false),
        ("[{none: a}]", "{f: [b, a]}", false),
    ]);
}

#[test]
fn ranges_are_exact_and_strings_are_no_numbers() {
    table(&[
        ("[{numeric: ['>', 0, '<=', 5]}]", "{f: 5.0}", true),
        ("[{numeric: ['>', 0, '<=', 5]}]", "{f: 0}", false),
        ("[{numeric: ['>', 0]}]", "{f: '3'}", false),
        ("[{numeric: ['=', 1]}]", "{f: 10e-1}", true),
        ("[{numeric: ['>', 1764000000000000000]}]", "{f: 1764000000000000001}", true),
        ("[{numeric: ['<', 9007199254740993]}]", "{f: 9007199254740992}", true),
    ]);
}

#[test]
fn texts_match_by_part_case_and_shape() {
    table(&[
        ("[{prefix: ''}]", "{f: ''}", true),
        ("[{prefix: ''}]", "{f: 1}", false),
        ("[{prefix: {equals-ignore-case: STRASS}}]", "{f: straße}", true),
        ("[{suffix: {equals-ignore-case: ÄSSE}}]", "{f: 'gefäße'}", true),
        ("[{suffix: [a, b]}]", "{f: xb}", true),
        ("[{equals-ignore-case: Straẞe}]", "{f: STRASSE}", true),
        ("[{wildcard: '*'}]", "{f: ''}", true),
        ("[{wildcard: 'a*b*c'}]", "{f: abbc}", true),
        ("[{wildcard: 'a*a'}]", "{f: a}", false),
        ("[{wildcard: '*ab*ab'}]", "{f: abab}", true),
        ("[{wildcard: 'a\\*\\\\b'}]", "{f: 'a*\\b'}", true),
        ("[{cidr: 10.0.0.1/32}]", "{f: 10.0.0.1}", true),
        ("[{cidr: 10.0.0.9/8}]", "{f: '10.0.0.1:80'}", false),
        ("[{cidr: '::/0'}]", "{f: 10.0.0.1}", false),
        ("[{cidr: [10.0.0.0/8, '2001:db8::/32']}]", "{f: '2001:db8::1'}", true),
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

#[test]
fn each_mistake_is_named_with_what_to_write_instead() {
    let rows = [
        ("status: [{prefx: a}]", "unknown operator `prefx` (did you mean `prefix`?)"),
        ("metadata: {campaign: {prefix: q4-}}", "does not stand in a list (write `[{prefix: q4-}]`)"),
        ("metadata: {campaign: {prefix: {equals-ignore-case: a}}}", "(write `[{prefix: {…}}]`)"),
        ("sttus: a", "an event has no field `sttus` (did you mean `status`?)"),
        (
            "task_id: a",
            "has no field `task_id` (what the sender sent is under `payload`: `payload: {task_id: …}`)",
        ),
        ("status: []", "the list of `status` is empty: it would never match"),
        ("status:", "`status` has no value (write `null` if that is meant)"),
        ("payload: {}", "the pattern of `payload` is empty"),
        ("status: [{}]", "an operator is missing"),
        ("status: [[a]]", "a list stands in a list"),
        ("status: [{anything-but: [a, 1]}]", "takes one type: number follows string"),
        ("status: [{anything-but: []}]", "the list of `anything-but` is empty"),
        ("status: [{anything-but: null}]", "takes strings or numbers, not a null"),
        ("status: [{anything-but: {numeric: [1]}}]", "`numeric` cannot stand inside `anything-but`"),
        ("status: [{numeric: ['<', 5, '>', 1]}]", "a range is a lower bound and then an upper one"),
        ("status: [{numeric: ['=', 5, '<', 9]}]", "a range is a lower bound and then an upper one"),
        ("status: [{numeric: ['>', 5, '<', 5]}]", "no number is in this range"),
        ("status: [{numeric: ['!=', 5]}]", "`!=` is no comparison"),
        ("status: [{numeric: ['>', '5']}]", "a number is expected here, not a string"),
        ("status: [{numeric: 5}]", "`numeric` takes a list of one or two bounds"),
        ("status: [{anything-but: {prefix: ''}}]", "every string has the prefix"),
        ("payload: {$or: [{numeric: ['>', 0]}, {a: 1}]}", "stands here without a field"),
        ("$or: [{prefix: [a]}, {type: a}]", "stands here without a field"),
        ("prefix: a", "the operator `prefix` stands here without a field (write `FIELD: [{prefix: …}]`"),
        ("status: [{exists: 1}]", "`exists` takes true or false, not a number"),
        ("status: [{prefix: 1}]", "`prefix` takes a string or a list of them, not a number"),
        ("status: [{suffix: []}]", "the list of `suffix` is empty"),
        ("status: [{wildcard: 'a**'}]", "has two stars in a row"),
        ("status: [{wildcard: 'a\\b'}]", "a backslash that is followed by neither"),
        ("status: [{cidr: 10.0.0.0}]", "`10.0.0.0` is no network"),
        ("$or: [{status: a}]", "`$or` takes a list of at least two patterns"),
        ("$nott: {status: a}", "unknown group `$nott`"),
        ("$if: a", "unknown group `$if`"),
        ("payload: {$and: [{a: 1}]}", "unknown group `$and`"),
        ("$not: {}", "`$not` takes patterns of at least one field"),
        ("all", "`all` is no pattern (for every event write `match: any`)"),
        ("{}", "the pattern is empty (for every event write `match: any`)"),
        ("", "the pattern is empty"),
        ("[a]", "a pattern is a map of fields, not a list"),
    ];
    for (text, expected) in rows {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].contains(expected), "{text}: {problems:?}");
    }
}

#[test]
fn all_mistakes_come_at_once_in_order() {
    let problems = problems("{sttus: a, type: [{prefx: a}, {exists: 1}], payload: {x: []}}");
    let columns = problems.iter().map(|problem| problem.split(' ').next().unwrap()).collect::<Vec<_>>();
    assert_eq!(columns, ["2", "20", "40", "58"]);
}

#[test]
fn what_compiles_but_is_doubtful_is_a_warning() {
    for text in [
        "metadata: {campaign: {prefix: [a]}}",
        "status: [{anything-but: a}, {anything-but: b}]",
        "status: [{exists: true}, {exists: false}]",
    ] {
        let (_, warnings) = Pattern::compile(&node(text)).unwrap();
        assert_eq!(warnings.iter().map(|it| it.severity).collect::<Vec<_>>(), [Severity::Warning], "{text}");
    }
    assert!(Pattern::compile(&node("status: [{anything-but: a}, b]")).unwrap().1.is_empty());
}

/// The obvious way to match a wildcard, exponential as it is.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        [first, rest @ ..] => text.first() == Some(first) && like(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn a_wildcard_matches_as_the_obvious_way(wildcard in "[ab*]{0,7}", text in "[ab]{0,9}") {
        prop_assume!(!wildcard.contains("**"));
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = like(&chars(&wildcard), &chars(&text));
        prop_assert_eq!(holds(&format!("[{{wildcard: '{wildcard}'}}]"), &format!("{{f: '{text}'}}")), expected);
    }

    #[test]
    fn any_map_compiles_or_has_problems(text in patternish()) {
        match Pattern::compile(&node(&format!("payload: {text}"))) {
            Ok((pattern, _)) => {
                prop_assert!(pattern.clone().and(Pattern::Any) == pattern);
                pattern.matches(&document("payload: {a: [{a: 1}, x], b: null}"));
            }
            Err(problems) => prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error)),
        }
    }
}

/// Flow YAML of lists and maps whose keys are fields, groups and operators.
pub(super) fn patternish() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec!["1", "a", "null", "true", "'>'", "'*'", "10.0.0.0/8", "''"]);
    let leaf = scalar.prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let names = kinds::names().chain(["a", "b", "$or", "$not"]).collect::<Vec<_>>();
        let entries = prop::collection::btree_map(prop::sample::select(names), inner.clone(), 0..4);
        let map = entries.prop_map(|entries| {
            let entries = entries.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
            format!("{{{}}}", entries.join(", "))
        });
        let list = prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
        prop_oneof![map, list]
    })
}
