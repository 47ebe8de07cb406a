//! `metadata`: names, labels, annotations.

use super::{given, names, spec};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::{
        hash::ANNOTATION_APP_ARMOR,
        standing::{self, ANNOTATION_BACKOFF_LIMIT, ANNOTATION_START_AFTER},
    },
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::BTreeMap;

/// Keys and values of all annotations of an object may have this many bytes.
const MAX_ANNOTATIONS: usize = 256 << 10;
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// An object's metadata.
pub fn metadata(metadata: &ObjectMeta, path: &Path, f: &mut Findings) {
    let name = path.field("name");
    match given(metadata.name.as_ref()) {
        Some(text) => f.rule(&name, Some(text), names::dns_subdomain),
        None if metadata.generate_name.is_some() => {
            f.required(&name, "generateName is for objects made by an API server");
        }
        None => {
            f.required(&name, "");
        }
    }
    if let Some(prefix) = given(metadata.generate_name.as_ref()) {
        // One trailing dash is meant to be followed by more.
        let whole = prefix.strip_suffix('-').map_or(prefix.to_owned(), |start| format!("{start}a"));
        if let Err(why) = names::dns_subdomain(&whole) {
            f.invalid_text(&path.field("generateName"), prefix, why);
        }
    }
    f.rule(&path.field("namespace"), given(metadata.namespace.as_ref()), names::dns_label);
    f.not_negative(&path.field("generation"), metadata.generation);
    template_metadata(metadata, path, f);
    for (index, owner) in metadata.owner_references.iter().flatten().enumerate() {
        let owners = path.field("ownerReferences");
        let path = owners.index(index);
        for (field, value) in
            [("apiVersion", &owner.api_version), ("kind", &owner.kind), ("name", &owner.name), ("uid", &owner.uid)]
        {
            if value.is_empty() {
                f.required(&path.field(field), "");
            }
        }
    }
    for (index, entry) in metadata.managed_fields.iter().flatten().enumerate() {
        let entries = path.field("managedFields");
        let path = entries.index(index);
        f.one_of(&path.field("operation"), Some(entry.operation.as_deref().unwrap_or("")), &["Apply", "Update"]);
        f.one_of(&path.field("fieldsType"), given(entry.fields_type.as_ref()), &["FieldsV1"]);
    }
}

/// What the metadata of an object and of a template have in common.
pub fn template_metadata(metadata: &ObjectMeta, path: &Path, f: &mut Findings) {
    labels(metadata.labels.as_ref(), &path.field("labels"), f);
    let annotations = path.field("annotations");
    let mut size = 0;
    for (key, value) in metadata.annotations.iter().flatten() {
        size += key.len() + value.len();
        f.key_rule(&annotations.key(key), key, names::annotation_key);
    }
    if size > MAX_ANNOTATIONS {
        f.error("too-long", &annotations, "annotations may have 256 KiB together");
    }
}

/// Names of pods, none of them its own.
fn start_after(metadata: &ObjectMeta, value: &str, path: &Path, f: &mut Findings) {
    for (namespace, name) in standing::start_after(value) {
        let bad = names::dns_subdomain(name).is_err() || namespace.is_some_and(|n| names::dns_label(n).is_err());
        if bad {
            f.invalid_text(path, value, "must be names of pods, or namespace/name, separated by commas");
            return;
        }
        let own = given(metadata.namespace.as_ref()).unwrap_or("default");
        if given(metadata.name.as_ref()) == Some(name) && namespace.unwrap_or(own) == own {
            f.invalid_text(path, value, "must not name the pod itself, which would never start");
        }
    }
}

/// Labels, a `nodeSelector`, `matchLabels`.
pub fn labels(labels: Option<&BTreeMap<String, String>>, path: &Path, f: &mut Findings) {
    for (key, value) in labels.into_iter().flatten() {
        let path = path.key(key);
        f.key_rule(&path, key, names::qualified_name);
        f.rule(&path, Some(value), names::label_value);
    }
}

/// Annotations that the API itself gives a meaning, and that must agree with the fields that
/// replaced them.
pub fn pod_annotations(metadata: &ObjectMeta, spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let annotations = path.field("annotations");
    for (key, value) in metadata.annotations.iter().flatten() {
        let path = annotations.key(key);
        if let Some(container) = key.strip_prefix(ANNOTATION_APP_ARMOR) {
            if !spec::all_containers(spec).any(|c| c.name == container) {
                let known = spec::all_containers(spec).map(|c| c.name.as_str());
                f.not_found(&path, container, "container", known).at_key(&path);
            }
            let known = ["", "runtime/default", "unconfined"];
            if !known.contains(&value.as_str()) && !value.starts_with("localhost/") {
                f.invalid_text(&path, value, "must be runtime/default, unconfined or localhost/PROFILE");
            }
        } else if key == ANNOTATION_BACKOFF_LIMIT {
            if value.parse::<u32>().is_err() {
                f.invalid_text(&path, value, "must be a number of restarts, as in \"6\"");
            }
        } else if key == ANNOTATION_START_AFTER {
            start_after(metadata, value, &path, f);
        } else if key == SECCOMP_POD || key.starts_with(SECCOMP_CONTAINER) {
            let known = ["runtime/default", "docker/default", "unconfined"];
            let local = value.strip_prefix("localhost/");
            if !known.contains(&value.as_str()) && local.is_none() {
                f.invalid_text(&path, value, "must be runtime/default, unconfined or localhost/PROFILE");
            }
            f.text_rule(&path, local, names::descending_path);
        }
    }
}
