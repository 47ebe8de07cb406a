//! `image` volumes: the files of an image in containers that are made of another one.

use crate::{
    node::Node,
    support::{eventually, images},
};
use kubelet_lite::engine::archive::LayerEntry;
use serde_json::json;
use std::{fs, os::unix::fs::MetadataExt};

const IMAGE: &str = "kl-test/files:2";

/// An image of two layers: the second replaces a file and hides another.
async fn make_image(node: &Node) {
    let base = vec![
        LayerEntry::Directory("site", 0o755),
        LayerEntry::File("site/page", 0o644, b"old"),
        LayerEntry::File("site/gone", 0o644, b"old"),
        LayerEntry::File("site/tool", 0o755, b"#!/bin/sh\necho run\n"),
    ];
    images::load(&node.engine, images::busybox_and("kl-test/files:1", &json!({ "Env": ["PATH=/bin"] }), base)).await;
    let change = "rm /site/gone; echo new > /site/page; chown 1234:1234 /site/page; mknod /site/device c 1 3";
    let body = json!({ "Image": "kl-test/files:1", "Cmd": ["sh", "-c", change] });
    let ask = async |method: &str, path: &str, body: Option<&serde_json::Value>| {
        let (status, answer) = node.dockerd.request(method, path, body).await.expect("an answer");
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    ask("POST", "/containers/create?name=change", Some(&body)).await;
    ask("POST", "/containers/change/start", None).await;
    ask("POST", "/containers/change/wait", None).await;
    ask("POST", "/commit?container=change&repo=kl-test/files&tag=2", Some(&json!({}))).await;
    ask("DELETE", "/containers/change", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_an_image_are_there_to_be_read() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    // Both containers look at the same volume; the second at a part of it, too, and goes on running.
    let look = "(cat /files/site/page; ls /files/site; /files/bin/busybox echo run; echo x > /files/site/page)";
    node.declare(
        "reader.yaml",
        &format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: reader}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {{fsGroup: 4321}}
  volumes:
  - {{name: files, image: {{reference: '{IMAGE}', pullPolicy: Never}}}}
  - {{name: out, hostPath: {{path: {out}, type: DirectoryOrCreate}}}}
  initContainers:
  - name: first
    image: kl-test/busybox:1
    command: [sh, -c, '{look} > /out/first.tmp 2>&1; mv /out/first.tmp /out/first']
    volumeMounts: [{{name: files, mountPath: /files, readOnly: true}}, {{name: out, mountPath: /out}}]
  containers:
  - name: c
    image: kl-test/busybox:1
    command: [sh, -c, 'cat /page > /out/c.tmp; mv /out/c.tmp /out/c; exec sleep 3600']
    volumeMounts:
    - {{name: files, mountPath: /page, subPath: site/page}}
    - {{name: out, mountPath: /out}}
",
            out = out.display()
        ),
    );
    node.said_of("reader", "ErrImageNeverPull").await;
    make_image(&node).await;
    let id = node.runs("reader", "c").await;
    let first = fs::read_to_string(out.join("first")).expect("the first has ended");
    let lines: Vec<&str> = first.lines().collect();
    let [page, names @ .., run, write] = lines.as_slice() else { panic!("{first}") };
    assert_eq!((*page, names), ("new", ["page", "tool"].as_slice()), "{first}");
    assert!(*run == "run" && write.ends_with("Read-only file system"), "{first}");
    let part = eventually("a part of it", || async { fs::read_to_string(out.join("c")).ok() }).await;
    assert_eq!(part, "new\n");
    let uid = node.pod_uid(&id).await;
    let volumes = node.path("root/pods").join(uid).join("volumes/kubernetes.io~image");
    let made: Vec<_> = fs::read_dir(&volumes).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [volume] = made.as_slice() else { panic!("{made:?}") };
    let owner = fs::metadata(volume.join("site/page")).unwrap();
    assert_eq!((owner.uid(), owner.gid(), owner.mode() & 0o777), (1234, 1234, 0o644), "fsGroup changes nothing");

    // Another start, of the container and of the daemon, goes on with the same files, though their image is gone.
    let made = || fs::metadata(volume).unwrap().ino();
    let before = made();
    node.kill().await;
    let gone = node.dockerd.request("DELETE", &format!("/images/{IMAGE}"), None).await.expect("an answer");
    assert!(gone.0 < 300, "{gone:?}");
    node.start();
    fs::remove_file(out.join("c")).unwrap();
    node.dockerd.request("POST", &format!("/containers/{id}/kill"), None).await.expect("an answer");
    node.replaced("reader", "c", &id).await;
    eventually("it reads again", || async { fs::read_to_string(out.join("c")).ok() }).await;
    assert_eq!(made(), before);
    node.withdraw("reader.yaml");
    node.nothing_left().await;
    eventually("its directory is gone", || async { (!volumes.exists()).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_image_has_not_is_named() {
    let Some(node) = Node::running().await else { return };
    let pod = |part: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: part, uid: part}}, spec: {{terminationGracePeriodSeconds: 1, \
             volumes: [{{name: v, image: {{reference: 'kl-test/busybox:1'}}}}], containers: [{{name: c, image: \
             'kl-test/busybox:1', command: [sleep, '3600'], volumeMounts: [{{name: v, mountPath: /v, subPath: {part}}}]}}]}}}}"
        )
    };
    node.declare("part.yaml", &pod("nowhere"));
    node.said_of("part", "nowhere: No such file or directory").await;
    node.declare("part.yaml", &pod("etc/passwd"));
    let id = node.runs("part", "c").await;
    node.run_in(&id, &["sh", "-c", ": < /v"]).await;
}
