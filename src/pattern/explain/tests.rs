use super::*;
use crate::pattern::tests::{document, fields_text, pattern, value_text};
use proptest::prelude::*;

/// `path actual wanted verdict note` of each leaf.
fn leaves(wanted: &str, event: &str) -> Vec<String> {
    let event = document(event);
    let explanation = pattern(wanted).explain(&event);
    let show = |leaf: &Leaf<'_>| {
        let actual = leaf.actual.map_or("absent".to_owned(), Json::to_string);
        let verdict = if leaf.holds { "yes" } else { "no" };
        let note = leaf.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}: {actual}, {}: {verdict}{note}", leaf.path, leaf.wanted)
    };
    explanation.leaves().into_iter().map(show).collect()
}

/// The one leaf of a pattern of `payload.f`.
fn leaf(test: &str, payload: &str) -> String {
    let leaves = leaves(&format!("payload: {{f: {test}}}"), &format!("payload: {payload}"));
    leaves.join("\n").trim_start_matches("payload.").to_owned()
}

#[test]
fn a_leaf_tells_what_was_found_and_what_was_wanted() {
    for (test, payload, expected) in [
        ("a", "{f: a}", r#"f: "a", "a": yes"#),
        ("[a, 2, null]", "{f: 2.0}", r#"f: 2.0, "a" or 2 or null: yes"#),
        ("[a, 2, null]", "{f: b}", r#"f: "b", "a" or 2 or null: no"#),
        ("[{prefix: [q4-, x]}]", "{f: q3}", r#"f: "q3", prefix "q4-" or "x": no"#),
        ("[{prefix: {equals-ignore-case: a}}]", "{f: A}", r#"f: "A", prefix "a" in any case: yes"#),
        ("[{prefix: a, suffix: b}]", "{f: ac}", r#"f: "ac", prefix "a" and suffix "b": no"#),
        ("[{numeric: ['>', 0, '<=', 5]}]", "{f: 6}", "f: 6, numeric > 0 and <= 5: no"),
        ("[{numeric: ['=', 5]}]", "{f: 6}", "f: 6, numeric = 5: no"),
        ("[{wildcard: 'a\\*b*'}]", "{f: a}", r#"f: "a", wildcard "a\\*b*": no"#),
        ("[{regex: '^a'}]", "{f: ba}", r#"f: "ba", regex ^a: no"#),
        ("[{cidr: 10.0.0.0/8}]", "{f: 11.0.0.1}", r#"f: "11.0.0.1", cidr 10.0.0.0/8: no"#),
        ("[{anything-but: [a, b]}]", "{f: b}", r#"f: "b", anything-but "a" or "b": no"#),
        ("[{exists: false}]", "{f: null}", "f: null, exists: false: no"),
        ("[{not: a}]", "{}", r#"f: absent, not "a": yes"#),
        (
            "[{not: [a, {prefix: b}]}]",
            "{f: bc}",
            r#"f: "bc", not ("a" or prefix "b"): no (it is prefix "b")"#,
        ),
    ] {
        assert_eq!(leaf(test, payload), expected, "{test} on {payload}");
    }
}

#[test]
fn a_long_list_is_counted() {
    let list = (0..1000).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let shown = leaf(&format!("[{list}]"), "{f: w}");
    let anything_but = leaf(&format!("[{{anything-but: [{list}]}}]"), "{f: v7}");
    assert!(anything_but.starts_with(r#"f: "v7", anything-but "v0" or "v1" or"#), "{anything_but}");
    assert!(anything_but.ends_with("or 994 more: no"), "{anything_but}");
    let case = leaf(&format!("[{list}]"), "{f: V9}");
    assert!(case.contains(r#"it differs from "v9" only in case"#), "{case}");
    assert_eq!(shown, r#"f: "w", "v0" or "v1" or "v10" or "v100" or "v101" or "v102" or 994 more: no"#);
}

#[test]
fn a_note_says_what_was_probably_meant() {
    for (test, payload, note) in [
        ("[{numeric: ['>', 1]}]", "{f: '12'}", r#"found string "12", numeric wants a number"#),
        ("[12]", "{f: '12'}", r#"found string "12", the pattern wants a number"#),
        ("['12']", "{f: 12}", "found number 12, the pattern wants a string"),
        ("[a, 1]", "{f: null}", "found null, the pattern wants a number or a string"),
        ("[{prefix: a}]", "{f: true}", "found boolean true, prefix wants a string"),
        (
            "[Finished]",
            "{f: finished}",
            r#"it differs from "Finished" only in case, which equals-ignore-case ignores"#,
        ),
        ("[finished]", "{f: ' finished'}", r#"it differs from "finished" only in the spaces around it"#),
        ("[{cidr: 10.0.0.0/8}]", "{f: '10.0.0.1:80'}", r#""10.0.0.1:80" is no bare IP address"#),
        ("[a]", "{f: {a: a}}", "found a map: its fields are tested by a pattern nested under it"),
        ("[a]", "{f: []}", "the list is empty: there is no element to match"),
        (
            "[a]",
            "{f: [{}, {}]}",
            "the list has only maps: their fields are tested by a pattern nested under it",
        ),
        ("[a]", "{f: [b, c]}", "none of the 2 elements matches"),
        ("[{every: a}]", "{f: []}", "the list is empty; every wants at least one element"),
        ("[{anything-but: a}]", "{}", "anything-but wants the field to be there; not does not"),
        ("[{clock: {zone: UTC, days: sat}}]", "{f: x}", r#""x" is no timestamp"#),
        (
            "[{clock: {zone: Europe/Berlin, days: sat}}]",
            "{f: '2026-11-23T23:30:00Z'}",
            "it was Tue 2026-11-24 00:30 in Europe/Berlin",
        ),
        ("{g: a}", "{f: 1}", "payload.f is a number, not a map"),
        ("{g: a}", "{f: null}", "payload.f is null, not a map"),
        ("{status: a}", "{status: a}", "did you mean payload.status?"),
        ("{status: a}", "{x: [{status: a}], f: {statsu: a}}", "did you mean payload.x[0].status?"),
        ("{statsu: a}", "{f: {status: a}}", "did you mean payload.f.status?"),
        ("{task.id: a}", "{f: {task: {id: a}}}", "did you mean payload.f.task.id?"),
        ("{user-id: a}", "{f: {user_id: a}}", "did you mean payload.f.user_id?"),
    ] {
        let shown = leaf(test, payload);
        assert!(shown.ends_with(&format!(": no ({note})")), "{test} on {payload}: {shown}");
    }
}

#[test]
fn another_element_of_a_list_is_not_what_was_meant() {
    assert_eq!(
        leaves("payload: {f: {a: 1, b: 1}}", "payload: {f: [{b: 1}, {a: 2}]}"),
        ["payload.f[0].a: absent, 1: no", "payload.f[0].b: 1, 1: yes"]
    );
}

#[test]
fn of_a_list_the_element_that_decided_or_came_nearest_is_shown() {
    for (test, payload, expected) in [
        ("b", "{f: [a, [c, b]]}", r#"f[1][1]: "b", "b": yes"#),
        ("[{prefix: a, suffix: b}]", "{f: [x, ax, y]}", r#"f[1]: "ax", prefix "a" and suffix "b": no"#),
        ("[{numeric: ['>', 5]}]", "{f: [x, 3]}", "f[1]: 3, numeric > 5: no"),
        ("[{every: {prefix: a}}]", "{f: [a, b, ac]}", r#"f[1]: "b", every prefix "a": no"#),
        ("[{none: [a, b]}]", "{f: [c, b]}", r#"f[1]: "b", none ("a" or "b"): no (it is "b")"#),
        ("[{every: {prefix: a}}]", "{f: [a, ab]}", r#"f: ["a","ab"], every prefix "a": yes"#),
        ("{x: 1, y: 2}", "{f: [{x: 0, y: 2}]}", "f[0].x: 0, 1: no\npayload.f[0].y: 2, 2: yes"),
        ("{x: 1, y: 2}", "{f: [{}, {x: 1, y: 1}]}", "f[1].x: 1, 1: yes\npayload.f[1].y: 1, 2: no"),
    ] {
        assert_eq!(leaf(test, payload), expected, "{test} on {payload}");
    }
}

#[test]
fn groups_keep_the_verdict_of_each_branch() {
    let event = document("{status: c, payload: {a: 1, b: 2}}");
    let pattern = pattern("{status: c, $or: [{type: x}, {payload: {a: 1, b: 1}}], $not: {payload: {a: 1}}}");
    let explanation = pattern.explain(&event);
    let [Finding::Leaf(_), Finding::Group(or), Finding::Group(not)] = explanation.findings.as_slice() else {
        panic!("{explanation:?}")
    };
    assert_eq!((or.kind.name(), or.holds, not.kind.name(), not.holds), ("$or", false, "$not", false));
    assert_eq!(or.branches.iter().map(Explanation::nearness).collect::<Vec<_>>(), [0.0, 0.5]);
    assert!(not.branches[0].holds && not.path.0.is_empty());
    // One of the status, one of the two of the nearest branch, none of the `$not`.
    assert_eq!(explanation.score(), (2, 4));
    assert!((explanation.nearness() - 0.5).abs() < 1e-9);
    assert_eq!(explanation.leaves().len(), 5);
}

#[test]
fn every_event_is_near_to_any() {
    let explanation = Pattern::Any.explain(&Object::new()).nearness();
    assert!((explanation - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_path_is_for_programs_and_for_people() {
    let path = Path::default().key("payload").key("a/b").index(2).key("user_id");
    assert_eq!(path.pointer(), "/payload/a~1b/2/user_id");
    assert_eq!(path.to_string(), r#"payload["a/b"][2].user_id"#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_explanation_agrees_with_the_match(text in fields_text(), payload in value_text()) {
        let pattern = pattern(&format!("payload: {text}"));
        let event = document(&format!("payload: {payload}"));
        let explanation = pattern.explain(&event);
        prop_assert_eq!(explanation.holds, pattern.matches(&event), "{} on {}", text, payload);
        prop_assert_eq!(explanation.holds, explanation.nearness() >= 1.0, "{:?}", explanation);
        for leaf in explanation.leaves() {
            let pointed = Json::Object(event.clone()).pointer(&leaf.path.pointer()).cloned();
            prop_assert_eq!(pointed.as_ref(), leaf.actual);
        }
    }
}
