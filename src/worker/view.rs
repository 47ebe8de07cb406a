//! A worker's view of its pod: what was last observed of each container, and what must be looked at
//! again. Pure but for the observation itself.

use super::ListedContainer;
use crate::{
    convert::{self, InstanceId, Observed},
    engine::{Engine, EngineError, EngineState},
    pod::{AppliedPod, ContainerId, ContainerState, ExitReason, ObservedPod, Pod, PodKey, PodUid},
    time::Clock,
};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What was last seen of one pod's containers.
#[derive(Default)]
pub(super) struct View {
    seen: BTreeMap<ContainerId, Observed>,
    dirty: BTreeSet<ContainerId>,
    /// Names of containers that may have been made.
    doubtful: BTreeSet<String>,
    /// Manifests that were applied without a restart, newer than the labels.
    applied: BTreeMap<PodUid, Arc<Pod>>,
    /// Commands that ran in containers when these were first seen.
    execs: BTreeMap<ContainerId, Vec<String>>,
    pod: ObservedPod,
}

impl View {
    pub(super) fn pod(&self) -> &ObservedPod {
        &self.pod
    }

    /// What a container was made from, as its label says.
    pub(super) fn made_from(&self, id: &ContainerId) -> Option<&api::Container> {
        match self.seen.get(id)? {
            Observed::Container { written, .. } => written.as_deref().ok(),
            Observed::Sandbox { .. } | Observed::Unreadable { .. } => None,
        }
    }

    /// A container in which commands ran when it was first seen: not ours of today.
    pub(super) fn found_execs(&self) -> Option<(ContainerId, Vec<String>)> {
        self.execs.first_key_value().map(|(id, execs)| (id.clone(), execs.clone()))
    }

    /// They have been seen to.
    pub(super) fn forget_execs(&mut self, id: &ContainerId) {
        self.execs.remove(id);
    }

    /// Look at this container again.
    pub(super) fn mark(&mut self, id: ContainerId) {
        self.dirty.insert(id);
    }

    /// Look whether there is a container of this name.
    pub(super) fn mark_name(&mut self, name: String) {
        self.doubtful.insert(name);
    }

    /// Look at everything again.
    pub(super) fn mark_all(&mut self) {
        self.dirty.extend(self.seen.keys().cloned());
    }

    /// Whether this container was seen, or is to be looked at.
    pub(super) fn knows(&self, id: &ContainerId) -> bool {
        self.seen.contains_key(id) || self.dirty.contains(id)
    }

    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty() || !self.doubtful.is_empty()
    }

    /// Compares with a list of the engine: what is new, gone or in another state is looked at. A list
    /// may be older than what was seen since, so it is never believed itself.
    pub(super) fn compare(&mut self, rows: &[ListedContainer]) {
        for row in rows {
            let seen = self.seen.get(&row.id);
            let is_same = seen.and_then(state_of).is_some_and(|state| is_listed_as(state, row.state));
            // Somebody may take a sandbox off its network.
            let has_moved = matches!(seen, Some(Observed::Sandbox { sandbox, .. })
                if sandbox.state.is_running() && sandbox.ips != row.ips);
            if !is_same || has_moved {
                self.dirty.insert(row.id.clone());
            }
        }
        let listed: BTreeSet<&ContainerId> = rows.iter().map(|row| &row.id).collect();
        self.dirty.extend(self.seen.keys().filter(|id| !listed.contains(id)).cloned());
    }

    /// Inspects what is marked. On an error the rest stays marked and the last view stands.
    pub(super) async fn observe<E: Engine>(
        &mut self,
        engine: &E,
        key: &PodKey,
        instance: &InstanceId,
        clock: &Clock,
    ) -> Result<(), EngineError> {
        while let Some(name) = self.doubtful.first().cloned() {
            match engine.inspect(&name).await {
                Ok(details) => drop(self.dirty.insert(ContainerId::new(details.id))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
            self.doubtful.remove(&name);
        }
        while let Some(id) = self.dirty.first().cloned() {
            match engine.inspect(id.as_str()).await {
                Ok(details) => {
                    let observed = convert::observe(&details, instance, &|wall| clock.timestamp_of(wall));
                    match observed.filter(|o| belongs(o, key)) {
                        Some(mut observed) => {
                            match self.seen.get(&id) {
                                Some(before) => keep_times(before, &mut observed),
                                None if details.execs.is_empty() => {}
                                None => drop(self.execs.insert(id.clone(), details.execs)),
                            }
                            self.seen.insert(id.clone(), observed);
                        }
                        None => drop(self.seen.remove(&id)),
                    }
                }
                Err(error) if error.is_not_found() => drop(self.seen.remove(&id)),
                Err(error) => return Err(error),
            }
            self.dirty.remove(&id);
        }
        self.assemble(key);
        Ok(())
    }

    /// Notes that this manifest is now what its incarnation runs with.
    pub(super) fn apply(&mut self, pod: &Arc<Pod>) {
        self.applied.insert(pod.uid.clone(), pod.clone());
        // One copy in memory is enough.
        for seen in self.seen.values_mut() {
            if let Observed::Sandbox { uid, applied, .. } = seen
                && *uid == pod.uid
            {
                *applied = AppliedPod::Known(pod.clone());
            }
        }
        for incarnation in self.pod.incarnations.iter_mut().filter(|i| i.uid == pod.uid) {
            incarnation.applied = AppliedPod::Known(pod.clone());
        }
    }

    /// Whether a newer manifest than the labels' is known for this incarnation.
    pub(super) fn has_applied(&self, uid: &PodUid) -> bool {
        self.applied.contains_key(uid)
    }

    fn assemble(&mut self, key: &PodKey) {
        let mut pod = convert::assemble(self.seen.values().cloned()).remove(key).unwrap_or_default();
        self.applied.retain(|uid, _| pod.incarnation(uid).is_some());
        for incarnation in &mut pod.incarnations {
            if let Some(applied) = self.applied.get(&incarnation.uid) {
                incarnation.applied = AppliedPod::Known(applied.clone());
            }
        }
        self.pod = pod;
    }
}

/// A beginning and an end that were seen once keep their place in time: the wall clock may have jumped since.
fn keep_times(before: &Observed, now: &mut Observed) {
    if let (Observed::Sandbox { sandbox: old, .. }, Observed::Sandbox { sandbox: new, .. }) = (before, &mut *now) {
        new.pod_start = old.pod_start;
    }
    let (Some(old), Some(new)) = (state_of(before), state_mut(now)) else { return };
    if let (
        ContainerState::Exited { code, ran_for, finished_at, .. },
        ContainerState::Exited { code: new_code, ran_for: new_ran_for, finished_at: new_finished_at, .. },
    ) = (old, new)
        && (code, ran_for) == (&*new_code, &*new_ran_for)
    {
        *new_finished_at = *finished_at;
    }
}

fn state_of(observed: &Observed) -> Option<&ContainerState> {
    match observed {
        Observed::Sandbox { sandbox, .. } => Some(&sandbox.state),
        Observed::Container { status, .. } => Some(&status.state),
        Observed::Unreadable { .. } => None,
    }
}

fn state_mut(observed: &mut Observed) -> Option<&mut ContainerState> {
    match observed {
        Observed::Sandbox { sandbox, .. } => Some(&mut sandbox.state),
        Observed::Container { status, .. } => Some(&mut status.state),
        Observed::Unreadable { .. } => None,
    }
}

fn belongs(observed: &Observed, to: &PodKey) -> bool {
    match observed {
        Observed::Sandbox { key, .. } | Observed::Container { key, .. } => key == to,
        Observed::Unreadable { .. } => false,
    }
}

/// Whether a list may have this word for an observed state.
fn is_listed_as(state: &ContainerState, word: EngineState) -> bool {
    match state {
        ContainerState::Created => word == EngineState::Created,
        ContainerState::Running { .. } => matches!(word, EngineState::Running | EngineState::Paused),
        // A failed start is listed as created.
        ContainerState::Exited { reason, .. } => match word {
            EngineState::Created => *reason == ExitReason::ContainerCannotRun,
            word => matches!(word, EngineState::Exited | EngineState::Dead),
        },
        ContainerState::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        convert::testing::{STARTED, node, pod, resolv_conf},
        engine::{
            ContainerCreateBody,
            fake::{FakeEngine, Fault},
        },
        pod::Attempt,
        time::Timestamp,
    };
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_made_is_found_by_its_name() {
        let clock = Clock::simulated(STARTED);
        let fake = FakeEngine::new(&clock);
        let pod = pod("containers: [{name: web, image: 'web:1'}]");
        let facts = node();
        let engine = fake.for_instance(facts.instance.as_str());
        let body = convert::sandbox_body(&pod, Attempt(0), STARTED, &resolv_conf(), &facts).expect("body");
        engine.add_image(&facts.pause_image);
        let name = |attempt| convert::sandbox_name(&pod.key, &pod.uid, Attempt(attempt));
        engine.create(&name(0), body.clone()).await.expect("ours");
        engine.create(&name(1), ContainerCreateBody { labels: None, ..body }).await.expect("another's");

        let mut view = View::default();
        (0..3).for_each(|attempt| view.mark_name(name(attempt)));
        let away = EngineError::Unavailable { operation: "inspect".to_owned(), message: "closed".to_owned() };
        engine.inject(3, Fault::Before(away.clone()));
        assert_eq!(view.observe(&engine, &pod.key, &facts.instance, &clock).await, Err(away));
        assert!(view.is_dirty(), "it is still to be looked for");
        view.observe(&engine, &pod.key, &facts.instance, &clock).await.expect("the engine answers");
        assert!(!view.is_dirty());
        let sandboxes: Vec<_> = view.pod().incarnations.iter().flat_map(|i| &i.sandboxes).collect();
        assert_eq!(sandboxes.iter().map(|s| s.attempt).collect::<Vec<_>>(), [Attempt(0)]);
    }

    #[test]
    fn only_what_a_list_has_otherwise_is_looked_at_again() {
        let running = ContainerState::Running { started_at: Timestamp::default() };
        let ended = |reason| {
            let (code, ran_for, finished_at) = (1, Duration::ZERO, Timestamp::default());
            ContainerState::Exited { code, reason, ran_for, finished_at }
        };
        let words = [
            EngineState::Created,
            EngineState::Running,
            EngineState::Paused,
            EngineState::Restarting,
            EngineState::Removing,
            EngineState::Exited,
            EngineState::Dead,
            EngineState::Other,
        ];
        for (state, same) in [
            (ContainerState::Created, &[EngineState::Created][..]),
            (running, &[EngineState::Running, EngineState::Paused]),
            (ended(ExitReason::Error), &[EngineState::Exited, EngineState::Dead]),
            (ended(ExitReason::ContainerCannotRun), &[EngineState::Created, EngineState::Exited, EngineState::Dead]),
            (ContainerState::Unknown, &[]),
        ] {
            let found: Vec<_> = words.into_iter().filter(|word| is_listed_as(&state, *word)).collect();
            assert_eq!(found, same, "{state:?}");
        }
    }
}
