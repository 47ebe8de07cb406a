//! The engine stops, dies, starts again, or is not there at all.

use crate::{
    moments::{Written, busybox, noted},
    node::{Node, server_pod},
    support::{DockerdOptions, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn without_live_restore_pods_come_back_whole() {
    let Some(node) = Node::running().await else { return };
    let second = "  - name: second\n    image: kl-test/server:1\n    args: [--port, '0']\n";
    node.declare("web.yaml", &server_pod("web", "", second, ""));
    let names = ["POD", "server", "second"];
    let mut before = Vec::new();
    for name in names {
        before.push(node.runs("web", name).await);
    }
    for how in ["killed", "stopped"] {
        if how == "killed" {
            node.dockerd.kill().await;
        } else {
            node.dockerd.stop().await;
        }
        node.said("waiting for the Docker Engine").await;
        node.dockerd.start_again().await;
        for (name, old) in names.iter().zip(&mut before) {
            *old = node.replaced("web", name, old).await;
        }
        let sandbox = &before[0];
        eventually("all containers share the new sandbox", || async {
            let rows = node.containers().await;
            let live = rows.iter().filter(|r| r.state == kubelet_lite::engine::EngineState::Running);
            let joined =
                live.filter_map(|r| r.labels.get("io.kubernetes.sandbox.id")).filter(|id| *id == sandbox).count();
            (joined == 2).then_some(())
        })
        .await;
    }
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_boot_pods_run_as_before_also_those_of_a_file_that_is_refused_now() {
    let Some(node) = Node::running().await else { return };
    let mount = "    volumeMounts: [{name: data, mountPath: /data}]\n";
    let good = server_pod("web", "", mount, "  volumes: [{name: data, emptyDir: {}}]\n");
    node.declare("web.yaml", &good);
    let id = node.runs("web", "server").await;
    let uid = node.pod_uid(&id).await;
    let kept = node.path(&format!("root/pods/{uid}/volumes/kubernetes.io~empty-dir/data/kept"));
    std::fs::write(&kept, "").unwrap();
    node.kill().await;
    node.dockerd.kill().await;
    node.declare("web.yaml", &good.replace("image:", "imagee:"));
    node.dockerd.start_again().await;
    node.start();
    node.said("manifest refused; what it declared before stays").await;
    let again = node.replaced("web", "server", &id).await;
    assert_eq!(node.pod_uid(&again).await, uid);
    assert!(node.restart_count(&again).await > 0, "its records count on");
    assert!(kept.exists(), "its emptyDir is there");
    node.declare("web.yaml", &good);
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_live_restore_nothing_is_restarted() {
    let Some(node) = Node::with(DockerdOptions { live_restore: true, ..DockerdOptions::default() }).await else {
        return;
    };
    node.start();
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.runs("web", "server").await;
    let before = node.running_ids().await;
    for round in 2..4 {
        node.dockerd.kill().await;
        node.dockerd.start_again().await;
        eventually("the daemon is connected again", || async {
            (node.log().matches("connected to the Docker Engine").count() == round).then_some(())
        })
        .await;
    }
    node.declare("more.yaml", &server_pod("more", "", "", ""));
    node.runs("more", "server").await;
    assert!(before.is_subset(&node.running_ids().await));
    node.withdraw("web.yaml");
    node.withdraw("more.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_not_there_yet_is_waited_for() {
    let Some(node) = Node::new().await else { return };
    node.dockerd.stop().await;
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.start();
    node.said("waiting for the Docker Engine").await;
    node.said("ready").await;
    node.dockerd.start_again().await;
    node.runs("web", "server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_fails_no_probe_and_no_hook() {
    let options = DockerdOptions { live_restore: true, ..DockerdOptions::default() };
    let Some(node) = Node::with(options).await else { return };
    node.start();
    let idle = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    // Almost always under way, and one failure is enough.
    let probe = "    livenessProbe: {exec: {command: [sleep, '0.9']}, periodSeconds: 1, timeoutSeconds: 30, \
                 failureThreshold: 1}\n";
    let hook = "    lifecycle: {postStart: {exec: {command: [sh, -c, 'cat /proc/uptime >> /log/hook; \
                until [ -e /log/go ]; do sleep 0.1; done']}}}\n";
    for (name, more) in [("probed", probe), ("hooked", hook)] {
        let containers = vec![busybox("a", idle, more)];
        let pod = Written { name, grace: 2, policy: "Always", init: vec![], containers };
        node.declare(&format!("{name}.yaml"), &pod.manifest(&node));
    }
    let ids = [node.runs("probed", "a").await, node.runs("hooked", "a").await];
    noted(&node, "hook").await;
    node.dockerd.kill().await;
    node.said("waiting for the Docker Engine").await;
    node.dockerd.start_again().await;
    // A hook runs at least once, to its end.
    eventually("the hook runs again", || async { (noted(&node, "hook").await.len() == 2).then_some(()) }).await;
    std::fs::write(node.path("go"), "").unwrap();
    node.shows("hooked", "1/1 Running new").await;
    node.shows("probed", "1/1 Running new").await;
    assert_eq!([node.runs("probed", "a").await, node.runs("hooked", "a").await], ids);
    for word in ["Liveness probe failed", "PostStartHook failed"] {
        assert!(!node.log().contains(word), "{word}");
    }
}
