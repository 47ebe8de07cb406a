//! `dnsPolicy` and `dnsConfig` (`network/dns/dns.go`), as far as Docker's create body can carry them.

use super::NodeFacts;
use crate::pod::Pod;
use bollard::models::HostConfig;

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
}

/// The resolver a pod asks for; `None` when it is just the node's.
pub(super) fn resolver(pod: &Pod, node: &NodeFacts) -> Option<Resolver> {
    let config = pod.spec.dns_config.as_ref();
    let mut resolver = match pod.spec.dns_policy.as_deref() {
        Some("None") => Resolver::default(),
        // There is no cluster DNS here, and then each of the others means the node's own.
        _ if config.is_none() => return None,
        _ => Resolver::parse(&node.resolv_conf),
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
    resolver.nameservers.truncate(MAX_NAMESERVERS);
    resolver.searches.truncate(MAX_SEARCHES);
    while resolver.searches.join(" ").len() > MAX_SEARCH_CHARACTERS {
        resolver.searches.pop();
    }
    Some(resolver)
}

fn append<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for text in more {
        if !list.contains(text) {
            list.push(text.clone());
        }
    }
}

/// Puts the pod's resolver into the sandbox's host configuration, whence its containers have it.
pub(super) fn apply(host: &mut HostConfig, pod: &Pod, node: &NodeFacts) {
    let Some(resolver) = resolver(pod, node) else { return };
    // The engine fills each list that is empty from the node's. "." is its word for no domain, and
    // one dot is what the C library does without options.
    let or = |list: Vec<String>, nothing: &str| if list.is_empty() { vec![nothing.to_owned()] } else { list };
    host.dns = Some(resolver.nameservers).filter(|list| !list.is_empty());
    host.dns_search = Some(or(resolver.searches, "."));
    host.dns_options = Some(or(resolver.options, "ndots:1"));
}

#[cfg(test)]
mod tests;
