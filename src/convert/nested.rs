//! Mounts that lie below a volume whose files are written here (the kubelet's `MakeNestedMountpoints`).
//!
//! Containers see such a volume read-only, so that nothing can be made in it when they start: what is
//! mounted there needs its place in the volume itself.

use super::{
    ConvertError, NodeFacts,
    error::Subject,
    files,
    mounts::{absolute, claim_of, is_in_part, name_error, volume_path},
    used,
};
use crate::{
    pod::{Container, Pod},
    volume::paths,
};
use k8s_openapi::api::core::v1 as api;
use std::path::{Component, Path, PathBuf};

/// A place in a volume of files where a container mounts something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint {
    /// Name of the volume that the place is in.
    pub volume: String,
    /// Its directory on the node.
    pub root: PathBuf,
    /// The place, below it.
    pub path: PathBuf,
    /// What is mounted there, which tells whether it is a file; `None` is a directory.
    pub source: Option<PathBuf>,
    /// No other container of the pod mounts anything there.
    pub alone: bool,
}

/// The places that a container needs in its volumes of files, outer ones first.
pub(crate) fn mount_points(
    pod: &Pod,
    container: &Container,
    node: &NodeFacts,
) -> Result<Vec<MountPoint>, ConvertError> {
    let subject = &Subject { pod: pod.key.clone(), container: Some(container.name.clone()) };
    let mut found = Vec::new();
    for volume in used::volumes_of(pod, container) {
        let Some(root) = files::file_volume_path(&node.root_dir, pod, volume) else { continue };
        let root = root.map_err(name_error(subject, "metadata.uid"))?;
        for (index, path) in below(&container.api, &volume.name) {
            let Some(mount) = container.api.volume_mounts.iter().flatten().nth(index) else { continue };
            let field = format!("volumeMounts[{index}]");
            let source = if is_in_part(mount) {
                let bound = paths::sub_path(&node.root_dir, &pod.uid, &mount.name, &container.name, index);
                Some(bound.map_err(name_error(subject, &field))?)
            } else if claim_of(pod, mount).is_some() {
                None
            } else {
                Some(volume_path(pod, container, mount, node, subject, &field)?)
            };
            let mut others = pod.containers.iter().filter(|other| other.name != container.name);
            let alone = !others.any(|other| below(&other.api, &volume.name).iter().any(|(_, there)| *there == path));
            found.push(MountPoint { volume: volume.name.clone(), root: root.clone(), path, source, alone });
        }
    }
    Ok(found)
}

/// Why a mount of a container can not lie below a volume with these files; the first one.
pub(crate) fn clash<'a>(
    container: &api::Container,
    volume: &str,
    files: &(impl Iterator<Item = &'a PathBuf> + Clone),
) -> Option<String> {
    let mounts: Vec<&api::VolumeMount> = container.volume_mounts.iter().flatten().collect();
    for (index, path) in below(container, volume) {
        let target = mounts.get(index).map(|mount| mount.mount_path.as_str()).unwrap_or_default();
        let Some(Component::Normal(first)) = path.components().next() else { continue };
        let name = first.to_string_lossy();
        if name.starts_with("..") {
            return Some(format!("{target} can not be mounted in the volume: names there must not begin with \"..\""));
        }
        if files.clone().any(|file| file.starts_with(first)) {
            return Some(format!("{target} can not be mounted in the volume: {name} is what its files are called"));
        }
    }
    None
}

/// The mounts that lie below the whole of a volume: their index, and where in the volume. What lies below
/// another of them is that one's affair.
fn below(container: &api::Container, volume: &str) -> Vec<(usize, PathBuf)> {
    let mounts: Vec<&api::VolumeMount> = container.volume_mounts.iter().flatten().collect();
    let targets: Vec<PathBuf> = mounts.iter().map(|mount| clean(&mount.mount_path)).collect();
    let mut found = Vec::new();
    for (mount, top) in mounts.iter().zip(&targets) {
        if mount.name != volume || is_in_part(mount) {
            continue;
        }
        let inside = || targets.iter().enumerate().filter(|(_, target)| *target != top && target.starts_with(top));
        let outermost = inside().filter(|(_, it)| !inside().any(|(_, other)| other != *it && it.starts_with(other)));
        found.extend(outermost.filter_map(|(index, it)| Some((index, it.strip_prefix(top).ok()?.to_owned()))));
    }
    found.sort_by(|(_, one), (_, other)| one.cmp(other));
    found
}

/// A path of a container as the engine takes it.
fn clean(path: &str) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in Path::new(&absolute(path)).components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => clean.push(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::testing::{node, pod};

    const VOLUMES: &str = "volumes: [{name: cfg, configMap: {name: c}}, {name: all, projected: {}}, {name: tmp, emptyDir: {}}, \
                           {name: data, persistentVolumeClaim: {claimName: d}}]";

    fn points(mounts: &str, others: &str) -> Vec<String> {
        let pod = pod(&format!(
            "{VOLUMES}\ncontainers: [{{name: c, image: i, volumeMounts: [{mounts}]}}, {{name: o, image: i, volumeMounts: [{others}]}}]"
        ));
        let shown = |point: MountPoint| {
            let source =
                point.source.map(|path| path.strip_prefix("/var/lib/kubelet-lite/pods/u1").unwrap().to_owned());
            let source = source.map_or("directory".into(), |path| path.display().to_string());
            format!("{} {} {source}{}", point.volume, point.path.display(), if point.alone { "" } else { " shared" })
        };
        mount_points(&pod, &pod.containers[0], &node()).unwrap().into_iter().map(shown).collect()
    }

    #[test]
    fn places_of_mounts() {
        const CFG: &str = "{name: cfg, mountPath: /etc/app}";
        for (mounts, others, expected) in [
            (CFG, "", vec![]),
            // Next to it, around it, and in what is no volume of files.
            (
                "{name: cfg, mountPath: /etc/app}, {name: tmp, mountPath: /etc/app2}, {name: all, mountPath: /etc}",
                "",
                vec!["all app volumes/kubernetes.io~configmap/cfg", "all app2 volumes/kubernetes.io~empty-dir/tmp"],
            ),
            ("{name: tmp, mountPath: /t}, {name: cfg, mountPath: /t/c}", "", vec![]),
            // However it is written; what is deeper lies in what is outer.
            (
                "{name: data, mountPath: /etc/app/x/./y/}, {name: cfg, mountPath: /etc//app/}, {name: all, mountPath: \
                 /etc/app/a/}, {name: tmp, mountPath: /etc/app/a/deep}, {name: tmp, mountPath: /etc/app/a-b, subPath: f}",
                "",
                vec![
                    "cfg a volumes/kubernetes.io~projected/all",
                    "cfg a-b volume-subpaths/tmp/c/4",
                    "cfg x/y directory",
                    "all deep volumes/kubernetes.io~empty-dir/tmp",
                ],
            ),
            // A part of a volume is no volume, and `..` leads where it leads.
            ("{name: cfg, mountPath: /a, subPath: s}, {name: tmp, mountPath: /a/b}", "", vec![]),
            (
                "{name: cfg, mountPath: /a}, {name: tmp, mountPath: /b/../a/t}",
                "{name: cfg, mountPath: /x}, {name: data, mountPath: /x/t}",
                vec!["cfg t volumes/kubernetes.io~empty-dir/tmp shared"],
            ),
        ] {
            assert_eq!(points(mounts, others), expected, "{mounts}");
        }
    }

    #[test]
    fn files_and_mounts_do_not_share_a_name() {
        let clash = |target: &str, file: &str| {
            let pod = pod(&format!(
                "{VOLUMES}\ncontainers: [{{name: c, image: i, volumeMounts: [{{name: cfg, mountPath: /a}}, {{name: tmp, mountPath: \
                 {target}}}]}}]"
            ));
            clash(&pod.containers[0].api, "cfg", &[PathBuf::from(file)].iter()).is_some()
        };
        for (target, file, expected) in [
            ("/a/keys", "key", false),
            ("/a/keys", "keys", true),
            ("/a/keys/deep", "keys", true),
            ("/a/keys", "keys/file", true),
            ("/a/..data", "key", true),
            ("/a/..data/x", "key", true),
            ("/b/keys", "keys", false),
        ] {
            assert_eq!(clash(target, file), expected, "{target} and {file}");
        }
    }
}
