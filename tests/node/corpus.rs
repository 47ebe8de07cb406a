//! Manifests written by others, and examples of our own, started for real with stand-in images.
//!
//! The others' are not part of this repository: `KUBELET_LITE_CORPUS` names their directory. What of a
//! manifest is changed, so that it can run here: its images are stand-ins that sleep (init containers
//! end), so probes and hooks go; names are made unique; host paths lie below the test's directory and
//! host ports on the loopback; rules that choose a node go; what the manifest refers to is made up.

mod left_out;

use self::left_out::{LEFT_OUT, Left, OWN_LEFT_OUT, Why, has_sys_resource};
use crate::{node::Node, support::say};
use k8s_openapi::{ByteString, api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kubelet_lite::{
    engine::{
        Engine,
        archive::{LayerEntry, image_archive},
    },
    manifest::{
        Object, Workload,
        parse::{ParseOptions, parse_file},
    },
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

/// How many pods start at a time.
const BATCH: usize = 8;
/// What one batch may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Tells a stand-in that it should end.
const ENDS: &str = "STAND_IN_ENDS";

/// Each host port is one that no other pod has. The tests begin at different ones, since each may be a process of its
/// own, and below those that the kernel gives to connections.
static PORTS: AtomicI32 = AtomicI32::new(0);

/// A pod that can be started.
struct Play {
    file: String,
    name: String,
    manifest: String,
    /// Containers that should run.
    running: Vec<String>,
    /// Images and the programs that their stand-ins need.
    programs: BTreeMap<String, BTreeSet<String>>,
    /// Seccomp profiles of the node.
    profiles: Vec<String>,
}

/// Why a pod can not be started here; what is this machine's comes last.
fn impossible(spec: &api::PodSpec, annotations: Option<&Value>) -> Option<Why> {
    let is_digest = |c: &api::Container| c.image.as_deref().unwrap_or_default().contains('@');
    let propagates = |m: &api::VolumeMount| m.mount_propagation.as_deref().is_some_and(|word| word != "None");
    let is_device = |v: &api::Volume| {
        let type_ = v.host_path.as_ref().and_then(|h| h.type_.as_deref());
        matches!(type_, Some("CharDevice" | "BlockDevice"))
    };
    let wants = |c: &api::Container| {
        let Some(context) = &c.security_context else { return false };
        let mut adds = context.capabilities.as_ref().and_then(|c| c.add.as_ref()).into_iter().flatten();
        context.privileged == Some(true)
            || adds.any(|name| matches!(name.trim_start_matches("CAP_"), "ALL" | "SYS_RESOURCE"))
    };
    if containers(spec).any(is_digest) {
        Some(Why::Digest)
    } else if spec.volumes.iter().flatten().any(is_device) {
        Some(Why::Device)
    } else if containers(spec).any(|c| c.volume_mounts.iter().flatten().any(propagates)) {
        Some(Why::SharedMounts)
    } else if wants_app_armor(spec, annotations) {
        Some(Why::AppArmor)
    } else {
        (containers(spec).any(wants) && !has_sys_resource()).then_some(Why::SysResource)
    }
}

fn wants_app_armor(spec: &api::PodSpec, annotations: Option<&Value>) -> bool {
    let of_pod = spec.security_context.iter().filter_map(|context| context.app_armor_profile.as_ref());
    let of_containers = containers(spec).filter_map(|c| c.security_context.as_ref()?.app_armor_profile.as_ref());
    let annotated = annotations.and_then(Value::as_object).into_iter().flatten().any(|(key, value)| {
        let is_local = value.as_str().is_some_and(|profile| profile.starts_with("localhost/"));
        key.starts_with("container.apparmor.security.beta.kubernetes.io/") && is_local
    });
    annotated || of_pod.chain(of_containers).any(|profile| profile.type_ == "Localhost")
}

fn profiles(spec: &api::PodSpec) -> Vec<String> {
    let of_pod = spec.security_context.iter().filter_map(|context| context.seccomp_profile.as_ref());
    let of_containers = containers(spec).filter_map(|c| c.security_context.as_ref()?.seccomp_profile.as_ref());
    of_pod.chain(of_containers).filter_map(|profile| profile.localhost_profile.clone()).collect()
}

fn containers(spec: &api::PodSpec) -> impl Iterator<Item = &api::Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

/// Changes a pod as described above; what it refers to is put into `objects`.
fn adapt(spec: &mut api::PodSpec, host: &Path, objects: &mut Objects) -> BTreeMap<String, BTreeSet<String>> {
    let mut programs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    spec.termination_grace_period_seconds = Some(1);
    (spec.node_selector, spec.affinity, spec.image_pull_secrets) = (None, None, None);
    (spec.runtime_class_name, spec.priority_class_name) = (None, None);
    spec.tolerations = Some(vec![api::Toleration { operator: Some("Exists".into()), ..Default::default() }]);
    let host_network = spec.host_network == Some(true);
    let stand_in = |container: &mut api::Container, ends: bool, programs: &mut BTreeMap<String, BTreeSet<String>>| {
        (container.liveness_probe, container.readiness_probe, container.startup_probe) = (None, None, None);
        container.lifecycle = None;
        container.image_pull_policy = Some("IfNotPresent".into());
        if host_network {
            container.ports = None;
        }
        for port in container.ports.iter_mut().flatten().filter(|port| port.host_port.is_some()) {
            port.host_ip = Some("127.0.0.1".into());
            port.host_port = Some(PORTS.fetch_add(1, Ordering::Relaxed));
        }
        if ends {
            let end = api::EnvVar { name: ENDS.into(), value: Some("1".into()), value_from: None };
            container.env.get_or_insert_default().push(end);
        }
        let needed = programs.entry(container.image.clone().unwrap_or_default()).or_default();
        needed.extend(container.command.iter().flatten().take(1).cloned());
    };
    for container in spec.init_containers.iter_mut().flatten() {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        stand_in(container, !sidecar, &mut programs);
    }
    for container in &mut spec.containers {
        stand_in(container, false, &mut programs);
    }
    for volume in spec.volumes.iter_mut().flatten() {
        if let Some(source) = &mut volume.image {
            source.pull_policy = Some("IfNotPresent".into());
            programs.entry(source.reference.clone().unwrap_or_default()).or_default();
        }
        if let Some(path) = &mut volume.host_path {
            let inside = host.join(path.path.trim_start_matches('/'));
            make_host_path(&inside, path.type_.as_deref().unwrap_or_default());
            path.path = inside.display().to_string();
        }
    }
    objects.of(spec);
    programs
}

fn make_host_path(path: &Path, type_: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match type_ {
        "File" | "FileOrCreate" => drop(fs::File::options().append(true).create(true).open(path).unwrap()),
        "Socket" => {
            let _ = fs::remove_file(path);
            // A socket's name has 107 bytes at most, which this has not.
            let short = tempfile::tempdir().unwrap();
            drop(UnixListener::bind(short.path().join("s")).unwrap());
            fs::rename(short.path().join("s"), path).unwrap();
        }
        _ if !path.exists() => fs::create_dir_all(path).unwrap(),
        _ => {}
    }
}

/// Objects that pods refer to, made up: kind, name and keys.
#[derive(Default)]
struct Objects(BTreeMap<(&'static str, String), BTreeSet<String>>);

impl Objects {
    fn need(&mut self, kind: &'static str, name: &str, keys: impl IntoIterator<Item = String>) {
        self.0.entry((kind, name.to_owned())).or_default().extend(keys);
    }

    fn of(&mut self, spec: &api::PodSpec) {
        let keys = |items: &Option<Vec<api::KeyToPath>>| -> Vec<String> {
            items.iter().flatten().map(|item| item.key.clone()).collect()
        };
        for container in containers(spec) {
            for from in container.env.iter().flatten().filter_map(|entry| entry.value_from.as_ref()) {
                if let Some(key) = &from.config_map_key_ref {
                    self.need("ConfigMap", &key.name, [key.key.clone()]);
                }
                if let Some(key) = &from.secret_key_ref {
                    self.need("Secret", &key.name, [key.key.clone()]);
                }
            }
            for from in container.env_from.iter().flatten() {
                if let Some(map) = &from.config_map_ref {
                    self.need("ConfigMap", &map.name, []);
                }
                if let Some(secret) = &from.secret_ref {
                    self.need("Secret", &secret.name, []);
                }
            }
        }
        for volume in spec.volumes.iter().flatten() {
            let parts = |name: &str| -> Vec<String> {
                let mounts = containers(spec).flat_map(|c| c.volume_mounts.iter().flatten());
                let parts = mounts.filter(|m| m.name == name).filter_map(|m| m.sub_path.clone());
                parts.filter(|part| !part.contains('/')).collect()
            };
            if let Some(map) = &volume.config_map {
                let items = keys(&map.items);
                let needed = if items.is_empty() { parts(&volume.name) } else { items };
                self.need("ConfigMap", &map.name, needed);
            }
            if let Some(secret) = &volume.secret {
                let items = keys(&secret.items);
                let needed = if items.is_empty() { parts(&volume.name) } else { items };
                self.need("Secret", secret.secret_name.as_deref().unwrap_or_default(), needed);
            }
            if let Some(claim) = &volume.persistent_volume_claim {
                self.need("PersistentVolumeClaim", &claim.claim_name, []);
            }
            for source in volume.projected.iter().flat_map(|p| p.sources.iter().flatten()) {
                if let Some(map) = &source.config_map {
                    self.need("ConfigMap", &map.name, keys(&map.items));
                }
                if let Some(secret) = &source.secret {
                    self.need("Secret", &secret.name, keys(&secret.items));
                }
            }
        }
    }

    fn documents(&self, namespace: &str) -> Vec<Value> {
        let document = |((kind, name), keys): (&(&'static str, String), &BTreeSet<String>)| {
            let metadata =
                ObjectMeta { name: Some(name.clone()), namespace: Some(namespace.to_owned()), ..Default::default() };
            match *kind {
                "ConfigMap" => json!(api::ConfigMap {
                    metadata,
                    data: Some(keys.iter().map(|key| (key.clone(), "made up".to_owned())).collect()),
                    ..Default::default()
                }),
                "Secret" => json!(api::Secret {
                    metadata,
                    data: Some(keys.iter().map(|key| (key.clone(), ByteString(b"made up".to_vec()))).collect()),
                    ..Default::default()
                }),
                _ => json!({
                    "apiVersion": "v1", "kind": kind, "metadata": metadata,
                    "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Mi" } } },
                }),
            }
        };
        self.0.iter().map(document).collect()
    }
}

/// What can be started of a file, and what can not and why.
fn plays(path: &Path, number: usize, host: &Path) -> (Vec<Play>, Left) {
    let file = path.file_name().unwrap().to_string_lossy().into_owned();
    let parsed = parse_file(Path::new(&file), &fs::read(path).unwrap(), &ParseOptions::default());
    if parsed.is_refused() {
        let code = parsed.diagnostics.iter().find(|d| d.is_error()).map_or("", |d| d.code);
        return (Vec::new(), [(file, Why::Refused(code))].into());
    }
    let (mut plays, mut left) = (Vec::new(), Left::new());
    for (index, object) in parsed.objects.iter().enumerate() {
        let name = format!("p{number}-{index}");
        // A namespace of its own for each, so that what it refers to is its own, too.
        let namespace = name.clone();
        let named = |metadata: &mut ObjectMeta| {
            (metadata.name, metadata.namespace, metadata.uid) = (Some(name.clone()), Some(namespace.clone()), None);
        };
        let mut written = match object {
            Object::Pod { pod, .. } => {
                let mut pod = (**pod).clone();
                named(&mut pod.metadata);
                json!(pod)
            }
            Object::Workload { workload: Workload::DaemonSet(set), .. } => {
                let mut set = set.clone();
                named(&mut set.metadata);
                json!(set)
            }
            Object::Workload { workload: Workload::Deployment(set), .. } => {
                let mut set = set.clone();
                named(&mut set.metadata);
                json!(set)
            }
            Object::Workload { .. } | Object::Config { .. } => continue,
        };
        let of_pod = if matches!(object, Object::Pod { .. }) { "" } else { "/spec/template" };
        let annotations = written.pointer(&format!("{of_pod}/metadata/annotations")).cloned();
        let at = &format!("{of_pod}/spec");
        let Some(spec) = written.pointer_mut(at) else { continue };
        let mut typed: api::PodSpec = serde_json::from_value(spec.clone()).unwrap();
        if let Some(why) = impossible(&typed, annotations.as_ref()) {
            left.insert((file.clone(), why));
            continue;
        }
        let mut objects = Objects::default();
        let programs = adapt(&mut typed, host, &mut objects);
        let running = typed.containers.iter().map(|c| c.name.clone()).collect();
        *spec = json!(typed);
        let mut documents = objects.documents(&namespace);
        documents.push(written);
        let manifest = json!({ "apiVersion": "v1", "kind": "List", "items": documents }).to_string();
        let profiles = profiles(&typed);
        plays.push(Play { file: file.clone(), name, manifest, running, programs, profiles });
    }
    (plays, left)
}

/// Loads a stand-in for each image: one program under all the names that are asked for.
async fn load_images(node: &Node, plays: &[Play]) {
    let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (image, programs) in plays.iter().flat_map(|play| &play.programs) {
        images.entry(image).or_default().extend(programs.iter().map(String::as_str));
    }
    let busybox = fs::read("/bin/busybox").expect("/bin/busybox: install the package busybox-static");
    let script = format!(
        "#!/stand-in/busybox sh\n[ -z \"${ENDS}\" ] || exit 0\ntrap 'exit 0' TERM\nwhile :; do /stand-in/busybox sleep 1000 & wait; done\n"
    );
    for (image, programs) in images {
        let paths: BTreeSet<String> = programs
            .into_iter()
            .filter(|program| !program.is_empty() && !program.starts_with("$("))
            .map(|p| if p.contains('/') { p.trim_start_matches(['.', '/']).to_owned() } else { format!("bin/{p}") })
            .collect();
        let mut layer = vec![
            LayerEntry::Directory("tmp", 0o1777),
            LayerEntry::Directory("bin", 0o755),
            LayerEntry::File("stand-in/busybox", 0o755, &busybox),
            LayerEntry::File("stand-in/program", 0o755, script.as_bytes()),
            LayerEntry::File("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\n"),
        ];
        layer.extend(paths.iter().map(|path| LayerEntry::File(path, 0o755, script.as_bytes())));
        let run = json!({ "Entrypoint": ["/stand-in/program"], "Env": ["PATH=/bin"], "User": "1000" });
        let last = image.rsplit('/').next().unwrap_or_default();
        let tagged = if last.contains(':') { image.to_owned() } else { format!("{image}:latest") };
        node.engine.image_load(image_archive(&tagged, &run, &layer).bytes).await.expect("load a stand-in");
    }
}

/// Starts all files' pods but those `left` out, some at a time, and takes them away again; what did not start.
async fn play(files: Vec<PathBuf>, left: &[(&str, Why)]) -> (usize, Vec<String>) {
    let Some(node) = Node::new().await else { return (0, Vec::new()) };
    let host = node.path("host");
    let (mut all, mut seen) = (Vec::new(), Left::new());
    for (number, file) in files.iter().enumerate() {
        let (plays, impossible) = plays(file, number, &host);
        all.extend(plays);
        seen.extend(impossible);
    }
    let mut left: Left = left.iter().map(|(file, why)| ((*file).to_owned(), *why)).collect();
    left.retain(|(_, why)| *why != Why::SysResource || !has_sys_resource());
    let news: Vec<_> = seen.difference(&left).collect();
    let over: Vec<_> = left.difference(&seen).collect();
    assert!(news.is_empty() && over.is_empty(), "left out, and not listed: {news:#?}\nlisted, and played: {over:#?}");
    say(&format!("{} pods to start, {} files with others that can not be played here", all.len(), left.len()));
    for profile in all.iter().flat_map(|play| &play.profiles) {
        let path = node.path("root/seccomp").join(profile);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).unwrap();
    }
    node.start();
    let mut failed = Vec::new();
    for batch in all.chunks(BATCH) {
        load_images(&node, batch).await;
        for play in batch {
            node.declare(&format!("{}.json", play.name), &play.manifest);
        }
        let until = tokio::time::Instant::now() + PATIENCE;
        for play in batch {
            let runs = async {
                for container in &play.running {
                    while node.find(&play.name, container).await.is_none() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            };
            if tokio::time::timeout_at(until, runs).await.is_err() {
                let log = node.log();
                let lines: Vec<_> = log.lines().filter(|l| l.contains(&format!("{}-n1", play.name))).collect();
                let last = lines.iter().rev().take(4).rev().copied().collect::<Vec<_>>().join("\n    ");
                failed.push(format!("{} ({}):\n    {last}", play.file, play.name));
            }
        }
        for play in batch {
            node.withdraw(&format!("{}.json", play.name));
        }
        node.nothing_left().await;
    }
    (all.len(), failed)
}

fn manifests(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn judge((started, failed): (usize, Vec<String>), least: usize) {
    say(&format!("{} pods started", started - failed.len()));
    assert!(failed.is_empty(), "did not start:\n{}", failed.join("\n"));
    assert!(started >= least, "only {started} pods were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_examples_start() {
    if std::env::var("KUBELET_LITE_TEST_ENGINE").is_ok_and(|v| v == "skip") {
        return;
    }
    PORTS.fetch_max(30_000, Ordering::Relaxed);
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/good");
    judge(play(manifests(&good), OWN_LEFT_OUT).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_others_start() {
    let Some(root) = std::env::var_os("KUBELET_LITE_CORPUS").map(PathBuf::from) else {
        say("DID NOT RUN: KUBELET_LITE_CORPUS is not set, so no real manifest was started");
        return;
    };
    PORTS.fetch_max(31_000, Ordering::Relaxed);
    let index = fs::read_to_string(root.join("INDEX.tsv")).unwrap();
    let rows = index.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let wanted = rows.filter(|row| {
        let accepted = if row[0].starts_with("daemonsets/") { row[9] } else { row[5] };
        (row[0].starts_with("pods/") || row[0].starts_with("daemonsets/")) && accepted.starts_with("accept")
    });
    judge(play(wanted.map(|row| root.join(row[0])).collect(), LEFT_OUT).await, 80);
}
