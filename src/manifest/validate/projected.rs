//! Files made of objects: keys, paths and modes of configMap, secret, downwardAPI and projected
//! volumes.

use super::{
    env::{VOLUME_FIELDS, field_ref, one_source, resource_field_ref},
    given, names,
};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeMap;

/// A file mode: 0 to 0777.
pub fn mode(mode: Option<i32>, path: &Path, f: &mut Findings) {
    let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) else { return };
    // 644 was surely meant as 0644: YAML reads it as decimal.
    let octal = i32::from_str_radix(&mode.to_string(), 8).is_ok_and(|mode| mode <= 0o777);
    let finding = f.invalid(path, mode, "must be between 0 and 0777 (octal)");
    if octal {
        finding.suggest(format!("write 0{mode}: without the 0 it is a decimal number"));
    }
}

/// Keys and the files they become.
pub fn items(items: Option<&Vec<api::KeyToPath>>, path: &Path, f: &mut Findings) {
    for (index, item) in items.into_iter().flatten().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            f.required(&path.field("key"), "");
        }
        target(&item.path, &path.field("path"), f);
        mode(item.mode, &path.field("mode"), f);
    }
}

fn target(target: &str, path: &Path, f: &mut Findings) {
    if target.is_empty() {
        f.required(path, "");
    }
    f.text_rule(path, Some(target), names::projected_path);
}

/// Files of a downward API volume or projection.
pub fn downward_files(files: Option<&Vec<api::DownwardAPIVolumeFile>>, path: &Path, f: &mut Findings) {
    for (index, file) in files.into_iter().flatten().enumerate() {
        let path = path.index(index);
        target(&file.path, &path.field("path"), f);
        let both = [("fieldRef", file.field_ref.is_some()), ("resourceFieldRef", file.resource_field_ref.is_some())];
        one_source(&both, &path, f);
        if let Some(field) = &file.field_ref {
            field_ref(field, VOLUME_FIELDS, &path.field("fieldRef"), f);
        }
        if let Some(resource) = &file.resource_field_ref {
            resource_field_ref(resource, true, &path.field("resourceFieldRef"), f);
        }
        mode(file.mode, &path.field("mode"), f);
    }
}

/// A projected volume: several sources in one directory, no path twice.
pub fn projected(volume: &api::ProjectedVolumeSource, path: &Path, f: &mut Findings) {
    mode(volume.default_mode, &path.field("defaultMode"), f);
    let sources = path.field("sources");
    let mut taken: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for (index, source) in volume.sources.iter().flatten().enumerate() {
        let path = sources.index(index);
        one_source(
            &[
                ("clusterTrustBundle", source.cluster_trust_bundle.is_some()),
                ("configMap", source.config_map.is_some()),
                ("downwardAPI", source.downward_api.is_some()),
                ("podCertificate", source.pod_certificate.is_some()),
                ("secret", source.secret.is_some()),
                ("serviceAccountToken", source.service_account_token.is_some()),
            ],
            &path,
            f,
        );
        let mut paths: Vec<&str> = Vec::new();
        if let Some(secret) = &source.secret {
            named(&secret.name, secret.items.as_ref(), &path.field("secret"), f);
            paths.extend(secret.items.iter().flatten().map(|i| i.path.as_str()));
        }
        if let Some(config) = &source.config_map {
            named(&config.name, config.items.as_ref(), &path.field("configMap"), f);
            paths.extend(config.items.iter().flatten().map(|i| i.path.as_str()));
        }
        if let Some(downward) = &source.downward_api {
            let path = path.field("downwardAPI");
            downward_files(downward.items.as_ref(), &path.field("items"), f);
            paths.extend(downward.items.iter().flatten().map(|i| i.path.as_str()));
        }
        if let Some(token) = &source.service_account_token {
            let path = path.field("serviceAccountToken");
            target(&token.path, &path.field("path"), f);
            if let Some(seconds) = token.expiration_seconds {
                f.range(&path.field("expirationSeconds"), seconds, 600, 1 << 32);
            }
        }
        if let Some(bundle) = &source.cluster_trust_bundle {
            let path = path.field("clusterTrustBundle");
            target(&bundle.path, &path.field("path"), f);
            let named = [("name", given(bundle.name.as_ref())), ("signerName", given(bundle.signer_name.as_ref()))];
            one_source(&named.map(|(field, value)| (field, value.is_some())), &path, f);
        }
        // What is optional may not be there, and then clashes with nothing.
        let of_config = source.config_map.as_ref().and_then(|s| s.optional);
        let optional = source.secret.as_ref().and_then(|s| s.optional).or(of_config) == Some(true);
        for file in paths.into_iter().filter(|p| !p.is_empty()) {
            if let Some(&(first, _)) = taken.get(file) {
                f.duplicate(&path, file, &sources.index(first));
            } else if let Some((other, &(first, _))) =
                taken.iter().find(|(other, (_, may_lack))| !may_lack && !optional && one_holds_the_other(other, file))
            {
                f.invalid(&path, file, &format!("and {other} can not both be files"))
                    .related_path(&sources.index(first), "the other one");
            }
            taken.entry(file).or_insert((index, optional));
        }
    }
}

/// Whether one of two paths would have to be the directory of the other.
fn one_holds_the_other(one: &str, other: &str) -> bool {
    let (one, other) = (std::path::Path::new(one), std::path::Path::new(other));
    one != other && (one.starts_with(other) || other.starts_with(one))
}

fn named(name: &str, list: Option<&Vec<api::KeyToPath>>, path: &Path, f: &mut Findings) {
    if name.is_empty() {
        f.required(&path.field("name"), "");
    }
    items(list, &path.field("items"), f);
}
