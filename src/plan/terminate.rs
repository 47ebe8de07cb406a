//! The one way a pod ends, whatever the cause: containers in parallel, sidecars after them in
//! reverse order, their records removed, the sandbox last.

use super::{Desired, Planner, PodAction, StopReason, Volumes, backoff, ending::Turn};
use crate::pod::{
    AppliedPod, ContainerKind, ContainerState, ContainerStatus, Incarnation, PodUid, Sandbox,
    defaults::TERMINATION_GRACE_PERIOD_SECONDS,
};
use std::time::Duration;

impl Planner<'_> {
    /// Ends an incarnation with the grace of the spec that runs. From then on it is doomed.
    pub(super) fn terminate(&mut self, incarnation: &Incarnation, reason: StopReason) {
        self.plan.terminating.insert(incarnation.uid.clone());
        self.end(incarnation, reason, Volumes::Remove);
    }

    /// Stops containers and sandbox, and keeps records and volumes for another start.
    pub(super) fn halt(&mut self, incarnation: &Incarnation, reason: StopReason) {
        if !self.stop_all(incarnation, reason) && !self.is_making_for(&incarnation.uid) {
            self.stop_sandboxes(incarnation, ContainerState::may_run);
        }
    }

    /// Containers, then their records while the sandbox stops, then the sandbox.
    pub(super) fn end(&mut self, incarnation: &Incarnation, reason: StopReason, volumes: Volumes) {
        // A call that still makes something of this incarnation could outlive its sandbox.
        if self.stop_all(incarnation, reason) || self.is_making_for(&incarnation.uid) {
            return;
        }
        for container in &incarnation.containers {
            self.offer(PodAction::RemoveContainer { id: container.id.clone(), name: container.name.clone() });
        }
        // One in an unknown state is left to its removal, which needs no trust.
        if self.stop_sandboxes(incarnation, ContainerState::is_running) || !incarnation.containers.is_empty() {
            return;
        }
        let Some((newest, older)) = incarnation.sandboxes.split_first() else { return };
        let mut remove = |sandbox: &Sandbox, volumes| {
            self.offer(PodAction::RemoveSandbox { uid: incarnation.uid.clone(), id: sandbox.id.clone(), volumes })
        };
        for sandbox in older {
            remove(sandbox, Volumes::Keep);
        }
        if older.is_empty() {
            // The volumes go once, with the very last.
            remove(newest, volumes);
        }
    }

    /// Removes what is left on the disk of pods that are over and of which the engine holds nothing:
    /// their sandbox was removed by hand, or never made.
    pub(super) fn remove_volumes(&mut self, is_over: impl Fn(&PodUid) -> bool) {
        let input = self.input;
        let gone = |uid: &&PodUid| input.observed.incarnation(uid).is_none() && is_over(uid);
        for uid in input.volumes.iter().filter(gone) {
            self.plan.terminating.insert(uid.clone());
            if !self.is_making_for(uid) {
                self.offer(PodAction::RemoveVolumes { uid: uid.clone() });
            }
        }
    }

    /// Stops all sandboxes in such a state; true while there is one.
    pub(super) fn stop_sandboxes(&mut self, incarnation: &Incarnation, is_due: fn(&ContainerState) -> bool) -> bool {
        let mut any = false;
        for sandbox in incarnation.sandboxes.iter().filter(|s| is_due(&s.state)) {
            any = true;
            self.offer(PodAction::StopSandbox { id: sandbox.id.clone() });
        }
        any
    }

    /// Stops whatever runs; true while something may. All share one grace from the beginning: sidecars
    /// run their `preStop` at once, and get their stop signal after the others, in reverse order.
    pub(super) fn stop_all(&mut self, incarnation: &Incarnation, reason: StopReason) -> bool {
        let (sidecars, others): (Vec<&ContainerStatus>, Vec<_>) = incarnation
            .containers
            .iter()
            .filter(|c| c.state.may_run() || self.is_being_started(&c.id))
            .partition(|c| c.kind == ContainerKind::Sidecar);
        for container in &others {
            self.stop(incarnation, container, self.grace(incarnation, container), reason);
        }
        let any = !others.is_empty() || !sidecars.is_empty();
        let mut turn = if others.is_empty() { Turn::Now } else { Turn::AfterOthers };
        for sidecar in last_first(incarnation, sidecars) {
            self.stop_in_turn(incarnation, sidecar, self.grace(incarnation, sidecar), reason, turn);
            turn = Turn::AfterOthers;
        }
        any
    }

    /// The grace of the spec that runs, else the one recorded on the container, else the default; within
    /// the limit of whoever ends the pod.
    fn grace(&self, incarnation: &Incarnation, container: &ContainerStatus) -> Duration {
        let written = match &incarnation.applied {
            AppliedPod::Known(pod) => pod.grace,
            AppliedPod::Unreadable(_) => {
                container.grace.unwrap_or(Duration::from_secs(TERMINATION_GRACE_PERIOD_SECONDS.unsigned_abs()))
            }
        };
        match self.input.desired {
            Desired::Stop { grace } => written.min(*grace),
            Desired::Run(_) | Desired::Terminate(_) | Desired::Leave => written,
        }
    }

    /// A pod that is over: what still runs ends (sidecars, mostly), the sandbox is stopped, the records stay.
    pub(super) fn finish(&mut self, incarnation: &Incarnation, reason: StopReason) {
        self.plan.finished = true;
        if self.stop_all(incarnation, reason) {
            return;
        }
        self.stop_sandboxes(incarnation, ContainerState::may_run);
    }

    /// When a container that ended may start again, and the delay that makes it wait.
    pub(super) fn crash_loop(&self, container: &ContainerStatus) -> Option<(Duration, crate::time::Timestamp)> {
        let ContainerState::Exited { ran_for, finished_at, .. } = &container.state else { return None };
        let cap = self.input.policy.max_container_restart_period;
        let delay = backoff::crash_loop_delay(container.backoff, *ran_for, cap);
        Some((delay, backoff::due(self.input.now, *finished_at, delay)))
    }
}

/// Sidecars in the reverse order of the spec; those it does not name come last.
fn last_first<'c>(incarnation: &Incarnation, mut sidecars: Vec<&'c ContainerStatus>) -> Vec<&'c ContainerStatus> {
    let place = |c: &ContainerStatus| match &incarnation.applied {
        AppliedPod::Known(pod) => pod.containers.iter().position(|s| s.name == c.name),
        AppliedPod::Unreadable(_) => None,
    };
    sidecars.sort_by_key(|c| std::cmp::Reverse(place(c)));
    sidecars
}
