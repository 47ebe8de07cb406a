//! Removes a tree of directories, however deep: a container may write into its volumes what it likes, and an image may
//! hold what it likes. What is as deep as can be made would take a descriptor and a stack frame for each level.
//!
//! Nothing is looked up by a path of more than one name, no symbolic link is followed, and no other file system is
//! entered.

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2, renameat},
    unistd::{UnlinkatFlags, unlinkat},
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Levels that are gone down into, each with a descriptor.
const LEVELS: usize = 64;

/// Removes a directory and all that is in it. One that is not there is an error of the kind `NotFound`.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let top = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let mut moved = 0;
    // What lies deeper is moved up to the top, where the next round finds it.
    while empty(&top, &top, LEVELS, &mut moved)? {}
    fs::remove_dir(path)
}

/// Removes what is in a directory, or moves it up to `top`. Whether there was anything.
fn empty(directory: &File, top: &File, levels: usize, moved: &mut u64) -> Result<bool, Errno> {
    let mut any = false;
    for entry in fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd())).map_err(|e| errno_of(&e))? {
        let entry = entry.map_err(|error| errno_of(&error))?;
        let name = PathBuf::from(entry.file_name());
        any = true;
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let flag = if is_dir { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
        match unlinkat(directory, &name, flag) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) if is_dir && levels == 0 => move_up(directory, &name, top, moved)?,
            Err(Errno::ENOTEMPTY | Errno::EEXIST) if is_dir => {
                empty(&open(directory, &name)?, top, levels - 1, moved)?;
                gone(unlinkat(directory, &name, UnlinkatFlags::RemoveDir))?;
            }
            result => gone(result)?,
        }
    }
    Ok(any)
}

fn open(directory: &File, name: &Path) -> Result<File, Errno> {
    let resolve = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV;
    let how = OpenHow::new().flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).resolve(resolve);
    openat2(directory, name, how).map(File::from)
}

/// Moves a directory into `top`, under a name that nothing there has.
fn move_up(from: &File, name: &Path, top: &File, moved: &mut u64) -> Result<(), Errno> {
    loop {
        let there = PathBuf::from(format!("~{moved}"));
        *moved += 1;
        match renameat(from, name, top, &there) {
            // What has the name already is removed with the rest.
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {}
            result => return gone(result),
        }
    }
}

/// What is not there any more is removed.
fn gone(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::ENOENT) => Ok(()),
        result => result,
    }
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use nix::{
        fcntl::openat,
        sys::stat::{Mode, mkdirat},
    };
    use std::os::unix::fs::symlink;

    /// A directory that may become deep: in memory, if that can be had, as it takes a while on a disk.
    pub(in crate::volume) fn room() -> tempfile::TempDir {
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
    }

    /// Makes a directory, and in it as many levels as a container can make.
    pub(in crate::volume) fn make_deep(top: &Path) {
        fs::create_dir(top).unwrap();
        let mut here = File::open(top).unwrap();
        for _ in 0..20_000 {
            mkdirat(&here, "d", Mode::S_IRWXU).unwrap();
            here = File::from(openat(&here, "d", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty()).unwrap());
        }
    }

    #[test]
    fn a_tree_goes_and_nothing_outside_of_it() {
        let room = tempfile::tempdir().unwrap();
        let outside = room.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "kept").unwrap();
        let top = room.path().join("top");
        // Names of those that are moved up are taken, too.
        let deep = "d/".repeat(LEVELS + 3);
        for directory in [&deep, "a/b/c/d", "a/b/e", "empty", "~0/~0/~0", "~1/x/y", "with\nnewline/x/y/z"] {
            fs::create_dir_all(top.join(directory)).unwrap();
        }
        for file in [&format!("{deep}/file"), "a/b/c/file", "a/file", "file", "~2", "~0/~0/file"] {
            fs::write(top.join(file), "x").unwrap();
        }
        for link in ["a/b/c/link", "a/link", "link"] {
            symlink(&outside, top.join(link)).unwrap();
        }
        symlink("nothing", top.join("a/b/dangling")).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "kept");
        assert_eq!(remove(&top).unwrap_err().kind(), io::ErrorKind::NotFound);
        symlink(&outside, &top).unwrap();
        assert!(remove(&top).is_err(), "a link is no directory");
        assert!(outside.join("file").exists());
    }

    #[test]
    fn a_tree_may_be_as_deep_as_a_container_can_make_it() {
        let room = room();
        let top = room.path().join("top");
        make_deep(&top);
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
