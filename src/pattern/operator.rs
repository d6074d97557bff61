//! A row of the table of operators, and what the reference says of it.

use super::Test;
use crate::diagnostic::Problem;
use crate::registry::{Kind, Param};
use crate::yaml::Node;

/// Makes the test of what stands under an operator's name; `None` if that was a problem.
pub type Build = fn(&Node, &mut Vec<Problem>) -> Option<Test>;

/// One operator. The example of its kind is a whole pattern.
pub struct Operator {
    pub kind: Kind<Build>,
    pub takes: Takes,
    /// Sentences for the reference: what else it takes, and what surprises.
    pub notes: &'static str,
    /// For the reference; a test runs each of them.
    pub examples: &'static [Example],
}

/// What stands under an operator's name, for editors: what is built says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A text or a list of them.
    Texts,
    /// The same, or `{equals-ignore-case: …}` of it.
    CasedTexts,
    /// `true` or `false`.
    Flag,
    /// One comparison or two, each with its number.
    Bounds,
    /// What `anything-but` excludes.
    Excluded,
    /// A value, an operator, or a list of them.
    Tests,
    /// A map of the parameters in the kind's schema.
    Params,
}

/// A pattern with events that match it and events that do not, all of them YAML.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    pub pattern: &'static str,
    pub matches: &'static [&'static str],
    pub differs: &'static [&'static str],
}

impl Operator {
    pub(super) const fn new(name: &'static str, summary: &'static str, takes: Takes, build: Build) -> Self {
        let kind = Kind { name, summary, example: "", schema: &[], build };
        Self { kind, takes, notes: "", examples: &[] }
    }

    /// The first example is also that of the kind.
    pub(super) const fn with_examples(mut self, examples: &'static [Example]) -> Self {
        self.kind.example = examples[0].pattern;
        self.examples = examples;
        self
    }

    pub(super) const fn with_notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    pub(super) const fn with_schema(mut self, schema: &'static [Param<'static>]) -> Self {
        self.kind.schema = schema;
        self
    }
}
