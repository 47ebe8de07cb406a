//! The composition root: builds the actors, wires them, serves signals, lets go in order.

use crate::{
    api::{self, ApiServer, ApiState},
    convert::{InstanceId, NodeFacts, SupportPolicy},
    engine::docker::DockerEngine,
    event::{EventType, Recorder, reason},
    exit::ExitStatus,
    lock::{self, LockError},
    manifest::{
        DirectoryState,
        parse::{ParseOptions, parse_file},
        watch::{ManifestWatcher, WatchHandle, WatchOptions},
    },
    plan::NodePolicy,
    pod::Node,
    probe::HostHandlers,
    report,
    settings::Settings,
    shutdown::{self, Shutdown, logind::Logind},
    systemd,
    time::Clock,
    volume,
    volume::{AppliedStore, LogLinks, VolumeManager},
    worker::{
        self, Facts, ManagerOptions, NodeSummary, OomSupport, PARALLEL_DISK_WORK, PARALLEL_STARTS, PARALLEL_UNPACKS,
        PodManager, Pulse, SandboxImage, Shared, StartQueue,
    },
};
use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Why the daemon could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The root directory can not be had.
    #[error("the daemon can not start")]
    Lock(#[from] LockError),
    /// The engine's address can not be used.
    #[error("the Docker Engine can not be addressed")]
    Engine(#[from] crate::engine::docker::EndpointError),
    /// The operating system refused a signal handler or the like.
    #[error("the operating system refused a handler")]
    Os(#[from] std::io::Error),
}

impl StartError {
    /// The exit code that tells systemd whether a restart can help.
    pub fn status(&self) -> ExitStatus {
        match self {
            Self::Lock(LockError::Held(_)) => ExitStatus::Locked,
            Self::Engine(_) => ExitStatus::Usage,
            Self::Lock(LockError::Io { .. }) | Self::Os(_) => ExitStatus::Failure,
        }
    }
}

/// Runs the daemon until SIGTERM or SIGINT; pods go on. `reread` is asked on SIGHUP for the settings
/// as they stand now.
pub async fn run(
    settings: Settings,
    reread: impl Fn() -> Result<Settings, crate::settings::SettingsError>,
) -> Result<ExitStatus, StartError> {
    let signals = Signals::install()?;
    let _lock = lock::lock(&settings.root_dir).await?;
    let detach = CancellationToken::new();
    let clock = Clock::system();
    let shared = Arc::new(shared(&settings, clock.clone())?);
    let parsing = ParseOptions {
        field_validation: settings.field_validation,
        support: SupportPolicy { allowed_unsafe_sysctls: settings.allowed_unsafe_sysctls.clone() },
        ..ParseOptions::default()
    };
    let parser = move |path: &std::path::Path, bytes: &[u8]| parse_file(path, bytes, &parsing);
    let (watcher, handle) = ManifestWatcher::new(&watch_options(&settings), clock, parser)?;
    let (summary_tx, summary) = watch::channel(NodeSummary::default());
    let options = ManagerOptions {
        sync_frequency: settings.sync_frequency,
        max_pods: settings.max_pods,
        addresses: settings.node_ip.is_none().then_some(addresses_of_default_routes),
    };
    let api = ApiState { shared: shared.clone(), summary: summary.clone(), snapshots: handle.snapshots.clone() };
    let starting = shared.clone();
    let (pulse, beats) = worker::pulse();
    let manager = PodManager::new(shared, options, handle.snapshots.clone(), summary_tx, detach.clone());
    info!(
        version = env!("CARGO_PKG_VERSION"), node = settings.node_name,
        manifests = %settings.pod_manifest_path.display(), engine = settings.docker_endpoint,
        root_dir = %settings.root_dir.display(), "kubelet-lite started"
    );
    starting.events.keep_of_node(&settings.node_name, EventType::Normal, reason::STARTING, "Starting kubelet-lite.");
    let watcher = tokio::spawn(watcher.run(detach.clone()));
    let (shutdown_tx, shutdown) = watch::channel(Shutdown::No);
    let manager = tokio::spawn(manager.with_shutdown(settings.shutdown.clone(), shutdown).with_beats(beats).run());
    let guard =
        shutdown::guard(settings.shutdown.clone(), Logind::connect, shutdown_tx, summary.clone(), detach.clone());
    let guard = tokio::spawn(guard);
    let api = tokio::spawn(serve_api(api, settings.clone(), detach.clone()));
    let status = serve(signals, &settings, &handle, summary, &pulse, reread).await;
    systemd::stopping();
    info!("leaving; pods go on without this daemon");
    detach.cancel();
    for (name, task) in
        [("pod manager", manager), ("manifest watcher", watcher), ("status API", api), ("shutdown guard", guard)]
    {
        if let Err(failed) = task.await {
            error!("the {name} ended abnormally: {failed}");
        }
    }
    Ok(status)
}

/// The status API, if a socket can be had; the pods run as well without it.
async fn serve_api(state: ApiState<DockerEngine>, settings: Settings, detach: CancellationToken) {
    let places = api::places(settings.api_socket.as_deref(), &settings.root_dir);
    match ApiServer::bind(&places).await {
        Ok(server) => {
            info!("the status API listens at {}", server.path().display());
            server.run(state, detach).await;
        }
        Err(error) => error!(
            "there is no status API, so `kubelet-lite get` will not work: {}; give another --api-socket",
            crate::report(&error)
        ),
    }
}

fn shared(settings: &Settings, clock: Clock) -> Result<Shared<DockerEngine>, crate::engine::docker::EndpointError> {
    let instance = InstanceId::from_root_dir(&settings.root_dir);
    let engine = DockerEngine::connect(&settings.docker_endpoint, instance.as_str())?;
    let node = Node { name: settings.node_name.clone() };
    let mut facts = NodeFacts::new(settings.root_dir.clone(), node, String::new());
    facts.cpus = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    // Until the engine turns out not to: see `worker::OomSupport`.
    facts.negative_oom_score_adj = true;
    facts.resolv_conf.clone_from(&settings.resolv_conf);
    facts.network.clone_from(&settings.network);
    facts.seccomp_default = settings.seccomp_default;
    facts.environment_key = match volume::environment_key(&settings.root_dir) {
        Ok(key) => Some(key),
        Err(error) => {
            warn!(
                "it can not be told which environments are from before a change of a ConfigMap or Secret: {}",
                report(&error)
            );
            None
        }
    };
    // Those of a node that was told none are asked for as long as the daemon runs.
    facts.node_ips = settings.node_ip.map_or_else(addresses_of_default_routes, |ip| vec![ip]);
    facts.ephemeral_storage = volume::disk_size(&settings.root_dir);
    facts.pod_max_pids = settings.pod_max_pids;
    Ok(Shared {
        handlers: Arc::new(HostHandlers::new(engine.clone())),
        engine,
        facts: Facts::new(facts),
        oom: watch::channel(OomSupport::default()).0,
        volumes: VolumeManager::new(&settings.root_dir),
        applied: AppliedStore::new(&settings.root_dir),
        events: Recorder::new(clock.clone()),
        clock,
        policy: NodePolicy {
            max_container_restart_period: settings.max_container_restart_period,
            node: Arc::new(settings.node_rules.clone()),
        },
        starts: StartQueue::new(PARALLEL_STARTS),
        unpacks: StartQueue::new(PARALLEL_UNPACKS),
        disk: StartQueue::new(PARALLEL_DISK_WORK),
        sandbox_image: settings.pod_infra_container_image.clone().map_or(SandboxImage::BuiltIn, SandboxImage::Named),
        log_links: settings.pod_logs_dir.as_deref().map(LogLinks::new),
    })
}

/// The addresses from which this machine would speak to the rest of the world, over IPv4 and over IPv6, as far as
/// there is a way. Connecting a datagram socket sends nothing.
fn addresses_of_default_routes() -> Vec<IpAddr> {
    // Addresses of documentation, which lie behind the default route if there is one.
    let ways = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let address = |(from, to): (&str, &str)| {
        let socket = std::net::UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
    };
    ways.into_iter().filter_map(address).collect()
}

fn watch_options(settings: &Settings) -> WatchOptions {
    WatchOptions { path: settings.pod_manifest_path.clone(), file_check_frequency: settings.file_check_frequency }
}

/// The main loop: signals, status for systemd, its watchdog.
async fn serve(
    mut signals: Signals,
    settings: &Settings,
    watcher: &WatchHandle,
    mut summary: watch::Receiver<NodeSummary>,
    pulse: &Pulse,
    reread: impl Fn() -> Result<Settings, crate::settings::SettingsError>,
) -> ExitStatus {
    let mut snapshots = watcher.snapshots.clone();
    let mut ready = false;
    let mut watchdog = systemd::watchdog_period().map(tokio::time::interval);
    // Two beats at once would find the first not taken yet.
    if let Some(interval) = &mut watchdog {
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        if !ready && snapshots.borrow_and_update().state != DirectoryState::Unread {
            ready = true;
            systemd::ready();
            info!("the manifests were read; ready");
        }
        tokio::select! {
            _ = signals.terminate.recv() => return ExitStatus::Success,
            _ = signals.interrupt.recv() => return ExitStatus::Success,
            _ = signals.hangup.recv() => {
                info!("SIGHUP: reading the configuration and the manifests again");
                compare(settings, reread());
                watcher.rescan().await;
            }
            changed = snapshots.changed(), if !ready => {
                if changed.is_err() {
                    return ExitStatus::Failure;
                }
            }
            changed = summary.changed() => {
                if changed.is_err() {
                    error!("the pod manager is gone");
                    return ExitStatus::Failure;
                }
                let text = systemd::status_text(&summary.borrow_and_update());
                systemd::status(&text);
            }
            () = tick(watchdog.as_mut()) => {
                if pulse.beats() {
                    systemd::watchdog();
                } else {
                    warn!("the pod manager does not turn: if that lasts the watchdog ends this daemon, and pods go on");
                }
            }
        }
    }
}

async fn tick(interval: Option<&mut tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// What a new configuration would change; none of it can change under running pods.
fn compare(old: &Settings, new: Result<Settings, crate::settings::SettingsError>) {
    match new {
        Ok(new) if new == *old => {}
        Ok(_) => warn!("the configuration has changed: restart this daemon to use it (pods go on meanwhile)"),
        Err(error) => error!("the configuration can not be used, the old one stays: {error}"),
    }
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// A first SIGTERM or SIGINT is served by the main loop; a second one ends the process at once, in
    /// the handler itself, so that it works even when the runtime is stuck.
    fn install() -> Result<Self, std::io::Error> {
        let asked = Arc::new(AtomicBool::new(false));
        for number in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            let code = ExitStatus::Signalled(u8::try_from(number).unwrap_or(0)).code();
            signal_hook::flag::register_conditional_shutdown(number, i32::from(code), asked.clone())?;
        }
        for number in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::flag::register(number, asked.clone())?;
        }
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}
