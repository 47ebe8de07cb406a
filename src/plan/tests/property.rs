//! What holds for every pod, whatever happens: plans against a model of the engine.

use super::{
    super::rounds,
    asked,
    model::{Tape, World},
    wanted::Wanted,
    *,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

/// More rounds than any pod here needs to come to rest when nothing disturbs it.
const ROUNDS: u32 = 200;

#[test]
fn every_story_ends_well() {
    // Always the same stories, unless asked for others (PLAN_SEED=0..255) or more (PROPTEST_CASES).
    let seed = std::env::var("PLAN_SEED").ok().map_or(0, |seed| seed.parse::<u8>().unwrap());
    let config = Config { failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]));
    let tape = proptest::collection::vec(any::<u8>(), 0..300);
    let stories = (wanted(), tape);
    match runner.run(&stories, |(wanted, tape)| tell(wanted, tape)) {
        Ok(()) => {}
        Err(TestError::Fail(why, (wanted, tape))) => panic!("{why}\nin the story of {wanted:?}, tape {tape:?}"),
        Err(aborted) => panic!("{aborted}"),
    }
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let policy = prop_oneof![Just("Always"), Just("OnFailure"), Just("Never")];
    let grace = prop_oneof![Just(30), Just(0), Just(5)];
    let init = proptest::collection::vec(any::<bool>(), 0..4);
    (policy, grace, any::<bool>(), init, 1..4u8, any::<u8>()).prop_map(
        |(policy, grace, given_uid, init, apps, asked)| Wanted {
            policy,
            grace,
            sandbox: 0,
            given_uid,
            init,
            apps: (0..apps).map(|n| (n, 1)).collect(),
            asked,
        },
    )
}

/// Plays a story to its quiet end.
fn tell(wanted: Wanted, tape: Vec<u8>) -> Result<(), TestCaseError> {
    let mut world = World::new(wanted, Tape(tape.into()));
    while world.rounds_in_calm() < ROUNDS {
        world.look();
        let plan = world.plan_at(world.now);
        if let Err(wrong) = check_plan(&world, &plan) {
            return Err(fail(&world, &plan, &wrong));
        }
        world.begin(&plan);
        let quiet = plan.actions.is_empty() && world.in_flight.is_empty() && plan.wake_at.is_none();
        if !world.advance(plan.wake_at) {
            let wrong = if quiet { check_end(&world, &plan).err() } else { Some("it is stuck".to_owned()) };
            return wrong.map_or(Ok(()), |wrong| Err(fail(&world, &plan, &wrong)));
        }
    }
    let plan = world.plan_at(world.now);
    Err(fail(&world, &plan, "it does not come to rest"))
}

fn fail(world: &World, plan: &PodPlan, wrong: &str) -> TestCaseError {
    let last = world.story.len().saturating_sub(60);
    let story = world.story[last..].join("\n  ");
    let sandboxes =
        |i: &Incarnation| i.sandboxes.iter().map(|s| format!("{:?} {:?}", s.id, s.state)).collect::<Vec<_>>();
    let containers = |i: &Incarnation| {
        i.containers
            .iter()
            .map(|c| format!("{:?} in {} back-off {:?} {:?}", c.id, c.sandbox_id, c.backoff, c.state))
            .collect()
    };
    let view: Vec<String> =
        world.view.incarnations.iter().flat_map(|i| [sandboxes(i), containers(i)].concat()).collect();
    let view = view.join("\n  ");
    TestCaseError::fail(format!("{wrong}\n  {story}\nplanned\n  {}\nseen\n  {view}", text::plan(plan).join("\n  ")))
}

pub(super) fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

fn check_plan(world: &World, plan: &PodPlan) -> Result<(), String> {
    ensure(*plan == world.plan_at(world.now), || "the same input gives another plan".into())?;
    asked::check(world, plan)?;
    ensure(plan.wake_at.is_none_or(|at| at > world.now), || "it wakes in the past".into())?;
    for (i, action) in plan.actions.iter().enumerate() {
        let others = || world.in_flight.values().chain(&plan.actions[..i]);
        let is_shorter = |o: &PodAction| {
            // A stop may be asked for again with an earlier end.
            let both = [o, action].map(|a| matches!(a, PodAction::StopContainer { .. }));
            both == [true; 2] && action.instance().is_some_and(|id| plan.endings.contains_key(id))
        };
        let clash = others().filter(|o| !is_shorter(o)).find(|o| {
            o.target() == action.target() || (action.instance().is_some() && o.instance() == action.instance())
        });
        ensure(clash.is_none(), || format!("{} clashes with {}", text::action(action), text::action(clash.unwrap())))?;
        if let Some(uid) = action.makes_for() {
            let other = others().filter(|o| is_container_start(o) || o.makes_for().is_some_and(|u| u != uid));
            ensure(other.count() == 0 || !is_container_start(action), || "two starts at once".into())?;
            let terminating = world.terminating.contains(uid) || plan.terminating.contains(uid);
            ensure(!terminating, || "something is made for a pod that ends".into())?;
            let mut rivals = world.view.incarnations.iter().filter(|i| i.uid != *uid && may_run(i));
            ensure(rivals.next().is_none(), || "two incarnations at once".into())?;
        }
        check_action(world, plan, action).map_err(|wrong| format!("{}: {wrong}", text::action(action)))?;
    }
    Ok(())
}

fn is_container_start(action: &PodAction) -> bool {
    matches!(action, PodAction::CreateContainer { .. } | PodAction::StartContainer { .. })
}

fn check_action(world: &World, plan: &PodPlan, action: &PodAction) -> Result<(), String> {
    let owner = |id: &ContainerId| {
        let owns =
            |i: &&Incarnation| i.containers.iter().any(|c| c.id == *id) || i.sandboxes.iter().any(|s| s.id == *id);
        world.view.incarnations.iter().find(owns).ok_or("it acts on what is not there")
    };
    match action {
        PodAction::UpdateVolumes { .. } => Err("nothing refers to anything here".into()),
        PodAction::EnsureImage { .. } | PodAction::CreateSandbox { .. } => Ok(()),
        PodAction::RemoveVolumes { uid } => {
            ensure(world.view.incarnation(uid).is_none(), || "something is left of the pod".into())?;
            let is_made = world.in_flight.values().any(|a| a.makes_for() == Some(uid));
            ensure(!is_made, || "something is made for the pod".into())?;
            let ends = desired_uid(world) != Some(uid) || plan.terminating.contains(uid);
            ensure(ends, || "the pod should run".into())
        }
        PodAction::StartSandbox { id, .. } => {
            let others = &owner(id)?.sandboxes;
            ensure(!others.iter().any(|s| s.id != *id && s.state.is_running()), || "two sandboxes at once".into())
        }
        PodAction::StopSandbox { id } | PodAction::RemoveSandbox { id, .. } => {
            let of_it = owner(id)?.containers.iter().filter(|c| c.sandbox_id == *id);
            let starting = |c: &ContainerStatus| {
                world.in_flight.values().any(|a| a.makes_for().is_some() && a.instance() == Some(&c.id))
            };
            ensure(!of_it.into_iter().any(|c| c.state.may_run() || starting(c)), || "a container may run in it".into())
        }
        PodAction::CreateContainer { uid, sandbox, name, history } => {
            let incarnation = world.view.incarnation(uid).ok_or("no such pod")?;
            check_create(world, incarnation, (sandbox, name), history)
        }
        PodAction::StartContainer { id, name, .. } => {
            let rivals = owner(id)?.containers.iter().filter(|c| c.name == *name && c.state.may_run());
            ensure(rivals.count() == 0, || "another instance may run".into())
        }
        PodAction::RunPostStart { .. } | PodAction::RunPreStop { .. } => asked::check_hook(world, plan, action),
        PodAction::StopContainer { id, grace, reason, .. } => {
            let incarnation = owner(id)?;
            let container = incarnation.containers.iter().find(|c| c.id == *id).ok_or("it is no container")?;
            check_stop(world, plan, incarnation, container, (*grace, *reason))
        }
        PodAction::RemoveContainer { id, .. } => {
            let container = owner(id)?.containers.iter().find(|c| c.id == *id).ok_or("it is no container")?;
            ensure(!container.state.may_run(), || "it may run".into())
        }
    }
}

fn check_create(
    world: &World,
    incarnation: &Incarnation,
    (sandbox, name): (&ContainerId, &ContainerName),
    &History { attempt, backoff, round }: &History,
) -> Result<(), String> {
    let pod = match &world.desired {
        Desired::Run(pod) if pod.uid == incarnation.uid => pod.clone(),
        _ => world.applied(incarnation).ok_or("nothing is known to make it from")?,
    };
    let container = pod.container(name).ok_or("it is not declared")?;
    ensure(world.images.contains_key(&container.image), || "its image is not known".into())?;
    let current = incarnation.sandboxes.first().ok_or("there is no sandbox")?;
    ensure(current.id == *sandbox && current.state.is_running(), || "its sandbox does not run".into())?;
    let all: Vec<_> = incarnation.containers.iter().filter(|c| c.name == *name).collect();
    ensure(!all.iter().any(|c| c.state.may_run()), || "another instance may run".into())?;
    ensure(all.iter().all(|c| c.attempt < attempt), || "its attempt is not new".into())?;
    ensure(round == rounds::current(&pod, incarnation, &world.endings), || format!("{round} is not its round"))?;
    let is_of_round = |i: &ContainerStatus| i.sandbox_id == *sandbox && i.round == round;
    if let Some(last) = all.first()
        && last.sandbox_id == *sandbox
        && (last.round == round || rounds::asks_for_all(&pod, last, &world.endings))
        && last.hash.as_ref() == Some(&container.hash)
        && let ContainerState::Exited { ran_for, finished_at, .. } = last.state
    {
        let delay = backoff::crash_loop_delay(last.backoff, ran_for, backoff::MAX_CONTAINER_RESTART_PERIOD);
        ensure(world.now >= finished_at + delay, || format!("it is started before its back-off of {delay:?}"))?;
        ensure(backoff == Some(delay), || format!("its back-off is {delay:?}"))?;
    }
    let here = |c: &Container| incarnation.containers.iter().find(|i| i.name == c.name && is_of_round(i));
    let initialized = incarnation.containers.iter().any(|i| i.kind == ContainerKind::App && is_of_round(i));
    for earlier in pod.containers.iter().take_while(|c| c.name != *name).filter(|_| !initialized) {
        let ready = match earlier.kind {
            ContainerKind::Init => {
                here(earlier).is_some_and(|i| matches!(i.state, ContainerState::Exited { code: 0, .. }))
            }
            ContainerKind::Sidecar => here(earlier).is_some_and(|i| i.state.is_running()),
            ContainerKind::App => true,
        };
        ensure(ready, || format!("{} comes first", earlier.name))?;
    }
    Ok(())
}

fn check_stop(
    world: &World,
    plan: &PodPlan,
    incarnation: &Incarnation,
    container: &ContainerStatus,
    (grace, reason): (Duration, StopReason),
) -> Result<(), String> {
    let applied = world.applied(incarnation);
    let whole = applied.as_ref().map(|pod| pod.grace).or(container.grace).unwrap_or(seconds(30)).max(seconds(1));
    let whole = match &world.desired {
        Desired::Stop { grace } => whole.min(*grace),
        Desired::Run(_) | Desired::Terminate(_) | Desired::Leave => whole,
    };
    let ends = plan.terminating.contains(&incarnation.uid);
    let is_sidecar = container.kind == ContainerKind::Sidecar;
    let due = asked::due(world, plan, &container.id).ok_or("its end is not noted")?;
    ensure(grace == due.max(seconds(2)), || format!("its grace is {due:?}, of {whole:?}"))?;
    let begun = world.endings.get(&container.id).filter(|begun| begun.progress == EndingProgress::Begun);
    let own = matches!(reason, StopReason::FailedProbe { .. } | StopReason::RestartAllContainers);
    ensure(begun.is_some() || due == whole || own, || format!("it is given {due:?} of {whole:?}"))?;
    let alive = |c: &&ContainerStatus| c.state.may_run() && c.id != container.id;
    let whole_pod_ends =
        ends || [StopReason::PodFinished, StopReason::SandboxChanged, StopReason::NodeShutdown].contains(&reason);
    if is_sidecar && whole_pod_ends && !due.is_zero() {
        let place =
            |name: &ContainerName| applied.as_ref().and_then(|pod| pod.containers.iter().position(|c| c.name == *name));
        let before = |c: &ContainerStatus| c.kind != ContainerKind::Sidecar || place(&c.name) > place(&container.name);
        let is_old = |c: &&ContainerStatus| {
            incarnation.sandboxes.first().is_some_and(|s| s.state.is_running() && s.id != c.sandbox_id)
        };
        let left = incarnation.containers.iter().filter(alive).find(|c| before(c) && !is_old(&container));
        ensure(left.is_none(), || format!("{:?} ends before it", left.map(|c| &c.id)))?;
    }
    let declared = match &world.desired {
        Desired::Run(pod) if pod.uid == incarnation.uid && !ends => Some(pod),
        _ => applied.as_ref(),
    };
    let spec = declared.and_then(|pod| pod.container(&container.name));
    let images_here = |pod: &Pod| pod.containers.iter().all(|c| world.images.contains_key(&c.image));
    let justified = match reason {
        StopReason::NodeShutdown => matches!(world.desired, Desired::Stop { .. }),
        StopReason::PodRemoved => matches!(world.desired, Desired::Terminate(_)),
        StopReason::PodChanged => match &world.desired {
            // What is stopped first is stopped only for a pod that can start, or one that has begun.
            Desired::Run(pod) => {
                world.terminating.contains(&incarnation.uid)
                    || images_here(pod)
                    || world.view.incarnation(&pod.uid).is_some_and(may_run)
                    || world.view.incarnations.iter().filter(|i| may_run(i)).count() > 1
            }
            Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => false,
        },
        StopReason::DefinitionChanged => spec.is_some_and(|spec| {
            let making = Target::Container(incarnation.uid.clone(), spec.name.clone());
            let has_image = world.images.contains_key(&spec.image) || world.in_flight.contains_key(&making);
            has_image && Some(&spec.hash) != container.hash.as_ref()
        }),
        // Nothing refers to anything in these worlds.
        StopReason::EnvironmentChanged => false,
        StopReason::ContainerRemoved => spec.is_none(),
        StopReason::SandboxChanged => {
            let current = incarnation.sandboxes.first();
            let usable = |s: &Sandbox| s.state.is_running() && s.id == container.sandbox_id;
            let changed = declared.zip(current).is_some_and(|(pod, s)| s.hash.as_ref() != Some(&pod.sandbox_hash));
            !current.is_some_and(usable) || (changed && declared.is_some_and(|pod| images_here(pod)))
        }
        StopReason::PodFinished => plan.finished || declared.map(|p| &p.uid) != desired_uid(world),
        // No pod of the model has a deadline.
        StopReason::DeadlineExceeded => false,
        StopReason::UnknownState => container.state == ContainerState::Unknown,
        StopReason::Superseded => {
            incarnation.containers.iter().any(|c| c.name == container.name && c.attempt > container.attempt)
        }
        StopReason::FailedProbe { kind, .. } => {
            world.probes.get(&(container.id.clone(), kind)) == Some(&crate::pod::ProbeVerdict::Failure)
        }
        StopReason::RestartAllContainers => {
            declared.is_some_and(|pod| container.round < rounds::current(pod, incarnation, &world.endings))
        }
        StopReason::FailedPostStartHook => world.hooks.get(&container.id) == Some(&HookState::PostStartFailed),
    };
    // What has begun to end goes on.
    let justified = justified || begun.is_some_and(|begun| begun.reason == reason);
    ensure(justified, || "nothing justifies it".into())
}

pub(super) fn desired_uid(world: &World) -> Option<&PodUid> {
    match &world.desired {
        Desired::Run(pod) => Some(&pod.uid),
        Desired::Terminate(_) | Desired::Stop { .. } | Desired::Leave => None,
    }
}

/// All is quiet: is it as it should be, and does it stay so?
fn check_end(world: &World, plan: &PodPlan) -> Result<(), String> {
    let later = world.plan_at(world.now + seconds(3600));
    ensure(later == *plan, || format!("an hour later it is another: {:?}", text::plan(&later)))?;
    if matches!(world.desired, Desired::Stop { .. }) {
        return ensure(!plan.done && !world.view.incarnations.iter().any(may_run), || "something runs".into());
    }
    let left = world.disk.iter().find(|uid| desired_uid(world) != Some(uid));
    ensure(left.is_none(), || format!("a directory of {} is left", left.unwrap()))?;
    let pod = match &world.desired {
        Desired::Run(pod) => pod,
        Desired::Terminate(_) => {
            return ensure(plan.done && world.view.is_empty(), || "something is left of it".into());
        }
        Desired::Stop { .. } | Desired::Leave => return Ok(()),
    };
    ensure(plan.waiting.is_empty() && plan.terminating.is_empty(), || "something waits for nothing".into())?;
    ensure(world.view.incarnations.len() == 1, || "there is not one incarnation".into())?;
    let incarnation = world.view.incarnation(&pod.uid).ok_or("it is not the one that is wanted")?;
    for container in &incarnation.containers {
        let same = incarnation.containers.iter().filter(|c| c.name == container.name).count();
        ensure(same <= 2, || format!("{same} records of {}", container.name))?;
        ensure(pod.container(&container.name).is_some(), || format!("{} is not declared", container.name))?;
    }
    if plan.finished {
        ensure(pod.restart_policy != crate::pod::RestartPolicy::Always, || "it is finished".into())?;
        return ensure(!may_run(incarnation), || "it is finished and runs".into());
    }
    ensure(incarnation.sandboxes.len() == 1, || "there is not one sandbox".into())?;
    ensure(incarnation.sandboxes[0].state.is_running(), || "its sandbox does not run".into())?;
    for container in pod.containers.iter().filter(|c| c.kind != ContainerKind::Init) {
        let newest = incarnation.containers.iter().find(|c| c.name == container.name);
        let newest = newest.ok_or(format!("{} is not there", container.name))?;
        ensure(newest.hash.as_ref() == Some(&container.hash), || format!("{} is of another spec", container.name))?;
        let runs = newest.state.is_running() && newest.sandbox_id == incarnation.sandboxes[0].id;
        let done = container.kind == ContainerKind::App
            && match (pod.restart_policy, &newest.state) {
                (crate::pod::RestartPolicy::Never, ContainerState::Exited { .. }) => true,
                (crate::pod::RestartPolicy::OnFailure, ContainerState::Exited { code, .. }) => *code == 0,
                _ => false,
            };
        ensure(runs || done, || format!("{} does not run", container.name))?;
    }
    Ok(())
}
