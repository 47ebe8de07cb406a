//! One pod in the place of another: what is there under other uids ends before the new pod begins,
//! and nothing that runs is given up before the new pod's images are on the node and its objects declared.

use super::{Planner, PodAction, StopReason, images::Images, may_run, on_its_way};
use crate::{
    pod::{AppliedPod, ContainerState, Incarnation, ObservedPod, Pod, PodUid},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// How long the old pod is left as it is when the new one's images are asked for: mostly they are
/// here, and then nothing is started for the old pod that would be stopped at once.
const FIRST_LOOK: Duration = Duration::from_secs(1);

impl Planner<'_> {
    /// Runs `pod`; an incarnation that is another pod, or whose end has begun, is ended first.
    pub(super) fn run_or_replace(&mut self, pod: &Pod) {
        let input = self.input;
        let all = &input.observed.incarnations;
        let is_doomed = |incarnation: &&Incarnation| input.terminating.contains(&incarnation.uid);
        let own = all.iter().find(|i| i.uid == pod.uid).filter(|i| !is_doomed(i));
        let others: Vec<&Incarnation> = all.iter().filter(|i| i.uid != pod.uid && !is_doomed(i)).collect();
        let doomed: Vec<&Incarnation> = all.iter().filter(is_doomed).collect();
        for incarnation in &doomed {
            self.terminate(incarnation, StopReason::PodChanged);
        }
        self.remove_volumes(|uid| *uid != pod.uid || input.terminating.contains(uid));
        // Whether the one with this uid would run beside something else.
        let making = || input.in_flight.values().filter_map(PodAction::makes_for);
        let is_crowded =
            |uid: &PodUid| making().any(|other| other != uid) || all.iter().any(|i| i.uid != *uid && may_run(i));
        if self.is_held_back(pod, own, &others, kept(own, &others)) {
            return;
        }
        if let Some(kept) = kept(own, &others)
            && !self.gives_way(kept, pod, is_crowded(&kept.uid))
        {
            // At most one of the others is worth keeping.
            for other in others.into_iter().filter(|other| other.uid != kept.uid) {
                self.terminate(other, StopReason::PodChanged);
            }
            return;
        }
        for other in others {
            self.terminate(other, StopReason::PodChanged);
        }
        if is_crowded(&pod.uid) || self.plan.terminating.contains(&pod.uid) {
            // The new pod starts only when the old one has ended, and not on what that left behind.
            self.all_waiting(pod, own, &on_its_way(pod));
            return;
        }
        self.run(pod, own);
    }

    /// Whether all images and objects of `pod` are here, so that the old incarnation may end. Until then the
    /// old one is kept alive, unless something else still runs.
    fn gives_way(&mut self, old: &Incarnation, pod: &Pod, is_crowded: bool) -> bool {
        let images = self.ensure_images(pod, pod.containers.iter(), &on_its_way(pod));
        let lacks = self.any_lacks(pod, pod.containers.iter()) | self.lacks_volumes(pod, None);
        self.all_waiting(pod, None, &on_its_way(pod));
        let goes_on = match images {
            Images::Ready if !lacks => return true,
            Images::Ready => true,
            Images::Asked => {
                self.wake(self.input.now + FIRST_LOOK);
                false
            }
            // What is dead (after a reboot, say) comes back only if the new pod can not be had.
            Images::Pulling => may_run(old),
            Images::Failing => true,
        };
        if let AppliedPod::Known(applied) = &old.applied
            && goes_on
            && !is_crowded
        {
            let waiting = std::mem::take(&mut self.plan.waiting);
            self.keeping = true;
            self.run(applied, Some(old));
            self.keeping = false;
            self.plan.waiting.extend(waiting);
            self.plan.finished = false;
            self.plan.deadline_exceeded = false;
        }
        false
    }
}

/// What a pod goes on with when its manifest can not be read: the spec of the incarnation that runs, or
/// did so last. `None` if there is none or its spec can not be read.
pub fn incumbent(observed: &ObservedPod) -> Option<&Arc<Pod>> {
    let last = observed.incarnations.iter().max_by_key(|i| (may_run(i), last_sign_of_life(i)))?;
    match &last.applied {
        AppliedPod::Known(pod) => Some(pod),
        AppliedPod::Unreadable(_) => None,
    }
}

/// The old incarnation, if any, that is not given up before the new pod's images are here.
fn kept<'o>(own: Option<&Incarnation>, others: &[&'o Incarnation]) -> Option<&'o Incarnation> {
    let any_runs = others.iter().any(|i| may_run(i));
    // The new pod has begun: its images were here, and what is left of others is remains.
    if own.is_some_and(|own| may_run(own) || !any_runs) {
        return None;
    }
    let could_run = |i: &Incarnation| matches!(i.applied, AppliedPod::Known(_)) && !i.sandboxes.is_empty();
    others.iter().copied().filter(|i| may_run(i) || could_run(i)).max_by_key(|i| (may_run(i), last_sign_of_life(i)))
}

/// When something of this incarnation last started or ended.
fn last_sign_of_life(incarnation: &Incarnation) -> Timestamp {
    let states = incarnation.sandboxes.iter().map(|s| &s.state).chain(incarnation.containers.iter().map(|c| &c.state));
    let times = states.map(|state| match state {
        ContainerState::Running { started_at } => *started_at,
        ContainerState::Exited { finished_at, .. } => *finished_at,
        ContainerState::Created | ContainerState::Unknown => Timestamp::default(),
    });
    times.max().unwrap_or_default()
}
