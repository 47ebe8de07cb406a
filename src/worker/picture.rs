//! What a worker knows of its pod → the picture that its status is made from. Pure.

use crate::{
    plan::{Desired, HookStates, LastResults, PodPlan},
    pod::{AppliedPod, ContainerName, Incarnation, ObservedPod, Pod, PodKey, ProbeVerdicts},
    status::{Conditions, PodPicture, Waiting, waiting},
};
use std::{collections::BTreeMap, sync::Arc};

/// What a worker knows.
pub(super) struct Known<'a> {
    pub(super) key: &'a PodKey,
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a ObservedPod,
    pub(super) plan: &'a PodPlan,
    pub(super) results: &'a LastResults,
    /// `None` where no probes are made.
    pub(super) probes: Option<&'a ProbeVerdicts>,
    pub(super) hooks: &'a HookStates,
    /// Whether the end of an incarnation has begun.
    pub(super) is_ending: &'a dyn Fn(&Incarnation) -> bool,
    /// The picture published before.
    pub(super) previous: Option<&'a PodPicture>,
    pub(super) now: jiff::Timestamp,
}

impl Known<'_> {
    /// The picture of the moment; `None` if there is nothing to show. While another incarnation is there and
    /// the wanted one is not, that one is shown.
    pub(super) fn picture(&self) -> Option<PodPicture> {
        let wanted = match self.desired {
            Desired::Run(pod) => Some(pod),
            Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => None,
        };
        let own = wanted.and_then(|pod| self.observed.incarnation(&pod.uid));
        let incarnation = own.or_else(|| self.observed.incarnations.first());
        let shown = match (incarnation, wanted) {
            (Some(old), _) if own.is_none() => match &old.applied {
                AppliedPod::Known(pod) => Some(pod),
                AppliedPod::Unreadable(_) => None,
            },
            (_, wanted) => wanted,
        };
        let uid = incarnation.map(|i| &i.uid).or(wanted.map(|pod| &pod.uid))?.clone();
        let previous = self.previous.filter(|p| p.uid == uid);
        let is_ending = incarnation.is_some_and(|i| (self.is_ending)(i));
        let is_stopped = matches!(self.desired, Desired::Stop { .. });
        // What was over stays so while it is put away.
        let was = |over: fn(&PodPicture) -> bool| (is_ending || is_stopped) && previous.is_some_and(over);
        let finished = self.plan.finished || was(|p| p.finished);
        let mut picture = PodPicture {
            key: self.key.clone(),
            pod: shown.cloned(),
            sandboxes: incarnation.map(|i| i.sandboxes.clone()).unwrap_or_default(),
            containers: incarnation.map(|i| i.containers.clone()).unwrap_or_default(),
            lost: BTreeMap::new(),
            waiting: BTreeMap::new(),
            probes: self.probes.cloned(),
            hooks: self.hooks.clone(),
            created: self.now,
            ending: is_ending.then(|| previous.and_then(|p| p.ending).unwrap_or(self.now)),
            finished,
            deadline_exceeded: self.plan.deadline_exceeded || was(|p| p.deadline_exceeded),
            node_shutdown: is_stopped && !finished,
            stale: wanted.filter(|pod| pod.uid == uid).map(|_| self.plan.stale.clone()).unwrap_or_default(),
            message: None,
            conditions: Conditions::default(),
            uid,
        };
        let known_since = previous.map(|p| p.created);
        picture.created = known_since.into_iter().chain(picture.oldest_record()).fold(self.now, Ord::min);
        if let Some(wanted) = wanted {
            let held = self.held(wanted);
            picture.message = edit_waits(&picture, wanted, &held);
            if picture.uid == wanted.uid {
                picture.waiting = held;
            }
        }
        Some(picture.with_losses(previous).settled(previous, self.now))
    }

    fn held(&self, wanted: &Pod) -> BTreeMap<ContainerName, Waiting> {
        let held = wanted.containers.iter().filter_map(|container| {
            let reason = self.plan.waiting.get(&container.name)?;
            Some((container.name.clone(), waiting(wanted, container, reason, self.results)))
        });
        held.collect()
    }
}

/// What is said of a pod that goes on as it was, while what it is to become can not be had.
fn edit_waits(picture: &PodPicture, wanted: &Arc<Pod>, held: &BTreeMap<ContainerName, Waiting>) -> Option<String> {
    if picture.ending.is_some() {
        return None;
    }
    let runs = |name: &ContainerName| {
        picture.containers.iter().find(|c| c.name == *name).is_some_and(|c| c.state.is_running())
    };
    let replaces = picture.uid != wanted.uid;
    let (name, why) = held.iter().find(|(name, why)| why.reason.is_some() && (replaces || runs(name)))?;
    let reason = why.reason.unwrap_or_default();
    Some(format!("The edited manifest is not applied yet: container {name}: {reason}: {}", why.message))
}
