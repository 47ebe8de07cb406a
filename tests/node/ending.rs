//! How containers end: signals, the moments of SIGTERM and SIGKILL, and wishes that change meanwhile.

use crate::{
    moments::{Written, assert_at_least, assert_between, busybox, noted, signalled, stubborn, uptime},
    node::{Node, server_pod},
    support::{eventually, http_get, images},
};
use kubelet_lite::engine::{Engine, EngineState};
use nix::sys::signal::Signal;
use std::fs;

/// Notes each of these signals in a file of its own; ends at any of them.
fn noting(name: &str, signals: &[&str]) -> String {
    let traps: Vec<String> = signals
        .iter()
        .map(|signal| format!("trap 'cat /proc/uptime >> /log/{name}.{signal}; exit 0' {signal}; "))
        .collect();
    format!("{}cat /proc/uptime > /log/{name}.up; while true; do sleep 0.1; done", traps.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_gets_its_own_stop_signal() {
    let Some(node) = Node::running().await else { return };
    images::load(&node.engine, images::busybox_stopped_by("kl-test/quit:1", "SIGQUIT")).await;
    let signals = ["TERM", "USR1", "QUIT"];
    let quit = |container: String| container.replace(images::BUSYBOX, "kl-test/quit:1");
    let pod = Written {
        name: "signals",
        grace: 20,
        policy: "Always",
        init: vec![],
        containers: vec![
            busybox("plain", &noting("plain", &signals), ""),
            busybox("spec", &noting("spec", &signals), "    lifecycle: {stopSignal: SIGUSR1}\n"),
            quit(busybox("image", &noting("image", &signals), "")),
            quit(busybox("both", &noting("both", &signals), "    lifecycle: {stopSignal: SIGUSR1}\n")),
        ],
    };
    let manifest = pod.manifest(&node).replace("spec:\n", "spec:\n  os: {name: linux}\n");
    node.declare("signals.yaml", &manifest);
    for name in ["plain", "spec", "image", "both"] {
        noted(&node, &format!("{name}.up")).await;
    }
    node.withdraw("signals.yaml");
    node.nothing_left().await;
    for (name, expected) in [("plain", "TERM"), ("spec", "USR1"), ("image", "QUIT"), ("both", "USR1")] {
        let got: Vec<&str> =
            signals.into_iter().filter(|signal| node.path(&format!("{name}.{signal}")).exists()).collect();
        assert_eq!(got, [expected], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shortest_graces_are_two_seconds_and_no_longer() {
    let Some(node) = Node::running().await else { return };
    let pod = |name, grace| Written {
        name,
        grace,
        policy: "Always",
        init: vec![],
        containers: vec![busybox(name, &stubborn(name), "")],
    };
    for (name, grace) in [("zero", 0), ("one", 1)] {
        node.declare(&format!("{name}.yaml"), &pod(name, grace).manifest(&node));
    }
    let mut ids = Vec::new();
    for name in ["zero", "one"] {
        noted(&node, &format!("{name}.alive")).await;
        ids.push(node.runs(name, name).await);
    }
    node.withdraw("zero.yaml");
    node.withdraw("one.yaml");
    node.nothing_left().await;
    for id in ids {
        let (term, end) = (signalled(&node, &id, Signal::SIGTERM).await, signalled(&node, &id, Signal::SIGKILL).await);
        // Less than the engine's own ten.
        assert_between("the time to SIGKILL", end - term, 1.9, 9.5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_the_daemon_after_the_signal_moves_no_deadline() {
    let Some(node) = Node::running().await else { return };
    let pod = |name| Written {
        name,
        grace: 8,
        policy: "Always",
        init: vec![],
        containers: vec![busybox(name, &stubborn(name), "")],
    };
    for name in ["back", "gone"] {
        node.declare(&format!("{name}.yaml"), &pod(name).manifest(&node));
        noted(&node, &format!("{name}.alive")).await;
    }
    for (name, comes_back) in [("back", true), ("gone", false)] {
        let id = node.runs(name, name).await;
        let asked = uptime();
        node.withdraw(&format!("{name}.yaml"));
        noted(&node, &format!("{name}.term")).await;
        eventually("some of the grace is over", || async { (uptime() > asked + 3.0).then_some(()) }).await;
        node.kill().await;
        let back = uptime();
        if comes_back {
            node.start();
        }
        // Where nobody is left, the engine keeps the deadline.
        let ended = || async { node.find(name, name).await.is_none().then_some(()) };
        eventually("the container has ended", ended).await;
        let end = signalled(&node, &id, Signal::SIGKILL).await;
        assert_at_least("the end", end - asked, 7.9);
        assert!(end - back < 8.0, "the grace began anew");
        if !comes_back {
            node.start();
        }
    }
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_while_it_is_on_its_way_is_gone_at_once() {
    let Some(node) = Node::running().await else { return };
    // A registry that takes the connection and says nothing.
    let registry = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("127.0.0.1:{}/slow:1", registry.local_addr().unwrap().port());
    let stuck =
        "  initContainers:\n  - {name: first, image: 'kl-test/server:1', args: [--port, '0', --on-term, ignore]}\n";
    let hook = "    lifecycle: {postStart: {exec: {command: [/server, --port, '0']}}}\n";
    let probe = "    startupProbe: {tcpSocket: {port: 1}, periodSeconds: 1, failureThreshold: 600}\n";
    for (name, manifest, word) in [
        ("pulling", server_pod("pulling", "", "", "").replace("kl-test/server:1", &image), "Pulling image"),
        ("unpulled", server_pod("unpulled", "", "", "").replace("server:1", "missing:1"), "ErrImagePull"),
        ("loop", server_pod("loop", "--exit-after, '10:3'", "", ""), "restarting failed container"),
        ("init", server_pod("init", "", "", stuck).replace("Seconds: 5", "Seconds: 2"), "container started"),
        ("hooked", server_pod("hooked", "", hook, ""), "container started"),
        ("starting", server_pod("starting", "", probe, ""), "Startup probe failed"),
    ] {
        let file = format!("{name}.yaml");
        node.declare(&file, &manifest);
        node.said_of(name, word).await;
        node.withdraw(&file);
        node.nothing_left().await;
    }
}

/// Arguments of all containers of a pod that run, but for its sandbox.
async fn running(node: &Node, pod: &str) -> Vec<String> {
    let mut found = Vec::new();
    for row in node.containers().await {
        let is_it = row.state == EngineState::Running
            && row.labels.get("io.kubernetes.pod.name") == Some(&format!("{pod}-n1"))
            && row.labels["io.kubernetes.container.name"] != "POD";
        if is_it {
            let (_, details) =
                node.dockerd.request("GET", &format!("/containers/{}/json", row.id), None).await.unwrap();
            found.push(details["Args"].to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_wishes_the_last_one_counts() {
    let Some(node) = Node::running().await else { return };
    // Each notes when it started, and takes its time to end, or until it is told to.
    let pod = |word: &str, extra: &str| {
        let mount = format!(
            "    volumeMounts: [{{name: log, mountPath: /log}}]\n  volumes: [{{name: log, hostPath: {{path: {}}}}}]\n",
            node.path("").display()
        );
        server_pod("web", &format!("--on-term, '{}', --log, /log/{word}", on_term(word)), &mount, extra)
            .replace("Seconds: 5", "Seconds: 30")
    };
    let said = |word: &str| fs::read_to_string(node.path(word)).unwrap_or_default();
    let settles = async |word: &str| {
        let runs = || async { (running(&node, "web").await == [running_args(word)]).then_some(()) };
        eventually(&format!("{word} alone runs"), runs).await;
        // Before that, SIGTERM would find none of its handlers.
        let listens = || async { said(word).lines().last()?.contains(" listen ").then_some(()) };
        eventually(&format!("{word} listens"), listens).await;
        node.runs("web", "POD").await
    };
    let is_told_to_end = async |word: &str| {
        eventually(&format!("{word} is told to end"), || async { said(word).contains("SIGTERM").then_some(()) }).await;
    };
    // A pod is declared, and another while what ran before ends: that goes when the daemon knows both.
    let supersede = async |word: &str, sandbox: &str, never: &str, then: &str| {
        let declared = || node.log().matches("pod declared").count();
        let (before, ip) = (declared(), node.engine.inspect(sandbox).await.unwrap().ips[0]);
        node.declare("web.yaml", never);
        is_told_to_end(word).await;
        node.declare("web.yaml", then);
        let both = || async { (declared() >= before + 2).then_some(()) };
        eventually("the daemon knows the last wish", both).await;
        http_get((ip, 8080), "/exit?code=0").await;
    };
    node.declare("web.yaml", &pod("first", ""));
    settles("first").await;
    // Removed and added again at once, the same and another.
    node.withdraw("web.yaml");
    node.declare("web.yaml", &pod("first", ""));
    settles("first").await;
    node.withdraw("web.yaml");
    node.declare("web.yaml", &pod("second", ""));
    settles("second").await;
    // Removed, and added again when its end has begun.
    node.withdraw("web.yaml");
    is_told_to_end("second").await;
    node.declare("web.yaml", &pod("second", ""));
    let old = settles("second").await;
    assert!(!old.is_empty());
    // Edited twice at once, then again while the old one ends: what was in between never runs.
    node.declare("web.yaml", &pod("third", ""));
    node.declare("web.yaml", &pod("fourth", ""));
    let sandbox = settles("fourth").await;
    supersede("fourth", &sandbox, &pod("fifth", ""), &pod("sixth", "")).await;
    let sandbox = settles("sixth").await;
    assert!(!node.path("fifth").exists(), "it was superseded before it began");
    // The same with edits that make another pod.
    supersede("sixth", &sandbox, &pod("seventh", "  hostname: a\n"), &pod("eighth", "  hostname: b\n")).await;
    settles("eighth").await;
    assert!(!node.path("seventh").exists(), "it was superseded before it began");
    // Nothing of the others is left beside it.
    let old = || async {
        let rows = node.containers().await;
        let sandboxes = rows.iter().filter(|row| row.labels["io.kubernetes.container.name"] == "POD").count();
        (sandboxes == 1 && fs::read_dir(node.path("root/pods")).unwrap().count() == 1).then_some(())
    };
    eventually("the others are gone", old).await;
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

fn on_term(word: &str) -> &'static str {
    if ["fourth", "sixth"].contains(&word) { "ignore" } else { "slow:1500:0" }
}

fn running_args(word: &str) -> String {
    serde_json::json!(["--on-term", on_term(word), "--log", format!("/log/{word}")]).to_string()
}
