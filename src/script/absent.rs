//! What to say about a key that a map does not have: what that map does have.

use super::explain::dotted_before;
use crate::diagnostic::did_you_mean;
use crate::event::Event;
use crate::json::{Json, Object};
use rhai::Position;
use std::collections::BTreeSet;

/// How many keys are listed.
const LISTED: usize = 12;

/// What is known where a script ran.
pub(super) struct Site<'a> {
    pub event: &'a Event,
    /// The text of a file.
    pub text: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// The sentence about the absent key `name`, read at `position` of `file`.
pub(super) fn absent(name: &str, file: &str, position: Position, site: Option<&Site<'_>>) -> String {
    let path = site.and_then(|site| dotted_before((site.text)(file)?, position));
    match (path, site) {
        (Some(path), Some(site)) => match find(site.event.document(), path) {
            Some(map) if map.get(name).is_none() => known(name, path, map),
            _ => unknown(name, &all_keys(site.event)),
        },
        (None, Some(site)) => unknown(name, &all_keys(site.event)),
        (_, None) => unknown(name, &BTreeSet::new()),
    }
}

/// The map in the event that a dotted path like `event.payload` or `payload.user` means. Another
/// name than the event's own can only be a parameter that the event was handed to.
fn find<'a>(document: &'a Object, path: &str) -> Option<&'a Object> {
    let mut steps = path.split('.').peekable();
    let first = *steps.peek()?;
    if matches!(first, "vars" | "params") {
        return None;
    }
    if document.get(first).is_none() {
        steps.next();
        if first != "event" && steps.peek().is_none() {
            return None;
        }
    }
    steps.try_fold(document, |map, step| map.get(step)?.as_object())
}

fn known(name: &str, path: &str, map: &Object) -> String {
    let keys: BTreeSet<&str> = map.keys().collect();
    let meant = suggestion(name, keys.iter().copied());
    let (root, rest) = path.split_once('.').map_or((path, String::new()), |(a, b)| (a, format!("{b}.")));
    let has = if keys.is_empty() { "is empty".to_owned() } else { format!("has: {}", list(&keys)) };
    format!(
        "`{path}` has no `{name}`: {meant}{path} {has}; what may be absent is read with \
         `{root}.get(\"{rest}{name}\", default)`"
    )
}

fn unknown(name: &str, names: &BTreeSet<&str>) -> String {
    let meant = suggestion(name, names.iter().copied());
    format!(
        "the map has no `{name}`: {meant}what may be absent is read with `.get(\"{name}\", default)` \
         (`?.` and `??` do not help where the key itself is absent)"
    )
}

fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    did_you_mean(name, known).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default()
}

fn list(keys: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = keys.iter().take(LISTED).copied().collect();
    match keys.len().saturating_sub(LISTED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// All keys in an event, for suggestions.
fn all_keys(event: &Event) -> BTreeSet<&str> {
    let mut keys = BTreeSet::new();
    object_keys(event.document(), &mut keys);
    keys
}

fn object_keys<'a>(object: &'a Object, keys: &mut BTreeSet<&'a str>) {
    for (key, value) in object.iter() {
        keys.insert(key);
        value_keys(value, keys);
    }
}

fn value_keys<'a>(value: &'a Json, keys: &mut BTreeSet<&'a str>) {
    match value {
        Json::Object(object) => object_keys(object, keys),
        Json::Array(items) => items.iter().for_each(|item| value_keys(item, keys)),
        _ => {}
    }
}
