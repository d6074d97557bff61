use super::*;
use proptest::prelude::*;

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
fn an_expression_is_found_anywhere_in_a_string() {
    table(&[
        ("[{regex: b+}]", "{f: abbc}", true),
        ("[{regex: '^b'}]", "{f: abbc}", false),
        ("[{regex: ['^b', 'c$']}]", "{f: abbc}", true),
        ("[{regex: '(?i)ÄB'}]", "{f: xäb}", true),
        ("[{regex: '^\\d{2}$'}]", "{f: '12'}", true),
        ("[{regex: '^\\d{2}$'}]", "{f: 12}", false),
        ("[{regex: '^\\p{Lu}'}]", "{f: Ünal}", true),
        ("[{regex: ''}]", "{f: ''}", true),
        ("[{regex: ''}]", "{}", false),
        ("[{not: {regex: a}}]", "{}", true),
        ("[{not: {regex: a}}]", "{f: [b, a]}", false),
        ("[{every: {regex: '^a'}}]", "{f: [a, ab]}", true),
        ("[{none: {regex: '^a'}}]", "{f: [a, b]}", false),
        ("[{regex: a, prefix: b}]", "{f: ba}", true),
    ]);
}

/// Whether a clock of these parameters shows what is wanted at an instant.
fn shows(clock: &str, instant: &str) -> bool {
    holds(&format!("[{{clock: {{{clock}}}}}]"), &format!("{{f: \"{instant}\"}}"))
}

#[test]
fn a_clock_shows_days_and_hours_of_its_zone() {
    for (clock, instant, expected) in [
        // 2026-11-23 is a Monday.
        ("zone: UTC, days: mon-fri", "2026-11-23T00:00:00Z", true),
        ("zone: UTC, days: mon-fri", "2026-11-22T23:59:59.999Z", false),
        ("zone: UTC, days: 'sat,sun'", "2026-11-22T23:59:59Z", true),
        ("zone: UTC, days: [mon, wed-fri]", "2026-11-24T12:00:00Z", false),
        ("zone: UTC, days: [mon, wed-fri]", "2026-11-26T12:00:00Z", true),
        ("zone: UTC, days: fri-mon", "2026-11-22T12:00:00Z", true),
        ("zone: UTC, days: fri-mon", "2026-11-24T12:00:00Z", false),
        ("zone: UTC, hours: 09:00-18:00", "2026-11-23T09:00:00Z", true),
        ("zone: UTC, hours: 09:00-18:00", "2026-11-23T08:59:59.999999Z", false),
        ("zone: UTC, hours: 09:00-18:00", "2026-11-23T17:59:59Z", true),
        ("zone: UTC, hours: 09:00-18:00", "2026-11-23T18:00:00Z", false),
        ("zone: UTC, hours: [9:00-12:00, 13:00-24:00]", "2026-11-23T12:30:00Z", false),
        ("zone: UTC, hours: [9:00-12:00, 13:00-24:00]", "2026-11-23T23:59:00Z", true),
        ("zone: europe/berlin, days: tue", "2026-11-23T23:30:00Z", true),
        ("zone: Asia/Kolkata, hours: 05:30-05:31", "2026-11-23T00:00:00Z", true),
        // In summer Berlin is two hours ahead, in winter one.
        ("zone: Europe/Berlin, hours: 09:00-18:00", "2026-07-20T07:00:00Z", true),
        ("zone: Europe/Berlin, hours: 09:00-18:00", "2026-11-23T07:00:00Z", false),
        ("zone: UTC, days: mon", "2026-11-24T01:00:00+02:00", true),
        ("zone: UTC, days: mon", "2026-11-23t12:00:00.5z", true),
    ] {
        assert_eq!(shows(clock, instant), expected, "{clock} at {instant}");
    }
}

#[test]
fn what_follows_midnight_belongs_to_the_day_before() {
    let night = "zone: UTC, days: fri, hours: 22:00-06:00";
    for (instant, expected) in [
        ("2026-11-20T05:59:00Z", false),
        ("2026-11-20T21:59:00Z", false),
        ("2026-11-20T22:00:00Z", true),
        ("2026-11-21T00:00:00Z", true),
        ("2026-11-21T05:59:59Z", true),
        ("2026-11-21T06:00:00Z", false),
        ("2026-11-21T22:00:00Z", false),
    ] {
        assert_eq!(shows(night, instant), expected, "{instant}");
    }
    // Sunday's night ends on Monday.
    assert!(shows("zone: UTC, days: sun, hours: 22:00-06:00", "2026-11-23T03:00:00Z"));
    // Ending at midnight is not passing it.
    assert!(!shows("zone: UTC, days: sun, hours: 22:00-24:00", "2026-11-23T00:00:00Z"));
    assert!(!shows("zone: UTC, days: sun, hours: 22:00-00:00", "2026-11-23T00:00:00Z"));
}

#[test]
fn a_clock_reads_only_timestamps() {
    for value in ["2026-11-23", "12:00", "x", "", "2026-11-23T12:00:00", "2026-13-23T12:00:00Z"] {
        assert!(!shows("zone: UTC, hours: 00:00-24:00", value), "{value}");
    }
    assert!(!holds("[{clock: {zone: UTC, hours: 00:00-24:00}}]", "{f: 1764000000}"));
    assert!(holds("[{not: {clock: {zone: UTC, days: mon}}}]", "{}"));
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
}
