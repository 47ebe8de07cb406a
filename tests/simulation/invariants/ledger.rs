//! What is in the engine at one moment of a story, and why it may be stopped.

use crate::{
    answers::{Asked, Came},
    chronicle::{Deed, Kind, Step, Who},
    manifests::Wished,
};
use kubelet_lite::{
    engine::fake::What,
    pod::{Container, ContainerKind, Pod, ProbeKind, RestartPolicy},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How long after a wish a stop that was decided before it may still reach the engine: no fault delays a
/// call longer.
pub const LAG: Duration = Duration::from_secs(25);

/// Why a container may be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its pod is not wanted any more, or another incarnation of it is.
    PodGone,
    OtherIncarnation,
    /// It is not declared any more.
    Undeclared,
    /// It is declared otherwise.
    Edited,
    /// Its sandbox must be another.
    SandboxEdited,
    /// Its sandbox ended.
    SandboxLost,
    /// The pod is done.
    Finished,
    /// The operator has laid hands on it.
    ByHand,
    /// Its liveness or startup probe has failed, or its `postStart`.
    FailedProbe,
    FailedPostStart,
}

pub struct Instance<'a> {
    pub who: &'a Who,
    pub live: bool,
    /// It was asked to stop.
    pub asked: bool,
    /// Since when there is a reason to stop it: its end has begun then, or later.
    pub due_since: Option<Timestamp>,
    /// When its `preStop` was first begun.
    pub pre_stop_begun: Option<Timestamp>,
    /// Its `preStop` has ended, well or not.
    pub pre_stop_ended: bool,
    /// Failures in a row of its probes, as far as the daemon that runs can know.
    failures: BTreeMap<ProbeKind, i32>,
    /// Reasons that stay.
    lasting: BTreeSet<Reason>,
    /// Reasons that a wish gave, and when a later wish took them back.
    wished_away: BTreeMap<Reason, Option<Timestamp>>,
}

impl Instance<'_> {
    /// Whether this reason came up and stays.
    pub fn lasting(&self, reason: Reason) -> bool {
        self.lasting.contains(&reason)
    }
}

#[derive(Default)]
pub struct Ledger<'a> {
    pub now: Timestamp,
    pub wished: Option<&'a Wished>,
    /// The last version wanted of each uid, and all before it.
    pub versions: BTreeMap<String, Arc<Pod>>,
    all_versions: BTreeMap<String, Vec<Arc<Pod>>>,
    /// What is in the engine, by id.
    pub instances: BTreeMap<&'a str, Instance<'a>>,
    /// When the daemon was last started.
    pub daemon_up: Timestamp,
    /// The graces that each uid may run with: those wished since all was last as wished.
    graces: BTreeMap<String, BTreeSet<Duration>>,
    /// Uids whose end has begun: nothing may take that back.
    doomed: BTreeSet<&'a str>,
    /// Exit code of the newest attempt, if it has ended.
    ended: BTreeMap<(&'a str, &'a str), Option<i64>>,
}

impl<'a> Ledger<'a> {
    pub fn take(&mut self, step: Step<'a>) {
        self.take_in(step);
        if let Step::Deed(note) = step
            && matches!(note.deed, Deed::Asked { .. } | Deed::Answered { came: Came::Passed | Came::Erred, .. })
        {
            // That gives no reason to stop anything.
            return;
        }
        let idle = self.instances.iter().filter(|(_, i)| i.live && !i.asked);
        let due: Vec<(&str, bool)> = idle.map(|(id, _)| (*id, !self.reasons(id).is_empty())).collect();
        for (id, is_due) in due {
            let Some(instance) = self.instances.get_mut(id) else { continue };
            instance.due_since = is_due.then(|| instance.due_since.unwrap_or(self.now));
        }
    }

    fn take_in(&mut self, step: Step<'a>) {
        match step {
            Step::Deed(note) => {
                self.now = note.at;
                match &note.deed {
                    Deed::Wish(wished) => {
                        for pod in wished.values() {
                            self.graces.entry(pod.uid.to_string()).or_default().insert(pod.grace);
                        }
                        self.wish(wished);
                    }
                    Deed::DaemonUp => {
                        self.daemon_up = note.at;
                        self.instances.values_mut().for_each(|instance| instance.failures.clear());
                    }
                    Deed::Asked { id, asked: Asked::PreStop, .. } => {
                        if let Some(instance) = self.instances.get_mut(id.as_str()) {
                            instance.pre_stop_begun.get_or_insert(note.at);
                        }
                    }
                    Deed::Answered { id, asked, came, .. } => self.answered(id, *asked, *came),
                    // Everything that is wanted was taken in: an older grace is of no account any more.
                    Deed::Settled => {
                        let wished = self.wished.into_iter().flat_map(|wished| wished.values());
                        self.graces.extend(wished.map(|pod| (pod.uid.to_string(), BTreeSet::from([pod.grace]))));
                    }
                    Deed::ByHand { id, .. } => {
                        if let Some(instance) = self.instances.get_mut(id.as_str()) {
                            instance.lasting.insert(Reason::ByHand);
                            // It may be paused: then its members lose it as well.
                            let who = instance.who;
                            self.lose_sandbox(id, who);
                        }
                    }
                    _ => {}
                }
            }
            Step::Container(entry, who) if who.ours => {
                self.now = entry.at;
                self.happened(&entry.id, &entry.what, who);
            }
            Step::Container(entry, _) | Step::Engine(entry) => self.now = entry.at,
        }
    }

    fn wish(&mut self, wished: &'a Wished) {
        self.wished = Some(wished);
        for pod in wished.values() {
            let all = self.all_versions.entry(pod.uid.to_string()).or_default();
            if all.last() != Some(pod) {
                all.push(pod.clone());
            }
            self.versions.insert(pod.uid.to_string(), pod.clone());
        }
        let reasons: BTreeMap<&str, Option<Reason>> = self
            .instances
            .iter()
            .map(|(id, i)| (*id, self.ended_by(wished.get(&i.who.key).map(|pod| &**pod), i.who)))
            .collect();
        for (id, instance) in &mut self.instances {
            let uid = instance.who.uid.as_str();
            let now = reasons[id];
            if now == Some(Reason::PodGone) {
                self.doomed.insert(uid);
            }
            for (reason, taken_back) in &mut instance.wished_away {
                if Some(*reason) != now {
                    taken_back.get_or_insert(self.now);
                }
            }
            if let Some(reason) = now {
                instance.wished_away.insert(reason, None);
            }
        }
    }

    fn happened(&mut self, id: &'a str, what: &'a What, who: &'a Who) {
        match what {
            What::Created => {
                let reason = self.wished.and_then(|wished| self.ended_by(wished.get(&who.key).map(|pod| &**pod), who));
                let wished_away = reason.map(|reason| (reason, None)).into_iter().collect();
                let lasting = BTreeSet::new();
                let failures = BTreeMap::new();
                let instance = Instance {
                    who,
                    live: false,
                    asked: false,
                    due_since: None,
                    pre_stop_begun: None,
                    pre_stop_ended: false,
                    failures,
                    lasting,
                    wished_away,
                };
                self.instances.insert(id, instance);
            }
            What::Started => {
                self.ended.insert((&who.uid, &who.name), None);
                if let Some(instance) = self.instances.get_mut(id) {
                    (instance.live, instance.asked, instance.due_since) = (true, false, None);
                    (instance.pre_stop_begun, instance.pre_stop_ended) = (None, false);
                    instance.failures.clear();
                    for ended in [Reason::FailedProbe, Reason::FailedPostStart] {
                        instance.lasting.remove(&ended);
                    }
                }
            }
            What::StartFailed(_) => drop(self.ended.insert((&who.uid, &who.name), Some(127))),
            What::StopAsked(_) => {
                if let Some(instance) = self.instances.get_mut(id) {
                    instance.asked = true;
                }
                let wanted = self.wished.and_then(|w| w.get(&who.key)).is_some_and(|pod| pod.uid.as_str() == who.uid);
                if !wanted {
                    self.doomed.insert(&who.uid);
                }
            }
            What::Died { code, .. } => {
                self.ended.insert((&who.uid, &who.name), Some(*code));
                if let Some(instance) = self.instances.get_mut(id) {
                    instance.live = false;
                }
                self.lose_sandbox(id, who);
            }
            What::Removed => {
                self.instances.remove(id);
                self.lose_sandbox(id, who);
                if self.instances.values().all(|i| i.who.uid != who.uid) {
                    self.doomed.remove(who.uid.as_str());
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, id: &str, asked: Asked, came: Came) {
        let Some(who) = self.instances.get(id).map(|instance| instance.who) else { return };
        let failure = match asked {
            Asked::Probe(kind @ (ProbeKind::Startup | ProbeKind::Liveness)) => {
                let threshold = |c: &Container| {
                    let probe = if kind == ProbeKind::Startup { &c.api.startup_probe } else { &c.api.liveness_probe };
                    probe.as_ref().map(|probe| probe.failure_threshold.unwrap_or(3))
                };
                let least = self.declared(who).filter_map(threshold).min().unwrap_or(1);
                let Some(instance) = self.instances.get_mut(id) else { return };
                let failures = instance.failures.entry(kind).or_default();
                match came {
                    Came::Passed => *failures = 0,
                    Came::Failed => *failures += 1,
                    Came::Erred | Came::GivenUp => {}
                }
                (*failures >= least).then_some(Reason::FailedProbe)
            }
            Asked::PostStart => (came == Came::Failed).then_some(Reason::FailedPostStart),
            Asked::PreStop | Asked::Probe(ProbeKind::Readiness) => None,
        };
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.pre_stop_ended |= asked == Asked::PreStop && came != Came::GivenUp;
        instance.lasting.extend(failure);
    }

    /// What was ever declared of a container.
    pub fn declared(&self, who: &Who) -> impl Iterator<Item = &Container> {
        let versions = self.all_versions.get(&who.uid).into_iter().flatten();
        let name = who.name.clone();
        versions.filter_map(move |pod| pod.containers.iter().find(|c| c.name.as_str() == name))
    }

    /// The graces that a container may be given.
    pub fn graces(&self, id: &str) -> BTreeSet<Duration> {
        let Some(instance) = self.instances.get(id) else { return BTreeSet::new() };
        let mut graces = self.graces.get(&instance.who.uid).cloned().unwrap_or_default();
        if instance.lasting(Reason::FailedProbe) {
            let kinds = [ProbeKind::Startup, ProbeKind::Liveness];
            graces.extend(self.declared(instance.who).flat_map(|c| kinds.map(|kind| c.probe_grace(kind))).flatten());
        }
        graces
    }

    fn lose_sandbox(&mut self, id: &str, who: &Who) {
        if who.kind == Kind::Sandbox {
            for member in self.instances.values_mut().filter(|i| i.who.sandbox == id) {
                member.lasting.insert(Reason::SandboxLost);
            }
        }
    }

    /// Why this container may be stopped now.
    pub fn reasons(&self, id: &str) -> BTreeSet<Reason> {
        let Some(instance) = self.instances.get(id) else { return BTreeSet::new() };
        let mut reasons = instance.lasting.clone();
        let fresh = |taken_back: &Option<Timestamp>| taken_back.is_none_or(|at| self.now.since(at) < LAG);
        reasons.extend(instance.wished_away.iter().filter(|(_, t)| fresh(t)).map(|(reason, _)| *reason));
        if self.doomed.contains(instance.who.uid.as_str()) {
            reasons.insert(Reason::PodGone);
        }
        // Init containers too: in a new sandbox they run again, and an edit may then make the pod's old apps its last.
        if instance.who.kind != Kind::App && self.is_finished(instance.who) {
            reasons.insert(Reason::Finished);
        }
        reasons
    }

    /// Whether all apps of a pod have ended for good, or an init container has.
    fn is_finished(&self, who: &Who) -> bool {
        let Some(pod) = self.versions.get(&who.uid) else { return false };
        let code = |name: &str| self.ended.get(&(who.uid.as_str(), name)).copied().flatten();
        let for_good = |code: i64| match pod.restart_policy {
            RestartPolicy::Always => false,
            RestartPolicy::OnFailure => code == 0,
            RestartPolicy::Never => true,
        };
        let never = pod.restart_policy == RestartPolicy::Never;
        let of_kind = |kind| pod.containers.iter().filter(move |c| c.kind == kind).map(|c| c.name.as_str());
        of_kind(ContainerKind::App).all(|name| code(name).is_some_and(for_good))
            || never && of_kind(ContainerKind::Init).any(|name| code(name).is_some_and(|code| code != 0))
    }

    /// The live containers of an incarnation, but its sandboxes.
    pub fn live_of(&self, uid: &str) -> impl Iterator<Item = &Instance<'a>> {
        self.instances.values().filter(move |i| i.live && i.who.uid == uid && i.who.kind != Kind::Sandbox)
    }

    /// The reason to stop this container that there is if this, or nothing, is wanted of its pod.
    pub fn ended_by(&self, wanted: Option<&Pod>, who: &Who) -> Option<Reason> {
        let Some(pod) = wanted else { return Some(Reason::PodGone) };
        if pod.uid.as_str() != who.uid {
            return Some(Reason::OtherIncarnation);
        }
        let sandbox =
            if who.kind == Kind::Sandbox { Some(who) } else { self.instances.get(who.sandbox.as_str()).map(|i| i.who) };
        if sandbox.is_some_and(|sandbox| sandbox.hash != pod.sandbox_hash.as_str()) {
            return Some(Reason::SandboxEdited);
        }
        if who.kind == Kind::Sandbox {
            return None;
        }
        match pod.containers.iter().find(|c| c.name.as_str() == who.name) {
            None => Some(Reason::Undeclared),
            Some(container) => (container.hash.as_str() != who.hash).then_some(Reason::Edited),
        }
    }
}
