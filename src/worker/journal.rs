//! One log line for each thing that happens to a pod, in the words of Kubernetes' events.
//!
//! Never an environment value or a secret: only names, ids, images, codes and the engine's words.

use crate::{
    plan::{PodAction, PodPlan, WaitingReason},
    pod::{ContainerState, ObservedPod, PodKey, PodUid},
};
use tracing::{info, warn};

/// Says what an action that succeeded has done.
pub(super) fn done(key: &PodKey, uid: &PodUid, action: &PodAction, id: Option<&str>) {
    match action {
        PodAction::EnsureImage { .. } => {}
        PodAction::CreateSandbox { attempt, .. } => {
            info!(pod = %key, %uid, reason = "CreatedPodSandbox", container_id = id, attempt = attempt.0, "sandbox created");
        }
        PodAction::StartSandbox { id, .. } => {
            info!(pod = %key, %uid, reason = "StartedPodSandbox", container_id = %id, "sandbox started");
        }
        PodAction::CreateContainer { name, attempt, .. } => {
            info!(pod = %key, %uid, container = %name, reason = "Created", container_id = id, restart_count = attempt.0, "container created");
        }
        PodAction::StartContainer { name, id, .. } => {
            info!(pod = %key, %uid, container = %name, reason = "Started", container_id = %id, "container started");
        }
        PodAction::StopContainer { .. } | PodAction::StopSandbox { .. } => {}
        PodAction::RemoveContainer { name, id } => {
            tracing::debug!(pod = %key, %uid, container = %name, container_id = %id, "container removed");
        }
        PodAction::RemoveVolumes { .. } => {
            tracing::debug!(pod = %key, %uid, "the pod has no directory any more");
        }
        PodAction::RemoveSandbox { id, .. } => {
            info!(pod = %key, %uid, reason = "RemovedPodSandbox", container_id = %id, "sandbox removed");
        }
    }
}

/// Says that something is about to be ended, and why.
pub(super) fn begin(key: &PodKey, uid: &PodUid, action: &PodAction) {
    if let PodAction::StopContainer { id, name, grace, reason } = action {
        info!(
            pod = %key, %uid, container = %name, reason = "Killing", container_id = %id,
            grace_period_seconds = grace.as_secs(), "{}", reason.message(name)
        );
    }
}

/// Says what is new between two observations: containers that ended.
pub(super) fn changes(key: &PodKey, before: &ObservedPod, after: &ObservedPod) {
    for incarnation in &after.incarnations {
        let old = before.incarnation(&incarnation.uid);
        for container in &incarnation.containers {
            let ContainerState::Exited { code, reason, .. } = container.state else { continue };
            let was = old.and_then(|o| o.containers.iter().find(|c| c.id == container.id)).map(|c| &c.state);
            if was.is_some_and(|state| !state.is_exited()) {
                info!(
                    pod = %key, uid = %incarnation.uid, container = %container.name, container_id = %container.id,
                    reason = reason.as_str(), exit_code = code, restart_count = container.attempt.0, "container ended"
                );
            }
        }
        for sandbox in incarnation.sandboxes.iter().filter(|s| s.state.is_exited()) {
            let was = old.and_then(|o| o.sandboxes.iter().find(|s| s.id == sandbox.id)).map(|s| &s.state);
            if was.is_some_and(ContainerState::may_run) {
                warn!(
                    pod = %key, uid = %incarnation.uid, container_id = %sandbox.id, reason = "SandboxChanged",
                    "the pod's sandbox ended"
                );
            }
        }
    }
}

/// Says what is new between two plans: a container that is now held back.
pub(super) fn waiting(key: &PodKey, uid: Option<&PodUid>, before: &PodPlan, after: &PodPlan) {
    let uid = uid.map(PodUid::as_str);
    for (name, reason) in &after.waiting {
        let WaitingReason::CrashLoopBackOff { delay, .. } = reason else { continue };
        if before.waiting.get(name) != Some(reason) && !delay.is_zero() {
            warn!(
                pod = %key, uid, container = %name, reason = "BackOff",
                "back-off {} restarting failed container", humantime::format_duration(*delay)
            );
        }
    }
    if after.finished && !before.finished {
        info!(pod = %key, uid, reason = "PodFinished", "all containers of the pod are done");
    }
}
