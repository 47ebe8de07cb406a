//! The connection to the Docker Engine: one trait in Docker's own verbs, two implementations.
//!
//! [`Engine`] is implemented by [`docker::DockerEngine`] (bollard) and, for tests, by
//! `fake::FakeEngine`; both are held to one contract suite. Bodies sent are bollard's plain
//! models; answers are narrowed here at once, so that no `Option`-filled inspect reply travels on.
//! This room knows nothing of pods.

pub mod archive;
pub mod docker;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
pub mod pause;
mod registry;

pub use bollard::models::ContainerCreateBody;
pub use hyper::body::Bytes;
pub use registry::RegistryAuth;

use futures_util::stream::BoxStream;
use std::{collections::BTreeMap, future::Future, net::IpAddr, path::PathBuf, time::Duration};

/// Label whose value is the instance that owns a container. Engines deliver only the events of
/// containers that carry the instance they were opened for.
pub const MANAGED_BY_LABEL: &str = "io.kubelet-lite.managed-by";

/// Largest file that [`Engine::copy_file`] delivers, in bytes.
pub const COPY_LIMIT: usize = 1 << 20;

/// The Docker Engine's verbs, as far as a kubelet needs them.
///
/// An effect is not tied to the caller's future: a dropped `create` may still have made its
/// container. Names are deterministic, so a doubtful effect is looked up by name.
pub trait Engine: Send + Sync + 'static {
    /// What the engine is; also the liveness check of the connection.
    fn version(&self) -> impl Future<Output = Result<EngineVersion, EngineError>> + Send;

    /// Container events, subscribed to when this returns. An item error or the end of the stream
    /// means that events were lost: subscribe again, then list.
    fn events(
        &self,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<EngineEvent, EngineError>>, EngineError>> + Send;

    /// All containers, running or not, that carry label `key=value`.
    fn list(&self, key: &str, value: &str) -> impl Future<Output = Result<Vec<ContainerSummary>, EngineError>> + Send;

    /// One container, by id or name.
    fn inspect(&self, id: &str) -> impl Future<Output = Result<ContainerDetails, EngineError>> + Send;

    /// Makes a container and returns its id. [`EngineError::Conflict`] if the name is taken,
    /// [`EngineError::NotFound`] if the image is missing.
    fn create(&self, name: &str, body: ContainerCreateBody)
    -> impl Future<Output = Result<String, EngineError>> + Send;

    /// Starts a container; a running one is success. [`EngineError::NotFound`] is also the answer when
    /// the container whose network it joins is gone, [`EngineError::Conflict`] when that one does not
    /// run: look again before taking the container itself for gone. A failed start leaves it
    /// `Created` with an exit code and an error, and makes no event.
    fn start(&self, id: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Sends the container's stop signal, then SIGKILL after `grace` (whole seconds, rounded up).
    /// Returns when it has ended; an ended one is success. Once asked, the engine owns the timer:
    /// it runs on when the caller goes away, and of two stops the earlier deadline wins. The timer
    /// dies with the engine: under live-restore a container may outlive its deadline, and the stop
    /// has to be asked for again.
    fn stop(&self, id: &str, grace: Duration) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Sends a signal, as in `SIGKILL`; an ended container is success.
    fn kill(&self, id: &str, signal: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Removes a container with its anonymous volumes, killing it if it runs; one that is gone
    /// already is success. [`EngineError::Conflict`] while another removal of it is under way.
    fn remove(&self, id: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Sets a command up in a running container, with the container's own user, environment and working
    /// directory and without a terminal, and returns its id. Nothing runs yet. The engine keeps `mark` with
    /// it, lower-case letters and dashes, which the command does not see: [`ExecDetails::mark`].
    /// [`EngineError::Conflict`] if the container does not run or is paused.
    fn exec_create(
        &self,
        id: &str,
        command: Vec<String>,
        mark: &str,
    ) -> impl Future<Output = Result<String, EngineError>> + Send;

    /// Starts a command that was set up and returns its output, stdout and stderr as they come. A
    /// program that does not exist may show here, or as text in the output and exit code 126 or 127.
    /// The stream ends with the command, or up to two seconds later when something that the command
    /// left behind still holds its output. The command runs on when the stream is dropped.
    fn exec_start(
        &self,
        exec: &str,
    ) -> impl Future<Output = Result<BoxStream<'static, Result<Bytes, EngineError>>, EngineError>> + Send;

    /// What became of a command. [`EngineError::NotFound`] some time after it ended, after the end of its
    /// container, and after a restart of the engine, which forgets its commands though they may run on.
    fn exec_inspect(&self, exec: &str) -> impl Future<Output = Result<ExecDetails, EngineError>> + Send;

    /// SIGKILL to a command that was started and all in its session; one that has ended is success, and one
    /// that the engine has not begun yet, though it was asked to, is [`EngineError::Conflict`].
    /// Docker has no verb for this: the processes are found on the host, where this program must be
    /// allowed to see and signal them ([`EngineError::Refused`] if not). When it returns they are
    /// gone; the engine may need a moment to notice.
    fn exec_kill(&self, exec: &str) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// The end of what a container has printed, standard output and error as they came: at most `lines`
    /// lines, and of these the last `limit` bytes. Without a log that can be read (another log driver)
    /// it is an error.
    fn logs_tail(
        &self,
        id: &str,
        lines: u32,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<u8>, EngineError>> + Send;

    /// A regular file of a container, which need not run (`docker cp`), reached through symbolic links as
    /// inside the container. [`EngineError::NotFound`] if there is none, [`EngineError::Refused`] if it is
    /// something else, or has more than [`COPY_LIMIT`] bytes.
    fn copy_file(&self, id: &str, path: &str) -> impl Future<Output = Result<Vec<u8>, EngineError>> + Send;

    /// A local image, by reference or id. [`EngineError::NotFound`] if it is not there.
    fn image_inspect(&self, reference: &str) -> impl Future<Output = Result<ImageDetails, EngineError>> + Send;

    /// Pulls an image and returns when it is complete. A private registry wants to know who pulls.
    fn image_pull(
        &self,
        reference: &str,
        auth: Option<&RegistryAuth>,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Writes a local image as a docker-archive (`docker save`) into an empty file.
    /// [`EngineError::NotFound`] if it is not there.
    fn image_save(&self, reference: &str, into: std::fs::File) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Makes a named volume, on the engine's own disk, unless there is one of that name: that one is kept as
    /// it is, labels and driver included. It stays until somebody removes it.
    fn volume_create(
        &self,
        name: &str,
        labels: BTreeMap<String, String>,
    ) -> impl Future<Output = Result<VolumeDetails, EngineError>> + Send;

    /// Loads a docker-archive (`docker load`).
    fn image_load(&self, archive: Vec<u8>) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// What went wrong with a call, by what may be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The object does not exist (404).
    #[error("{operation}: not found: {message}")]
    NotFound {
        /// Docker's verb and its subject.
        operation: String,
        /// The engine's words.
        message: String,
    },
    /// The request clashes with the state (409): a name in use, a container being removed.
    #[error("{operation}: conflict: {message}")]
    Conflict {
        /// Docker's verb and its subject.
        operation: String,
        /// The engine's words.
        message: String,
    },
    /// The engine understood and refused, or tried and failed (400, 403, 5xx).
    #[error("{operation}: refused: {message}")]
    Refused {
        /// Docker's verb and its subject.
        operation: String,
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// No engine answers: connection refused, socket missing, connection cut.
    #[error("{operation}: no Docker Engine answers: {message}")]
    Unavailable {
        /// Docker's verb and its subject.
        operation: String,
        /// What happened.
        message: String,
    },
    /// The engine took longer than the call may take; whether it acted is unknown.
    #[error("{operation}: no answer within {after:?}")]
    Timeout {
        /// Docker's verb and its subject.
        operation: String,
        /// The time limit.
        after: Duration,
    },
    /// What the engine sends could not be kept: a full disk, say.
    #[error("{operation}: can not write what the engine sends: {message}")]
    NotKept {
        /// Docker's verb and its subject.
        operation: String,
        /// The system's words.
        message: String,
    },
    /// The answer could not be understood.
    #[error("{operation}: unexpected answer: {message}")]
    Protocol {
        /// Docker's verb and its subject.
        operation: String,
        /// What was wrong with it.
        message: String,
    },
}

impl EngineError {
    fn not_kept(operation: &str) -> impl FnOnce(std::io::Error) -> Self {
        let operation = operation.to_owned();
        move |error| Self::NotKept { operation, message: error.to_string() }
    }

    /// The same error, with this in place of the engine's own words.
    #[must_use]
    pub fn with_words(mut self, words: &str) -> Self {
        match &mut self {
            Self::NotFound { message, .. }
            | Self::Conflict { message, .. }
            | Self::Refused { message, .. }
            | Self::Protocol { message, .. } => words.clone_into(message),
            Self::Unavailable { .. } | Self::Timeout { .. } | Self::NotKept { .. } => {}
        }
        self
    }

    /// Whether the engine itself was not reached, so that the fault is not the request's.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
    /// Whether the effect may have happened although an error was reported.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. } | Self::Protocol { .. })
    }
}

/// `GET /version` and `GET /info`, narrowed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EngineVersion {
    /// As in `20.10.24`.
    pub version: String,
    /// As in `1.41`.
    pub api_version: String,
    /// `cgroupfs`, `systemd` or `none`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// The engine's default log driver.
    pub log_driver: String,
    /// Total memory of the machine in bytes, for `oom_score_adj`.
    pub memory_total: i64,
    /// `x86_64`, `aarch64`…
    pub architecture: String,
    /// What it can confine containers with, as in `apparmor`, `seccomp` or `selinux`.
    pub security: Vec<String>,
}

impl EngineVersion {
    /// Whether it can confine containers with this.
    pub fn has(&self, security: &str) -> bool {
        self.security.iter().any(|name| name == security)
    }

    /// The API's version as numbers that can be compared; `None` if it has another form.
    pub fn api(&self) -> Option<(u32, u32)> {
        let (major, minor) = self.api_version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

/// One row of `GET /containers/json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    /// Engine id.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// State.
    pub state: EngineState,
    /// `HostConfig.NetworkMode`: `container:<id>` of one that joined another's network.
    pub network_mode: String,
    /// Addresses on its networks, IPv4 first.
    pub ips: Vec<IpAddr>,
}

/// State word of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineState {
    /// Made, never started (or its start failed).
    Created,
    /// Running.
    Running,
    /// Frozen by `docker pause`.
    Paused,
    /// In the engine's own restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Removal failed.
    Dead,
    /// A word this build does not know.
    Other,
}

/// `GET /containers/{id}/json`, narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerDetails {
    /// Engine id.
    pub id: String,
    /// Name without the leading slash.
    pub name: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// State word.
    pub state: EngineState,
    /// Exit code of the last run; 127 and the like after a failed start.
    pub exit_code: i64,
    /// The kernel's OOM killer ended it. The engine may miss that and show a plain 137.
    pub oom_killed: bool,
    /// The engine's error text of a failed start.
    pub error: String,
    /// Creation time.
    pub created_at: Option<jiff::Timestamp>,
    /// Start of the last run.
    pub started_at: Option<jiff::Timestamp>,
    /// End of the last run; of a very short one it may lie milliseconds before `started_at`.
    pub finished_at: Option<jiff::Timestamp>,
    /// Addresses on its networks, IPv4 first.
    pub ips: Vec<IpAddr>,
    /// Id of its image.
    pub image_id: String,
    /// Host pid of its main process; 0 when not running.
    pub pid: i64,
    /// `HostConfig.NetworkMode` as given at its creation: `bridge`, `host`, `container:<id>`.
    pub network_mode: String,
    /// `User` as given at its creation.
    pub user: String,
    /// `HostConfig.OomScoreAdj` as given at its creation.
    pub oom_score_adj: i64,
    /// Where the engine keeps its `resolv.conf`; empty before its first start.
    pub resolv_conf_path: String,
    /// The file of its log; empty before its first start, and with a log driver other than json-file.
    pub log_path: String,
    /// Ids of the commands that were set up in it and have not ended, other people's too.
    pub execs: Vec<String>,
}

/// `GET /exec/{id}/json`, narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecDetails {
    /// Engine id of its container.
    pub container: String,
    /// Whether it runs, or the engine is about to begin it. It was not asked to when there is no exit code
    /// either.
    pub running: bool,
    /// Exit code, once it has ended; 137 when it was killed, 126 or 127 when it could not be started.
    pub exit_code: Option<i64>,
    /// Host pid of its process, which leads a session of its own; 0 before it has begun.
    pub pid: i32,
    /// For how long its process has been there. Not known before that, nor where processes of the host can
    /// not be seen.
    pub age: Option<Duration>,
    /// What [`Engine::exec_create`] was given; empty for commands of others.
    pub mark: String,
}

/// A container event, as a hint to look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineEvent {
    /// `create`, `start`, `die`, `oom`, `destroy`.
    pub action: EngineAction,
    /// The container.
    pub id: String,
    /// Labels of the container, but for those with the names of Docker's own attributes (`image`,
    /// `name`, `exitCode`…), which Docker overwrites in its events.
    pub labels: BTreeMap<String, String>,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineAction {
    /// Made.
    Create,
    /// Started.
    Start,
    /// Ended.
    Die,
    /// Out of memory.
    Oom,
    /// Removed.
    Destroy,
    /// Anything else that changes its state (pause, unpause, rename).
    Other,
}

/// `GET /volumes/{name}`, narrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeDetails {
    /// Where it lies on the node, if it is a plain directory of the engine's; another file system is there
    /// only while a container uses it.
    pub directory: Option<PathBuf>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// `GET /images/{name}/json`, narrowed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ImageDetails {
    /// Content id, `sha256:…`.
    pub id: String,
    /// Bytes of all its layers.
    pub size: u64,
    /// `USER` of the image; empty for root.
    pub user: String,
    /// `VOLUME`s of the image.
    pub volumes: Vec<String>,
    /// `STOPSIGNAL` of the image.
    pub stop_signal: Option<String>,
}
