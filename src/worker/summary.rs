//! What others see of a pod at a glance. Pure.

use crate::{
    plan::{Desired, PodPlan, WaitingReason},
    pod::{ContainerKind, ContainerName, ObservedPod, PodUid},
    status::Published,
};
use std::collections::BTreeSet;

/// What others see of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSummary {
    /// The incarnation that is wanted.
    pub uid: Option<PodUid>,
    /// Incarnations that the engine holds, or that may have directories; `None` before the pod was looked at.
    pub uids: Option<BTreeSet<PodUid>>,
    /// App containers and sidecars that run as declared.
    pub running: usize,
    /// App containers and sidecars declared.
    pub total: usize,
    /// The most telling waiting reason, with its container.
    pub waiting: Option<(ContainerName, &'static str)>,
    /// All containers are done for good.
    pub finished: bool,
    /// Containers that run with an environment from before something they took it from changed.
    pub stale: BTreeSet<ContainerName>,
    /// It is being ended.
    pub terminating: bool,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// The worker has nothing to do and nothing under way.
    pub quiet: bool,
    /// What its status is made from.
    pub picture: Option<Published>,
}

impl PodSummary {
    /// The summary of what a worker knows; `quiet` if it has nothing to do.
    pub(super) fn of(
        uid: Option<PodUid>,
        desired: &Desired,
        observed: &ObservedPod,
        plan: &PodPlan,
        picture: Option<Published>,
        quiet: bool,
    ) -> Self {
        let mut summary = Self {
            uid,
            finished: plan.finished,
            stale: plan.stale.clone(),
            terminating: !matches!(desired, Desired::Run(_)),
            quiet,
            ready: picture.as_ref().is_some_and(|p| p.0.is_ready()),
            picture,
            ..Self::default()
        };
        if let Desired::Run(pod) = desired {
            let long_lived = pod.containers.iter().filter(|c| c.kind != ContainerKind::Init);
            let own = observed.incarnation(&pod.uid);
            for container in long_lived {
                summary.total += 1;
                let newest = own.and_then(|i| i.containers.iter().find(|c| c.name == container.name));
                summary.running += usize::from(newest.is_some_and(|c| c.state.is_running()));
            }
            let telling = plan.waiting.iter().max_by_key(|(_, reason)| match reason {
                WaitingReason::ContainerCreating => 0,
                WaitingReason::PodInitializing => 1,
                WaitingReason::CrashLoopBackOff { .. } => 2,
                WaitingReason::Missing { .. } | WaitingReason::StartAfter(_) | WaitingReason::SameUid(_) => 3,
                WaitingReason::Failed { .. } | WaitingReason::NodeMismatch(_) => 4,
            });
            summary.waiting = telling.map(|(name, reason)| (name.clone(), reason_word(reason)));
        }
        summary
    }
}

fn reason_word(reason: &WaitingReason) -> &'static str {
    match reason {
        WaitingReason::SameUid(same) if same.is_mutual => "SameUid",
        WaitingReason::ContainerCreating | WaitingReason::SameUid(_) => "ContainerCreating",
        WaitingReason::PodInitializing => "PodInitializing",
        WaitingReason::CrashLoopBackOff { .. } => "CrashLoopBackOff",
        WaitingReason::Missing { reason, .. } => reason,
        WaitingReason::NodeMismatch(mismatch) => mismatch.reason,
        WaitingReason::StartAfter(_) => "StartAfter",
        WaitingReason::Failed { reason, .. } => match *reason {
            // A pull that failed is a back-off until it is tried again.
            "ErrImagePull" => "ImagePullBackOff",
            other => other,
        },
    }
}
