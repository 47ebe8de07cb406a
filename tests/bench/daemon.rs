//! The daemon under measurement: its manifests, its notifications, its resources.

// Each benchmark uses another part of this.
#![allow(dead_code)]

use crate::{
    manifest,
    support::{PATIENCE, PrivateDockerd, eventually},
};
use futures_util::{StreamExt, stream::BoxStream};
use kubelet_lite::{
    convert::{InstanceId, MANAGED_BY},
    engine::{Engine, EngineAction, EngineError, EngineEvent, docker::DockerEngine, pause},
};
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::{net::UnixDatagram, time::Instant};

pub struct Daemon {
    home: PathBuf,
    endpoint: String,
    instance: InstanceId,
    engine: DockerEngine,
    child: Option<Child>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Daemon {
    pub fn new(dockerd: &PrivateDockerd) -> Self {
        let home = dockerd.scratch();
        fs::create_dir_all(home.join("manifests")).unwrap();
        let instance = InstanceId::from_root_dir(&home.join("root"));
        let engine = dockerd.engine(instance.as_str());
        Self { home, endpoint: dockerd.endpoint(), instance, engine, child: None }
    }

    /// A client of the engine it works on.
    pub fn engine(&self) -> &DockerEngine {
        &self.engine
    }

    /// The value of its containers' label `managed-by`.
    pub fn instance(&self) -> &str {
        self.instance.as_str()
    }

    /// The sandbox image, for the bare engine too.
    pub async fn pause_image(&self) -> String {
        pause::ensure(&self.engine).await.unwrap()
    }

    fn spawn(&mut self, notify: Option<&PathBuf>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubelet-lite"));
        command
            .arg(format!("--pod-manifest-path={}", self.home.join("manifests").display()))
            .arg(format!("--root-dir={}", self.home.join("root").display()))
            .arg(format!("--docker-endpoint={}", self.endpoint))
            .arg("--hostname-override=bench")
            .arg("--max-pods=200")
            .stderr(fs::File::options().create(true).append(true).open(self.home.join("log")).unwrap())
            .stdin(Stdio::null());
        if let Some(path) = notify {
            command.env("NOTIFY_SOCKET", path);
        }
        self.child = Some(command.spawn().unwrap());
    }

    pub async fn start(&mut self) {
        self.start_until("pods ready").await;
    }

    /// Starts it over running pods; the time until it knows that all run.
    pub async fn start_until_ready(&mut self, pods: usize) -> Duration {
        self.start_until(&format!("{pods}/{pods} pods ready")).await
    }

    async fn start_until(&mut self, status: &str) -> Duration {
        let path = self.home.join("notify");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        let began = Instant::now();
        self.spawn(Some(&path));
        let mut buffer = [0; 4096];
        loop {
            let received = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("a status").unwrap();
            let text = String::from_utf8_lossy(&buffer[..received]).into_owned();
            if text.contains(status) && !text.contains("Docker Engine") {
                let took = began.elapsed();
                // Somebody has to read on, or the daemon's words would fill the socket.
                tokio::spawn(async move { while socket.recv(&mut buffer).await.is_ok() {} });
                return took;
            }
        }
    }

    pub async fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    async fn events(&self) -> BoxStream<'static, Result<EngineEvent, EngineError>> {
        self.engine.events().await.unwrap()
    }

    /// Renames so many manifests into place; the time until all containers run.
    pub async fn declare(&self, name: &str, pods: usize) -> Duration {
        let mut events = self.events().await;
        let manifests = self.home.join("manifests");
        for n in 0..pods {
            fs::write(manifests.join(format!(".{name}{n}.yaml")), manifest(&format!("{name}{n}"))).unwrap();
        }
        let began = Instant::now();
        for n in 0..pods {
            let file = format!("{name}{n}.yaml");
            fs::rename(manifests.join(format!(".{file}")), manifests.join(file)).unwrap();
        }
        let mut left = pods;
        while left > 0 {
            let event = tokio::time::timeout(PATIENCE * 2, events.next()).await.expect("an event").unwrap().unwrap();
            let is_app = event.labels.get("io.kubernetes.container.name").is_some_and(|name| name == "server");
            left -= usize::from(event.action == EngineAction::Start && is_app);
        }
        began.elapsed()
    }

    /// Removes all manifests; the time until nothing is left.
    pub async fn withdraw_all(&self) -> Duration {
        let mut events = self.events().await;
        let mut left = self.engine.list(MANAGED_BY, self.instance.as_str()).await.unwrap().len();
        let began = Instant::now();
        for entry in fs::read_dir(self.home.join("manifests")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        while left > 0 {
            let event = tokio::time::timeout(PATIENCE * 2, events.next()).await.expect("an event").unwrap().unwrap();
            left -= usize::from(event.action == EngineAction::Destroy);
        }
        let took = began.elapsed();
        eventually("all directories are gone", || async {
            (fs::read_dir(self.home.join("root/pods")).map_or(0, Iterator::count) == 0).then_some(())
        })
        .await;
        took
    }

    /// Resident memory in MiB and CPU seconds a minute, of a daemon that has nothing to do.
    pub async fn idle(&self, during: Duration) -> (f64, f64) {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = self.cpu();
        tokio::time::sleep(during).await;
        let cpu = (self.cpu() - before) * 60.0 / during.as_secs_f64();
        (self.resident(), cpu)
    }

    fn proc(&self, file: &str) -> String {
        let id = self.child.as_ref().expect("the daemon runs").id();
        fs::read_to_string(format!("/proc/{id}/{file}")).unwrap()
    }

    fn resident(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// CPU seconds used so far; the kernel counts hundredths.
    fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}
