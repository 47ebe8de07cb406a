//! A Docker Engine that belongs to one test: own socket, data, containerd and bridge.

use super::{PATIENCE, eventually, images, leftovers, say};
use base64::Engine as _;
use kubelet_lite::engine::docker::DockerEngine;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

/// Where private engines live. Short, since a Unix socket's path has 107 bytes at most.
const BASE: &str = "/tmp";
const PREFIX: &str = "kl-test-";
/// What a private engine's directory is called before it is locked.
const DRAFT: &str = "kl-new-test-";
/// Set to `skip`, tests that need an engine do not run, and say so.
const SWITCH: &str = "KUBELET_LITE_TEST_ENGINE";

/// How a private engine is started.
#[derive(Clone, Debug, Default)]
pub struct DockerdOptions {
    /// Containers outlive the engine.
    pub live_restore: bool,
    /// More flags for dockerd.
    pub args: Vec<String>,
}

/// A private dockerd with a containerd of its own. Dropping it ends both and all containers, and
/// removes every trace; what a killed test left is removed by the next one.
///
/// Its bridge is not connected to anything but this machine, and it leaves iptables alone; host ports
/// are served by docker-proxy. So two can run at once.
pub struct PrivateDockerd {
    dir: PathBuf,
    number: u8,
    options: DockerdOptions,
    containerd: Child,
    dockerd: Mutex<Option<Child>>,
    /// Held as long as the directory is in use.
    _lock: File,
}

impl PrivateDockerd {
    /// Starts an engine. `None` where the environment says that such tests are to be skipped; panics
    /// with the engine's log if it can not be started.
    pub async fn start() -> Option<Self> {
        Self::start_with(DockerdOptions::default()).await
    }

    /// [`Self::start`] with options.
    pub async fn start_with(options: DockerdOptions) -> Option<Self> {
        if std::env::var(SWITCH).is_ok_and(|v| v == "skip") {
            say(&format!("NOT RUN, because {SWITCH}=skip: {}", std::thread::current().name().unwrap_or("a test")));
            return None;
        }
        assert!(
            nix::unistd::geteuid().is_root(),
            "tests with a Docker Engine need root; {SWITCH}=skip leaves them out"
        );
        remove_stale();
        let (dir, lock) = new_directory();
        let number = new_bridge(&dir);
        let containerd = start_containerd(&dir);
        let engine = Self { dir, number, options, containerd, dockerd: Mutex::new(None), _lock: lock };
        eventually("containerd listens", || async { engine.dir.join("containerd.sock").exists().then_some(()) }).await;
        engine.start_again().await;
        Some(engine)
    }

    /// Starts dockerd after [`Self::stop`] or [`Self::kill`] and returns when it answers.
    pub async fn start_again(&self) {
        let dir = |name: &str| self.dir.join(name).display().to_string();
        let mut dockerd = Command::new("dockerd");
        dockerd.args(["--host", &self.endpoint(), "--data-root", &dir("data"), "--exec-root", &dir("exec")]);
        dockerd.args(["--pidfile", &dir("pid"), "--containerd", &dir("containerd.sock")]);
        dockerd.args(["--bridge", &self.bridge(), "--iptables=false", "--ip-masq=false", "--ip-forward=false"]);
        // Independent of what the machine's init system would like.
        dockerd.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
        dockerd.arg("--cgroup-parent").arg(format!("/{}", self.name()));
        if self.options.live_restore {
            dockerd.arg("--live-restore");
        }
        let log = File::options().create(true).append(true).open(self.dir.join("dockerd.log")).expect("log");
        dockerd.args(&self.options.args).stdout(log.try_clone().expect("log")).stderr(log).stdin(Stdio::null());
        let child = own_group(&mut dockerd).spawn().expect("dockerd: install the package docker.io");
        let before = self.dockerd.lock().expect("lock").replace(child);
        assert!(before.is_none(), "dockerd runs already");
        let limit = tokio::time::Instant::now() + PATIENCE;
        while self.request("GET", "/_ping", None).await.map_or(0, |(status, _)| status) != 200 {
            let ended = self.dockerd.lock().expect("lock").as_mut().and_then(|c| c.try_wait().ok().flatten());
            if ended.is_some() || tokio::time::Instant::now() > limit {
                panic!("dockerd does not start ({ended:?}); {SWITCH}=skip leaves such tests out.\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends dockerd with SIGTERM, as an init system does, and returns when it has ended. Without
    /// live-restore it stops its containers first.
    pub async fn stop(&self) {
        self.end(Signal::SIGTERM).await;
    }

    /// Ends dockerd with SIGKILL. Containers and containerd go on.
    pub async fn kill(&self) {
        self.end(Signal::SIGKILL).await;
    }

    /// Freezes dockerd: connections are taken and never answered.
    pub fn freeze(&self) {
        let _ = kill(self.pid(), Signal::SIGSTOP);
    }

    /// Lets a frozen dockerd go on.
    pub fn thaw(&self) {
        let _ = kill(self.pid(), Signal::SIGCONT);
    }

    /// Freezes containerd: dockerd answers, but begins no command and no container.
    pub fn freeze_containerd(&self) {
        self.signal_containerd(Signal::SIGSTOP);
    }

    /// Lets a frozen containerd go on.
    pub fn thaw_containerd(&self) {
        self.signal_containerd(Signal::SIGCONT);
    }

    fn signal_containerd(&self, signal: Signal) {
        let id = i32::try_from(self.containerd.id()).expect("a pid");
        let _ = kill(Pid::from_raw(id), signal);
    }

    async fn end(&self, signal: Signal) {
        kill(self.pid(), signal).expect("signal dockerd");
        eventually("dockerd ends", || async {
            self.dockerd.lock().expect("lock").as_mut()?.try_wait().expect("wait for dockerd")
        })
        .await;
        *self.dockerd.lock().expect("lock") = None;
    }

    fn pid(&self) -> Pid {
        let id = self.dockerd.lock().expect("lock").as_ref().expect("dockerd runs").id();
        Pid::from_raw(i32::try_from(id).expect("a pid"))
    }

    /// `unix:///…`, as for `--docker-endpoint`.
    pub fn endpoint(&self) -> String {
        format!("unix://{}", self.dir.join("docker.sock").display())
    }

    /// A client for `instance`.
    pub fn engine(&self, instance: &str) -> DockerEngine {
        DockerEngine::connect(&self.endpoint(), instance).expect("a Unix endpoint")
    }

    /// Loads both test images, [`images::BUSYBOX`] and [`images::SERVER`].
    pub async fn load_images(&self) {
        let engine = self.engine("images");
        images::load(&engine, images::busybox()).await;
        images::load(&engine, images::server()).await;
    }

    /// Name of its bridge; containers get addresses in 10.213.`n`.0/24.
    pub fn bridge(&self) -> String {
        bridge_name(self.number)
    }

    /// The host's address on its bridge.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 1)
    }

    /// A directory that is removed with the engine, for what a test puts on the host.
    pub fn scratch(&self) -> PathBuf {
        let path = self.dir.join("scratch");
        fs::create_dir_all(&path).expect("scratch directory");
        path
    }

    /// The end of dockerd's log.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.dir.join("dockerd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Asks the engine something the `Engine` trait has no word for; status and body of the answer
    /// (the bare text if it is not JSON), or `None` if it does not answer.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let (status, body) = self.request_bytes(method, path, body).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        Some((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// [`Self::request`] with the answer's bytes, for logs and archives.
    pub async fn request_bytes(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Vec<u8>)> {
        self.request_with(method, path, "", body).await
    }

    /// [`Self::request_bytes`] with more lines of the request's head, each with its end.
    async fn request_with(&self, method: &str, path: &str, head: &str, body: Option<&Value>) -> Option<(u16, Vec<u8>)> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let talk = self.talk(method, path, head, &body);
        let mut answer = tokio::time::timeout(PATIENCE / 2, talk).await.ok()??;
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
        let status = std::str::from_utf8(&answer[..end]).ok()?.split_whitespace().nth(1)?.parse().ok()?;
        Some((status, answer.split_off(end + 4)))
    }

    /// Everything the engine answers.
    async fn talk(&self, method: &str, path: &str, head: &str, body: &str) -> Option<Vec<u8>> {
        let mut stream = UnixStream::connect(self.dir.join("docker.sock")).await.ok()?;
        // HTTP/1.0 answers are neither chunked nor kept open.
        let head = format!(
            "{method} {path} HTTP/1.0\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    }

    /// When the engine first sent a container this signal, by its own record, in time since 1970. A dockerd that
    /// is started again knows nothing of before.
    pub async fn signalled(&self, container: &str, signal: Signal) -> Option<Duration> {
        let now = SystemTime::UNIX_EPOCH.elapsed().ok()?;
        let filters = serde_json::json!({ "type": ["container"], "event": ["kill"], "container": [container] });
        let until = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let path = format!("/events?since=1&until={until}&filters={filters}");
        let (_, told) = self.request_bytes("GET", &path, None).await?;
        let mut events = serde_json::Deserializer::from_slice(&told).into_iter::<Value>().flatten();
        let number = (signal as i32).to_string();
        let event = events.find(|event| event["Actor"]["Attributes"]["signal"] == number)?;
        event["timeNano"].as_u64().map(Duration::from_nanos)
    }

    /// Gives an image another name, pushes it there as `user`, and takes that name away again.
    pub async fn publish(&self, image: &str, reference: &str, (user, password): (&str, &str)) {
        let (repository, tag) = reference.rsplit_once(':').expect("a tag");
        let path = format!("/images/{image}/tag?repo={repository}&tag={tag}");
        assert_eq!(self.request("POST", &path, None).await.expect("an answer").0, 201);
        let auth = serde_json::json!({ "username": user, "password": password }).to_string();
        let auth = base64::engine::general_purpose::URL_SAFE.encode(auth);
        let path = format!("/images/{repository}/push?tag={tag}");
        let pushed = self.request_with("POST", &path, &format!("X-Registry-Auth: {auth}\r\n"), None).await;
        let (status, said) = pushed.expect("an answer");
        let said = String::from_utf8_lossy(&said);
        assert!(status == 200 && !said.contains("\"error\""), "{status} {said}");
        assert_eq!(self.request("DELETE", &format!("/images/{reference}"), None).await.expect("an answer").0, 200);
    }

    /// What a container wrote, both streams together.
    pub async fn logs(&self, container: &str) -> String {
        let path = format!("/containers/{container}/logs?stdout=1&stderr=1");
        let (_, bytes) = self.request_bytes("GET", &path, None).await.unwrap_or_default();
        let mut text = Vec::new();
        let mut rest = bytes.as_slice();
        // Frames of eight bytes with a big-endian length at the end.
        while let Some((head, after)) = rest.split_at_checked(8) {
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let (frame, next) = after.split_at(length.min(after.len()));
            text.extend_from_slice(frame);
            rest = next;
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn name(&self) -> String {
        self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for PrivateDockerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("the engine's log ends with:\n{}", self.log_tail()));
        }
        leftovers::clean_up(&self.dir);
        let _ = self.containerd.wait();
        if let Some(mut dockerd) = self.dockerd.lock().ok().and_then(|mut d| d.take()) {
            let _ = dockerd.wait();
        }
    }
}

/// Keeps a terminal's Ctrl-C and `kill` of a process group from it.
fn own_group(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    command.process_group(0)
}

/// A directory of our own and the lock that shows it is in use.
fn new_directory() -> (PathBuf, File) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = Path::new(BASE).join(format!("{PREFIX}{}-{count}", std::process::id()));
    // One of an earlier process with our pid would be stale.
    leftovers::clean_up(&dir);
    // Locked before it has the name by which others look for what is stale.
    let draft = Path::new(BASE).join(format!("{DRAFT}{}-{count}", std::process::id()));
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir(&draft).expect("directory for the engine");
    let lock = File::create(draft.join("lock")).expect("lock file");
    lock.lock().expect("lock");
    fs::rename(&draft, &dir).expect("directory for the engine");
    (dir, lock)
}

/// Cleans up after tests that were killed: nobody holds their lock.
fn remove_stale() {
    for entry in fs::read_dir(BASE).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_ours {
            continue;
        }
        // A directory without a lock is just being removed.
        let Ok(lock) = File::open(entry.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            leftovers::clean_up(&entry.path());
        }
    }
}

fn bridge_name(number: u8) -> String {
    format!("kltest{number}")
}

/// Makes a bridge with a subnet of its own; its name is taken or free at one stroke.
fn new_bridge(dir: &Path) -> u8 {
    let ip = |args: &[&str]| Command::new("ip").args(args).stderr(Stdio::null()).status().expect("ip").success();
    for number in 1..=254 {
        let name = bridge_name(number);
        if !ip(&["link", "add", &name, "type", "bridge"]) {
            continue;
        }
        let marked = ip(&["link", "set", &name, "alias", &dir.display().to_string()])
            && ip(&["address", "add", &format!("10.213.{number}.1/24"), "dev", &name])
            && ip(&["link", "set", &name, "up"]);
        assert!(marked, "can not set up the bridge {name}");
        return number;
    }
    panic!("no bridge can be made: `ip link add kltest1 type bridge` as root must work");
}

/// dockerd would use the machine's containerd if one runs, and share its containers.
fn start_containerd(dir: &Path) -> Child {
    let path = |name: &str| dir.join(name).display().to_string();
    let config = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
         [grpc]\naddress = {:?}\n[plugins.\"io.containerd.internal.v1.opt\"]\npath = {:?}\n",
        path("containerd"),
        path("containerd-state"),
        path("containerd.sock"),
        path("containerd-opt")
    );
    fs::write(dir.join("containerd.toml"), config).expect("containerd's configuration");
    let log = File::create(dir.join("containerd.log")).expect("log");
    let mut containerd = Command::new("containerd");
    containerd.args(["--config", &path("containerd.toml")]).stdin(Stdio::null());
    containerd.stdout(log.try_clone().expect("log")).stderr(log);
    own_group(&mut containerd).spawn().expect("containerd: install the package containerd")
}
