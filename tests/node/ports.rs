//! Host ports that several pods want.

use crate::node::Node;
use std::net::TcpListener;

fn with_port(name: &str, port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  \
         - name: c\n    image: kl-test/busybox:1\n    command: [sleep, '3600']\n    \
         ports: [{{containerPort: 80, hostPort: {port}, hostIP: 127.0.0.1}}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_for_the_host_port_of_another_and_starts_when_it_is_free() {
    let Some(node) = Node::running().await else { return };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    node.declare("second.yaml", &with_port("second", port));
    let id = node.runs("second", "c").await;
    node.declare("first.yaml", &with_port("first", port));
    node.said(&format!("host port 127.0.0.1:{port}/TCP belongs to pod default/second-n1")).await;
    // Neither the order of names nor a restart of the daemon takes the port away.
    node.kill().await;
    node.start();
    node.said(&format!("host port 127.0.0.1:{port}/TCP belongs to pod default/second-n1")).await;
    assert_eq!(node.runs("second", "c").await, id);
    assert!(node.find("first", "POD").await.is_none(), "it has a sandbox that can not start");
    node.withdraw("second.yaml");
    node.runs("first", "c").await;
    assert!(!node.log().contains("already allocated"), "the engine had to refuse it");
    node.withdraw("first.yaml");
    node.nothing_left().await;
}
