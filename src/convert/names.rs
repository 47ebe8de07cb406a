//! Names of containers and host names of pods.

use crate::pod::{Attempt, ContainerName, Pod, PodKey, PodUid};

/// `k8s_POD_<pod>_<namespace>_<uid>_<attempt>`.
pub fn sandbox_name(key: &PodKey, uid: &PodUid, attempt: Attempt) -> String {
    name("POD", key, uid, attempt)
}

/// `k8s_<container>_<pod>_<namespace>_<uid>_<restart count>`.
pub fn container_name(key: &PodKey, uid: &PodUid, name: &ContainerName, attempt: Attempt) -> String {
    self::name(name.as_str(), key, uid, attempt)
}

/// The name is deterministic, and so an idempotency key: creating the same attempt twice clashes.
fn name(container: &str, key: &PodKey, uid: &PodUid, attempt: Attempt) -> String {
    let name = format!("k8s_{container}_{}_{}_{uid}_{attempt}", key.name, key.namespace);
    // A name becomes part of a URL's path. Validation lets no other characters through; should one
    // come by another way, it must not change the request.
    name.chars().map(|c| if is_name_char(c) { c } else { '-' }).collect()
}

/// `k8s_<namespace>_<claim>`: the Docker volume of a claim. Deterministic, and kept when its pod is gone.
/// Neither part can hold an underscore, so no two claims have one name.
pub fn claim_volume_name(namespace: &str, claim: &str) -> String {
    format!("k8s_{namespace}_{claim}").chars().map(|c| if is_name_char(c) { c } else { '-' }).collect()
}

/// The characters Docker allows in a name.
fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// The pod's host name and, with `subdomain`, its domain (`GeneratePodHostNameAndDomain`).
pub fn hostname(pod: &Pod, cluster_domain: &str) -> (String, Option<String>) {
    let spec = &pod.spec;
    let written = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    if let Some(hostname) = written(&spec.hostname_override) {
        return (hostname, None);
    }
    let hostname = written(&spec.hostname).unwrap_or_else(|| truncated(&pod.key.name));
    let domain = written(&spec.subdomain).map(|sub| format!("{sub}.{}.svc.{cluster_domain}", pod.key.namespace));
    (hostname, domain)
}

/// What Linux takes as a host name: at most 63 characters, and not ended by a separator.
fn truncated(name: &str) -> String {
    const MAX: usize = 63;
    let cut: String = name.chars().take(MAX).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// The kernel's limit for a fully qualified host name.
pub(super) const MAX_FQDN: usize = 64;
