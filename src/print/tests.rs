//! The printers, against what kubectl prints.

#![allow(clippy::needless_pass_by_value, reason = "tables of objects read better without references")]

use super::*;
use k8s_openapi::api::core::v1::{Event, Pod};
use serde_json::{Value, json};

fn now() -> jiff::Timestamp {
    "2027-01-15T09:00:00Z".parse().unwrap()
}

#[test]
fn ages() {
    for (seconds, text) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (3599, "59m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_660, "3h31m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (183_600, "2d3h"),
        (691_199, "7d23h"),
        (691_200, "8d"),
        (63_071_999, "729d"),
        (63_072_000, "2y"),
        (66_000_000, "2y33d"),
        (252_288_000, "8y"),
    ] {
        assert_eq!(age(seconds), text, "{seconds}");
    }
}

fn pod(spec: Value, status: Value) -> Pod {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-n1", "namespace": "default", "creationTimestamp": "2027-01-15T08:55:00Z"},
        "spec": spec, "status": status,
    }))
    .unwrap()
}

/// READY, STATUS and RESTARTS of a pod with these apps and init containers (`name` or `name*`, a sidecar).
fn row(init: &[&str], apps: &[&str], status: Value) -> String {
    row_of(&pod(spec(init, apps), status))
}

fn spec(init: &[&str], apps: &[&str]) -> Value {
    let container = |name: &&str| match name.strip_suffix('*') {
        Some(name) => json!({"name": name, "restartPolicy": "Always"}),
        None => json!({"name": name}),
    };
    let list = |names: &[&str]| names.iter().map(container).collect::<Vec<_>>();
    json!({"initContainers": list(init), "containers": list(apps)})
}

fn row_of(pod: &Pod) -> String {
    let row = PodRow::of(pod, now());
    format!("{} {} {}", row.ready, row.status, row.restarts)
}

/// A container status: what it does, how often it was restarted, and when the last one ended.
fn status(name: &str, state: Value, restarts: i32) -> Value {
    let running = state.get("running").is_some();
    let succeeded = state.pointer("/terminated/exitCode") == Some(&json!(0));
    let mut status = json!({
        "name": name, "image": "", "imageID": "", "ready": running || succeeded, "started": running,
        "restartCount": restarts, "state": state,
    });
    if restarts > 0 {
        status["lastState"] = json!({"terminated": {"exitCode": 1, "finishedAt": "2027-01-15T08:59:00Z"}});
    }
    status
}

fn running() -> Value {
    json!({"running": {}})
}

fn waits(reason: &str) -> Value {
    json!({"waiting": {"reason": reason}})
}

fn ended(code: i32, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

#[test]
fn the_status_column() {
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let initialized = json!([{"type": "Initialized", "status": "True"}]);
    for (init, apps, status, expected) in [
        (&[][..], &["a"][..], json!({"phase": "Pending"}), "0/1 Pending 0"),
        (&[], &["a"], json!({"phase": "Failed", "reason": "Evicted"}), "0/1 Evicted 0"),
        (
            &[],
            &["a"],
            json!({"phase": "Pending", "containerStatuses": [status("a", waits("ContainerCreating"), 0)]}),
            "0/1 ContainerCreating 0",
        ),
        (
            &[],
            &["a"],
            json!({"phase": "Running", "containerStatuses": [status("a", running(), 3)]}),
            "1/1 Running 3 (60s ago)",
        ),
        (
            &[],
            &["a", "b"],
            json!({"phase": "Running", "containerStatuses": [
                status("a", waits("CrashLoopBackOff"), 2), status("b", running(), 0)]}),
            "1/2 CrashLoopBackOff 2 (60s ago)",
        ),
        (
            &[],
            &["a", "b"],
            json!({"phase": "Running", "containerStatuses": [
                status("a", waits("ErrImagePull"), 0), status("b", ended(1, "Error"), 0)]}),
            "0/2 ErrImagePull 0",
        ),
        (
            &[],
            &["a", "b"],
            json!({"phase": "Running", "containerStatuses": [
                status("a", ended(0, "Completed"), 0), status("b", running(), 0)]}),
            "1/2 NotReady 0",
        ),
        (
            &[],
            &["a", "b"],
            json!({"phase": "Running", "conditions": ready, "containerStatuses": [
                status("a", ended(0, "Completed"), 0), status("b", running(), 0)]}),
            "1/2 Running 0",
        ),
        (
            &[],
            &["a"],
            json!({"phase": "Succeeded", "containerStatuses": [status("a", ended(0, "Completed"), 0)]}),
            "0/1 Completed 0",
        ),
        (
            &[],
            &["a"],
            json!({"phase": "Failed", "containerStatuses": [status("a", ended(3, ""), 0)]}),
            "0/1 ExitCode:3 0",
        ),
        (
            &["i", "j"],
            &["a"],
            json!({"phase": "Pending", "initContainerStatuses": [
                status("i", ended(0, "Completed"), 0), status("j", running(), 0)]}),
            "0/1 Init:1/2 0",
        ),
        (
            &["i"],
            &["a"],
            json!({"phase": "Pending", "initContainerStatuses": [status("i", waits("CrashLoopBackOff"), 2)]}),
            "0/1 Init:CrashLoopBackOff 2 (60s ago)",
        ),
        (
            &["i"],
            &["a"],
            json!({"phase": "Failed", "initContainerStatuses": [status("i", ended(1, "Error"), 0)]}),
            "0/1 Init:Error 0",
        ),
        (
            &["i"],
            &["a"],
            json!({"phase": "Failed", "initContainerStatuses": [status("i", ended(1, ""), 0)]}),
            "0/1 Init:ExitCode:1 0",
        ),
        (
            &["i"],
            &["a"],
            json!({"phase": "Pending", "initContainerStatuses": [status("i", waits("PodInitializing"), 0)]}),
            "0/1 Init:0/1 0",
        ),
        (
            &["i"],
            &["a"],
            json!({"phase": "Pending", "initContainerStatuses": [status("i", ended(0, "Completed"), 2)],
                "containerStatuses": [status("a", waits("PodInitializing"), 0)]}),
            "0/1 PodInitializing 0",
        ),
        (
            &["s*"],
            &["a"],
            json!({"phase": "Running", "initContainerStatuses": [status("s", running(), 1)],
                "containerStatuses": [status("a", running(), 1)]}),
            "2/2 Running 2 (60s ago)",
        ),
        (
            &["s*"],
            &["a"],
            json!({"phase": "Running", "conditions": initialized,
                "initContainerStatuses": [status("s", waits("CrashLoopBackOff"), 1)],
                "containerStatuses": [status("a", running(), 0)]}),
            "1/2 Init:CrashLoopBackOff 1 (60s ago)",
        ),
    ] {
        assert_eq!(row(init, apps, status.clone()), expected, "{status}");
    }
    let mut ending =
        pod(spec(&[], &["a"]), json!({"phase": "Running", "containerStatuses": [status("a", running(), 0)]}));
    ending.metadata.deletion_timestamp = ending.metadata.creation_timestamp.clone();
    assert_eq!(row_of(&ending), "1/1 Terminating 0");
    ending.status.as_mut().unwrap().phase = Some("Succeeded".into());
    assert_ne!(row_of(&ending), "1/1 Terminating 0");
}

fn event(name: &str, count: i32, last: &str, message: &str) -> Event {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": name}, "type": "Warning", "reason": "BackOff", "message": message,
        "count": count, "firstTimestamp": "2027-01-15T08:55:00Z", "lastTimestamp": last,
        "source": {"component": "kubelet-lite", "host": "n1"},
    }))
    .unwrap()
}

#[test]
fn tables() {
    let two = [
        pod(spec(&[], &["a"]), json!({"phase": "Running", "podIP": "172.17.0.5"})),
        pod(spec(&["s*"], &["a"]), json!({"phase": "Pending", "containerStatuses": [status("a", running(), 12)]})),
    ];
    let events = sorted(vec![
        event("web-n1", 3, "2027-01-15T08:59:30Z", "Back-off restarting failed container\nand more"),
        event("other-n1", 1, "2027-01-15T08:58:00Z", "\u{1b}[31mred"),
    ]);
    let text = [
        super::pods(&two, now(), Columns::default(), true),
        super::pods(&two, now(), Columns { namespaces: true, wide: true, labels: true, events: false }, true),
        super::pods(&two, now(), Columns::default(), false),
        super::events(&events, now(), false, true),
        super::events(&events, now(), true, true),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_description() {
    let manifest = "
        initContainers: [{name: setup, image: 'setup:1', command: [/bin/sh, -c, 'echo a\n\techo b']}]
        containers:
        - name: web
          image: web:1
          args: [--fast]
          ports: [{containerPort: 80, name: http, protocol: TCP}, {containerPort: 53, hostPort: 53, protocol: UDP}]
          env: [{name: PLAIN, value: text}, {name: KEY, valueFrom: {secretKeyRef: {name: s, key: k}}}]
          resources: {limits: {cpu: '1', memory: 1Gi}, requests: {cpu: 500m}}
          livenessProbe: {httpGet: {port: http, path: /up, scheme: HTTP}, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3}
          readinessProbe: {exec: {command: [test, -f, /ready]}}
          volumeMounts: [{name: data, mountPath: /data}, {name: conf, mountPath: /conf, readOnly: true, subPath: a}]
        volumes: [{name: data, emptyDir: {}}, {name: conf, hostPath: {path: /etc/web, type: Directory}}]
        nodeName: n1
        tolerations: [{operator: Exists, effect: NoExecute}]";
    let spec: Value = serde_yaml::from_str(manifest).unwrap();
    let terminated = json!({"terminated": {"exitCode": 2, "reason": "Error", "message": "no\nspace",
        "startedAt": "2027-01-15T08:58:00Z", "finishedAt": "2027-01-15T08:59:00Z"}});
    let mut web = status("web", json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}), 1);
    web["lastState"] = terminated.clone();
    let mut described = pod(
        spec,
        json!({
            "phase": "Running", "hostIP": "192.0.2.7", "podIP": "172.17.0.5", "podIPs": [{"ip": "172.17.0.5"}],
            "startTime": "2027-01-15T08:55:00Z", "qosClass": "Burstable", "message": "an edit waits",
            "conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [web]"},
                {"type": "PodScheduled", "status": "True"}],
            "initContainerStatuses": [status("setup", terminated, 0)],
            "containerStatuses": [web],
        }),
    );
    described.metadata.labels = Some([("app".to_owned(), "web".to_owned()), ("tier".into(), "front".into())].into());
    let events = [event("web-n1", 3, "2027-01-15T08:59:30Z", "Back-off restarting failed container web")];
    insta::assert_snapshot!(describe(&described, &events, now()));
    insta::assert_snapshot!("a_bare_description", describe(&pod(json!({"containers": []}), json!({})), &[], now()));
}
