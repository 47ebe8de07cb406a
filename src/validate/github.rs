//! A report as workflow commands, which GitHub shows as annotations beside the lines.

use super::report::Report;
use crate::manifest::diagnostic::Diagnostic;
use std::io::{self, Write};

/// Writes the report.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    report.diagnostics.iter().try_for_each(|diagnostic| annotation(diagnostic, out))
}

fn annotation(d: &Diagnostic, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "::{} file={}", d.severity.as_str(), property(&d.path.display().to_string()))?;
    if let Some(place) = d.place {
        let end = place.column + place.width;
        write!(out, ",line={},col={},endColumn={end}", place.line, place.column)?;
    }
    let mut text = d.message.clone();
    if !d.field.is_empty() {
        text = format!("{}: {text}", d.field);
    }
    if let Some(suggestion) = &d.suggestion {
        text = format!("{text}; {suggestion}");
    }
    writeln!(out, ",title={}::{}", property(d.code), data(&text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
