//! What is mounted below a directory, and its unmounting.
//!
//! A bind of a host directory is a peer of it where mounts are shared, which systemd makes them: what is
//! unmounted inside of one is unmounted in the other. So everything is made private before it is let go.

use super::{
    VolumeError,
    error::{Io, Place},
};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    mount::{MntFlags, MsFlags},
    sys::stat::Mode,
};
use std::{
    ffi::OsString,
    fs,
    os::{fd::AsRawFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
};

const MOUNT_INFO: &str = "/proc/self/mountinfo";
/// Mounts may lie on one another; more layers than this are nobody's doing.
const ROUNDS: usize = 16;

/// Unmounts everything at or below a directory, the innermost first; an error if anything stays.
pub(super) fn unmount_below(directory: &Path, place: &Place) -> Result<(), VolumeError> {
    // The kernel's table has no symbolic links in it.
    let real = fs::canonicalize(directory).map_err(place.io("look at", directory))?;
    for _ in 0..ROUNDS {
        let mounted = below(&real, place)?;
        if mounted.is_empty() {
            return Ok(());
        }
        // All of them first: one that is unmounted goes from the peers of the mount that it lies in.
        for path in &mounted {
            make_private(path).map_err(|errno| place.io("take from its peers", path)(errno.into()))?;
        }
        for path in mounted {
            unmount(&path).map_err(|errno| place.io("unmount", &path)(errno.into()))?;
        }
    }
    match below(&real, place)?.into_iter().next() {
        Some(path) => Err(VolumeError::StillMounted { place: place.clone(), path }),
        None => Ok(()),
    }
}

/// Detaches what is mounted at `path`; nothing there is success. What still uses the mount keeps it,
/// but it is out of reach of whoever removes the directory. The node's own mounts stay as they are.
pub(super) fn unmount(path: &Path) -> Result<(), Errno> {
    make_private(path)?;
    match nix::mount::umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        result => result,
    }
}

/// Nothing that is done to the mount at `path`, or in it, happens to another one from now on.
fn make_private(path: &Path) -> Result<(), Errno> {
    let found = match open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        found => found?,
    };
    let by_descriptor = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    let none = None::<&Path>;
    match nix::mount::mount(none, &by_descriptor, none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none) {
        // Nothing is mounted there.
        Err(Errno::EINVAL) => Ok(()),
        result => result,
    }
}

fn below(directory: &Path, place: &Place) -> Result<Vec<PathBuf>, VolumeError> {
    let table = Path::new(MOUNT_INFO);
    let text = fs::read(table).map_err(place.io("read", table))?;
    let mut mounted: Vec<PathBuf> = mount_points(&text).filter(|path| path.starts_with(directory)).collect();
    // Later lines lie inside of, or on, earlier ones.
    mounted.reverse();
    Ok(mounted)
}

/// The fifth field of each line of `mountinfo`.
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    let fields = table.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4));
    fields.map(|field| PathBuf::from(OsString::from_vec(unescaped(field))))
}

/// Blank, tab, newline and backslash are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] => {
                out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                rest = tail;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_the_fifth_field() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
            2 1 0:5 / /with\\040blank\\134 rw shared:2 - tmpfs tmpfs rw\n\nshort line\n";
        let points: Vec<PathBuf> = mount_points(table).collect();
        assert_eq!(points, [PathBuf::from("/"), PathBuf::from("/with blank\\")]);
    }

    #[test]
    fn odd_escapes_stay_as_they_are() {
        for (field, text) in [("a\\", "a\\"), ("\\04", "\\04"), ("\\999", "\\999"), ("\\101\\101", "AA"), ("", "")] {
            assert_eq!(unescaped(field.as_bytes()), text.as_bytes());
        }
    }
}
