//! The end of all pods when the node goes down, on a real engine: the manager in this process, told as the
//! daemon's guard at logind tells it.

use crate::{
    moments::{Written, assert_at_least, assert_between, busybox, noted, signalled, stubborn, uptime},
    node::{NODE, Node},
    support::{PATIENCE, eventually},
};
use kubelet_lite::{
    convert::NodeFacts,
    engine::{EngineState, docker::DockerEngine},
    event::Recorder,
    manifest::{
        DirectoryState, ManifestFile, Snapshot,
        parse::{ParseOptions, parse_file},
    },
    plan::NodePolicy,
    pod,
    probe::HostHandlers,
    shutdown::{Shutdown, ShutdownPhase, ShutdownPolicy},
    time::Clock,
    volume::{AppliedStore, VolumeManager},
    worker::{
        Facts, ManagerOptions, NodeSummary, OomSupport, PARALLEL_DISK_WORK, PARALLEL_STARTS, PARALLEL_UNPACKS,
        PodManager, SandboxImage, Shared, StartQueue,
    },
};
use nix::sys::signal::Signal;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the daemon's manager has.
fn shared(node: &Node) -> Shared<DockerEngine> {
    let (root, clock) = (node.path("root"), Clock::system());
    let facts = NodeFacts::new(root.clone(), pod::Node { name: NODE.to_owned() }, String::new());
    Shared {
        handlers: Arc::new(HostHandlers::new(node.engine.clone())),
        engine: node.engine.clone(),
        facts: Facts::new(facts),
        oom: watch::Sender::new(OomSupport::default()),
        volumes: VolumeManager::new(&root),
        applied: AppliedStore::new(&root),
        events: Recorder::new(clock.clone()),
        clock,
        policy: NodePolicy::default(),
        starts: StartQueue::new(PARALLEL_STARTS),
        unpacks: StartQueue::new(PARALLEL_UNPACKS),
        disk: StartQueue::new(PARALLEL_DISK_WORK),
        sandbox_image: SandboxImage::BuiltIn,
        log_links: None,
    }
}

fn snapshot(manifests: &[(&str, String)]) -> Snapshot {
    let mut snapshot = Snapshot { generation: 1, state: DirectoryState::Read, ..Snapshot::default() };
    for (name, text) in manifests {
        let path = Path::new("/m").join(name);
        let parsed = parse_file(&path, text.as_bytes(), &ParseOptions::default());
        assert!(!parsed.is_refused(), "{:?}", parsed.diagnostics);
        let objects = Some(Arc::new(parsed.objects));
        let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: parsed.diagnostics };
        snapshot.files.insert(path, file);
    }
    snapshot
}

/// Notes its stop signal, and takes two seconds to end.
fn leisurely(name: &str) -> String {
    format!(
        "trap 'cat /proc/uptime > /log/{name}.term; sleep 2; cat /proc/uptime > /log/{name}.end; exit 0' TERM; \
         cat /proc/uptime > /log/{name}.up; while true; do sleep 0.1; done"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_share_what_the_shutdown_leaves_and_end_last_first() {
    let Some(node) = Node::running().await else { return };
    let sidecar = |name: &str, script: String| busybox(name, &script, "    restartPolicy: Always\n");
    let pod = |name, init, containers| Written { name, grace: 600, policy: "Always", init, containers };
    let manifests = [
        // Everybody ends in time: one after the other.
        pod(
            "orderly",
            vec![sidecar("first", leisurely("first")), sidecar("second", leisurely("second"))],
            vec![busybox("app", &leisurely("app"), "")],
        ),
        // The app takes all the time there is: its sidecars are told at the end, all at once.
        pod("held", vec![sidecar("side", leisurely("side"))], vec![busybox("stubborn", &stubborn("stubborn"), "")]),
    ];
    let manifests = manifests.map(|pod| (pod.name, pod.manifest(&node)));
    for (name, text) in &manifests {
        node.declare(&format!("{name}.yaml"), text);
    }
    for file in ["first.up", "second.up", "app.up", "side.up", "stubborn.alive"] {
        noted(&node, file).await;
    }
    let stubborn = node.runs("held", "stubborn").await;
    let before = node.containers().await.len();
    node.kill().await;

    let (_snapshots, snapshots) = watch::channel(Arc::new(snapshot(&manifests)));
    let (summary_tx, mut summary) = watch::channel(NodeSummary::default());
    let (tell, told) = watch::channel(Shutdown::No);
    let detach = CancellationToken::new();
    let options = ManagerOptions { sync_frequency: Duration::from_secs(60), max_pods: 110, addresses: None };
    let policy = ShutdownPolicy::from_periods(Duration::from_secs(30), Duration::ZERO);
    let manager = PodManager::new(Arc::new(shared(&node)), options, snapshots, summary_tx, detach.clone());
    let manager = tokio::spawn(manager.with_shutdown(policy, told).run());
    eventually("the manager has the pods", || async { (summary.borrow().pods.len() == 2).then_some(()) }).await;
    let asked = uptime();
    tell.send_replace(Shutdown::Begun);
    let over = tokio::time::timeout(Duration::from_secs(90), summary.wait_for(|s| s.shutdown == ShutdownPhase::Over));
    assert!(over.await.is_ok_and(|seen| seen.is_ok()), "the shutdown comes to its end");
    eventually("nothing runs any more", || async { node.running_ids().await.is_empty().then_some(()) }).await;
    // Records and volumes stay for the next boot.
    let rows = node.containers().await;
    assert_eq!(rows.len(), before);
    assert!(rows.iter().all(|row| row.state == EngineState::Exited), "{rows:?}");

    let moment = async |file: &str| noted(&node, file).await[0] - asked;
    for (earlier, later) in [("app", "second"), ("second", "first")] {
        let (end, term) = (moment(&format!("{earlier}.end")).await, moment(&format!("{later}.term")).await);
        assert_at_least(&format!("the signal of {later}, after the end of {earlier}"), term - end, -0.05);
    }
    assert_between("the end of the first, one after the other", moment("first.end").await, 6.0, 29.5);
    let end = signalled(&node, &stubborn, Signal::SIGKILL).await - asked;
    assert_at_least("the end of the stubborn one", end, 29.5);
    assert_at_least("the signal of its sidecar", moment("side.term").await, 29.5);

    // Somebody has cancelled it after all.
    tell.send_replace(Shutdown::No);
    for (pod, name) in [("orderly", "app"), ("held", "stubborn")] {
        node.runs(pod, name).await;
    }
    detach.cancel();
    tokio::time::timeout(PATIENCE, manager).await.expect("the manager leaves").unwrap();
}
