//! Why an action on a pod failed, with the kubelet's word for it.

use crate::{
    convert::ConvertError,
    engine::EngineError,
    plan::{PodAction, Target, backoff::Pace},
    probe::HookError,
    volume::{Held, VolumeError},
};

/// A failed action. It never ends the worker: it is recorded and tried again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The engine did not do it.
    #[error("{verb} failed")]
    Engine {
        /// The action's word.
        verb: &'static str,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// The spec can not be told to the engine.
    #[error("the container can not be configured")]
    Config(#[source] Box<ConvertError>),
    /// A volume can not be provided.
    #[error("a volume can not be provided")]
    Volume(#[source] Box<VolumeError>),
    /// Some volumes of files can not be written; the others are.
    #[error("a volume can not be provided")]
    Unwritten {
        /// What the others hold.
        held: Held,
        /// Why the rest could not.
        #[source]
        source: Box<VolumeError>,
    },
    /// The files of an image can not be provided as a volume.
    #[error(transparent)]
    ImageVolume(Box<SyncError>),
    /// The engine does not tell of an image.
    #[error("Failed to inspect image {image:?}")]
    ImageInspect {
        /// As the manifest names it.
        image: String,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// `imagePullPolicy: Never` and no such image.
    #[error(
        "image {0:?} is not present and imagePullPolicy is Never: load it with `docker load`, or change the policy"
    )]
    ImageNeverPull(String),
    /// A container that is not ours has the name that ours must have.
    #[error(
        "container name {name:?} is taken by container {id}, which is not ours and is left alone: rename or remove it"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Its owner.
        id: String,
    },
    /// Who may pull an image can not be told.
    #[error("the credentials for the pull can not be read")]
    Credentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The node's resolver can not be told.
    #[error("the file of --resolv-conf can not be read")]
    Resolver(#[source] Box<VolumeError>),
    /// A lifecycle hook failed.
    #[error("the lifecycle hook failed")]
    Hook(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The engine went away while a lifecycle hook ran.
    #[error("nobody knows whether the lifecycle hook has run")]
    HookLost(#[source] HookError),
    /// What it is for is to end: it was given up before it had made anything.
    #[error("it is not wanted any more")]
    GivenUp,
    /// The task ended without an answer; a fault of ours.
    #[error("{verb} ended abnormally: {message}")]
    Aborted {
        /// The action's word.
        verb: &'static str,
        /// What the runtime says of it.
        message: String,
    },
}

impl SyncError {
    /// Whether no engine answered, so that the fault is not the pod's.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Engine { source, .. } | Self::ImageInspect { source, .. } => source.is_unavailable(),
            Self::HookLost(_) => true,
            Self::ImageVolume(error) => error.is_unavailable(),
            _ => false,
        }
    }

    /// Whether it is a fault of this program.
    pub fn is_our_fault(&self) -> bool {
        match self {
            Self::Aborted { .. } => true,
            Self::ImageVolume(error) => error.is_our_fault(),
            _ => false,
        }
    }

    /// How soon what failed for this target is tried again.
    pub fn pace(&self, target: &Target) -> Pace {
        if matches!(self, Self::ImageVolume(_)) { Pace::Pull } else { Pace::of(target) }
    }

    /// The kubelet's word for a failure of this action.
    pub fn reason(&self, action: &PodAction) -> &'static str {
        match (self, action) {
            (Self::ImageVolume(error), _) => error.reason(action),
            (Self::ImageNeverPull(_), _) => "ErrImageNeverPull",
            (Self::ImageInspect { .. }, _) => "ImageInspectError",
            (Self::Config(_), _) => "CreateContainerConfigError",
            // A variable or a path of the container, rather than a volume.
            (Self::Volume(error), PodAction::CreateContainer { .. }) if matches!(**error, VolumeError::Convert(_)) => {
                "CreateContainerConfigError"
            }
            (Self::Volume(_), _) => "FailedMount",
            (_, PodAction::EnsureImage { .. }) => "ErrImagePull",
            (_, PodAction::CreateSandbox { .. } | PodAction::StartSandbox { .. }) => "FailedCreatePodSandBox",
            (_, PodAction::CreateContainer { .. }) => "CreateContainerError",
            (_, PodAction::StartContainer { .. }) => "RunContainerError",
            (_, PodAction::RunPostStart { .. }) => "FailedPostStartHook",
            (_, PodAction::RunPreStop { .. }) => "FailedPreStopHook",
            (_, PodAction::StopSandbox { .. } | PodAction::RemoveSandbox { .. }) => "KillPodSandboxError",
            (_, PodAction::UpdateVolumes { .. }) => "FailedMount",
            (_, PodAction::RemoveVolumes { .. }) => "FailedUnmount",
            (_, PodAction::StopContainer { .. } | PodAction::RemoveContainer { .. }) => "KillContainerError",
        }
    }
}
