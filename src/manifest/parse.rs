//! Bytes of one file → its objects and everything found wrong with them.

use super::{Object, decode, diagnostic::Diagnostic};
use serde::Deserialize;
use serde_json::Value;
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
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { field_validation: FieldValidation::Strict, report_unsupported: true, silenced: BTreeSet::new() }
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
pub fn parse_file(path: &Path, bytes: &[u8], _options: &ParseOptions) -> Parsed {
    let mut parsed = Parsed::default();
    if let Err(diagnostic) = parse_documents(path, bytes, &mut parsed) {
        parsed.diagnostics.push(*diagnostic);
    }
    parsed
}

fn parse_documents(path: &Path, bytes: &[u8], parsed: &mut Parsed) -> Result<(), Box<Diagnostic>> {
    let error = |code, message: String| Box::new(Diagnostic::error(code, path, message));
    if bytes.len() > MAX_FILE_SIZE {
        return Err(error("too-large", format!("the file has {} bytes, more than 10 MiB", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| error("not-utf8", format!("the file is not UTF-8: {e}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut seen = false;
    // The iterator repeats a syntax error for ever: the first one ends the loop.
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = serde_yaml::Value::deserialize(document).map_err(|e| error("yaml", e.to_string()))?;
        let value = serde_json::to_value(value).map_err(|e| error("yaml", e.to_string()))?;
        if !value.is_null() {
            seen = true;
            take(path, &value, parsed)?;
        }
    }
    if seen { Ok(()) } else { Err(error("empty-file", "the file holds no object".into())) }
}

fn take(path: &Path, value: &Value, parsed: &mut Parsed) -> Result<(), Box<Diagnostic>> {
    let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    match (word("apiVersion"), word("kind")) {
        ("v1", "Pod") => {
            let pod = decode::decode_pod(value)
                .map_err(|e| Box::new(Diagnostic::error("type", path, e.message).field(e.field)))?;
            parsed.objects.push(Object::Pod { document: parsed.objects.len(), pod: Box::new(pod) });
        }
        ("v1", "List" | "PodList") => {
            for item in value.get("items").and_then(Value::as_array).into_iter().flatten() {
                take(path, item, parsed)?;
            }
        }
        (version, kind) => {
            let message = format!("kind {kind:?} of apiVersion {version:?} is not known");
            return Err(Box::new(Diagnostic::error("unknown-kind", path, message)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
