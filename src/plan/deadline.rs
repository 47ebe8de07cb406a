//! `activeDeadlineSeconds`: how long a pod may take, from its first sandbox to the end of its containers.

use super::Planner;
use crate::{
    pod::{ContainerState, Incarnation, Pod},
    time::Timestamp,
};
use std::time::Duration;

impl Planner<'_> {
    /// Whether the pod has outlived its deadline; until then the plan is to be made anew when it passes.
    /// `done` says whether all containers are done for good.
    pub(super) fn deadline_exceeded(&mut self, pod: &Pod, incarnation: &Incarnation, done: bool) -> bool {
        let Some(deadline) = deadline(pod, incarnation) else { return false };
        if self.input.now < deadline {
            if !done {
                self.wake(deadline);
            }
            return false;
        }
        // What was done in time has met its deadline; what was ended for it may look as if it had
        // completed, but ended too late.
        let late = incarnation.containers.iter().any(|c| match c.state {
            ContainerState::Exited { finished_at, .. } => finished_at >= deadline,
            ContainerState::Running { .. } | ContainerState::Unknown | ContainerState::Created => false,
        });
        !done || late
    }
}

/// When the pod must be done.
fn deadline(pod: &Pod, incarnation: &Incarnation) -> Option<Timestamp> {
    let seconds = pod.spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok())?;
    let start = incarnation.sandboxes.iter().map(|s| s.pod_start.at).min()?;
    Some(start + Duration::from_secs(seconds))
}
