//! Whether a pod of which nothing runs may start: the node must fit it, its host ports must be free, and
//! those it comes after must be ready. Asked at a start only, as a kubelet asks at admission: nothing that runs is stopped by it.

use super::{Planner, StopReason, WaitingReason, may_run, sandbox};
use crate::pod::{AppliedPod, Incarnation, NodeMismatch, Pod, PodKey, PortTaken};
use std::{collections::BTreeSet, fmt};

/// What among the other pods of the node keeps a pod from starting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// Pods that must be ready before it starts, and are not.
    pub after: BTreeSet<PodKey>,
    /// A host port of its own that another pod has.
    pub port: Option<PortTaken>,
    /// Another pod that has its uid, as one has that was renamed under a given `metadata.uid`, and is not gone yet.
    pub uid: Option<SameUid>,
}

/// Another pod has the uid that one is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SameUid {
    /// The other one.
    pub other: PodKey,
    /// The other one waits in turn for a uid that this one has. Neither is ended for that: whether what is to
    /// take its place can start is not known before.
    pub is_mutual: bool,
}

impl fmt::Display for SameUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "starts when {}, which has the same metadata.uid, is gone", self.other)?;
        if self.is_mutual {
            f.write_str(
                "; that one waits in turn for a uid that this pod has: give one of them a third uid until the other \
                 has started",
            )?;
        }
        Ok(())
    }
}

impl Hold {
    /// Whether nothing keeps it.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Planner<'_> {
    /// Holds the pod back if it may not start; then nothing is begun for it, and what runs in its place
    /// goes on.
    pub(super) fn is_held_back(
        &mut self,
        pod: &Pod,
        own: Option<&Incarnation>,
        others: &[&Incarnation],
        kept: Option<&Incarnation>,
    ) -> bool {
        if own.is_some_and(|own| may_run(own) || sandbox::is_finished(pod, own, self.input.endings))
            || self.is_making_for(&pod.uid)
        {
            return false;
        }
        let Some(reason) = self.hold(pod) else { return false };
        for other in others.iter().filter(|other| kept.is_some_and(|kept| kept.uid != other.uid)) {
            self.terminate(other, StopReason::PodChanged);
        }
        if let Some(kept) = kept.filter(|kept| may_run(kept))
            && let AppliedPod::Known(applied) = &kept.applied
        {
            self.run(applied, Some(kept));
            self.plan.waiting.clear();
            self.plan.finished = false;
        }
        self.all_waiting(pod, own, &reason);
        true
    }

    pub(super) fn hold(&self, pod: &Pod) -> Option<WaitingReason> {
        if let Err(mismatch) = self.input.policy.node.admits(&pod.spec) {
            return Some(WaitingReason::NodeMismatch(mismatch));
        }
        let Hold { after, port, uid } = self.input.hold;
        if let Some(other) = uid {
            return Some(WaitingReason::SameUid(other.clone()));
        }
        if let Some(taken) = port {
            // The kubelet's word for it.
            return Some(WaitingReason::NodeMismatch(NodeMismatch { reason: "NodePorts", message: taken.to_string() }));
        }
        (!after.is_empty()).then(|| WaitingReason::StartAfter(after.clone()))
    }
}
