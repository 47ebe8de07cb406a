//! An edit of what the sandbox depends on: another uid in the place of the old one.

use super::*;

/// Pod `a` runs, pod `b` with another app image is wanted.
fn replacing() -> Round {
    let mut round = Round::running(one_app());
    round.wanted_uid("b");
    round.edit("app").image = Some("app:2".into());
    round
}

/// The incarnation of `b`, all running.
fn new_incarnation(round: &Round) -> Incarnation {
    let mut incarnation = running_incarnation(&resolve(&round.written));
    for container in &mut incarnation.containers {
        container.id = ContainerId::new(format!("b-{}", container.id));
    }
    incarnation
}

#[test]
fn the_old_pod_runs_until_the_new_images_are_here() {
    check(
        &replacing(),
        &[
            (
                "the new images are looked for first",
                |_| {},
                "EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 wake +1s",
            ),
            ("the pull is under way", |r| r.begin(pull("app:2")), "app waits: ContainerCreating"),
            (
                "the pull is under way and the old container crashes: it is kept alive",
                |r| {
                    r.begin(pull("app:2"));
                    r.know(&["app:1"]);
                    r.container("app").state = exited(1, 60, 0);
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "the pull failed: the old pod is kept alive, and what is missing is said",
                |r| {
                    r.know(&["app:1"]);
                    r.fail(Target::Image("app:2".into()), 1, 2, "ErrImagePull");
                    r.container("app").state = exited(1, 60, 0);
                    r.container("app").backoff = Some(Duration::ZERO);
                },
                "app waits: ErrImagePull until +8s
                 wake +8s",
            ),
            (
                "the old pod is finished: nothing of it is done, and the new one is not finished",
                |r| {
                    let mut applied = one_app();
                    applied.spec.as_mut().unwrap().restart_policy = Some("Never".into());
                    r.incarnation().applied = AppliedPod::Known(resolve(&applied));
                    r.container("app").state = exited(0, 60, 10);
                    r.sandbox().state = exited(0, 70, 9);
                    r.fail(Target::Image("app:2".into()), 1, 2, "ErrImagePull");
                },
                "app waits: ErrImagePull until +8s
                 wake +8s",
            ),
            (
                "an earlier edit of the old pod, whose image has come at last, is not made any more",
                |r| {
                    let mut applied = one_app();
                    applied.spec.as_mut().unwrap().containers[0].image = Some("app:3".into());
                    r.incarnation().applied = AppliedPod::Known(resolve(&applied));
                    r.know(&["app:3"]);
                    r.begin(pull("app:2"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "nor an earlier edit of its sandbox",
                |r| {
                    let mut applied = one_app();
                    applied.spec.as_mut().unwrap().host_network = Some(true);
                    r.incarnation().applied = AppliedPod::Known(resolve(&applied));
                    r.know(&["app:1"]);
                    r.begin(pull("app:2"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "the old labels can not be read: it is left as it is",
                |r| {
                    r.incarnation().applied = AppliedPod::Unreadable("cut short".into());
                    r.container("app").state = exited(1, 60, 0);
                    r.fail(Target::Image("app:2".into()), 1, 2, "ErrImagePull");
                },
                "app waits: ErrImagePull until +8s
                 wake +8s",
            ),
            (
                "the images are here: the old one ends with the grace it runs with",
                |r| {
                    r.know(&["app:2"]);
                    r.spec().termination_grace_period_seconds = Some(3);
                },
                "StopContainer app app-0, 30s, PodChanged
                 app waits: ContainerCreating
                 terminating a",
            ),
        ],
    );
}

#[test]
fn the_new_pod_starts_when_nothing_old_may_run() {
    let mut round = replacing();
    round.know(&["app:2"]);
    round.doomed("a", 10);
    check(
        &round,
        &[
            (
                "the old container has ended, its sandbox has not",
                |r| r.container("app").state = exited(0, 60, 0),
                "RemoveContainer app app-0
                 StopSandbox a-sb0
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "nothing old may run: what is left is removed beside the new start",
                |r| r.lose_sandbox(0),
                "RemoveContainer app app-0
                 CreateSandbox b #0
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "a start of the old pod is still under way",
                |r| {
                    r.lose_sandbox(0);
                    r.container("app").state = ContainerState::Created;
                    r.begin(start("app-0", "app"));
                },
                "app waits: ContainerCreating
                 terminating a",
            ),
            (
                "an old sandbox that nobody has seen yet is being made",
                |r| {
                    r.observed.incarnations.clear();
                    r.begin(PodAction::CreateSandbox { uid: "a".into(), attempt: Attempt(0) });
                },
                "app waits: ContainerCreating",
            ),
            (
                "the new pod runs, the old record can not be removed",
                |r| {
                    r.lose_sandbox(0);
                    let new = new_incarnation(r);
                    r.observed.incarnations.push(new);
                    r.fail(Target::Instance("app-0".into()), 5, 0, "KillContainerError");
                },
                "terminating a
                 wake +10s",
            ),
            (
                "the old pod is wanted again: it ends to its end all the same",
                |r| {
                    r.written = one_app();
                    r.lose_sandbox(0);
                },
                "RemoveContainer app app-0
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "a third one is wanted: the doomed one goes on ending",
                |r| r.wanted_uid("c"),
                "StopContainer app app-0, 20s, PodChanged
                 app waits: ContainerCreating
                 terminating a",
            ),
        ],
    );
}

#[test]
fn after_a_restart_of_ours() {
    check(
        &replacing(),
        &[
            (
                "the new pod runs and old records are left: they are removed, nothing old is revived",
                |r| {
                    r.lose_sandbox(0);
                    let new = new_incarnation(r);
                    r.observed.incarnations.push(new);
                },
                "RemoveContainer app app-0
                 terminating a",
            ),
            (
                "the new sandbox was made and not started",
                |r| {
                    r.lose_sandbox(0);
                    r.incarnation().containers.clear();
                    let mut new = new_incarnation(r);
                    new.containers.clear();
                    new.sandboxes[0].state = ContainerState::Created;
                    r.observed.incarnations.push(new);
                },
                "RemoveSandbox a a-sb0, volumes: Remove
                 StartSandbox b b-sb0
                 EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "both were dead after a reboot: the new one is the pod",
                |r| {
                    r.lose_sandbox(143);
                    let mut new = new_incarnation(r);
                    new.containers.clear();
                    new.sandboxes[0].state = exited(0, 60, 5);
                    r.observed.incarnations.push(new);
                },
                "RemoveContainer app app-0
                 CreateSandbox b #1
                 EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "the old one was on its way out: it is not started again while the images are looked for",
                |r| r.container("app").state = exited(143, 60, 1),
                "EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 wake +1s",
            ),
            (
                "edited while the machine was off: the old one stays dead while the new images are pulled",
                |r| {
                    r.lose_sandbox(143);
                    r.begin(pull("app:2"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "and comes back if they can not be had",
                |r| {
                    r.lose_sandbox(143);
                    r.fail(Target::Image("app:2".into()), 1, 2, "ErrImagePull");
                },
                "CreateSandbox a #1
                 EnsureImage app:1 IfNotPresent
                 app waits: ErrImagePull until +8s
                 wake +8s",
            ),
            (
                "the images came: what is dead is removed beside the new start",
                |r| {
                    r.lose_sandbox(143);
                    r.know(&["app:2"]);
                },
                "RemoveContainer app app-0
                 CreateSandbox b #0
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "only records of the old one are left, without its sandbox: nothing is worth waiting for",
                |r| {
                    r.lose_sandbox(143);
                    r.incarnation().sandboxes.clear();
                    r.incarnation().applied = AppliedPod::Unreadable("the sandbox is gone".into());
                },
                "RemoveContainer app app-0
                 CreateSandbox b #0
                 EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "the old one runs without its sandbox: it runs on until the images are here",
                |r| {
                    r.incarnation().sandboxes.clear();
                    r.incarnation().applied = AppliedPod::Unreadable("the sandbox is gone".into());
                    r.begin(pull("app:2"));
                },
                "app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn of_several_old_pods_one_is_kept() {
    let mut round = replacing();
    let mut older = round.observed.incarnations[0].clone();
    older.uid = "z".into();
    older.sandboxes[0] = Sandbox { id: "z-sb0".into(), state: exited(0, 60, 100), ..older.sandboxes[0].clone() };
    older.containers[0] = ContainerStatus {
        id: "z-app-0".into(),
        sandbox_id: "z-sb0".into(),
        state: exited(0, 60, 100),
        ..older.containers[0].clone()
    };
    round.observed.incarnations.push(older);
    round.begin(pull("app:2"));
    check(
        &round,
        &[
            (
                "the one that runs",
                |_| {},
                "RemoveContainer app z-app-0
                 app waits: ContainerCreating
                 terminating z",
            ),
            (
                "of dead ones the one that was last alive",
                |r| r.lose_sandbox(143),
                "RemoveContainer app z-app-0
                 app waits: ContainerCreating
                 terminating z",
            ),
            (
                "a third one still runs on its way out: the dead one is not revived beside it",
                |r| {
                    r.in_flight.clear();
                    r.fail(Target::Image("app:2".into()), 1, 2, "ErrImagePull");
                    r.lose_sandbox(143);
                    r.observed.incarnations[1].containers[0].state = running(60);
                    r.doomed("z", 1);
                },
                "StopContainer app z-app-0, 29s, PodChanged
                 app waits: ErrImagePull until +8s
                 terminating z
                 wake +8s",
            ),
            (
                "or else the other",
                |r| {
                    r.lose_sandbox(143);
                    r.sandbox().state = exited(0, 60, 200);
                    r.container("app").state = exited(0, 60, 200);
                },
                "RemoveContainer app app-0
                 app waits: ContainerCreating
                 terminating a",
            ),
        ],
    );
}

/// All of it ended so many seconds ago.
fn end(incarnation: &mut Incarnation, seconds_ago: u64) {
    incarnation.sandboxes[0].state = exited(0, 60, seconds_ago);
    incarnation.containers[0].state = exited(0, 60, seconds_ago);
}

#[test]
fn without_its_manifest_a_pod_goes_on_as_it_runs() {
    let base = replacing();
    let goes_on_as = |change: fn(&mut Round, &mut Incarnation)| {
        let mut round = base.clone();
        let mut new = new_incarnation(&round);
        change(&mut round, &mut new);
        round.observed.incarnations.push(new);
        incumbent(&round.observed).map(|pod| pod.uid.to_string())
    };
    type Case = (&'static str, fn(&mut Round, &mut Incarnation), Option<&'static str>);
    let cases: [Case; 5] = [
        ("the old one was on its way out", |r, _| r.lose_sandbox(0), Some("b")),
        ("the new one has ended", |_, new| end(new, 1), Some("a")),
        (
            "both have ended, the old one before",
            |r, new| {
                r.lose_sandbox(0);
                end(new, 2);
            },
            Some("b"),
        ),
        (
            "what runs can not be read: nothing else is revived for it",
            |r, new| {
                r.lose_sandbox(0);
                new.applied = AppliedPod::Unreadable("cut short".into());
            },
            None,
        ),
        (
            "what has ended can not be read",
            |r, new| {
                r.incarnation().applied = AppliedPod::Unreadable("cut short".into());
                r.lose_sandbox(0);
                end(new, 9);
            },
            None,
        ),
    ];
    for (sentence, change, expected) in cases {
        assert_eq!(goes_on_as(change).as_deref(), expected, "{sentence}");
    }
    assert_eq!(incumbent(&ObservedPod::default()), None);
}
