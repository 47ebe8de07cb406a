//! What a pod is among the pods of its node: how important, after which others, how long it is tried.

use super::{PodKey, priority::priority};
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeSet;

/// Annotation: how many restarts of failed containers a pod may have, all of them together, before it has
/// failed for good. The pods of Jobs have it from `backoffLimit`.
pub const ANNOTATION_BACKOFF_LIMIT: &str = "kubelet-lite.io/backoff-limit";
/// Annotation: pods that must be ready, or have succeeded if they are to run to their end, before this one
/// starts. Names as in the manifests, separated by commas; of another namespace as `namespace/name`.
pub const ANNOTATION_START_AFTER: &str = "kubelet-lite.io/start-after";

/// What a pod is among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// More starts earlier and stops later.
    pub priority: i32,
    /// From [`ANNOTATION_START_AFTER`].
    pub start_after: BTreeSet<PodKey>,
    /// From [`ANNOTATION_BACKOFF_LIMIT`].
    pub backoff_limit: Option<u32>,
    /// Whether it is this node's share of a DaemonSet, which is only on nodes that it fits.
    pub is_daemon: bool,
    /// Whether it is a Job's, which may be given another deadline when it is done.
    pub is_job: bool,
}

impl Standing {
    /// What the manifest says. What can not be read counts as not given: validation reports it.
    pub(super) fn of(written: &api::Pod, key: &PodKey) -> Self {
        let annotation = |name: &str| written.metadata.annotations.as_ref().and_then(|all| all.get(name));
        // All pods of a node have the same suffix.
        let name = written.metadata.name.as_deref().unwrap_or_default();
        let suffix = key.name.strip_prefix(name).unwrap_or_default();
        let names = annotation(ANNOTATION_START_AFTER).map(|text| start_after(text)).unwrap_or_default();
        let start_after = names.into_iter().map(|(namespace, name)| {
            PodKey::new(namespace.unwrap_or(key.namespace.as_str()), format!("{name}{suffix}"))
        });
        Self {
            priority: written.spec.as_ref().map_or(0, priority),
            start_after: start_after.collect(),
            backoff_limit: annotation(ANNOTATION_BACKOFF_LIMIT).and_then(|text| text.parse().ok()),
            is_daemon: is_controlled_by(written, "DaemonSet"),
            is_job: is_controlled_by(written, "Job"),
        }
    }
}

/// Namespace, if given, and name of each pod that the annotation lists.
pub fn start_after(text: &str) -> Vec<(Option<&str>, &str)> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name))).collect()
}

/// Whether a workload of this kind made the pod.
pub(super) fn is_controlled_by(written: &api::Pod, kind: &str) -> bool {
    let owners = written.metadata.owner_references.iter().flatten();
    owners.filter(|owner| owner.controller == Some(true)).any(|owner| owner.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn standing(metadata: &Value, spec: &Value) -> Standing {
        let mut pod = json!({"metadata": metadata, "spec": spec});
        pod["metadata"]["name"] = json!("web");
        pod["spec"]["containers"] = json!([]);
        Standing::of(&serde_json::from_value(pod).unwrap(), &PodKey::new("shop", "web-n1"))
    }

    #[test]
    fn annotations() {
        let annotations = json!({ANNOTATION_START_AFTER: "db, infra/dns,", ANNOTATION_BACKOFF_LIMIT: "3"});
        let found = standing(&json!({"annotations": annotations}), &json!({}));
        let keys = [PodKey::new("infra", "dns-n1"), PodKey::new("shop", "db-n1")];
        assert_eq!((found.start_after, found.backoff_limit), (BTreeSet::from(keys), Some(3)));
        let odd = standing(&json!({"annotations": {ANNOTATION_BACKOFF_LIMIT: "-1"}}), &json!({}));
        assert_eq!(odd, Standing::default());
    }

    #[test]
    fn shares_of_daemon_sets() {
        let owned = |kind: &str| {
            json!({"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": kind, "name": "a", "uid": "u", "controller": true}]})
        };
        assert!(standing(&owned("DaemonSet"), &json!({})).is_daemon);
        assert!(!standing(&owned("ReplicaSet"), &json!({})).is_daemon);
    }
}
