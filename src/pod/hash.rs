//! Canonical JSON and versioned hashes: what decides whether an edit restarts anything.
//!
//! Everything is hashed over what the user wrote, without defaults, so that a release of ours that
//! knows more defaults changes no hash. Empty values and nulls are dropped and quantities are
//! normalised first: writing the same thing otherwise is no edit.

use super::quantity::Quantity;
use k8s_openapi::api::core::v1 as api;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// A hash with the version of the rule that made it, as in `v1:3f2a…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SpecHash(String);

impl SpecHash {
    /// Version of the rules of this build. A later version must still compute the earlier ones, to
    /// compare with what runs.
    pub const VERSION: &str = "v1";

    fn of(value: &Value) -> Self {
        Self(format!("{}:{}", Self::VERSION, &digest(&["spec", &value.to_string()])[..32]))
    }

    /// A hash that no spec has: of what was made from one that counts no more.
    pub fn superseded() -> Self {
        Self(format!("{}:superseded", Self::VERSION))
    }

    /// Reads a label's text; `None` for a version this build does not know.
    pub fn parse(label: &str) -> Option<Self> {
        let hex = label.strip_prefix(Self::VERSION)?.strip_prefix(':')?;
        (hex.len() == 32).then(|| Self(label.to_owned()))
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hex SHA-256 over the parts, each ended by a NUL.
fn digest(parts: &[&str]) -> String {
    use fmt::Write;
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// An API object as canonical JSON: keys sorted, nulls and empty values dropped, quantities
/// normalised. Serialising the API's own types can not fail; a failure would show as `null`.
pub fn canonical(object: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or(Value::Null);
    normalise(&mut value, "");
    value
}

fn normalise(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            let amounts = matches!(key, "limits" | "requests" | "overhead");
            for (name, child) in map.iter_mut() {
                if amounts {
                    normalise_quantity(child);
                } else {
                    normalise(child, name);
                }
            }
            map.retain(|_, child| !is_nothing(child));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalise(item, "")),
        Value::String(_) if matches!(key, "sizeLimit" | "divisor") => normalise_quantity(value),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn normalise_quantity(value: &mut Value) {
    if let Some(Ok(quantity)) = value.as_str().map(Quantity::parse) {
        *value = json!(format!("{}n", quantity.nanos()));
    }
}

/// Null, or an empty list. An empty *object* says something (`emptyDir: {}`), and so does an empty
/// string (`value: ""`).
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Fields of a container that its running process does not depend on: an edit of them restarts
/// nothing. Host ports belong to the sandbox.
const NOT_OF_THE_PROCESS: [&str; 9] = [
    "name",
    "imagePullPolicy",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "ports",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
];

/// Deprecated form of `appArmorProfile`; the container's name follows.
pub const ANNOTATION_APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";

/// The annotation that names a container's AppArmor profile.
pub fn app_armor_annotation(container: &str) -> String {
    format!("{ANNOTATION_APP_ARMOR}{container}")
}

/// What of its pod a container's process depends on, beside the sandbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct OfPod<'a> {
    /// `spec.resources`.
    pub resources: Option<&'a api::ResourceRequirements>,
    /// The annotation that names its AppArmor profile, where no field does.
    pub app_armor: Option<&'a str>,
}

impl<'a> OfPod<'a> {
    /// What counts for this container of a pod.
    pub fn of(written: &'a api::Pod, container: &api::Container) -> Self {
        let spec = written.spec.as_ref();
        let of_pod = spec.and_then(|s| s.security_context.as_ref()?.app_armor_profile.as_ref());
        let own = container.security_context.as_ref().and_then(|c| c.app_armor_profile.as_ref());
        let annotation = || written.metadata.annotations.as_ref()?.get(&app_armor_annotation(&container.name));
        Self {
            resources: spec.and_then(|s| s.resources.as_ref()),
            app_armor: if own.or(of_pod).is_none() { annotation().map(String::as_str) } else { None },
        }
    }
}

/// Hash of what a container's running process depends on: itself, and what it has from its pod, if that
/// says anything.
pub fn container_hash(written: &api::Container, of_pod: OfPod<'_>) -> SpecHash {
    let mut core = container_core(written);
    if let Value::Object(map) = &mut core {
        if let Some(resources) = of_pod.resources {
            map.insert("podResources".into(), canonical(resources));
        }
        if let Some(profile) = of_pod.app_armor {
            map.insert("appArmorAnnotation".into(), json!(profile));
        }
    }
    SpecHash::of(&core)
}

fn container_core(written: &api::Container) -> Value {
    let mut value = canonical(written);
    if let Value::Object(map) = &mut value {
        map.retain(|key, _| !NOT_OF_THE_PROCESS.contains(&key.as_str()) && key != "terminationMessagePolicy");
        // Hooks act on the next start or stop; only the stop signal is fixed at creation.
        let signal = map.remove("lifecycle").and_then(|mut l| l.get_mut("stopSignal").map(Value::take));
        if let Some(signal) = signal {
            map.insert("stopSignal".into(), signal);
        }
    }
    value
}

/// Fields of the pod's spec that the sandbox depends on (`decisions.md`'s list): an edit of them
/// makes a new pod.
const OF_THE_SANDBOX: [&str; 16] = [
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "hostnameOverride",
    "os",
    "runtimeClassName",
    "securityContext",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "volumes",
];

fn sandbox_core(written: &api::PodSpec) -> Value {
    let spec = canonical(written);
    let mut core = Map::new();
    for field in OF_THE_SANDBOX {
        if let Some(value) = spec.get(field) {
            core.insert(field.to_owned(), value.clone());
        }
    }
    let init: Vec<Value> = written
        .init_containers
        .iter()
        .flatten()
        .map(|c| match c.restart_policy.as_deref() {
            // A sidecar restarts by itself; only its place in the sequence belongs to the pod.
            Some("Always") => json!({ "sidecar": c.name }),
            _ => json!({ "name": c.name, "init": container_core(c) }),
        })
        .collect();
    if !init.is_empty() {
        core.insert("initContainers".into(), Value::Array(init));
    }
    if written.host_network != Some(true) {
        let mut ports: Vec<String> = written
            .containers
            .iter()
            .flat_map(|c| c.ports.iter().flatten())
            .filter(|p| p.host_port.unwrap_or(0) != 0)
            .map(|p| {
                format!(
                    "{}:{}:{}/{}",
                    p.host_ip.as_deref().unwrap_or(""),
                    p.host_port.unwrap_or(0),
                    p.container_port,
                    p.protocol.as_deref().unwrap_or("TCP")
                )
            })
            .collect();
        ports.sort();
        if !ports.is_empty() {
            core.insert("hostPorts".into(), json!(ports));
        }
    }
    Value::Object(core)
}

/// Hash of what the sandbox depends on.
pub fn sandbox_hash(written: &api::PodSpec) -> SpecHash {
    SpecHash::of(&sandbox_core(written))
}

/// `metadata.uid` of a pod whose manifest gives none: 32 hex digits from node, namespace, name (as
/// written) and what the sandbox depends on.
pub fn derived_uid(node: &str, namespace: &str, name: &str, written: &api::PodSpec) -> String {
    let core = sandbox_core(written).to_string();
    digest(&["kubelet-lite/pod-uid/v1", node, namespace, name, &core])[..32].to_owned()
}

/// The uid of a pod that every edit of its spec makes another pod.
pub fn whole_uid(node: &str, namespace: &str, name: &str, written: &api::PodSpec) -> String {
    let whole = canonical(written).to_string();
    digest(&["kubelet-lite/whole-pod-uid/v1", node, namespace, name, &whole])[..32].to_owned()
}

/// `kubernetes.io/config.hash`: 32 hex digits over the whole manifest but `status` and
/// `metadata.creationTimestamp`.
pub fn config_hash(written: &api::Pod) -> String {
    let mut value = canonical(written);
    if let Value::Object(map) = &mut value {
        map.remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.remove("creationTimestamp");
        }
    }
    digest(&["kubelet-lite/config-hash/v1", &value.to_string()])[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_annotation_of_a_profile_counts_where_no_field_does() {
        let hash = |annotations: &str, pod: &str, context: &str| {
            let yaml = format!(
                "{{metadata: {{annotations: {{{annotations}}}}}, spec: {{securityContext: {{{pod}}}, \
                 containers: [{{name: c, image: i, securityContext: {{{context}}}}}]}}}}"
            );
            let pod: api::Pod = serde_yaml::from_str(&yaml).unwrap();
            let container = &pod.spec.as_ref().unwrap().containers[0];
            container_hash(container, OfPod::of(&pod, container))
        };
        let of = |name: &str, value: &str| format!("{ANNOTATION_APP_ARMOR}{name}: {value}");
        let none = hash("", "", "");
        assert_eq!(none, hash(&of("other", "unconfined"), "", ""));
        assert_ne!(none, hash(&of("c", "unconfined"), "", ""));
        assert_ne!(hash(&of("c", "localhost/a"), "", ""), hash(&of("c", "localhost/b"), "", ""));
        let field = "appArmorProfile: {type: Unconfined}";
        assert_eq!(none, hash(&of("c", "unconfined"), field, ""));
        assert_eq!(hash("", "", field), hash(&of("c", "unconfined"), "", field));
    }
}
