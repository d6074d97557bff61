//! Why a leaf does not hold, and what was probably meant.

use super::path::{Path, Step};
use super::{focus, words};
use crate::diagnostic::did_you_mean;
use crate::json::{Json, Object};
use crate::pattern::elements::one_of;
use crate::pattern::{Alternative, Quantified, Test};

/// More characters of a value than this are not repeated.
const SHOWN_CHARS: usize = 60;
/// Names shorter than this are all alike.
const LONG_CHARS: usize = 3;

/// Of a field that is not there.
pub(super) fn absent(alternatives: &[Alternative], at: &Path, document: &Object) -> Option<String> {
    if let Some(meant) = similar(at, document) {
        return Some(format!("did you mean {meant}?"));
    }
    if let Some((parent, value)) = scalar_above(at, document) {
        let kind = if value.is_null() { "null".to_owned() } else { format!("a {}", value.kind()) };
        return Some(format!("{parent} is {kind}, not a map"));
    }
    let needs = alternatives
        .iter()
        .flat_map(|alternative| &alternative.0)
        .find(|test| matches!(test, Test::AnythingBut(_) | Test::Quantified(Quantified::None(_))))?;
    Some(format!("{} wants the field to be there; not does not", needs.name()))
}

/// Of a value that is not what is wanted.
pub(super) fn present(alternatives: &[Alternative], actual: &Json) -> Option<String> {
    let tests = || alternatives.iter().flat_map(|alternative| &alternative.0);
    match actual {
        Json::Array(items) => list(items, alternatives),
        Json::Object(_) if tests().any(Test::is_of_value) => {
            Some("found a map: its fields are tested by a pattern nested under it".to_owned())
        }
        Json::Object(_) => None,
        _ => wrong_type(alternatives, actual)
            .or_else(|| tests().find_map(|test| special(test, actual)))
            .or_else(|| culprit(alternatives, actual)),
    }
}

fn list(items: &[Json], alternatives: &[Alternative]) -> Option<String> {
    let of_value = alternatives.iter().flat_map(|alternative| &alternative.0).any(Test::is_of_value);
    let every = alternatives
        .iter()
        .flat_map(|alternative| &alternative.0)
        .any(|test| matches!(test, Test::Quantified(Quantified::Every(_))));
    let (mut scalars, mut maps) = (0, 0);
    items.iter().for_each(|item| {
        focus::each(item, &Path::default(), &mut |element, _| match element {
            Json::Object(_) => maps += 1,
            _ => scalars += 1,
        });
    });
    match (scalars, maps) {
        (0, 0) if every && !of_value => {
            Some("the list is empty; every wants at least one element".to_owned())
        }
        (0, 0) if of_value => Some("the list is empty: there is no element to match".to_owned()),
        (0, _) if of_value => {
            Some("the list has only maps: their fields are tested by a pattern nested under it".to_owned())
        }
        _ if of_value => Some(format!("none of the {} elements matches", scalars + maps)),
        _ => None,
    }
}

/// `found string "12", numeric wants a number`.
fn wrong_type(alternatives: &[Alternative], actual: &Json) -> Option<String> {
    let tests = || alternatives.iter().flat_map(|alternative| &alternative.0);
    let mut kinds = tests().map(Test::wants_kind).collect::<Option<Vec<_>>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.contains(&actual.kind()) {
        return None;
    }
    let wants =
        kinds.iter().map(|kind| if *kind == "null" { "null".to_owned() } else { format!("a {kind}") });
    let wants = wants.collect::<Vec<_>>().join(" or ");
    let mut names = tests().map(Test::name).collect::<Vec<_>>();
    names.dedup();
    let who = match names.as_slice() {
        [""] | [_, _, ..] => "the pattern",
        [name] => name,
        [] => return None,
    };
    Some(format!("found {}, {who} wants {wants}", named(actual)))
}

/// What a test knows of a value of the right type.
fn special(test: &Test, actual: &Json) -> Option<String> {
    let text = actual.as_str()?;
    match test {
        Test::Exact(Json::String(wanted)) => near_text(text, wanted),
        Test::Among(values) => values.strings.iter().find_map(|wanted| near_text(text, wanted)),
        Test::Cidr(_) if text.parse::<std::net::IpAddr>().is_err() => {
            Some(format!("{} is no bare IP address", short(actual)))
        }
        Test::Clock(clock) => Some(match clock.reading(text) {
            Some(reading) => format!("it was {reading}"),
            None => format!("{} is no timestamp", short(actual)),
        }),
        _ => None,
    }
}

fn near_text(text: &str, wanted: &str) -> Option<String> {
    let differs = if text.to_lowercase() == wanted.to_lowercase() {
        "only in case, which equals-ignore-case ignores"
    } else if text.trim() == wanted.trim() {
        "only in the spaces around it"
    } else {
        return None;
    };
    Some(format!("it differs from {} {differs}", short(&Json::from(wanted))))
}

/// Which of the tests under `not` or `none` the value passes.
fn culprit(alternatives: &[Alternative], actual: &Json) -> Option<String> {
    alternatives.iter().flat_map(|alternative| &alternative.0).find_map(|test| {
        let Test::Quantified(Quantified::Not(own) | Quantified::None(own)) = test else { return None };
        let passed =
            own.iter().find(|alternative| one_of(std::slice::from_ref(alternative), Some(actual)))?;
        (own.len() > 1).then(|| format!("it is {}", words::alternatives(std::slice::from_ref(passed))))
    })
}

fn named(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        _ => format!("{} {}", value.kind(), short(value)),
    }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The nearest value above an absent one, if it cannot have fields.
fn scalar_above(at: &Path, document: &Object) -> Option<(Path, Json)> {
    let mut value = document.get(at.0.first().and_then(as_key)?)?;
    for (depth, step) in at.0.iter().enumerate().skip(1) {
        match step.of(value) {
            Some(next) => value = next,
            None if matches!(value, Json::Object(_) | Json::Array(_)) => return None,
            None => return Some((Path(at.0[..depth].to_vec()), value.clone())),
        }
    }
    None
}

fn as_key(step: &Step) -> Option<&str> {
    match step {
        Step::Key(key) => Some(key),
        Step::Index(_) => None,
    }
}

/// Where the last name of an absent path exists, else a name beside it that is nearly the same.
fn similar(at: &Path, document: &Object) -> Option<Path> {
    let name = at.last_key()?;
    let mut found = None;
    search(document, at, &Path::default(), &mut found);
    found.or_else(|| undotted(at, document)).or_else(|| {
        let parent = at.parent()?;
        let siblings = object_at(&parent, document)?;
        let meant = did_you_mean(name, siblings.keys()).filter(|_| name.chars().count() >= LONG_CHARS)?;
        Some(parent.key(meant))
    })
}

/// What a key with dots would be as nesting, if that is there.
fn undotted(at: &Path, document: &Object) -> Option<Path> {
    let name = at.last_key().filter(|name| name.contains('.'))?;
    let nested = name.split('.').fold(at.parent()?, |path, key| path.key(key));
    let parent = object_at(&nested.parent()?, document)?;
    parent.get(nested.last_key()?).map(|_| nested)
}

fn object_at<'a>(at: &Path, document: &'a Object) -> Option<&'a Object> {
    let Some((first, rest)) = at.0.split_first() else { return Some(document) };
    let first = document.get(as_key(first)?)?;
    rest.iter().try_fold(first, |value, step| step.of(value))?.as_object()
}

/// The shortest path that ends in the same name as an absent one, the first of several. Another
/// element of a list is no other place.
fn search(object: &Object, absent: &Path, at: &Path, found: &mut Option<Path>) {
    let is_shorter = |found: &Option<Path>| found.as_ref().is_none_or(|path| at.0.len() + 1 < path.0.len());
    let name = absent.last_key().unwrap_or_default();
    if object.get(name).is_some() && is_shorter(found) && !same_keys(&at.key(name), absent) {
        *found = Some(at.key(name));
    }
    if !is_shorter(found) {
        return;
    }
    for (key, value) in object.iter() {
        focus::each(value, &at.key(key), &mut |element, path| {
            if let Json::Object(object) = element {
                search(object, absent, path, found);
            }
        });
    }
}

fn same_keys(a: &Path, b: &Path) -> bool {
    a.0.iter().filter_map(as_key).eq(b.0.iter().filter_map(as_key))
}
