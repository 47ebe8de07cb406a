//! `status.conditions`: five questions about a pod, and since when they have their answers.

use super::{
    NODE_SHUTDOWN, Phase, PodPicture,
    containers::{self, Reading, Shown, readings},
    phase::phase,
    time,
};
use crate::pod::{ContainerKind, ContainerName, ContainerState};
use k8s_openapi::api::core::v1 as api;

/// The pod has a node: always, here.
const POD_SCHEDULED: &str = "PodScheduled";
/// The sandbox runs, with its network.
const POD_READY_TO_START_CONTAINERS: &str = "PodReadyToStartContainers";
/// All init containers have succeeded and all sidecars have started.
const INITIALIZED: &str = "Initialized";
/// All containers are ready.
const CONTAINERS_READY: &str = "ContainersReady";
/// The pod was ended for the sake of something else: here, a shutdown of the node.
const DISRUPTION_TARGET: &str = "DisruptionTarget";
/// A container runs with values from before something it took them from changed. Not the kubelet's: it says nothing of
/// that.
const ENVIRONMENT_STALE: &str = "kubelet-lite.io/EnvironmentStale";
/// The pod can do its work.
pub const READY: &str = "Ready";

/// The conditions of a pod: what each is, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    kind: &'static str,
    is_true: bool,
    since: jiff::Timestamp,
}

/// The answer to one question.
#[derive(Clone)]
struct Answer {
    kind: &'static str,
    is_true: bool,
    reason: Option<&'static str>,
    message: String,
}

impl Conditions {
    /// The conditions of what `picture` shows. One that is as `before` keeps its moment; one that is seen for
    /// the first time has the moment that the engine's records tell.
    pub(super) fn of(picture: &PodPicture, before: Option<&Self>, now: jiff::Timestamp) -> Self {
        let condition = |answer: Answer| {
            let Answer { kind, is_true, .. } = answer;
            let since = match before.and_then(|before| before.0.iter().find(|c| c.kind == kind)) {
                Some(old) if old.is_true == is_true => old.since,
                Some(_) => now,
                None if [DISRUPTION_TARGET, ENVIRONMENT_STALE].contains(&kind) => now,
                None => seen_first(picture, kind, is_true).min(now),
            };
            Condition { kind, is_true, since }
        };
        Self(answers(picture).into_iter().map(condition).collect())
    }

    /// Whether this condition is true.
    pub fn is_true(&self, kind: &str) -> bool {
        self.0.iter().any(|c| c.kind == kind && c.is_true)
    }

    /// `status.conditions` of `picture`, whose own conditions these are.
    pub(super) fn to_api(&self, picture: &PodPicture) -> Vec<api::PodCondition> {
        let condition = |answer: Answer| api::PodCondition {
            type_: answer.kind.to_owned(),
            status: if answer.is_true { "True" } else { "False" }.to_owned(),
            reason: answer.reason.map(str::to_owned),
            message: Some(answer.message).filter(|message| !message.is_empty()),
            last_transition_time: self.0.iter().find(|c| c.kind == answer.kind).map(|c| time(c.since)),
            ..api::PodCondition::default()
        };
        answers(picture).into_iter().map(condition).collect()
    }
}

/// When a condition that is seen for the first time became what it is, as far as the engine's records tell:
/// our restart changes no pod.
fn seen_first(picture: &PodPicture, kind: &str, is_true: bool) -> jiff::Timestamp {
    let of_sandbox = picture.sandboxes.first().and_then(|s| s.record.started_at.or(s.record.created_at));
    let ended = |c: &crate::pod::ContainerStatus| c.state.is_exited().then_some(c.record.finished_at).flatten();
    let started = |c: &crate::pod::ContainerStatus| c.state.is_running().then_some(c.record.started_at).flatten();
    let told = match (kind, is_true) {
        (POD_SCHEDULED, _) => None,
        (POD_READY_TO_START_CONTAINERS, _) => of_sandbox,
        (INITIALIZED, true) => {
            let init = containers::instances(picture).filter(|c| c.kind != ContainerKind::App);
            init.filter_map(|c| ended(c).or_else(|| started(c))).max().or(of_sandbox)
        }
        (_, true) => containers::instances(picture).filter_map(started).max(),
        (_, false) => containers::instances(picture).filter_map(ended).max(),
    };
    told.unwrap_or(picture.created).max(picture.created)
}

/// All five, in the kubelet's order, and what a shutdown of the node and a stale environment add.
fn answers(picture: &PodPicture) -> Vec<Answer> {
    let readings = readings(picture);
    let phase = phase(picture, &readings);
    let ready = containers_ready(&readings, phase);
    let mut answers = vec![
        yes_or(POD_READY_TO_START_CONTAINERS, sandbox_runs(picture), None, String::new()),
        initialized(picture, &readings, phase),
        // Readiness gates count as met: nobody here could set their conditions.
        Answer { kind: READY, ..ready.clone() },
        ready,
        yes_or(POD_SCHEDULED, true, None, String::new()),
    ];
    if picture.node_shutdown {
        answers.push(Answer {
            kind: DISRUPTION_TARGET,
            is_true: true,
            reason: Some("TerminationByKubelet"),
            message: NODE_SHUTDOWN.to_owned(),
        });
    }
    if !picture.stale.is_empty() {
        let names: Vec<&str> = picture.stale.iter().map(ContainerName::as_str).collect();
        answers.push(Answer {
            kind: ENVIRONMENT_STALE,
            is_true: true,
            reason: Some("ObjectChanged"),
            message: format!(
                "containers with an environment from before a ConfigMap, Secret, label or annotation changed: [{}]",
                names.join(" ")
            ),
        });
    }
    answers
}

fn yes_or(kind: &'static str, is_true: bool, reason: Option<&'static str>, message: String) -> Answer {
    Answer {
        kind,
        is_true,
        reason: reason.filter(|_| !is_true),
        message: if is_true { String::new() } else { message },
    }
}

fn sandbox_runs(picture: &PodPicture) -> bool {
    let Some(sandbox) = picture.sandboxes.first() else { return false };
    let host_network = picture.pod.as_ref().is_some_and(|pod| pod.host_network);
    matches!(sandbox.state, ContainerState::Running { .. }) && (host_network || !sandbox.ips.is_empty())
}

fn initialized(picture: &PodPicture, readings: &[Reading<'_>], phase: Phase) -> Answer {
    if phase == Phase::Succeeded {
        return Answer { kind: INITIALIZED, is_true: true, reason: Some("PodCompleted"), message: String::new() };
    }
    let is_complete = |r: &&Reading<'_>| match r.kind {
        ContainerKind::Init => r.ready,
        ContainerKind::Sidecar => r.started,
        ContainerKind::App => true,
    };
    let incomplete: Vec<&Reading<'_>> = readings.iter().filter(|r| !is_complete(r)).collect();
    let message = format!("containers with incomplete status: [{}]", names(&incomplete));
    // What was initialized once stays so, whatever is done again in a new sandbox (a kubelet rule).
    let is_true = incomplete.is_empty() || containers::have_apps_ever_started(picture);
    yes_or(INITIALIZED, is_true, Some("ContainersNotInitialized"), message)
}

fn containers_ready(readings: &[Reading<'_>], phase: Phase) -> Answer {
    let done = match phase {
        Phase::Succeeded => Some("PodCompleted"),
        Phase::Failed => Some("PodFailed"),
        Phase::Pending | Phase::Running => None,
    };
    if done.is_some() {
        return yes_or(CONTAINERS_READY, false, done, String::new());
    }
    let long_lived = readings.iter().filter(|r| r.kind != ContainerKind::Init);
    let unready: Vec<&Reading<'_>> = long_lived.filter(|r| !r.ready).collect();
    let mut message = format!("containers with unready status: [{}]", names(&unready));
    let lost: Vec<&Reading<'_>> = unready.iter().copied().filter(|r| matches!(r.shown, Shown::Lost(_))).collect();
    if !lost.is_empty() {
        message = format!("containers with unknown status: [{}], {message}", names(&lost));
    }
    yes_or(CONTAINERS_READY, unready.is_empty() && !readings.is_empty(), Some("ContainersNotReady"), message)
}

fn names(readings: &[&Reading<'_>]) -> String {
    readings.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(" ")
}
