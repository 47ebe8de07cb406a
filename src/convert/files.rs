//! Volumes of files that are written here: `configMap`, `secret`, `downwardAPI` and `projected`.
//!
//! Says which files with which bytes and modes; `volume` writes them. What is optional and not there is
//! left out. No message shows what a file holds.

use super::{
    ConvertError, NodeFacts, SandboxFacts,
    env::{Scope, key_of},
    error::Subject,
};
use crate::pod::{Confidential, ContainerId, ObjectKind, Pod};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A volume whose files are written by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVolume {
    /// Its name in the pod.
    pub name: String,
    /// Where its files lie.
    pub medium: Medium,
    /// `fsGroup`: owns every file.
    pub group: Option<u32>,
    /// All files, by path in the volume: relative, and without `..`.
    pub files: BTreeMap<PathBuf, VolumeFile>,
}

/// One file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFile {
    /// Its bytes.
    pub content: Confidential,
    /// Its permissions, without what `fsGroup` adds.
    pub mode: u32,
}

/// Where a volume's files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// On the disk, below the root directory.
    Disk,
    /// In memory: they are gone with the machine's power.
    Memory,
}

const DEFAULT_MODE: i32 = 0o644;
/// Longest path of a file, and longest name of a part of it.
const MAX_PATH: (usize, usize) = (4096, 255);

/// The kubelet's name of the plug-in that provides this kind of volume.
pub(super) fn plugin(volume: &api::Volume) -> Option<&'static str> {
    if volume.config_map.is_some() {
        Some("kubernetes.io~configmap")
    } else if volume.secret.is_some() {
        Some("kubernetes.io~secret")
    } else if volume.downward_api.is_some() {
        Some("kubernetes.io~downward-api")
    } else if volume.projected.is_some() {
        Some("kubernetes.io~projected")
    } else {
        None
    }
}

/// Where the files of a volume of this kind lie below the pod's directory, if it is one.
pub(crate) fn file_volume_path(
    root: &Path,
    pod: &Pod,
    volume: &api::Volume,
) -> Option<Result<PathBuf, crate::volume::paths::NotAFileName>> {
    Some(crate::volume::paths::file_volume(root, &pod.uid, plugin(volume)?, &volume.name))
}

/// The volumes of a pod that are files written by us, as they should be now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileVolumes {
    /// Those that can be written.
    pub volumes: Vec<FileVolume>,
    /// Those that can not, by name, and why: an object that must be there is not, or what it holds can not
    /// be files.
    pub failed: Vec<(String, String)>,
}

/// All volumes of a pod that are files written by us and that a container uses. One that can not be written does not hold up others.
pub fn file_volumes(pod: &Pod, node: &NodeFacts) -> FileVolumes {
    let subject = &Subject { pod: pod.key.clone(), container: None };
    let group = pod.spec.security_context.as_ref().and_then(|c| c.fs_group);
    let mut found = FileVolumes::default();
    for volume in super::used_volumes(pod) {
        let mut maker = Maker { pod, node, subject, volume: &volume.name, files: BTreeMap::new() };
        if let Some(source) = &volume.persistent_volume_claim
            && node.objects.claim(&pod.key.namespace, &source.claim_name).is_none()
        {
            let missing = maker.absent(ObjectKind::PersistentVolumeClaim, &source.claim_name, false);
            found.failed.extend(missing.err().map(|error| (volume.name.clone(), error.to_string())));
        }
        match maker.whole(volume, group) {
            Ok(Some(whole)) => found.volumes.push(whole),
            Ok(None) => {}
            Err(error) => found.failed.push((volume.name.clone(), maker.words(&error))),
        }
    }
    found
}

/// The files of one volume, in the making.
struct Maker<'a> {
    pod: &'a Pod,
    node: &'a NodeFacts,
    subject: &'a Subject,
    volume: &'a str,
    files: BTreeMap<PathBuf, VolumeFile>,
}

impl Maker<'_> {
    /// The volume; `None` if it is of another kind.
    fn whole(&mut self, volume: &api::Volume, group: Option<i64>) -> Result<Option<FileVolume>, ConvertError> {
        let Some(medium) = self.volume(volume)? else { return Ok(None) };
        let group = group.map(u32::try_from).transpose().map_err(|_| self.invalid("fsGroup is not a group id"))?;
        let files = self.files.keys();
        let mut containers = self.pod.containers.iter();
        if let Some(why) = containers.find_map(|c| super::nested::clash(&c.api, self.volume, &files)) {
            return Err(self.invalid(&why));
        }
        let files = std::mem::take(&mut self.files);
        Ok(Some(FileVolume { name: volume.name.clone(), medium, group, files }))
    }

    /// The kubelet's words for any error.
    fn words(&self, error: &ConvertError) -> String {
        match error {
            ConvertError::Invalid { why, .. } => self.missing(why).to_string(),
            other => other.to_string(),
        }
    }

    /// Gathers the files; `None` if the volume is of another kind.
    fn volume(&mut self, volume: &api::Volume) -> Result<Option<Medium>, ConvertError> {
        Ok(Some(if let Some(source) = &volume.config_map {
            let mode = source.default_mode.unwrap_or(DEFAULT_MODE);
            self.config_map(&source.name, source.items.as_deref(), source.optional == Some(true), mode)?;
            Medium::Disk
        } else if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            let mode = source.default_mode.unwrap_or(DEFAULT_MODE);
            self.secret(name, source.items.as_deref(), source.optional == Some(true), mode)?;
            Medium::Memory
        } else if let Some(source) = &volume.downward_api {
            self.downward(source.items.as_deref(), source.default_mode.unwrap_or(DEFAULT_MODE))?;
            Medium::Memory
        } else if let Some(source) = &volume.projected {
            let mode = source.default_mode.unwrap_or(DEFAULT_MODE);
            source.sources.iter().flatten().try_for_each(|source| self.projected(source, mode))?;
            Medium::Memory
        } else {
            return Ok(None);
        }))
    }

    fn config_map(
        &mut self,
        name: &str,
        items: Option<&[api::KeyToPath]>,
        optional: bool,
        mode: i32,
    ) -> Result<(), ConvertError> {
        let Some(found) = self.node.objects.config_map(&self.pod.key.namespace, name) else {
            return self.absent(ObjectKind::ConfigMap, name, optional);
        };
        let text = found.data.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
        let binary = found.binary_data.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let data = text.chain(binary).map(|(key, bytes)| (key, Confidential::new(bytes))).collect();
        self.keys(ObjectKind::ConfigMap, &data, items, optional, mode)
    }

    fn secret(
        &mut self,
        name: &str,
        items: Option<&[api::KeyToPath]>,
        optional: bool,
        mode: i32,
    ) -> Result<(), ConvertError> {
        let Some(found) = self.node.objects.secret(&self.pod.key.namespace, name) else {
            return self.absent(ObjectKind::Secret, name, optional);
        };
        let data = found.data.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        self.keys(ObjectKind::Secret, &data, items, optional, mode)
    }

    /// All keys under their own names, or the chosen ones under those that are given.
    fn keys(
        &mut self,
        kind: ObjectKind,
        data: &BTreeMap<&str, Confidential>,
        items: Option<&[api::KeyToPath]>,
        optional: bool,
        mode: i32,
    ) -> Result<(), ConvertError> {
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            return data.iter().try_for_each(|(key, content)| self.file(key, content.clone(), mode));
        };
        for item in items {
            match data.get(item.key.as_str()) {
                Some(content) => self.file(&item.path, content.clone(), item.mode.unwrap_or(mode))?,
                None if optional => {}
                None => {
                    let word = if kind == ObjectKind::Secret { "secret" } else { "config" };
                    let what = format!("{} references non-existent {word} key: {}", kind.resource(), item.key);
                    return Err(self.missing(&what));
                }
            }
        }
        Ok(())
    }

    fn downward(&mut self, items: Option<&[api::DownwardAPIVolumeFile]>, mode: i32) -> Result<(), ConvertError> {
        for item in items.unwrap_or_default() {
            let text = if let Some(reference) = &item.field_ref {
                self.field(&reference.field_path)?
            } else if let Some(reference) = &item.resource_field_ref {
                self.resource(reference)?
            } else {
                return Err(self.invalid("an item has either fieldRef or resourceFieldRef"));
            };
            self.file(&item.path, Confidential::new(text.as_bytes()), item.mode.unwrap_or(mode))?;
        }
        Ok(())
    }

    fn projected(&mut self, source: &api::VolumeProjection, mode: i32) -> Result<(), ConvertError> {
        if let Some(source) = &source.config_map {
            self.config_map(&source.name, source.items.as_deref(), source.optional == Some(true), mode)
        } else if let Some(source) = &source.secret {
            self.secret(&source.name, source.items.as_deref(), source.optional == Some(true), mode)
        } else if let Some(source) = &source.downward_api {
            self.downward(source.items.as_deref(), mode)
        } else {
            Err(self.invalid("a projected source is a configMap, secret or downwardAPI; others need a cluster"))
        }
    }

    /// A field of the pod as a file has it.
    fn field(&self, path: &str) -> Result<String, ConvertError> {
        let pod = self.pod;
        Ok(match path {
            "metadata.name" => pod.key.name.clone(),
            "metadata.namespace" => pod.key.namespace.clone(),
            "metadata.uid" => pod.uid.to_string(),
            "metadata.labels" => lines(&pod.labels()),
            "metadata.annotations" => lines(&pod.annotations()),
            _ => match (key_of(path, "metadata.labels"), key_of(path, "metadata.annotations")) {
                (Some(key), _) => pod.labels().remove(key).unwrap_or_default(),
                (_, Some(key)) => pod.annotations().remove(key).unwrap_or_default(),
                (None, None) => {
                    return Err(self.invalid(&format!(
                        "{path:?} can not be a file; write metadata.name, metadata.namespace, metadata.uid, \
                         metadata.labels or metadata.annotations, the last two also with ['KEY']"
                    )));
                }
            },
        })
    }

    /// An amount of a container, which must be named.
    fn resource(&self, reference: &api::ResourceFieldSelector) -> Result<String, ConvertError> {
        let name = reference.container_name.as_deref().unwrap_or_default();
        let container = self.pod.containers.iter().find(|c| c.name.as_str() == name);
        let container = container.ok_or_else(|| self.invalid(&format!("the pod has no container {name:?}")))?;
        let (none, pod, node) = (ContainerId::new(""), self.pod, self.node);
        let scope = Scope {
            pod,
            container,
            sandbox: &SandboxFacts { id: &none, ips: &[] },
            env_files: &super::EnvFiles::new(),
            node,
            subject: self.subject,
        };
        scope.resource_field_ref(&format!("volume {:?}", self.volume), reference)
    }

    fn file(&mut self, path: &str, content: Confidential, mode: i32) -> Result<(), ConvertError> {
        let mode = u32::try_from(mode).ok().filter(|mode| *mode <= 0o777);
        let mode = mode.ok_or_else(|| self.invalid("the mode of a file is 0 to 0777"))?;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        // `..` leads out, and other names that begin so are the writer's own.
        let stays = !path.starts_with('/')
            && !parts.is_empty()
            && !parts.contains(&"..")
            && parts.first().is_some_and(|first| !first.starts_with(".."))
            && !path.contains('\0')
            && path.len() <= MAX_PATH.0
            && parts.iter().all(|part| part.len() <= MAX_PATH.1);
        if !stays {
            return Err(self.invalid(&format!(
                "{path:?} is not a path in a volume: it must be relative, and no part of it begin with \"..\""
            )));
        }
        let path: PathBuf = parts.iter().collect();
        let clashes = |other: &PathBuf| *other != path && (other.starts_with(&path) || path.starts_with(other));
        if let Some(other) = self.files.keys().find(|other| clashes(other)) {
            let why = format!("{} and {} can not both be files", other.display(), path.display());
            return Err(self.invalid(&why));
        }
        self.files.insert(path, VolumeFile { content, mode });
        Ok(())
    }

    fn absent(&self, kind: ObjectKind, name: &str, optional: bool) -> Result<(), ConvertError> {
        if optional { Ok(()) } else { Err(self.missing(&format!("{} {name:?} not found", kind.resource()))) }
    }

    /// The kubelet's words for a volume that can not be provided.
    fn missing(&self, cause: &str) -> ConvertError {
        let what = format!("MountVolume.SetUp failed for volume {:?} : {cause}", self.volume);
        ConvertError::MissingReference { subject: self.subject.clone(), what }
    }

    fn invalid(&self, why: &str) -> ConvertError {
        let field = format!("volume {:?}", self.volume);
        ConvertError::Invalid { subject: self.subject.clone(), field, why: why.to_owned() }
    }
}

/// A map as lines of `key="value"`, quoted as Go does (`fieldpath.FormatMap`).
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = map.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
    lines.join("\n")
}

/// Go's `%q`.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            ' '..='~' => out.push(c),
            c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if is_printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Whether a character beyond ASCII shows: no control, blank, mark of direction or private one.
fn is_printable(c: char) -> bool {
    let hidden = matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{f0000}'..
    );
    !(c.is_control() || c.is_whitespace() || hidden)
}

#[cfg(test)]
mod tests;
