//! Asking containers how they are: probes, and the handlers that lifecycle hooks share with them.
//!
//! [`spec`] resolves what the manifest says, [`threshold`] and [`schedule`] are the pure rules of
//! what results mean and when to ask, [`worker::ProbeWorker`] is the task of one probe of one
//! instance of a container. It reports; what follows from a verdict is decided elsewhere. This room
//! never starts, stops or changes a container.

mod connect;
mod exec;
mod grpc;
mod host;
mod http;
mod request;
pub mod schedule;
pub mod spec;
pub mod threshold;
pub mod worker;

pub use exec::{Leftover, end_left_behind};
pub use host::HostHandlers;
pub use spec::{Handler, Hook, HttpGet, InvalidHandler, Probe, Scheme};
pub use worker::{ProbeReport, ProbeSubject, ProbeWorker};

use crate::pod::ContainerId;
use futures_util::future::BoxFuture;
use std::{net::IpAddr, time::Duration};

/// How one asking of a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed; the text is what it said.
    Success(String),
    /// It passed, with something to be said about it (event `ProbeWarning`).
    Warning(String),
    /// It did not pass; the text says how.
    Failure(String),
    /// It could not be asked: nothing is known from that, and no counter moves.
    Error(String),
}

/// Where a handler runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerTarget {
    /// The container that `exec` runs in.
    pub container: ContainerId,
    /// The pod's address, which network handlers without a `host` of their own connect to.
    pub address: Option<IpAddr>,
}

/// Why a lifecycle hook failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HookError {
    /// What happened.
    pub message: String,
    /// The engine went away meanwhile, so nobody knows whether the hook has run.
    pub engine_away: bool,
}

/// How a lifecycle hook succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookDone {
    /// An HTTPS hook was answered in plain HTTP and repeated so (event `LifecycleHTTPFallback`).
    pub http_fallback: bool,
}

/// Runs handlers. The real one is [`HostHandlers`]; simulations answer from a script.
pub trait Handlers: Send + Sync + 'static {
    /// Asks once. Ends within about `timeout` of the beginning; what waits for its turn on a busy engine is
    /// not on the clock yet, and errs when it waits too long. An `exec` that is dropped under way, or is over its time, is killed with its session.
    /// While that has not succeeded it is in `leftover`, which belongs to one probe of one instance, and
    /// asking again is a failure rather than a second flight.
    fn ask<'a>(
        &'a self,
        handler: &'a Handler,
        target: &'a HandlerTarget,
        timeout: Duration,
        leftover: &'a mut Leftover,
    ) -> BoxFuture<'a, Outcome>;

    /// Runs a lifecycle hook to its end, however long it takes: its limit is the caller's. An `exec`
    /// that is dropped under way is killed with its session.
    fn run<'a>(&'a self, hook: &'a Hook, target: &'a HandlerTarget) -> BoxFuture<'a, Result<HookDone, HookError>>;
}

/// The address that network handlers of a pod connect to: the sandbox's first one; with hostNetwork
/// the node's, and without `--node-ip` the loopback one.
pub fn address(host_network: bool, sandbox: &[IpAddr], node_ip: Option<IpAddr>) -> Option<IpAddr> {
    if host_network { Some(node_ip.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into())) } else { sandbox.first().copied() }
}

#[cfg(test)]
mod tests {
    use super::address;
    use std::net::IpAddr;

    #[test]
    fn where_network_handlers_connect_to() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (pod, pod6, node) = (ip("172.17.0.5"), ip("fd00::5"), ip("192.0.2.7"));
        for (host_network, sandbox, node_ip, expected) in [
            (false, vec![pod, pod6], Some(node), Some(pod)),
            (false, vec![pod6], Some(node), Some(pod6)),
            (false, vec![], Some(node), None),
            (true, vec![], Some(node), Some(node)),
            (true, vec![], None, Some(ip("127.0.0.1"))),
        ] {
            assert_eq!(address(host_network, &sandbox, node_ip), expected, "{host_network} {sandbox:?} {node_ip:?}");
        }
    }
}
