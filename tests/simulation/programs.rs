//! What the programs in the containers do, run for run.

use kubelet_lite::engine::fake::{Behaviour, FakeEngine, Launch};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Pod (as the manifest names it) and container.
type Name = (&'static str, &'static str);

/// What each container does at its first, second, … start, and from then on.
#[derive(Clone, Default)]
pub struct Programs(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    first: BTreeMap<Name, Vec<Behaviour>>,
    then: BTreeMap<Name, Behaviour>,
    starts: BTreeMap<(String, String), usize>,
    calm: bool,
}

impl Programs {
    /// The first runs of a container.
    pub fn first(&self, name: Name, runs: &[Behaviour]) {
        self.0.lock().unwrap().first.insert(name, runs.to_vec());
    }

    /// All runs after the first ones.
    pub fn then(&self, name: Name, run: Behaviour) {
        self.0.lock().unwrap().then.insert(name, run);
    }

    /// From now on nothing fails or ends by itself any more, but init containers.
    pub fn calm(&self) {
        self.0.lock().unwrap().calm = true;
    }

    pub fn install(&self, engine: &FakeEngine) {
        let table = Arc::clone(&self.0);
        engine.behave(move |launch| table.lock().unwrap().run(launch));
    }
}

impl Table {
    fn run(&mut self, launch: &Launch<'_>) -> Behaviour {
        let pod = launch.pod.strip_suffix("-node1").unwrap_or(launch.pod);
        let starts = self.starts.entry((pod.to_owned(), launch.container.to_owned())).or_default();
        let turn = *starts;
        *starts += 1;
        let is_this = |name: &Name| name.0 == pod && name.1 == launch.container;
        let first = self.first.iter().find(|(name, _)| is_this(name)).and_then(|(_, runs)| runs.get(turn));
        if self.calm {
            return if launch.container.starts_with("init") { usual("init") } else { Behaviour::runs() };
        }
        if let Some(run) = first {
            return run.clone();
        }
        let then = self.then.iter().find(|(name, _)| is_this(name));
        then.map_or_else(|| usual(launch.container), |(_, run)| run.clone())
    }
}

/// What a container of this name does when nothing else is said.
fn usual(container: &str) -> Behaviour {
    match container {
        "POD" => Behaviour::runs().on_sigterm(0, Duration::ZERO),
        name if name.starts_with("init") => Behaviour::exits(0, Duration::from_secs(1)),
        name if name.starts_with("job") => Behaviour::exits(0, Duration::from_secs(3)),
        _ => Behaviour::runs(),
    }
}
