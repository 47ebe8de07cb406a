//! JSON text → [`Tree`]. `serde_json` says whether it is JSON; this finds the places.

use super::{
    tree::{Kind, MAX_DEPTH, MAX_NODES, NodeId, Style, Tree},
    yaml::{ReadError, too_deep},
};
use serde::de::IgnoredAny;

/// Whether a file is read as JSON: the kubelet's test.
pub fn is_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
}

/// Reads a text of one JSON value.
pub fn read(text: &str) -> Result<Tree<'_>, ReadError> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(syntax_error(text, &error));
    }
    let mut scanner = Scanner { tree: Tree::new(text), text, at: 0 };
    let root = scanner.value(0)?;
    scanner.tree.documents.push(root);
    Ok(scanner.tree)
}

fn syntax_error(text: &str, error: &serde_json::Error) -> ReadError {
    let begin = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let at = (begin + error.column().saturating_sub(1)).min(text.len());
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    if message.contains("recursion limit") {
        return too_deep(at..at + 1);
    }
    let error = ReadError::new("json-syntax", at..at + 1, format!("not valid JSON: {message}"));
    error.suggest("a file that begins with `{` is read as JSON; if it is YAML, begin it with a line `---`")
}

/// Walks text known to be valid JSON. Whatever were to contradict that ends as an error, not a panic.
struct Scanner<'i> {
    tree: Tree<'i>,
    text: &'i str,
    at: usize,
}

impl<'i> Scanner<'i> {
    fn value(&mut self, depth: usize) -> Result<NodeId, ReadError> {
        let start = self.skip_space();
        if depth > MAX_DEPTH {
            return Err(too_deep(start..start + 1));
        }
        match self.peek() {
            Some(b'{') => {
                let node = self.push(start, start + 1, Kind::Sequence(Vec::new()))?;
                let mut entries = Vec::new();
                self.items(b'}', |scanner| {
                    let key = scanner.value(depth + 1)?;
                    scanner.skip_space();
                    scanner.at += 1;
                    entries.push((key, scanner.value(depth + 1)?));
                    Ok(())
                })?;
                self.complete(node, Kind::Mapping(entries));
                Ok(node)
            }
            Some(b'[') => {
                let node = self.push(start, start + 1, Kind::Sequence(Vec::new()))?;
                let mut items = Vec::new();
                self.items(b']', |scanner| {
                    items.push(scanner.value(depth + 1)?);
                    Ok(())
                })?;
                self.complete(node, Kind::Sequence(items));
                Ok(node)
            }
            Some(b'"') => {
                self.at += 1;
                while let Some(byte) = self.peek().filter(|&b| b != b'"') {
                    self.at += if byte == b'\\' { 2 } else { 1 };
                }
                self.at += 1;
                let raw = self.slice(start);
                let text = serde_json::from_str::<String>(raw).map_err(|_| self.broken(start))?;
                self.push(start, self.at, Kind::Scalar { text: text.into(), style: Style::Quoted })
            }
            _ => {
                while self.peek().is_some_and(|b| !b" \t\r\n,:]}".contains(&b)) {
                    self.at += 1;
                }
                let text = self.slice(start).into();
                self.push(start, self.at, Kind::Scalar { text, style: Style::Json })
            }
        }
    }

    /// Items up to the closing bracket, each read by `item`.
    fn items(&mut self, close: u8, mut item: impl FnMut(&mut Self) -> Result<(), ReadError>) -> Result<(), ReadError> {
        self.at += 1;
        loop {
            let start = self.skip_space();
            match self.peek() {
                None => return Err(self.broken(start)),
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b',') => self.at += 1,
                Some(_) => item(self)?,
            }
            if self.at == start {
                return Err(self.broken(start));
            }
        }
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind<'i>) -> Result<NodeId, ReadError> {
        if self.tree.len() >= MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} keys and values");
            return Err(ReadError::new("too-large", start..end, message).suggest("split it into several files"));
        }
        Ok(self.tree.push(start, end, kind))
    }

    fn complete(&mut self, id: NodeId, kind: Kind<'i>) {
        let end = u32::try_from(self.at).unwrap_or(u32::MAX);
        if let Some(node) = self.tree.node_mut(id) {
            (node.kind, node.end) = (kind, end);
        }
    }

    fn slice(&self, start: usize) -> &'i str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) -> usize {
        while self.peek().is_some_and(|b| b" \t\r\n".contains(&b)) {
            self.at += 1;
        }
        self.at
    }

    fn broken(&self, start: usize) -> ReadError {
        ReadError::new("json-syntax", start..start + 1, "not valid JSON")
    }
}
