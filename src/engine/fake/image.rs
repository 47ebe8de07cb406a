//! Images of the fake, and the registry it pulls from.

use super::{
    fault::Verb,
    world::{not_found, refused},
};
use crate::engine::{
    EngineError, ImageDetails, RegistryAuth,
    archive::{LayerEntry, follow, image_archive},
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    path::Path,
    time::Duration,
};

/// What a pull of one reference does.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub takes: Duration,
    pub result: Result<ImageDetails, EngineError>,
    /// Who alone may pull it; anybody if absent.
    pub only: Option<RegistryAuth>,
}

#[derive(Default)]
pub(super) struct Images {
    by_id: BTreeMap<String, ImageDetails>,
    tags: BTreeMap<String, String>,
    pub registry: BTreeMap<String, Pull>,
    /// By id of the image and path.
    files: BTreeMap<(String, String), File>,
}

/// What an image has at a path.
#[derive(Clone, Debug)]
pub(super) enum File {
    Regular(Vec<u8>),
    Other,
}

impl Images {
    /// An image by id (`sha256:…` or bare) or by reference.
    pub fn find(&self, reference: &str) -> Option<&ImageDetails> {
        let by_id = self.by_id.get(reference).or_else(|| self.by_id.get(&format!("sha256:{reference}")));
        by_id.or_else(|| self.by_id.get(self.tags.get(&familiar(reference))?))
    }

    pub fn inspect(&self, reference: &str) -> Result<ImageDetails, EngineError> {
        let missing = || not_found(Verb::ImageInspect, reference, format!("No such image: {reference}"));
        self.find(reference).cloned().ok_or_else(missing)
    }

    pub fn add(&mut self, reference: &str, mut image: ImageDetails) -> String {
        if image.id.is_empty() {
            image.id = digest(reference.as_bytes());
        }
        let id = image.id.clone();
        self.by_id.insert(id.clone(), image);
        self.tags.insert(familiar(reference), id.clone());
        id
    }

    pub fn remove(&mut self, reference: &str) {
        let Some(id) = self.find(reference).map(|i| i.id.clone()) else { return };
        self.tags.retain(|_, tagged| *tagged != id);
        self.by_id.remove(&id);
    }

    pub fn pull(&self, reference: &str, auth: Option<&RegistryAuth>) -> Pull {
        let published = self.registry.get(&familiar(reference));
        if let Some(only) = published.and_then(|pull| pull.only.as_ref()).filter(|only| auth != Some(only)) {
            let words =
                if auth.is_some() { "unauthorized: authentication required" } else { "no basic auth credentials" };
            let denied = refused(Verb::ImagePull, reference, 500, words.to_owned());
            return Pull { takes: Duration::ZERO, result: Err(denied), only: Some(only.clone()) };
        }
        published.cloned().unwrap_or_else(|| Pull {
            takes: Duration::ZERO,
            only: None,
            result: Err(not_found(
                Verb::ImagePull,
                reference,
                format!("pull access denied for {reference}, repository does not exist or may require 'docker login'"),
            )),
        })
    }

    pub fn publish(&mut self, reference: &str, pull: Pull) {
        self.registry.insert(familiar(reference), pull);
    }

    /// What an image has at a path.
    pub fn file(&self, id: &str, path: &str) -> Option<File> {
        self.files.get(&(id.to_owned(), path.to_owned())).cloned()
    }

    /// Puts a regular file into an image.
    pub fn add_file(&mut self, reference: &str, path: &str, content: &[u8]) {
        if let Some(id) = self.find(reference).map(|image| image.id.clone()) {
            self.files.insert((id, path.to_owned()), File::Regular(content.to_vec()));
        }
    }

    /// Takes the files out of a layer; links are resolved at once.
    fn unpack(&mut self, id: &str, layer: &[u8]) -> std::io::Result<()> {
        let mut links = Vec::new();
        for entry in tar::Archive::new(layer).entries()? {
            let mut entry = entry?;
            let path = Path::new("/").join(entry.path()?).to_string_lossy().into_owned();
            let file = match (entry.header().entry_type().is_file(), entry.link_name()?) {
                (false, Some(target)) => {
                    let target = follow(&path, &target);
                    links.push((path, target));
                    continue;
                }
                (true, _) => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content)?;
                    File::Regular(content)
                }
                (false, None) => File::Other,
            };
            self.files.insert((id.to_owned(), path.trim_end_matches('/').to_owned()), file);
        }
        for (path, target) in links {
            if let Some(file) = self.file(id, &target) {
                self.files.insert((id.to_owned(), path), file);
            }
        }
        Ok(())
    }

    /// An image with its regular files, as a docker-archive.
    pub fn save(&self, reference: &str) -> Result<Vec<u8>, EngineError> {
        let missing = || not_found(Verb::ImageSave, reference, format!("No such image: {reference}"));
        let image = self.find(reference).ok_or_else(missing)?;
        let files = self.files.iter().filter(|((id, _), _)| *id == image.id);
        let regular = files.filter_map(|((_, path), file)| match file {
            File::Regular(content) => Some(LayerEntry::File(path.trim_start_matches('/'), 0o644, content)),
            File::Other => None,
        });
        Ok(image_archive(&familiar(reference), &json!({ "User": image.user }), &regular.collect::<Vec<_>>()).bytes)
    }

    /// All tags.
    pub fn references(&self) -> BTreeSet<String> {
        self.tags.keys().cloned().collect()
    }

    /// Takes the images out of a docker-archive; returns their tags or ids.
    pub fn load(&mut self, archive: &[u8]) -> Result<Vec<String>, EngineError> {
        let bad = |why: &str| refused(Verb::ImageLoad, "archive", 500, format!("invalid archive: {why}"));
        let files = untar(archive).ok_or_else(|| bad("not a tar"))?;
        let manifest = files.get("manifest.json").ok_or_else(|| bad("no manifest.json"))?;
        let entries: Vec<ArchiveEntry> = serde_json::from_slice(manifest).map_err(|e| bad(&e.to_string()))?;
        let mut loaded = Vec::new();
        for entry in entries {
            let config = files.get(entry.config.as_str()).ok_or_else(|| bad("no config"))?;
            let parsed: ArchiveConfig = serde_json::from_slice(config).map_err(|e| bad(&e.to_string()))?;
            if entry.layers.iter().any(|layer| !files.contains_key(layer.as_str())) {
                return Err(bad("a layer is missing"));
            }
            let mut volumes: Vec<String> = parsed.config.volumes.into_keys().collect();
            volumes.sort();
            let (user, stop_signal) = (parsed.config.user, parsed.config.stop_signal);
            let layers = entry.layers.iter().filter_map(|layer| files.get(layer.as_str()));
            let size = layers.map(|layer| u64::try_from(layer.len()).unwrap_or(u64::MAX)).sum();
            let image = ImageDetails { id: digest(config), size, user, volumes, stop_signal };
            loaded.extend(entry.repo_tags.first().cloned().or_else(|| Some(image.id.clone())));
            self.by_id.insert(image.id.clone(), image.clone());
            for layer in entry.layers.iter().filter_map(|layer| files.get(layer.as_str())) {
                self.unpack(&image.id, layer).map_err(|e| bad(&e.to_string()))?;
            }
            for tag in entry.repo_tags {
                self.tags.insert(familiar(&tag), image.id.clone());
            }
        }
        Ok(loaded)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ArchiveEntry {
    config: String,
    #[serde(default)]
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct ArchiveConfig {
    #[serde(default)]
    config: ArchiveRun,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ArchiveRun {
    user: String,
    volumes: HashMap<String, serde_json::Value>,
    stop_signal: Option<String>,
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The spelling `docker images` uses: no default registry, always a tag.
fn familiar(reference: &str) -> String {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains([':', '@']) { short.to_owned() } else { format!("{short}:latest") }
}

/// The regular files of a ustar archive, or `None` if it is not one.
fn untar(archive: &[u8]) -> Option<BTreeMap<&str, &[u8]>> {
    let mut files = BTreeMap::new();
    let mut rest = archive;
    loop {
        let (header, after) = rest.split_at_checked(512)?;
        if header.iter().all(|b| *b == 0) {
            return Some(files);
        }
        let text = |range: std::ops::Range<usize>| {
            header.get(range).and_then(|b| std::str::from_utf8(b).ok()).map(|s| s.trim_end_matches(['\0', ' ']))
        };
        if text(257..262)? != "ustar" {
            return None;
        }
        let size = usize::from_str_radix(text(124..136)?.trim_start(), 8).ok()?;
        files.insert(text(0..100)?, after.get(..size)?);
        rest = after.get(size.next_multiple_of(512)..)?;
    }
}
