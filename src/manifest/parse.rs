//! Bytes of one file → its objects and everything found wrong with them.
//!
//! Stages, each cheap enough for the one after it to be safe: size and bytes, nesting of brackets,
//! the event parser with its limits ([`super::text::yaml`]), the second reader ([`super::text::second`]),
//! JSON values ([`super::text::value`]), then each object is judged ([`super::judge`]).

use super::{
    Object,
    diagnostic::{Diagnostic, Place},
    findings::Findings,
    judge, kinds,
    path::{Path as FieldPath, Step},
    text::{
        json,
        scalar::Scalar,
        second::Second,
        tree::{Kind, MAX_DEPTH, NodeId, Style, Tree},
        value,
        yaml::{self, ReadError},
    },
};
use crate::convert::SupportPolicy;
use std::{collections::BTreeSet, path::Path};

/// Larger files are refused (the kubelet's limit).
pub const MAX_FILE_SIZE: usize = 10 << 20;

/// What to do with unknown fields and duplicate keys (the API's `fieldValidation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[clap(rename_all = "PascalCase")]
pub enum FieldValidation {
    /// The file is refused.
    #[default]
    Strict,
    /// They are warned about; unknown fields are dropped and the last of duplicate keys wins.
    Warn,
    /// As `Warn`, without a word.
    Ignore,
}

/// How files are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// Strictness about unknown fields and duplicate keys.
    pub field_validation: FieldValidation,
    /// Whether to report what this version does not act on yet, beside what the API's rules forbid.
    pub report_unsupported: bool,
    /// Codes of warnings that are not wanted.
    pub silenced: BTreeSet<String>,
    /// What the node lets pods do beyond what is always let.
    pub support: SupportPolicy,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            field_validation: FieldValidation::Strict,
            report_unsupported: true,
            silenced: BTreeSet::new(),
            support: SupportPolicy::default(),
        }
    }
}

/// A file, understood. It is refused if any diagnostic is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The objects, in order. Incomplete when the file is refused.
    pub objects: Vec<Object>,
    /// Errors and warnings, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether the file is refused.
    pub fn is_refused(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads one file's content. Pure, and safe on any input; run it off the async threads, since a file
/// of 10 MiB takes a while.
pub fn parse_file(path: &Path, bytes: &[u8], options: &ParseOptions) -> Parsed {
    match read_text(path, bytes) {
        Ok(text) => parse_text(path, text, options),
        Err(diagnostic) => Parsed { objects: Vec::new(), diagnostics: vec![*diagnostic] },
    }
}

fn read_text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, Box<Diagnostic>> {
    let refused = |code, message: String| Box::new(Diagnostic::error(code, path, message));
    if bytes.len() > MAX_FILE_SIZE {
        let diagnostic = refused("too-large", format!("the file has {} bytes, more than 10 MiB", bytes.len()));
        return Err(Box::new(diagnostic.suggest("split it into several files")));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let place = Tree::new(std::str::from_utf8(&bytes[..at]).unwrap_or("")).place_of(at, at + 1);
            let message = format!("byte {} is not UTF-8", at + 1);
            return Err(Box::new(refused("not-utf8", message).at(Some(place)).suggest("save the file as UTF-8")));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.find('\0') {
        let place = Tree::new(text).place_of(at, at + 1);
        return Err(Box::new(refused("nul-byte", "the file holds a NUL byte".into()).at(Some(place))));
    }
    Ok(text)
}

fn parse_text(path: &Path, text: &str, options: &ParseOptions) -> Parsed {
    let read =
        if json::is_json(text) { json::read(text) } else { check_brackets(text).and_then(|()| yaml::read(text)) };
    let tree = match read {
        Ok(tree) => tree,
        Err(error) => return refused(path, &Tree::new(text), error),
    };
    let mut findings = Findings::new(path, options, &tree);
    match parse_tree(&tree, &mut findings) {
        Ok(objects) => Parsed { objects, diagnostics: findings.finish() },
        Err(error) => {
            let mut parsed = refused(path, &tree, error);
            // What was found before the reading ended is still true.
            parsed.diagnostics.extend(findings.finish());
            parsed
        }
    }
}

fn parse_tree(tree: &Tree, findings: &mut Findings) -> Result<Vec<Object>, ReadError> {
    let documents: Vec<NodeId> = tree.documents.iter().copied().filter(|id| !is_null(tree, *id)).collect();
    let seconds = if json::is_json(tree.text()) {
        None
    } else {
        let seconds = Second::read(tree.text()).map_err(|error| second_error(tree, &error))?;
        if seconds.len() != documents.len() {
            return Err(ReadError::new("yaml-ambiguous", 0..1, "readers of YAML disagree about its documents"));
        }
        Some(seconds)
    };
    if documents.is_empty() {
        let error = ReadError::new("empty-file", 0..1, "the file holds no object");
        return Err(error.suggest("remove the file if it is to declare nothing"));
    }
    let mut objects = Vec::new();
    let mut judge = judge::Judge::new(findings);
    for (index, document) in documents.into_iter().enumerate() {
        judge.findings.enter_document(document);
        let second = seconds.as_ref().and_then(|s| s.get(index));
        let value = value::to_json(tree, document, second, judge.findings)?;
        judge.value(value, &FieldPath::ROOT, &mut objects);
    }
    Ok(objects)
}

/// Where a field of an object stands in a text that was found good: for findings about several files,
/// which know no places.
pub fn locate(text: &str, document: usize, field: &str) -> Option<Place> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = if json::is_json(text) { json::read(text) } else { yaml::read(text) }.ok()?;
    let documents = tree.documents.iter().copied().filter(|id| !is_null(&tree, *id));
    let objects: Vec<NodeId> = documents.flat_map(|id| items(&tree, id)).collect();
    tree.place_of_steps(*objects.get(document)?, &steps(field))
}

/// The objects of a document: itself, or what it lists.
fn items(tree: &Tree, object: NodeId) -> Vec<NodeId> {
    let word = |name| {
        let found = tree.find(object, &[Step::Field(name)]);
        tree.scalar(found.value).filter(|_| found.complete).map_or("", |(text, _)| text)
    };
    if kinds::lookup(word("apiVersion"), word("kind")) != kinds::Kind::List {
        return vec![object];
    }
    let list = tree.find(object, &[Step::Field("items")]).value;
    match tree.node(tree.resolve(list)).map(|n| &n.kind) {
        Some(Kind::Sequence(found)) => found.iter().flat_map(|&item| items(tree, item)).collect(),
        _ => Vec::new(),
    }
}

/// The steps of a path in Kubernetes notation, without keys of maps.
fn steps(field: &str) -> Vec<Step<'_>> {
    let parts = field.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| part.strip_suffix(']').and_then(|n| n.parse().ok()).map_or(Step::Field(part), Step::Index))
        .collect()
}

fn is_null(tree: &Tree, id: NodeId) -> bool {
    match tree.scalar(id) {
        Some((text, Style::Plain)) => Scalar::resolve(text) == Scalar::Null,
        Some((text, Style::Json)) => text == "null",
        _ => false,
    }
}

/// Deep nesting of brackets is the one thing that makes the second reader slow (its time grows with
/// the square). Brackets in texts and comments count too, but none has hundreds open at once.
fn check_brackets(text: &str) -> Result<(), ReadError> {
    const MAX_OPEN: usize = 512;
    let mut open = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            let message = format!("more than {MAX_OPEN} brackets are open; lists may nest {MAX_DEPTH} deep");
            return Err(ReadError::new("too-deep", at..at + 1, message));
        }
    }
    Ok(())
}

fn second_error(tree: &Tree, error: &serde_yaml::Error) -> ReadError {
    let at = error.location().map_or(0, |location| location.index().min(tree.text().len()));
    let message = error.to_string();
    if message.contains("limit exceeded") {
        return yaml::too_deep(at..at + 1);
    }
    ReadError::new("yaml-syntax", at..at + 1, format!("not valid YAML: {message}"))
}

fn refused(path: &Path, tree: &Tree, error: ReadError) -> Parsed {
    let mut diagnostic = Diagnostic::error(error.code, path, error.message);
    diagnostic.place = Some(tree.place_of(error.range.start, error.range.end));
    diagnostic.suggestion = error.suggestion;
    // A line of a broken file may be a secret's.
    diagnostic.sensitive = tree.text().contains("Secret");
    Parsed { objects: Vec::new(), diagnostics: vec![diagnostic] }
}

#[cfg(test)]
mod tests;
