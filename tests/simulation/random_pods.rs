//! Random pods, what their programs do, and what may be edited in them.

use crate::{
    answers::{Answer, Asked},
    manifests::{Asks, ContainerDef, PodDef, app, init, sidecar},
    programs::Programs,
    random::Random,
};
use kubelet_lite::{engine::fake::Behaviour, pod::ContainerKind};
use std::{collections::BTreeMap, time::Duration};

const IMAGES: [&str; 4] = ["app:1", "app:2", "app:3", "app:4"];
const GRACES: [i64; 6] = [0, 1, 2, 5, 10, 30];
const POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];

/// No program runs longer and ends by itself.
pub const LONGEST_RUN: Duration = Duration::from_secs(700);

/// The pods of a file; no two files have one of the same name.
pub fn file(rng: &mut Random, file: &str) -> Vec<PodDef> {
    match file {
        "web" => vec![pod(rng, "web")],
        "db" => vec![pod(rng, "db")],
        _ => vec![pod(rng, "job"), pod(rng, "cache")],
    }
}

fn pod(rng: &mut Random, name: &'static str) -> PodDef {
    let mut containers = Vec::new();
    for candidate in [init("init"), sidecar("side"), init("init2"), sidecar("side2")] {
        if rng.one_in(4) {
            containers.push(candidate);
        }
    }
    containers.push(if name == "job" { app("job") } else { app("app") });
    if rng.one_in(2) {
        containers.push(if name == "job" { app("job2") } else { app("app2") });
    }
    for container in &mut containers {
        container.image = image(rng);
        container.files = rng.one_in(6).then(|| image(rng));
        if rng.one_in(4) {
            container.asks = asks(rng);
        }
    }
    let mut def = PodDef::new(name, &containers);
    def.uid = rng.one_in(6).then_some(match name {
        "web" => "given-web",
        "db" => "given-db",
        "job" => "given-job",
        _ => "given-cache",
    });
    def.grace = *rng.pick(&GRACES);
    def.volume = rng.one_in(3);
    def.restart_policy = if name == "job" { *rng.pick(&POLICIES) } else { "Always" };
    def.host_port = rng.one_in(4).then(|| host_port(name));
    def
}

fn asks(rng: &mut Random) -> Asks {
    let one_of = |rng: &mut Random, all: &[i32]| rng.one_in(2).then(|| *rng.pick(all));
    Asks {
        startup: rng.one_in(3),
        liveness: rng.one_in(2),
        delay: *rng.pick(&[0, 0, 3, 20]),
        period: one_of(rng, &[5, 20, 60]),
        threshold: one_of(rng, &[1, 2]),
        grace: rng.one_in(3).then(|| *rng.pick(&[1, 4, 40])),
        post_start: rng.one_in(3),
        pre_stop: rng.one_in(2),
    }
}

/// What comes of probes and hooks: mostly what came of the same one before.
pub fn answers(mut rng: Random) -> impl FnMut(&str, Asked) -> Answer {
    let mut moods: BTreeMap<(String, Asked), Answer> = BTreeMap::new();
    move |id, asked| {
        let mood = moods.get(&(id.to_owned(), asked)).copied().filter(|_| !rng.one_in(5));
        let answer = mood.unwrap_or_else(|| {
            let after = Duration::from_millis(*rng.pick(&[0, 0, 10, 500, 3_000]));
            match rng.below(10) {
                0 | 1 => Answer::Fails(after),
                2 => Answer::Errs,
                3 => Answer::Hangs,
                _ => Answer::Passes(after),
            }
        });
        moods.insert((id.to_owned(), asked), answer);
        answer
    }
}

/// Mostly what is on the node.
fn image(rng: &mut Random) -> &'static str {
    if rng.one_in(4) { rng.pick::<&str>(&IMAGES) } else { "app:1" }
}

fn host_port(pod: &str) -> i32 {
    match pod {
        "web" => 8080,
        "db" => 8081,
        "job" => 8083,
        _ => 8082,
    }
}

/// Changes one thing.
pub fn edit(rng: &mut Random, pod: &mut PodDef) {
    let at = rng.below(pod.containers.len());
    let container = &mut pod.containers[at];
    match rng.below(12) {
        0..=2 => container.image = *rng.pick(&IMAGES),
        3 | 4 => container.env += 1,
        5 => container.probe = Some(i32::try_from(rng.between(1, 9)).unwrap_or(1)),
        6 => pod.label += 1,
        7 => pod.grace = *rng.pick(&GRACES),
        8 => pod.hostname = Some(*rng.pick(&["one", "two"])),
        9 => pod.restart_policy = *rng.pick(&POLICIES),
        10 => pod.volume = !pod.volume,
        _ => add_or_take_away(rng, pod, at),
    }
}

fn add_or_take_away(rng: &mut Random, pod: &mut PodDef, at: usize) {
    let apps = pod.containers.iter().filter(|c| c.kind == ContainerKind::App).count();
    let is_last_app = apps == 1 && pod.containers[at].kind == ContainerKind::App;
    if rng.one_in(2) && !is_last_app {
        pod.containers.remove(at);
        return;
    }
    let spare: Vec<ContainerDef> = [init("init3"), sidecar("side3"), app("app3")]
        .into_iter()
        .filter(|c| pod.containers.iter().all(|other| other.name != c.name))
        .collect();
    if !spare.is_empty() {
        let added = rng.pick(&spare).clone();
        let first_app = pod.containers.iter().position(|c| c.kind == ContainerKind::App).unwrap_or(0);
        let place = if added.kind == ContainerKind::App { pod.containers.len() } else { rng.between(0, first_app) };
        pod.containers.insert(place, added);
    }
}

/// What the containers of all pods do: some fail a few times, some do not listen.
pub fn programs(rng: &mut Random, programs: &Programs) {
    for pod in ["web", "db", "job", "cache"] {
        for name in ["init", "init2", "side", "side2", "app", "app2", "job", "job2", "POD"] {
            if rng.one_in(3) {
                let runs: Vec<Behaviour> = (0..rng.between(1, 4)).map(|_| failing(rng, name)).collect();
                programs.first((pod, name), &runs);
            }
            if name != "POD" && rng.one_in(2) {
                let run = usual(rng, name);
                programs.then((pod, name), listening(rng, run));
            }
        }
    }
}

fn usual(rng: &mut Random, name: &str) -> Behaviour {
    let takes = Duration::from_millis(*rng.pick(&[0, 10, 1_000, 20_000]));
    if name.starts_with("init") || name.starts_with("job") { Behaviour::exits(0, takes) } else { Behaviour::runs() }
}

fn failing(rng: &mut Random, name: &str) -> Behaviour {
    let after = Duration::from_millis(*rng.pick(&[0, 1, 500, 5_000, 30_000, LONGEST_RUN.as_millis() as u64]));
    let code = *rng.pick(&[0, 1, 1, 2, 137, 143]);
    match rng.below(6) {
        0 => Behaviour::out_of_memory(after),
        1 if name != "POD" => Behaviour::fails_to_start("exec: \"nothing\": executable file not found in $PATH"),
        2 => usual(rng, name),
        _ => Behaviour::exits(code, after),
    }
}

fn listening(rng: &mut Random, run: Behaviour) -> Behaviour {
    match rng.below(4) {
        0 => run.ignoring_sigterm(),
        1 => run.on_sigterm(0, Duration::from_millis(rng.between(1, 12_000) as u64)),
        _ => run,
    }
}
