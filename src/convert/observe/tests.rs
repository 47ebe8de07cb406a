//! Bodies made here, read back as the engine would show them.

use super::*;
use crate::{
    convert::{
        SandboxFacts, container_body, sandbox_body,
        testing::{STARTED, details, found, image, node, pod, pod_of, resolv_conf, sandbox_id},
    },
    engine::{ContainerSummary, EngineState},
    pod::{Attempt, ContainerName, History, hash::SpecHash},
};

const SPEC: &str =
    "terminationGracePeriodSeconds: 7\ncontainers: [{name: web, image: 'web:1'}, {name: log, image: 'log:1'}]";

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_700_000_000 + second).expect("time")
}

/// Timestamps of a clock made long before.
fn timestamp_of(time: jiff::Timestamp) -> Timestamp {
    let since = time.as_second() - 1_600_000_000;
    Timestamp::from_duration(Duration::from_secs(u64::try_from(since).unwrap_or(0)))
}

fn instance() -> InstanceId {
    node().instance
}

fn sandbox_details(pod: &Pod, attempt: u32, state: EngineState) -> ContainerDetails {
    let body = sandbox_body(pod, Attempt(attempt), STARTED, &resolv_conf(), &node()).expect("body");
    let id = format!("sandbox-{attempt}");
    ContainerDetails { started_at: Some(at(0)), ..details(&id, &body, state) }
}

fn container_details(pod: &Pod, name: &str, attempt: u32, state: EngineState) -> ContainerDetails {
    let container = pod.container(&ContainerName::new(name)).expect("container");
    let facts = SandboxFacts { id: &sandbox_id(), ips: &[] };
    let backoff = Some(Duration::from_secs(10));
    let body = container_body(
        pod,
        container,
        &found(&facts, &image()),
        &History { attempt: Attempt(attempt), backoff, round: 1 },
        &node(),
    )
    .expect("body");
    let id = format!("{name}-{attempt}");
    ContainerDetails { started_at: Some(at(0)), ..details(&id, &body, state) }
}

fn observed(details: &ContainerDetails) -> Observed {
    observe(details, &instance(), &timestamp_of).expect("ours")
}

fn status(details: &ContainerDetails) -> ContainerStatus {
    match observed(details) {
        Observed::Container { status, .. } => *status,
        other => panic!("not a container: {other:?}"),
    }
}

#[test]
fn a_sandbox_reads_back_as_it_was_made() {
    let pod = pod(SPEC);
    let mut details = sandbox_details(&pod, 3, EngineState::Running);
    details.ips = vec!["172.17.0.9".parse().expect("ip")];
    assert_eq!(
        observed(&details),
        Observed::Sandbox {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            sandbox: Sandbox {
                id: ContainerId::new("sandbox-3"),
                attempt: Attempt(3),
                hash: Some(pod.sandbox_hash.clone()),
                pod_start: PodStart { wall: Some(STARTED), at: timestamp_of(STARTED) },
                state: ContainerState::Running { started_at: timestamp_of(at(0)) },
                ips: details.ips.clone(),
                record: Arc::new(Record {
                    started_at: Some(at(0)),
                    image_id: "sha256:pause".into(),
                    ..Record::default()
                }),
            },
            applied: AppliedPod::Known(Arc::new(pod)),
        }
    );
}

#[test]
fn a_container_reads_back_as_it_was_made() {
    let pod = pod(SPEC);
    let details = container_details(&pod, "web", 2, EngineState::Running);
    let written = pod.written.spec.as_ref().map(|s| s.containers[0].clone()).expect("spec");
    assert_eq!(
        observed(&details),
        Observed::Container {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            status: Box::new(ContainerStatus {
                id: ContainerId::new("web-2"),
                name: ContainerName::new("web"),
                kind: ContainerKind::App,
                attempt: Attempt(2),
                sandbox_id: sandbox_id(),
                hash: Some(pod.containers[0].hash.clone()),
                backoff: Some(Duration::from_secs(10)),
                round: 1,
                environment: None,
                grace: Some(Duration::from_secs(7)),
                has_pre_stop: false,
                state: ContainerState::Running { started_at: timestamp_of(at(0)) },
                record: Arc::new(Record {
                    started_at: Some(at(0)),
                    image: "web:1".into(),
                    image_id: "sha256:image".into(),
                    ..Record::default()
                }),
            }),
            written: Ok(Box::new(written)),
        }
    );
}

#[test]
fn states_of_a_container() {
    let exited = |code, reason, ran_for, finished| ContainerState::Exited {
        code,
        reason,
        ran_for: Duration::from_secs(ran_for),
        finished_at: finished,
    };
    type Edit = fn(&mut ContainerDetails);
    let cases: [(&str, Edit, ContainerState); 17] = [
        ("made", |d| d.state = EngineState::Created, ContainerState::Created),
        (
            "failed start",
            |d| (d.state, d.exit_code, d.error) = (EngineState::Created, 127, "no such file".into()),
            exited(127, ExitReason::ContainerCannotRun, 0, timestamp_of(at(-5))),
        ),
        (
            "failed start without a code",
            |d| (d.state, d.error) = (EngineState::Created, "refused".into()),
            exited(0, ExitReason::ContainerCannotRun, 0, timestamp_of(at(-5))),
        ),
        ("running", |d| d.state = EngineState::Running, ContainerState::Running { started_at: timestamp_of(at(0)) }),
        ("done", |_| {}, exited(0, ExitReason::Completed, 30, timestamp_of(at(30)))),
        ("failed", |d| d.exit_code = 3, exited(3, ExitReason::Error, 30, timestamp_of(at(30)))),
        (
            "out of memory",
            |d| (d.exit_code, d.oom_killed) = (137, true),
            exited(137, ExitReason::OomKilled, 30, timestamp_of(at(30))),
        ),
        (
            "out of memory, and yet 0",
            |d| d.oom_killed = true,
            exited(0, ExitReason::OomKilled, 30, timestamp_of(at(30))),
        ),
        (
            "clock went back",
            |d| d.finished_at = Some(at(-9)),
            exited(0, ExitReason::Completed, 0, timestamp_of(at(-9))),
        ),
        (
            "exited, never started",
            |d| (d.started_at, d.exit_code) = (None, 128),
            exited(128, ExitReason::ContainerCannotRun, 0, timestamp_of(at(30))),
        ),
        (
            "no times at all",
            |d| (d.started_at, d.finished_at, d.created_at) = (None, None, None),
            exited(0, ExitReason::ContainerCannotRun, 0, Timestamp::default()),
        ),
        ("paused", |d| d.state = EngineState::Paused, ContainerState::Running { started_at: timestamp_of(at(0)) }),
        (
            "dead: it ended, and then could not be removed",
            |d| d.state = EngineState::Dead,
            exited(0, ExitReason::Completed, 30, timestamp_of(at(30))),
        ),
        (
            "being removed: it ended before",
            |d| (d.state, d.exit_code) = (EngineState::Removing, 137),
            exited(137, ExitReason::Error, 30, timestamp_of(at(30))),
        ),
        (
            "dead, never started",
            |d| (d.state, d.started_at) = (EngineState::Dead, None),
            exited(0, ExitReason::ContainerCannotRun, 0, timestamp_of(at(30))),
        ),
        ("restarted by a policy of the operator's", |d| d.state = EngineState::Restarting, ContainerState::Unknown),
        ("odd", |d| d.state = EngineState::Other, ContainerState::Unknown),
    ];
    let mut base = container_details(&pod(SPEC), "web", 0, EngineState::Exited);
    base.created_at = Some(at(-5));
    base.finished_at = Some(at(30));
    for (name, edit, state) in cases {
        let mut details = base.clone();
        edit(&mut details);
        assert_eq!(status(&details).state, state, "{name}");
    }
}

#[test]
fn a_sandbox_that_failed_to_start_is_still_to_be_started() {
    let mut details = sandbox_details(&pod(SPEC), 0, EngineState::Created);
    details.error = "port is already allocated".into();
    details.exit_code = 128;
    let Observed::Sandbox { sandbox, .. } = observed(&details) else { panic!("not a sandbox") };
    assert_eq!(sandbox.state, ContainerState::Created);
}

#[test]
fn an_error_that_may_name_a_secret_is_kept_back() {
    let of = |command: &str| {
        let env = "env: [{name: P, valueFrom: {secretKeyRef: {name: s, key: p, optional: true}}}]";
        let pod = pod(&format!("containers: [{{name: web, image: 'web:1', command: ['{command}'], {env}}}]"));
        let mut details = container_details(&pod, "web", 0, EngineState::Created);
        details.error = "no such file".into();
        details
    };
    let error = |details: &ContainerDetails| status(details).record.error.clone();
    assert_eq!(error(&of("/bin/web")), "no such file");
    assert_eq!(error(&of("/bin/$(P)")), KEPT_BACK);
    let mut unreadable = of("/bin/web");
    unreadable.labels.insert("io.kubelet-lite.container".into(), "{".into());
    assert_eq!(error(&unreadable), KEPT_BACK);
    unreadable.error.clear();
    assert_eq!(error(&unreadable), "");
}

#[test]
fn only_what_this_instance_made_is_ours() {
    let pod = pod(SPEC);
    let ours = container_details(&pod, "web", 0, EngineState::Running);
    let other = InstanceId::from_root_dir(std::path::Path::new("/srv/other"));
    assert_eq!(observe(&ours, &other, &timestamp_of), None);
    assert_eq!(labels::pod_identity(&ours.labels, &other), None);
    assert_eq!(labels::pod_identity(&ours.labels, &instance()), Some((pod.key.clone(), pod.uid.clone())));

    let mut unmarked = ours.clone();
    unmarked.labels.remove(labels::MANAGED_BY);
    assert_eq!(observe(&unmarked, &instance(), &timestamp_of), None);

    let row = |details: &ContainerDetails| ContainerSummary {
        id: details.id.clone(),
        name: details.name.clone(),
        labels: details.labels.clone(),
        state: details.state,
        network_mode: details.network_mode.clone(),
        ips: details.ips.clone(),
    };
    let identity = Some((pod.key.clone(), pod.uid.clone()));
    assert_eq!(listed_identity(&row(&ours), &instance()), identity);
    assert_eq!(listed_identity(&row(&sandbox_details(&pod, 0, EngineState::Running)), &instance()), identity);
    assert_eq!(listed_identity(&row(&unmarked), &instance()), None);

    // `docker commit` of ours, then `docker run` of the image: all labels, another network.
    for mode in ["bridge", "default", "host", "", "container:another"] {
        let mut committed = ours.clone();
        committed.network_mode = mode.into();
        assert_eq!(observe(&committed, &instance(), &timestamp_of), None, "{mode}");
        assert_eq!(listed_identity(&row(&committed), &instance()), None, "{mode}");
        committed.labels.insert("io.kubelet-lite.schema".into(), "99".into());
        assert_eq!(observe(&committed, &instance(), &timestamp_of), None, "{mode}");
    }

    let mut nameless = ours;
    nameless.labels.remove("io.kubernetes.pod.uid");
    let expected = Observed::Unreadable { id: ContainerId::new("web-0"), name: "web-0".into() };
    assert_eq!(observe(&nameless, &instance(), &timestamp_of), Some(expected));
}

#[test]
fn labels_that_can_not_be_read_make_the_incarnation_unreadable() {
    let pod = pod(SPEC);
    let edits: [(&str, &str, &str); 6] = [
        ("io.kubelet-lite.schema", "2", "label io.kubelet-lite.schema is \"2\""),
        ("io.kubelet-lite.attempt", "-1", "label io.kubelet-lite.attempt is \"-1\""),
        ("io.kubelet-lite.kind", "ephemeral", "label io.kubelet-lite.kind is \"ephemeral\""),
        ("io.kubelet-lite.container", "{", "label io.kubelet-lite.container is \"unreadable\""),
        ("io.kubelet-lite.backoff", "soon", "label io.kubelet-lite.backoff is \"soon\""),
        ("io.kubelet-lite.restart-all-count", "-1", "label io.kubelet-lite.restart-all-count is \"-1\""),
    ];
    for (key, value, message) in edits {
        let mut container = container_details(&pod, "web", 4, EngineState::Running);
        container.labels.insert(key.into(), value.into());
        let all = [sandbox_details(&pod, 0, EngineState::Running), container];
        let pods = assemble(all.iter().map(observed));
        let incarnation = &pods[&pod.key].incarnations[0];
        let AppliedPod::Unreadable(why) = &incarnation.applied else { panic!("{key} was read") };
        assert!(why.contains(message) && why.starts_with("container web: "), "{why}");
        assert_eq!(incarnation.containers[0].name, ContainerName::new("web"));
        assert_eq!(incarnation.containers[0].grace, None);
    }
    for (key, value) in
        [("io.kubelet-lite.pod", "{\"spec\":1}"), ("io.kubelet-lite.source", "x"), ("io.kubelet-lite.schema", "")]
    {
        let mut sandbox = sandbox_details(&pod, 2, EngineState::Running);
        sandbox.labels.insert(key.into(), value.into());
        let pods = assemble([observed(&sandbox)]);
        let incarnation = &pods[&pod.key].incarnations[0];
        assert!(matches!(&incarnation.applied, AppliedPod::Unreadable(why) if why.contains(key)), "{incarnation:?}");
        // What is needed to end it in order is still there.
        assert!(incarnation.sandboxes[0].state.is_running());
    }
}

#[test]
fn an_unknown_hash_version_counts_as_unchanged() {
    let mut details = container_details(&pod(SPEC), "web", 0, EngineState::Running);
    details.labels.insert("io.kubelet-lite.spec-hash".into(), "v9:00000000000000000000000000000000".into());
    assert_eq!(status(&details).hash, None::<SpecHash>);
}

#[test]
fn newest_attempts_come_first() {
    let pod = pod(SPEC);
    let all = [
        container_details(&pod, "web", 0, EngineState::Exited),
        sandbox_details(&pod, 0, EngineState::Exited),
        container_details(&pod, "web", 10, EngineState::Running),
        container_details(&pod, "log", 1, EngineState::Running),
        sandbox_details(&pod, 1, EngineState::Running),
        container_details(&pod, "web", 9, EngineState::Exited),
    ];
    let pods = assemble(all.iter().map(observed));
    let incarnation = &pods[&pod.key].incarnations[0];
    let ids: Vec<&str> = incarnation.containers.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["log-1", "web-10", "web-9", "web-0"]);
    assert_eq!(incarnation.sandboxes.iter().map(|s| s.attempt.0).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn an_edited_container_lies_over_the_sandbox_it_joined() {
    let old = pod(SPEC);
    let new = pod(
        "terminationGracePeriodSeconds: 7\ncontainers: [{name: web, image: 'web:2'}, {name: log, image: 'log:1'}, {name: extra, image: 'x:1'}]",
    );
    let all = [
        sandbox_details(&old, 0, EngineState::Running),
        container_details(&old, "web", 0, EngineState::Exited),
        container_details(&new, "web", 1, EngineState::Running),
        container_details(&old, "log", 0, EngineState::Running),
        container_details(&new, "extra", 0, EngineState::Running),
    ];
    let pods = assemble(all.iter().map(observed));
    let AppliedPod::Known(applied) = &pods[&old.key].incarnations[0].applied else { panic!("unreadable") };
    assert_eq!(**applied, new);
}

#[test]
fn two_uids_are_two_incarnations() {
    let a =
        pod_of("{apiVersion: v1, kind: Pod, metadata: {name: web, uid: a}, spec: {containers: [{name: c, image: i}]}}");
    let b =
        pod_of("{apiVersion: v1, kind: Pod, metadata: {name: web, uid: b}, spec: {containers: [{name: c, image: i}]}}");
    let all = [sandbox_details(&b, 0, EngineState::Running), sandbox_details(&a, 0, EngineState::Exited)];
    let pods = assemble(all.iter().map(observed));
    assert_eq!(pods.len(), 1);
    let uids: Vec<&str> = pods[&a.key].incarnations.iter().map(|i| i.uid.as_str()).collect();
    assert_eq!(uids, ["a", "b"]);
}

#[test]
fn containers_without_their_sandbox_are_an_unreadable_incarnation() {
    let pod = pod(SPEC);
    let pods = assemble([observed(&container_details(&pod, "web", 0, EngineState::Running))]);
    let incarnation = &pods[&pod.key].incarnations[0];
    assert!(matches!(&incarnation.applied, AppliedPod::Unreadable(why) if why.contains("sandbox")));
    assert_eq!(incarnation.containers[0].grace, Some(Duration::from_secs(7)));
}
