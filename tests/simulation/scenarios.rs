//! The scenarios of the sweep, as data.

use crate::{
    answers::{Answer, Asked},
    manifests::{Asks, ContainerDef, PodDef, app, init, sidecar},
    node::Node,
};
use kubelet_lite::{engine::fake::Behaviour, pod::ProbeKind};
use std::time::Duration;

/// One thing that happens in a scenario.
pub enum Act {
    Put(&'static str, Vec<PodDef>),
    Delete(&'static str),
    /// A typo.
    Spoil(&'static str),
    /// The directory is unmounted, or mounted again.
    Away(bool),
    Pass(u64),
    Settle,
    /// What the first runs of a container do.
    First(&'static str, &'static str, Vec<Behaviour>),
    /// What all others do.
    Then(&'static str, &'static str, Behaviour),
    /// What a probe or hook of a container comes to at first; later it passes.
    Answers(&'static str, &'static str, Asked, Vec<Answer>),
    ByHand(&'static str, &'static str, &'static str),
    KillDaemon,
    Detach,
    StartDaemon,
    RestartEngine {
        live_restore: bool,
        down: u64,
    },
    /// Somebody else's container sits on the name of this container of this pod, at this attempt.
    TakeName(PodDef, &'static str, u32),
    FreeName,
    RemoveImage(&'static str),
    /// It can be pulled, which takes so many seconds.
    Publish(&'static str, u64),
    JumpClock(i64),
    /// What must be seen at this point when nothing goes wrong.
    Check(&'static str, fn(&Node) -> bool),
}

pub struct Scenario {
    pub name: &'static str,
    pub acts: Vec<Act>,
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn web() -> PodDef {
    PodDef::new("web", &[app("app")])
}

fn full() -> PodDef {
    PodDef::new("full", &[init("init"), sidecar("side"), init("init2"), app("app"), app("app2")])
}

/// A container that is asked everything.
fn asked(container: &ContainerDef) -> ContainerDef {
    let asks = Asks {
        startup: true,
        liveness: true,
        delay: 2,
        period: Some(5),
        threshold: Some(2),
        grace: Some(4),
        post_start: true,
        pre_stop: true,
    };
    ContainerDef { probe: Some(5), asks, ..container.clone() }
}

fn edited(edit: impl FnOnce(&mut ContainerDef)) -> impl FnOnce(&mut PodDef) {
    |pod| edit(pod.containers.last_mut().unwrap())
}

/// An app that mounts the files of an image.
fn mounting(image: &'static str) -> PodDef {
    PodDef::new("web", &[app("app")]).with(|pod| pod.uid = Some("given")).with(edited(|c| c.files = Some(image)))
}

fn live(node: &Node) -> usize {
    node.engine.live().len()
}

fn waits_with(node: &Node, reason: &str) -> bool {
    node.summary().unwrap().pods.values().any(|pod| pod.waiting.as_ref().is_some_and(|(_, r)| *r == reason))
}

pub fn all() -> Vec<Scenario> {
    let mut all = of_pods();
    all.extend(of_probes_and_hooks());
    all
}

fn of_probes_and_hooks() -> Vec<Scenario> {
    use Act::*;
    let scenario = |name, acts| Scenario { name, acts };
    let (passes, fails) = (Answer::Passes(Duration::ZERO), Answer::Fails(secs(1)));
    let liveness = Asked::Probe(ProbeKind::Liveness);
    let startup = Asked::Probe(ProbeKind::Startup);
    let web = || PodDef::new("web", &[asked(&app("app"))]);
    let stubborn = || Then("web", "app", Behaviour::runs().ignoring_sigterm());
    vec![
        scenario(
            "probes and hooks of a sidecar and an app",
            vec![
                Put("web", vec![PodDef::new("web", &[asked(&sidecar("side")), asked(&app("app"))])]),
                Answers("web", "side", startup, vec![fails, passes]),
                Answers("web", "app", Asked::PostStart, vec![Answer::Passes(secs(3))]),
                Answers("web", "app", Asked::PreStop, vec![Answer::Passes(secs(3))]),
                Settle,
                Delete("web"),
                Settle,
            ],
        ),
        scenario(
            "a liveness probe fails",
            vec![
                stubborn(),
                Answers("web", "app", liveness, vec![passes, fails, Answer::Errs, passes, Answer::Hangs, fails]),
                Put("web", vec![web()]),
                Pass(60),
                Check("it was started again", |node| {
                    node.container("web", "app").is_some_and(|c| c.name.ends_with("_1"))
                }),
                Settle,
            ],
        ),
        scenario(
            "a startup probe fails, and then a postStart",
            vec![
                Answers("web", "app", startup, vec![fails, fails]),
                Answers("web", "app", Asked::PostStart, vec![passes, fails]),
                Put("web", vec![web()]),
                Pass(60),
                Check("it was started twice again", |node| {
                    node.container("web", "app").is_some_and(|c| c.name.ends_with("_2"))
                }),
                Settle,
            ],
        ),
        scenario(
            "an edit gives a postStart to what runs",
            vec![
                Put("web", vec![PodDef::new("web", &[app("app")])]),
                Settle,
                Answers("web", "app", Asked::PostStart, vec![fails, fails]),
                Put("web", vec![PodDef::new("web", &[app("app")]).with(edited(|c| c.asks.post_start = true))]),
                Pass(60),
                Check("it is for the next start", |node| {
                    node.container("web", "app").is_some_and(|c| c.name.ends_with("_0"))
                }),
                Settle,
            ],
        ),
        scenario(
            "a sidecar's liveness probe fails",
            vec![
                Answers("web", "side", liveness, vec![passes, fails, fails]),
                Put("web", vec![PodDef::new("web", &[asked(&sidecar("side")), app("app")])]),
                Pass(60),
                Check("it alone was started again", |node| {
                    let is = |name, suffix| node.container("web", name).is_some_and(|c| c.name.ends_with(suffix));
                    is("side", "_1") && is("app", "_0")
                }),
                Settle,
            ],
        ),
        scenario(
            "a preStop that fails",
            vec![
                Answers("web", "app", Asked::PreStop, vec![fails]),
                Put("web", vec![web().with(|p| p.grace = 60)]),
                Settle,
                Delete("web"),
                Pass(5),
                Check("the signal has not waited for the grace", |node| live(node) == 0),
                Settle,
            ],
        ),
        scenario(
            "removal while a postStart hangs",
            vec![
                Answers("web", "app", Asked::PostStart, vec![Answer::Hangs]),
                Put("web", vec![PodDef::new("web", &[asked(&app("app")), app("app2")])]),
                Pass(30),
                Check("the next one waits", |node| live(node) == 2),
                Delete("web"),
                Settle,
            ],
        ),
        scenario(
            "a preStop that hangs, and kill -9 meanwhile",
            vec![
                stubborn(),
                Answers("web", "app", Asked::PreStop, vec![Answer::Hangs; 3]),
                Put("web", vec![web()]),
                Settle,
                Delete("web"),
                Pass(3),
                KillDaemon,
                Pass(2),
                StartDaemon,
                Settle,
            ],
        ),
        scenario(
            "kill -9 in the middle of a grace, after its preStop",
            vec![
                stubborn(),
                Answers("web", "app", Asked::PreStop, vec![Answer::Passes(secs(2))]),
                Put("web", vec![web()]),
                Settle,
                Delete("web"),
                Pass(5),
                KillDaemon,
                Pass(2),
                StartDaemon,
                Settle,
            ],
        ),
        scenario(
            "kill -9 in the middle of a grace that sidecars share",
            vec![
                Then("full", "app", Behaviour::runs().ignoring_sigterm()),
                Then("full", "side", Behaviour::runs().ignoring_sigterm()),
                Put("full", vec![full()]),
                Settle,
                Delete("full"),
                Pass(4),
                KillDaemon,
                Pass(1),
                StartDaemon,
                Settle,
            ],
        ),
    ]
}

fn of_pods() -> Vec<Scenario> {
    use Act::*;
    let scenario = |name, acts| Scenario { name, acts };
    vec![
        scenario("start", vec![Put("web", vec![web()]), Settle]),
        scenario(
            "crash loop",
            vec![
                First("web", "app", vec![Behaviour::exits(1, secs(1)); 3]),
                Put("web", vec![web()]),
                Pass(8),
                Check("it waits for its third start", |node| waits_with(node, "CrashLoopBackOff")),
                Settle,
            ],
        ),
        scenario(
            "edit of the image",
            vec![
                Publish("app:3", 7),
                Put("web", vec![web()]),
                Settle,
                Put("web", vec![web().with(edited(|c| c.image = "app:3"))]),
                Pass(5),
                Check("the old one runs while the image is pulled", |node| live(node) == 2),
                Settle,
            ],
        ),
        scenario(
            "edit of the environment, of one container of two",
            vec![
                Put("web", vec![PodDef::new("web", &[app("app"), app("app2")])]),
                Settle,
                Put("web", vec![PodDef::new("web", &[app("app"), app("app2")]).with(edited(|c| c.env = 1))]),
                Settle,
            ],
        ),
        scenario(
            "edit of probes, labels and grace, then removal",
            vec![
                Then("web", "app", Behaviour::runs().ignoring_sigterm()),
                Put("web", vec![web()]),
                Settle,
                Put("web", vec![web().with(|p| (p.label, p.grace) = (1, 20)).with(edited(|c| c.probe = Some(5)))]),
                Settle,
                KillDaemon,
                Delete("web"),
                Pass(3),
                StartDaemon,
                Settle,
            ],
        ),
        scenario(
            "edit of the sandbox",
            vec![
                Then("web", "app", Behaviour::runs().on_sigterm(0, secs(4))),
                Put("web", vec![web()]),
                Settle,
                Put("web", vec![web().with(|p| p.hostname = Some("other"))]),
                Pass(2),
                Settle,
            ],
        ),
        scenario(
            "edit of the sandbox under a given uid",
            vec![
                Put("web", vec![web().with(|p| p.uid = Some("given"))]),
                Settle,
                Put("web", vec![web().with(|p| (p.uid, p.hostname) = (Some("given"), Some("other")))]),
                Settle,
            ],
        ),
        scenario(
            "a container is added and one is taken away",
            vec![
                Put("web", vec![web()]),
                Settle,
                Put("web", vec![PodDef::new("web", &[app("app"), app("app2")])]),
                Settle,
                Put("web", vec![PodDef::new("web", &[app("app2")])]),
                Settle,
            ],
        ),
        scenario("removal", vec![Put("web", vec![web()]), Settle, Delete("web"), Settle]),
        scenario(
            "removal of one that ignores SIGTERM",
            vec![
                Then("web", "app", Behaviour::runs().ignoring_sigterm()),
                Put("web", vec![web().with(|p| p.grace = 7)]),
                Settle,
                Delete("web"),
                Pass(5),
                Check("it still has two seconds", |node| live(node) == 2),
                Settle,
            ],
        ),
        scenario(
            "removed and added again at once",
            vec![
                Then("web", "app", Behaviour::runs().on_sigterm(0, secs(3))),
                Put("web", vec![web()]),
                Settle,
                Delete("web"),
                Pass(1),
                Put("web", vec![web()]),
                Settle,
            ],
        ),
        scenario(
            "removed while the daemon is down",
            vec![Put("web", vec![full()]), Settle, Detach, Delete("web"), Pass(30), StartDaemon, Settle],
        ),
        scenario(
            "removed while the daemon is down, and replaced when it is back",
            vec![
                Put("web", vec![web()]),
                Settle,
                KillDaemon,
                Delete("web"),
                StartDaemon,
                Pass(1),
                Put("web", vec![web().with(|p| p.hostname = Some("other"))]),
                Settle,
            ],
        ),
        scenario(
            "death of the sandbox",
            vec![
                First("full", "app2", vec![Behaviour::exits(1, secs(1)); 2]),
                Put("full", vec![full()]),
                Settle,
                ByHand("full", "POD", "kill"),
                Settle,
            ],
        ),
        scenario(
            "the sandbox is removed by hand",
            vec![Put("full", vec![full()]), Settle, ByHand("full", "POD", "remove"), Settle],
        ),
        scenario(
            "a container is removed by hand",
            vec![
                Put("full", vec![full()]),
                Settle,
                ByHand("full", "app", "remove"),
                Pass(1),
                ByHand("full", "side", "kill"),
                Settle,
            ],
        ),
        scenario("a container is paused", vec![Put("web", vec![web()]), Settle, ByHand("web", "app", "pause"), Settle]),
        scenario(
            "engine restart",
            vec![Put("full", vec![full()]), Settle, RestartEngine { live_restore: false, down: 20 }, Pass(5), Settle],
        ),
        scenario(
            "engine restart with live-restore",
            vec![
                Then("web", "app", Behaviour::runs().ignoring_sigterm()),
                Put("full", vec![full()]),
                Put("web", vec![web()]),
                Settle,
                Delete("web"),
                Pass(2),
                RestartEngine { live_restore: true, down: 20 },
                Settle,
            ],
        ),
        scenario(
            "two pods in two files, one edited, one removed",
            vec![
                Put("web", vec![web()]),
                Put("db", vec![PodDef::new("db", &[app("app"), app("log")])]),
                Settle,
                Put("web", vec![web().with(edited(|c| c.image = "app:2"))]),
                Delete("db"),
                Settle,
            ],
        ),
        scenario(
            "init containers, a sidecar and apps",
            vec![
                First("full", "init", vec![Behaviour::exits(1, secs(1)); 2]),
                First("full", "side", vec![Behaviour::runs(), Behaviour::exits(1, secs(2))]),
                Then("full", "app", Behaviour::runs().on_sigterm(0, secs(4))),
                Put("full", vec![full()]),
                Settle,
                Delete("full"),
                Settle,
            ],
        ),
        scenario(
            "jobs",
            vec![
                First("fails", "job", vec![Behaviour::exits(3, secs(2)); 2]),
                Put(
                    "fails",
                    vec![PodDef::new("fails", &[sidecar("side"), app("job")]).with(|p| p.restart_policy = "OnFailure")],
                ),
                First("once", "job", vec![Behaviour::exits(3, secs(2))]),
                Put("once", vec![PodDef::new("once", &[app("job"), app("job2")]).with(|p| p.restart_policy = "Never")]),
                Settle,
                ByHand("once", "POD", "kill"),
                Pass(100),
                Settle,
            ],
        ),
        scenario(
            "a job whose init container fails",
            vec![
                First("once", "init", vec![Behaviour::exits(3, secs(2))]),
                Put(
                    "once",
                    vec![
                        PodDef::new("once", &[sidecar("side"), init("init"), app("job")])
                            .with(|p| p.restart_policy = "Never"),
                    ],
                ),
                Settle,
            ],
        ),
        scenario(
            "the file is broken when the daemon starts",
            vec![
                Put("web", vec![web().with(|p| p.label = 1)]),
                Settle,
                Spoil("web"),
                Pass(2),
                KillDaemon,
                Pass(1),
                StartDaemon,
                Pass(10),
                ByHand("web", "app", "kill"),
                Settle,
                Put("web", vec![web().with(|p| p.label = 2)]),
                Settle,
            ],
        ),
        scenario(
            "the directory is away",
            vec![
                Put("web", vec![web()]),
                Settle,
                Away(true),
                Pass(5),
                KillDaemon,
                Pass(1),
                StartDaemon,
                ByHand("web", "app", "kill"),
                Settle,
                Delete("web"),
                Away(false),
                Settle,
            ],
        ),
        scenario(
            "somebody's container sits on the name of ours",
            vec![
                TakeName(web(), "app", 0),
                Put("web", vec![web()]),
                Pass(30),
                Check("it is said", |node| waits_with(node, "CreateContainerError")),
                FreeName,
                Settle,
            ],
        ),
        scenario(
            "somebody's container sits on the name of our sandbox",
            vec![
                TakeName(web(), "POD", 0),
                Put("web", vec![web()]),
                Pass(30),
                Check("it is said", |node| waits_with(node, "FailedCreatePodSandBox")),
                FreeName,
                Settle,
            ],
        ),
        scenario(
            "images are pruned, and one can not be pulled at first",
            vec![
                RemoveImage("pause:1"),
                RemoveImage("app:1"),
                Put("web", vec![web()]),
                Pass(30),
                Check("it is said", |node| waits_with(node, "ImagePullBackOff")),
                Publish("app:1", 5),
                Settle,
            ],
        ),
        scenario(
            "the files of an image, which comes late, is edited and pruned",
            vec![
                Put("web", vec![mounting("files:1")]),
                Pass(30),
                Check("it is said", |node| waits_with(node, "ImagePullBackOff")),
                Publish("files:1", 5),
                Settle,
                Check("it runs", |node| live(node) == 2),
                RemoveImage("files:1"),
                Publish("files:2", 5),
                Put("web", vec![mounting("files:2")]),
                Settle,
                RemoveImage("files:2"),
                ByHand("web", "app", "kill"),
                KillDaemon,
                StartDaemon,
                Settle,
            ],
        ),
        scenario(
            "the wall clock jumps",
            vec![
                First("web", "app", vec![Behaviour::exits(1, secs(1)); 3]),
                Put("web", vec![web()]),
                Pass(3),
                JumpClock(-7200),
                Pass(10),
                JumpClock(86_400),
                Settle,
            ],
        ),
    ]
}
