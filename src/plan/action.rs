//! The vocabulary of plans.

use crate::{
    pod::{Attempt, ContainerId, ContainerKind, ContainerName, History, ImageRef, PodUid, ProbeKind, PullPolicy},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
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
        /// What its labels keep for the next instance.
        history: History,
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
    /// `lifecycle.postStart` of a container that runs. Until it has ended the container has not started.
    RunPostStart {
        /// Engine id.
        id: ContainerId,
        /// Its name.
        name: ContainerName,
    },
    /// `lifecycle.preStop` of a container that is about to be stopped. It is given up when the
    /// container's stop begins, which is at the end of its grace at the latest.
    RunPreStop {
        /// Engine id.
        id: ContainerId,
        /// Its name.
        name: ContainerName,
    },
    /// Bring the pod's volumes to what its manifest and the objects say now.
    UpdateVolumes {
        /// Incarnation.
        uid: PodUid,
    },
    /// Stop signal, grace, SIGKILL. May be asked for again with an earlier end while it is under way.
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
    /// A container's `postStart`. A stop of the container ends it.
    PostStart(ContainerId),
    /// A container's `preStop`. A stop of the container ends it.
    PreStop(ContainerId),
}

/// The end of one container, from its `preStop` to SIGKILL. What has begun is not taken back: it ends
/// although its cause may vanish, and its deadline only moves forward. Kept beside the pod's manifest,
/// so that it outlives the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When its grace is over: `preStop` and the time after the stop signal share it.
    pub deadline: Timestamp,
    /// Why.
    pub reason: StopReason,
    /// How far it has come.
    pub progress: EndingProgress,
}

/// How far the end of a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingProgress {
    /// It may still run.
    Begun,
    /// It was seen ended. If it runs again, somebody has started it, and that is another matter.
    Over,
}

/// Why something that runs is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its liveness or startup probe failed.
    FailedProbe {
        /// Which of them.
        kind: ProbeKind,
        /// The part it plays in its pod.
        of: ContainerKind,
        /// Whether the restart policy starts it again.
        then: Then,
    },
    /// Its `postStart` failed.
    FailedPostStartHook,
    /// A container of its pod ended with an exit code for which a rule wants all to start over.
    RestartAllContainers,
    /// The node shuts down.
    NodeShutdown,
}

/// What follows the end of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// Another instance, after its back-off.
    Restart,
    /// Nothing: `restartPolicy: Never`.
    Nothing,
}

impl StopReason {
    /// Message of event `Killing`.
    pub fn message(self, container: &ContainerName) -> String {
        match self {
            Self::PodRemoved | Self::PodChanged | Self::PodFinished | Self::DeadlineExceeded | Self::NodeShutdown => {
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
            Self::FailedProbe { kind, of, then } => {
                let probe = kind.as_str().to_lowercase();
                match (of, then) {
                    (ContainerKind::Init | ContainerKind::Sidecar, _) => {
                        format!("Init container {container} failed {probe} probe")
                    }
                    (ContainerKind::App, Then::Restart) => {
                        format!("Container {container} failed {probe} probe, will be restarted")
                    }
                    (ContainerKind::App, Then::Nothing) => format!("Container {container} failed {probe} probe"),
                }
            }
            Self::FailedPostStartHook => "FailedPostStartHook".to_owned(),
            Self::RestartAllContainers => {
                format!(
                    "Stopping container {container}: a rule of restartPolicyRules restarts all containers of its pod"
                )
            }
        }
    }
}

impl PodAction {
    /// What it works on.
    pub fn target(&self) -> Target {
        match self {
            Self::EnsureImage { image, .. } => Target::Image(image.clone()),
            Self::CreateSandbox { uid, .. }
            | Self::StartSandbox { uid, .. }
            | Self::UpdateVolumes { uid }
            | Self::RemoveVolumes { uid } => Target::Sandbox(uid.clone()),
            Self::CreateContainer { uid, name, .. } | Self::StartContainer { uid, name, .. } => {
                Target::Container(uid.clone(), name.clone())
            }
            Self::StopSandbox { id }
            | Self::RemoveSandbox { id, .. }
            | Self::StopContainer { id, .. }
            | Self::RemoveContainer { id, .. } => Target::Instance(id.clone()),
            Self::RunPostStart { id, .. } => Target::PostStart(id.clone()),
            Self::RunPreStop { id, .. } => Target::PreStop(id.clone()),
        }
    }

    /// The container (or pause container) it changes, if that exists already. Two actions on one
    /// instance never overlap, though a start and a stop have different targets. A hook changes none:
    /// it is run beside a container, and given up when the container is stopped.
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
            | Self::UpdateVolumes { .. }
            | Self::RemoveVolumes { .. }
            | Self::CreateContainer { .. }
            | Self::RunPostStart { .. }
            | Self::RunPreStop { .. } => None,
        }
    }

    /// The incarnation for which it makes or starts something.
    pub fn makes_for(&self) -> Option<&PodUid> {
        match self {
            Self::CreateSandbox { uid, .. }
            | Self::StartSandbox { uid, .. }
            | Self::CreateContainer { uid, .. }
            | Self::StartContainer { uid, .. }
            | Self::UpdateVolumes { uid } => Some(uid),
            Self::EnsureImage { .. }
            | Self::StopSandbox { .. }
            | Self::RemoveSandbox { .. }
            | Self::RemoveVolumes { .. }
            | Self::RunPostStart { .. }
            | Self::RunPreStop { .. }
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
            Self::UpdateVolumes { .. } => "UpdateVolumes",
            Self::RemoveVolumes { .. } => "RemoveVolumes",
            Self::CreateContainer { .. } => "CreateContainer",
            Self::StartContainer { .. } => "StartContainer",
            Self::RunPostStart { .. } => "RunPostStart",
            Self::RunPreStop { .. } => "RunPreStop",
            Self::StopContainer { .. } => "StopContainer",
            Self::RemoveContainer { .. } => "RemoveContainer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_end() {
        let failed = |kind, of, then| StopReason::FailedProbe { kind, of, then };
        let (live, first) = (ProbeKind::Liveness, ProbeKind::Startup);
        for (reason, message) in [
            (StopReason::PodRemoved, "Stopping container c"),
            (StopReason::PodChanged, "Stopping container c"),
            (StopReason::PodFinished, "Stopping container c"),
            (StopReason::DeadlineExceeded, "Stopping container c"),
            (StopReason::NodeShutdown, "Stopping container c"),
            (StopReason::DefinitionChanged, "Container c definition changed, will be restarted"),
            (StopReason::UnknownState, "Container c is in \"unknown\" state, try killing it before restart"),
            (StopReason::FailedPostStartHook, "FailedPostStartHook"),
            (failed(live, ContainerKind::App, Then::Restart), "Container c failed liveness probe, will be restarted"),
            (failed(first, ContainerKind::App, Then::Restart), "Container c failed startup probe, will be restarted"),
            (failed(live, ContainerKind::App, Then::Nothing), "Container c failed liveness probe"),
            (failed(live, ContainerKind::Sidecar, Then::Restart), "Init container c failed liveness probe"),
            (failed(first, ContainerKind::Sidecar, Then::Restart), "Init container c failed startup probe"),
        ] {
            assert_eq!(reason.message(&ContainerName::new("c")), message, "{reason:?}");
        }
    }
}
