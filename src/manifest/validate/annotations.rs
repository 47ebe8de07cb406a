//! Annotations of our own (`kubelet-lite.io/…`): those that are not read, as they stand.

use crate::{
    manifest::{ANNOTATION_SILENCE, findings::Findings, path::Path, schema},
    pod::{
        references::ANNOTATION_RESTART_ON_CHANGE,
        standing::{ANNOTATION_BACKOFF_LIMIT, ANNOTATION_START_AFTER},
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Code of everything here.
const CODE: &str = "annotation-ignored";
const PREFIX: &str = "kubelet-lite.io/";
/// Those that are read from a pod, or from the template that it is made from.
const OF_PODS: [&str; 3] = [ANNOTATION_BACKOFF_LIMIT, ANNOTATION_RESTART_ON_CHANGE, ANNOTATION_START_AFTER];

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// A Pod's.
    Pod,
    /// A workload's own.
    Workload,
    /// That of a workload's template.
    Template,
    /// That of the template of a Job, which has its limit from a field.
    JobTemplate,
    /// Of an object that is no pod and makes none.
    Other,
}

impl Bearer {
    /// Why an annotation that there is has no effect here, and where to write it instead.
    fn misplaced(self, key: &str) -> Option<(&'static str, &'static str)> {
        match (self, key) {
            (Self::Template | Self::JobTemplate, ANNOTATION_SILENCE) => {
                Some(("is read from the object's own metadata, not from its template's", "write it in metadata"))
            }
            (_, ANNOTATION_SILENCE) | (Self::Pod | Self::Template, _) => None,
            (Self::JobTemplate, ANNOTATION_BACKOFF_LIMIT) => {
                Some(("is not read in a Job: its backoffLimit counts", "write spec.backoffLimit"))
            }
            (Self::JobTemplate, _) => None,
            (Self::Workload, _) => Some((
                "is read from the template's metadata, not from the workload's own",
                "write it in spec.template.metadata",
            )),
            (Self::Other, _) => Some(("is for pods and has no effect here", "remove it")),
        }
    }
}

/// Warns of what is unknown, misspelt, misplaced, or says what it can not.
pub fn own(metadata: &ObjectMeta, bearer: Bearer, path: &Path, f: &mut Findings) {
    let annotations = path.field("annotations");
    let known: Vec<&str> = OF_PODS.into_iter().chain([ANNOTATION_SILENCE]).collect();
    for (key, value) in metadata.annotations.iter().flatten() {
        let path = annotations.key(key);
        if !known.contains(&key.as_str()) {
            let near = schema::nearest_word(key, &known);
            if near.is_some() || key.starts_with(PREFIX) {
                let finding = f.warn(CODE, &path, format!("there is no annotation {key}")).at_key(&path);
                finding.suggest(near.map_or_else(
                    || format!("remove it; there are {}", known.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                ));
            }
        } else if let Some((why, instead)) = bearer.misplaced(key) {
            f.warn(CODE, &path, format!("{key} {why}")).at_key(&path).suggest(instead);
        } else if key == ANNOTATION_RESTART_ON_CHANGE && !["true", "false"].contains(&value.as_str()) {
            let message = format!("{key} is \"true\" or \"false\"; as it stands, nothing restarts");
            f.warn(CODE, &path, message).suggest("write \"true\"");
        }
    }
}
