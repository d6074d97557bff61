//! Calls of functions: whether there is one, and with so many arguments.

use super::Checker;
use super::natives::wrong_count;
use crate::diagnostic::did_you_mean;
use rhai::{FnCallExpr, Position};
use std::collections::BTreeSet;

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &FnCallExpr, at: Position) {
        if call.op_token.is_some() || call.name.starts_with("anon$") {
            return;
        }
        let arguments = call.args.len();
        if !call.namespace.is_empty() {
            return self.qualified_call(call, at);
        }
        let own = self.functions.contains(&(call.name.to_string(), arguments));
        // `call` of a variable that holds a closure: `greet.call(…)` only, so a bare name is a function.
        if !own && !self.natives.has(&call.name, arguments) {
            self.unknown(&call.name, arguments, at);
        }
    }

    /// `obj.f(x)` is `f(obj, x)`, a script function that reads `this`, or a closure in a map.
    pub(super) fn method(&mut self, call: &FnCallExpr, at: Position) {
        let (name, arguments) = (call.name.as_str(), call.args.len());
        let own = self.functions.contains(&(name.to_owned(), arguments));
        let known = self.functions.contains(&(name.to_owned(), arguments + 1)) || self.keys.contains(name);
        if !own && !known && !self.natives.has(name, arguments + 1) {
            self.unknown(name, arguments, at);
        }
    }

    pub(super) fn unknown(&mut self, name: &str, arguments: usize, at: Position) {
        let own = self.functions.iter().filter(|(known, _)| known == name).map(|(_, count)| *count);
        let counts: BTreeSet<usize> = own.chain(self.natives.named(name)).collect();
        if counts.is_empty() {
            let names = self.functions.iter().map(|(name, _)| name.as_str());
            let meant = did_you_mean(name, names.chain(self.natives.names())).map(str::to_owned);
            let help = self.natives.elsewhere(name).or(meant).map(|meant| format!("did you mean `{meant}`?"));
            return self.report(at, format!("there is no function `{name}`"), help);
        }
        self.report(at, wrong_count(name, &counts, arguments), None);
    }
}
