//! `subPath`: a part of a volume, found without ever leaving the volume, and bound where the
//! container mounts it.
//!
//! Whoever writes into the volume may change it at any time, and a symbolic link in it may point
//! anywhere on the node. So nothing is looked up by path twice: the kernel resolves below the open
//! root (`RESOLVE_BENEATH`), and what it opened is bound by its descriptor.

use super::{
    PRIVATE_DIR, VolumeError,
    error::{Io, Place},
    make_private, mount_table,
};
use crate::convert::SubPath;
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    mount::MsFlags,
    sys::stat::{Mode, mkdirat},
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Component, Path, PathBuf},
};

/// Bytes of a file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Binds a sub-path to its target, making missing directories where it may. What an earlier instance of the
/// container had bound there is let go first: an edit may have changed the path.
pub(super) fn bind(sub_path: &SubPath, place: &Place) -> Result<(), VolumeError> {
    let source = open(sub_path, place)?;
    let is_dir = source.metadata().map_err(place.io("look at", Path::new(&sub_path.shown)))?.is_dir();
    let target = &sub_path.target;
    make_target(target, is_dir, place)?;
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", source.as_raw_fd()));
    let none = None::<&Path>;
    nix::mount::mount(Some(&by_descriptor), target, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
        .map_err(|errno| place.io("bind a sub-path to", target)(errno.into()))
}

/// The text of a regular file below a volume's root; `None` if there is none.
pub(super) fn read(root: &Path, path: &Path) -> io::Result<Option<String>> {
    let root = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(root)?;
    let how = OpenHow::new()
        // A pipe would keep us waiting.
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let file = match openat2(&root, path, how) {
        Ok(file) => File::from(file),
        Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::EXDEV | Errno::ELOOP) => return Err(io::Error::other("a symbolic link leads out of the volume")),
        Err(errno) => return Err(errno.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(io::Error::other(format!("it is not a regular file of at most {MAX_FILE} bytes")));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// An empty directory or file to bind to.
fn make_target(target: &Path, is_dir: bool, place: &Place) -> Result<(), VolumeError> {
    make_private(target.parent().unwrap_or(target), place)?;
    mount_table::unmount(target).map_err(|errno| place.io("unmount", target)(errno.into()))?;
    let made = if is_dir {
        let _ = fs::remove_file(target);
        DirBuilder::new().mode(PRIVATE_DIR).create(target)
    } else {
        let _ = fs::remove_dir(target);
        OpenOptions::new().write(true).create_new(true).mode(0o640).open(target).map(drop)
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(place.io("create", target)),
    }
}

/// Opens what the sub-path names, for reference only. An absolute link on the node leads out as the kernel resolves it,
/// though it may name a place inside: that place is then opened, without it.
fn open(sub_path: &SubPath, place: &Place) -> Result<File, VolumeError> {
    match open_part(sub_path, &sub_path.path, place) {
        Err(error @ VolumeError::Escapes { .. }) => match inside(sub_path) {
            Some(part) => open_part(sub_path, &part, place),
            None => Err(error),
        },
        opened => opened,
    }
}

/// Where in its volume a sub-path leads, if all of it is there and inside.
fn inside(sub_path: &SubPath) -> Option<PathBuf> {
    let root = fs::canonicalize(&sub_path.root).ok()?;
    let found = fs::canonicalize(root.join(&sub_path.path)).ok()?;
    found.strip_prefix(&root).ok().map(Path::to_path_buf)
}

fn open_part(sub_path: &SubPath, part: &Path, place: &Place) -> Result<File, VolumeError> {
    let root = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(&sub_path.root);
    let root = root.map_err(place.io("open", &sub_path.root))?;
    let mode = root.metadata().map_err(place.io("look at", &sub_path.root))?.permissions().mode() & 0o7777;
    let failed = |errno| match errno {
        // A link out of the volume, or so many that it can only be meant so.
        Errno::EXDEV | Errno::ELOOP => {
            VolumeError::Escapes { place: place.clone(), path: PathBuf::from(&sub_path.shown) }
        }
        errno => place.io("open", &sub_path.root.join(&sub_path.shown))(errno.into()),
    };
    let mut so_far = PathBuf::new();
    let mut parent = beneath(&root, Path::new("."), OFlag::O_DIRECTORY).map_err(failed)?;
    for component in part.components() {
        let Component::Normal(name) = component else { continue };
        so_far.push(name);
        parent = match beneath(&root, &so_far, OFlag::empty()) {
            Err(Errno::ENOENT) if !sub_path.must_exist => {
                make_dir(&parent, Path::new(name), mode).map_err(failed)?;
                beneath(&root, &so_far, OFlag::empty()).map_err(failed)?
            }
            found => found.map_err(failed)?,
        };
    }
    Ok(File::from(parent))
}

fn beneath(root: &File, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC | flags)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(root, path, how)
}

/// A directory with the mode of the volume's root, whatever the umask.
fn make_dir(parent: &OwnedFd, name: &Path, mode: u32) -> Result<(), Errno> {
    match mkdirat(parent, name, Mode::from_bits_truncate(mode)) {
        // Someone else was faster, or a dangling link has the name: the next look tells.
        Err(Errno::EEXIST) => return Ok(()),
        made => made?,
    }
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH);
    let made = File::from(openat2(parent, name, how)?);
    made.set_permissions(Permissions::from_mode(mode)).map_err(|error| errno_of(&error))
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
