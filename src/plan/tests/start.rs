//! From nothing to running, with a crash of ours between any two steps.

use super::*;

/// The sandbox runs, nothing else was made.
fn sandbox_only(written: api::Pod) -> Round {
    let mut round = Round::running(written);
    round.incarnation().containers.clear();
    round
}

#[test]
fn the_sandbox_comes_first_and_images_are_pulled_meanwhile() {
    check(
        &Round::nothing(two_apps()),
        &[
            (
                "nothing is there: sandbox and images at once",
                |_| {},
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "one image for both containers is asked for once",
                |r| r.edit("log").image = Some("app:1".into()),
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the pull policy travels with the image",
                |r| r.edit("log").image_pull_policy = Some("Always".into()),
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 EnsureImage log:1 Always
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "so is the image of a volume, which is not asked for again if the container has it itself",
                |r| {
                    r.mount_image("app", "files:1");
                    r.mount_image("log", "log:1");
                },
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 EnsureImage files:1 IfNotPresent
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "images that are here are not asked for",
                |r| r.know(&["app:1", "log:1"]),
                "CreateSandbox a #0
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "what is under way is not begun again",
                |r| {
                    r.begin(pull("app:1"));
                    r.begin(PodAction::CreateSandbox { uid: "a".into(), attempt: Attempt(0) });
                },
                "EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "a sandbox that was made is started, whoever made it",
                |r| {
                    r.know(&["app:1", "log:1"]);
                    let made = Round::running(two_apps()).observed.incarnations.remove(0);
                    r.observed.incarnations.push(Incarnation { containers: Vec::new(), ..made });
                    r.sandbox().state = ContainerState::Created;
                },
                "StartSandbox a a-sb0
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the sandbox is on its way up",
                |r| {
                    r.know(&["app:1"]);
                    let made = Round::running(two_apps()).observed.incarnations.remove(0);
                    r.observed.incarnations.push(Incarnation { containers: Vec::new(), ..made });
                    r.sandbox().state = ContainerState::Created;
                    r.begin(PodAction::StartSandbox { uid: "a".into(), id: "a-sb0".into() });
                    r.begin(pull("log:1"));
                },
                "app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn containers_start_one_by_one_in_the_order_of_the_spec() {
    check(
        &sandbox_only(two_apps()),
        &[
            (
                "both images are here: the first is made",
                |r| r.know(&["app:1", "log:1"]),
                "CreateContainer a app #0 in a-sb0, no back-off
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first is being made",
                |r| {
                    r.know(&["log:1"]);
                    r.begin(create("app", 0));
                },
                "app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first was made: it is started, and so after a crash",
                |r| {
                    let pod = resolve(&r.written);
                    r.add(instance(&pod, "app", 0, ContainerState::Created));
                    r.know(&["log:1"]);
                },
                "StartContainer a app app-0
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first is being started: the next one's image is looked for",
                |r| {
                    let pod = resolve(&r.written);
                    r.add(instance(&pod, "app", 0, ContainerState::Created));
                    r.begin(start("app-0", "app"));
                },
                "EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first runs",
                |r| {
                    let pod = resolve(&r.written);
                    r.add(instance(&pod, "app", 0, running(1)));
                    r.know(&["log:1"]);
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 log waits: ContainerCreating",
            ),
            (
                "the first one's image is being pulled: the second does not overtake it",
                |r| {
                    r.know(&["log:1"]);
                    r.begin(pull("app:1"));
                },
                "app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the first one's image can not be had: the second goes ahead",
                |r| {
                    r.know(&["log:1"]);
                    r.fail(Target::Image("app:1".into()), 1, 4, "ErrImagePull");
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 app waits: ErrImagePull until +6s
                 log waits: ContainerCreating
                 wake +6s",
            ),
            (
                "the first can not be made: the second goes ahead",
                |r| {
                    r.know(&["app:1", "log:1"]);
                    r.fail(target("app"), 3, 1, "CreateContainerError");
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 app waits: CreateContainerError until +3s
                 log waits: ContainerCreating
                 wake +3s",
            ),
            (
                "a crashed container is started again though another's first image is being pulled",
                |r| {
                    let pod = resolve(&r.written);
                    r.add(instance(&pod, "log", 0, exited(1, 5, 1)));
                    r.know(&["log:1"]);
                    r.begin(pull("app:1"));
                },
                "CreateContainer a log #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn a_quiet_pod_plans_nothing() {
    check(&Round::running(two_apps()), &[("all run", |_| {}, "")]);
    check(&Round::running(with_init()), &[("all run, init containers are done", |_| {}, "")]);
    check(
        &Round::running(one_app()),
        &[
            ("an earlier failure is over", |r| r.fail(target("app"), 5, 0, "CreateContainerError"), ""),
            (
                "hashes of an unknown version are no edit",
                |r| {
                    r.sandbox().hash = None;
                    r.container("app").hash = None;
                },
                "",
            ),
            (
                "labels that can not be read stop nothing that is wanted",
                |r| r.incarnation().applied = AppliedPod::Unreadable("cut short".into()),
                "",
            ),
            ("it is to be left as it is", |r| r.desired = Some(Desired::Leave), ""),
            (
                "it is to be left as it is, though it does not run",
                |r| {
                    r.desired = Some(Desired::Leave);
                    r.container("app").state = exited(1, 5, 5);
                },
                "",
            ),
        ],
    );
}

#[test]
fn the_images_of_volumes_count_as_the_containers_own() {
    let mut written = Round::nothing(two_apps());
    written.mount_image("app", "files:1");
    check(
        &sandbox_only(written.written),
        &[
            (
                "it can not be had: the second goes ahead",
                |r| {
                    r.know(&["app:1", "log:1"]);
                    r.fail(Target::Image("files:1".into()), 1, 4, "ErrImagePull");
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 app waits: ErrImagePull until +6s
                 log waits: ContainerCreating
                 wake +6s",
            ),
            (
                "one can not be had, the other is being pulled: the failure is what is worth telling",
                |r| {
                    r.know(&["log:1"]);
                    r.fail(Target::Image("app:1".into()), 1, 4, "ErrImagePull");
                    r.begin(pull("files:1"));
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 app waits: ErrImagePull until +6s
                 log waits: ContainerCreating
                 wake +6s",
            ),
            (
                "the volume is there: its image is of no use",
                |r| {
                    r.know(&["app:1"]);
                    r.made("a", "app", "files:1");
                },
                "CreateContainer a app #0 in a-sb0, no back-off
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the volume of another pod is there, or one of another image",
                |r| {
                    r.know(&["app:1", "log:1"]);
                    r.made("b", "app", "files:1");
                    r.made("a", "app", "files:2");
                },
                "EnsureImage files:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "all are here",
                |r| r.know(&["app:1", "files:1"]),
                "CreateContainer a app #0 in a-sb0, no back-off
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn failures_are_tried_again_after_a_while() {
    check(
        &Round::nothing(one_app()),
        &[
            (
                "the sandbox can not be made",
                |r| {
                    r.know(&["app:1"]);
                    r.fail(Target::Sandbox("a".into()), 2, 1, "FailedCreatePodSandBox");
                },
                "app waits: FailedCreatePodSandBox until +1s
                 wake +1s",
            ),
            (
                "its time has come",
                |r| {
                    r.know(&["app:1"]);
                    r.fail(Target::Sandbox("a".into()), 2, 2, "FailedCreatePodSandBox");
                },
                "CreateSandbox a #0
                 app waits: ContainerCreating",
            ),
            (
                "the image can not be pulled: the sandbox is made meanwhile",
                |r| r.fail(Target::Image("app:1".into()), 3, 15, "ErrImagePull"),
                "CreateSandbox a #0
                 app waits: ErrImagePull until +25s
                 wake +25s",
            ),
            (
                "pulls wait 300 s at most",
                |r| r.fail(Target::Image("app:1".into()), 40, 0, "ErrImagePull"),
                "CreateSandbox a #0
                 app waits: ErrImagePull until +300s
                 wake +300s",
            ),
            (
                "of two reasons to wait the earlier one wakes",
                |r| {
                    r.fail(Target::Image("app:1".into()), 1, 3, "ErrImagePull");
                    r.fail(Target::Sandbox("a".into()), 9, 0, "FailedCreatePodSandBox");
                },
                "app waits: ErrImagePull until +7s
                 wake +7s",
            ),
            (
                "a failed look for the image does not hide why the sandbox waits for good",
                |r| {
                    r.begin(pull("app:1"));
                    r.fail(Target::Sandbox("a".into()), 9, 0, "FailedCreatePodSandBox");
                },
                "app waits: FailedCreatePodSandBox until +10s
                 wake +10s",
            ),
        ],
    );
    check(
        &Round::running(one_app()),
        &[
            (
                "the start of a made container failed without an end",
                |r| {
                    r.container("app").state = ContainerState::Created;
                    r.fail(target("app"), 1, 0, "RunContainerError");
                },
                "app waits: RunContainerError until +1s
                 wake +1s",
            ),
            (
                "a stop that failed is tried again",
                |r| {
                    r.removed(3);
                    r.fail(Target::Instance("app-0".into()), 2, 1, "KillContainerError");
                },
                "terminating a
                 wake +1s",
            ),
        ],
    );
}
