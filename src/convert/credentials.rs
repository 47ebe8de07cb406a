//! Who pulls an image: `imagePullSecrets`, and the Docker configuration of the node.
//!
//! Matching is the kubelet's (`pkg/credentialprovider/keyring.go`): an entry names a registry's host,
//! where `*` stands for one part of a name, with an optional port and an optional beginning of the
//! image's path; entries with longer keys come first, and each that fits is tried. Nothing of an entry
//! is in any error.

use super::{ConvertError, error::Subject};
use crate::{
    engine::RegistryAuth,
    pod::{Confidential, ImageRef, Objects, Pod},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use serde::Deserialize;
use std::collections::BTreeMap;

const JSON_TYPE: &str = "kubernetes.io/dockerconfigjson";
const JSON_KEY: &str = ".dockerconfigjson";
const OLD_TYPE: &str = "kubernetes.io/dockercfg";
const OLD_KEY: &str = ".dockercfg";
/// Host of the images that name none.
const DEFAULT_HOST: &str = "docker.io";
/// How Docker's own configuration calls that host.
const DEFAULT_KEY: &str = "index.docker.io";

/// What is known of who may pull an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSecrets {
    /// Whom to pull as, one after the other until it succeeds; empty for anybody.
    pub credentials: Vec<RegistryAuth>,
    /// Names of `imagePullSecrets` that are not declared. The pull is tried without them.
    pub missing: Vec<String>,
}

/// Whom an image of this pod is pulled as: the pod's own secrets first, then the node's `config.json`,
/// if there is one.
pub fn pull_secrets(
    pod: &Pod,
    image: &ImageRef,
    objects: &Objects,
    node_config: Option<&Confidential>,
) -> Result<PullSecrets, ConvertError> {
    let invalid = |field: String, why: &str| ConvertError::Invalid {
        subject: Subject { pod: pod.key.clone(), container: None },
        field,
        why: why.to_owned(),
    };
    let namespace = &pod.key.namespace;
    let mut found = PullSecrets::default();
    let mut own = Keyring::default();
    for reference in pod.spec.image_pull_secrets.iter().flatten() {
        let Some(secret) = objects.secret(namespace, &reference.name) else {
            found.missing.push(reference.name.clone());
            continue;
        };
        let added = match secret.type_.as_str() {
            JSON_TYPE => secret.data.get(JSON_KEY).map(|bytes| own.add_config(bytes)),
            OLD_TYPE => secret.data.get(OLD_KEY).map(|bytes| own.add_entries(bytes)),
            // Of another type: it says nothing of registries.
            _ => None,
        };
        if let Some(Err(why)) = added {
            return Err(invalid(format!("imagePullSecrets: Secret {namespace}/{}", reference.name), why));
        }
    }
    let mut nodes = Keyring::default();
    if let Some(bytes) = node_config {
        nodes.add_config(bytes).map_err(|why| invalid("<root-dir>/config.json".to_owned(), why))?;
    }
    let repository = repository(image.as_str());
    for keyring in [own, nodes] {
        for auth in keyring.look_up(&repository) {
            if !found.credentials.contains(&auth) {
                found.credentials.push(auth);
            }
        }
    }
    Ok(found)
}

/// Docker's `config.json`, as far as it tells of registries.
#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

/// What it holds of one registry.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    identitytoken: String,
}

/// Users by what they are for: host, port and beginning of a path.
#[derive(Default)]
struct Keyring(BTreeMap<String, Vec<RegistryAuth>>);

impl Keyring {
    fn add_config(&mut self, bytes: &Confidential) -> Result<(), &'static str> {
        let config: Config = serde_json::from_slice(bytes.reveal())
            .map_err(|_| "it is not the JSON of a Docker configuration ({\"auths\": {\"HOST\": {\"auth\": …}}})")?;
        self.add(config.auths)
    }

    fn add_entries(&mut self, bytes: &Confidential) -> Result<(), &'static str> {
        let entries = serde_json::from_slice(bytes.reveal())
            .map_err(|_| "it is not the JSON of an old Docker configuration ({\"HOST\": {\"auth\": …}})")?;
        self.add(entries)
    }

    fn add(&mut self, entries: BTreeMap<String, Entry>) -> Result<(), &'static str> {
        for (place, entry) in entries {
            let auth = entry.auth()?;
            self.0.entry(key(&place)).or_default().push(auth);
        }
        Ok(())
    }

    /// All that fit a repository, those with the greatest keys first.
    fn look_up(mut self, repository: &str) -> Vec<RegistryAuth> {
        let mut found = Vec::new();
        for (key, auths) in self.0.iter().rev() {
            if fits(key, repository) {
                found.extend(auths.iter().cloned());
            }
        }
        let is_default = repository.split('/').next() == Some(DEFAULT_HOST);
        if found.is_empty() && is_default {
            found = self.0.remove(DEFAULT_KEY).unwrap_or_default();
        }
        found
    }
}

impl Entry {
    fn auth(self) -> Result<RegistryAuth, &'static str> {
        const WHY: &str = "the auth of an entry is not the base64 of USER:PASSWORD";
        let identity_token = Some(self.identitytoken).filter(|token| !token.is_empty());
        if self.auth.is_empty() {
            return Ok(RegistryAuth { username: self.username, password: self.password, identity_token });
        }
        let text = self.auth.trim();
        let decoded = if text.ends_with('=') { STANDARD.decode(text) } else { STANDARD_NO_PAD.decode(text) };
        let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(WHY)?;
        let (username, password) = decoded.split_once(':').ok_or(WHY)?;
        // Docker has written such passwords.
        let password = password.trim_matches('\0').to_owned();
        Ok(RegistryAuth { username: username.to_owned(), password, identity_token })
    }
}

/// What an entry of a configuration is for. Docker writes `https://index.docker.io/v1/`, people write
/// `registry.example.org/team`.
fn key(place: &str) -> String {
    let place = place.strip_prefix("https://").or_else(|| place.strip_prefix("http://")).unwrap_or(place);
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    // The API's own paths say nothing of repositories.
    let path = if path.starts_with("/v2/") || path.starts_with("/v1/") { &path[3..] } else { path };
    if path == "/" { host.to_owned() } else { format!("{host}{path}") }
}

/// Whether a key is for a repository: the same port and as many parts of the host, each fitting, and the
/// beginning of the path.
fn fits(key: &str, repository: &str) -> bool {
    let split = |text: &str| {
        let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        let (host, port) = host.split_once(':').unwrap_or((host, ""));
        (host.split('.').map(str::to_owned).collect::<Vec<_>>(), port.to_owned(), path.to_owned())
    };
    let ((globs, port, path), (parts, its_port, its_path)) = (split(key), split(repository));
    port == its_port
        && globs.len() == parts.len()
        && its_path.starts_with(&path)
        && globs.iter().zip(&parts).all(|(glob, part)| glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(part)))
}

/// The whole name of an image's repository, without tag and digest: `docker.io/library/nginx` for
/// `nginx:1`.
fn repository(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = name[last..].find(':').map_or(name, |colon| &name[..last + colon]);
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => (DEFAULT_HOST, name),
    };
    let host = if host == DEFAULT_KEY { DEFAULT_HOST } else { host };
    let library = if host == DEFAULT_HOST && !path.contains('/') { "library/" } else { "" };
    format!("{host}/{library}{path}")
}

#[cfg(test)]
mod tests;
