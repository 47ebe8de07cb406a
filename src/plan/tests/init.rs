//! Init containers and sidecars.

use super::*;

/// The sandbox runs, all images are known, containers are added by each case.
fn initializing() -> Round {
    let mut round = Round::running(with_init());
    round.incarnation().containers.clear();
    round.know(&["setup:1", "mesh:1", "seed:1", "tail:1", "app:1"]);
    round
}

impl Round {
    fn has(&mut self, name: &str, state: ContainerState) {
        let pod = resolve(&self.written);
        self.add(instance(&pod, name, 0, state));
    }
}

#[test]
fn the_sequence() {
    check(
        &Round::nothing(with_init()),
        &[(
            "before anything: all images at once",
            |_| {},
            "CreateSandbox a #0
             EnsureImage setup:1 IfNotPresent
             EnsureImage mesh:1 IfNotPresent
             EnsureImage seed:1 IfNotPresent
             EnsureImage tail:1 IfNotPresent
             EnsureImage app:1 IfNotPresent
             app waits: PodInitializing
             mesh waits: PodInitializing
             seed waits: PodInitializing
             setup waits: PodInitializing
             tail waits: PodInitializing",
        )],
    );
    check(
        &initializing(),
        &[
            (
                "the first init container",
                |_| {},
                "CreateContainer a setup #0 in a-sb0, no back-off
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "it was made",
                |r| r.has("setup", ContainerState::Created),
                "StartContainer a setup setup-0
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "it runs: the rest waits",
                |r| r.has("setup", running(1)),
                "app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "it is done: the sidecar after it",
                |r| r.has("setup", exited(0, 1, 0)),
                "CreateContainer a mesh #0 in a-sb0, no back-off
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "the sidecar runs: the next init container",
                |r| {
                    r.has("setup", exited(0, 1, 0));
                    r.has("mesh", running(1));
                },
                "CreateContainer a seed #0 in a-sb0, no back-off
                 app waits: PodInitializing
                 seed waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "an init container whose image can not be had holds all after it",
                |r| {
                    r.has("setup", exited(0, 1, 0));
                    r.has("mesh", running(1));
                    r.images.remove(&ImageRef::new("seed:1"));
                    r.fail(Target::Image("seed:1".into()), 1, 0, "ErrImagePull");
                },
                "app waits: PodInitializing
                 seed waits: ErrImagePull until +10s
                 tail waits: PodInitializing
                 wake +10s",
            ),
            (
                "a sidecar that crashed before the pod is initialized holds all after it",
                |r| {
                    r.has("setup", exited(0, 1, 5));
                    r.has("mesh", exited(1, 1, 4));
                    r.container("mesh").backoff = Some(Duration::ZERO);
                },
                "app waits: PodInitializing
                 mesh waits: CrashLoopBackOff 10s until +6s
                 seed waits: PodInitializing
                 tail waits: PodInitializing
                 wake +6s",
            ),
            (
                "all before the app is done or runs",
                |r| {
                    r.has("setup", exited(0, 1, 9));
                    r.has("mesh", running(8));
                    r.has("seed", exited(0, 1, 7));
                    r.has("tail", running(6));
                },
                "CreateContainer a app #0 in a-sb0, no back-off
                 app waits: PodInitializing",
            ),
            (
                "the app was made: the pod is initialized, whatever became of the records",
                |r| r.has("app", ContainerState::Created),
                "CreateContainer a mesh #0 in a-sb0, no back-off
                 app waits: ContainerCreating
                 mesh waits: ContainerCreating
                 tail waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn an_init_container_that_fails() {
    let mut round = initializing();
    round.has("setup", exited(1, 1, 0));
    check(
        &round,
        &[
            (
                "it starts again",
                |_| {},
                "CreateContainer a setup #1 in a-sb0, back-off 0ns
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "with back-off",
                |r| r.container("setup").backoff = Some(seconds(10)),
                "app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: CrashLoopBackOff 20s until +20s
                 tail waits: PodInitializing
                 wake +20s",
            ),
            (
                "OnFailure is the same",
                |r| {
                    r.restart_policy("OnFailure");
                    r.container("setup").backoff = Some(seconds(10));
                },
                "app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: CrashLoopBackOff 20s until +20s
                 tail waits: PodInitializing
                 wake +20s",
            ),
            (
                "success under the OOM killer is failure",
                |r| {
                    r.container("setup").state = ended(0, ExitReason::OomKilled, 1, 0);
                    r.container("setup").backoff = Some(seconds(10));
                },
                "app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: CrashLoopBackOff 20s until +20s
                 tail waits: PodInitializing
                 wake +20s",
            ),
            (
                "Never: the pod has failed",
                |r| r.restart_policy("Never"),
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "Never: what runs is ended, the later sidecar first",
                |r| {
                    r.restart_policy("Never");
                    r.container("setup").state = exited(0, 1, 5);
                    r.has("mesh", running(4));
                    r.has("seed", exited(1, 1, 0));
                },
                "StopContainer mesh mesh-0, 30s, PodFinished
                 finished",
            ),
            (
                "Never: could not be started",
                |r| {
                    r.restart_policy("Never");
                    r.container("setup").state = ended(0, ExitReason::ContainerCannotRun, 0, 0);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "an unknown state is ended first",
                |r| r.container("setup").state = ContainerState::Unknown,
                "StopContainer setup setup-0, 30s, UnknownState
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 tail waits: PodInitializing",
            ),
        ],
    );
}

#[test]
fn an_initialized_pod_does_not_initialize_again() {
    let mut round = Round::running(with_init());
    round.know(&["mesh:1", "app:1"]);
    check(
        &round,
        &[
            ("an init container's record is gone", |r| r.forget("seed"), ""),
            ("an init container was run by hand, and failed", |r| r.container("seed").state = exited(1, 1, 0), ""),
            (
                "an init container was run by hand, and failed, in a Never pod",
                |r| {
                    r.restart_policy("Never");
                    r.container("seed").state = exited(1, 1, 0);
                },
                "",
            ),
            (
                "the app crashed",
                |r| r.container("app").state = exited(1, 1, 0),
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "a sidecar crashed: it starts again, the app goes on",
                |r| r.container("mesh").state = exited(1, 1, 0),
                "CreateContainer a mesh #1 in a-sb0, back-off 0ns
                 mesh waits: ContainerCreating",
            ),
            (
                "a sidecar ended well, and so again under any policy",
                |r| {
                    r.restart_policy("Never");
                    r.container("mesh").state = exited(0, 1, 0);
                },
                "CreateContainer a mesh #1 in a-sb0, back-off 0ns
                 mesh waits: ContainerCreating",
            ),
            (
                "a sidecar waits for its back-off, the app does not wait for it",
                |r| {
                    r.container("mesh").state = exited(1, 1, 0);
                    r.container("mesh").backoff = Some(Duration::ZERO);
                    r.container("app").state = exited(1, 1, 0);
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating
                 mesh waits: CrashLoopBackOff 10s until +10s
                 wake +10s",
            ),
        ],
    );
}

#[test]
fn a_new_sandbox_initializes_again() {
    let mut round = Round::running(with_init());
    round.know(&["setup:1", "mesh:1", "seed:1", "tail:1", "app:1"]);
    round.lose_sandbox(143);
    let pod = resolve(&round.written);
    round.incarnation().sandboxes = vec![sandbox_of(&pod, 1, running(1))];
    fn again(r: &mut Round, name: &str, attempt: u32, state: ContainerState) {
        let pod = resolve(&r.written);
        let again = instance(&pod, name, attempt, state);
        r.add(ContainerStatus { sandbox_id: "a-sb1".into(), ..again });
    }
    check(
        &round,
        &[
            (
                "from the first init container, counts go on",
                |_| {},
                "CreateContainer a setup #1 in a-sb1, no back-off
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "sidecars in turn, without delay and with the back-off they had",
                |r| {
                    again(r, "setup", 1, exited(0, 1, 0));
                    r.container("mesh").backoff = Some(seconds(20));
                },
                "CreateContainer a mesh #1 in a-sb1, back-off 20s
                 RemoveContainer setup setup-0
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 tail waits: PodInitializing",
            ),
            (
                "the app last",
                |r| {
                    again(r, "setup", 1, exited(0, 1, 0));
                    again(r, "mesh", 1, running(1));
                    again(r, "seed", 1, exited(0, 1, 0));
                    again(r, "tail", 1, running(1));
                },
                "CreateContainer a app #1 in a-sb1, no back-off
                 RemoveContainer seed seed-0
                 RemoveContainer setup setup-0
                 app waits: PodInitializing",
            ),
            (
                "a Never pod that lost its sandbox before its apps began initializes again",
                |r| {
                    r.restart_policy("Never");
                    r.forget("app");
                    r.incarnation().sandboxes[0].state = exited(137, 60, 0);
                },
                "CreateSandbox a #2
                 app waits: PodInitializing
                 mesh waits: PodInitializing
                 seed waits: PodInitializing
                 setup waits: PodInitializing
                 tail waits: PodInitializing",
            ),
        ],
    );
}

#[test]
fn a_finished_pod_is_put_to_rest() {
    let mut round = Round::running(with_init());
    round.restart_policy("OnFailure");
    round.container("app").state = exited(0, 50, 20);
    check(
        &round,
        &[
            (
                "sidecars end, the last first, with their grace",
                |_| {},
                "StopContainer tail tail-0, 30s, PodFinished
                 ends mesh-0 +30s, PodFinished
                 wake +30s
                 finished",
            ),
            (
                "then the one before it",
                |r| r.container("tail").state = exited(137, 50, 1),
                "StopContainer mesh mesh-0, 30s, PodFinished
                 finished",
            ),
            (
                "then the sandbox stops",
                |r| {
                    r.container("tail").state = exited(137, 50, 1);
                    r.container("mesh").state = exited(0, 50, 1);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            ("then it is quiet: records stay", |r| r.lose_sandbox(137), "finished"),
            (
                "older records go",
                |r| {
                    r.lose_sandbox(137);
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(1);
                    r.add(instance(&pod, "app", 0, exited(1, 1, 90)));
                },
                "RemoveContainer app app-0
                 finished",
            ),
            (
                "a sidecar that crashed just before is not started again",
                |r| r.container("mesh").state = exited(1, 50, 3),
                "StopContainer tail tail-0, 30s, PodFinished
                 finished",
            ),
            (
                "it is removed",
                |r| {
                    r.lose_sandbox(137);
                    r.removed(0);
                },
                "RemoveContainer app app-0
                 RemoveContainer mesh mesh-0
                 RemoveContainer seed seed-0
                 RemoveContainer setup setup-0
                 RemoveContainer tail tail-0
                 terminating a",
            ),
        ],
    );
}
