//! Judges of fields whose verdict depends on what is written.

use super::{
    FieldVerdict,
    Verdict::{Approximated, Refused, Warned},
    Written, sysctls,
};
use crate::convert::labels;
use serde_json::Value;

const OLD_SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OLD_SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

fn entries<'a>(written: &'a Written<'_>) -> impl Iterator<Item = (&'a String, &'a Value)> {
    written.value.as_object().into_iter().flatten()
}

fn text<'a>(written: &'a Written<'_>) -> &'a str {
    written.value.as_str().unwrap_or_default()
}

pub(super) fn annotations(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    for (key, _) in entries(written) {
        if key == OLD_SECCOMP_POD || key.starts_with(OLD_SECCOMP_CONTAINER) {
            let reason = "Kubernetes ignores it since 1.27; write securityContext.seccompProfile";
            found.push(written.entry(key, Refused, reason));
        }
    }
}

pub(super) fn labels(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    for (key, _) in entries(written) {
        if labels::is_reserved(key) {
            let reason = "is reserved, so that the sandbox does not carry it; choose another name";
            found.push(written.entry(key, Warned, reason));
        }
    }
}

pub(super) fn hook(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if written.value.get("tcpSocket").is_some() {
        let reason = "Kubernetes takes tcpSocket in a hook and fails to run it; use exec, httpGet or sleep";
        found.push(written.verdict(Refused, reason));
    }
}

pub(super) fn dns_policy(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if !matches!(text(written), "Default" | "None") {
        found.push(written.verdict(Approximated, "there is no cluster DNS: it means Default, the node's own resolver"));
    }
}

pub(super) fn host_users(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if written.value.as_bool() == Some(false) {
        let reason =
            "Docker has no user namespace for a single pod (only userns-remap for the whole engine); remove it";
        found.push(written.verdict(Refused, reason));
    }
}

pub(super) fn proc_mount(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if text(written) == "Unmasked" {
        let reason = "Kubernetes takes Unmasked only with hostUsers: false, and Docker has no user namespace for a single \
                      pod; write Default, or privileged: true";
        found.push(written.verdict(Refused, reason));
    }
}

pub(super) fn priority_class(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    let given = written.pod.pointer("/spec/priority").is_some();
    if !text(written).is_empty()
        && !matches!(text(written), "system-node-critical" | "system-cluster-critical")
        && !given
    {
        let reason = "is a class that only a cluster can know, and counts as 0; give spec.priority";
        found.push(written.verdict(Approximated, reason));
    }
}

pub(super) fn scheduler(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if text(written) != "default-scheduler" {
        found.push(written.verdict(Warned, "there is no scheduler here to act on it"));
    }
}

pub(super) fn os(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if text(written) != "linux" {
        found.push(written.verdict(Refused, "this is a Linux node; write linux or remove it"));
    }
}

pub(super) fn supplemental_groups_policy(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    if text(written) == "Strict" {
        let reason = "Docker always adds the groups that the image gives its user; write Merge";
        found.push(written.verdict(Refused, reason));
    }
}

pub(super) fn sysctl(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    let name = written.value.get("name").and_then(Value::as_str).unwrap_or_default().replace('/', ".");
    let spec_is = |field: &str| written.pod.pointer(&format!("/spec/{field}")) == Some(&Value::Bool(true));
    if !sysctls::is_safe(&name) && !written.policy.allowed_unsafe_sysctls.allow(&name) {
        let reason = if sysctls::is_namespaced(&name) {
            "is not a safe sysctl: allow it with --allowed-unsafe-sysctls, or remove it"
        } else {
            "is the whole node's: set it there (sysctl.d), or remove it"
        };
        found.push(written.verdict(Refused, format!("{name} {reason}")));
    } else if name.starts_with("net.") && spec_is("hostNetwork") {
        found.push(written.verdict(Refused, format!("{name} would be the node's own with hostNetwork; set it there")));
    } else if name.starts_with("kernel.") && spec_is("hostIPC") {
        found.push(written.verdict(Refused, format!("{name} would be the node's own with hostIPC; set it there")));
    }
}

pub(super) fn resources(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    for (name, _) in entries(written) {
        match name.as_str() {
            "cpu" | "memory" => {}
            "ephemeral-storage" => {
                found.push(written.entry(
                    name,
                    Approximated,
                    "is not enforced, as a kubelet does not for a static pod",
                ));
            }
            _ if name.starts_with("hugepages-") => {
                found.push(written.entry(name, Warned, "Docker can not limit huge pages of a container"));
            }
            _ => {
                let reason = "there is no device plug-in to provide it: it has no effect, as on a kubelet without one";
                found.push(written.entry(name, Warned, reason));
            }
        }
    }
}

pub(super) fn size_limit(written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    // The volume is the object around this field.
    let volume = written.path.strip_suffix(".sizeLimit").map(pointer);
    let medium = volume.and_then(|path| written.pod.pointer(&format!("{path}/medium")));
    let medium = medium.and_then(Value::as_str).unwrap_or_default();
    if medium.is_empty() {
        found.push(written.verdict(Approximated, "is not enforced on disk, as a kubelet does not for a static pod"));
    }
}

/// `spec.volumes[0].emptyDir` as a JSON pointer.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}
