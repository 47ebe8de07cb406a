//! Probes and `postStart`: what counts as started, which probes are to be asked, what follows from
//! their verdicts.

use super::{HookState, HookStates, Planner, PodAction, StopReason, action::Then, sandbox::is_as_declared};
use crate::pod::{
    AppliedPod, Container, ContainerStatus, Incarnation, Pod, ProbeKind, ProbeVerdict, ProbeVerdicts, RestartPolicy,
};

/// Whether a container's process was started and its `postStart`, if we ran one, was successful.
pub fn is_post_started(container: &Container, instance: &ContainerStatus, hooks: &HookStates) -> bool {
    let hook = hooks.get(&instance.id).filter(|_| container.post_start().is_some());
    instance.state.is_running() && !matches!(hook, Some(HookState::PostStartDue | HookState::PostStartFailed))
}

/// `started` of a container's status: it runs, its `postStart` has succeeded, and so has its startup
/// probe. A container that ran already when the daemon came has no `postStart` to wait for.
pub fn is_started(
    container: &Container,
    instance: &ContainerStatus,
    probes: &ProbeVerdicts,
    hooks: &HookStates,
) -> bool {
    let has_succeeded = || probes.get(&(instance.id.clone(), ProbeKind::Startup)) == Some(&ProbeVerdict::Success);
    is_post_started(container, instance, hooks) && (container.probe(ProbeKind::Startup).is_none() || has_succeeded())
}

impl Planner<'_> {
    /// Whether a container has started, so that those after it may.
    pub(super) fn has_started(&self, container: &Container, instance: &ContainerStatus) -> bool {
        is_started(container, instance, self.input.probes, self.input.hooks)
    }

    /// Runs the `postStart` of a container that we have started; true until it has ended.
    pub(super) fn post_start(&mut self, container: &Container, instance: &ContainerStatus) -> bool {
        let is_due = container.post_start().is_some()
            && self.input.hooks.get(&instance.id) == Some(&HookState::PostStartDue)
            && !self.is_being_started(&instance.id);
        if is_due {
            self.offer(PodAction::RunPostStart { id: instance.id.clone(), name: instance.name.clone() });
        }
        is_due
    }

    /// Ends what failed its liveness or startup probe or its `postStart`; whether it comes back is for
    /// the restart policy. What an edit is about to replace is left alone: it can not be had again.
    pub(super) fn apply_verdicts(&mut self, pod: &Pod, incarnation: &Incarnation) {
        for container in &pod.containers {
            let newest = incarnation.containers.iter().find(|i| i.name == container.name);
            let Some(instance) = newest.filter(|i| i.state.is_running()) else { continue };
            if !is_as_declared(instance.hash.as_ref(), &container.hash) || self.ending(&instance.id).is_some() {
                continue;
            }
            let failed = [ProbeKind::Startup, ProbeKind::Liveness].into_iter().find(|kind| {
                let verdict = self.input.probes.get(&(instance.id.clone(), *kind));
                verdict == Some(&ProbeVerdict::Failure) && container.probe(*kind).is_some()
            });
            if let Some(kind) = failed {
                let is_final = container.restart.policy == RestartPolicy::Never;
                let then = if is_final { Then::Nothing } else { Then::Restart };
                let reason = StopReason::FailedProbe { kind, of: container.kind, then };
                self.stop(incarnation, instance, container.probe_grace(kind).unwrap_or(pod.grace), reason);
            } else if self.input.hooks.get(&instance.id) == Some(&HookState::PostStartFailed) {
                self.stop(incarnation, instance, pod.grace, StopReason::FailedPostStartHook);
            }
        }
    }

    /// Notes the probes that are to be asked from now on: startup first, then the others. A probe of
    /// liveness or startup rests after its failure, and when the container ends; then only readiness
    /// is asked, as nothing else would change anything.
    pub(super) fn note_probes(&mut self) {
        let input = self.input;
        for incarnation in &input.observed.incarnations {
            let wanted = match input.desired {
                super::Desired::Run(pod) if pod.uid == incarnation.uid => Some(pod),
                _ => match &incarnation.applied {
                    AppliedPod::Known(pod) => Some(pod),
                    AppliedPod::Unreadable(_) => None,
                },
            };
            let is_doomed = self.plan.terminating.contains(&incarnation.uid);
            for container in wanted.iter().flat_map(|pod| &pod.containers) {
                let newest = incarnation.containers.iter().find(|i| i.name == container.name);
                let Some(instance) = newest.filter(|i| i.state.is_running()) else { continue };
                if !is_post_started(container, instance, input.hooks) || self.is_being_started(&instance.id) {
                    continue;
                }
                let ends = is_doomed || self.ending(&instance.id).is_some();
                let is_started = self.has_started(container, instance);
                let due = [
                    (ProbeKind::Startup, !is_started && !ends),
                    (ProbeKind::Liveness, is_started && !ends),
                    (ProbeKind::Readiness, is_started),
                ];
                for (kind, _) in due.into_iter().filter(|(_, is_due)| *is_due) {
                    let key = (instance.id.clone(), kind);
                    let rests = kind != ProbeKind::Readiness && input.probes.get(&key) == Some(&ProbeVerdict::Failure);
                    if container.probe(kind).is_some() && !rests {
                        self.plan.probes.insert(key);
                    }
                }
            }
        }
    }
}
