//! Workloads → the one pod each of them runs on this node.
//!
//! Pure, and a function of the object alone: the same file makes the same pod on every node and after
//! every restart. A controller gives its pods random names; here they are the workload's own, since
//! there is one pod of each.

use super::{Config, Object, Workload};
use crate::pod::standing::ANNOTATION_BACKOFF_LIMIT;
use k8s_openapi::{
    api::{apps::v1 as apps, batch::v1 as batch, core::v1 as api},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// `backoffLimit` of a Job that gives none.
pub const DEFAULT_BACKOFF_LIMIT: i32 = 6;

/// Taints that the controller of DaemonSets tolerates for their pods: key and effect.
const DAEMON_TOLERATIONS: &[(&str, &str)] = &[
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// A pod that an object is or makes.
#[derive(Clone, Debug, PartialEq)]
pub struct MadePod {
    /// Index of the object in the file.
    pub document: usize,
    /// The pod.
    pub pod: Arc<api::Pod>,
    /// What its uid is made from, where that is not its spec: what may change in a workload whose every other
    /// template is another pod is left out.
    pub identity: Option<Box<api::PodSpec>>,
}

/// The pod of an object, if it has one that should run.
pub fn pod_of(object: &Object) -> Option<MadePod> {
    let (document, workload) = match object {
        Object::Pod { document, pod } => {
            return Some(MadePod { document: *document, pod: pod.clone(), identity: None });
        }
        Object::Config { .. } => return None,
        Object::Workload { document, workload } => (*document, workload),
    };
    let template = template(workload)?;
    if replicas(workload) == 0 {
        return None;
    }
    let metadata = workload.metadata();
    let mut pod = from_template(workload, template);
    let mut identity = None;
    let spec = pod.spec.get_or_insert_default();
    match workload {
        Workload::DaemonSet(_) => tolerate(spec),
        Workload::StatefulSet(set) => {
            let name = stateful_name(set);
            let set = set.spec.as_ref()?;
            spec.hostname.get_or_insert_with(|| name.clone());
            if spec.subdomain.is_none() {
                spec.subdomain = set.service_name.clone().filter(|service| !service.is_empty());
            }
            for claim in set.volume_claim_templates.iter().flatten() {
                mount_claim(spec, claim.metadata.name.as_deref().unwrap_or_default(), &name);
            }
            label(&mut pod, "statefulset.kubernetes.io/pod-name", &name);
            let ordinal = set.ordinals.as_ref().and_then(|o| o.start).unwrap_or(0);
            label(&mut pod, "apps.kubernetes.io/pod-index", &ordinal.to_string());
            pod.metadata.name = Some(name);
        }
        Workload::Job(job) => identity = as_job(&mut pod, metadata, job.spec.as_ref()?),
        Workload::Deployment(_)
        | Workload::ReplicaSet(_)
        | Workload::ReplicationController(_)
        | Workload::CronJob(_) => {}
    }
    Some(MadePod { document, pod: Arc::new(pod), identity })
}

/// What an object declares for pods to refer to, with its index in the file: itself, or the claims that a
/// StatefulSet makes for its pod. They stay when the workload is gone.
pub fn configs_of(object: &Object) -> Vec<(usize, Cow<'_, Config>)> {
    match object {
        Object::Config { document, config } => vec![(*document, Cow::Borrowed(config))],
        Object::Workload { document, workload: Workload::StatefulSet(set) } => {
            let Some(spec) = &set.spec else { return Vec::new() };
            let pod = stateful_name(set);
            let made = spec.volume_claim_templates.iter().flatten().map(|template| {
                let mut claim = template.clone();
                let name = template.metadata.name.as_deref().unwrap_or_default();
                claim.metadata.name = Some(claim_name(name, &pod));
                claim.metadata.namespace.clone_from(&set.metadata.namespace);
                (*document, Cow::Owned(Config::PersistentVolumeClaim(Box::new(claim))))
            });
            made.collect()
        }
        _ => Vec::new(),
    }
}

/// How many pods are asked for; more than one are one here. A Job that is suspended asks for none.
pub fn replicas(workload: &Workload) -> i32 {
    let written = match workload {
        Workload::DaemonSet(_) => None,
        Workload::CronJob(_) => Some(0),
        Workload::Deployment(w) => w.spec.as_ref().and_then(|s| s.replicas),
        Workload::ReplicaSet(w) => w.spec.as_ref().and_then(|s| s.replicas),
        Workload::StatefulSet(w) => w.spec.as_ref().and_then(|s| s.replicas),
        Workload::ReplicationController(w) => w.spec.as_ref().and_then(|s| s.replicas),
        Workload::Job(w) => w.spec.as_ref().and_then(|s| match s.suspend {
            Some(true) => Some(0),
            // Without `completions` any one success is enough, so more in parallel are more of the same.
            _ => match (s.completions, s.parallelism) {
                (Some(0), _) | (_, Some(0)) => Some(0),
                (completions, parallelism) => completions.max(parallelism),
            },
        }),
    };
    written.unwrap_or(1)
}

/// The name and namespace of the pod that an object would make if it did not ask for none (`replicas: 0`). A Job
/// that is suspended is still to come.
pub fn asked_for_none(object: &Object) -> Option<ObjectMeta> {
    let Object::Workload { workload, .. } = object else { return None };
    let suspended = match workload {
        Workload::Job(job) => job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)),
        Workload::CronJob(_) => true,
        _ => false,
    };
    if suspended || replicas(workload) != 0 {
        return None;
    }
    let Workload::StatefulSet(set) = workload else { return Some(workload.metadata().clone()) };
    Some(ObjectMeta { name: Some(stateful_name(set)), ..set.metadata.clone() })
}

/// The pod template.
pub fn template(workload: &Workload) -> Option<&api::PodTemplateSpec> {
    Some(match workload {
        Workload::DaemonSet(w) => &w.spec.as_ref()?.template,
        Workload::Deployment(w) => &w.spec.as_ref()?.template,
        Workload::ReplicaSet(w) => w.spec.as_ref()?.template.as_ref()?,
        Workload::StatefulSet(w) => &w.spec.as_ref()?.template,
        Workload::ReplicationController(w) => w.spec.as_ref()?.template.as_ref()?,
        Workload::Job(w) => &w.spec.as_ref()?.template,
        Workload::CronJob(w) => &w.spec.job_template.spec.as_ref()?.template,
    })
}

impl Workload {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DaemonSet(_) => "DaemonSet",
            Self::Deployment(_) => "Deployment",
            Self::ReplicaSet(_) => "ReplicaSet",
            Self::StatefulSet(_) => "StatefulSet",
            Self::ReplicationController(_) => "ReplicationController",
            Self::Job(_) => "Job",
            Self::CronJob(_) => "CronJob",
        }
    }

    /// The version it is read as.
    pub fn api_version(&self) -> &'static str {
        match self {
            Self::ReplicationController(_) => "v1",
            Self::Job(_) | Self::CronJob(_) => "batch/v1",
            Self::DaemonSet(_) | Self::Deployment(_) | Self::ReplicaSet(_) | Self::StatefulSet(_) => "apps/v1",
        }
    }

    /// Its own metadata, not the template's.
    pub fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::DaemonSet(w) => &w.metadata,
            Self::Deployment(w) => &w.metadata,
            Self::ReplicaSet(w) => &w.metadata,
            Self::StatefulSet(w) => &w.metadata,
            Self::ReplicationController(w) => &w.metadata,
            Self::Job(w) => &w.metadata,
            Self::CronJob(w) => &w.metadata,
        }
    }
}

fn from_template(workload: &Workload, template: &api::PodTemplateSpec) -> api::Pod {
    let (owner, of_template) = (workload.metadata(), template.metadata.as_ref());
    let name = owner.name.clone().unwrap_or_default();
    let controller = OwnerReference {
        api_version: workload.api_version().to_owned(),
        kind: workload.kind().to_owned(),
        // There is no server that gives uids: the name is as good, since files can not recreate objects.
        uid: format!("{}/{name}", owner.namespace.as_deref().unwrap_or("default")),
        name,
        controller: Some(true),
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        name: owner.name.clone(),
        namespace: owner.namespace.clone(),
        labels: of_template.and_then(|m| m.labels.clone()),
        annotations: of_template.and_then(|m| m.annotations.clone()),
        owner_references: Some(vec![controller]),
        ..ObjectMeta::default()
    };
    api::Pod { metadata, spec: template.spec.clone(), status: None }
}

/// The name of the one pod of a StatefulSet.
fn stateful_name(set: &apps::StatefulSet) -> String {
    let ordinal = set.spec.as_ref().and_then(|spec| spec.ordinals.as_ref()?.start).unwrap_or(0);
    format!("{}-{ordinal}", set.metadata.name.as_deref().unwrap_or_default())
}

fn label(pod: &mut api::Pod, key: &str, value: &str) {
    pod.metadata.labels.get_or_insert_with(BTreeMap::new).insert(key.to_owned(), value.to_owned());
}

fn tolerate(spec: &mut api::PodSpec) {
    let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    let of_host = Some(network).filter(|_| spec.host_network == Some(true));
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in DAEMON_TOLERATIONS.iter().copied().chain(of_host) {
        tolerations.push(api::Toleration {
            key: Some(key.into()),
            operator: Some("Exists".into()),
            effect: Some(effect.into()),
            ..api::Toleration::default()
        });
    }
}

fn claim_name(template: &str, pod: &str) -> String {
    format!("{template}-{pod}")
}

/// A claim takes the place of a volume of its name, as upstream.
fn mount_claim(spec: &mut api::PodSpec, template: &str, pod: &str) {
    let source = api::PersistentVolumeClaimVolumeSource { claim_name: claim_name(template, pod), read_only: None };
    let volume =
        api::Volume { name: template.to_owned(), persistent_volume_claim: Some(source), ..api::Volume::default() };
    let volumes = spec.volumes.get_or_insert_default();
    volumes.retain(|other| other.name != template);
    volumes.push(volume);
}

/// What the controller of Jobs does to its pods. A failed pod of policy `Never` is not replaced by another
/// one: its failed containers run again, as many times. Returns the spec without the Job's own deadline, if it has
/// one: an edit of that is the same Job.
fn as_job(pod: &mut api::Pod, metadata: &ObjectMeta, job: &batch::JobSpec) -> Option<Box<api::PodSpec>> {
    let name = metadata.name.clone().unwrap_or_default();
    for key in ["batch.kubernetes.io/job-name", "job-name"] {
        label(pod, key, &name);
    }
    let limit = job.backoff_limit.unwrap_or(DEFAULT_BACKOFF_LIMIT);
    let annotations = pod.metadata.annotations.get_or_insert_with(BTreeMap::new);
    annotations.insert(ANNOTATION_BACKOFF_LIMIT.to_owned(), limit.to_string());
    let is_indexed = job.completion_mode.as_deref() == Some("Indexed");
    if is_indexed {
        annotations.insert("batch.kubernetes.io/job-completion-index".to_owned(), "0".to_owned());
    }
    let spec = pod.spec.as_mut()?;
    spec.restart_policy = Some("OnFailure".into());
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers).filter(|_| is_indexed) {
        let env = container.env.get_or_insert_default();
        if !env.iter().any(|var| var.name == "JOB_COMPLETION_INDEX") {
            env.push(api::EnvVar {
                name: "JOB_COMPLETION_INDEX".into(),
                value: Some("0".into()),
                ..api::EnvVar::default()
            });
        }
    }
    let deadline = job.active_deadline_seconds?;
    let template = spec.clone();
    spec.active_deadline_seconds = template.active_deadline_seconds.into_iter().chain([deadline]).min();
    Some(Box::new(template))
}

#[cfg(test)]
mod tests;
