//! Pods as data, the manifest directory, and the daemon's look at it.

use crate::answers::Asked;
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kubelet_lite::{
    manifest::{DirectoryState, ManifestFile, Object, Snapshot},
    pod::{ContainerKind, ManifestSource, Node, Pod, PodKey, ProbeKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

/// What a test says of a pod. Everything else has the API's default.
#[derive(Clone, Debug, PartialEq)]
pub struct PodDef {
    pub name: &'static str,
    /// Given, so that an edit of what the sandbox depends on is no new pod.
    pub uid: Option<&'static str>,
    pub grace: i64,
    pub restart_policy: &'static str,
    /// A field of the sandbox.
    pub hostname: Option<&'static str>,
    /// Value of a label: an edit of it restarts nothing.
    pub label: u32,
    pub volume: bool,
    pub host_port: Option<i32>,
    pub priority: Option<i32>,
    /// Init containers and sidecars in their order, then the apps.
    pub containers: Vec<ContainerDef>,
}

/// What a test says of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerDef {
    pub name: &'static str,
    pub kind: ContainerKind,
    pub image: &'static str,
    /// An image whose files it mounts.
    pub files: Option<&'static str>,
    /// Value of an environment variable: an edit of it restarts the container.
    pub env: u32,
    /// Period of a readiness probe: an edit of it restarts nothing.
    pub probe: Option<i32>,
    /// What else it is asked. Init containers are asked nothing.
    pub asks: Asks,
}

/// What a container is asked but for its readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    pub startup: bool,
    pub liveness: bool,
    /// `initialDelaySeconds`, `periodSeconds` and `failureThreshold` of both.
    pub delay: i32,
    pub period: Option<i32>,
    pub threshold: Option<i32>,
    /// `terminationGracePeriodSeconds` of both.
    pub grace: Option<i64>,
    pub post_start: bool,
    pub pre_stop: bool,
}

impl PodDef {
    pub fn new(name: &'static str, containers: &[ContainerDef]) -> Self {
        Self {
            name,
            uid: None,
            grace: 10,
            restart_policy: "Always",
            hostname: None,
            label: 0,
            volume: true,
            host_port: None,
            priority: None,
            containers: containers.to_vec(),
        }
    }

    /// The same with one thing changed.
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// For the reader of a failure.
    pub fn text(&self) -> String {
        let container = |c: &ContainerDef| {
            let probe = c.probe.map(|period| format!(" probe {period}")).unwrap_or_default();
            let asks = Some(c.asks).filter(|asks| *asks != Asks::default());
            let asks = asks.map(|asks| format!(" {asks:?}")).unwrap_or_default();
            let files = c.files.map(|image| format!(" files {image}")).unwrap_or_default();
            format!("{} {:?} {}{files} env {}{probe}{asks}", c.name, c.kind, c.image, c.env)
        };
        let containers: Vec<String> = self.containers.iter().map(container).collect();
        let Self { name, uid, grace, restart_policy, hostname, label, volume, host_port, priority, .. } = self;
        format!(
            "{name} (uid {uid:?}, grace {grace}, {restart_policy}, hostname {hostname:?}, label {label}, volume {volume}, \
             port {host_port:?}, priority {priority:?}): {}",
            containers.join(", ")
        )
    }

    pub fn manifest(&self) -> api::Pod {
        let of = |app: bool| {
            let wanted = self.containers.iter().filter(move |c| (c.kind == ContainerKind::App) == app);
            wanted.map(|c| self.container(c)).collect::<Vec<_>>()
        };
        let volume = api::Volume { name: "data".into(), empty_dir: Some(Default::default()), ..Default::default() };
        let images = self.containers.iter().filter_map(|c| c.files).collect::<BTreeSet<_>>().into_iter();
        let spec = api::PodSpec {
            init_containers: Some(of(false)).filter(|list| !list.is_empty()),
            containers: of(true),
            hostname: self.hostname.map(str::to_owned),
            priority: self.priority,
            restart_policy: Some(self.restart_policy.into()),
            termination_grace_period_seconds: Some(self.grace),
            volumes: Some(self.volume.then_some(volume).into_iter().chain(images.map(files_of)).collect()),
            ..Default::default()
        };
        let metadata = ObjectMeta {
            name: Some(self.name.into()),
            uid: self.uid.map(str::to_owned),
            labels: Some(BTreeMap::from([("edit".to_owned(), self.label.to_string())])),
            ..Default::default()
        };
        api::Pod { metadata, spec: Some(spec), ..Default::default() }
    }

    fn container(&self, c: &ContainerDef) -> api::Container {
        let mount = api::VolumeMount { name: "data".into(), mount_path: "/data".into(), ..Default::default() };
        let port = |port| api::ContainerPort { container_port: 80, host_port: Some(port), ..Default::default() };
        let exec = |asked: Asked| Some(api::ExecAction { command: Some(asked.command()) });
        let readiness = |period| api::Probe {
            exec: exec(Asked::Probe(ProbeKind::Readiness)),
            period_seconds: Some(period),
            ..Default::default()
        };
        let is_asked = c.kind != ContainerKind::Init;
        let probe = |kind, is_asked: bool| {
            is_asked.then(|| api::Probe {
                exec: exec(Asked::Probe(kind)),
                initial_delay_seconds: Some(c.asks.delay),
                period_seconds: c.asks.period,
                failure_threshold: c.asks.threshold,
                termination_grace_period_seconds: c.asks.grace,
                ..Default::default()
            })
        };
        let hook =
            |asked, is_asked: bool| is_asked.then(|| api::LifecycleHandler { exec: exec(asked), ..Default::default() });
        let lifecycle = api::Lifecycle {
            post_start: hook(Asked::PostStart, c.asks.post_start),
            pre_stop: hook(Asked::PreStop, c.asks.pre_stop),
            ..Default::default()
        };
        let first_app = self.containers.iter().find(|c| c.kind == ContainerKind::App).map(|c| c.name);
        api::Container {
            name: c.name.into(),
            image: Some(c.image.into()),
            image_pull_policy: Some("IfNotPresent".into()),
            env: Some(vec![api::EnvVar { name: "EDIT".into(), value: Some(c.env.to_string()), ..Default::default() }]),
            volume_mounts: Some(self.volume.then_some(mount).into_iter().chain(c.files.map(files_at)).collect()),
            ports: self.host_port.filter(|_| first_app == Some(c.name)).map(|p| vec![port(p)]),
            restart_policy: (c.kind == ContainerKind::Sidecar).then(|| "Always".into()),
            startup_probe: probe(ProbeKind::Startup, is_asked && c.asks.startup),
            liveness_probe: probe(ProbeKind::Liveness, is_asked && c.asks.liveness),
            readiness_probe: c.probe.filter(|_| is_asked).map(readiness),
            lifecycle: Some(lifecycle).filter(|l| is_asked && *l != api::Lifecycle::default()),
            ..Default::default()
        }
    }
}

/// A volume of the files of an image.
fn files_of(image: &str) -> api::Volume {
    let source = api::ImageVolumeSource { reference: Some(image.into()), pull_policy: Some("IfNotPresent".into()) };
    api::Volume { name: image.replace(':', "-"), image: Some(source), ..Default::default() }
}

fn files_at(image: &str) -> api::VolumeMount {
    api::VolumeMount { name: image.replace(':', "-"), mount_path: "/files".into(), ..Default::default() }
}

fn container(name: &'static str, kind: ContainerKind) -> ContainerDef {
    ContainerDef { name, kind, image: "app:1", files: None, env: 0, probe: None, asks: Asks::default() }
}

pub fn app(name: &'static str) -> ContainerDef {
    container(name, ContainerKind::App)
}

pub fn init(name: &'static str) -> ContainerDef {
    container(name, ContainerKind::Init)
}

pub fn sidecar(name: &'static str) -> ContainerDef {
    container(name, ContainerKind::Sidecar)
}

/// The node's name in every test.
pub fn node() -> Node {
    Node { name: "node1".into() }
}

pub fn path(file: &str) -> PathBuf {
    PathBuf::from(format!("/etc/kubernetes/manifests/{file}.yaml"))
}

type Objects = Arc<Vec<Object>>;

/// The manifest directory as it lies on the disk.
#[derive(Clone, Default)]
pub struct Directory {
    /// `None`: the file is there and can not be taken.
    files: BTreeMap<PathBuf, Option<Objects>>,
    away: bool,
}

impl Directory {
    pub fn put(&mut self, file: &str, pods: &[PodDef]) {
        let object = |(document, def): (usize, &PodDef)| Object::Pod { document, pod: Arc::new(def.manifest()) };
        self.files.insert(path(file), Some(Arc::new(pods.iter().enumerate().map(object).collect())));
    }

    pub fn delete(&mut self, file: &str) {
        self.files.remove(&path(file));
    }

    /// The file has a typo now.
    pub fn spoil(&mut self, file: &str) {
        self.files.insert(path(file), None);
    }

    pub fn clear(&mut self) {
        self.files.clear();
    }

    /// Not mounted, or mounted again.
    pub fn set_away(&mut self, away: bool) {
        self.away = away;
    }
}

/// What one daemon remembers of the directory; gone with the daemon.
#[derive(Default)]
pub struct Watcher {
    generation: u64,
    /// The last complete look.
    files: BTreeMap<PathBuf, ManifestFile>,
    seen: BTreeSet<PathBuf>,
}

impl Watcher {
    /// The next look.
    pub fn look(&mut self, directory: &Directory) -> Snapshot {
        self.generation += 1;
        if directory.away {
            return Snapshot {
                generation: self.generation,
                state: DirectoryState::Unavailable("not mounted".into()),
                files: self.files.clone(),
                ..Snapshot::default()
            };
        }
        let file = |(path, objects): (&PathBuf, &Option<Objects>)| {
            let before = self.files.get(path).and_then(|f| f.last_good.clone());
            let last_good = objects.clone().or(before);
            (path.clone(), ManifestFile { objects: objects.clone(), last_good, diagnostics: Vec::new() })
        };
        self.files = directory.files.iter().map(file).collect();
        self.seen.extend(self.files.keys().cloned());
        let unknown = self.files.values().any(|f| f.last_good.is_none());
        let gone = self.seen.iter().filter(|path| !self.files.contains_key(*path)).cloned().collect();
        Snapshot {
            generation: self.generation,
            state: DirectoryState::Read,
            files: self.files.clone(),
            gone: unknown.then_some(gone),
            ..Snapshot::default()
        }
    }
}

/// What the operator has told the daemons so far: for each file its last good content that one of them
/// could read.
#[derive(Default)]
pub struct Told {
    files: BTreeMap<PathBuf, Objects>,
    wished: Wished,
}

/// The pods that should run.
pub type Wished = Arc<BTreeMap<PodKey, Arc<Pod>>>;

impl Told {
    /// Takes in what a daemon can read now.
    pub fn hear(&mut self, directory: &Directory) {
        if directory.away {
            return;
        }
        self.files.retain(|path, _| directory.files.contains_key(path));
        for (path, objects) in &directory.files {
            if let Some(objects) = objects {
                self.files.insert(path.clone(), objects.clone());
            }
        }
        let objects = self.files.iter().flat_map(|(path, objects)| objects.iter().map(move |object| (path, object)));
        let pods = objects.filter_map(|(path, object)| {
            let (document, written) = object.as_pod()?;
            let source = ManifestSource { path: path.clone(), document };
            Some(Arc::new(Pod::from_manifest(written.clone(), source, &node()).expect("a good pod")))
        });
        let wished = pods.map(|pod| (pod.key.clone(), pod)).collect();
        if wished != *self.wished {
            self.wished = Arc::new(wished);
        }
    }

    pub fn wished(&self) -> Wished {
        self.wished.clone()
    }
}
