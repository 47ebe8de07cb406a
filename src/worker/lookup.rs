//! What a worker's pod refers to, as it stands: resolved anew when a manifest or an object may be
//! another one, and which volumes of files were written since our start.

use super::facts::Reader;
use crate::{
    convert::{self, FileVolumes, NodeFacts},
    plan::{Desired, PodAction, ReferenceStates},
    pod::{
        AppliedPod, ObservedPod, Pod, PodUid,
        references::{VolumeReferences, VolumeState},
    },
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
    written: BTreeMap<PodUid, Arc<FileVolumes>>,
    /// What an action under way writes.
    writing: BTreeMap<PodUid, Arc<FileVolumes>>,
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
        }
    }

    /// Returns when a fact of the node has changed; never, when nobody can change one any more.
    /// Cancel-safe: a change that is missed is seen by the next look.
    pub(super) async fn changed(&mut self) {
        self.facts.changed().await;
    }

    /// Resolves what each incarnation refers to, if its manifest or an object may be another one.
    pub(super) fn look_up(&mut self, desired: &Desired, observed: &ObservedPod) {
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
        }
        for (uid, state) in &mut self.states {
            state.volumes = volumes(self.files.get(uid), self.written.get(uid));
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

    /// An action has succeeded.
    pub(super) fn succeeded(&mut self, action: &PodAction) {
        if let PodAction::CreateSandbox { uid, .. } | PodAction::UpdateVolumes { uid } = action
            && let Some(files) = self.writing.remove(uid)
        {
            self.written.insert(uid.clone(), files);
        }
    }

    /// The directories of an incarnation are gone.
    pub(super) fn removed(&mut self, uid: &PodUid) {
        self.written.remove(uid);
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

/// Whether all volumes that should be there were written before, whatever they held.
fn has_all(written: &FileVolumes, files: &FileVolumes) -> bool {
    let mut names = files.volumes.iter().map(|volume| &volume.name);
    names.all(|name| written.volumes.iter().any(|volume| volume.name == *name))
}

fn volumes(files: Option<&Arc<FileVolumes>>, written: Option<&Arc<FileVolumes>>) -> VolumeReferences {
    let Some(files) = files else { return VolumeReferences::default() };
    let missing = files.failed.first().map(|(_, message)| message.clone());
    let state = match written {
        _ if files.volumes.is_empty() && files.failed.is_empty() => VolumeState::Settled,
        Some(written) if Arc::ptr_eq(files, written) => VolumeState::Settled,
        Some(written) if has_all(written, files) => VolumeState::Outdated,
        // None was written since our start, or one that an edit mounts was not.
        Some(_) | None => VolumeState::Unknown,
    };
    VolumeReferences { missing, state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{FileVolume, Medium};

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

    #[test]
    fn a_volume_that_was_never_written_is_waited_for() {
        let state = |files: &Arc<FileVolumes>, written| volumes(Some(files), written).state;
        let one = of(&["a"], &[]);
        for (files, written, expected) in [
            (&one, None, VolumeState::Unknown),
            (&one, Some(&one), VolumeState::Settled),
            (&one, Some(&of(&["a"], &["b"])), VolumeState::Outdated),
            (&one, Some(&of(&["a", "b"], &[])), VolumeState::Outdated),
            (&one, Some(&of(&[], &[])), VolumeState::Unknown),
            (&of(&["a", "b"], &[]), Some(&one), VolumeState::Unknown),
            (&of(&[], &[]), None, VolumeState::Settled),
            // Told once, by an action that writes nothing.
            (&of(&[], &["a"]), None, VolumeState::Unknown),
        ] {
            assert_eq!(state(files, written), expected, "{files:?} after {written:?}");
        }
        assert_eq!(volumes(Some(&of(&["a"], &["b"])), None).missing.as_deref(), Some("no b"));
    }
}
