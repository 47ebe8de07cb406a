//! What a scheduler would look at: tolerations, spread, gates, claims. Judged although there is none,
//! so that a mistake is not carried to where there is one.

use super::{Role, affinity, given, names, resources};
use crate::{
    manifest::{findings::Findings, path::Path},
    pod::quantity::Quantity,
};
use k8s_openapi::api::core::v1 as api;
use std::collections::HashMap;

/// Judges the scheduling part of a spec.
pub fn scheduling(spec: &api::PodSpec, role: Role, path: &Path, f: &mut Findings) {
    tolerations(spec, &path.field("tolerations"), f);
    spread(spec, &path.field("topologySpreadConstraints"), f);
    let gates = path.field("schedulingGates");
    for (index, gate) in spec.scheduling_gates.iter().flatten().enumerate() {
        f.rule(&gates.index(index).field("name"), Some(&gate.name), names::qualified_name);
    }
    if role == Role::Pod && spec.scheduling_gates.iter().flatten().next().is_some() {
        f.forbidden(&gates, "a static pod is on its node already, so nothing can hold back its scheduling")
            .at_key(&gates);
    }
    let ready = path.field("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let path = ready.index(index);
        if gate.condition_type.is_empty() {
            f.required(&path.field("conditionType"), "");
        } else {
            f.rule(&path.field("conditionType"), Some(&gate.condition_type), names::qualified_name);
        }
    }
    claims(spec, &path.field("resourceClaims"), f);
    let overhead = path.field("overhead");
    for (name, amount) in spec.overhead.iter().flatten() {
        let path = overhead.key(name);
        if !["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) && resources::is_native(name) {
            f.not_supported(&path, name, &["cpu", "ephemeral-storage", "memory"]).at_key(&path);
        }
        if Quantity::parse(&amount.0).is_ok_and(|amount| amount.nanos() < 0) {
            f.invalid_text(&path, &amount.0, "must be 0 or more");
        }
    }
}

fn tolerations(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    for (index, toleration) in spec.tolerations.iter().flatten().enumerate() {
        let path = path.index(index);
        let key = given(toleration.key.as_ref());
        let operator = given(toleration.operator.as_ref()).unwrap_or("Equal");
        let effect = given(toleration.effect.as_ref());
        let operator_path = path.field("operator");
        f.rule(&path.field("key"), key, names::qualified_name);
        if key.is_none() && operator != "Exists" {
            f.invalid_text(&operator_path, operator, "must be Exists, since there is no key");
        }
        if toleration.toleration_seconds.is_some() && effect != Some("NoExecute") {
            let why = "must be NoExecute, since tolerationSeconds is given";
            f.invalid_text(&path.field("effect"), effect.unwrap_or_default(), why);
        }
        let value = toleration.value.as_deref().unwrap_or_default();
        match operator {
            "Equal" => f.rule(&path.field("value"), Some(value), names::label_value),
            "Exists" if !value.is_empty() => {
                f.invalid_text(&path.field("value"), value, "must be empty, since the operator is Exists");
            }
            "Exists" => {}
            other => {
                f.not_supported(&operator_path, other, &["Equal", "Exists"]);
            }
        }
        f.one_of(&path.field("effect"), effect, &["NoExecute", "NoSchedule", "PreferNoSchedule"]);
    }
}

fn spread(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    for (index, constraint) in spec.topology_spread_constraints.iter().flatten().enumerate() {
        let item = path.index(index);
        if constraint.max_skew <= 0 {
            f.invalid(&item.field("maxSkew"), constraint.max_skew, "must be 1 or more");
        }
        let key = item.field("topologyKey");
        if constraint.topology_key.is_empty() {
            f.required(&key, "");
        }
        let action = constraint.when_unsatisfiable.as_str();
        f.one_of(&item.field("whenUnsatisfiable"), Some(action), &["DoNotSchedule", "ScheduleAnyway"]);
        if let Some(&first) = seen.get(&(constraint.topology_key.as_str(), action)) {
            let pair = format!("{}, {action}", constraint.topology_key);
            f.duplicate(&key, &pair, &path.index(first));
        }
        seen.entry((&constraint.topology_key, action)).or_insert(index);
        if let Some(domains) = constraint.min_domains {
            let field = item.field("minDomains");
            if domains <= 0 {
                f.invalid(&field, domains, "must be 1 or more");
            }
            if action != "DoNotSchedule" {
                f.invalid(&field, domains, "is for whenUnsatisfiable: DoNotSchedule only");
            }
        }
        for (field, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            f.one_of(&item.field(field), policy.as_deref(), &["Honor", "Ignore"]);
        }
        let selector = constraint.label_selector.as_ref();
        affinity::selector(selector, &item.field("labelSelector"), f);
        affinity::label_keys(constraint.match_label_keys.as_deref(), selector, &item.field("matchLabelKeys"), f);
    }
}

fn claims(spec: &api::PodSpec, path: &Path, f: &mut Findings) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, claim) in spec.resource_claims.iter().flatten().enumerate() {
        let item = path.index(index);
        let name = item.field("name");
        if claim.name.is_empty() {
            f.required(&name, "");
        } else {
            f.rule(&name, Some(&claim.name), names::dns_label);
            if let Some(first) = seen.insert(&claim.name, index) {
                f.duplicate(&name, &claim.name, &path.index(first).field("name"));
            }
        }
        let claim_name = given(claim.resource_claim_name.as_ref());
        let template = given(claim.resource_claim_template_name.as_ref());
        super::env::one_source(
            &[("resourceClaimName", claim_name.is_some()), ("resourceClaimTemplateName", template.is_some())],
            &item,
            f,
        );
        f.rule(&item.field("resourceClaimName"), claim_name, names::dns_subdomain);
        f.rule(&item.field("resourceClaimTemplateName"), template, names::dns_subdomain);
    }
}
