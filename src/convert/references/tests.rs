//! Tables of references to ConfigMaps and Secrets.

use super::*;
use crate::{
    convert::SandboxFacts,
    convert::{
        container_body, sub_paths,
        testing::{self, IPS, found, image, pod, sandbox_id},
    },
    pod::{History, ManifestSource, objects::Declared},
};
use k8s_openapi::ByteString;
use std::{collections::BTreeMap, sync::Arc};

/// `default` has ConfigMap `c` and Secret `s`; `other` has ConfigMap `far`.
fn node() -> NodeFacts {
    let text = |entries: &[(&str, &str)]| -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let metadata = |namespace: Option<&str>, name: &str| k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        ..Default::default()
    };
    let config = api::ConfigMap {
        metadata: metadata(None, "c"),
        data: Some(text(&[("A", "a"), ("b.c", "$(A)"), ("Z", "z")])),
        binary_data: Some(BTreeMap::from([("bin".to_owned(), ByteString(vec![0, 255]))])),
        ..Default::default()
    };
    let secret = api::Secret {
        metadata: metadata(Some("default"), "s"),
        data: Some(BTreeMap::from([("raw".to_owned(), ByteString(vec![0xff, 0xfe]))])),
        string_data: Some(text(&[("password", "hunter2")])),
        ..Default::default()
    };
    let far = api::ConfigMap { metadata: metadata(Some("other"), "far"), ..Default::default() };
    let configs = [
        crate::manifest::Config::ConfigMap(Box::new(config)),
        crate::manifest::Config::Secret(Box::new(secret)),
        crate::manifest::Config::ConfigMap(Box::new(far)),
    ];
    let source = ManifestSource { path: "/m".into(), document: 0 };
    let objects: Objects = configs.iter().map(|c| (c.id(), Arc::new(c.declared(source.clone())))).collect();
    NodeFacts { objects: Arc::new(objects), environment_key: Some(EnvironmentKey::new([3; 32])), ..testing::node() }
}

/// The environment that goes to the engine, or the error.
fn environment(container: &str) -> Result<Vec<String>, String> {
    let pod = pod(&format!("containers: [{{name: c, image: i, {container}}}]"));
    let id = sandbox_id();
    let sandbox = SandboxFacts { id: &id, ips: &IPS };
    let body = container_body(&pod, &pod.containers[0], &found(&sandbox, &image()), &History::default(), &node());
    body.map(|body| body.env.unwrap_or_default()).map_err(|error| error.to_string())
}

#[test]
fn values() {
    for (container, expected) in [
        ("env: [{name: V, valueFrom: {configMapKeyRef: {name: c, key: A}}}]", vec!["V=a"]),
        ("env: [{name: V, valueFrom: {secretKeyRef: {name: s, key: password}}}]", vec!["V=hunter2"]),
        ("env: [{name: V, valueFrom: {configMapKeyRef: {name: none, key: A, optional: true}}}]", vec![]),
        ("env: [{name: V, valueFrom: {configMapKeyRef: {name: c, key: none, optional: true}}}]", vec![]),
        ("env: [{name: V, valueFrom: {secretKeyRef: {name: s, key: none, optional: true}}}]", vec![]),
        // What is taken is not expanded, and can be referred to.
        (
            "env: [{name: V, valueFrom: {configMapKeyRef: {name: c, key: b.c}}}, {name: W, value: '<$(V)>'}]",
            vec!["V=$(A)", "W=<$(A)>"],
        ),
        ("envFrom: [{configMapRef: {name: c}}]", vec!["A=a", "Z=z", "b.c=$(A)"]),
        ("envFrom: [{prefix: P_, configMapRef: {name: c}}]", vec!["P_A=a", "P_Z=z", "P_b.c=$(A)"]),
        ("envFrom: [{configMapRef: {name: none, optional: true}}, {secretRef: {name: none, optional: true}}]", vec![]),
        // Later wins: a later source, and `env` over all of them.
        (
            "envFrom: [{configMapRef: {name: c}}, {configMapRef: {name: c}}], env: [{name: A, value: '$(A)+'}]",
            vec!["A=a+", "Z=z", "b.c=$(A)"],
        ),
    ] {
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(environment(container), Ok(expected), "{container}");
    }
}

#[test]
fn what_is_missing_is_told_in_the_kubelets_words() {
    for (container, message) in [
        ("env: [{name: V, valueFrom: {configMapKeyRef: {name: x, key: A}}}]", "configmap \"x\" not found"),
        ("env: [{name: V, valueFrom: {secretKeyRef: {name: x, key: A}}}]", "secret \"x\" not found"),
        ("env: [{name: V, valueFrom: {configMapKeyRef: {name: far, key: A}}}]", "configmap \"far\" not found"),
        (
            "env: [{name: V, valueFrom: {configMapKeyRef: {name: c, key: k}}}]",
            "couldn't find key k in ConfigMap default/c",
        ),
        // Binary data is for files.
        (
            "env: [{name: V, valueFrom: {configMapKeyRef: {name: c, key: bin}}}]",
            "couldn't find key bin in ConfigMap default/c",
        ),
        ("env: [{name: V, valueFrom: {secretKeyRef: {name: s, key: k}}}]", "couldn't find key k in Secret default/s"),
        ("envFrom: [{configMapRef: {name: x}}]", "configmap \"x\" not found"),
        ("envFrom: [{secretRef: {name: x}}]", "secret \"x\" not found"),
    ] {
        assert_eq!(environment(container), Err(message.to_owned()), "{container}");
        let pod = pod(&format!("containers: [{{name: c, image: i, {container}}}]"));
        let missing = references(&pod, &node());
        assert_eq!(missing.missing(&"c".into()), Some(message), "{container}");
    }
    let error = environment("envFrom: [{secretRef: {name: s}}]").expect_err("not UTF-8");
    let pod = pod("containers: [{name: c, image: i, envFrom: [{secretRef: {name: s}}]}]");
    let invalid = references(&pod, &node());
    let made_before = EnvironmentKey::new([3; 32]).hash(&[]);
    assert_eq!((invalid.missing(&"c".into()), invalid.is_stale(&"c".into(), Some(&made_before))), (None, true));
    assert!(!invalid.has_changed(&"c".into(), Some(&made_before)));
    assert!(error.contains("key raw of Secret default/s") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_label_tells_a_change_without_the_value() {
    let of = |container: &str, node: &NodeFacts| {
        let pod = pod(&format!("containers: [{{name: c, image: i, {container}}}]"));
        let id = sandbox_id();
        let sandbox = SandboxFacts { id: &id, ips: &IPS };
        let body =
            container_body(&pod, &pod.containers[0], &found(&sandbox, &image()), &History::default(), node).unwrap();
        let labels: BTreeMap<String, String> = body.labels.unwrap_or_default().into_iter().collect();
        assert!(!format!("{labels:?}").contains("hunter2"), "{labels:?}");
        let recorded = labels.get("io.kubelet-lite.environment-hash").and_then(|label| EnvironmentHash::parse(label));
        (recorded, references(&pod, node))
    };
    let secret = "env: [{name: V, valueFrom: {secretKeyRef: {name: s, key: password}}}]";
    let (recorded, now) = of(secret, &node());
    assert!(recorded.is_some() && !now.is_stale(&"c".into(), recorded.as_ref()));
    let mut changed = node();
    changed.objects = Arc::new({
        let mut objects = Objects::clone(&changed.objects);
        let id = crate::pod::ObjectId { kind: ObjectKind::Secret, namespace: "default".into(), name: "s".into() };
        let mut held = crate::pod::objects::Secret::default();
        held.data.insert("password".into(), crate::pod::Confidential::new(*b"other"));
        let source = ManifestSource { path: "/m".into(), document: 0 };
        objects.insert(id, Arc::new(Declared { source, content: crate::pod::objects::Content::Secret(held) }));
        objects
    });
    assert!(of(secret, &changed).1.is_stale(&"c".into(), recorded.as_ref()));
    assert_eq!(of("env: [{name: V, value: v}]", &node()).0, None, "nothing is taken");
    assert_eq!(of(secret, &NodeFacts { environment_key: None, ..node() }).0, None, "there is no key");
}

#[test]
fn labels_and_annotations_count_for_those_that_take_them() {
    let of = |metadata: &str, container: &str| {
        let manifest = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web, {metadata}}}, \
             spec: {{containers: [{{name: c, image: i, {container}}}]}}}}"
        );
        let pod = testing::pod_of(&manifest);
        let subject = Subject { pod: pod.key.clone(), container: None };
        let hash = environment_hash(&pod, &pod.containers[0].api, &node(), &subject).unwrap();
        (hash, references(&pod, &node()))
    };
    let (old, new) = ("labels: {tier: a}, annotations: {note: x}", "labels: {tier: b}, annotations: {note: y}");
    let secret = "{name: S, valueFrom: {secretKeyRef: {name: s, key: password}}}";
    let field = |path: &str| format!("{{name: F, valueFrom: {{fieldRef: {{fieldPath: \"{path}\"}}}}}}");
    let (label, note) = (field("metadata.labels['tier']"), field("metadata.annotations['note']"));
    for (env, changes) in [
        (label.clone(), true),
        (note, true),
        (format!("{secret}, {label}"), true),
        (field("metadata.labels['other']"), false),
        (field("metadata.name"), false),
        (secret.to_owned(), false),
    ] {
        let env = format!("env: [{env}]");
        let recorded = of(old, &env).0;
        assert!(!of(old, &env).1.is_stale(&"c".into(), recorded.as_ref()), "{env}");
        let now = of(new, &env).1;
        assert_eq!(now.is_stale(&"c".into(), recorded.as_ref()), changes, "{env}");
        assert_eq!(now.has_changed(&"c".into(), recorded.as_ref()), changes, "{env}");
    }
    // Nothing is recorded of what takes nothing; what was recorded before labels counted says nothing of them.
    assert_eq!(of(old, &format!("env: [{}]", field("metadata.name"))).0, None);
    let (before, _) = of(old, &format!("env: [{secret}]"));
    assert!(!of(new, &format!("env: [{secret}, {label}]")).1.is_stale(&"c".into(), before.as_ref()));
}

#[test]
fn a_path_made_of_a_secret_is_not_shown() {
    let env = "env: [{name: S, valueFrom: {secretKeyRef: {name: s, key: password}}}, {name: T, value: '$(S)'}]";
    let pod_with = |path: &str| {
        let mount = format!("volumeMounts: [{{name: v, mountPath: /v, subPathExpr: '{path}'}}]");
        pod(&format!("volumes: [{{name: v, emptyDir: {{}}}}], containers: [{{name: c, image: i, {env}, {mount}}}]")
            .replace("], containers", "]\ncontainers"))
    };
    let id = sandbox_id();
    let sandbox = SandboxFacts { id: &id, ips: &IPS };
    let of = |path: &str| {
        let pod = pod_with(path);
        sub_paths(&pod, &pod.containers[0], &sandbox, &Default::default(), &node())
    };
    let found = of("x/$(T)").unwrap();
    assert_eq!((found[0].path.to_str(), found[0].shown.as_str()), (Some("x/hunter2"), "x/$(T)"));
    let error = of("../$(T)").unwrap_err().to_string();
    assert!(error.contains("../$(T)") && !error.contains("hunter2"), "{error}");
}
