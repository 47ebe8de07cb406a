//! The sandbox: make, keep, replace. No container runs outside a running sandbox of its own pod.

use super::{Endings, Planner, PodAction, StopReason, Volumes, images::Images, may_run, on_its_way, rounds};
use crate::pod::{
    Attempt, Container, ContainerKind, ContainerState, ContainerStatus, ExitReason, Incarnation, Pod, Restart,
    RestartPolicy, Sandbox, hash::SpecHash,
};

impl Planner<'_> {
    /// Runs `pod` on what is there of its incarnation.
    pub(super) fn run(&mut self, pod: &Pod, incarnation: Option<&Incarnation>) {
        let Some(incarnation) = incarnation else {
            self.create_sandbox(pod, None, Attempt::default());
            return;
        };
        let current = incarnation.sandboxes.first();
        if current.is_some_and(|s| !is_as_declared(s.hash.as_ref(), &pod.sandbox_hash)) {
            self.remake(pod, incarnation);
            return;
        }
        if self.leave_rounds(pod, incarnation) {
            return;
        }
        let of_round = rounds::without_earlier(pod, incarnation, self.input.endings);
        let incarnation = of_round.as_ref().unwrap_or(incarnation);
        let current = incarnation.sandboxes.first();
        let done = is_finished(pod, incarnation, self.input.endings);
        if self.deadline_exceeded(pod, incarnation, done) {
            self.plan.deadline_exceeded = true;
            self.finish(incarnation, StopReason::DeadlineExceeded);
            self.bury(pod, incarnation);
            return;
        }
        if done {
            self.finish(incarnation, StopReason::PodFinished);
            self.bury(pod, incarnation);
            return;
        }
        let Some(current) = current else {
            // Removed behind our back, label and all; what ran in it can not be joined again.
            self.create_sandbox_anew(pod, incarnation, Attempt::default());
            return;
        };
        match &current.state {
            // It is going away: what is made in it now would be lost.
            ContainerState::Running { .. } if self.is_stopping(&current.id) => {
                self.all_waiting(pod, Some(incarnation), &on_its_way(pod));
            }
            // It was taken off its network: nobody reaches the pod any more, nor can it be put right from here.
            ContainerState::Running { .. } if current.ips.is_empty() && !pod.host_network => {
                self.create_sandbox_anew(pod, incarnation, current.attempt.next());
            }
            ContainerState::Running { .. } => {
                if self.leave_older(pod, incarnation, current) {
                    self.run_containers(pod, incarnation, current);
                } else {
                    self.all_waiting(pod, Some(incarnation), &on_its_way(pod));
                }
            }
            ContainerState::Created => self.start_sandbox(pod, incarnation, current),
            // One in an unknown state (dead, being removed) can not be joined either.
            ContainerState::Exited { .. } | ContainerState::Unknown => {
                self.create_sandbox_anew(pod, incarnation, current.attempt.next());
            }
        }
    }

    /// Makes the sandbox, and looks for the images meanwhile.
    fn create_sandbox(&mut self, pod: &Pod, incarnation: Option<&Incarnation>, attempt: Attempt) {
        if self.lacks_volumes(pod, incarnation) {
            self.images_ahead(pod, incarnation);
            return;
        }
        let offer = self.offer(PodAction::CreateSandbox { uid: pod.uid.clone(), attempt });
        self.all_waiting(pod, incarnation, &offer.waiting(on_its_way(pod)));
        self.images_ahead(pod, incarnation);
    }

    /// Makes another sandbox once nothing runs outside it.
    fn create_sandbox_anew(&mut self, pod: &Pod, incarnation: &Incarnation, attempt: Attempt) {
        if self.leave_all(incarnation) {
            self.all_waiting(pod, Some(incarnation), &on_its_way(pod));
        } else {
            self.create_sandbox(pod, Some(incarnation), attempt);
        }
    }

    /// Stops all containers, then all sandboxes: they hold ports that the next one needs. True while
    /// something may run.
    fn leave_all(&mut self, incarnation: &Incarnation) -> bool {
        self.stop_all(incarnation, StopReason::SandboxChanged)
            || self.stop_sandboxes(incarnation, ContainerState::may_run)
    }

    /// Starts the sandbox once nothing runs outside it that could hold its ports.
    fn start_sandbox(&mut self, pod: &Pod, incarnation: &Incarnation, current: &Sandbox) {
        let mut waiting = on_its_way(pod);
        if !self.leave_all(incarnation) && !self.lacks_volumes(pod, Some(incarnation)) {
            let start = PodAction::StartSandbox { uid: pod.uid.clone(), id: current.id.clone() };
            waiting = self.offer(start).waiting(waiting);
            self.images_ahead(pod, Some(incarnation));
        }
        self.all_waiting(pod, Some(incarnation), &waiting);
    }

    /// Images are pulled while the sandbox is on its way.
    fn images_ahead(&mut self, pod: &Pod, incarnation: Option<&Incarnation>) {
        let endings = self.input.endings;
        let due = pod.containers.iter().filter(|c| is_due(incarnation, c, endings));
        self.ensure_images(pod, due, &on_its_way(pod));
    }

    /// The uid was given, and what its sandbox depends on was edited: a new pod in the place of the
    /// old one, but for what its volumes hold. Restart counts and results of the old pod go with it.
    fn remake(&mut self, pod: &Pod, incarnation: &Incarnation) {
        if may_run(incarnation)
            && let Some(reason) = self.hold(pod)
        {
            self.all_waiting(pod, None, &reason);
            return;
        }
        let ready = |planner: &mut Self| {
            let images = planner.ensure_images(pod, pod.containers.iter(), &on_its_way(pod));
            let lacks = planner.any_lacks(pod, pod.containers.iter()) | planner.lacks_volumes(pod, None);
            !lacks && images == Images::Ready
        };
        if !may_run(incarnation) || (!self.keeping && ready(self)) {
            self.end(incarnation, StopReason::SandboxChanged, Volumes::Keep);
        }
        self.all_waiting(pod, None, &on_its_way(pod));
    }

    /// Removes sandboxes older than the current one, with what still runs in them; false until
    /// nothing runs there any more.
    fn leave_older(&mut self, pod: &Pod, incarnation: &Incarnation, current: &Sandbox) -> bool {
        let mut clear = true;
        for container in &incarnation.containers {
            if container.sandbox_id != current.id && container.state.may_run() {
                clear = false;
                self.stop(incarnation, container, pod.grace, StopReason::SandboxChanged);
            }
        }
        if !clear {
            return false;
        }
        for sandbox in incarnation.sandboxes.iter().skip(1).filter(|s| !tells_of_loss(pod, incarnation, s)) {
            self.offer(PodAction::RemoveSandbox {
                uid: incarnation.uid.clone(),
                id: sandbox.id.clone(),
                volumes: Volumes::Keep,
            });
        }
        true
    }
}

/// Whether the end of an old sandbox still tells of a container that it ended with it: under
/// `OnFailure` one that then reported success is started again all the same.
fn tells_of_loss(pod: &Pod, incarnation: &Incarnation, old: &Sandbox) -> bool {
    let newest = |c: &Container| incarnation.containers.iter().find(|i| i.name == c.name);
    let apps = pod.containers.iter().filter(|c| c.kind == ContainerKind::App);
    let mut apps = apps.filter(|c| c.restart.policy == RestartPolicy::OnFailure).filter_map(newest);
    apps.any(|i| i.sandbox_id == old.id && outlived_its_sandbox(incarnation, i))
}

/// A hash of an unknown version counts as unchanged: an upgrade restarts nothing.
pub(super) fn is_as_declared(recorded: Option<&SpecHash>, declared: &SpecHash) -> bool {
    recorded.is_none_or(|recorded| recorded == declared)
}

/// Whether every container is done for good, so that the pod is Succeeded or Failed.
pub(super) fn is_finished(pod: &Pod, incarnation: &Incarnation, endings: &Endings) -> bool {
    if has_failed_too_often(pod, incarnation) {
        return true;
    }
    let newest = |c: &Container| incarnation.containers.iter().find(|i| i.name == c.name);
    let of_kind = |kind| pod.containers.iter().filter(move |c| c.kind == kind);
    let current = incarnation.sandboxes.first();
    let here = |i: &ContainerStatus| current.is_some_and(|s| s.id == i.sandbox_id);
    let init_failed = |c: &Container| newest(c).is_some_and(|i| here(i) && has_failed_for_good(&c.restart, i));
    if !is_initialized(pod, incarnation) && of_kind(ContainerKind::Init).any(init_failed) {
        return true;
    }
    let has_run = |c: &Container| {
        let once = |i: &ContainerStatus| {
            i.state != ContainerState::Created && is_as_declared(i.hash.as_ref(), &c.hash) && !is_ruled(&c.restart, i)
        };
        c.restart.policy == RestartPolicy::Never && newest(c).is_some_and(once)
    };
    if current.is_some_and(|s| s.state.is_exited()) && of_kind(ContainerKind::App).all(has_run) {
        // What ran once is not run again for the loss of its sandbox.
        return true;
    }
    of_kind(ContainerKind::App).all(|c| !is_due(Some(incarnation), c, endings))
        && of_kind(ContainerKind::App).all(|c| newest(c).is_some_and(|i| i.state.is_exited()))
}

/// Whether a container has failed when its pod's restarts were used up (`backoffLimit` of a Job).
fn has_failed_too_often(pod: &Pod, incarnation: &Incarnation) -> bool {
    let Some(limit) = pod.standing.backoff_limit else { return false };
    let newest =
        || pod.containers.iter().filter_map(|c| Some((c, incarnation.containers.iter().find(|i| i.name == c.name)?)));
    let restarts = newest().fold(0u32, |sum, (_, instance)| sum.saturating_add(instance.attempt.0));
    let has_failed = |(container, instance): (&Container, &ContainerStatus)| {
        instance.state.is_exited()
            && !has_succeeded(instance)
            && is_as_declared(instance.hash.as_ref(), &container.hash)
            && !is_ruled(&container.restart, instance)
            && !outlived_its_sandbox(incarnation, instance)
    };
    restarts >= limit && newest().any(has_failed)
}

/// Whether a container should run, or run to its end, in the sandbox to come.
pub(super) fn is_due(incarnation: Option<&Incarnation>, container: &Container, endings: &Endings) -> bool {
    let newest = incarnation.and_then(|i| i.containers.iter().find(|c| c.name == container.name));
    match (newest, incarnation) {
        (Some(newest), Some(incarnation)) if container.kind == ContainerKind::App => {
            !is_as_declared(newest.hash.as_ref(), &container.hash)
                || !is_done(&container.restart, incarnation, newest, endings)
        }
        _ => true,
    }
}

/// Once any app was made in the current sandbox, init containers are not run again in it.
pub(super) fn is_initialized(pod: &Pod, incarnation: &Incarnation) -> bool {
    let current = incarnation.sandboxes.first().map(|s| &s.id);
    pod.containers.iter().all(|c| c.kind == ContainerKind::App)
        || incarnation.containers.iter().any(|i| i.kind == ContainerKind::App && Some(&i.sandbox_id) == current)
}

/// Whether an instance has ended and, by these rules, is not followed by another.
///
/// What we ended for a cause of its own (a failed probe, say) has not completed, whatever its exit code,
/// and rules for exit codes do not apply to it.
pub(super) fn is_done(
    restart: &Restart,
    incarnation: &Incarnation,
    instance: &ContainerStatus,
    endings: &Endings,
) -> bool {
    let ContainerState::Exited { code, reason, .. } = instance.state else { return false };
    let was_ended = endings.contains_key(&instance.id);
    if is_ruled(restart, instance) && !was_ended {
        return false;
    }
    match restart.policy {
        RestartPolicy::Always => false,
        RestartPolicy::Never => true,
        RestartPolicy::OnFailure => {
            code == 0
                && reason != ExitReason::ContainerCannotRun
                && !outlived_its_sandbox(incarnation, instance)
                && !was_ended
        }
    }
}

/// Whether an init container has failed and is not tried again.
pub(super) fn has_failed_for_good(restart: &Restart, instance: &ContainerStatus) -> bool {
    let never = restart.policy == RestartPolicy::Never && !is_ruled(restart, instance);
    never && instance.state.is_exited() && !has_succeeded(instance)
}

/// Whether a rule of its own asks for another start of an instance that ended.
fn is_ruled(restart: &Restart, instance: &ContainerStatus) -> bool {
    exit_code(instance).is_some_and(|code| restart.ruled(code).is_some())
}

/// With which code it has ended.
pub(super) fn exit_code(instance: &ContainerStatus) -> Option<i64> {
    match instance.state {
        ContainerState::Exited { code, .. } => Some(code),
        ContainerState::Created | ContainerState::Running { .. } | ContainerState::Unknown => None,
    }
}

/// Whether an init container is done: unlike an app, it has failed if the OOM killer came by.
pub(super) fn has_succeeded(instance: &ContainerStatus) -> bool {
    let ContainerState::Exited { code, reason, .. } = instance.state else { return false };
    code == 0 && !matches!(reason, ExitReason::OomKilled | ExitReason::ContainerCannotRun)
}

/// Whether it ended after its sandbox had: it did not complete, it was stopped for the loss.
fn outlived_its_sandbox(incarnation: &Incarnation, instance: &ContainerStatus) -> bool {
    let ContainerState::Exited { finished_at: end, .. } = instance.state else { return false };
    let sandbox = incarnation.sandboxes.iter().find(|s| s.id == instance.sandbox_id);
    sandbox.is_some_and(|s| matches!(s.state, ContainerState::Exited { finished_at, .. } if end > finished_at))
}
