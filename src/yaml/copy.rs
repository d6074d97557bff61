//! Copies of nodes for anchors and aliases, and their bounds.

use super::{Entry, Node, Value};

/// How many bytes of nodes all anchors and aliases of a text may copy. Ten lines of aliases of
/// aliases would be billions of nodes.
pub(super) const MAX_COPIED_BYTES: usize = 64 << 20;

/// A copy of a node, if the bytes of it and of all copies before are within the bound.
pub(super) fn copy(node: &Node, copied_bytes: &mut usize) -> Option<Node> {
    *copied_bytes = copied_bytes.saturating_add(weight_bytes(node));
    (*copied_bytes <= MAX_COPIED_BYTES).then(|| node.clone())
}

/// How many lists and maps stand in each other.
pub(super) fn depth(node: &Node) -> usize {
    match &node.value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.node)).max().unwrap_or(0),
        _ => 0,
    }
}

fn weight_bytes(node: &Node) -> usize {
    let content = match &node.value {
        Value::String(text) => text.len(),
        Value::Number(number) => number.text().len(),
        Value::List(items) => items.iter().map(weight_bytes).sum(),
        Value::Map(entries) => entries.iter().map(entry_bytes).sum(),
        Value::Null | Value::Bool(_) => 0,
    };
    size_of::<Node>() + content
}

fn entry_bytes(entry: &Entry) -> usize {
    size_of::<Entry>() + entry.key.len() + weight_bytes(&entry.node)
}
