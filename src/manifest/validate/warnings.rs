//! What is allowed and still worth a word: deprecated fields, and a few habits that hurt.

use super::given;
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::defaults::default_pull_policy,
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::HashMap;

const OLD_NODE_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
];

/// Warnings about a pod or template: `written` as in the file, `spec` with defaults.
pub fn pod(
    metadata: &ObjectMeta,
    written: Option<&api::PodSpec>,
    spec: &api::PodSpec,
    metadata_path: &Path,
    path: &Path,
    f: &mut Findings,
) {
    deprecated(metadata, spec, metadata_path, path, f);
    let all = path.field("volumes");
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let host = volume.host_path.as_ref().map(|host| host.path.trim_end_matches('/'));
        if matches!(host, Some("/var/run/docker.sock" | "/run/docker.sock")) {
            let path = all.index(index);
            let path = path.field("hostPath");
            f.warn("docker-socket", &path.field("path"), "whoever may use the Docker socket is root on the node");
        }
    }
    let Some(written) = written else { return };
    let lists = [("initContainers", written.init_containers.as_deref()), ("containers", Some(&written.containers[..]))];
    for (field, list) in lists {
        let list_path = path.field(field);
        for (index, container) in list.unwrap_or_default().iter().enumerate() {
            self::container(container, &list_path.index(index), f);
        }
    }
}

fn container(container: &api::Container, path: &Path, f: &mut Findings) {
    let image = container.image.as_deref().unwrap_or_default();
    let floating = !image.is_empty() && default_pull_policy(image) == "Always";
    if floating && container.image_pull_policy.as_deref() == Some("IfNotPresent") {
        let message = format!("which `{image}` runs depends on when the node pulled it first");
        let finding = f.warn("latest-not-pulled", &path.field("image"), message);
        finding.suggest("name a version, or write imagePullPolicy: Always");
    }
    if let Some(resources) = &container.resources {
        let without: Vec<&str> = ["cpu", "memory"]
            .into_iter()
            .filter(|name| resources.limits.as_ref().is_some_and(|limits| limits.contains_key(*name)))
            .filter(|name| resources.requests.as_ref().is_none_or(|requests| !requests.contains_key(*name)))
            .collect();
        if !without.is_empty() {
            let path = path.field("resources");
            let has = if without.len() == 1 { "has" } else { "have" };
            let message =
                format!("{} {has} a limit and no request, so the limit is the request", without.join(" and "));
            f.warn("limit-without-request", &path.field("limits"), message).suggest("write the request too");
        }
    }
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        let Some(probe) = probe else { continue };
        let set = |seconds: Option<i32>, default| seconds.filter(|s| *s != 0).unwrap_or(default);
        let (timeout, period) = (set(probe.timeout_seconds, 1), set(probe.period_seconds, 10));
        if timeout > period {
            let path = path.field(field);
            let message = format!("a probe may take {timeout} s, but is due every {period} s");
            f.warn("probe-longer-than-period", &path.field("timeoutSeconds"), message);
        }
    }
    self::env(container, path, f);
}

fn env(container: &api::Container, path: &Path, f: &mut Findings) {
    const WHY: &str = "environment variables leak to child processes and into crash reports";
    let vars = path.field("env");
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut secret = None;
    for (index, var) in container.env.iter().flatten().enumerate() {
        if let Some(first) = seen.insert(&var.name, index).filter(|_| !var.name.is_empty()) {
            let path = vars.index(index);
            let message = format!("variable {} is given twice; this one wins", var.name);
            let finding = f.warn("duplicate-env", &path.field("name"), message);
            finding.related_path(&vars.index(first).field("name"), "hidden by the other");
        }
        if secret.is_none() && var.value_from.as_ref().is_some_and(|from| from.secret_key_ref.is_some()) {
            secret = Some(index);
        }
    }
    if let Some(index) = secret {
        let path = vars.index(index);
        let path = path.field("valueFrom");
        let key = path.field("secretKeyRef");
        f.warn("secret-in-env", &key, WHY).suggest("mount the Secret as a file");
        return;
    }
    let sources = path.field("envFrom");
    if let Some(index) = container.env_from.iter().flatten().position(|from| from.secret_ref.is_some()) {
        let path = sources.index(index);
        f.warn("secret-in-env", &path.field("secretRef"), WHY).suggest("mount the Secret as a file");
    }
}

fn deprecated(metadata: &ObjectMeta, spec: &api::PodSpec, metadata_path: &Path, path: &Path, f: &mut Findings) {
    let old = given(spec.service_account.as_ref());
    if old.is_some() && f.written(&path.field("serviceAccount")).is_some() {
        let field = path.field("serviceAccount");
        f.warn("deprecated", &field, "serviceAccount is the old name")
            .at_key(&field)
            .suggest("write serviceAccountName");
    }
    let selector = path.field("nodeSelector");
    for (old, new) in OLD_NODE_LABELS {
        if spec.node_selector.as_ref().is_some_and(|labels| labels.contains_key(*old)) {
            let path = selector.key(old);
            f.warn("deprecated", &path, format!("{old} is an old name")).at_key(&path).suggest(format!("write {new}"));
        }
    }
    let annotations = metadata_path.field("annotations");
    for key in metadata.annotations.iter().flatten().map(|(key, _)| key) {
        let path = annotations.key(key);
        let (message, instead) = if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
            ("AppArmor profiles were annotations before Kubernetes 1.30", "write securityContext.appArmorProfile")
        } else if key == "seccomp.security.alpha.kubernetes.io/pod"
            || key.starts_with("container.seccomp.security.alpha.kubernetes.io/")
        {
            ("seccomp annotations are not read since Kubernetes 1.27", "write securityContext.seccompProfile")
        } else {
            continue;
        };
        f.warn("deprecated", &path, message).at_key(&path).suggest(instead);
    }
}
