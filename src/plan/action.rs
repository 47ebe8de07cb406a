//! The vocabulary of plans.

use crate::pod::{Attempt, ContainerId, ContainerName, ImageRef, PodUid, PullPolicy};
use std::time::Duration;

/// One step, executed by `worker::execute` without a decision of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodAction {
    /// Make sure that an image is on the node.
    EnsureImage {
        /// As the manifest names it.
        image: ImageRef,
        /// When to pull.
        policy: PullPolicy,
    },
    /// Make the pause container (and the pod's directories before it).
    CreateSandbox {
        /// Incarnation.
        uid: PodUid,
        /// 0 for the first.
        attempt: Attempt,
    },
    /// Start a pause container that was made.
    StartSandbox {
        /// Incarnation.
        uid: PodUid,
        /// Engine id.
        id: ContainerId,
    },
    /// End a pause container, keeping its record.
    StopSandbox {
        /// Engine id.
        id: ContainerId,
    },
    /// Remove a pause container.
    RemoveSandbox {
        /// Incarnation.
        uid: PodUid,
        /// Engine id.
        id: ContainerId,
        /// Whether the pod's directories go first.
        volumes: Volumes,
    },
    /// Remove the directories of an incarnation of which the engine holds nothing.
    RemoveVolumes {
        /// Incarnation.
        uid: PodUid,
    },
    /// Make a container in a running sandbox.
    CreateContainer {
        /// Incarnation.
        uid: PodUid,
        /// The sandbox it joins.
        sandbox: ContainerId,
        /// Which of the spec.
        name: ContainerName,
        /// Its restart count.
        attempt: Attempt,
        /// Back-off that was waited for; `None` for a first or an edited one.
        backoff: Option<Duration>,
    },
    /// Start a container that was made.
    StartContainer {
        /// Incarnation.
        uid: PodUid,
        /// Which of the spec.
        name: ContainerName,
        /// Engine id.
        id: ContainerId,
    },
    /// Stop signal, grace, SIGKILL.
    StopContainer {
        /// Engine id.
        id: ContainerId,
        /// Its name.
        name: ContainerName,
        /// Time between the stop signal and SIGKILL.
        grace: Duration,
        /// Why.
        reason: StopReason,
    },
    /// Remove a container that has ended.
    RemoveContainer {
        /// Engine id.
        id: ContainerId,
        /// Its name.
        name: ContainerName,
    },
}

/// What becomes of a pod's directories when a sandbox is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volumes {
    /// The pod lives on in another sandbox.
    Keep,
    /// The pod is gone.
    Remove,
}

/// What an action works on; two actions on one target never overlap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An image, for this pod.
    Image(ImageRef),
    /// Making and starting an incarnation's sandbox, its directories included.
    Sandbox(PodUid),
    /// Making and starting a container of an incarnation.
    Container(PodUid, ContainerName),
    /// Stopping and removing what exists.
    Instance(ContainerId),
}

/// Why something that runs is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Its manifest is gone.
    PodRemoved,
    /// Its manifest became another pod.
    PodChanged,
    /// Its definition changed.
    DefinitionChanged,
    /// What its environment takes from ConfigMaps and Secrets changed, and the pod wants it restarted
    /// for that.
    EnvironmentChanged,
    /// It is no longer in the manifest.
    ContainerRemoved,
    /// Its sandbox is gone.
    SandboxChanged,
    /// All other containers are done.
    PodFinished,
    /// The pod has run as long as `activeDeadlineSeconds` lets it.
    DeadlineExceeded,
    /// It is in a state that can not be trusted.
    UnknownState,
    /// A newer instance of the same container runs.
    Superseded,
    /// The node shuts down.
    NodeShutdown,
}

impl StopReason {
    /// Message of event `Killing`.
    pub fn message(self, container: &ContainerName) -> String {
        match self {
            Self::PodRemoved | Self::PodChanged | Self::PodFinished | Self::NodeShutdown | Self::DeadlineExceeded => {
                format!("Stopping container {container}")
            }
            Self::DefinitionChanged => format!("Container {container} definition changed, will be restarted"),
            Self::EnvironmentChanged => {
                format!("Container {container} takes its environment from an object that changed, will be restarted")
            }
            Self::ContainerRemoved => format!("Stopping container {container}: it is no longer in the manifest"),
            Self::SandboxChanged => format!("Stopping container {container}: its sandbox changed"),
            Self::UnknownState => {
                format!("Container {container} is in \"unknown\" state, try killing it before restart")
            }
            Self::Superseded => format!("Stopping container {container}: a newer instance runs"),
        }
    }
}

impl PodAction {
    /// What it works on.
    pub fn target(&self) -> Target {
        match self {
            Self::EnsureImage { image, .. } => Target::Image(image.clone()),
            Self::CreateSandbox { uid, .. } | Self::StartSandbox { uid, .. } | Self::RemoveVolumes { uid } => {
                Target::Sandbox(uid.clone())
            }
            Self::CreateContainer { uid, name, .. } | Self::StartContainer { uid, name, .. } => {
                Target::Container(uid.clone(), name.clone())
            }
            Self::StopSandbox { id }
            | Self::RemoveSandbox { id, .. }
            | Self::StopContainer { id, .. }
            | Self::RemoveContainer { id, .. } => Target::Instance(id.clone()),
        }
    }

    /// The container (or pause container) it changes, if that exists already. Two actions on one
    /// instance never overlap, though a start and a stop have different targets.
    pub fn instance(&self) -> Option<&ContainerId> {
        match self {
            Self::StartSandbox { id, .. }
            | Self::StopSandbox { id }
            | Self::RemoveSandbox { id, .. }
            | Self::StartContainer { id, .. }
            | Self::StopContainer { id, .. }
            | Self::RemoveContainer { id, .. } => Some(id),
            Self::EnsureImage { .. }
            | Self::CreateSandbox { .. }
            | Self::RemoveVolumes { .. }
            | Self::CreateContainer { .. } => None,
        }
    }

    /// The incarnation for which it makes or starts something.
    pub fn makes_for(&self) -> Option<&PodUid> {
        match self {
            Self::CreateSandbox { uid, .. }
            | Self::StartSandbox { uid, .. }
            | Self::CreateContainer { uid, .. }
            | Self::StartContainer { uid, .. } => Some(uid),
            Self::EnsureImage { .. }
            | Self::StopSandbox { .. }
            | Self::RemoveSandbox { .. }
            | Self::RemoveVolumes { .. }
            | Self::StopContainer { .. }
            | Self::RemoveContainer { .. } => None,
        }
    }

    /// A word for logs.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::EnsureImage { .. } => "EnsureImage",
            Self::CreateSandbox { .. } => "CreateSandbox",
            Self::StartSandbox { .. } => "StartSandbox",
            Self::StopSandbox { .. } => "StopSandbox",
            Self::RemoveSandbox { .. } => "RemoveSandbox",
            Self::RemoveVolumes { .. } => "RemoveVolumes",
            Self::CreateContainer { .. } => "CreateContainer",
            Self::StartContainer { .. } => "StartContainer",
            Self::StopContainer { .. } => "StopContainer",
            Self::RemoveContainer { .. } => "RemoveContainer",
        }
    }
}
