//! What an operator is shown: `get`, `describe`, `events`, against the daemon as it runs.

use crate::{
    node::{Node, server_pod},
    support::eventually,
};
use k8s_openapi::{
    api::core::v1::{self as api, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kubelet_lite::engine::Engine;
use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// What a command has answered.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub notes: String,
}

impl Node {
    /// `kubelet-lite …` with the address of this node's daemon.
    pub fn ask(&self, words: &str) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_kubelet-lite"))
            .args(words.split(' '))
            .arg(format!("--root-dir={}", self.path("root").display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap(), out: text(output.stdout), notes: text(output.stderr) }
    }

    /// Waits until `get pods` shows this of a pod: READY, STATUS, and whether it was restarted.
    pub async fn shows(&self, pod: &str, expected: &str) {
        let row = || {
            let row = self.ask(&format!("get pods {pod} --no-headers")).out;
            let cells: Vec<String> = row.split_whitespace().map(str::to_owned).collect();
            cells.get(1..4).map(|c| format!("{} {} {}", c[0], c[1], if c[2] == "0" { "new" } else { "restarted" }))
        };
        eventually(&format!("pod {pod} is {expected}"), || async { row().filter(|row| row == expected) }).await;
    }

    fn pod(&self, name: &str) -> Pod {
        serde_json::from_str(&self.ask(&format!("get pod {name} -o json")).out).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_runs_is_shown_as_kubectl_shows_it() {
    let Some(node) = Node::new().await else { return };
    let nobody = node.ask("get pods");
    assert_eq!((nobody.code, nobody.out.as_str()), (1, ""));
    assert!(nobody.notes.contains("kubelet-lite does not run here"), "{}", nobody.notes);
    node.start();
    node.said("connected to the Docker Engine").await;
    eventually("the API answers", || async { (node.ask("get pods").code == 0).then_some(()) }).await;
    assert!(node.ask("get pods").notes.contains("No resources found in default namespace."));

    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.shows("web", "1/1 Running new").await;
    let server = node.runs("web", "server").await;
    let table = node.ask("get pods").out;
    assert!(
        table.starts_with("NAME     READY   STATUS    RESTARTS   AGE\nweb-n1   1/1     Running   0          "),
        "{table}"
    );
    assert_eq!(node.ask("get po web web-n1 -o name").out, "pod/web-n1\npod/web-n1\n");
    let all = node.ask("get pods -A -o wide -l app=web").out;
    assert!(all.starts_with("NAMESPACE   NAME") && all.contains("n1"), "{all}");
    assert_eq!(node.ask("get pods -l app=other").out, "");

    let pod = node.pod("web");
    let status = pod.status.clone().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert!(status.conditions.unwrap().iter().all(|c| c.status == "True"));
    let container = &status.container_statuses.unwrap()[0];
    assert_eq!(container.container_id.as_deref(), Some(format!("docker://{server}").as_str()));
    assert!(container.ready && container.started == Some(true));
    assert!(status.pod_ip.is_some() && status.qos_class.as_deref() == Some("BestEffort"));
    let mut list: serde_json::Value = serde_yaml::from_str(&node.ask("get pods -o yaml").out).unwrap();
    assert_eq!(serde_json::from_value::<Vec<Pod>>(list["items"].take()).unwrap(), [pod]);

    let described = node.ask("describe pod web").out;
    for line in ["Name:", "Container ID:", "ContainersReady", "Created container server", "Started container server"] {
        assert!(described.contains(line), "{line}: {described}");
    }
    let missing = node.ask("get pods web nobody");
    assert_eq!(missing.code, 1);
    assert!(missing.out.contains("web-n1") && missing.notes.contains("pods \"nobody\" not found"), "{}", missing.notes);
    assert_eq!(node.ask("get pods web -A").code, 2);

    // A restart of the daemon changes nothing that is shown.
    let before = node.pod("web");
    node.kill().await;
    node.start();
    node.said("connected to the Docker Engine").await;
    node.shows("web", "1/1 Running new").await;
    let mut after = node.pod("web");
    let (old, new) = (before.status.unwrap(), after.status.take().unwrap());
    assert_eq!(old.container_statuses, new.container_statuses);
    // From the engine's oldest record, which is made a moment after the pod was first seen.
    let age = |metadata: &ObjectMeta| metadata.creation_timestamp.as_ref().unwrap().0;
    let later = age(&after.metadata).duration_since(age(&before.metadata));
    assert!((0..=60).contains(&later.as_secs()), "{later:?}");
    assert!(new.conditions.unwrap().iter().all(|c| c.status == "True"));

    // Somebody watches while the pod is restarted and goes.
    let watch = std::fs::File::create(node.path("watched")).unwrap();
    let mut watching = Command::new(env!("CARGO_BIN_EXE_kubelet-lite"))
        .args(["get", "pods", "-w", &format!("--root-dir={}", node.path("root").display())])
        .stdin(Stdio::null())
        .stdout(watch)
        .spawn()
        .unwrap();
    let watched = async |text: &str| {
        let seen = || std::fs::read_to_string(node.path("watched")).is_ok_and(|shown| shown.contains(text));
        eventually(&format!("the watch shows {text:?}"), || async { seen().then_some(()) }).await;
    };
    watched("NAME     READY   STATUS    RESTARTS   AGE\nweb-n1   1/1     Running   0 ").await;
    node.declare("other.yaml", &server_pod("other", "", "", ""));
    watched("\nother-n1   1/1     Running ").await;
    node.withdraw("other.yaml");
    watched("\nother-n1   1/1     Terminating ").await;
    watching.kill().unwrap();
    watching.wait().unwrap();

    // What is refused is named beside what is shown, and among the events.
    node.declare("web.yaml", &server_pod("web", "", "", "").replace("image:", "imag:"));
    let noted = || async { Some(node.ask("get pods").notes).filter(|notes| notes.contains("refused")) };
    let notes = eventually("the refusal is noted", noted).await;
    assert!(notes.contains("web.yaml:") && notes.contains("imag"), "{notes}");
    node.shows("web", "1/1 Running new").await;
    let manifests = node.ask("get manifests").out;
    assert!(manifests.lines().any(|line| line.starts_with("web.yaml   Refused")), "{manifests}");
    let told = || async { Some(node.ask("events").out).filter(|events| events.contains("FailedValidation")) };
    eventually("the refusal is an event", told).await;

    let socket = node.path("root/kubelet-lite.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    node.signal(nix::sys::signal::Signal::SIGTERM);
    node.ended().await;
    assert!(!socket.exists(), "a daemon that leaves takes its socket along");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_in_trouble_say_so() {
    let Some(node) = Node::running().await else { return };
    node.declare(
        "loop.yaml",
        &server_pod("loop", "--exit-after, '10:3'", "    terminationMessagePolicy: FallbackToLogsOnError\n", ""),
    );
    node.declare("done.yaml", &server_pod("done", "--exit-after, '10:0'", "", "  restartPolicy: Never\n"));
    node.declare("failed.yaml", &server_pod("failed", "--exit-after, '10:4'", "", "  restartPolicy: Never\n"));
    node.declare("absent.yaml", &server_pod("absent", "", "", "").replace("server:1", "missing:1"));
    let init = "  initContainers:\n  - {name: first, image: 'kl-test/server:1', args: [--port, '0', --exit-after, '600000:0']}\n";
    node.declare("init.yaml", &server_pod("init", "", "", init));

    node.shows("init", "0/1 Init:0/1 new").await;
    node.shows("done", "0/1 Completed new").await;
    node.shows("failed", "0/1 Error new").await;
    node.shows("loop", "0/1 CrashLoopBackOff restarted").await;
    eventually("the missing image is shown", || async {
        let row = node.ask("get pod absent --no-headers").out;
        (row.contains("ErrImagePull") || row.contains("ImagePullBackOff")).then_some(())
    })
    .await;
    let phases = ["init", "done", "failed", "loop", "absent"].map(|name| node.pod(name).status.unwrap().phase.unwrap());
    assert_eq!(phases, ["Pending", "Succeeded", "Failed", "Running", "Pending"]);

    // The last words, and how it ended.
    let backs_off = || async {
        let status = node.pod("loop").status?.container_statuses?.remove(0);
        status.state.as_ref()?.waiting.is_some().then_some(status)
    };
    let status = eventually("the container is backed off", backs_off).await;
    let ended = status.last_state.unwrap().terminated.unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (3, Some("Error")));
    assert!(ended.message.unwrap().contains("exit 3"), "the end of its log");
    let waiting = status.state.unwrap().waiting.unwrap();
    assert!(waiting.message.unwrap().contains("restarting failed container=server pod=loop-n1_default("));
    let events = node.ask("events --for pod/loop --types=Warning").out;
    assert!(events.contains("Back-off restarting failed container server in pod loop-n1_default("), "{events}");

    // What was written to terminationMessagePath, at most 4096 bytes; the log stands for it only when asked to.
    let words = |name: &str, fields: &str, script: &str| {
        format!("  - {{name: {name}, image: 'kl-test/busybox:1', command: [sh, -c, '{script}']{fields}}}\n")
    };
    let pod = |name: &str, containers: [String; 2]| {
        let containers = containers.concat();
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  containers:\n{containers}"
        )
    };
    let (own_path, from_log) =
        (", terminationMessagePath: /tmp/last", ", terminationMessagePolicy: FallbackToLogsOnError");
    let long = "head -c 5000 /dev/zero | tr \"\\0\" x >/dev/termination-log";
    node.declare(
        "said.yaml",
        &pod(
            "said",
            [words("a", own_path, "echo log; echo own >/tmp/last; exit 3"), words("b", "", "echo log; exit 3")],
        ),
    );
    node.declare("long.yaml", &pod("long", [words("a", from_log, "echo log"), words("b", from_log, long)]));
    for (name, expected) in [("said", [Some(4), None]), ("long", [None, Some(4096)])] {
        let ended = |status: api::ContainerStatus| Some(status.state?.terminated?.message.map(|text| text.len()));
        let shown = || serde_json::from_str::<Pod>(&node.ask(&format!("get pod {name} -o json")).out).ok();
        let both = || async { shown()?.status?.container_statuses?.into_iter().map(ended).collect() };
        let said: Vec<Option<usize>> = eventually("both have ended", both).await;
        assert_eq!(said, expected, "{name}");
    }

    // An edit that can not be applied leaves the old pod as it is, and says so.
    node.declare("web.yaml", &server_pod("web", "", "", ""));
    node.shows("web", "1/1 Running new").await;
    node.declare("web.yaml", &server_pod("web", "", "", "  hostname: other\n").replace("server:1", "missing:2"));
    let message = || async { node.pod("web").status.unwrap().message.filter(|text| text.contains("ImagePull")) };
    let message = eventually("the edit is shown to wait", message).await;
    assert!(message.contains("The edited manifest is not applied yet") && message.contains("missing:2"), "{message}");
    node.shows("web", "1/1 Running new").await;

    // An end that takes its time is shown.
    node.declare("slow.yaml", &server_pod("slow", "--on-term, ignore", "", "").replace("Seconds: 5", "Seconds: 600"));
    node.shows("slow", "1/1 Running new").await;
    node.listens("slow", "server").await;
    node.withdraw("slow.yaml");
    node.shows("slow", "1/1 Terminating new").await;
    let slow = node.pod("slow").metadata;
    assert_eq!(slow.deletion_grace_period_seconds, Some(600));
    assert!(slow.deletion_timestamp.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_out_of_memory_is_told_as_such() {
    let Some(node) = Node::running().await else { return };
    // Where the kernel's word comes later than the exit, the engine knows of a plain 137 only. So several try.
    for n in 0..10 {
        let name = format!("greedy-{n}");
        let pod = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: Never\n  containers:\n  - name: c\n    \
             image: kl-test/busybox:1\n    command: [sh, -c, 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done']\n    \
             resources: {{limits: {{memory: 16Mi}}}}\n"
        );
        node.declare(&format!("{name}.yaml"), &pod);
        let shown = || serde_json::from_str::<Pod>(&node.ask(&format!("get pod {name} -o json")).out).ok();
        let ended = || async { shown()?.status?.container_statuses?.remove(0).state?.terminated };
        let ended = eventually(&format!("{name} has ended"), ended).await;
        let id = ended.container_id.unwrap();
        let details = node.engine.inspect(id.trim_start_matches("docker://")).await.unwrap();
        let reason = if details.oom_killed { "OOMKilled" } else { "Error" };
        assert_eq!((ended.exit_code, ended.reason.as_deref()), (137, Some(reason)));
        node.shows(&name, &format!("0/1 {reason} new")).await;
        if details.oom_killed {
            assert!(node.ask(&format!("describe pod {name}")).out.contains("OOMKilled"));
            return;
        }
    }
    panic!("ten times no container out of memory said so");
}
