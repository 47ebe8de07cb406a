//! The Pod object: metadata, spec with defaults, status.

use super::{
    PodPicture,
    containers::{Reading, Shown, readings},
    phase::phase,
    time,
};
use crate::{
    convert::{self, NodeFacts},
    pod::{ContainerId, ContainerKind, ContainerState, ContainerStatus, Pod},
};
use k8s_openapi::{
    api::core::v1 as api,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use std::{collections::BTreeMap, net::IpAddr};

/// The termination messages of instances that ended.
pub type Messages = BTreeMap<ContainerId, String>;

/// When the pod was first seen, RFC 3339 with nanoseconds.
const ANNOTATION_CONFIG_SEEN: &str = "kubernetes.io/config.seen";
/// The kubelet's mark of a pod that an API shows for a static one. kubectl asks for the pod's events by
/// this value, so it is the uid that they carry.
const ANNOTATION_CONFIG_MIRROR: &str = "kubernetes.io/config.mirror";
/// Exit code of what is gone without a trace: that of SIGKILL.
const LOST_EXIT_CODE: i32 = 137;

/// The pod as the API shows it.
pub fn api_pod(picture: &PodPicture, node: &NodeFacts, messages: &Messages) -> api::Pod {
    api::Pod {
        metadata: metadata(picture, node),
        spec: Some(spec(picture, node)),
        status: Some(pod_status(picture, node, messages)),
    }
}

fn metadata(picture: &PodPicture, node: &NodeFacts) -> ObjectMeta {
    let mut annotations = picture.pod.as_ref().map(|pod| pod.annotations()).unwrap_or_default();
    annotations.insert(ANNOTATION_CONFIG_SEEN.into(), picture.created.to_string());
    annotations.insert(ANNOTATION_CONFIG_MIRROR.into(), picture.uid.to_string());
    let labels = picture.pod.as_ref().map(|pod| pod.labels()).unwrap_or_default();
    let grace = picture.pod.as_ref().map(|pod| pod.grace);
    let deleted = picture.ending.map(|since| {
        let grace = jiff::SignedDuration::try_from(grace.unwrap_or_default()).unwrap_or_default();
        since.checked_add(grace).unwrap_or(since)
    });
    ObjectMeta {
        name: Some(picture.key.name.clone()),
        namespace: Some(picture.key.namespace.clone()),
        uid: Some(picture.uid.to_string()),
        creation_timestamp: Some(time(picture.created)),
        deletion_timestamp: deleted.map(time),
        deletion_grace_period_seconds: deleted
            .and(grace)
            .map(|grace| i64::try_from(grace.as_secs()).unwrap_or(i64::MAX)),
        annotations: Some(annotations),
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        owner_references: Some(vec![OwnerReference {
            api_version: "v1".into(),
            kind: "Node".into(),
            name: node.node.name.clone(),
            // The kubelet knows no other for its own node.
            uid: node.node.name.clone(),
            controller: Some(true),
            block_owner_deletion: None,
        }]),
        ..ObjectMeta::default()
    }
}

fn spec(picture: &PodPicture, node: &NodeFacts) -> api::PodSpec {
    let mut spec = match &picture.pod {
        Some(pod) => pod.whole_spec(),
        None => unread_spec(picture),
    };
    spec.node_name = Some(node.node.name.clone());
    let everything = api::Toleration {
        operator: Some("Exists".into()),
        effect: Some("NoExecute".into()),
        ..api::Toleration::default()
    };
    let tolerations = spec.tolerations.get_or_insert_default();
    if !tolerations.contains(&everything) {
        tolerations.push(everything);
    }
    spec
}

/// As much of the spec as the containers tell, where the manifest can not be read.
fn unread_spec(picture: &PodPicture) -> api::PodSpec {
    let of = |is_app: bool| {
        let all = readings(picture).into_iter().filter(move |r| (r.kind == ContainerKind::App) == is_app);
        all.map(|r| api::Container {
            name: r.name.to_string(),
            image: r.newest.map(|instance| instance.record.image.clone()),
            ..api::Container::default()
        })
        .collect::<Vec<_>>()
    };
    api::PodSpec {
        containers: of(true),
        init_containers: Some(of(false)).filter(|init| !init.is_empty()),
        ..api::PodSpec::default()
    }
}

/// The pod's status.
pub fn pod_status(picture: &PodPicture, node: &NodeFacts, messages: &Messages) -> api::PodStatus {
    let readings = readings(picture);
    let statuses = |is_app: bool| {
        let all = readings.iter().filter(|r| (r.kind == ContainerKind::App) == is_app);
        let all: Vec<_> = all.map(|r| container_status(r, messages)).collect();
        Some(all).filter(|all| !all.is_empty())
    };
    let ips = pod_ips(picture, node);
    api::PodStatus {
        phase: Some(phase(picture, &readings).as_str().to_owned()),
        conditions: Some(picture.conditions.to_api(picture)),
        reason: picture.verdict().map(|(reason, _)| reason.to_owned()),
        message: picture.verdict().map(|(_, message)| message.to_owned()).or_else(|| picture.message.clone()),
        host_ip: node.node_ip().map(|ip| ip.to_string()),
        host_ips: Some(node.node_ips.iter().map(|ip| api::HostIP { ip: ip.to_string() }).collect())
            .filter(|ips: &Vec<_>| !ips.is_empty()),
        pod_ip: ips.first().map(ToString::to_string),
        pod_ips: Some(ips.iter().map(|ip| api::PodIP { ip: ip.to_string() }).collect())
            .filter(|ips: &Vec<_>| !ips.is_empty()),
        start_time: Some(time(picture.created)),
        init_container_statuses: statuses(false),
        container_statuses: statuses(true),
        qos_class: picture.pod.as_deref().map(|pod: &Pod| convert::qos_class(pod).as_str().to_owned()),
        ..api::PodStatus::default()
    }
}

/// The addresses of a pod whose sandbox runs.
fn pod_ips(picture: &PodPicture, node: &NodeFacts) -> Vec<IpAddr> {
    let Some(sandbox) = picture.sandboxes.first().filter(|s| s.state.is_running()) else { return Vec::new() };
    match &picture.pod {
        Some(pod) if pod.host_network => node.node_ips.clone(),
        _ => sandbox.ips.clone(),
    }
}

fn container_status(reading: &Reading<'_>, messages: &Messages) -> api::ContainerStatus {
    let declared = || reading.container.map(|c| c.image.to_string()).unwrap_or_default();
    // What the instance was made from, which an edit may have changed since.
    let image = reading.newest.map(|i| i.record.image.clone()).filter(|image| !image.is_empty());
    let restarts = restart_count(reading);
    api::ContainerStatus {
        name: reading.name.to_string(),
        image: image.unwrap_or_else(declared),
        image_id: reading.newest.map(|i| docker_id(&i.record.image_id)).unwrap_or_default(),
        container_id: reading.newest.map(|instance| docker_id(instance.id.as_str())),
        restart_count: i32::try_from(restarts).unwrap_or(i32::MAX),
        ready: reading.ready,
        started: Some(reading.started),
        state: Some(state(reading, messages)),
        last_state: reading.last.map(|instance| api::ContainerState {
            terminated: Some(terminated(instance, messages)),
            ..api::ContainerState::default()
        }),
        allocated_resources: reading.container.and_then(|c| c.api.resources.as_ref()?.requests.clone()),
        resources: reading.container.and_then(|c| c.api.resources.clone()),
        volume_mounts: reading
            .container
            .and_then(|c| Some(c.api.volume_mounts.as_ref()?.iter().map(mounted).collect())),
        ..api::ContainerStatus::default()
    }
}

/// How often it was restarted. What was removed by hand counts, and so does the start that follows it.
fn restart_count(reading: &Reading<'_>) -> u32 {
    match (reading.newest, reading.last) {
        (Some(newest), _) => newest.attempt.0,
        (None, Some(lost)) => lost.attempt.next().0,
        (None, None) => 0,
    }
}

fn mounted(mount: &api::VolumeMount) -> api::VolumeMountStatus {
    api::VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only,
        recursive_read_only: mount.recursive_read_only.clone(),
        ..api::VolumeMountStatus::default()
    }
}

fn state(reading: &Reading<'_>, messages: &Messages) -> api::ContainerState {
    let mut state = api::ContainerState::default();
    match &reading.shown {
        Shown::Waiting { reason, message } => {
            state.waiting = Some(api::ContainerStateWaiting {
                reason: Some((*reason).to_owned()),
                message: Some((*message).to_owned()).filter(|message| !message.is_empty()),
            });
        }
        Shown::Running(instance) => {
            state.running = Some(api::ContainerStateRunning { started_at: instance.record.started_at.map(time) });
        }
        Shown::Terminated(instance) => state.terminated = Some(terminated(instance, messages)),
        Shown::Lost(instance) => state.terminated = Some(lost(instance)),
        Shown::Completed => {
            state.terminated = Some(api::ContainerStateTerminated {
                reason: Some("Completed".into()),
                message: Some(
                    "Unable to get init container status from container runtime and pod has been initialized, treat \
                     it as exit normally"
                        .into(),
                ),
                ..api::ContainerStateTerminated::default()
            });
        }
    }
    state
}

/// The end of what nobody saw end.
fn lost(instance: &ContainerStatus) -> api::ContainerStateTerminated {
    api::ContainerStateTerminated {
        exit_code: LOST_EXIT_CODE,
        reason: Some("ContainerStatusUnknown".into()),
        message: Some("The container could not be located any more. The container used to be Running".into()),
        container_id: Some(docker_id(instance.id.as_str())),
        ..api::ContainerStateTerminated::default()
    }
}

fn terminated(instance: &ContainerStatus, messages: &Messages) -> api::ContainerStateTerminated {
    let record = &instance.record;
    let ContainerState::Exited { code, reason, .. } = instance.state else { return lost(instance) };
    // The engine's own words come first.
    let said = messages.get(&instance.id).map(String::as_str).unwrap_or_default();
    let words: Vec<&str> = [record.error.as_str(), said].into_iter().filter(|text| !text.is_empty()).collect();
    let started = record.started_at.or(record.created_at);
    // A very short run may have ended before it was noted as started.
    let finished = record.finished_at.or(record.created_at).map(|end| started.map_or(end, |start| end.max(start)));
    api::ContainerStateTerminated {
        exit_code: i32::try_from(code).unwrap_or(i32::MAX),
        reason: Some(reason.as_str().to_owned()),
        message: Some(words.join(": ")).filter(|message| !message.is_empty()),
        started_at: started.map(time),
        finished_at: finished.map(time),
        container_id: Some(docker_id(instance.id.as_str())),
        ..api::ContainerStateTerminated::default()
    }
}

/// An id as the API names it, or nothing if there is none.
fn docker_id(id: &str) -> String {
    if id.is_empty() { String::new() } else { format!("docker://{id}") }
}
