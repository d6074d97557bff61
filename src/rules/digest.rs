//! What a rule is made of, as one number: it changes exactly when the rule may behave differently.

use super::file::{RawFile, RawRule};
use crate::script::Limits;
use crate::yaml::Node;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// SHA-256 over what all rules of a rule set share.
pub(super) struct Shared {
    vars: [u8; 32],
    scripts: [u8; 32],
}

impl Shared {
    /// Scripts count together, with the limits they run under: they import each other.
    pub fn new(vars: &str, scripts: &BTreeMap<String, Arc<str>>, limits: Limits) -> Self {
        let limits = format!("{limits:?}");
        let texts = scripts.iter().flat_map(|(path, text)| [path.as_str(), text]);
        Self { vars: digest([vars]), scripts: digest(texts.chain([limits.as_str()])) }
    }

    /// The digest of one rule. Comments and layout do not count, nor do the file's other rules.
    pub fn rule(&self, file: &RawFile<'_>, rule: &RawRule<'_>, uses_scripts: bool) -> [u8; 32] {
        let text = |node: Option<&Node>| node.map(|node| node.to_json().to_string()).unwrap_or_default();
        let of_file = |key| text(file.node.get(key));
        let own = [text(Some(rule.node)), of_file("match"), of_file("retry"), of_file("timeout")];
        let scripts = if uses_scripts { hex::encode(self.scripts) } else { String::new() };
        let shared = [hex::encode(self.vars), scripts];
        digest(own.iter().chain(&shared).map(String::as_str))
    }
}

/// Each part with its length, so that what moves from one to the next is a change.
fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
