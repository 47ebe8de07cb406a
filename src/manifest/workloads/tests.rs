use super::*;
use crate::manifest::parse::{ParseOptions, parse_file};
use serde_json::{Value, json};

fn object(kind: &str, spec: &Value) -> Object {
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let version = if kind == "ReplicationController" { "v1" } else { version };
    let metadata = json!({"name": "web", "namespace": "shop"});
    let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec});
    let options = ParseOptions { report_unsupported: false, ..ParseOptions::default() };
    let parsed = parse_file("a.yaml".as_ref(), object.to_string().as_bytes(), &options);
    assert!(!parsed.is_refused(), "{:?}", parsed.diagnostics);
    parsed.objects.into_iter().next().unwrap()
}

fn with_template(mut spec: Value, policy: &str) -> Value {
    let containers = json!([{"name": "a", "image": "i:1"}]);
    spec["template"] = json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {"note": "x"}},
        "spec": {"restartPolicy": policy, "containers": containers}});
    if policy == "Always" {
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
    }
    spec
}

fn made(object: &Object) -> Option<api::Pod> {
    pod_of(object).map(|made| (*made.pod).clone())
}

#[test]
fn the_pod_of_each_kind() {
    for kind in ["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"] {
        insta::assert_json_snapshot!(kind, made(&object(kind, &with_template(json!({}), "Always"))));
    }
    insta::assert_json_snapshot!("Job", made(&object("Job", &with_template(json!({}), "Never"))));
}

#[test]
fn how_many() {
    let count = |kind: &str, spec: Value, policy| {
        let object = object(kind, &with_template(spec.clone(), policy));
        let Object::Workload { workload, .. } = &object else { panic!("a workload") };
        assert_eq!(
            asked_for_none(&object).is_some(),
            pod_of(&object).is_none() && spec.get("suspend").is_none(),
            "{kind} {spec}"
        );
        (replicas(workload), pod_of(&object).is_some())
    };
    for kind in ["Deployment", "ReplicaSet", "StatefulSet"] {
        assert_eq!(count(kind, json!({}), "Always"), (1, true));
        assert_eq!(count(kind, json!({"replicas": 0}), "Always"), (0, false));
        assert_eq!(count(kind, json!({"replicas": 3}), "Always"), (3, true));
    }
    for (spec, expected) in [
        (json!({}), (1, true)),
        (json!({"suspend": true}), (0, false)),
        (json!({"completions": 0}), (0, false)),
        (json!({"parallelism": 0, "completions": 2}), (0, false)),
        (json!({"parallelism": 2, "completions": 5}), (5, true)),
        (json!({"parallelism": 3}), (3, true)),
    ] {
        assert_eq!(count("Job", spec.clone(), "Never"), expected, "{spec}");
    }
}

#[test]
fn a_stateful_set_has_its_own_claims() {
    let spec = json!({
        "serviceName": "webs", "ordinals": {"start": 3},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]});
    let object = object("StatefulSet", &with_template(spec, "Always"));
    let pod = made(&object).unwrap();
    assert_eq!(pod.metadata.name.as_deref(), Some("web-3"));
    let spec = pod.spec.unwrap();
    assert_eq!((spec.hostname.as_deref(), spec.subdomain.as_deref()), (Some("web-3"), Some("webs")));
    let volume = &spec.volumes.unwrap()[0];
    assert_eq!(volume.persistent_volume_claim.as_ref().unwrap().claim_name, "data-web-3");
    let names: Vec<_> = configs_of(&object).iter().map(|(_, config)| config.id().to_string()).collect();
    assert_eq!(names, ["PersistentVolumeClaim shop/data-web-3"]);
}

#[test]
fn a_job_has_limits() {
    let spec = json!({"backoffLimit": 2, "activeDeadlineSeconds": 60, "completionMode": "Indexed", "completions": 1});
    let pod = made(&object("Job", &with_template(spec, "OnFailure"))).unwrap();
    let annotations = pod.metadata.annotations.unwrap();
    assert_eq!(annotations[ANNOTATION_BACKOFF_LIMIT], "2");
    assert_eq!(annotations["batch.kubernetes.io/job-completion-index"], "0");
    let spec = pod.spec.unwrap();
    assert_eq!((spec.active_deadline_seconds, spec.restart_policy.as_deref()), (Some(60), Some("OnFailure")));
    assert_eq!(spec.containers[0].env.as_ref().unwrap()[0].name, "JOB_COMPLETION_INDEX");
}

#[test]
fn another_deadline_is_the_same_job() {
    let node = crate::pod::Node { name: "n".into() };
    let uid = |job: Value, template: Value| {
        let mut spec = with_template(job, "Never");
        spec["template"]["spec"]["activeDeadlineSeconds"] = template;
        let made = pod_of(&object("Job", &spec)).unwrap();
        let source = crate::pod::ManifestSource { path: "/m".into(), document: 0 };
        let pod = crate::pod::Pod::from_made(made.pod, made.identity.as_deref(), source, &node).unwrap();
        (pod.uid, pod.spec.active_deadline_seconds)
    };
    let (without, none) = uid(json!({}), Value::Null);
    assert_eq!(none, None);
    for seconds in [30, 60] {
        assert_eq!(uid(json!({"activeDeadlineSeconds": seconds}), Value::Null), (without.clone(), Some(seconds)));
    }
    let (other, _) = uid(json!({}), json!(60));
    assert_ne!(other, without);
    assert_eq!(uid(json!({"activeDeadlineSeconds": 90}), json!(60)), (other.clone(), Some(60)));
    assert_eq!(uid(json!({"activeDeadlineSeconds": 30}), json!(60)), (other, Some(30)));
}
