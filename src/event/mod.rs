//! Kubernetes Events: what happened to a pod, for people.
//!
//! Owns the words of reasons, how equal and similar events become one, the ring that keeps the last of
//! them, and the one log line of each. Never an environment value or a secret: only names, ids, images,
//! codes and the engine's words. Nothing is decided by what is kept here, and a restart forgets it.

mod object;
pub mod reason;
mod recorder;
mod ring;

pub use object::api_event;
pub use recorder::{Happening, Recorder};

use crate::pod::{ContainerKind, ContainerName, PodKey, PodUid};

/// `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Somebody may have to look.
    Warning,
}

impl EventType {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// `involvedObject` of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A pod, or one container of it.
    Pod {
        /// Namespace and name.
        key: PodKey,
        /// The incarnation, as far as it is known.
        uid: Option<PodUid>,
        /// `fieldPath`: which container.
        container: Option<(ContainerName, ContainerKind)>,
    },
    /// The node itself.
    Node(String),
}

/// One thing that happened, or several equal ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub subject: Subject,
    /// Whether somebody may have to look.
    pub kind: EventType,
    /// One of [`reason`]'s words.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// When it first happened.
    pub first: jiff::Timestamp,
    /// When it last happened.
    pub last: jiff::Timestamp,
    /// How often.
    pub count: u32,
    /// Tells it from all others since our start.
    pub serial: u64,
}

#[cfg(test)]
mod tests;
