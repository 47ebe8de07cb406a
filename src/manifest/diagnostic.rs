//! What is wrong with a manifest, where, and what to do about it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One finding about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it refuses the file.
    pub severity: Severity,
    /// Stable identifier of the kind of finding, as in `unknown-field`.
    pub code: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Where in the file, if known.
    pub place: Option<Place>,
    /// Index in the file of the object it is about, from 0, counting list items; `None` for the file.
    pub document: Option<usize>,
    /// That object, as in `Pod web`; empty for the file.
    pub object: String,
    /// Field path in Kubernetes notation, as in `spec.containers[1].image`; empty for the file.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub suggestion: Option<String>,
    /// Other places that help to understand it.
    pub related: Vec<Related>,
    /// Whether the line may hold a secret and must not be shown.
    pub sensitive: bool,
}

/// A place in a file, all from 1; columns and width count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// How many characters of the line it spans, at least 1.
    pub width: usize,
}

/// A second place of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where, in the same file.
    pub place: Place,
    /// What stands there.
    pub message: String,
}

/// Whether a finding refuses its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is taken.
    Warning,
    /// The file is refused.
    Error,
}

impl Severity {
    /// The word shown to people and written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Diagnostic {
    /// A finding about a whole file.
    pub fn new(severity: Severity, code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            path: path.to_owned(),
            place: None,
            document: None,
            object: String::new(),
            field: String::new(),
            message: message.into(),
            suggestion: None,
            related: Vec::new(),
            sensitive: false,
        }
    }

    /// A finding that refuses the file.
    pub fn error(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, path, message)
    }

    /// A finding that leaves the file accepted.
    pub fn warning(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, path, message)
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// Says which field.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says which object.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// Says which object by its index in the file.
    #[must_use]
    pub fn document(mut self, document: usize) -> Self {
        self.document = Some(document);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Whether it refuses the file.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": ")?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; {suggestion}")?;
        }
        Ok(())
    }
}
