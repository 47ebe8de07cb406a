//! One JSON value → objects: its kind, its fields, its types, the API's rules, and what is worth a
//! warning.

use super::{
    Config, Object, Workload, codes, decode,
    findings::Findings,
    kinds::{self, Decoded, Kind},
    path::Path,
    schema, unhonoured, validate, workloads,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Annotation that silences warnings about its object: their codes, separated by commas.
pub const ANNOTATION_SILENCE: &str = "kubelet-lite.io/silence-warnings";

/// Judges the objects of one file.
pub struct Judge<'f, 't> {
    /// Where what is found goes.
    pub findings: &'f mut Findings<'t>,
    /// Objects seen so far, those passed over too.
    seen: usize,
}

impl<'f, 't> Judge<'f, 't> {
    /// For a file.
    pub fn new(findings: &'f mut Findings<'t>) -> Self {
        Self { findings, seen: 0 }
    }

    /// Judges a document or an item of a list.
    pub fn value(&mut self, value: Value, path: &Path, objects: &mut Vec<Object>) {
        let Value::Object(map) = value else {
            let message = "an object is a mapping with apiVersion and kind";
            self.findings.error("not-an-object", path, message);
            return;
        };
        let mark = self.findings.len();
        let (Some(version), Some(kind)) = (self.word(&map, "apiVersion", path), self.word(&map, "kind", path)) else {
            return;
        };
        let found = kinds::lookup(&version, &kind);
        if found == Kind::List {
            self.list(map, path, objects);
            return;
        }
        let document = self.seen;
        self.seen += 1;
        self.findings.enter_object(object_name(&kind, &map), document);
        match found {
            Kind::List => {}
            Kind::Decoded(decoded, successor) => {
                if let Some(successor) = successor {
                    let message =
                        format!("{kind} of {version} is read as {successor}: Kubernetes has dropped the old one");
                    let field = path.field("apiVersion");
                    self.findings.warn("deprecated-api", &field, message).suggest(format!("write {successor}"));
                }
                objects.extend(self.decoded(decoded, map, successor, path, document));
                self.silence(mark, path);
            }
            Kind::ClusterOnly => {
                let message = format!("{kind} means nothing without a cluster and is passed over");
                self.findings.warn("kind-skipped", &path.field("kind"), message);
                self.silence(mark, path);
            }
            Kind::WrongVersion(versions) => {
                let message = format!("there is no {kind} in apiVersion {:?}", shown(&version));
                let field = path.field("apiVersion");
                self.findings
                    .error("unknown-kind", &field, message)
                    .suggest(format!("write {}", versions.join(" or ")));
            }
            Kind::Unknown => {
                let message = format!("kind {:?} of apiVersion {:?} is not known", shown(&kind), shown(&version));
                let finding = self.findings.error("unknown-kind", &path.field("kind"), message);
                if let Some(name) = schema::nearest_word(&kind, &kinds::names()) {
                    finding.suggest(format!("did you mean `{name}`?"));
                }
            }
        }
    }

    /// `apiVersion` or `kind`.
    fn word(&mut self, map: &Map<String, Value>, name: &str, path: &Path) -> Option<String> {
        let field = path.field(name);
        match map.get(name) {
            Some(Value::String(word)) if !word.is_empty() => return Some(word.clone()),
            None | Some(Value::Null | Value::String(_)) => {
                let example = if name == "kind" { "kind: Pod" } else { "apiVersion: v1" };
                let near = map.keys().find(|key| schema::nearest_word(key, &[name]).is_some());
                let finding = self.findings.error("required", &field, format!("{name} is required"));
                match near {
                    Some(near) => finding.suggest(format!("did you mean `{name}` where `{near}` is?")),
                    None => finding.suggest(format!("as in `{example}`")),
                };
            }
            Some(_) => {
                self.findings.error("wrong-type", &field, format!("{name} is text"));
            }
        }
        None
    }

    fn list(&mut self, mut map: Map<String, Value>, path: &Path, objects: &mut Vec<Object>) {
        let items_path = path.field("items");
        let unknown = map.keys().filter(|key| !["apiVersion", "kind", "metadata", "items"].contains(&key.as_str()));
        for name in unknown.cloned().collect::<Vec<_>>() {
            let field = path.field(&name);
            let message = format!("`{name}` is not a field of a list");
            self.findings.strict("unknown-field", &field, message).at_key(&field);
        }
        match map.remove("items") {
            Some(Value::Array(items)) if !items.is_empty() => {
                for (index, item) in items.into_iter().enumerate() {
                    self.value(item, &items_path.index(index), objects);
                }
            }
            None | Some(Value::Null | Value::Array(_)) => {
                self.findings.warn("empty-list", &items_path, "the list has no items and declares nothing");
            }
            Some(_) => {
                self.findings.error("wrong-type", &items_path, "items is a list").suggest("begin each item with `- `");
            }
        }
    }

    fn decoded(
        &mut self,
        kind: Decoded,
        mut map: Map<String, Value>,
        successor: Option<&str>,
        path: &Path,
        document: usize,
    ) -> Option<Object> {
        // The system's own field; whoever exported an object left it in.
        map.remove("status");
        if let Some(successor) = successor {
            map.insert("apiVersion".into(), successor.into());
            drop_old_fields(&mut map);
        }
        let mut value = Value::Object(map);
        schema::check(&mut value, schema::of_kind(kind.name())?, path, self.findings);
        if kind == Decoded::CronJob {
            let message = "CronJob is not run by kubelet-lite, and passing over it would hide that";
            let finding = self.findings.error("kind-not-supported", &path.field("kind"), message);
            finding.suggest("make it a Job started by a systemd timer");
        }
        self.object(kind, &value, path, document)
    }

    fn object(&mut self, kind: Decoded, value: &Value, path: &Path, document: usize) -> Option<Object> {
        let workload = |workload| Object::Workload { document, workload };
        let config = |config| Object::Config { document, config };
        let f = &mut *self.findings;
        Some(match kind {
            Decoded::Pod => {
                let pod = or_error(decode::decode_pod(value), path, f)?;
                validate::pod(&pod, path, f);
                if f.options().report_unsupported {
                    unhonoured::report(&pod, path, f);
                }
                Object::Pod { document, pod: Arc::new(pod) }
            }
            Decoded::ConfigMap => {
                let config_map = typed(value, path, f)?;
                validate::config_map(&config_map, path, f);
                config(Config::ConfigMap(Box::new(config_map)))
            }
            Decoded::Secret => {
                let secret = typed(value, path, f)?;
                validate::secret(&secret, path, f);
                config(Config::Secret(Box::new(secret)))
            }
            Decoded::PersistentVolumeClaim => {
                let claim = typed(value, path, f)?;
                validate::claim(&claim, path, f);
                config(Config::PersistentVolumeClaim(Box::new(claim)))
            }
            Decoded::ReplicationController => {
                workload(Workload::ReplicationController(Box::new(typed(value, path, f)?))).validated(path, f)
            }
            Decoded::DaemonSet => workload(Workload::DaemonSet(Box::new(typed(value, path, f)?))).validated(path, f),
            Decoded::Deployment => workload(Workload::Deployment(Box::new(typed(value, path, f)?))).validated(path, f),
            Decoded::ReplicaSet => workload(Workload::ReplicaSet(Box::new(typed(value, path, f)?))).validated(path, f),
            Decoded::StatefulSet => {
                workload(Workload::StatefulSet(Box::new(typed(value, path, f)?))).validated(path, f)
            }
            Decoded::Job => workload(Workload::Job(Box::new(typed(value, path, f)?))).validated(path, f),
            Decoded::CronJob => workload(Workload::CronJob(Box::new(typed(value, path, f)?))).validated(path, f),
        })
    }

    /// Drops the warnings about this object that its annotation silences.
    fn silence(&mut self, mark: usize, path: &Path) {
        let metadata = path.field("metadata");
        let annotations = metadata.field("annotations");
        let annotation = annotations.key(ANNOTATION_SILENCE);
        let Some(written) = self.findings.written(&annotation).map(str::to_owned) else { return };
        let wanted: Vec<&str> = written.split(',').map(str::trim).filter(|code| !code.is_empty()).collect();
        self.findings.silence_since(mark, &wanted);
        for code in wanted.iter().filter(|code| !codes::is_warning(code)) {
            self.findings.warn("unknown-code", &annotation, format!("there is no warning with code `{code}`"));
        }
    }
}

impl Object {
    fn validated(self, path: &Path, findings: &mut Findings) -> Self {
        if let Self::Workload { workload, .. } = &self {
            validate::workload(workload, path, findings);
            if findings.options().report_unsupported && !matches!(workload, Workload::CronJob(_)) {
                let made = workloads::pod_of(&self).map(|made| made.pod);
                unhonoured::report_workload(workload, made.as_deref(), path, findings);
            }
        }
        self
    }
}

fn typed<T: DeserializeOwned>(value: &Value, path: &Path, findings: &mut Findings) -> Option<T> {
    or_error(decode::decode(value), path, findings)
}

/// A decoder's complaint. The table forestalls it; should it ever not, the file is refused all the
/// same.
fn or_error<T>(result: Result<T, decode::DecodeError>, path: &Path, findings: &mut Findings) -> Option<T> {
    match result {
        Ok(object) => Some(object),
        Err(error) => {
            findings.undecodable(path, &error.field, &error.message);
            None
        }
    }
}

/// Fields of old API versions that today's have no more, and that mean nothing here.
fn drop_old_fields(map: &mut Map<String, Value>) {
    if let Some(Value::Object(spec)) = map.get_mut("spec") {
        spec.remove("templateGeneration");
        spec.remove("rollbackTo");
    }
}

/// A word as it is shown: no good one is longer.
fn shown(word: &str) -> String {
    const LONGEST: usize = 253;
    if word.chars().count() <= LONGEST {
        word.to_owned()
    } else {
        word.chars().take(LONGEST - 1).chain(['…']).collect()
    }
}

fn object_name(kind: &str, map: &Map<String, Value>) -> String {
    let metadata = map.get("metadata");
    let word = |name: &str| metadata.and_then(|m| m.get(name)).and_then(Value::as_str).filter(|w| !w.is_empty());
    let word = |name: &str| word(name).map(shown);
    let kind = shown(kind);
    match (word("namespace"), word("name")) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        (_, None) => kind,
    }
}
