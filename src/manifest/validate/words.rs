//! The API's kinds of error, worded for operators.

use crate::manifest::{
    findings::{Finding, Findings},
    path::{Path, Step},
    schema,
};
use std::fmt::Display;

/// More names than this are not searched for one that was meant.
const MAX_COMPARED: usize = 256;

impl<'t> Findings<'t> {
    /// A field that must be given is not, or is empty.
    pub fn required(&mut self, path: &Path, why: &str) -> Finding<'_, 't> {
        let name = match path.last() {
            Step::Field(name) | Step::Key(name) => format!("`{name}`"),
            Step::Index(index) => format!("item {index}"),
            Step::Root => "the object".into(),
        };
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        self.error("required", path, format!("{name} is required{why}"))
    }

    /// A value that breaks a rule; `rule` begins with "must" or the like.
    pub fn invalid(&mut self, path: &Path, value: impl Display, rule: &str) -> Finding<'_, 't> {
        self.error("invalid", path, format!("{} {rule}", shown(&value.to_string())))
    }

    /// A text that breaks a rule.
    pub fn invalid_text(&mut self, path: &Path, value: &str, rule: &str) -> Finding<'_, 't> {
        self.error("invalid", path, format!("\"{}\" {rule}", shown(value)))
    }

    /// A value that is none of those known.
    pub fn not_supported(&mut self, path: &Path, value: &str, known: &[&str]) -> Finding<'_, 't> {
        let nearest = schema::nearest_word(value, known);
        let message = format!(
            "\"{}\" is not one of {}",
            shown(value),
            known.iter().filter(|k| !k.is_empty()).copied().collect::<Vec<_>>().join(", ")
        );
        let finding = self.error("not-supported", path, message);
        match nearest {
            Some(nearest) => finding.suggest(format!("did you mean `{nearest}`?")),
            None => finding,
        }
    }

    /// One of a fixed set of words, if given.
    pub fn one_of(&mut self, path: &Path, value: Option<&str>, known: &[&str]) {
        if let Some(value) = value.filter(|value| !known.contains(value)) {
            self.not_supported(path, value, known);
        }
    }

    /// A value that must be unique and is not.
    pub fn duplicate(&mut self, path: &Path, value: &str, first: &Path) -> Finding<'_, 't> {
        let message = format!("\"{}\" is given twice", shown(value));
        self.error("duplicate", path, message).related_path(first, "first given here")
    }

    /// A field that must not be given here.
    pub fn forbidden(&mut self, path: &Path, why: &str) -> Finding<'_, 't> {
        self.error("forbidden", path, why)
    }

    /// A reference to something that is not there.
    pub fn not_found<'k>(
        &mut self,
        path: &Path,
        value: &str,
        what: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Finding<'_, 't> {
        if self.is_broken_in(&format!(".{what}s")) {
            return self.nowhere();
        }
        // Not worth its while for the thousandth mistake of a file.
        let mut known: Vec<&str> = known.into_iter().take(if self.is_full() { 0 } else { MAX_COMPARED }).collect();
        known.sort_unstable();
        let nearest = schema::nearest_word(value, &known);
        let finding = self.error("not-found", path, format!("there is no {what} \"{}\"", shown(value)));
        match (nearest, known.as_slice()) {
            (Some(nearest), _) => finding.suggest(format!("did you mean `{nearest}`?")),
            (None, []) => finding,
            (None, known) if known.len() <= 8 => finding.suggest(format!("there are {}", known.join(", "))),
            _ => finding,
        }
    }

    /// A number out of its range.
    pub fn range(&mut self, path: &Path, value: i64, from: i64, to: i64) {
        if value < from || value > to {
            self.invalid(path, value, &format!("must be between {from} and {to}"));
        }
    }

    /// A number that must not be negative.
    pub fn not_negative(&mut self, path: &Path, value: Option<impl Into<i64>>) {
        if let Some(value) = value.map(Into::into).filter(|value| *value < 0) {
            self.invalid(path, value, "must be 0 or more");
        }
    }

    /// A name that must pass a rule of [`super::names`], if given.
    pub fn rule(&mut self, path: &Path, value: Option<&str>, rule: super::names::Rule) {
        if let Some(value) = value
            && let Err(why) = rule(value)
        {
            let better = super::names::mended(value, rule);
            let finding = self.invalid_text(path, value, why);
            if let Some(better) = better {
                finding.suggest(format!("write `{better}`"));
            }
        }
    }

    /// The same of a key: of the last step of the path.
    pub fn key_rule(&mut self, path: &Path, key: &str, rule: super::names::Rule) {
        if let Err(why) = rule(key) {
            let better = super::names::mended(key, rule);
            let finding = self.invalid_text(path, key, why).at_key(path);
            if let Some(better) = better {
                finding.suggest(format!("write `{better}`"));
            }
        }
    }

    /// A text that must pass a rule, if given, and that is not a name one could choose better.
    pub fn text_rule(&mut self, path: &Path, value: Option<&str>, rule: super::names::Rule) {
        if let Some(value) = value
            && let Err(why) = rule(value)
        {
            self.invalid_text(path, value, why);
        }
    }
}

/// At most 60 characters, on one line.
fn shown(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(61).collect();
    if line.chars().count() > 60 { line.chars().take(59).chain(['…']).collect() } else { line }
}
