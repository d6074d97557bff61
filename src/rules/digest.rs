//! What a rule is made of, as one number: it changes exactly when the rule may behave differently.

use super::file::{RawFile, RawRule};
use crate::action::Programs;
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
    /// Scripts count together, with the limits they run under: they import each other. So do the
    /// programs that may be run.
    pub fn new(
        vars: &str,
        scripts: &BTreeMap<String, Arc<str>>,
        limits: Limits,
        programs: &Programs,
    ) -> Self {
        let limits = format!("{limits:?} {programs:?}");
        let texts = scripts.iter().flat_map(|(path, text)| [path.as_str(), text]);
        Self { vars: digest([vars]), scripts: digest(texts.chain([limits.as_str()])) }
    }

    /// What the rules of one file share.
    pub fn of_file(&self, file: &RawFile<'_>) -> OfFile {
        let keys = ["match", "retry", "timeout"].map(|key| text(file.node.get(key)));
        OfFile { keys, vars: hex::encode(self.vars), scripts: hex::encode(self.scripts) }
    }
}

/// The texts that go into the digests of all rules of a file.
pub(super) struct OfFile {
    keys: [String; 3],
    vars: String,
    scripts: String,
}

impl OfFile {
    /// The digest of one rule. Comments and layout do not count, nor do the file's other rules.
    pub fn rule(&self, rule: &RawRule<'_>, uses_scripts: bool) -> [u8; 32] {
        let own = text(Some(rule.node));
        let scripts = if uses_scripts { self.scripts.as_str() } else { "" };
        let keys = self.keys.iter().map(String::as_str);
        digest([own.as_str()].into_iter().chain(keys).chain([self.vars.as_str(), scripts]))
    }
}

fn text(node: Option<&Node>) -> String {
    node.map(|node| node.to_json().to_string()).unwrap_or_default()
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
