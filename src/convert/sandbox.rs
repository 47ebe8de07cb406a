//! The create body of a sandbox.

use super::{
    ConvertError, NodeFacts, ResolvConf, dns, error::Subject, labels::SandboxLabels, mounts, names, ports, resources,
    security,
};
use crate::{
    engine::ContainerCreateBody,
    pod::{Attempt, Pod},
    volume::paths,
};
use bollard::models::{HealthConfig, HostConfig, RestartPolicy, RestartPolicyNameEnum};

/// `/dev/shm` of the whole pod, whose containers share the sandbox's IPC namespace.
const SHM_SIZE: i64 = 64 << 20;

/// The pause container that holds the pod's namespaces, addresses and host ports. `started_at` is when the
/// first one of this pod was made; `resolv_conf` is needed where [`dns::reads_resolv_conf`] says so.
pub fn sandbox_body(
    pod: &Pod,
    attempt: Attempt,
    started_at: jiff::Timestamp,
    resolv_conf: &ResolvConf,
    node: &NodeFacts,
) -> Result<ContainerCreateBody, ConvertError> {
    let subject = &Subject { pod: pod.key.clone(), container: None };
    check_identity(pod, subject)?;
    let spec = &pod.spec;
    let (exposed, bindings) = ports::port_bindings(pod);
    let mut host = HostConfig {
        network_mode: Some(if pod.host_network { "host".to_owned() } else { node.network.clone() }),
        ipc_mode: Some(if spec.host_ipc == Some(true) { "host" } else { "shareable" }.to_owned()),
        pid_mode: (spec.host_pid == Some(true)).then(|| "host".to_owned()),
        shm_size: Some(SHM_SIZE),
        port_bindings: Some(bindings).filter(|map| !map.is_empty()),
        restart_policy: Some(never_restart()),
        runtime: runtime(pod),
        mounts: Some(mounts::held_claims(pod, node)).filter(|list| !list.is_empty()),
        ..HostConfig::default()
    };
    resources::apply_sandbox(&mut host, node);
    dns::apply(&mut host, pod, resolv_conf, node);
    let user = security::apply_sandbox(&mut host, pod, subject)?;
    Ok(ContainerCreateBody {
        // With hostNetwork the engine takes the node's.
        hostname: if pod.host_network { None } else { Some(sandbox_hostname(pod, node, subject)?) },
        user,
        image: Some(node.pause_image.clone()),
        exposed_ports: Some(exposed).filter(|list| !list.is_empty()),
        healthcheck: Some(no_healthcheck()),
        labels: Some(SandboxLabels::of(pod, attempt, started_at).encode(&node.instance).into_iter().collect()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    })
}

fn sandbox_hostname(pod: &Pod, node: &NodeFacts, subject: &Subject) -> Result<String, ConvertError> {
    let (hostname, domain) = names::hostname(pod, &node.cluster_domain);
    let Some(domain) = domain.filter(|_| pod.spec.set_hostname_as_fqdn == Some(true)) else { return Ok(hostname) };
    let fqdn = format!("{hostname}.{domain}");
    if fqdn.len() > names::MAX_FQDN {
        let why = format!("{fqdn:?} is longer than the {} characters Linux allows; shorten it", names::MAX_FQDN);
        let field = "spec.setHostnameAsFQDN".to_owned();
        return Err(ConvertError::Invalid { subject: subject.clone(), field, why });
    }
    Ok(fqdn)
}

/// The pod's names become parts of container names and paths. Validation reports this first; here
/// it is the last guard.
pub(super) fn check_identity(pod: &Pod, subject: &Subject) -> Result<(), ConvertError> {
    for (field, text) in [
        ("metadata.name", pod.key.name.as_str()),
        ("metadata.namespace", pod.key.namespace.as_str()),
        ("metadata.uid", pod.uid.as_str()),
    ] {
        paths::plain(text).map_err(|source| ConvertError::Name {
            subject: subject.clone(),
            field: field.to_owned(),
            source,
        })?;
    }
    Ok(())
}

/// The Docker runtime that `runtimeClassName` names. The engine refuses one that it has not.
pub(super) fn runtime(pod: &Pod) -> Option<String> {
    pod.spec.runtime_class_name.clone().filter(|name| !name.is_empty())
}

/// Restarts are decided here, never by the engine.
pub(super) fn never_restart() -> RestartPolicy {
    RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }
}

/// Health is probed as the pod says; what its image says is turned off.
pub(super) fn no_healthcheck() -> HealthConfig {
    HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }
}
