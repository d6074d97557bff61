//! Patterns: which events a rule is for. The operators of AWS EventBridge, and more.

use crate::diagnostic::Diagnostic;
use crate::json::Object;
use crate::yaml::Node;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {}

impl Pattern {
    /// Compiles what stands under `match:`. Problems are diagnostics without file and source,
    /// which the caller knows: (span, message, help, severity).
    ///
    /// # Errors
    /// All that is wrong.
    pub fn compile(node: &Node) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let _ = node;
        todo!("match")
    }

    /// Whether an event's document matches. Never fails: a value of another type does not match.
    pub fn matches(&self, document: &Object) -> bool {
        let _ = document;
        todo!("match")
    }
}
