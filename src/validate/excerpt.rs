//! The lines of a file that a finding is about, with its places underlined.

use super::text::Style;
use crate::manifest::diagnostic::{Diagnostic, Place};
use std::io::{self, Write};

/// More of a line than this is not shown.
const MAX_WIDTH: usize = 120;
/// What is shown before the place in a line that is longer.
const BEFORE: usize = 40;

/// Writes the lines of a finding. `width`: of the column of line numbers.
pub fn excerpt(diagnostic: &Diagnostic, text: &str, width: usize, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(primary) = diagnostic.place else { return Ok(()) };
    let mut marks: Vec<(Place, Option<&str>)> = vec![(primary, None)];
    marks.extend(diagnostic.related.iter().map(|related| (related.place, Some(related.message.as_str()))));
    marks.sort_by_key(|(place, _)| *place);
    let bar = style.frame("|");
    writeln!(out, "{:width$} {bar}", "")?;
    let mut last = None;
    for (place, label) in marks {
        if last.is_some_and(|last| place.line > last + 1) {
            writeln!(out, "{}", style.frame("..."))?;
        }
        let line = line(text, place.line);
        let (shown, offset) = window(line, place, diagnostic.sensitive);
        if last != Some(place.line) {
            let number = style.frame(&format!("{:>width$}", place.line));
            writeln!(out, "{number} {bar} {shown}")?;
        }
        last = Some(place.line);
        let pad = " ".repeat(place.column - 1 - offset.min(place.column - 1));
        let room = MAX_WIDTH.saturating_sub(pad.len()).max(1);
        let marks = |mark: &str| mark.repeat(place.width.min(room));
        let underline = match label {
            None => style.severity(diagnostic.severity, &marks("^")),
            Some(label) => style.frame(&format!("{} {label}", marks("-"))),
        };
        writeln!(out, "{:width$} {bar} {pad}{underline}", "")?;
    }
    writeln!(out, "{:width$} {bar}", "")
}

/// A line by its number, broken as the places were counted.
fn line(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 1..number {
        let Some(at) = rest.find(['\n', '\r']) else { return "" };
        let end = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = rest.get(at + end..).unwrap_or("");
    }
    rest.split(['\n', '\r']).next().unwrap_or("")
}

/// What of a line is shown, and how many characters were left out before it. Control characters could
/// change the terminal; what may be a secret is not shown.
fn window(line: &str, place: Place, sensitive: bool) -> (String, usize) {
    let column = place.column - 1;
    let total = line.chars().take(column + MAX_WIDTH + 1).count();
    let skip = if total > MAX_WIDTH && column > BEFORE { column - BEFORE } else { 0 };
    let visible = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let mut shown: String = line.chars().skip(skip).take(MAX_WIDTH).map(visible).collect();
    if sensitive {
        shown = line.chars().skip(skip).take(column - skip).map(visible).chain(['…']).collect();
    }
    (shown.trim_end().to_owned(), skip)
}
