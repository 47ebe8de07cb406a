//! Every decision about a pod: what may be done for it *now*, why the rest waits, when to ask again.
//!
//! Owns [`compute_pod_actions`], a function of values: it never logs, waits, reads a clock, a file
//! or the engine, and nothing else decides what happens to a pod. A plan holds only actions that
//! may start at once, independent of one another, at most one for each [`Target`]. What depends on
//! an earlier effect is planned in a later round, after the effect has been observed; hence a crash
//! between any two actions is indistinguishable from one more turn of the loop.
//!
//! ```text
//! Stop                       ──► halt: containers → sidecars in reverse → sandbox; nothing is removed
//! Terminate, or a doomed uid ──► terminate: containers → sidecars in reverse → containers removed,
//!                                           sandbox stopped → volumes and sandbox removed
//! Run, another uid is there  ──► images of the new pod first, then terminate the other
//! Run                        ──► sandbox → rounds (`RestartAllContainers`) → edits → init and sidecars → apps → tombstones
//! ```

pub mod action;
mod admission;
pub mod backoff;
mod containers;
mod deadline;
mod ending;
mod images;
mod probes;
mod references;
mod replace;
mod rounds;
mod sandbox;
mod terminate;
#[cfg(test)]
mod tests;

pub use action::{Ending, EndingProgress, PodAction, StopReason, Target, Then, Volumes};
pub use admission::{Hold, SameUid};
pub use probes::{is_post_started, is_started};
pub use replace::incumbent;

use crate::{
    engine::ImageDetails,
    pod::{
        Attempt, ContainerId, ContainerKind, ContainerName, ImageRef, Incarnation, NodeMismatch, NodeRules,
        ObservedPod, Pod, PodKey, PodReferences, PodUid, ProbeKey, ProbeVerdicts,
    },
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What should become of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Desired {
    /// It runs, as this manifest says.
    Run(Arc<Pod>),
    /// It ends, with the grace of the spec that runs.
    Terminate(StopReason),
    /// Its processes end, and all else stays: the node shuts down and will start it again.
    Stop {
        /// The longest grace any container has.
        grace: Duration,
    },
    /// It is left as it is, unless its end has begun: its manifest can not be read and neither can
    /// what it runs with.
    Leave,
}

/// Everything a decision may depend on.
#[derive(Clone, Copy, Debug)]
pub struct SyncInput<'a> {
    /// The present.
    pub now: Timestamp,
    /// The wish.
    pub desired: &'a Desired,
    /// The engine's truth.
    pub observed: &'a ObservedPod,
    /// The highest restart counts that were seen of what is observed, as records may have been removed.
    pub attempts: &'a Attempts,
    /// Images known to be on the node; one that is absent here is not known.
    pub images: &'a ImageStates,
    /// Incarnations that may have directories on the disk.
    pub volumes: &'a BTreeSet<PodUid>,
    /// Actions begun and not finished.
    pub in_flight: &'a InFlight,
    /// Failures since the last success, by target.
    pub results: &'a LastResults,
    /// How it stands with what each incarnation refers to; nothing said, it refers to nothing.
    pub references: &'a ReferenceStates,
    /// Incarnations whose end has begun: nothing may overwrite a pending end.
    pub terminating: &'a BTreeSet<PodUid>,
    /// Containers whose end has begun, whether they have ended since or not.
    pub endings: &'a Endings,
    /// What probes have found out.
    pub probes: &'a ProbeVerdicts,
    /// What is known of lifecycle hooks.
    pub hooks: &'a HookStates,
    /// Figures of the node.
    pub policy: &'a NodePolicy,
    /// What among other pods keeps this one from starting.
    pub hold: &'a Hold,
}

/// Images known to be present, with what the engine says of them.
pub type ImageStates = BTreeMap<ImageRef, Arc<ImageDetails>>;
/// The highest restart count seen of each container of an incarnation.
pub type Attempts = BTreeMap<(PodUid, ContainerName), Attempt>;
/// How it stands with what pods refer to, by incarnation.
pub type ReferenceStates = BTreeMap<PodUid, PodReferences>;
/// Actions begun and not finished, with their start.
pub type InFlight = BTreeMap<Target, PodAction>;
/// Ends that have begun, by container.
pub type Endings = BTreeMap<ContainerId, Ending>;
/// What is known of lifecycle hooks, by container. One without an entry has none to run but, when it
/// ends, its `preStop`.
pub type HookStates = BTreeMap<ContainerId, HookState>;
/// The last failure of each target.
pub type LastResults = BTreeMap<Target, Failure>;

/// How it stands with the hooks of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookState {
    /// We have started it, so its `postStart`, if it has one, is ours to run. A container that ran when
    /// the daemon came is not asked again, as with the kubelet.
    PostStartDue,
    /// Its `postStart` failed: it is ended.
    PostStartFailed,
    /// Its `preStop` has ended, one way or another.
    PreStopDone,
}

/// A failed action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How often in a row.
    pub failures: u32,
    /// How soon it is tried again.
    pub pace: backoff::Pace,
    /// When it last failed.
    pub at: Timestamp,
    /// The kubelet's word, as in `ErrImagePull`.
    pub reason: &'static str,
    /// The whole error chain.
    pub message: String,
}

/// Figures that are the node's, not the pod's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodePolicy {
    /// Longest CrashLoopBackOff delay (`crashLoopBackOff.maxContainerRestartPeriod`).
    pub max_container_restart_period: Duration,
    /// What pods may ask of the node before they start.
    pub node: Arc<NodeRules>,
}

impl Default for NodePolicy {
    fn default() -> Self {
        Self { max_container_restart_period: backoff::MAX_CONTAINER_RESTART_PERIOD, node: Arc::default() }
    }
}

/// The decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodPlan {
    /// What to begin now.
    pub actions: Vec<PodAction>,
    /// Why a container that should run does not.
    pub waiting: BTreeMap<ContainerName, WaitingReason>,
    /// Incarnations that are being ended.
    pub terminating: BTreeSet<PodUid>,
    /// Containers whose end begins with this plan, or was moved forward by it.
    pub endings: Endings,
    /// The probes that are to be asked from now on; no others are.
    pub probes: BTreeSet<ProbeKey>,
    /// The earliest moment at which the answer changes by itself.
    pub wake_at: Option<Timestamp>,
    /// Containers that run with another environment than they would get now, as something they took it
    /// from has changed or is gone.
    pub stale: BTreeSet<ContainerName>,
    /// All containers of the pod have ended and none is due to start again, or are being ended for good.
    pub finished: bool,
    /// It was not done when `activeDeadlineSeconds` had passed, and is therefore being ended.
    pub deadline_exceeded: bool,
    /// Nothing is left of a pod that should end.
    pub done: bool,
}

/// `state.waiting` of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingReason {
    /// On its way.
    ContainerCreating,
    /// Init containers come first.
    PodInitializing,
    /// Restarted too often; the next start is due then.
    CrashLoopBackOff {
        /// The whole delay.
        delay: Duration,
        /// When it ends.
        until: Timestamp,
    },
    /// It refers to an object that is not there, and goes on when that is.
    Missing {
        /// The kubelet's word, as in `CreateContainerConfigError`.
        reason: &'static str,
        /// The kubelet's words, as in `configmap "x" not found`.
        message: String,
    },
    /// A failed action that is tried again; the reason is the kubelet's word.
    Failed {
        /// As in `ImagePullBackOff`, `CreateContainerError`.
        reason: &'static str,
        /// When it is tried again.
        until: Timestamp,
    },
    /// The node is not one that the pod asks for.
    NodeMismatch(NodeMismatch),
    /// These pods are not ready yet.
    StartAfter(BTreeSet<PodKey>),
    /// Another pod has the same given uid, and so the same directory.
    SameUid(SameUid),
}

/// What may be done for this pod now, why the rest waits, and when to ask again.
pub fn compute_pod_actions(input: &SyncInput<'_>) -> PodPlan {
    if let Desired::Run(pod) = input.desired
        && let Some(observed) = references::with_stale_edited(input, pod)
    {
        return compute(&SyncInput { observed: &observed, ..*input });
    }
    compute(input)
}

fn compute(input: &SyncInput<'_>) -> PodPlan {
    let mut planner = Planner { input, plan: PodPlan::default(), keeping: false };
    match input.desired {
        Desired::Leave => {
            // What has begun to end is no longer left as it is.
            let doomed = |i: &&Incarnation| input.terminating.contains(&i.uid);
            for incarnation in input.observed.incarnations.iter().filter(doomed) {
                planner.terminate(incarnation, StopReason::PodRemoved);
            }
            planner.remove_volumes(|uid| input.terminating.contains(uid));
        }
        Desired::Stop { .. } => {
            for incarnation in &input.observed.incarnations {
                planner.halt(incarnation, StopReason::NodeShutdown);
            }
        }
        Desired::Terminate(reason) => {
            for incarnation in &input.observed.incarnations {
                planner.terminate(incarnation, *reason);
            }
            planner.remove_volumes(|_| true);
            planner.plan.done = input.observed.is_empty() && input.volumes.is_empty() && input.in_flight.is_empty();
        }
        Desired::Run(pod) => {
            planner.run_or_replace(pod);
            planner.note_stale(pod);
        }
    }
    planner.note_probes();
    planner.plan
}

/// The plan in the making.
struct Planner<'a> {
    input: &'a SyncInput<'a>,
    plan: PodPlan,
    /// What is run is only kept until another pod takes its place: nothing of it is stopped for an edit.
    keeping: bool,
}

impl Planner<'_> {
    /// Adds an action unless its target is busy or its last failure is too fresh.
    fn offer(&mut self, action: PodAction) -> Offer {
        let target = action.target();
        let clashes = |other: &PodAction| {
            other.target() == target || action.instance().is_some_and(|id| other.instance() == Some(id))
        };
        if self.input.in_flight.values().chain(&self.plan.actions).any(clashes) {
            return Offer::Busy;
        }
        if let Some((reason, until)) = self.backing_off(&target) {
            self.wake(until);
            return Offer::BackingOff { reason, until };
        }
        self.plan.actions.push(action);
        Offer::Taken
    }

    /// Why nothing is done for this target now, and until when: its last failure is too fresh.
    fn backing_off(&self, target: &Target) -> Option<(&'static str, Timestamp)> {
        let failure = self.input.results.get(target)?;
        let due = failure.at + backoff::retry_delay(failure.pace, failure.failures);
        (self.input.now < due).then_some((failure.reason, due))
    }

    /// Notes what became of an offer that a container waits for: a failure is worth more than what
    /// was noted before.
    fn note_offer(&mut self, container: &ContainerName, offer: Offer, otherwise: &WaitingReason) {
        let waiting = &mut self.plan.waiting;
        match offer.waiting(otherwise.clone()) {
            failed @ WaitingReason::Failed { .. } => drop(waiting.insert(container.clone(), failed)),
            other => drop(waiting.entry(container.clone()).or_insert(other)),
        }
    }

    fn wake(&mut self, at: Timestamp) {
        self.plan.wake_at = Some(self.plan.wake_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Notes why nothing of this pod runs yet, for all that should.
    fn all_waiting(&mut self, pod: &Pod, incarnation: Option<&Incarnation>, reason: &WaitingReason) {
        let endings = self.input.endings;
        for container in pod.containers.iter().filter(|c| sandbox::is_due(incarnation, c, endings)) {
            self.plan.waiting.entry(container.name.clone()).or_insert_with(|| reason.clone());
        }
    }

    /// Whether something is being made or started for this incarnation.
    fn is_making_for(&self, uid: &PodUid) -> bool {
        self.input.in_flight.values().any(|action| action.makes_for() == Some(uid))
    }

    /// Whether this very instance is being started.
    fn is_being_started(&self, id: &ContainerId) -> bool {
        let starts = |action: &PodAction| action.makes_for().is_some() && action.instance() == Some(id);
        self.input.in_flight.values().any(starts)
    }

    /// Whether some instance has a stop on its way.
    fn is_stopping(&self, id: &ContainerId) -> bool {
        matches!(
            self.input.in_flight.get(&Target::Instance(id.clone())),
            Some(PodAction::StopContainer { .. } | PodAction::StopSandbox { .. })
        )
    }
}

/// What became of an offered action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offer {
    Taken,
    Busy,
    BackingOff { reason: &'static str, until: Timestamp },
}

impl Offer {
    fn waiting(self, otherwise: WaitingReason) -> WaitingReason {
        match self {
            Self::BackingOff { reason, until } => WaitingReason::Failed { reason, until },
            Self::Taken | Self::Busy => otherwise,
        }
    }
}

/// Whether anything of this incarnation may still run (and hold ports, files, locks).
fn may_run(incarnation: &Incarnation) -> bool {
    incarnation.sandboxes.iter().any(|s| s.state.may_run()) || incarnation.containers.iter().any(|c| c.state.may_run())
}

/// `state.waiting` of a container that is on its way and was never made: the kubelet says
/// `PodInitializing` for every pod that has init containers.
fn on_its_way(pod: &Pod) -> WaitingReason {
    if pod.containers.iter().any(|c| c.kind != ContainerKind::App) {
        WaitingReason::PodInitializing
    } else {
        WaitingReason::ContainerCreating
    }
}
