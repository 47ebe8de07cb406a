//! The sandbox: make, keep, replace. No container runs outside a running sandbox of its own pod.

use super::{Planner, PodAction, StopReason, Volumes, WaitingReason};
use crate::pod::{
    Attempt, ContainerKind, ContainerState, ExitReason, Incarnation, Pod, RestartPolicy, Sandbox, hash::SpecHash,
};

impl Planner<'_> {
    /// Runs `pod` on what is there of its incarnation.
    pub(super) fn run(&mut self, pod: &Pod, incarnation: Option<&Incarnation>) {
        let Some(incarnation) = incarnation else {
            self.create_sandbox(pod, Attempt::default());
            return;
        };
        if is_finished(pod, incarnation) {
            self.finish(incarnation);
            self.bury(pod, incarnation);
            return;
        }
        let Some(current) = incarnation.sandboxes.first() else {
            // Removed behind our back, label and all; what ran in it can not be joined again.
            if !self.stop_all(incarnation, StopReason::SandboxChanged) {
                self.create_sandbox(pod, Attempt::default());
            }
            return;
        };
        let as_declared = is_as_declared(current.hash.as_ref(), &pod.sandbox_hash);
        match &current.state {
            ContainerState::Running { .. } if as_declared => {
                if self.leave_older(pod, incarnation, current) {
                    self.run_containers(pod, incarnation, current);
                }
            }
            ContainerState::Running { .. } | ContainerState::Unknown => {
                if !self.stop_all(incarnation, StopReason::SandboxChanged) {
                    self.offer(PodAction::StopSandbox { id: current.id.clone() });
                }
                self.all_waiting(pod, &WaitingReason::ContainerCreating);
            }
            ContainerState::Created if as_declared => {
                if !self.stop_all(incarnation, StopReason::SandboxChanged) {
                    let offer = self.offer(PodAction::StartSandbox { uid: pod.uid.clone(), id: current.id.clone() });
                    self.all_waiting(pod, &offer.waiting(WaitingReason::ContainerCreating));
                    self.images_ahead(pod);
                }
            }
            ContainerState::Created => {
                self.offer(remove(incarnation, current));
            }
            ContainerState::Exited { .. } => {
                if !self.stop_all(incarnation, StopReason::SandboxChanged) {
                    self.create_sandbox(pod, current.attempt.next());
                }
            }
        }
    }

    /// Makes the sandbox, and looks for the images meanwhile.
    fn create_sandbox(&mut self, pod: &Pod, attempt: Attempt) {
        let offer = self.offer(PodAction::CreateSandbox { uid: pod.uid.clone(), attempt });
        self.all_waiting(pod, &offer.waiting(WaitingReason::ContainerCreating));
        self.images_ahead(pod);
    }

    /// Images are pulled while the sandbox is on its way.
    fn images_ahead(&mut self, pod: &Pod) {
        self.images_ready(pod.containers.iter());
    }

    /// Removes sandboxes older than the current one, with what still runs in them; false until
    /// nothing runs there any more.
    fn leave_older(&mut self, pod: &Pod, incarnation: &Incarnation, current: &Sandbox) -> bool {
        let mut clear = true;
        for container in &incarnation.containers {
            if container.sandbox_id != current.id && container.state.may_run() {
                clear = false;
                self.stop(container, pod.grace, StopReason::SandboxChanged);
            }
        }
        if !clear {
            return false;
        }
        for sandbox in incarnation.sandboxes.iter().skip(1) {
            self.offer(remove(incarnation, sandbox));
        }
        true
    }
}

fn remove(incarnation: &Incarnation, sandbox: &Sandbox) -> PodAction {
    PodAction::RemoveSandbox { uid: incarnation.uid.clone(), id: sandbox.id.clone(), volumes: Volumes::Keep }
}

/// A hash of an unknown version counts as unchanged: an upgrade restarts nothing.
pub(super) fn is_as_declared(recorded: Option<&SpecHash>, declared: &SpecHash) -> bool {
    recorded.is_none_or(|recorded| recorded == declared)
}

/// Whether every container is done for good, so that the pod is Succeeded or Failed.
fn is_finished(pod: &Pod, incarnation: &Incarnation) -> bool {
    let newest = |name| incarnation.containers.iter().find(|c| c.name == name);
    let never = pod.restart_policy == RestartPolicy::Never;
    let of_kind = |kind| pod.containers.iter().filter(move |c| c.kind == kind);
    let current = incarnation.sandboxes.first();
    let init_failed = of_kind(ContainerKind::Init).any(|c| {
        newest(c.name.clone()).is_some_and(|i| {
            never
                && current.is_some_and(|s| s.id == i.sandbox_id)
                && matches!(i.state, ContainerState::Exited { code, reason, .. }
                    if code != 0 || reason == ExitReason::OomKilled)
        })
    });
    if init_failed {
        return true;
    }
    let sandbox_lost = current.is_none_or(|s| s.state.is_exited());
    let not_yet_run = |c: &crate::pod::Container| {
        newest(c.name.clone())
            .is_none_or(|i| i.state == ContainerState::Created || !is_as_declared(i.hash.as_ref(), &c.hash))
    };
    if never && sandbox_lost && !of_kind(ContainerKind::App).any(not_yet_run) && current.is_some() {
        // What ran once is not run again for the loss of its sandbox.
        return true;
    }
    of_kind(ContainerKind::App).all(|c| {
        newest(c.name.clone()).is_some_and(|i| {
            is_as_declared(i.hash.as_ref(), &c.hash)
                && matches!(i.state, ContainerState::Exited { code, .. } if !restarts(pod.restart_policy, code))
        })
    })
}

/// Whether a container that ended with this code starts again.
pub(super) fn restarts(policy: RestartPolicy, code: i64) -> bool {
    match policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => code != 0,
        RestartPolicy::Never => false,
    }
}
