//! `wildcard`: strings like a text in which `*` stands for any run of characters.

use super::{Example, Operator, Takes, Test, texts};
use crate::diagnostic::Problem;
use crate::yaml::Node;
use std::fmt;

pub(super) const OPERATOR: Operator = Operator::new("wildcard", "Strings like a text in which `*` stands for any run of characters.", Takes::Texts, build).with_notes("`*` may stand for nothing. `\\*` is a star and `\\\\` a backslash; there is no `?`, and `**` is refused. Quote it in YAML: a plain `*` begins an alias.").with_examples(&[Example { pattern: "type: [{wildcard: \"agent.*.status_update\"}]", matches: &["{type: agent.task.status_update}", "{type: agent.a.b.status_update}"], differs: &["{type: agent.status_update}"] },Example { pattern: "payload: {path: [{wildcard: ['/img/*.png', '/tmp/*']}]}", matches: &["{payload: {path: /img/a.png}}", "{payload: {path: /tmp/}}"], differs: &["{payload: {path: /img/a.jpg}}"] },Example { pattern: "payload: {formula: [{wildcard: 'a\\*b*'}]}", matches: &["{payload: {formula: a*bc}}"], differs: &["{payload: {formula: axbc}}"] },]);

const HELP: &str =
    "a single `*` stands for any run of characters; in single quotes, `\\*` is a star and `\\\\` a backslash";

/// The texts between the stars: the first begins the string, the last ends it, those between
/// follow in order. Each is looked for once, so a match takes linear time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    pub pieces: Vec<Box<str>>,
}

fn build(node: &Node, problems: &mut Vec<Problem>) -> Option<Test> {
    let wildcards = texts::each(node, "wildcard", problems, |text, span, problems| {
        let refused =
            |message: &str| Problem::error(span, format!("the wildcard `{text}` {message}")).with_help(HELP);
        Wildcard::parse(text).map_err(|message| problems.push(refused(message))).ok()
    });
    wildcards.map(Test::Wildcard)
}

/// As it would be written.
impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, piece) in self.pieces.iter().enumerate() {
            f.write_str(if index > 0 { "*" } else { "" })?;
            f.write_str(&piece.replace('\\', "\\\\").replace('*', "\\*"))?;
        }
        Ok(())
    }
}

impl Wildcard {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut piece) = (Vec::new(), String::new());
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.peek() == Some(&'*') => return Err("has two stars in a row"),
                '*' => pieces.push(std::mem::take(&mut piece).into()),
                '\\' => match chars.next() {
                    Some(escaped @ ('*' | '\\')) => piece.push(escaped),
                    _ => return Err("has a backslash that is followed by neither `*` nor another one"),
                },
                _ => piece.push(c),
            }
        }
        pieces.push(piece.into());
        Ok(Self { pieces })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let Some((last, between)) = rest.split_last() else { return text == &**first };
        let Some(mut left) = text.strip_prefix(&**first).and_then(|left| left.strip_suffix(&**last)) else {
            return false;
        };
        between.iter().all(|piece| match left.split_once(&**piece) {
            Some((_, behind)) => {
                left = behind;
                true
            }
            None => false,
        })
    }
}
