//! A Docker Engine in memory, for tests: stateful, deterministic, on the runtime's (paused) time.
//!
//! [`FakeEngine`] refuses what Docker refuses and is held to the same contract suite as the real
//! engine. What its programs do is chosen by a rule ([`FakeEngine::behave`]); what goes wrong is
//! chosen by call number ([`FakeEngine::inject`]) or by a hook ([`FakeEngine::on_call`]). Nothing
//! here reads a real clock, draws a random number or depends on the order of a hash map, so one
//! scenario always makes the same calls and the same history.
//!
//! An effect belongs to the engine, not to its caller: a delayed `start` whose caller went away
//! starts the container, and the grace of a `stop` runs on. A handle is a *client*. To play a
//! `kill -9` of the daemon, [`crash`](FakeEngine::crash) its client (or use [`Fault::Crash`]), drop
//! the daemon and give the next one a fresh [`client`](FakeEngine::client).

mod behaviour;
mod call;
mod container;
mod event;
mod exec;
mod fault;
mod image;
mod operator;
mod world;

pub use behaviour::{Behaviour, Launch};
pub use exec::ExecBehaviour;
pub use fault::{Call, Effect, Fault, Verb, internal_error, timeout, unavailable};
pub use world::{HistoryEntry, What};

use super::{EngineError, EngineVersion, ImageDetails, RegistryAuth};
use crate::time::Clock;
use image::Pull;
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::AbortHandle};
use tokio_util::sync::CancellationToken;
use world::World;

/// A client of an engine in memory. Clones are the same client.
#[derive(Clone)]
pub struct FakeEngine {
    engine: Arc<Shared>,
    crashed: CancellationToken,
    instance: Option<Arc<str>>,
}

struct Shared {
    world: Mutex<World>,
    driver: Mutex<Option<AbortHandle>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take() {
            driver.abort();
        }
    }
}

impl Shared {
    /// The world, brought to the present.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance();
        world
    }
}

impl FakeEngine {
    /// An empty engine whose wall clock is `clock`'s. Needs a tokio runtime, best one with paused time.
    pub fn new(clock: &Clock) -> Self {
        let wake = Arc::new(Notify::new());
        let world = World::new(clock, Arc::clone(&wake));
        let engine = Arc::new(Shared { world: Mutex::new(world), driver: Mutex::new(None) });
        let weak = Arc::downgrade(&engine);
        // Makes things happen in time also while nobody calls.
        let driver = tokio::spawn(async move {
            loop {
                let Some(next) = weak.upgrade().map(|engine| engine.world().next_due()) else { return };
                match next {
                    Some(at) => tokio::select! {
                        biased;
                        () = tokio::time::sleep_until(at) => {}
                        () = wake.notified() => {}
                    },
                    None => wake.notified().await,
                }
            }
        });
        *engine.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver.abort_handle());
        Self { engine, crashed: CancellationToken::new(), instance: None }
    }

    /// Another client of the same engine, with the same instance.
    #[must_use]
    pub fn client(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), crashed: CancellationToken::new(), instance: self.instance.clone() }
    }

    /// Another client, to which only events of containers with label
    /// [`MANAGED_BY_LABEL`](super::MANAGED_BY_LABEL)`=instance` are delivered. Without an instance
    /// all events are.
    #[must_use]
    pub fn for_instance(&self, instance: &str) -> Self {
        Self { instance: Some(Arc::from(instance)), ..self.client() }
    }

    // ---- what programs do, what images there are ----

    /// Chooses what containers do, from their next start on. The rule must not call the engine.
    pub fn behave(&self, rule: impl FnMut(&Launch<'_>) -> Behaviour + Send + 'static) {
        self.engine.world().rule = Box::new(rule);
    }

    /// [`Self::behave`] as a table: label `io.kubernetes.container.name`, first and last attempt it
    /// holds for, what it does. The first row that fits wins; without one a sandbox ends with 0 at
    /// SIGTERM, anything else runs for ever and ends with 143.
    pub fn behave_by_table(&self, table: Vec<(&'static str, std::ops::RangeInclusive<u32>, Behaviour)>) {
        self.behave(move |launch| {
            let row = table
                .iter()
                .find(|(name, attempts, _)| *name == launch.container && attempts.contains(&launch.attempt));
            row.map_or_else(|| behaviour::default_rule(launch), |(_, _, behaviour)| behaviour.clone())
        });
    }

    /// Chooses what commands do in containers, from the next one on; without a rule they end at once
    /// with 0. The rule must not call the engine.
    pub fn behave_exec(&self, rule: impl FnMut(&Launch<'_>, &[String]) -> ExecBehaviour + Send + 'static) {
        self.engine.world().exec_rule = Box::new(rule);
    }

    /// Puts an image on the node and returns its id.
    pub fn add_image(&self, reference: &str) -> String {
        self.add_image_with(reference, ImageDetails::default())
    }

    /// Puts an image with these properties on the node; an empty id is derived from the reference.
    pub fn add_image_with(&self, reference: &str, image: ImageDetails) -> String {
        self.engine.world().images.add(reference, image)
    }

    /// Puts a regular file into an image.
    pub fn add_image_file(&self, reference: &str, path: &str, content: &[u8]) {
        self.engine.world().images.add_file(reference, path, content);
    }

    /// `docker rmi -f` by the operator.
    pub fn remove_image(&self, reference: &str) {
        self.engine.world().images.remove(reference);
    }

    /// Lets pulls of `reference` succeed after `takes`. What nobody publishes is not found.
    pub fn publish_image(&self, reference: &str, takes: Duration) {
        let result = Ok(ImageDetails::default());
        self.engine.world().images.publish(reference, Pull { takes, result, only: None });
    }

    /// Lets pulls of `reference` fail after `takes`.
    pub fn fail_pulls(&self, reference: &str, takes: Duration, error: EngineError) {
        self.engine.world().images.publish(reference, Pull { takes, result: Err(error), only: None });
    }

    /// Lets pulls of `reference` succeed for this user alone.
    pub fn publish_private_image(&self, reference: &str, only: RegistryAuth) {
        let (takes, result) = (Duration::ZERO, Ok(ImageDetails::default()));
        self.engine.world().images.publish(reference, Pull { takes, result, only: Some(only) });
    }

    /// What [`Engine::version`] answers from now on.
    pub fn set_version(&self, version: EngineVersion) {
        self.engine.world().version = version;
    }

    // ---- what goes wrong ----

    /// Puts a fault in the way of call number `n` (1 is the first call ever made to this engine).
    pub fn inject(&self, n: u64, fault: Fault) {
        self.engine.world().faults.entry(n).or_default().push(fault);
    }

    /// Shows each call to `hook` as it arrives; the faults it returns act on that call. The hook
    /// must not call the engine.
    pub fn on_call(&self, hook: impl FnMut(&Call) -> Vec<Fault> + Send + 'static) {
        self.engine.world().hook = Some(Box::new(hook));
    }

    /// Removes the hook and all faults not yet used.
    pub fn clear_faults(&self) {
        let mut world = self.engine.world();
        world.hook = None;
        world.faults.clear();
        (world.stream.drop_next, world.stream.double_next, world.stream.delay_next) = (0, 0, None);
    }

    /// `kill -9` of this client: its calls under way never answer, later ones do nothing and never
    /// answer. What the engine was asked to do before, it does.
    pub fn crash(&self) {
        self.crashed.cancel();
    }

    /// Returns when this client has crashed.
    pub fn crashed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.crashed.clone().cancelled_owned()
    }

    /// Whether this client has crashed.
    pub fn is_crashed(&self) -> bool {
        self.crashed.is_cancelled()
    }

    /// dockerd goes away for `down`: streams end, calls fail with [`EngineError::Unavailable`], the
    /// timers of stops under way are lost, and without live-restore all containers are stopped at once
    /// (with what they do at their stop signal, or 137).
    pub fn restart(&self, live_restore: bool, down: Duration) {
        self.engine.world().go_down(live_restore, down);
    }

    /// Moves all wall-clock times recorded so far, as if the machine's clock had jumped the other way.
    pub fn shift_recorded_times(&self, by: jiff::SignedDuration) {
        self.engine.world().shift_recorded_times(by);
    }
}

#[cfg(test)]
mod tests;
