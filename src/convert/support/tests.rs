//! No field without a row, no row without a field.

use super::{Verdict::*, *};
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeSet;

/// All patterns of a value, descending only where the table does.
fn patterns(pattern: &str, value: &Value, into: &mut BTreeSet<String>) {
    if !pattern.is_empty() {
        into.insert(pattern.to_owned());
        if !matches!(rule(pattern), Some(Rule::Inside)) {
            return;
        }
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if pattern.is_empty() { "" } else { "." };
                patterns(&format!("{pattern}{dot}{name}"), value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| patterns(&format!("{pattern}[]"), item, into)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_api_has_a_row_and_every_row_a_field() {
    let pod = serde_json::to_value(sample::full::<api::Pod>()).expect("json");
    let mut fields = BTreeSet::new();
    patterns("", &pod, &mut fields);
    assert!(fields.len() > 200, "the sample is not full: {fields:?}");
    let without_row: Vec<_> = fields.iter().filter(|field| rule(field).is_none()).collect();
    assert!(without_row.is_empty(), "no row for {without_row:?}");
    let rows: Vec<&str> = table::TABLE.iter().map(|(path, _)| *path).collect();
    let without_field: Vec<&str> = rows.iter().copied().filter(|path| !fields.contains(*path)).collect();
    assert!(without_field.is_empty(), "no field for {without_field:?}");
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len(), "a path has two rows");
}

#[test]
fn every_reason_says_something() {
    for row in rows() {
        assert!(!row.note.is_empty() || row.verdict == Some(Honoured), "{}", row.path);
        assert!(!row.note.ends_with('.'), "{}", row.path);
    }
}

/// Of a node that allows one unsafe sysctl.
fn policy() -> SupportPolicy {
    SupportPolicy { allowed_unsafe_sysctls: "net.core.*".parse().expect("pattern") }
}

fn judged(yaml: &str) -> Vec<(String, Verdict)> {
    let pod: api::Pod = serde_yaml::from_str(yaml).expect("pod");
    unsupported(&pod, &policy()).into_iter().map(|v| (v.path, v.verdict)).collect()
}

fn judged_spec(spec: &str) -> Vec<(String, Verdict)> {
    let mut spec = spec.to_owned();
    if !spec.contains("containers:") && !spec.contains("containers: ") {
        spec.push_str(", containers: [{name: c, image: i}]");
    }
    judged(&format!("{{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{{spec}}}}}"))
}

#[test]
fn an_everyday_pod_is_honoured_whole() {
    let yaml = "
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: prod
  creationTimestamp: null
  labels: {app: web}
  annotations: {prometheus.io/scrape: 'true'}
spec:
  hostNetwork: false
  restartPolicy: OnFailure
  dnsPolicy: Default
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{operator: Exists}]
  securityContext: {runAsUser: 1, sysctls: [{name: net/ipv4/tcp_syncookies, value: '1'}], seccompProfile: {type: RuntimeDefault}}
  initContainers: [{name: setup, image: 'i:1', restartPolicy: Always}]
  containers:
  - name: web
    image: web:1
    command: [sh]
    env: [{name: A, value: b}, {name: N, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    ports: [{name: http, containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}]
    resources: {limits: {cpu: 100m, memory: 10Mi}}
    volumeMounts: [{name: data, mountPath: /data, subPath: a}]
    lifecycle: {stopSignal: SIGUSR1}
    securityContext: {privileged: true, capabilities: {add: [ALL]}}
  volumes:
  - {name: data, hostPath: {path: /srv, type: Directory}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
";
    assert_eq!(judged(yaml), []);
}

#[test]
fn verdicts() {
    let cases: &[(&str, &[(&str, Verdict)])] = &[
        ("activeDeadlineSeconds: 5", &[]),
        ("hostUsers: true", &[]),
        ("hostUsers: false", &[("spec.hostUsers", Refused)]),
        ("dnsPolicy: ClusterFirst", &[("spec.dnsPolicy", Approximated)]),
        ("os: {name: windows}", &[("spec.os.name", Refused)]),
        (
            "serviceAccountName: x, serviceAccount: x",
            &[("spec.serviceAccount", Warned), ("spec.serviceAccountName", Warned)],
        ),
        ("serviceAccountName: ''", &[]),
        ("imagePullSecrets: []", &[]),
        ("imagePullSecrets: [{name: s}]", &[]),
        (
            "securityContext: {sysctls: [{name: kernel.shmmax, value: '1'}]}",
            &[("spec.securityContext.sysctls[0]", Refused)],
        ),
        ("securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}", &[]),
        (
            "hostNetwork: true, securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}",
            &[("spec.securityContext.sysctls[0]", Refused)],
        ),
        (
            "resources: {limits: {memory: 1Gi}}, runtimeClassName: gvisor",
            &[("spec.resources.limits", Approximated), ("spec.runtimeClassName", Approximated)],
        ),
        (
            "hostNetwork: true, securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}",
            &[("spec.securityContext.sysctls[0]", Refused)],
        ),
        (
            "hostIPC: true, securityContext: {sysctls: [{name: kernel.shm_rmid_forced, value: '1'}]}",
            &[("spec.securityContext.sysctls[0]", Refused)],
        ),
        (
            "securityContext: {supplementalGroupsPolicy: Strict}",
            &[("spec.securityContext.supplementalGroupsPolicy", Refused)],
        ),
        ("securityContext: {seccompProfile: {type: Localhost, localhostProfile: p}}", &[]),
        (
            "volumes: [{name: v, emptyDir: {sizeLimit: 1Gi}}, {name: w, emptyDir: {medium: HugePages}}]",
            &[("spec.volumes[0].emptyDir.sizeLimit", Approximated)],
        ),
        (
            "volumes: [{name: v, configMap: {name: c}}, {name: w, secret: {}}, {name: x, nfs: {server: s, path: /}}]",
            &[("spec.volumes[2].nfs", Refused)],
        ),
        (
            "securityContext: {fsGroup: 1}, volumes: [{name: v, persistentVolumeClaim: {claimName: c}}, {name: w, persistentVolumeClaim: {claimName: d}}], containers: [{name: c, image: i, volumeMounts: [{name: w, mountPath: /w, subPath: x}]}]",
            &[],
        ),
        (
            "volumes: [{name: v, projected: {sources: [{configMap: {name: c}}, {serviceAccountToken: {path: t}}]}}, {name: w, ephemeral: {}}]",
            &[
                ("spec.volumes[0].projected.sources[1].serviceAccountToken", Refused),
                ("spec.volumes[1].ephemeral", Refused),
            ],
        ),
        (
            "containers: [{name: c, image: i, livenessProbe: {tcpSocket: {port: 1}}, lifecycle: {postStart: {tcpSocket: {port: 1}}, preStop: {sleep: {seconds: 1}}}}]",
            &[("spec.containers[0].lifecycle.postStart", Refused)],
        ),
        (
            "containers: [{name: c, image: i}, {name: d, image: i, env: [{name: A}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]",
            &[],
        ),
        (
            "containers: [{name: c, image: i, envFrom: [{configMapRef: {name: m}}], env: [{name: A, valueFrom: {fileKeyRef: {key: k, path: p, volumeName: v}}}]}]",
            &[],
        ),
        (
            "containers: [{name: c, image: i, resources: {limits: {cpu: 1, hugepages-2Mi: 2Mi, nvidia.com/gpu: 1, ephemeral-storage: 1Gi}}}]",
            &[
                ("spec.containers[0].resources.limits[ephemeral-storage]", Approximated),
                ("spec.containers[0].resources.limits[hugepages-2Mi]", Warned),
                ("spec.containers[0].resources.limits[nvidia.com/gpu]", Warned),
            ],
        ),
        (
            "containers: [{name: c, image: i, restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}, {action: RestartAllContainers, exitCodes: {operator: In, values: [2]}}]}]",
            &[],
        ),
        (
            "initContainers: [{name: a, image: i, restartPolicy: Never}, {name: b, image: i, readinessProbe: {exec: {command: [x]}}, ports: [{containerPort: 1, hostPort: 1}]}], containers: [{name: c, image: i}]",
            &[("spec.initContainers[1].ports[0].hostPort", Warned)],
        ),
        (
            "containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /v, readOnly: true, recursiveReadOnly: Enabled}, {name: v, mountPath: /w, readOnly: true, recursiveReadOnly: IfPossible}]}], volumes: [{name: v}]",
            &[],
        ),
    ];
    for (spec, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(path, verdict)| ((*path).to_owned(), *verdict)).collect();
        assert_eq!(judged_spec(spec), expected, "{spec}");
    }
}

#[test]
fn metadata() {
    let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, \
        labels: {app: web, io.kubernetes.pod.uid: x, io.kubelet-lite.kind: sandbox}, \
        annotations: {seccomp.security.alpha.kubernetes.io/pod: unconfined, kubernetes.io/config.hash: x}}, \
        spec: {containers: [{name: c, image: i}]}, status: {phase: Running}}";
    assert_eq!(
        judged(yaml),
        [
            ("metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]".to_owned(), Refused),
            ("metadata.labels[io.kubelet-lite.kind]".to_owned(), Warned),
            ("metadata.labels[io.kubernetes.pod.uid]".to_owned(), Warned),
        ]
    );
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let value =
        serde_json::json!({ "spec": { "containers": [{ "name": "c", "teleport": true }], "warp": 9 }, "odd": "" });
    let mut found = Vec::new();
    inside("", &Written { path: String::new(), value: &value, pod: &value, policy: &policy() }, &mut found);
    let found: Vec<_> = found.into_iter().map(|v| (v.path, v.verdict)).collect();
    assert_eq!(found, [("spec.containers[0].teleport".to_owned(), Refused), ("spec.warp".to_owned(), Refused)]);
}
