//! What stands in a file and where: the nodes of all its documents, with their byte ranges.
//!
//! Holds no meaning: duplicate keys, merge keys and aliases are all still there. Bounded by
//! [`MAX_NODES`] and [`MAX_DEPTH`].

use crate::manifest::{
    diagnostic::Place,
    path::{Path, Step},
};
use std::borrow::Cow;

/// Nodes (scalars, lists, mappings, keys too) a file may have, aliases counted as what they stand
/// for. Some 4,000 typical containers; a Pod the API server would take (1.5 MiB) has fewer.
pub const MAX_NODES: usize = 250_000;
/// How deep lists and mappings may nest. A Pod needs about 15.
pub const MAX_DEPTH: usize = 64;

/// Index of a node.
pub type NodeId = u32;

/// All nodes of a file.
#[derive(Debug, Default)]
pub struct Tree<'i> {
    nodes: Vec<Node<'i>>,
    /// Roots of the documents, in order, empty ones left out.
    pub documents: Vec<NodeId>,
    lines: Vec<u32>,
    text: &'i str,
}

/// A node and the bytes it spans.
#[derive(Debug)]
pub struct Node<'i> {
    /// Where it begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// What it is.
    pub kind: Kind<'i>,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind<'i> {
    /// A scalar.
    Scalar {
        /// Its text, without quotes and escapes.
        text: Cow<'i, str>,
        /// How it was written.
        style: Style,
    },
    /// A list.
    Sequence(Vec<NodeId>),
    /// A mapping, in order.
    Mapping(Vec<(NodeId, NodeId)>),
    /// Stands for another node.
    Alias(NodeId),
}

/// How a scalar was written, as far as its meaning depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes, in YAML: may be a number, a boolean or null.
    Plain,
    /// In quotes, or a block: text.
    Quoted,
    /// With a core tag such as `!!int`: must be that.
    Tagged(CoreTag),
    /// A bare word of JSON: a number, `true`, `false` or `null`.
    Json,
}

/// The tags of YAML's core schema that are understood on scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreTag {
    /// `!!str`
    Str,
    /// `!!int`
    Int,
    /// `!!float`
    Float,
    /// `!!bool`
    Bool,
    /// `!!null`
    Null,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The value.
    pub value: NodeId,
    /// Its key, if it is in a mapping.
    pub key: Option<NodeId>,
    /// Whether the whole path exists; else this is its longest part that does.
    pub complete: bool,
}

impl<'i> Tree<'i> {
    /// An empty tree over a text.
    pub fn new(text: &'i str) -> Self {
        let bytes = text.as_bytes();
        let breaks = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        // Texts are at most 10 MiB, so offsets fit.
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| offset(at + 1))).collect();
        Self { nodes: Vec::new(), documents: Vec::new(), lines, text }
    }

    /// The text it was made from.
    pub fn text(&self) -> &'i str {
        self.text
    }

    /// Adds a node.
    pub fn push(&mut self, start: usize, end: usize, kind: Kind<'i>) -> NodeId {
        self.nodes.push(Node { start: offset(start), end: offset(end), kind });
        offset(self.nodes.len() - 1)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node; aliases are not followed.
    pub fn node(&self, id: NodeId) -> Option<&Node<'i>> {
        self.nodes.get(id as usize)
    }

    /// The node, to complete it.
    pub fn node_mut(&mut self, id: NodeId) -> Option<&mut Node<'i>> {
        self.nodes.get_mut(id as usize)
    }

    /// The node an alias stands for, or the node itself.
    pub fn resolve(&self, id: NodeId) -> NodeId {
        match self.node(id).map(|n| &n.kind) {
            Some(Kind::Alias(target)) => *target,
            _ => id,
        }
    }

    /// The text of a scalar, aliases followed.
    pub fn scalar(&self, id: NodeId) -> Option<(&str, Style)> {
        match &self.node(self.resolve(id))?.kind {
            Kind::Scalar { text, style } => Some((text, *style)),
            _ => None,
        }
    }

    /// Whether a key is a merge key.
    pub fn is_merge(&self, key: NodeId) -> bool {
        self.scalar(key) == Some(("<<", Style::Plain))
    }

    /// Follows a path as far as it goes. Merge keys are followed; of duplicate keys the last counts.
    pub fn find(&self, document: NodeId, steps: &[Step]) -> Found {
        let mut found = Found { value: document, key: None, complete: true };
        for &step in steps {
            let next = match (self.node(self.resolve(found.value)).map(|n| &n.kind), step) {
                (Some(Kind::Sequence(items)), Step::Index(index)) => items.get(index).map(|&value| (value, None)),
                (Some(Kind::Mapping(_)), Step::Field(name) | Step::Key(name)) => {
                    self.entry(found.value, name, MAX_DEPTH).map(|(key, value)| (value, Some(key)))
                }
                _ => None,
            };
            let Some((value, key)) = next else {
                found.complete = false;
                break;
            };
            (found.value, found.key) = (value, key);
        }
        found
    }

    /// The entry of a mapping by key, looked for in merged mappings last.
    fn entry(&self, mapping: NodeId, name: &str, depth: usize) -> Option<(NodeId, NodeId)> {
        let depth = depth.checked_sub(1)?;
        let Kind::Mapping(entries) = &self.node(self.resolve(mapping))?.kind else { return None };
        let own = entries.iter().rev().find(|(key, _)| self.scalar(*key).is_some_and(|(text, _)| text == name));
        if let Some(&entry) = own.filter(|(key, _)| !self.is_merge(*key)) {
            return Some(entry);
        }
        let merges = entries.iter().filter(|(key, _)| self.is_merge(*key)).map(|(_, value)| *value);
        merges.into_iter().find_map(|value| match &self.node(self.resolve(value))?.kind {
            Kind::Sequence(items) => items.iter().find_map(|&item| self.entry(item, name, depth)),
            _ => self.entry(value, name, depth),
        })
    }

    /// Where a node is: its first line.
    pub fn place(&self, id: NodeId) -> Option<Place> {
        let node = self.node(id)?;
        Some(self.place_of(node.start as usize, node.end as usize))
    }

    /// Where to point for a path: at the value if it is a scalar, else at its key, else at where it
    /// begins; for what does not exist, at what it should be in.
    pub fn place_of_steps(&self, document: NodeId, steps: &[Step]) -> Option<Place> {
        let found = self.find(document, steps);
        let scalar = matches!(self.node(found.value)?.kind, Kind::Scalar { .. } | Kind::Alias(_));
        match found.key {
            Some(key) if !scalar || !found.complete => self.place(key),
            _ => self.place(found.value),
        }
    }

    /// As [`Self::place_of_steps`].
    pub fn place_of_path(&self, document: NodeId, path: &Path) -> Option<Place> {
        self.place_of_steps(document, &path.steps())
    }

    /// Where a path's key is.
    pub fn place_of_key(&self, document: NodeId, path: &Path) -> Option<Place> {
        let found = self.find(document, &path.steps());
        self.place(found.key.filter(|_| found.complete).unwrap_or(found.value))
    }

    /// The place of a range of bytes, as much of it as is on its first line.
    pub fn place_of(&self, start: usize, end: usize) -> Place {
        let start = floor_boundary(self.text, start);
        let line = self.lines.partition_point(|&begin| begin as usize <= start).max(1);
        let begin = self.lines.get(line - 1).map_or(0, |&begin| begin as usize);
        let line_end = self.lines.get(line).map_or(self.text.len(), |&next| next as usize);
        let content = self.text.get(start..line_end).unwrap_or("").trim_end_matches(['\n', '\r']);
        let spanned = content.get(..floor_boundary(content, end.saturating_sub(start))).unwrap_or("");
        let column = self.text.get(begin..start).unwrap_or("").chars().count() + 1;
        Place { line, column, width: spanned.trim_end().chars().count().max(1) }
    }
}

/// The last boundary of a character at or before an offset.
fn floor_boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn offset(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
