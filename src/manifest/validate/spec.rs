//! A pod's spec as a whole.

use super::{Role, affinity, containers, dns, given, metadata, names, resources, scheduling, security, volumes};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::defaults,
};
use k8s_openapi::api::core::v1 as api;
use std::collections::{HashMap, HashSet};

/// Containers of all kinds a pod may have. The API has no such limit, but 1.5 MiB for the object.
const MAX_CONTAINERS: usize = 1000;

/// What rules about containers need to know of the pod.
pub struct PodFacts<'a> {
    /// Declared volumes that are sound enough to be referred to.
    pub volumes: HashMap<&'a str, &'a api::Volume>,
    /// Names of `spec.resourceClaims`.
    pub claims: HashSet<&'a str>,
    /// `terminationGracePeriodSeconds`.
    pub grace: i64,
    /// `restartPolicy` of the pod.
    pub restart_policy: &'a str,
    /// Whether users of the pod are the node's.
    pub host_users: bool,
    /// `os.name`.
    pub os: Option<&'a str>,
}

/// The spec with the API's defaults; what is missing altogether is an empty one.
pub fn with_defaults(spec: Option<&api::PodSpec>) -> api::PodSpec {
    let mut spec = spec.cloned().unwrap_or_default();
    defaults::apply(&mut spec);
    spec
}

/// Init containers, then containers.
pub fn all_containers(spec: &api::PodSpec) -> impl Iterator<Item = &api::Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// Judges a spec.
pub fn spec(spec: &api::PodSpec, role: Role, path: &Path, f: &mut Findings) {
    let count = all_containers(spec).count() + spec.ephemeral_containers.iter().flatten().count();
    if count > MAX_CONTAINERS {
        let message = format!("the pod has {count} containers; at most {MAX_CONTAINERS} are taken");
        f.error("too-many", &path.field("containers"), message);
        return;
    }
    let grace = spec.termination_grace_period_seconds.unwrap_or_default();
    let facts = PodFacts {
        volumes: volumes::volumes(spec, role, &path.field("volumes"), f),
        claims: spec.resource_claims.iter().flatten().map(|claim| claim.name.as_str()).collect(),
        grace,
        restart_policy: spec.restart_policy.as_deref().unwrap_or_default(),
        host_users: spec.host_users != Some(false),
        os: spec.os.as_ref().map(|os| os.name.as_str()),
    };
    containers::all(spec, &facts, role, path, f);
    resources::pod(spec, &path.field("resources"), f);
    scheduling::scheduling(spec, role, path, f);
    affinity::affinity(spec.affinity.as_ref(), &path.field("affinity"), f);
    security::pod(spec, path, f);
    dns::dns(spec, path, f);
    words(spec, path, f);
    numbers(spec, path, f);
    naming(spec, path, f);
    if grace < 0 {
        f.not_negative(&path.field("terminationGracePeriodSeconds"), Some(grace));
    }
}

fn words(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let restart = spec.restart_policy.as_deref();
    f.one_of(&path.field("restartPolicy"), restart, &["Always", "OnFailure", "Never"]);
    f.one_of(&path.field("preemptionPolicy"), spec.preemption_policy.as_deref(), &["Never", "PreemptLowerPriority"]);
    if let Some(os) = &spec.os {
        let os_path = path.field("os");
        if os.name.is_empty() {
            f.required(&os_path.field("name"), "");
        } else {
            f.one_of(&os_path.field("name"), Some(&os.name), &["linux", "windows"]);
        }
    }
}

fn numbers(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    if let Some(seconds) = spec.active_deadline_seconds {
        f.range(&path.field("activeDeadlineSeconds"), seconds, 1, i32::MAX.into());
    }
}

fn naming(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    f.rule(&path.field("hostname"), given(spec.hostname.as_ref()), names::dns_label);
    f.rule(&path.field("subdomain"), given(spec.subdomain.as_ref()), names::dns_label);
    f.rule(&path.field("nodeName"), given(spec.node_name.as_ref()), names::dns_subdomain);
    f.rule(&path.field("serviceAccountName"), given(spec.service_account_name.as_ref()), names::dns_subdomain);
    f.rule(&path.field("priorityClassName"), given(spec.priority_class_name.as_ref()), names::dns_subdomain);
    f.rule(&path.field("runtimeClassName"), given(spec.runtime_class_name.as_ref()), names::dns_subdomain);
    metadata::labels(spec.node_selector.as_ref(), &path.field("nodeSelector"), f);
    let hostname = path.field("hostnameOverride");
    if let Some(name) = given(spec.hostname_override.as_ref()) {
        f.rule(&hostname, Some(name), names::dns_subdomain);
        if name.len() > 64 {
            f.error("too-long", &hostname, "a host name may have 64 characters");
        }
        if spec.host_network == Some(true) {
            f.forbidden(&hostname, "may not be given with hostNetwork: true");
        }
        if spec.set_hostname_as_fqdn == Some(true) {
            f.forbidden(&hostname, "may not be given with setHostnameAsFQDN: true");
        }
    }
}
