//! The end of one container, whatever its cause: `preStop`, stop signal, SIGKILL, within one grace.
//!
//! An end that has begun is noted as an [`Ending`] and completed: its cause may vanish meanwhile. Its
//! deadline is moved only towards the present.

use super::{Ending, EndingProgress, HookState, Planner, PodAction, StopReason, Target};
use crate::{
    pod::{AppliedPod, ContainerId, ContainerStatus, Incarnation},
    time::Timestamp,
};
use std::time::Duration;

/// The least grace there is: 0 counts as this (a kubelet rule).
const LEAST_GRACE: Duration = Duration::from_secs(1);
/// What a container has at least between its stop signal and SIGKILL (a kubelet rule).
const LEAST_AFTER_SIGNAL: Duration = Duration::from_secs(2);

/// When a container gets its stop signal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// When its `preStop` is done.
    Now,
    /// When others have ended, or at its deadline. Its `preStop` runs meanwhile.
    AfterOthers,
}

impl Planner<'_> {
    /// Ends one container with this grace.
    pub(super) fn stop(
        &mut self,
        incarnation: &Incarnation,
        container: &ContainerStatus,
        grace: Duration,
        reason: StopReason,
    ) {
        self.stop_in_turn(incarnation, container, grace, reason, Turn::Now);
    }

    /// Ends one container with this grace, in its turn.
    pub(super) fn stop_in_turn(
        &mut self,
        incarnation: &Incarnation,
        container: &ContainerStatus,
        grace: Duration,
        reason: StopReason,
        turn: Turn,
    ) {
        self.end_by(incarnation, container, self.input.now + grace.max(LEAST_GRACE), reason, turn);
    }

    /// Completes what has begun to end in an incarnation that otherwise lives on.
    pub(super) fn complete_endings(&mut self, incarnation: &Incarnation) {
        for container in incarnation.containers.iter().filter(|c| c.state.may_run()) {
            if let Some(begun) = self.ending(&container.id).cloned() {
                self.end_by(incarnation, container, begun.deadline, begun.reason, Turn::Now);
            }
        }
    }

    /// The end that this container is on its way to, if it has begun or begins in this round.
    pub(super) fn ending(&self, id: &ContainerId) -> Option<&Ending> {
        let begun = self.plan.endings.get(id).or_else(|| self.input.endings.get(id));
        begun.filter(|ending| ending.progress == EndingProgress::Begun)
    }

    /// Ends one container by this moment, or by the earlier one that was set before.
    pub(super) fn end_by(
        &mut self,
        incarnation: &Incarnation,
        container: &ContainerStatus,
        wanted: Timestamp,
        reason: StopReason,
        turn: Turn,
    ) {
        let id = &container.id;
        if self.is_being_started(id) {
            // Its grace begins when it can be asked to end.
            return;
        }
        let begun = self.ending(id).cloned();
        if begun.is_none()
            && let Some((_, until)) = self.backing_off(&Target::Instance(id.clone()))
        {
            // Time in which nothing can be asked of it is none of its grace.
            self.wake(until);
            return;
        }
        let deadline = begun.as_ref().map_or(wanted, |begun| begun.deadline.min(wanted));
        let is_earlier = begun.as_ref().is_some_and(|begun| deadline < begun.deadline);
        if begun.is_none() || is_earlier {
            let cause = begun.map_or(reason, |begun| begun.reason);
            let progress = EndingProgress::Begun;
            self.plan.endings.insert(id.clone(), Ending { deadline, reason: cause, progress });
        }
        let left = deadline.since(self.input.now);
        let is_stopping = self.is_stopping(id);
        if !is_stopping && !left.is_zero() {
            let name = container.name.clone();
            if self.is_pre_stop_due(incarnation, container) {
                self.offer(PodAction::RunPreStop { id: id.clone(), name });
                self.wake(deadline);
                return;
            }
            if turn == Turn::AfterOthers {
                self.wake(deadline);
                return;
            }
        }
        let stop = PodAction::StopContainer {
            id: id.clone(),
            name: container.name.clone(),
            grace: left.max(LEAST_AFTER_SIGNAL),
            reason,
        };
        match (is_stopping, is_earlier) {
            (false, _) => drop(self.offer(stop)),
            // The engine keeps to the earlier one of two deadlines.
            (true, true) => self.plan.actions.push(stop),
            (true, false) => {}
        }
    }

    /// Whether a container has a `preStop` that was not run yet, or not to its end. The spec that runs
    /// counts, edits of it included; for a container that is in it no more, what it was made from.
    fn is_pre_stop_due(&self, incarnation: &Incarnation, container: &ContainerStatus) -> bool {
        let known = match &incarnation.applied {
            AppliedPod::Known(pod) => pod.container(&container.name),
            AppliedPod::Unreadable(_) => None,
        };
        container.state.is_running()
            && known.map_or(container.has_pre_stop, |known| known.pre_stop().is_some())
            && self.input.hooks.get(&container.id) != Some(&HookState::PreStopDone)
    }
}
