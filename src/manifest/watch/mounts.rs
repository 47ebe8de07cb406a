//! Whether a file system that should hold the manifests is not mounted.
//!
//! An unmounted directory looks like an empty one. Pure: reads the text of `/proc/self/mountinfo` and
//! `/etc/fstab`.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

/// The mount points of a mountinfo file (field 5 of proc_pid_mountinfo(5)).
pub fn mount_points(mountinfo: &[u8]) -> Vec<PathBuf> {
    fields(mountinfo).filter_map(|line| line.get(4).map(|field| unescape(field))).collect()
}

/// The mount points that an fstab asks to be mounted at boot.
pub fn wanted(fstab: &[u8]) -> Vec<PathBuf> {
    let lines = fields(fstab).filter(|line| line.first().is_some_and(|device| !device.starts_with(b"#")));
    let lines = lines.filter(|line| {
        let mut options = line.get(3).copied().unwrap_or_default().split(|byte| *byte == b',');
        !options.any(|option| option == b"noauto")
    });
    lines.filter_map(|line| line.get(1).map(|field| unescape(field))).filter(|point| point.is_absolute()).collect()
}

/// The mount point that holds a path: the longest one above it.
pub fn holding<'a>(points: &'a [PathBuf], path: &Path) -> Option<&'a PathBuf> {
    points.iter().filter(|point| path.starts_with(point)).max_by_key(|point| point.components().count())
}

fn fields(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let line = |line| <[u8]>::split(line, u8::is_ascii_whitespace).filter(|field| !field.is_empty()).collect();
    text.split(|byte| *byte == b'\n').map(line)
}

/// Both files write blanks and backslashes as `\` and three octal digits.
fn unescape(mut field: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    while let Some((first, rest)) = field.split_first() {
        let octal = rest.get(..3).filter(|digits| digits.iter().all(|digit| (b'0'..b'8').contains(digit)));
        match octal {
            Some(digits) if *first == b'\\' => {
                bytes.push(digits.iter().fold(0_u8, |all, digit| all.wrapping_mul(8).wrapping_add(digit - b'0')));
                field = &rest[3..];
            }
            _ => {
                bytes.push(*first);
                field = rest;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_gives_the_mount_points() {
        let text =
            b"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:34 /sub /mnt/my\\040disk rw,x shared:1 - nfs4 h:/x rw\n\n";
        let points = mount_points(text);
        assert_eq!(points, [PathBuf::from("/"), PathBuf::from("/mnt/my disk")]);
        assert_eq!(holding(&points, Path::new("/mnt/my disk/pods")), Some(&points[1]));
        assert_eq!(holding(&points, Path::new("/mnt/my disk2")), Some(&points[0]));
        assert_eq!(holding(&points[1..], Path::new("/etc")), None);
    }

    #[test]
    fn fstab_gives_what_is_mounted_at_boot() {
        let text = b"# a comment /x\nUUID=1 / ext4 defaults 0 1\n  /dev/b\t/srv/pods\text4\trw,nofail 0 2\n/dev/c /late xfs rw,noauto\n/dev/d none swap sw\n/dev/e\n";
        assert_eq!(wanted(text), [PathBuf::from("/"), PathBuf::from("/srv/pods")]);
    }

    #[test]
    fn escapes() {
        for (written, meant) in
            [("a\\134b", "a\\b"), ("a\\1", "a\\1"), ("a\\", "a\\"), ("\\040\\011", " \t"), ("\\777", "\u{fffd}")]
        {
            assert_eq!(unescape(written.as_bytes()).to_string_lossy(), meant);
        }
    }
}
