//! What must hold in an event for a pattern to match: the one place that reads patterns for it.
//!
//! Everything here errs towards too few requirements, never towards too many. A value counts
//! wherever it stands in the arrays along its path, which is more than a pattern takes (two fields
//! of one nested pattern must hold in the same element).

use super::hash::At;
use super::paths::{Lookup, PathId, Tree};
use crate::json::Json;
use crate::pattern::{Alternative, Fields, Pattern, Quantified, Test, Wanted};

/// One of these must be found in an event, else the rule does not match.
pub(super) enum Need {
    Keys(Vec<Key>),
    /// Of `$or`: for each alternative, the needs that it has all of.
    Either(Vec<Vec<Need>>),
}

/// A value or prefix at a path.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub hash: u64,
    pub path: PathId,
    pub lookup: Lookup,
}

impl Key {
    pub fn is_exact(&self) -> bool {
        !matches!(self.lookup, Lookup::Prefix(_))
    }
}

/// All needs of a pattern: each of them must be met.
pub(super) fn needs(pattern: &Pattern, tree: &mut Tree, needs: &mut Vec<Need>) {
    if let Pattern::All(parts) = pattern {
        parts.iter().for_each(|part| of_fields(part, Tree::ROOT, tree, needs));
    }
}

fn of_fields(fields: &Fields, at: PathId, tree: &mut Tree, needs: &mut Vec<Need>) {
    for field in &fields.fields {
        let path = tree.child(at, &field.name);
        match &field.wanted {
            Wanted::Nested(inner) => of_fields(inner, path, tree, needs),
            Wanted::OneOf(alternatives) => needs.extend(one_of(alternatives, path).map(Need::Keys)),
        }
    }
    needs.extend(fields.any_of.iter().filter_map(|group| either(group, at, tree)));
}

/// `None` if one of the alternatives needs nothing that can be looked up.
fn either(group: &[Fields], at: PathId, tree: &mut Tree) -> Option<Need> {
    let of_one = |fields| {
        let mut needs = Vec::new();
        of_fields(fields, at, tree, &mut needs);
        (!needs.is_empty()).then_some(needs)
    };
    group.iter().map(of_one).collect::<Option<_>>().map(Need::Either)
}

/// `None` as in [`either`].
fn one_of(alternatives: &[Alternative], path: PathId) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for alternative in alternatives {
        let found = alternative.0.iter().filter_map(|test| of_test(test, path));
        // Of several that must hold for one value the exact one is the rarest.
        keys.extend(found.min_by_key(|keys| (!keys.iter().all(Key::is_exact), keys.len()))?);
    }
    Some(keys)
}

/// What must be found at `path` for a test to hold; `None` if that cannot be looked up.
fn of_test(test: &Test, path: PathId) -> Option<Vec<Key>> {
    match test {
        Test::Exact(value) => Some(vec![exact(value, path)?]),
        Test::Among(values) => values.iter().map(|value| exact(&value, path)).collect(),
        Test::Prefix(texts) if !texts.ignore_case => {
            Some(texts.any_of.iter().map(|text| prefix(text, path)).collect())
        }
        Test::Wildcard(wildcards) => {
            wildcards.iter().map(|wildcard| Some(prefix(wildcard.pieces.first()?, path))).collect()
        }
        // It holds for no empty array, so for one element at least.
        Test::Quantified(Quantified::Every(alternatives)) => one_of(alternatives, path),
        _ => None,
    }
}

fn exact(value: &Json, path: PathId) -> Option<Key> {
    let hash = At::path(path).scalar(value)?;
    let lookup = if value.as_str().is_some() { Lookup::Text } else { Lookup::Other };
    Some(Key { hash, path, lookup })
}

fn prefix(text: &str, path: PathId) -> Key {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let bytes = &text.as_bytes()[..length as usize];
    Key { hash: At::path(path).prefix(bytes), path, lookup: Lookup::Prefix(length) }
}
