//! What is written: objects as JSON or YAML, and the state of the manifest directory. Pure but for writing.

use super::{OutputFormat, QueryError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Write;

/// Most refused files that are named beside a table of pods.
const NOTES: usize = 3;

/// Writes objects as kubectl does: one that was asked for by its name as itself, else a list.
pub(super) fn objects(
    mut objects: Vec<Value>,
    alone: bool,
    format: OutputFormat,
    out: &mut impl Write,
) -> Result<(), QueryError> {
    let object = match objects.len() {
        1 if alone => objects.swap_remove(0),
        0 if alone => return Ok(()),
        _ => json!({"apiVersion": "v1", "kind": "List", "items": objects, "metadata": {"resourceVersion": ""}}),
    };
    if format == OutputFormat::Yaml {
        out.write_all(serde_yaml::to_string(&object)?.as_bytes())?;
    } else {
        let mut bytes = Vec::new();
        let indented = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, indented);
        serde::Serialize::serialize(&object, &mut serializer)?;
        bytes.push(b'\n');
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The manifest directory, as the daemon tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct Manifests {
    directory: Directory,
    items: Vec<Manifest>,
}

#[derive(Debug, Deserialize)]
struct Directory {
    state: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    metadata: Name,
    status: ManifestStatus,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ManifestStatus {
    path: String,
    state: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    pods: Vec<String>,
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    severity: String,
    line: Option<usize>,
    column: Option<usize>,
    field: String,
    message: String,
    suggestion: Option<String>,
}

impl Finding {
    /// `3:5: spec.x: unknown field; did you mean y`.
    fn text(&self) -> String {
        let mut text = String::new();
        if let (Some(line), Some(column)) = (self.line, self.column) {
            text = format!("{line}:{column}: ");
        }
        if !self.field.is_empty() {
            text.push_str(&format!("{}: ", self.field));
        }
        text.push_str(&self.message);
        if let Some(suggestion) = &self.suggestion {
            text.push_str(&format!("; {suggestion}"));
        }
        text
    }
}

impl Manifest {
    fn error(&self) -> Option<&Finding> {
        self.status.findings.iter().find(|finding| finding.severity == "error")
    }
}

impl Manifests {
    /// What somebody who looks at pods should know: a directory that can not be read, refused files.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        match self.directory.state.as_str() {
            "Unavailable" => {
                notes.push(format!(
                    "note: the manifests can not be read; nothing is stopped: {}",
                    self.directory.message
                ));
            }
            "Unread" => notes.push("note: the manifests were not read yet".to_owned()),
            _ => {}
        }
        let refused: Vec<(&Manifest, &Finding)> =
            self.items.iter().filter_map(|file| Some((file, file.error()?))).collect();
        for (file, error) in refused.iter().take(NOTES) {
            let text = error.text();
            let place = if error.line.is_some() { ":" } else { ": " };
            notes.push(format!("note: refused, what it declared before stays: {}{place}{text}", file.status.path));
        }
        if refused.len() > NOTES {
            let more = refused.len() - NOTES;
            notes.push(format!("note: and {more} more; see `kubelet-lite get manifests`"));
        }
        notes
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|file| file.metadata.name.as_str())
    }

    /// The table of `get manifests`.
    pub(super) fn table(&self, header: bool) -> String {
        let rows: Vec<Vec<String>> = self
            .items
            .iter()
            .map(|file| {
                let status = &file.status;
                let first = file.error().or(status.findings.first()).map(Finding::text);
                vec![
                    file.metadata.name.clone(),
                    status.state.clone(),
                    status.pods.len().to_string(),
                    status.findings.len().to_string(),
                    first.unwrap_or_else(|| status.message.clone()),
                ]
            })
            .collect();
        crate::print::table(header.then_some(&["FILE", "STATUS", "PODS", "FINDINGS", "MESSAGE"]), &rows)
    }
}
