//! The walk over a pattern and a document side by side.

use super::{Explanation, Finding, Group, GroupKind, Leaf, Path, focus, note, words};
use crate::json::{Json, Object};
use crate::pattern::{Alternative, Fields, Wanted};

/// Explains the fields of a whole document.
pub(super) fn document<'a>(fields: &Fields, document: &'a Object) -> Explanation<'a> {
    Walk { document }.object(fields, Some(document), &Path::default())
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    document: &'a Object,
}

impl<'a> Walk<'a> {
    fn object(self, fields: &Fields, object: Option<&'a Object>, at: &Path) -> Explanation<'a> {
        let own = fields.fields.iter().flat_map(|field| {
            let value = object.and_then(|object| object.get(&field.name));
            self.field(&field.wanted, value, &at.key(&field.name))
        });
        let any_of = fields.any_of.iter().map(|group| {
            let branches = group.iter().map(|branch| self.object(branch, object, at)).collect::<Vec<_>>();
            let holds = branches.iter().any(|branch| branch.holds);
            Finding::Group(Group { kind: GroupKind::Or, path: at.clone(), holds, branches })
        });
        let none_of = fields.none_of.iter().map(|group| {
            let branch = self.object(group, object, at);
            let (holds, path) = (!branch.holds, at.clone());
            Finding::Group(Group { kind: GroupKind::Not, path, holds, branches: vec![branch] })
        });
        Explanation::of(own.chain(any_of).chain(none_of).collect())
    }

    fn field(self, wanted: &Wanted, value: Option<&'a Json>, at: &Path) -> Vec<Finding<'a>> {
        match wanted {
            Wanted::Nested(fields) => self.nested(fields, value, at).findings,
            Wanted::OneOf(alternatives) => vec![Finding::Leaf(self.leaf(alternatives, value, at))],
        }
    }

    fn nested(self, fields: &Fields, value: Option<&'a Json>, at: &Path) -> Explanation<'a> {
        match value {
            Some(Json::Object(object)) => self.object(fields, Some(object), at),
            Some(list @ Json::Array(_)) => {
                self.nearest(fields, list, at).unwrap_or_else(|| self.object(fields, None, at))
            }
            _ => self.object(fields, None, at),
        }
    }

    /// Of the objects in a list the first that came nearest.
    fn nearest(self, fields: &Fields, list: &'a Json, at: &Path) -> Option<Explanation<'a>> {
        let mut nearest: Option<Explanation<'a>> = None;
        focus::each(list, at, &mut |element, path| {
            let Json::Object(object) = element else { return };
            if nearest.as_ref().is_some_and(|nearest| nearest.holds) {
                return;
            }
            let found = self.object(fields, Some(object), path);
            if nearest.as_ref().is_none_or(|nearest| found.nearness() > nearest.nearness()) {
                nearest = Some(found);
            }
        });
        nearest
    }

    fn leaf(self, alternatives: &[Alternative], value: Option<&'a Json>, at: &Path) -> Leaf<'a> {
        let holds = alternatives.iter().any(|alternative| alternative.matches(value));
        let (actual, path) = match value {
            Some(value) => {
                let (value, path) = focus::nearest(alternatives, value, at, holds);
                (Some(value), path)
            }
            None => (None, at.clone()),
        };
        let note = match (holds, actual) {
            (true, _) => None,
            (false, None) => note::absent(alternatives, &path, self.document),
            (false, Some(actual)) => note::present(alternatives, actual),
        };
        Leaf { path, actual, wanted: words::alternatives(alternatives), holds, note }
    }
}
