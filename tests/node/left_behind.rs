//! Commands of probes and hooks that a daemon leaves running when it is killed.

use crate::{
    moments::{Written, busybox, noted},
    node::Node,
    support::eventually,
};
use serde_json::json;
use std::fs;

/// How many processes of this machine were started with these words.
fn processes(words: &[&str]) -> usize {
    let wanted: Vec<u8> = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_daemon_ends_what_the_old_one_left_and_nothing_of_others() {
    let Some(node) = Node::running().await else { return };
    // Numbers that nobody else sleeps for.
    let base = 400_000 + 10 * u64::from(std::process::id());
    let sleeps: Vec<String> = (0..4).map(|n| (base + n).to_string()).collect();
    let [probe, post_start, pre_stop, others] = sleeps.as_slice() else { panic!("four") };
    let idle = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    let hung = format!(
        "    livenessProbe: {{exec: {{command: [sleep, '{probe}']}}, timeoutSeconds: 3600, periodSeconds: 1}}\n"
    );
    let hooked = format!("    lifecycle: {{postStart: {{exec: {{command: [sleep, '{post_start}']}}}}}}\n");
    let pods = [("probed", hung), ("hooked", hooked)].map(|(name, more)| Written {
        name,
        grace: 60,
        policy: "Always",
        init: vec![],
        containers: vec![busybox("a", idle, &more)],
    });
    for pod in &pods {
        node.declare(&format!("{}.yaml", pod.name), &pod.manifest(&node));
    }
    let script = format!("sh, -c, 'cat /proc/uptime >> /log/hook; exec sleep {pre_stop}'");
    let ending = Written {
        name: "ending",
        grace: 60,
        policy: "Always",
        init: vec![],
        containers: vec![busybox(
            "a",
            idle,
            &format!("    lifecycle: {{preStop: {{exec: {{command: [{script}]}}}}}}\n"),
        )],
    };
    node.declare("ending.yaml", &ending.manifest(&node));
    let container = node.runs("probed", "a").await;
    node.runs("ending", "a").await;
    let runs = |number: &str| processes(&["sleep", number]);
    eventually("the probe and the hook run", || async { (runs(probe) == 1 && runs(post_start) == 1).then_some(()) })
        .await;
    node.withdraw("ending.yaml");
    eventually("preStop runs", || async { (runs(pre_stop) == 1).then_some(()) }).await;
    // Somebody looks into the container, in the very words of the probe's command.
    let by_hand = json!({ "Cmd": ["sleep", others], "AttachStdout": true });
    let (_, exec) =
        node.dockerd.request("POST", &format!("/containers/{container}/exec"), Some(&by_hand)).await.unwrap();
    let start = format!("/exec/{}/start", exec["Id"].as_str().unwrap());
    node.dockerd.request("POST", &start, Some(&json!({ "Detach": true }))).await.unwrap();
    eventually("the operator's command runs", || async { (runs(others) == 1).then_some(()) }).await;

    node.kill().await;
    assert_eq!([runs(probe), runs(post_start), runs(pre_stop), runs(others)], [1, 1, 1, 1], "nobody ends them");
    // A probe of another command shows that the old one was ended, and not merely taken over.
    node.declare("probed.yaml", &pods[0].manifest(&node).replace(probe, &format!("0.{probe}")));
    node.start();
    let gone = || async { (runs(probe) == 0).then_some(()) };
    eventually("the probe of before has ended", gone).await;
    // preStop is repeated, and never twice at a time.
    eventually("preStop runs again", || async { (noted(&node, "hook").await.len() == 2).then_some(()) }).await;
    eventually("the preStop of before has ended", || async { (runs(pre_stop) == 1).then_some(()) }).await;
    assert_eq!([runs(post_start), runs(others)], [1, 1], "it is not repeated, and the other one is nobody's of ours");
    assert_eq!(node.runs("probed", "a").await, container);
    node.said("ended a command of before our start").await;
}
