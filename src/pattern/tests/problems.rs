use super::*;
use crate::diagnostic::Severity;
use proptest::prelude::*;

/// `column message (help)` of each problem.
fn problems(text: &str) -> Vec<String> {
    let problems = Pattern::compile(&node(text)).expect_err(text);
    let show = |problem: Problem| {
        format!("{} {} ({})", problem.span.column, problem.message, problem.help.unwrap_or_default())
    };
    problems.into_iter().map(show).collect()
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
        ("payload: {f: [a, {not: }]}", "a value of `not` is missing (write `null` if that is meant)"),
        ("payload: {f: [{every: , prefix: a}]}", "a value of `every` is missing"),
        ("payload:\n  f:\n  - a\n  -\n", "a value of `f` is missing"),
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
        ("status: [{cidr: [10.0.0.0/8, 10.0.0.0/33]}]", "`10.0.0.0/33` is no network"),
        ("status: [{equals-ignore-case: [a, 1]}]", "`equals-ignore-case` takes a string or a list of them"),
        ("status: [{regex: 'a(b'}]", "the regex `a(b` is wrong at character 2: unclosed group"),
        ("status: [{regex: 'a(?=b)'}]", "is wrong at character 2: look-around"),
        (
            "status: [{regex: '(\\w{100}){100}'}]",
            "is too large: compiled, it takes more than 2 MiB (repeat less",
        ),
        ("status: [{regex: 1}]", "`regex` takes a string or a list of them, not a number"),
        ("status: [{not: []}]", "the list of `not` is empty"),
        ("status: [{every: {prefx: a}}]", "unknown operator `prefx`"),
        ("status: [{none: [[a]]}]", "a list stands in a list"),
        ("status: [{clock: mon-fri}]", "`clock` takes a map of `zone`, `days` and `hours`, not a string"),
        ("status: [{clock: {days: mon}}]", "`clock` has no `zone` (write `[{clock: {zone: Europe/Berlin"),
        ("status: [{clock: {zone: UTC}}]", "`clock` has neither `days` nor `hours`"),
        ("status: [{clock: {zone: UTC, day: mon}}]", "`clock` has no key `day` (did you mean `days`?)"),
        ("status: [{clock: {zone: UTC, days: mon, x: 1}}]", "no key `x` (its keys are zone, days, hours)"),
        ("status: [{clock: {zone: Berlin, days: mon}}]", "`Berlin` (did you mean `Europe/Berlin`?)"),
        ("status: [{clock: {zone: Europe/Berln, days: mon}}]", "(did you mean `Europe/Berlin`?)"),
        ("status: [{clock: {zone: '+02:00', days: mon}}]", "`+02:00` (zones are named as in `Europe/Berlin`"),
        ("status: [{clock: {zone: 1, days: mon}}]", "a zone is a name, not a number"),
        ("status: [{clock: {zone: UTC, days: monday}}]", "`monday` is no day (did you mean `mon`?)"),
        ("status: [{clock: {zone: UTC, days: [mon, xx]}}]", "`xx` is no day (days are mon, tue"),
        ("status: [{clock: {zone: UTC, days: []}}]", "days are a string or a list of strings"),
        ("status: [{clock: {zone: UTC, hours: 9-18}}]", "`9-18` are no hours (write `\"09:00-18:00\"`)"),
        ("status: [{clock: {zone: UTC, hours: 09:00-25:00}}]", "`09:00-25:00` are no hours"),
        ("status: [{clock: {zone: UTC, hours: 24:00-06:00}}]", "begins at 24:00"),
        ("status: [{clock: {zone: UTC, hours: 09:00-09:00}}]", "(for the whole day leave `hours` out)"),
        ("$or: [{status: a}]", "`$or` takes a list of at least two patterns"),
        ("$nott: {status: a}", "unknown group `$nott`"),
        ("$if: a", "unknown group `$if`"),
        ("payload: {$and: [{a: 1}]}", "unknown group `$and`"),
        ("$not: {}", "`$not` takes patterns of at least one field"),
        (
            "$or: [{status: a}, {}]",
            "takes patterns of at least one field, not a map without any (write `$or: [",
        ),
        ("$not: [{status: a}]", "`$not` takes patterns of at least one field, not a list (write `$not: {"),
        ("payload: {$not: {prefix: a}}", "the operator `prefix` does not stand in a list"),
        ("payload: {not: {a: 1}}", "(for a group of fields write `$not: {…}`)"),
        ("payload: {or: [{a: 1}, {b: 1}]}", "unknown group `or` (did you mean `$or`, with a list"),
        ("or: [{status: a}, {status: b}]", "no field `or` (did you mean `$or`, with a list"),
        ("payload.cost: 1", "no field `payload.cost` (a dot is no nesting: write `payload: {cost: …}`)"),
        ("status: [{startsWith: a}]", "unknown operator `startsWith` (write `[{prefix: a}]`)"),
        ("status: [{every: {sku: a}}]", "for fields there is the group `$not: {sku: …}`"),
        ("status: [{prefix: {wildcard: a}}]", "is `{prefix: {equals-ignore-case: [a, b]}}`)"),
        ("status: [{wildcard: {equals-ignore-case: a}}]", "not a map (to ignore case write a regex"),
        ("status: [{equals-ignore-case: {prefix: a}}]", "(a part is compared by `[{prefix: {equals"),
        ("status: [{suffix: null}]", "not a null (write `type: [{suffix: .failed}]`)"),
        ("status: [{anything-but: {prefix: a, suffix: b}}]", "takes one operator (`not` takes any value"),
        ("status: [{cidr: 010.0.0.0/8}]", "`010.0.0.0/8` is no network"),
        ("status: [{cidr: 10.0.0.0/08}]", "`10.0.0.0/08` is no network"),
        ("status: [{cidr: '10.0.0.0/+8'}]", "`10.0.0.0/+8` is no network"),
        ("all", "`all` is no pattern (for every event write `match: any`)"),
        ("{}", "the pattern is empty (for every event write `match: any`)"),
        ("", "the pattern is empty"),
        ("[a]", "a pattern is a map of fields, not a list"),
    ];
    for (text, expected) in rows {
        let problems = problems(text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(!problems[0].ends_with(" ()"), "it does not say what to write instead: {problems:?}");
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

type Check = Box<dyn Fn(&serde_json::Value) -> Result<(), String>>;

thread_local! {
    /// Made once: each case asks it.
    static SCHEMA: Check = Box::new(schema::patterns());
}

proptest! {
    #[test]
    fn any_map_compiles_and_is_fine_by_the_schema_or_has_problems(text in patternish()) {
        let node = node(&format!("payload: {text}"));
        match Pattern::compile(&node) {
            Ok((pattern, _)) => {
                let told = SCHEMA.with(|check| check(&node.to_json().to_serde()));
                prop_assert_eq!(told, Ok(()), "{}", text);
                prop_assert!(pattern.clone().and(Pattern::Any) == pattern);
                pattern.matches(&document("payload: {a: [{a: 1}, x], b: null}"));
            }
            Err(problems) => prop_assert!(problems.iter().any(|problem| problem.severity == Severity::Error)),
        }
    }
}

/// Flow YAML of lists and maps whose keys are fields, groups and operators.
fn patternish() -> impl Strategy<Value = String> {
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
