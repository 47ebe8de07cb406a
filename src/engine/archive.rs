//! A docker-archive in memory: one image of one layer, as `docker load` takes it. Pure.
//!
//! The same input gives the same bytes, and the image's id is known before it is loaded: it is the
//! SHA-256 of the configuration.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Component, Path, PathBuf};

/// One entry of a layer. Paths are relative, of at most 100 bytes.
#[derive(Clone, Copy, Debug)]
pub enum LayerEntry<'a> {
    /// A directory with its mode.
    Directory(&'a str, u32),
    /// A file with its mode and content.
    File(&'a str, u32, &'a [u8]),
    /// A symbolic link and where it points.
    Symlink(&'a str, &'a str),
}

/// An image ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageArchive {
    /// `sha256:…` of its configuration.
    pub id: String,
    /// The tar for [`Engine::image_load`](super::Engine::image_load).
    pub bytes: Vec<u8>,
}

/// Builds an image tagged `tag` for this machine's architecture. `run` is the image's run
/// configuration in Docker's spelling (`Entrypoint`, `User`, `Labels`…). Everything belongs to root
/// and dates from 1970.
pub fn image_archive(tag: &str, run: &Value, layer: &[LayerEntry<'_>]) -> ImageArchive {
    let layer = tar(layer);
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": run,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
    });
    let config = config.to_string();
    let digest = sha256(config.as_bytes());
    let config_name = format!("{digest}.json");
    let manifest = json!([{ "Config": config_name, "RepoTags": [tag], "Layers": ["layer.tar"] }]).to_string();
    let bytes = tar(&[
        LayerEntry::File("layer.tar", 0o644, &layer),
        LayerEntry::File(&config_name, 0o644, config.as_bytes()),
        LayerEntry::File("manifest.json", 0o644, manifest.as_bytes()),
    ]);
    ImageArchive { id: format!("sha256:{digest}"), bytes }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

const BLOCK: usize = 512;

/// A ustar archive.
fn tar(entries: &[LayerEntry<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    for entry in entries {
        let (path, mode, kind, link, content): (_, _, _, _, &[u8]) = match *entry {
            LayerEntry::Directory(path, mode) => (path, mode, b'5', "", &[]),
            LayerEntry::File(path, mode, content) => (path, mode, b'0', "", content),
            LayerEntry::Symlink(path, target) => (path, 0o777, b'2', target, &[]),
        };
        archive.extend_from_slice(&header(path, mode, kind, link, content.len()));
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn header(path: &str, mode: u32, kind: u8, link: &str, size: usize) -> [u8; BLOCK] {
    debug_assert!(path.len() <= 100 && link.len() <= 100, "the name field has 100 bytes: {path}");
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &str| {
        for (to, from) in block.iter_mut().skip(at).zip(text.bytes()) {
            *to = from;
        }
    };
    put(0, path);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(157, link);
    put(257, "ustar");
    put(263, "00");
    if let Some(to) = block.get_mut(156) {
        *to = kind;
    }
    // The sum of all bytes, its own field counted as spaces.
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    block
}

/// Where a link at `path` leads, as inside the container.
pub(super) fn follow(path: &str, target: &Path) -> String {
    let whole = Path::new(path).parent().unwrap_or(Path::new("/")).join(target);
    let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
    for component in whole.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => drop(parts.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let joined: PathBuf = parts.into_iter().collect();
    format!("/{}", joined.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, process::Command};

    #[test]
    fn the_system_tar_reads_what_is_written() {
        let archive = tar(&[
            LayerEntry::Directory("bin", 0o755),
            LayerEntry::File("bin/tool", 0o555, b"content"),
            LayerEntry::Symlink("bin/alias", "tool"),
        ]);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&archive).unwrap();
        let listed = Command::new("tar").arg("-tvf").arg(file.path()).env("TZ", "UTC").output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let squeezed: Vec<String> =
            listed.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        insta::assert_debug_snapshot!(squeezed, @r#"
        [
            "drwxr-xr-x 0/0 0 1970-01-01 00:00 bin",
            "-r-xr-xr-x 0/0 7 1970-01-01 00:00 bin/tool",
            "lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/alias -> tool",
        ]
        "#);
    }

    #[test]
    fn the_id_is_that_of_the_configuration_and_every_input_counts() {
        let build = |tag: &str, user: &str, content: &[u8]| {
            image_archive(tag, &json!({ "User": user }), &[LayerEntry::File("f", 0o644, content)])
        };
        let base = build("a:1", "", b"x");
        assert_eq!(base, build("a:1", "", b"x"));
        assert_eq!(base.id, build("b:1", "", b"x").id);
        assert_ne!(base.id, build("a:1", "7", b"x").id);
        assert_ne!(base.id, build("a:1", "", b"y").id);
    }

    #[test]
    fn links_lead_where_they_do_inside() {
        for (path, target, leads) in [
            ("/etc/passwd", "/run/passwd", "/run/passwd"),
            ("/etc/passwd", "real/passwd", "/etc/real/passwd"),
            ("/etc/passwd", "../usr/etc/passwd", "/usr/etc/passwd"),
            ("/etc/passwd", "../../../../x", "/x"),
            ("/passwd", ".", "/"),
        ] {
            assert_eq!(follow(path, Path::new(target)), leads, "{path} -> {target}");
        }
    }
}
