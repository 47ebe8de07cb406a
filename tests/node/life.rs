//! A pod's ordinary life: start, edit, crash, end.

use crate::{
    node::{Node, server_pod},
    support::{eventually, free_port, http_get},
};
use kubelet_lite::engine::{Engine, EngineState};
use std::{collections::BTreeSet, fs};

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_starts_serves_and_ends_without_a_trace() {
    let Some(node) = Node::running().await else { return };
    let networks =
        || async { node.dockerd.request("GET", "/networks", None).await.unwrap().1.as_array().unwrap().len() };
    let before = networks().await;
    let port = free_port();
    let ports = format!("    ports: [{{containerPort: 8080, hostPort: {port}, hostIP: 127.0.0.1}}]\n");
    node.declare("web.yaml", &server_pod("web", "", &ports, ""));
    let server = node.runs("web", "server").await;
    let sandbox = node.runs("web", "POD").await;
    let at = ("127.0.0.1", port);
    let (_, served) = eventually("the host port serves", || http_get(at, "/echo?hello")).await;
    assert_eq!(served, "hello");

    let details = node.engine.inspect(&server).await.unwrap();
    assert_eq!(details.network_mode, format!("container:{sandbox}"));
    assert_eq!(details.labels["io.kubernetes.pod.name"], "web-n1");
    assert_eq!(details.labels["io.kubernetes.pod.namespace"], "default");
    let uid = details.labels["io.kubernetes.pod.uid"].clone();
    assert_eq!(details.name, format!("k8s_server_web-n1_default_{uid}_0"));
    assert_eq!(node.engine.inspect(&sandbox).await.unwrap().labels["app"], "web");

    node.withdraw("web.yaml");
    node.nothing_left().await;
    assert_eq!(networks().await, before);
    assert!(http_get(at, "/").await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_restarts_no_more_than_it_must() {
    let Some(node) = Node::running().await else { return };
    let second = "  - name: second\n    image: kl-test/server:1\n    args: [--port, '0']\n";
    node.declare("web.yaml", &server_pod("web", "", second, ""));
    let (server, other) = (node.listens("web", "server").await, node.runs("web", "second").await);
    let sandbox = node.runs("web", "POD").await;

    // What the process does not depend on: labels, grace, a comment, the name of the file.
    let relabelled = server_pod("web", "", second, "").replace("app: web", "app: other");
    node.declare("web.yaml", &relabelled.replace("Seconds: 5", "Seconds: 4"));
    node.said("manifest changed").await;
    fs::rename(node.manifests().join("web.yaml"), node.manifests().join("renamed.yaml")).unwrap();
    node.said("renamed.yaml").await;

    // The process itself: that container alone, after the old one has ended.
    let edited = relabelled.replace("args: []", "args: [--log, /tmp/x]");
    node.declare("renamed.yaml", &edited);
    let fresh = node.replaced("web", "server", &server).await;
    assert_eq!(node.restart_count(&fresh).await, 1);
    let old = node.engine.inspect(&server).await.unwrap();
    assert_eq!((old.state, old.exit_code), (EngineState::Exited, 0), "it was asked to end, and had time to");
    let began = node.engine.inspect(&fresh).await.unwrap().started_at;
    assert!(old.finished_at <= began, "no overlap: {:?} {began:?}", old.finished_at);
    assert_eq!(node.runs("web", "second").await, other);
    assert_eq!(node.runs("web", "POD").await, sandbox);

    // A container removed from the manifest ends, the others stay.
    node.declare("renamed.yaml", &edited.replace(second, ""));
    eventually("the second container is gone", || async {
        let rows = node.containers().await;
        (!rows.iter().any(|r| r.id == other)).then_some(())
    })
    .await;
    assert_eq!(node.runs("web", "server").await, fresh);

    // What the sandbox depends on: another pod, made when the old one has ended.
    node.declare("renamed.yaml", &edited.replace(second, "").replace("spec:\n", "spec:\n  hostname: elsewhere\n"));
    let moved = node.replaced("web", "POD", &sandbox).await;
    node.replaced("web", "server", &fresh).await;
    let server = node.runs("web", "server").await;
    let (of_sandbox, of_server) = (node.pod_uid(&moved).await, node.pod_uid(&server).await);
    assert_eq!(of_sandbox, of_server);
    eventually("the old incarnation is gone", || async { node.engine.inspect(&sandbox).await.is_err().then_some(()) })
        .await;
    node.withdraw("renamed.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_old_is_stopped_for_an_image_that_can_not_be_had() {
    let Some(node) = Node::running().await else { return };
    let manifest = server_pod("web", "", "", "");
    node.declare("web.yaml", &manifest);
    let server = node.runs("web", "server").await;
    node.declare("web.yaml", &manifest.replace("server:1", "missing:1"));
    node.said("ErrImagePull").await;
    assert_eq!(node.runs("web", "server").await, server);
    // Nor by an edit that makes another pod.
    node.declare("web.yaml", &manifest.replace("server:1", "missing:2").replace("spec:\n", "spec:\n  hostname: x\n"));
    node.said("missing:2").await;
    assert_eq!(node.runs("web", "server").await, server);
    // Nor by a file that can not be read, which a daemon that starts anew finds so.
    node.declare("web.yaml", "kind: Pod\nspec: [");
    node.said("manifest refused").await;
    node.kill().await;
    node.start();
    node.said("kept as it runs").await;
    assert_eq!(node.runs("web", "server").await, server);
    // Nor by a directory that is not there.
    fs::rename(node.manifests(), node.path("away")).unwrap();
    eventually("the daemon misses the directory", || async {
        node.log().lines().any(|l| l.contains("WARN") || l.contains("ERROR")).then_some(())
    })
    .await;
    node.kill().await;
    node.start();
    node.said("connected to the Docker Engine").await;
    assert_eq!(node.runs("web", "server").await, server);
    fs::rename(node.path("away"), node.manifests()).unwrap();
    node.declare("web.yaml", &manifest);
    node.declare("more.yaml", &server_pod("more", "", "", ""));
    node.runs("more", "server").await;
    assert_eq!(node.runs("web", "server").await, server);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_grace_and_then_the_end() {
    let Some(node) = Node::running().await else { return };
    // The image's own idea of SIGTERM: it is ignored until the end of the grace.
    let log = node.path("slow.log");
    let mount = format!(
        "    volumeMounts: [{{name: log, mountPath: /log}}]\n  volumes: [{{name: log, hostPath: {{path: {}}}}}]\n",
        node.path("").display()
    );
    node.declare("slow.yaml", &server_pod("slow", "--on-term, ignore, --log, /log/slow.log", &mount, ""));
    let id = node.runs("slow", "server").await;
    eventually("the server listens", || async { fs::read_to_string(&log).ok()?.contains("listen").then_some(()) })
        .await;
    let started = node.engine.inspect(&id).await.unwrap().started_at.unwrap();
    let asked = jiff_now();
    node.withdraw("slow.yaml");
    node.nothing_left().await;
    let took = jiff_now().duration_since(asked);
    assert!(took >= jiff::SignedDuration::from_secs(5), "it had its 5 s: {took:?}");
    let notes = fs::read_to_string(&log).unwrap();
    assert!(notes.contains("signal SIGTERM"), "{notes}");
    assert!(asked > started);
}

/// The present, for claims about how long something took.
fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_backs_off_and_remembers() {
    let Some(node) = Node::new().await else { return };
    fs::write(
        node.path("config.yaml"),
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\
         crashLoopBackOff: {maxContainerRestartPeriod: 2s}\n",
    )
    .unwrap();
    let config = format!("--config={}", node.path("config.yaml").display());
    let node = node.flag(config);
    node.start();
    node.declare("bad.yaml", &server_pod("bad", "--exit-after, '10:3'", "", ""));
    node.said("back-off 2s restarting failed container").await;
    let count = || async {
        let rows = node.containers().await;
        let counts = rows.iter().filter_map(|r| r.labels.get("annotation.io.kubernetes.container.restartCount"));
        counts.filter_map(|c| c.parse::<u32>().ok()).max()
    };
    let before = eventually("two restarts", || async { count().await.filter(|n| *n >= 2) }).await;
    node.kill().await;
    node.start();
    let after = eventually("another restart", || async { count().await.filter(|n| *n > before) }).await;
    assert_eq!(after, before + 1, "restart counts go on");
    // One record of the past is kept beside what lives.
    eventually("old records are removed", || async {
        let rows = node.containers().await;
        (rows.iter().filter(|r| r.labels["io.kubernetes.container.name"] == "server").count() <= 2).then_some(())
    })
    .await;
    // An edit that mends it acts at once.
    node.declare("bad.yaml", &server_pod("bad", "", "", ""));
    node.runs("bad", "server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_policies_are_kept() {
    let Some(node) = Node::running().await else { return };
    let once = server_pod("once", "--exit-after, '10:0'", "", "  restartPolicy: OnFailure\n");
    node.declare("once.yaml", &once);
    node.declare("never.yaml", &server_pod("never", "--exit-after, '10:1'", "", "  restartPolicy: Never\n"));
    let finished = || async {
        let rows = node.containers().await;
        let done = |pod: &str| {
            let of_pod: Vec<_> = rows.iter().filter(|r| r.labels["io.kubernetes.pod.name"] == pod).collect();
            of_pod.len() == 2 && of_pod.iter().all(|r| r.state == EngineState::Exited)
        };
        (done("once-n1") && done("never-n1")).then_some(())
    };
    eventually("both pods are finished", finished).await;
    // And stay so when the daemon and the engine start anew.
    node.kill().await;
    node.dockerd.stop().await;
    node.dockerd.start_again().await;
    node.start();
    node.said("connected to the Docker Engine").await;
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.runs("web", "server").await;
    assert!(finished().await.is_some(), "what is done is not done again");
    node.withdraw("once.yaml");
    node.withdraw("never.yaml");
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_another_name_of_the_node_all_pods_are_others() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    let old = node.runs("web", "server").await;
    node.kill().await;
    let node = node.named("n2");
    node.start();
    node.said("the pod is of a node of another name, and this one is n2").await;
    eventually("the pod runs under its new name, and the old one is gone", || async {
        let rows = node.containers().await;
        let names: BTreeSet<&str> = rows.iter().map(|row| row.labels["io.kubernetes.pod.name"].as_str()).collect();
        (names == BTreeSet::from(["web-n2"]) && rows.iter().all(|row| row.id != old)).then_some(())
    })
    .await;
    node.withdraw("web.yaml");
    node.nothing_left().await;
}
