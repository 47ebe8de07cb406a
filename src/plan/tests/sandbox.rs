//! Sandboxes that die, vanish, double or can not be understood.

use super::*;

#[test]
fn a_dead_sandbox_is_replaced() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "containers outlive it: they are stopped first",
                |r| r.sandbox().state = exited(137, 60, 1),
                "StopContainer app app-0, 30s, SandboxChanged
                 StopContainer log log-0, 30s, SandboxChanged
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "one of them does not",
                |r| {
                    r.sandbox().state = exited(137, 60, 1);
                    r.container("app").state = exited(137, 60, 1);
                    r.begin(stop("log-0", "log"));
                },
                "app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "all is dead, as after a reboot: the next sandbox, images meanwhile",
                |r| r.lose_sandbox(143),
                "CreateSandbox a #1
                 EnsureImage app:1 IfNotPresent
                 EnsureImage log:1 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the next one runs: the old one goes, apps start in order without delay, counts go on",
                |r| {
                    r.lose_sandbox(143);
                    r.know(&["app:1", "log:1"]);
                    r.container("app").attempt = Attempt(4);
                    r.container("app").backoff = Some(seconds(80));
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "RemoveSandbox a a-sb0, volumes: Keep
                 CreateContainer a app #5 in a-sb1, back-off 80s
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "a container that was never started in the old one is made anew",
                |r| {
                    r.lose_sandbox(143);
                    r.know(&["app:1", "log:1"]);
                    r.container("app").state = ContainerState::Created;
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes = vec![sandbox_of(&pod, 1, running(1))];
                },
                "RemoveContainer app app-0
                 CreateContainer a log #1 in a-sb1, no back-off
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "a container still runs in the old one beside a new sandbox",
                |r| {
                    r.sandbox().state = exited(137, 60, 1);
                    r.container("log").state = exited(137, 60, 1);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "StopContainer app app-0, 30s, SandboxChanged
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "the new one was made: it is started only when nothing runs in the old one",
                |r| {
                    r.sandbox().state = exited(137, 60, 1);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, ContainerState::Created));
                },
                "StopContainer app app-0, 30s, SandboxChanged
                 StopContainer log log-0, 30s, SandboxChanged
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn odd_sandboxes() {
    check(
        &Round::running(one_app()),
        &[
            (
                "removed by hand, the app runs on in nobody's network",
                |r| {
                    r.incarnation().sandboxes.clear();
                    r.incarnation().applied = AppliedPod::Unreadable("the sandbox is gone".into());
                },
                "StopContainer app app-0, 30s, SandboxChanged
                 app waits: ContainerCreating",
            ),
            (
                "taken off its network: what runs in it is stopped first",
                |r| r.sandbox().ips.clear(),
                "StopContainer app app-0, 30s, SandboxChanged
                 app waits: ContainerCreating",
            ),
            (
                "taken off its network, the app has ended",
                |r| {
                    r.sandbox().ips.clear();
                    r.container("app").state = exited(137, 60, 0);
                },
                "StopSandbox a-sb0
                 app waits: ContainerCreating",
            ),
            (
                "on the node's network it has no address of its own",
                |r| {
                    r.spec().host_network = Some(true);
                    let hash = resolve(&r.written).sandbox_hash.clone();
                    r.sandbox().hash = Some(hash);
                    r.sandbox().ips.clear();
                },
                "",
            ),
            (
                "removed by hand, the app has ended",
                |r| {
                    r.incarnation().sandboxes.clear();
                    r.container("app").state = exited(137, 60, 0);
                },
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
            (
                "in an unknown state: what runs in it is stopped",
                |r| r.sandbox().state = ContainerState::Unknown,
                "StopContainer app app-0, 30s, SandboxChanged
                 app waits: ContainerCreating",
            ),
            (
                "in an unknown state and empty: it is stopped, as it may hold the ports of the next one",
                |r| {
                    r.sandbox().state = ContainerState::Unknown;
                    r.container("app").state = exited(137, 60, 0);
                },
                "StopSandbox a-sb0
                 app waits: ContainerCreating",
            ),
            (
                "an older one in an unknown state: it is stopped before the newer one starts",
                |r| {
                    let pod = resolve(&r.written);
                    r.sandbox().state = ContainerState::Unknown;
                    r.container("app").state = exited(137, 60, 0);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, ContainerState::Created));
                },
                "StopSandbox a-sb0
                 app waits: ContainerCreating",
            ),
            (
                "two run: the newer is the pod's, what runs in the older is stopped",
                |r| {
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "StopContainer app app-0, 30s, SandboxChanged
                 app waits: ContainerCreating",
            ),
            (
                "two run, the older is empty",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").sandbox_id = "a-sb1".into();
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "RemoveSandbox a a-sb0, volumes: Keep",
            ),
            (
                "the older one runs again and holds the ports: it is stopped before the newer starts",
                |r| {
                    let pod = resolve(&r.written);
                    r.container("app").state = exited(137, 60, 0);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, ContainerState::Created));
                },
                "StopSandbox a-sb0
                 app waits: ContainerCreating",
            ),
            (
                "it is being stopped, as the pod was finished before an edit: nothing is made in it",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                    r.container("app").state = exited(0, 60, 0);
                    r.begin(PodAction::StopSandbox { id: "a-sb0".into() });
                },
                "app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn a_lost_sandbox_and_the_restart_policy() {
    check(
        &Round::running(two_apps()),
        &[
            (
                "Never: what runs is ended, the pod is finished",
                |r| {
                    r.restart_policy("Never");
                    r.sandbox().state = exited(137, 60, 1);
                },
                "StopContainer app app-0, 30s, PodFinished
                 StopContainer log log-0, 30s, PodFinished
                 finished",
            ),
            (
                "Never: what ran is not run again",
                |r| {
                    r.restart_policy("Never");
                    r.lose_sandbox(143);
                },
                "finished",
            ),
            (
                "Never: what did not run yet is run",
                |r| {
                    r.restart_policy("Never");
                    r.lose_sandbox(143);
                    r.forget("log");
                },
                "CreateSandbox a #1
                 EnsureImage log:1 IfNotPresent
                 log waits: ContainerCreating",
            ),
            (
                "Never: and only that",
                |r| {
                    r.restart_policy("Never");
                    r.lose_sandbox(143);
                    r.forget("log");
                    r.know(&["log:1"]);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes = vec![sandbox_of(&pod, 1, running(1))];
                },
                "CreateContainer a log #0 in a-sb1, no back-off
                 log waits: ContainerCreating",
            ),
            (
                "OnFailure: what completed before the loss is not run again",
                |r| {
                    r.restart_policy("OnFailure");
                    r.lose_sandbox(143);
                    r.container("app").state = exited(0, 30, 20);
                },
                "CreateSandbox a #1
                 EnsureImage log:1 IfNotPresent
                 log waits: ContainerCreating",
            ),
            (
                "OnFailure: all had completed",
                |r| {
                    r.restart_policy("OnFailure");
                    r.lose_sandbox(143);
                    r.container("app").state = exited(0, 30, 20);
                    r.container("log").state = exited(0, 30, 20);
                },
                "finished",
            ),
            (
                "OnFailure: one that ended well because it was stopped for the loss has not completed",
                |r| {
                    r.restart_policy("OnFailure");
                    r.lose_sandbox(0);
                    r.container("app").state = exited(0, 30, 20);
                },
                "CreateSandbox a #1
                 EnsureImage log:1 IfNotPresent
                 log waits: ContainerCreating",
            ),
            (
                "OnFailure: the old sandbox, which tells so, is kept until that one runs again",
                |r| {
                    r.restart_policy("OnFailure");
                    r.lose_sandbox(0);
                    r.container("app").state = exited(0, 30, 20);
                    r.know(&["log:1"]);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                },
                "CreateContainer a log #1 in a-sb1, no back-off
                 log waits: ContainerCreating",
            ),
            (
                "OnFailure: then it goes",
                |r| {
                    r.restart_policy("OnFailure");
                    r.lose_sandbox(0);
                    r.container("app").state = exited(0, 30, 20);
                    let pod = resolve(&r.written);
                    r.incarnation().sandboxes.insert(0, sandbox_of(&pod, 1, running(1)));
                    let again = instance(&pod, "log", 1, running(0));
                    r.add(ContainerStatus { sandbox_id: "a-sb1".into(), ..again });
                },
                "RemoveSandbox a a-sb0, volumes: Keep",
            ),
        ],
    );
}
