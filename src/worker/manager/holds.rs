//! What among the pods of the node keeps one of them from starting: others that come first, and host ports
//! that others have.

use super::{Handle, PodManager, wish};
use crate::{
    engine::{Engine, EngineState},
    plan::Hold,
    pod::{ManifestSource, Pod, PodKey, PodUid, taken_ports},
    worker::Wish,
};
use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

impl<E: Engine> PodManager<E> {
    /// What is wanted of a pod, as things stand.
    pub(super) fn wish(&self, key: &PodKey, runs_from: Option<&ManifestSource>) -> Wish {
        let wish = wish(&self.set, key, runs_from);
        let Wish::Run(pod) = &wish else { return wish };
        let others = pod.standing.start_after.iter();
        let after: BTreeSet<PodKey> = others.filter(|other| !self.is_up(other)).cloned().collect();
        let hold = Hold { after, port: self.taken_ports.get(key).cloned(), uid: self.other_with(&pod.uid, key) };
        if hold.is_none() { wish } else { Wish::RunHeld(pod.clone(), hold) }
    }

    /// Another pod with this uid: one that was renamed under a given uid ends first, its directory is removed by that.
    fn other_with(&self, uid: &PodUid, key: &PodKey) -> Option<PodKey> {
        let listed = self.listed.iter().flatten().filter(|(_, pod)| pod.uids.contains(uid)).map(|(key, _)| key);
        let is_its = |handle: &&Handle| handle.summary.borrow().uid.as_ref() == Some(uid);
        let kept = self.workers.iter().filter(|(_, handle)| is_its(handle)).map(|(key, _)| key);
        listed.chain(kept).find(|other| *other != key).cloned()
    }

    /// Whether those that start after this pod may start.
    fn is_up(&self, key: &PodKey) -> bool {
        self.workers.get(key).is_some_and(|handle| {
            let summary = handle.summary.borrow();
            summary.ready || summary.picture.as_ref().is_some_and(|p| p.0.has_succeeded())
        })
    }

    /// Finds out which pods can not have their host ports: those that run have theirs, then the more
    /// important ones.
    pub(super) fn look_at_ports(&mut self) {
        let picture = |key: &PodKey| self.workers.get(key).and_then(|handle| handle.summary.borrow().picture.clone());
        let is_listed_running = |key: &PodKey| {
            let listed = self.listed.as_ref().and_then(|listed| listed.get(key));
            listed.is_some_and(|pod| pod.rows.iter().any(|row| row.state == EngineState::Running))
        };
        let mut running: Vec<Arc<Pod>> = Vec::new();
        for key in self.set.pods.keys().chain(self.workers.keys()).collect::<BTreeSet<_>>() {
            match picture(key) {
                Some(seen) if seen.0.sandboxes.iter().any(|sandbox| sandbox.state.may_run()) => {
                    running.extend(seen.0.pod.clone());
                }
                Some(_) => {}
                None if is_listed_running(key) => running.extend(self.set.pods.get(key).cloned()),
                None => {}
            }
        }
        let mut wanted: Vec<&Arc<Pod>> = self.set.pods.values().collect();
        wanted.sort_by_key(|pod| (Reverse(pod.standing.priority), &pod.key));
        self.taken_ports = taken_ports(running.iter().chain(wanted).map(AsRef::as_ref));
    }

    /// Looks again at those that wait for others.
    pub(super) fn release(&mut self) {
        if self.shutdown.is_under_way() {
            return;
        }
        self.look_at_ports();
        let is_held = |key: &PodKey| {
            let held = self.workers.get(key).is_some_and(|handle| matches!(*handle.wish.borrow(), Wish::RunHeld(..)));
            held || self.taken_ports.contains_key(key)
        };
        let waiting = |key: &&PodKey| {
            let pod = self.set.pods.get(*key);
            pod.is_some_and(|pod| !pod.standing.start_after.is_empty() || is_held(key))
        };
        let keys: Vec<PodKey> = self.workers.keys().filter(waiting).cloned().collect();
        for key in keys {
            let wish = self.wish(&key, None);
            self.grant(&key, wish);
        }
    }
}
