//! From what the engine tells to what is known of the pod: the view, and all that depends on what is there.

use super::PodWorker;
use crate::{
    engine::Engine,
    plan::Target,
    pod::{ContainerId, Pod, PodUid},
    probe, report,
};
use std::sync::Arc;
use tracing::{debug, warn};

impl<E: Engine> PodWorker<E> {
    /// Brings the view up to date. On failure the last view stands and nothing is begun for a while.
    pub(super) async fn observe(&mut self) {
        if !self.view.is_dirty() || self.is_paused() {
            return;
        }
        let instance = self.shared.facts().instance.clone();
        let before = self.view.pod().clone();
        let shared = &self.shared;
        match self.view.observe(&shared.engine, &self.key, &instance, &shared.clock).await {
            Ok(()) => {
                self.unseen = None;
                self.looked_at = true;
                let done = self.plan.finished || self.plan.deadline_exceeded;
                let is_over = |uid: &PodUid| done || self.ends.doomed().contains(uid);
                self.journal(None, None).changes(&before, self.view.pod(), &is_over);
                self.note_attempts();
                if let Some(links) = &self.shared.log_links {
                    self.logs.follow(links, &self.key, self.view.pod());
                }
                self.adopt_applied();
                self.forget_ended();
                self.end_left_behind().await;
            }
            Err(error) => {
                debug!(pod = %self.key, "the pod can not be looked at: {}", report(&error));
                self.pause();
                // Whether the engine is away is the manager's to tell.
                if !error.is_unavailable() && self.unseen.as_ref() != Some(&error) {
                    self.journal(None, self.wanted()).unseen(&error);
                    self.unseen = Some(error);
                }
            }
        }
    }

    /// Restart counts go on though somebody removes the records that have them.
    fn note_attempts(&mut self) {
        let pod = self.view.pod();
        self.attempts.retain(|(uid, _), _| pod.incarnation(uid).is_some());
        for incarnation in &pod.incarnations {
            for container in &incarnation.containers {
                let seen = self.attempts.entry((incarnation.uid.clone(), container.name.clone())).or_default();
                *seen = container.attempt.max(*seen);
            }
        }
    }

    /// Ends commands that an earlier daemon, or worker, has left running. Its `postStart` is the one that goes
    /// on: it is not run again, and only an end of the container is one of it too.
    async fn end_left_behind(&mut self) {
        while let Some((id, execs)) = self.view.found_execs() {
            let ends = self.ends.containers().contains_key(&id);
            probe::end_left_behind(&self.shared.engine, &execs, ends).await;
            self.view.forget_execs(&id);
        }
    }

    /// A manifest that was applied without a restart is newer than the labels.
    fn adopt_applied(&mut self) {
        let mut fresher = Vec::new();
        for incarnation in &self.view.pod().incarnations {
            self.volumes.insert(incarnation.uid.clone());
            if !self.uids.insert(incarnation.uid.clone()) {
                continue;
            }
            self.ends.adopt(&self.shared, incarnation);
            if self.view.has_applied(&incarnation.uid) {
                continue;
            }
            let Some((written, source)) = self.shared.applied.load_applied(&incarnation.uid) else { continue };
            match Pod::resolve(written, source, self.key.clone(), incarnation.uid.clone()) {
                Ok(pod) => fresher.push(Arc::new(pod)),
                Err(error) => {
                    warn!(pod = %self.key, uid = %incarnation.uid, "the noted manifest is not used: {}", report(&error));
                }
            }
        }
        for pod in fresher {
            self.view.apply(&pod);
        }
    }

    /// What is known of containers that have ended, or are gone, is of no use any more.
    fn forget_ended(&mut self) {
        self.ends.forget_gone(self.view.pod(), &self.volumes);
        let pod = self.view.pod();
        let over = self.ends.observe(pod);
        let exists = |id: &ContainerId| {
            let mut all = pod.incarnations.iter();
            all.any(|i| i.sandboxes.iter().any(|s| s.id == *id) || i.containers.iter().any(|c| c.id == *id))
        };
        self.results.retain(|target, _| match target {
            Target::Instance(id) | Target::PostStart(id) | Target::PreStop(id) => exists(id),
            Target::Image(_) | Target::Sandbox(_) | Target::Container(..) => true,
        });
        self.asking.forget(&over, exists);
        let runs = |id: &ContainerId| {
            let mut all = pod.incarnations.iter().flat_map(|i| &i.containers);
            all.any(|c| c.id == *id && c.state.may_run())
        };
        // A hook of a container that has ended has nothing to run beside.
        let idle = self.handles.iter().filter(|(target, _)| match target {
            Target::PostStart(id) | Target::PreStop(id) => !runs(id),
            Target::Image(_) | Target::Sandbox(_) | Target::Container(..) | Target::Instance(_) => false,
        });
        idle.for_each(|(_, handle)| handle.abort());
    }
}
