//! The managed `/etc/hosts` of a pod (`kubelet_pods.go`).

use super::names;
use crate::pod::Pod;
use std::{fmt::Write, net::IpAddr};

/// Lines of every pod that has a network of its own.
const LOOPBACK: &str = "\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
";

/// The file's content. `ips` are the sandbox's; with hostNetwork `node_hosts`, the node's own file,
/// stands instead.
pub fn hosts_file(pod: &Pod, ips: &[IpAddr], node_hosts: &str, cluster_domain: &str) -> String {
    let mut text = String::new();
    if pod.host_network {
        text.push_str("# Kubernetes-managed hosts file (host network).\n");
        text.push_str(node_hosts);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    } else {
        text.push_str("# Kubernetes-managed hosts file.\n");
        text.push_str(LOOPBACK);
        let (hostname, domain) = names::hostname(pod, cluster_domain);
        for ip in ips {
            // Writing to a String can not fail.
            let _ = match &domain {
                Some(domain) => writeln!(text, "{ip}\t{hostname}.{domain}\t{hostname}"),
                None => writeln!(text, "{ip}\t{hostname}"),
            };
        }
    }
    let aliases: Vec<_> = pod.spec.host_aliases.iter().flatten().collect();
    if !aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names: Vec<&str> = alias.hostnames.iter().flatten().map(String::as_str).collect();
            let _ = writeln!(text, "{}\t{}", alias.ip, names.join("\t"));
        }
    }
    text
}
