//! `image` volumes: the files of an image in a directory of the pod, which containers mount read-only.
//!
//! Engines before 28 mount no image, and this product works with those: so the files are a copy, made once for the
//! pod from what `docker save` gives.

use super::{
    VolumeError,
    error::{Io, Place},
    layers, make_private, tree,
};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of the root of an image that gives it none.
const ROOT: u32 = 0o755;
/// What the engine gives, and what becomes the volume, beside it.
const ARCHIVE: &str = "~archive";
const UNFINISHED: &str = "~new";

/// A file for the archive, unless the volume is there.
pub(super) fn begin(path: &Path, place: &Place) -> Result<Option<File>, VolumeError> {
    if path.try_exists().map_err(place.io("look at", path))? {
        // A crash may have left them beside what is complete.
        abandon(path, place)?;
        return Ok(None);
    }
    make_private(path.parent().unwrap_or(path), place)?;
    let archive = beside(path, ARCHIVE);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&archive);
    file.map(Some).map_err(place.io("create", &archive))
}

/// Makes the volume from the archive that [`begin`] gave the file for, unless it is `given_up` meanwhile.
pub(super) fn finish(path: &Path, given_up: &dyn Fn() -> bool, place: &Place) -> Result<(), VolumeError> {
    let (archive, unfinished) = (beside(path, ARCHIVE), beside(path, UNFINISHED));
    gone(tree::remove(&unfinished)).map_err(place.io("remove", &unfinished))?;
    fs::create_dir(&unfinished).map_err(place.io("create", &unfinished))?;
    fs::set_permissions(&unfinished, Permissions::from_mode(ROOT)).map_err(place.io("set the mode of", &unfinished))?;
    let file = File::open(&archive).map_err(place.io("open", &archive))?;
    layers::unpack(&file, &unfinished, given_up).map_err(place.io("unpack the image into", &unfinished))?;
    // Complete at once, or not there.
    fs::rename(&unfinished, path).map_err(place.io("create", path))?;
    gone(fs::remove_file(&archive)).map_err(place.io("remove", &archive))
}

/// Removes what is left of a volume that was begun and is not made.
pub(super) fn abandon(path: &Path, place: &Place) -> Result<(), VolumeError> {
    let (archive, unfinished) = (beside(path, ARCHIVE), beside(path, UNFINISHED));
    gone(fs::remove_file(&archive)).map_err(place.io("remove", &archive))?;
    gone(tree::remove(&unfinished)).map_err(place.io("remove", &unfinished))
}

/// What is to be removed may not be there.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A neighbour of a volume, whose name no volume has.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::archive::image_archive, pod::PodKey, volume::tree::tests};

    #[test]
    fn what_was_left_may_be_as_deep_as_can_be_made() {
        let room = tests::room();
        let (path, place) = (room.path().join("v"), Place::of(&PodKey::new("default", "web")));
        let unfinished = beside(&path, UNFINISHED);
        tests::make_deep(&unfinished);
        abandon(&path, &place).unwrap();
        assert!(!unfinished.exists());
        abandon(&path, &place).unwrap();
        let image = image_archive("files:1", &serde_json::json!({}), &[]);
        fs::write(beside(&path, ARCHIVE), image.bytes).unwrap();
        tests::make_deep(&unfinished);
        finish(&path, &|| false, &place).unwrap();
        assert!(path.is_dir() && !unfinished.exists());
    }
}
