//! Collects what is found while a file is judged, and knows where each path stands in the file.

use super::{
    diagnostic::{Diagnostic, Place, Related, Severity},
    parse::{FieldValidation, ParseOptions},
    path::Path,
    text::tree::{NodeId, Tree},
};
use std::collections::HashSet;

/// More errors than this in one file help nobody; the rest is only counted.
const MAX_ERRORS: usize = 200;
/// The same of warnings.
const MAX_WARNINGS: usize = 200;

#[derive(Default)]
struct Counts {
    errors: usize,
    warnings: usize,
}

impl Counts {
    fn of(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        }
    }
}

/// The findings of one file.
pub struct Findings<'t> {
    file: &'t std::path::Path,
    options: &'t ParseOptions,
    tree: &'t Tree<'t>,
    document: NodeId,
    object: String,
    index: Option<usize>,
    list: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Option<Place>, String)>,
    counts: Counts,
    broken: Vec<String>,
    /// Takes what is silenced or one too many.
    scratch: Diagnostic,
}

impl<'t> Findings<'t> {
    /// None yet.
    pub fn new(file: &'t std::path::Path, options: &'t ParseOptions, tree: &'t Tree<'t>) -> Self {
        let scratch = Diagnostic::warning("", file, "");
        let (list, seen) = (Vec::new(), HashSet::new());
        Self {
            file,
            options,
            tree,
            document: 0,
            object: String::new(),
            index: None,
            list,
            seen,
            counts: Counts::default(),
            broken: Vec::new(),
            scratch,
        }
    }

    /// From now on paths are of this document, and findings about no object in particular.
    pub fn enter_document(&mut self, document: NodeId) {
        self.document = document;
        self.object.clear();
        self.index = None;
    }

    /// From now on findings are about this object, as in `Pod web`.
    pub fn enter_object(&mut self, object: String, index: usize) {
        self.object = object;
        self.index = Some(index);
        self.broken.clear();
    }

    /// The options the file is judged by.
    pub fn options(&self) -> &'t ParseOptions {
        self.options
    }

    /// What the file says at a path, as it is written there.
    pub fn written(&self, path: &Path) -> Option<&str> {
        let found = self.tree.find(self.document, &path.steps());
        self.tree.scalar(found.value).filter(|_| found.complete).map(|(text, _)| text)
    }

    /// Something that refuses the file.
    pub fn error(&mut self, code: &'static str, path: &Path, message: impl Into<String>) -> Finding<'_, 't> {
        self.push(Severity::Error, code, path, message.into())
    }

    /// Something doubtful.
    pub fn warn(&mut self, code: &'static str, path: &Path, message: impl Into<String>) -> Finding<'_, 't> {
        self.push(Severity::Warning, code, path, message.into())
    }

    /// Something that `--field-validation` decides about.
    pub fn strict(&mut self, code: &'static str, path: &Path, message: impl Into<String>) -> Finding<'_, 't> {
        match self.options.field_validation {
            FieldValidation::Strict => self.error(code, path, message),
            FieldValidation::Warn => self.warn(code, path, message),
            FieldValidation::Ignore => self.nowhere(),
        }
    }

    /// What a decoder complained about at a path of its own notation below an object's.
    pub fn undecodable(&mut self, path: &Path, field: &str, message: &str) {
        let object = path.to_string();
        let dot = if object.is_empty() || field.starts_with('[') { "" } else { "." };
        let finding = self.error("undecodable", path, message);
        finding.diagnostic.field = format!("{object}{dot}{field}");
    }

    /// Notes that what stands at a path is no use, so that what follows from it is not told as well.
    pub fn mark_broken(&mut self, path: &Path) {
        if !self.is_full() {
            self.broken.push(path.to_string());
        }
    }

    /// Whether something was found at this path of the present object, or an error above it.
    pub fn is_told(&self, path: &Path) -> bool {
        let field = path.to_string();
        let of_object = self.list.iter().filter(|found| found.document == self.index);
        of_object.into_iter().any(|found| {
            let above = field.strip_prefix(found.field.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
            found.field == field || above && found.is_error() && found.code != "not-found"
        })
    }

    /// Whether something of a list of this name is no use, so that what refers to it may mean that.
    pub fn is_broken_in(&self, list: &str) -> bool {
        self.broken.iter().any(|broken| broken.contains(list))
    }

    fn follows_from_broken(&self, field: &str) -> bool {
        let below = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.broken.iter().any(|broken| below(field, broken) || below(broken, field))
    }

    /// Whether the list is full, so that costly advice is no longer worth its while.
    pub fn is_full(&self) -> bool {
        let strict = self.options.field_validation == FieldValidation::Strict;
        self.counts.errors >= MAX_ERRORS || !strict && self.counts.warnings >= MAX_WARNINGS
    }

    /// How many there are so far: a mark for [`Self::silence_since`].
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Drops the warnings after a mark that have one of these codes.
    pub fn silence_since(&mut self, mark: usize, codes: &[&str]) {
        let mut position = 0;
        self.list.retain(|found| {
            position += 1;
            position <= mark || found.is_error() || !codes.contains(&found.code)
        });
    }

    /// All of them, in order of place.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| d.place.map(|p| (p.line, p.column)));
        let more = |count: usize, max: usize, what| {
            (count > max).then(|| format!("{} more {what} are not shown", count - max))
        };
        if let Some(message) = more(self.counts.errors, MAX_ERRORS, "errors") {
            self.list.push(Diagnostic::error("too-many-findings", self.file, message));
        }
        if let Some(message) = more(self.counts.warnings, MAX_WARNINGS, "warnings") {
            self.list.push(Diagnostic::warning("too-many-findings", self.file, message));
        }
        self.list
    }

    fn push(&mut self, severity: Severity, code: &'static str, path: &Path, message: String) -> Finding<'_, 't> {
        if severity == Severity::Warning && self.options.silenced.contains(code) {
            return self.nowhere();
        }
        let max = if severity == Severity::Error { MAX_ERRORS } else { MAX_WARNINGS };
        let count = self.counts.of(severity);
        if *count >= max {
            *count += 1;
            return self.nowhere();
        }
        let field = path.to_string();
        if self.follows_from_broken(&field) {
            return self.nowhere();
        }
        let place = self.tree.place_of_path(self.document, path);
        // An alias is judged once for each place it is used at, but written once.
        if !self.seen.insert((code, place, field.clone())) {
            return self.nowhere();
        }
        *self.counts.of(severity) += 1;
        let mut diagnostic = Diagnostic::new(severity, code, self.file, message);
        diagnostic.place = place;
        diagnostic.field = field;
        diagnostic.object.clone_from(&self.object);
        diagnostic.document = self.index;
        self.list.push(diagnostic);
        Finding {
            tree: self.tree,
            document: self.document,
            diagnostic: self.list.last_mut().unwrap_or(&mut self.scratch),
            is_told: true,
        }
    }

    /// A finding that is not told.
    pub fn nowhere(&mut self) -> Finding<'_, 't> {
        Finding { tree: self.tree, document: self.document, diagnostic: &mut self.scratch, is_told: false }
    }
}

/// A finding just made, to say more about it.
pub struct Finding<'f, 't> {
    tree: &'t Tree<'t>,
    document: NodeId,
    diagnostic: &'f mut Diagnostic,
    /// To look for a place costs time, which a finding that nobody hears of is not worth.
    is_told: bool,
}

impl Finding<'_, '_> {
    /// What to do about it.
    pub fn suggest(self, suggestion: impl Into<String>) -> Self {
        self.diagnostic.suggestion = Some(suggestion.into());
        self
    }

    /// Points elsewhere than at the path.
    pub fn at(self, place: Option<Place>) -> Self {
        self.diagnostic.place = place;
        self
    }

    /// Points at another path.
    pub fn at_path(self, path: &Path) -> Self {
        if !self.is_told {
            return self;
        }
        let place = self.tree.place_of_path(self.document, path);
        self.at(place)
    }

    /// Points at the path's key instead of its value.
    pub fn at_key(self, path: &Path) -> Self {
        if !self.is_told {
            return self;
        }
        let place = self.tree.place_of_key(self.document, path);
        self.at(place)
    }

    /// A second place.
    pub fn related(self, place: Option<Place>, message: &str) -> Self {
        if let Some(place) = place {
            self.diagnostic.related.push(Related { place, message: message.to_owned() });
        }
        self
    }

    /// A second place, by path.
    pub fn related_path(self, path: &Path, message: &str) -> Self {
        if !self.is_told {
            return self;
        }
        let place = self.tree.place_of_path(self.document, path);
        self.related(place, message)
    }

    /// Says that the line may hold a secret.
    pub fn sensitive(self) -> Self {
        self.diagnostic.sensitive = true;
        self
    }
}
