//! From the end of a task to what is known by it.

use super::{End, PodWorker};
use crate::{
    convert,
    engine::Engine,
    plan::{Failure, PodAction, Target, Volumes, backoff::retry_delay},
    report,
    worker::SyncError,
};
use tracing::debug;

impl<E: Engine> PodWorker<E> {
    /// Takes in the end of a task.
    pub(super) fn record(&mut self, end: Result<(tokio::task::Id, End), tokio::task::JoinError>) {
        let (target, result) = match end {
            // One that was superseded may have ended by itself just before.
            Ok((id, (target, _))) if self.handles.get(&target).is_none_or(|h| h.id() != id) => return,
            Ok((_, ended)) => ended,
            Err(failed) => {
                let target = self.handles.iter().find(|(_, h)| h.id() == failed.id()).map(|(t, _)| t.clone());
                let Some(target) = target else { return };
                let verb = self.in_flight.get(&target).map_or("action", PodAction::verb);
                if failed.is_cancelled() {
                    self.handles.remove(&target);
                    self.in_flight.remove(&target);
                    return;
                }
                (target, Err(SyncError::Aborted { verb, message: failed.to_string() }))
            }
        };
        self.handles.remove(&target);
        let Some(action) = self.in_flight.remove(&target) else { return };
        self.lookup.ended(&action);
        if matches!(result, Err(SyncError::GivenUp)) {
            // No failure, and nothing was made.
            return;
        }
        if let Err(error) = &result
            && error.is_unavailable()
        {
            self.engine_is_away(&action, error);
            return;
        }
        if let (Some(ended), Err(error)) = (self.asking.hook_ended(&action, result.is_ok()), &result) {
            let uid = self.owner(|i| i.containers.iter().any(|c| c.id == ended));
            self.journal(uid.as_ref(), self.wanted()).hook_failed(&action);
            debug!(pod = %self.key, container_id = %ended, "{}", report(error));
            return;
        }
        match result {
            Ok(done) => {
                self.results.remove(&target);
                if let PodAction::RemoveVolumes { uid }
                | PodAction::RemoveSandbox { uid, volumes: Volumes::Remove, .. } = &action
                {
                    self.volumes.remove(uid);
                    self.lookup.removed(uid);
                    self.ends.forget_gone(self.view.pod(), &self.volumes);
                }
                if let Some(held) = done.held {
                    self.lookup.wrote(&action, held);
                }
                done.touched.into_iter().for_each(|id| self.view.mark(id));
                if let Some((reference, image)) = done.image {
                    self.images.insert(reference, image);
                }
            }
            Err(error) => {
                if let SyncError::Unwritten { held, .. } = &error {
                    self.lookup.wrote_in_part(&action, held.clone());
                }
                self.record_failure(target, &action, &error);
            }
        }
    }

    /// Nothing is known of what an action has come to, and all is looked at when the engine is back, what may
    /// have been made too: nobody else may tell of it before the next decision. A hook then runs again: at
    /// least once, as the kubelet has it.
    fn engine_is_away(&mut self, action: &PodAction, error: &SyncError) {
        debug!(pod = %self.key, action = action.verb(), "waiting for the engine: {}", report(error));
        if let PodAction::StopContainer { id, .. } = action {
            self.ends.forget(id);
        }
        match action {
            PodAction::CreateSandbox { uid, attempt } => {
                self.view.mark_name(convert::sandbox_name(&self.key, uid, *attempt));
            }
            PodAction::CreateContainer { uid, name, history, .. } => {
                self.view.mark_name(convert::container_name(&self.key, uid, name, history.attempt));
            }
            _ => {}
        }
        self.view.mark_all();
        self.pause();
    }

    fn record_failure(&mut self, target: Target, action: &PodAction, error: &SyncError) {
        // Whatever was asked may have happened: look.
        match action {
            PodAction::StartSandbox { id, .. }
            | PodAction::StopSandbox { id }
            | PodAction::RemoveSandbox { id, .. }
            | PodAction::StartContainer { id, .. }
            | PodAction::StopContainer { id, .. }
            | PodAction::RemoveContainer { id, .. } => self.view.mark(id.clone()),
            PodAction::EnsureImage { .. }
            | PodAction::CreateSandbox { .. }
            | PodAction::UpdateVolumes { .. }
            | PodAction::RemoveVolumes { .. }
            | PodAction::CreateContainer { .. }
            | PodAction::RunPostStart { .. }
            | PodAction::RunPreStop { .. } => {}
        }
        if let PodAction::StopContainer { id, .. } = action {
            self.ends.forget(id);
        }
        let failures = self.results.get(&target).map_or(0, |f| f.failures).saturating_add(1);
        let (pace, at) = (error.pace(&target), self.shared.clock.now());
        let failure = Failure { failures, pace, at, reason: error.reason(action), message: report(error) };
        let delay = retry_delay(pace, failures);
        self.journal(self.uid(), self.wanted()).failed(&target, &failure, delay, error.is_our_fault());
        self.results.insert(target, failure);
    }
}
