//! Volumes whose files are written here: brought to what they should hold, and looked at.

use super::{
    VolumeError, VolumeManager, atomic,
    error::{Io, Place},
    make_private,
    memory::mount_tmpfs,
};
use crate::{
    convert::{self, FileVolume, FileVolumes, Medium},
    pod::{Container, Pod},
};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
};

/// Mode of a volume whose files are written here: any user of any container looks into it.
const FILES_DIR: u32 = 0o755;

/// What volumes were seen to hold, by their names: the first parts of the paths of their files. `None` for one that
/// was never written.
pub type Held = BTreeMap<String, Option<BTreeSet<PathBuf>>>;

/// What has come of writing volumes. One that can not be written does not hold up the others.
#[derive(Debug, Default)]
pub struct Written {
    /// What they hold, but for those that could not be written.
    pub held: Held,
    /// Why the others could not.
    pub failed: Vec<VolumeError>,
}

impl Written {
    /// An error if any could not be written.
    pub fn complete(mut self) -> Result<Held, VolumeError> {
        match (self.failed.pop(), self.failed.is_empty()) {
            (None, _) => Ok(self.held),
            (Some(error), true) => Err(error),
            (Some(last), false) => {
                self.failed.push(last);
                Err(VolumeError::Several(self.failed))
            }
        }
    }
}

impl VolumeManager {
    /// Brings the volumes that are written here to what they should be `now`; containers see each change
    /// as a whole. What is right already is not touched. Those of which nobody knows what they should be are looked
    /// at: they keep what they held.
    pub fn write_files(&self, pod: &Pod, files: &FileVolumes, now: jiff::Timestamp) -> Written {
        let stamp = now.strftime("%Y_%m_%d_%H_%M_%S").to_string();
        let unknown = files.failed.iter().map(|(name, _)| (name, None));
        let mut done = Written::default();
        for (name, content) in files.volumes.iter().map(|volume| (&volume.name, Some(volume))).chain(unknown) {
            let place = &Place::of(&pod.key).volume(name);
            let written = content.map_or(Ok(()), |volume| self.write_volume(pod, volume, &stamp, place));
            match written.and_then(|()| declared(pod, name).map_or(Ok(None), |volume| self.held(pod, volume))) {
                Ok(held) => drop(done.held.insert(name.clone(), held)),
                Err(error) => done.failed.push(error),
            }
        }
        done
    }

    fn write_volume(&self, pod: &Pod, volume: &FileVolume, stamp: &str, place: &Place) -> Result<(), VolumeError> {
        let path = declared(pod, &volume.name).and_then(|v| convert::file_volume_path(&self.root, pod, v));
        let Some(path) = path else { return Err(VolumeError::Unsupported { place: place.clone() }) };
        let path = path.map_err(place.name())?;
        make_private(path.parent().unwrap_or(&path), place)?;
        match DirBuilder::new().mode(FILES_DIR).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.map_err(place.io("create", &path))?,
        }
        if volume.medium == Medium::Memory {
            mount_tmpfs(&path, FILES_DIR, None, None, place)?;
        }
        atomic::write(&path, volume, stamp, &mut || Ok(())).map_err(place.io("write the files of", &path))
    }

    /// Why a container can not be made yet: a volume that it uses and that was never written is among those
    /// that can not be, named with the reason. What was written once is good enough.
    pub fn check_written(
        &self,
        pod: &Pod,
        container: &Container,
        failed: &[(String, String)],
    ) -> Result<(), VolumeError> {
        for volume in convert::volumes_of(pod, container) {
            let Some((_, what)) = failed.iter().find(|(name, _)| *name == volume.name) else { continue };
            if self.held(pod, volume)?.is_none() {
                return Err(VolumeError::Missing { what: what.clone() });
            }
        }
        Ok(())
    }

    /// What a volume holds that was written; nothing, of a claim that the pod has.
    fn held(&self, pod: &Pod, volume: &api::Volume) -> Result<Option<BTreeSet<PathBuf>>, VolumeError> {
        let place = &Place::of(&pod.key).volume(&volume.name);
        let Some(path) = convert::file_volume_path(&self.root, pod, volume) else {
            let note = self.claim_note(pod, volume)?;
            return Ok(note.filter(|note| note.is_dir()).map(|_| BTreeSet::new()));
        };
        let path = path.map_err(place.name())?;
        atomic::held(&path).map_err(place.io("look into", &path))
    }
}

fn declared<'a>(pod: &'a Pod, name: &str) -> Option<&'a api::Volume> {
    pod.spec.volumes.iter().flatten().find(|volume| volume.name == name)
}
