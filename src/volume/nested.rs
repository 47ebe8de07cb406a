//! Places in volumes of files for what is mounted below them: an empty directory, or an empty file where a file is
//! mounted. Only the daemon writes to these volumes, so that nobody can put a link in the way.

use super::{
    VolumeError,
    error::{Io, Place},
};
use crate::convert::MountPoint;
use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

const DIRECTORY: u32 = 0o755;
const FILE: u32 = 0o644;

/// Makes a place as what is mounted there needs it. An empty one of the other kind is of an earlier manifest.
pub(super) fn make(point: &MountPoint, place: &Place) -> Result<(), VolumeError> {
    let is_dir = match &point.source {
        Some(source) => fs::metadata(source).map_err(place.io("look at", source))?.is_dir(),
        None => true,
    };
    let mut path = point.root.clone();
    let mut parts = point.path.components().peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let is_last = parts.peek().is_none();
        make_one(&path, is_dir || !is_last, point.alone).map_err(place.io("make a place to mount at", &path))?;
    }
    Ok(())
}

fn make_one(path: &Path, is_dir: bool, alone: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if is_dir && found.is_dir() || !is_dir && found.is_file() => return Ok(()),
        Ok(found) if alone && found.is_dir() => fs::remove_dir(path)?,
        Ok(found) if alone && found.is_file() && found.len() == 0 => fs::remove_file(path)?,
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mode = if is_dir { DIRECTORY } else { FILE };
    if is_dir {
        DirBuilder::new().mode(mode).create(path)?;
    } else {
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    }
    // What the umask took away.
    fs::set_permissions(path, Permissions::from_mode(mode))
}
