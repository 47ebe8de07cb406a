//! A report for people.

use super::{excerpt::excerpt, report::Report};
use crate::manifest::diagnostic::{Diagnostic, Severity};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Terminal colours, or none.
#[derive(Clone, Copy, Debug)]
pub struct Style(bool);

impl Style {
    /// In the colour of a severity.
    pub fn severity(self, severity: Severity, text: &str) -> String {
        self.wrap(if severity == Severity::Error { "1;31" } else { "1;33" }, text)
    }

    /// In the colour of what surrounds the text.
    pub fn frame(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    /// Bold.
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A text that can not change a terminal: control characters are shown, not sent.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes the report.
pub fn write(report: &Report, color: bool, out: &mut dyn Write) -> io::Result<()> {
    let style = Style(color);
    for diagnostic in &report.diagnostics {
        let text = report.texts.get(&diagnostic.path).map(String::as_str);
        finding(diagnostic, text, style, out)?;
        writeln!(out)?;
    }
    summary(report, style, out)
}

fn finding(diagnostic: &Diagnostic, text: Option<&str>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let head = format!("{}[{}]", diagnostic.severity.as_str(), diagnostic.code);
    let head = style.severity(diagnostic.severity, &head);
    writeln!(out, "{head}: {}", style.strong(&plain(&diagnostic.message)))?;
    let path = diagnostic.path.display().to_string();
    let digits = diagnostic.related.iter().map(|r| r.place.line).chain(diagnostic.place.map(|p| p.line)).max();
    let width = digits.unwrap_or(0).to_string().len();
    let margin = " ".repeat(width);
    let arrow = style.frame("-->");
    match diagnostic.place {
        Some(place) => writeln!(out, "{margin}{arrow} {}:{}:{}", plain(&path), place.line, place.column)?,
        None => writeln!(out, "{margin}{arrow} {}", plain(&path))?,
    }
    if let (Some(_), Some(text)) = (diagnostic.place, text) {
        excerpt(diagnostic, text, width, style, out)?;
    }
    let mut note = |label: &str, text: &str| {
        let equals = style.frame("=");
        writeln!(out, "{margin} {equals} {}: {}", style.strong(label), plain(text))
    };
    if !diagnostic.field.is_empty() {
        note("field", &diagnostic.field)?;
    }
    if !diagnostic.object.is_empty() {
        note("object", &diagnostic.object)?;
    }
    if let Some(suggestion) = &diagnostic.suggestion {
        note("help", suggestion)?;
    }
    Ok(())
}

fn summary(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (files, refused) = (report.files.len(), report.refused());
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let objects: usize = report.files.iter().filter(|file| file.accepted).map(|file| file.objects.len()).sum();
    let warned = if warnings == 0 { String::new() } else { format!(", {}", counted(warnings, "warning")) };
    let found = match (files, errors, refused) {
        (0, 0, _) => style.strong("no manifests"),
        (_, 0, _) => format!("{}: {}", style.strong("good"), counted(objects, "object")),
        _ => {
            let refused = style.severity(Severity::Error, &format!("{} refused", counted(refused, "file")));
            format!("{refused}, {}", counted(errors, "error"))
        }
    };
    writeln!(out, "{found}{warned} in {}", counted(files, "file"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
