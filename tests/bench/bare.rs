//! The engine alone: the same creates, starts, stops and removes, by the same client.

use crate::{
    manifest,
    support::{PrivateDockerd, images},
};
use futures_util::{StreamExt, stream};
use kubelet_lite::{
    convert::{self, ContainerFacts, FileVolumes, MANAGED_BY, NodeFacts, SandboxFacts},
    engine::{Engine, ImageDetails, docker::DockerEngine},
    manifest::{
        Object,
        parse::{ParseOptions, parse_file},
    },
    pod::{Attempt, ContainerId, ManifestSource, Node, Pod},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

pub struct Bare {
    engine: DockerEngine,
    facts: NodeFacts,
    root: PathBuf,
}

impl Bare {
    pub fn new(dockerd: &PrivateDockerd, pause_image: &str) -> Self {
        let root = dockerd.scratch().join("bare");
        let facts = NodeFacts::new(root.clone(), Node { name: "bare".into() }, pause_image.to_owned());
        let engine = dockerd.engine(facts.instance.as_str());
        Self { engine, facts, root }
    }

    /// Makes and starts so many pods, so many at once; the time until all run.
    pub async fn run(&self, pods: usize, concurrency: usize) -> Duration {
        let image = self.engine.image_inspect(images::SERVER).await.unwrap();
        let pods: Vec<Pod> = (0..pods).map(|n| pod(&format!("bare{n}"))).collect();
        let volumes = kubelet_lite::volume::VolumeManager::new(&self.root);
        for pod in &pods {
            volumes.prepare(pod, &FileVolumes::default(), jiff::Timestamp::UNIX_EPOCH, &self.facts).unwrap();
        }
        let began = Instant::now();
        stream::iter(&pods).for_each_concurrent(concurrency, |pod| self.start(pod, &image)).await;
        began.elapsed()
    }

    async fn start(&self, pod: &Pod, image: &ImageDetails) {
        let first = Attempt::default();
        let body =
            convert::sandbox_body(pod, first, jiff::Timestamp::UNIX_EPOCH, &Default::default(), &self.facts).unwrap();
        let id = self.engine.create(&convert::sandbox_name(&pod.key, &pod.uid, first), body).await.unwrap();
        self.engine.start(&id).await.unwrap();
        let ips = self.engine.inspect(&id).await.unwrap().ips;
        let id = ContainerId::new(id);
        let sandbox = SandboxFacts { id: &id, ips: &ips };
        for container in &pod.containers {
            let volumes = kubelet_lite::volume::VolumeManager::new(&self.root);
            volumes.prepare_container(pod, container, &sandbox, first, &Default::default(), &self.facts).unwrap();
            let found = ContainerFacts { sandbox, image, seccomp_profile: None, disk: &Default::default() };
            let body = convert::container_body(pod, container, &found, &Default::default(), &self.facts).unwrap();
            let id = self
                .engine
                .create(&convert::container_name(&pod.key, &pod.uid, &container.name, first), body)
                .await
                .unwrap();
            self.engine.start(&id).await.unwrap();
        }
    }

    /// Stops and removes all, so many pods at once; the time until nothing is left.
    pub async fn remove_all(&self, concurrency: usize) -> Duration {
        let rows = self.engine.list(MANAGED_BY, self.facts.instance.as_str()).await.unwrap();
        let (sandboxes, apps): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|r| r.labels["io.kubernetes.container.name"] == "POD");
        let began = Instant::now();
        stream::iter(&apps)
            .for_each_concurrent(concurrency, |app| {
                let sandbox = sandboxes.iter().find(|s| s.id == app.labels["io.kubernetes.sandbox.id"]).unwrap();
                async {
                    self.engine.stop(&app.id, Duration::from_secs(30)).await.unwrap();
                    self.engine.remove(&app.id).await.unwrap();
                    self.engine.remove(&sandbox.id).await.unwrap();
                }
            })
            .await;
        began.elapsed()
    }
}

fn pod(name: &str) -> Pod {
    let path = Path::new("bench.yaml");
    let parsed = parse_file(path, manifest(name).as_bytes(), &ParseOptions::default());
    assert!(!parsed.is_refused(), "{:?}", parsed.diagnostics);
    let written = parsed.objects.into_iter().find_map(|object| match object {
        Object::Pod { pod, .. } => Some(pod),
        #[allow(unreachable_patterns, reason = "other kinds are no pods")]
        _ => None,
    });
    let source = ManifestSource { path: path.to_owned(), document: 0 };
    Pod::from_manifest(written.unwrap(), source, &Node { name: "bare".into() }).unwrap()
}
