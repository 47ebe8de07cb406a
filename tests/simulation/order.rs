//! Who starts first where many want to, and who waits for whom.

use crate::{
    crowd,
    manifests::{PodDef, app, path},
    node::Node,
};
use kubelet_lite::engine::{
    ContainerDetails, EngineState,
    fake::{Fault, Verb, What},
};
use std::{path::PathBuf, time::Duration};

const S: Duration = Duration::from_secs(1);

fn pod(name: &'static str, priority: i32) -> PodDef {
    PodDef::new(name, &[app("app")]).with(|pod| pod.priority = Some(priority))
}

/// A node that starts one thing at a time; it gets these files, a second apart. The call with this number lies in
/// the engine for a while. Returns the pods in the order of their sandboxes, and the number of the first create.
fn play(files: &[&[PodDef]], slow: Option<u64>) -> (Vec<String>, u64) {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.starts = 1;
        if let Some(n) = slow {
            node.disturb(n, Fault::Delay(30 * S));
        }
        node.start_daemon();
        node.pass(10 * S).await;
        for (file, pods) in ["a", "b", "c"].into_iter().zip(files) {
            node.directory.put(file, pods);
            node.publish();
            node.pass(S).await;
        }
        node.settle().await;
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
        let history = node.story().history;
        let sandboxes =
            history.iter().filter(|entry| entry.what == What::Created && entry.name.starts_with("k8s_POD_"));
        let names = sandboxes.map(|entry| entry.labels["io.kubernetes.pod.name"].replace("-node1", "")).collect();
        let first = node.engine.calls().iter().find(|call| call.verb == Verb::Create).expect("a create").n;
        (names, first)
    })
}

pub fn the_most_important_first() {
    // All at once, as after a boot; by their names they would come the other way round.
    let (names, _) = play(&[&[pod("a", -5), pod("b", 0), pod("c", 100), pod("d", 2_000_000_000)]], None);
    assert_eq!(names, ["d", "c", "b", "a"]);
    // Those that come later pass those that wait already.
    let files: [&[PodDef]; 3] = [&[pod("first", 0)], &[pod("a", -5), pod("b", 0)], &[pod("c", 100), pod("d", 1000)]];
    let (_, first) = play(&files, None);
    let (names, _) = play(&files, Some(first));
    assert_eq!(names, ["first", "d", "c", "b", "a"]);
}

/// A pod that is renamed under a given uid: the directory is the old one's until that is gone.
pub fn one_uid_is_one_pods_at_a_time() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        node.start_daemon();
        for name in ["old", "new"] {
            let pod = pod(name, 0).with(|pod| (pod.uid, pod.volume) = (Some("given"), true));
            node.directory.put("file", &[pod]);
            node.publish();
            node.settle().await;
        }
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
        let history = node.story().history;
        let at = |what: &What, name: &str| history.iter().position(|e| e.what == *what && e.name.contains(name));
        assert!(at(&What::Removed, "k8s_POD_old").unwrap() < at(&What::Created, "k8s_POD_new").unwrap());
        assert!(at(&What::Started, "k8s_app_new").is_some());
    });
}

/// Declares a pod with a given uid in a file of its own.
fn declare(node: &mut Node, name: &'static str, uid: &'static str, image: &'static str) {
    let pod = pod(name, 0).with(|pod| {
        (pod.uid, pod.volume) = (Some(uid), true);
        pod.containers[0].image = image;
    });
    node.directory.put(name, &[pod]);
    node.publish();
}

/// A file that somebody has put into the directory of a pod.
fn mark(node: &Node, uid: &str) -> PathBuf {
    let mark = node.root().join("pods").join(uid).join("mark");
    std::fs::write(&mark, "").expect("the directory of a pod that runs");
    mark
}

fn runs(node: &Node, pod: &str, uid: &str) -> bool {
    let is_its = |c: ContainerDetails| c.labels["io.kubernetes.pod.uid"] == uid && c.state == EngineState::Running;
    node.container(pod, "app").is_some_and(is_its)
}

/// The directory of a pod that goes on is its own, whatever becomes of one that waits for its uid.
pub fn who_waits_for_a_uid_removes_nothing() {
    for given_another in [false, true] {
        crowd::in_simulated_time(async {
            let mut node = Node::new();
            declare(&mut node, "has", "one", "app:1");
            node.settle().await;
            let mark = mark(&node, "one");
            // It is to get another uid, and goes on as it was: there is no such image.
            declare(&mut node, "has", "two", "none:1");
            node.pass(60 * S).await;
            declare(&mut node, "waits", "one", "app:1");
            node.pass(60 * S).await;
            assert!(node.container("waits", "POD").is_none(), "it waits");
            if given_another {
                declare(&mut node, "waits", "three", "app:1");
            } else {
                node.directory.delete("waits");
                node.publish();
            }
            node.pass(60 * S).await;
            assert_eq!(runs(&node, "waits", "three"), given_another);
            assert!(runs(&node, "has", "one") && mark.exists(), "given another: {given_another}");
            // What it has never had is gone with the next edit, and what it has stays.
            declare(&mut node, "has", "one", "app:1");
            node.settle().await;
            assert!(mark.exists() && node.wrong.is_empty(), "{:?}", node.wrong);
        });
    }
}

/// A daemon that comes anew knows who has a uid from what the engine holds.
pub fn a_uid_stays_with_the_pod_that_runs() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        declare(&mut node, "has", "one", "app:1");
        node.settle().await;
        let mark = mark(&node, "one");
        node.detach_daemon().await;
        // The first of the files, by its name.
        declare(&mut node, "a-newcomer", "one", "app:1");
        node.start_daemon();
        node.pass(60 * S).await;
        assert!(runs(&node, "has", "one") && mark.exists());
        assert!(node.container("a-newcomer", "POD").is_none());
        let summary = node.summary().expect("a daemon");
        let refused: Vec<_> = summary.findings.iter().map(|found| (found.code, found.path.clone())).collect();
        assert_eq!(refused, [("duplicate-pod", path("a-newcomer"))]);
        // It has given way.
        node.directory.delete("has");
        node.publish();
        node.settle().await;
        assert!(runs(&node, "a-newcomer", "one") && !mark.exists());
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
    });
}

/// Two pods that are to exchange their uids go on, are told of it, and do when one of them steps aside.
pub fn an_exchange_of_uids_ends_nothing() {
    crowd::in_simulated_time(async {
        let mut node = Node::new();
        declare(&mut node, "a", "one", "app:1");
        declare(&mut node, "b", "two", "app:1");
        node.settle().await;
        let marks = [mark(&node, "one"), mark(&node, "two")];
        for (name, uid) in [("a", "two"), ("b", "one")] {
            let pod = pod(name, 0).with(|pod| (pod.uid, pod.volume) = (Some(uid), true));
            node.directory.put(name, &[pod]);
        }
        node.publish();
        node.pass(60 * S).await;
        assert!(runs(&node, "a", "one") && runs(&node, "b", "two") && marks.iter().all(|mark| mark.exists()));
        let summary = node.summary().expect("a daemon");
        for (key, pod) in &summary.pods {
            assert_eq!(pod.waiting.as_ref().map(|(_, reason)| *reason), Some("SameUid"), "{key}");
        }
        declare(&mut node, "a", "three", "app:1");
        node.settle().await;
        assert!(runs(&node, "a", "three") && runs(&node, "b", "one"));
        declare(&mut node, "a", "two", "app:1");
        node.settle().await;
        assert!(runs(&node, "a", "two") && runs(&node, "b", "one"));
        assert!(node.wrong.is_empty(), "{:?}", node.wrong);
    });
}
