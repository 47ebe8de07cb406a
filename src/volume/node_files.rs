//! What is read of the node itself: files that the operator keeps, and the size of the disk. Nothing is written here.

use super::{
    VolumeError, VolumeManager,
    error::{Io, Place},
    paths,
};
use crate::{
    convert::{self, ResolvConf},
    pod::Confidential,
};
use nix::fcntl::OFlag;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Bytes of a seccomp profile that are read; one that is longer is cut short, and then no JSON.
const MAX_SECCOMP_PROFILE: u64 = 1 << 20;
/// Bytes of a Docker configuration that are read, likewise.
const MAX_CONFIG: u64 = 1 << 20;

impl VolumeManager {
    /// A seccomp profile of the node, by its path below `<root-dir>/seccomp`; else why it can not be read.
    pub fn seccomp_profile(&self, profile: &str) -> Result<String, String> {
        let path = paths::seccomp_profile(&self.root, profile).map_err(|error| error.to_string())?;
        let read = || {
            if !fs::metadata(&path)?.is_file() {
                // A pipe would keep us waiting.
                return Err(io::Error::other("it is not a regular file"));
            }
            let mut text = String::new();
            fs::File::open(&path)?.take(MAX_SECCOMP_PROFILE).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error: io::Error| format!("{}: {error}", path.display()))
    }

    /// `<root-dir>/config.json`, a Docker configuration that says who pulls from which registry; `None` if
    /// there is none.
    pub fn registry_config(&self) -> Result<Option<Confidential>, VolumeError> {
        let path = self.root.join("config.json");
        let place = &Place::none();
        let failed = place.io("read", &path);
        let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        match file.take(MAX_CONFIG).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(Confidential::new(bytes))),
            Err(error) => Err(failed(error)),
        }
    }

    /// The node's resolver: the file `path`, which is none if it is empty, and what lies behind
    /// systemd-resolved's stub. Only [`convert::RESOLV_CONF`] may be missing, which then says nothing.
    pub fn resolv_conf(&self, path: &Path) -> Result<ResolvConf, VolumeError> {
        let read = |path: &Path| -> io::Result<String> {
            let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
            let mut bytes = Vec::new();
            file.take(MAX_CONFIG).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = match read(path) {
            _ if path.as_os_str().is_empty() => String::new(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path == Path::new(convert::RESOLV_CONF) => {
                String::new()
            }
            text => text.map_err(Place::none().io("read", path))?,
        };
        Ok(ResolvConf { text, behind_stub: read(Path::new(convert::BEHIND_STUB)).ok() })
    }
}

/// Bytes of the disk that a directory lies on; `None` if the system does not say.
pub fn disk_size(directory: &Path) -> Option<i64> {
    let disk = nix::sys::statvfs::statvfs(directory).ok()?;
    i64::try_from(disk.blocks().saturating_mul(disk.fragment_size())).ok()
}

/// The node's own `/etc/hosts`; without one there is nothing to copy.
pub(super) fn node_hosts() -> String {
    fs::read(Path::new("/etc/hosts")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
