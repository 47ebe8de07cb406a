//! Probes, lifecycle hooks, and ends that have begun.

use super::*;
use crate::pod::{ProbeKind, ProbeVerdict};

/// Apps `app`, with every probe and hook there is, and `log`.
fn asked() -> api::Pod {
    let spec = "
        containers:
        - name: app
          image: 'app:1'
          startupProbe: {exec: {command: [up]}}
          livenessProbe: {exec: {command: [alive]}, terminationGracePeriodSeconds: 5}
          readinessProbe: {exec: {command: [ready]}}
          lifecycle: {postStart: {exec: {command: [hello]}}, preStop: {exec: {command: [bye]}}}
        - {name: log, image: 'log:1'}";
    manifest("asked", spec)
}

/// As [`asked`], as a sidecar before `log`.
fn asked_sidecar() -> api::Pod {
    let spec = "
        initContainers:
        - name: mesh
          image: 'mesh:1'
          restartPolicy: Always
          startupProbe: {exec: {command: [up]}}
          lifecycle: {postStart: {exec: {command: [hello]}}, preStop: {exec: {command: [bye]}}}
        containers:
        - {name: log, image: 'log:1'}";
    manifest("asked-sidecar", spec)
}

fn verdict(round: &mut Round, id: &str, kind: ProbeKind, verdict: ProbeVerdict) {
    round.probes.insert((id.into(), kind), verdict);
}

fn started(round: &mut Round) {
    verdict(round, "app-0", ProbeKind::Startup, ProbeVerdict::Success);
}

#[test]
fn what_is_asked_and_what_follows() {
    check(
        &Round::running(asked()),
        &[
            ("startup comes first; one that ran before us has no postStart due", |_| {}, "probe app-0 Startup"),
            ("then the others", started, "probe app-0 Liveness\nprobe app-0 Readiness"),
            (
                "a failed startup acts at once, with preStop in the pod's grace",
                |r| verdict(r, "app-0", ProbeKind::Startup, ProbeVerdict::Failure),
                "RunPreStop app app-0
                 ends app-0 +30s, FailedProbe { kind: Startup, of: App, then: Restart }
                 wake +30s",
            ),
            (
                "failed liveness, with the probe's own grace; readiness is still asked",
                |r| {
                    started(r);
                    verdict(r, "app-0", ProbeKind::Liveness, ProbeVerdict::Failure);
                },
                "RunPreStop app app-0
                 ends app-0 +5s, FailedProbe { kind: Liveness, of: App, then: Restart }
                 probe app-0 Readiness
                 wake +5s",
            ),
            (
                "under Never it ends all the same",
                |r| {
                    r.restart_policy("Never");
                    started(r);
                    verdict(r, "app-0", ProbeKind::Liveness, ProbeVerdict::Failure);
                },
                "RunPreStop app app-0
                 ends app-0 +5s, FailedProbe { kind: Liveness, of: App, then: Nothing }
                 probe app-0 Readiness
                 wake +5s",
            ),
            (
                "failed readiness ends nothing",
                |r| {
                    started(r);
                    verdict(r, "app-0", ProbeKind::Readiness, ProbeVerdict::Failure);
                },
                "probe app-0 Liveness\nprobe app-0 Readiness",
            ),
            (
                "what waits for the image of its edit is not ended: it could not be had again",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.fail(Target::Image("app:2".into()), 1, 5, "ErrImagePull");
                    started(r);
                    verdict(r, "app-0", ProbeKind::Liveness, ProbeVerdict::Failure);
                },
                "app waits: ErrImagePull until +5s
                 probe app-0 Readiness
                 wake +5s",
            ),
            (
                "nothing but readiness is asked of a pod that ends",
                |r| {
                    started(r);
                    r.removed(0);
                },
                "RunPreStop app app-0
                 StopContainer log log-0, 30s, PodRemoved
                 terminating a
                 probe app-0 Readiness
                 wake +30s",
            ),
        ],
    );
}

#[test]
fn what_was_ended_for_a_failed_probe_has_not_completed() {
    let ended_well = |r: &mut Round, policy| {
        r.restart_policy(policy);
        r.know(&["app:1"]);
        let then = Then::Restart;
        r.ends("app-0", ago(1), StopReason::FailedProbe { kind: ProbeKind::Liveness, of: ContainerKind::App, then });
        r.endings.get_mut(&ContainerId::new("app-0")).unwrap().progress = EndingProgress::Over;
        r.container("app").state = exited(0, 60, 1);
    };
    let mut on_failure = Round::running(asked());
    ended_well(&mut on_failure, "OnFailure");
    let mut never = Round::running(asked());
    ended_well(&mut never, "Never");
    let again = "CreateContainer a app #1 in a-sb0, back-off 0ns\napp waits: ContainerCreating";
    check(&on_failure, &[("OnFailure, though its exit code is 0", |_| {}, again)]);
    check(&never, &[("Never", |_| {}, "")]);
    check(
        &on_failure,
        &[(
            "somebody has started it by hand: that is another life",
            |r| r.container("app").state = running(1),
            "probe app-0 Startup",
        )],
    );
}

#[test]
fn post_start() {
    let mut round = Round::running(asked());
    round.forget("log");
    round.know(&["log:1"]);
    round.hooks.insert("app-0".into(), HookState::PostStartDue);
    let next = "CreateContainer a log #0 in a-sb0, no back-off\nlog waits: ContainerCreating\nprobe app-0 Startup";
    check(
        &round,
        &[
            (
                "those after it wait, and nothing is asked of it",
                |_| {},
                "RunPostStart app app-0
                 log waits: ContainerCreating",
            ),
            (
                "it is running",
                |r| r.begin(PodAction::RunPostStart { id: "app-0".into(), name: "app".into() }),
                "log waits: ContainerCreating",
            ),
            (
                "an edit waits for its image: it goes on, and those after it wait all the same",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.begin(PodAction::RunPostStart { id: "app-0".into(), name: "app".into() });
                },
                "EnsureImage app:2 IfNotPresent
                 app waits: ContainerCreating
                 log waits: ContainerCreating",
            ),
            (
                "an edit whose image is here ends it",
                |r| {
                    r.edit("app").image = Some("app:2".into());
                    r.know(&["app:2"]);
                },
                "RunPreStop app app-0
                 CreateContainer a log #0 in a-sb0, no back-off
                 log waits: ContainerCreating
                 ends app-0 +30s, DefinitionChanged
                 wake +30s",
            ),
            (
                "it hangs: removal does not wait for it",
                |r| {
                    r.begin(PodAction::RunPostStart { id: "app-0".into(), name: "app".into() });
                    r.removed(0);
                },
                "RunPreStop app app-0
                 terminating a
                 wake +30s",
            ),
        ],
    );
    round.hooks.clear();
    check(&round, &[("it has ended", |_| {}, next)]);
    round.hooks.insert("app-0".into(), HookState::PostStartFailed);
    let failed = "RunPreStop app app-0\nCreateContainer a log #0 in a-sb0, no back-off\nlog waits: ContainerCreating\n\
                  ends app-0 +30s, FailedPostStartHook\nwake +30s";
    check(&round, &[("it failed: it is ended, and holds back nobody", |_| {}, failed)]);
}

#[test]
fn pre_stop_and_the_signal_share_one_grace() {
    let mut round = Round::running(asked());
    round.removed(10);
    round.incarnation().containers.retain(|c| c.name.as_str() == "app");
    check(
        &round,
        &[
            (
                "our daemon was killed meanwhile: it is run again, in what is left",
                |_| {},
                "RunPreStop app app-0\nterminating a\nwake +20s",
            ),
            (
                "it is running",
                |r| r.begin(PodAction::RunPreStop { id: "app-0".into(), name: "app".into() }),
                "terminating a\nwake +20s",
            ),
            (
                "it has ended, well or not: the signal, and the rest of the grace",
                |r| {
                    r.hooks.insert("app-0".into(), HookState::PreStopDone);
                },
                "StopContainer app app-0, 20s, PodRemoved\nterminating a",
            ),
            (
                "it has used the grace up: it is given up, and two seconds are left",
                |r| {
                    r.begin(PodAction::RunPreStop { id: "app-0".into(), name: "app".into() });
                    r.doomed("a", 30);
                },
                "StopContainer app app-0, 2s, PodRemoved\nterminating a",
            ),
            (
                "what ended by itself runs none",
                |r| r.container("app").state = exited(1, 60, 1),
                "RemoveContainer app app-0\nStopSandbox a-sb0\nterminating a",
            ),
            (
                "less grace while it is being stopped: it is asked again",
                |r| {
                    r.begin(stop("app-0", "app"));
                    r.desired = Some(Desired::Stop { grace: seconds(4) });
                    r.terminating.clear();
                },
                "StopContainer app app-0, 4s, NodeShutdown\nends app-0 +4s, PodRemoved",
            ),
        ],
    );
}

#[test]
fn sidecars_are_started_when_they_say_so_and_run_pre_stop_at_once() {
    let mut round = Round::running(asked_sidecar());
    round.know(&["log:1"]);
    check(
        &round,
        &[
            (
                "the app waits for the startup probe",
                |r| r.forget("log"),
                "log waits: PodInitializing
                 probe mesh-0 Startup",
            ),
            (
                "and for postStart before that",
                |r| {
                    r.forget("log");
                    r.hooks.insert("mesh-0".into(), HookState::PostStartDue);
                },
                "RunPostStart mesh mesh-0
                 log waits: PodInitializing",
            ),
            (
                "then it starts",
                |r| {
                    r.forget("log");
                    verdict(r, "mesh-0", ProbeKind::Startup, ProbeVerdict::Success);
                },
                "CreateContainer a log #0 in a-sb0, no back-off
                 log waits: PodInitializing",
            ),
            (
                "one that fails its probe ends alone, and comes back though the pod's policy is Never",
                |r| {
                    r.restart_policy("Never");
                    verdict(r, "mesh-0", ProbeKind::Startup, ProbeVerdict::Failure);
                },
                "RunPreStop mesh mesh-0
                 ends mesh-0 +30s, FailedProbe { kind: Startup, of: Sidecar, then: Restart }
                 wake +30s",
            ),
            (
                "an end begins with its preStop, its signal waits",
                |r| r.desired = Some(remove()),
                "StopContainer log log-0, 30s, PodRemoved
                 RunPreStop mesh mesh-0
                 terminating a
                 ends mesh-0 +30s, PodRemoved
                 wake +30s",
            ),
            (
                "its preStop has ended, the app has not",
                |r| {
                    r.removed(10);
                    r.begin(stop("log-0", "log"));
                    r.hooks.insert("mesh-0".into(), HookState::PreStopDone);
                },
                "terminating a
                 wake +20s",
            ),
        ],
    );
}
