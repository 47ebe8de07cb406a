//! Every fault, and a crash of the daemon, at every engine call of every scenario.

use crate::{
    chronicle::Deed,
    crowd, invariants, logs,
    manifests::PodDef,
    node::Node,
    scenarios::{self, Act, Scenario},
};
use kubelet_lite::{
    convert,
    engine::fake::{Effect, Fault, internal_error, timeout, unavailable},
    pod::{Attempt, ContainerName, ManifestSource, Pod},
};
use std::time::Duration;

/// The variable that names one case to be played alone, with the daemon's whole log; with a `*` at its
/// end, all that begin so.
const CASE: &str = "KUBELET_LITE_CASE";

/// All that can go wrong with one call.
fn faults() -> Vec<(&'static str, Fault)> {
    let second = Duration::from_secs(1);
    let restart = |live_restore, effect| Fault::EngineRestart { live_restore, down: 3 * second, effect };
    vec![
        ("refused", Fault::Before(internal_error())),
        ("unavailable", Fault::Before(unavailable())),
        ("timeout", Fault::Before(timeout())),
        ("done-unavailable", Fault::After(unavailable())),
        ("done-timeout", Fault::After(timeout())),
        ("hang", Fault::Hang(Effect::NotDone)),
        ("done-hang", Fault::Hang(Effect::Done)),
        ("delay", Fault::Delay(4 * second)),
        ("delay-reply", Fault::DelayReply(4 * second)),
        ("drop-event", Fault::DropEvents(1)),
        ("drop-events", Fault::DropEvents(5)),
        ("duplicate-event", Fault::DuplicateEvent),
        ("late-event", Fault::LateEvent(2 * second)),
        ("cut-events", Fault::CutEvents),
        ("restart", restart(false, Effect::NotDone)),
        ("done-restart", restart(false, Effect::Done)),
        ("live-restore", restart(true, Effect::NotDone)),
        ("done-live-restore", restart(true, Effect::Done)),
        ("crash", Fault::Crash(Effect::NotDone)),
        ("done-crash", Fault::Crash(Effect::Done)),
    ]
}

/// One play: a scenario, and what goes wrong at which call.
#[derive(Clone)]
struct Case<'a> {
    scenario: &'a Scenario,
    fault: Option<(u64, &'static str, Fault)>,
}

impl Case<'_> {
    fn name(&self) -> String {
        match &self.fault {
            Some((n, fault, _)) => format!("{}/{n}/{fault}", self.scenario.name),
            None => self.scenario.name.to_owned(),
        }
    }
}

/// Plays every scenario without a fault, and then with every fault at every call.
pub fn sweep() {
    let scenarios = scenarios::all();
    let wanted = std::env::var(CASE).ok();
    let is_wanted = |case: &Case<'_>| match wanted.as_deref() {
        None => true,
        Some(name) => name.strip_suffix('*').map_or(case.name() == name, |start| case.name().starts_with(start)),
    };
    let plain: Vec<Case<'_>> = scenarios.iter().map(|scenario| Case { scenario, fault: None }).collect();
    let calls = crowd::play(&plain, verdict);
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (case, calls) in plain.into_iter().zip(calls) {
        let scenario = case.scenario;
        cases.extend(Some(case).filter(|_| calls.is_err()));
        for n in 1..=calls.unwrap_or(0) {
            cases.extend(faults().into_iter().map(|(name, fault)| Case { scenario, fault: Some((n, name, fault)) }));
        }
    }
    cases.retain(is_wanted);
    println!("{} cases", cases.len());
    let verdicts = crowd::play(&cases, verdict);
    crowd::report("play", &verdicts);
}

/// Plays once; the number of calls, or all that went wrong.
fn verdict(case: &Case<'_>) -> Result<u64, String> {
    let Case { scenario, fault } = case.clone();
    let case = case.name();
    crowd::in_simulated_time(async {
        logs::begin(std::env::var_os(CASE).is_some());
        let mut node = Node::new();
        let undisturbed = fault.is_none();
        let is_all_well_but_us = fault.as_ref().is_none_or(|(_, _, fault)| matches!(fault, Fault::Crash(_)));
        if let Some((n, _, fault)) = fault {
            node.disturb(n, fault);
        }
        node.start_daemon();
        for act in &scenario.acts {
            perform(&mut node, act, undisturbed).await;
        }
        let calls = end(&mut node).await;
        let story = node.story();
        let mut violations = invariants::violations(&node, &story);
        if is_all_well_but_us {
            violations.extend(invariants::no_grace_is_lengthened(&story));
        }
        if violations.is_empty() {
            return Ok(calls);
        }
        let again = format!("{CASE}='{case}' cargo test --test simulation sweep -- --nocapture");
        let log = logs::text();
        Err(format!("{case}: {}\n  {again}\n{log}\n{}", violations.join("\n  "), story.text()))
    })
}

/// All is as wished and stays so; then everything is removed, and nothing stays. Returns the number of
/// calls before the removal, which scenarios of its own look after.
pub async fn end(node: &mut Node) -> u64 {
    node.settle().await;
    node.rest().await;
    let calls = node.engine.call_count();
    node.directory.clear();
    node.publish();
    node.settle().await;
    node.rest().await;
    calls
}

async fn perform(node: &mut Node, act: &Act, undisturbed: bool) {
    match act {
        Act::Put(file, pods) => node.directory.put(file, pods),
        Act::Delete(file) => node.directory.delete(file),
        Act::Spoil(file) => node.directory.spoil(file),
        Act::Away(away) => node.directory.set_away(*away),
        Act::Pass(seconds) => node.pass(Duration::from_secs(*seconds)).await,
        Act::Settle => node.settle().await,
        Act::First(pod, container, runs) => node.programs.first((pod, container), runs),
        Act::Then(pod, container, run) => node.programs.then((pod, container), run.clone()),
        Act::Answers(pod, container, asked, answers) => node.answers.first(pod, container, *asked, answers),
        Act::ByHand(pod, container, what) => node.by_hand(pod, container, what),
        Act::KillDaemon => node.kill_daemon().await,
        Act::Detach => node.detach_daemon().await,
        Act::StartDaemon => node.start_daemon(),
        Act::RestartEngine { live_restore, down } => node.engine.restart(*live_restore, Duration::from_secs(*down)),
        Act::TakeName(pod, container, attempt) => node.take_name(&name(pod, container, *attempt)),
        Act::FreeName => node.remove_foreign(),
        Act::RemoveImage(image) => node.remove_image(image),
        Act::Publish(image, takes) => node.engine.publish_image(image, Duration::from_secs(*takes)),
        Act::JumpClock(by) => node.jump_clock(jiff::SignedDuration::from_secs(*by)),
        Act::Check(what, holds) => {
            if undisturbed && !holds(node) {
                node.wrong.push(format!("not seen: {what}"));
            }
        }
    }
    if matches!(act, Act::Put(..) | Act::Delete(_) | Act::Spoil(_) | Act::Away(_)) {
        node.note(Deed::Remark(format!("directory: {}", act.text())));
        node.publish();
    }
}

impl Act {
    fn text(&self) -> String {
        match self {
            Self::Put(file, pods) => {
                format!("{file} holds {}", pods.iter().map(PodDef::text).collect::<Vec<_>>().join("; "))
            }
            Self::Delete(file) => format!("{file} is gone"),
            Self::Spoil(file) => format!("{file} is broken"),
            Self::Away(away) => format!("away {away}"),
            _ => String::new(),
        }
    }
}

/// The name of a container in the engine.
pub fn name(pod: &PodDef, container: &str, attempt: u32) -> String {
    let source = ManifestSource { path: "/any.yaml".into(), document: 0 };
    let pod = Pod::from_manifest(pod.manifest(), source, &crate::manifests::node()).unwrap();
    match container {
        "POD" => convert::sandbox_name(&pod.key, &pod.uid, Attempt(attempt)),
        name => convert::container_name(&pod.key, &pod.uid, &ContainerName::new(name), Attempt(attempt)),
    }
}
