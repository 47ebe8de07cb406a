//! Affinity and label selectors.

use super::{metadata, names};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::LabelSelector};

/// `spec.affinity`.
pub fn affinity(affinity: Option<&api::Affinity>, path: &Path, f: &mut Findings) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let Some(affinity) = affinity else { return };
    if let Some(node) = &affinity.node_affinity {
        let path = path.field("nodeAffinity");
        if let Some(selector) = &node.required_during_scheduling_ignored_during_execution {
            let required = path.field(REQUIRED);
            let terms = required.field("nodeSelectorTerms");
            if selector.node_selector_terms.is_empty() {
                f.required(&terms, "");
            }
            for (index, term) in selector.node_selector_terms.iter().enumerate() {
                node_term(term, true, &terms.index(index), f);
            }
        }
        let preferred = path.field(PREFERRED);
        for (index, term) in node.preferred_during_scheduling_ignored_during_execution.iter().flatten().enumerate() {
            let path = preferred.index(index);
            f.range(&path.field("weight"), term.weight.into(), 1, 100);
            node_term(&term.preference, false, &path.field("preference"), f);
        }
    }
    let pods = affinity.pod_affinity.as_ref().map(|a| {
        (
            &a.required_during_scheduling_ignored_during_execution,
            &a.preferred_during_scheduling_ignored_during_execution,
        )
    });
    let anti = affinity.pod_anti_affinity.as_ref().map(|a| {
        (
            &a.required_during_scheduling_ignored_during_execution,
            &a.preferred_during_scheduling_ignored_during_execution,
        )
    });
    for (field, terms) in [("podAffinity", pods), ("podAntiAffinity", anti)] {
        let Some((required, preferred)) = terms else { continue };
        let path = path.field(field);
        let list = path.field(REQUIRED);
        for (index, term) in required.iter().flatten().enumerate() {
            pod_term(term, &list.index(index), f);
        }
        let list = path.field(PREFERRED);
        for (index, term) in preferred.iter().flatten().enumerate() {
            let path = list.index(index);
            f.range(&path.field("weight"), term.weight.into(), 1, 100);
            pod_term(&term.pod_affinity_term, &path.field("podAffinityTerm"), f);
        }
    }
}

fn node_term(term: &api::NodeSelectorTerm, check_values: bool, path: &Path, f: &mut Findings) {
    let expressions = path.field("matchExpressions");
    for (index, expression) in term.match_expressions.iter().flatten().enumerate() {
        let path = expressions.index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        let (operator, values_path) = (path.field("operator"), path.field("values"));
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                f.required(&values_path, "operators In and NotIn compare with values");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                f.forbidden(&values_path, "operators Exists and DoesNotExist have no values");
            }
            "Gt" | "Lt" if values.len() != 1 => {
                f.required(&values_path, "operators Gt and Lt compare with one value");
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => {
                f.not_supported(&operator, other, &["DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"]);
            }
        }
        key(&expression.key, &path.field("key"), f);
        if check_values {
            for (index, value) in values.iter().enumerate() {
                f.rule(&values_path.index(index), Some(value), names::label_value);
            }
        }
    }
    let fields = path.field("matchFields");
    for (index, expression) in term.match_fields.iter().flatten().enumerate() {
        let path = fields.index(index);
        f.one_of(&path.field("key"), Some(&expression.key), &["metadata.name"]);
        f.one_of(&path.field("operator"), Some(&expression.operator), &["In", "NotIn"]);
        if expression.values.as_ref().is_none_or(|values| values.len() != 1) {
            f.required(&path.field("values"), "a field is compared with one value");
        }
    }
}

fn pod_term(term: &api::PodAffinityTerm, path: &Path, f: &mut Findings) {
    selector(term.label_selector.as_ref(), &path.field("labelSelector"), f);
    selector(term.namespace_selector.as_ref(), &path.field("namespaceSelector"), f);
    let namespaces = path.field("namespaces");
    for (index, namespace) in term.namespaces.iter().flatten().enumerate() {
        f.rule(&namespaces.index(index), Some(namespace), names::dns_label);
    }
    key(&term.topology_key, &path.field("topologyKey"), f);
    for (field, keys) in [("matchLabelKeys", &term.match_label_keys), ("mismatchLabelKeys", &term.mismatch_label_keys)]
    {
        label_keys(keys.as_deref(), term.label_selector.as_ref(), &path.field(field), f);
    }
}

/// `matchLabelKeys` need a selector, and must not name what it names already.
pub fn label_keys(keys: Option<&[String]>, selector: Option<&LabelSelector>, path: &Path, f: &mut Findings) {
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return };
    if selector.is_none() {
        f.forbidden(path, "needs a labelSelector beside it");
    }
    for (index, name) in keys.iter().enumerate() {
        key(name, &path.index(index), f);
    }
}

/// A label selector.
pub fn selector(selector: Option<&LabelSelector>, path: &Path, f: &mut Findings) {
    let Some(selector) = selector else { return };
    metadata::labels(selector.match_labels.as_ref(), &path.field("matchLabels"), f);
    let expressions = path.field("matchExpressions");
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let path = expressions.index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        let values_path = path.field("values");
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                f.required(&values_path, "operators In and NotIn compare with values");
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                f.forbidden(&values_path, "operators Exists and DoesNotExist have no values");
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                f.not_supported(&path.field("operator"), other, &["DoesNotExist", "Exists", "In", "NotIn"]);
            }
        }
        key(&expression.key, &path.field("key"), f);
        for (index, value) in values.iter().enumerate() {
            f.rule(&values_path.index(index), Some(value), names::label_value);
        }
    }
}

fn key(key: &str, path: &Path, f: &mut Findings) {
    if key.is_empty() {
        f.required(path, "");
    } else {
        f.rule(path, Some(key), names::qualified_name);
    }
}
