//! ConfigMaps and Secrets that a pod refers to: what waits for them, and what a change of them restarts.
//!
//! Nothing here is tried again by a timer: when an object appears the whole question is asked anew.

use super::{Offer, Planner, PodAction, StopReason, SyncInput, Target, WaitingReason, backoff};
use crate::pod::{
    Container, ContainerKind, ContainerName, ContainerStatus, Incarnation, ObservedPod, Pod, PodReferences,
    RestartPolicy,
    hash::SpecHash,
    references::{ANNOTATION_RESTART_ON_CHANGE, VolumeLack, VolumeState},
};
use std::collections::BTreeSet;

impl Planner<'_> {
    /// Whether a container lacks an object to be made, which is noted as what it waits for.
    pub(super) fn lacks(&mut self, pod: &Pod, container: &Container) -> bool {
        let Some(references) = self.input.references.get(&pod.uid) else { return false };
        let of_volume = match references.volumes.lacking.get(&container.name) {
            Some(VolumeLack::Missing(message)) => Some(("FailedMount", message.as_str())),
            Some(VolumeLack::Awaited) | None => None,
        };
        let of_environment = references.missing(&container.name).map(|message| ("CreateContainerConfigError", message));
        let Some((reason, message)) = of_volume.or(of_environment) else { return false };
        let waiting = WaitingReason::Missing { reason, message: message.to_owned() };
        self.plan.waiting.insert(container.name.clone(), waiting);
        true
    }

    /// Whether any of these containers lacks an object.
    pub(super) fn any_lacks<'c>(&mut self, pod: &Pod, containers: impl Iterator<Item = &'c Container>) -> bool {
        containers.fold(false, |any, container| self.lacks(pod, container) | any)
    }

    /// Whether the pod lacks an object for its volumes, which is what all that should run waits for.
    pub(super) fn lacks_volumes(&mut self, pod: &Pod, incarnation: Option<&Incarnation>) -> bool {
        let references = self.input.references.get(&pod.uid);
        let Some(message) = references.and_then(|r| r.volumes.missing.as_ref()) else { return false };
        let waiting = WaitingReason::Missing { reason: "FailedMount", message: message.clone() };
        self.all_waiting(pod, incarnation, &waiting);
        true
    }

    /// Brings the volumes of a running sandbox up to date. An object that has gone takes nothing from
    /// what is there.
    pub(super) fn update_volumes(&mut self, pod: &Pod) {
        let references = self.input.references.get(&pod.uid);
        if references.is_some_and(|r| r.volumes.state == VolumeState::Outdated) {
            self.offer(PodAction::UpdateVolumes { uid: pod.uid.clone() });
        }
    }

    /// What the start of a container waits for until somebody has seen that its volumes are there.
    pub(super) fn awaited_volumes(&self, pod: &Pod, container: &Container) -> Option<Offer> {
        let references = self.input.references.get(&pod.uid)?;
        if references.volumes.lacking.get(&container.name) != Some(&VolumeLack::Awaited) {
            return None;
        }
        let failure = self.input.results.get(&Target::Sandbox(pod.uid.clone()));
        Some(failure.map_or(Offer::Busy, |f| {
            let until = f.at + backoff::retry_delay(f.pace, f.failures);
            Offer::BackingOff { reason: f.reason, until }
        }))
    }

    /// Notes what runs with another environment than it would get now.
    pub(super) fn note_stale(&mut self, pod: &Pod) {
        let Some(incarnation) = self.input.observed.incarnation(&pod.uid) else { return };
        let Some(references) = self.input.references.get(&pod.uid) else { return };
        self.plan.stale = stale(pod, incarnation, references);
    }
}

/// Containers whose newest instance runs with another environment than it would get now.
fn stale(pod: &Pod, incarnation: &Incarnation, references: &PodReferences) -> BTreeSet<ContainerName> {
    let newest = |c: &Container| incarnation.containers.iter().find(|i| i.name == c.name);
    let is_stale = |c: &&Container| {
        newest(c).is_some_and(|i| i.state.may_run() && references.is_stale(&c.name, i.environment.as_ref()))
    };
    pod.containers.iter().filter(is_stale).map(|c| c.name.clone()).collect()
}

/// What was observed, with each container that the pod wants restarted for a change of its
/// environment as one that was made from another spec; `None` if there is none. What has run to its end
/// is not run again, unless it ended for that change, and what runs only once is left to it.
pub(super) fn with_stale_edited(input: &SyncInput<'_>, pod: &Pod) -> Option<ObservedPod> {
    let annotations = pod.written.metadata.annotations.as_ref()?;
    if annotations.get(ANNOTATION_RESTART_ON_CHANGE).map(String::as_str) != Some("true") {
        return None;
    }
    let references = input.references.get(&pod.uid)?;
    let for_change = |i: &ContainerStatus| {
        input.endings.get(&i.id).is_some_and(|ending| ending.reason == StopReason::EnvironmentChanged)
    };
    let is_kept_running = |c: &Container, i: &ContainerStatus| match (c.kind, c.restart.policy) {
        (ContainerKind::Init, _) | (ContainerKind::App, RestartPolicy::Never) => false,
        (ContainerKind::Sidecar, _) | (ContainerKind::App, RestartPolicy::Always) => true,
        (ContainerKind::App, RestartPolicy::OnFailure) => i.state.may_run() || for_change(i),
    };
    let mut observed = input.observed.clone();
    let mut any = false;
    for instance in observed.incarnations.iter_mut().filter(|i| i.uid == pod.uid).flat_map(|i| &mut i.containers) {
        let wanted = pod.container(&instance.name).is_some_and(|c| is_kept_running(c, instance));
        if wanted && references.has_changed(&instance.name, instance.environment.as_ref()) {
            instance.hash = Some(SpecHash::superseded());
            any = true;
        }
    }
    any.then_some(observed)
}
