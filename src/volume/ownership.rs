//! `fsGroup`: gives all that is in a volume to a group.
//!
//! Other pods may write to the volume meanwhile, and a symbolic link in it may point anywhere on the
//! node. So every directory is opened below the volume's root without following links
//! (`RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS`), what is changed is changed by its descriptor, and no
//! other file system is entered.

use super::{
    VolumeError,
    error::{Io, Place},
};
use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2},
    unistd::{Gid, fchownat},
};
use std::{
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

/// What the group may do with files, and with directories.
const FILE: u32 = 0o660;
const DIRECTORY: u32 = 0o2770;
/// What a change of the group takes away from a file's mode.
const SET_ID: u32 = 0o6000;

/// Gives the volume at `root` to a group: it owns everything, may read and write it, and owns what is made
/// there. With `on_root_mismatch` a volume whose root is as it should be is left alone. The root comes last,
/// so that one that was not finished is begun again.
pub(super) fn give(root: &Path, group: u32, on_root_mismatch: bool, place: &Place) -> Result<(), VolumeError> {
    let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(root);
    let opened = opened.map_err(place.io("open", root))?;
    let metadata = opened.metadata().map_err(place.io("look at", root))?;
    if on_root_mismatch && metadata.gid() == group && metadata.mode() & DIRECTORY == DIRECTORY {
        return Ok(());
    }
    let mut left = vec![PathBuf::from(".")];
    while let Some(directory) = left.pop() {
        let failed = |error| place.io("give a group to", &root.join(&directory))(error);
        match inside(&opened, &directory, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(here) => entries(&here, group, &directory, &mut left).map_err(failed)?,
            Err(errno) if is_elsewhere(errno) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    own(&opened, &metadata, group).map_err(place.io("give a group to", root))
}

/// Gives the entries of a directory to the group, and notes the directories among them.
fn entries(here: &File, group: u32, directory: &Path, left: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(by_descriptor(here))? {
        let name = entry?.file_name();
        let found = match inside(here, Path::new(&name), OFlag::O_PATH | OFlag::O_NOFOLLOW) {
            Ok(found) => found,
            Err(errno) if is_elsewhere(errno) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let metadata = found.metadata()?;
        own(&found, &metadata, group)?;
        if metadata.is_dir() {
            left.push(directory.join(name));
        }
    }
    Ok(())
}

fn inside(directory: &File, path: &Path, flags: OFlag) -> Result<File, Errno> {
    let mut resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_XDEV;
    if !flags.contains(OFlag::O_NOFOLLOW) {
        resolve |= ResolveFlag::RESOLVE_NO_SYMLINKS;
    }
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(directory, path, how).map(File::from)
}

/// It has gone, or become another thing meanwhile, or is another file system, or lies deeper than any path can tell,
/// which a container can make to last.
fn is_elsewhere(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EXDEV | Errno::ENAMETOOLONG)
}

/// Only what differs is changed: a volume of many files is looked through at each start.
fn own(file: &File, metadata: &Metadata, group: u32) -> io::Result<()> {
    let changes = metadata.gid() != group;
    if changes {
        fchownat(file.as_fd(), "", None, Some(Gid::from_raw(group)), AtFlags::AT_EMPTY_PATH)?;
    }
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.mode() & 0o7777;
    let wanted = mode | if metadata.is_dir() { DIRECTORY } else { FILE };
    if wanted != mode || (changes && mode & SET_ID != 0) {
        fs::set_permissions(by_descriptor(file), Permissions::from_mode(wanted))?;
    }
    Ok(())
}

fn by_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const GROUP: u32 = 4321;

    fn mode(path: &Path) -> (u32, u32) {
        let metadata = fs::symlink_metadata(path).unwrap();
        (metadata.gid(), metadata.mode() & 0o7777)
    }

    fn made(path: &Path, mode: u32) {
        fs::write(path, "x").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn all_inside_is_the_groups_and_nothing_outside() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let outside = tempfile::tempdir().unwrap();
        made(&outside.path().join("file"), 0o600);
        let volume = tempfile::tempdir().unwrap();
        let root = volume.path().join("volume");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::set_permissions(root.join("a/b"), Permissions::from_mode(0o700)).unwrap();
        made(&root.join("a/b/file"), 0o600);
        made(&root.join("program"), 0o4755);
        symlink(outside.path(), root.join("out")).unwrap();
        symlink(outside.path().join("file"), root.join("a/out-file")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let place = &Place::none();
        give(&root, GROUP, false, place).unwrap();
        assert_eq!(mode(&root), (GROUP, 0o2775));
        assert_eq!(mode(&root.join("a/b")), (GROUP, 0o2770));
        assert_eq!(mode(&root.join("a/b/file")), (GROUP, 0o660));
        assert_eq!(mode(&root.join("program")), (GROUP, 0o4775), "set-uid is kept");
        assert_eq!(mode(&root.join("pipe")), (GROUP, 0o660));
        assert_eq!(mode(&root.join("a/out-file")).0, GROUP, "the link itself");
        assert_eq!(mode(&outside.path().join("file")), (0, 0o600));
        assert_eq!(mode(outside.path()).0, 0);

        // A root that is right stands for all that is in it, if the pod says so.
        made(&root.join("late"), 0o600);
        give(&root, GROUP, true, place).unwrap();
        assert_eq!(mode(&root.join("late")), (GROUP, 0o600), "set-gid gave it its group, and nobody its mode");
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        give(&root, GROUP, true, place).unwrap();
        assert_eq!(mode(&root.join("late")), (GROUP, 0o660));
        assert_eq!(mode(&root), (GROUP, 0o2775));
        assert!(give(&root.join("program"), GROUP, false, place).is_err(), "a volume is a directory");
    }
}
