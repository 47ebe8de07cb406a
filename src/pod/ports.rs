//! Host ports: what only one pod of a node can have at a time.

use super::{ContainerKind, Pod, PodKey};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

/// A port of the node that a pod asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// `hostPort`.
    pub port: i32,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `hostIP`; `None` for all addresses.
    pub ip: Option<IpAddr>,
}

impl HostPort {
    /// What a declared port asks of the node, if anything.
    pub fn of(port: &api::ContainerPort) -> Option<Self> {
        let ip = port.host_ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        Some(Self {
            port: port.host_port.filter(|port| *port != 0)?,
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            ip: ip.filter(|ip| !ip.is_unspecified()),
        })
    }

    /// Whether both can not be had at once. All addresses of one family stand for those of the other too,
    /// as the engine binds both.
    pub fn clashes(&self, other: &Self) -> bool {
        let same_ip = match (self.ip, other.ip) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => true,
        };
        self.port == other.port && self.protocol == other.protocol && same_ip
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            None => {}
        }
        write!(f, "{}/{}", self.port, self.protocol)
    }
}

impl Pod {
    /// The host ports of its regular containers, which are the ones that are bound; with hostNetwork all
    /// that they declare.
    pub fn host_ports(&self) -> BTreeSet<HostPort> {
        let apps = self.containers.iter().filter(|c| c.kind == ContainerKind::App);
        apps.flat_map(|c| c.api.ports.iter().flatten()).filter_map(HostPort::of).collect()
    }
}

/// A host port that another pod has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTaken {
    /// The port that is asked for.
    pub port: HostPort,
    /// Who has it.
    pub by: PodKey,
}

impl fmt::Display for PortTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host port {} belongs to pod {}", self.port, self.by)
    }
}

/// Which of these pods can not have a host port, and why. Those that come first have theirs; one that
/// can not have all of its ports has none. A pod may come twice, as it runs and as it is to run: it does not
/// stand in its own way.
pub fn taken_ports<'p>(in_order: impl IntoIterator<Item = &'p Pod>) -> BTreeMap<PodKey, PortTaken> {
    let mut had: BTreeMap<(i32, String), Vec<(HostPort, &PodKey)>> = BTreeMap::new();
    let mut taken = BTreeMap::new();
    for pod in in_order {
        let wanted = pod.host_ports();
        let by = |port: &HostPort| {
            let holders = had.get(&(port.port, port.protocol.clone())).into_iter().flatten();
            let mut clashing = holders.filter(|(held, by)| **by != pod.key && held.clashes(port));
            clashing.next().map(|(_, by)| PortTaken { port: port.clone(), by: (*by).clone() })
        };
        match wanted.iter().find_map(by) {
            Some(clash) => drop(taken.insert(pod.key.clone(), clash)),
            None => {
                for port in wanted {
                    had.entry((port.port, port.protocol.clone())).or_default().push((port, &pod.key));
                }
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{ManifestSource, Node};

    fn pod(name: &str, spec: &str) -> Pod {
        let yaml = format!("{{metadata: {{name: {name}}}, spec: {{{spec}}}}}");
        let written: k8s_openapi::api::core::v1::Pod = serde_yaml::from_str(&yaml).unwrap();
        let source = ManifestSource { path: "/m/x.yaml".into(), document: 0 };
        Pod::from_manifest(written, source, &Node { name: "n".into() }).unwrap()
    }

    fn ports(list: &str) -> String {
        format!("containers: [{{name: c, image: i, ports: [{list}]}}]")
    }

    #[test]
    fn ports_that_are_bound() {
        let all = |spec: &str| pod("a", spec).host_ports().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(all(&ports("{containerPort: 80}, {containerPort: 81, hostPort: 0}")), [""; 0]);
        let list = "{containerPort: 80, hostPort: 8080}, {containerPort: 53, hostPort: 53, protocol: UDP, hostIP: 127.0.0.1}, \
                    {containerPort: 9, hostPort: 9, hostIP: '::1'}, {containerPort: 8, hostPort: 8, hostIP: 0.0.0.0}";
        assert_eq!(all(&ports(list)), ["8/TCP", "[::1]:9/TCP", "127.0.0.1:53/UDP", "8080/TCP"]);
        let host_network = format!("hostNetwork: true, {}", ports("{containerPort: 9100}"));
        assert_eq!(all(&host_network), ["9100/TCP"]);
        let init = "initContainers: [{name: i, image: i, ports: [{containerPort: 1, hostPort: 1}]}], containers: [{name: c, image: i}]";
        assert_eq!(all(init), [""; 0]);
    }

    #[test]
    fn the_first_has_the_port() {
        let port = |more: &str| ports(&format!("{{containerPort: 80, hostPort: 80{more}}}"));
        for (first, second, clash) in [
            ("", "", true),
            ("", ", protocol: UDP", false),
            ("", ", hostIP: 127.0.0.1", true),
            (", hostIP: 127.0.0.1", ", hostIP: 127.0.0.2", false),
            (", hostIP: 127.0.0.1", ", hostIP: 127.0.0.1", true),
            (", hostIP: 0.0.0.0", ", hostIP: '::1'", true),
            (", protocol: SCTP", ", protocol: SCTP", true),
        ] {
            let (a, b) = (pod("a", &port(first)), pod("b", &port(second)));
            for (one, two) in [(&a, &b), (&b, &a)] {
                let taken = taken_ports([one, two]);
                assert_eq!(taken.contains_key(&two.key), clash, "{first} {second}");
                assert!(taken.get(&two.key).is_none_or(|t| t.by == one.key));
                assert!(!taken.contains_key(&one.key));
            }
        }
    }

    #[test]
    fn an_edited_pod_keeps_its_own_port() {
        let old = pod("a", &ports("{containerPort: 1, hostPort: 1}"));
        let new = pod("a", &ports("{containerPort: 1, hostPort: 1}, {containerPort: 2, hostPort: 2}"));
        let other = pod("b", &ports("{containerPort: 2, hostPort: 2}"));
        assert_eq!(taken_ports([&old, &new]), BTreeMap::new());
        assert_eq!(taken_ports([&old, &other, &new]).into_keys().collect::<Vec<_>>(), std::slice::from_ref(&new.key));
    }

    #[test]
    fn a_pod_that_does_not_fit_holds_nothing() {
        let a = pod("a", &ports("{containerPort: 1, hostPort: 1}"));
        let b = pod("b", &ports("{containerPort: 1, hostPort: 1}, {containerPort: 2, hostPort: 2}"));
        let c = pod("c", &ports("{containerPort: 2, hostPort: 2}"));
        let taken = taken_ports([&a, &b, &c]);
        assert_eq!(taken.keys().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["b-n"]);
        assert_eq!(taken[&b.key].to_string(), "host port 1/TCP belongs to pod default/a-n");
    }
}
