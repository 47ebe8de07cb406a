//! Limits and requests.

use super::{names, spec::PodFacts};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::{defaults::requested_together, quantity::Quantity},
};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::api::resource::Quantity as ApiQuantity};
use std::collections::BTreeMap;

type Amounts = BTreeMap<String, ApiQuantity>;

const CONTAINER_RESOURCES: &[&str] = &["cpu", "ephemeral-storage", "memory"];
const POD_RESOURCES: &[&str] = &["cpu", "memory"];

/// `resources` of a container.
pub fn container(resources: Option<&api::ResourceRequirements>, facts: &PodFacts, path: &Path, f: &mut Findings) {
    if let Some(resources) = resources {
        requirements(resources, CONTAINER_RESOURCES, path, f);
        claims(resources, facts, &path.field("claims"), f);
    }
}

/// `resources` of a pod: no container may have a greater limit.
pub fn pod(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let Some(resources) = &spec.resources else { return };
    if resources.claims.is_some() {
        f.forbidden(&path.field("claims"), "claims are given for containers");
    }
    requirements(resources, POD_RESOURCES, path, f);
    let spec_path = path.parent().unwrap_or(Path::ROOT);
    let containers = spec_path.field("containers");
    for (index, container) in spec.containers.iter().enumerate() {
        let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
        for (name, amount) in limits.into_iter().flatten() {
            let of_pod = resources.limits.as_ref().and_then(|limits| limits.get(name));
            if let (Some(mine), Some(most)) = (parsed(amount), of_pod.and_then(parsed))
                && mine > most
            {
                let container = containers.index(index);
                let resources = container.field("resources");
                let limits = resources.field("limits");
                f.invalid_text(&limits.key(name), &amount.0, "must not be more than the pod's own limit");
            }
        }
    }
    let together = requested_together(spec);
    for (name, amount) in resources.requests.iter().flatten() {
        if parsed(amount) < together.get(name).copied() {
            let requests = path.field("requests");
            f.invalid_text(&requests.key(name), &amount.0, "must not be less than its containers request together");
        }
    }
}

/// Names and amounts of limits and requests, and the latter no greater than the former.
fn requirements(resources: &api::ResourceRequirements, standard: &[&str], path: &Path, f: &mut Findings) {
    let none = Amounts::new();
    let limits = resources.limits.as_ref().unwrap_or(&none);
    let requests = resources.requests.as_ref().unwrap_or(&none);
    let (limits_path, requests_path) = (path.field("limits"), path.field("requests"));
    for (name, amount) in limits {
        amount_of(name, amount, standard, &limits_path.key(name), f);
    }
    for (name, amount) in requests {
        let path = requests_path.key(name);
        // A request that default made from the limit was judged as that.
        if limits.get(name).is_none_or(|limit| limit.0 != amount.0) {
            amount_of(name, amount, standard, &path, f);
        }
        let overcommit = is_native(name) && !is_huge_page(name);
        match limits.get(name) {
            None if !overcommit => {
                f.required(&limits_path.key(name), "it can not be overcommitted, so its limit must be given too");
            }
            Some(limit) => {
                let (Some(requested), Some(most)) = (parsed(amount), parsed(limit)) else { continue };
                if !overcommit && requested != most {
                    let rule = format!("must be equal to the limit of {}", limit.0);
                    f.invalid_text(&path, &amount.0, &rule).related_path(&limits_path.key(name), "the limit");
                } else if requested > most {
                    let rule = format!("must be at most the limit of {}", limit.0);
                    f.invalid_text(&path, &amount.0, &rule).related_path(&limits_path.key(name), "the limit");
                }
            }
            None => {}
        }
    }
    let mut all = limits.keys().chain(requests.keys());
    let (mut huge, mut plain) = (false, false);
    all.by_ref().for_each(|name| {
        huge |= is_huge_page(name);
        plain |= name == "cpu" || name == "memory";
    });
    if huge && !plain {
        f.forbidden(path, "huge pages need a limit or request of cpu or memory beside them");
    }
}

fn amount_of(name: &str, amount: &ApiQuantity, standard: &[&str], path: &Path, f: &mut Findings) {
    if names::qualified_name(name).is_err() {
        f.key_rule(path, name, names::qualified_name);
        return;
    }
    if !name.contains('/') {
        if !standard.contains(&name) && !is_huge_page(name) {
            f.not_supported(path, name, standard).at_key(path);
        }
    } else if !is_native(name)
        && (name.starts_with("requests.") || names::qualified_name(&format!("requests.{name}")).is_err())
    {
        f.error("invalid", path, format!("\"{name}\" is not the name of an extended resource")).at_key(path);
    }
    let Some(quantity) = parsed(amount) else { return };
    if quantity.nanos() < 0 {
        f.invalid_text(path, &amount.0, "must be 0 or more");
    }
    if !is_native(name) && quantity.nanos() % 1_000_000_000 != 0 {
        f.invalid_text(path, &amount.0, "must be a whole number");
    }
    let page = name.strip_prefix("hugepages-").and_then(|size| Quantity::parse(size).ok());
    if page.is_some_and(|page| page.nanos() > 0 && quantity.nanos() % page.nanos() != 0) {
        f.invalid_text(path, &amount.0, "must be a multiple of the page size");
    }
}

fn claims(resources: &api::ResourceRequirements, facts: &PodFacts, path: &Path, f: &mut Findings) {
    for (index, claim) in resources.claims.iter().flatten().enumerate() {
        let path = path.index(index);
        let name = path.field("name");
        if claim.name.is_empty() {
            f.required(&name, "");
        } else if !facts.claims.contains(claim.name.as_str()) {
            f.not_found(&name, &claim.name, "entry of spec.resourceClaims", facts.claims.iter().copied());
        }
    }
}

/// Whether a resource is Kubernetes' own.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn parsed(amount: &ApiQuantity) -> Option<Quantity> {
    Quantity::parse(&amount.0).ok()
}
