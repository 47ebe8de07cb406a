//! Edits within a pod: the smallest restart that makes them true.

use super::*;

#[test]
fn edits_that_restart_nothing() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "a probe",
                |r| {
                    let probe = "{tcpSocket: {port: 80}}";
                    r.edit("app").liveness_probe = Some(serde_yaml::from_str(probe).unwrap());
                },
                "probe app-0 Liveness",
            ),
            ("labels", |r| r.written.metadata.labels = Some(BTreeMap::from([("tier".into(), "front".into())])), ""),
            ("the grace", |r| r.spec().termination_grace_period_seconds = Some(300), ""),
            ("the restart policy", |r| r.restart_policy("Never"), ""),
            ("the pull policy", |r| r.edit("app").image_pull_policy = Some("Always".into()), ""),
            ("the order of the containers", |r| r.spec().containers.reverse(), ""),
        ],
    );
}

#[test]
fn an_edited_container_is_replaced() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "another image: it is looked for, the old one runs on",
                |r| r.edit("app").image = Some("app:2".into()),
                "EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating",
            ),
            (
                "the new image can not be had: the old one runs on and says so",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.fail(Target::Image("app:2".into()), 2, 5, "ErrImagePull");
                },
                "app waits: ErrImagePull until +15s
                 wake +15s",
            ),
            (
                "the new image is here: the old one is stopped with the grace",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                },
                "StopContainer app app-0, 30s, DefinitionChanged",
            ),
            (
                "an edit of the grace counts for the stop",
                |r| {
                    r.edit("app").env = Some(vec![api::EnvVar { name: "A".into(), ..Default::default() }]);
                    r.spec().termination_grace_period_seconds = Some(7);
                    r.know(&["app:1"]);
                },
                "StopContainer app app-0, 7s, DefinitionChanged",
            ),
            (
                "no grace is 2 s",
                |r| {
                    r.edit("app").args = Some(vec!["-v".into()]);
                    r.spec().termination_grace_period_seconds = Some(0);
                    r.know(&["app:1"]);
                },
                "StopContainer app app-0, 2s, DefinitionChanged",
            ),
            (
                "it is being stopped",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    r.begin(stop("app-0", "app"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "it has ended: the new one is made without back-off, whatever the history and the policy",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.restart_policy("Never");
                    r.know(&["app:2"]);
                    r.container("app").state = exited(0, 60, 0);
                    r.container("app").backoff = Some(seconds(300));
                    r.container("app").attempt = Attempt(4);
                },
                "CreateContainer a app #5 in a-sb0, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "a crash-looping container that is edited acts at once",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.container("app").state = exited(1, 1, 1);
                    r.container("app").backoff = Some(seconds(160));
                },
                "EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating",
            ),
            (
                "one that was made from the old definition and not started is removed",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    r.container("app").state = ContainerState::Created;
                },
                "RemoveContainer app app-0
                 app waits: ContainerCreating",
            ),
            (
                "one that is just being started is not removed under its start",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    r.container("app").state = ContainerState::Created;
                    r.begin(start("app-0", "app"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "the new one is being made: its image is not looked for again",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.container("app").state = exited(0, 60, 0);
                    r.begin(create("app", 1));
                },
                "app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn several_edits_at_once() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "nothing is stopped before all images are here",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.edit("log").image = Some("log:2".into());
                    r.know(&["log:2"]);
                    r.begin(pull("app:2"));
                },
                "app waits: ContainerCreating",
            ),
            (
                "then all are stopped at once",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.edit("log").image = Some("log:2".into());
                    r.know(&["app:2", "log:2"]);
                },
                "StopContainer app app-0, 30s, DefinitionChanged
                 StopContainer log log-0, 30s, DefinitionChanged",
            ),
            (
                "one has ended, the other takes its time",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.edit("log").image = Some("log:2".into());
                    r.know(&["app:2", "log:2"]);
                    r.begin(stop("app-0", "app"));
                    r.container("log").state = exited(0, 60, 0);
                },
                "CreateContainer a log #1 in a-sb0, no back-off
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn containers_come_and_go() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "one is added: it is made beside the others",
                |r| {
                    r.spec().containers.push(new_container("extra", "extra:1"));
                    r.know(&["extra:1"]);
                },
                "CreateContainer a extra #0 in a-sb0, no back-off
                 extra waits: ContainerCreating",
            ),
            (
                "one is removed: it is stopped",
                |r| drop(r.spec().containers.pop()),
                "StopContainer log log-0, 30s, ContainerRemoved",
            ),
            (
                "the removed one has ended: its record goes",
                |r| {
                    r.spec().containers.pop();
                    r.container("log").state = exited(0, 60, 0);
                },
                "RemoveContainer log log-0",
            ),
            (
                "the removed one is just being started: its end waits for that",
                |r| {
                    r.spec().containers.pop();
                    r.container("log").state = ContainerState::Created;
                    r.begin(start("log-0", "log"));
                },
                "",
            ),
            (
                "one is renamed: the old one runs until the new image is here",
                |r| r.edit("log").name = "logs".into(),
                "EnsureImage log:1 IfNotPresent
                 logs waits: ContainerCreating",
            ),
            (
                "then it is stopped, and the new one waits for its end",
                |r| {
                    r.edit("log").name = "logs".into();
                    r.know(&["log:1"]);
                },
                "StopContainer log log-0, 30s, ContainerRemoved
                 logs waits: ContainerCreating",
            ),
            (
                "it has ended",
                |r| {
                    r.edit("log").name = "logs".into();
                    r.know(&["log:1"]);
                    r.container("log").state = exited(0, 60, 0);
                },
                "CreateContainer a logs #0 in a-sb0, no back-off
                 RemoveContainer log log-0
                 logs waits: ContainerCreating",
            ),
            (
                "the other container crashes meanwhile: it does not wait for the edit",
                |r| {
                    r.edit("log").name = "logs".into();
                    r.know(&["log:1", "app:1"]);
                    r.container("app").state = exited(1, 60, 0);
                    r.begin(stop("log-0", "log"));
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating
                 logs waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn an_edit_of_a_finished_pod_runs_it_again() {
    let mut round = Round::running(two_apps());
    round.restart_policy("Never");
    round.container("app").state = exited(0, 10, 100);
    round.container("log").state = exited(1, 20, 90);
    round.sandbox().state = exited(0, 110, 89);
    check(
        &round,
        &[
            ("finished", |_| {}, "finished"),
            (
                "one container is edited: a new sandbox, and only that one is due",
                |r| r.edit("app").image = Some("app:2".into()),
                "CreateSandbox a #1
                 EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating",
            ),
            (
                "the new sandbox runs: the edited one starts, the other one's result stands",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "RemoveSandbox a a-sb0, volumes: Keep
                 CreateContainer a app #1 in a-sb1, no back-off
                 app waits: ContainerCreating",
            ),
            (
                "a container is added",
                |r| r.spec().containers.push(new_container("extra", "extra:1")),
                "CreateSandbox a #1
                 EnsureImage extra:1 IfNotPresent
                 extra waits: ContainerCreating",
            ),
            (
                "the policy becomes OnFailure: what failed runs again",
                |r| r.restart_policy("OnFailure"),
                "CreateSandbox a #1
                 EnsureImage log:1 IfNotPresent
                 log waits: ContainerCreating",
            ),
            ("an edit of labels leaves it finished", |r| r.written.metadata.labels = Some(BTreeMap::new()), "finished"),
        ],
    );
}

#[test]
fn sidecars_are_edited_like_apps_and_init_containers_are_not() {
    check(
        &Round::running(with_init()),
        &[
            (
                "a sidecar's image",
                |r| {
                    r.edit("mesh").image = Some("mesh:2".into());
                    r.know(&["mesh:2"]);
                },
                "StopContainer mesh mesh-0, 30s, DefinitionChanged",
            ),
            (
                "it has ended: the app runs on meanwhile",
                |r| {
                    r.edit("mesh").image = Some("mesh:2".into());
                    r.know(&["mesh:2"]);
                    r.container("mesh").state = exited(0, 60, 0);
                },
                "CreateContainer a mesh #1 in a-sb0, no back-off
                 mesh waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn a_given_uid_keeps_the_pod_when_its_sandbox_is_edited() {
    let mut round = Round::running(two_apps());
    round.spec().hostname = Some("other".into());
    check(
        &round,
        &[
            (
                "everything runs on until all images are here",
                |_| {},
                "EnsureImage app:1 IfNotPresent
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "an image can not be had: everything runs on",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["log:1"]);
                    r.fail(Target::Image("app:2".into()), 1, 0, "ErrImagePull");
                },
                "app waits: ErrImagePull until +10s
                 log waits: ContainerCreating
                 wake +10s",
            ),
            (
                "the new one may not start here: everything runs on",
                |r| {
                    r.spec().node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
                    r.know(&["app:1", "log:1"]);
                },
                "app waits: NodeAffinity
                 log waits: NodeAffinity",
            ),
            (
                "the images are here: all is stopped",
                |r| r.know(&["app:1", "log:1"]),
                "StopContainer app app-0, 30s, SandboxChanged
                 StopContainer log log-0, 30s, SandboxChanged
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "all have ended: records go, or a Never pod would count as finished",
                |r| {
                    r.restart_policy("Never");
                    r.know(&["app:1", "log:1"]);
                    r.container("app").state = exited(143, 60, 0);
                    r.container("log").state = exited(0, 60, 0);
                },
                "RemoveContainer app app-0
                 RemoveContainer log log-0
                 StopSandbox a-sb0
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the sandbox goes last, the volumes stay",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = exited(0, 60, 0);
                },
                "RemoveSandbox a a-sb0, volumes: Keep
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "a finished pod runs again",
                |r| {
                    r.restart_policy("Never");
                    r.lose_sandbox(0);
                },
                "RemoveContainer app app-0
                 RemoveContainer log log-0
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "a sandbox that was not started yet is made anew",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = ContainerState::Created;
                },
                "RemoveSandbox a a-sb0, volumes: Keep
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}
