//! Tables of volumes of files.

use super::*;
use crate::{
    convert::testing::{self, bodies_on, pod_of},
    manifest::Config,
    pod::ManifestSource,
};
use std::sync::Arc;

fn node() -> NodeFacts {
    let objects = [
        "{kind: ConfigMap, metadata: {name: c}, data: {a: A, b.conf: B}, binaryData: {bin: AP8=}}",
        "{kind: Secret, metadata: {name: s}, data: {user: dQ==}, stringData: {password: hunter2}}",
    ];
    let config = |text: &&str| {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        if value["kind"] == "Secret" {
            Config::Secret(serde_json::from_value(value).unwrap())
        } else {
            Config::ConfigMap(serde_json::from_value(value).unwrap())
        }
    };
    let source = ManifestSource { path: "/m".into(), document: 0 };
    let declared = objects.iter().map(config).map(|c| (c.id(), Arc::new(c.declared(source.clone())))).collect();
    NodeFacts { objects: Arc::new(declared), ..testing::node() }
}

fn pod(volume: &str, more: &str) -> Pod {
    pod_of(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: web, uid: u1, labels: {{z: '1', app: \"a\\\"b\\n\"}}, annotations: \
         {{note: n}}}}, spec: {{{more}volumes: [{{name: v, {volume}}}], containers: [{{name: c, image: i, resources: \
         {{limits: {{memory: 64Mi}}}}, volumeMounts: [{{name: v, mountPath: /v}}]}}]}}}}"
    ))
}

/// `path:mode=content` of each file, or the error.
fn of(volume: &str) -> Result<Vec<String>, String> {
    let FileVolumes { volumes, failed } = file_volumes(&pod(volume, ""), &node());
    if let Some((_, message)) = failed.into_iter().next() {
        assert_eq!(volumes, []);
        return Err(message);
    }
    let shown = |(path, file): (&PathBuf, &VolumeFile)| {
        let content = String::from_utf8_lossy(file.content.reveal()).into_owned();
        format!("{}:{:o}={content}", path.display(), file.mode)
    };
    Ok(volumes.iter().flat_map(|v| v.files.iter().map(shown)).collect())
}

#[test]
fn files_of_volumes() {
    for (volume, expected) in [
        ("configMap: {name: c}", vec!["a:644=A", "b.conf:644=B", "bin:644=\0\u{fffd}"]),
        (
            "configMap: {name: c, defaultMode: 256, items: [{key: a, path: x/y}, {key: b.conf, path: b, mode: 511}]}",
            vec!["b:777=B", "x/y:400=A"],
        ),
        ("configMap: {name: none, optional: true}", vec![]),
        ("configMap: {name: c, optional: true, items: [{key: none, path: n}, {key: a, path: a}]}", vec!["a:644=A"]),
        ("secret: {secretName: s, defaultMode: 256}", vec!["password:400=hunter2", "user:400=u"]),
        ("secret: {secretName: none, optional: true}", vec![]),
        (
            "downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: d/name, mode: 384, fieldRef: \
          {fieldPath: metadata.name}}, {path: z, fieldRef: {fieldPath: \"metadata.labels['z']\"}}, {path: none, fieldRef: \
          {fieldPath: \"metadata.labels['none']\"}}, {path: memory, resourceFieldRef: {containerName: c, resource: \
          limits.memory, divisor: 1Mi}}]}",
            vec![
                "d/name:600=web-node1",
                "labels:644=app=\"a\\\"b\\n\"\nz=\"1\"",
                "memory:644=64",
                "none:644=",
                "z:644=1",
            ],
        ),
        (
            "projected: {defaultMode: 288, sources: [{configMap: {name: c, items: [{key: a, path: cfg/a}]}}, {secret: {name: \
          s, items: [{key: password, path: p, mode: 256}]}}, {downwardAPI: {items: [{path: uid, fieldRef: {fieldPath: \
          metadata.uid}}]}}]}",
            vec!["cfg/a:440=A", "p:400=hunter2", "uid:440=u1"],
        ),
    ] {
        assert_eq!(of(volume), Ok(expected.into_iter().map(str::to_owned).collect()), "{volume}");
    }
}

#[test]
fn what_can_not_be_had() {
    const MISSING: &str = "MountVolume.SetUp failed for volume \"v\" : ";
    for (volume, message) in [
        ("configMap: {name: none}", format!("{MISSING}configmap \"none\" not found")),
        ("secret: {secretName: none}", format!("{MISSING}secret \"none\" not found")),
        (
            "configMap: {name: c, items: [{key: k, path: p}]}",
            format!("{MISSING}configmap references non-existent config key: k"),
        ),
        (
            "secret: {secretName: s, items: [{key: k, path: p}]}",
            format!("{MISSING}secret references non-existent secret key: k"),
        ),
        ("persistentVolumeClaim: {claimName: none}", format!("{MISSING}persistentvolumeclaim \"none\" not found")),
        ("projected: {sources: [{secret: {name: none}}]}", format!("{MISSING}secret \"none\" not found")),
        (
            "projected: {sources: [{configMap: {name: c}}, {secret: {name: s, items: [{key: user, path: a/b}]}}]}",
            format!("{MISSING}a and a/b can not both be files"),
        ),
    ] {
        assert_eq!(of(volume), Err(message), "{volume}");
    }
    for path in ["../a", "/a", "a/../../b", "..a", "", ".", &"x".repeat(256)] {
        let volume = format!("configMap: {{name: c, items: [{{key: a, path: '{path}'}}]}}");
        let error = of(&volume).expect_err(path);
        assert!(error.contains("is not a path in a volume"), "{error}");
    }
    for (volume, part) in [
        ("configMap: {name: c, items: [{key: a, path: x}, {key: b.conf, path: x/y}]}", "can not both be files"),
        ("configMap: {name: c, defaultMode: 512}", "0 to 0777"),
        ("downwardAPI: {items: [{path: p, fieldRef: {fieldPath: spec.nodeName}}]}", "can not be a file"),
        ("downwardAPI: {items: [{path: p, resourceFieldRef: {resource: limits.cpu}}]}", "no container"),
        ("projected: {sources: [{serviceAccountToken: {path: t}}]}", "need a cluster"),
    ] {
        let error = of(volume).expect_err(volume);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn one_that_can_not_be_written_does_not_hold_up_others() {
    let pod = pod_of(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, uid: u1}, spec: {volumes: [{name: bad, projected: {sources: [{configMap: \
         {name: c}}, {secret: {name: s, items: [{key: user, path: a/b}]}}]}}, {name: none, configMap: {name: none}}, {name: good, \
         secret: {secretName: s}}], containers: [{name: c, image: i, volumeMounts: [{name: bad, mountPath: /b}, {name: none, \
         mountPath: /n}, {name: good, mountPath: /g}]}]}}",
    );
    let found = file_volumes(&pod, &node());
    assert_eq!(found.volumes.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["good"]);
    assert_eq!(found.failed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["bad", "none"]);
}

#[test]
fn what_no_container_mounts_is_not_waited_for() {
    let of = |init: &str| {
        let pod = pod_of(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web, uid: u1}}, spec: {{volumes: [{{name: old, secret: {{secretName: \
             none}}}}, {{name: data, persistentVolumeClaim: {{claimName: none}}}}], initContainers: [{{name: a, image: i{init}}}], \
             containers: [{{name: c, image: i}}]}}}}"
        ));
        let held = bodies_on(&pod, &node())["sandbox"]["HostConfig"]["Mounts"].as_array().map_or(0, Vec::len);
        (file_volumes(&pod, &node()).failed.len(), held)
    };
    assert_eq!(of(""), (0, 0));
    assert_eq!(of(", volumeMounts: [{name: old, mountPath: /o}, {name: data, mountPath: /d}]"), (2, 1));
}

#[test]
fn secrets_lie_in_memory_and_mounts_are_read_only() {
    for (volume, medium, plugin) in [
        ("configMap: {name: c}", Medium::Disk, "configmap"),
        ("secret: {secretName: s}", Medium::Memory, "secret"),
        ("downwardAPI: {}", Medium::Memory, "downward-api"),
        ("projected: {sources: [{secret: {name: s}}]}", Medium::Memory, "projected"),
    ] {
        let pod = pod(volume, "securityContext: {fsGroup: 7}, ");
        let found = file_volumes(&pod, &node()).volumes;
        assert_eq!((found[0].medium, found[0].group), (medium, Some(7)), "{volume}");
        let bodies = bodies_on(&pod, &node());
        let mount = &bodies["containers"]["c"]["HostConfig"]["Mounts"][0];
        assert_eq!(mount["Source"], format!("/var/lib/kubelet-lite/pods/u1/volumes/kubernetes.io~{plugin}/v"));
        assert_eq!(mount["ReadOnly"], true);
        assert!(!format!("{found:?}").contains("hunter2") && !bodies.to_string().contains("hunter2"));
    }
}

#[test]
fn a_claim_is_a_docker_volume() {
    let pod = pod("persistentVolumeClaim: {claimName: data.v1, readOnly: true}", "");
    assert_eq!(file_volumes(&pod, &node()).failed.len(), 1);
    let bodies = bodies_on(&pod, &node());
    let mounts = bodies["containers"]["c"]["HostConfig"]["Mounts"].as_array().unwrap();
    assert_eq!(
        mounts[0],
        serde_json::json!({
            "Type": "volume", "Source": "k8s_default_data.v1", "Target": "/v", "ReadOnly": true,
            "VolumeOptions": {"NoCopy": true, "Labels": {
                "io.kubelet-lite.managed-by": "/var/lib/kubelet-lite",
                "io.kubelet-lite.claim-namespace": "default", "io.kubelet-lite.claim-name": "data.v1",
            }},
        })
    );
}

#[test]
fn quoting_is_gos() {
    for (text, expected) in [
        ("", r#""""#),
        ("plain é 界", r#""plain é 界""#),
        ("a\"b\\c\n\t\r\u{7}\u{8}\u{b}\u{c}", r#""a\"b\\c\n\t\r\a\b\v\f""#),
        ("\0\u{1f}\u{7f}", r#""\x00\x1f\x7f""#),
        ("\u{a0}\u{85}\u{200b}\u{feff}\u{2028}", r#""\u00a0\u0085\u200b\ufeff\u2028""#),
        ("\u{10ffff}", r#""\U0010ffff""#),
    ] {
        assert_eq!(quoted(text), expected);
    }
}
