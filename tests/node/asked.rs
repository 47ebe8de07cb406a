//! Probes and lifecycle hooks, and the moments of an end, from what the containers themselves have noted.

use crate::{
    moments::{Written, assert_at_least, assert_between, busybox, noted, seconds, signalled, stubborn, uptime},
    node::Node,
    support::eventually,
};
use nix::sys::signal::Signal;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn pre_stop_then_the_signal_then_the_end_all_in_one_grace() {
    let Some(node) = Node::running().await else { return };
    let hook = "    lifecycle: {preStop: {exec: {command: [sh, -c, 'cat /proc/uptime >> /log/a.hook; sleep 2']}}}\n";
    let pod = Written {
        name: "end",
        grace: 6,
        policy: "Always",
        init: vec![],
        containers: vec![busybox("a", &stubborn("a"), hook)],
    };
    node.declare("end.yaml", &pod.manifest(&node));
    noted(&node, "a.alive").await;
    let id = node.runs("end", "a").await;
    let asked = uptime();
    node.withdraw("end.yaml");
    node.nothing_left().await;
    let (hook, term) = (noted(&node, "a.hook").await, noted(&node, "a.term").await);
    assert_eq!((hook.len(), term.len()), (1, 1), "{hook:?} {term:?}");
    assert_at_least("the signal after preStop", term[0] - hook[0], 2.0);
    let (term, end) = (signalled(&node, &id, Signal::SIGTERM).await, signalled(&node, &id, Signal::SIGKILL).await);
    assert_at_least("the end", end - asked, 5.9);
    assert!(end - term < 6.0, "the grace began anew after preStop");
    node.said("Stopping container a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_outlives_the_daemon_in_the_middle_of_pre_stop() {
    let Some(node) = Node::running().await else { return };
    let hook = "    lifecycle: {preStop: {exec: {command: [sh, -c, 'cat /proc/uptime >> /log/a.hook; sleep 60']}}}\n";
    let pod = Written {
        name: "end",
        grace: 15,
        policy: "Always",
        init: vec![],
        containers: vec![busybox("a", &stubborn("a"), hook)],
    };
    node.declare("end.yaml", &pod.manifest(&node));
    noted(&node, "a.alive").await;
    let id = node.runs("end", "a").await;
    let asked = uptime();
    node.withdraw("end.yaml");
    let hooked = noted(&node, "a.hook").await[0];
    eventually("some of the grace is over", || async { (uptime() > hooked + 3.0).then_some(()) }).await;
    node.kill().await;
    // Put back meanwhile: what has begun to end ends all the same, and then it begins anew.
    node.declare(
        "end.yaml",
        &pod.manifest(&node).replace("metadata: {name: end}", "metadata: {name: end, labels: {a: b}}"),
    );
    let back = uptime();
    node.start();
    let term = signalled(&node, &id, Signal::SIGTERM).await;
    assert_at_least("the signal", term - asked, 14.9);
    assert!(term - back < 15.0, "the grace began anew");
    assert_eq!(noted(&node, "a.hook").await.len(), 2, "preStop runs at least once to its end, or to that of the grace");
    node.runs("end", "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn liveness_restarts_and_readiness_does_not() {
    let Some(node) = Node::running().await else { return };
    let probes = "    livenessProbe: {exec: {command: [ls, /log/alive]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 2}\n    \
                  readinessProbe: {exec: {command: [ls, /log/ready]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1}\n";
    let pod = Written {
        name: "web",
        grace: 3,
        policy: "OnFailure",
        init: vec![],
        // It ends with success when asked to, and is started again all the same.
        containers: vec![busybox("a", "trap 'exit 0' TERM; while true; do sleep 0.1; done", probes)],
    };
    fs::write(node.path("alive"), "").unwrap();
    node.declare("web.yaml", &pod.manifest(&node));
    let (first, sandbox) = (node.runs("web", "a").await, node.runs("web", "POD").await);
    node.said("Readiness probe failed").await;
    for ready in [false, true, false] {
        if ready {
            fs::write(node.path("ready"), "").unwrap();
        } else {
            drop(fs::remove_file(node.path("ready")));
        }
        node.shows("web", if ready { "1/1 Running new" } else { "0/1 Running new" }).await;
    }
    assert_eq!(node.runs("web", "a").await, first, "readiness restarts nothing");
    fs::remove_file(node.path("alive")).unwrap();
    node.said("Liveness probe failed").await;
    let second = node.replaced("web", "a", &first).await;
    fs::write(node.path("alive"), "").unwrap();
    node.said("Container a failed liveness probe, will be restarted").await;
    assert_eq!(node.restart_count(&second).await, 1);
    assert_eq!(node.runs("web", "POD").await, sandbox);
    // A probe that is edited restarts nothing and is asked at once.
    fs::write(node.path("edited"), "").unwrap();
    node.declare("web.yaml", &pod.manifest(&node).replace("/log/alive", "/log/edited"));
    node.said("manifest changed").await;
    let now = node.runs("web", "a").await;
    fs::remove_file(node.path("edited")).unwrap();
    node.replaced("web", "a", &now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn post_start_holds_back_those_after_it_and_its_failure_does_not() {
    let Some(node) = Node::running().await else { return };
    let idle = "trap 'exit 0' TERM; cat /proc/uptime > /log/NAME.start; while true; do sleep 0.1; done";
    let run = |name: &str, script: &str| {
        let hook = format!("    lifecycle: {{postStart: {{exec: {{command: [sh, -c, '{script}']}}}}}}\n");
        busybox(name, &idle.replace("NAME", name), if script.is_empty() { "" } else { &hook })
    };
    // Not before it has begun.
    let ends = "until [ -s /log/b.start ]; do sleep 0.1; done; exit 3";
    let pod = Written {
        name: "web",
        grace: 2,
        policy: "Never",
        init: vec![],
        containers: vec![run("a", "sleep 2; cat /proc/uptime > /log/a.hooked"), run("b", ends), run("c", "")],
    };
    node.declare("web.yaml", &pod.manifest(&node));
    node.runs("web", "c").await;
    node.said("PostStartHook failed").await;
    let (hooked, next) = (noted(&node, "a.hooked").await[0], noted(&node, "b.start").await[0]);
    assert!(next >= hooked, "b began at {next}, and the hook of a ended at {hooked}");
    eventually("b has ended for good", || async { node.find("web", "b").await.is_none().then_some(()) }).await;
    node.runs("web", "a").await;
    // A hook that hangs keeps nothing from ending.
    let hangs = pod.manifest(&node).replace("name: web", "name: hangs").replace("sleep 2;", "sleep 600;");
    node.declare("hangs.yaml", &hangs);
    node.runs("hangs", "a").await;
    node.withdraw("hangs.yaml");
    node.withdraw("web.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_start_before_the_apps_and_end_after_them() {
    let Some(node) = Node::running().await else { return };
    let sidecar = "    restartPolicy: Always\n    startupProbe: {exec: {command: [ls, /log/go]}, periodSeconds: 1, \
                   timeoutSeconds: 10, failureThreshold: 600}\n    lifecycle: {preStop: {exec: {command: [sh, -c, 'cat /proc/uptime > \
                   /log/s.hook']}}}\n";
    let quick =
        |name: &str| format!("trap 'cat /proc/uptime > /log/{name}.term; exit 0' TERM; while true; do sleep 0.1; done");
    let slow = "trap 'cat /proc/uptime > /log/a.term; sleep 5; cat /proc/uptime > /log/a.end; exit 0' TERM; \
                cat /proc/uptime > /log/a.start; while true; do sleep 0.1; done";
    let pod = Written {
        name: "mesh",
        grace: 20,
        policy: "Always",
        init: vec![busybox("s", &quick("s"), sidecar)],
        containers: vec![busybox("a", slow, "")],
    };
    node.declare("mesh.yaml", &pod.manifest(&node));
    node.runs("mesh", "s").await;
    node.said("Startup probe failed").await;
    assert!(node.find("mesh", "a").await.is_none(), "the app waits for the sidecar's startup probe");
    fs::write(node.path("go"), "").unwrap();
    node.runs("mesh", "a").await;
    noted(&node, "a.start").await;
    let asked = uptime();
    node.withdraw("mesh.yaml");
    node.nothing_left().await;
    let moment = |file: &str| seconds(&fs::read_to_string(node.path(file)).unwrap())[0];
    assert!(moment("s.hook") <= moment("a.end"), "the sidecar's preStop waits for nobody");
    assert!(moment("s.term") >= moment("a.end"), "the sidecar is signalled when the app has ended");
    assert_between("the sidecar's signal", moment("s.term") - asked, 5.0, 19.9);
}
