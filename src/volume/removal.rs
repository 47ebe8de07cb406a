//! The end of pods' directories: removed with their pod, or set aside when nobody knows it any more.

use super::{
    VolumeError, VolumeManager,
    error::{Io, Place},
    mount_table, paths, tree,
};
use crate::pod::PodUid;
use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// What [`VolumeManager::set_aside`] did.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Set aside by this call or an earlier one: whose they are, and where they lie now.
    pub aside: Vec<(String, PathBuf)>,
    /// Those that could not be; they are tried again when the daemon starts again.
    pub failed: Vec<VolumeError>,
}

impl VolumeManager {
    /// Removes everything of a pod, whose containers must be gone: unmounts what is mounted below its
    /// directory, then removes the directory. Never follows a symbolic link, never enters what is
    /// mounted. A pod that has nothing is success.
    pub fn remove(&self, uid: &PodUid) -> Result<(), VolumeError> {
        let place = &Place::of_uid(uid);
        let path = self.pod_dir(uid, place)?;
        remove_directory(&path, place)
    }

    /// The uids that have a directory. Other names are not ours and left out.
    pub fn known_uids(&self) -> Result<BTreeSet<PodUid>, VolumeError> {
        let place = &Place::none();
        let path = paths::pods_dir(&self.root);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(place.io("list", &path)(error)),
        };
        let mut uids = BTreeSet::new();
        for entry in entries {
            let entry = entry.map_err(place.io("list", &path))?;
            if let Some(name) = entry.file_name().to_str().filter(|name| paths::plain(name).is_ok()) {
                uids.insert(PodUid::new(name));
            }
        }
        Ok(uids)
    }

    /// Gives the directories of pods whose uids are not among `keep` another name, under which no pod will ever
    /// look for them: to be removed at leisure by [`Self::remove_aside`]. One that can not be set aside does not
    /// hold up the others.
    pub fn set_aside(&self, keep: &BTreeSet<PodUid>) -> Result<Leftovers, VolumeError> {
        let pods = paths::pods_dir(&self.root);
        let earlier = match fs::read_dir(&pods) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Leftovers::default()),
            Err(error) => return Err(Place::none().io("list", &pods)(error)),
        };
        let aside = earlier.filter_map(|path| Some((paths::uid_of_aside(&path)?, path))).collect();
        let mut leftovers = Leftovers { aside, failed: Vec::new() };
        for uid in self.known_uids()?.difference(keep) {
            let place = Place::of_uid(uid);
            let from = self.pod_dir(uid, &place)?;
            let taken = |to: &PathBuf| leftovers.aside.iter().any(|(_, path)| path == to);
            let Some(to) = (0..).map(|n| paths::aside(&self.root, uid, n)).find(|to| !taken(to)) else { continue };
            match fs::rename(&from, &to) {
                Ok(()) => leftovers.aside.push((uid.to_string(), to)),
                Err(error) => leftovers.failed.push(place.io("rename", &from)(error)),
            }
        }
        Ok(leftovers)
    }

    /// Removes what was set aside, as [`Self::remove`] does with a pod's directory. May take long.
    pub fn remove_aside(&self, path: &Path) -> Result<(), VolumeError> {
        remove_directory(path, &Place::none())
    }
}

/// Unmounts what is mounted below a directory and removes it; a symbolic link is removed as one.
pub(super) fn remove_directory(path: &Path, place: &Place) -> Result<(), VolumeError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(place.io("look at", path)(error)),
    };
    if !metadata.is_dir() {
        return fs::remove_file(path).map_err(place.io("remove", path));
    }
    mount_table::unmount_below(path, place)?;
    match tree::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(place.io("remove", path)),
    }
}
