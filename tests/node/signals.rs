//! Signals and exit codes.

use crate::node::{Node, server_pod};
use nix::sys::signal::Signal;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_leave_the_pods_running() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.runs("web", "server").await;
    let before = node.running_ids().await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        node.signal(signal);
        assert_eq!(node.ended().await.code(), Some(0), "{signal}");
        assert_eq!(node.running_ids().await, before, "{signal}");
        node.start();
        node.said("connected to the Docker Engine").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_again() {
    let Some(node) = Node::running().await else { return };
    node.said("connected to the Docker Engine").await;
    node.signal(Signal::SIGHUP);
    node.said("SIGHUP: reading the configuration and the manifests again").await;
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.runs("web", "server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_does_not_hold_us_back() {
    let Some(node) = Node::running().await else { return };
    node.said("connected to the Docker Engine").await;
    node.dockerd.freeze();
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.said("pod declared").await;
    node.signal(Signal::SIGTERM);
    let status = node.ended().await;
    node.dockerd.thaw();
    assert_eq!(status.code(), Some(0));
    node.start();
    node.runs("web", "server").await;
}

#[test]
fn wrong_usage_has_its_own_code() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kubelet-lite")).args(args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (args, text) in [
        (&[][..], "--pod-manifest-path"),
        (&["--pod-manifest-path=/m", "--docker-endpoint=tcp://1.2.3.4:1"], "is not a unix socket"),
        (&["--pod-manifest-path=/m", "--config=/nonexistent.yaml"], "can not be read"),
        (&["--pod-manifst-path=/m"], "--pod-manifest-path"),
        (&["--pod-manifest-path=/m", "--sync-frequency=soon"], "--sync-frequency"),
    ] {
        let (code, stderr) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(text), "{args:?}: {stderr}");
    }
}

#[test]
fn validate_answers_by_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.yaml");
    let run = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_kubelet-lite")).arg("validate").arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let good = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: c, image: 'i:1'}]\n";
    assert_eq!(run(good).0, Some(0));
    let (code, report) = run(&good.replace("image:", "imagge:"));
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("`image`"), "{report}");
}
