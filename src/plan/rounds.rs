//! `RestartAllContainers`: all containers of a pod start over in their sandbox, init containers first, when
//! one of them ends with an exit code for which a rule of it asks for that.
//!
//! Containers are made in rounds, whose number is on their labels. The one that asked for another round is
//! its own record of that, so that a crash of ours at any moment changes nothing.

use super::{Endings, Planner, StopReason, ending::Turn, on_its_way, sandbox::exit_code};
use crate::pod::{ContainerId, ContainerStatus, Incarnation, Pod, RestartAction, hash::SpecHash};

impl Planner<'_> {
    /// Ends what runs of an earlier round, without more grace than the signal needs and without `preStop` (a
    /// kubelet rule); false when nothing does.
    pub(super) fn leave_rounds(&mut self, pod: &Pod, incarnation: &Incarnation) -> bool {
        let round = current(pod, incarnation, self.input.endings);
        let of_earlier = |c: &&ContainerStatus| c.round < round;
        let ends = |c: &&ContainerStatus| c.state.may_run() || self.is_being_started(&c.id);
        let earlier: Vec<&ContainerStatus> = incarnation.containers.iter().filter(of_earlier).filter(ends).collect();
        for container in &earlier {
            self.end_by(incarnation, container, self.input.now, StopReason::RestartAllContainers, Turn::Now);
        }
        if !earlier.is_empty() {
            self.all_waiting(pod, Some(incarnation), &on_its_way(pod));
        }
        !earlier.is_empty()
    }
}

/// The round that the containers of `pod` are to be of.
pub(super) fn current(pod: &Pod, incarnation: &Incarnation, endings: &Endings) -> u32 {
    let asked_for = |c: &ContainerStatus| c.round.saturating_add(u32::from(asks_for_all(pod, c, endings)));
    incarnation.containers.iter().map(asked_for).max().unwrap_or(0)
}

/// Whether the end of this instance asks for another round. What we ended ourselves does not.
pub(super) fn asks_for_all(pod: &Pod, instance: &ContainerStatus, endings: &Endings) -> bool {
    let restart = pod.container(&instance.name).map(|c| &c.restart);
    let ruled = restart.zip(exit_code(instance)).and_then(|(restart, code)| restart.ruled(code));
    ruled == Some(RestartAction::RestartAllContainers) && !endings.contains_key(&instance.id)
}

/// What was observed, with what is of an earlier round as what a sandbox that is gone has left: nothing of it
/// is a start or a result any more. Only what asked for the round is known as what it is, since it waits for
/// its back-off. `None` if all are of one round.
pub(super) fn without_earlier(pod: &Pod, incarnation: &Incarnation, endings: &Endings) -> Option<Incarnation> {
    let round = current(pod, incarnation, endings);
    if incarnation.containers.iter().all(|c| c.round >= round) {
        return None;
    }
    let mut incarnation = incarnation.clone();
    for container in incarnation.containers.iter_mut().filter(|c| c.round < round) {
        container.sandbox_id = ContainerId::new("");
        if !asks_for_all(pod, container, endings) {
            container.hash = Some(SpecHash::superseded());
        }
    }
    Some(incarnation)
}
