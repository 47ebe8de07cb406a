//! Files judged together: who claims the same name or port, and what no file declares.

use super::references;
use crate::manifest::{ManifestSet, Object, Snapshot, Workload, diagnostic::Diagnostic, workloads};
use crate::pod::{ContainerKind, HostPort, ManifestSource, Pod, defaults, objects::Objects};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The pods that have a port, each at an address.
type Holders<'a> = Vec<(HostPort, &'a Arc<Pod>)>;

/// Host ports that two pods want: the one that sorts later could never run.
pub fn host_ports(set: &ManifestSet, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let mut taken: BTreeMap<(i32, String), Holders> = BTreeMap::new();
    let mut found = Vec::new();
    let mut pods: Vec<_> = set.pods.values().collect();
    pods.sort_by(|a, b| a.source.cmp(&b.source));
    for pod in pods {
        for (field, wanted) in ports(pod) {
            let holders = taken.entry((wanted.port, wanted.protocol.clone())).or_default();
            let other = holders.iter().find(|(held, holder)| held.clashes(&wanted) && holder.key != pod.key);
            if let Some((_, holder)) = other {
                let HostPort { port, protocol, .. } = &wanted;
                let message = format!("host port {port}/{protocol} of pod {} is pod {}'s", pod.key, holder.key);
                let diagnostic = Diagnostic::error("host-port-clash", &pod.source.path, message);
                let diagnostic = diagnostic
                    .document(pod.source.document)
                    .field(at(snapshot, pod, &field))
                    .object(format!("Pod {}", pod.key));
                found.push(diagnostic.suggest(format!("give one of them another port; see {}", holder.source)));
            } else {
                holders.push((wanted, pod));
            }
        }
    }
    found
}

/// The field of each port of the node that a pod wants, and the port: those of [`Pod::host_ports`].
fn ports(pod: &Pod) -> impl Iterator<Item = (String, HostPort)> {
    let apps = pod.containers.iter().filter(|container| container.kind == ContainerKind::App).enumerate();
    let ports = apps.flat_map(|(container, found)| {
        found.api.ports.iter().flatten().enumerate().map(move |(index, port)| (container, index, port))
    });
    ports.filter_map(|(container, index, port)| {
        Some((format!("spec.containers[{container}].ports[{index}].hostPort"), HostPort::of(port)?))
    })
}

/// The path of a pod's field in the object that the pod is or is made from.
fn at(snapshot: &Snapshot, pod: &Pod, field: &str) -> String {
    let objects = snapshot.files.get(&pod.source.path).and_then(|file| file.objects.as_ref());
    let is_it = |object: &&Object| workloads::pod_of(object).is_some_and(|made| made.document == pod.source.document);
    let made_by = objects.and_then(|objects| objects.iter().find(is_it));
    format!("{}{field}", made_by.map(template_field).unwrap_or_default())
}

/// Pods that others start after, and no file declares.
pub fn missing_pods(set: &ManifestSet, snapshot: &Snapshot) -> Vec<Diagnostic> {
    let pods = set.pods.values().flat_map(|pod| pod.standing.start_after.iter().map(move |other| (pod, other)));
    let missing = pods.filter(|(_, other)| !set.pods.contains_key(*other) && !set.none.contains(*other));
    let told = missing.map(|(pod, other)| {
        let message = format!("pod {other} is declared by no file; pod {} starts when it is ready", pod.key);
        let diagnostic = Diagnostic::warning("missing-reference", &pod.source.path, message);
        let diagnostic = diagnostic.document(pod.source.document).object(format!("Pod {}", pod.key));
        diagnostic.field(at(snapshot, pod, "metadata.annotations"))
    });
    told.collect()
}

/// What pods need and no file declares: objects, and keys of objects that are there.
pub fn missing_references(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let declared = declared(snapshot);
    let mut found = Vec::new();
    for (path, object) in objects(snapshot) {
        let Some(PodOf { metadata, spec, label, document, field: outer }) = pod_of(object) else { continue };
        let namespace = namespace(metadata);
        for (message, field) in references::missing(&spec, &namespace, &declared) {
            let message = format!("{message}; the pod waits until it is");
            let diagnostic = Diagnostic::warning("missing-reference", path, message).document(document);
            let diagnostic = diagnostic.field(format!("{outer}{field}"));
            found.push(diagnostic.object(label.clone()));
        }
    }
    found
}

/// Names that look like manifests and are not read.
pub fn ignored_names(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let shown = snapshot.ignored.iter().filter(|(path, _)| !hidden(path));
    shown.map(|(path, why)| Diagnostic::warning("ignored-name", path, format!("is not read: it {why}"))).collect()
}

fn objects(snapshot: &Snapshot) -> impl Iterator<Item = (&PathBuf, &Object)> {
    let good = snapshot.files.iter().filter_map(|(path, file)| Some((path, file.objects.as_ref()?)));
    good.flat_map(|(path, objects)| objects.iter().map(move |object| (path, object)))
}

fn declared(snapshot: &Snapshot) -> Objects {
    let declared = objects(snapshot).flat_map(|(path, object)| {
        workloads::configs_of(object).into_iter().map(move |(document, config)| {
            let source = ManifestSource { path: path.clone(), document };
            (config.id(), Arc::new(config.declared(source)))
        })
    });
    declared.collect()
}

fn namespace(metadata: &ObjectMeta) -> String {
    metadata.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into())
}

/// The pod that an object is or makes.
struct PodOf<'a> {
    /// Tells the namespace.
    metadata: &'a ObjectMeta,
    /// With defaults.
    spec: api::PodSpec,
    /// What to call the object.
    label: String,
    /// Its index in the file.
    document: usize,
    /// What comes before `spec` in the paths of its fields.
    field: &'static str,
}

fn pod_of(object: &Object) -> Option<PodOf<'_>> {
    let (document, kind, metadata, spec, field) = match object {
        Object::Pod { pod, document } => (*document, "Pod", &pod.metadata, pod.spec.as_ref(), ""),
        Object::Config { .. } => return None,
        Object::Workload { workload, document } => {
            let spec = workloads::template(workload)?.spec.as_ref();
            (*document, workload.kind(), workload.metadata(), spec, template_field(object))
        }
    };
    let mut spec = spec?.clone();
    defaults::apply(&mut spec);
    let label = format!("{kind} {}", metadata.name.as_deref().unwrap_or_default());
    Some(PodOf { metadata, spec, label, document, field })
}

/// What comes before `spec` in the paths of the fields of an object's pod.
fn template_field(object: &Object) -> &'static str {
    match object {
        Object::Pod { .. } | Object::Config { .. } => "",
        Object::Workload { workload: Workload::CronJob(_), .. } => "spec.jobTemplate.spec.template.",
        Object::Workload { .. } => "spec.template.",
    }
}
