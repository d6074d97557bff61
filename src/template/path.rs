//! Paths like `payload.items[0]['a b']`, and walking them over the event and `vars`.

use super::Params;
use crate::json::Json;
use std::fmt;
use std::sync::Arc;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(Arc<str>),
    Index(usize),
}

/// A place in the event or in `vars`, beginning with a bare name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(pub Vec<Step>);

impl Path {
    /// Reads an expression that is only a path.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, mut rest) = identifier(text.trim())?;
        let mut steps = vec![Step::Key(first.into())];
        while !rest.is_empty() {
            let (step, behind) = step(rest)?;
            steps.push(step);
            rest = behind;
        }
        Some(Self(steps))
    }

    /// The name it begins with.
    pub fn first(&self) -> &str {
        match self.0.first() {
            Some(Step::Key(name)) => name,
            _ => "",
        }
    }
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let (name, rest) = identifier(rest)?;
        return Some((Step::Key(name.into()), rest));
    }
    let inner = rest.strip_prefix('[')?.trim_start();
    if let Some(quote) = inner.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
        let (key, rest) = inner[1..].split_once(quote)?;
        let rest = rest.trim_start().strip_prefix(']')?;
        return (!key.contains('\\')).then(|| (Step::Key(key.into()), rest));
    }
    let (index, rest) = inner.split_once(']')?;
    let index = index.trim();
    let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Some((Step::Index(index.parse().ok()?), rest))).flatten()
}

fn identifier(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let begins_well = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    (end > 0 && begins_well).then(|| text.split_at(end))
}

/// As an author would write it.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(name) if identifier(name).is_some_and(|(_, rest)| rest.is_empty()) => {
                    write!(f, "{}{name}", if index > 0 { "." } else { "" })?;
                }
                Step::Key(name) => write!(f, "['{name}']")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A value in the event (plain JSON) or in `vars` (which has secrets in it).
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    Json(&'a Json),
    Params(&'a Params),
}

impl<'a> View<'a> {
    /// The value one step down.
    pub fn child(self, step: &Step) -> Option<Self> {
        match (self, step) {
            (Self::Params(Params::Data(data)), _) => Self::Json(data).child(step),
            (Self::Json(json), Step::Key(key)) => json.get(key).map(Self::Json),
            (Self::Json(json), Step::Index(index)) => json.as_array()?.get(*index).map(Self::Json),
            (Self::Params(Params::Map(members)), Step::Key(key)) => {
                members.iter().find(|(name, _)| **name == **key).map(|(_, value)| Self::Params(value))
            }
            (Self::Params(Params::List(items)), Step::Index(index)) => items.get(*index).map(Self::Params),
            _ => None,
        }
    }

    /// The keys, if this is a map.
    pub fn keys(self) -> Option<Vec<&'a str>> {
        match self {
            Self::Json(Json::Object(object)) | Self::Params(Params::Data(Json::Object(object))) => {
                Some(object.keys().collect())
            }
            Self::Params(Params::Map(members)) => Some(members.iter().map(|(key, _)| key.as_str()).collect()),
            _ => None,
        }
    }

    /// The number of items, if this is a list.
    pub fn length(self) -> Option<usize> {
        match self {
            Self::Json(Json::Array(items)) | Self::Params(Params::Data(Json::Array(items))) => {
                Some(items.len())
            }
            Self::Params(Params::List(items)) => Some(items.len()),
            _ => None,
        }
    }

    pub fn to_params(self) -> Params {
        match self {
            Self::Json(json) => Params::Data(json.clone()),
            Self::Params(params) => params.clone(),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Json(json) | Self::Params(Params::Data(json)) => json.kind(),
            Self::Params(Params::List(_)) => "list",
            Self::Params(Params::Map(_)) => "map",
            Self::Params(Params::Secret(_) | Params::Template(_)) => "secret",
        }
    }

    /// Why `step` leads nowhere from here, which is at `path`.
    pub fn missing(self, path: &Path, step: &Step) -> String {
        let whole = Path(path.0.iter().cloned().chain([step.clone()]).collect());
        let parent = if path.0.is_empty() { "the event".to_owned() } else { path.to_string() };
        match (self.keys(), self.length()) {
            (Some(keys), _) if keys.is_empty() => format!("`{whole}` is not there: {parent} is empty"),
            (Some(keys), _) => format!("`{whole}` is not there: {parent} has: {}", listed(&keys)),
            (None, Some(length)) => format!("`{whole}` is not there: {parent} is a list of {length}"),
            (None, None) => format!("`{whole}` is not there: {parent} is a {}", self.kind()),
        }
    }
}

/// The first of `names`, and how many more there are.
fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{first} and {more} more"),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_is_read_as_one() {
        for text in ["payload", "a.b_c", "a['x-y'].z", "a[0][\"b c\"]"] {
            assert!(Path::parse(text).is_some(), "{text}");
        }
        for text in ["", "1", "a.", "a.1", "a-b", "a | upper", "a[b]", "a['x]", "'a'", "a['\\n']", "a[-1]"] {
            assert!(Path::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_path_is_shown_as_it_would_be_written() {
        for text in ["payload.items[0].b", "headers['user-agent']"] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
    }
}
