//! What others do to our containers, and what we never do to theirs.

use crate::{
    node::{Node, server_pod},
    support::{eventually, images},
};
use kubelet_lite::engine::{ContainerCreateBody, Engine, EngineState};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_or_removed_comes_back() {
    let Some(node) = Node::running().await else { return };
    let mount = "    volumeMounts: [{name: data, mountPath: /data}]\n";
    node.declare("web.yaml", &server_pod("web", "", mount, "  volumes: [{name: data, emptyDir: {}}]\n"));
    let mut server = node.runs("web", "server").await;
    let sandbox = node.runs("web", "POD").await;
    let uid = node.pod_uid(&sandbox).await;
    let kept = node.path(&format!("root/pods/{uid}/volumes/kubernetes.io~empty-dir/data/kept"));
    std::fs::write(&kept, "").unwrap();

    node.engine.kill(&server, "SIGKILL").await.unwrap();
    server = node.replaced("web", "server", &server).await;
    assert_eq!(node.restart_count(&server).await, 1);
    node.engine.remove(&server).await.unwrap();
    server = node.replaced("web", "server", &server).await;
    assert_eq!(node.runs("web", "POD").await, sandbox, "the sandbox is not touched for that");

    node.engine.kill(&sandbox, "SIGKILL").await.unwrap();
    let second = node.replaced("web", "POD", &sandbox).await;
    server = node.replaced("web", "server", &server).await;
    node.engine.remove(&second).await.unwrap();
    let third = node.replaced("web", "POD", &second).await;
    server = node.replaced("web", "server", &server).await;
    let details = node.engine.inspect(&server).await.unwrap();
    assert_eq!(details.network_mode, format!("container:{third}"));
    assert_eq!(node.pod_uid(&third).await, uid, "it is the same pod");
    assert!(kept.exists(), "with what it had in its emptyDir");
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_container_on_our_name_is_reported_and_left_alone() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    let server = node.runs("web", "server").await;
    let name = node.engine.inspect(&server).await.unwrap().name;
    node.withdraw("web.yaml");
    node.nothing_left().await;

    let body = ContainerCreateBody { image: Some(images::SERVER.into()), ..ContainerCreateBody::default() };
    let foreign = node.engine.create(&name, body).await.unwrap();
    node.engine.start(&foreign).await.unwrap();
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.said("which is not ours and is left alone").await;
    assert_eq!(node.engine.inspect(&foreign).await.unwrap().state, EngineState::Running);
    node.engine.remove(&foreign).await.unwrap();
    node.runs("web", "server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_of_one_engine_leave_each_other_alone() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    let server = node.runs("web", "server").await;
    // Another root and no pods at all: nothing of the first one's is an orphan to it.
    let (root, manifests) = (node.path("root2"), node.path("manifests2"));
    std::fs::create_dir_all(&manifests).unwrap();
    let mut other = std::process::Command::new(env!("CARGO_BIN_EXE_kubelet-lite"));
    let log = node.path("log2");
    let mut child = other
        .arg(format!("--pod-manifest-path={}", manifests.display()))
        .arg(format!("--root-dir={}", root.display()))
        .arg(format!("--docker-endpoint={}", node.dockerd.endpoint()))
        .arg("--hostname-override=n2")
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let said = |text: &'static str| {
        let log = log.clone();
        async move {
            eventually(text, || async { std::fs::read_to_string(&log).ok()?.contains(text).then_some(()) }).await;
        }
    };
    said("connected to the Docker Engine").await;
    std::fs::write(manifests.join("own.yaml"), server_pod("own", "", "", "")).unwrap();
    said("container started").await;
    assert_eq!(node.runs("web", "server").await, server);
    child.kill().unwrap();
    child.wait().unwrap();

    // The same root is refused, with the code that tells systemd not to try again.
    let output = node.command().output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another kubelet-lite works on"));
}
