//! The API's own rules for what a file declares (`pkg/apis/core/validation`), on objects with
//! defaults, and what is worth a warning. All that is wrong is found at once.
//!
//! Split by subject. The words of the codes are the API's: required, invalid, not supported,
//! duplicate, forbidden, not found, too long.

mod affinity;
mod annotations;
mod cluster;
mod config;
mod containers;
mod dns;
mod env;
mod handlers;
mod metadata;
pub mod names;
mod ports;
mod projected;
mod resources;
mod scheduling;
mod security;
mod spec;
mod volumes;
mod warnings;
mod words;
mod workloads;

pub use config::{claim, config_map, secret};
pub use workloads::workload;

use super::{findings::Findings, path::Path};
use annotations::Bearer;
use k8s_openapi::api::core::v1 as api;

/// Whether a pod spec is a Pod's or a template's: the API allows templates a little more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Pod,
    Template,
}

/// Judges a Pod.
pub fn pod(pod: &api::Pod, path: &Path, findings: &mut Findings) {
    let metadata_path = path.field("metadata");
    let spec_path = path.field("spec");
    let spec = spec::with_defaults(pod.spec.as_ref());
    metadata::metadata(&pod.metadata, &metadata_path, findings);
    metadata::pod_annotations(&pod.metadata, &spec, &metadata_path, findings);
    annotations::own(&pod.metadata, Bearer::Pod, &metadata_path, findings);
    spec::spec(&spec, Role::Pod, &spec_path, findings);
    security::app_armor_annotations(&pod.metadata, &spec, &metadata_path, &spec_path, findings);
    cluster::pod(&pod.metadata, &spec, &metadata_path, &spec_path, findings);
    warnings::pod(&pod.metadata, pod.spec.as_ref(), &spec, &metadata_path, &spec_path, findings);
}

/// A text that was given and is not empty: the API makes no difference between the two.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
