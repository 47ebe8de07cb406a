//! Volumes: one source each, and mounts that refer to them.

use super::{Role, containers::image_reference, given, names, projected, spec::PodFacts};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::quantity::Quantity,
};
use k8s_openapi::api::core::v1 as api;
use std::collections::HashMap;

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// Every source a volume can have.
fn sources(v: &api::Volume) -> [(&'static str, bool); 31] {
    [
        ("awsElasticBlockStore", v.aws_elastic_block_store.is_some()),
        ("azureDisk", v.azure_disk.is_some()),
        ("azureFile", v.azure_file.is_some()),
        ("cephfs", v.cephfs.is_some()),
        ("cinder", v.cinder.is_some()),
        ("configMap", v.config_map.is_some()),
        ("csi", v.csi.is_some()),
        ("downwardAPI", v.downward_api.is_some()),
        ("emptyDir", v.empty_dir.is_some()),
        ("ephemeral", v.ephemeral.is_some()),
        ("fc", v.fc.is_some()),
        ("flexVolume", v.flex_volume.is_some()),
        ("flocker", v.flocker.is_some()),
        ("gcePersistentDisk", v.gce_persistent_disk.is_some()),
        ("gitRepo", v.git_repo.is_some()),
        ("glusterfs", v.glusterfs.is_some()),
        ("hostPath", v.host_path.is_some()),
        ("image", v.image.is_some()),
        ("iscsi", v.iscsi.is_some()),
        ("nfs", v.nfs.is_some()),
        ("persistentVolumeClaim", v.persistent_volume_claim.is_some()),
        ("photonPersistentDisk", v.photon_persistent_disk.is_some()),
        ("portworxVolume", v.portworx_volume.is_some()),
        ("projected", v.projected.is_some()),
        ("quobyte", v.quobyte.is_some()),
        ("rbd", v.rbd.is_some()),
        ("scaleIO", v.scale_io.is_some()),
        ("secret", v.secret.is_some()),
        ("storageos", v.storageos.is_some()),
        ("vsphereVolume", v.vsphere_volume.is_some()),
        // None at all is an emptyDir, by default.
        ("", false),
    ]
}

/// The sources a volume has; more than one is an error.
pub fn given_sources(volume: &api::Volume) -> Vec<&'static str> {
    sources(volume).iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
}

/// Judges `spec.volumes`; gives those that may be referred to.
pub fn volumes<'a>(
    spec: &'a api::PodSpec,
    role: Role,
    path: &Path,
    f: &mut Findings,
) -> HashMap<&'a str, &'a api::Volume> {
    let mut known: HashMap<&str, &api::Volume> = HashMap::new();
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let path = path.index(index);
        let name = path.field("name");
        if volume.name.is_empty() {
            f.required(&name, "");
        } else {
            f.rule(&name, Some(&volume.name), names::dns_label);
        }
        if let Some(&first) = first.get(volume.name.as_str()).filter(|_| !volume.name.is_empty()) {
            let all = path.parent().unwrap_or(Path::ROOT);
            f.duplicate(&name, &volume.name, &all.index(first).field("name"));
        }
        first.entry(&volume.name).or_insert(index);
        if let [one, other, ..] = given_sources(volume).as_slice() {
            let field = path.field(other);
            let finding = f.forbidden(&field, &format!("a volume has one source, and `{one}` is given"));
            finding.at_key(&field).related_path(&path.field(one), "first given here");
        }
        source(volume, role, &path, f);
        known.insert(&volume.name, volume);
    }
    known
}

fn source(volume: &api::Volume, role: Role, path: &Path, f: &mut Findings) {
    if let Some(host) = &volume.host_path {
        let path = path.field("hostPath");
        let field = path.field("path");
        if host.path.is_empty() {
            f.required(&field, "");
        } else {
            f.text_rule(&field, Some(&host.path), names::no_backsteps);
            // The API lets it pass; no engine does.
            if !host.path.starts_with('/') {
                f.invalid_text(&field, &host.path, "must be an absolute path");
            }
        }
        f.one_of(&path.field("type"), host.type_.as_deref(), HOST_PATH_TYPES);
    }
    if let Some(dir) = &volume.empty_dir {
        let path = path.field("emptyDir");
        let medium = dir.medium.as_deref().unwrap_or_default();
        if !medium.starts_with("HugePages") {
            f.one_of(&path.field("medium"), Some(medium), &["", "Memory", "HugePages"]);
        }
        let limit = dir.size_limit.as_ref().and_then(|q| Quantity::parse(&q.0).ok());
        if limit.is_some_and(|limit| limit.nanos() < 0) {
            f.forbidden(&path.field("sizeLimit"), "must not be negative");
        }
    }
    if let Some(secret) = &volume.secret {
        let path = path.field("secret");
        if given(secret.secret_name.as_ref()).is_none() {
            f.required(&path.field("secretName"), "");
        }
        projected::mode(secret.default_mode, &path.field("defaultMode"), f);
        projected::items(secret.items.as_ref(), &path.field("items"), f);
    }
    if let Some(config) = &volume.config_map {
        let path = path.field("configMap");
        if config.name.is_empty() {
            f.required(&path.field("name"), "");
        }
        projected::mode(config.default_mode, &path.field("defaultMode"), f);
        projected::items(config.items.as_ref(), &path.field("items"), f);
    }
    if let Some(downward) = &volume.downward_api {
        let path = path.field("downwardAPI");
        projected::mode(downward.default_mode, &path.field("defaultMode"), f);
        projected::downward_files(downward.items.as_ref(), &path.field("items"), f);
    }
    if let Some(projected) = &volume.projected {
        projected::projected(projected, &path.field("projected"), f);
    }
    if let Some(claim) = &volume.persistent_volume_claim
        && claim.claim_name.is_empty()
    {
        f.required(&path.field("persistentVolumeClaim").field("claimName"), "");
    }
    if let Some(image) = &volume.image {
        let path = path.field("image");
        let reference = path.field("reference");
        match given(image.reference.as_ref()) {
            None if role == Role::Pod => drop(f.required(&reference, "")),
            None => {}
            Some(text) => image_reference(text, &reference, f),
        }
        let policy = image.pull_policy.as_deref();
        f.one_of(&path.field("pullPolicy"), policy, &["Always", "IfNotPresent", "Never"]);
    }
    remote(volume, path, f);
}

/// Sources that are mounted over the network or by a plug-in: only what is plainly missing, since
/// most are refused for another reason anyway.
fn remote(v: &api::Volume, path: &Path, f: &mut Findings) {
    let mut need = |source: &str, field: &str, missing: bool| {
        if missing {
            f.required(&path.field(source).field(field), "");
        }
    };
    if let Some(nfs) = &v.nfs {
        need("nfs", "server", nfs.server.is_empty());
        need("nfs", "path", nfs.path.is_empty());
    }
    if let Some(iscsi) = &v.iscsi {
        need("iscsi", "targetPortal", iscsi.target_portal.is_empty());
        need("iscsi", "iqn", iscsi.iqn.is_empty());
    }
    if let Some(csi) = &v.csi {
        need("csi", "driver", csi.driver.is_empty());
    }
    if let Some(git) = &v.git_repo {
        need("gitRepo", "repository", git.repository.is_empty());
    }
    if let Some(glusterfs) = &v.glusterfs {
        need("glusterfs", "endpoints", glusterfs.endpoints.is_empty());
        need("glusterfs", "path", glusterfs.path.is_empty());
    }
    if let Some(nfs) = v.nfs.as_ref().filter(|nfs| !nfs.path.is_empty() && !nfs.path.starts_with('/')) {
        let path = path.field("nfs");
        f.invalid_text(&path.field("path"), &nfs.path, "must be an absolute path");
    }
}

/// `volumeMounts` and `volumeDevices` of a container.
pub fn mounts(container: &api::Container, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let all = path.field("volumeMounts");
    let mut points: HashMap<&str, usize> = HashMap::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let path = all.index(index);
        let volume = facts.volumes.get(mount.name.as_str());
        let name = path.field("name");
        if mount.name.is_empty() {
            f.required(&name, "");
        } else if volume.is_none() {
            f.not_found(&name, &mount.name, "volume", facts.volumes.keys().copied());
        }
        let point = path.field("mountPath");
        if mount.mount_path.is_empty() {
            f.required(&point, "");
        } else if let Some(&first) = points.get(mount.mount_path.as_str()) {
            f.duplicate(&point, &mount.mount_path, &all.index(first).field("mountPath"));
        }
        points.entry(&mount.mount_path).or_insert(index);
        sub_paths(mount, &path, f);
        propagation(mount, container, &path, f);
    }
    devices(container, facts, path, f);
}

fn sub_paths(mount: &api::VolumeMount, path: &Path, f: &mut Findings) {
    let sub = given(mount.sub_path.as_ref());
    let expression = given(mount.sub_path_expr.as_ref());
    f.text_rule(&path.field("subPath"), sub, names::descending_path);
    f.text_rule(&path.field("subPathExpr"), expression, names::descending_path);
    if sub.is_some() && expression.is_some() {
        let field = path.field("subPathExpr");
        f.forbidden(&field, "only one of subPath and subPathExpr may be given")
            .related_path(&path.field("subPath"), "given here");
    }
}

fn propagation(mount: &api::VolumeMount, container: &api::Container, path: &Path, f: &mut Findings) {
    let field = path.field("mountPropagation");
    let propagation = mount.mount_propagation.as_deref();
    f.one_of(&field, propagation, &["Bidirectional", "HostToContainer", "None"]);
    let privileged = container.security_context.as_ref().is_some_and(|s| s.privileged == Some(true));
    if propagation == Some("Bidirectional") && !privileged {
        f.forbidden(&field, "Bidirectional is for privileged containers only");
    }
    let field = path.field("recursiveReadOnly");
    let recursive = mount.recursive_read_only.as_deref();
    f.one_of(&field, recursive, &["Disabled", "Enabled", "IfPossible"]);
    if matches!(recursive, Some("Enabled" | "IfPossible")) {
        if mount.read_only != Some(true) {
            f.forbidden(&field, "needs readOnly: true beside it");
        }
        if propagation.is_some_and(|p| p != "None") {
            f.forbidden(&field, "can not be had with mountPropagation");
        }
    }
}

fn devices(container: &api::Container, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let all = path.field("volumeDevices");
    let mut names_seen: HashMap<&str, usize> = HashMap::new();
    let mut paths_seen: HashMap<&str, usize> = HashMap::new();
    for (index, device) in container.volume_devices.iter().flatten().enumerate() {
        let path = all.index(index);
        let (name, target) = (path.field("name"), path.field("devicePath"));
        if !facts.host_users {
            f.forbidden(&path, "a pod with hostUsers: false can have no block devices");
        }
        match facts.volumes.get(device.name.as_str()) {
            _ if device.name.is_empty() => {
                f.required(&name, "");
            }
            None => {
                f.not_found(&name, &device.name, "volume", facts.volumes.keys().copied());
            }
            Some(volume) if volume.persistent_volume_claim.is_none() && volume.ephemeral.is_none() => {
                f.invalid_text(&name, &device.name, "must be a persistentVolumeClaim to be used as a device");
            }
            Some(_) => {}
        }
        if let Some(first) = names_seen.insert(&device.name, index).filter(|_| !device.name.is_empty()) {
            f.duplicate(&name, &device.name, &all.index(first).field("name"));
        }
        if device.device_path.is_empty() {
            f.required(&target, "");
        } else if let Some(first) = paths_seen.insert(&device.device_path, index) {
            f.duplicate(&target, &device.device_path, &all.index(first).field("devicePath"));
        }
        f.text_rule(&target, Some(&device.device_path), names::no_backsteps);
        for mount in container.volume_mounts.iter().flatten().take(1000) {
            if mount.name == device.name && !mount.name.is_empty() {
                f.invalid_text(&name, &device.name, "is in volumeMounts already");
            }
            if mount.mount_path == device.device_path && !mount.mount_path.is_empty() {
                f.invalid_text(&target, &device.device_path, "is a path in volumeMounts already");
            }
        }
    }
}
