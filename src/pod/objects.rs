//! What pods refer to: ConfigMaps, Secrets and PersistentVolumeClaims declared beside them.
//!
//! An object belongs to a namespace and serves the pods of that namespace alone. The bytes of a
//! Secret live in [`Confidential`], which no message can show.

use super::ManifestSource;
use k8s_openapi::{ByteString, api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Kind of an object that pods refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
}

impl ObjectKind {
    /// Kubernetes' name of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
        }
    }

    /// The resource, as in the API server's `configmap "x" not found`.
    pub fn resource(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
            Self::PersistentVolumeClaim => "persistentvolumeclaim",
        }
    }
}

/// What makes an object unique on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: ObjectKind,
    /// `metadata.namespace`, `default` when not given.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectId {
    /// The id of an object with this metadata.
    pub fn of(kind: ObjectKind, metadata: &ObjectMeta) -> Self {
        let namespace = metadata.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into());
        Self { kind, namespace, name: metadata.name.clone().unwrap_or_default() }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// Bytes that may be told to nobody but the containers they are meant for.
#[derive(Clone, PartialEq, Eq)]
pub struct Confidential(Arc<[u8]>);

impl Confidential {
    /// Takes the bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes. Never format them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// `data`: what variables can be made of.
    pub data: BTreeMap<String, String>,
    /// `binaryData`: for volumes only.
    pub binary_data: BTreeMap<String, Vec<u8>>,
}

impl From<&api::ConfigMap> for ConfigMap {
    fn from(written: &api::ConfigMap) -> Self {
        let binary = written.binary_data.iter().flatten();
        Self {
            data: written.data.clone().unwrap_or_default(),
            binary_data: binary.map(|(key, ByteString(value))| (key.clone(), value.clone())).collect(),
        }
    }
}

/// A Secret: `data`, with `stringData` written over it as the API server does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// `type`, as in `kubernetes.io/dockerconfigjson`; empty for `Opaque`.
    pub type_: String,
    /// Its bytes by key.
    pub data: BTreeMap<String, Confidential>,
}

impl From<&api::Secret> for Secret {
    fn from(written: &api::Secret) -> Self {
        let data = written.data.iter().flatten().map(|(key, ByteString(value))| (key.clone(), value.as_slice()));
        let text = written.string_data.iter().flatten().map(|(key, value)| (key.clone(), value.as_bytes()));
        Self {
            type_: written.type_.clone().unwrap_or_default(),
            data: data.chain(text).map(|(key, value)| (key, Confidential::new(value))).collect(),
        }
    }
}

/// A PersistentVolumeClaim. Nothing of its spec has a meaning for a Docker volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {}

/// The content of an object, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a ConfigMap.
    ConfigMap(ConfigMap),
    /// Of a Secret.
    Secret(Secret),
    /// Of a PersistentVolumeClaim.
    Claim(Claim),
}

/// An object and where it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The file.
    pub source: ManifestSource,
    /// What it holds.
    pub content: Content,
}

/// All objects of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects(BTreeMap<ObjectId, Arc<Declared>>);

impl Objects {
    /// Adds an object, in the place of one of the same kind, namespace and name.
    pub fn insert(&mut self, id: ObjectId, object: Arc<Declared>) {
        self.0.insert(id, object);
    }

    /// An object with its place.
    pub fn get(&self, id: &ObjectId) -> Option<&Arc<Declared>> {
        self.0.get(id)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &Arc<Declared>)> {
        self.0.iter()
    }

    /// The ConfigMap of this name.
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<&ConfigMap> {
        match self.content(ObjectKind::ConfigMap, namespace, name)? {
            Content::ConfigMap(found) => Some(found),
            Content::Secret(_) | Content::Claim(_) => None,
        }
    }

    /// The Secret of this name.
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Secret> {
        match self.content(ObjectKind::Secret, namespace, name)? {
            Content::Secret(found) => Some(found),
            Content::ConfigMap(_) | Content::Claim(_) => None,
        }
    }

    /// The PersistentVolumeClaim of this name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&Claim> {
        match self.content(ObjectKind::PersistentVolumeClaim, namespace, name)? {
            Content::Claim(found) => Some(found),
            Content::ConfigMap(_) | Content::Secret(_) => None,
        }
    }

    fn content(&self, kind: ObjectKind, namespace: &str, name: &str) -> Option<&Content> {
        let id = ObjectId { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        self.0.get(&id).map(|declared| &declared.content)
    }
}

impl FromIterator<(ObjectId, Arc<Declared>)> for Objects {
    fn from_iter<T: IntoIterator<Item = (ObjectId, Arc<Declared>)>>(objects: T) -> Self {
        Self(objects.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_shows_a_secret() {
        let written: api::Secret = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "s"}, "data": {"a": "aHVudGVyMg==", "b": "Yg=="}, "stringData": {"b": "hunter2"},
        }))
        .unwrap();
        let secret = Secret::from(&written);
        assert_eq!(secret.data["a"].reveal(), b"hunter2");
        assert_eq!(secret.data["b"].reveal(), b"hunter2", "stringData is written over data");
        let source = ManifestSource { path: "/m".into(), document: 0 };
        let id = ObjectId::of(ObjectKind::Secret, &written.metadata);
        assert_eq!(id.to_string(), "Secret default/s");
        let declared = Arc::new(Declared { source, content: Content::Secret(secret) });
        let objects: Objects = [(id, declared.clone())].into_iter().collect();
        let number = format!("{:?}", b"hunter2");
        for shown in [format!("{objects:?}{objects:#?}"), objects.secret("default", "s").unwrap().data["a"].to_string()]
        {
            assert!(!shown.contains("hunter2") && !shown.contains(&number), "{shown}");
        }
        assert!(objects.config_map("default", "s").is_none() && objects.secret("other", "s").is_none());
    }
}
