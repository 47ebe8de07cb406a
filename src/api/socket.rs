//! Where the socket lies, and how it comes to be there.

use crate::settings::ROOT_DIR;
use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

const NAME: &str = "kubelet-lite.sock";
/// The directory of the default root directory's socket, for root alone.
const RUN_DIR: &str = "/run/kubelet-lite";
/// A socket's path can not be longer (`sun_path`, with its end).
const LONGEST: usize = 107;

/// Where the socket of a daemon may be, the best place first: as said, else in `/run/kubelet-lite` for the
/// default root directory, else in the root directory itself, so that daemons with different ones never
/// meet.
pub fn places(given: Option<&Path>, root_dir: &Path) -> Vec<PathBuf> {
    if let Some(given) = given {
        return vec![given.to_owned()];
    }
    let mut places = vec![root_dir.join(NAME)];
    if root_dir == Path::new(ROOT_DIR) {
        places.insert(0, Path::new(RUN_DIR).join(NAME));
    }
    places
}

/// A path that names the same file and is short enough for a socket's address. The directory that is
/// returned with it must stay open as long as the path is used.
fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().as_bytes().len() <= LONGEST {
        return Ok((path.to_owned(), None));
    }
    let (directory, name) = split(path)?;
    let directory = File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok((short, Some(directory)))
}

fn split(path: &Path) -> io::Result<(&Path, &std::ffi::OsStr)> {
    path.parent().zip(path.file_name()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// Connects to the socket at `path`.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (short, _directory) = short(path)?;
    UnixStream::connect(short).await
}

/// Listens at `path`, readable and writable for the owner alone from the first moment on. What was left
/// there by a daemon that is gone is replaced.
pub(super) async fn bind(path: &Path) -> io::Result<UnixListener> {
    let (directory, name) = split(path)?;
    if !directory.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something else than a socket"));
        }
        Ok(_) if connect(path).await.is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another daemon listens there"));
        }
        Ok(_) | Err(_) => {}
    }
    // Made under another name and with its mode, then put in place in one step.
    let draft = directory.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    if let Err(error) = fs::remove_file(&draft)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let (short, _directory) = short(&draft)?;
    let listener = UnixListener::bind(short)?;
    let placed = fs::set_permissions(&draft, Permissions::from_mode(0o600)).and_then(|()| fs::rename(&draft, path));
    if let Err(error) = placed {
        // Nobody knows of it yet.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(listener)
}
