//! Why a pattern matches a document or does not: a tree of what was wanted and what was found.
//!
//! Pure data, for the command line and the admin side to show. It agrees with
//! [`Pattern::matches`]: an explanation holds exactly if the pattern matches, and then all its
//! leaves hold.

mod focus;
mod note;
mod path;
#[cfg(test)]
mod tests;
mod walk;
mod words;

use super::Pattern;
use crate::json::{Json, Object};

pub use path::{Path, Step};

/// A pattern (or a branch of a group) on a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'a> {
    /// Whether it matches.
    pub holds: bool,
    /// All of them must hold. None for `match: any`.
    pub findings: Vec<Finding<'a>>,
}

/// What one field or one group came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding<'a> {
    Leaf(Leaf<'a>),
    Group(Group<'a>),
}

/// A field that must be one of some alternatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf<'a> {
    /// Where the value stands (or would stand); in lists, the element that came nearest.
    pub path: Path,
    /// The value; `None` if it is absent.
    pub actual: Option<&'a Json>,
    /// What must hold, in words: `prefix "q4-" or "x"`.
    pub wanted: String,
    pub holds: bool,
    /// Why not, or what was probably meant.
    pub note: Option<String>,
}

/// `$or` or `$not` in one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    pub kind: GroupKind,
    /// The object; empty for the document.
    pub path: Path,
    pub holds: bool,
    /// The patterns of `$or`, or the one of `$not`, each with its own verdict.
    pub branches: Vec<Explanation<'a>>,
}

/// Which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// `$or`: one branch must hold.
    Or,
    /// `$not`: its branch must not hold.
    Not,
}

impl GroupKind {
    /// As it is written in a pattern.
    pub fn name(self) -> &'static str {
        match self {
            Self::Or => "$or",
            Self::Not => "$not",
        }
    }
}

impl Pattern {
    /// What each field and group of the pattern came to on a document.
    pub fn explain<'a>(&self, document: &'a Object) -> Explanation<'a> {
        match self {
            Self::Any => Explanation::of(Vec::new()),
            Self::All(parts) => {
                let parts = parts.iter().map(|fields| walk::document(fields, document));
                Explanation::of(parts.flat_map(|part| part.findings).collect())
            }
        }
    }
}

impl<'a> Explanation<'a> {
    fn of(findings: Vec<Finding<'a>>) -> Self {
        Self { holds: findings.iter().all(Finding::holds), findings }
    }

    /// The share of leaves that hold, from 0 to 1, which is reached only by what matches.
    pub fn nearness(&self) -> f64 {
        match self.score() {
            (_, 0) => 1.0,
            (held, all) => f64::from(held) / f64::from(all),
        }
    }

    /// How many leaves hold, of how many. Of an `$or` the nearest branch counts, a `$not` counts
    /// as one leaf.
    pub fn score(&self) -> (u32, u32) {
        let scores = self.findings.iter().map(Finding::score);
        scores.fold((0, 0), |(held, all), (more_held, more)| (held + more_held, all + more))
    }

    /// All leaves, those of groups included, in the order of the pattern.
    pub fn leaves(&self) -> Vec<&Leaf<'a>> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'s>(&'s self, found: &mut Vec<&'s Leaf<'a>>) {
        for finding in &self.findings {
            match finding {
                Finding::Leaf(leaf) => found.push(leaf),
                Finding::Group(group) => group.branches.iter().for_each(|branch| branch.collect(found)),
            }
        }
    }
}

impl Finding<'_> {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.holds,
            Self::Group(group) => group.holds,
        }
    }

    /// How many leaves hold, of how many.
    fn score(&self) -> (u32, u32) {
        match self {
            Self::Group(Group { kind: GroupKind::Or, branches, .. }) => {
                let nearest = branches.iter().max_by(|a, b| a.nearness().total_cmp(&b.nearness()));
                nearest.map_or((0, 1), Explanation::score)
            }
            _ => (u32::from(self.holds()), 1),
        }
    }
}
