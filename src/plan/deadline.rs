//! `activeDeadlineSeconds`: how long a pod may take, from its first sandbox to the end of its containers.

use super::{Planner, StopReason};
use crate::{
    pod::{ContainerState, ContainerStatus, Incarnation, Pod},
    time::Timestamp,
};
use std::time::Duration;

impl Planner<'_> {
    /// Whether the pod has outlived its deadline; until then the plan is to be made anew when it passes.
    /// `done` says whether all containers are done for good.
    pub(super) fn deadline_exceeded(&mut self, pod: &Pod, incarnation: &Incarnation, done: bool) -> bool {
        let ended_for_it = |c: &ContainerStatus| {
            self.input.endings.get(&c.id).is_some_and(|ending| ending.reason == StopReason::DeadlineExceeded)
        };
        if pod.standing.is_job && incarnation.containers.iter().any(ended_for_it) {
            // A Job has failed then, whatever its deadline is now; a pod goes on with a later one.
            return true;
        }
        let Some(deadline) = deadline(pod, incarnation) else { return false };
        if self.input.now < deadline {
            if !done {
                self.wake(deadline);
            }
            return false;
        }
        // What was done in time has met its deadline. That of a Job may be another one since.
        let is_late = |c: &ContainerStatus| match c.state {
            ContainerState::Exited { finished_at, .. } => finished_at >= deadline,
            ContainerState::Running { .. } | ContainerState::Unknown | ContainerState::Created => false,
        };
        let late = !pod.standing.is_job && incarnation.containers.iter().any(is_late);
        !done || late
    }
}

/// When the pod must be done.
fn deadline(pod: &Pod, incarnation: &Incarnation) -> Option<Timestamp> {
    let seconds = pod.spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok())?;
    let start = incarnation.sandboxes.iter().map(|s| s.pod_start.at).min()?;
    Some(start + Duration::from_secs(seconds))
}
