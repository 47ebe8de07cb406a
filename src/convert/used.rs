//! Which volumes of a pod are made: those that a container mounts, as on a kubelet.

use crate::pod::{Container, Pod};
use k8s_openapi::api::core::v1 as api;

/// Whether a container mounts a volume, or takes variables from its files.
pub(crate) fn uses(container: &api::Container, volume: &str) -> bool {
    let mut mounts = container.volume_mounts.iter().flatten();
    let mut devices = container.volume_devices.iter().flatten();
    let sources = container.env.iter().flatten().filter_map(|entry| entry.value_from.as_ref());
    let mut files = sources.filter_map(|source| source.file_key_ref.as_ref());
    mounts.any(|m| m.name == volume)
        || devices.any(|d| d.name == volume)
        || files.any(|file| file.volume_name == volume)
}

/// The volumes that any container of a pod uses.
pub(crate) fn used_volumes(pod: &Pod) -> impl Iterator<Item = &api::Volume> {
    let volumes = pod.spec.volumes.iter().flatten();
    volumes.filter(move |volume| pod.containers.iter().any(|container| uses(&container.api, &volume.name)))
}

/// The volumes that this container uses.
pub(crate) fn volumes_of<'a>(pod: &'a Pod, container: &'a Container) -> impl Iterator<Item = &'a api::Volume> {
    pod.spec.volumes.iter().flatten().filter(move |volume| uses(&container.api, &volume.name))
}
