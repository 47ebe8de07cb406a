//! Defaults of a Pod as the API server sets them (`pkg/apis/core/v1/defaults.go`).
//!
//! Applied to a copy: hashes and labels are made from what the user wrote.

use super::quantity::Quantity;
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::collections::BTreeMap;

/// `terminationGracePeriodSeconds` when not given.
pub const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 30;
/// `timeoutSeconds` of a probe.
pub const PROBE_TIMEOUT_SECONDS: i32 = 1;
/// `periodSeconds` of a probe.
pub const PROBE_PERIOD_SECONDS: i32 = 10;
/// `successThreshold` of a probe.
pub const PROBE_SUCCESS_THRESHOLD: i32 = 1;
/// `failureThreshold` of a probe.
pub const PROBE_FAILURE_THRESHOLD: i32 = 3;

/// Fills in every default of the pod's spec.
pub fn apply(spec: &mut api::PodSpec) {
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.termination_grace_period_seconds.get_or_insert(TERMINATION_GRACE_PERIOD_SECONDS);
    spec.enable_service_links.get_or_insert(true);
    spec.security_context.get_or_insert_default();
    // The old name of the field, which still fills the new one.
    if spec.service_account_name.as_ref().is_none_or(String::is_empty) {
        spec.service_account_name.clone_from(&spec.service_account);
    }
    let host_network = spec.host_network == Some(true);
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        container_defaults(container, host_network);
    }
    if let Some(mut resources) = spec.resources.take() {
        pod_requests(&mut resources, spec);
        spec.resources = Some(resources);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        volume_defaults(volume);
    }
}

/// Sets a text that is not given; an empty one is not given either.
fn text(field: &mut Option<String>, default: &str) {
    if field.as_ref().is_none_or(String::is_empty) {
        *field = Some(default.to_owned());
    }
}

fn container_defaults(container: &mut api::Container, host_network: bool) {
    let image = container.image.as_deref().unwrap_or("").to_owned();
    text(&mut container.image_pull_policy, default_pull_policy(&image));
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    for port in container.ports.iter_mut().flatten() {
        text(&mut port.protocol, "TCP");
        if host_network && port.host_port.unwrap_or(0) == 0 {
            port.host_port = Some(port.container_port);
        }
    }
    if let Some(resources) = &mut container.resources {
        copy_limits_to_requests(resources);
    }
    for probe in [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe]
        .into_iter()
        .flatten()
    {
        probe_defaults(probe);
    }
    if let Some(lifecycle) = &mut container.lifecycle {
        for handler in [&mut lifecycle.post_start, &mut lifecycle.pre_stop].into_iter().flatten() {
            if let Some(http) = &mut handler.http_get {
                http_defaults(http);
            }
        }
    }
    for env in container.env.iter_mut().flatten() {
        if let Some(field) = env.value_from.as_mut().and_then(|v| v.field_ref.as_mut()) {
            text(&mut field.api_version, "v1");
        }
    }
}

/// `Always` for tag `latest` or for neither tag nor digest, else `IfNotPresent`.
pub fn default_pull_policy(image: &str) -> &'static str {
    if image.contains('@') {
        return "IfNotPresent";
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

fn copy_limits_to_requests(resources: &mut api::ResourceRequirements) {
    let Some(limits) = &resources.limits else { return };
    let missing: BTreeMap<String, ApiQuantity> = limits
        .iter()
        .filter(|(name, _)| !resources.requests.as_ref().is_some_and(|r| r.contains_key(*name)))
        .map(|(name, amount)| (name.clone(), amount.clone()))
        .collect();
    if !missing.is_empty() {
        resources.requests.get_or_insert_default().extend(missing);
    }
}

fn probe_defaults(probe: &mut api::Probe) {
    // A written 0 becomes the default too.
    let or = |value: &mut Option<i32>, default| {
        if value.unwrap_or(0) == 0 {
            *value = Some(default);
        }
    };
    or(&mut probe.timeout_seconds, PROBE_TIMEOUT_SECONDS);
    or(&mut probe.period_seconds, PROBE_PERIOD_SECONDS);
    or(&mut probe.success_threshold, PROBE_SUCCESS_THRESHOLD);
    or(&mut probe.failure_threshold, PROBE_FAILURE_THRESHOLD);
    probe.initial_delay_seconds.get_or_insert(0);
    if let Some(http) = &mut probe.http_get {
        http_defaults(http);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_with(String::new);
    }
}

fn http_defaults(http: &mut api::HTTPGetAction) {
    text(&mut http.path, "/");
    text(&mut http.scheme, "HTTP");
}

/// Requests of the pod itself, where it has `resources`: what its containers request together, else
/// the pod's limit. Only `cpu`, `memory` and huge pages can be given for a pod.
fn pod_requests(resources: &mut api::ResourceRequirements, spec: &api::PodSpec) {
    let of_pod = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    let mut requests = resources.requests.clone().unwrap_or_default();
    for (name, amount) in requested_together(spec) {
        if of_pod(&name) && !name.starts_with("hugepages-") {
            requests.entry(name).or_insert_with(|| ApiQuantity(amount.to_string()));
        }
    }
    for (name, amount) in resources.limits.iter().flatten().filter(|(name, _)| of_pod(name)) {
        requests.entry(name.clone()).or_insert_with(|| amount.clone());
    }
    if !requests.is_empty() {
        resources.requests = Some(requests);
    }
}

/// What a pod's containers request at most at any time: containers and sidecars together, or an init
/// container beside the sidecars started before it.
pub fn requested_together(spec: &api::PodSpec) -> BTreeMap<String, Quantity> {
    let mut together: BTreeMap<String, Quantity> = BTreeMap::new();
    for container in &spec.containers {
        add(&mut together, container);
    }
    let mut sidecars: BTreeMap<String, Quantity> = BTreeMap::new();
    let mut most: BTreeMap<String, Quantity> = BTreeMap::new();
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut together, container);
            add(&mut sidecars, container);
            raise(&mut most, &sidecars);
        } else {
            let mut beside = sidecars.clone();
            add(&mut beside, container);
            raise(&mut most, &beside);
        }
    }
    raise(&mut together, &most);
    together
}

fn add(sum: &mut BTreeMap<String, Quantity>, container: &api::Container) {
    let requests = container.resources.as_ref().and_then(|r| r.requests.as_ref());
    for (name, amount) in requests.into_iter().flatten() {
        // What is no quantity was reported by validation.
        if let Ok(amount) = Quantity::parse(&amount.0) {
            let entry = sum.entry(name.clone()).or_default();
            *entry = entry.plus(amount);
        }
    }
}

fn raise(most: &mut BTreeMap<String, Quantity>, other: &BTreeMap<String, Quantity>) {
    for (name, amount) in other {
        let entry = most.entry(name.clone()).or_default();
        *entry = (*entry).max(*amount);
    }
}

fn volume_defaults(volume: &mut api::Volume) {
    const MODE: i32 = 0o644;
    // A volume that says nothing but its name is an emptyDir.
    if *volume == (api::Volume { name: volume.name.clone(), ..Default::default() }) {
        volume.empty_dir = Some(api::EmptyDirVolumeSource::default());
    }
    if let Some(v) = &mut volume.host_path {
        v.type_.get_or_insert_with(String::new);
    }
    if let Some(v) = &mut volume.secret {
        v.default_mode.get_or_insert(MODE);
    }
    if let Some(v) = &mut volume.config_map {
        v.default_mode.get_or_insert(MODE);
    }
    if let Some(v) = &mut volume.downward_api {
        v.default_mode.get_or_insert(MODE);
        field_versions(v.items.as_mut());
    }
    if let Some(v) = &mut volume.projected {
        v.default_mode.get_or_insert(MODE);
        for source in v.sources.iter_mut().flatten() {
            field_versions(source.downward_api.as_mut().and_then(|d| d.items.as_mut()));
            if let Some(token) = &mut source.service_account_token {
                token.expiration_seconds.get_or_insert(3600);
            }
        }
    }
    if let Some(v) = &mut volume.image {
        let policy = default_pull_policy(v.reference.as_deref().unwrap_or(""));
        text(&mut v.pull_policy, policy);
    }
}

fn field_versions(files: Option<&mut Vec<api::DownwardAPIVolumeFile>>) {
    for field in files.into_iter().flatten().filter_map(|file| file.field_ref.as_mut()) {
        text(&mut field.api_version, "v1");
    }
}

#[cfg(test)]
mod tests {
    use super::{apply, default_pull_policy};
    use crate::manifest::{
        Object,
        parse::{ParseOptions, parse_file},
    };
    use k8s_openapi::api::core::v1 as api;
    use std::path::Path;

    /// The spec of a manifest with its defaults.
    fn defaulted(manifest: &str) -> api::PodSpec {
        let parsed = parse_file(Path::new("a.yaml"), manifest.as_bytes(), &ParseOptions::default());
        let Some(Object::Pod { pod, .. }) = parsed.objects.first() else { panic!("{:?}", parsed.diagnostics) };
        let mut spec = pod.spec.clone().unwrap();
        apply(&mut spec);
        spec
    }

    #[test]
    fn what_a_bare_pod_stands_for() {
        let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}\n";
        insta::assert_yaml_snapshot!(defaulted(bare));
    }

    #[test]
    fn what_everything_stands_for() {
        insta::assert_yaml_snapshot!(defaulted(include_str!("../../tests/manifests/good/everything.yaml")));
    }

    #[test]
    fn pull_policy_follows_the_tag() {
        for (image, policy) in [
            ("web", "Always"),
            ("web:latest", "Always"),
            ("web:1", "IfNotPresent"),
            ("registry:5000/web", "Always"),
            ("registry:5000/web:1.2", "IfNotPresent"),
            ("web@sha256:00", "IfNotPresent"),
            ("web:latest@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(default_pull_policy(image), policy, "{image}");
        }
    }
}
