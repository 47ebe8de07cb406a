//! Real manifests written by others, each with the verdict it should get. They are not part of this
//! repository: KUBELET_LITE_CORPUS names their directory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

use k8s_openapi::api::core::v1 as api;
use kubelet_lite::{
    convert::{self, ContainerFacts, DiskFacts, NodeFacts, ResolvConf, SandboxFacts, SupportPolicy, Verdict},
    engine::ImageDetails,
    manifest::{
        Object, Workload,
        diagnostic::Severity,
        parse::{ParseOptions, Parsed, parse_file},
    },
    pod::{Attempt, ContainerId, History, ManifestSource, Node, Pod},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Files judged otherwise than the index says, and why. Rows of basis `k8s` and `yaml` are facts and
/// may not be here, save those about a kind the kubelet does not read from files.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "invalid/instrumenta-kubeval--fixtures--extra_property.yaml",
        "the template is good, but the DaemonSet around it has a field `replicas`, which a DaemonSet has not",
    ),
    (
        "invalid/yannh-kubeconform--fixtures--extra_property.yaml",
        "the template is good, but the DaemonSet around it has a field `replicas`, and a selector that does not match",
    ),
    (
        "pods/website--pods--private-reg-pod.yaml",
        "its image `<your-private-image>` is a place holder that no engine takes for a name",
    ),
    (
        "pods/nakajima-hiro-invenio--static-pod.yaml",
        "a PersistentVolumeClaim beside the pod serves it; one that is missing is waited for",
    ),
    (
        "pods/virtual-kubelet-systemk--k3s--prometheus.yaml",
        "its pod has windowsOptions, and a Debian package where an image is due",
    ),
];

/// The fields for which our own table refuses a pod that the index takes, and why.
const REFUSED_HERE: &[(&str, &str, &str)] = &[
    (
        "pods/kubernetes-up-and-running-examples--5-6-kuard-pod-full.yaml",
        "spec.volumes[0].nfs",
        "network storage is mounted by the node, and reached by hostPath",
    ),
    (
        "pods/virtual-kubelet-systemk--k3s--prometheus.yaml",
        "spec.securityContext.windowsOptions",
        "a pod of Linux with a field of Windows pods, as above",
    ),
    (
        "pods/website--pods--user-namespaces-stateless.yaml",
        "spec.hostUsers",
        "a user namespace of the pod's own, which Docker can not give it",
    ),
];

/// A line of the index.
struct Row {
    file: String,
    kind: String,
    verdict: String,
    basis: String,
    reason: String,
    template_verdict: String,
}

impl Row {
    fn parse(line: &str) -> Self {
        let column: Vec<&str> = line.split('\t').collect();
        let get = |index: usize| column.get(index).copied().unwrap_or_default().to_owned();
        Self { file: get(0), kind: get(4), verdict: get(5), basis: get(6), reason: get(7), template_verdict: get(9) }
    }

    /// Whether the file should be taken, and the rule that says so.
    fn accept(&self) -> (bool, &'static str) {
        const READ_HERE: &[&str] = &["DaemonSet", "Deployment", "List", "PodList"];
        let of_template = !self.template_verdict.starts_with("reject");
        if self.basis == "policy" && self.reason.starts_with("multi-document with kinds not runnable") {
            return (of_template, "kinds that mean nothing without a cluster are passed over");
        }
        if self.basis == "k8s" && READ_HERE.contains(&self.kind.as_str()) && self.reason.contains(&self.kind) {
            if self.kind.ends_with("List") {
                // The index looks at no item of a list; only one of these lists has bad items.
                return (!self.file.contains("deeply-nested"), "lists are read for their items");
            }
            return (of_template, "workloads are read, and their template counts");
        }
        (self.verdict != "reject", "as the index says")
    }
}

#[test]
fn every_file_gets_its_verdict() {
    let Some(root) = std::env::var_os("KUBELET_LITE_CORPUS").map(PathBuf::from) else {
        println!("DID NOT RUN: KUBELET_LITE_CORPUS is not set, so the corpus of real manifests was not judged");
        return;
    };
    let index = std::fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let (mut wrong, mut rules, mut otherwise) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut warnings: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for row in index.lines().skip(1).map(Row::parse) {
        let parsed = judge(&root.join(&row.file));
        let (accept, rule) = row.accept();
        *rules.entry(rule).or_insert(0) += 1;
        let listed = OTHERWISE.iter().any(|(file, _)| *file == row.file);
        if listed {
            otherwise.push(row.file.clone());
        }
        if (parsed.is_refused() == accept) != listed {
            wrong.push(format!("{} ({} by {}: {})", row.file, row.verdict, row.basis, row.reason));
            wrong.extend(parsed.diagnostics.iter().map(|d| format!("    {} {}: {d}", d.severity.as_str(), d.code)));
        }
        if !parsed.is_refused() {
            for found in parsed.diagnostics.iter().filter(|d| d.severity == Severity::Warning) {
                *warnings.entry((row.verdict.clone(), found.code)).or_insert(0) += 1;
            }
        }
    }
    println!("{} files: {rules:#?}\nwarnings on files taken, by verdict: {warnings:#?}", index.lines().count() - 1);
    assert!(wrong.is_empty(), "judged otherwise than the index says:\n{}", wrong.join("\n"));
    assert_eq!(otherwise.len(), OTHERWISE.len(), "a listed file is not in the index");
}

/// The pod an object declares, or the one its template does.
fn pod_of(object: &Object) -> Option<api::Pod> {
    let of = |template: &api::PodTemplateSpec| api::Pod {
        metadata: template.metadata.clone().unwrap_or_default(),
        spec: template.spec.clone(),
        status: None,
    };
    let mut pod = match object {
        Object::Pod { pod, .. } => (**pod).clone(),
        Object::Config { .. } => return None,
        Object::Workload { workload, .. } => match workload {
            Workload::DaemonSet(set) => of(&set.spec.as_ref()?.template),
            Workload::Deployment(set) => of(&set.spec.as_ref()?.template),
            Workload::ReplicaSet(set) => of(set.spec.as_ref()?.template.as_ref()?),
            Workload::StatefulSet(set) => of(&set.spec.as_ref()?.template),
            Workload::ReplicationController(set) => of(set.spec.as_ref()?.template.as_ref()?),
            Workload::Job(job) => of(&job.spec.as_ref()?.template),
            Workload::CronJob(_) => return None,
        },
    };
    pod.metadata.name.get_or_insert_with(|| "templated".to_owned());
    Some(pod)
}

/// Both kinds of create bodies of a pod; the first error.
fn requests(pod: &Pod) -> Result<usize, String> {
    let node = NodeFacts {
        memory_total: 8 << 30,
        cpus: 4,
        node_ips: vec!["192.0.2.7".parse().unwrap()],
        engine_api: (1, 44),
        ..NodeFacts::new("/var/lib/kubelet-lite".into(), Node { name: "n1".into() }, "sha256:pause".into())
    };
    let body = convert::sandbox_body(pod, Attempt(0), jiff::Timestamp::UNIX_EPOCH, &ResolvConf::default(), &node)
        .map_err(|e| e.to_string())?;
    serde_json::to_value(body).map_err(|e| e.to_string())?;
    let id = ContainerId::new("sandbox");
    let ips = ["172.17.0.2".parse().unwrap()];
    let sandbox = SandboxFacts { id: &id, ips: if pod.host_network { &[] } else { &ips } };
    let image = ImageDetails { id: "sha256:image".into(), user: "1000".into(), ..ImageDetails::default() };
    let (profile, disk) = (Ok("{}".to_owned()), DiskFacts::default());
    for container in &pod.containers {
        let found = ContainerFacts { sandbox, image: &image, seccomp_profile: Some(&profile), disk: &disk };
        let body = convert::container_body(pod, container, &found, &History::default(), &node);
        serde_json::to_value(body.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    Ok(1 + pod.containers.len())
}

#[test]
fn every_pod_that_is_taken_becomes_requests() {
    let Some(root) = std::env::var_os("KUBELET_LITE_CORPUS").map(PathBuf::from) else {
        println!("DID NOT RUN: KUBELET_LITE_CORPUS is not set, so no real manifest was put into the engine's terms");
        return;
    };
    let index = std::fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let (mut pods, mut bodies, mut wrong, mut refused) = (0, 0, Vec::new(), BTreeSet::new());
    let mut waits = Vec::new();
    for row in index.lines().skip(1).map(Row::parse).filter(|row| row.accept().0) {
        let parsed = judge(&root.join(&row.file));
        for (number, pod) in parsed.objects.iter().filter_map(pod_of).enumerate() {
            pods += 1;
            let fields = convert::unsupported(&pod, &SupportPolicy::default());
            let fields: Vec<_> = fields.into_iter().filter(|f| f.verdict == Verdict::Refused).map(|f| f.path).collect();
            if !fields.is_empty() {
                refused.extend(fields.into_iter().map(|field| (row.file.clone(), field)));
                continue;
            }
            let source = ManifestSource { path: row.file.clone().into(), document: number };
            let resolved = Pod::from_manifest(pod, source, &Node { name: "n1".into() });
            match resolved.map_err(|e| e.to_string()).and_then(|pod| requests(&pod)) {
                Ok(count) => bodies += count,
                // What it refers to is not in the file: it is waited for.
                Err(error) if error.ends_with(" not found") => waits.push(format!("{} ({number}): {error}", row.file)),
                Err(error) => wrong.push(format!("{} ({number}): {error}", row.file)),
            }
        }
    }
    println!("{pods} pods, {bodies} bodies; {} refused for a field; wait for an object: {waits:#?}", refused.len());
    let known: BTreeSet<_> =
        REFUSED_HERE.iter().map(|(file, field, _)| (file.to_string(), field.to_string())).collect();
    let news: Vec<_> = refused.difference(&known).collect();
    let over: Vec<_> = known.difference(&refused).collect();
    assert!(
        news.is_empty() && over.is_empty(),
        "refused for a field, and not listed: {news:#?}\nlisted, and not refused: {over:#?}"
    );
    assert!(wrong.is_empty(), "can not be put into the engine's terms:\n{}", wrong.join("\n"));
    assert!(bodies > 100, "the corpus is not where it should be");
}

fn judge(path: &Path) -> Parsed {
    let options = ParseOptions { report_unsupported: false, ..ParseOptions::default() };
    parse_file(Path::new(path.file_name().unwrap()), &std::fs::read(path).unwrap(), &options)
}
