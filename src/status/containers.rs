//! What each container of a pod is shown as.

use super::PodPicture;
use crate::{
    plan::is_post_started,
    pod::{Container, ContainerKind, ContainerName, ContainerState, ContainerStatus, ProbeKind, ProbeVerdict},
    time::{Clock, Timestamp},
};

/// One container, read from a picture.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) name: &'a ContainerName,
    pub(super) kind: ContainerKind,
    /// As declared; `None` when the manifest can not be read.
    pub(super) container: Option<&'a Container>,
    /// Its newest instance.
    pub(super) newest: Option<&'a ContainerStatus>,
    pub(super) shown: Shown<'a>,
    /// `lastState`: an instance that ended.
    pub(super) last: Option<&'a ContainerStatus>,
    pub(super) started: bool,
    pub(super) ready: bool,
}

/// `state`.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    Waiting {
        reason: &'a str,
        message: &'a str,
    },
    Running(&'a ContainerStatus),
    Terminated(&'a ContainerStatus),
    /// In a state that can not be trusted.
    Lost(&'a ContainerStatus),
    /// An init container whose record is gone, of a pod that was initialized.
    Completed,
}

/// All containers: those before the apps in the order of the spec, then the apps by name, as the kubelet
/// lists them.
pub(super) fn readings(picture: &PodPicture) -> Vec<Reading<'_>> {
    let mut readings: Vec<Reading<'_>> = match &picture.pod {
        Some(pod) => pod.containers.iter().map(|c| reading(picture, &c.name, c.kind, Some(c))).collect(),
        None => {
            let mut found: Vec<_> = instances(picture).map(|c| (&c.name, c.kind)).collect();
            found.dedup();
            found.into_iter().map(|(name, kind)| reading(picture, name, kind, None)).collect()
        }
    };
    readings.sort_by(|a, b| {
        let is_app = |r: &Reading<'_>| r.kind == ContainerKind::App;
        let by_name = if is_app(a) && is_app(b) { a.name.cmp(b.name) } else { std::cmp::Ordering::Equal };
        is_app(a).cmp(&is_app(b)).then(by_name)
    });
    readings
}

/// Every instance, newest first for each name.
pub(super) fn instances(picture: &PodPicture) -> impl Iterator<Item = &ContainerStatus> {
    picture.containers.iter()
}

/// Whether any app was ever made, hence all init containers had succeeded before.
pub(super) fn was_initialized(picture: &PodPicture) -> bool {
    instances(picture).any(|instance| instance.kind == ContainerKind::App)
}

/// Whether any app has ever started.
pub(super) fn have_apps_ever_started(picture: &PodPicture) -> bool {
    instances(picture).any(|c| c.kind == ContainerKind::App && c.state != ContainerState::Created)
}

/// Whether any app has started in the sandbox that is.
pub(super) fn apps_have_started_here(picture: &PodPicture) -> bool {
    let started = |c: &&ContainerStatus| c.kind == ContainerKind::App && c.state != ContainerState::Created;
    instances(picture).filter(started).any(|instance| is_here(picture, instance))
}

/// Whether an instance is of the sandbox that is, rather than of one before it.
fn is_here(picture: &PodPicture, instance: &ContainerStatus) -> bool {
    picture.sandboxes.first().is_none_or(|sandbox| sandbox.id == instance.sandbox_id)
}

fn reading<'a>(
    picture: &'a PodPicture,
    name: &'a ContainerName,
    kind: ContainerKind,
    container: Option<&'a Container>,
) -> Reading<'a> {
    let mut own = instances(picture).filter(|instance| instance.name == *name);
    let newest = own.next();
    let previous = own.find(|instance| instance.state.is_exited());
    let previous = previous.or(picture.lost.get(name));
    let held = picture.waiting.get(name);
    let on_its_way = || Shown::Waiting {
        reason: held.and_then(|w| w.reason).unwrap_or(creating(picture)),
        message: held.map_or("", |w| w.message.as_str()),
    };
    let (shown, last) = match newest.map(|instance| (instance, &instance.state)) {
        None if kind == ContainerKind::Init && was_initialized(picture) => (Shown::Completed, None),
        None => (on_its_way(), previous),
        Some((_, ContainerState::Created)) => (on_its_way(), previous),
        // It runs again in the new sandbox; what it has done is of the old one.
        Some((instance, ContainerState::Exited { .. }))
            if kind == ContainerKind::Init && !is_here(picture, instance) =>
        {
            (on_its_way(), Some(instance))
        }
        Some((instance, ContainerState::Running { .. })) => (Shown::Running(instance), previous),
        Some((instance, ContainerState::Unknown)) => (Shown::Lost(instance), previous),
        Some((instance, ContainerState::Exited { .. })) => match held.and_then(|w| w.reason) {
            Some(_) => (on_its_way(), Some(instance)),
            None => (Shown::Terminated(instance), previous),
        },
    };
    let started = is_started(picture, container, &shown);
    let ready = match (kind, &shown) {
        (ContainerKind::Init, Shown::Completed) => true,
        (ContainerKind::Init, Shown::Terminated(instance)) => exit_code(instance) == Some(0),
        (ContainerKind::Init, _) => false,
        (ContainerKind::Sidecar | ContainerKind::App, _) => started && is_ready(picture, container, &shown),
    };
    Reading { name, kind, container, newest, shown, last, started, ready }
}

/// The kubelet's word for a container that is on its way.
fn creating(picture: &PodPicture) -> &'static str {
    let has_init = picture.pod.as_ref().is_some_and(|pod| pod.containers.iter().any(|c| c.kind != ContainerKind::App));
    if has_init { "PodInitializing" } else { "ContainerCreating" }
}

/// The exit code of an instance that ended.
pub(super) fn exit_code(instance: &ContainerStatus) -> Option<i64> {
    match instance.state {
        ContainerState::Exited { code, .. } => Some(code),
        ContainerState::Created | ContainerState::Running { .. } | ContainerState::Unknown => None,
    }
}

fn is_started(picture: &PodPicture, container: Option<&Container>, shown: &Shown<'_>) -> bool {
    let Shown::Running(instance) = shown else { return false };
    let is_asked = container.is_some_and(|c| c.api.startup_probe.is_some());
    // Its `postStart` comes first.
    container.is_none_or(|c| is_post_started(c, instance, &picture.hooks))
        && passes(picture, is_asked, instance, ProbeKind::Startup)
}

fn is_ready(picture: &PodPicture, container: Option<&Container>, shown: &Shown<'_>) -> bool {
    let Shown::Running(instance) = shown else { return false };
    let is_asked = container.is_some_and(|c| c.api.readiness_probe.is_some());
    passes(picture, is_asked, instance, ProbeKind::Readiness)
}

/// What a probe says of an instance. Before its first verdict one that was started by us has not passed;
/// one that ran when we came has: our restart makes nothing unready.
fn passes(picture: &PodPicture, is_asked: bool, instance: &ContainerStatus, kind: ProbeKind) -> bool {
    let (true, Some(verdicts)) = (is_asked, &picture.probes) else { return true };
    match verdicts.get(&(instance.id.clone(), kind)) {
        Some(ProbeVerdict::Success) => true,
        Some(ProbeVerdict::Failure) => false,
        None => matches!(instance.state, ContainerState::Running { started_at } if started_at < OUR_START),
    }
}

/// This daemon's start on its own axis of time.
const OUR_START: Timestamp = Timestamp::from_duration(Clock::EPOCH);
