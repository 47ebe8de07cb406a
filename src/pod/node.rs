//! What a node is to those who choose nodes: its labels and taints, and whether a pod may run on it.

use k8s_openapi::api::core::v1 as api;
use std::{collections::BTreeMap, fmt};

/// What pods ask of a node before they run on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRules {
    /// Node name: `--hostname-override`, else the lower-cased host name.
    pub name: String,
    /// `--node-labels`, and those that every node has.
    pub labels: BTreeMap<String, String>,
    /// `--register-with-taints`.
    pub taints: Vec<Taint>,
}

/// A taint of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    pub value: String,
    /// What becomes of pods that do not tolerate it.
    pub effect: TaintEffect,
}

/// What becomes of pods that do not tolerate a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaintEffect {
    /// None is started.
    NoSchedule,
    /// Others are preferred, and there is one node only: no effect.
    PreferNoSchedule,
    /// None is started, and workloads end theirs.
    NoExecute,
}

impl TaintEffect {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }

    /// From the API's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute].into_iter().find(|effect| effect.as_str() == word)
    }
}

impl fmt::Display for Taint {
    /// As on the command line: `key=value:effect`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.value.is_empty() { String::new() } else { format!("={}", self.value) };
        write!(f, "{}{value}:{}", self.key, self.effect.as_str())
    }
}

/// Why a pod may not run here, in the kubelet's words for a pod it does not admit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct NodeMismatch {
    /// `NodeAffinity` or `TaintToleration`.
    pub reason: &'static str,
    /// What was asked for and what there is.
    pub message: String,
}

impl NodeMismatch {
    fn affinity(message: String) -> Self {
        Self { reason: "NodeAffinity", message }
    }

    fn taint(message: String) -> Self {
        Self { reason: "TaintToleration", message }
    }
}

impl NodeRules {
    /// A node of this name, with the labels every node has.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        };
        let standard = [
            ("kubernetes.io/hostname", name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", arch),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", arch),
        ];
        let labels = standard.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { name, labels, taints: Vec::new() }
    }

    /// Whether a pod with this spec may start here: `nodeSelector`, the node affinity that is required,
    /// and the taints that keep pods away.
    pub fn admits(&self, spec: &api::PodSpec) -> Result<(), NodeMismatch> {
        self.is_chosen(spec)?;
        self.tolerated(spec, &[TaintEffect::NoSchedule, TaintEffect::NoExecute])
    }

    /// Whether a workload keeps a pod with this spec here: as [`Self::admits`], but a taint of effect
    /// `NoSchedule` ends nothing that runs.
    pub fn keeps(&self, spec: &api::PodSpec) -> Result<(), NodeMismatch> {
        self.is_chosen(spec)?;
        self.tolerated(spec, &[TaintEffect::NoExecute])
    }

    fn is_chosen(&self, spec: &api::PodSpec) -> Result<(), NodeMismatch> {
        let unlike = |(key, value): &(&String, &String)| self.labels.get(*key) != Some(*value);
        if let Some((key, value)) = spec.node_selector.iter().flatten().find(unlike) {
            let has = match self.labels.get(key) {
                Some(other) => format!("has {key}={other}"),
                None => format!("has no label {key}"),
            };
            return Err(NodeMismatch::affinity(format!("nodeSelector asks for {key}={value}, and this node {has}")));
        }
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
        match required {
            Some(required) if !required.node_selector_terms.iter().any(|term| self.matches(term)) => {
                Err(NodeMismatch::affinity("the required node affinity matches no label of this node".into()))
            }
            _ => Ok(()),
        }
    }

    /// All of a term must hold; an empty one matches nothing.
    fn matches(&self, term: &api::NodeSelectorTerm) -> bool {
        let labels = term.match_expressions.as_deref().unwrap_or_default();
        let fields = term.match_fields.as_deref().unwrap_or_default();
        let field = |name: &str| (name == "metadata.name").then_some(self.name.as_str());
        !(labels.is_empty() && fields.is_empty())
            && labels.iter().all(|rule| holds(rule, self.labels.get(&rule.key).map(String::as_str)))
            && fields.iter().all(|rule| holds(rule, field(&rule.key)))
    }

    fn tolerated(&self, spec: &api::PodSpec, effects: &[TaintEffect]) -> Result<(), NodeMismatch> {
        let tolerations = spec.tolerations.as_deref().unwrap_or_default();
        let bars = |taint: &&Taint| {
            effects.contains(&taint.effect) && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
        };
        match self.taints.iter().find(bars) {
            Some(taint) => Err(NodeMismatch::taint(format!("this node has the taint {taint}, which is not tolerated"))),
            None => Ok(()),
        }
    }
}

/// Whether a rule of a selector holds for a label's value (`apimachinery/pkg/labels`).
fn holds(rule: &api::NodeSelectorRequirement, value: Option<&str>) -> bool {
    let values = rule.values.as_deref().unwrap_or_default();
    let listed = || value.is_some_and(|value| values.iter().any(|listed| listed == value));
    let compared = |than: fn(&i64, &i64) -> bool| {
        let number = |text: &str| text.parse::<i64>().ok();
        let (Some(value), [bound]) = (value.and_then(number), values) else { return false };
        number(bound).is_some_and(|bound| than(&value, &bound))
    };
    match rule.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared(i64::gt),
        "Lt" => compared(i64::lt),
        _ => false,
    }
}

/// Whether a toleration is about a taint: an empty effect is about all, an empty key with `Exists` too.
fn tolerates(toleration: &api::Toleration, taint: &Taint) -> bool {
    let said = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
    let exists = said(&toleration.operator).as_deref() == Some("Exists");
    said(&toleration.effect).is_none_or(|effect| effect == taint.effect.as_str())
        && said(&toleration.key).map_or(exists, |key| key == taint.key)
        && (exists || toleration.value.clone().unwrap_or_default() == taint.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node() -> NodeRules {
        let mut node = NodeRules::new("n1");
        node.labels.extend([("disk".into(), "ssd".into()), ("cores".into(), "8".into())]);
        node
    }

    fn spec(value: Value) -> api::PodSpec {
        let mut value = value;
        value["containers"] = json!([]);
        serde_json::from_value(value).unwrap()
    }

    fn terms(terms: &Value) -> api::PodSpec {
        spec(json!({"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}))
    }

    #[test]
    fn labels() {
        for (selector, fits) in [
            (json!({}), true),
            (json!({"disk": "ssd", "kubernetes.io/os": "linux", "kubernetes.io/hostname": "n1"}), true),
            (json!({"disk": "hdd"}), false),
            (json!({"gpu": ""}), false),
        ] {
            assert_eq!(node().admits(&spec(json!({"nodeSelector": selector}))).is_ok(), fits, "{selector}");
        }
        let why = node().admits(&spec(json!({"nodeSelector": {"disk": "hdd"}}))).unwrap_err();
        assert_eq!(why.to_string(), "NodeAffinity: nodeSelector asks for disk=hdd, and this node has disk=ssd");
    }

    #[test]
    fn affinity() {
        let rule =
            |key: &str, operator: &str, values: &[&str]| json!({"key": key, "operator": operator, "values": values});
        for (rule, fits) in [
            (rule("disk", "In", &["hdd", "ssd"]), true),
            (rule("disk", "In", &["hdd"]), false),
            (rule("gpu", "In", &[""]), false),
            (rule("disk", "NotIn", &["ssd"]), false),
            (rule("gpu", "NotIn", &["a"]), true),
            (rule("gpu", "Exists", &[]), false),
            (rule("disk", "Exists", &[]), true),
            (rule("gpu", "DoesNotExist", &[]), true),
            (rule("cores", "Gt", &["7"]), true),
            (rule("cores", "Gt", &["8"]), false),
            (rule("cores", "Lt", &["9"]), true),
            (rule("disk", "Lt", &["9"]), false),
            (rule("cores", "Like", &["9"]), false),
        ] {
            assert_eq!(node().admits(&terms(&json!([{"matchExpressions": [rule]}]))).is_ok(), fits, "{rule}");
        }
        // One term is enough, all of a term are needed, and nothing at all matches nothing.
        let (yes, no) = (rule("disk", "Exists", &[]), rule("gpu", "Exists", &[]));
        assert!(node().admits(&terms(&json!([{"matchExpressions": [no]}, {"matchExpressions": [yes]}]))).is_ok());
        assert!(node().admits(&terms(&json!([{"matchExpressions": [no, yes]}]))).is_err());
        assert!(node().admits(&terms(&json!([{}]))).is_err());
        let name = |name| terms(&json!([{"matchFields": [rule("metadata.name", "In", &[name])]}]));
        assert!(node().admits(&name("n1")).is_ok() && node().admits(&name("n2")).is_err());
    }

    #[test]
    fn taints_and_tolerations() {
        let taint = |effect| Taint { key: "role".into(), value: "db".into(), effect };
        let with = |effect| NodeRules { taints: vec![taint(effect)], ..node() };
        let cases = [
            (json!({"key": "role", "value": "db"}), true),
            (json!({"key": "role", "operator": "Equal", "value": "db", "effect": "NoSchedule"}), true),
            (json!({"key": "role", "value": "web"}), false),
            (json!({"key": "role"}), false),
            (json!({"key": "role", "operator": "Exists"}), true),
            (json!({"operator": "Exists"}), true),
            (json!({"operator": "Exists", "effect": "NoExecute"}), false),
            (json!({"key": "other", "operator": "Exists"}), false),
        ];
        for (toleration, fits) in cases {
            let spec = spec(json!({"tolerations": [toleration]}));
            assert_eq!(with(TaintEffect::NoSchedule).admits(&spec).is_ok(), fits, "{toleration}");
        }
        let plain = spec(json!({}));
        for (effect, admits, keeps) in [
            (TaintEffect::NoSchedule, false, true),
            (TaintEffect::PreferNoSchedule, true, true),
            (TaintEffect::NoExecute, false, false),
        ] {
            let node = with(effect);
            assert_eq!((node.admits(&plain).is_ok(), node.keeps(&plain).is_ok()), (admits, keeps), "{effect:?}");
        }
        let why = with(TaintEffect::NoExecute).admits(&plain).unwrap_err();
        assert_eq!(
            why.to_string(),
            "TaintToleration: this node has the taint role=db:NoExecute, which is not tolerated"
        );
    }
}
