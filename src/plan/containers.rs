//! Containers of a running sandbox: edits, init sequence, sidecars, apps, tombstones.

use super::{
    Planner, PodAction, StopReason, Target, WaitingReason,
    sandbox::{is_as_declared, restarts},
};
use crate::pod::{
    Attempt, Container, ContainerKind, ContainerState, ContainerStatus, ExitReason, Incarnation, Pod, RestartPolicy,
    Sandbox,
};
use std::{collections::BTreeSet, time::Duration};

/// What keeps the sequence of starts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The next container may start.
    Next,
    /// Those after it wait.
    Hold,
}

impl Planner<'_> {
    /// Brings the containers of a running sandbox to what the pod declares.
    pub(super) fn run_containers(&mut self, pod: &Pod, incarnation: &Incarnation, sandbox: &Sandbox) {
        let sync = Sync { pod, incarnation, sandbox };
        self.apply_edits(&sync);
        let initialized = sync.is_initialized();
        let mut held = self.is_starting(pod);
        for container in &pod.containers {
            if container.kind == ContainerKind::Init && initialized {
                continue;
            }
            if held {
                // Starts are one after another; what runs already needs none.
                self.note_waiting(&sync, container);
                continue;
            }
            let progress = match container.kind {
                ContainerKind::Init => self.run_init(&sync, container),
                ContainerKind::Sidecar | ContainerKind::App => self.keep(&sync, container),
            };
            let sequence = container.kind == ContainerKind::App || initialized;
            held = match progress {
                Progress::Next => false,
                // Among initialized containers only a start under way holds the next one back.
                Progress::Hold => !sequence || self.is_starting(pod),
            };
        }
        self.bury(pod, incarnation);
    }

    /// Stops what the manifest no longer declares so, once the images of all that replaces it are here.
    fn apply_edits(&mut self, sync: &Sync<'_>) {
        let changed = |c: &&Container| match sync.newest(c) {
            Some(i) => !is_as_declared(i.hash.as_ref(), &c.hash),
            None => c.kind != ContainerKind::Init,
        };
        let running = sync.incarnation.containers.iter().filter(|i| i.state.may_run());
        let outdated: Vec<(&ContainerStatus, StopReason)> = running
            .filter_map(|instance| match sync.pod.container(&instance.name) {
                None => Some((instance, StopReason::ContainerRemoved)),
                Some(c) if c.kind == ContainerKind::Init => None,
                Some(c) if is_as_declared(instance.hash.as_ref(), &c.hash) => None,
                Some(_) => Some((instance, StopReason::DefinitionChanged)),
            })
            .collect();
        if outdated.is_empty() || !self.images_ready(sync.pod.containers.iter().filter(changed)) {
            return;
        }
        for (instance, reason) in outdated {
            self.stop(instance, sync.pod.grace, reason);
        }
    }

    /// Whether a container of this pod is being made or started: one start at a time, in order.
    fn is_starting(&self, pod: &Pod) -> bool {
        let of_pod = |target: &Target| matches!(target, Target::Container(uid, _) if *uid == pod.uid);
        self.input.in_flight.keys().any(of_pod) || self.plan.actions.iter().any(|a| of_pod(&a.target()))
    }

    /// An init container: must end with success before the next starts.
    fn run_init(&mut self, sync: &Sync<'_>, container: &Container) -> Progress {
        let Some(instance) = sync.newest_here(container) else {
            return self.start(sync, container, None);
        };
        match &instance.state {
            ContainerState::Exited { code: 0, reason, .. } if *reason != ExitReason::OomKilled => Progress::Next,
            ContainerState::Exited { .. } if sync.pod.restart_policy == RestartPolicy::Never => Progress::Hold,
            ContainerState::Exited { .. } => self.restart(sync, container, instance),
            ContainerState::Created => self.start_created(sync, container, instance),
            ContainerState::Running { .. } => Progress::Hold,
            ContainerState::Unknown => self.distrust(sync, instance),
        }
    }

    /// A sidecar or an app: runs, or is started, or waits, or is done.
    fn keep(&mut self, sync: &Sync<'_>, container: &Container) -> Progress {
        let Some(instance) = sync.newest(container) else {
            return self.start(sync, container, None);
        };
        let here = instance.sandbox_id == sync.sandbox.id;
        let as_declared = is_as_declared(instance.hash.as_ref(), &container.hash);
        match &instance.state {
            ContainerState::Running { .. } if as_declared => Progress::Next,
            ContainerState::Running { .. } => {
                // Being stopped for its edit, or waiting for the new image.
                if self.is_stopping(&instance.id) {
                    self.plan.waiting.insert(container.name.clone(), WaitingReason::ContainerCreating);
                }
                Progress::Hold
            }
            ContainerState::Unknown => self.distrust(sync, instance),
            ContainerState::Created if here && as_declared => self.start_created(sync, container, instance),
            ContainerState::Created => {
                self.offer(PodAction::RemoveContainer { id: instance.id.clone(), name: instance.name.clone() });
                self.plan.waiting.insert(container.name.clone(), WaitingReason::ContainerCreating);
                Progress::Hold
            }
            ContainerState::Exited { .. } if !as_declared => self.start(sync, container, None),
            ContainerState::Exited { code, .. } if !restarts(sync.policy(container), *code) => Progress::Next,
            // It ended with its sandbox, which is no fault of its own: no delay, and none forgotten.
            ContainerState::Exited { .. } if !here => self.start(sync, container, instance.backoff),
            ContainerState::Exited { .. } => self.restart(sync, container, instance),
        }
    }

    /// Starts a container again after its back-off.
    fn restart(&mut self, sync: &Sync<'_>, container: &Container, ended: &ContainerStatus) -> Progress {
        let Some((delay, due)) = self.crash_loop(ended) else { return Progress::Hold };
        if self.input.now < due {
            self.wake(due);
            let waiting = WaitingReason::CrashLoopBackOff { delay, until: due };
            self.plan.waiting.insert(container.name.clone(), waiting);
            return Progress::Hold;
        }
        self.start(sync, container, Some(delay))
    }

    /// Makes the next instance of a container.
    fn start(&mut self, sync: &Sync<'_>, container: &Container, backoff: Option<Duration>) -> Progress {
        if let Some(offer) = self.ensure_image(container) {
            let waiting = offer.waiting(sync.creating());
            self.plan.waiting.insert(container.name.clone(), waiting);
            return Progress::Hold;
        }
        let attempt = sync.newest(container).map_or(Attempt::default(), |i| i.attempt.next());
        let offer = self.offer(PodAction::CreateContainer {
            uid: sync.pod.uid.clone(),
            sandbox: sync.sandbox.id.clone(),
            name: container.name.clone(),
            attempt,
            backoff,
        });
        self.plan.waiting.insert(container.name.clone(), offer.waiting(sync.creating()));
        Progress::Hold
    }

    fn start_created(&mut self, sync: &Sync<'_>, container: &Container, made: &ContainerStatus) -> Progress {
        let offer = self.offer(PodAction::StartContainer {
            uid: sync.pod.uid.clone(),
            name: container.name.clone(),
            id: made.id.clone(),
        });
        self.plan.waiting.insert(container.name.clone(), offer.waiting(sync.creating()));
        Progress::Hold
    }

    fn distrust(&mut self, sync: &Sync<'_>, instance: &ContainerStatus) -> Progress {
        self.stop(instance, sync.pod.grace, StopReason::UnknownState);
        Progress::Hold
    }

    /// Why a container behind a held one does not run.
    fn note_waiting(&mut self, sync: &Sync<'_>, container: &Container) {
        let waiting = match sync.newest_here(container).map(|i| (i, &i.state)) {
            None => {
                // Pulls run ahead of starts; what is being made has its image.
                let own = Target::Container(sync.pod.uid.clone(), container.name.clone());
                if !self.input.in_flight.contains_key(&own) {
                    self.ensure_image(container);
                }
                sync.creating()
            }
            Some((_, ContainerState::Created)) => sync.creating(),
            Some((ended, ContainerState::Exited { code, .. })) if restarts(sync.policy(container), *code) => {
                match self.crash_loop(ended) {
                    Some((delay, until)) if self.input.now < until => WaitingReason::CrashLoopBackOff { delay, until },
                    Some(_) | None => sync.creating(),
                }
            }
            Some(_) => return,
        };
        self.plan.waiting.entry(container.name.clone()).or_insert(waiting);
    }

    /// Removes records that nothing needs any more: all but the newest instance of a container, and
    /// the one before it while the newest lives. A second live instance is ended.
    pub(super) fn bury(&mut self, pod: &Pod, incarnation: &Incarnation) {
        let names: BTreeSet<_> = incarnation.containers.iter().map(|c| &c.name).collect();
        for name in names {
            let declared = pod.container(name).is_some();
            let mut kept_dead = false;
            for (age, instance) in incarnation.containers.iter().filter(|c| c.name == *name).enumerate() {
                let exited = instance.state.is_exited();
                if age == 0 && declared {
                    kept_dead = exited;
                } else if instance.state.may_run() {
                    if declared {
                        self.stop(instance, pod.grace, StopReason::Superseded);
                    }
                } else if declared && exited && !kept_dead {
                    kept_dead = true;
                } else {
                    self.offer(PodAction::RemoveContainer { id: instance.id.clone(), name: name.clone() });
                }
            }
        }
    }
}

/// What a round of one pod looks at.
struct Sync<'a> {
    pod: &'a Pod,
    incarnation: &'a Incarnation,
    sandbox: &'a Sandbox,
}

impl Sync<'_> {
    /// The newest instance of a container, in whichever sandbox.
    fn newest(&self, container: &Container) -> Option<&ContainerStatus> {
        self.incarnation.containers.iter().find(|c| c.name == container.name)
    }

    /// The newest instance, if it is of the current sandbox.
    fn newest_here(&self, container: &Container) -> Option<&ContainerStatus> {
        self.newest(container).filter(|c| c.sandbox_id == self.sandbox.id)
    }

    /// Once any app was made in this sandbox, init containers are not run again in it.
    fn is_initialized(&self) -> bool {
        let init = |c: &&Container| c.kind != ContainerKind::App;
        !self.pod.containers.iter().any(|c| init(&c))
            || self
                .incarnation
                .containers
                .iter()
                .any(|i| i.kind == ContainerKind::App && i.sandbox_id == self.sandbox.id)
    }

    /// The restart policy that counts for a container.
    fn policy(&self, container: &Container) -> RestartPolicy {
        match (container.kind, self.pod.restart_policy) {
            (ContainerKind::Sidecar, _) => RestartPolicy::Always,
            // An init container that ended well is done under `Always` too.
            (ContainerKind::Init, RestartPolicy::Always) => RestartPolicy::OnFailure,
            (ContainerKind::Init | ContainerKind::App, policy) => policy,
        }
    }

    /// The waiting reason of something that is on its way.
    fn creating(&self) -> WaitingReason {
        if self.is_initialized() { WaitingReason::ContainerCreating } else { WaitingReason::PodInitializing }
    }
}
