//! When probes and hooks are asked, and how often.

use crate::{
    answers::{Asked, Came},
    chronicle::{Deed, Kind, Step, Story, Who, seconds},
};
use kubelet_lite::{
    engine::fake::What,
    pod::{Container, ContainerKind, Pod, ProbeKind},
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The life of one container, as far as it is asked anything.
struct Life<'a> {
    who: &'a Who,
    started: Option<Timestamp>,
    /// No jump of the clock has touched the time of its start.
    exact: bool,
    /// What is under way, by flight.
    flights: BTreeMap<u64, Asked>,
    /// Its startup probe has passed, as far as the daemon that runs can know.
    has_started: bool,
    /// Its `postStart` was begun.
    post_started: bool,
}

#[derive(Default)]
struct Lives<'a> {
    of: BTreeMap<&'a str, Life<'a>>,
    /// All that was wanted of each uid so far.
    versions: BTreeMap<String, Vec<Arc<Pod>>>,
}

impl<'a> Lives<'a> {
    fn take(&mut self, step: Step<'a>) {
        match step {
            Step::Deed(note) => match &note.deed {
                Deed::Wish(wished) => {
                    for pod in wished.values() {
                        self.versions.entry(pod.uid.to_string()).or_default().push(pod.clone());
                    }
                }
                Deed::ClockJump => self.of.values_mut().for_each(|life| life.exact = false),
                Deed::DaemonUp => self.of.values_mut().for_each(|life| life.has_started = false),
                Deed::Asked { id, asked, flight } => {
                    if let Some(life) = self.of.get_mut(id.as_str()) {
                        life.flights.insert(*flight, *asked);
                        life.post_started |= *asked == Asked::PostStart;
                    }
                }
                Deed::Answered { id, asked, flight, came } => {
                    if let Some(life) = self.of.get_mut(id.as_str()) {
                        life.flights.remove(flight);
                        life.has_started |= (*asked, *came) == (Asked::Probe(ProbeKind::Startup), Came::Passed);
                    }
                }
                _ => {}
            },
            Step::Container(entry, who) if who.ours && who.kind != Kind::Sandbox => match entry.what {
                What::Created => {
                    let life = Life {
                        who,
                        started: None,
                        exact: true,
                        flights: BTreeMap::new(),
                        has_started: false,
                        post_started: false,
                    };
                    self.of.insert(&entry.id, life);
                }
                What::Started => {
                    if let Some(life) = self.of.get_mut(entry.id.as_str()) {
                        (life.started, life.exact) = (Some(entry.at), true);
                        (life.has_started, life.post_started) = (false, false);
                    }
                }
                What::Removed => drop(self.of.remove(entry.id.as_str())),
                _ => {}
            },
            Step::Container(..) | Step::Engine(_) => {}
        }
    }

    /// What was ever declared of a container.
    fn declared(&self, who: &Who) -> impl Iterator<Item = &Container> {
        let versions = self.versions.get(&who.uid).into_iter().flatten();
        let name = who.name.clone();
        versions.filter_map(move |pod| pod.containers.iter().find(|c| c.name.as_str() == name))
    }
}

/// Goes through a story; `judge` sees each asking before it is taken in.
fn judge(
    story: &Story,
    mut judge: impl FnMut(&Life<'_>, &Lives<'_>, Asked, Timestamp) -> Option<String>,
) -> Vec<String> {
    let mut broken = Vec::new();
    let mut lives = Lives::default();
    for step in story.steps() {
        if let Step::Deed(note) = step
            && let Deed::Asked { id, asked, .. } = &note.deed
            && let Some(life) = lives.of.get(id.as_str())
            && let Some(what) = judge(life, &lives, *asked, note.at)
        {
            broken.push(format!(
                "{asked:?} of {} {} at {}: {what}",
                life.who.key.name,
                life.who.name,
                seconds(note.at)
            ));
        }
        lives.take(step);
    }
    broken
}

fn probe(container: &Container, kind: ProbeKind) -> Option<&k8s_openapi::api::core::v1::Probe> {
    match kind {
        ProbeKind::Startup => container.api.startup_probe.as_ref(),
        ProbeKind::Liveness => container.api.liveness_probe.as_ref(),
        ProbeKind::Readiness => container.api.readiness_probe.as_ref(),
    }
}

/// No probe is asked before its `initialDelaySeconds`, counted from the container's start.
pub fn initial_delay(story: &Story) -> Vec<String> {
    judge(story, |life, lives, asked, at| {
        let Asked::Probe(kind) = asked else { return None };
        let delay = |c: &Container| probe(c, kind).map(|p| p.initial_delay_seconds.unwrap_or(0));
        let least = lives.declared(life.who).filter_map(delay).min().unwrap_or(0);
        let since = at.since(life.started.filter(|_| life.exact)?);
        (since < Duration::from_secs(u64::from(least.unsigned_abs())))
            .then(|| format!("{since:?} after the start, delay {least} s"))
    })
}

/// Never are two askings of one probe or hook under way.
pub fn one_flight(story: &Story) -> Vec<String> {
    judge(story, |life, _, asked, _| {
        life.flights.values().any(|other| *other == asked).then(|| "asked while it is asked".to_owned())
    })
}

/// Liveness and readiness are asked when the startup probe has passed, which each daemon sees for itself.
pub fn startup_first(story: &Story) -> Vec<String> {
    judge(story, |life, lives, asked, _| {
        if !matches!(asked, Asked::Probe(ProbeKind::Liveness | ProbeKind::Readiness)) || life.has_started {
            return None;
        }
        let mut declared = lives.declared(life.who);
        let gated = declared.all(|c| probe(c, ProbeKind::Startup).is_some());
        gated.then(|| "asked before the startup probe has passed".to_owned())
    })
}

/// `postStart` is run at most once for each start.
pub fn post_start_once(story: &Story) -> Vec<String> {
    judge(story, |life, _, asked, _| (asked == Asked::PostStart && life.post_started).then(|| "run again".to_owned()))
}

/// No container is made while the `postStart` of one before it is under way, and none behind a sidecar
/// before its startup probe has passed.
pub fn post_start_holds(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut lives = Lives::default();
    for step in story.steps() {
        if let Step::Container(entry, who) = step
            && who.ours
            && who.kind != Kind::Sandbox
            && entry.what == What::Created
            && let Some(pod) = lives.versions.get(&who.uid).and_then(|all| all.last())
        {
            // An edit that takes the hook away takes away what to wait for.
            let before: BTreeSet<&str> = pod
                .containers
                .iter()
                .take_while(|c| c.name.as_str() != who.name)
                .filter(|c| c.post_start().is_some())
                .map(|c| c.name.as_str())
                .collect();
            let others =
                lives.of.values().filter(|l| l.who.sandbox == who.sandbox && before.contains(l.who.name.as_str()));
            for life in others.filter(|l| l.flights.values().any(|asked| *asked == Asked::PostStart)) {
                let at = seconds(entry.at);
                broken.push(format!("{} made at {at} in the postStart of {}", entry.name, life.who.name));
            }
        }
        lives.take(step);
    }
    broken
}

/// No app is made for the first time in a sandbox before the startup probes of its sidecars have passed.
pub fn sidecars_started(story: &Story) -> Vec<String> {
    let mut broken = Vec::new();
    let mut passed: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut initialized: BTreeSet<&str> = BTreeSet::new();
    let mut lives = Lives::default();
    for step in story.steps() {
        match step {
            Step::Deed(note) => {
                if let Deed::Answered { id, asked: Asked::Probe(ProbeKind::Startup), came: Came::Passed, .. } =
                    &note.deed
                    && let Some(life) = lives.of.get(id.as_str())
                {
                    passed.insert((&life.who.sandbox, &life.who.name));
                }
            }
            Step::Container(entry, who) if who.ours && who.kind == Kind::App && entry.what == What::Created => {
                let versions = lives.versions.get(&who.uid).map(Vec::as_slice).unwrap_or_default();
                let gates = |c: &&Container| {
                    let always = || {
                        lives.versions[&who.uid].iter().all(|pod| {
                            pod.containers.iter().any(|o| o.name == c.name && probe(o, ProbeKind::Startup).is_some())
                        })
                    };
                    c.kind == ContainerKind::Sidecar && always()
                };
                let sidecars = versions.last().into_iter().flat_map(|pod| &pod.containers).filter(gates);
                for sidecar in sidecars.filter(|c| !passed.contains(&(who.sandbox.as_str(), c.name.as_str()))) {
                    if !initialized.contains(who.sandbox.as_str()) {
                        broken.push(format!(
                            "{} made at {} before {} has started",
                            entry.name,
                            seconds(entry.at),
                            sidecar.name
                        ));
                    }
                }
                initialized.insert(&who.sandbox);
            }
            Step::Container(..) | Step::Engine(_) => {}
        }
        lives.take(step);
    }
    broken
}
