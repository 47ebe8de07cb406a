//! Host ports that several pods want.

use crate::{
    node::Node,
    support::{eventually, free_port, http_get},
};
use kubelet_lite::engine::Engine;
use std::{
    net::{TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

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
    let port = free_port();
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

#[tokio::test(flavor = "multi_thread")]
async fn host_ports_carry_tcp_and_udp() {
    let Some(node) = Node::running().await else { return };
    let (tcp, udp) = (free_port(), free_port());
    node.declare(
        "both.yaml",
        &format!(
            "
apiVersion: v1
kind: Pod
metadata: {{name: both}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: server
    image: kl-test/server:1
    args: [--udp, '8080']
    ports: [{{containerPort: 8080, hostPort: {tcp}, hostIP: 127.0.0.1}}, {{containerPort: 8080, hostPort: {udp}, hostIP: 127.0.0.1, protocol: UDP}}]
"
        ),
    );
    let over_tcp = || async {
        let (_, echo) = http_get(("127.0.0.1", tcp), "/echo?over-tcp").await?;
        (echo == "over-tcp").then_some(())
    };
    eventually("the port of TCP answers", over_tcp).await;
    let over_udp = || async {
        let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        socket.send_to(b"over udp", ("127.0.0.1", udp)).ok()?;
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).ok()?;
        (answer[..length] == *b"over udp").then_some(())
    };
    eventually("the port of UDP answers", over_udp).await;
    crate::support::say("NOT ASKED over SCTP: no program here speaks it");
    node.withdraw("both.yaml");
    node.nothing_left().await;
    assert!(TcpStream::connect(("127.0.0.1", tcp)).is_err(), "the port goes with the pod");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_port_that_somebody_else_has_is_tried_again() {
    let Some(node) = Node::new().await else { return };
    // Any image that stays may be the sandbox's.
    let node = node.flag("--pod-infra-container-image=kl-test/server:1");
    node.start();
    let taken = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
    let port = taken.local_addr().unwrap().port();
    node.declare("web.yaml", &with_port("web", port));
    node.said("FailedCreatePodSandBox").await;
    node.said(&port.to_string()).await;
    drop(taken);
    node.runs("web", "c").await;
    let sandbox = node.runs("web", "POD").await;
    let (_, image) = node.dockerd.request("GET", "/images/kl-test/server:1/json", None).await.unwrap();
    assert_eq!(image["Id"], node.engine.inspect(&sandbox).await.unwrap().image_id);
    node.withdraw("web.yaml");
    node.nothing_left().await;
}
