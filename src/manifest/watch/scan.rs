//! One look at the manifest path, and the reading of one file.
//!
//! Only regular files are ever opened: what a name stands for is asked of a handle that opens nothing
//! (`O_PATH`), and the content is read through that same handle, so that nothing can be exchanged in
//! between.

use super::settle::{Fingerprint, Seen};
use crate::manifest::parse::MAX_FILE_SIZE;
use nix::fcntl::OFlag;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    fs::{self, File, FileType, Metadata, OpenOptions},
    io::{self, Read},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

/// Symlinks followed in one path at most (the kernel's limit).
const MAX_LINKS: usize = 40;

/// Device, inode, and birth where the file system knows it: inodes are used again at once.
pub type Ident = (u64, u64, Option<SystemTime>);

/// What tells a directory from another that stands at its path later.
pub fn ident(metadata: &Metadata) -> Ident {
    (metadata.dev(), metadata.ino(), metadata.created().ok())
}

/// What was found at the manifest path.
#[derive(Debug, Default)]
pub struct Listing {
    /// The directory, free of symlinks, and its identity; `None` if the path is a single file.
    pub directory: Option<(PathBuf, Ident)>,
    /// What stands under the names that are read, as configured.
    pub files: BTreeMap<PathBuf, Seen>,
    /// Names that are not read, and why.
    pub strangers: BTreeMap<PathBuf, String>,
    /// Names elsewhere that take part in these files.
    pub parts: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

/// Whether a name in the manifest directory is read.
pub fn is_manifest_name(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let ends = [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end.as_bytes()));
    ends && !name.starts_with(b".")
}

/// Lists a directory without opening anything in it. `real` is the directory, free of symlinks, and
/// `configured` what its files are called by.
pub fn list(real: &Path, configured: &Path) -> io::Result<Listing> {
    let mut listing = Listing { directory: Some((real.to_owned(), ident(&fs::metadata(real)?))), ..Listing::default() };
    for entry in fs::read_dir(real)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), configured.join(entry.file_name()));
        if is_manifest_name(&name) {
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            listing.add(path, &entry.path(), is_link);
        } else {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            listing.strangers.insert(path, stranger(&name, is_directory).to_owned());
        }
    }
    Ok(listing)
}

/// Looks at a single file, whatever its name. `way`: the way to it.
pub fn list_single(path: &Path, way: &Way) -> Listing {
    let mut listing = Listing::default();
    listing.add(path.to_owned(), path, false);
    for name in &way.names {
        listing.parts.entry(name.clone()).or_default().insert(path.to_owned());
    }
    listing
}

impl Listing {
    fn add(&mut self, path: PathBuf, real: &Path, is_link: bool) {
        if is_link {
            for name in way(real).names {
                self.parts.entry(name).or_default().insert(path.clone());
            }
        }
        if let Some(seen) = seen(real) {
            self.files.insert(path, seen);
        }
    }
}

/// What stands at a path; `None` if nothing does.
fn seen(path: &Path) -> Option<Seen> {
    Some(match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Seen::Regular(fingerprint(&metadata)),
        Ok(metadata) => Seen::Unusable(format!("is {}, which is never read as a manifest", kind(metadata.file_type()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Either it has just been removed, or it is a link to nothing.
            let target = fs::read_link(path).ok()?;
            Seen::Unusable(format!("is a link to {}, which does not exist", target.display()))
        }
        Err(error) => Seen::Unusable(format!("can not be looked at: {error}")),
    })
}

fn stranger(name: &OsStr, is_directory: bool) -> &'static str {
    match name.as_encoded_bytes() {
        [b'.', ..] => "is hidden",
        _ if is_directory => "is a directory; only files directly in the manifest directory are read",
        _ => "does not end in .yaml, .yml or .json",
    }
}

/// What something is that is not a regular file.
pub fn kind(kind: FileType) -> &'static str {
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_block_device() || kind.is_char_device() => "a device",
        () => "no regular file",
    }
}

fn fingerprint(metadata: &Metadata) -> Fingerprint {
    Fingerprint {
        dev: metadata.dev(),
        ino: metadata.ino(),
        size: metadata.size(),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        ctime: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// What came of reading a file.
#[derive(Debug)]
pub enum Content {
    /// The bytes.
    Bytes(Vec<u8>),
    /// It is not what the look found any more: look again.
    Disturbed,
    /// It can not be taken (text says why).
    Unusable {
        /// Identifier of the finding.
        code: &'static str,
        /// Why.
        message: String,
        /// What to do.
        suggestion: &'static str,
    },
}

/// Reads a file that a look found, if it still is that file and does not change meanwhile.
pub fn read(path: &Path, expected: &Fingerprint) -> Content {
    match try_read(path, expected) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Content::Disturbed,
        Err(error) => Content::Unusable {
            code: "unreadable-file",
            message: format!("the file can not be read: {error}"),
            suggestion: "check its owner and mode, and the file system",
        },
    }
}

fn try_read(path: &Path, expected: &Fingerprint) -> io::Result<Content> {
    let handle = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path)?;
    let is_same = |file: &File| -> io::Result<bool> {
        let metadata = file.metadata()?;
        Ok(metadata.is_file() && fingerprint(&metadata) == *expected)
    };
    if !is_same(&handle)? {
        return Ok(Content::Disturbed);
    }
    let limit = MAX_FILE_SIZE as u64;
    if expected.size > limit {
        return Ok(Content::Unusable {
            code: "too-large",
            message: format!("the file has {} bytes, more than 10 MiB", expected.size),
            suggestion: "split it",
        });
    }
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let file =
        OpenOptions::new().read(true).custom_flags(flags).open(format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
    let mut bytes = Vec::with_capacity(usize::try_from(expected.size).unwrap_or_default());
    (&file).take(limit + 1).read_to_end(&mut bytes)?;
    let complete = is_same(&file)? && bytes.len() as u64 == expected.size;
    Ok(if complete { Content::Bytes(bytes) } else { Content::Disturbed })
}

/// The way that the kernel takes through a path.
#[derive(Debug)]
pub struct Way {
    /// Each symlink on it and its end, as real directory and name: a change of any of these names is a
    /// change of what the path leads to. Where something is missing, the last is that.
    pub names: Vec<PathBuf>,
    /// The end, free of symlinks.
    pub end: io::Result<PathBuf>,
}

/// Follows an absolute path.
pub fn way(path: &Path) -> Way {
    let mut names = Vec::new();
    let end = follow(path, &mut names);
    Way { names, end }
}

fn follow(path: &Path, names: &mut Vec<PathBuf>) -> io::Result<PathBuf> {
    let mut links = 0;
    let mut here = PathBuf::from("/");
    let mut left: VecDeque<OsString> = VecDeque::new();
    let push_front = |left: &mut VecDeque<OsString>, path: &Path| {
        for component in path.components().rev() {
            left.push_front(component.as_os_str().to_owned());
        }
    };
    push_front(&mut left, path);
    while let Some(name) = left.pop_front() {
        match Path::new(&name).components().next() {
            Some(Component::RootDir) => here = PathBuf::from("/"),
            Some(Component::ParentDir) => drop(here.pop()),
            Some(Component::Normal(_)) => {
                let next = here.join(&name);
                let metadata = fs::symlink_metadata(&next).inspect_err(|_| names.push(next.clone()))?;
                let is_link = metadata.is_symlink();
                if is_link || left.is_empty() {
                    names.push(next.clone());
                }
                if !is_link {
                    here = next;
                    continue;
                }
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::other("too many symbolic links"));
                }
                push_front(&mut left, &fs::read_link(&next)?);
            }
            _ => {}
        }
    }
    Ok(here)
}

#[cfg(test)]
mod tests;
