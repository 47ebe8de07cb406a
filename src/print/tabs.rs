//! Elastic columns, as kubectl's writer lays them out: cells end with a tab, and a column is as wide as the
//! widest of the cells that stand one above the other.

use std::fmt::Write;

/// How columns are laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Least width of a column.
    pub(super) least: usize,
    /// Blanks after the widest cell.
    pub(super) padding: usize,
}

/// Of `get`.
pub(super) const TABLE: Layout = Layout { least: 6, padding: 3 };
/// Of `describe`.
pub(super) const DESCRIPTION: Layout = Layout { least: 0, padding: 2 };

/// Lays out `text`, whose cells end with tabs. What follows the last tab of a line is in no column.
pub(super) fn aligned(text: &str, layout: Layout) -> String {
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(1);
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|line| vec![0; line.len()]).collect();
    for column in 0..columns {
        let in_column = |line: &Vec<&str>| line.len() > column + 1;
        let mut first = 0;
        while first < lines.len() {
            let block = lines[first..].iter().take_while(|line| in_column(line)).count();
            let cells = lines[first..first + block].iter().map(|line| line[column].chars().count() + layout.padding);
            let width = cells.max().unwrap_or(0).max(layout.least);
            widths[first..first + block].iter_mut().for_each(|widths| widths[column] = width);
            first += block.max(1);
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (line, widths) in lines.iter().zip(&widths) {
        for (cell, width) in line.iter().zip(widths) {
            // Writing to a string can not fail.
            let _ = write!(out, "{cell:<width$}");
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    out
}

/// A table that is written in parts: its columns never become narrower.
#[derive(Default)]
pub(super) struct Widths(Vec<usize>);

impl Widths {
    /// The next part of the table.
    pub(super) fn table(&mut self, header: Option<&[&str]>, rows: &[Vec<String>]) -> String {
        let header = header.map(|header| header.iter().map(|name| (*name).to_owned()).collect());
        let rows = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect());
        let rows: Vec<Vec<String>> = header.into_iter().chain(rows).collect();
        for row in &rows {
            let columns = row.len().saturating_sub(1);
            self.0.resize(self.0.len().max(columns), TABLE.least);
            for (width, cell) in self.0.iter_mut().zip(row.iter().take(columns)) {
                *width = (*width).max(cell.chars().count() + TABLE.padding);
            }
        }
        let mut out = String::new();
        for row in &rows {
            for (cell, width) in row.iter().zip(self.0.iter().copied().chain([0])) {
                // Writing to a string can not fail.
                let _ = write!(out, "{cell:<width$}");
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
        out
    }
}

/// A table with a header.
pub fn table(header: Option<&[&str]>, rows: &[Vec<String>]) -> String {
    let rows = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect::<Vec<_>>().join("\t"));
    let text: Vec<String> = header.map(|header| header.join("\t")).into_iter().chain(rows).collect();
    aligned(&text.join("\n"), TABLE)
}

/// A cell without what would break its row: other people's words may hold anything.
fn one_line(text: &str) -> String {
    let first = text.trim_end().lines().next().unwrap_or_default();
    let mut cell: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim_end().lines().nth(1).is_some() {
        cell.push_str("...");
    }
    cell
}
