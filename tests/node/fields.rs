//! The everyday fields of a container, as seen from inside it.

use crate::{
    node::{NODE, Node},
    support::eventually,
};
use kubelet_lite::engine::Engine;
use std::fs;

/// A pod that writes what it sees to a host path and then sleeps.
fn looking_glass(out: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: glass, labels: {{example.com/tier: front}}, annotations: {{team: blue}}}}
spec:
  serviceAccountName: builder
  hostname: mirror
  hostAliases: [{{ip: 10.1.2.3, hostnames: [db, db.example]}}]
  terminationGracePeriodSeconds: 2
  volumes:
  - {{name: out, hostPath: {{path: "{out}", type: DirectoryOrCreate}}}}
  - {{name: scratch, emptyDir: {{}}}}
  containers:
  - name: see
    image: kl-test/busybox:1
    workingDir: /tmp
    command: [sh, -c]
    args:
    - |
      {{ echo "pwd=$PWD"; echo "plain=$PLAIN"; echo "ref=$REF"; echo "escaped=$ESCAPED"; echo "arg=$(ARG_VALUE)";
        echo "node=$NODE"; echo "pod=$POD"; echo "ip=$POD_IP"; echo "team=$TEAM"; echo "limit=$LIMIT";
        echo "namespace=$NAMESPACE"; echo "pod-uid=$POD_UID"; echo "tier=$TIER"; echo "account=$ACCOUNT";
        echo "host-ip=$HOST_IP"; echo "host-ips=$HOST_IPS"; echo "ips=$POD_IPS"; echo "cpu=$CPU"; echo "millis=$MILLIS";
        echo "memory=$MEMORY"; echo "unlimited=$UNLIMITED";
        echo "hostname=$(hostname)"; echo "uid=$(id -u)"; cat /etc/hosts; echo shared > /scratch/file; }} > /out/seen.tmp
      mv /out/seen.tmp /out/seen
      exec sleep 3600
    env:
    - {{name: PLAIN, value: "s3cr3t-value"}}
    - {{name: REF, value: "<$(PLAIN)>"}}
    - {{name: ESCAPED, value: "$$(PLAIN) $(MISSING)"}}
    - {{name: ARG_VALUE, value: expanded}}
    - {{name: NODE, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}
    - {{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    - {{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
    - {{name: TEAM, valueFrom: {{fieldRef: {{fieldPath: "metadata.annotations['team']"}}}}}}
    - {{name: LIMIT, valueFrom: {{resourceFieldRef: {{resource: limits.memory, divisor: 1Mi}}}}}}
    - {{name: NAMESPACE, valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}}}
    - {{name: POD_UID, valueFrom: {{fieldRef: {{fieldPath: metadata.uid}}}}}}
    - {{name: TIER, valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['example.com/tier']"}}}}}}
    - {{name: ACCOUNT, valueFrom: {{fieldRef: {{fieldPath: spec.serviceAccountName}}}}}}
    - {{name: HOST_IP, valueFrom: {{fieldRef: {{fieldPath: status.hostIP}}}}}}
    - {{name: HOST_IPS, valueFrom: {{fieldRef: {{fieldPath: status.hostIPs}}}}}}
    - {{name: POD_IPS, valueFrom: {{fieldRef: {{fieldPath: status.podIPs}}}}}}
    - {{name: CPU, valueFrom: {{resourceFieldRef: {{resource: requests.cpu}}}}}}
    - {{name: MILLIS, valueFrom: {{resourceFieldRef: {{resource: requests.cpu, divisor: 1m}}}}}}
    - {{name: MEMORY, valueFrom: {{resourceFieldRef: {{resource: requests.memory, divisor: 1Ki}}}}}}
    - {{name: UNLIMITED, valueFrom: {{resourceFieldRef: {{containerName: other, resource: limits.cpu}}}}}}
    resources: {{limits: {{memory: 32Mi, cpu: 250m}}, requests: {{cpu: 100m, memory: 10M}}}}
    volumeMounts: [{{name: out, mountPath: /out}}, {{name: scratch, mountPath: /scratch}}]
  - name: other
    image: kl-test/busybox:1
    command: [sh, -c, "until [ -e /seen-by-both/file ]; do sleep 1; done; touch /out/other; exec sleep 3600"]
    volumeMounts: [{{name: out, mountPath: /out}}, {{name: scratch, mountPath: /seen-by-both, readOnly: true}}]
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_sees_what_its_manifest_says() {
    let Some(node) = Node::new().await else { return };
    let node = node.flag("--node-ip=127.0.0.2");
    node.start();
    let out = node.path("out");
    node.declare("glass.yaml", &looking_glass(&out.display().to_string()));
    let see = node.runs("glass", "see").await;
    let sandbox = node.runs("glass", "POD").await;
    let seen = eventually("the pod has looked", || async { fs::read_to_string(out.join("seen")).ok() }).await;
    eventually("the other container sees the shared file", || async { out.join("other").exists().then_some(()) }).await;
    let ips: Vec<String> = node.engine.inspect(&sandbox).await.unwrap().ips.iter().map(ToString::to_string).collect();
    let cpus = std::thread::available_parallelism().unwrap();
    for line in [
        "pwd=/tmp",
        "plain=s3cr3t-value",
        "ref=<s3cr3t-value>",
        "escaped=$(PLAIN) $(MISSING)",
        "arg=expanded",
        &format!("node={NODE}"),
        "pod=glass-n1",
        &format!("ip={}", ips[0]),
        &format!("ips={}", ips.join(",")),
        "host-ip=127.0.0.2",
        "host-ips=127.0.0.2",
        "namespace=default",
        &format!("pod-uid={}", node.pod_uid(&see).await),
        "tier=front",
        "account=builder",
        // Each rounded up.
        "cpu=1",
        "millis=100",
        "memory=9766",
        // All that the node has.
        &format!("unlimited={cpus}"),
        "team=blue",
        "limit=32",
        "hostname=mirror",
        "uid=0",
        "10.1.2.3\tdb\tdb.example",
    ] {
        assert!(seen.lines().any(|l| l == line), "{line:?} is not in:\n{seen}");
    }
    let (_, inspect) = node.dockerd.request("GET", &format!("/containers/{see}/json"), None).await.unwrap();
    let host = &inspect["HostConfig"];
    for (field, value) in [
        ("Memory", 32 << 20),
        ("MemorySwap", 32 << 20),
        ("CpuShares", 102),
        ("CpuPeriod", 100_000),
        ("CpuQuota", 25_000),
    ] {
        assert_eq!(host[field].as_i64(), Some(value), "{field}: {host}");
    }
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    // A restart keeps the emptyDir; the end of the pod does not.
    let pods = node.path("root/pods");
    let scratch =
        fs::read_dir(&pods).unwrap().next().unwrap().unwrap().path().join("volumes/kubernetes.io~empty-dir/scratch");
    fs::write(scratch.join("kept"), "x").unwrap();
    node.engine.kill(&see, "SIGKILL").await.unwrap();
    node.replaced("glass", "see", &see).await;
    assert!(scratch.join("kept").exists());
    node.withdraw("glass.yaml");
    node.nothing_left().await;
    assert!(out.join("seen").exists(), "a host path is the host's");
    assert!(!node.log().contains("s3cr3t-value"), "a value of the environment is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn host_namespaces_are_the_hosts() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    fs::create_dir_all(&out).unwrap();
    node.declare(
        "host.yaml",
        &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: host}}\nspec:\n  hostNetwork: true\n  hostPID: true\n  \
             hostIPC: true\n  terminationGracePeriodSeconds: 2\n  volumes: [{{name: out, hostPath: {{path: {}}}}}]\n  \
             containers:\n  - name: see\n    image: kl-test/busybox:1\n    stdin: true\n    tty: true\n    command: [sh, -c, \
             \"ls -l /proc/self/ns > /out/ns.tmp; busybox mv /out/ns.tmp /out/ns; exec sleep 3600\"]\n    \
             volumeMounts: [{{name: out, mountPath: /out}}]\n",
            out.display()
        ),
    );
    let id = node.runs("host", "see").await;
    let seen = eventually("the pod has looked", || async { fs::read_to_string(out.join("ns")).ok() }).await;
    for namespace in ["net", "pid", "ipc"] {
        let ours = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
        assert!(
            seen.contains(&ours.display().to_string()),
            "{namespace} is not the host's {}:\n{seen}",
            ours.display()
        );
    }
    let (_, inspect) = node.dockerd.request("GET", &format!("/containers/{id}/json"), None).await.unwrap();
    assert_eq!(
        (inspect["Config"]["Tty"].as_bool(), inspect["Config"]["OpenStdin"].as_bool()),
        (Some(true), Some(true))
    );
}
