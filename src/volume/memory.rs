//! Volumes in memory: how large they may be, and their mounts.

use super::{
    SETGID, VolumeError,
    error::{Io, Place},
};
use crate::pod::{ContainerKind, Pod, quantity::Quantity};
use k8s_openapi::api::core::v1 as api;
use nix::{errno::Errno, mount::MsFlags};
use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

/// The smallest of `sizeLimit`, what the pod's containers may have together, if all are limited, the pod's own limit
/// and the node's memory; `None` leaves the kernel's half of memory.
pub(super) fn memory_size(pod: &Pod, source: &api::EmptyDirVolumeSource, node_memory: i64) -> Option<i64> {
    let positive = |quantity: Quantity| (!quantity.is_zero()).then(|| quantity.value());
    let own = source.size_limit.as_ref().and_then(|q| Quantity::parse(&q.0).ok()).and_then(positive);
    let limit = |resources: Option<&api::ResourceRequirements>| {
        let limits = resources?.limits.as_ref()?;
        Quantity::parse(&limits.get("memory")?.0).ok().and_then(positive)
    };
    let limits: Option<Vec<_>> =
        pod.containers.iter().map(|c| Some((c.kind, limit(c.api.resources.as_ref())?))).collect();
    let node = Some(node_memory).filter(|bytes| *bytes > 0);
    [own, limits.map(together), limit(pod.spec.resources.as_ref()), node].into_iter().flatten().min()
}

/// The most that containers have at one time: an init container runs beside the sidecars before it, and ends before
/// the apps begin.
fn together(limits: Vec<(ContainerKind, i64)>) -> i64 {
    let (mut sidecars, mut peak, mut apps) = (0_i64, 0_i64, 0_i64);
    for (kind, limit) in limits {
        match kind {
            ContainerKind::Init => peak = peak.max(sidecars.saturating_add(limit)),
            ContainerKind::Sidecar => sidecars = sidecars.saturating_add(limit),
            ContainerKind::App => apps = apps.saturating_add(limit),
        }
    }
    peak.max(sidecars.saturating_add(apps))
}

/// Mounts memory on a directory, unless it is there already.
pub(super) fn mount_tmpfs(
    path: &Path,
    mode: u32,
    size: Option<i64>,
    group: Option<u32>,
    place: &Place,
) -> Result<(), VolumeError> {
    if is_mount_point(path).map_err(place.io("look at", path))? {
        return Ok(());
    }
    let mut options = match group {
        Some(group) => format!("mode={:o},gid={group}", mode | SETGID),
        None => format!("mode={mode:o}"),
    };
    if let Some(size) = size {
        options.push_str(&format!(",size={size}"));
    }
    let mount = |options: &str| {
        nix::mount::mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))
    };
    // Secrets kept in memory must not reach a disk; kernels before 6.3 know no such option.
    let result = match mount(&format!("{options},noswap")) {
        Err(Errno::EINVAL) => mount(&options),
        result => result,
    };
    result.map_err(|errno| place.io("mount memory on", path)(errno.into()))
}

/// Whether another file system begins at `path`.
pub(super) fn is_mount_point(path: &Path) -> io::Result<bool> {
    let parent = path.parent().unwrap_or(path);
    Ok(fs::symlink_metadata(path)?.dev() != fs::symlink_metadata(parent)?.dev())
}
