//! `activeDeadlineSeconds`; every pod of these tables began 60 s ago.

use super::*;

fn deadline(round: &mut Round, seconds: i64) {
    round.spec().active_deadline_seconds = Some(seconds);
}

/// The pod is a Job's.
fn of_job(round: &mut Round) {
    let owner = r#"[{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "j", "controller": true}]"#;
    round.written.metadata.owner_references = serde_json::from_str(owner).unwrap();
    round.restart_policy("OnFailure");
}

#[test]
fn a_deadline() {
    let mut round = Round::running(two_apps());
    round.know(&["app:1", "log:1"]);
    check(
        &round,
        &[
            ("it lies ahead: the plan is made anew then", |r| deadline(r, 100), "wake +40s"),
            (
                "it is past: everything ends with its grace, and nothing starts again",
                |r| deadline(r, 60),
                "StopContainer app app-0, 30s, DeadlineExceeded
                 StopContainer log log-0, 30s, DeadlineExceeded
                 finished
                 deadline exceeded",
            ),
            (
                "all has ended for it: the sandbox ends too",
                |r| {
                    deadline(r, 50);
                    r.container("app").state = exited(143, 50, 5);
                    r.container("log").state = exited(0, 50, 5);
                },
                "StopSandbox a-sb0
                 finished
                 deadline exceeded",
            ),
            (
                "what reports success only after its deadline has not met it",
                |r| {
                    r.restart_policy("Never");
                    deadline(r, 50);
                    r.container("app").state = exited(0, 50, 5);
                    r.container("log").state = exited(0, 50, 5);
                },
                "StopSandbox a-sb0
                 finished
                 deadline exceeded",
            ),
            (
                "a Job that is done stays so, though its deadline is an earlier one now",
                |r| {
                    of_job(r);
                    deadline(r, 50);
                    r.container("app").state = exited(0, 50, 5);
                    r.container("log").state = exited(0, 50, 5);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "a Job that was ended for it has failed, though it is a later one now",
                |r| {
                    of_job(r);
                    deadline(r, 3600);
                    r.ends("app-0", ago(5), StopReason::DeadlineExceeded);
                    r.container("app").state = exited(143, 50, 5);
                    r.container("log").state = exited(0, 50, 5);
                },
                "StopSandbox a-sb0
                 finished
                 deadline exceeded",
            ),
            (
                "what was done in time has met it",
                |r| {
                    r.restart_policy("Never");
                    deadline(r, 50);
                    r.container("app").state = exited(0, 5, 45);
                    r.container("log").state = exited(1, 5, 45);
                },
                "StopSandbox a-sb0
                 finished",
            ),
            (
                "done before it: nothing is waited for",
                |r| {
                    r.restart_policy("Never");
                    deadline(r, 100);
                    r.container("app").state = exited(0, 5, 45);
                    r.container("log").state = exited(1, 5, 45);
                    r.sandbox().state = exited(0, 5, 44);
                },
                "finished",
            ),
            (
                "it counts from the first sandbox, not from the present one",
                |r| {
                    deadline(r, 3600);
                    r.sandbox().pod_start.at = ago(3600);
                    r.lose_sandbox(137);
                },
                "finished
                 deadline exceeded",
            ),
            (
                "it passes while the image is waited for",
                |r| {
                    deadline(r, 60);
                    r.images.clear();
                    r.forget("app");
                    r.forget("log");
                },
                "StopSandbox a-sb0
                 finished
                 deadline exceeded",
            ),
            (
                "it was longer when the pod began, and is edited",
                |r| {
                    let mut applied = r.written.clone();
                    applied.spec.as_mut().unwrap().active_deadline_seconds = Some(3600);
                    r.incarnation().applied = AppliedPod::Known(resolve(&applied));
                    deadline(r, 70);
                },
                "wake +10s",
            ),
        ],
    );
}
