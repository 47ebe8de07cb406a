//! What a field of a Pod means in Docker's terms, and back.
//!
//! Owns the create bodies of sandboxes and containers, every label in both directions, and the
//! reading of inspected containers. Pure: values in, values out; files, clocks and the engine are
//! asked by others, who hand in what they found as [`NodeFacts`] and [`SandboxFacts`].

mod confidential;
mod container;
mod credentials;
mod dns;
mod env;
mod env_file;
mod error;
mod expand;
mod files;
mod hosts;
mod labels;
mod mounts;
mod names;
mod nested;
mod observe;
mod ports;
mod references;
mod resources;
mod sandbox;
mod security;
pub mod support;
mod used;

pub use confidential::{KEPT_BACK, keeps_back};
pub use container::container_body;
pub use credentials::{PullSecrets, pull_secrets};
pub use dns::{BEHIND_STUB, RESOLV_CONF, ResolvConf, dns_remarks, reads_resolv_conf};
pub use env_file::{EnvFiles, env_files};
pub use error::{ConvertError, LabelError};
pub use expand::expand;
pub(crate) use files::file_volume_path;
pub use files::{FileVolume, FileVolumes, Medium, VolumeFile, file_volumes};
pub use hosts::hosts_file;
pub(crate) use labels::EncodedSource;
pub use labels::{ANNOTATION_RESTART_COUNT, IDENTITY_LABELS, Labels, MANAGED_BY, pod_identity, source};
pub use mounts::{
    ClaimDirectories, ClaimVolume, SubPath, claims_in_parts, claims_of_group, claims_of_sandbox, sub_paths,
};
pub(crate) use mounts::{mounts_hosts, termination_message_path};
pub use names::{claim_volume_name, container_name, hostname, sandbox_name};
pub use nested::MountPoint;
pub(crate) use nested::{clash, mount_points};
pub use observe::{Observed, assemble, listed_identity, observe};
pub use references::references;
pub use resources::{QosClass, qos_class};
pub use sandbox::sandbox_body;
pub use security::{PASSWD, check_named_user, named_user, seccomp_profile};
pub use support::{FieldVerdict, SupportPolicy, SysctlPatternError, Sysctls, Verdict, unsupported};
pub(crate) use used::{used_volumes, uses, volumes_of};

use crate::{
    engine::ImageDetails,
    pod::{ContainerId, Node, Objects, references::EnvironmentKey},
};
use std::{
    fmt,
    net::IpAddr,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Which kubelet-lite a container belongs to: the value of label `io.kubelet-lite.managed-by`.
///
/// It is the root directory itself, so that an operator can read it and two daemons with different
/// roots leave each other alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InstanceId(String);

impl InstanceId {
    /// The instance of an absolute `--root-dir`. Doubled and trailing slashes do not matter;
    /// symbolic links do, so give the path as the operator wrote it.
    pub fn from_root_dir(root_dir: &Path) -> Self {
        let tidy: PathBuf = root_dir.components().filter(|c| *c != Component::CurDir).collect();
        Self(tidy.to_string_lossy().into_owned())
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What create bodies take from the node and its engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Goes on every container.
    pub instance: InstanceId,
    /// Node name.
    pub node: Node,
    /// `--root-dir`, absolute.
    pub root_dir: PathBuf,
    /// Id of the pause image.
    pub pause_image: String,
    /// Bytes of memory of the machine.
    pub memory_total: i64,
    /// Processors of the machine.
    pub cpus: u32,
    /// Whether the engine may set a negative `oom_score_adj`; if not, 0 is the lowest.
    pub negative_oom_score_adj: bool,
    /// Whether to cap container logs at 10 MiB x 5: when the engine's default driver is json-file.
    pub bound_logs: bool,
    /// Docker network of pods without hostNetwork.
    pub network: String,
    /// Whether a container that says nothing about seccomp gets the engine's default profile.
    pub seccomp_default: bool,
    /// The node's addresses, for `status.hostIPs`: of IPv4 first; empty while none is known.
    pub node_ips: Vec<IpAddr>,
    /// Bytes of the disk that pods write to; `None` if that is not known.
    pub ephemeral_storage: Option<i64>,
    /// Whether the engine can confine containers with AppArmor; while it has not said, it is believed to.
    pub app_armor: bool,
    /// `--resolv-conf`: the file to which `dnsConfig` adds; empty for none.
    pub resolv_conf: PathBuf,
    /// The domain below which `subdomain` lies.
    pub cluster_domain: String,
    /// ConfigMaps, Secrets and claims declared on this node.
    pub objects: Arc<Objects>,
    /// Makes the label that tells whether an environment is as it would be made now; without a key
    /// nobody can tell.
    pub environment_key: Option<EnvironmentKey>,
    /// Version of the engine's API, as in `(1, 41)`; zero while it is not known.
    pub engine_api: (u32, u32),
    /// Most processes and threads of a container (`--pod-max-pids`); `None` leaves it to the engine.
    pub pod_max_pids: Option<i64>,
}

impl NodeFacts {
    /// Facts with the product's defaults: `bridge` network, bounded logs, seccomp on, no negative
    /// `oom_score_adj`, and nothing known of the machine.
    pub fn new(root_dir: PathBuf, node: Node, pause_image: String) -> Self {
        Self {
            instance: InstanceId::from_root_dir(&root_dir),
            node,
            root_dir,
            pause_image,
            memory_total: 0,
            cpus: 1,
            negative_oom_score_adj: false,
            bound_logs: true,
            network: "bridge".into(),
            seccomp_default: true,
            node_ips: Vec::new(),
            ephemeral_storage: None,
            app_armor: true,
            resolv_conf: dns::RESOLV_CONF.into(),
            cluster_domain: "cluster.local".into(),
            objects: Arc::default(),
            environment_key: None,
            engine_api: (0, 0),
            pod_max_pids: None,
        }
    }

    /// The node's first address, for `status.hostIP`.
    pub fn node_ip(&self) -> Option<IpAddr> {
        self.node_ips.first().copied()
    }
}

/// What was found for a container that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct ContainerFacts<'a> {
    /// The sandbox it joins.
    pub sandbox: SandboxFacts<'a>,
    /// Its image, on the node.
    pub image: &'a ImageDetails,
    /// The profile that [`seccomp_profile`] names, or why it can not be read.
    pub seccomp_profile: Option<&'a Result<String, String>>,
    /// What of the node's disk it is made from.
    pub disk: &'a DiskFacts,
}

/// What was found on the node's disk for a container that is to be made.
#[derive(Clone, Debug, Default)]
pub struct DiskFacts {
    /// Where the claims of [`claims_in_parts`] lie.
    pub claims: ClaimDirectories,
    /// The files of [`env_files`].
    pub env_files: EnvFiles,
}

/// What a container takes from the sandbox it joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxFacts<'a> {
    /// Engine id of the pause container.
    pub id: &'a ContainerId,
    /// Its addresses, IPv4 first; empty with hostNetwork.
    pub ips: &'a [IpAddr],
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
