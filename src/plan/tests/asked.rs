//! The model's probes, hooks and ends that have begun: what the worker keeps of them, and what must hold.

use super::{model::World, property::ensure, *};
use crate::pod::{ProbeKind, ProbeVerdict};

/// When a startup probe has its verdict at the latest.
const STARTUP: Duration = Duration::from_secs(20);

impl World {
    /// What an observation ends: ends that are over, hooks and verdicts of what is gone.
    pub(super) fn forget_asked(&mut self) {
        let all: BTreeMap<ContainerId, bool> = self
            .view
            .incarnations
            .iter()
            .flat_map(|i| &i.containers)
            .map(|c| (c.id.clone(), c.state.is_exited()))
            .collect();
        self.endings.retain(|id, _| all.contains_key(id));
        let mut over = BTreeSet::new();
        for (id, ending) in self.endings.iter_mut().filter(|(id, _)| all[*id]) {
            if ending.progress == EndingProgress::Begun {
                ending.progress = EndingProgress::Over;
                over.insert(id.clone());
            }
        }
        let is_kept = |id: &ContainerId| all.contains_key(id) && !over.contains(id);
        self.hooks.retain(|id, _| is_kept(id));
        self.probes.retain(|(id, _), _| is_kept(id));
        self.asked.retain(|(id, _), _| is_kept(id));
        // A hook of a container that has ended is given up.
        let idle: Vec<Target> = self.in_flight.keys().filter(|target| is_idle(target, &all)).cloned().collect();
        idle.iter().for_each(|target| self.give_up(target));
    }

    /// What a plan begins to end and to ask.
    pub(super) fn note_asked(&mut self, plan: &PodPlan) {
        self.endings.extend(plan.endings.clone());
        self.asked.retain(|key, _| plan.probes.contains(key));
        for key in &plan.probes {
            if !self.asked.contains_key(key) && !self.probes.contains_key(key) {
                let after = STARTUP * u32::from(self.tape.next()) / 255;
                self.asked.insert(key.clone(), self.now + after);
            }
        }
    }

    /// What begins with an action, and what it supersedes.
    pub(super) fn supersede(&mut self, action: &PodAction) {
        match action {
            PodAction::StartContainer { id, .. } => drop(self.hooks.insert(id.clone(), HookState::PostStartDue)),
            PodAction::RunPreStop { id, .. } => self.give_up(&Target::PostStart(id.clone())),
            PodAction::StopContainer { id, .. } => {
                for target in [Target::PostStart, Target::PreStop, Target::Instance] {
                    self.give_up(&target(id.clone()));
                }
            }
            _ => {}
        }
    }

    /// A hook has ended: `None` if it was none.
    pub(super) fn hook_ended(&mut self, action: &PodAction, succeeded: bool) -> Option<()> {
        match action {
            PodAction::RunPostStart { id, .. } if succeeded => drop(self.hooks.remove(id)),
            PodAction::RunPostStart { id, .. } => drop(self.hooks.insert(id.clone(), HookState::PostStartFailed)),
            PodAction::RunPreStop { id, .. } => drop(self.hooks.insert(id.clone(), HookState::PreStopDone)),
            _ => return None,
        }
        Some(())
    }

    /// Verdicts whose time has come. In calm all is well.
    pub(super) fn answer(&mut self) {
        let due: Vec<_> = self.asked.iter().filter(|(_, at)| **at <= self.now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.asked.remove(&key);
            let fails = self.tape.next() % 4 == 1;
            let verdict = if fails { ProbeVerdict::Failure } else { ProbeVerdict::Success };
            self.tell(&format!("{} of {}: {verdict:?}", key.1, key.0));
            self.probes.insert(key, verdict);
        }
    }
}

fn is_idle(target: &Target, is_exited: &BTreeMap<ContainerId, bool>) -> bool {
    match target {
        Target::PostStart(id) | Target::PreStop(id) => is_exited.get(id).copied().unwrap_or(true),
        _ => false,
    }
}

/// What holds of ends, hooks and probes in every plan.
pub(super) fn check(world: &World, plan: &PodPlan) -> Result<(), String> {
    for (id, ending) in &plan.endings {
        let container = find(world, id).ok_or("what ends is not there")?;
        ensure(container.state.may_run(), || format!("{id} ends and does not run"))?;
        let begun = world.endings.get(id).filter(|begun| begun.progress == EndingProgress::Begun);
        ensure(begun.is_none_or(|begun| ending.deadline < begun.deadline), || format!("{id} is given more time"))?;
        let at_once = plan.actions.iter().any(|action| {
            matches!(action, PodAction::StopContainer { id: of, reason: StopReason::RestartAllContainers, .. } if of == id)
        });
        ensure(ending.deadline > world.now || at_once, || format!("{id} is given no time"))?;
    }
    for (id, kind) in &plan.probes {
        let container = find(world, id).ok_or("what is asked is not there")?;
        ensure(container.state.is_running(), || format!("{id} is asked and does not run"))?;
        let hook = world.hooks.get(id);
        let has_hook = spec(world, container).is_some_and(|c| c.post_start().is_some());
        ensure(!has_hook || hook != Some(&HookState::PostStartDue), || format!("{id} is asked before its postStart"))?;
        let others = [ProbeKind::Liveness, ProbeKind::Readiness].map(|kind| plan.probes.contains(&(id.clone(), kind)));
        ensure(*kind != ProbeKind::Startup || others == [false; 2], || format!("{id} is asked all at once"))?;
        let ends = world.endings.contains_key(id) || plan.endings.contains_key(id);
        let over = world.endings.get(id).is_some_and(|e| e.progress == EndingProgress::Over);
        ensure(!ends || over || *kind == ProbeKind::Readiness, || format!("{kind} of {id} is asked while it ends"))?;
        let failed = world.probes.get(&(id.clone(), *kind)) == Some(&ProbeVerdict::Failure);
        ensure(!failed || *kind == ProbeKind::Readiness, || format!("{kind} of {id} is asked after its failure"))?;
    }
    Ok(())
}

/// What holds of a hook that is to be run.
pub(super) fn check_hook(world: &World, plan: &PodPlan, action: &PodAction) -> Result<(), String> {
    let (id, is_due) = match action {
        PodAction::RunPostStart { id, .. } => {
            (id, world.hooks.get(id) == Some(&HookState::PostStartDue) && !plan.endings.contains_key(id))
        }
        PodAction::RunPreStop { id, .. } => {
            let ends = world.endings.contains_key(id) || plan.endings.contains_key(id);
            (id, ends && world.hooks.get(id) != Some(&HookState::PreStopDone))
        }
        _ => return Ok(()),
    };
    let container = find(world, id).ok_or("it is of what is not there")?;
    ensure(container.state.is_running(), || "its container does not run".into())?;
    let stopping = matches!(world.in_flight.get(&Target::Instance(id.clone())), Some(PodAction::StopContainer { .. }));
    ensure(is_due && !stopping, || "it is not due".into())
}

/// How long after the present a container that is stopped has at most, and whether that is how long it
/// has at least.
pub(super) fn due(world: &World, plan: &PodPlan, id: &ContainerId) -> Option<Duration> {
    let noted = plan.endings.get(id).or(world.endings.get(id))?;
    Some(noted.deadline.since(world.now))
}

pub(super) fn find<'w>(world: &'w World, id: &ContainerId) -> Option<&'w ContainerStatus> {
    world.view.incarnations.iter().flat_map(|i| &i.containers).find(|c| c.id == *id)
}

fn spec<'w>(world: &'w World, container: &ContainerStatus) -> Option<&'w Container> {
    let owner = world.view.incarnations.iter().find(|i| i.containers.iter().any(|c| c.id == container.id))?;
    let pod = match (&world.desired, &owner.applied) {
        (Desired::Run(pod), _) if pod.uid == owner.uid => pod,
        (_, AppliedPod::Known(pod)) => pod,
        (_, AppliedPod::Unreadable(_)) => return None,
    };
    pod.container(&container.name)
}
