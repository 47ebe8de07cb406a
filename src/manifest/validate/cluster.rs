//! What can not work, or means nothing, on a node without a cluster.

use super::{given, resources, spec, volumes};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::BTreeSet;

/// Volume sources that only a cluster, or a plug-in made for one, can mount.
const PLUGIN_VOLUMES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "iscsi",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Judges a pod or template.
pub fn pod(metadata: &ObjectMeta, spec: &api::PodSpec, metadata_path: &Path, path: &Path, f: &mut Findings) {
    if spec.resource_claims.iter().flatten().next().is_some() {
        needs(&path.field("resourceClaims"), "resource claims are made by a cluster's device drivers", f);
    }
    windows(spec, path, f);
    let all = path.field("volumes");
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let path = all.index(index);
        for source in volumes::given_sources(volume) {
            if PLUGIN_VOLUMES.contains(&source) {
                needs(
                    &path.field(source),
                    &format!("volumes of type {source} are mounted by a plug-in of a cluster"),
                    f,
                );
            }
        }
        let projected = path.field("projected");
        let sources = projected.field("sources");
        for (index, source) in volume.projected.iter().flat_map(|p| p.sources.iter().flatten()).enumerate() {
            let path = sources.index(index);
            let token = source.service_account_token.is_some();
            for (field, present) in [
                ("serviceAccountToken", token),
                ("clusterTrustBundle", source.cluster_trust_bundle.is_some()),
                ("podCertificate", source.pod_certificate.is_some()),
            ] {
                if present {
                    let finding =
                        needs(&path.field(field), &format!("what {field} asks for is given out by an API server"), f);
                    if volume.name.starts_with("kube-api-access-") {
                        finding
                            .suggest(format!("remove volume {} and its mounts: an API server added them", volume.name));
                    }
                }
            }
        }
    }
    no_effect(metadata, spec, metadata_path, path, f);
}

fn needs<'f, 't>(path: &Path, why: &str, f: &'f mut Findings<'t>) -> crate::manifest::findings::Finding<'f, 't> {
    f.error("needs-cluster", path, why).at_key(path)
}

fn windows(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    const WHY: &str = "this is a Windows pod, and the engine runs Linux containers";
    let selector = spec.node_selector.as_ref();
    let selected = ["kubernetes.io/os", "beta.kubernetes.io/os"]
        .into_iter()
        .find(|key| selector.and_then(|s| s.get(*key)).is_some_and(|os| os == "windows"));
    let context = spec.security_context.as_ref().is_some_and(|c| c.windows_options.is_some());
    let container =
        spec::all_containers(spec).any(|c| c.security_context.as_ref().is_some_and(|c| c.windows_options.is_some()));
    let at = if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        path.field("os").to_string()
    } else if selected.is_some() {
        path.field("nodeSelector").to_string()
    } else if context {
        path.field("securityContext").to_string()
    } else if container {
        path.field("containers").to_string()
    } else {
        return;
    };
    let field = at.rsplit('.').next().unwrap_or_default();
    let field = path.field(field);
    f.error("field-not-supported", &field, WHY).at_key(&field);
}

fn no_effect(metadata: &ObjectMeta, spec: &api::PodSpec, metadata_path: &Path, path: &Path, f: &mut Findings) {
    let mut warn = |path: &Path, why: &str| {
        f.warn("no-effect", path, why).at_key(path);
    };
    let account = given(spec.service_account_name.as_ref()).or(given(spec.service_account.as_ref()));
    if account.is_some() {
        let field = if spec.service_account_name.is_some() { "serviceAccountName" } else { "serviceAccount" };
        warn(&path.field(field), "there is no API server for a service account to speak to");
    }
    if given(spec.node_name.as_ref()).is_some() {
        warn(&path.field("nodeName"), "a static pod runs on the node its file is on");
    }
    if given(spec.scheduler_name.as_ref()).is_some_and(|name| name != "default-scheduler") {
        warn(&path.field("schedulerName"), "a static pod is not scheduled");
    }
    if spec.preemption_policy.is_some() {
        warn(&path.field("preemptionPolicy"), "a static pod is not scheduled");
    }
    if spec.topology_spread_constraints.iter().flatten().next().is_some() {
        warn(&path.field("topologySpreadConstraints"), "there is one node to spread over");
    }
    if spec.overhead.is_some() {
        warn(&path.field("overhead"), "the overhead of a runtime is a scheduler's concern");
    }
    if spec.scheduling_group.is_some() {
        warn(&path.field("schedulingGroup"), "a static pod is not scheduled");
    }
    if spec.readiness_gates.iter().flatten().next().is_some() {
        warn(&path.field("readinessGates"), "nobody sets the conditions a readiness gate waits for");
    }
    if let Some(affinity) = &spec.affinity {
        let path = path.field("affinity");
        let preferred = |a: &api::NodeAffinity| a.preferred_during_scheduling_ignored_during_execution.is_some();
        for (field, present) in [
            ("podAffinity", affinity.pod_affinity.is_some()),
            ("podAntiAffinity", affinity.pod_anti_affinity.is_some()),
        ] {
            if present {
                warn(&path.field(field), "affinity between pods chooses among nodes, and there is one");
            }
        }
        if affinity.node_affinity.as_ref().is_some_and(preferred) {
            let node = path.field("nodeAffinity");
            let field = node.field("preferredDuringSchedulingIgnoredDuringExecution");
            warn(&field, "a preference chooses among nodes, and there is one");
        }
    }
    for key in metadata.annotations.iter().flatten().map(|(key, _)| key) {
        if key.starts_with("scheduler.alpha.kubernetes.io/") {
            let annotations = metadata_path.field("annotations");
            warn(&annotations.key(key), "this annotation was for schedulers before Kubernetes 1.16");
        }
    }
    extended_resources(spec, path, f);
}

fn extended_resources(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let containers = path.field("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let Some(found) = &container.resources else { continue };
        let names: BTreeSet<_> =
            found.limits.iter().chain(&found.requests).flat_map(|amounts| amounts.keys()).collect();
        for name in names.into_iter().filter(|name| !resources::is_native(name)) {
            let container = containers.index(index);
            let resources = container.field("resources");
            let field = if found.limits.as_ref().is_some_and(|l| l.contains_key(name)) { "limits" } else { "requests" };
            let amounts = resources.field(field);
            let path = amounts.key(name);
            f.warn("no-effect", &path, format!("{name} is given out by a device plug-in, and there is none"))
                .at_key(&path);
        }
    }
}
