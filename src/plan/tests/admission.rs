//! A pod of which nothing runs starts only on a node that it fits, after those it comes after; and a pod
//! that may fail a limited number of times.

use super::*;
use crate::{
    plan::SameUid,
    pod::{HostPort, PortTaken, standing::ANNOTATION_BACKOFF_LIMIT},
};

fn elsewhere(round: &mut Round) {
    round.spec().node_selector = Some([("disk".to_owned(), "ssd".to_owned())].into());
}

fn after_other(round: &mut Round) {
    round.hold.after = [PodKey::new("default", "db-n1")].into();
}

fn port_taken(round: &mut Round) {
    let port = HostPort { port: 80, protocol: "TCP".into(), ip: None };
    round.hold.port = Some(PortTaken { port, by: PodKey::new("default", "other-n1") });
}

fn same_uid(round: &mut Round) {
    round.hold.uid = Some(SameUid { other: PodKey::new("default", "old-n1"), is_mutual: false });
}

#[test]
fn nothing_is_begun_for_a_pod_that_is_held_back() {
    check(
        &Round::nothing(one_app()),
        &[
            ("the node does not fit", elsewhere, "app waits: NodeAffinity"),
            (
                "the node fits",
                |r| {
                    elsewhere(r);
                    let mut node = NodeRules::default();
                    node.labels.insert("disk".into(), "ssd".into());
                    r.policy.node = Arc::new(node);
                },
                "CreateSandbox a #0
                 EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
            ("another pod is not ready", after_other, "app waits: StartAfter default/db-n1"),
            ("another pod has its port", port_taken, "app waits: NodePorts"),
            ("it was renamed under a given uid", same_uid, "app waits: SameUid default/old-n1"),
            (
                "the sandbox is being made already",
                |r| {
                    after_other(r);
                    r.begin(PodAction::CreateSandbox { uid: PodUid::new("a"), attempt: Attempt::default() });
                },
                "EnsureImage app:1 IfNotPresent
                 app waits: ContainerCreating",
            ),
        ],
    );
}

#[test]
fn what_runs_goes_on() {
    check(
        &Round::running(one_app()),
        &[
            ("the node fits no more", elsewhere, ""),
            ("the other pod is ready no more", after_other, ""),
            ("another pod has its port, too", port_taken, ""),
            (
                "a container ended",
                |r| {
                    elsewhere(r);
                    r.know(&["app:1"]);
                    r.container("app").state = exited(1, 60, 0);
                },
                "CreateContainer a app #1 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "after a reboot it is asked again",
                |r| {
                    after_other(r);
                    r.lose_sandbox(255);
                },
                "app waits: StartAfter default/db-n1",
            ),
        ],
    );
}

#[test]
fn the_old_pod_goes_on_while_the_new_one_is_held_back() {
    let mut round = Round::running(one_app());
    round.wanted_uid("b");
    elsewhere(&mut round);
    check(
        &round,
        &[
            ("the old one runs", |_| {}, "app waits: NodeAffinity"),
            ("the old one has ended, and is not in the way", |r| r.lose_sandbox(255), "app waits: NodeAffinity"),
        ],
    );
}

#[test]
fn restarts_are_used_up() {
    let mut round = Round::running(one_app());
    round.restart_policy("OnFailure");
    let annotations = round.written.metadata.annotations.get_or_insert_default();
    annotations.insert(ANNOTATION_BACKOFF_LIMIT.into(), "2".into());
    round.know(&["app:1"]);
    check(
        &round,
        &[
            (
                "one is left",
                |r| {
                    r.container("app").attempt = Attempt(1);
                    r.container("app").state = exited(1, 60, 60);
                },
                "CreateContainer a app #2 in a-sb0, back-off 0ns
                 app waits: ContainerCreating",
            ),
            (
                "none is left",
                |r| {
                    r.container("app").attempt = Attempt(2);
                    r.container("app").state = exited(1, 60, 60);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            ("the last one runs", |r| r.container("app").attempt = Attempt(2), ""),
            (
                "the last one succeeds",
                |r| {
                    r.container("app").attempt = Attempt(2);
                    r.container("app").state = exited(0, 60, 60);
                },
                "StopSandbox a-sb0
                 finished",
            ),
        ],
    );
}
