//! The paths that occur in the index, and the walk of an event along them.

use super::hash::At;
use crate::json::{Json, Object};
use std::collections::BTreeMap;
use std::ops::Range;

/// A path, as it is numbered while the index is built (and in the hashes).
pub(super) type PathId = u32;

/// What is looked up of the values at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    Text,
    /// A number, a boolean, null.
    Other,
    /// The first bytes of a text, so many.
    Prefix(u32),
}

/// All paths that patterns name, while the index is built.
pub(super) struct Tree(Vec<Branch>);

#[derive(Default)]
struct Branch {
    children: BTreeMap<Box<str>, PathId>,
    texts: bool,
    others: bool,
    prefixes: Vec<u32>,
    /// Whether something is looked up here or below.
    used: bool,
}

impl Tree {
    pub const ROOT: PathId = 0;

    pub fn new() -> Self {
        Self(vec![Branch::default()])
    }

    /// The path of a field of what is at `parent`.
    pub fn child(&mut self, parent: PathId, name: &str) -> PathId {
        if let Some(path) = self.0[parent as usize].children.get(name) {
            return *path;
        }
        let path = u32::try_from(self.0.len()).expect("files are bounded to far fewer bytes");
        self.0.push(Branch::default());
        self.0[parent as usize].children.insert(name.into(), path);
        path
    }

    /// From now on this is looked up at `path`.
    pub fn look_up(&mut self, path: PathId, lookup: Lookup) {
        let branch = &mut self.0[path as usize];
        branch.used = true;
        match lookup {
            Lookup::Text => branch.texts = true,
            Lookup::Other => branch.others = true,
            Lookup::Prefix(length) if branch.prefixes.contains(&length) => {}
            Lookup::Prefix(length) => branch.prefixes.push(length),
        }
    }

    /// The paths that are looked up, packed.
    pub fn pack(mut self) -> Paths {
        // Children come after their parents.
        for path in (0..self.0.len()).rev() {
            let below = self.0[path].children.values().any(|child| self.0[*child as usize].used);
            self.0[path].used |= below;
        }
        let mut paths = Paths { nodes: Vec::new(), names: String::new(), prefixes: Vec::new() };
        let root = self.node(Self::ROOT, 0..0, &mut paths.prefixes);
        paths.nodes.push(root);
        let mut queue = std::collections::VecDeque::from([(0, Self::ROOT)]);
        while let Some((at, path)) = queue.pop_front() {
            let first = paths.nodes.len();
            for (name, child) in &self.0[path as usize].children {
                if self.0[*child as usize].used {
                    let start = paths.names.len();
                    paths.names.push_str(name);
                    queue.push_back((paths.nodes.len(), *child));
                    let node = self.node(*child, start..paths.names.len(), &mut paths.prefixes);
                    paths.nodes.push(node);
                }
            }
            paths.nodes[at].children = first..paths.nodes.len();
        }
        paths
    }

    fn node(&self, path: PathId, name: Range<usize>, prefixes: &mut Vec<u32>) -> Node {
        let branch = &self.0[path as usize];
        let first = prefixes.len();
        prefixes.extend_from_slice(&branch.prefixes);
        Node {
            name,
            at: At::path(path),
            texts: branch.texts,
            others: branch.others,
            prefixes: first..prefixes.len(),
            children: 0..0,
        }
    }
}

/// The paths that are looked up: children stand side by side, in order of their names.
pub(super) struct Paths {
    nodes: Vec<Node>,
    names: String,
    /// Lengths in bytes.
    prefixes: Vec<u32>,
}

struct Node {
    name: Range<usize>,
    at: At,
    texts: bool,
    others: bool,
    prefixes: Range<usize>,
    children: Range<usize>,
}

impl Paths {
    /// The hashes of what is looked up in a document.
    pub fn find(&self, document: &Object, found: &mut Vec<u64>) {
        if let Some(root) = self.nodes.first() {
            self.object(root, document, found);
        }
    }

    /// Goes through whichever is fewer: the names looked up, or those that are there.
    fn object(&self, node: &Node, object: &Object, found: &mut Vec<u64>) {
        let children = &self.nodes[node.children.clone()];
        if children.len() <= object.len() {
            for child in children {
                if let Some(value) = object.get(self.name(child)) {
                    self.value(child, value, found);
                }
            }
        } else {
            for (name, value) in object.iter() {
                if let Ok(at) = children.binary_search_by(|child| self.name(child).cmp(name)) {
                    self.value(&children[at], value, found);
                }
            }
        }
    }

    fn value(&self, node: &Node, value: &Json, found: &mut Vec<u64>) {
        match value {
            Json::Object(object) => self.object(node, object, found),
            Json::Array(items) => items.iter().for_each(|item| self.value(node, item, found)),
            Json::String(text) => self.text(node, text, found),
            _ if node.others => found.extend(node.at.scalar(value)),
            _ => {}
        }
    }

    fn text(&self, node: &Node, text: &str, found: &mut Vec<u64>) {
        if node.texts {
            found.push(node.at.text(text));
        }
        let prefixes = self.prefixes[node.prefixes.clone()].iter();
        let cut = prefixes.filter_map(|length| text.as_bytes().get(..*length as usize));
        found.extend(cut.map(|prefix| node.at.prefix(prefix)));
    }

    fn name(&self, node: &Node) -> &str {
        &self.names[node.name.clone()]
    }
}
