//! Links to the logs of containers, where log collectors of Kubernetes look for them:
//! `<pods>/<namespace>_<pod>_<uid>/<container>/<attempt>.log`, and `<containers>/<pod>_<namespace>_<container>-<id>.log`,
//! which leads to the first.
//!
//! The log itself is the engine's. Only symbolic links are removed here, and directories that are empty.

use super::paths::{self, NotAFileName};
use crate::pod::{Attempt, ContainerId, ContainerName, PodKey, PodUid};
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
};

/// Longest name of a file.
const LONGEST_NAME: usize = 255;
const SUFFIX: &str = ".log";
/// Collectors may run as anybody.
const DIRECTORY: u32 = 0o755;

/// Where the links lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLinks {
    pods: PathBuf,
    containers: PathBuf,
}

/// The links of one instance of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLink {
    /// By pod and attempt.
    of_pod: PathBuf,
    /// By the engine's id, in one directory for all.
    of_container: PathBuf,
    /// What both lead to.
    log: PathBuf,
}

impl LogLinks {
    /// Links below `--pod-logs-dir`, and in the directory `containers` beside it.
    pub fn new(pods: &Path) -> Self {
        Self { pods: pods.to_owned(), containers: pods.parent().unwrap_or(pods).join("containers") }
    }

    /// The links of an instance of a container whose log is the file `log`.
    pub fn link(
        &self,
        pod: &PodKey,
        uid: &PodUid,
        (container, attempt, id): (&ContainerName, Attempt, &ContainerId),
        log: &str,
    ) -> Result<LogLink, NotAFileName> {
        let PodKey { namespace, name } = pod;
        for text in [namespace, name, uid.as_str(), container.as_str(), id.as_str()] {
            paths::plain(text)?;
        }
        let of_pod = self.pods.join(format!("{namespace}_{name}_{uid}")).join(container.as_str());
        let mut flat = format!("{name}_{namespace}_{container}-{id}");
        flat.truncate(LONGEST_NAME - SUFFIX.len());
        Ok(LogLink {
            of_pod: of_pod.join(format!("{attempt}{SUFFIX}")),
            of_container: self.containers.join(flat + SUFFIX),
            log: log.into(),
        })
    }

    /// Removes links that lead to the log of a container that is gone, whoever made them, and directories that are
    /// empty then. Names of other forms are left alone.
    pub fn sweep(&self) -> io::Result<()> {
        for pod in entries(&self.pods)? {
            for container in entries(&pod)? {
                for link in entries(&container)? {
                    remove_dangling(&link, |target| target.to_string_lossy().ends_with("-json.log"))?;
                }
                remove_empty(&container)?;
            }
            remove_empty(&pod)?;
        }
        for link in entries(&self.containers)? {
            remove_dangling(&link, |target| target.starts_with(&self.pods))?;
        }
        Ok(())
    }
}

impl LogLink {
    /// Makes the links, if they are not there already.
    pub fn make(&self) -> io::Result<()> {
        ensure(&self.of_pod, &self.log)?;
        ensure(&self.of_container, &self.of_pod)
    }

    /// Removes what leads to this log, and the directories of the pod that are empty then.
    pub fn remove(&self) -> io::Result<()> {
        remove_link(&self.of_container, |target| target == self.of_pod)?;
        remove_link(&self.of_pod, |target| target == self.log)?;
        let container = self.of_pod.parent().unwrap_or(&self.of_pod);
        remove_empty(container)?;
        remove_empty(container.parent().unwrap_or(container))
    }
}

/// A link at `path` to `target`. Another link that is there gives way; a file does not.
fn ensure(path: &Path, target: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(parent)?;
    match symlink(target, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    if fs::read_link(path)? != target {
        fs::remove_file(path)?;
        symlink(target, path)?;
    }
    Ok(())
}

/// Removes the link at `path` if `is_ours` says so of its target. What is not there, or no link, is fine.
fn remove_link(path: &Path, is_ours: impl Fn(&Path) -> bool) -> io::Result<()> {
    match fs::read_link(path) {
        Ok(target) if is_ours(&target) => fs::remove_file(path).or_else(is_gone),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        Err(error) => is_gone(error),
    }
}

fn remove_dangling(path: &Path, is_ours: impl Fn(&Path) -> bool) -> io::Result<()> {
    if path.exists() { Ok(()) } else { remove_link(path, is_ours) }
}

fn remove_empty(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory) => Ok(()),
        Err(error) => is_gone(error),
        Ok(()) => Ok(()),
    }
}

fn is_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// What is in a directory; nothing if it is none, or a link to one.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::symlink_metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Ok(Vec::new()),
        Err(error) => return is_gone(error).map(|()| Vec::new()),
    }
    fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn of(links: &LogLinks, pod: &str, attempt: u32, log: &str) -> Result<LogLink, NotAFileName> {
        let (container, id) = (ContainerName::new("app"), ContainerId::new(ID));
        links.link(&PodKey::new("prod", pod), &PodUid::new("u1"), (&container, Attempt(attempt), &id), log)
    }

    #[test]
    fn names_are_the_kubelets() {
        let links = LogLinks::new(Path::new("/var/log/pods"));
        let link = of(&links, "web-n1", 2, "/data/x-json.log").unwrap();
        assert_eq!(link.of_pod, Path::new("/var/log/pods/prod_web-n1_u1/app/2.log"));
        assert_eq!(link.of_container, Path::new(&format!("/var/log/containers/web-n1_prod_app-{ID}.log")));
        let long = of(&links, &"p".repeat(253), 0, "/x").unwrap();
        let name = long.of_container.file_name().unwrap().to_str().unwrap();
        assert!(name.len() == 255 && name.starts_with("ppp") && name.ends_with(".log"), "{name}");
        assert!(of(&links, "../web", 0, "/x").is_err());
    }

    #[test]
    fn links_come_and_go_with_their_container() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let links = LogLinks::new(&at("log/pods"));
        fs::write(at("0-json.log"), "first").unwrap();
        fs::write(at("1-json.log"), "second").unwrap();
        let log = |n: u32| at(&format!("{n}-json.log")).display().to_string();
        let (first, second) = (of(&links, "web", 0, &log(0)).unwrap(), of(&links, "web", 1, &log(1)).unwrap());
        let text = |link: &LogLink| fs::read_to_string(&link.of_container).unwrap();
        for _ in 0..2 {
            first.make().unwrap();
            assert_eq!(text(&first), "first");
        }
        // The same container at another place: the newest counts.
        second.make().unwrap();
        assert_eq!(text(&second), "second");
        first.remove().unwrap();
        assert_eq!(text(&second), "second", "what leads elsewhere stays");
        assert!(!first.of_pod.exists());
        for _ in 0..2 {
            second.remove().unwrap();
        }
        assert_eq!(entries(&at("log/pods")).unwrap().len() + entries(&at("log/containers")).unwrap().len(), 0);
        // A file that somebody else has written is nobody's link.
        fs::create_dir_all(first.of_pod.parent().unwrap()).unwrap();
        fs::write(&first.of_pod, "a file").unwrap();
        assert!(first.make().is_err());
        first.remove().unwrap();
        assert_eq!(fs::read_to_string(&first.of_pod).unwrap(), "a file");
    }

    #[test]
    fn a_sweep_takes_only_links_that_lead_to_logs_that_are_gone() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        let links = LogLinks::new(&at("log/pods"));
        assert!(links.sweep().is_ok(), "nothing is there yet");
        fs::write(at("a-json.log"), "alive").unwrap();
        let alive = of(&links, "alive", 0, &at("a-json.log").display().to_string()).unwrap();
        let gone = of(&links, "gone", 0, &at("g-json.log").display().to_string()).unwrap();
        // The two differ in their pod, and so in all their names.
        alive.make().unwrap();
        gone.make().unwrap();
        fs::create_dir_all(at("log/pods/other/c")).unwrap();
        fs::write(at("log/pods/other/c/0.log"), "of a kubelet").unwrap();
        symlink("/nowhere/0.log", at("log/pods/other/c/1.log")).unwrap();
        symlink("/nowhere/x.log", at("log/containers/other.log")).unwrap();
        links.sweep().unwrap();
        let names = |directory: &str| -> Vec<String> {
            let mut names: Vec<_> = entries(&at(directory)).unwrap();
            names.sort();
            names.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("log/pods"), ["other", "prod_alive_u1"]);
        assert_eq!(names("log/pods/other/c"), ["0.log", "1.log"]);
        assert_eq!(names("log/containers"), [format!("alive_prod_app-{ID}.log"), "other.log".to_owned()]);
        assert_eq!(fs::read_to_string(&alive.of_container).unwrap(), "alive");
    }
}
