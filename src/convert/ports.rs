//! Host ports, which the sandbox holds for all containers of its pod.

use crate::pod::{ContainerKind, Pod};
use bollard::models::{PortBinding, PortMap};

/// `ExposedPorts` and `PortBindings` of the sandbox: the host ports of the regular containers. With
/// hostNetwork there is nothing to bind.
pub(super) fn port_bindings(pod: &Pod) -> (Vec<String>, PortMap) {
    let mut exposed = Vec::new();
    let mut bindings = PortMap::new();
    if pod.host_network {
        return (exposed, bindings);
    }
    let apps = pod.containers.iter().filter(|c| c.kind == ContainerKind::App);
    for port in apps.flat_map(|c| c.api.ports.iter().flatten()) {
        let host_port = port.host_port.unwrap_or(0);
        if host_port == 0 {
            continue;
        }
        let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
        let key = format!("{}/{protocol}", port.container_port);
        let binding = PortBinding {
            host_ip: port.host_ip.clone().filter(|ip| !ip.is_empty()),
            host_port: Some(host_port.to_string()),
        };
        if !exposed.contains(&key) {
            exposed.push(key.clone());
        }
        // One container port may be reached by several host ports.
        let list = bindings.entry(key).or_default().get_or_insert_default();
        if !list.contains(&binding) {
            list.push(binding);
        }
    }
    (exposed, bindings)
}
