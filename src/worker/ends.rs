//! What of a pod has begun to end: in memory for decisions, and noted on the disk before anything is
//! done for it, so that a daemon that dies in the middle neither forgets it nor begins it anew.

use super::{Shared, journal};
use crate::{
    engine::Engine,
    plan::{Ending, EndingProgress, Endings, PodPlan, StopReason},
    pod::{ContainerId, ContainerStatus, Incarnation, ObservedPod, PodKey, PodUid},
    report,
    time::{Clock, Uptime},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

const SCHEMA: u32 = 1;

/// The ends of one pod.
#[derive(Debug, Default)]
pub(super) struct Ends {
    doomed: BTreeSet<PodUid>,
    containers: Endings,
}

/// `endings.json` of an incarnation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    schema: u32,
    /// If the incarnation as a whole has begun to end: its containers, sandboxes too, at that moment.
    /// The note counts for as long as one of these is there, and for nothing made later under its uid.
    doomed: BTreeSet<ContainerId>,
    /// Containers that have begun to end.
    containers: BTreeMap<ContainerId, NotedEnding>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotedEnding {
    deadline: Uptime,
    reason: StopReason,
}

impl Ends {
    /// Incarnations whose end has begun.
    pub(super) fn doomed(&self) -> &BTreeSet<PodUid> {
        &self.doomed
    }

    /// Containers whose end has begun.
    pub(super) fn containers(&self) -> &Endings {
        &self.containers
    }

    /// Takes in what an earlier daemon has noted of an incarnation. A deadline of before the last boot
    /// is long past: whatever it was for has ended with the machine.
    pub(super) fn adopt<E: Engine>(&mut self, shared: &Shared<E>, incarnation: &Incarnation) {
        let uid = &incarnation.uid;
        let Some(note) = shared.applied.load_endings::<Note>(uid).filter(|note| note.schema == SCHEMA) else { return };
        if instances(incarnation).any(|id| note.doomed.contains(id)) {
            self.doomed.insert(uid.clone());
        }
        for (id, noted) in note.containers {
            let deadline = shared.clock.timestamp_of_uptime(&noted.deadline);
            let is_over = |c: &ContainerStatus| c.id == id && c.state.is_exited();
            let progress = match deadline {
                Some(_) if !incarnation.containers.iter().any(is_over) => EndingProgress::Begun,
                Some(_) | None => EndingProgress::Over,
            };
            let deadline = deadline.unwrap_or_else(|| shared.clock.now());
            self.containers.entry(id).or_insert(Ending { deadline, reason: noted.reason, progress });
        }
    }

    /// The end of an incarnation is over when nothing of it is left, on the disk neither.
    pub(super) fn forget_gone(&mut self, pod: &ObservedPod, volumes: &BTreeSet<PodUid>) {
        self.doomed.retain(|uid| pod.incarnation(uid).is_some() || volumes.contains(uid));
    }

    /// Brings it up to date with what was observed, and returns the containers whose end is over.
    pub(super) fn observe(&mut self, pod: &ObservedPod) -> Vec<ContainerId> {
        let all: BTreeMap<&ContainerId, &ContainerStatus> =
            pod.incarnations.iter().flat_map(|i| &i.containers).map(|c| (&c.id, c)).collect();
        self.containers.retain(|id, _| all.contains_key(id));
        let mut over = Vec::new();
        for (id, ending) in &mut self.containers {
            if ending.progress == EndingProgress::Begun && all.get(id).is_some_and(|c| c.state.is_exited()) {
                ending.progress = EndingProgress::Over;
                over.push(id.clone());
            }
        }
        over
    }

    /// Takes in what a plan begins to end, says so and notes it. To be called before the plan's actions
    /// are begun, and only if they are.
    pub(super) fn begin<E: Engine>(&mut self, shared: &Shared<E>, key: &PodKey, pod: &ObservedPod, plan: &PodPlan) {
        // Of one without anything in the engine there is nothing to note.
        self.doomed.extend(plan.terminating.iter().filter(|uid| pod.incarnation(uid).is_none()).cloned());
        for incarnation in &pod.incarnations {
            let uid = &incarnation.uid;
            let mut is_news = plan.terminating.contains(uid) && self.doomed.insert(uid.clone());
            for container in &incarnation.containers {
                let Some(ending) = plan.endings.get(&container.id) else { continue };
                is_news = true;
                let before = self.containers.insert(container.id.clone(), ending.clone());
                if before.is_none_or(|before| before.progress == EndingProgress::Over) {
                    let subject = journal::Subject { events: &shared.events, key, uid: Some(uid), pod: None };
                    subject.killing(container, ending, shared.clock.now());
                }
            }
            if is_news && let Err(error) = shared.applied.save_endings(uid, &self.note(incarnation, &shared.clock)) {
                warn!(
                    pod = %key, %uid,
                    "should this daemon die now, what ends is given its whole grace again: {}", report(&error)
                );
            }
        }
    }

    /// A stop was asked for in vain: the next one is given the whole grace again, as nobody knows
    /// whether the container has been told.
    pub(super) fn forget(&mut self, id: &ContainerId) {
        self.containers.remove(id);
    }

    fn note(&self, incarnation: &Incarnation, clock: &Clock) -> Note {
        let is_doomed = self.doomed.contains(&incarnation.uid);
        let doomed = instances(incarnation).filter(|_| is_doomed).cloned().collect();
        let mut containers = BTreeMap::new();
        for container in &incarnation.containers {
            if let Some(ending) = self.containers.get(&container.id) {
                let noted = NotedEnding { deadline: clock.uptime_of(ending.deadline), reason: ending.reason };
                containers.insert(container.id.clone(), noted);
            }
        }
        Note { schema: SCHEMA, doomed, containers }
    }
}

/// All that there is of an incarnation.
fn instances(incarnation: &Incarnation) -> impl Iterator<Item = &ContainerId> {
    incarnation.sandboxes.iter().map(|s| &s.id).chain(incarnation.containers.iter().map(|c| &c.id))
}
