//! ConfigMaps, Secrets and PersistentVolumeClaims.

use super::{annotations, annotations::Bearer, metadata, names};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::quantity::Quantity,
};
use k8s_openapi::{ByteString, api::core::v1 as api};
use std::collections::BTreeMap;

/// Data of a ConfigMap or Secret.
const MAX_DATA: usize = 1 << 20;

/// Judges a ConfigMap.
pub fn config_map(config_map: &api::ConfigMap, path: &Path, f: &mut Findings) {
    metadata::metadata(&config_map.metadata, &path.field("metadata"), f);
    annotations::own(&config_map.metadata, Bearer::Other, &path.field("metadata"), f);
    let (data, binary) = (path.field("data"), path.field("binaryData"));
    let mut size = 0;
    for (key, value) in config_map.data.iter().flatten() {
        data_key(key, false, &data, f);
        size += value.len();
        if config_map.binary_data.as_ref().is_some_and(|binary| binary.contains_key(key)) {
            f.duplicate(&data.key(key), key, &binary.key(key));
        }
    }
    for (key, value) in config_map.binary_data.iter().flatten() {
        data_key(key, false, &binary, f);
        size += value.0.len();
    }
    if size > MAX_DATA {
        f.error("too-long", &data, "the data of a ConfigMap may have 1 MiB");
    }
}

/// Judges a Secret. No value is ever shown.
pub fn secret(secret: &api::Secret, path: &Path, f: &mut Findings) {
    metadata::metadata(&secret.metadata, &path.field("metadata"), f);
    annotations::own(&secret.metadata, Bearer::Other, &path.field("metadata"), f);
    let (data, text) = (path.field("data"), path.field("stringData"));
    let mut values: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for (key, ByteString(value)) in secret.data.iter().flatten() {
        data_key(key, true, &data, f);
        values.insert(key, value);
    }
    // The API server writes these over the others.
    for (key, value) in secret.string_data.iter().flatten() {
        data_key(key, true, &text, f);
        values.insert(key, value.as_bytes());
    }
    if values.values().map(|value| value.len()).sum::<usize>() > MAX_DATA {
        f.error("too-long", &data, "the data of a Secret may have 1 MiB");
    }
    let in_text = secret.string_data.as_ref().is_some_and(|text| text.keys().any(|key| key.starts_with(".docker")));
    let json = |key: &str| {
        values.get(key).map(|value| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(value).is_ok())
    };
    let mut need = |key: &str, missing: bool| {
        if missing {
            f.required(&data.key(key), "its type asks for it");
        }
    };
    match secret.type_.as_deref().unwrap_or_default() {
        "kubernetes.io/dockercfg" => docker_config(".dockercfg", json(".dockercfg"), in_text, path, f),
        "kubernetes.io/dockerconfigjson" => {
            docker_config(".dockerconfigjson", json(".dockerconfigjson"), in_text, path, f);
        }
        "kubernetes.io/basic-auth" => {
            need("username", !values.contains_key("username") && !values.contains_key("password"));
        }
        "kubernetes.io/ssh-auth" => need("ssh-privatekey", values.get("ssh-privatekey").is_none_or(|v| v.is_empty())),
        "kubernetes.io/tls" => {
            need("tls.crt", !values.contains_key("tls.crt"));
            need("tls.key", !values.contains_key("tls.key"));
        }
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            let annotations = secret.metadata.annotations.as_ref();
            if annotations.and_then(|a| a.get(NAME)).is_none_or(String::is_empty) {
                let metadata = path.field("metadata");
                f.required(&metadata.field("annotations").key(NAME), "its type asks for it");
            }
        }
        _ => {}
    }
}

fn docker_config(key: &str, is_json: Option<bool>, in_text: bool, path: &Path, f: &mut Findings) {
    let data = path.field(if in_text { "stringData" } else { "data" });
    match is_json {
        None => {
            f.required(&data.key(key), "its type asks for it");
        }
        Some(false) => {
            f.error("invalid", &data.key(key), "its type asks for a JSON object").sensitive();
        }
        Some(true) => {}
    }
}

fn data_key(key: &str, secret: bool, path: &Path, f: &mut Findings) {
    if let Err(why) = names::config_key(key) {
        let path = path.key(key);
        let finding = f.invalid_text(&path, key, why).at_key(&path);
        if secret {
            finding.sensitive();
        }
    }
}

/// Judges a PersistentVolumeClaim.
pub fn claim(claim: &api::PersistentVolumeClaim, path: &Path, f: &mut Findings) {
    metadata::metadata(&claim.metadata, &path.field("metadata"), f);
    annotations::own(&claim.metadata, Bearer::Other, &path.field("metadata"), f);
    claim_spec(claim.spec.as_ref(), &path.field("spec"), f);
    if f.options().report_unsupported
        && let Some(spec) = &claim.spec
    {
        not_of_a_docker_volume(spec, &path.field("spec"), f);
    }
}

/// What a claim asks for that a Docker volume does not have.
fn not_of_a_docker_volume(spec: &api::PersistentVolumeClaimSpec, path: &Path, f: &mut Findings) {
    let mut refuse = |present: bool, field: &str, why: &str| {
        if present {
            f.error("field-not-supported", &path.field(field), format!("`{field}` {why}"));
        }
    };
    let from = "would fill the volume, which a Docker volume can not be; fill it in an init container";
    refuse(spec.data_source.is_some(), "dataSource", from);
    refuse(spec.data_source_ref.is_some() && spec.data_source.is_none(), "dataSourceRef", from);
    let block = spec.volume_mode.as_deref() == Some("Block");
    refuse(block, "volumeMode", "Block is no Docker volume; use a hostPath of type BlockDevice");
    let text =
        "`spec` becomes a Docker volume on the engine's own disk: its size, class and access modes are not enforced";
    f.warn("field-approximated", path, text);
}

/// The spec of a claim or of a claim template.
pub fn claim_spec(spec: Option<&api::PersistentVolumeClaimSpec>, path: &Path, f: &mut Findings) {
    let none = api::PersistentVolumeClaimSpec::default();
    let spec = spec.unwrap_or(&none);
    let modes_path = path.field("accessModes");
    let modes = spec.access_modes.as_deref().unwrap_or_default();
    if modes.is_empty() {
        f.required(&modes_path, "");
    }
    for (index, mode) in modes.iter().enumerate() {
        let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
        f.one_of(&modes_path.index(index), Some(mode), &known);
    }
    if modes.len() > 1 && modes.iter().any(|mode| mode == "ReadWriteOncePod") {
        f.forbidden(&modes_path, "ReadWriteOncePod can not be had with other modes");
    }
    let resources = path.field("resources");
    let requests = resources.field("requests");
    let storage = requests.field("storage");
    let amount = spec.resources.as_ref().and_then(|r| r.requests.as_ref()).and_then(|r| r.get("storage"));
    match amount {
        None => {
            f.required(&storage, "");
        }
        Some(amount) if Quantity::parse(&amount.0).is_ok_and(|amount| amount.nanos() <= 0) => {
            f.invalid_text(&storage, &amount.0, "must be more than 0");
        }
        Some(_) => {}
    }
    f.rule(&path.field("storageClassName"), super::given(spec.storage_class_name.as_ref()), names::dns_subdomain);
    f.one_of(&path.field("volumeMode"), spec.volume_mode.as_deref(), &["Block", "Filesystem"]);
    super::affinity::selector(spec.selector.as_ref(), &path.field("selector"), f);
}
