//! Patterns: which events a rule is for. The operators of AWS EventBridge, and more.
//!
//! A pattern mirrors the event document. A list is OR, sibling fields are AND, a bare scalar is a
//! list of one; several operators in one object must hold for the same value. An array in the
//! event satisfies a test if one of its elements does, and a nested pattern if one of its objects
//! does. What is compiled is a plain tree, so that an index can read from it what must hold.

mod alternatives;
mod anything_but;
mod cidr;
mod clash;
mod clock;
mod compile;
#[cfg(test)]
mod corpora;
mod doubt;
mod elements;
mod equals_ignore_case;
mod exists;
mod explain;
mod kinds;
mod numeric;
mod operator;
mod prefix;
mod reference;
mod regex;
mod schema;
mod shape;
mod slips;
mod suffix;
#[cfg(test)]
pub(crate) mod tests;
mod texts;
mod values;
mod wildcard;

use crate::diagnostic::Problem;
use crate::json::{Json, Object};
use crate::yaml::Node;

pub use anything_but::AnythingBut;
pub use cidr::Cidr;
pub use clash::Clash;
pub use clock::Clock;
pub(crate) use clock::{DAYS, similar_zone};
pub use elements::Quantified;
pub use explain::{Explanation, Finding, Group, GroupKind, Leaf, Path, Step};
pub use kinds::KINDS;
pub use numeric::{Bound, Numeric};
pub use operator::{Build, Example, Operator, Takes};
pub use reference::reference;
pub use regex::Regex;
pub(crate) use regex::compile_regex;
pub use schema::definitions;
pub use texts::Texts;
pub use values::Values;
pub use wildcard::Wildcard;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// `match: any`: every event.
    Any,
    /// All of these hold, each on its own (a file's and a rule's need not mean one array element).
    All(Vec<Fields>),
}

/// Fields and groups of one object, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    pub fields: Vec<Field>,
    /// `$or`: of each inner list one must hold.
    pub any_of: Vec<Vec<Fields>>,
    /// `$not`: none of these holds as a whole.
    pub none_of: Vec<Fields>,
}

/// One field of an object and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: Box<str>,
    pub wanted: Wanted,
}

/// What a field must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// An object (or an array with one) like this.
    Nested(Fields),
    /// One of these.
    OneOf(Vec<Alternative>),
}

/// Tests that must hold for the same value.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative(pub Vec<Test>);

/// One test of a value, or of a field as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// This scalar, of this type.
    Exact(Json),
    /// One of these: what a long list of strings and numbers becomes.
    Among(Values),
    Prefix(Texts),
    Suffix(Texts),
    EqualsIgnoreCase(Texts),
    Wildcard(Vec<Wildcard>),
    Regex(Vec<Regex>),
    Numeric(Numeric),
    Cidr(Vec<Cidr>),
    Clock(Clock),
    AnythingBut(AnythingBut),
    /// Of the field: whether it is there.
    Exists(bool),
    /// Of the field: all, none or not one of its elements.
    Quantified(Quantified),
}

impl Pattern {
    /// Compiles what stands under `match:`; with it come the warnings.
    ///
    /// # Errors
    /// All that is wrong, warnings among it, in the order in which it stands.
    pub fn compile(node: &Node) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        compile::compile(node)
    }

    /// Whether an event's document matches. Never fails: a value of another type does not match.
    pub fn matches(&self, document: &Object) -> bool {
        match self {
            Self::Any => true,
            Self::All(parts) => parts.iter().all(|fields| fields.match_object(Some(document))),
        }
    }

    /// The pattern that matches what both match.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, pattern) | (pattern, Self::Any) => pattern,
            (Self::All(mut parts), Self::All(more)) => {
                parts.extend(more);
                Self::All(parts)
            }
        }
    }
}

impl Fields {
    fn match_object(&self, object: Option<&Object>) -> bool {
        self.fields
            .iter()
            .all(|field| field.wanted.matches(object.and_then(|object| object.get(&field.name))))
            && self.any_of.iter().all(|group| group.iter().any(|fields| fields.match_object(object)))
            && !self.none_of.iter().any(|fields| fields.match_object(object))
    }

    /// A value without an object is one whose fields are all absent, which `exists: false` wants.
    fn match_value(&self, value: Option<&Json>) -> bool {
        match value {
            Some(Json::Object(object)) => self.match_object(Some(object)),
            Some(array @ Json::Array(_)) => {
                let mut objects = 0;
                let found = elements::any(array, &mut |element| {
                    let Json::Object(object) = element else { return false };
                    objects += 1;
                    self.match_object(Some(object))
                });
                found || (objects == 0 && self.match_object(None))
            }
            _ => self.match_object(None),
        }
    }
}

impl Wanted {
    fn matches(&self, value: Option<&Json>) -> bool {
        match self {
            Self::Nested(fields) => fields.match_value(value),
            Self::OneOf(alternatives) => alternatives.iter().any(|alternative| alternative.matches(value)),
        }
    }
}

impl Alternative {
    fn matches(&self, value: Option<&Json>) -> bool {
        let mut of_field = self.0.iter().filter_map(|test| test.of_field(value));
        if !of_field.all(|holds| holds) {
            return false;
        }
        !self.0.iter().any(Test::is_of_value)
            || value.is_some_and(|value| elements::any(value, &mut |element| self.matches_element(element)))
    }

    fn matches_element(&self, element: &Json) -> bool {
        self.0.iter().filter(|test| test.is_of_value()).all(|test| test.of_value(element))
    }
}

impl Test {
    fn is_of_value(&self) -> bool {
        !matches!(self, Self::Exists(_) | Self::Quantified(_))
    }

    /// The operator's name; a plain value has none.
    fn name(&self) -> &'static str {
        match self {
            Self::Exact(_) | Self::Among(_) => "",
            Self::Prefix(_) => "prefix",
            Self::Suffix(_) => "suffix",
            Self::EqualsIgnoreCase(_) => "equals-ignore-case",
            Self::Wildcard(_) => "wildcard",
            Self::Regex(_) => "regex",
            Self::Numeric(_) => "numeric",
            Self::Cidr(_) => "cidr",
            Self::Clock(_) => "clock",
            Self::AnythingBut(_) => "anything-but",
            Self::Exists(_) => "exists",
            Self::Quantified(Quantified::Not(_)) => "not",
            Self::Quantified(Quantified::Every(_)) => "every",
            Self::Quantified(Quantified::None(_)) => "none",
        }
    }

    /// The type of value for which alone the test can hold, in the words of [`Json::kind`].
    fn wants_kind(&self) -> Option<&'static str> {
        match self {
            Self::Exact(value) => Some(value.kind()),
            Self::Among(values) if values.numbers.is_empty() => Some("string"),
            Self::Among(values) if values.strings.is_empty() => Some("number"),
            Self::Numeric(_) => Some("number"),
            Self::Among(_) | Self::AnythingBut(_) | Self::Exists(_) | Self::Quantified(_) => None,
            _ => Some("string"),
        }
    }

    fn of_field(&self, value: Option<&Json>) -> Option<bool> {
        match self {
            Self::Exists(wanted) => Some(value.is_some() == *wanted),
            Self::Quantified(quantified) => Some(quantified.matches(value)),
            _ => None,
        }
    }

    /// Objects satisfy no test of a value.
    fn of_value(&self, value: &Json) -> bool {
        if matches!(value, Json::Object(_) | Json::Array(_)) {
            return false;
        }
        let text = value.as_str();
        match self {
            Self::Exact(wanted) => wanted == value,
            Self::Among(values) => values.contains(value),
            Self::Prefix(texts) => {
                text.is_some_and(|text| texts.any(|prefix| prefix::starts(text, prefix, texts.ignore_case)))
            }
            Self::Suffix(texts) => {
                text.is_some_and(|text| texts.any(|suffix| suffix::ends(text, suffix, texts.ignore_case)))
            }
            Self::EqualsIgnoreCase(texts) => {
                text.is_some_and(|text| texts.any(|wanted| equals_ignore_case::equal(text, wanted)))
            }
            Self::Wildcard(wildcards) => {
                text.is_some_and(|text| wildcards.iter().any(|wildcard| wildcard.matches(text)))
            }
            Self::Regex(expressions) => {
                text.is_some_and(|text| expressions.iter().any(|expression| expression.is_in(text)))
            }
            Self::Numeric(numeric) => value.as_number().is_some_and(|number| numeric.contains(number)),
            Self::Cidr(networks) => text.is_some_and(|text| cidr::any(networks, text)),
            Self::Clock(clock) => text.is_some_and(|text| clock.is_time(text)),
            Self::AnythingBut(but) => !but.is_one(value),
            Self::Exists(_) | Self::Quantified(_) => true,
        }
    }
}
