//! The engine stops, dies, starts again, or is not there at all.

use crate::{
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
