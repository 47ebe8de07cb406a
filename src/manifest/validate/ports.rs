//! Ports of containers, and which of the node's they take.

use super::{given, names};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::api::core::v1 as api;
use std::collections::HashMap;

/// Ports of one container.
pub fn container(container: &api::Container, path: &Path, f: &mut Findings) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, port) in container.ports.iter().flatten().enumerate() {
        let path = path.index(index);
        if let Some(name) = given(port.name.as_ref()) {
            f.rule(&path.field("name"), Some(name), names::port_name);
            if let Some(first) = seen.insert(name, index) {
                let all = path.parent().unwrap_or(Path::ROOT);
                f.duplicate(&path.field("name"), name, &all.index(first).field("name"));
            }
        }
        let number = path.field("containerPort");
        if port.container_port == 0 {
            f.required(&number, "");
        } else {
            f.range(&number, port.container_port.into(), 1, 65535);
        }
        if let Some(host) = port.host_port.filter(|host| *host != 0)
            && host != port.container_port
        {
            f.range(&path.field("hostPort"), host.into(), 1, 65535);
        }
        f.one_of(&path.field("protocol"), port.protocol.as_deref(), &["SCTP", "TCP", "UDP"]);
        // The API lets anything pass; the engine would not.
        f.text_rule(&path.field("hostIP"), given(port.host_ip.as_ref()), names::ip);
    }
}

/// Host ports are unique among the containers that run together, and with the node's network they
/// are the container's own.
pub fn host_ports(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let containers = path.field("containers");
    let mut taken: HashMap<(&str, &str, i32), (usize, usize)> = HashMap::new();
    for (index, container) in spec.containers.iter().enumerate() {
        for (number, port) in container.ports.iter().flatten().enumerate() {
            let container_path = containers.index(index);
            let ports = container_path.field("ports");
            let path = ports.index(number);
            let Some(host) = port.host_port.filter(|host| *host != 0) else { continue };
            if spec.host_network == Some(true) && host != port.container_port {
                let rule =
                    format!("must be {} as containerPort is, since the pod has hostNetwork: true", port.container_port);
                f.invalid(&path.field("hostPort"), host, &rule);
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let key = (protocol, port.host_ip.as_deref().unwrap_or(""), host);
            if let Some(&(first, first_number)) = taken.get(&key) {
                let first_container = containers.index(first);
                let first_ports = first_container.field("ports");
                let field = path.field("hostPort");
                let message = format!("host port {host}/{protocol} is taken by another container of the pod");
                f.error("duplicate", &field, message).related_path(&first_ports.index(first_number), "taken here");
            } else {
                taken.insert(key, (index, number));
            }
        }
    }
}
