//! Doing: one [`PodWorker`] for each pod, and the [`PodManager`] that keeps them.
//!
//! A worker is the only code that changes its pod's containers. It observes, asks
//! [`compute_pod_actions`](crate::plan::compute_pod_actions), begins what the plan says, publishes,
//! and waits for the next cause. Nothing slow is awaited in its loop but the observation, which has
//! the engine's own time limits: pulls and stops run as tasks. A retry is never a timer of its own
//! but part of the next plan. Dropping a worker leaves its containers running: a restart of the
//! daemon is the crash path, and there is no other.
//!
//! Workers share no state but [`Shared`]; they are told things by `watch` (the wish, latest wins)
//! and by a bounded mailbox (hints), and they publish a [`PodSummary`].

mod asking;
mod ends;
mod error;
mod execute;
mod facts;
mod journal;
mod logs;
mod lookup;
pub mod manager;
mod oom;
mod picture;
mod pod_worker;
mod pulse;
mod starts;
mod summary;
mod view;

pub use error::SyncError;
pub use facts::Facts;
pub use manager::{EngineHealth, ManagerOptions, NodeSummary, PodManager};
pub use oom::OomSupport;
pub use pod_worker::{ListedContainer, PodMessage, PodWorker, Wish, WorkerEnd};
pub use pulse::{Beats, Pulse, pulse};
pub use starts::{StartPermit, StartQueue};
pub use summary::PodSummary;

use crate::{
    convert::NodeFacts,
    engine::Engine,
    event::Recorder,
    plan::NodePolicy,
    pod::Objects,
    probe::Handlers,
    time::Clock,
    volume::{AppliedStore, LogLinks, VolumeManager},
};
use std::sync::Arc;
use tokio::sync::watch;

/// How many sandboxes and containers are made or started at once on the node. More gains nothing on
/// small machines and only lengthens each pod's start.
pub const PARALLEL_STARTS: usize = 4;
/// How many images are unpacked into volumes at once on the node: each is work on the disk for as long as that takes,
/// and others have some too.
pub const PARALLEL_UNPACKS: usize = 2;

/// How many pods have work on their directories done at once on the node: each has a thread for as long as that takes,
/// which is for ever on a dead network mount. Of the [`BLOCKING_THREADS`] the rest stays for what must go on then:
/// reading manifests, ending commands that took too long.
pub const PARALLEL_DISK_WORK: usize = 5;
/// Threads for work on files that the daemon's runtime has.
pub const BLOCKING_THREADS: usize = 8;
const _: () = assert!(PARALLEL_UNPACKS < PARALLEL_DISK_WORK && PARALLEL_DISK_WORK < BLOCKING_THREADS);

/// What all workers use and none owns.
pub struct Shared<E> {
    /// The Docker Engine.
    pub engine: E,
    /// What translation needs to know of the node.
    pub facts: Facts,
    /// Whether the engine can set a negative `oom_score_adj`, as far as known.
    pub oom: watch::Sender<OomSupport>,
    /// Directories of the pods.
    pub volumes: VolumeManager,
    /// Manifests that were applied without a restart.
    pub applied: AppliedStore,
    /// What happened, for people.
    pub events: Recorder,
    /// The only clock.
    pub clock: Clock,
    /// Figures of the node.
    pub policy: NodePolicy,
    /// Permits for making and starting.
    pub starts: StartQueue,
    /// Permits for unpacking images.
    pub unpacks: StartQueue,
    /// Permits for work on directories of pods.
    pub disk: StartQueue,
    /// Asks probes and runs lifecycle hooks.
    pub handlers: Arc<dyn Handlers>,
    /// Where the sandbox image comes from.
    pub sandbox_image: SandboxImage,
    /// Where log collectors look for logs; `None` where nobody does.
    pub log_links: Option<LogLinks>,
}

/// Where the sandbox image comes from (`--pod-infra-container-image`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxImage {
    /// The pause image that is part of this program.
    BuiltIn,
    /// An image of the operator's, pulled if missing.
    Named(String),
}

impl<E: Engine> Shared<E> {
    /// The facts of the moment.
    pub fn facts(&self) -> Arc<NodeFacts> {
        self.facts.get()
    }

    /// Takes in how a start ended, says once what it means, and returns what is known now.
    fn note_oom(&self, negative: bool, start: oom::Start) -> OomSupport {
        let before = *self.oom.borrow();
        let known = before.after(negative, start);
        if known == before {
            return known;
        }
        self.oom.send_replace(known);
        self.facts.change(|facts| {
            Arc::make_mut(facts).negative_oom_score_adj = known.negative_is_tried();
            true
        });
        if known == OomSupport::Refused {
            tracing::warn!(
                "this Docker Engine can not set a negative oom_score_adj (it lacks CAP_SYS_RESOURCE, as nested engines \
                 do): going on without, so the kernel may end sandboxes and Guaranteed pods first when memory runs out"
            );
        }
        known
    }

    /// Lets everybody know what pods may refer to.
    fn note_objects(&self, objects: &Arc<Objects>) {
        self.facts.change(|facts| {
            let changed = !Arc::ptr_eq(&facts.objects, objects) && facts.objects != *objects;
            if changed {
                Arc::make_mut(facts).objects = objects.clone();
            }
            changed
        });
    }

    /// Makes sure that the sandbox image is on the node, and notes its id.
    pub(crate) async fn ensure_sandbox_image(&self) -> Result<(), crate::engine::EngineError> {
        let id = match &self.sandbox_image {
            SandboxImage::BuiltIn => crate::engine::pause::ensure(&self.engine).await?,
            SandboxImage::Named(reference) => match self.engine.image_inspect(reference).await {
                Ok(image) => image.id,
                Err(error) if error.is_not_found() => {
                    self.engine.image_pull(reference, None).await?;
                    self.engine.image_inspect(reference).await?.id
                }
                Err(error) => return Err(error),
            },
        };
        self.facts.change(|facts| {
            let changed = facts.pause_image != id;
            if changed {
                Arc::make_mut(facts).pause_image = id;
            }
            changed
        });
        Ok(())
    }
}
