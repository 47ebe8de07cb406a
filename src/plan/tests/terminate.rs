//! The end of a pod.

use super::*;

#[test]
fn removal_step_by_step() {
    let mut round = Round::running(two_apps());
    round.desired = Some(remove());
    check(
        &round,
        &[
            (
                "all containers are stopped at once, with the whole grace",
                |_| {},
                "StopContainer app app-0, 30s, PodRemoved
                 StopContainer log log-0, 30s, PodRemoved
                 terminating a",
            ),
            (
                "no grace is 2 s",
                |r| {
                    r.written.spec.as_mut().unwrap().termination_grace_period_seconds = Some(0);
                    r.incarnation().applied = AppliedPod::Known(resolve(&r.written));
                },
                "StopContainer app app-0, 2s, PodRemoved
                 StopContainer log log-0, 2s, PodRemoved
                 terminating a",
            ),
            (
                "the stop of one has failed: its grace begins anew when it can be asked again",
                |r| {
                    r.doomed("a", 5);
                    r.endings.remove(&"app-0".into());
                    r.fail(Target::Instance("app-0".into()), 3, 1, "KillContainerError");
                    r.begin(stop("log-0", "log"));
                },
                "terminating a
                 wake +3s",
            ),
            (
                "it can be asked again",
                |r| {
                    r.doomed("a", 9);
                    r.endings.remove(&"app-0".into());
                    r.fail(Target::Instance("app-0".into()), 3, 4, "KillContainerError");
                    r.begin(stop("log-0", "log"));
                },
                "StopContainer app app-0, 30s, PodRemoved
                 terminating a",
            ),
            (
                "one has ended, the other is being stopped: nothing is removed yet",
                |r| {
                    r.doomed("a", 5);
                    r.container("app").state = exited(0, 60, 1);
                    r.begin(stop("log-0", "log"));
                },
                "terminating a",
            ),
            (
                "all have ended: records are removed while the sandbox stops",
                |r| {
                    r.container("app").state = exited(0, 60, 1);
                    r.container("log").state = exited(137, 60, 1);
                },
                "RemoveContainer app app-0
                 RemoveContainer log log-0
                 StopSandbox a-sb0
                 terminating a",
            ),
            (
                "the sandbox has stopped, a record is left",
                |r| {
                    r.lose_sandbox(0);
                    r.forget("app");
                },
                "RemoveContainer log log-0
                 terminating a",
            ),
            (
                "no record is left, the sandbox has not stopped",
                |r| r.incarnation().containers.clear(),
                "StopSandbox a-sb0
                 terminating a",
            ),
            (
                "the sandbox goes last, with the volumes",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = exited(0, 60, 1);
                },
                "RemoveSandbox a a-sb0, volumes: Remove
                 terminating a",
            ),
            (
                "it is being removed",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = exited(0, 60, 1);
                    let (uid, id) = ("a".into(), "a-sb0".into());
                    r.begin(PodAction::RemoveSandbox { uid, id, volumes: Volumes::Remove });
                },
                "terminating a",
            ),
            (
                "its manifest is there again and can not be read: the end goes on",
                |r| {
                    r.desired = Some(Desired::Leave);
                    r.doomed("a", 5);
                    r.incarnation().applied = AppliedPod::Unreadable("cut short".into());
                    r.incarnation().containers.clear();
                },
                "StopSandbox a-sb0
                 terminating a",
            ),
            ("nothing is left", |r| r.observed.incarnations.clear(), "done"),
            (
                "nothing is left to see, but a call is under way",
                |r| {
                    r.observed.incarnations.clear();
                    r.begin(PodAction::CreateSandbox { uid: "a".into(), attempt: Attempt(0) });
                },
                "",
            ),
        ],
    );
}

#[test]
fn what_is_there_in_odd_states_ends_too() {
    let mut round = Round::running(two_apps());
    round.removed(0);
    check(
        &round,
        &[
            (
                "made and never started",
                |r| {
                    r.container("app").state = ContainerState::Created;
                    r.container("log").state = ContainerState::Created;
                },
                "RemoveContainer app app-0
                 RemoveContainer log log-0
                 StopSandbox a-sb0
                 terminating a",
            ),
            (
                "unknown states are stopped first",
                |r| r.container("app").state = ContainerState::Unknown,
                "StopContainer app app-0, 30s, PodRemoved
                 StopContainer log log-0, 30s, PodRemoved
                 terminating a",
            ),
            (
                "a sandbox that was only made",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = ContainerState::Created;
                },
                "RemoveSandbox a a-sb0, volumes: Remove
                 terminating a",
            ),
            (
                "a sandbox in an unknown state",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = ContainerState::Unknown;
                },
                "RemoveSandbox a a-sb0, volumes: Remove
                 terminating a",
            ),
            (
                "the sandbox is gone, containers run",
                |r| {
                    r.incarnation().sandboxes.clear();
                    r.incarnation().applied = AppliedPod::Unreadable("the sandbox is gone".into());
                    r.endings.clear();
                    r.container("app").grace = Some(seconds(45));
                    r.container("log").grace = None;
                },
                "StopContainer app app-0, 45s, PodRemoved
                 StopContainer log log-0, 30s, PodRemoved
                 terminating a",
            ),
            (
                "two sandboxes: the volumes go with the last",
                |r| {
                    let pod = resolve(&r.written);
                    r.incarnation().containers.clear();
                    r.sandbox().state = exited(0, 60, 1);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, exited(0, 60, 0)));
                },
                "RemoveSandbox a a-sb0, volumes: Keep
                 terminating a",
            ),
            (
                "two incarnations end side by side",
                |r| {
                    let mut other = r.observed.incarnations[0].clone();
                    other.uid = "b".into();
                    other.sandboxes[0].id = "b-sb0".into();
                    other.containers.clear();
                    r.observed.incarnations.push(other);
                },
                "StopContainer app app-0, 30s, PodRemoved
                 StopContainer log log-0, 30s, PodRemoved
                 StopSandbox b-sb0
                 terminating a
                 terminating b",
            ),
        ],
    );
}

#[test]
fn removal_while_something_is_under_way() {
    let mut round = Round::running(two_apps());
    round.removed(1);
    check(
        &round,
        &[
            (
                "a pull keeps nothing from ending",
                |r| {
                    r.incarnation().containers.clear();
                    r.begin(pull("app:1"));
                },
                "StopSandbox a-sb0
                 terminating a",
            ),
            (
                "a container is being made: the others are stopped meanwhile",
                |r| {
                    r.forget("log");
                    r.begin(create("log", 0));
                },
                "StopContainer app app-0, 29s, PodRemoved
                 terminating a",
            ),
            (
                "a container is being made: its sandbox waits",
                |r| {
                    r.incarnation().containers.clear();
                    r.begin(create("log", 0));
                },
                "terminating a",
            ),
            (
                "a container is being started: it is not removed under its start",
                |r| {
                    r.forget("log");
                    r.container("app").state = ContainerState::Created;
                    r.begin(start("app-0", "app"));
                },
                "terminating a",
            ),
            (
                "the sandbox is being started",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = ContainerState::Created;
                    r.begin(PodAction::StartSandbox { uid: "a".into(), id: "a-sb0".into() });
                },
                "terminating a",
            ),
        ],
    );
}

#[test]
fn sidecars_end_after_the_apps_in_reverse_order() {
    let mut round = Round::running(with_init());
    round.removed(10);
    check(
        &round,
        &[
            (
                "apps first; the sidecars' turn comes at the end of the grace at the latest",
                |_| {},
                "StopContainer app app-0, 20s, PodRemoved
                 terminating a
                 wake +20s",
            ),
            (
                "the removal is new",
                |r| {
                    r.terminating.clear();
                    r.endings.clear();
                },
                "StopContainer app app-0, 30s, PodRemoved
                 terminating a
                 ends mesh-0 +30s, PodRemoved
                 ends tail-0 +30s, PodRemoved
                 wake +30s",
            ),
            (
                "an init container that runs ends with the first",
                |r| {
                    r.forget("app");
                    r.container("seed").state = running(5);
                },
                "StopContainer seed seed-0, 30s, PodRemoved
                 terminating a
                 wake +20s",
            ),
            (
                "the app has ended: the last sidecar has what is left of the grace",
                |r| r.container("app").state = exited(0, 60, 0),
                "StopContainer tail tail-0, 20s, PodRemoved
                 terminating a
                 wake +20s",
            ),
            (
                "the last sidecar has ended too",
                |r| {
                    r.doomed("a", 29);
                    r.container("app").state = exited(0, 60, 0);
                    r.container("tail").state = exited(0, 60, 0);
                },
                "StopContainer mesh mesh-0, 2s, PodRemoved
                 terminating a",
            ),
            (
                "the grace is over: all sidecars at once",
                |r| {
                    r.doomed("a", 30);
                    r.begin(stop("app-0", "app"));
                },
                "StopContainer tail tail-0, 2s, PodRemoved
                 StopContainer mesh mesh-0, 2s, PodRemoved
                 terminating a",
            ),
            (
                "no grace: sidecars wait for a second all the same",
                |r| {
                    r.terminating.clear();
                    r.endings.clear();
                    r.spec().termination_grace_period_seconds = Some(0);
                    r.incarnation().applied = AppliedPod::Known(resolve(&r.written));
                },
                "StopContainer app app-0, 2s, PodRemoved
                 terminating a
                 ends mesh-0 +1s, PodRemoved
                 ends tail-0 +1s, PodRemoved
                 wake +1s",
            ),
            (
                "an app that is just being started counts as one that runs",
                |r| {
                    r.container("app").state = ContainerState::Created;
                    r.begin(start("app-0", "app"));
                },
                "terminating a
                 wake +20s",
            ),
            (
                "labels that can not be read: sidecars one after another, with the grace of their own labels",
                |r| {
                    r.incarnation().applied = AppliedPod::Unreadable("cut short".into());
                    r.forget("app");
                    r.endings.clear();
                    r.container("mesh").grace = Some(seconds(60));
                    r.container("tail").grace = None;
                },
                "StopContainer mesh mesh-0, 60s, PodRemoved
                 terminating a
                 ends tail-0 +30s, PodRemoved
                 wake +30s",
            ),
        ],
    );
}

#[test]
fn removed_and_added_again() {
    let mut round = Round::running(one_app());
    round.doomed("a", 10);
    check(
        &round,
        &[
            (
                "its end goes on",
                |_| {},
                "StopContainer app app-0, 20s, PodChanged
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "to the last step",
                |r| {
                    r.incarnation().containers.clear();
                    r.sandbox().state = exited(0, 60, 0);
                },
                "RemoveSandbox a a-sb0, volumes: Remove
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "then it begins anew",
                |r| {
                    r.observed.incarnations.clear();
                    r.terminating.clear();
                },
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn directories_without_a_container() {
    let mut round = Round::nothing(one_app());
    round.volumes.insert("a".into());
    check(
        &round,
        &[
            (
                "of the wanted pod: it starts with them",
                |_| {},
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
            (
                "its manifest was removed before its sandbox was made",
                |r| r.removed(0),
                "RemoveVolumes a
                 terminating a",
            ),
            (
                "they are being removed",
                |r| {
                    r.removed(1);
                    r.begin(PodAction::RemoveVolumes { uid: "a".into() });
                },
                "terminating a",
            ),
            (
                "they could not be removed",
                |r| {
                    r.removed(1);
                    r.fail(Target::Sandbox("a".into()), 3, 1, "FailedUnmount");
                },
                "terminating a
                 wake +3s",
            ),
            (
                "a call that makes the sandbox is still under way",
                |r| {
                    r.removed(1);
                    r.begin(PodAction::CreateSandbox { uid: "a".into(), attempt: Attempt(0) });
                },
                "terminating a",
            ),
            (
                "removed and added again: the new pod does not begin with what the old one left",
                |r| {
                    r.doomed("a", 1);
                    r.begin(PodAction::RemoveVolumes { uid: "a".into() });
                },
                "app waits: ContainerCreating
                 terminating a",
            ),
            (
                "of the pod before the edit, whose sandbox was removed by hand",
                |r| r.wanted_uid("b"),
                "RemoveVolumes a
                 CreateSandbox b #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating
                 terminating a",
            ),
            (
                "the manifest can not be read, and nothing else is known: what they hold is kept",
                |r| r.desired = Some(Desired::Leave),
                "",
            ),
            (
                "its end had begun before the manifest could not be read",
                |r| {
                    r.desired = Some(Desired::Leave);
                    r.doomed("a", 1);
                },
                "RemoveVolumes a
                 terminating a",
            ),
            (
                "containers outlived the sandbox: they go first",
                |r| {
                    *r = Round::running(one_app());
                    r.volumes.insert("a".into());
                    r.removed(1);
                    r.incarnation().sandboxes.clear();
                    r.container("app").state = exited(0, 60, 0);
                },
                "RemoveContainer app app-0
                 terminating a",
            ),
        ],
    );
}
