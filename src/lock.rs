//! One daemon for each root directory: a lock that the kernel drops when the process ends, however.

use nix::fcntl::{Flock, FlockArg};
use std::{
    fs::File,
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// Held for as long as the daemon lives.
#[derive(Debug)]
pub struct RootLock {
    _file: Flock<File>,
}

/// Why a root directory can not be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("another kubelet-lite works on {0}: stop it, or give this one another --root-dir")]
    Held(PathBuf),
    /// It can not be made or opened.
    #[error("the root directory {path} can not be used: make it writable for this user, or choose another --root-dir")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

/// How long a daemon that was just killed may take to let go.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the root directory if need be, and locks it, waiting a little for one that is just leaving.
pub async fn lock(root_dir: &Path) -> Result<RootLock, LockError> {
    let waited = tokio::time::Instant::now();
    loop {
        match try_lock(root_dir) {
            Err(LockError::Held(_)) if waited.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

fn try_lock(root_dir: &Path) -> Result<RootLock, LockError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LockError::Io { path, source }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(root_dir).map_err(failed(root_dir))?;
    let path = root_dir.join("kubelet-lite.lock");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed(&path))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(file) => Ok(RootLock { _file: file }),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(LockError::Held(root_dir.to_owned())),
        Err((_, errno)) => Err(LockError::Io { path, source: errno.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_daemon_is_refused_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        let held = lock(&root).await.unwrap();
        assert!(matches!(lock(&root).await, Err(LockError::Held(path)) if path == root));
        let (second, ()) = tokio::join!(lock(&root), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(held);
        });
        second.unwrap();
    }
}
