//! Defaults of a Pod as the API server sets them (`pkg/apis/core/v1/defaults.go`).
//!
//! Applied to a copy: hashes and labels are made from what the user wrote.

use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use std::collections::BTreeMap;

/// `terminationGracePeriodSeconds` when not given.
pub const TERMINATION_GRACE_PERIOD_SECONDS: i64 = 30;

/// Fills in every default of the pod's spec.
pub fn apply(spec: &mut api::PodSpec) {
    spec.restart_policy.get_or_insert_with(|| "Always".into());
    spec.dns_policy.get_or_insert_with(|| "ClusterFirst".into());
    spec.scheduler_name.get_or_insert_with(|| "default-scheduler".into());
    spec.termination_grace_period_seconds.get_or_insert(TERMINATION_GRACE_PERIOD_SECONDS);
    spec.enable_service_links.get_or_insert(true);
    spec.security_context.get_or_insert_default();
    let host_network = spec.host_network == Some(true);
    for container in spec.init_containers.iter_mut().flatten().chain(&mut spec.containers) {
        container_defaults(container, host_network);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        volume_defaults(volume);
    }
}

fn container_defaults(container: &mut api::Container, host_network: bool) {
    let image = container.image.as_deref().unwrap_or("").to_owned();
    container.image_pull_policy.get_or_insert_with(|| default_pull_policy(&image).into());
    container.termination_message_path.get_or_insert_with(|| "/dev/termination-log".into());
    container.termination_message_policy.get_or_insert_with(|| "File".into());
    for port in container.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| "TCP".into());
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
            field.api_version.get_or_insert_with(|| "v1".into());
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
    or(&mut probe.timeout_seconds, 1);
    or(&mut probe.period_seconds, 10);
    or(&mut probe.success_threshold, 1);
    or(&mut probe.failure_threshold, 3);
    probe.initial_delay_seconds.get_or_insert(0);
    if let Some(http) = &mut probe.http_get {
        http_defaults(http);
    }
    if let Some(grpc) = &mut probe.grpc {
        grpc.service.get_or_insert_with(String::new);
    }
}

fn http_defaults(http: &mut api::HTTPGetAction) {
    if http.path.as_deref().unwrap_or("").is_empty() {
        http.path = Some("/".into());
    }
    if http.scheme.as_deref().unwrap_or("").is_empty() {
        http.scheme = Some("HTTP".into());
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
    }
    if let Some(v) = &mut volume.projected {
        v.default_mode.get_or_insert(MODE);
    }
    if let Some(v) = &mut volume.image {
        let policy = default_pull_policy(v.reference.as_deref().unwrap_or(""));
        v.pull_policy.get_or_insert_with(|| policy.into());
    }
}

#[cfg(test)]
mod tests {
    use super::default_pull_policy;

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
