use super::*;
use crate::{
    event::EventType,
    plan::backoff::Pace,
    pod::{ManifestSource, Node},
    time::Clock,
};
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeSet;

fn pod() -> Pod {
    let written: api::Pod = serde_yaml::from_str(
        "{metadata: {name: web, uid: u1}, spec: {volumes: [{name: v, image: {reference: 'files:1'}}], \
         containers: [{name: app, image: 'app:1', volumeMounts: [{name: v, mountPath: /v}]}, {name: log, image: 'log:1'}]}}",
    )
    .unwrap();
    let source = ManifestSource { path: "/m/web.yaml".into(), document: 0 };
    Pod::from_manifest(written, source, &Node { name: "n1".into() }).unwrap()
}

/// The events of what is said of a pod: type, reason, container, message.
fn told(say: impl FnOnce(&Subject<'_>)) -> Vec<String> {
    let (pod, events) = (pod(), Recorder::new(Clock::system()));
    say(&Subject { events: &events, key: &pod.key, uid: Some(&pod.uid), pod: Some(&pod) });
    let of = |event: crate::event::Event| {
        let kind = if event.kind == EventType::Warning { "Warning" } else { "Normal" };
        let crate::event::Subject::Pod { container, .. } = &event.subject else { panic!("of a pod") };
        let container = container.as_ref().map_or("-", |(name, _)| name.as_str());
        format!("{kind} {} {container}: {}", event.reason, event.message)
    };
    events.events().into_iter().map(of).collect()
}

fn waits(name: &str, reason: WaitingReason) -> PodPlan {
    PodPlan { waiting: [(name.into(), reason)].into(), ..PodPlan::default() }
}

#[test]
fn what_is_said_of_waiting() {
    let (nothing, until) = (PodPlan::default(), Timestamp::default());
    let missing = |reason| WaitingReason::Missing { reason, message: "configmap \"site\" not found".into() };
    for (after, expected) in [
        (
            waits("app", WaitingReason::CrashLoopBackOff { delay: Duration::from_secs(20), until }),
            "Warning BackOff app: Back-off restarting failed container app in pod web-n1_default(u1)",
        ),
        (waits("app", WaitingReason::CrashLoopBackOff { delay: Duration::ZERO, until }), ""),
        (
            waits("log", WaitingReason::Failed { reason: "ErrImagePull", until }),
            "Normal BackOff log: Back-off pulling image \"log:1\"",
        ),
        (waits("log", WaitingReason::Failed { reason: "CreateContainerError", until }), ""),
        (
            waits("app", missing("CreateContainerConfigError")),
            "Warning Failed app: Error: configmap \"site\" not found",
        ),
        (waits("app", missing("FailedMount")), "Warning FailedMount app: configmap \"site\" not found"),
        (waits("app", WaitingReason::ContainerCreating), ""),
        (
            PodPlan { deadline_exceeded: true, finished: true, ..PodPlan::default() },
            "Warning DeadlineExceeded -: Pod was active on the node longer than the specified deadline",
        ),
        (PodPlan { finished: true, ..PodPlan::default() }, ""),
        (
            PodPlan { stale: BTreeSet::from(["app".into()]), ..PodPlan::default() },
            "Warning EnvironmentStale app: Container app runs with an environment from before a ConfigMap, Secret, label \
             or annotation changed; restart it to take the change",
        ),
    ] {
        assert_eq!(told(|subject| subject.waiting(&nothing, &after, &LastResults::new())).join("\n"), expected);
        assert_eq!(told(|subject| subject.waiting(&after, &after, &LastResults::new())), [""; 0], "said once");
    }
    let failure = |image: &str| {
        let pace = Pace::Pull;
        let failed = Failure { failures: 1, pace, at: until, reason: "ErrImagePull", message: "away".into() };
        LastResults::from([(Target::Image(image.into()), failed)])
    };
    let after = waits("app", WaitingReason::Failed { reason: "ErrImagePull", until });
    for image in ["app:1", "files:1"] {
        let said = told(|subject| subject.waiting(&nothing, &after, &failure(image)));
        assert_eq!(said, [format!("Normal BackOff app: Back-off pulling image \"{image}\"")]);
    }
}

#[test]
fn what_is_said_of_failures() {
    let (pace, at) = (Pace::Action, Timestamp::default());
    let failure = |reason| Failure { failures: 1, pace, at, reason, message: "why".into() };
    let own = || Target::Container("u1".into(), "app".into());
    for (target, reason, expected) in [
        (Target::Image("app:1".into()), "ErrImagePull", "Warning Failed app: Failed to pull image \"app:1\": why"),
        (Target::Image("app:1".into()), "ImageInspectError", "Warning InspectFailed app: why"),
        (Target::Image("log:1".into()), "ErrImageNeverPull", "Warning ErrImageNeverPull log: why"),
        (own(), "CreateContainerError", "Warning Failed app: Error: why"),
        (own(), "FailedMount", "Warning FailedMount app: why"),
        (Target::Sandbox("u1".into()), "FailedCreatePodSandBox", "Warning FailedCreatePodSandBox -: why"),
        (Target::Instance("c1".into()), "KillContainerError", "Warning FailedKillPod -: why"),
    ] {
        let said = told(|subject| subject.failed(&target, &failure(reason), Duration::from_secs(1), false));
        assert_eq!(said, [expected]);
    }
}

#[test]
fn what_is_said_of_images_hooks_and_sandboxes() {
    let image = ImageRef::new("app:1");
    let took = Duration::from_millis(1234);
    let hook = |stop| match stop {
        true => PodAction::RunPreStop { id: "c1".into(), name: "app".into() },
        false => PodAction::RunPostStart { id: "c1".into(), name: "app".into() },
    };
    assert_eq!(
        told(|subject| subject.pulled(&image, took, 1024)),
        [
            "Normal Pulled app: Successfully pulled image \"app:1\" in 1.234s (1.234s including waiting). Image size: 1024 bytes."
        ]
    );
    assert_eq!(
        told(|s: &Subject<'_>| s.sandbox_changed()),
        ["Normal SandboxChanged -: Pod sandbox changed, it will be killed and re-created."]
    );
    assert_eq!(
        told(|subject| subject.hook_failed(&hook(false))),
        ["Warning FailedPostStartHook app: PostStartHook failed"]
    );
    assert_eq!(told(|subject| subject.hook_failed(&hook(true))), ["Warning FailedPreStopHook app: PreStopHook failed"]);
    assert_eq!(
        told(|subject| subject.http_fallback(&hook(true))),
        [
            "Warning LifecycleHTTPFallback app: request to HTTPS lifecycle hook got HTTP response, retry with HTTP succeeded"
        ]
    );
}
