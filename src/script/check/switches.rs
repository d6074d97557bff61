//! `switch` over a text of the event with cases that are none: it compares strictly, silently.
//!
//! The syntax tree keeps only hashes of the cases. The literals of the file are hashed the same
//! way, by compiling a `switch` of them, and those that are found again are the cases.

use super::Checker;
use super::tokens::tokens;
use crate::event::{self, Shape};
use rhai::{AST, ASTNode, Engine, Expr, Position, Stmt, SwitchCasesCollection, Token};
use std::collections::BTreeMap;

impl Checker<'_> {
    pub(super) fn switch(&mut self, subject: &Expr, cases: &SwitchCasesCollection, at: Position) {
        let Some(path) = text_of_event(subject) else { return };
        let literals = self.hashes.get_or_init(|| hashes(&self.script.source.text));
        let mut literals = literals.iter().filter(|(hash, _)| cases.cases.contains_key(*hash));
        let case = match (literals.next(), cases.ranges.is_empty()) {
            (Some((_, literal)), _) => format!("the case `{literal}`"),
            (None, false) => "a case that is a range".to_owned(),
            (None, true) => return,
        };
        if changes_event(&self.script.ast) {
            return;
        }
        // What a sender's user attaches is mostly text, but may be anything.
        let is = if path[0] == "metadata" { "may be" } else { "is" };
        let message = format!("`event.{}` {is} a text, which {case} never matches", path.join("."));
        let help = "`switch` compares strictly: write the case as a text in `\"…\"`, or `switch number(…)`";
        self.warn(at, message, help);
    }
}

/// Whether the script puts something of its own into the event.
fn changes_event(ast: &AST) -> bool {
    let mut changes = false;
    super::walk(ast, |node, _| {
        if let ASTNode::Stmt(Stmt::Assignment(parts)) = node
            && let Expr::Dot(two, ..) | Expr::Index(two, ..) = &parts.1.lhs
        {
            changes |= matches!(&two.lhs, Expr::Variable(variable, ..) if variable.1 == "event");
        }
    });
    changes
}

/// The path of a field of the event that is a text where it is there: `status`, `metadata.team`.
fn text_of_event(subject: &Expr) -> Option<Vec<&str>> {
    let (Expr::Dot(two, ..) | Expr::Index(two, ..)) = subject else { return None };
    let Expr::Variable(variable, ..) = &two.lhs else { return None };
    let path = path(&two.rhs).filter(|_| variable.1 == "event" && variable.2.is_empty())?;
    let shape = |name: &str| event::field(name).map(|field| field.shape);
    let is_text = match path[..] {
        [field] => shape(field) == Some(Shape::Text),
        ["metadata" | "headers", _] => true,
        _ => false,
    };
    is_text.then_some(path)
}

/// `a`, `a.b`, `a["b"]`, `get("a.b")`.
fn path(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::Property(property, _) => Some(vec![property.2.as_str()]),
        Expr::StringConstant(key, _) => Some(vec![key.as_str()]),
        Expr::Dot(two, ..) | Expr::Index(two, ..) => Some([path(&two.lhs)?, path(&two.rhs)?].concat()),
        Expr::MethodCall(call, _) if call.name == "get" => match &call.args[..] {
            [Expr::StringConstant(path, _)] | [Expr::StringConstant(path, _), Expr::StringConstant(..)] => {
                Some(path.split('.').collect())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The literals of a text that are no texts, by their hashes.
fn hashes(text: &str) -> BTreeMap<u64, String> {
    let engine = Engine::new_raw();
    let literals = tokens(text).into_iter().flat_map(|(token, _)| match token {
        Token::IntegerConstant(number) => vec![number.to_string(), format!("-{number}")],
        Token::FloatConstant(number) => vec![number.1.to_string(), format!("-{}", number.1)],
        Token::CharConstant(char) => vec![format!("{char:?}")],
        Token::True => vec!["true".to_owned()],
        Token::False => vec!["false".to_owned()],
        _ => Vec::new(),
    });
    literals.filter_map(|literal| Some((hash(&engine, &literal)?, literal))).collect()
}

fn hash(engine: &Engine, literal: &str) -> Option<u64> {
    let ast = engine.compile(format!("switch 0 {{ {literal} => 0 }}")).ok()?;
    let mut hash = None;
    super::walk(&ast, |node, _| {
        if let ASTNode::Stmt(Stmt::Switch(parts, _)) = node {
            hash = parts.1.cases.keys().next().copied();
        }
    });
    hash
}
