//! What a container takes from its image, and what its manifest puts in the place of that.

use crate::{
    node::Node,
    support::{eventually, images},
};
use kubelet_lite::engine::archive::LayerEntry;
use serde_json::json;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn command_and_args_stand_for_entrypoint_and_cmd() {
    let Some(node) = Node::new().await else { return };
    let say = b"#!/bin/sh\necho \"$0 $*\" > /out/$NAME.tmp\nbusybox mv /out/$NAME.tmp /out/$NAME\n";
    let files = ["say", "tell"].map(|name| format!("bin/{name}"));
    let more = files.iter().map(|path| LayerEntry::File(path, 0o755, say)).collect();
    let run = json!({ "Env": ["PATH=/bin"], "Entrypoint": ["/bin/say", "first"], "Cmd": ["of", "image"] });
    images::load(&node.engine, images::busybox_and("kl-test/say:1", &run, more)).await;
    node.start();
    let out = node.path("out");
    for (name, fields, expected) in [
        ("neither", "", "/bin/say first of image"),
        ("args", ", args: [given]", "/bin/say first given"),
        // As Kubernetes: what the image would add to its own entrypoint is not for another one.
        ("command", ", command: [/bin/tell]", "/bin/tell "),
        ("both", ", command: [/bin/tell, one], args: [two]", "/bin/tell one two"),
    ] {
        node.declare(
            &format!("{name}.yaml"),
            &format!(
                "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{restartPolicy: Never, volumes: \
                 [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}], containers: [{{name: c, image: \
                 'kl-test/say:1'{fields}, env: [{{name: NAME, value: {name}}}], volumeMounts: [{{name: out, mountPath: \
                 /out}}]}}]}}}}",
                out.display()
            ),
        );
        let said = eventually(name, || async { fs::read_to_string(out.join(name)).ok() }).await;
        assert_eq!(said.trim_end_matches('\n'), expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_of_the_pod_takes_the_place_of_the_images() {
    let Some(node) = Node::new().await else { return };
    let run = json!({ "Env": ["PATH=/bin"], "Volumes": { "/data": {}, "/own": {} } });
    images::load(&node.engine, images::busybox_and("kl-test/volumes:1", &run, Vec::new())).await;
    node.start();
    node.declare(
        "data.yaml",
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: data}, spec: {terminationGracePeriodSeconds: 2, volumes: [{name: v, \
         emptyDir: {}}], containers: [{name: c, image: 'kl-test/volumes:1', command: [sh, -c, 'echo kept > /data/file; \
         exec sleep 3600'], volumeMounts: [{name: v, mountPath: /data}]}]}}",
    );
    let id = node.runs("data", "c").await;
    let uid = node.pod_uid(&id).await;
    let file = node.path("root/pods").join(uid).join("volumes/kubernetes.io~empty-dir/v/file");
    eventually("it is written to the pod's volume", || async { fs::read_to_string(&file).ok() }).await;
    let volumes = async || {
        let (_, answer) = node.dockerd.request("GET", "/volumes", None).await.expect("an answer");
        answer["Volumes"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(volumes().await, 1, "only what nobody replaces is a volume of the engine");
    node.withdraw("data.yaml");
    node.nothing_left().await;
    assert_eq!(volumes().await, 0, "and goes with its container");
}
