//! What is said of each thing that happens to a pod: an event in the words of the kubelet, and a log line.
//! What has no event of its own is a log line alone.
//!
//! Never an environment value or a secret: only names, ids, images, codes and the engine's words.

use crate::{
    engine::EngineError,
    event::{Happening, Recorder, reason},
    plan::{Ending, Failure, LastResults, PodAction, PodPlan, Target, WaitingReason},
    pod::{
        Container, ContainerKind, ContainerName, ContainerState, ContainerStatus, ImageRef, ObservedPod, Pod, PodKey,
        PodUid,
    },
    probe::ProbeReport,
    report, status,
    time::Timestamp,
};
use std::time::Duration;
use tracing::{field::display, info, warn};

/// Whom something happens to.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) events: &'a Recorder,
    pub(super) key: &'a PodKey,
    pub(super) uid: Option<&'a PodUid>,
    /// The spec that counts, as far as it is known.
    pub(super) pod: Option<&'a Pod>,
}

impl<'a> Subject<'a> {
    fn normal(&self, reason: &'static str, message: impl Into<String>) -> Happening<'a> {
        Happening::normal(self.key, self.uid, reason, message)
    }

    fn warning(&self, reason: &'static str, message: impl Into<String>) -> Happening<'a> {
        Happening::warning(self.key, self.uid, reason, message)
    }

    fn kind(&self, name: &ContainerName) -> ContainerKind {
        self.pod.and_then(|pod| pod.container(name)).map_or(ContainerKind::App, |c| c.kind)
    }

    /// The first container that is made from an image, or mounts it.
    fn user_of(&self, image: &ImageRef) -> Option<&'a Container> {
        self.pod?.containers.iter().find(|c| c.images().any(|(needed, _)| needed == image))
    }

    fn of_image(&self, happening: Happening<'a>, image: &'a ImageRef) {
        let happening = happening.image(image.as_str());
        self.events.record(match self.user_of(image) {
            Some(container) => happening.of(&container.name, container.kind),
            None => happening,
        });
    }

    /// Says what an action that succeeded has done.
    pub(super) fn done(&self, action: &PodAction, id: Option<&str>) {
        let Self { key, uid, .. } = *self;
        let uid = uid.map(display);
        match action {
            PodAction::EnsureImage { .. } => {}
            PodAction::CreateSandbox { attempt, .. } => {
                info!(pod = %key, uid, reason = "CreatedPodSandbox", container_id = id, attempt = attempt.0, "sandbox created");
            }
            PodAction::StartSandbox { id, .. } => {
                info!(pod = %key, uid, reason = "StartedPodSandbox", container_id = %id, "sandbox started");
            }
            PodAction::CreateContainer { name, history, .. } => {
                let created = self.normal(reason::CREATED, format!("Created container {name}"));
                let line = format!("container created, restart count {}", history.attempt);
                self.events.record(created.of(name, self.kind(name)).instance(id).line(line));
            }
            PodAction::StartContainer { name, id, .. } => {
                let started = self.normal(reason::STARTED, format!("Started container {name}"));
                let started = started.of(name, self.kind(name)).instance(Some(id.as_str()));
                self.events.record(started.line("container started"));
            }
            PodAction::RunPostStart { name, id } | PodAction::RunPreStop { name, id } => {
                tracing::debug!(pod = %key, uid, container = %name, container_id = %id, "{} is done", action.verb());
            }
            PodAction::StopContainer { .. } | PodAction::StopSandbox { .. } => {}
            PodAction::RemoveContainer { name, id } => {
                tracing::debug!(pod = %key, uid, container = %name, container_id = %id, "container removed");
            }
            PodAction::UpdateVolumes { .. } => {
                tracing::debug!(pod = %key, uid, "the volumes are as they should be");
            }
            PodAction::RemoveVolumes { .. } => {
                tracing::debug!(pod = %key, uid, "the pod has no directory any more");
            }
            PodAction::RemoveSandbox { id, .. } => {
                info!(pod = %key, uid, reason = "RemovedPodSandbox", container_id = %id, "sandbox removed");
            }
        }
    }

    /// Says that the end of a container begins, and why.
    pub(super) fn killing(&self, container: &ContainerStatus, ending: &Ending, now: Timestamp) {
        let message = ending.reason.message(&container.name);
        let grace = Duration::from_secs((ending.deadline.since(now) + Duration::from_millis(500)).as_secs());
        let line = format!("{message} (grace {})", humantime::format_duration(grace));
        let killing = self.normal(reason::KILLING, message).of(&container.name, container.kind);
        self.events.record(killing.instance(Some(container.id.as_str())).line(line));
    }

    /// Says that a lifecycle hook has failed. Never what it said: that may be a secret.
    pub(super) fn hook_failed(&self, action: &PodAction) {
        let (name, id, reason, message) = match action {
            PodAction::RunPostStart { name, id } => (name, id, reason::FAILED_POST_START_HOOK, "PostStartHook failed"),
            PodAction::RunPreStop { name, id } => (name, id, reason::FAILED_PRE_STOP_HOOK, "PreStopHook failed"),
            _ => return,
        };
        let failed = self.warning(reason, message).of(name, self.kind(name));
        self.events.record(failed.instance(Some(id.as_str())));
    }

    /// Says that an HTTPS hook was answered in plain HTTP.
    pub(super) fn http_fallback(&self, action: &PodAction) {
        if let PodAction::RunPostStart { name, id } | PodAction::RunPreStop { name, id } = action {
            let message = "request to HTTPS lifecycle hook got HTTP response, retry with HTTP succeeded";
            let fallback = self.warning(reason::LIFECYCLE_HTTP_FALLBACK, message).of(name, self.kind(name));
            self.events.record(fallback.instance(Some(id.as_str())));
        }
    }

    /// Says what a probe found out, if that is worth an event.
    pub(super) fn probed(&self, container: &ContainerStatus, report: &ProbeReport) {
        if let Some((reason, message)) = report.event() {
            let probed = self.warning(reason, message).of(&container.name, container.kind);
            self.events.record(probed.instance(Some(container.id.as_str())));
        }
    }

    /// Says that an image is there already.
    pub(super) fn image_present(&self, image: &'a ImageRef) {
        let message = format!("Container image \"{image}\" already present on machine");
        self.of_image(self.normal(reason::PULLED, message), image);
    }

    /// Says that the engine does not tell of one of the pod's containers: till it does, nothing is done for the pod.
    pub(super) fn unseen(&self, error: &EngineError) {
        let message =
            format!("the pod is left as it is while a container of it can not be inspected: {}", report(error));
        self.events.record(self.warning(reason::FAILED_SYNC, message));
    }

    /// Says what of the pod's resolver could not be kept.
    pub(super) fn dns_config_forming(&self, message: String) {
        self.events.record(self.warning(reason::DNS_CONFIG_FORMING, message));
    }

    /// Says why a volume is not brought up to date; what is there of it stays.
    pub(super) fn not_mounted(&self, message: &str) {
        self.events.record(self.warning(reason::FAILED_MOUNT, message));
    }

    /// Says that a pull begins.
    pub(super) fn pulling(&self, image: &'a ImageRef) {
        self.of_image(self.normal(reason::PULLING, format!("Pulling image \"{image}\"")), image);
    }

    /// Says that a pull goes on without some of the pod's secrets.
    pub(super) fn no_pull_secret(&self, image: &'a ImageRef, missing: &[String]) {
        let message = format!(
            "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
            missing.join(", ")
        );
        self.of_image(self.warning(reason::FAILED_TO_RETRIEVE_IMAGE_PULL_SECRET, message), image);
    }

    /// Says that a pull has succeeded.
    pub(super) fn pulled(&self, image: &'a ImageRef, took: Duration, size: u64) {
        // Nothing queues here: the pull is all there is to wait for.
        let took = format!("{:.3}s", took.as_secs_f64());
        let message = format!(
            "Successfully pulled image \"{image}\" in {took} ({took} including waiting). Image size: {size} bytes."
        );
        self.of_image(self.normal(reason::PULLED, message), image);
    }

    /// Says that a pull has failed, and that the image on the node is used.
    pub(super) fn pull_spared(&self, image: &'a ImageRef, error: &dyn std::error::Error) {
        let message =
            format!("Failed to pull image \"{image}\", the one on the node is used: {}", crate::report(error));
        self.of_image(self.warning(reason::FAILED, message), image);
    }

    /// Says that an action has failed and when it is tried again.
    pub(super) fn failed(&self, target: &'a Target, failure: &Failure, again: Duration, our_fault: bool) {
        let Failure { reason: word, message, .. } = failure;
        let event = reason::of_failure(word);
        let text = match target {
            Target::Image(image) if *word == "ErrImagePull" => format!("Failed to pull image \"{image}\": {message}"),
            Target::Container(..) if event == reason::FAILED => format!("Error: {message}"),
            _ => message.clone(),
        };
        let line = format!("{word}: {message}; tried again in {}", humantime::format_duration(again));
        let failed = self.warning(event, text).line(line).our_fault(our_fault);
        match target {
            Target::Image(image) => self.of_image(failed, image),
            Target::Container(_, name) => self.events.record(failed.of(name, self.kind(name))),
            Target::Sandbox(_) | Target::Instance(_) | Target::PostStart(_) | Target::PreStop(_) => {
                self.events.record(failed);
            }
        }
    }

    /// Says that a pod is built again, as its sandbox is gone.
    pub(super) fn sandbox_changed(&self) {
        let message = "Pod sandbox changed, it will be killed and re-created.";
        self.events.record(self.normal(reason::SANDBOX_CHANGED, message));
    }

    /// Says what is new between two observations: what ended. `is_over` tells of an incarnation whose sandbox
    /// is let go on purpose.
    pub(super) fn changes(&self, before: &ObservedPod, after: &ObservedPod, is_over: &dyn Fn(&PodUid) -> bool) {
        for incarnation in &after.incarnations {
            let old = before.incarnation(&incarnation.uid);
            for container in &incarnation.containers {
                let ContainerState::Exited { code, reason, .. } = container.state else { continue };
                let was = old.and_then(|o| o.containers.iter().find(|c| c.id == container.id)).map(|c| &c.state);
                if was.is_some_and(|state| !state.is_exited()) {
                    info!(
                        pod = %self.key, uid = %incarnation.uid, container = %container.name,
                        container_id = %container.id, reason = reason.as_str(), exit_code = code,
                        restart_count = container.attempt.0, "container ended"
                    );
                }
            }
            for sandbox in incarnation.sandboxes.iter().filter(|s| s.state.is_exited()) {
                let was = old.and_then(|o| o.sandboxes.iter().find(|s| s.id == sandbox.id)).map(|s| &s.state);
                if was.is_some_and(ContainerState::may_run) && !is_over(&incarnation.uid) {
                    warn!(pod = %self.key, uid = %incarnation.uid, container_id = %sandbox.id, "the pod's sandbox ended");
                }
            }
        }
    }

    /// Says what is new between two plans: what is now held back, what runs with an old
    /// environment. `results` are the failures since the last success.
    pub(super) fn waiting(&self, before: &PodPlan, after: &'a PodPlan, results: &LastResults) {
        for (name, waits) in after.waiting.iter().filter(|(name, waits)| before.waiting.get(*name) != Some(waits)) {
            match waits {
                WaitingReason::CrashLoopBackOff { delay, .. } if !delay.is_zero() => {
                    let PodKey { namespace, name: pod } = self.key;
                    let uid = self.uid.map(PodUid::as_str).unwrap_or_default();
                    let message =
                        format!("Back-off restarting failed container {name} in pod {pod}_{namespace}({uid})");
                    let line = format!("back-off {} restarting failed container", humantime::format_duration(*delay));
                    self.events.record(self.warning(reason::BACK_OFF, message).of(name, self.kind(name)).line(line));
                }
                WaitingReason::Missing { reason: word, message } => {
                    let event = reason::of_failure(word);
                    let text = if event == reason::FAILED { format!("Error: {message}") } else { message.clone() };
                    let line = format!("{word}: {message}; waiting until that is declared");
                    self.events.record(self.warning(event, text).of(name, self.kind(name)).line(line));
                }
                WaitingReason::Failed { reason: "ErrImagePull", .. } => {
                    if let Some(container) = self.pod.and_then(|pod| pod.container(name)) {
                        let mut images = container.images().map(|(image, _)| image);
                        let failed = images.find(|image| results.contains_key(&Target::Image((*image).clone())));
                        let message = format!("Back-off pulling image \"{}\"", failed.unwrap_or(&container.image));
                        self.events.record(self.normal(reason::BACK_OFF, message).of(name, container.kind));
                    }
                }
                WaitingReason::NodeMismatch(_) | WaitingReason::StartAfter(_) | WaitingReason::SameUid(_) => {}
                WaitingReason::CrashLoopBackOff { .. }
                | WaitingReason::ContainerCreating
                | WaitingReason::PodInitializing
                | WaitingReason::Failed { .. } => {}
            }
        }
        for name in after.stale.difference(&before.stale) {
            let message = format!(
                "Container {name} runs with an environment from before a ConfigMap, Secret, label or annotation \
                 changed; restart it to take the change"
            );
            self.events.record(self.warning(reason::ENVIRONMENT_STALE, message).of(name, self.kind(name)));
        }
        self.held_back(before, after);
        if after.deadline_exceeded && !before.deadline_exceeded {
            self.events.record(self.warning(reason::DEADLINE_EXCEEDED, status::DEADLINE_EXCEEDED));
        } else if after.finished && !before.finished {
            let uid = self.uid.map(display);
            info!(pod = %self.key, uid, reason = "PodFinished", "all containers of the pod are done");
        }
    }

    /// Says once for the whole pod why it may not start.
    fn held_back(&self, before: &PodPlan, after: &PodPlan) {
        let of = |plan: &PodPlan| {
            let held = |reason: &&WaitingReason| {
                use WaitingReason::{NodeMismatch, SameUid, StartAfter};
                matches!(reason, NodeMismatch(_) | StartAfter(_) | SameUid(_))
            };
            plan.waiting.values().find(held).cloned()
        };
        let (before, after) = (of(before), of(after));
        match after.filter(|after| before.as_ref() != Some(after)) {
            Some(WaitingReason::NodeMismatch(mismatch)) => {
                let message = format!("Predicate {} failed: {}", mismatch.reason, mismatch.message);
                let what = if mismatch.reason == "NodePorts" { "its host port" } else { "a node that it fits" };
                let line = format!("waits for {what}: {}", mismatch.message);
                self.events.record(self.warning(mismatch.reason, message).line(line));
            }
            Some(WaitingReason::StartAfter(others)) => {
                let names: Vec<String> = others.iter().map(ToString::to_string).collect();
                let uid = self.uid.map(display);
                info!(pod = %self.key, uid, reason = "StartAfter", "waits for {}", names.join(", "));
            }
            Some(WaitingReason::SameUid(same)) => {
                let uid = self.uid.map(display);
                if same.is_mutual {
                    warn!(pod = %self.key, uid, reason = "SameUid", "{same}");
                } else {
                    info!(pod = %self.key, uid, "{same}");
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
