//! Collects what is found while a file is judged, and knows where each path stands in the file.

use super::{
    diagnostic::{Diagnostic, Place, Related, Severity},
    parse::{FieldValidation, ParseOptions},
    path::Path,
    tree::{NodeId, Tree},
};
use std::collections::HashSet;

/// More findings than this in one file help nobody; the rest is only counted.
pub const MAX_FINDINGS: usize = 200;

/// The findings of one file.
pub struct Findings<'t> {
    file: &'t std::path::Path,
    options: &'t ParseOptions,
    tree: &'t Tree<'t>,
    document: NodeId,
    object: String,
    list: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Option<Place>, String)>,
    dropped: usize,
    /// Takes what is silenced or one too many.
    scratch: Diagnostic,
}

impl<'t> Findings<'t> {
    /// None yet.
    pub fn new(file: &'t std::path::Path, options: &'t ParseOptions, tree: &'t Tree<'t>) -> Self {
        let scratch = Diagnostic::warning("", file, "");
        let (list, seen) = (Vec::new(), HashSet::new());
        Self { file, options, tree, document: 0, object: String::new(), list, seen, dropped: 0, scratch }
    }

    /// From now on paths are of this document, and findings about no object in particular.
    pub fn enter_document(&mut self, document: NodeId) {
        self.document = document;
        self.object.clear();
    }

    /// From now on findings are about this object, as in `Pod web`.
    pub fn enter_object(&mut self, object: String) {
        self.object = object;
    }

    /// The options the file is judged by.
    pub fn options(&self) -> &'t ParseOptions {
        self.options
    }

    /// What the file says at a path, as it is written there.
    pub fn written(&self, path: &Path) -> Option<&str> {
        let found = self.tree.find(self.document, path);
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

    /// Whether the list is full, so that costly advice is no longer worth its while.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_FINDINGS
    }

    /// How many there are so far: a mark for [`Self::has_errors_since`].
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether an error was found after a mark.
    pub fn has_errors_since(&self, mark: usize) -> bool {
        self.dropped > 0 || self.list.iter().skip(mark).any(Diagnostic::is_error)
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
        if self.dropped > 0 {
            let message = format!("{} more findings are not shown", self.dropped);
            self.list.push(Diagnostic::error("too-many-findings", self.file, message));
        }
        self.list
    }

    fn push(&mut self, severity: Severity, code: &'static str, path: &Path, message: String) -> Finding<'_, 't> {
        if severity == Severity::Warning && self.options.silenced.contains(code) {
            return self.nowhere();
        }
        if self.is_full() {
            self.dropped += usize::from(severity == Severity::Error);
            return self.nowhere();
        }
        let field = path.to_string();
        let place = self.tree.place_of_path(self.document, path);
        // An alias is judged once for each place it is used at, but written once.
        if !self.seen.insert((code, place, field.clone())) {
            return self.nowhere();
        }
        let mut diagnostic = Diagnostic::new(severity, code, self.file, message);
        diagnostic.place = place;
        diagnostic.field = field;
        diagnostic.object.clone_from(&self.object);
        self.list.push(diagnostic);
        Finding { tree: self.tree, document: self.document, diagnostic: self.list.last_mut().unwrap_or(&mut self.scratch) }
    }

    fn nowhere(&mut self) -> Finding<'_, 't> {
        Finding { tree: self.tree, document: self.document, diagnostic: &mut self.scratch }
    }
}

/// A finding just made, to say more about it.
pub struct Finding<'f, 't> {
    tree: &'t Tree<'t>,
    document: NodeId,
    diagnostic: &'f mut Diagnostic,
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

    /// Points at the path's key instead of its value.
    pub fn at_key(self, path: &Path) -> Self {
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
        let place = self.tree.place_of_path(self.document, path);
        self.related(place, message)
    }

    /// Says that the line may hold a secret.
    pub fn sensitive(self) -> Self {
        self.diagnostic.sensitive = true;
        self
    }
}
