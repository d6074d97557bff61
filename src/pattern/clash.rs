//! Two patterns for one event that exclude each other: a file's and a rule's, or an alternative
//! of `$or` and the fields beside it. Said only where it is certain.

use super::explain::Path;
use super::{Alternative, Field, Fields, Pattern, Test, Wanted, doubt};
use crate::event::{self, Shape};

/// Where two patterns exclude each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// Of the field for which both want what the other excludes.
    pub path: Path,
    /// Whether a list on the way can satisfy both, each with another element.
    pub unless_list: bool,
}

/// What stands somewhere in a document, as far as that is known.
#[derive(Clone, Copy)]
enum Known {
    Document,
    /// A map of anything.
    Map,
    /// A map of scalars.
    Headers,
    Scalar,
    Unknown,
}

impl Known {
    fn field(self, name: &str) -> Self {
        match (self, event::field(name).map(|field| field.shape)) {
            (Self::Document, Some(Shape::Text | Shape::Number)) | (Self::Headers, _) => Self::Scalar,
            (Self::Document, Some(Shape::Headers)) => Self::Headers,
            (Self::Document, Some(Shape::Map)) => Self::Map,
            _ => Self::Unknown,
        }
    }
}

impl Pattern {
    /// Why no event matches both, if that is certain: what excludes all events goes before what
    /// leaves lists.
    pub fn clash(&self, other: &Self) -> Option<Clash> {
        let (Self::All(one), Self::All(other)) = (self, other) else { return None };
        let pairs = one.iter().flat_map(|one| other.iter().map(move |other| (one, other)));
        worst(pairs.filter_map(|(one, other)| groups(one, other)))
    }
}

/// Why an alternative of `$or` never holds beside fields of the document.
pub(super) fn beside(fields: &Fields, alternative: &Fields) -> Option<Clash> {
    worst(of_fields(&fields.fields, &alternative.fields, Known::Document, &Path::default()))
        .filter(|clash| !clash.unless_list)
}

/// Fields against fields, then the groups of each side against the fields of the other: groups
/// against groups would take for ever where authors nest them.
fn groups(one: &Fields, other: &Fields) -> Option<Clash> {
    let plain = |one: &Fields, other: &Fields| {
        worst(of_fields(&one.fields, &other.fields, Known::Document, &Path::default()))
    };
    let all_of = |group: &Vec<Fields>, beside: &Fields| {
        let clashes =
            group.iter().map(|alternative| plain(beside, alternative)).collect::<Option<Vec<_>>>()?;
        let unless_list = clashes.iter().any(|clash| clash.unless_list);
        clashes.into_iter().next().map(|first| Clash { unless_list, ..first })
    };
    let or = [(one, other), (other, one)];
    let or = or.into_iter().flat_map(|(a, b)| a.any_of.iter().filter_map(move |group| all_of(group, b)));
    worst(plain(one, other).into_iter().chain(or))
        .or_else(|| excluded(one, other))
        .or_else(|| excluded(other, one))
}

/// What `$not` on the one side has and the other side wants.
fn excluded(one: &Fields, other: &Fields) -> Option<Clash> {
    let not = one.none_of.iter().find(|not| doubt::is_required(not, &other.fields))?;
    not.fields.first().map(|field| Clash { path: Path::default().key(&field.name), unless_list: false })
}

fn worst(clashes: impl IntoIterator<Item = Clash>) -> Option<Clash> {
    clashes.into_iter().min_by_key(|clash| clash.unless_list)
}

fn of_fields(one: &[Field], other: &[Field], known: Known, at: &Path) -> Vec<Clash> {
    let same = |field: &Field| other.iter().find(|other| other.name == field.name);
    let pairs = one.iter().filter_map(|field| Some((field, same(field)?)));
    pairs
        .flat_map(|(field, other)| {
            of_field(&field.wanted, &other.wanted, known.field(&field.name), &at.key(&field.name))
        })
        .collect()
}

fn of_field(one: &Wanted, other: &Wanted, known: Known, at: &Path) -> Vec<Clash> {
    match (one, other) {
        (Wanted::Nested(one), Wanted::Nested(other)) => {
            // Of a list of maps, each side may mean another one.
            let may_be_list = matches!(known, Known::Unknown);
            let mut clashes = of_fields(&one.fields, &other.fields, known, at);
            clashes.iter_mut().for_each(|clash| clash.unless_list |= may_be_list);
            clashes
        }
        (Wanted::OneOf(one), Wanted::OneOf(other)) => {
            let may_be_list = !matches!(known, Known::Scalar);
            let clash = |for_lists: bool| Clash { path: at.clone(), unless_list: may_be_list && !for_lists };
            exclude(one, other).map(clash).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether each alternative of the one excludes each of the other; then, whether for lists too.
fn exclude(one: &[Alternative], other: &[Alternative]) -> Option<bool> {
    let pairs = one.iter().flat_map(|one| other.iter().map(move |other| (one, other)));
    pairs.map(|(one, other)| pair(&one.0, &other.0)).try_fold(true, |for_lists, pair| Some(for_lists & pair?))
}

fn pair(one: &[Test], other: &[Test]) -> Option<bool> {
    let mut found = None;
    for (one, other) in one.iter().flat_map(|one| other.iter().map(move |other| (one, other))) {
        if doubt::exclude(one, other) {
            // What is said of the field as a whole holds for each of its elements.
            found = Some(found == Some(true) || !one.is_of_value() || !other.is_of_value());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::tests::{document, fields_text, node, pattern, value_text};
    use proptest::prelude::*;

    fn clash(one: &str, other: &str) -> Option<String> {
        let found = pattern(one).clash(&pattern(other));
        assert_eq!(found.is_some(), pattern(other).clash(&pattern(one)).is_some(), "{one} and {other}");
        found.map(|it| format!("{}{}", it.path, if it.unless_list { " unless a list" } else { "" }))
    }

    #[test]
    fn patterns_that_exclude_each_other_are_told_with_their_field() {
        for (one, other, expected) in [
            ("source: a", "source: b", "source"),
            ("{source: a, type: [x, y]}", "type: [z, {prefix: w}]", "type"),
            ("type: [{prefix: agent.}]", "type: shop.order", "type"),
            ("type: [{prefix: agent.}]", "type: [{prefix: shop.}]", "type"),
            ("status: [{anything-but: a}]", "status: a", "status"),
            ("status: [{exists: false}]", "status: a", "status"),
            ("source: a", "$or: [{source: b}, {source: [c, d], type: t}]", "source"),
            ("$not: {source: a}", "{source: a, type: t}", "source"),
            ("headers: {host: a}", "headers: {host: b}", "headers.host"),
            ("metadata: {team: a}", "metadata: {team: b}", "metadata.team unless a list"),
            ("metadata: {team: [{not: b}]}", "metadata: {team: b}", "metadata.team"),
            ("metadata: {team: [{exists: false}]}", "metadata: {team: b}", "metadata.team"),
            ("payload: {x: [{exists: false}]}", "payload: {x: b}", "payload.x unless a list"),
            (
                "payload: {n: [{numeric: ['>', 5]}]}",
                "payload: {n: [{numeric: ['<', 5]}]}",
                "payload.n unless a list",
            ),
            ("{metadata: {a: 1}, status: x}", "{metadata: {a: 2}, status: y}", "status"),
        ] {
            assert_eq!(clash(one, other).as_deref(), Some(expected), "{one} and {other}");
        }
    }

    #[test]
    fn patterns_that_an_event_may_match_are_not_told() {
        for (one, other) in [
            ("any", "source: a"),
            ("source: a", "type: b"),
            ("source: [a, b]", "source: [b, c]"),
            ("type: [{prefix: a}]", "type: [{suffix: b}]"),
            ("source: a", "$or: [{source: b}, {type: t}]"),
            ("$not: {source: a, type: t}", "source: a"),
            ("status: [{anything-but: a}]", "status: [{exists: true}]"),
            ("payload: {x: 1}", "payload: {x: {y: 1}}"),
            ("payload: {n: [{numeric: ['>=', 5]}]}", "payload: {n: [{numeric: ['<=', 5]}]}"),
        ] {
            assert_eq!(clash(one, other), None, "{one} and {other}");
        }
    }

    #[test]
    fn an_alternative_of_or_is_told_only_where_a_list_cannot_be() {
        let warnings = |text: &str| {
            let (_, warnings) = Pattern::compile(&node(text)).unwrap_or_else(|it| panic!("{text}: {it:?}"));
            warnings.into_iter().map(|it| format!("{} {}", it.span.column, it.message)).collect::<Vec<_>>()
        };
        assert_eq!(
            warnings("{$or: [{status: b}, {status: a, type: t}], status: a}"),
            ["8 `status` beside this `$or` wants something else: this alternative never holds"]
        );
        assert!(warnings("{payload: {a: [9], $or: [{a: [1]}, {b: 1}]}}").is_empty());
    }

    fn has_list(value: &crate::json::Json) -> bool {
        match value {
            crate::json::Json::Array(_) => true,
            crate::json::Json::Object(object) => object.iter().any(|(_, value)| has_list(value)),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_said_to_exclude_each_other_never_matches_together(
            one in fields_text(), other in fields_text(), payload in value_text(),
        ) {
            let [one, other] = [one, other].map(|text| pattern(&format!("payload: {text}")));
            if let Some(clash) = one.clash(&other) {
                let event = document(&format!("payload: {payload}"));
                let is_spared = clash.unless_list && event.iter().any(|(_, value)| has_list(value));
                prop_assert!(is_spared || !(one.matches(&event) && other.matches(&event)), "{:?}", clash);
            }
        }
    }
}
