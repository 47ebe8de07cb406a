//! The one way a pod ends, whatever the cause: containers in parallel, sidecars after them in
//! reverse order, their records removed, the sandbox last.

use super::{Planner, PodAction, StopReason, Volumes, backoff};
use crate::pod::{
    AppliedPod, ContainerKind, ContainerState, ContainerStatus, Incarnation, defaults::TERMINATION_GRACE_PERIOD_SECONDS,
};
use std::time::Duration;

/// What a container has at least between its stop signal and SIGKILL (a kubelet rule).
pub(super) const MINIMUM_GRACE: Duration = Duration::from_secs(2);

impl Planner<'_> {
    /// Ends an incarnation with the grace of the spec that runs.
    pub(super) fn terminate(&mut self, incarnation: &Incarnation, reason: StopReason) {
        self.plan.terminating.insert(incarnation.uid.clone());
        if self.stop_all(incarnation, reason) {
            return;
        }
        let mut left = false;
        for container in &incarnation.containers {
            left = true;
            self.offer(PodAction::RemoveContainer { id: container.id.clone(), name: container.name.clone() });
        }
        for sandbox in &incarnation.sandboxes {
            if sandbox.state.may_run() {
                left = true;
                self.offer(PodAction::StopSandbox { id: sandbox.id.clone() });
            }
        }
        // A call that is still making something of this incarnation could outlive its sandbox.
        left |= self.input.in_flight.values().any(|a| makes_for(a, incarnation));
        if left {
            return;
        }
        for sandbox in &incarnation.sandboxes {
            self.offer(PodAction::RemoveSandbox {
                uid: incarnation.uid.clone(),
                id: sandbox.id.clone(),
                volumes: Volumes::Remove,
            });
        }
    }

    /// Stops whatever runs, sidecars after the others and in reverse order; true while something may run.
    pub(super) fn stop_all(&mut self, incarnation: &Incarnation, reason: StopReason) -> bool {
        let since = self.input.terminating.get(&incarnation.uid).copied().unwrap_or(self.input.now);
        let elapsed = self.input.now.since(since);
        let alive = || incarnation.containers.iter().filter(|c| c.state.may_run());
        let mut others_alive = false;
        for container in alive().filter(|c| c.kind != ContainerKind::Sidecar) {
            others_alive = true;
            let grace = applied_grace(incarnation, container);
            self.stop(container, grace, reason);
        }
        let mut sidecars: Vec<&ContainerStatus> = alive().filter(|c| c.kind == ContainerKind::Sidecar).collect();
        let place = |c: &ContainerStatus| match &incarnation.applied {
            AppliedPod::Known(pod) => pod.containers.iter().position(|s| s.name == c.name),
            AppliedPod::Unreadable(_) => None,
        };
        sidecars.sort_by_key(|c| std::cmp::Reverse(place(c)));
        let mut wait = others_alive;
        for sidecar in &sidecars {
            let whole = applied_grace(incarnation, sidecar);
            if wait && elapsed < whole {
                // Its turn comes when those before it have ended, or when the grace is over.
                self.wake(since + whole);
                continue;
            }
            self.stop(sidecar, whole.saturating_sub(elapsed), reason);
            wait = true;
        }
        others_alive || !sidecars.is_empty()
    }

    /// Offers one stop, with at least the minimum grace.
    pub(super) fn stop(&mut self, container: &ContainerStatus, grace: Duration, reason: StopReason) {
        self.offer(PodAction::StopContainer {
            id: container.id.clone(),
            name: container.name.clone(),
            grace: grace.max(MINIMUM_GRACE),
            reason,
        });
    }

    /// A pod whose containers are all done: sidecars end, the sandbox is stopped, the records stay.
    pub(super) fn finish(&mut self, incarnation: &Incarnation) {
        self.plan.finished = true;
        if self.stop_all(incarnation, StopReason::PodFinished) {
            return;
        }
        for sandbox in incarnation.sandboxes.iter().filter(|s| s.state.may_run()) {
            self.offer(PodAction::StopSandbox { id: sandbox.id.clone() });
        }
    }

    /// When a container that ended may start again, and the delay that makes it wait.
    pub(super) fn crash_loop(&self, container: &ContainerStatus) -> Option<(Duration, crate::time::Timestamp)> {
        let ContainerState::Exited { ran_for, finished_at, .. } = &container.state else { return None };
        let cap = self.input.policy.max_container_restart_period;
        let delay = backoff::crash_loop_delay(container.backoff, *ran_for, cap);
        Some((delay, backoff::due(self.input.now, *finished_at, delay)))
    }
}

/// The grace of the spec that runs, else the one recorded on the container, else the default.
fn applied_grace(incarnation: &Incarnation, container: &ContainerStatus) -> Duration {
    match &incarnation.applied {
        AppliedPod::Known(pod) => pod.grace,
        AppliedPod::Unreadable(_) => {
            container.grace.unwrap_or(Duration::from_secs(TERMINATION_GRACE_PERIOD_SECONDS.unsigned_abs()))
        }
    }
}

fn makes_for(action: &PodAction, incarnation: &Incarnation) -> bool {
    match action {
        PodAction::CreateSandbox { uid, .. }
        | PodAction::StartSandbox { uid, .. }
        | PodAction::CreateContainer { uid, .. }
        | PodAction::StartContainer { uid, .. } => *uid == incarnation.uid,
        PodAction::EnsureImage { .. }
        | PodAction::StopSandbox { .. }
        | PodAction::RemoveSandbox { .. }
        | PodAction::StopContainer { .. }
        | PodAction::RemoveContainer { .. } => false,
    }
}
