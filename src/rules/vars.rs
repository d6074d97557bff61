//! The `vars` of all files as one: each top-level key belongs to one file.

use super::file::RawFile;
use crate::json::Json;
use crate::registry::ConfigError;
use crate::template::Vars;
use crate::yaml::{Entry, Node, Value};
use std::collections::BTreeMap;

/// Merges the `vars` of all files. `None` if something is wrong with them.
pub(super) fn compile(files: &mut [RawFile<'_>]) -> (Json, Option<Vars>) {
    let mut whole = true;
    let mut owners: BTreeMap<&str, (usize, &Node)> = BTreeMap::new();
    for (index, file) in files.iter_mut().enumerate() {
        let Some(entry) = file.vars else { continue };
        whole &= matches!(entry.node.value, Value::Map(_) | Value::Null);
        for Entry { key, key_span, node } in file.report.entries(&entry.node, "`vars`") {
            if owners.insert(key, (index, node)).is_some_and(|(other, _)| other != index) {
                let message = format!("another file has `{key}` in its `vars`, which all files share");
                file.report.error(*key_span, message);
                whole = false;
            }
        }
    }
    let merged = Json::object(owners.iter().map(|(key, (_, node))| (*key, node.to_json())));
    match Vars::compile(&merged) {
        Ok(vars) => (merged, whole.then_some(vars)),
        Err(errors) => {
            errors.into_iter().for_each(|error| report_error(files, &owners, error));
            (merged, None)
        }
    }
}

/// Reports an error in the merged `vars` in the file that the first step of its pointer is from.
fn report_error(files: &mut [RawFile<'_>], owners: &BTreeMap<&str, (usize, &Node)>, error: ConfigError) {
    let first = error.pointer.split('/').nth(1).unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let owner = owners.get(first.as_str()).or_else(|| owners.values().next());
    let Some((index, _)) = owner else { return };
    let file = &mut files[*index];
    if let Some(entry) = file.vars {
        file.report.config(&entry.node, error);
    }
}

pub(super) fn none() -> Vars {
    Vars::compile(&Json::object::<String>([])).expect("an empty map has no malformed reference")
}
