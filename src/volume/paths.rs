//! Where a pod's files lie below `--root-dir`: the kubelet's layout. Pure.
//!
//! Uids and names come from users and become path components here, so each is checked first.

use crate::pod::{Attempt, ContainerName, ImageVolume, PodUid};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A text that would not stay in its directory, were it used as a file name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a plain name: use 1 to 253 letters, digits, '-', '_' and '.', and begin with a letter or digit"
)]
pub struct NotAFileName {
    /// The text.
    pub text: String,
}

/// Checks that a text is safe as a file name and in the name of a container.
pub fn plain(text: &str) -> Result<&str, NotAFileName> {
    let mut bytes = text.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && text.len() <= 253;
    if good { Ok(text) } else { Err(NotAFileName { text: text.chars().take(80).collect() }) }
}

/// `<root>/pods`.
pub fn pods_dir(root: &Path) -> PathBuf {
    root.join("pods")
}

/// `<root>/pods/<uid>`.
pub fn pod_dir(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pods_dir(root).join(plain(uid.as_str())?))
}

/// `<root>/pods/~<n>.<uid>`: what is left of a pod that nobody knows, until it is removed. No uid looks like that.
pub fn aside(root: &Path, uid: &PodUid, n: u32) -> PathBuf {
    pods_dir(root).join(format!("~{n}.{uid}"))
}

/// Whose directory a path of [`aside`] is; `None` if it is none.
pub fn uid_of_aside(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.strip_prefix('~')?.split_once('.')?.1.to_owned())
}

/// `<pod>/volumes`.
pub fn volumes(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("volumes"))
}

/// `<pod>/volumes/kubernetes.io~empty-dir/<volume>`.
pub fn empty_dir(root: &Path, uid: &PodUid, volume: &str) -> Result<PathBuf, NotAFileName> {
    Ok(volumes(root, uid)?.join("kubernetes.io~empty-dir").join(plain(volume)?))
}

/// `<pod>/volumes/<plug-in>/<volume>`: files that are written here.
pub fn file_volume(root: &Path, uid: &PodUid, plugin: &str, volume: &str) -> Result<PathBuf, NotAFileName> {
    Ok(volumes(root, uid)?.join(plugin).join(plain(volume)?))
}

/// `<pod>/volumes/kubernetes.io~image/<volume>.<digest of the reference>`: the files of an image. Where a pod keeps
/// its volumes over an edit, another image is another directory.
pub fn image(root: &Path, uid: &PodUid, volume: &ImageVolume) -> Result<PathBuf, NotAFileName> {
    let digest = Sha256::digest(volume.image.as_str());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}.{digest}", plain(&volume.name)?);
    Ok(volumes(root, uid)?.join("kubernetes.io~image").join(name))
}

/// `<pod>/claims`: the claims that the pod has.
pub fn claims(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("claims"))
}

/// `<pod>/claims/<claim>`: notes that the pod has this claim.
pub fn claim(root: &Path, uid: &PodUid, claim: &str) -> Result<PathBuf, NotAFileName> {
    Ok(claims(root, uid)?.join(plain(claim)?))
}

/// `<pod>/etc-hosts`: the managed `/etc/hosts`.
pub fn etc_hosts(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("etc-hosts"))
}

/// `<pod>/containers/<container>/<attempt>`: the termination message of one instance.
pub fn termination_log(
    root: &Path,
    uid: &PodUid,
    container: &ContainerName,
    attempt: Attempt,
) -> Result<PathBuf, NotAFileName> {
    Ok(container_dir(root, uid, container)?.join(attempt.to_string()))
}

/// `<pod>/containers/<container>`.
pub fn container_dir(root: &Path, uid: &PodUid, container: &ContainerName) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("containers").join(plain(container.as_str())?))
}

/// `<pod>/volume-subpaths`.
pub fn sub_paths(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("volume-subpaths"))
}

/// `<pod>/volume-subpaths/<volume>/<container>/<index of the mount>`: where a `subPath` is bound.
pub fn sub_path(
    root: &Path,
    uid: &PodUid,
    volume: &str,
    container: &ContainerName,
    index: usize,
) -> Result<PathBuf, NotAFileName> {
    let volume = sub_paths(root, uid)?.join(plain(volume)?);
    Ok(volume.join(plain(container.as_str())?).join(index.to_string()))
}

/// `<root>/seccomp/<profile>`: a seccomp profile of the node, which may lie in a directory there.
pub fn seccomp_profile(root: &Path, profile: &str) -> Result<PathBuf, NotAFileName> {
    profile.split('/').try_fold(root.join("seccomp"), |path, part| Ok(path.join(plain(part)?)))
}

/// `<pod>/pod.json`: the manifest last applied.
pub fn applied(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("pod.json"))
}

/// `<pod>/endings.json`: what of the pod has begun to end.
pub fn endings(root: &Path, uid: &PodUid) -> Result<PathBuf, NotAFileName> {
    Ok(pod_dir(root, uid)?.join("endings.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_paths() {
        for good in ["a", "0", "4f2c-1", "a.b_c", &"x".repeat(253)] {
            assert_eq!(plain(good), Ok(good));
        }
        for bad in
            ["", ".", "..", "../x", "a/b", "/", "-a", ".a", "_a", "a b", "a\0", "a\n", "é", "a:b", &"x".repeat(254)]
        {
            assert!(plain(bad).is_err(), "{bad:?}");
            assert!(pod_dir(Path::new("/r"), &PodUid::new(bad)).is_err(), "{bad:?}");
            assert!(empty_dir(Path::new("/r"), &PodUid::new("u"), bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn layout() {
        let (root, uid, name) = (Path::new("/r"), &PodUid::new("u"), &ContainerName::new("c"));
        let text = |path: Result<PathBuf, NotAFileName>| path.map(|p| p.display().to_string());
        assert_eq!(text(empty_dir(root, uid, "v")), Ok("/r/pods/u/volumes/kubernetes.io~empty-dir/v".into()));
        assert_eq!(text(etc_hosts(root, uid)), Ok("/r/pods/u/etc-hosts".into()));
        assert_eq!(text(termination_log(root, uid, name, Attempt(2))), Ok("/r/pods/u/containers/c/2".into()));
        assert_eq!(text(sub_path(root, uid, "v", name, 1)), Ok("/r/pods/u/volume-subpaths/v/c/1".into()));
        assert_eq!(text(seccomp_profile(root, "profiles/audit.json")), Ok("/r/seccomp/profiles/audit.json".into()));
        for bad in ["", "/etc/passwd", "../x", "a//b", "a/../../b"] {
            assert!(seccomp_profile(root, bad).is_err(), "{bad:?}");
        }
        assert_eq!(text(applied(root, uid)), Ok("/r/pods/u/pod.json".into()));
    }
}
