//! CPU and memory: cgroup values, QoS class, `oom_score_adj` (`cm/helpers_linux.go`, `qos/policy.go`).

use super::{ConvertError, NodeFacts, error::Subject};
use crate::pod::{Container, ContainerKind, Pod, quantity::Quantity};
use bollard::models::HostConfig;
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::api::resource::Quantity as ApiQuantity};
use std::collections::BTreeMap;

const MIN_SHARES: i64 = 2;
const MAX_SHARES: i64 = 262_144;
const SHARES_PER_CPU: i64 = 1024;
const MILLI_PER_CPU: i64 = 1000;
/// The CFS period, µs.
const PERIOD: i64 = 100_000;
const MIN_QUOTA: i64 = 1000;
/// Of a sandbox: killed last of the pod.
const SANDBOX_OOM_SCORE_ADJ: i64 = -998;
const GUARANTEED_OOM_SCORE_ADJ: i64 = -997;
const BEST_EFFORT_OOM_SCORE_ADJ: i64 = 1000;
/// The smallest reservation that the engine takes, in bytes.
const MIN_RESERVATION: i64 = 6 << 20;
const SYSTEM_NODE_CRITICAL: &str = "system-node-critical";

/// `status.qosClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QosClass {
    /// Every container has limits of cpu and memory, and requests no less.
    Guaranteed,
    /// Anything between.
    Burstable,
    /// No container says anything.
    BestEffort,
}

impl QosClass {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// An amount of a list of resources; zero, missing and unreadable ones are `None`.
fn amount(list: Option<&BTreeMap<String, ApiQuantity>>, name: &str) -> Option<Quantity> {
    let quantity = Quantity::parse(&list?.get(name)?.0).ok()?;
    (quantity > Quantity::default()).then_some(quantity)
}

fn limit(container: &api::Container, name: &str) -> Option<Quantity> {
    amount(container.resources.as_ref()?.limits.as_ref(), name)
}

fn request(container: &api::Container, name: &str) -> Option<Quantity> {
    amount(container.resources.as_ref()?.requests.as_ref(), name)
}

/// Limit of the pod as a whole (`spec.resources`).
fn pod_limit(pod: &Pod, name: &str) -> Option<Quantity> {
    amount(pod.spec.resources.as_ref()?.limits.as_ref(), name)
}

/// What a container requests. In a pod with requests of its own, those of its containers that request
/// nothing have equal shares of what the others leave (`GetContainerOOMScoreAdjust`).
fn requested(pod: &Pod, container: &Container, name: &str) -> Option<Quantity> {
    let own = request(&container.api, name);
    let of_pod = pod.spec.resources.as_ref().and_then(|r| amount(r.requests.as_ref(), name));
    let (None, Some(of_pod)) = (own, of_pod) else { return own };
    let runs_beside = |other: &&Container| match container.kind {
        ContainerKind::Init => other.kind == ContainerKind::Sidecar || other.name == container.name,
        ContainerKind::Sidecar | ContainerKind::App => other.kind != ContainerKind::Init,
    };
    let (mut sharers, mut rest) = (0, of_pod.nanos());
    for other in pod.containers.iter().filter(runs_beside) {
        match request(&other.api, name) {
            Some(requested) => rest = rest.saturating_sub(requested.nanos()),
            None => sharers += 1,
        }
    }
    (rest > 0).then(|| Quantity::from_nanos(rest / sharers.max(1)))
}

/// The limit that a container is given: its own, else the pod's, which no container may exceed alone.
fn effective_limit(pod: &Pod, container: &Container, name: &str) -> Option<Quantity> {
    limit(&container.api, name).or_else(|| pod_limit(pod, name))
}

/// The pod's QoS class, from cpu and memory of the pod itself if it has any, else of all its
/// containers.
pub fn qos_class(pod: &Pod) -> QosClass {
    let amounts = |resources: Option<&api::ResourceRequirements>, name: &str| {
        let list = |list: fn(&api::ResourceRequirements) -> Option<&BTreeMap<String, ApiQuantity>>| {
            amount(resources.and_then(list), name)
        };
        (list(|r| r.limits.as_ref()), list(|r| r.requests.as_ref()))
    };
    let says = |r: &&api::ResourceRequirements| r.limits.iter().chain(&r.requests).any(|list| !list.is_empty());
    let of_pod = pod.spec.resources.as_ref().filter(says);
    let of_containers: Vec<_> = pod.containers.iter().map(|c| c.api.resources.as_ref()).collect();
    let judged = if of_pod.is_some() { vec![of_pod] } else { of_containers };
    let mut any = false;
    let mut guaranteed = true;
    for resources in judged {
        for name in ["cpu", "memory"] {
            let (limit, request) = amounts(resources, name);
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (any, guaranteed) {
        (false, _) => QosClass::BestEffort,
        (true, true) => QosClass::Guaranteed,
        (true, false) => QosClass::Burstable,
    }
}

/// `oom_score_adj` of a container (`GetContainerOOMScoreAdjust`).
pub(super) fn oom_score_adj(pod: &Pod, container: &Container, memory_total: i64) -> i64 {
    // Every static pod is critical; with this class it is so to the OOM killer too.
    if pod.spec.priority_class_name.as_deref() == Some(SYSTEM_NODE_CRITICAL) {
        return GUARANTEED_OOM_SCORE_ADJ;
    }
    match qos_class(pod) {
        QosClass::Guaranteed => GUARANTEED_OOM_SCORE_ADJ,
        QosClass::BestEffort => BEST_EFFORT_OOM_SCORE_ADJ,
        QosClass::Burstable => {
            let request = |c: &Container| requested(pod, c, "memory").map_or(0, Quantity::value);
            let mut requested = request(container);
            if container.kind == ContainerKind::Sidecar {
                // A sidecar outlives the containers that depend on it.
                let apps = pod.containers.iter().filter(|c| c.kind == ContainerKind::App);
                requested = requested.max(apps.map(request).min().unwrap_or(0));
            }
            if memory_total <= 0 {
                return BEST_EFFORT_OOM_SCORE_ADJ - 1;
            }
            let share = i128::from(requested) * 1000 / i128::from(memory_total);
            // Above what guaranteed pods have, below best-effort ones.
            i64::try_from((1000 - share).clamp(3, 999)).unwrap_or(999)
        }
    }
}

/// What the engine is asked for; an engine without the right to go below zero is asked for zero.
fn permitted(score: i64, node: &NodeFacts) -> i64 {
    if node.negative_oom_score_adj { score } else { score.max(0) }
}

/// Puts the resources of a container into its host configuration.
pub(super) fn apply(
    host: &mut HostConfig,
    pod: &Pod,
    container: &Container,
    subject: &Subject,
    node: &NodeFacts,
) -> Result<(), ConvertError> {
    check(container.api.resources.as_ref(), "resources", subject)?;
    check(pod.spec.resources.as_ref(), "spec.resources", subject)?;
    let milli = |quantity: Option<Quantity>| quantity.map(Quantity::milli_value);
    let (cpu_request, cpu_limit) =
        (milli(requested(pod, container, "cpu")), milli(effective_limit(pod, container, "cpu")));
    host.cpu_shares = Some(cpu_shares(cpu_request.or(cpu_limit).unwrap_or(0)));
    if let Some(limit) = cpu_limit {
        // Without a limit the engine's default is this same period, and no quota.
        host.cpu_period = Some(PERIOD);
        host.cpu_quota = Some(cpu_quota(limit));
    }
    let memory = effective_limit(pod, container, "memory").map(Quantity::value);
    host.memory = memory;
    host.memory_swap = memory;
    // What is asked for is kept from reclaim while the node is short of memory: `memory.low`, and the soft limit of
    // cgroup v1. The engine refuses one above the limit, and a tiny one.
    let reservation = requested(pod, container, "memory").map(|asked| asked.value().min(memory.unwrap_or(i64::MAX)));
    host.memory_reservation = reservation.filter(|bytes| *bytes >= MIN_RESERVATION);
    host.pids_limit = node.pod_max_pids;
    host.oom_score_adj = Some(permitted(oom_score_adj(pod, container, node.memory_total), node));
    Ok(())
}

/// Puts the sandbox's fixed resources into its host configuration.
pub(super) fn apply_sandbox(host: &mut HostConfig, node: &NodeFacts) {
    host.cpu_shares = Some(MIN_SHARES);
    host.oom_score_adj = Some(permitted(SANDBOX_OOM_SCORE_ADJ, node));
}

/// An amount that can not be read must not count as none.
fn check(resources: Option<&api::ResourceRequirements>, path: &str, subject: &Subject) -> Result<(), ConvertError> {
    let Some(resources) = resources else { return Ok(()) };
    for (field, list) in [("limits", &resources.limits), ("requests", &resources.requests)] {
        for (name, amount) in list.iter().flatten() {
            let why = match Quantity::parse(&amount.0) {
                Ok(quantity) if quantity >= Quantity::default() => continue,
                Ok(_) => "it is negative".to_owned(),
                Err(error) => error.to_string(),
            };
            let field = format!("{path}.{field}[{name}]");
            return Err(ConvertError::Invalid { subject: subject.clone(), field, why });
        }
    }
    Ok(())
}

fn cpu_shares(milli: i64) -> i64 {
    (milli.saturating_mul(SHARES_PER_CPU) / MILLI_PER_CPU).clamp(MIN_SHARES, MAX_SHARES)
}

fn cpu_quota(milli: i64) -> i64 {
    (milli.saturating_mul(PERIOD) / MILLI_PER_CPU).max(MIN_QUOTA)
}

#[cfg(test)]
mod tests;
