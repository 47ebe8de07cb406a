//! Objects that make pods: their template is judged as a pod's spec is, and the few fields around it.

use super::{
    Role, affinity, annotations, annotations::Bearer, cluster, config, given, metadata, security, spec, warnings,
};
use crate::manifest::{Workload, findings::Findings, path::Path, workloads};
use k8s_openapi::{
    api::{batch::v1 as batch, core::v1 as api},
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};
use std::collections::BTreeMap;

/// Judges a workload.
pub fn workload(workload: &Workload, path: &Path, f: &mut Findings) {
    let spec = path.field("spec");
    on_one_node(workload, &spec, f);
    let template = spec.field("template");
    let metadata_of = |metadata: &ObjectMeta, f: &mut Findings| {
        metadata::metadata(metadata, &path.field("metadata"), f);
        annotations::own(metadata, Bearer::Workload, &path.field("metadata"), f);
    };
    match workload {
        Workload::DaemonSet(set) => {
            metadata_of(&set.metadata, f);
            let found = set.spec.as_ref();
            selected(found.map(|s| &s.selector), found.map(|s| &s.template), &spec, f);
            judge_template(found.map(|s| &s.template), &["Always"], &template, f);
        }
        Workload::Deployment(deployment) => {
            metadata_of(&deployment.metadata, f);
            let found = deployment.spec.as_ref();
            f.not_negative(&spec.field("replicas"), found.and_then(|s| s.replicas));
            selected(found.map(|s| &s.selector), found.map(|s| &s.template), &spec, f);
            judge_template(found.map(|s| &s.template), &["Always"], &template, f);
        }
        Workload::ReplicaSet(set) => {
            metadata_of(&set.metadata, f);
            let found = set.spec.as_ref();
            f.not_negative(&spec.field("replicas"), found.and_then(|s| s.replicas));
            let inner = found.and_then(|s| s.template.as_ref());
            selected(found.map(|s| &s.selector), inner, &spec, f);
            judge_template(inner, &["Always"], &template, f);
        }
        Workload::StatefulSet(set) => {
            metadata_of(&set.metadata, f);
            let found = set.spec.as_ref();
            f.not_negative(&spec.field("replicas"), found.and_then(|s| s.replicas));
            selected(found.map(|s| &s.selector), found.map(|s| &s.template), &spec, f);
            let claims = found.and_then(|s| s.volume_claim_templates.as_deref()).unwrap_or_default();
            let all = spec.field("volumeClaimTemplates");
            for (index, claim) in claims.iter().enumerate() {
                let path = all.index(index);
                metadata::metadata(&claim.metadata, &path.field("metadata"), f);
                annotations::own(&claim.metadata, Bearer::Other, &path.field("metadata"), f);
                config::claim_spec(claim.spec.as_ref(), &path.field("spec"), f);
            }
            let with_claims = found.map(|s| with_claims(&s.template, claims));
            judge_template(with_claims.as_ref(), &["Always"], &template, f);
        }
        Workload::ReplicationController(controller) => {
            metadata_of(&controller.metadata, f);
            let found = controller.spec.as_ref();
            f.not_negative(&spec.field("replicas"), found.and_then(|s| s.replicas));
            let inner = found.and_then(|s| s.template.as_ref());
            if let Some(selector) = found.and_then(|s| s.selector.as_ref()).filter(|s| !s.is_empty()) {
                let labels = inner.and_then(|t| t.metadata.as_ref()?.labels.as_ref());
                matches(Some(selector), labels, &spec.field("selector"), &template, f);
            }
            judge_template(inner, &["Always"], &template, f);
        }
        Workload::Job(job) => {
            metadata_of(&job.metadata, f);
            self::job(job.spec.as_ref(), &spec, f);
        }
        Workload::CronJob(cron_job) => {
            metadata_of(&cron_job.metadata, f);
            let job = cron_job.spec.job_template.spec.as_ref();
            let template = spec.field("jobTemplate");
            self::job(job, &template.field("spec"), f);
        }
    }
}

/// What a single node makes of it.
fn on_one_node(workload: &Workload, spec: &Path, f: &mut Findings) {
    let replicas = workloads::replicas(workload);
    if replicas > 1 {
        let field = match workload {
            Workload::Job(job) if job.spec.as_ref().is_some_and(|s| s.completions.unwrap_or(0) > 1) => "completions",
            Workload::Job(_) => "parallelism",
            _ => "replicas",
        };
        f.warn("one-replica", &spec.field(field), format!("{replicas} pods are asked for, and one is run"));
    }
    let mut no_effect = |field: &str, given: bool, why: &str| {
        if given {
            let field = spec.field(field);
            f.warn("no-effect", &field, why).at_key(&field);
        }
    };
    match workload {
        Workload::Deployment(deployment) => {
            let paused = deployment.spec.as_ref().is_some_and(|s| s.paused == Some(true));
            no_effect("paused", paused, "an edit of the file is the wish to roll it out");
        }
        Workload::Job(job) => {
            let Some(job) = &job.spec else { return };
            const COUNTED: &str = "backoffLimit alone decides how often a failed container is tried again";
            no_effect("podFailurePolicy", job.pod_failure_policy.is_some(), COUNTED);
            no_effect("backoffLimitPerIndex", job.backoff_limit_per_index.is_some(), COUNTED);
            no_effect("maxFailedIndexes", job.max_failed_indexes.is_some(), COUNTED);
            no_effect("successPolicy", job.success_policy.is_some(), "its one pod succeeds or fails");
            let kept = "its record stays as long as the file, so that it is not run again";
            no_effect("ttlSecondsAfterFinished", job.ttl_seconds_after_finished.is_some(), kept);
            no_effect("managedBy", job.managed_by.is_some(), "there is no other controller");
        }
        _ => {}
    }
}

fn job(spec: Option<&batch::JobSpec>, path: &Path, f: &mut Findings) {
    if let Some(spec) = spec {
        f.not_negative(&path.field("backoffLimit"), spec.backoff_limit);
        f.not_negative(&path.field("completions"), spec.completions);
        f.not_negative(&path.field("parallelism"), spec.parallelism);
        f.not_negative(&path.field("activeDeadlineSeconds"), spec.active_deadline_seconds);
        f.not_negative(&path.field("ttlSecondsAfterFinished"), spec.ttl_seconds_after_finished);
    }
    judge_template(spec.map(|s| &s.template), &["OnFailure", "Never"], &path.field("template"), f);
}

/// Claims of a StatefulSet are volumes of its pods.
fn with_claims(template: &api::PodTemplateSpec, claims: &[api::PersistentVolumeClaim]) -> api::PodTemplateSpec {
    let mut template = template.clone();
    if let Some(spec) = &mut template.spec {
        let volumes = spec.volumes.get_or_insert_default();
        for name in claims.iter().filter_map(|claim| claim.metadata.name.clone()) {
            if !volumes.iter().any(|volume| volume.name == name) {
                let source = api::PersistentVolumeClaimVolumeSource { claim_name: name.clone(), read_only: None };
                volumes.push(api::Volume { name, persistent_volume_claim: Some(source), ..Default::default() });
            }
        }
    }
    template
}

/// The selector of `apps/v1`: given, and true of the template.
fn selected(selector: Option<&LabelSelector>, template: Option<&api::PodTemplateSpec>, path: &Path, f: &mut Findings) {
    let selector_path = path.field("selector");
    let Some(selector) = selector else { return };
    affinity::selector(Some(selector), &selector_path, f);
    let empty = selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty)
        && selector.match_expressions.as_ref().is_none_or(Vec::is_empty);
    // Old API versions took the template's labels.
    if empty {
        return;
    }
    let labels = template.and_then(|t| t.metadata.as_ref()?.labels.as_ref());
    matches(selector.match_labels.as_ref(), labels, &selector_path, &path.field("template"), f);
}

fn matches(
    selector: Option<&BTreeMap<String, String>>,
    labels: Option<&BTreeMap<String, String>>,
    path: &Path,
    template: &Path,
    f: &mut Findings,
) {
    let missing = |(key, value): &(&String, &String)| labels.and_then(|l| l.get(*key)) != Some(*value);
    if let Some((key, value)) = selector.into_iter().flatten().find(missing) {
        let labels = template.field("metadata");
        let message = format!("the template's labels lack {key}={value}, which the selector asks for");
        f.error("invalid", &labels.field("labels"), message).related_path(path, "the selector");
    }
}

fn judge_template(template: Option<&api::PodTemplateSpec>, restart: &[&str], path: &Path, f: &mut Findings) {
    let none = ObjectMeta::default();
    let metadata = template.and_then(|t| t.metadata.as_ref()).unwrap_or(&none);
    let (metadata_path, spec_path) = (path.field("metadata"), path.field("spec"));
    let written = template.and_then(|t| t.spec.as_ref());
    let spec = spec::with_defaults(written);
    metadata::template_metadata(metadata, &metadata_path, f);
    metadata::pod_annotations(metadata, &spec, &metadata_path, f);
    let bearer = if restart.contains(&"Always") { Bearer::Template } else { Bearer::JobTemplate };
    annotations::own(metadata, bearer, &metadata_path, f);
    spec::spec(&spec, Role::Template, &spec_path, f);
    security::app_armor_annotations(metadata, &spec, &metadata_path, &spec_path, f);
    let policy = spec.restart_policy.as_deref().unwrap_or_default();
    let known = ["Always", "OnFailure", "Never"];
    if written.is_some_and(|s| given(s.restart_policy.as_ref()).is_none()) && !restart.contains(&"Always") {
        f.required(&spec_path.field("restartPolicy"), "the pods of a Job have OnFailure or Never");
    } else if !restart.contains(&policy) && known.contains(&policy) && written.is_some() {
        f.not_supported(&spec_path.field("restartPolicy"), policy, restart);
    }
    cluster::pod(metadata, &spec, &metadata_path, &spec_path, f);
    warnings::pod(metadata, written, &spec, &metadata_path, &spec_path, f);
}
