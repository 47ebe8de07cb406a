//! What containers take from ConfigMaps and Secrets for their environment, and from labels and annotations of
//! their pod.
//!
//! The kubelet's words for what is missing (`makeEnvironmentVariables`). A value of a Secret is in no
//! error.

use super::{ConvertError, NodeFacts, env::key_of, error::Subject};
use crate::pod::{
    ContainerReferences, ObjectKind, Objects, Pod, PodReferences,
    references::{EnvironmentHash, EnvironmentKey},
};
use k8s_openapi::api::core::v1 as api;

/// The objects that a container can refer to: those of its pod's namespace.
pub(super) struct References<'a> {
    pub objects: &'a Objects,
    pub namespace: &'a str,
    pub subject: &'a Subject,
}

/// A value for a variable.
pub(super) struct Taken {
    pub value: String,
    /// It is a Secret's.
    pub confidential: bool,
}

/// Whether a variable comes from a ConfigMap or Secret.
pub(super) fn is_reference(source: &api::EnvVarSource) -> bool {
    source.config_map_key_ref.is_some() || source.secret_key_ref.is_some()
}

impl References<'_> {
    /// The value of a variable; `None` if it is not there and need not be.
    pub(super) fn value_from(&self, source: &api::EnvVarSource) -> Result<Option<Taken>, ConvertError> {
        if let Some(reference) = &source.config_map_key_ref {
            let optional = reference.optional == Some(true);
            let Some(found) = self.objects.config_map(self.namespace, &reference.name) else {
                return self.absent(optional, ObjectKind::ConfigMap, &reference.name);
            };
            let Some(value) = found.data.get(&reference.key) else {
                return self.no_key(optional, ObjectKind::ConfigMap, &reference.name, &reference.key);
            };
            return Ok(Some(Taken { value: value.clone(), confidential: false }));
        }
        let Some(reference) = &source.secret_key_ref else { return Ok(None) };
        let optional = reference.optional == Some(true);
        let Some(found) = self.objects.secret(self.namespace, &reference.name) else {
            return self.absent(optional, ObjectKind::Secret, &reference.name);
        };
        let Some(value) = found.data.get(&reference.key) else {
            return self.no_key(optional, ObjectKind::Secret, &reference.name, &reference.key);
        };
        self.text(&reference.name, &reference.key, value.reveal()).map(Some)
    }

    /// The variables of one source of `envFrom`, in the order of their names.
    pub(super) fn env_from(&self, source: &api::EnvFromSource) -> Result<Vec<(String, Taken)>, ConvertError> {
        let name = |key: &String| format!("{}{key}", source.prefix.as_deref().unwrap_or_default());
        if let Some(reference) = &source.config_map_ref {
            let Some(found) = self.objects.config_map(self.namespace, &reference.name) else {
                let absent = self.absent(reference.optional == Some(true), ObjectKind::ConfigMap, &reference.name);
                return absent.map(Option::unwrap_or_default);
            };
            let taken = |value: &String| Taken { value: value.clone(), confidential: false };
            return Ok(found.data.iter().map(|(key, value)| (name(key), taken(value))).collect());
        }
        let Some(reference) = &source.secret_ref else { return Ok(Vec::new()) };
        let Some(found) = self.objects.secret(self.namespace, &reference.name) else {
            let absent = self.absent(reference.optional == Some(true), ObjectKind::Secret, &reference.name);
            return absent.map(Option::unwrap_or_default);
        };
        let taken = found.data.iter();
        taken.map(|(key, value)| Ok((name(key), self.text(&reference.name, key, value.reveal())?))).collect()
    }

    fn text(&self, name: &str, key: &str, bytes: &[u8]) -> Result<Taken, ConvertError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Taken { value: text.to_owned(), confidential: true }),
            Err(_) => Err(ConvertError::Invalid {
                subject: self.subject.clone(),
                field: format!("key {key} of Secret {}/{name}", self.namespace),
                why: "it is not UTF-8, which a variable must be; mount it as a file".to_owned(),
            }),
        }
    }

    fn absent<T>(&self, optional: bool, kind: ObjectKind, name: &str) -> Result<Option<T>, ConvertError> {
        self.missing(optional, format!("{} {name:?} not found", kind.resource()))
    }

    fn no_key<T>(&self, optional: bool, kind: ObjectKind, name: &str, key: &str) -> Result<Option<T>, ConvertError> {
        self.missing(optional, format!("couldn't find key {key} in {} {}/{name}", kind.as_str(), self.namespace))
    }

    fn missing<T>(&self, optional: bool, what: String) -> Result<Option<T>, ConvertError> {
        if optional {
            return Ok(None);
        }
        Err(ConvertError::MissingReference { subject: self.subject.clone(), what })
    }
}

/// The value of one label or annotation of the pod, if that is what the path names.
pub(super) fn metadata_value(pod: &Pod, path: &str) -> Option<String> {
    let (map, key) = match (key_of(path, "metadata.labels"), key_of(path, "metadata.annotations")) {
        (Some(key), _) => (pod.labels(), key),
        (None, Some(key)) => (pod.annotations(), key),
        (None, None) => return None,
    };
    Some(map.get(key).cloned().unwrap_or_default())
}

/// How it stands with what the containers of a pod refer to.
pub fn references(pod: &Pod, node: &NodeFacts) -> PodReferences {
    let mut found = PodReferences::default();
    for container in &pod.containers {
        let subject = &Subject { pod: pod.key.clone(), container: Some(container.name.clone()) };
        let references = References { objects: &node.objects, namespace: &pod.key.namespace, subject };
        let state = match references.environment_hash(pod, &container.api, node.environment_key.as_ref()) {
            Ok(None) => continue,
            Ok(Some(hash)) => ContainerReferences::Resolved(hash),
            Err(ConvertError::MissingReference { what, .. }) => ContainerReferences::Missing(what),
            Err(_) => ContainerReferences::Invalid,
        };
        found.containers.insert(container.name.clone(), state);
    }
    found
}

/// The keyed hash of all that a container takes from ConfigMaps and Secrets, labels and annotations, for its
/// label. `None` without a key, or if it takes nothing.
pub(super) fn environment_hash(
    pod: &Pod,
    container: &api::Container,
    node: &NodeFacts,
    subject: &Subject,
) -> Result<Option<EnvironmentHash>, ConvertError> {
    let references = References { objects: &node.objects, namespace: &pod.key.namespace, subject };
    let hash = references.environment_hash(pod, container, node.environment_key.as_ref())?;
    Ok(hash.filter(EnvironmentHash::is_known))
}

impl References<'_> {
    /// [`EnvironmentHash::unknown`] without a key; `None` if the container takes nothing.
    fn environment_hash(
        &self,
        pod: &Pod,
        container: &api::Container,
        key: Option<&EnvironmentKey>,
    ) -> Result<Option<EnvironmentHash>, ConvertError> {
        let mut parts: Vec<Option<(String, String)>> = Vec::new();
        for source in container.env_from.iter().flatten() {
            parts.extend(self.env_from(source)?.into_iter().map(|(name, taken)| Some((name, taken.value))));
            parts.push(None);
        }
        let mut of_metadata = Vec::new();
        for entry in container.env.iter().flatten() {
            let Some(source) = &entry.value_from else { continue };
            if is_reference(source) {
                parts.push(self.value_from(source)?.map(|taken| (entry.name.clone(), taken.value)));
            } else if let Some(value) =
                source.field_ref.as_ref().and_then(|field| metadata_value(pod, &field.field_path))
            {
                of_metadata.push(Some((entry.name.clone(), value)));
            }
        }
        let (hash, parts): (fn(&EnvironmentKey, &[_]) -> _, _) = match (parts.is_empty(), of_metadata.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => (EnvironmentKey::hash, parts),
            (_, false) => (EnvironmentKey::hash_with_metadata, [parts, of_metadata].concat()),
        };
        Ok(Some(key.map_or_else(EnvironmentHash::unknown, |key| hash(key, &parts))))
    }
}

#[cfg(test)]
mod tests;
