//! decode(encode(x)) = x, and no pod label passes for one of ours.

use super::*;
use crate::convert::testing::{STARTED, node, pod_of};
use proptest::prelude::*;
use std::os::unix::ffi::OsStrExt;

fn instance() -> InstanceId {
    node().instance
}

fn decoded(labels: &BTreeMap<String, String>) -> Labels {
    Labels::decode(labels, &instance()).expect("ours").expect("readable")
}

fn hash(digit: u8) -> Option<SpecHash> {
    SpecHash::parse(&format!("v1:{}", char::from(b'0' + digit % 10).to_string().repeat(32)))
}

prop_compose! {
    fn written_pod()(
        name in "[a-z0-9]{1,20}",
        pod_labels in prop::collection::btree_map("[a-z./-]{1,30}", ".{0,20}", 0..5),
        env in prop::collection::vec(("[A-Z]{1,5}", ".{0,20}"), 0..4),
        limits in prop::collection::btree_map("cpu|memory", "[1-9][0-9]{0,4}(m|Mi|Gi|e3)?", 0..3),
    ) -> api::Pod {
        let env = env.into_iter().map(|(name, value)| api::EnvVar { name, value: Some(value), ..Default::default() });
        let limits = limits.into_iter().map(|(k, v)| (k, k8s_openapi::apimachinery::pkg::api::resource::Quantity(v)));
        let container = api::Container {
            name: "c".into(),
            image: Some("i:1".into()),
            env: Some(env.collect()),
            resources: Some(api::ResourceRequirements { limits: Some(limits.collect()), ..Default::default() }),
            ..Default::default()
        };
        let mut pod = api::Pod::default();
        pod.metadata.name = Some(name);
        pod.metadata.labels = Some(pod_labels);
        pod.spec = Some(api::PodSpec { containers: vec![container], ..Default::default() });
        pod
    }
}

proptest! {
    #[test]
    fn sandbox_labels_round_trip(
        written in written_pod(),
        attempt: u32,
        digit: u8,
        started_at in prop::option::of(0i64..4_000_000_000_000),
        path in prop::collection::vec(1u8..=255, 1..40),
        document in 0usize..100,
    ) {
        let labels = SandboxLabels {
            key: PodKey::new("default", "web-node1"),
            uid: PodUid::new("u1"),
            attempt: Attempt(attempt),
            hash: hash(digit),
            started_at: started_at.map(|ms| jiff::Timestamp::from_millisecond(ms).expect("a time")),
            source: ManifestSource { path: std::ffi::OsStr::from_bytes(&path).into(), document },
            written,
        };
        let encoded = labels.encode(&instance());
        prop_assert_eq!(source(&encoded), Some(labels.source.clone()));
        prop_assert_eq!(decoded(&encoded), Labels::Sandbox(Box::new(labels)));
    }

    #[test]
    fn container_labels_round_trip(
        written in written_pod(),
        attempt: u32,
        digit: u8,
        kind in prop::sample::select(vec![ContainerKind::Init, ContainerKind::Sidecar, ContainerKind::App]),
        backoff in prop::option::of(0u64..400_000),
        round in 0u32..3,
        grace in 0u64..=1 << 40,
    ) {
        let labels = ContainerLabels {
            key: PodKey::new("default", "web-node1"),
            uid: PodUid::new("u1"),
            name: ContainerName::new("c"),
            kind,
            attempt: Attempt(attempt),
            sandbox_id: ContainerId::new("abc"),
            hash: hash(digit),
            backoff: backoff.map(Duration::from_millis),
            round,
            environment: EnvironmentHash::parse(&format!("v1:01234567:{digit:032x}")),
            grace: Duration::from_secs(grace),
            written: written.spec.expect("spec").containers.remove(0),
        };
        let encoded = labels.encode(&instance());
        prop_assert_eq!(&encoded[ANNOTATION_RESTART_COUNT], &attempt.to_string());
        prop_assert_eq!(decoded(&encoded), Labels::Container(Box::new(labels)));
    }

    #[test]
    fn no_label_text_panics(labels in prop::collection::btree_map(prop::sample::select(vec![
        SCHEMA, KIND, ATTEMPT, SANDBOX_HASH, SPEC_HASH, POD, CONTAINER, SOURCE, BACKOFF, ENVIRONMENT, POD_STARTED_AT,
        POD_NAME, POD_NAMESPACE, POD_UID, CONTAINER_NAME, SANDBOX_ID,
    ]), ".{0,30}|1|sandbox|app|\\{\\}|null", 0..14)) {
        let mut labels: BTreeMap<String, String> = labels.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        labels.insert(MANAGED_BY.into(), instance().as_str().into());
        prop_assert!(Labels::decode(&labels, &instance()).is_some());
        let _ = (source(&labels), pod_identity(&labels, &instance()));
    }
}

#[test]
fn a_pod_can_not_forge_our_labels() {
    let pod = pod_of(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, uid: u1, labels: {app: web, \
         io.kubelet-lite.managed-by: evil, io.kubelet-lite.new: evil, io.kubernetes.pod.uid: evil, \
         io.kubernetes.docker.type: podsandbox, io.kubernetes.sandbox.id: evil, io.kubernetes.container.name: evil, \
         annotation.io.kubernetes.container.restartCount: '9'}}, \
         spec: {containers: [{name: c, image: i}]}}",
    );
    let labels = SandboxLabels::of(&pod, Attempt(0), STARTED).encode(&instance());
    assert!(!labels.values().any(|v| v == "evil"), "{labels:?}");
    let keys: Vec<&str> = labels.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "app",
            "io.kubelet-lite.attempt",
            "io.kubelet-lite.kind",
            "io.kubelet-lite.managed-by",
            "io.kubelet-lite.pod",
            "io.kubelet-lite.pod-started-at",
            "io.kubelet-lite.sandbox-hash",
            "io.kubelet-lite.schema",
            "io.kubelet-lite.source",
            "io.kubernetes.container.name",
            "io.kubernetes.pod.name",
            "io.kubernetes.pod.namespace",
            "io.kubernetes.pod.uid",
        ]
    );
}

#[test]
fn an_unreadable_label_does_not_repeat_what_it_held() {
    let mut labels = SandboxLabels::of(
        &pod_of("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: i}]}}"),
        Attempt(0),
        STARTED,
    )
    .encode(&instance());
    for text in ["{\"spec\": \"hunter2\"", "{\"spec\": \"hunter2\"}"] {
        labels.insert(POD.into(), text.into());
        let error = Labels::decode(&labels, &instance()).expect("ours").expect_err("unreadable");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn instances_differ_by_root_directory() {
    let id = |path: &str| InstanceId::from_root_dir(std::path::Path::new(path)).to_string();
    assert_eq!(id("/var/lib/kubelet-lite"), "/var/lib/kubelet-lite");
    assert_eq!(id("/var//lib/./kubelet-lite/"), "/var/lib/kubelet-lite");
    assert_ne!(id("/var/lib/kubelet-lite"), id("/var/lib/kubelet-lite2"));
}
