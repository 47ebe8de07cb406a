//! Says, of a good pod, which of its fields this version does not honour: nothing is ignored in silence.

use super::{Workload, findings::Findings, path::Path, workloads};
use crate::convert::{self, FieldVerdict, Verdict};
use k8s_openapi::api::core::v1 as api;

/// Reports every field that is refused, warned about or only approximated, at its place.
pub(super) fn report(pod: &api::Pod, path: &Path<'_>, findings: &mut Findings<'_>) {
    report_all(convert::unsupported(pod, &findings.options().support), path, findings);
}

/// As [`report`], for the template of a workload; what its controller adds to the pod is reported at the
/// workload's spec.
pub(super) fn report_workload(workload: &Workload, made: Option<&api::Pod>, path: &Path<'_>, findings: &mut Findings) {
    let Some(template) = workloads::template(workload) else { return };
    let metadata = template.metadata.clone().unwrap_or_default();
    let policy = &findings.options().support;
    let written = convert::unsupported(&api::Pod { metadata, spec: template.spec.clone(), status: None }, policy);
    let added = made.map(|made| convert::unsupported(made, policy)).unwrap_or_default();
    let spec = path.field("spec");
    for found in added {
        let is_new = !written.iter().any(|other| other.path == found.path);
        if is_new && found.verdict == Verdict::Refused {
            let message = format!("its pod has `{}`, which {}", found.path, found.reason);
            findings.error("field-not-supported", &spec, message);
        }
    }
    report_all(written, &spec.field("template"), findings);
}

fn report_all(found: Vec<FieldVerdict>, path: &Path<'_>, findings: &mut Findings<'_>) {
    for found in found {
        descend(path, &found.path, &mut |place| {
            // Who was told that a field is wrong need not hear that it is not honoured either.
            if findings.is_told(place) {
                return;
            }
            let field = last_field(&found.path);
            match found.verdict {
                Verdict::Honoured => {}
                Verdict::Refused => {
                    findings.error("field-not-supported", place, format!("`{field}` {}", found.reason));
                }
                Verdict::Warned => {
                    findings.warn("field-not-honoured", place, format!("`{field}` {}", found.reason));
                }
                Verdict::Approximated => {
                    findings.warn("field-approximated", place, format!("`{field}` {}", found.reason));
                }
            }
        });
    }
}

/// Walks a path in Kubernetes' notation, as in `spec.containers[0].env[1].value`.
fn descend(here: &Path<'_>, rest: &str, arrive: &mut dyn FnMut(&Path<'_>)) {
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    if rest.is_empty() {
        return arrive(here);
    }
    if let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        return match inside.parse() {
            Ok(index) => descend(&here.index(index), after, arrive),
            Err(_) => descend(&here.key(inside), after, arrive),
        };
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    descend(&here.field(&rest[..end]), &rest[end..], arrive);
}

fn last_field(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use crate::{
        convert::{
            Verdict,
            support::{rows, sample},
        },
        manifest::{
            diagnostic::{Diagnostic, Severity},
            parse::{ParseOptions, parse_file},
        },
    };
    use k8s_openapi::api::core::v1 as api;
    use serde_json::{Value, json};

    #[test]
    fn a_field_that_is_not_honoured_is_named_at_its_place() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, finalizers: [a.b/c]}\nspec:\n  hostUsers: false\n  containers:\n  \
                    - name: c\n    image: i:1\n";
        let judge = |options: &ParseOptions| {
            let parsed = parse_file(std::path::Path::new("web.yaml"), text.as_bytes(), options);
            let found = parsed.diagnostics.into_iter();
            found.map(|d| (d.severity, d.code, d.place.map(|p| p.line), d.field)).collect::<Vec<_>>()
        };
        assert_eq!(
            judge(&ParseOptions::default()),
            [
                (Severity::Warning, "field-not-honoured", Some(3), "metadata.finalizers".to_owned()),
                (Severity::Error, "field-not-supported", Some(5), "spec.hostUsers".to_owned()),
            ]
        );
        assert_eq!(judge(&ParseOptions { report_unsupported: false, ..ParseOptions::default() }), []);
    }

    /// An object with nothing but what is at the end of a path as `containers[].env[].value`.
    fn only(full: &Value, path: &[&str]) -> Value {
        let Some((part, rest)) = path.split_first() else { return full.clone() };
        let name = part.trim_end_matches("[]");
        if name == *part {
            return json!({ name: only(&full[name], rest) });
        }
        let item = &full[name][0];
        let mut value = only(item, rest);
        if let Some(fields) = value.as_object_mut()
            && item.get("name").is_some()
        {
            fields.entry("name").or_insert_with(|| json!("x"));
        }
        json!({ name: [value] })
    }

    fn merge(base: &mut Value, more: Value) {
        match (base, more) {
            (Value::Object(base), Value::Object(more)) => {
                more.into_iter().for_each(|(name, value)| merge(base.entry(name).or_insert(Value::Null), value));
            }
            (Value::Array(base), Value::Array(more)) => {
                base.iter_mut().zip(more).for_each(|(base, more)| merge(base, more));
            }
            (base, more) => *base = more,
        }
    }

    /// What is said of a pod in which this field is set, at the field or below it, or of all that it is in.
    fn said_of(full: &Value, path: &str) -> Vec<Diagnostic> {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "c", "image": "i:1"}]},
        });
        merge(&mut pod, only(full, &path.split('.').collect::<Vec<_>>()));
        let parsed = parse_file(std::path::Path::new("web.json"), pod.to_string().as_bytes(), &ParseOptions::default());
        let is_in = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let mut said = parsed.diagnostics;
        said.retain(|found| {
            let field = found.field.replace("[0]", "[]");
            is_in(&field, path) || found.is_error() && is_in(path, &field)
        });
        said
    }

    #[test]
    fn the_table_says_of_a_field_what_a_file_with_it_is_told() {
        const NOT_HONOURED: &[&str] =
            &["field-approximated", "field-not-honoured", "field-not-supported", "needs-cluster", "no-effect"];
        let full = serde_json::to_value(sample::full::<api::Pod>()).unwrap();
        let mut drifted = Vec::new();
        for row in rows() {
            // What depends on the value has tests of its own.
            let Some(verdict) = row.verdict else { continue };
            let mut said = said_of(&full, row.path);
            if verdict == Verdict::Honoured {
                // The sample's values need be none that are allowed.
                said.retain(|found| NOT_HONOURED.contains(&found.code));
            }
            if (verdict == Verdict::Honoured) != said.is_empty() {
                drifted.push(format!("{} is {verdict:?}, and told: {said:?}", row.path));
            }
        }
        assert!(drifted.is_empty(), "{}", drifted.join("\n"));
    }
}
