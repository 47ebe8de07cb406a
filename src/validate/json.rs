//! A report as one JSON object. Fields are only ever added to its form (`docs/manifests.md`).

use super::report::Report;
use crate::manifest::diagnostic::{Diagnostic, Place, Severity};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    verdict: &'static str,
    summary: Summary,
    files: Vec<File<'a>>,
    diagnostics: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Summary {
    files: usize,
    refused: usize,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    accepted: bool,
    objects: Vec<Object<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    severity: &'static str,
    code: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
    #[serde(skip_serializing_if = "str::is_empty")]
    object: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    range: Range,
    message: &'a str,
}

/// All from 1, in characters; the end is the first column after it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    line: usize,
    column: usize,
    end_column: usize,
}

impl From<Place> for Range {
    fn from(place: Place) -> Self {
        Self { line: place.line, column: place.column, end_column: place.column + place.width }
    }
}

/// Writes the report.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        api_version: "kubelet-lite.io/v1",
        kind: "ValidationReport",
        verdict: if report.is_clean() { "clean" } else { "refused" },
        summary: Summary {
            files: report.files.len(),
            refused: report.refused(),
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
        },
        files: report.files.iter().map(file).collect(),
        diagnostics: report.diagnostics.iter().map(finding).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn file(file: &super::report::FileReport) -> File<'_> {
    let objects = file.objects.iter();
    let objects = objects.map(|o| Object { kind: o.kind, namespace: &o.namespace, name: &o.name });
    File { path: file.path.display().to_string(), accepted: file.accepted, objects: objects.collect() }
}

fn finding(d: &Diagnostic) -> Finding<'_> {
    Finding {
        severity: d.severity.as_str(),
        code: d.code,
        path: d.path.display().to_string(),
        range: d.place.map(Range::from),
        object: &d.object,
        field: &d.field,
        message: &d.message,
        suggestion: d.suggestion.as_deref(),
        related: d.related.iter().map(|r| Related { range: r.place.into(), message: &r.message }).collect(),
    }
}
