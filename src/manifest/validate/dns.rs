//! DNS and the hosts file.

use super::names;
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::api::core::v1 as api;

const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_CHARACTERS: usize = 2048;

/// `dnsPolicy`, `dnsConfig` and `hostAliases`.
pub fn dns(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let policy = spec.dns_policy.as_deref();
    f.one_of(&path.field("dnsPolicy"), policy, &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]);
    let config_path = path.field("dnsConfig");
    let servers_path = config_path.field("nameservers");
    let servers = spec.dns_config.iter().flat_map(|c| c.nameservers.iter().flatten());
    if policy == Some("None") && servers.clone().next().is_none() {
        let finding = f.required(&servers_path, "with dnsPolicy None the pod has no other");
        if spec.dns_config.is_none() {
            finding.at_path(&path.field("dnsPolicy"));
        }
    }
    if servers.clone().count() > MAX_NAMESERVERS {
        f.error("too-many", &servers_path, format!("a pod may have {MAX_NAMESERVERS} name servers"));
    }
    for (index, server) in servers.enumerate() {
        f.text_rule(&servers_path.index(index), Some(server), names::ip);
    }
    if let Some(config) = &spec.dns_config {
        let searches = config_path.field("searches");
        let list = config.searches.as_deref().unwrap_or_default();
        if list.len() > MAX_SEARCHES {
            f.error("too-many", &searches, format!("a pod may search {MAX_SEARCHES} domains"));
        }
        if list.iter().map(|s| s.len() + 1).sum::<usize>() > MAX_SEARCH_CHARACTERS + 1 {
            f.error("too-long", &searches, format!("the domains may have {MAX_SEARCH_CHARACTERS} characters together"));
        }
        for (index, domain) in list.iter().enumerate() {
            f.text_rule(&searches.index(index), Some(domain), names::dns_search);
        }
        let options = config_path.field("options");
        for (index, option) in config.options.iter().flatten().enumerate() {
            if option.name.as_deref().unwrap_or_default().is_empty() {
                f.required(&options.index(index).field("name"), "");
            }
        }
    }
    let aliases = path.field("hostAliases");
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let path = aliases.index(index);
        let ip = path.field("ip");
        if alias.ip.is_empty() {
            f.required(&ip, "");
        } else {
            f.text_rule(&ip, Some(&alias.ip), names::ip);
        }
        let hostnames = path.field("hostnames");
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            f.rule(&hostnames.index(index), Some(name), names::dns_subdomain);
        }
    }
}
