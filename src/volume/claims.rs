//! The claims that a pod has: from its beginning, or since a container came to mount one.
//!
//! Of each there is a note below the pod's directory, so that what a kubelet does when a pod first mounts a claim is
//! done once, and a claim that is declared no more is still had by the pod that has it.

use super::{
    VolumeError, VolumeManager,
    error::{Io, Place},
    fs_group, make_private, ownership, paths, removal,
};
use crate::{
    convert::{self, ClaimDirectories},
    pod::{Container, Pod},
};
use k8s_openapi::api::core::v1 as api;
use std::path::PathBuf;

impl VolumeManager {
    /// The volumes of claims that a container uses and that its pod does not have yet.
    pub fn new_claims(&self, pod: &Pod, container: &Container) -> Result<Vec<String>, VolumeError> {
        let mut new = Vec::new();
        for volume in convert::volumes_of(pod, container) {
            if self.claim_note(pod, volume)?.is_some_and(|note| !note.is_dir()) {
                new.push(volume.name.clone());
            }
        }
        Ok(new)
    }

    /// Makes the claims of these volumes the pod's: gives what they hold, as far as it is in `directories`, to the
    /// pod's `fsGroup`, as `fsGroupChangePolicy` says. To be called before a container mounts one.
    pub fn take_claims(
        &self,
        pod: &Pod,
        volumes: &[String],
        directories: &ClaimDirectories,
    ) -> Result<(), VolumeError> {
        let context = pod.spec.security_context.as_ref();
        let on_root_mismatch = context.and_then(|c| c.fs_group_change_policy.as_deref()) == Some("OnRootMismatch");
        for volume in pod.spec.volumes.iter().flatten().filter(|volume| volumes.contains(&volume.name)) {
            let place = &Place::of(&pod.key).volume(&volume.name);
            if let (Some(group), Some(directory)) = (fs_group(pod, place)?, directories.get(&volume.name)) {
                ownership::give(directory, group, on_root_mismatch, place)?;
            }
            if let Some(note) = self.claim_note(pod, volume)? {
                make_private(&note, place)?;
            }
        }
        Ok(())
    }

    /// Where it is noted that the pod has the claim of a volume, if it is one of a claim.
    pub(super) fn claim_note(&self, pod: &Pod, volume: &api::Volume) -> Result<Option<PathBuf>, VolumeError> {
        let place = Place::of(&pod.key).volume(&volume.name);
        let note = |claim: &api::PersistentVolumeClaimVolumeSource| {
            paths::claim(&self.root, &pod.uid, &claim.claim_name).map_err(place.name())
        };
        volume.persistent_volume_claim.as_ref().map(note).transpose()
    }

    /// The pod begins again.
    pub(super) fn forget_claims(&self, pod: &Pod) -> Result<(), VolumeError> {
        let place = &Place::of(&pod.key);
        let notes = paths::claims(&self.root, &pod.uid).map_err(place.name())?;
        removal::remove_directory(&notes, place)
    }
}
