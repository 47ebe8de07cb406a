//! The create body of a container.

use super::{
    ContainerFacts, ConvertError, NodeFacts, SandboxFacts,
    env::{self, Scope},
    error::Subject,
    labels::ContainerLabels,
    mounts, references, resources,
    sandbox::{check_identity, never_restart, no_healthcheck, runtime},
    security,
};
use crate::{
    engine::ContainerCreateBody,
    pod::{Container, History, Pod},
    volume::paths,
};
use bollard::models::{HostConfig, HostConfigLogConfig};

/// One instance of a container, joined to its sandbox. Its labels keep `history` for the next one.
pub fn container_body(
    pod: &Pod,
    container: &Container,
    found: &ContainerFacts<'_>,
    history: &History,
    node: &NodeFacts,
) -> Result<ContainerCreateBody, ConvertError> {
    let ContainerFacts { sandbox, image, seccomp_profile, disk } = found;
    let subject = &Subject { pod: pod.key.clone(), container: Some(container.name.clone()) };
    check_identity(pod, subject)?;
    paths::plain(container.name.as_str()).map_err(|source| ConvertError::Name {
        subject: subject.clone(),
        field: "name".to_owned(),
        source,
    })?;
    let scope = Scope { pod, container, sandbox, env_files: &disk.env_files, node, subject };
    let environment = env::environment(&scope)?;
    let api = &container.api;
    let expanded = |list: &Option<Vec<String>>| {
        let list = list.as_ref().filter(|list| !list.is_empty())?;
        Some(list.iter().map(|text| environment.expand(text)).collect())
    };
    let (entrypoint, cmd) = (expanded(&api.command), expanded(&api.args));
    let mut host = HostConfig {
        mounts: Some(mounts::mounts(&scope, history.attempt, &environment, &disk.claims)?)
            .filter(|list| !list.is_empty()),
        log_config: node.bound_logs.then(bounded_logs),
        restart_policy: Some(never_restart()),
        runtime: runtime(pod),
        ..HostConfig::default()
    };
    join(&mut host, pod, sandbox);
    resources::apply(&mut host, pod, container, subject, node)?;
    security::apply(&mut host, pod, container, *seccomp_profile, subject, node)?;
    let stop_signal = api.lifecycle.as_ref().and_then(|l| l.stop_signal.clone());
    let mut labels = ContainerLabels::of(pod, container, sandbox.id, history);
    labels.environment = references::environment_hash(pod, api, node, subject)?;
    Ok(ContainerCreateBody {
        user: Some(security::user(pod, container, image, subject)?),
        env: Some(environment.into_list()).filter(|list| !list.is_empty()),
        entrypoint,
        cmd,
        image: Some(image.id.clone()),
        working_dir: api.working_dir.clone().filter(|dir| !dir.is_empty()),
        tty: api.tty.filter(|yes| *yes),
        open_stdin: api.stdin.filter(|yes| *yes),
        stdin_once: api.stdin_once.filter(|yes| *yes),
        healthcheck: Some(no_healthcheck()),
        stop_signal,
        stop_timeout: Some(i64::from(i32::try_from(pod.grace.as_secs()).unwrap_or(i32::MAX))),
        labels: Some(labels.encode(&node.instance).into_iter().collect()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    })
}

/// Puts a container into its sandbox's namespaces.
fn join(host: &mut HostConfig, pod: &Pod, sandbox: &SandboxFacts<'_>) {
    let shared = format!("container:{}", sandbox.id);
    let host_mode = || "host".to_owned();
    let spec = &pod.spec;
    host.ipc_mode = Some(if spec.host_ipc == Some(true) { host_mode() } else { shared.clone() });
    host.pid_mode = match (spec.host_pid, spec.share_process_namespace) {
        (Some(true), _) => Some(host_mode()),
        // The pause program is then process 1, and reaps.
        (_, Some(true)) => Some(shared.clone()),
        _ => None,
    };
    // Otherwise the engine takes host name, hosts and resolv.conf from the container joined.
    host.uts_mode = pod.host_network.then(host_mode);
    host.network_mode = Some(shared);
}

/// Unbounded logs fill the disk, and then every pod suffers.
fn bounded_logs() -> HostConfigLogConfig {
    let config = [("max-size", "10m"), ("max-file", "5")];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
    }
}
