//! `kill -9` of the daemon at any instant, and start again.

use crate::{
    node::{Node, server_pod},
    support::eventually,
};
use kubelet_lite::engine::EngineState;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn healthy_containers_keep_their_ids() {
    let Some(node) = Node::running().await else { return };
    let names = ["a", "b", "c"];
    for name in names {
        node.declare(&format!("{name}.yaml"), &server_pod(name, "", "", ""));
    }
    for name in names {
        node.runs(name, "server").await;
    }
    let before = node.running_ids().await;
    assert_eq!(before.len(), 6);
    for round in 0..3 {
        node.kill().await;
        node.start();
        eventually("the daemon is back", || async {
            (node.log().matches("connected to the Docker Engine").count() == round + 2).then_some(())
        })
        .await;
    }
    node.declare("d.yaml", &server_pod("d", "", "", ""));
    node.runs("d", "server").await;
    assert!(before.is_subset(&node.running_ids().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_instant_of_a_start_it_converges() {
    let Some(node) = Node::new().await else { return };
    // The instants are spread over the time a start takes; how long that is on this machine is of no
    // consequence for what must hold.
    for (round, delay) in [0, 15, 40, 80, 130, 200, 260, 330, 420].into_iter().enumerate() {
        let (name, file) = (format!("p{round}"), format!("p{round}.yaml"));
        node.declare(&file, &server_pod(&name, "", "", ""));
        node.start();
        tokio::time::sleep(Duration::from_millis(delay)).await;
        node.kill().await;
        node.start();
        node.runs(&name, "server").await;
        node.runs(&name, "POD").await;
        let rows = node.containers().await;
        let of_pod = rows.iter().filter(|r| r.labels["io.kubernetes.pod.name"] == format!("{name}-n1"));
        let live = of_pod.filter(|r| r.state == EngineState::Running).count();
        assert_eq!(live, 2, "round {round}: {rows:?}");
        node.withdraw(&file);
        node.nothing_left().await;
        node.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_meanwhile_ends_with_its_own_grace() {
    let Some(node) = Node::running().await else { return };
    let slow = server_pod("slow", "--on-term, 'slow:3000:0'", "", "");
    node.declare("slow.yaml", &slow.replace("Seconds: 5", "Seconds: 60"));
    node.declare("edited.yaml", &server_pod("edited", "", "", ""));
    let id = node.runs("slow", "server").await;
    let edited = node.runs("edited", "server").await;
    node.kill().await;
    node.withdraw("slow.yaml");
    node.declare("edited.yaml", &server_pod("edited", "--log, /tmp/x", "", ""));
    node.start();
    node.replaced("edited", "server", &edited).await;
    eventually("the removed pod is gone", || async {
        (!node.containers().await.iter().any(|r| r.id == id)).then_some(())
    })
    .await;
    // It took 3 s to end by itself and was not killed: the log of the daemon has its exit code.
    let log = node.log();
    let ended = log.lines().find(|l| l.contains("container ended") && l.contains(&id)).expect("its end was seen");
    assert!(ended.contains("exit_code=0"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_removal_it_goes_on() {
    let Some(node) = Node::running().await else { return };
    node.declare("slow.yaml", &server_pod("slow", "--on-term, 'slow:2000:0'", "", ""));
    node.runs("slow", "server").await;
    node.withdraw("slow.yaml");
    node.said("Killing").await;
    node.kill().await;
    node.start();
    node.nothing_left().await;
}
