//! What happens to each field of a Pod: the one place that says so.
//!
//! Every field of the API has a row in the [`table`]. A field without one is refused by name, so
//! that nothing written can be ignored in silence, not even by a later version of the API's types.

mod checks;
mod sysctls;
mod table;

pub use sysctls::{SysctlPatternError, Sysctls};

use k8s_openapi::api::core::v1 as api;
use serde_json::Value;

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It has the effect Kubernetes gives it, or has none there either.
    Honoured,
    /// It has nearly that effect; the reason says what differs.
    Approximated,
    /// It has no effect; the pod runs all the same.
    Warned,
    /// The pod must not run without its effect.
    Refused,
}

/// One present field that is not simply honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldVerdict {
    /// Path in Kubernetes' notation, as in `spec.containers[1].livenessProbe`.
    pub path: String,
    /// Never [`Verdict::Honoured`].
    pub verdict: Verdict,
    /// Why, and what to do instead.
    pub reason: String,
}

/// A row of the table, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportRow {
    /// Field path; `[]` stands for any index. Init containers are like containers unless they have
    /// rows of their own.
    pub path: &'static str,
    /// `None` if it depends on the value.
    pub verdict: Option<Verdict>,
    /// The difference, or the reason.
    pub note: &'static str,
}

/// How a row judges.
#[derive(Clone, Copy)]
enum Rule {
    /// The same for whatever is written.
    Always(Verdict, &'static str),
    /// An object or a list whose fields have rows of their own.
    Inside,
    /// It depends on what is written: text for people, and the judge.
    Depends(&'static str, Judge),
}

/// What of the verdicts is the node's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupportPolicy {
    /// `--allowed-unsafe-sysctls`.
    pub allowed_unsafe_sysctls: Sysctls,
}

/// Reports what of a value is not honoured.
type Judge = fn(&Written<'_>, &mut Vec<FieldVerdict>);

/// A value and where it stands.
struct Written<'a> {
    /// With indices.
    path: String,
    value: &'a Value,
    /// The whole pod.
    pod: &'a Value,
    policy: &'a SupportPolicy,
}

impl Written<'_> {
    fn verdict(&self, verdict: Verdict, reason: impl Into<String>) -> FieldVerdict {
        FieldVerdict { path: self.path.clone(), verdict, reason: reason.into() }
    }

    /// About one entry of a map.
    fn entry(&self, key: &str, verdict: Verdict, reason: impl Into<String>) -> FieldVerdict {
        FieldVerdict { path: format!("{}[{key}]", self.path), verdict, reason: reason.into() }
    }
}

/// Every present field of a pod, as written, that is not simply honoured, in the order of the paths.
pub fn unsupported(written: &api::Pod, policy: &SupportPolicy) -> Vec<FieldVerdict> {
    // Serialising the API's own types can not fail; a failure would show as an unknown field.
    let pod = serde_json::to_value(written).unwrap_or_default();
    let mut found = Vec::new();
    match &pod {
        Value::Object(_) => inside("", &Written { path: String::new(), value: &pod, pod: &pod, policy }, &mut found),
        _ => found.push(unknown(String::new())),
    }
    found
}

/// The table, row by row.
pub fn rows() -> impl Iterator<Item = SupportRow> {
    table::TABLE.iter().filter_map(|(path, rule)| {
        let path = *path;
        Some(match rule {
            Rule::Always(verdict, note) => SupportRow { path, verdict: Some(*verdict), note },
            Rule::Depends(note, _) => SupportRow { path, verdict: None, note },
            Rule::Inside => return None,
        })
    })
}

fn inside(pattern: &str, written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    match written.value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if pattern.is_empty() { "" } else { "." };
                let child = Written { path: format!("{}{dot}{name}", written.path), value, ..*written };
                judge(&format!("{pattern}{dot}{name}"), &child, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let child = Written { path: format!("{}[{index}]", written.path), value, ..*written };
                judge(&format!("{pattern}[]"), &child, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(unknown(written.path.clone())),
    }
}

fn judge(pattern: &str, written: &Written<'_>, found: &mut Vec<FieldVerdict>) {
    match rule(pattern) {
        _ if says_nothing(written.value) => {}
        None => found.push(unknown(written.path.clone())),
        Some(Rule::Always(Verdict::Honoured, _)) => {}
        Some(Rule::Always(verdict, reason)) => found.push(written.verdict(*verdict, *reason)),
        Some(Rule::Inside) => inside(pattern, written, found),
        Some(Rule::Depends(_, judge)) => judge(written, found),
    }
}

/// The row of a path. Init containers share the rows of containers where they have none.
fn rule(pattern: &str) -> Option<&'static Rule> {
    let exact = |wanted: &str| table::TABLE.iter().find(|(path, _)| *path == wanted).map(|(_, rule)| rule);
    exact(pattern).or_else(|| {
        let rest = pattern.strip_prefix("spec.initContainers[]")?;
        exact(&format!("spec.containers[]{rest}"))
    })
}

fn unknown(path: String) -> FieldVerdict {
    let reason = "this version of kubelet-lite does not know the field; remove it or upgrade".to_owned();
    FieldVerdict { path, verdict: Verdict::Refused, reason }
}

/// Null and empty lists and texts: written, but the same as not written.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod document;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
