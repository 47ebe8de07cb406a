//! Workloads on one node: a DaemonSet's share, a Job that runs once, pods that wait for a node or for
//! each other.

use crate::{
    moments::{Written, busybox},
    node::{NODE, Node, restarts, server_pod},
    support::eventually,
};
use kubelet_lite::engine::Engine;
use std::{collections::BTreeSet, fs};

/// A workload of a busybox that runs a script.
fn workload(kind: &str, name: &str, spec: &str, pod: &str, script: &str) -> String {
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}  template:\n    metadata: {{labels: \
         {{app: {name}}}}}\n    spec:\n      terminationGracePeriodSeconds: 2\n{pod}      containers:\n      - name: c\n        \
         image: kl-test/busybox:1\n        command: [sh, -c, '{script}']\n"
    )
}

fn selected(name: &str, more: &str) -> String {
    format!("  selector: {{matchLabels: {{app: {name}}}}}\n{more}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_node_has_its_share() {
    let Some(node) = Node::new().await else { return };
    let node = node.flag("--node-labels=disk=ssd").flag("--register-with-taints=dedicated=db:NoSchedule");
    node.start();
    let tolerant = "      tolerations: [{key: dedicated, operator: Exists}]\n";
    let set = |name: &str, disk: &str| {
        let pod = format!("{tolerant}      nodeSelector: {{disk: {disk}}}\n");
        workload("DaemonSet", name, &selected(name, ""), &pod, "exec sleep 3600")
    };
    node.declare("sets.yaml", &format!("{}---\n{}", set("here", "ssd"), set("there", "hdd")));
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    let share = node.runs("here", "c").await;
    node.said("this node has no share of the DaemonSet: nodeSelector asks for disk=hdd").await;
    // A plain pod waits, and says for what.
    node.said("this node has the taint dedicated=db:NoSchedule, which is not tolerated").await;
    assert!(node.find("web", "POD").await.is_none() && node.find("there", "c").await.is_none());

    // An edit lets it in; a daemon with another label ends the share, and starts that of the other.
    let tolerant = "  tolerations: [{key: dedicated, value: db}]\n";
    node.declare("web.yaml", &server_pod("web", "", "", tolerant));
    let server = node.runs("web", "server").await;
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.signal(nix::sys::signal::Signal::SIGTERM);
    node.ended().await;
    let node =
        node.without_flags().flag("--node-labels=disk=hdd").flag("--register-with-taints=dedicated=db:NoExecute");
    node.start();
    let other = node.runs("there", "c").await;
    eventually("the share ends", || async { node.find("here", "c").await.is_none().then_some(()) }).await;
    assert_ne!(share, other);
    assert_eq!(node.runs("web", "server").await, server, "a pod that runs goes on, whatever the node's taints");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_of_each() {
    let Some(node) = Node::running().await else { return };
    let deployment = workload("Deployment", "web", &selected("web", "  replicas: 3\n"), "", "exec sleep 3600");
    let template = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], resources: \
                    {requests: {storage: 1Gi}}}\n";
    let spec = selected("db", &format!("  serviceName: dbs\n{template}"));
    let stateful = workload("StatefulSet", "db", &spec, "", "hostname >> /data/runs; exec sleep 3600");
    let stateful = format!("{stateful}        volumeMounts: [{{name: data, mountPath: /data}}]\n");
    node.declare("all.yaml", &format!("{deployment}---\n{stateful}"));
    let web = node.runs("web", "c").await;
    node.runs("db-0", "c").await;
    node.said("3 pods are asked for, and one is run").await;
    let volume = async || node.dockerd.request("GET", "/volumes/k8s_default_data-db-0", None).await.unwrap();
    let wrote = |text: &'static str| async move {
        let (_, found) = volume().await;
        let runs = fs::read_to_string(format!("{}/runs", found["Mountpoint"].as_str()?)).ok()?;
        (runs == text).then_some(())
    };
    eventually("the replica has written", || wrote("db-0\n")).await;
    // None of it, and then again.
    node.declare("all.yaml", &deployment.replace("replicas: 3", "replicas: 0"));
    node.nothing_left().await;
    assert_eq!(volume().await.0, 200, "what a replica has written outlives it");
    node.declare("all.yaml", &format!("{deployment}---\n{stateful}"));
    assert_ne!(node.runs("web", "c").await, web);
    eventually("the replica finds what it had written", || wrote("db-0\ndb-0\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_once() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    fs::create_dir(&out).unwrap();
    let pod = format!(
        "      restartPolicy: Never\n      volumes: [{{name: out, hostPath: {{path: \"{}\"}}}}]\n",
        out.display()
    );
    let mounted = |job: String| format!("{job}        volumeMounts: [{{name: out, mountPath: /out}}]\n");
    let once = mounted(workload("Job", "once", "", &pod, "echo run >> /out/once"));
    let never = mounted(workload("Job", "never", "  backoffLimit: 1\n", &pod, "echo run >> /out/never; exit 3"));
    node.declare("jobs.yaml", &format!("{once}---\n{never}"));
    let runs = |name: &'static str| {
        let out = out.clone();
        move || fs::read_to_string(out.join(name)).unwrap_or_default().lines().count()
    };
    let (once_runs, never_runs) = (runs("once"), runs("never"));
    eventually("both jobs are over", || async {
        let over = node.log().matches("all containers of the pod are done").count();
        (over == 2 && once_runs() == 1 && never_runs() == 2).then_some(())
    })
    .await;

    // Of each the sandbox and the last instance stay.
    eventually("only records are left", || async { (node.containers().await.len() == 4).then_some(()) }).await;

    // Neither a new daemon nor a new engine runs them again.
    node.kill().await;
    node.start();
    node.said("all containers of the pod are done").await;
    let ids: BTreeSet<String> = node.containers().await.into_iter().map(|row| row.id).collect();
    node.declare("marker.yaml", &server_pod("marker", "", "", ""));
    node.runs("marker", "server").await;
    assert_eq!((once_runs(), never_runs()), (1, 2));
    let kept: BTreeSet<String> = node.containers().await.into_iter().map(|row| row.id).collect();
    assert!(kept.is_superset(&ids), "records stay");

    // Nor does a reboot, after which the engine comes up first and has ended everything.
    node.kill().await;
    node.dockerd.stop().await;
    node.dockerd.start_again().await;
    node.start();
    node.said("all containers of the pod are done").await;
    node.declare("marker.yaml", &server_pod("marker", "--port, '8081'", "", ""));
    let again = || async { node.find("marker", "server").await };
    eventually("the other pod runs again", again).await;
    assert_eq!((once_runs(), never_runs()), (1, 2));

    // Another template is another Job.
    node.declare("jobs.yaml", &once.replace("echo run", "echo again"));
    eventually("the edited job runs", || async { (once_runs() == 2).then_some(()) }).await;
}

/// A server that starts after another pod.
fn server_after(name: &str, other: &str) -> String {
    let annotation = format!("annotations: {{kubelet-lite.io/start-after: {other}}}\n  labels:");
    server_pod(name, "", "", "").replace("labels:", &annotation)
}

/// Whether the engine has anything of a pod, running or not.
async fn has_any(node: &Node, pod: &str) -> bool {
    let name = format!("{pod}-{NODE}");
    node.containers().await.iter().any(|row| row.labels["io.kubernetes.pod.name"] == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pod_after_another() {
    let Some(node) = Node::running().await else { return };
    let ready = node.path("ready");
    let probe = "    readinessProbe: {exec: {command: [ls, /log/ready]}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1}\n";
    let idle = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    let containers = vec![busybox("server", idle, probe)];
    let db = Written { name: "db", grace: 5, policy: "Always", init: vec![], containers };
    node.declare("web.yaml", &server_after("web", "db"));
    node.said_of("web", "waits for default/db-n1").await;
    assert!(!has_any(&node, "web").await);
    // That it runs is not enough.
    node.declare("db.yaml", &db.manifest(&node));
    node.runs("db", "server").await;
    node.said_of("db", "Readiness probe failed").await;
    assert!(!has_any(&node, "web").await);
    let made = jiff::Timestamp::now();
    fs::write(&ready, "").unwrap();
    let web = node.runs("web", "server").await;
    let began = node.engine.inspect(&web).await.unwrap().started_at.unwrap();
    assert!(began >= made, "it began at {began}, and the other was not ready before {made}");
    // It goes on without the other, ready or not.
    fs::remove_file(&ready).unwrap();
    node.shows("db", "0/1 Running new").await;
    node.withdraw("db.yaml");
    eventually("the other ends", || async { node.find("db", "POD").await.is_none().then_some(()) }).await;
    assert_eq!(node.runs("web", "server").await, web);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_after_a_job_starts_when_it_has_succeeded() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    fs::create_dir(&out).unwrap();
    let pod = format!(
        "      restartPolicy: Never\n      volumes: [{{name: out, hostPath: {{path: \"{}\"}}}}]\n",
        out.display()
    );
    // It fails once, which is not the end of it.
    let script = "until [ -e /out/go ]; do sleep 0.1; done; [ -e /out/tried ] || { touch /out/tried; exit 3; }";
    let job = workload("Job", "seed", "  backoffLimit: 5\n", &pod, script);
    node.declare("seed.yaml", &format!("{job}        volumeMounts: [{{name: out, mountPath: /out}}]\n"));
    node.runs("seed", "c").await;
    node.declare("web.yaml", &server_after("web", "seed"));
    node.said_of("web", "waits for default/seed-n1").await;
    assert!(!has_any(&node, "web").await);
    fs::write(out.join("go"), "").unwrap();
    let web = node.runs("web", "server").await;
    let rows = node.containers().await;
    let done = rows.iter().filter(|row| row.labels["io.kubernetes.container.name"] == "c");
    let mut ends = Vec::new();
    for row in done {
        let ended = node.engine.inspect(&row.id).await.unwrap();
        ends.push((restarts(row), ended.exit_code, ended.finished_at));
    }
    let began = node.engine.inspect(&web).await.unwrap().started_at;
    let (count, code, finished) = *ends.iter().max().expect("a record");
    assert_eq!((count, code), (1, 0), "{ends:?}");
    assert!(began >= finished, "it began at {began:?}, and the job ended at {finished:?}");
}
