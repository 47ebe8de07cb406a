//! Containers of a running sandbox: edits, init sequence, sidecars, apps, tombstones.

use super::{
    Endings, Planner, PodAction, StopReason, Target, WaitingReason,
    images::Images,
    on_its_way, rounds,
    sandbox::{has_failed_for_good, has_succeeded, is_as_declared, is_done, is_initialized},
};
use crate::pod::{
    Attempt, Container, ContainerKind, ContainerState, ContainerStatus, History, Incarnation, Pod, Sandbox,
    hash::SpecHash,
};
use std::{collections::BTreeSet, time::Duration};

/// What a container means for the starts of those after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It is where it should be.
    Next,
    /// It is not; while the pod initializes, those after it wait.
    Later,
    /// The image for its first start is on its way: first starts after it wait, as starts are in
    /// the order of the spec.
    Pulling,
    /// Those after it wait.
    Hold,
}

impl Planner<'_> {
    /// Brings the containers of a running sandbox to what the pod declares.
    pub(super) fn run_containers(&mut self, pod: &Pod, incarnation: &Incarnation, sandbox: &Sandbox) {
        let endings = self.input.endings;
        let sync = Sync { pod, incarnation, sandbox, endings, round: rounds::current(pod, incarnation, endings) };
        self.update_volumes(pod);
        self.apply_edits(&sync);
        self.apply_verdicts(pod, incarnation);
        let initialized = is_initialized(pod, incarnation);
        let mut held = self.is_starting(pod);
        let mut in_order = false;
        for container in &pod.containers {
            if container.kind == ContainerKind::Init && initialized {
                continue;
            }
            if held || (in_order && sync.newest_here(container).is_none()) {
                // Starts are one after another; what runs already needs none.
                self.note_waiting(&sync, container);
                continue;
            }
            let progress = match container.kind {
                ContainerKind::Init => self.run_init(&sync, container),
                ContainerKind::Sidecar | ContainerKind::App => self.keep(&sync, container),
            };
            in_order |= progress == Progress::Pulling;
            held = match progress {
                Progress::Next => false,
                Progress::Hold => true,
                // Among initialized containers only a start under way holds the next one back.
                Progress::Later | Progress::Pulling => {
                    !(initialized || container.kind == ContainerKind::App) || self.is_starting(pod)
                }
            };
        }
        self.complete_endings(incarnation);
        self.bury(pod, incarnation);
    }

    /// Stops what the manifest no longer declares so, once the images and objects of all that replaces
    /// it are here.
    fn apply_edits(&mut self, sync: &Sync<'_>) {
        if self.keeping {
            return;
        }
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
                // An older one is not edited, it is superseded.
                Some(c) if sync.newest(c).is_some_and(|newest| newest.id != instance.id) => None,
                Some(_) if instance.hash == Some(SpecHash::superseded()) => {
                    Some((instance, StopReason::EnvironmentChanged))
                }
                Some(_) => Some((instance, StopReason::DefinitionChanged)),
            })
            .collect();
        if outdated.is_empty() {
            return;
        }
        let replacing: Vec<&Container> =
            sync.pod.containers.iter().filter(changed).filter(|c| !self.is_being_made(sync, c)).collect();
        let images = self.ensure_images(sync.pod, replacing.iter().copied(), &sync.creating());
        let lacks = self.any_lacks(sync.pod, replacing.iter().copied());
        if self.any_awaits_volumes(sync, &replacing) || lacks || images != Images::Ready {
            return;
        }
        for (instance, reason) in outdated {
            self.stop(sync.incarnation, instance, sync.pod.grace, reason);
        }
    }

    /// Whether any of these containers can not be made before a volume was written, which it waits for.
    fn any_awaits_volumes(&mut self, sync: &Sync<'_>, containers: &[&Container]) -> bool {
        let mut any = false;
        for container in containers {
            if let Some(offer) = self.awaited_volumes(sync.pod, container) {
                self.note_offer(&container.name, offer, &sync.creating());
                any = true;
            }
        }
        any
    }

    /// Whether a container of this pod is being made or started: one start at a time, in order.
    fn is_starting(&self, pod: &Pod) -> bool {
        let of_pod = |target: &Target| matches!(target, Target::Container(uid, _) if *uid == pod.uid);
        self.input.in_flight.keys().any(of_pod) || self.plan.actions.iter().any(|a| of_pod(&a.target()))
    }

    fn is_being_made(&self, sync: &Sync<'_>, container: &Container) -> bool {
        self.input.in_flight.contains_key(&Target::Container(sync.pod.uid.clone(), container.name.clone()))
    }

    /// An init container: must end with success before the next starts.
    fn run_init(&mut self, sync: &Sync<'_>, container: &Container) -> Progress {
        let Some(instance) = sync.newest_here(container) else {
            return match sync.newest(container) {
                Some(asked) if sync.asks_for_all(asked) => self.restart(sync, container, asked),
                _ => self.start(sync, container, None),
            };
        };
        match &instance.state {
            ContainerState::Exited { .. } if has_succeeded(instance) => Progress::Next,
            ContainerState::Exited { .. } if has_failed_for_good(&container.restart, instance) => Progress::Hold,
            ContainerState::Exited { .. } => self.restart(sync, container, instance),
            ContainerState::Created => self.start_created(sync, container, instance),
            ContainerState::Running { .. } => Progress::Hold,
            ContainerState::Unknown => self.distrust(sync, instance),
        }
    }

    /// A sidecar or an app: runs, or is started, or waits, or is done.
    fn keep(&mut self, sync: &Sync<'_>, container: &Container) -> Progress {
        let Some(instance) = sync.newest(container) else {
            return self.start_edited(sync, container);
        };
        let here = instance.sandbox_id == sync.sandbox.id;
        let as_declared = is_as_declared(instance.hash.as_ref(), &container.hash);
        match &instance.state {
            ContainerState::Running { .. } if as_declared && self.ending(&instance.id).is_some() => Progress::Later,
            // What an edit is to replace as well, as long as it may run on.
            ContainerState::Running { .. }
                if self.ending(&instance.id).is_none() && self.post_start(container, instance) =>
            {
                Progress::Hold
            }
            ContainerState::Running { .. } if as_declared => match container.kind {
                // Those after it wait for its startup probe.
                ContainerKind::Sidecar if !self.has_started(container, instance) => Progress::Later,
                ContainerKind::Sidecar | ContainerKind::App | ContainerKind::Init => Progress::Next,
            },
            ContainerState::Running { .. } => {
                // Being stopped for its edit, or waiting for the new image.
                if self.is_stopping(&instance.id) {
                    self.plan.waiting.insert(container.name.clone(), WaitingReason::ContainerCreating);
                }
                Progress::Later
            }
            ContainerState::Unknown => self.distrust(sync, instance),
            ContainerState::Created if here && as_declared => self.start_created(sync, container, instance),
            ContainerState::Created => {
                self.offer(PodAction::RemoveContainer { id: instance.id.clone(), name: instance.name.clone() });
                self.plan.waiting.insert(container.name.clone(), sync.creating());
                Progress::Later
            }
            ContainerState::Exited { .. } if !as_declared => self.start(sync, container, None),
            ContainerState::Exited { .. } if sync.asks_for_all(instance) => self.restart(sync, container, instance),
            ContainerState::Exited { .. } if sync.is_settled(container, instance) => Progress::Next,
            // It ended with its sandbox, which is no fault of its own: no delay, and none forgotten.
            ContainerState::Exited { .. } if !here => self.start(sync, container, instance.backoff),
            ContainerState::Exited { .. } => self.restart(sync, container, instance),
        }
    }

    /// Starts a container again after its back-off.
    fn restart(&mut self, sync: &Sync<'_>, container: &Container, ended: &ContainerStatus) -> Progress {
        let Some((delay, due)) = self.crash_loop(ended) else { return Progress::Later };
        if self.input.now < due {
            self.wake(due);
            let waiting = WaitingReason::CrashLoopBackOff { delay, until: due };
            self.plan.waiting.insert(container.name.clone(), waiting);
            return Progress::Later;
        }
        self.start(sync, container, Some(delay))
    }

    /// Starts a container that was never made. One that came with an edit may be another's new name,
    /// so it waits until those that the edit removes have ended.
    fn start_edited(&mut self, sync: &Sync<'_>, container: &Container) -> Progress {
        let mut removed = sync.incarnation.containers.iter().filter(|i| sync.pod.container(&i.name).is_none());
        if removed.any(|i| i.state.may_run()) {
            self.plan.waiting.entry(container.name.clone()).or_insert(sync.creating());
            return Progress::Later;
        }
        self.start(sync, container, None)
    }

    /// Makes the next instance of a container.
    fn start(&mut self, sync: &Sync<'_>, container: &Container, backoff: Option<Duration>) -> Progress {
        let first = sync.newest_here(container).is_none();
        if let Some(offer) = self.ensure_image(sync.pod, container) {
            self.note_offer(&container.name, offer, &sync.creating());
            let pulling = !matches!(offer, super::Offer::BackingOff { .. });
            return if first && pulling { Progress::Pulling } else { Progress::Later };
        }
        if self.lacks(sync.pod, container) {
            return Progress::Later;
        }
        let seen = self.input.attempts.get(&(sync.pod.uid.clone(), container.name.clone())).copied();
        let newest = sync.newest(container).map(|i| i.attempt).max(seen);
        let attempt = newest.map_or(Attempt::default(), Attempt::next);
        let create = PodAction::CreateContainer {
            uid: sync.pod.uid.clone(),
            sandbox: sync.sandbox.id.clone(),
            name: container.name.clone(),
            history: History { attempt, backoff, round: sync.round },
        };
        self.offer_alone(sync, container, create)
    }

    fn start_created(&mut self, sync: &Sync<'_>, container: &Container, made: &ContainerStatus) -> Progress {
        let start =
            PodAction::StartContainer { uid: sync.pod.uid.clone(), name: container.name.clone(), id: made.id.clone() };
        self.offer_alone(sync, container, start)
    }

    /// Offers a step towards the start of a container, unless another instance of it may run.
    fn offer_alone(&mut self, sync: &Sync<'_>, container: &Container, step: PodAction) -> Progress {
        let waiting = if sync.instances(container).any(|i| i.state.may_run()) {
            sync.creating()
        } else if let Some(offer) = self.awaited_volumes(sync.pod, container) {
            offer.waiting(sync.creating())
        } else {
            self.offer(step).waiting(sync.creating())
        };
        self.plan.waiting.insert(container.name.clone(), waiting);
        Progress::Later
    }

    fn distrust(&mut self, sync: &Sync<'_>, instance: &ContainerStatus) -> Progress {
        self.stop(sync.incarnation, instance, sync.pod.grace, StopReason::UnknownState);
        Progress::Later
    }

    /// Why a container behind a held one does not run. Pulls run ahead of starts.
    fn note_waiting(&mut self, sync: &Sync<'_>, container: &Container) {
        let creating = sync.creating();
        let waiting = match sync.newest(container).map(|i| (i, &i.state)) {
            Some((_, ContainerState::Running { .. } | ContainerState::Unknown)) => return,
            Some((ended, ContainerState::Exited { .. })) if sync.is_settled(container, ended) => return,
            Some((_, ContainerState::Created)) if sync.is_current(container) => creating,
            Some((ended, ContainerState::Exited { .. })) if sync.is_current(container) => {
                match self.crash_loop(ended) {
                    Some((delay, until)) if self.input.now < until => WaitingReason::CrashLoopBackOff { delay, until },
                    Some(_) | None => creating,
                }
            }
            None | Some(_) => {
                // One that is being made right now has its image.
                let is_being_made = self.is_being_made(sync, container);
                if !is_being_made && let Some(offer) = self.ensure_image(sync.pod, container) {
                    self.note_offer(&container.name, offer, &creating);
                }
                creating
            }
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
                        self.stop(incarnation, instance, pod.grace, StopReason::Superseded);
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
    endings: &'a Endings,
    /// What is made is of this round.
    round: u32,
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

    /// All instances of a container.
    fn instances(&self, container: &Container) -> impl Iterator<Item = &ContainerStatus> {
        self.incarnation.containers.iter().filter(|c| c.name == container.name)
    }

    /// Whether the newest instance is of this sandbox and made as declared.
    fn is_current(&self, container: &Container) -> bool {
        let is_init = container.kind == ContainerKind::Init;
        self.newest_here(container).is_some_and(|i| is_init || is_as_declared(i.hash.as_ref(), &container.hash))
    }

    /// Whether an instance that ended is the container's last, as things stand.
    fn is_settled(&self, container: &Container, ended: &ContainerStatus) -> bool {
        match container.kind {
            ContainerKind::Init => ended.sandbox_id == self.sandbox.id && has_succeeded(ended),
            ContainerKind::Sidecar | ContainerKind::App => {
                is_as_declared(ended.hash.as_ref(), &container.hash)
                    && is_done(&container.restart, self.incarnation, ended, self.endings)
            }
        }
    }

    /// Whether this instance has asked for the round that is.
    fn asks_for_all(&self, instance: &ContainerStatus) -> bool {
        rounds::asks_for_all(self.pod, instance, self.endings)
    }

    /// The waiting reason of something that is on its way.
    fn creating(&self) -> WaitingReason {
        if is_initialized(self.pod, self.incarnation) { WaitingReason::ContainerCreating } else { on_its_way(self.pod) }
    }
}
