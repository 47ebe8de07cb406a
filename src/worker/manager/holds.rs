//! What among the pods of the node keeps one of them from starting: others that come first, and host ports
//! that others have.

use super::{PodManager, wish};
use crate::{
    engine::{Engine, EngineState},
    manifest::ManifestSet,
    plan::{Hold, SameUid},
    pod::{ManifestSource, NodeRules, Pod, PodKey, PodUid, taken_ports},
    worker::Wish,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl<E: Engine> PodManager<E> {
    /// What is wanted of a pod, as things stand.
    pub(super) fn wish(&self, key: &PodKey, runs_from: Option<&ManifestSource>) -> Wish {
        let wish = wish(&self.set, key, runs_from);
        let Wish::Run(pod) = &wish else { return wish };
        let others = pod.standing.start_after.iter();
        let rules = &self.shared.policy.node;
        let is_awaited = |key: &&PodKey| is_of_node(&self.set, rules, key) || self.runs(key);
        let after: BTreeSet<PodKey> = others.filter(is_awaited).filter(|other| !self.is_up(other)).cloned().collect();
        let same_uid = |other| SameUid { is_mutual: self.waits_for_uid_of(&other, key), other };
        let uid = self.other_with(&pod.uid, key).map(same_uid);
        let hold = Hold { after, port: self.taken_ports.get(key).cloned(), uid };
        if hold.is_none() { wish } else { Wish::RunHeld(pod.clone(), hold) }
    }

    /// Another pod with this uid: one that was renamed under a given uid ends first, its directory is removed by that.
    fn other_with(&self, uid: &PodUid, key: &PodKey) -> Option<PodKey> {
        let all = self.workers.keys().chain(self.listed.iter().flat_map(BTreeMap::keys));
        all.filter(|other| *other != key).find(|other| self.uids(other).contains(uid)).cloned()
    }

    /// Whether a pod can not have its uid before this one is gone, be it through others.
    fn waits_for_uid_of(&self, waiting: &PodKey, key: &PodKey) -> bool {
        let holder = |waiting: &PodKey| self.other_with(&self.set.pods.get(waiting)?.uid, waiting);
        let mut seen = BTreeSet::new();
        let mut next = holder(waiting);
        while let Some(other) = next.filter(|other| seen.insert(other.clone())) {
            if other == *key {
                return true;
            }
            next = holder(&other);
        }
        false
    }

    /// The uids that a pod has: what its worker knows, and as long as that knows nothing, what the engine lists.
    pub(super) fn uids(&self, key: &PodKey) -> BTreeSet<PodUid> {
        let known = self.workers.get(key).and_then(|handle| handle.summary.borrow().uids.clone());
        let listed = || self.listed.as_ref()?.get(key).map(|pod| pod.uids.clone());
        known.or_else(listed).unwrap_or_default()
    }

    /// Whether those that start after this pod may start.
    fn is_up(&self, key: &PodKey) -> bool {
        let picture = self.workers.get(key).and_then(|handle| handle.summary.borrow().picture.clone());
        picture.is_some_and(|seen| seen.0.lets_others_start())
    }

    /// Whether anything of this pod may run.
    fn runs(&self, key: &PodKey) -> bool {
        let picture = self.workers.get(key).and_then(|handle| handle.summary.borrow().picture.clone());
        picture.is_some_and(|seen| seen.0.sandboxes.iter().any(|sandbox| sandbox.state.may_run()))
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

/// Whether a pod is to run on this node, as far as anybody knows: one that is for other nodes, or that its
/// workload asks for none of, is not waited for, so that the same files do for every node.
fn is_of_node(set: &ManifestSet, rules: &NodeRules, key: &PodKey) -> bool {
    match set.pods.get(key) {
        Some(pod) => rules.admits(&pod.spec).is_ok(),
        None => !set.elsewhere.contains_key(key) && !set.none.contains(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::{Node, NodeMismatch};

    #[test]
    fn what_is_not_of_this_node_is_not_waited_for() {
        let source = ManifestSource { path: "/m/x.yaml".into(), document: 0 };
        let pod = |name: &str, more: &str| {
            let yaml = format!("{{metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: i}}], {more}}}}}");
            let written: k8s_openapi::api::core::v1::Pod = serde_yaml::from_str(&yaml).unwrap();
            let pod = Pod::from_manifest(written, source.clone(), &Node { name: "n".into() }).unwrap();
            (pod.key.clone(), Arc::new(pod))
        };
        let key = |name: &str| PodKey::new("default", format!("{name}-n"));
        let mismatch = NodeMismatch { reason: "NodeAffinity", message: "no".into() };
        let set = ManifestSet {
            pods: [pod("here", ""), pod("away", "nodeSelector: {disk: ssd}")].into(),
            elsewhere: [(key("share"), mismatch)].into(),
            none: [key("zero")].into(),
            ..ManifestSet::default()
        };
        for (name, awaited) in [("here", true), ("unknown", true), ("away", false), ("share", false), ("zero", false)] {
            assert_eq!(is_of_node(&set, &NodeRules::default(), &key(name)), awaited, "{name}");
        }
    }
}
