//! What a worker's pod refers to, as it stands: resolved anew when a manifest or an object may be
//! another one, what volumes of files were seen to hold since our start, and which `image` volumes are there.

use super::facts::Reader;
use crate::{
    convert::{self, FileVolumes, NodeFacts},
    plan::{Desired, PodAction, ReferenceStates},
    pod::{
        AppliedPod, Container, ObservedPod, Pod, PodUid,
        references::{VolumeLack, VolumeReferences, VolumeState},
    },
    volume::{Held, VolumeManager},
};
use std::{collections::BTreeMap, sync::Arc};

/// The references of one pod's incarnations.
pub(super) struct Lookup {
    /// Tells of the objects of the node, among other things.
    facts: Reader,
    /// What the rest was made from.
    made_from: Option<(Arc<NodeFacts>, Vec<Arc<Pod>>)>,
    states: ReferenceStates,
    files: BTreeMap<PodUid, Arc<FileVolumes>>,
    /// As they were last written.
    written: BTreeMap<PodUid, Written>,
    /// What an action under way writes.
    writing: BTreeMap<PodUid, Arc<FileVolumes>>,
    /// Whether the disk may have other `image` volumes than at the last look.
    may_have_images: bool,
}

/// What was written, and what is there.
#[derive(Default)]
struct Written {
    /// What an action has written last; none if it could not write all of it.
    files: Option<Arc<FileVolumes>>,
    held: Held,
}

impl Lookup {
    pub(super) fn new(facts: Reader) -> Self {
        Self {
            facts,
            made_from: None,
            states: ReferenceStates::new(),
            files: BTreeMap::new(),
            written: BTreeMap::new(),
            writing: BTreeMap::new(),
            may_have_images: true,
        }
    }

    /// Returns when a fact of the node has changed; never, when nobody can change one any more.
    /// Cancel-safe: a change that is missed is seen by the next look.
    pub(super) async fn changed(&mut self) {
        self.facts.changed().await;
    }

    /// Resolves what each incarnation refers to, if its manifest or an object may be another one.
    pub(super) fn look_up(&mut self, desired: &Desired, observed: &ObservedPod, disk: &VolumeManager) {
        let desired = match desired {
            Desired::Run(pod) => Some(pod),
            Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => None,
        };
        let others = observed.incarnations.iter().filter_map(|i| match &i.applied {
            AppliedPod::Known(pod) if desired.is_none_or(|d| d.uid != pod.uid) => Some(pod),
            AppliedPod::Known(_) | AppliedPod::Unreadable(_) => None,
        });
        let pods: Vec<Arc<Pod>> = desired.into_iter().chain(others).cloned().collect();
        let facts = self.facts.read();
        let same = self.made_from.as_ref().is_some_and(|(old_facts, old_pods)| {
            Arc::ptr_eq(&facts, old_facts)
                && pods.len() == old_pods.len()
                && pods.iter().zip(old_pods).all(|(now, before)| Arc::ptr_eq(now, before))
        });
        if !same {
            self.states = pods.iter().map(|pod| (pod.uid.clone(), convert::references(pod, &facts))).collect();
            let old = std::mem::take(&mut self.files);
            self.files = pods.iter().map(|pod| (pod.uid.clone(), files(pod, &facts, old.get(&pod.uid)))).collect();
            let states = &self.states;
            self.written.retain(|uid, _| states.contains_key(uid));
            self.made_from = Some((facts, pods));
            self.judge();
            self.may_have_images = true;
        }
        if std::mem::take(&mut self.may_have_images) {
            for pod in self.made_from.iter().flat_map(|(_, pods)| pods) {
                let Some(state) = self.states.get_mut(&pod.uid) else { continue };
                let all = pod.containers.iter().flat_map(|container| &container.image_volumes);
                state.image_volumes = all.filter(|volume| disk.has_image(&pod.uid, volume)).cloned().collect();
            }
        }
    }

    /// Says anew how it stands with the volumes.
    fn judge(&mut self) {
        for pod in self.made_from.iter().flat_map(|(_, pods)| pods) {
            if let (Some(state), Some(files)) = (self.states.get_mut(&pod.uid), self.files.get(&pod.uid)) {
                state.volumes = volumes(pod, files, self.written.get(&pod.uid));
            }
        }
    }

    /// How it stands with each incarnation.
    pub(super) fn states(&self) -> &ReferenceStates {
        &self.states
    }

    /// What an action on this incarnation has to write.
    pub(super) fn begin(&mut self, uid: &PodUid, action: &PodAction) -> Arc<FileVolumes> {
        let files = self.files.get(uid).cloned().unwrap_or_default();
        if let PodAction::CreateSandbox { .. } | PodAction::UpdateVolumes { .. } = action {
            self.writing.insert(uid.clone(), files.clone());
        }
        files
    }

    /// An action has written, and this is there now.
    pub(super) fn wrote(&mut self, action: &PodAction, held: Held) {
        if let PodAction::CreateSandbox { uid, .. } | PodAction::UpdateVolumes { uid } = action
            && let Some(files) = self.writing.remove(uid)
        {
            self.written.insert(uid.clone(), Written { files: Some(files), held });
            self.judge();
        }
    }

    /// An action could not write all, and this is there now. The rest is as it was before, as far as that is known.
    pub(super) fn wrote_in_part(&mut self, action: &PodAction, held: Held) {
        if let PodAction::UpdateVolumes { uid } = action {
            self.writing.remove(uid);
            let written = self.written.entry(uid.clone()).or_default();
            written.files = None;
            written.held.extend(held);
            self.judge();
        }
    }

    /// An action has ended, whatever came of it.
    pub(super) fn ended(&mut self, action: &PodAction) {
        self.may_have_images |= matches!(
            action,
            PodAction::CreateContainer { .. } | PodAction::RemoveVolumes { .. } | PodAction::RemoveSandbox { .. }
        );
    }

    /// The directories of an incarnation are gone.
    pub(super) fn removed(&mut self, uid: &PodUid) {
        self.written.remove(uid);
        self.judge();
    }
}

/// The volumes of files of a pod; the same ones as before, if they hold the same.
fn files(pod: &Pod, facts: &NodeFacts, before: Option<&Arc<FileVolumes>>) -> Arc<FileVolumes> {
    let files = convert::file_volumes(pod, facts);
    match before {
        Some(before) if **before == files => before.clone(),
        Some(_) | None => Arc::new(files),
    }
}

fn volumes(pod: &Pod, files: &Arc<FileVolumes>, written: Option<&Written>) -> VolumeReferences {
    let nothing = files.volumes.is_empty() && files.failed.is_empty();
    let is_settled = nothing || written.and_then(|w| w.files.as_ref()).is_some_and(|last| Arc::ptr_eq(files, last));
    let lacking = pod.containers.iter().filter_map(|container| {
        let lack = lack(container, files, written.map(|written| &written.held))?;
        Some((container.name.clone(), lack))
    });
    VolumeReferences {
        missing: files.failed.first().map(|(_, message)| message.clone()),
        state: if is_settled { VolumeState::Settled } else { VolumeState::Outdated },
        lacking: lacking.collect(),
    }
}

/// Why a container could not be made with its volumes of files as they are. What was written once is good enough, if
/// what the container mounts below it has its places there.
fn lack(container: &Container, files: &FileVolumes, held: Option<&Held>) -> Option<VolumeLack> {
    let uses = |name: &str| convert::uses(&container.api, name);
    let seen = |name: &str| held.and_then(|held| held.get(name));
    let is_usable = |name: &str| match seen(name) {
        Some(Some(names)) => convert::clash(&container.api, name, &names.iter()).is_none(),
        Some(None) | None => false,
    };
    let mut failed = files.failed.iter().filter(|(name, _)| uses(name) && !is_usable(name));
    if let Some((_, why)) = failed.clone().find(|(name, _)| seen(name).is_some()) {
        return Some(VolumeLack::Missing(why.clone()));
    }
    let is_awaited = failed.next().is_some() || files.volumes.iter().any(|v| uses(&v.name) && !is_usable(&v.name));
    is_awaited.then_some(VolumeLack::Awaited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        convert::{
            FileVolume, Medium,
            testing::{node, pod},
        },
        pod::ContainerName,
        worker::Facts,
    };

    /// Volumes that can be written, and those that can not.
    fn of(volumes: &[&str], failed: &[&str]) -> Arc<FileVolumes> {
        let volume = |name: &&str| FileVolume {
            name: (*name).to_owned(),
            medium: Medium::Disk,
            group: None,
            files: BTreeMap::new(),
        };
        let failed = failed.iter().map(|name| ((*name).to_owned(), format!("no {name}"))).collect();
        Arc::new(FileVolumes { volumes: volumes.iter().map(volume).collect(), failed })
    }

    /// `a=key` holds a key, `a=` nothing; `a` was never written.
    fn held(text: &str) -> Held {
        let one = |text: &str| match text.split_once('=') {
            Some((name, key)) => {
                (name.to_owned(), Some(Some(key.into()).filter(|_| !key.is_empty()).into_iter().collect()))
            }
            None => (text.to_owned(), None),
        };
        text.split_whitespace().map(one).collect()
    }

    #[test]
    fn a_container_lacks_what_it_uses_and_nothing_else() {
        let pod = pod(
            "volumes: [{name: a, configMap: {name: a}}, {name: b, configMap: {name: b}}, {name: tmp}]\ncontainers: [{name: one, \
             image: i, volumeMounts: [{name: a, mountPath: /a}]}, {name: both, image: i, volumeMounts: [{name: a, mountPath: \
             /a}, {name: b, mountPath: /b}, {name: tmp, mountPath: /b/tmp}]}, {name: none, image: i}]",
        );
        let state = |files: &Arc<FileVolumes>, written: Option<(&Arc<FileVolumes>, &str)>| {
            let written = written.map(|(files, text)| Written { files: Some(files.clone()), held: held(text) });
            let found = volumes(&pod, files, written.as_ref());
            let lack = |name: &str| match found.lacking.get(&ContainerName::new(name)) {
                Some(VolumeLack::Missing(why)) => why.clone(),
                Some(VolumeLack::Awaited) => "awaited".to_owned(),
                None => "fine".to_owned(),
            };
            assert_eq!(lack("none"), "fine");
            (found.state == VolumeState::Settled, format!("{}, {}", lack("one"), lack("both")))
        };
        let (all, only_a, none) = (&of(&["a", "b"], &[]), &of(&["a"], &["b"]), &of(&[], &["a", "b"]));
        for (files, written, settled, expected) in [
            (all, None, false, "awaited, awaited"),
            (all, Some((all, "a=k b=k")), true, "fine, fine"),
            // What was right before is good enough; what was never written is not.
            (all, Some((only_a, "a=k b=k")), false, "fine, fine"),
            (all, Some((only_a, "a=k b")), false, "fine, awaited"),
            (all, Some((only_a, "a=")), false, "fine, awaited"),
            // Nobody knows what is there until somebody has looked.
            (only_a, None, false, "awaited, awaited"),
            (only_a, Some((only_a, "a=k b")), true, "fine, no b"),
            (only_a, Some((only_a, "a=k b=k")), true, "fine, fine"),
            (only_a, Some((all, "a=k b=k")), false, "fine, fine"),
            (none, Some((none, "a b")), true, "no a, no a"),
            (none, Some((only_a, "a=k b")), false, "fine, no b"),
            // A file has the name of what is mounted there.
            (only_a, Some((only_a, "a=k b=tmp")), true, "fine, no b"),
            (all, Some((only_a, "a=k b=tmp")), false, "fine, awaited"),
            (only_a, Some((only_a, "a=tmp b=k")), true, "fine, fine"),
        ] {
            let written_as = written.map(|(_, text)| text);
            assert_eq!(state(files, written), (settled, expected.to_owned()), "{files:?} where {written_as:?}");
        }
        assert_eq!(state(&of(&[], &[]), None), (true, "fine, fine".to_owned()));
        assert_eq!(volumes(&pod, only_a, None).missing.as_deref(), Some("no b"));
    }

    #[test]
    fn what_was_written_counts_though_the_rest_was_not() {
        let pod = Arc::new(pod(
            "volumes: [{name: a, secret: {secretName: a, optional: true}}, {name: b, secret: {secretName: b, optional: \
             true}}]\ncontainers: [{name: one, image: i, volumeMounts: [{name: a, mountPath: /a}]}, {name: two, image: i, \
             volumeMounts: [{name: b, mountPath: /b}]}]",
        ));
        let (mut lookup, disk) = (Lookup::new(Facts::new(node()).reader()), VolumeManager::new(node().root_dir));
        let update = PodAction::UpdateVolumes { uid: pod.uid.clone() };
        let look = |lookup: &mut Lookup| {
            lookup.look_up(&Desired::Run(pod.clone()), &ObservedPod::default(), &disk);
            let volumes = &lookup.states()[&pod.uid].volumes;
            (volumes.state, volumes.lacking.keys().map(ToString::to_string).collect::<Vec<_>>())
        };
        let outdated =
            |names: &[&str]| (VolumeState::Outdated, names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(look(&mut lookup), outdated(&["one", "two"]));
        for (written, lacking) in [("b=", &["one"][..]), ("a=", &[])] {
            lookup.begin(&pod.uid, &update);
            lookup.wrote_in_part(&update, held(written));
            assert_eq!(look(&mut lookup), outdated(lacking), "it is tried again");
        }
        lookup.begin(&pod.uid, &update);
        lookup.wrote(&update, held("a= b="));
        assert_eq!(look(&mut lookup), (VolumeState::Settled, Vec::new()));
    }
}
