//! The pods of a node that shuts down: stopped group by group, and started no more.
//!
//! Their records, volumes and counts stay for the next boot, unlike those of a pod that is removed.

use super::{Handle, PodManager};
use crate::{
    engine::Engine,
    event::{EventType, reason},
    manifest::ManifestSet,
    pod::{PodKey, priority::priority},
    shutdown::{Shutdown, ShutdownPhase, ShutdownPod, ShutdownPolicy, ShutdownProgress},
    worker::{PodSummary, Wish},
};
use tokio::sync::watch;
use tracing::info;

/// What the manager knows of shutdowns.
pub(super) struct NodeShutdown {
    policy: ShutdownPolicy,
    told: watch::Receiver<Shutdown>,
    progress: Option<ShutdownProgress>,
}

impl NodeShutdown {
    /// Of a node that nobody tells of shutdowns.
    pub(super) fn never() -> Self {
        Self { policy: ShutdownPolicy::default(), told: watch::channel(Shutdown::No).1, progress: None }
    }

    /// Waits for news: the word has changed, or a group's time is over. For ever if nobody is left to tell.
    pub(super) async fn changed(&mut self, clock: &crate::time::Clock) {
        let deadline = self.progress.as_ref().and_then(ShutdownProgress::deadline);
        let due = async {
            match deadline {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.told.changed() => {}
            () = due => {}
            else => std::future::pending().await,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.progress.is_some()
    }

    /// What becomes of a pod of this priority: the wish, or its end if its turn has come.
    pub(super) fn wish(&self, priority: i32, wish: Wish) -> Wish {
        let grace = self.progress.as_ref().and_then(|progress| progress.grace(priority));
        grace.map_or(wish, |grace| Wish::Stop { grace })
    }

    fn phase(&self) -> ShutdownPhase {
        match &self.progress {
            None => ShutdownPhase::None,
            Some(progress) if progress.is_over() => ShutdownPhase::Over,
            Some(_) => ShutdownPhase::Ending,
        }
    }
}

impl<E: Engine> PodManager<E> {
    /// Ends the pods by `policy` when `told` to.
    #[must_use]
    pub fn with_shutdown(mut self, policy: ShutdownPolicy, told: watch::Receiver<Shutdown>) -> Self {
        self.shutdown = NodeShutdown { policy, told, progress: None };
        self
    }

    /// Goes on with a shutdown, or begins or gives up one. True if wishes may have changed.
    pub(super) fn advance_shutdown(&mut self) -> bool {
        let now = self.shared.clock.now();
        let told = *self.shutdown.told.borrow_and_update();
        let mut news = false;
        match (told, &self.shutdown.progress) {
            (Shutdown::Begun, None) => {
                self.shutdown.progress = Some(ShutdownProgress::begin(self.shutdown.policy.clone(), now));
                self.tell_shutdown("Shutdown manager detected shutdown event");
                news = true;
            }
            (Shutdown::No, Some(_)) => {
                self.shutdown.progress = None;
                self.tell_shutdown("Shutdown manager detected shutdown cancellation");
                news = true;
            }
            (Shutdown::Begun, Some(_)) | (Shutdown::No, None) => {}
        }
        let pods: Vec<ShutdownPod> = self.workers.iter().map(|(key, handle)| self.as_seen(key, handle)).collect();
        if let Some(progress) = &mut self.shutdown.progress {
            news |= progress.advance(now, &pods);
        }
        if news {
            let phase = self.shutdown.phase();
            info!(?phase, "node shutdown");
            self.summary.send_modify(|summary| summary.shutdown = phase);
        }
        news
    }

    /// An event of the node; the log has it from whoever heard it.
    fn tell_shutdown(&self, message: &str) {
        let node = &self.shared.facts().node.name;
        self.shared.events.keep_of_node(node, EventType::Normal, reason::NODE_SHUTDOWN, message);
    }

    fn as_seen(&self, key: &PodKey, handle: &Handle) -> ShutdownPod {
        let summary = handle.summary.borrow();
        ShutdownPod { priority: priority_of(&self.set, key, &summary), has_ended: has_ended(&summary) }
    }

    /// A pod's priority: the declared one, else that of what runs.
    pub(super) fn priority(&self, key: &PodKey) -> i32 {
        let summary = self.workers.get(key).map(|handle| handle.summary.borrow().clone()).unwrap_or_default();
        priority_of(&self.set, key, &summary)
    }
}

fn priority_of(set: &ManifestSet, key: &PodKey, summary: &PodSummary) -> i32 {
    let shown = || summary.picture.as_ref().and_then(|picture| picture.0.pod.as_ref());
    set.pods.get(key).or_else(shown).map_or(0, |pod| priority(&pod.spec))
}

/// The worker was told to end the pod, and has nothing left to do for it.
fn has_ended(summary: &PodSummary) -> bool {
    let runs = summary.picture.as_ref().is_some_and(|picture| {
        let picture = &picture.0;
        picture.containers.iter().any(|c| c.state.may_run()) || picture.sandboxes.iter().any(|s| s.state.may_run())
    });
    summary.terminating && summary.quiet && !runs
}
