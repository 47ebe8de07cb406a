//! What of a pod has begun to end, beside its manifest.
//!
//! The engine keeps the deadline of a container that was asked to stop; before that, while its
//! `preStop` runs, nobody does but the daemon, and this file when the daemon dies. Without it an end
//! begins anew, with its whole grace. What it says is the worker's.

use super::{
    AppliedStore, VolumeError, applied,
    error::{Io, Place},
    make_private, paths,
};
use crate::pod::PodUid;
use serde::{Serialize, de::DeserializeOwned};
use std::fs;

impl AppliedStore {
    /// Notes what of an incarnation has begun to end, replacing the last note whole or not at all.
    pub fn save_endings(&self, uid: &PodUid, endings: &impl Serialize) -> Result<(), VolumeError> {
        let place = &Place::of_uid(uid);
        let path = paths::endings(&self.root, uid).map_err(place.name())?;
        make_private(&paths::pod_dir(&self.root, uid).map_err(place.name())?, place)?;
        applied::replace(&path, endings).map_err(place.io("write", &path))
    }

    /// What was noted last; `None` if there is no note, or none that can be read.
    pub fn load_endings<T: DeserializeOwned>(&self, uid: &PodUid) -> Option<T> {
        let text = fs::read(paths::endings(&self.root, uid).ok()?).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
