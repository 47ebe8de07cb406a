//! What a worker knows by asking its pod's containers: probes that are asked, their verdicts, and how
//! it stands with lifecycle hooks. What follows from that is the plan's to say.

use super::{Shared, journal};
use crate::{
    engine::Engine,
    event::Recorder,
    plan::{HookState, HookStates, PodAction, PodPlan},
    pod::{
        AppliedPod, Container, ContainerId, ContainerState, ContainerStatus, Incarnation, ObservedPod, Pod, PodKey,
        ProbeKey, ProbeVerdicts,
    },
    probe::{self, HandlerTarget, Hook, InvalidHandler, Outcome, Probe, ProbeReport, ProbeSubject, ProbeWorker},
};
use k8s_openapi::api::core::v1 as api;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::mpsc;

/// Reports that wait for the worker; a probe whose report finds no room waits.
const REPORTS: usize = 16;

/// What is known by asking.
pub(super) struct Asking {
    workers: BTreeMap<ProbeKey, ProbeWorker>,
    verdicts: ProbeVerdicts,
    hooks: HookStates,
    /// Containers that we have started; others ran before us.
    started: BTreeSet<ContainerId>,
    sink: mpsc::Sender<ProbeReport>,
    reports: mpsc::Receiver<ProbeReport>,
}

impl Default for Asking {
    fn default() -> Self {
        let (sink, reports) = mpsc::channel(REPORTS);
        Self {
            workers: BTreeMap::new(),
            verdicts: ProbeVerdicts::new(),
            hooks: HookStates::new(),
            started: BTreeSet::new(),
            sink,
            reports,
        }
    }
}

impl Asking {
    /// Verdicts of all probes so far.
    pub(super) fn verdicts(&self) -> &ProbeVerdicts {
        &self.verdicts
    }

    /// How it stands with lifecycle hooks.
    pub(super) fn hooks(&self) -> &HookStates {
        &self.hooks
    }

    /// Waits for the next report that something follows from: most probes pass, as they did before, and
    /// nobody needs to decide anything then. Cancel-safe: a report is taken whole or stays.
    pub(super) async fn next(&mut self) -> ProbeReport {
        loop {
            match self.reports.recv().await {
                Some(report) if is_news(&report) => return report,
                Some(_) => {}
                // We hold a sender ourselves.
                None => return std::future::pending().await,
            }
        }
    }

    /// Such a report that waits already.
    pub(super) fn try_next(&mut self) -> Option<ProbeReport> {
        std::iter::from_fn(|| self.reports.try_recv().ok()).find(is_news)
    }

    /// Takes in a report, unless its probe is not asked any more.
    pub(super) fn record(&mut self, events: &Recorder, key: &PodKey, pod: &ObservedPod, report: &ProbeReport) {
        if !self.workers.contains_key(&report.key) {
            return;
        }
        if let Some((incarnation, container)) = find(pod, &report.key.0) {
            journal::Subject { events, key, uid: Some(&incarnation.uid), pod: None }.probed(container, report);
        }
        if let Some(verdict) = report.verdict {
            self.verdicts.insert(report.key.clone(), verdict);
        }
    }

    /// A container is about to be started by us: a `postStart` that it has now is ours to run. One that it
    /// gets later is for its next start.
    pub(super) fn starting(&mut self, id: &ContainerId, has_post_start: bool) {
        self.started.insert(id.clone());
        if has_post_start {
            self.hooks.insert(id.clone(), HookState::PostStartDue);
        } else {
            self.hooks.remove(id);
        }
    }

    /// An action has ended; if it was to run a hook, the container is returned. Whatever came of it, a
    /// hook is run once.
    pub(super) fn hook_ended(&mut self, action: &PodAction, succeeded: bool) -> Option<ContainerId> {
        let (id, state) = match action {
            PodAction::RunPostStart { id, .. } => (id, (!succeeded).then_some(HookState::PostStartFailed)),
            PodAction::RunPreStop { id, .. } => (id, Some(HookState::PreStopDone)),
            _ => return None,
        };
        match state {
            Some(state) => drop(self.hooks.insert(id.clone(), state)),
            None => drop(self.hooks.remove(id)),
        }
        Some(id.clone())
    }

    /// Forgets what is gone, and what was known of containers whose end is over: should somebody start
    /// one again, that is another life.
    pub(super) fn forget(&mut self, over: &[ContainerId], exists: impl Fn(&ContainerId) -> bool) {
        let is_kept = |id: &ContainerId| exists(id) && !over.contains(id);
        self.hooks.retain(|id, _| is_kept(id));
        self.started.retain(is_kept);
        self.verdicts.retain(|(id, _), _| is_kept(id));
    }

    /// Asks what the plan says, and nothing else. An edited probe is asked as it is now.
    pub(super) fn follow<E: Engine>(
        &mut self,
        shared: &Shared<E>,
        plan: &PodPlan,
        pod: &ObservedPod,
        desired: Option<&Arc<Pod>>,
    ) {
        self.workers.retain(|key, _| plan.probes.contains(key));
        for key in &plan.probes {
            let Some((incarnation, container)) = find(pod, &key.0) else { continue };
            let Some(spec) = spec(incarnation, desired) else { continue };
            let Some(probe) = spec.container(&container.name).and_then(|c| Probe::resolve(key.1, c)) else { continue };
            let ContainerState::Running { started_at } = container.state else { continue };
            let ips = sandbox_ips(incarnation, container);
            let address = probe::address(spec.host_network, ips, shared.facts().node_ip());
            if self.workers.get(key).is_some_and(|worker| worker.asks(&probe, address)) {
                continue;
            }
            let subject =
                ProbeSubject { container: key.0.clone(), started_at, address, adopted: !self.started.contains(&key.0) };
            let before = self.workers.remove(key);
            let (handlers, clock) = (shared.handlers.clone(), shared.clock.clone());
            let worker = ProbeWorker::spawn(handlers, clock, subject, probe, self.sink.clone(), before);
            self.workers.insert(key.clone(), worker);
        }
    }
}

/// A lifecycle hook of a container and where it runs; `None` if there is nothing to run. `made_from` is
/// what the container was made from, for one that its pod does not declare any more.
pub(super) fn hook(
    (pod, desired): (&ObservedPod, Option<&Arc<Pod>>),
    id: &ContainerId,
    made_from: Option<&api::Container>,
    which: fn(&Container) -> Option<&api::LifecycleHandler>,
) -> Option<(Result<Hook, InvalidHandler>, HandlerTarget)> {
    let (incarnation, status) = find(pod, id)?;
    let spec = spec(incarnation, desired);
    let made = || Container::made_from(status.kind, made_from?).ok();
    let container = spec.and_then(|pod| pod.container(&status.name)).cloned().or_else(made)?;
    let hook = Hook::resolve(which(&container)?, &container);
    // On the node's network a hook goes to the loopback address, other than a probe.
    let host_network = spec.is_some_and(|pod| pod.host_network);
    let address = probe::address(host_network, sandbox_ips(incarnation, status), None);
    Some((hook, HandlerTarget { container: id.clone(), address }))
}

fn sandbox_ips<'i>(incarnation: &'i Incarnation, container: &ContainerStatus) -> &'i [std::net::IpAddr] {
    let sandbox = incarnation.sandboxes.iter().find(|s| s.id == container.sandbox_id);
    sandbox.map(|s| s.ips.as_slice()).unwrap_or_default()
}

/// The spec whose probes and hooks count: what is wanted, else what runs.
fn spec<'p>(incarnation: &'p Incarnation, desired: Option<&'p Arc<Pod>>) -> Option<&'p Arc<Pod>> {
    desired.filter(|pod| pod.uid == incarnation.uid).or(match &incarnation.applied {
        AppliedPod::Known(pod) => Some(pod),
        AppliedPod::Unreadable(_) => None,
    })
}

/// Whether a report changes what is known, or is worth an event.
fn is_news(report: &ProbeReport) -> bool {
    report.verdict.is_some() || !matches!(report.outcome, Outcome::Success(_))
}

/// The observed container of this id.
fn find<'p>(pod: &'p ObservedPod, id: &ContainerId) -> Option<(&'p Incarnation, &'p ContainerStatus)> {
    pod.incarnations.iter().find_map(|i| i.containers.iter().find(|c| c.id == *id).map(|c| (i, c)))
}
