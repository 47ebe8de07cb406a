//! Why a pod can not be put into Docker's terms, or a label not be read.

use crate::{
    pod::{ContainerName, PodKey},
    volume::paths::NotAFileName,
};

/// Why no create body can be made. In a container's status all of them are
/// `CreateContainerConfigError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field, or a value of it, that this version can not honour.
    #[error("{subject}: {field}: {why}")]
    Unsupported {
        /// The pod or its container.
        subject: Subject,
        /// Field path within the subject.
        field: String,
        /// Why, and what to do.
        why: String,
    },
    /// A value that makes no sense.
    #[error("{subject}: {field}: {why}")]
    Invalid {
        /// The pod or its container.
        subject: Subject,
        /// Field path within the subject.
        field: String,
        /// What is wrong with it, and what is expected.
        why: String,
    },
    /// A ConfigMap, Secret or key that must be there and is not; it heals when that is declared.
    #[error("{what}")]
    MissingReference {
        /// The pod or its container.
        subject: Subject,
        /// The kubelet's words, as in `configmap "x" not found`.
        what: String,
    },
    /// `runAsNonRoot` and a root user.
    #[error("{subject}: securityContext.runAsNonRoot: it would run as root ({who}); set runAsUser to another user")]
    RunsAsRoot {
        /// The container.
        subject: Subject,
        /// Where root comes from.
        who: &'static str,
    },
    /// `runAsNonRoot` and an image whose user is a name that can not be looked up.
    #[error(
        "{subject}: securityContext.runAsNonRoot: the image's user {user:?} can not be told from root, as {why}; set \
         runAsUser to its number"
    )]
    UnknownUser {
        /// The container.
        subject: Subject,
        /// `USER` of the image.
        user: String,
        /// Why its number is not known.
        why: &'static str,
    },
    /// A name that would lead out of its directory.
    #[error("{subject}: {field} can not name a file")]
    Name {
        /// The pod or its container.
        subject: Subject,
        /// Field path within the subject.
        field: String,
        /// The rule it breaks.
        #[source]
        source: NotAFileName,
    },
}

/// What an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The pod.
    pub pod: PodKey,
    /// Its container, if it is about one.
    pub container: Option<ContainerName>,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pod {}", self.pod)?;
        if let Some(container) = &self.container {
            write!(f, ", container {container}")?;
        }
        Ok(())
    }
}

/// A label of ours that can not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("label {key} is {}; expected {expected}", found.as_deref().map_or("missing".into(), |f| format!("{f:?}")))]
pub struct LabelError {
    /// The label.
    pub key: &'static str,
    /// Its text, shortened; `None` if it is missing.
    pub found: Option<String>,
    /// What would be right.
    pub expected: String,
}

impl LabelError {
    /// An error about a label's text, of which only the beginning is kept: a label may hold a whole
    /// manifest, and with it values that are nobody's business.
    pub(super) fn new(key: &'static str, found: Option<&str>, expected: impl Into<String>) -> Self {
        const KEPT: usize = 40;
        let shorten = |text: &str| text.chars().take(KEPT).collect();
        Self { key, found: found.map(shorten), expected: expected.into() }
    }
}
