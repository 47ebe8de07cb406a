//! The node goes down: processes end, and all else stays.

use super::*;

#[test]
fn a_node_shutdown_ends_processes_and_keeps_all_else() {
    let mut round = Round::running(two_apps());
    round.desired = Some(Desired::Stop { grace: Duration::from_secs(20) });
    check(
        &round,
        &[
            (
                "nobody has more grace than the shutdown leaves",
                |_| {},
                "StopContainer app app-0, 20s, NodeShutdown
                 StopContainer log log-0, 20s, NodeShutdown",
            ),
            (
                "who needs less has less",
                |r| {
                    r.written.spec.as_mut().unwrap().termination_grace_period_seconds = Some(7);
                    r.incarnation().applied = AppliedPod::Known(resolve(&r.written));
                },
                "StopContainer app app-0, 7s, NodeShutdown
                 StopContainer log log-0, 7s, NodeShutdown",
            ),
            (
                "preStop comes first, within what the shutdown leaves",
                |r| {
                    let hook: api::Lifecycle = serde_yaml::from_str("preStop: {exec: {command: [bye]}}").unwrap();
                    r.edit("app").lifecycle = Some(hook);
                    r.incarnation().applied = AppliedPod::Known(resolve(&r.written));
                },
                "RunPreStop app app-0
                 StopContainer log log-0, 20s, NodeShutdown
                 ends app-0 +20s, NodeShutdown
                 wake +20s",
            ),
            (
                "one has ended and is not started again",
                |r| {
                    r.container("app").state = exited(0, 60, 1);
                    r.begin(stop("log-0", "log"));
                },
                "StopContainer log log-0, 20s, NodeShutdown
                 ends log-0 +20s, DefinitionChanged",
            ),
            (
                "all have ended: the sandbox stops, the records stay",
                |r| {
                    r.container("app").state = exited(0, 60, 1);
                    r.container("log").state = exited(137, 60, 1);
                },
                "StopSandbox a-sb0",
            ),
            (
                "nothing runs: nothing is done, however long it takes until the machine is off",
                |r| {
                    r.container("app").state = exited(0, 60, 1);
                    r.container("log").state = exited(137, 60, 1);
                    r.lose_sandbox(0);
                },
                "",
            ),
        ],
    );
}

/// Its containers began to end so long ago, and now the node goes down.
fn ends_since(round: &mut Round, ago: u64, grace: u64) {
    round.removed(ago);
    round.terminating.clear();
    round.desired = Some(Desired::Stop { grace: seconds(grace) });
}

#[test]
fn sidecars_share_the_grace_that_a_node_shutdown_leaves() {
    let mut round = Round::running(with_init());
    round.desired = Some(Desired::Stop { grace: Duration::from_secs(20) });
    check(
        &round,
        &[
            (
                "one deadline for all",
                |_| {},
                "StopContainer app app-0, 20s, NodeShutdown
                 ends mesh-0 +20s, NodeShutdown
                 ends tail-0 +20s, NodeShutdown
                 wake +20s",
            ),
            (
                "an end was under way: it comes no later than it would have, nor than the shutdown leaves",
                |r| {
                    ends_since(r, 10, 8);
                    r.begin(stop("app-0", "app"));
                },
                "StopContainer app app-0, 8s, NodeShutdown
                 ends app-0 +8s, PodRemoved
                 ends mesh-0 +8s, PodRemoved
                 ends tail-0 +8s, PodRemoved
                 wake +8s",
            ),
            (
                "the app has ended: the last sidecar has what is left, and not the whole grace again",
                |r| {
                    ends_since(r, 25, 20);
                    r.container("app").state = exited(0, 60, 0);
                },
                "StopContainer tail tail-0, 5s, NodeShutdown
                 wake +5s",
            ),
            (
                "the time is over: all sidecars at once",
                |r| {
                    ends_since(r, 30, 20);
                    r.begin(stop("app-0", "app"));
                },
                "StopContainer tail tail-0, 2s, NodeShutdown
                 StopContainer mesh mesh-0, 2s, NodeShutdown",
            ),
        ],
    );
}
