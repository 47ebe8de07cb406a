//! The manifests that are not started, and why: the exact lists, so that none is left out in silence.

use std::{collections::BTreeSet, fs};

/// Why a pod can not be started with a stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its file is refused, first with this code.
    Refused(&'static str),
    /// An image is named by its digest, which a stand-in has not.
    Digest,
    /// A volume is a device of a node.
    Device,
    /// A container shares mounts, which the test's directory does not.
    SharedMounts,
    /// It wants an AppArmor profile of a node, without which its containers wait.
    AppArmor,
    /// A container wants a capability that not every machine gives its tests: there, and only there, it is left out.
    SysResource,
}

/// The files of which a pod is left out, and why.
pub type Left = BTreeSet<(String, Why)>;

/// Whether this machine gives all capabilities.
pub fn has_sys_resource() -> bool {
    const SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    u64::from_str_radix(line.trim(), 16).unwrap_or_default() & (1 << SYS_RESOURCE) != 0
}

/// Files of our own of which a pod is left out.
pub const OWN_LEFT_OUT: &[(&str, Why)] =
    &[("everything.yaml", Why::Refused("field-not-supported")), ("yaml-as-kubernetes-reads-it.yaml", Why::Digest)];

/// Files of others of which a pod is left out.
pub const LEFT_OUT: &[(&str, Why)] = &[
    (
        "GoogleCloudPlatform-k8s-node-tools--containerd-nofile-infinity--containerd-nofile-infinity.yaml",
        Why::SysResource,
    ),
    ("Ichuncun-python--kube-flannel.yml", Why::SysResource),
    ("aws-amazon-vpc-cni-k8s--config--multus--v4.1.4-eksbuild.1--multus-daemonset-thick.yml", Why::SharedMounts),
    ("k8snetworkplumbingwg-multus-cni--deployments--multus-daemonset-crio.yml", Why::SharedMounts),
    ("k8snetworkplumbingwg-multus-cni--deployments--multus-daemonset.yml", Why::SharedMounts),
    (
        "kubernetes-kops--additionalobjects--manifests-etcdmanager-events-master-us-test-1a_content.yaml",
        Why::SysResource,
    ),
    ("kubernetes-kops--additionalobjects--manifests-etcdmanager-main-master-us-test-1a_content.yaml", Why::SysResource),
    ("kubernetes-kops--minimal_hetzner--manifests-etcdmanager-events-master-fsn1_content.yaml", Why::SysResource),
    ("kubernetes-kops--minimal_hetzner--manifests-etcdmanager-main-master-fsn1_content.yaml", Why::SysResource),
    (
        "kubernetes-kops--minimal_scaleway--manifests-etcdmanager-main-control-plane-fr-par-1_content.yaml",
        Why::SysResource,
    ),
    ("kubernetes-up-and-running-examples--5-6-kuard-pod-full.yaml", Why::Refused("field-not-supported")),
    ("longhorn-longhorn--deploy--prerequisite--longhorn-gke-cos-node-agent.yaml", Why::SysResource),
    ("mustafizEnosis-kubernetes--k8s-project--datadog--datadog-agent.yaml", Why::SysResource),
    ("openshift-microshift--k8s--test--images--apparmor-loader--example-pod.yaml", Why::AppArmor),
    ("rbo-unifi-controller--static-pod.yaml", Why::SysResource),
    ("roylez-kube--kube-proxy.yaml", Why::SysResource),
    ("signalfx-signalfx-agent--deployments--k8s--daemonset.yaml", Why::SharedMounts),
    ("website--pods--private-reg-pod.yaml", Why::Refused("invalid")),
    ("website--pods--security--hello-apparmor.yaml", Why::AppArmor),
    ("website--pods--user-namespaces-stateless.yaml", Why::Refused("field-not-supported")),
    ("youki-dev-youki--tools--youki-deploy--youki-deploy.yaml", Why::SysResource),
];
