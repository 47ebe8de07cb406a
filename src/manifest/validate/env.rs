//! Environment: names, and the one source each value has.

use super::{given, names, spec::PodFacts};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::quantity::Quantity,
};
use k8s_openapi::api::core::v1 as api;

/// Fields of the pod that an environment variable may take.
const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of the pod that a file may take.
pub const VOLUME_FIELDS: &[&str] =
    &["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// `env` and `envFrom` of a container.
pub fn env(container: &api::Container, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let all = path.field("env");
    for (index, var) in container.env.iter().flatten().enumerate() {
        let path = all.index(index);
        if var.name.is_empty() {
            f.required(&path.field("name"), "");
        } else {
            f.text_rule(&path.field("name"), Some(&var.name), names::env_name);
        }
        if let Some(from) = &var.value_from {
            let from_path = path.field("valueFrom");
            if given(var.value.as_ref()).is_some() {
                f.error("invalid", &from_path, "a variable has either `value` or `valueFrom`, not both")
                    .at_key(&from_path);
            }
            value_from(from, facts, &from_path, f);
        }
    }
    let all = path.field("envFrom");
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        let path = all.index(index);
        f.text_rule(&path.field("prefix"), given(source.prefix.as_ref()), names::env_name);
        let named = [
            ("configMapRef", source.config_map_ref.as_ref().map(|r| &r.name)),
            ("secretRef", source.secret_ref.as_ref().map(|r| &r.name)),
        ];
        one_source(&named.map(|(field, name)| (field, name.is_some())), &path, f);
        for (field, name) in named {
            if let Some(name) = name {
                let path = path.field(field);
                object_name(name, &path.field("name"), f);
            }
        }
    }
}

fn value_from(from: &api::EnvVarSource, facts: &PodFacts, path: &Path, f: &mut Findings) {
    one_source(
        &[
            ("configMapKeyRef", from.config_map_key_ref.is_some()),
            ("fieldRef", from.field_ref.is_some()),
            ("fileKeyRef", from.file_key_ref.is_some()),
            ("resourceFieldRef", from.resource_field_ref.is_some()),
            ("secretKeyRef", from.secret_key_ref.is_some()),
        ],
        path,
        f,
    );
    if let Some(field) = &from.field_ref {
        field_ref(field, ENV_FIELDS, &path.field("fieldRef"), f);
    }
    if let Some(resource) = &from.resource_field_ref {
        resource_field_ref(resource, false, &path.field("resourceFieldRef"), f);
    }
    if let Some(key) = &from.config_map_key_ref {
        let path = path.field("configMapKeyRef");
        object_name(&key.name, &path.field("name"), f);
        config_key(&key.key, &path.field("key"), f);
    }
    if let Some(key) = &from.secret_key_ref {
        let path = path.field("secretKeyRef");
        object_name(&key.name, &path.field("name"), f);
        config_key(&key.key, &path.field("key"), f);
    }
    if let Some(key) = &from.file_key_ref {
        file_key_ref(key, facts, &path.field("fileKeyRef"), f);
    }
}

fn file_key_ref(key: &api::FileKeySelector, facts: &PodFacts, path: &Path, f: &mut Findings) {
    for (field, value) in [("volumeName", &key.volume_name), ("path", &key.path), ("key", &key.key)] {
        if value.is_empty() {
            f.required(&path.field(field), "");
        }
    }
    f.text_rule(&path.field("path"), Some(&key.path), names::descending_path);
    f.text_rule(&path.field("key"), Some(&key.key), names::env_name);
    if !key.volume_name.is_empty() {
        let volume = path.field("volumeName");
        match facts.volumes.get(key.volume_name.as_str()) {
            None => {
                f.not_found(&volume, &key.volume_name, "volume", facts.volumes.keys().copied());
            }
            Some(found) if found.empty_dir.is_none() => {
                f.invalid_text(&volume, &key.volume_name, "must be an emptyDir volume");
            }
            Some(_) => {}
        }
    }
}

/// Exactly one of several sources.
pub fn one_source(sources: &[(&str, bool)], path: &Path, f: &mut Findings) {
    let present: Vec<&str> = sources.iter().filter(|(_, present)| *present).map(|(field, _)| *field).collect();
    match present.as_slice() {
        [_] => {}
        [] => {
            let names: Vec<&str> = sources.iter().map(|(field, _)| *field).collect();
            f.error("required", path, format!("one of {} is required", names.join(", ")));
        }
        [first, second, ..] => {
            let second_path = path.field(second);
            let finding = f.forbidden(&second_path, &format!("only one source may be given, and `{first}` is"));
            finding.at_key(&second_path).related_path(&path.field(first), "first given here");
        }
    }
}

/// The name of a ConfigMap or Secret that is referred to.
fn object_name(name: &str, path: &Path, f: &mut Findings) {
    if name.is_empty() {
        f.required(path, "");
    } else {
        f.rule(path, Some(name), names::dns_subdomain);
    }
}

fn config_key(key: &str, path: &Path, f: &mut Findings) {
    if key.is_empty() {
        f.required(path, "");
    } else {
        f.rule(path, Some(key), names::config_key);
    }
}

/// A `fieldRef`.
pub fn field_ref(field: &api::ObjectFieldSelector, known: &[&str], path: &Path, f: &mut Findings) {
    f.one_of(&path.field("apiVersion"), field.api_version.as_deref(), &["v1"]);
    let path = path.field("fieldPath");
    let text = field.field_path.as_str();
    if text.is_empty() {
        f.required(&path, "");
        return;
    }
    if let Some((map, key)) = text.strip_suffix("']").and_then(|t| t.split_once("['")) {
        let rule = match map {
            "metadata.annotations" => names::annotation_key,
            "metadata.labels" => names::qualified_name,
            _ => {
                f.invalid_text(&path, text, "takes no key: only metadata.labels and metadata.annotations do");
                return;
            }
        };
        if rule(key).is_err() {
            f.invalid_text(&path, text, "has a key that no label or annotation can have");
        }
        return;
    }
    if !known.contains(&text) {
        let one_key = known.len() == ENV_FIELDS.len() && VOLUME_FIELDS[..2].contains(&text);
        let finding = f.not_supported(&path, text, known);
        if one_key {
            finding.suggest(format!("a variable takes one of them, as in {text}['key']"));
        }
    }
}

/// A `resourceFieldRef`.
pub fn resource_field_ref(resource: &api::ResourceFieldSelector, volume: bool, path: &Path, f: &mut Findings) {
    if volume && given(resource.container_name.as_ref()).is_none() {
        f.required(&path.field("containerName"), "");
    }
    let name = resource.resource.as_str();
    let resource_path = path.field("resource");
    let huge = name.starts_with("limits.hugepages-") || name.starts_with("requests.hugepages-");
    if name.is_empty() {
        f.required(&resource_path, "");
    } else if !huge && !RESOURCES.contains(&name) {
        f.not_supported(&resource_path, name, RESOURCES);
    }
    let Some(divisor) = resource.divisor.as_ref().and_then(|d| Quantity::parse(&d.0).ok()) else { return };
    let (units, words): (&[&str], _) = if name.ends_with(".cpu") {
        (&["1m", "1"], "must be 1m or 1 for cpu")
    } else {
        (
            &["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
            "must be 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi or 1Ei",
        )
    };
    if !divisor.is_zero() && !units.iter().any(|unit| Quantity::parse(unit) == Ok(divisor)) {
        let written = resource.divisor.as_ref().map_or("", |d| d.0.as_str());
        f.invalid_text(&path.field("divisor"), written, words);
    }
}
