//! Patterns in brief: what most rules want, in one run of bytes each.
//!
//! A compiled pattern is a tree, of which a check touches some twenty places in memory, none of
//! them in a cache where there are many rules. Its brief says the same of plain texts and prefixes
//! (and of plain texts that are not wanted) in one or two cache lines. What it cannot say it leaves
//! to the pattern, and so it leaves events with a list on the way.

use crate::json::{Json, Object};
use crate::pattern::{Alternative, AnythingBut, Field, Fields, Pattern, Test, Wanted};

/// The patterns of all rules in brief, in rule order.
#[derive(Default)]
pub(super) struct Briefs {
    steps: String,
    /// Where each ends.
    ends: Vec<usize>,
}

/// A field's name follows, and steps for the object there up to [`OUT`].
const INTO: char = '{';
const OUT: char = '}';
/// A field's name follows and the text that it must be.
const IS: char = '=';
/// A field's name follows and how its text must start.
const STARTS: char = '^';
/// A field's name follows and the text that it must not be.
const DIFFERS: char = '!';
/// The pattern wants more than this.
const MORE: char = '?';

/// The length of a text is one character of one byte.
const LONGEST_BYTES: usize = 127;

impl Briefs {
    /// Adds the next rule's pattern.
    pub fn add(&mut self, pattern: Option<&Pattern>) {
        if let Some(Pattern::All(parts)) = pattern {
            // Each part adds to it, whether or not one before it was said in full.
            let mut whole = true;
            parts.iter().for_each(|part| whole &= self.fields(part));
            self.steps.extend((!whole).then_some(MORE));
        }
        self.ends.push(self.steps.len());
    }

    /// When all are added.
    pub fn finish(mut self) -> Self {
        self.steps.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }

    /// Whether a rule's pattern matches, where the brief tells.
    pub fn matches(&self, rule: usize, document: &Object) -> Option<bool> {
        let start = rule.checked_sub(1).map_or(0, |before| self.ends[before]);
        let mut steps = Steps(&self.steps[start..self.ends[rule]]);
        steps.hold(document)
    }

    /// Says what it can; returns whether that is all.
    fn fields(&mut self, fields: &Fields) -> bool {
        let plain = fields.any_of.is_empty() && fields.none_of.is_empty();
        fields.fields.iter().fold(plain, |whole, field| self.field(field) && whole)
    }

    fn field(&mut self, Field { name, wanted }: &Field) -> bool {
        if name.len() > LONGEST_BYTES {
            return false;
        }
        let nested = match wanted {
            Wanted::Nested(nested) => nested,
            Wanted::OneOf(alternatives) => return self.test(name, alternatives),
        };
        let before = self.steps.len();
        self.steps.push(INTO);
        self.text(name);
        let inside = self.steps.len();
        let whole = self.fields(nested);
        if self.steps.len() == inside {
            // Nothing is said that an absent object would fail.
            self.steps.truncate(before);
            return false;
        }
        self.steps.push(OUT);
        whole
    }

    fn test(&mut self, name: &str, alternatives: &[Alternative]) -> bool {
        let [Alternative(tests)] = alternatives else { return false };
        let [test] = tests.as_slice() else { return false };
        let (step, text) = match test {
            Test::Exact(Json::String(text)) => (IS, text.as_str()),
            Test::Prefix(texts) if !texts.ignore_case && texts.any_of.len() == 1 => {
                (STARTS, &*texts.any_of[0])
            }
            Test::AnythingBut(AnythingBut::Values(values)) => match values.as_slice() {
                [Json::String(text)] => (DIFFERS, text.as_str()),
                _ => return false,
            },
            _ => return false,
        };
        if text.len() > LONGEST_BYTES {
            return false;
        }
        self.steps.push(step);
        self.text(name);
        self.text(text);
        true
    }

    fn text(&mut self, text: &str) {
        self.steps.push(char::from(text.len() as u8));
        self.steps.push_str(text);
    }
}

/// What is left of a brief.
struct Steps<'a>(&'a str);

impl<'a> Steps<'a> {
    /// Whether the steps up to the end of this object's hold, if they tell.
    fn hold(&mut self, object: &Object) -> Option<bool> {
        while let Some(step) = self.take() {
            if step == OUT {
                return Some(true);
            }
            if step == MORE {
                return None;
            }
            let value = object.get(self.text());
            if matches!(value, Some(Json::Array(_))) {
                return None;
            }
            if !self.holds(step, value)? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn holds(&mut self, step: char, value: Option<&Json>) -> Option<bool> {
        if step == INTO {
            return value.and_then(Json::as_object).map_or(Some(false), |object| self.hold(object));
        }
        let wanted = self.text();
        let text = value.and_then(Json::as_str);
        Some(match step {
            IS => text == Some(wanted),
            STARTS => text.is_some_and(|text| text.starts_with(wanted)),
            _ => text != Some(wanted) && !matches!(value, None | Some(Json::Object(_))),
        })
    }

    fn take(&mut self) -> Option<char> {
        let (first, rest) = self.0.split_at_checked(1)?;
        self.0 = rest;
        first.chars().next()
    }

    fn text(&mut self) -> &'a str {
        let length = self.take().map_or(0, |length| length as usize);
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{event, rules};

    /// What the brief says of the only rule, whose pattern says the same where it does.
    fn said(pattern: &str, document: &str) -> Option<bool> {
        let set = rules(&format!("rules: [{{name: r, match: {pattern}, actions: [{{log: {{}}}}]}}]"));
        let event = event(document);
        let said = set.index.briefs.matches(0, event.document());
        let matches = set.rules[0].pattern.as_ref().is_some_and(|it| it.matches(event.document()));
        assert!(said.is_none_or(|said| said == matches), "{pattern} {document}");
        said
    }

    #[test]
    fn plain_texts_and_prefixes_are_said_in_full() {
        let pattern = "{type: t, metadata: {team: a, of: [{prefix: q1-}]}, status: [{anything-but: [x]}]}";
        let with = |team: &str, of: &str, status: &str| {
            let document =
                format!(r#"{{"type": "t", "metadata": {{"team": {team}, "of": {of}}}, "status": {status}}}"#);
            said(pattern, &document)
        };
        assert_eq!(with(r#""a""#, r#""q1-z""#, r#""y""#), Some(true));
        assert_eq!(with(r#""a""#, r#""q1-z""#, "null"), Some(true));
        assert_eq!(with(r#""a""#, r#""q1-z""#, "{}"), Some(false));
        assert_eq!(with(r#""a""#, r#""q1-z""#, r#""x""#), Some(false));
        assert_eq!(with(r#""a""#, r#""q1""#, r#""y""#), Some(false));
        assert_eq!(with("1", r#""q1-z""#, r#""y""#), Some(false));
        assert_eq!(said(pattern, r#"{"type": "t", "metadata": "a"}"#), Some(false));
        assert_eq!(said(pattern, r#"{"type": "t", "metadata": {"team": "a", "of": "q1-"}}"#), Some(false));
    }

    #[test]
    fn of_what_else_is_wanted_the_pattern_decides() {
        let pattern = "{type: t, payload: {cost: [{numeric: ['>', 5]}]}}";
        assert_eq!(said(pattern, r#"{"type": "t", "payload": {"cost": 7}}"#), None);
        assert_eq!(said(pattern, r#"{"type": "u", "payload": {"cost": 7}}"#), Some(false));
        assert_eq!(said("{payload: {a: [{exists: false}]}}", "{}"), None);
        assert_eq!(said("{payload: {a: [x, y]}}", r#"{"payload": {"a": "y"}}"#), None);
    }

    #[test]
    fn a_list_on_the_way_is_left_to_the_pattern() {
        assert_eq!(said("{payload: {a: x}}", r#"{"payload": {"a": ["x"]}}"#), None);
        assert_eq!(said("{payload: {a: x}}", r#"{"payload": [{"a": "x"}]}"#), None);
    }

    #[test]
    fn a_text_too_long_to_be_brief_is_left_to_the_pattern() {
        for (length, whole) in [(127, Some(true)), (128, None)] {
            let long = "n".repeat(length);
            let [text, name] = [format!("{{type: {long}}}"), format!("{{payload: {{{long}: x}}}}")];
            assert_eq!(said(&text, &format!(r#"{{"type": "{long}"}}"#)), whole);
            assert_eq!(said(&name, &format!(r#"{{"payload": {{"{long}": "x"}}}}"#)), whole);
        }
    }
}
