//! Restart policies and CrashLoopBackOff.

use super::*;

/// One app that ended 5 s ago, for the first time; its image is known.
fn ended_once(policy: &str, state: ContainerState) -> Round {
    let mut round = Round::running(one_app());
    round.restart_policy(policy);
    round.container("app").state = state;
    round.know(&["app:1"]);
    round
}

#[test]
fn restart_policies() {
    const AGAIN: &str = "CreateContainer a app #1 in a-sb0, back-off 0ns
                         app waits: ContainerCreating";
    const OVER: &str = "StopSandbox a-sb0
                        finished";
    let done = exited(0, 20, 5);
    let failed = exited(7, 20, 5);
    let oom = ended(137, ExitReason::OomKilled, 20, 5);
    let child_oom = ended(0, ExitReason::OomKilled, 20, 5);
    let cannot_run = ended(127, ExitReason::ContainerCannotRun, 0, 5);
    let cannot_run_without_code = ended(0, ExitReason::ContainerCannotRun, 0, 5);
    for (policy, state, plan) in [
        ("Always", &done, AGAIN),
        ("Always", &failed, AGAIN),
        ("Always", &oom, AGAIN),
        ("Always", &cannot_run, AGAIN),
        ("OnFailure", &done, OVER),
        ("OnFailure", &failed, AGAIN),
        ("OnFailure", &oom, AGAIN),
        // The OOM killer took a child; the container itself reported success.
        ("OnFailure", &child_oom, OVER),
        ("OnFailure", &cannot_run, AGAIN),
        ("OnFailure", &cannot_run_without_code, AGAIN),
        ("Never", &done, OVER),
        ("Never", &failed, OVER),
        ("Never", &oom, OVER),
        ("Never", &cannot_run, OVER),
    ] {
        println!("{policy} {state:?}");
        check(&ended_once(policy, state.clone()), &[("ended", |_| {}, plan)]);
    }
}

#[test]
fn a_container_that_ended_does_not_touch_the_others() {
    let mut round = Round::running(two_apps());
    round.know(&["app:1", "log:1"]);
    check(
        &round,
        &[
            (
                "the first ended: it starts again",
                |r| r.container("app").state = exited(1, 5, 1),
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "both ended: one start at a time, in order",
                |r| {
                    r.container("app").state = exited(1, 5, 1);
                    r.container("log").state = exited(1, 5, 1);
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first waits for its back-off: the second does not",
                |r| {
                    r.container("app").state = exited(1, 5, 1);
                    r.container("app").backoff = Some(seconds(10));
                    r.container("log").state = exited(1, 5, 1);
                },
                "CreateContainer a log #1 in a-sb0, back-off 0ns
                 app waits: CrashLoopBackOff 20s until +19s
                 log waits: ContainerCreating
                 wake +19s",
            ),
            (
                "the second waits behind a start and still says why",
                |r| {
                    r.container("app").state = exited(1, 5, 1);
                    r.container("log").state = exited(1, 5, 1);
                    r.container("log").backoff = Some(seconds(40));
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating
                 log waits: CrashLoopBackOff 80s until +79s",
            ),
            (
                "one is done for good, the other runs",
                |r| {
                    r.restart_policy("OnFailure");
                    r.container("app").state = exited(0, 5, 1);
                },
                "",
            ),
            (
                "one is done for good, the other failed",
                |r| {
                    r.restart_policy("OnFailure");
                    r.container("app").state = exited(0, 5, 1);
                    r.container("log").state = exited(1, 5, 1);
                },
                "CreateContainer a log #1 in a-sb0, back-off 0ns
                 log waits: ContainerCreating",
            ),
            (
                "one is gone without a trace: it is made again, as if for the first time",
                |r| {
                    r.restart_policy("Never");
                    r.forget("app");
                },
                "CreateContainer a app #0 in a-sb0, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "one is gone, its tombstone is not: the count goes on",
                |r| {
                    r.container("app").state = exited(1, 5, 100);
                    r.container("app").attempt = Attempt(6);
                    r.container("app").backoff = Some(seconds(20));
                },
                "CreateContainer a app #7 in a-sb0, back-off 40s
                 app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn crash_loop_back_off() {
    check(
        &ended_once("Always", exited(1, 5, 0)),
        &[
            (
                "the first restart is immediate",
                |_| {},
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "the second waits 10 s from the end",
                |r| {
                    r.container("app").backoff = Some(Duration::ZERO);
                    r.container("app").state = exited(1, 5, 3);
                },
                "app waits: CrashLoopBackOff 10s until +7s
                 wake +7s",
            ),
            (
                "the moment it is due",
                |r| {
                    r.container("app").backoff = Some(Duration::ZERO);
                    r.container("app").state = exited(1, 5, 10);
                },
                "CreateContainer a app #1 in a-sb0, back-off 10s
                 app waits: ContainerCreating",
            ),
            (
                "each delay doubles",
                |r| r.container("app").backoff = Some(seconds(80)),
                "app waits: CrashLoopBackOff 160s until +160s
                 wake +160s",
            ),
            (
                "up to 300 s",
                |r| r.container("app").backoff = Some(seconds(160)),
                "app waits: CrashLoopBackOff 300s until +300s
                 wake +300s",
            ),
            (
                "or up to the node's limit",
                |r| {
                    r.container("app").backoff = Some(seconds(160));
                    r.policy.max_container_restart_period = seconds(60);
                },
                "app waits: CrashLoopBackOff 60s until +60s
                 wake +60s",
            ),
            (
                "success waits like failure",
                |r| {
                    r.container("app").backoff = Some(seconds(10));
                    r.container("app").state = exited(0, 5, 0);
                },
                "app waits: CrashLoopBackOff 20s until +20s
                 wake +20s",
            ),
            (
                "ten minutes of running are not enough to forget",
                |r| {
                    r.container("app").backoff = Some(seconds(40));
                    r.container("app").state = exited(1, 600, 0);
                },
                "app waits: CrashLoopBackOff 80s until +80s
                 wake +80s",
            ),
            (
                "more than ten minutes are",
                |r| {
                    r.container("app").backoff = Some(seconds(40));
                    r.container("app").state = exited(1, 601, 0);
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "an end in the future holds nothing back for longer than its delay",
                |r| {
                    r.container("app").backoff = Some(Duration::ZERO);
                    let finished_at = NOW + seconds(3600);
                    r.container("app").state =
                        ContainerState::Exited { code: 1, reason: ExitReason::Error, ran_for: seconds(5), finished_at };
                },
                "app waits: CrashLoopBackOff 10s until +10s
                 wake +10s",
            ),
            (
                "an end at the beginning of time is long past",
                |r| {
                    r.container("app").backoff = Some(seconds(300));
                    let finished_at = Timestamp::default();
                    r.container("app").state =
                        ContainerState::Exited { code: 1, reason: ExitReason::Error, ran_for: seconds(5), finished_at };
                },
                "CreateContainer a app #1 in a-sb0, back-off 300s
                 app waits: ContainerCreating",
            ),
            (
                "absurd figures do not overflow",
                |r| {
                    r.container("app").backoff = Some(Duration::MAX);
                    r.container("app").attempt = Attempt(u32::MAX);
                    r.policy.max_container_restart_period = Duration::MAX;
                    let finished_at = Timestamp::from_duration(Duration::MAX);
                    r.container("app").state =
                        ContainerState::Exited { code: 1, reason: ExitReason::Error, ran_for: seconds(5), finished_at };
                },
                "app waits: CrashLoopBackOff 18446744073709551615.999999999s until +18446744073708551615.999999999s
                 wake +18446744073708551615.999999999s",
            ),
            (
                "the image is looked for only when the restart is due",
                |r| {
                    r.images.clear();
                    r.container("app").backoff = Some(Duration::ZERO);
                },
                "app waits: CrashLoopBackOff 10s until +10s
                 wake +10s",
            ),
            (
                "and before the container is made",
                |r| r.images.clear(),
                "EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn tombstones() {
    check(
        &Round::running(one_app()),
        &[
            (
                "the one before a running instance is kept, older ones go",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(3);
                    for attempt in 0..3 {
                        r.add(instance(&pod, "app", attempt, exited(1, 5, 100)));
                    }
                },
                "RemoveContainer app app-1
                 RemoveContainer app app-0",
            ),
            (
                "of ended instances the newest is kept",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").state = exited(1, 5, 2);
                    r.container("app").backoff = Some(Duration::ZERO);
                    r.container("app").attempt = Attempt(2);
                    r.add(instance(&pod, "app", 1, exited(1, 5, 100)));
                },
                "RemoveContainer app app-1
                 app waits: CrashLoopBackOff 10s until +8s
                 wake +8s",
            ),
            (
                "the one before an instance that is yet to start is kept",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").state = ContainerState::Created;
                    r.container("app").attempt = Attempt(2);
                    r.container("app").id = "app-2".into();
                    r.add(instance(&pod, "app", 1, exited(1, 5, 100)));
                    r.add(instance(&pod, "app", 0, exited(1, 5, 200)));
                },
                "StartContainer a app app-2
                 RemoveContainer app app-0
                 app waits: ContainerCreating",
            ),
            (
                "the records were removed, and the count goes on all the same",
                |r| {
                    r.forget("app");
                    r.know(&["app:1"]);
                    r.attempts.insert(("a".into(), "app".into()), Attempt(5));
                },
                "CreateContainer a app #6 in a-sb0, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "as it does when an older record is left",
                |r| {
                    r.container("app").state = exited(1, 5, 100);
                    r.know(&["app:1"]);
                    r.attempts.insert(("a".into(), "app".into()), Attempt(5));
                },
                "CreateContainer a app #6 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "one that was made and never started is no tombstone",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(1);
                    r.add(instance(&pod, "app", 0, ContainerState::Created));
                },
                "RemoveContainer app app-0",
            ),
            (
                "a removal under way is not begun again, one that failed waits",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(3);
                    for attempt in 0..3 {
                        r.add(instance(&pod, "app", attempt, exited(1, 5, 100)));
                    }
                    r.begin(PodAction::RemoveContainer { id: "app-0".into(), name: "app".into() });
                    r.fail(Target::Instance("app-1".into()), 1, 0, "KillContainerError");
                },
                "wake +1s",
            ),
        ],
    );
}

#[test]
fn duplicates_and_unknown_states() {
    check(
        &Round::running(one_app()),
        &[
            (
                "of two that run the newer stays",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(1);
                    r.container("app").id = "app-1".into();
                    r.add(instance(&pod, "app", 0, running(500)));
                },
                "StopContainer app app-0, 30s, Superseded",
            ),
            (
                "the newer has ended and the older runs: no third one beside it",
                |r| {
                    let pod = resolve(&r.written);
                    r.know(&["app:1"]);
                    r.container("app").attempt = Attempt(1);
                    r.container("app").state = exited(1, 5, 1);
                    r.add(instance(&pod, "app", 0, running(500)));
                },
                "StopContainer app app-0, 30s, Superseded
                 app waits: ContainerCreating",
            ),
            (
                "the newer was only made and the older runs: it is not started beside it",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").attempt = Attempt(1);
                    r.container("app").state = ContainerState::Created;
                    r.add(instance(&pod, "app", 0, running(500)));
                },
                "StopContainer app app-0, 30s, Superseded
                 app waits: ContainerCreating",
            ),
            (
                "an older one of an older definition is superseded, no image is needed for that",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    let pod = resolve(&r.written);
                    r.container("app").state = running(500);
                    r.add(instance(&pod, "app", 1, running(5)));
                },
                "StopContainer app app-0, 30s, Superseded",
            ),
            (
                "an unknown state is ended before it is trusted",
                |r| r.container("app").state = ContainerState::Unknown,
                "StopContainer app app-0, 30s, UnknownState",
            ),
            (
                "at most once",
                |r| {
                    r.container("app").state = ContainerState::Unknown;
                    r.begin(stop("app-0", "app"));
                },
                "",
            ),
        ],
    );
}

/// Gives a container a policy and rules of its own.
fn own_policy(round: &mut Round, name: &str, policy: &str, restart_on: &[i32]) {
    let container = round.edit(name);
    container.restart_policy = Some(policy.into());
    container.restart_policy_rules = Some(vec![api::ContainerRestartRule {
        action: "Restart".into(),
        exit_codes: Some(api::ContainerRestartRuleOnExitCodes {
            operator: "In".into(),
            values: Some(restart_on.to_vec()),
        }),
    }]);
}

#[test]
fn a_containers_own_policy_and_rules() {
    let mut round = Round::running(two_apps());
    round.know(&["app:1", "log:1"]);
    const AGAIN: &str = "CreateContainer a app #1 in a-sb0, back-off 0ns
                         app waits: ContainerCreating";
    check(
        &round,
        &[
            (
                "Never in a pod of Always",
                |r| {
                    own_policy(r, "app", "Never", &[]);
                    r.container("app").state = exited(1, 5, 1);
                },
                "",
            ),
            (
                "Always in a pod of Never",
                |r| {
                    r.restart_policy("Never");
                    own_policy(r, "app", "Always", &[]);
                    r.container("app").state = exited(0, 5, 1);
                    r.container("log").state = exited(0, 5, 1);
                },
                AGAIN,
            ),
            (
                "OnFailure in a pod of Always",
                |r| {
                    own_policy(r, "app", "OnFailure", &[]);
                    r.container("app").state = exited(0, 5, 1);
                },
                "",
            ),
            (
                "a code that a rule names",
                |r| {
                    own_policy(r, "app", "Never", &[42]);
                    r.container("app").state = exited(42, 5, 1);
                },
                AGAIN,
            ),
            (
                "a code that a rule names, of one that we ended for its failed probe",
                |r| {
                    own_policy(r, "app", "Never", &[137]);
                    let (kind, of, then) = (crate::pod::ProbeKind::Liveness, ContainerKind::App, Then::Nothing);
                    r.ends("app-0", ago(1), StopReason::FailedProbe { kind, of, then });
                    r.endings.get_mut(&ContainerId::new("app-0")).unwrap().progress = EndingProgress::Over;
                    r.container("app").state = exited(137, 5, 1);
                },
                "",
            ),
            (
                "a code that no rule names",
                |r| {
                    own_policy(r, "app", "Never", &[42]);
                    r.container("app").state = exited(41, 5, 1);
                },
                "",
            ),
            (
                "all are done by policies of their own",
                |r| {
                    own_policy(r, "app", "Never", &[42]);
                    own_policy(r, "log", "OnFailure", &[]);
                    r.container("app").state = exited(41, 5, 1);
                    r.container("log").state = exited(0, 5, 1);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "its sandbox is lost, and it runs once",
                |r| {
                    r.restart_policy("Never");
                    own_policy(r, "app", "Never", &[42]);
                    r.container("app").state = exited(137, 5, 1);
                    r.container("log").state = exited(137, 5, 1);
                    r.sandbox().state = exited(137, 5, 1);
                },
                "finished",
            ),
            (
                "its sandbox is lost after an end that a rule names",
                |r| {
                    r.restart_policy("Never");
                    own_policy(r, "app", "Never", &[42]);
                    r.container("app").state = exited(42, 5, 1);
                    r.container("log").state = exited(0, 5, 1);
                    r.sandbox().state = exited(137, 5, 1);
                },
                "CreateSandbox a #1
                 app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn an_init_containers_own_policy_and_rules() {
    let spec = "{initContainers: [{name: init, image: 'init:1'}], containers: [{name: app, image: 'app:1'}]}";
    let mut round = Round::running(manifest("init-and-app", spec));
    round.forget("app");
    round.know(&["init:1", "app:1"]);
    check(
        &round,
        &[
            (
                "it failed, and is not tried again: the pod is over",
                |r| {
                    own_policy(r, "init", "Never", &[]);
                    r.container("init").state = exited(1, 5, 1);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "it failed with a code that a rule names",
                |r| {
                    own_policy(r, "init", "Never", &[1]);
                    r.container("init").state = exited(1, 5, 1);
                },
                "CreateContainer a init #1 in a-sb0, back-off 0ns
                 app waits: PodInitializing
                 init waits: PodInitializing",
            ),
            (
                "it failed and is tried again, though the pod runs once",
                |r| {
                    r.restart_policy("Never");
                    own_policy(r, "init", "OnFailure", &[]);
                    r.container("init").state = exited(1, 5, 1);
                },
                "CreateContainer a init #1 in a-sb0, back-off 0ns
                 app waits: PodInitializing
                 init waits: PodInitializing",
            ),
        ],
    );
}
