//! `RestartAllContainers`: one container's exit makes all of its pod start over in their sandbox.

use super::*;

/// As [`with_init`], with an app `log` beside, where `app` and `setup` ask for another round with exit code 42.
fn asking() -> api::Pod {
    let rule = "restartPolicy: Never, restartPolicyRules: [{action: RestartAllContainers, exitCodes: {operator: In, values: [42]}}]";
    let spec = format!(
        "
        restartPolicy: Never
        initContainers:
        - {{name: setup, image: 'setup:1', {rule}}}
        - {{name: mesh, image: 'mesh:1', restartPolicy: Always}}
        containers:
        - {{name: app, image: 'app:1', {rule}}}
        - {{name: log, image: 'log:1', lifecycle: {{preStop: {{sleep: {{seconds: 5}}}}}}}}"
    );
    manifest("asking", &spec)
}

/// `app` has asked; what else runs has ended for that.
fn asked() -> Round {
    let mut round = Round::running(asking());
    round.know(&["setup:1", "mesh:1", "app:1", "log:1"]);
    round.container("app").state = exited(42, 50, 5);
    for name in ["mesh", "log"] {
        round.container(name).state = exited(137, 50, 3);
        round.ends(&format!("{name}-0"), ago(5), StopReason::RestartAllContainers);
        round.endings.get_mut(&format!("{name}-0").as_str().into()).unwrap().progress = EndingProgress::Over;
    }
    round
}

/// The next instance of a container, of the second round.
fn again(round: &mut Round, name: &str, state: ContainerState) {
    let pod = resolve(&round.written);
    let next = instance(&pod, name, 1, state);
    round.add(ContainerStatus { round: 1, ..next });
}

#[test]
fn all_that_runs_ends_first() {
    let mut base = Round::running(asking());
    base.know(&["setup:1", "mesh:1", "app:1", "log:1"]);
    check(
        &base,
        &[
            ("nobody asks", |_| {}, ""),
            (
                "one ends with the code: the others get two seconds, and no preStop",
                |r| r.container("app").state = exited(42, 50, 5),
                "StopContainer log log-0, 2s, RestartAllContainers
                 StopContainer mesh mesh-0, 2s, RestartAllContainers
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: PodInitializing",
            ),
            ("another code asks for nothing", |r| r.container("app").state = exited(41, 50, 5), ""),
            (
                "nor does the code of one that we ended",
                |r| {
                    r.container("app").state = exited(42, 50, 5);
                    r.ends("app-0", NOW, StopReason::DefinitionChanged);
                },
                "",
            ),
            (
                "one whose start is under way is waited for",
                |r| {
                    r.container("app").state = exited(42, 50, 5);
                    r.container("mesh").state = exited(1, 50, 5);
                    r.container("log").state = ContainerState::Created;
                    r.begin(start("log-0", "log"));
                },
                "app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: PodInitializing",
            ),
            (
                "one that has completed starts over as well",
                |r| {
                    r.container("app").state = exited(42, 50, 5);
                    r.container("mesh").state = exited(1, 50, 5);
                    r.container("log").state = exited(0, 50, 5);
                },
                "CreateContainer a setup #1 in a-sb0, no back-off, round 1
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: PodInitializing",
            ),
        ],
    );
}

#[test]
fn then_all_start_over_in_order() {
    check(
        &asked(),
        &[
            (
                "init containers are first",
                |_| {},
                "CreateContainer a setup #1 in a-sb0, no back-off, round 1
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: PodInitializing",
            ),
            (
                "an asking init container waits for its back-off",
                |r| {
                    r.container("setup").state = exited(42, 1, 5);
                    r.container("setup").backoff = Some(seconds(10));
                },
                "app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: CrashLoopBackOff 20s until +15s
                 wake +15s",
            ),
            (
                "they hold the others",
                |r| again(r, "setup", running(1)),
                "app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing",
            ),
            (
                "sidecars come after them",
                |r| again(r, "setup", exited(0, 1, 1)),
                "CreateContainer a mesh #1 in a-sb0, no back-off, round 1
                 RemoveContainer setup setup-0
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing",
            ),
            (
                "the one that asked starts after its back-off",
                |r| {
                    again(r, "setup", exited(0, 1, 1));
                    again(r, "mesh", running(1));
                    r.container("app").backoff = Some(seconds(10));
                },
                "CreateContainer a log #1 in a-sb0, no back-off, round 1
                 RemoveContainer setup setup-0
                 app waits: CrashLoopBackOff 20s until +15s
                 log waits: PodInitializing
                 wake +15s",
            ),
            (
                "a container that was made and not started is of the earlier round too",
                |r| {
                    r.container("log").state = ContainerState::Created;
                    r.endings.remove(&"log-0".into());
                    again(r, "setup", exited(0, 1, 1));
                    again(r, "mesh", running(1));
                    again(r, "app", running(1));
                },
                "RemoveContainer log log-0
                 RemoveContainer setup setup-0
                 log waits: ContainerCreating",
            ),
            (
                "then the pod is as before, and what has told of the round is a tombstone",
                |r| {
                    again(r, "setup", exited(0, 1, 1));
                    for name in ["mesh", "app", "log"] {
                        again(r, name, running(1));
                    }
                },
                "RemoveContainer setup setup-0",
            ),
            (
                "its record may go when another is of the round",
                |r| {
                    again(r, "setup", exited(0, 1, 1));
                    r.forget("app");
                },
                "CreateContainer a mesh #1 in a-sb0, no back-off, round 1
                 RemoveContainer setup setup-0
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing",
            ),
            (
                "it may ask again",
                |r| {
                    again(r, "setup", exited(0, 1, 1));
                    again(r, "mesh", running(1));
                    again(r, "app", exited(42, 1, 0));
                    again(r, "log", running(1));
                },
                "StopContainer log log-1, 2s, RestartAllContainers
                 StopContainer mesh mesh-1, 2s, RestartAllContainers
                 app waits: PodInitializing
                 log waits: PodInitializing
                 mesh waits: PodInitializing
                 setup waits: PodInitializing",
            ),
            (
                "a pod that should go goes",
                |r| {
                    r.container("mesh").state = running(50);
                    r.endings.clear();
                    r.removed(0);
                },
                "StopContainer mesh mesh-0, 30s, PodRemoved
                 terminating a",
            ),
            (
                "the number of rounds has an end",
                |r| r.container("app").round = u32::MAX,
                "CreateContainer a mesh #1 in a-sb0, no back-off, round 4294967295
                 app waits: ContainerCreating
                 log waits: ContainerCreating
                 mesh waits: ContainerCreating",
            ),
        ],
    );
}
