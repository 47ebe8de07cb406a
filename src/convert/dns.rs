//! `dnsPolicy` and `dnsConfig` (`network/dns/dns.go`), as far as Docker's create body can carry them.

use super::NodeFacts;
use crate::pod::Pod;
use bollard::models::HostConfig;
use std::{net::IpAddr, path::Path};

/// The resolver's configuration where `--resolv-conf` names no other.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where systemd-resolved tells the servers that its stub asks.
pub const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// The stub of systemd-resolved.
const STUB: &str = "127.0.0.53";
/// Whom Docker lets containers ask where the node has no server that they can reach.
const OF_THE_ENGINE: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// Limits of the C library that the kubelet enforces.
const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_CHARACTERS: usize = 2048;

/// The parts of a `resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolver {
    pub nameservers: Vec<String>,
    pub searches: Vec<String>,
    pub options: Vec<String>,
}

impl Resolver {
    /// Reads a `resolv.conf`: every `nameserver`, the last `search` or `domain`, the last `options`.
    pub(super) fn parse(text: &str) -> Self {
        let mut resolver = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let keyword = words.next().unwrap_or_default();
            let words = words.take_while(|word| !word.starts_with(['#', ';'])).map(str::to_owned);
            match keyword {
                "nameserver" => resolver.nameservers.extend(words.take(1)),
                "search" | "domain" => resolver.searches = words.collect(),
                "options" => resolver.options = words.collect(),
                _ => {}
            }
        }
        // A root domain says no more than none does.
        resolver.searches.retain(|domain| domain != ".");
        resolver
    }

    /// Keeps what the C library takes, and says what does not fit.
    fn limit(&mut self, remarks: &mut Vec<String>) {
        if self.nameservers.len() > MAX_NAMESERVERS {
            self.nameservers.truncate(MAX_NAMESERVERS);
            let line = self.nameservers.join(" ");
            remarks.push(format!(
                "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: \
                 {line}"
            ));
        }
        let asked = self.searches.len();
        self.searches.truncate(MAX_SEARCHES);
        while self.searches.join(" ").len() > MAX_SEARCH_CHARACTERS {
            self.searches.pop();
        }
        if self.searches.len() < asked {
            let line = self.searches.join(" ");
            remarks.push(format!(
                "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: \
                 {line}"
            ));
        }
    }
}

/// The node's resolver as it was found when a sandbox is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// What the file of `--resolv-conf` holds.
    pub text: String,
    /// What [`BEHIND_STUB`] holds, if it is there.
    pub behind_stub: Option<String>,
}

/// Whether the pod's sandbox is made from the node's resolver. Where nothing is asked for, the engine looks at
/// [`RESOLV_CONF`] itself, just as is done here.
pub fn reads_resolv_conf(pod: &Pod, node: &NodeFacts) -> bool {
    let is_default = node.resolv_conf == Path::new(RESOLV_CONF);
    pod.spec.dns_policy.as_deref() != Some("None") && (pod.spec.dns_config.is_some() || !is_default)
}

/// The resolver a pod asks for, and what of it could not be kept; `None` when it is just the node's.
pub(super) fn resolver(pod: &Pod, found: &ResolvConf, node: &NodeFacts) -> Option<(Resolver, Vec<String>)> {
    let config = pod.spec.dns_config.as_ref();
    let of_node = pod.spec.dns_policy.as_deref() != Some("None");
    let mut remarks = Vec::new();
    // There is no cluster DNS here, and then each policy but None means the node's own.
    let mut resolver = match of_node {
        false => Resolver::default(),
        true if !reads_resolv_conf(pod, node) => return None,
        true => of_the_node(pod, found, node),
    };
    if let Some(config) = config {
        append(&mut resolver.nameservers, config.nameservers.iter().flatten());
        append(&mut resolver.searches, config.searches.iter().flatten());
        for option in config.options.iter().flatten() {
            let Some(name) = option.name.as_deref() else { continue };
            resolver.options.retain(|old| old.split(':').next() != Some(name));
            resolver.options.push(match option.value.as_deref() {
                Some(value) if !value.is_empty() => format!("{name}:{value}"),
                _ => name.to_owned(),
            });
        }
    }
    if of_node && resolver.nameservers.is_empty() {
        resolver.nameservers = OF_THE_ENGINE.map(str::to_owned).to_vec();
        remarks.push(format!(
            "the node's {} names no server that a pod can reach; as Docker does, {} are asked: give --resolv-conf or \
             dnsConfig.nameservers",
            node.resolv_conf.display(),
            OF_THE_ENGINE.join(" and ")
        ));
    }
    resolver.limit(&mut remarks);
    Some((resolver, remarks))
}

/// What could not be kept of the resolver a pod asks for, in the kubelet's words where it has them.
pub fn dns_remarks(pod: &Pod, found: &ResolvConf, node: &NodeFacts) -> Vec<String> {
    resolver(pod, found, node).map(|(_, remarks)| remarks).unwrap_or_default()
}

/// The node's resolver, as far as a pod can use it.
fn of_the_node(pod: &Pod, found: &ResolvConf, node: &NodeFacts) -> Resolver {
    if node.resolv_conf.as_os_str().is_empty() {
        return Resolver { nameservers: vec!["127.0.0.1".to_owned()], ..Resolver::default() };
    }
    let own = Resolver::parse(&found.text);
    if pod.host_network || node.resolv_conf != Path::new(RESOLV_CONF) {
        return own;
    }
    let mut own = match &found.behind_stub {
        Some(behind) if own.nameservers == [STUB] => Resolver::parse(behind),
        _ => own,
    };
    // In the pod's own network such an address is the pod itself.
    own.nameservers.retain(|server| !server.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()));
    own
}

fn append<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for text in more {
        if !list.contains(text) {
            list.push(text.clone());
        }
    }
}

/// Puts the pod's resolver into the sandbox's host configuration, whence its containers have it.
pub(super) fn apply(host: &mut HostConfig, pod: &Pod, found: &ResolvConf, node: &NodeFacts) {
    let Some((resolver, _)) = resolver(pod, found, node) else { return };
    // The engine fills each list that is empty from the node's. "." is its word for no domain, and
    // one dot is what the C library does without options.
    let or = |list: Vec<String>, nothing: &str| if list.is_empty() { vec![nothing.to_owned()] } else { list };
    host.dns = Some(resolver.nameservers).filter(|list| !list.is_empty());
    host.dns_search = Some(or(resolver.searches, "."));
    host.dns_options = Some(or(resolver.options, "ndots:1"));
}

#[cfg(test)]
mod tests;
