//! Directories below `--root-dir`: volumes, the managed `/etc/hosts`, termination messages, and the
//! manifest last applied.
//!
//! The shell to [`crate::convert`]: that room says which paths a container mounts ([`paths`]), this
//! one makes them, and removes them with their pod. Nothing here may be needed to know what runs;
//! labels say that. Everything is synchronous `std::fs`, to be called from blocking tasks, and
//! idempotent, so that a doubtful effect is simply repeated.
//!
//! **Invariant**: nothing outside of `<root-dir>/pods/<uid>/` is ever removed but links to logs ([`LogLinks`]), nor anything that is
//! mounted there: it is unmounted first, or else stays.

mod applied;
mod atomic;
mod claims;
mod endings;
mod error;
mod files;
mod host_path;
mod image;
mod key;
mod layers;
mod leftover;
mod log_links;
mod memory;
mod mount_table;
mod nested;
mod node_files;
mod ownership;
pub mod paths;
mod removal;
mod sub_path;
mod tree;

pub use applied::AppliedStore;
pub use error::VolumeError;
pub use files::{Held, Written};
pub use key::environment_key;
pub use log_links::{LogLink, LogLinks};
pub use node_files::disk_size;
pub use removal::Leftovers;

use crate::{
    convert::{self, DiskFacts, EnvFiles, FileVolumes, NodeFacts, SandboxFacts},
    pod::{Attempt, Container, ContainerName, ImageVolume, Pod, PodUid},
};
use error::{Io, Place};
use k8s_openapi::api::core::v1 as api;
use memory::{memory_size, mount_tmpfs};
use nix::fcntl::OFlag;
use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Mode of directories that only the daemon looks into.
const PRIVATE_DIR: u32 = 0o750;
/// Mode of an emptyDir: any user of any container writes to it.
const EMPTY_DIR: u32 = 0o777;
const SETGID: u32 = 0o2000;
const HOSTS_FILE: u32 = 0o644;
/// Any user of the container writes its last words.
const TERMINATION_LOG: u32 = 0o666;

/// Makes and removes the directories of pods.
#[derive(Clone, Debug)]
pub struct VolumeManager {
    root: PathBuf,
}

impl VolumeManager {
    /// A manager of an absolute `--root-dir`.
    pub fn new(root_dir: impl Into<PathBuf>) -> Self {
        Self { root: root_dir.into() }
    }

    /// Makes the pod's directory and the volumes that its containers use, and checks their host paths. What is there already
    /// stays as it is; what an earlier manifest of the pod has left goes. To be called before the pod's first container is made, and again after a
    /// reboot, when memory volumes are gone.
    ///
    /// `files` are the volumes that are written here, as they should be `now`; says what they hold then.
    pub fn prepare(
        &self,
        pod: &Pod,
        files: &FileVolumes,
        now: jiff::Timestamp,
        node: &NodeFacts,
    ) -> Result<Held, VolumeError> {
        let place = &Place::of(&pod.key);
        make_private(&self.pod_dir(&pod.uid, place)?, place)?;
        self.forget_claims(pod)?;
        self.clear_leftovers(pod, node)?;
        let held = self.write_files(pod, files, now).complete()?;
        convert::used_volumes(pod).try_for_each(|volume| self.prepare_volume(pod, volume, node, place))?;
        Ok(held)
    }

    /// Makes the files of one instance of a container: `/etc/hosts`, an empty termination message,
    /// sub-paths, places for what is mounted in volumes of files. To be called before each container is made, once its sandbox runs.
    pub fn prepare_container(
        &self,
        pod: &Pod,
        container: &Container,
        sandbox: &SandboxFacts<'_>,
        attempt: Attempt,
        disk: &DiskFacts,
        node: &NodeFacts,
    ) -> Result<(), VolumeError> {
        let place = &Place::of(&pod.key);
        make_private(&self.pod_dir(&pod.uid, place)?, place)?;
        // A host path may have gone since the pod's start, and an edit may mount what nobody used before; the
        // engine refuses a missing source. What others mount is their own affair.
        convert::volumes_of(pod, container).try_for_each(|volume| self.prepare_volume(pod, volume, node, place))?;
        if convert::mounts_hosts(container, pod, sandbox) {
            let path = paths::etc_hosts(&self.root, &pod.uid).map_err(place.name())?;
            let node_hosts = if pod.host_network { node_files::node_hosts() } else { String::new() };
            let content = convert::hosts_file(pod, sandbox.ips, &node_hosts, &node.cluster_domain);
            write_in_place(&path, content.as_bytes(), HOSTS_FILE).map_err(place.io("write", &path))?;
        }
        if convert::termination_message_path(container).is_some() {
            self.new_termination_log(pod, container, attempt, place)?;
        }
        for sub_path in convert::sub_paths(pod, container, sandbox, disk, node)? {
            let place = &place.volume(&sub_path.volume);
            sub_path::bind(&sub_path, place)?;
        }
        // After what is mounted there, which tells whether it is a file.
        for point in convert::mount_points(pod, container, node)? {
            nested::make(&point, &place.volume(&point.volume))?;
        }
        Ok(())
    }

    /// Whether an `image` volume is there, complete.
    pub fn has_image(&self, uid: &PodUid, volume: &ImageVolume) -> bool {
        paths::image(&self.root, uid, volume).is_ok_and(|path| path.exists())
    }

    /// A file for the archive of an `image` volume's image, if the volume is still to be made from it, with
    /// [`Self::finish_image`]; else the volume is ready.
    pub fn begin_image(&self, pod: &Pod, volume: &ImageVolume) -> Result<Option<fs::File>, VolumeError> {
        let place = &Place::of(&pod.key).volume(&volume.name);
        image::begin(&paths::image(&self.root, &pod.uid, volume).map_err(place.name())?, place)
    }

    /// Makes an `image` volume from its image's archive; fails soon once it is `given_up`.
    pub fn finish_image(
        &self,
        pod: &Pod,
        volume: &ImageVolume,
        given_up: &dyn Fn() -> bool,
    ) -> Result<(), VolumeError> {
        let place = &Place::of(&pod.key).volume(&volume.name);
        image::finish(&paths::image(&self.root, &pod.uid, volume).map_err(place.name())?, given_up, place)
    }

    /// Removes what a failure has left of an `image` volume that is not made: it may be as large as the image.
    pub fn abandon_image(&self, pod: &Pod, volume: &ImageVolume) -> Result<(), VolumeError> {
        let place = &Place::of(&pod.key).volume(&volume.name);
        image::abandon(&paths::image(&self.root, &pod.uid, volume).map_err(place.name())?, place)
    }

    /// The files that variables of a container are taken from, found without leaving their volumes.
    pub fn env_files(&self, pod: &Pod, container: &Container) -> EnvFiles {
        let read = |volume: &str, path: &str| {
            let root = paths::empty_dir(&self.root, &pod.uid, volume).map_err(|error| error.to_string())?;
            sub_path::read(&root, Path::new(path)).map_err(|error| error.to_string())
        };
        let files = convert::env_files(container).into_iter();
        files.map(|(volume, path)| ((volume.clone(), path.clone()), read(&volume, &path))).collect()
    }

    /// The end of what an instance of a container has written as its termination message, at most `limit`
    /// bytes; `None` if there is no such file.
    pub fn termination_message(
        &self,
        uid: &PodUid,
        container: &ContainerName,
        attempt: Attempt,
        limit: usize,
    ) -> Option<String> {
        let path = paths::termination_log(&self.root, uid, container, attempt).ok()?;
        // The container may have made it anything but another file: it is mounted there.
        let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(limit))).ok()?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn pod_dir(&self, uid: &PodUid, place: &Place) -> Result<PathBuf, VolumeError> {
        paths::pod_dir(&self.root, uid).map_err(place.name())
    }

    /// Makes a volume, or checks its host path.
    fn prepare_volume(
        &self,
        pod: &Pod,
        volume: &api::Volume,
        node: &NodeFacts,
        place: &Place,
    ) -> Result<(), VolumeError> {
        let place = &place.volume(&volume.name);
        // Written of its own; made by the engine; made once its image is here.
        let is_made_elsewhere = convert::file_volume_path(&self.root, pod, volume).is_some()
            || volume.persistent_volume_claim.is_some()
            || volume.image.is_some();
        match (&volume.host_path, &volume.empty_dir) {
            _ if is_made_elsewhere => Ok(()),
            (Some(host_path), _) => host_path::prepare(host_path, place),
            (None, Some(empty_dir)) => self.prepare_empty_dir(pod, &volume.name, empty_dir, node, place),
            (None, None) => Err(VolumeError::Unsupported { place: place.clone() }),
        }
    }

    fn prepare_empty_dir(
        &self,
        pod: &Pod,
        name: &str,
        source: &api::EmptyDirVolumeSource,
        node: &NodeFacts,
        place: &Place,
    ) -> Result<(), VolumeError> {
        let path = paths::empty_dir(&self.root, &pod.uid, name).map_err(place.name())?;
        let group = fs_group(pod, place)?;
        match source.medium.as_deref().unwrap_or_default() {
            "" => make_empty_dir(&path, group, place),
            "Memory" => {
                make_empty_dir(&path, group, place)?;
                mount_tmpfs(&path, EMPTY_DIR, memory_size(pod, source, node.memory_total), group, place)
            }
            medium => {
                let page = memory::page_size(pod, medium)
                    .map_err(|problem| VolumeError::HugePages { place: place.clone(), problem })?;
                make_empty_dir(&path, group, place)?;
                memory::mount_huge_pages(&path, page, memory::size_limit(source), group, place)
            }
        }
    }

    /// An empty file for this instance. Those of the instances before the last are removed: nobody
    /// reads them any more, and a crash loop would never end making new ones.
    fn new_termination_log(
        &self,
        pod: &Pod,
        container: &Container,
        attempt: Attempt,
        place: &Place,
    ) -> Result<(), VolumeError> {
        let directory = paths::container_dir(&self.root, &pod.uid, &container.name).map_err(place.name())?;
        make_private(&directory, place)?;
        let path = paths::termination_log(&self.root, &pod.uid, &container.name, attempt).map_err(place.name())?;
        write_in_place(&path, b"", TERMINATION_LOG).map_err(place.io("write", &path))?;
        for entry in fs::read_dir(&directory).map_err(place.io("list", &directory))? {
            let entry = entry.map_err(place.io("list", &directory))?;
            let older = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            if older.is_some_and(|older| older.saturating_add(1) < attempt.0) {
                fs::remove_file(entry.path()).map_err(place.io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

fn fs_group(pod: &Pod, place: &Place) -> Result<Option<u32>, VolumeError> {
    let Some(group) = pod.spec.security_context.as_ref().and_then(|c| c.fs_group) else { return Ok(None) };
    u32::try_from(group).map(Some).map_err(|_| VolumeError::Group { place: place.clone(), group })
}

/// A directory with its parents, for the daemon alone.
fn make_private(path: &Path, place: &Place) -> Result<(), VolumeError> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path).map_err(place.io("create", path))
}

/// An emptyDir, complete at once or not there: what exists is in use and keeps its content, owner and
/// mode.
fn make_empty_dir(path: &Path, group: Option<u32>, place: &Place) -> Result<(), VolumeError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(place.io("use", path)(error));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(place.io("look at", path)(error)),
    }
    let parent = path.parent().unwrap_or(path);
    make_private(parent, place)?;
    // No volume is called so: a '~' is in no name.
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push("~new");
    let unfinished = PathBuf::from(unfinished);
    match DirBuilder::new().mode(PRIVATE_DIR).create(&unfinished) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => result.map_err(place.io("create", &unfinished))?,
    }
    let mut mode = EMPTY_DIR;
    if let Some(group) = group {
        mode |= SETGID;
        std::os::unix::fs::lchown(&unfinished, None, Some(group)).map_err(place.io("give a group to", &unfinished))?;
    }
    // After the group: a change of owner clears set-gid.
    fs::set_permissions(&unfinished, Permissions::from_mode(mode)).map_err(place.io("set the mode of", &unfinished))?;
    fs::rename(&unfinished, path).map_err(place.io("create", path))
}

/// Makes the file hold `content`, keeping its inode: containers that run mount it. One that is right
/// already is not touched, so that they never see it half written without need.
fn write_in_place(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(mode).custom_flags(nix::libc::O_NOFOLLOW);
    let mut file = options.open(path)?;
    // A container may have made it any size: it is read only if it can be right.
    let same_size = usize::try_from(file.metadata()?.len()) == Ok(content.len());
    let mut present = vec![0; if same_size { content.len() } else { 0 }];
    let right = same_size && file.read_exact(&mut present).is_ok() && present == content;
    if !right {
        file.set_len(0)?;
        io::Seek::rewind(&mut file)?;
        file.write_all(content)?;
    }
    if file.metadata()?.mode() & 0o7777 != mode {
        // What the umask took away.
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
