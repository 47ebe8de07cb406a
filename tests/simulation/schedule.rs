//! Random schedules: everything that can happen to a node, in any order, from one seed.

use crate::{
    crowd::{self, Verdict},
    invariants, logs,
    manifests::PodDef,
    node::Node,
    random::Random,
    random_pods, sweep,
};
use kubelet_lite::engine::{
    EngineState,
    fake::{Effect, Fault, internal_error, timeout, unavailable},
};
use std::{collections::BTreeMap, time::Duration};

/// How many schedules are played.
const SCHEDULES: &str = "KUBELET_LITE_SCHEDULES";
const DEFAULT_SCHEDULES: u64 = 2_000;
/// `17` plays only that one, with the daemon's whole log; `17..` begins with that one.
const SEED: &str = "KUBELET_LITE_SEED";

/// Plays all schedules that the environment asks for.
pub fn random_schedules() {
    let asked = std::env::var(SEED).ok();
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text:?} is not a number"));
    let count = std::env::var(SCHEDULES).map_or(DEFAULT_SCHEDULES, |text| number(&text));
    let seeds: Vec<u64> = match asked.as_deref().map(|seed| (seed, seed.strip_suffix(".."))) {
        None => (0..count).collect(),
        Some((_, Some(first))) => (number(first)..number(first) + count).collect(),
        Some((seed, None)) => vec![number(seed)],
    };
    let alone = seeds.len() == 1;
    let verdicts = crowd::play(&seeds, |seed| verdict(*seed, alone));
    crowd::report("schedule", &verdicts);
}

fn verdict(seed: u64, log: bool) -> Verdict {
    let (node, violations) = play(seed, log);
    if violations.is_empty() {
        return Ok(node.engine.call_count());
    }
    let again = format!("{SEED}={seed} cargo test --test simulation random -- --nocapture");
    Err(format!("seed {seed}: {}\n  {again}\n{}\n{}", violations.join("\n  "), logs::text(), node.story().text()))
}

/// The same seed makes the same calls, or no failure could be played again.
pub fn same_seed_same_story() {
    let text = |seed| play(seed, false).0.engine.trace();
    for seed in 0..20 {
        let (first, second) = (text(seed), text(seed));
        // The root directory is another one each time, and part of a list's call.
        let tidy = |text: &str| text.lines().filter(|l| !l.contains(" list ")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(tidy(&first), tidy(&second), "seed {seed}");
    }
}

fn play(seed: u64, log: bool) -> (Node, Vec<String>) {
    crowd::in_simulated_time(async {
        logs::begin(log);
        let mut schedule = Schedule::new(seed);
        for _ in 0..schedule.rng.between(5, 25) {
            schedule.act().await;
            let pause = pause(&mut schedule.rng);
            schedule.node.pass(pause).await;
        }
        schedule.calm();
        // What was started before may still end by itself.
        schedule.node.pass(random_pods::LONGEST_RUN).await;
        sweep::end(&mut schedule.node).await;
        let violations = invariants::violations(&schedule.node, &schedule.node.story());
        (schedule.node, violations)
    })
}

/// Nothing, milliseconds, seconds or minutes: bugs live at all of these.
fn pause(rng: &mut Random) -> Duration {
    match rng.below(8) {
        0 => Duration::ZERO,
        1 | 2 => Duration::from_millis(rng.below(1000) as u64),
        3..=5 => Duration::from_millis(rng.between(1_000, 30_000) as u64),
        6 => Duration::from_secs(rng.between(30, 180) as u64),
        _ => Duration::from_secs(rng.between(60, 900) as u64),
    }
}

struct Schedule {
    node: Node,
    rng: Random,
    /// What each file holds when it is good.
    files: BTreeMap<&'static str, Vec<PodDef>>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut schedule = Self { node: Node::new(), rng: Random::new(seed), files: BTreeMap::new() };
        let Self { node, rng, .. } = &mut schedule;
        random_pods::programs(rng, &node.programs);
        node.answers.answer(random_pods::answers(rng.fork()));
        node.engine.publish_image("app:3", Duration::from_secs(rng.between(0, 90) as u64));
        if rng.one_in(4) {
            node.engine.fail_pulls("app:4", Duration::from_secs(1), internal_error());
        }
        schedule.put_file();
        if schedule.rng.one_in(2) {
            schedule.node.start_daemon();
        }
        schedule
    }

    /// Nothing goes wrong any more, and what was broken is mended.
    fn calm(&mut self) {
        self.node.engine.clear_faults();
        self.node.programs.calm();
        self.node.answers.calm();
        self.node.remove_foreign();
        for image in ["pause:1", "app:1", "app:2", "app:3", "app:4"] {
            self.node.engine.publish_image(image, Duration::from_secs(5));
        }
        for paused in self.node.engine.containers().iter().filter(|c| c.state == EngineState::Paused) {
            self.node.by_hand_on(&paused.id, "unpause");
        }
        self.node.directory.set_away(false);
        for (file, pods) in &self.files {
            self.node.directory.put(file, pods);
        }
        self.changed("all is calm");
    }

    fn changed(&mut self, what: &str) {
        self.node.remark(what);
        self.node.publish();
    }

    async fn act(&mut self) {
        match self.rng.below(20) {
            0..=3 => self.edit(),
            4 => self.put_file(),
            5 | 6 => self.delete_file(),
            7..=9 => self.lay_hands(),
            10 => self.restart_engine(),
            11 | 12 => self.end_daemon().await,
            13..=15 => self.disturb(),
            16 => self.images(),
            17 => self.spoil(),
            18 => self.take_or_free_name(),
            _ => self.jump_clock(),
        }
        if self.rng.one_in(3) {
            self.node.start_daemon();
        }
    }

    /// One of the files, and what it may be called.
    fn file(&mut self) -> &'static str {
        self.rng.pick::<&str>(&["web", "db", "both"])
    }

    fn put_file(&mut self) {
        let file = self.file();
        let pods = random_pods::file(&mut self.rng, file);
        self.node.directory.put(file, &pods);
        self.changed(&format!("{file} holds {}", pods.iter().map(PodDef::text).collect::<Vec<_>>().join("; ")));
        self.files.insert(file, pods);
    }

    fn edit(&mut self) {
        let file = self.file();
        let Some(pods) = self.files.get_mut(file) else { return self.put_file() };
        let at = self.rng.below(pods.len());
        random_pods::edit(&mut self.rng, &mut pods[at]);
        self.node.directory.put(file, pods);
        let text = format!("{file} is edited: {}", pods[at].text());
        self.changed(&text);
    }

    fn delete_file(&mut self) {
        let file = self.file();
        self.files.remove(file);
        self.node.directory.delete(file);
        self.changed(&format!("{file} is deleted"));
    }

    fn spoil(&mut self) {
        if self.rng.one_in(2) {
            let away = self.rng.one_in(2);
            self.node.directory.set_away(away);
            return self.changed(&format!("directory away: {away}"));
        }
        let file = self.file();
        if self.files.contains_key(file) {
            self.node.directory.spoil(file);
            self.changed(&format!("{file} is broken"));
        }
    }

    fn lay_hands(&mut self) {
        let ours = |c: &kubelet_lite::engine::ContainerDetails| c.labels.contains_key("io.kubelet-lite.managed-by");
        let ids: Vec<String> = self.node.engine.containers().into_iter().filter(ours).map(|c| c.id).collect();
        if !ids.is_empty() {
            let id = self.rng.pick(&ids);
            let what = *self.rng.pick(&["kill", "kill", "exit", "remove", "remove", "pause", "unpause"]);
            self.node.by_hand_on(id, what);
        }
    }

    fn restart_engine(&mut self) {
        let (live_restore, down) = (self.rng.one_in(2), pause(&mut self.rng) / 4);
        self.node.remark(&format!("engine restart, live-restore {live_restore}, down {down:?}"));
        self.node.engine.restart(live_restore, down);
    }

    async fn end_daemon(&mut self) {
        if self.rng.one_in(3) {
            self.node.detach_daemon().await;
        } else {
            self.node.kill_daemon().await;
        }
        self.node.restart_after = pause(&mut self.rng) / 4;
    }

    fn disturb(&mut self) {
        let n = self.node.engine.call_count() + self.rng.between(1, 30) as u64;
        let effect = *self.rng.pick(&[Effect::Done, Effect::NotDone]);
        let some = Duration::from_millis(self.rng.between(1, 20_000) as u64);
        let fault = match self.rng.below(14) {
            0 => Fault::Before(internal_error()),
            1 => Fault::Before(unavailable()),
            2 => Fault::Before(timeout()),
            3 => Fault::After(unavailable()),
            4 => Fault::After(timeout()),
            5 => Fault::Hang(effect),
            6 => Fault::Delay(some),
            7 => Fault::DelayReply(some),
            8 => Fault::DropEvents(self.rng.between(1, 6).try_into().unwrap_or(1)),
            9 => self.rng.pick(&[Fault::DuplicateEvent, Fault::LateEvent(some)]).clone(),
            10 => Fault::CutEvents,
            11 => Fault::EngineRestart { live_restore: self.rng.one_in(2), down: some, effect },
            _ => Fault::Crash(effect),
        };
        self.node.remark(&format!("call {n}: {fault:?}"));
        self.node.engine.inject(n, fault);
    }

    fn images(&mut self) {
        let image = *self.rng.pick(&["pause:1", "app:1", "app:2", "app:3", "app:4"]);
        if self.rng.one_in(2) {
            self.node.remove_image(image);
        } else {
            self.node.add_image(image);
        }
        if self.rng.one_in(2) {
            self.node.engine.publish_image(image, Duration::from_secs(self.rng.between(0, 30) as u64));
        }
    }

    fn take_or_free_name(&mut self) {
        let files: Vec<&'static str> = self.files.keys().copied().collect();
        if files.is_empty() || self.rng.one_in(3) {
            return self.node.remove_foreign();
        }
        let pods = &self.files[*self.rng.pick(&files)];
        let pod = &pods[self.rng.below(pods.len())];
        let container = pod.containers[self.rng.below(pod.containers.len())].name;
        let container = if self.rng.one_in(3) { "POD" } else { container };
        let attempt = self.rng.below(3).try_into().unwrap_or(0);
        let name = sweep::name(pod, container, attempt);
        self.node.take_name(&name);
    }

    fn jump_clock(&mut self) {
        let reach = *self.rng.pick(&[5, 600, 7_200, 200_000]);
        let by = i64::try_from(self.rng.between(0, 2 * reach)).unwrap_or(0) - i64::try_from(reach).unwrap_or(0);
        self.node.remark(&format!("the wall clock jumps by {by} s"));
        self.node.jump_clock(jiff::SignedDuration::from_secs(by));
    }
}
