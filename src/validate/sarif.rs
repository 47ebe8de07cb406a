//! A report in SARIF 2.1.0, which editors and code scanning services read.

use super::{input::STDIN, report::Report};
use crate::manifest::{
    codes::CODES,
    diagnostic::{Diagnostic, Place, Severity},
};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{self, Write},
    path::Path,
};

/// Writes the report.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let rules: Vec<Value> = CODES
        .iter()
        .map(|code| {
            json!({
                "id": code.name,
                "shortDescription": { "text": code.reason },
                "defaultConfiguration": { "level": if code.warning { "warning" } else { "error" } },
            })
        })
        .collect();
    let results: Vec<Value> = report.diagnostics.iter().map(result).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "kubelet-lite", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn result(d: &Diagnostic) -> Value {
    let mut text = d.message.clone();
    if !d.field.is_empty() {
        text = format!("{}: {text}", d.field);
    }
    if let Some(suggestion) = &d.suggestion {
        text = format!("{text}; {suggestion}");
    }
    let mut result = json!({
        "ruleId": d.code,
        "level": if d.severity == Severity::Error { "error" } else { "warning" },
        "message": { "text": text },
        "locations": [location(&d.path, d.place)],
    });
    if !d.related.is_empty() {
        let related = d.related.iter().map(|related| {
            let mut location = location(&d.path, Some(related.place));
            location["message"] = json!({ "text": related.message });
            location
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(path: &Path, place: Option<Place>) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(path) } });
    if let Some(place) = place {
        physical["region"] = json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endColumn": place.column + place.width,
        });
    }
    json!({ "physicalLocation": physical })
}

/// A path as a URI reference: absolute ones with a scheme, others relative to where the tool ran.
fn uri(path: &Path) -> String {
    if path.as_os_str() == STDIN {
        return "stdin".into();
    }
    let mut uri = if path.is_absolute() { "file://".to_owned() } else { String::new() };
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(byte.into());
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
