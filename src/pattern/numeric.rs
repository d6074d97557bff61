//! `numeric`: numbers in a range, compared exactly at any size; a string is no number.

use super::{Example, Operator, Takes, Test};
use crate::diagnostic::{Problem, Span};
use crate::json::Number;
use crate::yaml::{Node, Value};
use std::cmp::Ordering;

pub(super) const OPERATOR: Operator = Operator::new("numeric", "Numbers in a range: one comparison, or a lower and then an upper bound.", Takes::Bounds, build).with_notes("The comparisons are `=`, `<`, `<=`, `>` and `>=`. Numbers are compared exactly, at any size and precision; a string is no number.").with_examples(&[Example { pattern: "payload: {cost: [{numeric: [\">\", 0, \"<=\", 5]}]}", matches: &["{payload: {cost: 5}}", "{payload: {cost: 0.1}}"], differs: &["{payload: {cost: 0}}", "{payload: {cost: \"3\"}}"] },Example { pattern: "payload: {at: [{numeric: [\">\", 1764000000000000000]}]}", matches: &["{payload: {at: 1764000000000000001}}"], differs: &["{payload: {at: 1764000000000000000}}"] },]);

/// A range of numbers with at least one bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numeric {
    pub lower: Option<Bound>,
    pub upper: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub number: Number,
    /// Whether the number itself is in the range.
    pub inclusive: bool,
}

const HELP: &str = "write `[{numeric: [\">\", 0, \"<=\", 5]}]`, with `=`, `<`, `<=`, `>` or `>=`";

impl Numeric {
    pub(super) fn contains(&self, number: &Number) -> bool {
        let within = |bound: &Option<Bound>, side| {
            bound.as_ref().is_none_or(|bound| match number.cmp(&bound.number) {
                Ordering::Equal => bound.inclusive,
                ordering => ordering == side,
            })
        };
        within(&self.lower, Ordering::Greater) && within(&self.upper, Ordering::Less)
    }

    /// Adds a bound; `false` if it does not fit to those that are there.
    fn add(&mut self, operator: &str, number: Number) -> bool {
        let bound = Bound { number, inclusive: operator.ends_with('=') };
        let place = match operator {
            ">" | ">=" if self.upper.is_none() => &mut self.lower,
            "<" | "<=" => &mut self.upper,
            "=" if self.lower.is_none() => {
                self.lower = Some(bound.clone());
                &mut self.upper
            }
            _ => return false,
        };
        place.is_none() && place.replace(bound).is_none()
    }

    /// Whether no number is in both ranges.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        let bounds = |one: &Option<Bound>, other: &Option<Bound>| match (one, other) {
            (Some(one), Some(other)) => Some((one.clone(), other.clone())),
            _ => None,
        };
        let is_below = |upper: &Option<Bound>, lower: &Option<Bound>| {
            bounds(upper, lower)
                .is_some_and(|(upper, lower)| Self { lower: Some(lower), upper: Some(upper) }.is_empty())
        };
        is_below(&self.upper, &other.lower) || is_below(&other.upper, &self.lower)
    }

    /// Whether each number of the other range is in this one.
    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        let within = |own: &Option<Bound>, other: &Option<Bound>, inside: Ordering| match (own, other) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => match other.number.cmp(&own.number) {
                Ordering::Equal => own.inclusive || !other.inclusive,
                ordering => ordering == inside,
            },
        };
        within(&self.lower, &other.lower, Ordering::Greater)
            && within(&self.upper, &other.upper, Ordering::Less)
    }

    fn is_empty(&self) -> bool {
        let (Some(lower), Some(upper)) = (&self.lower, &self.upper) else { return false };
        match lower.number.cmp(&upper.number) {
            Ordering::Less => false,
            Ordering::Equal => !(lower.inclusive && upper.inclusive),
            Ordering::Greater => true,
        }
    }
}

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    read(node).map(Test::Numeric).map_err(|problem| problems.push(problem.with_help(HELP))).ok()
}

fn read(node: &Node) -> Result<Numeric, Problem> {
    let items = match &node.value {
        Value::List(items) if matches!(items.len(), 2 | 4) => items,
        _ => return Err(Problem::error(node.span, "`numeric` takes a list of one or two bounds")),
    };
    let mut range = Numeric { lower: None, upper: None };
    for pair in items.chunks_exact(2) {
        let (operator, number) = (comparison(&pair[0])?, number(&pair[1])?);
        if !range.add(operator, number) {
            return Err(order(pair[0].span));
        }
    }
    if range.is_empty() {
        return Err(Problem::error(node.span, "no number is in this range"));
    }
    Ok(range)
}

fn order(span: Span) -> Problem {
    Problem::error(span, "a range is a lower bound and then an upper one")
}

fn comparison(node: &Node) -> Result<&str, Problem> {
    match &node.value {
        Value::String(text) if matches!(text.as_str(), "=" | "<" | "<=" | ">" | ">=") => Ok(text),
        Value::String(text) => Err(Problem::error(node.span, format!("`{text}` is no comparison"))),
        _ => Err(Problem::error(node.span, format!("a comparison is expected here, not a {}", node.kind()))),
    }
}

fn number(node: &Node) -> Result<Number, Problem> {
    match &node.value {
        Value::Number(number) => Ok(number.clone()),
        _ => Err(Problem::error(node.span, format!("a number is expected here, not a {}", node.kind()))),
    }
}
