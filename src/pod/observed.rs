//! What the engine holds of one pod, narrowed to what decisions need.

use super::{
    Attempt, ContainerId, ContainerKind, ContainerName, Pod, PodUid, hash::SpecHash, references::EnvironmentHash,
};
use crate::time::Timestamp;
use std::{sync::Arc, time::Duration};

/// All containers of ours that carry one pod's key, by incarnation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedPod {
    /// Normally one; two across an edit of what the sandbox depends on.
    pub incarnations: Vec<Incarnation>,
}

impl ObservedPod {
    /// The incarnation with this uid.
    pub fn incarnation(&self, uid: &PodUid) -> Option<&Incarnation> {
        self.incarnations.iter().find(|i| i.uid == *uid)
    }
    /// Whether the engine holds nothing of this pod.
    pub fn is_empty(&self) -> bool {
        self.incarnations.is_empty()
    }
}

/// One uid of a pod: its sandboxes and containers.
#[derive(Clone, Debug, PartialEq)]
pub struct Incarnation {
    /// `io.kubernetes.pod.uid`.
    pub uid: PodUid,
    /// The spec that runs.
    pub applied: AppliedPod,
    /// Newest attempt first; all but the newest are waiting to be removed.
    pub sandboxes: Vec<Sandbox>,
    /// Newest attempt first for each name; dead ones are tombstones that carry restart count and back-off.
    pub containers: Vec<ContainerStatus>,
}

/// The spec an incarnation runs with, read back from its labels.
#[derive(Clone, Debug, PartialEq)]
pub enum AppliedPod {
    /// Decoded.
    Known(Arc<Pod>),
    /// The labels can not be read (text says why): the incarnation is ended with each container's
    /// recorded grace, or the default one.
    Unreadable(String),
}

/// A pause container.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    /// Engine id.
    pub id: ContainerId,
    /// 0 for the first sandbox of this uid.
    pub attempt: Attempt,
    /// Hash of what it was made from (`Pod::sandbox_hash`); `None` when the label is of an unknown
    /// version, which counts as unchanged.
    pub hash: Option<SpecHash>,
    /// When the pod began: kept from sandbox to sandbox.
    pub pod_start: PodStart,
    /// What it does.
    pub state: ContainerState,
    /// Address on the pod's network, IPv4 first; empty with hostNetwork or when not running.
    pub ips: Vec<std::net::IpAddr>,
    /// What is shown of it; one copy for all who look.
    pub record: Arc<Record>,
}

/// When the first sandbox of a pod was made (`status.startTime`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodStart {
    /// By the wall clock; `None` if no record says.
    pub wall: Option<jiff::Timestamp>,
    /// As decisions see it.
    pub at: Timestamp,
}

/// What an instance of a container is made with for the sake of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Restart count.
    pub attempt: Attempt,
    /// Back-off that was waited for before this attempt; `None` for a first or an edited one.
    pub backoff: Option<Duration>,
    /// How often all containers of the pod have started over (`RestartAllContainers`).
    pub round: u32,
}

/// One instance of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerStatus {
    /// Engine id.
    pub id: ContainerId,
    /// `io.kubernetes.container.name`.
    pub name: ContainerName,
    /// Init, sidecar or app.
    pub kind: ContainerKind,
    /// Restart count.
    pub attempt: Attempt,
    /// `io.kubernetes.sandbox.id`: the sandbox it joined.
    pub sandbox_id: ContainerId,
    /// Hash of the spec it was made from; `None` when the label is of an unknown version, which
    /// counts as unchanged.
    pub hash: Option<SpecHash>,
    /// Back-off that was waited for before this attempt; `None` for a first or an edited one.
    pub backoff: Option<Duration>,
    /// How often all containers of the pod had started over when it was made.
    pub round: u32,
    /// Of what its environment took from ConfigMaps and Secrets, if anything was taken.
    pub environment: Option<EnvironmentHash>,
    /// Grace recorded at its creation, for when the applied pod can not be read.
    pub grace: Option<Duration>,
    /// Whether it was made with a `preStop`, for when the applied pod does not tell.
    pub has_pre_stop: bool,
    /// What it does.
    pub state: ContainerState,
    /// What is shown of it; one copy for all who look.
    pub record: Arc<Record>,
}

/// What the engine's record of a container says beyond what decisions need: shown in status, decided on
/// nowhere. Times are the engine's, by the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it was made.
    pub created_at: Option<jiff::Timestamp>,
    /// When it was last started.
    pub started_at: Option<jiff::Timestamp>,
    /// When it last ended.
    pub finished_at: Option<jiff::Timestamp>,
    /// Image as the manifest named it when the container was made; empty for a sandbox.
    pub image: String,
    /// Content id of its image, `sha256:…`.
    pub image_id: String,
    /// The engine's error of a failed start, else empty.
    pub error: String,
    /// The file of its log; empty before its first start, and where the engine keeps no such file.
    pub log_path: String,
}

/// What an instance does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Running since.
    Running {
        /// When its process was started.
        started_at: Timestamp,
    },
    /// Ended.
    Exited {
        /// Exit code.
        code: i64,
        /// Kubernetes' word for it.
        reason: ExitReason,
        /// How long it ran, by the engine's clock; zero if it never started.
        ran_for: Duration,
        /// When it ended.
        finished_at: Timestamp,
    },
    /// Restarting, dead or being removed: stopped before it is trusted (a kubelet rule).
    Unknown,
}

impl ContainerState {
    /// Whether a process may be alive: running, or unknown.
    pub fn may_run(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Unknown)
    }
    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
    /// Whether it ended.
    pub fn is_exited(&self) -> bool {
        matches!(self, Self::Exited { .. })
    }
}

/// `terminated.reason` of a container's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Exit code 0.
    Completed,
    /// Any other exit code.
    Error,
    /// The kernel's OOM killer.
    OomKilled,
    /// The engine could not start it.
    ContainerCannotRun,
}

impl ExitReason {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Error => "Error",
            Self::OomKilled => "OOMKilled",
            Self::ContainerCannotRun => "ContainerCannotRun",
        }
    }
}
