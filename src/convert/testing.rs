//! Pods, facts and images for the tests of this room.

use super::{
    ClaimDirectories, ContainerFacts, DiskFacts, EnvFiles, NodeFacts, ResolvConf, SandboxFacts, container_body,
    sandbox_body,
};
use crate::{
    engine::{ContainerDetails, EngineState, ImageDetails},
    pod::{Attempt, ContainerId, History, ManifestSource, Node, Pod},
};
use serde_json::Value;
use std::{net::IpAddr, path::PathBuf};

pub const IPS: [IpAddr; 1] = [IpAddr::V4(std::net::Ipv4Addr::new(172, 17, 0, 5))];

/// When the pods of these tests began.
pub const STARTED: jiff::Timestamp = jiff::Timestamp::constant(1_700_000_000, 0);

pub fn node() -> NodeFacts {
    NodeFacts {
        memory_total: 8 << 30,
        cpus: 4,
        ephemeral_storage: Some(100 << 30),
        node_ips: vec!["192.0.2.7".parse().expect("an address")],
        negative_oom_score_adj: true,
        ..NodeFacts::new(PathBuf::from("/var/lib/kubelet-lite"), Node { name: "node1".into() }, "sha256:pause".into())
    }
}

/// The node's resolver.
pub fn resolv_conf() -> ResolvConf {
    ResolvConf { text: "nameserver 192.0.2.53\nsearch example.org\noptions edns0\n".into(), behind_stub: None }
}

/// A pod from YAML of its spec.
pub fn pod(spec: &str) -> Pod {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let yaml = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  uid: u1\n  labels: {{app: web}}\nspec:\n{indented}"
    );
    pod_of(&yaml)
}

/// A pod from YAML.
pub fn pod_of(yaml: &str) -> Pod {
    let written: k8s_openapi::api::core::v1::Pod = serde_yaml::from_str(yaml).expect("pod");
    let source = ManifestSource { path: "/etc/kubernetes/manifests/web.yaml".into(), document: 0 };
    Pod::from_manifest(written, source, &node().node).expect("pod")
}

pub fn image() -> ImageDetails {
    ImageDetails { id: "sha256:image".into(), ..ImageDetails::default() }
}

/// What is found for a container without a profile of its own.
pub fn found<'a>(sandbox: &SandboxFacts<'a>, image: &'a ImageDetails) -> ContainerFacts<'a> {
    ContainerFacts { sandbox: *sandbox, image, seccomp_profile: None, disk: &NOTHING }
}

static NOTHING: DiskFacts = DiskFacts { claims: ClaimDirectories::new(), env_files: EnvFiles::new() };

pub fn sandbox_id() -> ContainerId {
    ContainerId::new("sandbox-0")
}

/// Both bodies of a pod with one container, as they go to the engine.
pub fn bodies(pod: &Pod) -> Value {
    bodies_on(pod, &node())
}

pub fn bodies_on(pod: &Pod, node: &NodeFacts) -> Value {
    let sandbox = sandbox_body(pod, Attempt(0), STARTED, &resolv_conf(), node).expect("sandbox");
    let id = sandbox_id();
    let facts = SandboxFacts { id: &id, ips: if pod.host_network { &[] } else { &IPS } };
    let containers: serde_json::Map<String, Value> = pod
        .containers
        .iter()
        .map(|c| {
            let body = container_body(pod, c, &found(&facts, &image()), &History::default(), node);
            (c.name.to_string(), serde_json::to_value(body.expect("container")).expect("json"))
        })
        .collect();
    serde_json::json!({ "sandbox": sandbox, "containers": containers })
}

/// What the engine would answer of a container made from a body.
pub fn details(id: &str, body: &crate::engine::ContainerCreateBody, state: EngineState) -> ContainerDetails {
    let host = body.host_config.clone().unwrap_or_default();
    ContainerDetails {
        id: id.into(),
        name: id.into(),
        labels: body.labels.clone().unwrap_or_default().into_iter().collect(),
        state,
        exit_code: 0,
        oom_killed: false,
        error: String::new(),
        created_at: None,
        started_at: None,
        finished_at: None,
        ips: Vec::new(),
        image_id: body.image.clone().unwrap_or_default(),
        pid: 0,
        network_mode: host.network_mode.unwrap_or_default(),
        user: body.user.clone().unwrap_or_default(),
        oom_score_adj: host.oom_score_adj.unwrap_or_default(),
        resolv_conf_path: String::new(),
        log_path: String::new(),
        execs: Vec::new(),
    }
}
