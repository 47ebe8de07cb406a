//! Keeps one worker for each pod: those that are declared, and those that the engine still holds.
//!
//! Owns the engine's event stream, the list of our containers, and what each pod's wish is. It ends
//! no pod before the engine was listed and the manifests were read completely once; a directory that
//! can not be read is not an empty one.

mod connection;
mod holds;
mod shutdown;

use self::shutdown::NodeShutdown;
use super::{Beats, ListedContainer, PodMessage, PodSummary, PodWorker, Shared, Wish, WorkerEnd};
use crate::{
    convert,
    engine::{Engine, EngineError, EngineEvent},
    event::{EventType, reason},
    manifest::{
        Held, ManifestSet, Snapshot,
        diagnostic::{Diagnostic, Severity},
        set::{Incumbent, Resolver},
    },
    plan::StopReason,
    pod::{ContainerId, ManifestSource, PodKey, PodUid, PortTaken},
    report,
    shutdown::ShutdownPhase,
    volume::LogLinks,
};
use futures_util::{StreamExt, stream::BoxStream};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

/// Figures of a manager.
#[derive(Clone, Debug)]
pub struct ManagerOptions {
    /// `--sync-frequency`: how often all containers are listed though nothing seems to have changed.
    pub sync_frequency: Duration,
    /// `--max-pods`.
    pub max_pods: usize,
    /// Finds the node's addresses, which come and go; `None` if they are given.
    pub addresses: Option<fn() -> Vec<IpAddr>>,
}

/// Whether the engine answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EngineHealth {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It answers; the text is its version.
    Connected(String),
    /// It does not, and why.
    Waiting(String),
}

/// What others see of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSummary {
    /// Whether the engine answers.
    pub engine: EngineHealth,
    /// All pods with a worker.
    pub pods: BTreeMap<PodKey, PodSummary>,
    /// Generation of the manifest snapshot that was acted on.
    pub generation: u64,
    /// All containers of ours were listed at least once.
    pub adopted: bool,
    /// Findings about the files together: clashes of names, too many pods.
    pub findings: Vec<Diagnostic>,
    /// How far the shutdown of the node is.
    pub shutdown: ShutdownPhase,
}

/// Hints that wait for a worker; more than that and it is told to look at everything.
const MAILBOX: usize = 64;
/// First and longest pause between tries to reach the engine.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The keeper of all workers.
pub struct PodManager<E: Engine> {
    shared: Arc<Shared<E>>,
    options: ManagerOptions,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    summary: watch::Sender<NodeSummary>,
    detach: CancellationToken,
    workers: BTreeMap<PodKey, Handle>,
    tasks: JoinSet<End>,
    /// What the last list held of each pod; `None` before the first one.
    listed: Option<BTreeMap<PodKey, Listed>>,
    resolver: Resolver,
    set: ManifestSet,
    /// Pods that can not have their host ports, and who has them.
    taken_ports: BTreeMap<PodKey, PortTaken>,
    /// Directories of pods that are gone were looked for.
    swept: bool,
    /// Some hints were lost: list soon, and as after a return of the engine if that was missed.
    relist: Option<Relist>,
    /// Rung by workers whose summary changed.
    bell: Arc<Notify>,
    /// Why files are refused at the moment.
    refusals: BTreeSet<String>,
    shutdown: NodeShutdown,
    /// Who asks whether this turns.
    beats: Option<Beats>,
}

/// How thorough the next list must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Relist {
    /// What differs is looked at.
    Compare,
    /// Everything is looked at.
    EngineReturned,
}

struct Handle {
    wish: watch::Sender<Wish>,
    mailbox: mpsc::Sender<PodMessage>,
    summary: watch::Receiver<PodSummary>,
    task: tokio::task::AbortHandle,
}

/// The rows of one pod in a list of the engine.
#[derive(Clone, Debug, Default, PartialEq)]
struct Listed {
    rows: Vec<ListedContainer>,
    uids: BTreeSet<PodUid>,
    source: Option<ManifestSource>,
}

/// Which worker ended, and how.
type End = (PodKey, WorkerEnd);
type Events = BoxStream<'static, Result<EngineEvent, EngineError>>;

impl<E: Engine> PodManager<E> {
    /// A manager for the pods of `snapshot`.
    pub fn new(
        shared: Arc<Shared<E>>,
        options: ManagerOptions,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        summary: watch::Sender<NodeSummary>,
        detach: CancellationToken,
    ) -> Self {
        let resolver =
            Resolver::new(shared.facts().node.clone(), options.max_pods).with_rules(shared.policy.node.clone());
        Self {
            shared,
            resolver,
            options,
            snapshot,
            summary,
            detach,
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
            listed: None,
            set: ManifestSet::default(),
            taken_ports: BTreeMap::new(),
            swept: false,
            relist: None,
            bell: Arc::new(Notify::new()),
            refusals: BTreeSet::new(),
            shutdown: NodeShutdown::never(),
            beats: None,
        }
    }

    /// Takes what a [`Pulse`](super::Pulse) asks.
    #[must_use]
    pub fn with_beats(mut self, beats: Beats) -> Self {
        self.beats = Some(beats);
        self
    }

    /// Runs until detached; all containers go on.
    pub async fn run(mut self) {
        let detach = self.detach.clone();
        let beats = self.beats.take();
        let beats = async { if let Some(beats) = beats { beats.take().await } else { std::future::pending().await } };
        tokio::select! {
            biased;
            // Whatever is asked of the engine just now.
            () = detach.cancelled() => {}
            // In one task with all that this does: if that holds up the task, nobody takes them.
            () = beats => {}
            () = self.keep() => {}
        }
        // Workers see the same token; what they asked of the engine goes on without them.
        while self.tasks.join_next().await.is_some() {}
    }

    /// Serves until the event stream breaks (the reason is returned) or the manager is detached.
    async fn serve(&mut self, mut events: Events) -> Option<EngineError> {
        let mut resync = tokio::time::interval(self.options.sync_frequency);
        resync.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        resync.reset();
        self.reconcile();
        loop {
            let cut = tokio::select! {
                // In order, so that one history of causes has one course; events, of which there may be
                // many, come last.
                biased;
                () = self.detach.cancelled() => return None,
                changed = self.snapshot.changed() => {
                    if changed.is_err() {
                        return None;
                    }
                    self.reconcile();
                    None
                }
                // Cancel-safe: the end of a worker stays in the set until it is taken.
                Some(end) = self.tasks.join_next_with_id() => { self.buried(end); None }
                () = self.shutdown.changed(&self.shared.clock) => None,
                _ = resync.tick() => self.list(Relist::Compare).await.err(),
                () = self.bell.notified() => None,
                // Cancel-safe: a stream's next item stays in it.
                event = events.next() => match event {
                    Some(Ok(event)) => { self.route(&event); None }
                    Some(Err(error)) => Some(error),
                    None => Some(EngineError::Unavailable { operation: "events".into(), message: "the stream ended".into() }),
                },
            };
            if cut.is_some() {
                return cut;
            }
            if let Some(how) = self.relist.take()
                && let Err(error) = self.list(how).await
            {
                return Some(error);
            }
            self.release();
            if self.advance_shutdown() {
                self.reconcile();
            }
            self.publish();
        }
    }

    /// Lists all our containers and tells each worker of its own.
    async fn list(&mut self, how: Relist) -> Result<(), EngineError> {
        if let Some(addresses) = self.options.addresses {
            self.shared.facts.note_addresses(addresses());
        }
        let instance = self.shared.facts().instance.clone();
        let rows = self.shared.engine.list(convert::MANAGED_BY, instance.as_str()).await?;
        let mut listed: BTreeMap<PodKey, Listed> = BTreeMap::new();
        for row in rows {
            let Some((key, uid)) = convert::listed_identity(&row, &instance) else {
                debug!(container_id = row.id, "a container with our label is none of a pod's and is left alone");
                continue;
            };
            let pod = listed.entry(key).or_default();
            pod.source = pod.source.take().or_else(|| convert::source(&row.labels));
            pod.uids.insert(uid);
            pod.rows.push(ListedContainer { id: ContainerId::new(row.id), state: row.state, ips: row.ips });
        }
        for (key, handle) in &self.workers {
            let rows = listed.get(key).map(|l| l.rows.clone()).unwrap_or_default();
            let message = PodMessage::Listed { rows, engine_returned: how == Relist::EngineReturned };
            if let Err(mpsc::error::TrySendError::Full(_)) = handle.mailbox.try_send(message) {
                self.relist = self.relist.max(Some(how));
            }
        }
        let unkept = listed.keys().any(|key| !self.workers.contains_key(key));
        if self.listed.replace(listed).is_none() {
            self.summary.send_modify(|s| s.adopted = true);
        }
        if unkept {
            self.reconcile();
        }
        Ok(())
    }

    fn route(&mut self, event: &EngineEvent) {
        let facts = self.shared.facts();
        let Some((key, _)) = convert::pod_identity(&event.labels, &facts.instance) else { return };
        let Some(handle) = self.workers.get(&key) else {
            // Something of ours that nobody looks after: a list finds out.
            if event.action != crate::engine::EngineAction::Destroy {
                self.relist = self.relist.max(Some(Relist::Compare));
            }
            return;
        };
        if handle
            .mailbox
            .try_send(PodMessage::Changed { id: ContainerId::new(event.id.clone()), action: event.action })
            .is_err()
        {
            self.relist = self.relist.max(Some(Relist::Compare));
        }
    }

    /// Gives every pod its wish. Nothing is decided before the engine was listed once.
    fn reconcile(&mut self) {
        let Some(listed) = &self.listed else { return };
        let snapshot = self.snapshot.borrow_and_update().clone();
        let incumbents = self.incumbents(listed);
        let set = self.resolver.resolve(&snapshot, &self.set, &incumbents);
        for diagnostic in set.diagnostics.iter().filter(|d| !self.set.diagnostics.contains(d)) {
            match diagnostic.severity {
                Severity::Error => error!(file = %diagnostic.path.display(), "{diagnostic}"),
                Severity::Warning => warn!(file = %diagnostic.path.display(), "{diagnostic}"),
            }
        }
        for (key, mismatch) in set.elsewhere.iter().filter(|(key, _)| !self.set.elsewhere.contains_key(*key)) {
            info!(pod = %key, reason = mismatch.reason, "this node has no share of the DaemonSet: {}", mismatch.message);
        }
        let keys: BTreeSet<PodKey> = set.pods.keys().chain(self.workers.keys()).chain(listed.keys()).cloned().collect();
        self.set = set;
        // Before the wishes: what a pod refers to may have come in the same file.
        self.shared.note_objects(&self.set.objects);
        self.sweep();
        self.look_at_ports();
        // The most important first: after a boot they stand first in the queue for a start.
        let mut keys: Vec<(Reverse<i32>, PodKey)> = keys.into_iter().map(|k| (Reverse(self.priority(&k)), k)).collect();
        keys.sort();
        for (Reverse(priority), key) in keys {
            let wish = self.wish(&key, incumbents.get(&key).map(|pod| &pod.source));
            let wish = self.shutdown.wish(priority, wish);
            self.grant(&key, wish);
        }
        self.summary.send_modify(|s| {
            s.generation = self.set.generation;
            s.findings.clone_from(&self.set.diagnostics);
        });
        self.publish();
        self.tell_refusals(&snapshot);
    }

    /// An event of the node for each new cause to refuse a file. The log has it from whoever found it.
    fn tell_refusals(&mut self, snapshot: &Snapshot) {
        let of_files = snapshot.files.values().flat_map(|file| &file.diagnostics);
        let refusals: BTreeSet<String> =
            of_files.chain(&self.set.diagnostics).filter(|d| d.is_error()).map(ToString::to_string).collect();
        let node = &self.shared.facts().node.name;
        for refusal in refusals.difference(&self.refusals) {
            let message = format!("Manifest refused, what it declared before stays: {refusal}");
            self.shared.events.keep_of_node(node, EventType::Warning, reason::FAILED_VALIDATION, &message);
        }
        self.refusals = refusals;
    }

    /// Removes, once, the directories of pods that ended while nobody looked. Before any pod is granted
    /// its wish, so that no directory can be in the making; they are removed under other names, which may take long.
    fn sweep(&mut self) {
        let (Some(listed), Held::Files(_), false) = (&self.listed, &self.set.held, self.swept) else { return };
        self.swept = true;
        let mut keep: BTreeSet<PodUid> = listed.values().flat_map(|pod| pod.uids.iter().cloned()).collect();
        keep.extend(self.set.pods.values().map(|pod| pod.uid.clone()));
        match self.shared.volumes.set_aside(&keep) {
            Ok(leftovers) => {
                for failed in &leftovers.failed {
                    warn!("a directory of a pod that is gone is left behind: {}", report(failed));
                }
                let shared = self.shared.clone();
                let remove = move || leftovers.aside.iter().for_each(|(uid, path)| remove_aside(&shared, uid, path));
                if self.shared.clock.is_simulated() {
                    // A thread would end at a moment that simulated time does not know.
                    remove();
                } else {
                    drop(tokio::task::spawn_blocking(remove));
                }
            }
            Err(error) => warn!("leftover directories of pods can not be looked for: {}", report(&error)),
        }
        if let Some(Err(error)) = self.shared.log_links.as_ref().map(LogLinks::sweep) {
            warn!("links to logs of containers that are gone can not be looked for: {error}");
        }
    }

    /// From which file each pod runs (the manifest noted as applied, else the labels), and with which uids.
    fn incumbents(&self, listed: &BTreeMap<PodKey, Listed>) -> BTreeMap<PodKey, Incumbent> {
        let mut incumbents = BTreeMap::new();
        let incumbent = |key: &PodKey, source| (key.clone(), Incumbent { source, uids: self.uids(key) });
        for (key, handle) in &self.workers {
            if let Some(pod) = handle.wish.borrow().pod() {
                incumbents.extend([incumbent(key, pod.source.clone())]);
            }
        }
        for (key, pod) in listed {
            if incumbents.contains_key(key) {
                continue;
            }
            let noted = pod.uids.iter().find_map(|uid| self.shared.applied.load_applied(uid)).map(|(_, source)| source);
            if let Some(source) = noted.or_else(|| pod.source.clone()) {
                incumbents.extend([incumbent(key, source)]);
            }
        }
        incumbents
    }

    fn grant(&mut self, key: &PodKey, wish: Wish) {
        if let Some(handle) = self.workers.get(key) {
            let mut news = None;
            handle.wish.send_if_modified(|old| {
                let changed = *old != wish;
                if changed {
                    news = Some(std::mem::replace(old, wish.clone()));
                }
                changed
            });
            if news.is_some_and(|before| before.pod().is_none() || before.pod() != wish.pod()) {
                announce(key, &wish, &self.shared.facts().node.name);
            }
            return;
        }
        let known = self.listed.as_ref().and_then(|l| l.get(key)).map(|l| l.rows.clone()).unwrap_or_default();
        if known.is_empty() && (wish.pod().is_none() || self.shutdown.is_under_way()) {
            return;
        }
        announce(key, &wish, &self.shared.facts().node.name);
        let (wish_tx, wish_rx) = watch::channel(wish);
        let (mailbox_tx, mailbox_rx) = mpsc::channel(MAILBOX);
        let (summary_tx, summary_rx) = watch::channel(PodSummary::default());
        let worker = PodWorker::new(
            self.shared.clone(),
            key.clone(),
            known.into_iter().map(|row| row.id),
            wish_rx,
            mailbox_rx,
            (summary_tx, self.bell.clone()),
            self.detach.clone(),
        );
        let named = key.clone();
        let task = self.tasks.spawn(async move { (named, worker.run().await) });
        self.workers.insert(key.clone(), Handle { wish: wish_tx, mailbox: mailbox_tx, summary: summary_rx, task });
    }

    /// A worker ended. One that fell over is replaced by a new one on the same engine state.
    fn buried(&mut self, end: Result<(tokio::task::Id, End), tokio::task::JoinError>) {
        match end {
            Ok((_, (key, WorkerEnd::Gone))) => {
                self.workers.remove(&key);
                if let Some(listed) = &mut self.listed {
                    listed.remove(&key);
                }
                info!(pod = %key, reason = "PodGone", "nothing is left of the pod");
                // It may have been declared again meanwhile.
                let wish = self.wish(&key, None);
                if wish.pod().is_some() {
                    self.grant(&key, wish);
                }
            }
            Ok((_, (key, WorkerEnd::Detached))) => drop(self.workers.remove(&key)),
            Err(failed) => {
                let key = self.workers.iter().find(|(_, h)| h.task.id() == failed.id()).map(|(k, _)| k.clone());
                let Some(key) = key else { return };
                error!(pod = %key, "the pod's worker ended abnormally and is replaced: {failed}");
                self.workers.remove(&key);
                self.relist = self.relist.max(Some(Relist::Compare));
            }
        }
    }

    fn publish(&self) {
        self.summary.send_if_modified(|summary| {
            let pods: BTreeMap<PodKey, PodSummary> =
                self.workers.iter().map(|(key, h)| (key.clone(), h.summary.borrow().clone())).collect();
            let changed = summary.pods != pods;
            summary.pods = pods;
            changed
        });
    }
}

fn remove_aside<E: Engine>(shared: &Shared<E>, uid: &str, path: &Path) {
    match shared.volumes.remove_aside(path) {
        Ok(()) => info!(uid, "removed the directory of a pod that is gone"),
        Err(error) => warn!(uid, "a directory of a pod that is gone is left behind: {}", report(&error)),
    }
}

/// What is wanted of a pod, given the manifests and where it runs from.
fn wish(set: &ManifestSet, key: &PodKey, runs_from: Option<&ManifestSource>) -> Wish {
    if let Some(pod) = set.pods.get(key) {
        return Wish::Run(pod.clone());
    }
    match &set.held {
        Held::Everything => Wish::Keep,
        Held::Files(files) if runs_from.is_some_and(|source| files.contains(&source.path)) => Wish::Keep,
        Held::Files(_) => Wish::Terminate(StopReason::PodRemoved),
    }
}

/// `node` is the name of this one.
fn announce(key: &PodKey, wish: &Wish, node: &str) {
    match wish {
        Wish::Run(pod) | Wish::RunHeld(pod, _) => {
            info!(pod = %key, uid = %pod.uid, file = %pod.source, config_hash = pod.config_hash, "pod declared");
        }
        Wish::Stop { grace } => {
            info!(pod = %key, reason = "NodeShutdown", grace_seconds = grace.as_secs(), "the node shuts down: stopping the pod");
        }
        Wish::Keep => warn!(pod = %key, "the pod's manifest can not be read: it is kept as it runs"),
        Wish::Terminate(_) if !key.name.ends_with(&format!("-{node}")) => warn!(
            pod = %key, reason = "PodRemoved",
            "the pod is of a node of another name, and this one is {node}: ending it; what its manifest declares starts \
             under the new name (--hostname-override gives the old one back)"
        ),
        Wish::Terminate(_) => {
            info!(pod = %key, reason = "PodRemoved", "the pod's manifest is gone: ending the pod");
        }
    }
}

#[cfg(test)]
mod tests;
