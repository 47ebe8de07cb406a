//! Volumes in memory: how large they may be, and their mounts.

use super::{
    EMPTY_DIR, SETGID, VolumeError,
    error::{Io, Place},
    mount_table,
};
use crate::pod::{ContainerKind, Pod, quantity::Quantity};
use k8s_openapi::api::core::v1 as api;
use nix::{
    errno::Errno,
    mount::MsFlags,
    sys::{
        statfs::{HUGETLBFS_MAGIC, TMPFS_MAGIC, statfs},
        statvfs::statvfs,
    },
};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// The smallest of `sizeLimit`, what the pod's containers may have together, if all are limited, the pod's own limit
/// and the node's memory; `None` leaves the kernel's half of memory.
pub(super) fn memory_size(pod: &Pod, source: &api::EmptyDirVolumeSource, node_memory: i64) -> Option<i64> {
    let own = size_limit(source);
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

fn positive(quantity: Quantity) -> Option<i64> {
    (!quantity.is_zero()).then(|| quantity.value())
}

/// `sizeLimit` in bytes, if one is given.
pub(super) fn size_limit(source: &api::EmptyDirVolumeSource) -> Option<i64> {
    source.size_limit.as_ref().and_then(|q| Quantity::parse(&q.0).ok()).and_then(positive)
}

/// Bytes of a page of medium `HugePages` or `HugePages-<size>`, which the pod must ask for (`emptydir`,
/// `getPageSizeMountOption`); else what is wrong.
pub(super) fn page_size(pod: &Pod, medium: &str) -> Result<i64, String> {
    let asked = pod.containers.iter().flat_map(|c| {
        let resources = c.api.resources.as_ref();
        let lists = [resources.and_then(|r| r.limits.as_ref()), resources.and_then(|r| r.requests.as_ref())];
        lists.into_iter().flatten().flatten().filter_map(|(name, _)| name.strip_prefix("hugepages-"))
    });
    let asked: BTreeSet<i64> = asked.filter_map(|size| Quantity::parse(size).ok().and_then(positive)).collect();
    let wanted = match medium.strip_prefix("HugePages-").map(|size| Quantity::parse(size).ok().and_then(positive)) {
        None => None,
        Some(Some(size)) => Some(size),
        Some(None) => return Err(format!("medium {medium} names no size; write it as in HugePages-2Mi")),
    };
    match (wanted, asked.len()) {
        (Some(size), _) if asked.contains(&size) => Ok(size),
        (None, 1) => Ok(asked.first().copied().unwrap_or_default()),
        (None, 2..) => {
            Err(format!("medium {medium} can not stand for several sizes; write the one meant, as in HugePages-2Mi"))
        }
        _ => Err(format!(
            "medium {medium}: no container asks for huge pages of that size; add hugepages-2Mi or the like to its limits"
        )),
    }
}

/// Mounts huge pages on a directory, unless they are there already.
pub(super) fn mount_huge_pages(
    path: &Path,
    page: i64,
    size: Option<i64>,
    group: Option<u32>,
    place: &Place,
) -> Result<(), VolumeError> {
    if is_mount_point(path).map_err(place.io("look at", path))? {
        return Ok(());
    }
    let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
    let options = format!("pagesize={page},{}{size}", access(EMPTY_DIR, group));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    nix::mount::mount(Some("nodev"), path, Some("hugetlbfs"), flags, Some(options.as_str()))
        .map_err(|errno| place.io("mount huge pages on", path)(errno.into()))?;
    // Of the mode it takes no set-group-id bit.
    let mode = if group.is_some() { EMPTY_DIR | SETGID } else { EMPTY_DIR };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(place.io("set the mode of", path))
}

/// Mode and group of what is mounted.
fn access(mode: u32, group: Option<u32>) -> String {
    match group {
        Some(group) => format!("mode={:o},gid={group}", mode | SETGID),
        None => format!("mode={mode:o}"),
    }
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
    let mut options = access(mode, group);
    if let Some(size) = size {
        options.push_str(&format!(",size={size}"));
    }
    mount_memory(path, MsFlags::empty(), &options).map_err(|errno| place.io("mount memory on", path)(errno.into()))
}

/// Lets go of what is mounted on the directory of an emptyDir, unless it is of the medium and size that are declared.
/// Nobody may use it. Memory of another size keeps its content, if that has room.
pub(super) fn let_go(
    path: &Path,
    pod: &Pod,
    source: &api::EmptyDirVolumeSource,
    node_memory: i64,
    place: &Place,
) -> Result<(), VolumeError> {
    let is_mounted = match is_mount_point(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        found => found.map_err(place.io("look at", path))?,
    };
    if !is_mounted {
        return Ok(());
    }
    let look = || Ok((statfs(path)?.filesystem_type(), statvfs(path)?));
    let (kind, found) = look().map_err(|errno: Errno| place.io("look at", path)(errno.into()))?;
    let unit = i64::try_from(found.fragment_size()).unwrap_or(i64::MAX).max(1);
    let blocks = i64::try_from(found.blocks()).unwrap_or(i64::MAX);
    let is_right = match source.medium.as_deref().unwrap_or_default() {
        "" => false,
        "Memory" if kind == TMPFS_MAGIC => {
            let size = memory_size(pod, source, node_memory);
            // Whole pages, as the kernel has it.
            size.is_none_or(|size| size / unit + i64::from(size % unit > 0) == blocks || resize(path, size).is_ok())
        }
        "Memory" => false,
        medium => {
            let is_size = |size: i64| size / unit == blocks;
            kind == HUGETLBFS_MAGIC && page_size(pod, medium) == Ok(unit) && size_limit(source).is_none_or(is_size)
        }
    };
    if is_right {
        return Ok(());
    }
    mount_table::unmount(path).map_err(|errno| place.io("unmount", path)(errno.into()))
}

/// Gives memory another size; an error if what is in it has no room then.
fn resize(path: &Path, size: i64) -> Result<(), Errno> {
    mount_memory(path, MsFlags::MS_REMOUNT, &format!("size={size}"))
}

/// Mounts memory, or mounts it otherwise.
fn mount_memory(path: &Path, flags: MsFlags, options: &str) -> Result<(), Errno> {
    let flags = flags | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let mount = |options: &str| nix::mount::mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options));
    // Secrets kept in memory must not reach a disk; kernels before 6.3 know no such option.
    match mount(&format!("{options},noswap")) {
        Err(Errno::EINVAL) => mount(options),
        result => result,
    }
}

/// Whether another file system begins at `path`.
pub(super) fn is_mount_point(path: &Path) -> io::Result<bool> {
    let parent = path.parent().unwrap_or(path);
    Ok(fs::symlink_metadata(path)?.dev() != fs::symlink_metadata(parent)?.dev())
}
