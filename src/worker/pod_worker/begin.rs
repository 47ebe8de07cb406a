//! From a planned action to the task that does it: whose it is, what it needs, what it supersedes.

use super::PodWorker;
use crate::{
    engine::{Engine, ImageDetails},
    plan::{Desired, PodAction, Target},
    pod::{AppliedPod, Container, Incarnation, Pod, PodUid, Sandbox},
    probe::{HandlerTarget, Hook, InvalidHandler},
    worker::{asking, execute},
};
use k8s_openapi::api::core::v1::LifecycleHandler;
use std::sync::Arc;
use tokio::task::AbortHandle;
use tracing::debug;

impl<E: Engine> PodWorker<E> {
    /// Begins an action as a task.
    pub(super) fn begin(&mut self, action: PodAction) {
        let (uid, pod) = self.subject(&action, self.wanted().cloned());
        let Some(uid) = uid else { return };
        self.uids.insert(uid.clone());
        if matches!(action, PodAction::CreateSandbox { .. }) {
            self.volumes.insert(uid.clone());
        }
        if let PodAction::StartContainer { name, id, .. } = &action {
            let container = pod.as_ref().and_then(|pod| pod.container(name));
            self.asking.starting(id, container.is_some_and(|c| c.post_start().is_some()));
        }
        if matches!(action, PodAction::CreateSandbox { .. })
            && self.view.pod().incarnation(&uid).is_some()
            && !self.results.contains_key(&action.target())
        {
            self.journal(Some(&uid), pod.as_ref()).sandbox_changed();
        }
        self.supersede(&action);
        debug!(pod = %self.key, %uid, action = action.verb(), "begun");
        let target = action.target();
        let sandboxes = self.view.pod().incarnation(&uid).map(|i| i.sandboxes.as_slice()).unwrap_or_default();
        let pod_started_at = sandboxes.iter().filter_map(|s| s.pod_start.wall).min();
        let files = self.lookup.begin(&uid, &action);
        let given_up = self.given_up.entry(uid.clone()).or_default().clone();
        let task = execute::Task {
            shared: self.shared.clone(),
            key: self.key.clone(),
            uid,
            pod,
            sandbox: self.sandbox_of(&action),
            image: self.image_of(&action),
            hook: self.hook_of(&action),
            pod_started_at,
            files,
            given_up,
            action: action.clone(),
        };
        self.in_flight.insert(target.clone(), action);
        let labelled = target.clone();
        let handle = self.tasks.spawn(async move { (labelled, task.run().await) });
        self.handles.insert(target, handle);
    }

    /// What is still made for an incarnation that is to end is of no use, and may take long: its end waits for
    /// that.
    pub(super) fn give_up(&mut self) {
        let (stops, ending) = (matches!(self.desired, Desired::Stop { .. }), &self.plan.terminating);
        self.given_up.retain(|uid, token| {
            let goes_on = !stops && !ending.contains(uid);
            if !goes_on {
                token.cancel();
            }
            goes_on
        });
    }

    /// Ends what an action supersedes: hooks of a container that is stopped, and a stop that is asked for
    /// again with an earlier end, which goes on in the engine.
    fn supersede(&mut self, action: &PodAction) {
        let superseded = match action {
            PodAction::RunPreStop { id, .. } => vec![Target::PostStart(id.clone())],
            PodAction::StopContainer { id, .. } => {
                vec![Target::PostStart(id.clone()), Target::PreStop(id.clone()), Target::Instance(id.clone())]
            }
            _ => return,
        };
        superseded.iter().filter_map(|target| self.handles.get(target)).for_each(AbortHandle::abort);
    }

    fn hook_of(&self, action: &PodAction) -> Option<(Result<Hook, InvalidHandler>, HandlerTarget)> {
        let (id, which): (_, fn(&Container) -> Option<&LifecycleHandler>) = match action {
            PodAction::RunPostStart { id, .. } => (id, Container::post_start),
            PodAction::RunPreStop { id, .. } => (id, Container::pre_stop),
            _ => return None,
        };
        asking::hook((self.view.pod(), self.wanted()), id, self.view.made_from(id), which)
    }

    /// Whose action it is: the incarnation, and the spec it is made from.
    fn subject(&self, action: &PodAction, desired: Option<Arc<Pod>>) -> (Option<PodUid>, Option<Arc<Pod>>) {
        let uid = match action {
            PodAction::CreateSandbox { uid, .. }
            | PodAction::StartSandbox { uid, .. }
            | PodAction::RemoveSandbox { uid, .. }
            | PodAction::UpdateVolumes { uid }
            | PodAction::RemoveVolumes { uid }
            | PodAction::CreateContainer { uid, .. }
            | PodAction::StartContainer { uid, .. } => Some(uid.clone()),
            PodAction::EnsureImage { .. } => desired.as_ref().map(|p| p.uid.clone()).or(self.uid().cloned()),
            PodAction::StopSandbox { id } => self.owner(|i| i.sandboxes.iter().any(|s| s.id == *id)),
            PodAction::RunPostStart { id, .. }
            | PodAction::RunPreStop { id, .. }
            | PodAction::StopContainer { id, .. }
            | PodAction::RemoveContainer { id, .. } => self.owner(|i| i.containers.iter().any(|c| c.id == *id)),
        };
        // An old incarnation that is kept alive is made from what it runs with.
        let of_uid = |uid: &PodUid| {
            desired.filter(|p| p.uid == *uid).or_else(|| match &self.view.pod().incarnation(uid)?.applied {
                AppliedPod::Known(pod) => Some(pod.clone()),
                AppliedPod::Unreadable(_) => None,
            })
        };
        let pod = uid.as_ref().and_then(of_uid);
        (uid, pod)
    }

    pub(super) fn owner(&self, holds: impl Fn(&Incarnation) -> bool) -> Option<PodUid> {
        self.view.pod().incarnations.iter().find(|i| holds(i)).map(|i| i.uid.clone())
    }

    fn sandbox_of(&self, action: &PodAction) -> Option<Sandbox> {
        let PodAction::CreateContainer { uid, sandbox, .. } = action else { return None };
        self.view.pod().incarnation(uid)?.sandboxes.iter().find(|s| s.id == *sandbox).cloned()
    }

    /// The image of a container that is to be made; each is looked up anew for the next one.
    fn image_of(&mut self, action: &PodAction) -> Option<Arc<ImageDetails>> {
        let PodAction::CreateContainer { uid, name, .. } = action else { return None };
        let (_, pod) = self.subject(
            action,
            match &self.desired {
                Desired::Run(pod) if pod.uid == *uid => Some(pod.clone()),
                Desired::Run(_) | Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => None,
            },
        );
        let pod = pod?;
        let container = pod.container(name)?;
        let image = self.images.remove(&container.image);
        let references = self.lookup.states().get(uid);
        for (image, _) in container.images_without(|volume| references.is_some_and(|r| r.has(volume))) {
            self.images.remove(image);
        }
        image
    }
}
