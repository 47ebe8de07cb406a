//! A small model of an engine, an operator and a worker's memory, driven by a tape of bytes. When the
//! tape has run out nothing fails, nothing ends by itself and nobody interferes any more.

use super::{property::desired_uid, wanted::Wanted, *};
use std::collections::VecDeque;

/// Decisions of the outer world; 0, and so the end of the tape, is always the harmless one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tape(pub(super) VecDeque<u8>);

impl Tape {
    pub(super) fn next(&mut self) -> u8 {
        self.0.pop_front().unwrap_or(0)
    }
    fn one_in(&mut self, n: u8) -> bool {
        self.next() % n == 1
    }
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.next()) % from.len()]
    }
}

/// An action that the engine was asked for.
#[derive(Clone, Debug)]
struct Task {
    action: PodAction,
    /// The spec it is made from.
    pod: Option<Arc<Pod>>,
    /// When the effect happens; `None` when it has.
    effect_at: Option<Timestamp>,
    reply_at: Timestamp,
    /// Whether the worker is told of success.
    succeeds: bool,
    /// Whether there is an effect.
    acts: bool,
    /// Whether the worker that began it is still there.
    awaited: bool,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) tape: Tape,
    wanted: Wanted,
    pub(super) desired: Desired,
    /// The truth, and what the worker last saw of it.
    truth: ObservedPod,
    seen: ObservedPod,
    must_look: bool,
    pub(super) view: ObservedPod,
    /// What each incarnation was last told to run with; on the disk, so that it outlives the worker.
    applied: BTreeMap<PodUid, Arc<Pod>>,
    /// Processes that will end by themselves.
    ends: BTreeMap<ContainerId, (Timestamp, i64)>,
    tasks: Vec<Task>,
    made: u32,
    calm_rounds: u32,
    pub(super) images: ImageStates,
    pub(super) in_flight: InFlight,
    results: LastResults,
    /// The directories that are there, and those the worker knows of.
    pub(super) disk: BTreeSet<PodUid>,
    volumes: BTreeSet<PodUid>,
    pub(super) terminating: BTreeSet<PodUid>,
    pub(super) endings: Endings,
    pub(super) probes: ProbeVerdicts,
    pub(super) hooks: HookStates,
    /// Probes that are asked, and when they have their verdict.
    pub(super) asked: BTreeMap<ProbeKey, Timestamp>,
    policy: NodePolicy,
    pub(super) story: Vec<String>,
}

impl World {
    pub(super) fn new(wanted: Wanted, tape: Tape) -> Self {
        Self {
            now: NOW,
            tape,
            desired: Desired::Run(wanted.pod()),
            wanted,
            truth: ObservedPod::default(),
            seen: ObservedPod::default(),
            must_look: true,
            view: ObservedPod::default(),
            applied: BTreeMap::new(),
            ends: BTreeMap::new(),
            tasks: Vec::new(),
            made: 0,
            calm_rounds: 0,
            images: ImageStates::new(),
            in_flight: InFlight::new(),
            results: LastResults::new(),
            disk: BTreeSet::new(),
            volumes: BTreeSet::new(),
            terminating: BTreeSet::new(),
            endings: Endings::new(),
            probes: ProbeVerdicts::new(),
            hooks: HookStates::new(),
            asked: BTreeMap::new(),
            policy: NodePolicy::default(),
            story: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, what: &str) {
        let at = self.now.since(NOW);
        self.story.push(format!("{at:?} {what}"));
    }

    /// Whether the outer world has nothing in store any more.
    pub(super) fn is_calm(&self) -> bool {
        self.tape.0.is_empty()
    }

    pub(super) fn plan_at(&self, now: Timestamp) -> PodPlan {
        compute_pod_actions(&SyncInput {
            now,
            desired: &self.desired,
            observed: &self.view,
            attempts: &Attempts::new(),
            images: &self.images,
            volumes: &self.volumes,
            in_flight: &self.in_flight,
            results: &self.results,
            terminating: &self.terminating,
            references: &ReferenceStates::new(),
            endings: &self.endings,
            probes: &self.probes,
            hooks: &self.hooks,
            policy: &self.policy,
            hold: &Hold::default(),
        })
    }

    /// The spec that an incarnation runs with, as the worker knows it.
    pub(super) fn applied(&self, incarnation: &Incarnation) -> Option<Arc<Pod>> {
        match &incarnation.applied {
            AppliedPod::Known(pod) => Some(pod.clone()),
            AppliedPod::Unreadable(_) => None,
        }
    }

    /// The worker's part before a plan: look, and note what is wanted as applied. News may come late,
    /// but for what the worker did itself.
    pub(super) fn look(&mut self) {
        let late = self.tape.one_in(4) && !self.must_look;
        if !late {
            self.seen = self.truth.clone();
            self.must_look = false;
        }
        self.view = self.seen.clone();
        for incarnation in &mut self.view.incarnations {
            let known = self.applied.get(&incarnation.uid);
            incarnation.sandboxes.sort_by_key(|s| std::cmp::Reverse(s.attempt));
            incarnation.containers.sort_by_key(|c| (c.name.clone(), std::cmp::Reverse(c.attempt)));
            incarnation.applied = match known {
                Some(pod) => AppliedPod::Known(pod.clone()),
                None => AppliedPod::Unreadable("its sandbox is gone".into()),
            };
        }
        let there = |uid: &PodUid| self.view.incarnations.iter().any(|i| i.uid == *uid);
        self.volumes.extend(self.view.incarnations.iter().map(|i| i.uid.clone()));
        self.terminating.retain(|uid| there(uid) || self.volumes.contains(uid));
        self.applied.retain(|uid, _| there(uid));
        if let Desired::Run(pod) = &self.desired
            && !self.terminating.contains(&pod.uid)
            && let Some(own) = self.view.incarnations.iter_mut().find(|i| i.uid == pod.uid)
        {
            own.applied = AppliedPod::Known(pod.clone());
            self.applied.insert(pod.uid.clone(), pod.clone());
        }
        self.forget_asked();
    }

    /// The worker lets go of an action; what it has asked of the engine goes on.
    pub(super) fn give_up(&mut self, target: &Target) {
        if self.in_flight.remove(target).is_some() {
            self.tasks.iter_mut().filter(|t| t.action.target() == *target).for_each(|t| t.awaited = false);
        }
    }

    /// The worker's part after a plan.
    pub(super) fn begin(&mut self, plan: &PodPlan) {
        self.terminating.extend(plan.terminating.iter().cloned());
        self.note_asked(plan);
        for action in &plan.actions {
            self.supersede(action);
            let pod = action.makes_for().and_then(|uid| match &self.desired {
                Desired::Run(pod) if pod.uid == *uid => Some(pod.clone()),
                _ => self.applied.get(uid).cloned(),
            });
            if let (PodAction::CreateContainer { name, .. }, Some(pod)) = (action, &pod) {
                self.images.remove(&pod.container(name).unwrap().image);
            }
            if let PodAction::CreateSandbox { uid, .. } = action {
                self.disk.insert(uid.clone());
                self.volumes.insert(uid.clone());
            }
            let slow = if matches!(action, PodAction::EnsureImage { .. }) { 60_000 } else { 3_000 };
            let took = match action {
                PodAction::StopContainer { grace, .. } => *grace * u32::from(self.tape.next()) / 255,
                _ => Duration::from_millis(10 + slow * u64::from(self.tape.next()) / 255),
            };
            let (acts, succeeds) = match self.tape.next() % 12 {
                1 => (false, false),
                2 => (true, false),
                _ => (true, true),
            };
            let effect_at = self.now + took;
            let reply_at = effect_at + Duration::from_millis(u64::from(self.tape.next()) * 10);
            let known = if acts && succeeds { "" } else { " (fails)" };
            self.tell(&format!("begin {}{known}", text::action(action)));
            self.in_flight.insert(action.target(), action.clone());
            let (action, effect_at, awaited) = (action.clone(), Some(effect_at), true);
            self.tasks.push(Task { action, pod, effect_at, reply_at, succeeds, acts, awaited });
        }
    }

    /// How often the worker was asked since the outer world came to rest.
    pub(super) fn rounds_in_calm(&mut self) -> u32 {
        self.calm_rounds += u32::from(self.is_calm());
        self.calm_rounds
    }

    /// Goes on to the next thing that happens, at `wake_at` at the latest; false if nothing ever does.
    pub(super) fn advance(&mut self, wake_at: Option<Timestamp>) -> bool {
        if !self.is_calm() && self.tape.one_in(4) {
            self.now = self.now + Duration::from_millis(u64::from(self.tape.next()) * 40);
            self.interfere();
            return true;
        }
        let tasks = self.tasks.iter().map(|t| t.effect_at.unwrap_or(t.reply_at));
        let ends = self.ends.values().map(|(at, _)| *at);
        let verdicts = self.asked.values().copied();
        let Some(next) = tasks.chain(ends).chain(verdicts).chain(wake_at).min() else {
            if self.seen != self.truth {
                // The periodic look.
                self.must_look = true;
                return true;
            }
            if self.is_calm() {
                return false;
            }
            self.interfere();
            return true;
        };
        self.now = self.now.max(next);
        self.effects();
        self.replies();
        self.answer();
        let due: Vec<_> =
            self.ends.iter().filter(|(_, (at, _))| *at <= self.now).map(|(id, (_, c))| (id.clone(), *c)).collect();
        for (id, code) in due {
            self.end(&id, code);
        }
        true
    }

    fn effects(&mut self) {
        for i in 0..self.tasks.len() {
            if self.tasks[i].effect_at.is_some_and(|at| at <= self.now) {
                self.tasks[i].effect_at = None;
                let task = self.tasks[i].clone();
                if task.acts && !self.act(&task) {
                    self.tasks[i].succeeds = false;
                }
            }
        }
    }

    fn replies(&mut self) {
        let now = self.now;
        let (ended, rest) = self.tasks.drain(..).partition(|t| t.effect_at.is_none() && t.reply_at <= now);
        self.tasks = rest;
        let ended: Vec<Task> = ended;
        for task in ended.into_iter().filter(|t| t.awaited) {
            self.must_look = true;
            let target = task.action.target();
            self.in_flight.remove(&target);
            if self.hook_ended(&task.action, task.succeeds).is_some() {
                continue;
            }
            if let (PodAction::StopContainer { id, .. }, false) = (&task.action, task.succeeds) {
                self.endings.remove(id);
            }
            if task.succeeds {
                self.results.remove(&target);
                match &task.action {
                    // Nothing is written in these worlds.
                    PodAction::UpdateVolumes { .. } => {}
                    PodAction::EnsureImage { image, .. } => drop(self.images.insert(image.clone(), Arc::default())),
                    PodAction::RemoveVolumes { uid }
                    | PodAction::RemoveSandbox { uid, volumes: Volumes::Remove, .. } => drop(self.volumes.remove(uid)),
                    _ => {}
                }
            } else {
                self.tell(&format!("failed {}", text::action(&task.action)));
                let failures = self.results.get(&target).map_or(0, |f| f.failures) + 1;
                let pace = backoff::Pace::of(&target);
                let failure = Failure { failures, pace, at: self.now, reason: "Failed", message: String::new() };
                self.results.insert(target, failure);
            }
        }
    }

    /// What the engine does; false when it refuses.
    fn act(&mut self, task: &Task) -> bool {
        match &task.action {
            PodAction::EnsureImage { .. } | PodAction::UpdateVolumes { .. } => true,
            PodAction::CreateSandbox { uid, attempt } => {
                let pod = task.pod.clone().unwrap();
                if !self.truth.incarnations.iter().any(|i| i.uid == *uid) {
                    let applied = AppliedPod::Known(pod.clone());
                    let (sandboxes, containers) = (Vec::new(), Vec::new());
                    self.truth.incarnations.push(Incarnation { uid: uid.clone(), applied, sandboxes, containers });
                }
                self.applied.entry(uid.clone()).or_insert_with(|| pod.clone());
                let all = &mut self.truth.incarnations.iter_mut().find(|i| i.uid == *uid).unwrap().sandboxes;
                if !all.iter().any(|s| s.attempt == *attempt) {
                    self.made += 1;
                    let id = ContainerId::new(format!("{uid}-sb{attempt}-{}", self.made));
                    all.push(Sandbox { id, ..sandbox_of(&pod, attempt.0, ContainerState::Created) });
                }
                true
            }
            PodAction::StartSandbox { id, .. } => {
                let now = self.now;
                let Some(sandbox) = self.sandbox(id) else { return false };
                sandbox.state = ContainerState::Running { started_at: now };
                true
            }
            PodAction::StopSandbox { id } => {
                self.end(id, 0);
                true
            }
            PodAction::RemoveSandbox { id, uid, volumes } => {
                if *volumes == Volumes::Remove {
                    self.disk.remove(uid);
                }
                self.remove(id);
                true
            }
            PodAction::RemoveContainer { id, .. } => {
                self.remove(id);
                true
            }
            PodAction::RemoveVolumes { uid } => {
                self.disk.remove(uid);
                true
            }
            PodAction::CreateContainer { uid, sandbox, name, history: History { attempt, backoff, round } } => {
                let pod = task.pod.clone().unwrap();
                if !self.sandbox(sandbox).is_some_and(|s| s.state.is_running()) || pod.container(name).is_none() {
                    return false;
                }
                self.made += 1;
                let id = ContainerId::new(format!("{name}-{attempt}-{}", self.made));
                let all = &mut self.truth.incarnations.iter_mut().find(|i| i.uid == *uid).unwrap().containers;
                if !all.iter().any(|c| c.name == *name && c.attempt == *attempt) {
                    let made = instance(&pod, name.as_str(), attempt.0, ContainerState::Created);
                    all.push(ContainerStatus {
                        id,
                        sandbox_id: sandbox.clone(),
                        backoff: *backoff,
                        round: *round,
                        ..made
                    });
                }
                true
            }
            PodAction::StartContainer { id, .. } => self.start(id),
            PodAction::RunPostStart { .. } | PodAction::RunPreStop { .. } => true,
            PodAction::StopContainer { id, grace, .. } => {
                let code = if *grace == Duration::ZERO { 137 } else { self.tape.pick(&[143, 0, 137]) };
                self.end(id, code);
                true
            }
        }
    }

    fn start(&mut self, id: &ContainerId) -> bool {
        let (now, fate) = (self.now, self.tape.next());
        let Some(container) = self.container(id) else { return false };
        if container.state != ContainerState::Created {
            return true;
        }
        if fate % 16 == 3 {
            container.state = ended(127, ExitReason::ContainerCannotRun, 0, 0);
            if let ContainerState::Exited { finished_at, .. } = &mut container.state {
                *finished_at = now;
            }
            return false;
        }
        container.state = ContainerState::Running { started_at: now };
        let is_init = container.kind == ContainerKind::Init;
        let code = if fate % 4 == 2 { 1 } else { 0 };
        if is_init || fate % 4 != 0 {
            let after = Duration::from_millis(500 + u64::from(fate) * if fate % 32 == 7 { 5_000 } else { 100 });
            self.ends.insert(id.clone(), (now + after, code));
        }
        true
    }

    /// A process ends.
    fn end(&mut self, id: &ContainerId, code: i64) {
        self.ends.remove(id);
        let now = self.now;
        let state = |was: &ContainerState| ContainerState::Exited {
            code,
            reason: if code == 0 { ExitReason::Completed } else { ExitReason::Error },
            ran_for: if let ContainerState::Running { started_at } = was { now.since(*started_at) } else { seconds(1) },
            finished_at: now,
        };
        if let Some(sandbox) = self.sandbox(id).filter(|s| s.state.may_run()) {
            sandbox.state = state(&sandbox.state);
        } else if let Some(container) = self.container(id).filter(|c| c.state.may_run()) {
            container.state = state(&container.state);
            self.tell(&format!("{id} ends with {code}"));
        }
    }

    fn remove(&mut self, id: &ContainerId) {
        self.ends.remove(id);
        for incarnation in &mut self.truth.incarnations {
            incarnation.sandboxes.retain(|s| s.id != *id);
            incarnation.containers.retain(|c| c.id != *id);
        }
        self.truth.incarnations.retain(|i| !i.sandboxes.is_empty() || !i.containers.is_empty());
    }

    fn sandbox(&mut self, id: &ContainerId) -> Option<&mut Sandbox> {
        self.truth.incarnations.iter_mut().flat_map(|i| &mut i.sandboxes).find(|s| s.id == *id)
    }

    fn container(&mut self, id: &ContainerId) -> Option<&mut ContainerStatus> {
        self.truth.incarnations.iter_mut().flat_map(|i| &mut i.containers).find(|c| c.id == *id)
    }

    /// The operator, bad luck, or the end and new start of our daemon.
    fn interfere(&mut self) {
        let containers: Vec<ContainerId> =
            self.truth.incarnations.iter().flat_map(|i| &i.containers).map(|c| c.id.clone()).collect();
        let sandboxes: Vec<ContainerId> =
            self.truth.incarnations.iter().flat_map(|i| &i.sandboxes).map(|s| s.id.clone()).collect();
        let any = |ids: &[ContainerId], tape: &mut Tape| {
            (!ids.is_empty()).then(|| ids[usize::from(tape.next()) % ids.len()].clone())
        };
        let what = self.tape.next() % 16;
        self.tell(&format!("interference {what}"));
        match what {
            0..=3 => {
                if let Some(id) = any(&containers, &mut self.tape) {
                    let code = self.tape.pick(&[0, 1, 137]);
                    self.end(&id, code);
                }
            }
            4 => {
                if let Some(id) = any(&sandboxes, &mut self.tape) {
                    self.end(&id, 137);
                }
            }
            5 => {
                if let Some(id) = any(&containers, &mut self.tape).or(any(&sandboxes, &mut self.tape)) {
                    self.remove(&id);
                }
            }
            6 => {
                if let Some(id) = any(&[containers, sandboxes].concat(), &mut self.tape) {
                    let container = self.container(&id).filter(|c| c.state.is_running());
                    container.into_iter().for_each(|c| c.state = ContainerState::Unknown);
                    let sandbox = self.sandbox(&id).filter(|s| s.state.is_running());
                    sandbox.into_iter().for_each(|s| s.state = ContainerState::Unknown);
                }
            }
            7 => {
                let now = self.now;
                if let Some(id) = any(&containers, &mut self.tape)
                    && let Some(container) = self.container(&id).filter(|c| c.state.is_exited())
                {
                    container.state = ContainerState::Running { started_at: now };
                    if container.kind == ContainerKind::Init {
                        self.ends.insert(id, (now + seconds(1), 0));
                    }
                }
            }
            8 => self.restart_daemon(),
            step @ (9 | 10) => {
                self.desired = match step {
                    9 => Desired::Terminate(StopReason::PodRemoved),
                    _ => Desired::Stop { grace: seconds(7) },
                };
                self.tasks.retain(|t| !matches!(t.action, PodAction::EnsureImage { .. }));
                self.in_flight.retain(|t, _| !matches!(t, Target::Image(_)));
                self.results.clear();
            }
            _ => {
                self.wanted.edit(&mut self.tape);
                self.desired = Desired::Run(self.wanted.pod());
                self.results.clear();
            }
        }
    }

    /// `kill -9` and a new start: what the engine was asked goes on, or never reached it.
    fn restart_daemon(&mut self) {
        self.must_look = true;
        for task in &mut self.tasks {
            task.awaited = false;
            // Directories are our own work, not the engine's.
            let is_ours = matches!(task.action, PodAction::RemoveVolumes { .. });
            if task.effect_at.is_some() && (self.tape.one_in(2) || is_ours) {
                task.acts = false;
            }
        }
        // The manager's look for what nobody knows any more.
        let wanted = desired_uid(self).cloned();
        self.disk.retain(|uid| self.truth.incarnation(uid).is_some() || wanted.as_ref() == Some(uid));
        self.volumes = wanted.into_iter().collect();
        self.images.clear();
        self.in_flight.clear();
        self.results.clear();
        self.hooks.clear();
        self.probes.clear();
        self.asked.clear();
        if self.tape.one_in(4) {
            // The notes on the disk are lost.
            self.terminating.clear();
            self.endings.clear();
        }
    }
}
