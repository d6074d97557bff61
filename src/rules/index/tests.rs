//! The index against a plain scan of random rules and events.

use super::super::tests::{event, rules};
use super::super::{FileScope, Rule, RuleSet};
use super::Index;
use crate::event::{Event, EventId};
use crate::json::{Json, Number, Object};
use crate::pattern::{
    Alternative, AnythingBut, Bound, Field, Fields, Numeric, Pattern, Quantified, Test, Texts, Wanted,
    Wildcard,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;

/// Decisions, from bytes: shorter and smaller ones make simpler rules, so that a failure shrinks.
struct Tape<'a>(&'a [u8]);

impl Tape<'_> {
    fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count
    }

    /// True once in so many times, and not at the end of the tape.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..=self.below(most)).map(|_| make(self)).collect()
    }

    fn name(&mut self) -> &'static str {
        ["p", "q", "r"][self.below(3)]
    }

    fn text(&mut self) -> &'static str {
        ["a", "ab", "b", "", "abc"][self.below(5)]
    }

    fn number(&mut self) -> Number {
        let text = ["1", "1.0", "2", "10e-1", "1000000000000000000000"][self.below(5)];
        Number::parse(text).expect(text)
    }

    fn scalar(&mut self) -> Json {
        match self.below(8) {
            0..=3 => self.text().into(),
            4 | 5 => Json::Number(self.number()),
            6 => true.into(),
            _ => Json::Null,
        }
    }

    fn value(&mut self, depth: usize) -> Json {
        match self.below(if depth < 3 { 7 } else { 4 }) {
            0..=3 => self.scalar(),
            4 => Json::Object(self.object(depth + 1)),
            _ => (0..self.below(4)).map(|_| self.value(depth + 1)).collect::<Vec<_>>().into(),
        }
    }

    fn object(&mut self, depth: usize) -> Object {
        self.some(4, |tape| (tape.name(), tape.value(depth))).into_iter().collect()
    }

    fn texts(&mut self) -> Texts {
        let ignore_case = self.once_in(4);
        Texts { any_of: self.some(2, |tape| tape.text().into()), ignore_case }
    }

    fn test(&mut self, depth: usize) -> Test {
        match self.below(if depth < 2 { 16 } else { 13 }) {
            0..=3 => Test::Exact(self.scalar()),
            4 => Test::Prefix(self.texts()),
            5 => Test::Suffix(self.texts()),
            6 => Test::EqualsIgnoreCase(self.texts()),
            7 => Test::Wildcard(vec![Wildcard { pieces: self.some(3, |tape| tape.text().into()) }]),
            8 => Test::Numeric(Numeric {
                lower: Some(Bound { number: self.number(), inclusive: self.once_in(2) }),
                upper: None,
            }),
            9 => Test::AnythingBut(AnythingBut::Values(self.some(2, Self::scalar).into_iter().collect())),
            10 => Test::Exists(self.once_in(2)),
            11 => Test::Among(self.some(4, Self::scalar).into_iter().collect()),
            12 => Test::AnythingBut(AnythingBut::Test(Box::new(Test::Prefix(self.texts())))),
            13 => Test::Quantified(Quantified::Not(self.alternatives(depth + 1))),
            14 => Test::Quantified(Quantified::Every(self.alternatives(depth + 1))),
            _ => Test::Quantified(Quantified::None(self.alternatives(depth + 1))),
        }
    }

    fn alternatives(&mut self, depth: usize) -> Vec<Alternative> {
        self.some(2, |tape| Alternative(tape.some(2, |tape| tape.test(depth))))
    }

    fn fields(&mut self, depth: usize) -> Fields {
        let field = |tape: &mut Self| Field {
            name: tape.name().into(),
            wanted: match depth < 2 && tape.once_in(4) {
                true => Wanted::Nested(tape.fields(depth + 1)),
                false => Wanted::OneOf(tape.alternatives(0)),
            },
        };
        let mut fields = Fields { fields: self.some(2, field), ..Fields::default() };
        if depth < 2 && self.once_in(4) {
            fields.any_of.push(self.some(3, |tape| tape.fields(depth + 1)));
        }
        if depth < 2 && self.once_in(5) {
            fields.none_of.push(self.fields(depth + 1));
        }
        fields
    }

    fn pattern(&mut self) -> Pattern {
        if self.once_in(8) { Pattern::Any } else { Pattern::All(self.some(2, |tape| tape.fields(0))) }
    }

    fn rule(&mut self) -> Rule {
        let pattern = self.pattern();
        Rule {
            name: String::new(),
            file: "".into(),
            description: None,
            digest: [0; 32],
            actions: Box::default(),
            any: pattern == Pattern::Any,
            pattern: Some(pattern),
            when: None,
            stop: self.once_in(3),
            fallback: self.once_in(4),
            sees_own: false,
            control: None,
            order: None,
        }
    }

    /// Rules of one or two files.
    fn fill(&mut self, set: &mut RuleSet) {
        set.rules.clear();
        set.files.clear();
        for _ in 0..=self.below(2) {
            let first = set.rules.len();
            set.rules.extend(self.some(4, Self::rule));
            let pattern = self.once_in(3).then(|| self.pattern());
            set.files.push(FileScope { pattern, rules: first..set.rules.len() });
        }
        for (index, rule) in set.rules.iter_mut().enumerate() {
            rule.name = index.to_string();
        }
        set.index = Index::new(&set.rules, &set.files);
    }
}

/// What an event matches, by looking at every rule.
fn scan<'s>(set: &'s RuleSet, document: &Object) -> Vec<&'s str> {
    let mut matched: Vec<usize> = Vec::new();
    for fallback in [false, true] {
        if fallback && matched.iter().any(|index| !set.rules[*index].any) {
            break;
        }
        for file in &set.files {
            for index in file.rules.clone() {
                let rule = &set.rules[index];
                let mut patterns = file.pattern.iter().chain(&rule.pattern);
                let stopped =
                    file.rules.clone().any(|at| at < index && set.rules[at].stop && matched.contains(&at));
                if rule.fallback == fallback && !stopped && patterns.all(|pattern| pattern.matches(document))
                {
                    matched.push(index);
                }
            }
        }
    }
    matched.sort_unstable();
    matched.into_iter().map(|index| set.rules[index].name.as_str()).collect()
}

#[test]
fn the_index_finds_what_a_plain_scan_finds() {
    let set = RefCell::new(rules("rules: []"));
    let verdicts = RefCell::new([0; 2]);
    let mut runner = TestRunner::new(Config { cases: 20_000, ..Config::default() });
    let outcome = runner.run(&prop::collection::vec(any::<u64>(), 3..20), |words| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut tape = Tape(&bytes);
        let document = tape.object(0);
        let set = &mut *set.borrow_mut();
        tape.fill(set);
        let event = Event::new(EventId::new(0, 1), document.clone());
        let found = set.matching(&event);
        verdicts.borrow_mut()[0] += found.len();
        verdicts.borrow_mut()[1] += set.rules.len() - found.len();
        prop_assert_eq!(found, scan(set, &document));
        Ok(())
    });
    outcome.unwrap();
    let [matched, others] = verdicts.into_inner();
    assert!(matched > 5_000 && others > 5_000, "{matched} {others}");
}

fn candidates(rules: &RuleSet, document: &str) -> Vec<u32> {
    rules.index.candidates(event(document).document())
}

fn of_patterns(patterns: &[&str]) -> RuleSet {
    let rule = |(index, pattern): (usize, &&str)| {
        format!("  - {{name: r{index}, match: {pattern}, actions: [{{log: {{}}}}]}}\n")
    };
    rules(&format!("rules:\n{}", patterns.iter().enumerate().map(rule).collect::<String>()))
}

#[test]
fn a_rule_is_found_by_what_the_fewest_rules_share_and_by_a_second_trait() {
    let rules = of_patterns(&[
        "{type: t, status: x, metadata: {team: a}}",
        "{type: t, status: y, metadata: {team: a}}",
        "{type: t, status: x, metadata: {team: b}}",
        "{type: t, status: z}",
    ]);
    assert_eq!(candidates(&rules, r#"{"type": "t", "status": "x", "metadata": {"team": "a"}}"#), [0]);
    assert_eq!(candidates(&rules, r#"{"type": "t", "status": "z", "metadata": {"team": "a"}}"#), [3]);
    assert_eq!(candidates(&rules, r#"{"type": "t", "metadata": {"team": "b"}}"#), [] as [u32; 0]);
}

#[test]
fn a_prefix_is_an_access_and_a_range_is_none() {
    let rules = of_patterns(&[
        "{payload: {a: [{prefix: q1-}]}}",
        "{payload: {a: [{wildcard: 'q2-*'}]}}",
        "{payload: {a: [{numeric: ['>', 1]}]}}",
    ]);
    assert_eq!(candidates(&rules, r#"{"payload": {"a": "q1-x"}}"#), [0, 2]);
    assert_eq!(candidates(&rules, r#"{"payload": {"a": "q2-"}}"#), [1, 2]);
    assert_eq!(candidates(&rules, r#"{"payload": {"a": "q3-"}}"#), [2]);
}

#[test]
fn the_pattern_of_a_file_gives_access_to_its_rules() {
    let rules = rules("match: {status: x}\nrules: [{name: a, match: any, actions: [{log: {}}]}]");
    assert_eq!(candidates(&rules, r#"{"status": "x"}"#), [0]);
    assert_eq!(candidates(&rules, r#"{"status": "y"}"#), [] as [u32; 0]);
}
