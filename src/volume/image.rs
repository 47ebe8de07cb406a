//! `image` volumes: the files of an image in a directory of the pod, mounted so that nobody writes or runs them.
//!
//! Engines before 28 mount no image, and this product works with those: so the files are a copy, made once for the
//! pod from what `docker save` gives.

use super::{
    PRIVATE_DIR, VolumeError,
    error::{Io, Place},
    layers, make_private, mount_table,
};
use nix::{
    mount::MsFlags,
    sys::statvfs::{FsFlags, statvfs},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What the API promises of such a volume, and what it could only do harm with.
const SEALED: FsFlags = FsFlags::ST_RDONLY.union(FsFlags::ST_NOEXEC).union(FsFlags::ST_NOSUID).union(FsFlags::ST_NODEV);

/// A file for the archive, unless the volume is there, which is then mounted again if need be (after a reboot, say).
pub(super) fn begin(path: &Path, place: &Place) -> Result<Option<File>, VolumeError> {
    if path.try_exists().map_err(place.io("look at", path))? {
        return seal(path, place).map(|()| None);
    }
    make_private(path.parent().unwrap_or(path), place)?;
    let archive = beside(path, "~archive");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&archive);
    file.map(Some).map_err(place.io("create", &archive))
}

/// Makes the volume from the archive that [`begin`] gave the file for.
pub(super) fn finish(path: &Path, place: &Place) -> Result<(), VolumeError> {
    let (archive, unfinished) = (beside(path, "~archive"), beside(path, "~new"));
    let gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    gone(fs::remove_dir_all(&unfinished)).map_err(place.io("remove", &unfinished))?;
    DirBuilder::new().mode(0o755).create(&unfinished).map_err(place.io("create", &unfinished))?;
    let file = File::open(&archive).map_err(place.io("open", &archive))?;
    layers::unpack(&file, &unfinished).map_err(place.io("unpack the image into", &unfinished))?;
    // Complete at once, or not there.
    fs::rename(&unfinished, path).map_err(place.io("create", path))?;
    gone(fs::remove_file(&archive)).map_err(place.io("remove", &archive))?;
    seal(path, place)
}

/// Mounts a directory on itself, read-only and with nothing in it to be run, unless it is so already.
fn seal(path: &Path, place: &Place) -> Result<(), VolumeError> {
    let failed = |path: &Path| {
        let (place, path) = (place.clone(), path.to_owned());
        move |errno: nix::errno::Errno| place.io("mount the image on", &path)(errno.into())
    };
    if statvfs(path).map_err(failed(path))?.flags().contains(SEALED) {
        return Ok(());
    }
    let none = None::<&Path>;
    let staging = beside(path, "~mount");
    mount_table::unmount(&staging).and_then(|()| mount_table::unmount(path)).map_err(failed(path))?;
    match DirBuilder::new().mode(PRIVATE_DIR).create(&staging) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made.map_err(place.io("create", &staging))?,
    }
    // A mount takes its flags along to the name spaces that it spreads to, a change of them does not.
    nix::mount::mount(Some(path), &staging, none, MsFlags::MS_BIND, none).map_err(failed(&staging))?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    nix::mount::mount(none, &staging, none, MsFlags::MS_REMOUNT | MsFlags::MS_BIND | flags, none)
        .map_err(failed(&staging))?;
    nix::mount::mount(Some(&staging), path, none, MsFlags::MS_BIND, none).map_err(failed(path))?;
    mount_table::unmount(&staging).map_err(failed(&staging))?;
    fs::remove_dir(&staging).map_err(place.io("remove", &staging))
}

/// A neighbour of a volume, whose name no volume has.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
