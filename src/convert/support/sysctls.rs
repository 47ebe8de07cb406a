//! Which sysctls a pod may set.

use std::str::FromStr;

/// Sysctls that can neither harm nor be seen outside of their pod (the kubelet's safe list).
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// What lies in a namespace of the pod: by whole name, and by its beginning.
const NAMESPACED: [&str; 1] = ["kernel.sem"];
const NAMESPACES: [&str; 4] = ["kernel.shm", "kernel.msg", "fs.mqueue.", "net."];

/// Whether every pod may set it. Names are in their form with dots.
pub(super) fn is_safe(name: &str) -> bool {
    SAFE.contains(&name)
}

/// Whether a pod has its own, so that it could be set for one pod at all.
pub(super) fn is_namespaced(name: &str) -> bool {
    NAMESPACED.contains(&name) || NAMESPACES.iter().any(|prefix| name.starts_with(prefix))
}

/// Sysctls that the operator allows beyond the safe ones (`--allowed-unsafe-sysctls`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sysctls(Vec<String>);

/// A pattern of sysctls that can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{pattern:?} is no sysctl of a pod: write names, or beginnings of names with a '*' behind, that begin with \
     kernel.shm, kernel.msg, kernel.sem, fs.mqueue. or net., as in net.core.somaxconn,kernel.msg*"
)]
pub struct SysctlPatternError {
    /// As it was written.
    pub pattern: String,
}

impl Sysctls {
    /// Whether this sysctl is among them; its name is in the form with dots.
    pub fn allow(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    }
}

/// Names and patterns, separated by commas.
impl FromStr for Sysctls {
    type Err = SysctlPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let patterns = text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        let check = |written: &str| {
            let pattern = written.replace('/', ".");
            let name = pattern.strip_suffix('*').unwrap_or(&pattern);
            let good = is_namespaced(name) && !name.contains('*');
            if good { Ok(pattern) } else { Err(SysctlPatternError { pattern: written.to_owned() }) }
        };
        Ok(Self(patterns.map(check).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_or_beginnings() {
        let allowed: Sysctls = "net.core.somaxconn, kernel.msg*,net/ipv6/conf/*".parse().unwrap();
        for (name, allows) in [
            ("net.core.somaxconn", true),
            ("net.core.somaxconn2", false),
            ("kernel.msgmax", true),
            ("kernel.shmmax", false),
            ("net.ipv6.conf.all.forwarding", true),
            ("net.ipv6.bindv6only", false),
        ] {
            assert_eq!(allowed.allow(name), allows, "{name}");
        }
        assert_eq!("".parse(), Ok(Sysctls::default()));
    }

    #[test]
    fn what_is_the_nodes_is_no_pattern() {
        for bad in ["vm.swappiness", "*", "kernel.*", "kernel.semantics", "net.*.x*", "fs.file-max"] {
            assert!(bad.parse::<Sysctls>().is_err(), "{bad}");
        }
    }
}
