//! What a worker publishes of its pod: values from which its status follows.

use super::{Conditions, Phase, Waiting, containers, phase};
use crate::{
    plan::HookStates,
    pod::{ContainerName, ContainerStatus, Pod, PodKey, PodUid, ProbeVerdicts, Sandbox},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All that the status of one pod is made from, as of one moment. Two are equal only if they share one
/// copy of the manifest.
#[derive(Clone, Debug)]
pub struct PodPicture {
    /// Namespace and name.
    pub key: PodKey,
    /// The incarnation that is shown.
    pub uid: PodUid,
    /// The manifest it is shown with: what is wanted, else what it runs with; `None` when neither can be
    /// read.
    pub pod: Option<Arc<Pod>>,
    /// What the engine has of its sandboxes, the newest first.
    pub sandboxes: Vec<Sandbox>,
    /// What the engine has of its containers, the newest first for each name.
    pub containers: Vec<ContainerStatus>,
    /// Instances that ran when they were last seen, and whose records are gone: somebody has removed them.
    pub lost: BTreeMap<ContainerName, ContainerStatus>,
    /// Why containers that should run do not.
    pub waiting: BTreeMap<ContainerName, Waiting>,
    /// What is known by probes; `None` where none are made, and a container that runs counts as ready.
    pub probes: Option<ProbeVerdicts>,
    /// What is known of lifecycle hooks.
    pub hooks: HookStates,
    /// Since when the pod is known: `metadata.creationTimestamp`, `status.startTime`.
    pub created: jiff::Timestamp,
    /// Since when its end is under way.
    pub ending: Option<jiff::Timestamp>,
    /// All its containers are done for good.
    pub finished: bool,
    /// It was not done in time, and is therefore over.
    pub deadline_exceeded: bool,
    /// It was ended since the node shuts down; the next boot starts it again.
    pub node_shutdown: bool,
    /// Containers that run with values from before something they took them from changed.
    pub stale: BTreeSet<ContainerName>,
    /// `status.message`.
    pub message: Option<String>,
    /// `status.conditions`, with the moments at which they changed.
    pub conditions: Conditions,
}

impl PodPicture {
    /// This picture with its conditions as of `now`. A condition that is as it was in `previous`, the
    /// picture published before, keeps its moment.
    #[must_use]
    pub fn settled(mut self, previous: Option<&Self>, now: jiff::Timestamp) -> Self {
        let before = previous.filter(|p| p.uid == self.uid).map(|p| &p.conditions);
        self.conditions = Conditions::of(&self, before, now);
        self
    }

    /// This picture with what was lost since `previous`. What was lost before is remembered until another
    /// instance of the same container has ended.
    #[must_use]
    pub fn with_losses(mut self, previous: Option<&Self>) -> Self {
        let Some(previous) = previous.filter(|p| p.uid == self.uid && self.ending.is_none()) else { return self };
        let newest = |name: &ContainerName| previous.containers.iter().find(|c| c.name == *name);
        for container in self.pod.iter().flat_map(|pod| &pod.containers) {
            let own = || self.containers.iter().filter(|c| c.name == container.name);
            let vanished = newest(&container.name).filter(|c| c.state.is_running() && own().all(|o| o.id != c.id));
            let known = previous.lost.get(&container.name).filter(|_| !own().any(|c| c.state.is_exited()));
            if let Some(lost) = vanished.or(known) {
                self.lost.insert(container.name.clone(), lost.clone());
            }
        }
        self
    }

    /// `status.reason` and `status.message` of a pod that is over, whatever its containers say.
    pub(super) fn verdict(&self) -> Option<(&'static str, &'static str)> {
        match (self.deadline_exceeded, self.node_shutdown) {
            (true, _) => Some(("DeadlineExceeded", super::DEADLINE_EXCEEDED)),
            (false, true) => Some(("Terminated", super::NODE_SHUTDOWN)),
            (false, false) => None,
        }
    }

    /// Whether condition `Ready` is true.
    pub fn is_ready(&self) -> bool {
        self.conditions.is_true(super::READY)
    }

    /// Whether its phase is `Succeeded`.
    fn has_succeeded(&self) -> bool {
        phase::phase(self, &containers::readings(self)) == Phase::Succeeded
    }

    /// Whether those that start after this pod may start: when it is ready, or has succeeded. What is to run to
    /// its end is ready as soon as it runs, and of use to nobody before it has succeeded.
    pub fn lets_others_start(&self) -> bool {
        let ends = self.pod.as_ref().is_some_and(|pod| pod.runs_to_its_end());
        (!ends && self.is_ready()) || self.has_succeeded()
    }

    /// The oldest thing the engine remembers of the pod, which is at least as old.
    pub fn oldest_record(&self) -> Option<jiff::Timestamp> {
        let sandboxes = self.sandboxes.iter().map(|s| &s.record);
        let containers = self.containers.iter().map(|c| &c.record);
        let started = self.sandboxes.iter().filter_map(|s| s.pod_start.wall);
        sandboxes.chain(containers).filter_map(|record| record.created_at).chain(started).min()
    }
}

impl PartialEq for PodPicture {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            key,
            uid,
            pod,
            sandboxes,
            containers,
            lost,
            waiting,
            probes,
            hooks,
            created,
            ending,
            finished,
            deadline_exceeded,
            node_shutdown,
            stale,
            message,
            conditions,
        } = self;
        let same_manifest = match (pod, &other.pod) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_manifest
            && (key, uid, created, ending) == (&other.key, &other.uid, &other.created, &other.ending)
            && (finished, deadline_exceeded) == (&other.finished, &other.deadline_exceeded)
            && (node_shutdown, stale) == (&other.node_shutdown, &other.stale)
            && (sandboxes, containers, lost) == (&other.sandboxes, &other.containers, &other.lost)
            && (waiting, probes, hooks, message) == (&other.waiting, &other.probes, &other.hooks, &other.message)
            && *conditions == other.conditions
    }
}

/// A picture as others see it: equal only to itself, so that comparing costs nothing.
#[derive(Clone, Debug)]
pub struct Published(pub Arc<PodPicture>);

impl PartialEq for Published {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Published {}
