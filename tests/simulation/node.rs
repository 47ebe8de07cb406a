//! A simulated node: an engine, a manifest directory, a root directory, and one daemon after the other.

use crate::{
    answers::Answers,
    chronicle::{Chronicle, Deed, Story},
    limited::Limited,
    manifests::{Directory, Told, Watcher, Wished, node},
    programs::Programs,
};
use kubelet_lite::{
    convert::NodeFacts,
    engine::{
        ContainerDetails,
        fake::{Call, FakeEngine, Fault, Verb},
    },
    event::{Event, Recorder},
    manifest::Snapshot,
    plan::NodePolicy,
    shutdown::{Shutdown, ShutdownPolicy},
    time::Clock,
    volume::{AppliedStore, VolumeManager},
    worker::{
        self, Facts, ManagerOptions, NodeSummary, OomSupport, PARALLEL_DISK_WORK, PARALLEL_STARTS, PARALLEL_UNPACKS,
        PodManager, Pulse, SandboxImage, Shared, StartQueue,
    },
};
use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

/// `--sync-frequency` of every daemon here.
pub const SYNC_FREQUENCY: Duration = Duration::from_secs(60);
/// Everything must be as wished after so long: the longest back-offs are five minutes.
pub const PATIENCE: Duration = Duration::from_secs(3600);
/// A call that hangs, and what comes of it, takes no longer.
const AFTERMATH: Duration = Duration::from_secs(300);
/// No event comes later than so long after what it tells.
const LATEST_EVENT: Duration = Duration::from_secs(20);
const PAUSE_IMAGE: &str = "pause:1";

pub struct Node {
    /// The operator's client.
    pub engine: FakeEngine,
    pub directory: Directory,
    pub programs: Programs,
    pub answers: Answers,
    /// How long after its death the daemon is started again.
    pub restart_after: Duration,
    /// How many things the daemon starts at once.
    pub starts: usize,
    /// The call that a fault is meant for.
    disturbed: Option<u64>,
    /// Whether the node shuts down; pods have half a minute then.
    pub shutdown: watch::Sender<Shutdown>,
    /// What went wrong while the story was told.
    pub wrong: Vec<String>,
    told: Told,
    clock: Clock,
    root: TempDir,
    daemon: Option<Daemon>,
    restart_at: Option<Instant>,
    chronicle: Chronicle,
    /// What is wanted was told at least once.
    has_told: bool,
    /// Containers that are not ours.
    foreign: BTreeSet<String>,
}

struct Daemon {
    client: FakeEngine,
    task: JoinHandle<()>,
    pulse: Pulse,
    shared: Arc<Shared<Limited>>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    summary: watch::Receiver<NodeSummary>,
    watcher: Watcher,
    detach: CancellationToken,
}

impl Node {
    /// A node with all images and no daemon yet.
    pub fn new() -> Self {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let shm = Path::new("/dev/shm");
        let prefix = "kubelet-lite-simulation-";
        let root = if shm.is_dir() {
            tempfile::Builder::new().prefix(prefix).tempdir_in(shm)
        } else {
            TempDir::with_prefix(prefix)
        };
        let root = root.unwrap();
        let engine = FakeEngine::new(&clock).for_instance(root.path().to_str().unwrap());
        let programs = Programs::default();
        programs.install(&engine);
        engine.publish_image(PAUSE_IMAGE, Duration::from_secs(1));
        let chronicle = Chronicle::new(&engine, &clock);
        let mut node = Self {
            engine,
            directory: Directory::default(),
            programs,
            answers: Answers::new(chronicle.clone()),
            restart_after: Duration::from_secs(1),
            starts: PARALLEL_STARTS,
            disturbed: None,
            shutdown: watch::Sender::new(Shutdown::No),
            wrong: Vec::new(),
            told: Told::default(),
            clock,
            root,
            daemon: None,
            restart_at: None,
            chronicle,
            has_told: false,
            foreign: BTreeSet::new(),
        };
        for image in [PAUSE_IMAGE, "app:1", "app:2"] {
            node.add_image(image);
        }
        node
    }

    pub fn note(&mut self, deed: Deed) {
        self.chronicle.note(deed);
    }

    /// A word to the reader of a failure.
    pub fn remark(&mut self, text: &str) {
        self.note(Deed::Remark(text.to_owned()));
    }

    /// Everything so far.
    pub fn story(&self) -> Story {
        Story::new(self.engine.history(), self.chronicle.notes())
    }

    /// Something goes wrong with call number `n`.
    pub fn disturb(&mut self, n: u64, fault: Fault) {
        self.engine.inject(n, fault);
        self.disturbed = Some(n);
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn wished(&self) -> Wished {
        self.told.wished()
    }

    pub fn summary(&self) -> Option<NodeSummary> {
        self.daemon.as_ref().map(|d| d.summary.borrow().clone())
    }

    /// What the daemon says has happened.
    pub fn events(&self) -> Vec<Event> {
        self.daemon.as_ref().map(|d| d.shared.events.events()).unwrap_or_default()
    }

    /// Whether the daemon has taken the last beat of the watchdog.
    pub fn beats(&self) -> bool {
        self.daemon.as_ref().is_some_and(|d| d.pulse.beats())
    }

    // ---- the daemon ----

    pub fn start_daemon(&mut self) {
        self.restart_at = None;
        if self.daemon.is_some() {
            return;
        }
        let client = self.engine.client();
        let facts = NodeFacts::new(self.root().to_path_buf(), node(), String::new());
        let clock = Clock::simulated(self.clock.wall());
        let shared = Shared {
            engine: Limited(client.clone()),
            facts: Facts::new(facts),
            oom: watch::Sender::new(OomSupport::default()),
            volumes: VolumeManager::new(self.root()),
            applied: AppliedStore::new(self.root()),
            events: Recorder::new(clock.clone()),
            clock,
            policy: NodePolicy::default(),
            starts: StartQueue::new(self.starts),
            unpacks: StartQueue::new(PARALLEL_UNPACKS),
            disk: StartQueue::new(PARALLEL_DISK_WORK),
            handlers: Arc::new(self.answers.clone()),
            sandbox_image: SandboxImage::Named(PAUSE_IMAGE.into()),
            log_links: None,
        };
        let mut watcher = Watcher::default();
        let (snapshot, snapshots) = watch::channel(Arc::new(watcher.look(&self.directory)));
        let (summaries, summary) = watch::channel(NodeSummary::default());
        let detach = CancellationToken::new();
        let options = ManagerOptions { sync_frequency: SYNC_FREQUENCY, max_pods: 110, addresses: None };
        self.note(Deed::DaemonUp);
        self.hear();
        let shared = Arc::new(shared);
        let manager = PodManager::new(shared.clone(), options, snapshots, summaries, detach.clone());
        let policy = ShutdownPolicy::from_periods(Duration::from_secs(30), Duration::ZERO);
        let (pulse, beats) = worker::pulse();
        let manager = manager.with_shutdown(policy, self.shutdown.subscribe()).with_beats(beats);
        let task = tokio::spawn(manager.run());
        self.daemon = Some(Daemon { client, task, pulse, shared, snapshot, summary, watcher, detach });
    }

    /// `kill -9`.
    pub async fn kill_daemon(&mut self) {
        let Some(daemon) = self.daemon.take() else { return };
        daemon.client.crash();
        daemon.task.abort();
        self.bury(daemon.task).await;
    }

    /// SIGTERM: the daemon lets go of its pods.
    pub async fn detach_daemon(&mut self) {
        let Some(daemon) = self.daemon.take() else { return };
        daemon.detach.cancel();
        self.bury(daemon.task).await;
        daemon.client.crash();
    }

    async fn bury(&mut self, task: JoinHandle<()>) {
        match tokio::time::timeout(Duration::from_secs(10), task).await {
            Ok(Err(error)) if error.is_panic() => self.wrong.push(format!("the daemon panicked: {error}")),
            Ok(_) => {}
            Err(_) => self.wrong.push("the daemon does not end".into()),
        }
        self.note(Deed::DaemonDown);
    }

    /// The daemon looks at the directory as it is now.
    pub fn publish(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let snapshot = daemon.watcher.look(&self.directory);
            daemon.snapshot.send_replace(Arc::new(snapshot));
            self.hear();
        }
    }

    fn hear(&mut self) {
        let before = self.told.wished();
        self.told.hear(&self.directory);
        let wished = self.told.wished();
        let is_first = !std::mem::replace(&mut self.has_told, true);
        if is_first || !Arc::ptr_eq(&wished, &before) {
            self.note(Deed::Wish(wished));
        }
    }

    // ---- time ----

    /// Lets time pass. A daemon that is killed meanwhile is started again.
    pub async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let crashed = self.daemon.as_ref().map(|d| d.client.clone());
            let crashed = async {
                match crashed {
                    Some(client) => client.crashed().await,
                    None => std::future::pending().await,
                }
            };
            let restart = self.restart_at;
            tokio::select! {
                biased;
                () = crashed => {
                    self.kill_daemon().await;
                    self.restart_at = Some(Instant::now() + self.restart_after);
                }
                () = tokio::time::sleep_until(restart.unwrap_or(until)), if restart.is_some_and(|at| at <= until) => {
                    self.start_daemon();
                }
                () = tokio::time::sleep_until(until) => break,
            }
        }
        if self.daemon.as_ref().is_some_and(|d| d.task.is_finished()) {
            self.wrong.push("the daemon ended by itself".into());
            self.daemon = None;
            self.start_daemon();
        }
    }

    /// Waits until all is as wished and nobody has anything to do any more.
    pub async fn settle(&mut self) {
        self.start_daemon();
        let until = Instant::now() + PATIENCE;
        loop {
            self.pass(Duration::from_secs(5)).await;
            let unlike = self.unlike();
            if unlike.is_empty() {
                break;
            }
            if Instant::now() > until {
                self.wrong.push(format!("not as wished after {PATIENCE:?}: {}", unlike.join("; ")));
                return;
            }
        }
        self.note(Deed::Settled);
    }

    /// Invariant (f): once all is as wished, nothing is asked of the engine but one list each resync.
    pub async fn rest(&mut self) {
        self.pass(LATEST_EVENT).await;
        loop {
            let seen = self.engine.call_count();
            self.pass(2 * SYNC_FREQUENCY).await;
            let calls = self.engine.calls();
            let fault = self.disturbed.and_then(|n| calls.iter().find(|call| call.n == n));
            if fault.is_none_or(|call| self.clock.now().since(call.at) > AFTERMATH) {
                self.wrong.extend(unrest(&calls[usize::try_from(seen).unwrap()..]));
                break;
            }
            // The fault of this play fell just here, or just before.
            self.pass(AFTERMATH).await;
            self.settle().await;
        }
        let unlike = self.unlike();
        if !unlike.is_empty() {
            self.wrong.push(format!("it was as wished, and is no more: {}", unlike.join("; ")));
        }
    }

    // ---- the operator ----

    pub fn add_image(&mut self, reference: &str) {
        self.engine.add_image(reference);
        self.note(Deed::ImageAdded(reference.to_owned()));
    }

    pub fn remove_image(&mut self, reference: &str) {
        self.engine.remove_image(reference);
        self.note(Deed::ImageRemoved(reference.to_owned()));
    }

    /// The newest container of ours of that name in a pod, if there is one; `POD` is the sandbox.
    pub fn container(&self, pod: &str, container: &str) -> Option<ContainerDetails> {
        let is = |c: &ContainerDetails, key: &str, value: &str| c.labels.get(key).is_some_and(|v| v == value);
        let name = format!("{pod}-node1");
        let mut all = self.engine.containers();
        all.reverse();
        all.into_iter()
            .find(|c| is(c, "io.kubernetes.pod.name", &name) && is(c, "io.kubernetes.container.name", container))
    }

    pub fn by_hand(&mut self, pod: &str, container: &str, what: &'static str) {
        let Some(container) = self.container(pod, container) else { return };
        self.by_hand_on(&container.id, what);
    }

    pub fn by_hand_on(&mut self, id: &str, what: &'static str) {
        self.note(Deed::ByHand { id: id.to_owned(), what });
        match what {
            "kill" => self.engine.kill_by_hand(id),
            "exit" => self.engine.exit_by_itself(id, 0),
            "remove" => self.engine.remove_by_hand(id),
            "pause" => self.engine.pause_by_hand(id),
            "unpause" => self.engine.unpause_by_hand(id),
            other => panic!("{other:?} is nothing an operator does"),
        }
    }

    /// Puts a container of somebody else on this name.
    pub fn take_name(&mut self, name: &str) {
        if let Some(id) = self.engine.add_foreign_container(name) {
            self.note(Deed::Remark(format!("a foreign container is {name}")));
            self.foreign.insert(id);
        }
    }

    /// Its owner removes every foreign container.
    pub fn remove_foreign(&mut self) {
        for id in std::mem::take(&mut self.foreign) {
            self.by_hand_on(&id, "remove");
        }
    }

    pub fn jump_clock(&mut self, by: jiff::SignedDuration) {
        self.engine.shift_recorded_times(-by);
        self.note(Deed::ClockJump);
    }
}

/// What is wrong with the calls of two sync periods at rest.
fn unrest(calls: &[Call]) -> Option<String> {
    let (lists, others): (Vec<&Call>, Vec<&Call>) = calls.iter().partition(|call| call.verb == Verb::List);
    if let Some(call) = others.first() {
        return Some(format!("not quiet: {} calls like #{} {} {}", others.len(), call.n, call.verb, call.subject));
    }
    (!(1..=2).contains(&lists.len())).then(|| format!("{} lists in two sync periods", lists.len()))
}
