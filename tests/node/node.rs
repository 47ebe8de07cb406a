//! A node for one story: a private engine, a manifest directory, and the real daemon on both.

use crate::support::{DockerdOptions, PrivateDockerd, eventually};
use kubelet_lite::{
    convert::{InstanceId, MANAGED_BY},
    engine::{ContainerSummary, Engine, EngineState, docker::DockerEngine},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Name of every test node: pods are called `<name>-n1`.
pub const NODE: &str = "n1";

/// One node.
pub struct Node {
    pub dockerd: PrivateDockerd,
    pub engine: DockerEngine,
    home: PathBuf,
    name: &'static str,
    flags: Vec<String>,
    /// The daemon is to run without any network at first.
    is_offline: bool,
    daemon: Mutex<Option<Child>>,
    /// Where in the log the present daemon begins.
    said_before: AtomicUsize,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut *self.daemon.lock().unwrap() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            crate::support::say(&format!("--- the daemon's log:\n{}", self.log()));
        }
    }
}

impl Node {
    /// A node with an engine and images; the daemon is not started yet. `None` where engine tests are
    /// told not to run.
    pub async fn new() -> Option<Self> {
        Self::with(DockerdOptions::default()).await
    }

    pub async fn with(options: DockerdOptions) -> Option<Self> {
        let dockerd = PrivateDockerd::start_with(options).await?;
        dockerd.load_images().await;
        let home = dockerd.scratch();
        fs::create_dir_all(home.join("manifests")).unwrap();
        let instance = InstanceId::from_root_dir(&home.join("root"));
        let engine = dockerd.engine(instance.as_str());
        Some(Self {
            dockerd,
            engine,
            home,
            name: NODE,
            flags: Vec::new(),
            is_offline: false,
            daemon: Mutex::new(None),
            said_before: AtomicUsize::new(0),
        })
    }

    /// A node whose daemon runs.
    pub async fn running() -> Option<Self> {
        let node = Self::new().await?;
        node.start();
        Some(node)
    }

    /// Another flag for the daemon.
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// The daemon started next calls the node by this name.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The daemon runs in a network namespace of its own, which has no address. The engine is found by its socket.
    pub fn offline(mut self) -> Self {
        self.is_offline = true;
        self
    }

    /// Runs `ip` in the daemon's network namespace.
    pub fn ip(&self, words: &str) {
        let id = self.daemon.lock().unwrap().as_ref().expect("the daemon runs").id();
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &id.to_string(), "ip"]).args(words.split(' '));
        assert!(command.status().unwrap().success(), "ip {words}");
    }

    /// The daemon started next has only what is given from now on.
    pub fn without_flags(mut self) -> Self {
        self.flags.clear();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    pub fn manifests(&self) -> PathBuf {
        self.path("manifests")
    }

    /// The command that starts the daemon of this node.
    pub fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_kubelet-lite");
        let mut command = if self.is_offline { Command::new("unshare") } else { Command::new(program) };
        if self.is_offline {
            command.args(["--net", program]);
        }
        command
            .arg(format!("--pod-manifest-path={}", self.manifests().display()))
            .arg(format!("--root-dir={}", self.path("root").display()))
            .arg(format!("--docker-endpoint={}", self.dockerd.endpoint()))
            .arg(format!("--hostname-override={}", self.name))
            .arg("--v=6")
            .args(&self.flags);
        command
    }

    pub fn start(&self) {
        self.said_before.store(self.log().len(), Ordering::Relaxed);
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child = self.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let before = self.daemon.lock().unwrap().replace(child);
        assert!(before.is_none(), "one daemon at a time");
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.daemon.lock().unwrap().as_ref().expect("the daemon runs").id();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    /// Waits until the daemon has ended by itself.
    pub async fn ended(&self) -> ExitStatus {
        let status =
            eventually("the daemon ends", || async { self.daemon.lock().unwrap().as_mut()?.try_wait().unwrap() }).await;
        *self.daemon.lock().unwrap() = None;
        status
    }

    /// `kill -9`.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.ended().await;
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits for a text in the log of the daemon that was started last.
    pub async fn said(&self, text: &str) {
        let said = || self.log().get(self.said_before.load(Ordering::Relaxed)..).is_some_and(|log| log.contains(text));
        eventually(&format!("the daemon says {text:?}"), || async { said().then_some(()) }).await;
    }

    /// Waits until the daemon says this of a pod.
    pub async fn said_of(&self, pod: &str, text: &str) {
        let pod = format!("default/{pod}-{NODE}");
        let said = || self.log().lines().any(|line| line.contains(text) && line.contains(&pod));
        eventually(&format!("the daemon says {text:?} of {pod}"), || async { said().then_some(()) }).await;
    }

    /// Puts a manifest in place as rsync does: written elsewhere, renamed.
    pub fn declare(&self, file: &str, manifest: &str) {
        let draft = self.manifests().join(format!(".{file}"));
        fs::write(&draft, manifest).unwrap();
        fs::rename(draft, self.manifests().join(file)).unwrap();
    }

    pub fn withdraw(&self, file: &str) {
        fs::remove_file(self.manifests().join(file)).unwrap();
    }

    /// All containers of this daemon.
    pub async fn containers(&self) -> Vec<ContainerSummary> {
        let root = InstanceId::from_root_dir(&self.path("root"));
        self.engine.list(MANAGED_BY, root.as_str()).await.unwrap_or_default()
    }

    /// The running container `name` of a pod.
    pub async fn find(&self, pod: &str, name: &str) -> Option<ContainerSummary> {
        let rows = self.containers().await;
        let pod = format!("{pod}-{NODE}");
        let mut rows = rows.into_iter().filter(|row| {
            row.state == EngineState::Running
                && row.labels.get("io.kubernetes.pod.name") == Some(&pod)
                && row.labels.get("io.kubernetes.container.name").map(String::as_str) == Some(name)
        });
        let found = rows.next();
        assert!(rows.next().is_none(), "container {name} of pod {pod} runs twice");
        found
    }

    /// Waits until container `name` of a pod runs, and returns its id.
    pub async fn runs(&self, pod: &str, name: &str) -> String {
        eventually(&format!("container {name} of pod {pod} runs"), || self.find(pod, name)).await.id
    }

    /// Waits until the test server `name` of a pod has its signal handlers and listens, and returns its id.
    pub async fn listens(&self, pod: &str, name: &str) -> String {
        let id = self.runs(pod, name).await;
        let listens = || async { self.dockerd.logs(&id).await.contains(" listen ").then_some(()) };
        eventually(&format!("{name} of pod {pod} listens"), listens).await;
        id
    }

    /// Waits until another container `name` than this runs.
    pub async fn replaced(&self, pod: &str, name: &str, old: &str) -> String {
        eventually(&format!("container {name} of pod {pod} is replaced"), || async {
            self.find(pod, name).await.filter(|row| row.id != old)
        })
        .await
        .id
    }

    /// Ids of all running containers.
    pub async fn running_ids(&self) -> BTreeSet<String> {
        self.containers().await.into_iter().filter(|r| r.state == EngineState::Running).map(|r| r.id).collect()
    }

    /// Waits until nothing of any pod is left: containers, directories.
    pub async fn nothing_left(&self) {
        eventually("nothing is left of any pod", || async {
            let list = self.engine.list(MANAGED_BY, &self.path("root").display().to_string()).await.ok()?;
            let dirs = fs::read_dir(self.path("root/pods")).map_or(0, Iterator::count);
            (list.is_empty() && dirs == 0).then_some(())
        })
        .await;
    }

    /// Runs a command in a container to its end.
    pub async fn run_in(&self, container: &str, command: &[&str]) {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let exec = self.engine.exec_create(container, command, "").await.unwrap();
        drop(self.engine.exec_start(&exec).await.unwrap());
        eventually("the command ends", || async {
            self.engine.exec_inspect(&exec).await.ok()?.exit_code.map(|code| assert_eq!(code, 0))
        })
        .await;
    }

    /// The label of a container's restart count.
    pub async fn restart_count(&self, id: &str) -> u32 {
        let details = self.engine.inspect(id).await.unwrap();
        details.labels["annotation.io.kubernetes.container.restartCount"].parse().unwrap()
    }

    /// The incarnation a container belongs to.
    pub async fn pod_uid(&self, id: &str) -> String {
        self.engine.inspect(id).await.unwrap().labels["io.kubernetes.pod.uid"].clone()
    }
}

/// The label of a listed container's restart count.
pub fn restarts(row: &ContainerSummary) -> u32 {
    row.labels["annotation.io.kubernetes.container.restartCount"].parse().unwrap()
}

/// A manifest with one test server; `extra` is more of the pod's spec, `container` more of the container's.
pub fn server_pod(name: &str, args: &str, container: &str, extra: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  labels: {{app: {name}}}\nspec:\n  \
         terminationGracePeriodSeconds: 5\n{extra}  containers:\n  - name: server\n    image: kl-test/server:1\n    \
         args: [{args}]\n{container}"
    )
}
