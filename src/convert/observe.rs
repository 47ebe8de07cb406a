//! Inspected containers → what decisions need: the only reader of inspect.

use super::labels::{ContainerLabels, Labels, SandboxLabels};
use super::{InstanceId, KEPT_BACK, LabelError, keeps_back, labels};
use crate::{
    engine::{ContainerDetails, ContainerSummary, EngineState},
    pod::{
        AppliedPod, ContainerId, ContainerKind, ContainerName, ContainerState, ContainerStatus, ExitReason,
        Incarnation, ObservedPod, Pod, PodKey, PodStart, PodUid, Record, Sandbox,
    },
    time::Timestamp,
};
use k8s_openapi::api::core::v1 as api;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// One container of ours, seen in the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// A pause container.
    Sandbox {
        /// Its pod.
        key: PodKey,
        /// The incarnation.
        uid: PodUid,
        /// Itself.
        sandbox: Sandbox,
        /// The pod its labels hold.
        applied: AppliedPod,
    },
    /// Any other container of a pod.
    Container {
        /// Its pod.
        key: PodKey,
        /// The incarnation.
        uid: PodUid,
        /// Itself; boxed with the next, as both are large.
        status: Box<ContainerStatus>,
        /// The container of the manifest, from its own label.
        written: Result<Box<api::Container>, LabelError>,
    },
    /// It carries our mark, but not which pod it belongs to: nothing of ours makes such a
    /// container, so it is reported and left alone.
    Unreadable {
        /// Engine id.
        id: ContainerId,
        /// Its name.
        name: String,
    },
}

/// Reads one container. `None` when it is not this instance's: no or another `managed-by`, or a
/// label that was only inherited from an image committed of a container of ours. `timestamp_of`
/// turns the engine's wall times into timestamps.
pub fn observe(
    details: &ContainerDetails,
    instance: &InstanceId,
    timestamp_of: &dyn Fn(jiff::Timestamp) -> Timestamp,
) -> Option<Observed> {
    let decoded = Labels::decode(&details.labels, instance)?;
    let id = ContainerId::new(&details.id);
    let Some((key, uid)) = labels::pod_identity(&details.labels, instance) else {
        return Some(Observed::Unreadable { id, name: details.name.clone() });
    };
    Some(match decoded {
        Ok(Labels::Sandbox(labels)) => {
            let sandbox = Sandbox {
                id,
                attempt: labels.attempt,
                hash: labels.hash.clone(),
                pod_start: pod_start(labels.started_at.or(details.created_at), timestamp_of),
                state: sandbox_state(details, timestamp_of),
                ips: details.ips.clone(),
                record: record(details, None, false),
            };
            Observed::Sandbox { key, uid, sandbox, applied: applied(*labels) }
        }
        Ok(Labels::Container(labels)) => {
            if !joined(&details.network_mode, &labels.sandbox_id) {
                return None;
            }
            let record = record(details, labels.written.image.as_deref(), keeps_back(&labels.written));
            let (status, written) = container_status(id, *labels, container_state(details, timestamp_of), record);
            Observed::Container { key, uid, status: Box::new(status), written: Ok(Box::new(written)) }
        }
        Err(why) => unreadable(details, (key, uid), id, why, timestamp_of)?,
    })
}

/// The pod that a row of a list belongs to. `None` if it is not this instance's, as with [`observe`].
pub fn listed_identity(row: &ContainerSummary, instance: &InstanceId) -> Option<(PodKey, PodUid)> {
    let identity = labels::pod_identity(&row.labels, instance)?;
    let (is_sandbox, _) = labels::role(&row.labels);
    (is_sandbox || joined(&row.network_mode, &labels::sandbox_id(&row.labels))).then_some(identity)
}

/// Whether a container joined the network of the sandbox that its labels name, as all that we make
/// do. `docker commit` copies labels into the image, and `docker run` of it would otherwise put an
/// operator's container among ours.
fn joined(network_mode: &str, sandbox: &ContainerId) -> bool {
    network_mode.strip_prefix("container:") == Some(sandbox.as_str())
}

fn applied(labels: SandboxLabels) -> AppliedPod {
    match Pod::resolve(labels.written, labels.source, labels.key, labels.uid) {
        Ok(pod) => AppliedPod::Known(Arc::new(pod)),
        Err(error) => AppliedPod::Unreadable(error.to_string()),
    }
}

fn container_status(
    id: ContainerId,
    labels: ContainerLabels,
    state: ContainerState,
    record: Arc<Record>,
) -> (ContainerStatus, api::Container) {
    let status = ContainerStatus {
        id,
        name: labels.name,
        kind: labels.kind,
        attempt: labels.attempt,
        sandbox_id: labels.sandbox_id,
        hash: labels.hash,
        backoff: labels.backoff,
        round: labels.round,
        environment: labels.environment,
        grace: Some(labels.grace),
        has_pre_stop: labels.written.lifecycle.as_ref().is_some_and(|l| l.pre_stop.is_some()),
        state,
        record,
    };
    (status, labels.written)
}

/// What the engine has of a container, its error unless that may hold what is nobody's business.
fn record(details: &ContainerDetails, image: Option<&str>, may_hold_secret: bool) -> Arc<Record> {
    let is_kept_back = may_hold_secret && !details.error.is_empty();
    Arc::new(Record {
        created_at: details.created_at,
        started_at: details.started_at,
        finished_at: details.finished_at,
        image: image.unwrap_or_default().to_owned(),
        image_id: details.image_id.clone(),
        error: if is_kept_back { KEPT_BACK.to_owned() } else { details.error.clone() },
        log_path: details.log_path.clone(),
    })
}

/// A container that is ours and whose other labels can not be read: as much as there is to end it.
fn unreadable(
    details: &ContainerDetails,
    (key, uid): (PodKey, PodUid),
    id: ContainerId,
    why: LabelError,
    timestamp_of: &dyn Fn(jiff::Timestamp) -> Timestamp,
) -> Option<Observed> {
    let (is_sandbox, name) = labels::role(&details.labels);
    let attempt = labels::attempt(&details.labels);
    if is_sandbox {
        let state = sandbox_state(details, timestamp_of);
        let record = record(details, None, false);
        let pod_start = pod_start(details.created_at, timestamp_of);
        let sandbox = Sandbox { id, attempt, hash: None, pod_start, state, ips: details.ips.clone(), record };
        return Some(Observed::Sandbox { key, uid, sandbox, applied: AppliedPod::Unreadable(why.to_string()) });
    }
    let sandbox_id = labels::sandbox_id(&details.labels);
    if !joined(&details.network_mode, &sandbox_id) {
        return None;
    }
    let status = ContainerStatus {
        id,
        name,
        kind: ContainerKind::App,
        attempt,
        sandbox_id,
        hash: None,
        backoff: None,
        round: 0,
        environment: None,
        grace: None,
        has_pre_stop: false,
        state: container_state(details, timestamp_of),
        // Of a spec that nobody knows.
        record: record(details, None, true),
    };
    Some(Observed::Container { key, uid, status: Box::new(status), written: Err(why) })
}

/// What has no time at all began just now, as far as anybody knows.
fn pod_start(wall: Option<jiff::Timestamp>, timestamp_of: &dyn Fn(jiff::Timestamp) -> Timestamp) -> PodStart {
    PodStart { wall, at: timestamp_of(wall.unwrap_or(jiff::Timestamp::MAX)) }
}

/// A sandbox whose start failed is one whose start is due.
fn sandbox_state(details: &ContainerDetails, timestamp_of: &dyn Fn(jiff::Timestamp) -> Timestamp) -> ContainerState {
    match details.state {
        EngineState::Created => ContainerState::Created,
        _ => container_state(details, timestamp_of),
    }
}

fn container_state(details: &ContainerDetails, timestamp_of: &dyn Fn(jiff::Timestamp) -> Timestamp) -> ContainerState {
    // What has no time at all happened long ago.
    let at = |time: Option<jiff::Timestamp>| time.map_or_else(Timestamp::default, timestamp_of);
    match details.state {
        EngineState::Created if details.error.is_empty() && details.exit_code == 0 => ContainerState::Created,
        EngineState::Created => cannot_run(details, at(details.created_at)),
        // A container that somebody paused is theirs to unpause: it runs, as it does to the kubelet.
        EngineState::Running | EngineState::Paused => {
            ContainerState::Running { started_at: at(details.started_at.or(details.created_at)) }
        }
        // One whose removal is under way, or has failed, was ended before.
        EngineState::Exited | EngineState::Removing | EngineState::Dead => match details.started_at {
            None => cannot_run(details, at(details.finished_at.or(details.created_at))),
            Some(started) => ContainerState::Exited {
                code: details.exit_code,
                reason: match details.exit_code {
                    _ if details.oom_killed => ExitReason::OomKilled,
                    0 => ExitReason::Completed,
                    _ => ExitReason::Error,
                },
                ran_for: details.finished_at.map_or(Duration::ZERO, |finished| {
                    Duration::try_from(finished.duration_since(started)).unwrap_or_default()
                }),
                finished_at: at(details.finished_at.or(Some(started))),
            },
        },
        EngineState::Restarting | EngineState::Other => ContainerState::Unknown,
    }
}

fn cannot_run(details: &ContainerDetails, at: Timestamp) -> ContainerState {
    ContainerState::Exited {
        code: details.exit_code,
        reason: ExitReason::ContainerCannotRun,
        ran_for: Duration::ZERO,
        finished_at: at,
    }
}

/// Groups what was seen by pod and incarnation, newest attempts first.
///
/// The applied pod of an incarnation is its newest sandbox's, with each container's own newest label
/// laid over it: an edit restarts single containers, so their labels are the newer ones.
/// [`Observed::Unreadable`] belongs to no pod and is left out.
pub fn assemble(all: impl IntoIterator<Item = Observed>) -> BTreeMap<PodKey, ObservedPod> {
    let mut pods: BTreeMap<PodKey, BTreeMap<PodUid, Parts>> = BTreeMap::new();
    for observed in all {
        match observed {
            Observed::Sandbox { key, uid, sandbox, applied } => {
                pods.entry(key).or_default().entry(uid).or_default().sandboxes.push((sandbox, applied));
            }
            Observed::Container { key, uid, status, written } => {
                pods.entry(key).or_default().entry(uid).or_default().containers.push((*status, written));
            }
            Observed::Unreadable { .. } => {}
        }
    }
    let observed = |(key, incarnations): (PodKey, BTreeMap<PodUid, Parts>)| {
        let incarnations = incarnations.into_iter().map(|(uid, parts)| parts.incarnation(uid)).collect();
        (key, ObservedPod { incarnations })
    };
    pods.into_iter().map(observed).collect()
}

type Written = Result<Box<api::Container>, LabelError>;

#[derive(Default)]
struct Parts {
    sandboxes: Vec<(Sandbox, AppliedPod)>,
    containers: Vec<(ContainerStatus, Written)>,
}

impl Parts {
    fn incarnation(mut self, uid: PodUid) -> Incarnation {
        self.sandboxes.sort_by(|(a, _), (b, _)| (Reverse(a.attempt), &a.id).cmp(&(Reverse(b.attempt), &b.id)));
        self.containers
            .sort_by(|(a, _), (b, _)| (&a.name, Reverse(a.attempt), &a.id).cmp(&(&b.name, Reverse(b.attempt), &b.id)));
        let applied = match self.sandboxes.first() {
            Some((_, AppliedPod::Known(pod))) => overlaid(pod, &self.containers),
            Some((_, unreadable)) => unreadable.clone(),
            None => AppliedPod::Unreadable("the sandbox is gone, and its labels with it".into()),
        };
        Incarnation {
            uid,
            applied,
            sandboxes: self.sandboxes.into_iter().map(|(sandbox, _)| sandbox).collect(),
            containers: self.containers.into_iter().map(|(status, _)| status).collect(),
        }
    }
}

/// The sandbox's pod with each container's own newest label in the place of its older self.
/// `containers` holds the newest of each name first.
fn overlaid(pod: &Arc<Pod>, containers: &[(ContainerStatus, Written)]) -> AppliedPod {
    let mut written = (*pod.written).clone();
    let Some(spec) = &mut written.spec else { return AppliedPod::Known(pod.clone()) };
    let mut seen: BTreeSet<&ContainerName> = BTreeSet::new();
    for (status, newest) in containers {
        if !seen.insert(&status.name) {
            continue;
        }
        let newest = match newest {
            Ok(newest) => newest,
            Err(why) => return AppliedPod::Unreadable(format!("container {}: {why}", status.name)),
        };
        let list = match status.kind {
            ContainerKind::Init | ContainerKind::Sidecar => spec.init_containers.get_or_insert_default(),
            ContainerKind::App => &mut spec.containers,
        };
        match list.iter_mut().find(|c| c.name == newest.name) {
            Some(older) => older.clone_from(newest),
            None => list.push((**newest).clone()),
        }
    }
    if spec.init_containers.as_ref().is_some_and(Vec::is_empty) {
        spec.init_containers = None;
    }
    if written == *pod.written {
        return AppliedPod::Known(pod.clone());
    }
    match Pod::resolve(written, pod.source.clone(), pod.key.clone(), pod.uid.clone()) {
        Ok(pod) => AppliedPod::Known(Arc::new(pod)),
        Err(error) => AppliedPod::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
