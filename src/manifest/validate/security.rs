//! Security contexts of pods and containers, and what contradicts itself in them.

use super::{names, spec::PodFacts};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::hash::app_armor_annotation,
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::HashMap;

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const MAX_ID: i64 = i32::MAX as i64;

/// Host namespaces and `securityContext` of a pod.
pub fn pod(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let on = |flag: Option<bool>| flag == Some(true);
    if on(spec.share_process_namespace) && on(spec.host_pid) {
        let field = path.field("shareProcessNamespace");
        f.forbidden(&field, "the pod can not share its processes while it uses the node's (hostPID: true)");
    }
    if spec.host_users == Some(false) {
        for (field, flag) in
            [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)]
        {
            if on(flag) {
                f.forbidden(&path.field(field), "can not be had together with hostUsers: false");
            }
        }
    }
    windows_host_process(spec, path, f);
    root_twice(spec, path, f);
    let Some(context) = &spec.security_context else { return };
    let path = path.field("securityContext");
    ids(
        &[("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group), ("fsGroup", context.fs_group)],
        &path,
        f,
    );
    let groups = path.field("supplementalGroups");
    for (index, group) in context.supplemental_groups.iter().flatten().enumerate() {
        f.range(&groups.index(index), *group, 0, MAX_ID);
    }
    let words = [
        ("fsGroupChangePolicy", &context.fs_group_change_policy, ["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", &context.supplemental_groups_policy, ["Merge", "Strict"]),
        ("seLinuxChangePolicy", &context.se_linux_change_policy, ["MountOption", "Recursive"]),
    ];
    for (field, value, known) in words {
        f.one_of(&path.field(field), value.as_deref(), &known);
    }
    seccomp(context.seccomp_profile.as_ref(), &path.field("seccompProfile"), f);
    app_armor(context.app_armor_profile.as_ref(), &path.field("appArmorProfile"), f);
    sysctls(spec, context, &path.field("sysctls"), f);
}

/// `securityContext` of a container.
pub fn container(context: Option<&api::SecurityContext>, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let Some(context) = context else { return };
    ids(&[("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)], path, f);
    let proc_mount = path.field("procMount");
    f.one_of(&proc_mount, context.proc_mount.as_deref(), &["Default", "Unmasked"]);
    if context.proc_mount.as_deref() == Some("Unmasked") && facts.host_users {
        f.invalid_text(
            &proc_mount,
            "Unmasked",
            "needs hostUsers: false in the pod's spec, which Docker can not have for one pod; write Default",
        );
    }
    seccomp(context.seccomp_profile.as_ref(), &path.field("seccompProfile"), f);
    app_armor(context.app_armor_profile.as_ref(), &path.field("appArmorProfile"), f);
    if context.allow_privilege_escalation == Some(false) {
        let field = path.field("allowPrivilegeEscalation");
        if context.privileged == Some(true) {
            let finding = f.invalid(&field, false, "contradicts privileged: true");
            finding.related_path(&path.field("privileged"), "given here");
        }
        let add = context.capabilities.as_ref().and_then(|c| c.add.as_ref());
        if add.is_some_and(|add| add.iter().any(|c| c == "CAP_SYS_ADMIN" || c == "SYS_ADMIN")) {
            let finding = f.invalid(&field, false, "contradicts the capability SYS_ADMIN");
            let capabilities = path.field("capabilities");
            finding.related_path(&capabilities.field("add"), "added here");
        }
    }
}

fn ids(ids: &[(&str, Option<i64>)], path: &Path, f: &mut Findings) {
    for (field, id) in ids {
        if let Some(id) = id {
            f.range(&path.field(field), *id, 0, MAX_ID);
        }
    }
}

/// The API lets it pass; such a container can never start. Each field counts for a container where it is
/// nearest to it, and what every container has otherwise the pod may say as it likes.
fn root_twice(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let of_pod = spec.security_context.as_ref();
    let pod_path = path.field("securityContext");
    let init = spec.init_containers.as_deref().unwrap_or_default();
    for (list, containers) in [("initContainers", init), ("containers", &spec.containers[..])] {
        let list = path.field(list);
        for (index, container) in containers.iter().enumerate() {
            let own = container.security_context.as_ref();
            let own_path = list.index(index);
            let own_path = own_path.field("securityContext");
            let nearest = |is_own: bool| if is_own { &own_path } else { &pod_path };
            let (own_user, own_rule) = (own.and_then(|c| c.run_as_user), own.and_then(|c| c.run_as_non_root));
            let user = own_user.or(of_pod.and_then(|c| c.run_as_user));
            let non_root = own_rule.or(of_pod.and_then(|c| c.run_as_non_root));
            if non_root == Some(true) && user == Some(0) {
                let field = nearest(own_user.is_some()).field("runAsUser");
                let finding = f.invalid(&field, 0, "is root, which runAsNonRoot: true forbids");
                finding.related_path(&nearest(own_rule.is_some()).field("runAsNonRoot"), "forbidden here");
            }
        }
    }
}

fn seccomp(profile: Option<&api::SeccompProfile>, path: &Path, f: &mut Findings) {
    let Some(profile) = profile else { return };
    let file = profile.localhost_profile.as_deref();
    local_profile(&profile.type_, file, path, f);
    f.text_rule(&path.field("localhostProfile"), file, names::descending_path);
}

fn app_armor(profile: Option<&api::AppArmorProfile>, path: &Path, f: &mut Findings) {
    let Some(profile) = profile else { return };
    let name = profile.localhost_profile.as_deref();
    local_profile(&profile.type_, name, path, f);
    let field = path.field("localhostProfile");
    if let Some(name) = name {
        if name.trim() != name {
            f.invalid_text(&field, name, "must not begin or end with white space");
        }
        if name.len() > 4095 {
            f.error("too-long", &field, "a profile's name may have 4095 characters");
        }
    }
}

/// The annotations that AppArmor profiles once were, against the fields that replaced them: the API refuses what
/// says two things (`validateAppArmorAnnotationsAndFieldsMatchOnCreate`).
pub fn app_armor_annotations(
    metadata: &ObjectMeta,
    spec: &api::PodSpec,
    metadata_path: &Path,
    path: &Path,
    f: &mut Findings,
) {
    let annotations = metadata_path.field("annotations");
    let of_pod = spec.security_context.as_ref().and_then(|c| c.app_armor_profile.as_ref());
    let pod_path = path.field("securityContext");
    let init = spec.init_containers.as_deref().unwrap_or_default();
    for (list, containers) in [("initContainers", init), ("containers", &spec.containers[..])] {
        let list = path.field(list);
        for (index, container) in containers.iter().enumerate() {
            let own = container.security_context.as_ref().and_then(|c| c.app_armor_profile.as_ref());
            let key = app_armor_annotation(&container.name);
            let annotation = metadata.annotations.as_ref().and_then(|all| all.get(&key));
            let (Some(profile), Some(annotation)) = (own.or(of_pod), annotation) else { continue };
            let local = annotation.strip_prefix("localhost/");
            let same_type = match profile.type_.as_str() {
                "RuntimeDefault" => annotation == "runtime/default",
                "Unconfined" => annotation == "unconfined",
                "Localhost" => local.is_some(),
                // Told where it stands.
                _ => continue,
            };
            let (field, what) = match same_type {
                true if profile.type_ != "Localhost" || profile.localhost_profile.as_deref() == local => continue,
                true => ("localhostProfile", "apparmor profile in annotation and field must match"),
                false => ("type", "apparmor type in annotation and field must match"),
            };
            let own_path = list.index(index);
            let own_path = own_path.field("securityContext");
            let context = if own.is_some() { &own_path } else { &pod_path };
            let profile_path = context.field("appArmorProfile");
            let finding = f.forbidden(&profile_path.field(field), what).suggest("remove the annotation");
            finding.related_path(&annotations.key(&key), "the annotation");
        }
    }
}

/// `type` and `localhostProfile`, which go together only for `Localhost`.
fn local_profile(kind: &str, local: Option<&str>, path: &Path, f: &mut Findings) {
    let field = path.field("localhostProfile");
    if kind.is_empty() {
        f.required(&path.field("type"), "");
    } else {
        f.one_of(&path.field("type"), Some(kind), PROFILES);
    }
    if kind == "Localhost" && local.is_none_or(|name| name.trim().is_empty()) {
        f.required(&field, "type Localhost names a profile of the node");
    } else if kind != "Localhost" && local.is_some() {
        f.forbidden(&field, "is for type Localhost only");
    }
}

fn sysctls(spec: &api::PodSpec, context: &api::PodSecurityContext, path: &Path, f: &mut Findings) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
        let item = path.index(index);
        let field = item.field("name");
        if sysctl.name.is_empty() {
            f.required(&field, "");
            continue;
        }
        f.text_rule(&field, Some(&sysctl.name), names::sysctl);
        if let Some(first) = seen.insert(&sysctl.name, index) {
            f.duplicate(&field, &sysctl.name, &path.index(first).field("name"));
        }
        let name = sysctl.name.replace('/', ".");
        let ipc =
            ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."].iter().any(|prefix| name.starts_with(prefix));
        if spec.host_network == Some(true) && name.starts_with("net.") {
            f.invalid_text(&field, &sysctl.name, "can not be set with hostNetwork: true: it would be the node's");
        } else if spec.host_ipc == Some(true) && ipc {
            f.invalid_text(&field, &sysctl.name, "can not be set with hostIPC: true: it would be the node's");
        }
    }
}

/// `hostProcess` of Windows: all containers or none, and the node's network.
fn windows_host_process(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let of_pod = spec.security_context.as_ref().and_then(|c| c.windows_options.as_ref()?.host_process);
    let of_container = |c: &api::Container| c.security_context.as_ref()?.windows_options.as_ref()?.host_process;
    let mut containers = super::spec::all_containers(spec).map(|c| of_container(c).or(of_pod) == Some(true)).peekable();
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let mut ephemeral = ephemeral.map(|c| {
        let own = c.security_context.as_ref().and_then(|s| s.windows_options.as_ref()?.host_process);
        own.or(of_pod) == Some(true)
    });
    let any = containers.any(|host| host) || ephemeral.any(|host| host);
    if any && spec.host_network != Some(true) {
        f.invalid(&path.field("hostNetwork"), false, "must be true, since a container has hostProcess: true");
    }
}
