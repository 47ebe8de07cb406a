//! What went wrong on disk: of which pod and volume, with which path, and what to do.

use super::paths::NotAFileName;
use crate::{
    convert::ConvertError,
    pod::{PodKey, PodUid},
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Why a volume or another directory of a pod is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The operating system refused.
    #[error("{place}can not {operation} {}", path.display())]
    Io {
        /// Whose it is.
        place: Place,
        /// What was tried, as in `create`.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// A hostPath that is not what its `type` says.
    #[error(
        "{place}hostPath type check failed: {} {}; make it so, or correct hostPath.type",
        path.display(), problem
    )]
    HostPathType {
        /// Whose it is.
        place: Place,
        /// The path.
        path: PathBuf,
        /// As in `is not a directory`.
        problem: &'static str,
    },
    /// A sub-path that is not inside its volume, by a symbolic link.
    #[error(
        "{place}subPath {} leads out of the volume by a symbolic link; make the link relative and keep it inside",
        path.display()
    )]
    Escapes {
        /// Whose it is.
        place: Place,
        /// The sub-path.
        path: PathBuf,
    },
    /// Something is still mounted where a pod's directory should be removed.
    #[error("{place}{} is still mounted, so nothing is removed; unmount it", path.display())]
    StillMounted {
        /// Whose it is.
        place: Place,
        /// Where.
        path: PathBuf,
    },
    /// A kind of volume that is not built yet.
    #[error("{place}this kind of volume is not built yet; use hostPath or emptyDir")]
    Unsupported {
        /// Whose it is.
        place: Place,
    },
    /// What went wrong with each of several volumes.
    #[error("{}", .0.iter().map(|error| crate::report(error)).collect::<Vec<_>>().join("; "))]
    Several(Vec<VolumeError>),
    /// A volume of files that can not be written yet.
    #[error("{what}")]
    Missing {
        /// The kubelet's words.
        what: String,
    },
    /// Huge pages of a size that the pod does not say.
    #[error("{place}{problem}")]
    HugePages {
        /// Whose it is.
        place: Place,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An `fsGroup` that is no group id.
    #[error("{place}fsGroup {group} is not a group id; use 0 to 4294967295")]
    Group {
        /// Whose it is.
        place: Place,
        /// What was written.
        group: i64,
    },
    /// A uid or name that would lead out of its directory.
    #[error("{place}no directory can be named so")]
    Name {
        /// Whose it is.
        place: Place,
        /// The rule it breaks.
        #[source]
        source: NotAFileName,
    },
    /// The container's mounts make no sense.
    #[error(transparent)]
    Convert(Box<ConvertError>),
}

impl From<ConvertError> for VolumeError {
    fn from(error: ConvertError) -> Self {
        Self::Convert(Box::new(error))
    }
}

/// Whose a path is; shows as a prefix of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pod: Option<String>,
    volume: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pod) = &self.pod {
            write!(f, "pod {pod}")?;
            if let Some(volume) = &self.volume {
                write!(f, ", volume {volume}")?;
            }
            write!(f, ": ")?;
        }
        Ok(())
    }
}

impl Place {
    pub(super) fn of(pod: &PodKey) -> Self {
        Self { pod: Some(pod.to_string()), volume: None }
    }

    pub(super) fn of_uid(uid: &PodUid) -> Self {
        Self { pod: Some(format!("with uid {uid}")), volume: None }
    }

    pub(super) fn none() -> Self {
        Self { pod: None, volume: None }
    }

    pub(super) fn volume(&self, name: &str) -> Self {
        Self { pod: self.pod.clone(), volume: Some(name.to_owned()) }
    }
}

/// Adds what an [`io::Error`] does not say.
pub(super) trait Io {
    fn io(&self, operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VolumeError;
    fn name(&self) -> impl FnOnce(NotAFileName) -> VolumeError;
}

impl Io for Place {
    fn io(&self, operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VolumeError {
        let (place, path) = (self.clone(), path.to_owned());
        move |source| VolumeError::Io { place, operation, path, source }
    }

    fn name(&self) -> impl FnOnce(NotAFileName) -> VolumeError {
        let place = self.clone();
        move |source| VolumeError::Name { place, source }
    }
}
