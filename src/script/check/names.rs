//! Names: variables, constants, the event's fields, and `vars`, which is taken.

use super::Checker;
use crate::diagnostic::did_you_mean;
use crate::event;
use crate::script::library::HANDLER;
use rhai::{ASTNode, Expr, Position};

const VARS_TAKEN: &str = "`vars` is the name of the rule set's shared values and cannot be used for another";

fn hides_vars(function: &rhai::ScriptFnMetadata<'_>) -> bool {
    !function.name.starts_with("anon$") && function.params.contains(&"vars")
}

impl Checker<'_> {
    /// An `on_event` that will not be found, and parameters that hide `vars`.
    pub(super) fn handler(&mut self) {
        let ast = &self.script.ast;
        let handlers: Vec<_> = ast.iter_functions().filter(|f| f.name == HANDLER).collect();
        if let (Some(first), None) = (handlers.first(), self.script.handler) {
            let message = format!("`{HANDLER}` takes `(event, params)` or `(event)` and is not private");
            self.report(Position::NONE, message, Some(format!("this one reads `{first}`")));
        }
        if let Some(function) = ast.iter_functions().find(|f| hides_vars(f)) {
            self.report(Position::NONE, format!("`{function}`: {VARS_TAKEN}"), None);
        }
    }

    pub(super) fn defines(&mut self, name: &str, at: Position) {
        if name == "vars" {
            self.report(at, VARS_TAKEN.to_owned(), None);
        }
    }

    pub(super) fn variable(&mut self, name: &str, at: Position) {
        let function = self.functions.iter().any(|(function, _)| function == name);
        if name == "vars" || function || self.captured.contains(name) || self.literals.contains(name) {
            return;
        }
        if self.constants.contains(name) {
            let help = format!(
                "write `global::{name}` for a `const` whose value is computed; a `let` stays outside"
            );
            return self.report(at, format!("`{name}` cannot be seen inside functions"), Some(help));
        }
        let help = match name {
            "event" | "params" => {
                format!("`{name}` is a parameter of `{HANDLER}`: hand it on to other functions")
            }
            _ => "a variable is made with `let`".to_owned(),
        };
        self.report(at, format!("there is no variable `{name}`"), Some(help));
    }

    pub(super) fn qualified(&mut self, root: &str, name: &str, at: Position) {
        if root == "global" && !self.constants.contains(name) {
            self.report(at, format!("there is no constant `{name}` at the top of the file"), None);
        } else if self.natives.is_module(root) && !self.imports.iter().any(|import| import.alias == root) {
            let help = format!("its functions are called: `{root}::{name}()`");
            self.report(at, format!("`{root}` has no constant `{name}`"), Some(help));
        }
    }

    /// `event.stauts`: the document's fields are known.
    pub(super) fn field(&mut self, object: &Expr, rest: &Expr, above: &[ASTNode<'_>]) {
        let Expr::Variable(name, ..) = object else { return };
        let property = match rest {
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
            other => other,
        };
        let Expr::Property(property, at) = property else { return };
        let field = property.2.as_str();
        let known = event::is_seen(field) || self.keys.contains(field);
        if name.1 != "event" || known || above.iter().any(|node| matches!(node, ASTNode::Expr(Expr::Dot(..))))
        {
            return;
        }
        let help = match did_you_mean(field, event::FIELDS.iter().copied()) {
            Some(meant) => format!("did you mean `event.{meant}`?"),
            None => format!("what the sender posted is below `event.payload`: `event.payload.{field}`"),
        };
        self.report(*at, format!("an event has no field `{field}`"), Some(help));
    }
}
