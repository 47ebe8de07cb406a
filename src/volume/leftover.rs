//! What earlier manifests have left of a pod whose uid was given, so that an edit keeps its directory.

use super::{
    VolumeError, VolumeManager,
    error::{Io, Place},
    memory, paths,
    removal::remove_directory,
};
use crate::{
    convert::{self, NodeFacts},
    pod::Pod,
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

impl VolumeManager {
    /// Removes what lies where the pod's volumes are and is none of those that it declares, and lets go of memory that
    /// is mounted otherwise than declared. What is declared stays as it is. Nothing of the pod may be alive.
    pub(super) fn clear_leftovers(&self, pod: &Pod, node: &NodeFacts) -> Result<(), VolumeError> {
        let place = &Place::of(&pod.key);
        // Each container binds its own anew; until then they would keep what is unmounted here.
        remove_directory(&paths::sub_paths(&self.root, &pod.uid).map_err(place.name())?, place)?;
        let declared = self.declared_paths(pod, place)?;
        for plugin in entries(&paths::volumes(&self.root, &pod.uid).map_err(place.name())?, place)? {
            let is_used = declared.iter().any(|path| path.parent() == Some(&plugin));
            if !is_used || !is_directory(&plugin, place)? {
                remove_directory(&plugin, place)?;
                continue;
            }
            for volume in entries(&plugin, place)?.iter().filter(|path| !declared.contains(&finished(path))) {
                remove_directory(volume, place)?;
            }
        }
        for volume in pod.spec.volumes.iter().flatten() {
            if let Some(source) = &volume.empty_dir {
                let place = &place.volume(&volume.name);
                let path = paths::empty_dir(&self.root, &pod.uid, &volume.name).map_err(place.name())?;
                memory::let_go(&path, pod, source, node.memory_total, place)?;
            }
        }
        Ok(())
    }

    /// Where the volumes lie that the pod declares.
    fn declared_paths(&self, pod: &Pod, place: &Place) -> Result<BTreeSet<PathBuf>, VolumeError> {
        let mut declared = BTreeSet::new();
        for volume in pod.spec.volumes.iter().flatten() {
            let place = &place.volume(&volume.name);
            let empty_dir = || paths::empty_dir(&self.root, &pod.uid, &volume.name);
            let path = volume.empty_dir.is_some().then(empty_dir);
            let path = path.or_else(|| convert::file_volume_path(&self.root, pod, volume));
            declared.extend(path.transpose().map_err(place.name())?);
        }
        // Of images those that containers mount, by what they refer to now.
        for image in pod.containers.iter().flat_map(|container| &container.image_volumes) {
            declared.insert(paths::image(&self.root, &pod.uid, image).map_err(place.volume(&image.name).name())?);
        }
        Ok(declared)
    }
}

/// What is in a directory; nothing, if there is none.
fn entries(directory: &Path, place: &Place) -> Result<Vec<PathBuf>, VolumeError> {
    let listed = fs::read_dir(directory).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(place.io("list", directory)),
    }
}

/// The volume that something is to become, whose name goes on with a '~'. Whoever makes it sees to what is left of it.
fn finished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(name.split('~').next().unwrap_or_default())
}

/// A link to one is none.
fn is_directory(path: &Path, place: &Place) -> Result<bool, VolumeError> {
    Ok(fs::symlink_metadata(path).map_err(place.io("look at", path))?.is_dir())
}
