//! YAML text → [`Tree`], by an event parser that knows places. Iterative: nesting costs no stack.

use super::tree::{CoreTag, Kind, MAX_DEPTH, MAX_NODES, NodeId, Style, Tree};
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use std::collections::HashMap;

/// Why a text can not be read at all. There is one at most: what follows a syntax error means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Code of the diagnostic.
    pub code: &'static str,
    /// The bytes to point at.
    pub range: std::ops::Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
}

impl ReadError {
    /// An error without advice.
    pub fn new(code: &'static str, range: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self { code, range, message: message.into(), suggestion: None }
    }

    /// Says what to do.
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

/// A collection being read.
struct Open {
    node: NodeId,
    anchor: usize,
    /// A mapping's key that waits for its value.
    key: Option<NodeId>,
    /// Nodes inside, aliases counted in full.
    size: usize,
}

/// An anchor's node and how many nodes it stands for; `None` while it is still being read.
type Anchors = HashMap<usize, Option<(NodeId, usize)>>;

struct Builder<'i> {
    tree: Tree<'i>,
    open: Vec<Open>,
    anchors: Anchors,
    expanded: usize,
}

/// Reads a text of several documents.
pub fn read(text: &str) -> Result<Tree<'_>, ReadError> {
    let mut builder = Builder { tree: Tree::new(text), open: Vec::new(), anchors: HashMap::new(), expanded: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax_error(text, &error))?;
        builder.event(event, &span)?;
    }
    Ok(builder.tree)
}

impl<'i> Builder<'i> {
    fn event(&mut self, event: Event<'i>, span: &Span) -> Result<(), ReadError> {
        let range = span.byte_range().unwrap_or(0..0);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match tag {
                    Some(tag) => scalar_tag(&tag, &range)?,
                    None if style == ScalarStyle::Plain => Style::Plain,
                    None => Style::Quoted,
                };
                let node = self.push(range, Kind::Scalar { text, style })?;
                self.done(node, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", &range)?;
                self.begin(range, anchor, Kind::Sequence(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map", &range)?;
                self.begin(range, anchor, Kind::Mapping(Vec::new()))?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    if let Some(node) = self.tree.node_mut(open.node) {
                        node.end = node.end.max(u32::try_from(range.end).unwrap_or(u32::MAX));
                    }
                    self.done(open.node, open.anchor, open.size)?;
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&Some((target, size))) => {
                    self.expanded += size;
                    let node = self.push(range, Kind::Alias(target))?;
                    self.done(node, 0, size)?;
                }
                _ => return Err(ReadError::new("yaml-alias", range, "this alias stands for what it is in")),
            },
            Event::DocumentStart(..) => self.anchors.clear(),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, range: std::ops::Range<usize>, kind: Kind<'i>) -> Result<NodeId, ReadError> {
        if self.tree.len() + self.expanded >= MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} keys and values, aliases written out");
            return Err(ReadError::new("too-large", range, message).suggest("split it into several files"));
        }
        Ok(self.tree.push(range.start, range.end, kind))
    }

    fn begin(&mut self, range: std::ops::Range<usize>, anchor: usize, kind: Kind<'i>) -> Result<(), ReadError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(range));
        }
        let node = self.push(range, kind)?;
        if anchor != 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { node, anchor, key: None, size: 1 });
        Ok(())
    }

    /// A node is complete: remember its anchor and hang it where it belongs.
    fn done(&mut self, node: NodeId, anchor: usize, size: usize) -> Result<(), ReadError> {
        if anchor != 0 {
            self.anchors.insert(anchor, Some((node, size)));
        }
        let Some(parent) = self.open.last_mut() else {
            let empty = self.tree.scalar(node) == Some(("", Style::Plain));
            if !empty {
                self.tree.documents.push(node);
            }
            return Ok(());
        };
        parent.size += size;
        match self.tree.node_mut(parent.node).map(|n| &mut n.kind) {
            Some(Kind::Sequence(items)) => items.push(node),
            Some(Kind::Mapping(entries)) => match parent.key.take() {
                None => parent.key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            _ => {}
        }
        Ok(())
    }
}

pub fn too_deep(range: std::ops::Range<usize>) -> ReadError {
    ReadError::new("too-deep", range, format!("lists and mappings nest more than {MAX_DEPTH} deep"))
}

fn scalar_tag(tag: &Tag, range: &std::ops::Range<usize>) -> Result<Style, ReadError> {
    match tag.core_suffix() {
        Some("str") => Ok(Style::Tagged(CoreTag::Str)),
        Some("int") => Ok(Style::Tagged(CoreTag::Int)),
        Some("float") => Ok(Style::Tagged(CoreTag::Float)),
        Some("bool") => Ok(Style::Tagged(CoreTag::Bool)),
        Some("null") => Ok(Style::Tagged(CoreTag::Null)),
        _ => Err(unknown_tag(tag, range)),
    }
}

fn collection_tag(tag: Option<&Tag>, wanted: &str, range: &std::ops::Range<usize>) -> Result<(), ReadError> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(wanted) => Err(unknown_tag(tag, range)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, range: &std::ops::Range<usize>) -> ReadError {
    ReadError::new("yaml-tag", range.clone(), format!("tag {tag} means nothing in a manifest")).suggest("remove it")
}

/// The first tab in the indentation of the line of an offset or of a later one: the parser may name
/// where the value begins that the tab broke.
fn first_tab(text: &str, at: usize) -> usize {
    let mut begin = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    for line in text.get(begin..).unwrap_or("").split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line.get(..indentation).and_then(|space| space.find('\t')) {
            return begin + tab;
        }
        begin += line.len();
    }
    at
}

fn syntax_error(text: &str, error: &ScanError) -> ReadError {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let kind = error.kind();
    if *kind == ErrorKind::RecursionLimitExceeded {
        return too_deep(at..at + 1);
    }
    let result = ReadError::new("yaml-syntax", at..at + 1, format!("not valid YAML: {}", error.info()));
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            let at = first_tab(text, at);
            ReadError { range: at..at + 1, ..result }.suggest("indent with spaces, not with tabs")
        }
        ErrorKind::MappingValueNotAllowed => {
            result.suggest("put a text that contains `: ` in quotes, or correct the indentation of this line")
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::ExpectedBlockMappingKey => {
            result.suggest("a key needs `: ` after it; check this line and its indentation")
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            result.suggest("an item of a list needs `- ` before it; check this line's indentation")
        }
        ErrorKind::InvalidIndentation | ErrorKind::InvalidBlockScalarIndent => {
            result.suggest("check this line's indentation")
        }
        ErrorKind::UnknownAnchor => result.suggest("define it with `&name` before using `*name`, or quote the text"),
        ErrorKind::UnexpectedCharacter { .. } => result.suggest("put the text in quotes"),
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::DocumentIndicatorInQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent => result.suggest("close the quotes"),
        ErrorKind::UnknownQuotedScalarEscape => {
            result.suggest("use single quotes, in which a backslash is itself, or double the backslash")
        }
        _ => result,
    }
}
