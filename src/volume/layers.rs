//! The files of an image: the layers of a docker-archive (`docker save`), laid over one another as the engine
//! lays them.
//!
//! Links in an image may lead anywhere, and a later layer may write through a link of an earlier one. So every
//! directory is looked up by the kernel with the target as its root (`RESOLVE_IN_ROOT`), as it would be inside of
//! a container: nothing is written outside of it. Devices and pipes are left out, and set-user-id bits.

mod bounded;
mod refused;

use super::tree;
use bounded::Bounded;
use flate2::bufread::MultiGzDecoder;
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{FchmodatFlags, Mode, fchmodat, mkdirat},
    unistd::{geteuid, syncfs},
};
use refused::Refused;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    },
    path::{Component, Path, PathBuf},
};
use tar::EntryType;

const MANIFEST: &str = "manifest.json";
/// Bytes of a manifest that are read.
const MAX_MANIFEST: u64 = 1 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// What a layer hides of those below it: `.wh.<name>`, or all of a directory (OCI image spec, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Attributes of a sparse file, in pax format.
const SPARSE: &[u8] = b"GNU.sparse.";
/// Mode of a directory that a layer takes for granted.
const DIRECTORY: Mode = Mode::from_bits_truncate(0o755);

/// Unpacks the one image of an archive into an empty directory; fails soon once it is `given_up`.
pub(super) fn unpack(archive: &File, directory: &Path, given_up: &dyn Fn() -> bool) -> io::Result<()> {
    let parts = Parts::read(archive)?;
    let root = Root(OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(directory)?);
    let mut left_out = BTreeSet::new();
    for layer in &parts.layers {
        let part = parts.find(layer)?;
        hide(&mut open(archive, part, given_up)?, &root)?;
        lay(&mut open(archive, part, given_up)?, &root, &mut left_out)?;
    }
    if given_up() {
        return Err(Refused::GivenUp.into());
    }
    // A power cut must not leave empty files in what counts as complete.
    Ok(syncfs(&root.0)?)
}

/// Where a file lies in the archive.
#[derive(Clone, Copy)]
struct Part {
    offset: u64,
    size: u64,
}

/// What is in an archive.
struct Parts {
    files: BTreeMap<PathBuf, Part>,
    /// Of older engines: a layer that is there twice is a link to the other.
    links: BTreeMap<PathBuf, PathBuf>,
    /// From the lowest up.
    layers: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "Layers")]
    layers: Vec<PathBuf>,
}

impl Parts {
    fn read(archive: &File) -> io::Result<Self> {
        let (mut files, mut links, mut manifest) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        rewound(archive, 0)?;
        for entry in tar::Archive::new(archive).entries_with_seek()? {
            let mut entry = entry?;
            let path = entry.path()?.into_owned();
            if path == Path::new(MANIFEST) {
                entry.by_ref().take(MAX_MANIFEST).read_to_end(&mut manifest)?;
            } else if let (EntryType::Symlink | EntryType::Link, Some(target)) =
                (entry.header().entry_type(), entry.link_name()?)
            {
                links.insert(path, target.into_owned());
            } else {
                files.insert(path, Part { offset: entry.raw_file_position(), size: entry.size() });
            }
        }
        let images: Vec<Image> = serde_json::from_slice(&manifest).map_err(Refused::Manifest)?;
        let [image] = <[Image; 1]>::try_from(images).map_err(|images| match images.len() {
            0 => Refused::NoImage,
            many => Refused::Images(many),
        })?;
        Ok(Self { files, links, layers: image.layers })
    }

    fn find(&self, layer: &Path) -> io::Result<Part> {
        let direct = self.files.get(layer);
        let linked = || {
            let target = self.links.get(layer)?;
            self.files.get(target).or_else(|| self.files.get(&beside(layer, target)))
        };
        let found = direct.or_else(linked).copied();
        Ok(found.ok_or_else(|| Refused::LacksLayer(layer.to_owned()))?)
    }
}

/// Where a relative link at `path` leads.
fn beside(path: &Path, target: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = path.parent().into_iter().flat_map(Path::components).collect();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(_) => parts.push(part),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts.into_iter().collect()
}

fn rewound(mut archive: &File, offset: u64) -> io::Result<&File> {
    archive.seek(SeekFrom::Start(offset))?;
    Ok(archive)
}

type Layer<'a> = tar::Archive<Bounded<Wanted<'a>>>;

/// Bytes that come until they are given up: a layer may be large, and so may one file of it.
struct Wanted<'a> {
    bytes: Box<dyn Read + 'a>,
    given_up: &'a dyn Fn() -> bool,
}

impl Read for Wanted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.given_up)() { Err(Refused::GivenUp.into()) } else { self.bytes.read(into) }
    }
}

/// A layer, from its beginning: as it is, or compressed with gzip, as some image stores keep them.
fn open<'a>(archive: &'a File, part: Part, given_up: &'a dyn Fn() -> bool) -> io::Result<Layer<'a>> {
    let mut bytes = BufReader::with_capacity(1 << 16, rewound(archive, part.offset)?.take(part.size));
    let head = bytes.fill_buf()?;
    if head.starts_with(ZSTD) {
        return Err(Refused::Zstd.into());
    }
    let compressed = head.starts_with(GZIP);
    let bytes: Box<dyn Read + 'a> = if compressed { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
    let mut layer = tar::Archive::new(Bounded::new(Wanted { bytes, given_up }));
    // Only root may give files away.
    layer.set_preserve_ownerships(geteuid().is_root());
    Ok(layer)
}

/// Removes what a layer hides of those below it. What lies behind a link is not hidden: the layer has a directory
/// in the place of that link.
fn hide(layer: &mut Layer<'_>, root: &Root) -> io::Result<()> {
    for entry in layer.entries()? {
        let Some((parent, name)) = place(&entry?.path()?)? else { continue };
        let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) else { continue };
        let directory = match root.open(&parent, ResolveFlag::RESOLVE_NO_SYMLINKS) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => continue,
            found => found?,
        };
        if name.as_bytes() == OPAQUE {
            for entry in fs::read_dir(at(&directory, OsStr::new(".")))? {
                clear(&at(&directory, &entry?.file_name()), false)?;
            }
        } else if is_name(hidden) && !hidden.starts_with(WHITEOUT) {
            clear(&at(&directory, OsStr::from_bytes(hidden)), false)?;
        }
    }
    Ok(())
}

/// Writes what a layer has. `left_out` are the devices and pipes so far, with what is linked to them.
fn lay(layer: &mut Layer<'_>, root: &Root, left_out: &mut BTreeSet<(PathBuf, OsString)>) -> io::Result<()> {
    for entry in layer.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        refuse_sparse(&mut entry)?;
        // The root stays as it is: Docker takes no mode and no owner of it from a layer.
        let Some((parent, name)) = place(&entry.path()?)? else { continue };
        if name.as_bytes().starts_with(WHITEOUT) {
            continue;
        }
        let directory = root.make_directory(&parent)?;
        let target = at(&directory, &name);
        clear(&target, kind.is_dir())?;
        let here = (parent, name);
        if matches!(kind, EntryType::Char | EntryType::Block | EntryType::Fifo) {
            left_out.insert(here);
            continue;
        }
        if kind.is_hard_link() {
            let link = entry.link_name()?.ok_or_else(|| Refused::LinksToNothing(here.1.clone()))?;
            let Some(linked) = place(&link)? else { continue };
            if left_out.contains(&linked) {
                left_out.insert(here);
                continue;
            }
            fs::hard_link(at(&root.directory(&linked.0)?, &linked.1), &target)?;
        } else {
            entry.unpack(&target)?;
        }
        left_out.remove(&here);
    }
    Ok(())
}

/// A sparse file of pax format would become its map and its data, without the holes.
fn refuse_sparse(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<()> {
    let attributes = entry.pax_extensions()?.into_iter().flatten();
    let is_sparse = attributes.filter_map(Result::ok).any(|record| record.key_bytes().starts_with(SPARSE));
    if is_sparse { Err(Refused::Sparse(entry.path()?.into_owned()).into()) } else { Ok(()) }
}

/// Directory and name of an entry; `None` for the root.
fn place(path: &Path) -> io::Result<Option<(PathBuf, OsString)>> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Refused::Outside(path.to_owned()).into());
            }
        }
    }
    let Some(name) = parts.file_name().map(OsStr::to_owned) else { return Ok(None) };
    parts.pop();
    Ok(Some((parts, name)))
}

fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/')
}

/// A file by the descriptor of its directory, which nothing can lead elsewhere.
fn at(directory: &impl AsRawFd, name: &OsStr) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
}

/// Removes what has this name, unless both that and what comes are directories.
fn clear(path: &Path, for_directory: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() && for_directory => Ok(()),
        Ok(found) if found.is_dir() => tree::remove(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The directory that is unpacked into, which is the root of all lookups.
struct Root(File);

impl Root {
    /// A directory of the image; the empty path is its root.
    fn directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.open(path, ResolveFlag::RESOLVE_NO_MAGICLINKS)
    }

    fn open(&self, path: &Path, limits: ResolveFlag) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | limits);
        openat2(&self.0, &Path::new(".").join(path), how)
    }

    /// The same, made if it is missing.
    fn make_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.directory(path) {
            Err(Errno::ENOENT) => {}
            found => return found,
        }
        let mut so_far = PathBuf::new();
        let mut directory = self.directory(&so_far)?;
        for name in path {
            so_far.push(name);
            directory = match self.directory(&so_far) {
                Err(Errno::ENOENT) => {
                    mkdirat(&directory, Path::new(name), DIRECTORY)?;
                    // Whatever the umask.
                    fchmodat(&directory, Path::new(name), DIRECTORY, FchmodatFlags::FollowSymlink)?;
                    self.directory(&so_far)?
                }
                found => found?,
            };
        }
        Ok(directory)
    }
}

#[cfg(test)]
mod tests;
