//! Which kinds a file may hold, by group and version, and what becomes of each.

/// What becomes of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decoded and judged. Holds the kind, and the version it is read as if that is not the one written.
    Decoded(Decoded, Option<&'static str>),
    /// A list: its items are.
    List,
    /// Means nothing without a cluster: passed over with a warning.
    ClusterOnly,
    /// A decoded kind in a version that never was; holds those that are.
    WrongVersion(&'static [&'static str]),
    /// Not known.
    Unknown,
}

/// Kinds that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// `v1` Pod.
    Pod,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Secret.
    Secret,
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
}

/// Decoded kinds, and the versions each is read from: today's first.
const DECODED: &[(&str, Decoded, &[&str])] = &[
    ("Pod", Decoded::Pod, &["v1"]),
    ("ConfigMap", Decoded::ConfigMap, &["v1"]),
    ("Secret", Decoded::Secret, &["v1"]),
    ("PersistentVolumeClaim", Decoded::PersistentVolumeClaim, &["v1"]),
    ("ReplicationController", Decoded::ReplicationController, &["v1"]),
    ("DaemonSet", Decoded::DaemonSet, &["apps/v1", "apps/v1beta2", "extensions/v1beta1"]),
    ("Deployment", Decoded::Deployment, &["apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"]),
    ("ReplicaSet", Decoded::ReplicaSet, &["apps/v1", "apps/v1beta2", "extensions/v1beta1"]),
    ("StatefulSet", Decoded::StatefulSet, &["apps/v1", "apps/v1beta2", "apps/v1beta1"]),
    ("Job", Decoded::Job, &["batch/v1"]),
    ("CronJob", Decoded::CronJob, &["batch/v1", "batch/v1beta1"]),
];

/// Kinds of each API group (in any version) that only a cluster gives a meaning.
const CLUSTER_ONLY: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "Binding",
            "ComponentStatus",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PodTemplate",
            "ResourceQuota",
            "Service",
            "ServiceAccount",
        ],
    ),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("apps", &["ControllerRevision"]),
    ("autoscaling", &["HorizontalPodAutoscaler"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle", "PodCertificateRequest"]),
    ("coordination.k8s.io", &["Lease", "LeaseCandidate"]),
    ("discovery.k8s.io", &["EndpointSlice"]),
    ("events.k8s.io", &["Event"]),
    ("extensions", &["Ingress", "NetworkPolicy", "PodSecurityPolicy"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("networking.k8s.io", &["Ingress", "IngressClass", "IPAddress", "NetworkPolicy", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("policy", &["PodDisruptionBudget", "PodSecurityPolicy"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass", "Workload"]),
    (
        "storage.k8s.io",
        &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"],
    ),
];

/// What becomes of an object with this `apiVersion` and `kind`.
pub fn lookup(api_version: &str, kind: &str) -> Kind {
    if let Some((_, decoded, versions)) = DECODED.iter().find(|(name, ..)| *name == kind) {
        return match versions.iter().position(|version| *version == api_version) {
            Some(0) => Kind::Decoded(*decoded, None),
            Some(_) => Kind::Decoded(*decoded, versions.first().copied()),
            None => Kind::WrongVersion(versions),
        };
    }
    if kind == "List" && api_version == "v1" {
        return Kind::List;
    }
    if let Some(item) = kind.strip_suffix("List")
        && matches!(lookup(api_version, item), Kind::Decoded(..) | Kind::ClusterOnly)
    {
        return Kind::List;
    }
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let known = CLUSTER_ONLY.iter().any(|(name, kinds)| *name == group && kinds.contains(&kind));
    if known { Kind::ClusterOnly } else { Kind::Unknown }
}

/// Every kind that has a place in a file, for suggestions.
pub fn names() -> Vec<&'static str> {
    let decoded = DECODED.iter().map(|(name, ..)| *name);
    decoded.chain(["List", "PodList"]).chain(CLUSTER_ONLY.iter().flat_map(|(_, kinds)| kinds.iter().copied())).collect()
}

impl Decoded {
    /// The kind's name.
    pub fn name(self) -> &'static str {
        DECODED.iter().find(|(_, decoded, _)| *decoded == self).map_or("", |(name, ..)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_version() {
        assert_eq!(lookup("v1", "Pod"), Kind::Decoded(Decoded::Pod, None));
        assert_eq!(lookup("v2", "Pod"), Kind::WrongVersion(&["v1"]));
        assert_eq!(lookup("extensions/v1beta1", "DaemonSet"), Kind::Decoded(Decoded::DaemonSet, Some("apps/v1")));
        for list in [("v1", "List"), ("v1", "PodList"), ("apps/v1", "DaemonSetList"), ("v1", "ServiceList")] {
            assert_eq!(lookup(list.0, list.1), Kind::List, "{list:?}");
        }
        assert_eq!(lookup("rbac.authorization.k8s.io/v1beta1", "ClusterRole"), Kind::ClusterOnly);
        for unknown in
            [("v1", "ClusterRole"), ("v1", "Pods"), ("", ""), ("example.com/v1", "Service"), ("v1", "ListList")]
        {
            assert_eq!(lookup(unknown.0, unknown.1), Kind::Unknown, "{unknown:?}");
        }
    }
}
