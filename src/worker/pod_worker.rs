//! The task of one pod: observe, decide, begin, publish, wait.

mod begin;
mod observe;
mod record;

use super::{
    Shared, SyncError, asking::Asking, ends::Ends, execute::Done, journal, logs::Logs, lookup::Lookup, picture::Known,
    summary::PodSummary, view::View,
};
use crate::{
    engine::{Engine, EngineAction, EngineError, EngineState},
    plan::{
        Attempts, Desired, Hold, ImageStates, InFlight, LastResults, PodPlan, StopReason, SyncInput, Target,
        compute_pod_actions, incumbent,
    },
    pod::{AppliedPod, ContainerId, Pod, PodKey, PodUid},
    report,
    status::{PodPicture, Published},
    time::Timestamp,
};
use std::{collections::BTreeMap, collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{AbortHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// What the manager wants of a pod. Latest wins.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Run this.
    Run(Arc<Pod>),
    /// Run this, but do not start it as long as something keeps it.
    RunHeld(Arc<Pod>, Hold),
    /// Go on as the labels say: its manifest can not be read.
    Keep,
    /// End.
    Terminate(StopReason),
    /// Stop and stay stopped, as the node shuts down; everything but processes is kept.
    Stop {
        /// The longest grace any container has.
        grace: Duration,
    },
}

/// A row of the engine's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedContainer {
    /// Engine id.
    pub id: ContainerId,
    /// State.
    pub state: EngineState,
    /// Addresses on its networks.
    pub ips: Vec<IpAddr>,
}

/// A hint to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodMessage {
    /// Something happened to this container.
    Changed {
        /// Which.
        id: ContainerId,
        /// What.
        action: EngineAction,
    },
    /// A list of the pod's containers; after an engine's return everything is looked at again.
    Listed {
        /// Each of them.
        rows: Vec<ListedContainer>,
        /// The engine was away.
        engine_returned: bool,
    },
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEnd {
    /// Nothing is left of the pod.
    Gone,
    /// The daemon let go of it; its containers go on.
    Detached,
}

/// What a task worked on, and its result.
type End = (Target, Result<Done, SyncError>);

/// Longest pause after the engine was found away; its return is told by the manager before that.
const ENGINE_RETRY: Duration = Duration::from_secs(2);

/// The task of one pod.
pub struct PodWorker<E: Engine> {
    shared: Arc<Shared<E>>,
    key: PodKey,
    wish: watch::Receiver<Wish>,
    mailbox: mpsc::Receiver<PodMessage>,
    summary: watch::Sender<PodSummary>,
    bell: Arc<Notify>,
    detach: CancellationToken,
    view: View,
    desired: Desired,
    hold: Hold,
    attempts: Attempts,
    images: ImageStates,
    in_flight: InFlight,
    results: LastResults,
    ends: Ends,
    asking: Asking,
    tasks: JoinSet<End>,
    handles: BTreeMap<Target, AbortHandle>,
    /// Tells what is done for an incarnation that it is to end.
    given_up: BTreeMap<PodUid, CancellationToken>,
    /// What the pod refers to.
    lookup: Lookup,
    /// No action before then: the engine was away.
    paused_until: Option<Timestamp>,
    plan: PodPlan,
    /// Why the pod could not be looked at, as was told.
    unseen: Option<EngineError>,
    /// The manifest that was last noted on disk as applied.
    noted: Option<Arc<Pod>>,
    /// Incarnations whose noted manifest was asked for, or made by us.
    uids: BTreeSet<PodUid>,
    /// Incarnations that may have directories. A wanted one is none of them while another pod has its uid.
    volumes: BTreeSet<PodUid>,
    /// The engine has told of all that is known of the pod, once at least.
    looked_at: bool,
    /// The picture that was published last.
    picture: Option<Published>,
    logs: Logs,
}

impl Wish {
    /// The pod that is to run.
    pub fn pod(&self) -> Option<&Arc<Pod>> {
        match self {
            Self::Run(pod) | Self::RunHeld(pod, _) => Some(pod),
            Self::Keep | Self::Terminate(_) | Self::Stop { .. } => None,
        }
    }
}

impl<E: Engine> PodWorker<E> {
    /// A worker that first looks at `known` containers.
    pub fn new(
        shared: Arc<Shared<E>>,
        key: PodKey,
        known: impl IntoIterator<Item = ContainerId>,
        wish: watch::Receiver<Wish>,
        mailbox: mpsc::Receiver<PodMessage>,
        (summary, bell): (watch::Sender<PodSummary>, Arc<Notify>),
        detach: CancellationToken,
    ) -> Self {
        let mut view = View::default();
        let mut volumes = BTreeSet::new();
        if let Wish::Run(pod) | Wish::RunHeld(pod, Hold { uid: None, .. }) = &*wish.borrow() {
            // They may be there from before our last start.
            volumes.insert(pod.uid.clone());
        }
        known.into_iter().for_each(|id| view.mark(id));
        let lookup = Lookup::new(shared.facts.reader());
        Self {
            shared,
            key,
            wish,
            mailbox,
            summary,
            bell,
            detach,
            view,
            desired: Desired::Leave,
            hold: Hold::default(),
            attempts: Attempts::new(),
            images: ImageStates::new(),
            in_flight: InFlight::new(),
            results: LastResults::new(),
            ends: Ends::default(),
            asking: Asking::default(),
            tasks: JoinSet::new(),
            handles: BTreeMap::new(),
            given_up: BTreeMap::new(),
            lookup,
            paused_until: None,
            plan: PodPlan::default(),
            unseen: None,
            noted: None,
            uids: BTreeSet::new(),
            volumes,
            looked_at: false,
            picture: None,
            logs: Logs::default(),
        }
    }

    /// Runs until nothing is left of the pod or the daemon lets go of it.
    pub async fn run(mut self) -> WorkerEnd {
        let detach = self.detach.clone();
        loop {
            tokio::select! {
                biased;
                () = detach.cancelled() => return WorkerEnd::Detached,
                // Cancel-safe: what was not looked at stays marked.
                () = self.observe() => {}
            }
            self.take_wish();
            self.lookup.look_up(&self.desired, self.view.pod(), &self.shared.volumes);
            // What could not be looked at may be otherwise by now: nothing is decided.
            if !self.is_paused() {
                let plan = self.decide();
                if plan.done {
                    return WorkerEnd::Gone;
                }
                self.ends.begin(&self.shared, &self.key, self.view.pod(), &plan);
                self.note_plan(plan);
                self.give_up();
                let wanted = self.wanted().cloned();
                self.asking.follow(&self.shared, &self.plan, self.view.pod(), wanted.as_ref());
                for action in self.plan.actions.clone() {
                    self.begin(action);
                }
            }
            self.publish();
            let wake = self.paused_until.or(self.plan.wake_at);
            tokio::select! {
                // In order, so that one history of causes has one course. None can starve the others: each
                // round takes all that wait.
                biased;
                // Detaching drops all tasks; what they have asked of the engine goes on.
                () = detach.cancelled() => return WorkerEnd::Detached,
                // Cancel-safe: a change that is missed here is seen by the next `borrow`.
                changed = self.wish.changed() => {
                    if changed.is_err() {
                        return WorkerEnd::Detached;
                    }
                }
                // Cancel-safe, as above.
                () = self.lookup.changed() => {}
                // Cancel-safe: the end of a task stays in the set until it is taken.
                Some(end) = self.tasks.join_next_with_id() => self.record(end),
                report = self.asking.next() => self.asking.record(&self.shared.events, &self.key, self.view.pod(), &report),
                // Cancel-safe: a message is taken whole or stays.
                message = self.mailbox.recv() => match message {
                    Some(message) => self.absorb(message),
                    None => return WorkerEnd::Detached,
                },
                () = sleep_until(&self.shared.clock, wake) => {}
            }
            self.drain();
        }
    }

    /// A burst of causes is one round.
    fn drain(&mut self) {
        while let Ok(message) = self.mailbox.try_recv() {
            self.absorb(message);
        }
        while let Some(end) = self.tasks.try_join_next_with_id() {
            self.record(end);
        }
        while let Some(report) = self.asking.try_next() {
            self.asking.record(&self.shared.events, &self.key, self.view.pod(), &report);
        }
    }

    fn absorb(&mut self, message: PodMessage) {
        match message {
            PodMessage::Changed { id, action } => {
                if !self.is_own_doing(&id, action) {
                    self.view.mark(id);
                }
            }
            PodMessage::Listed { rows, engine_returned } => {
                self.view.compare(&rows);
                if engine_returned {
                    self.paused_until = None;
                    self.view.mark_all();
                    self.images.clear();
                    rows.into_iter().for_each(|row| self.view.mark(row.id));
                }
            }
        }
    }

    /// Whether an event tells of what we are doing right now, which is looked at when that has ended,
    /// or of the end of what is known to be gone.
    fn is_own_doing(&self, id: &ContainerId, action: EngineAction) -> bool {
        let mut doing = self.in_flight.values();
        match action {
            EngineAction::Create | EngineAction::Start => doing.any(|a| a.makes_for().is_some()),
            EngineAction::Destroy if !self.view.knows(id) => true,
            EngineAction::Die | EngineAction::Destroy | EngineAction::Oom | EngineAction::Other => {
                doing.any(|a| a.instance() == Some(id))
            }
        }
    }

    fn is_paused(&mut self) -> bool {
        if self.paused_until.is_some_and(|until| self.shared.clock.now() >= until) {
            self.paused_until = None;
        }
        self.paused_until.is_some()
    }

    fn pause(&mut self) {
        self.paused_until = Some(self.shared.clock.now() + ENGINE_RETRY);
    }

    fn take_wish(&mut self) {
        let wish = self.wish.borrow_and_update().clone();
        let before = std::mem::take(&mut self.hold);
        let desired = match wish {
            Wish::Run(pod) => Desired::Run(pod),
            Wish::RunHeld(pod, hold) => {
                self.hold = hold;
                Desired::Run(pod)
            }
            Wish::Terminate(reason) => Desired::Terminate(reason),
            Wish::Stop { grace } => Desired::Stop { grace },
            Wish::Keep => match &self.desired {
                Desired::Run(pod) => {
                    // Who had its uid may have it still.
                    self.hold.uid.clone_from(&before.uid);
                    Desired::Run(pod.clone())
                }
                Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => self.as_applied(),
            },
        };
        let is_news = desired != self.desired;
        if let Desired::Run(pod) = &desired
            && self.hold.uid.is_none()
            && (is_news || before.uid.is_some())
        {
            self.volumes.insert(pod.uid.clone());
        }
        if is_news {
            // What failed for the old wish may succeed for the new one, and an image seen long ago may be
            // gone when something is ended for it.
            self.results.clear();
            self.images.clear();
            if matches!(desired, Desired::Terminate(_) | Desired::Stop { .. }) {
                // A pull may take long and is of no use any more.
                let pulls = self.handles.iter().filter(|(target, _)| matches!(target, Target::Image(_)));
                pulls.for_each(|(_, handle)| handle.abort());
            }
            self.desired = desired;
        }
        self.note_applied();
    }

    fn as_applied(&self) -> Desired {
        incumbent(self.view.pod()).map_or(Desired::Leave, |pod| Desired::Run(pod.clone()))
    }

    /// An edit that restarts nothing takes effect at once, and must outlive us; labels can not change.
    fn note_applied(&mut self) {
        let Desired::Run(pod) = &self.desired else { return };
        if self.noted.as_ref().is_some_and(|n| Arc::ptr_eq(n, pod)) || self.ends.doomed().contains(&pod.uid) {
            return;
        }
        let Some(incarnation) = self.view.pod().incarnation(&pod.uid) else { return };
        let same = matches!(&incarnation.applied, AppliedPod::Known(applied)
            if applied.config_hash == pod.config_hash && applied.source == pod.source);
        let pod = pod.clone();
        if !same && let Err(error) = self.shared.applied.save_applied(&pod.uid, &pod.written, &pod.source) {
            warn!(pod = %self.key, uid = %pod.uid, "the edit will be forgotten if this daemon restarts: {}", report(&error));
        }
        self.view.apply(&pod);
        self.noted = Some(pod);
    }

    fn decide(&self) -> PodPlan {
        compute_pod_actions(&SyncInput {
            now: self.shared.clock.now(),
            desired: &self.desired,
            observed: self.view.pod(),
            attempts: &self.attempts,
            images: &self.images,
            volumes: &self.volumes,
            in_flight: &self.in_flight,
            results: &self.results,
            references: self.lookup.states(),
            terminating: self.ends.doomed(),
            endings: self.ends.containers(),
            probes: self.asking.verdicts(),
            hooks: self.asking.hooks(),
            policy: &self.shared.policy,
            hold: &self.hold,
        })
    }

    fn note_plan(&mut self, plan: PodPlan) {
        self.journal(self.uid(), self.wanted()).waiting(&self.plan, &plan, &self.results);
        self.plan = plan;
    }

    fn uid(&self) -> Option<&PodUid> {
        match &self.desired {
            Desired::Run(pod) => Some(&pod.uid),
            Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => {
                self.view.pod().incarnations.first().map(|i| &i.uid)
            }
        }
    }

    /// The pod that is wanted.
    fn wanted(&self) -> Option<&Arc<Pod>> {
        match &self.desired {
            Desired::Run(pod) => Some(pod),
            Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => None,
        }
    }

    /// Whom what is said happens to.
    fn journal<'a>(&'a self, uid: Option<&'a PodUid>, pod: Option<&'a Arc<Pod>>) -> journal::Subject<'a> {
        journal::Subject { events: &self.shared.events, key: &self.key, uid, pod: pod.map(|pod| &**pod) }
    }

    fn publish(&mut self) {
        let picture = self.picture();
        if picture.as_ref() != self.picture.as_ref().map(|p| &*p.0) {
            self.picture = picture.map(|picture| Published(Arc::new(picture)));
        }
        let quiet = self.in_flight.is_empty()
            && self.plan.actions.is_empty()
            && !self.view.is_dirty()
            && self.paused_until.is_none();
        let uid = self.uid().cloned();
        let uids = self.looked_at.then(|| self.volumes.clone());
        let summary = PodSummary::of(uid, &self.desired, self.view.pod(), &self.plan, self.picture.clone(), quiet);
        let summary = PodSummary { uids, ..summary };
        if *self.summary.borrow() != summary {
            self.summary.send_replace(summary);
            self.bell.notify_one();
        }
    }

    fn picture(&self) -> Option<PodPicture> {
        let known = Known {
            key: &self.key,
            desired: &self.desired,
            observed: self.view.pod(),
            plan: &self.plan,
            results: &self.results,
            probes: Some(self.asking.verdicts()),
            hooks: self.asking.hooks(),
            is_ending: &|incarnation| self.ends.doomed().contains(&incarnation.uid),
            previous: self.picture.as_ref().map(|p| &*p.0),
            now: self.shared.clock.wall(),
        };
        known.picture()
    }
}

async fn sleep_until(clock: &crate::time::Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}
