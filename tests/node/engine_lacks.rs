//! What an engine or its machine can not do: the pod waits and says why, and is not run without it.

use crate::{node::Node, support::eventually};
use kubelet_lite::engine::Engine;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn runtimes_and_networks_are_waited_for() {
    let Some(node) = Node::new().await else { return };
    let node = node.flag("--network=pods");
    node.start();
    node.declare(
        "plain.yaml",
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: plain}, spec: {terminationGracePeriodSeconds: 2, \
         containers: [{name: c, image: 'kl-test/busybox:1', command: [sleep, '3600']}]}}",
    );
    node.declare(
        "runtime.yaml",
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: runtime}, spec: {runtimeClassName: gvisor, hostNetwork: true, \
         containers: [{name: c, image: 'kl-test/busybox:1', command: [sleep, '3600']}]}}",
    );
    node.said("network pods not found").await;
    node.said("gvisor").await;
    assert!(node.log().contains("FailedCreatePodSandBox"), "{}", node.log());
    // A network that only reaches this machine.
    let network = serde_json::json!({
        "Name": "pods", "Driver": "bridge", "CheckDuplicate": true, "Internal": false,
        "Options": { "com.docker.network.bridge.enable_ip_masquerade": "false" },
        "IPAM": { "Config": [{ "Subnet": "198.51.100.0/28" }] },
    });
    let (code, answer) = node.dockerd.request("POST", "/networks/create", Some(&network)).await.expect("an answer");
    assert_eq!(code, 201, "{answer}");
    node.runs("plain", "c").await;
    let sandbox = node.runs("plain", "POD").await;
    let ips = node.engine.inspect(&sandbox).await.unwrap().ips;
    assert!(ips.iter().any(|ip| ip.to_string().starts_with("198.51.100.")), "{ips:?}");
    node.withdraw("plain.yaml");
    node.withdraw("runtime.yaml");
    node.nothing_left().await;
    // Its bridge would outlive the engine.
    node.dockerd.request("DELETE", "/networks/pods", None).await.expect("an answer");
}

/// Whether the engine has made a container `c` of any pod, running or not.
async fn has_app(node: &Node) -> bool {
    node.containers().await.iter().any(|row| row.labels["io.kubernetes.container.name"] == "c")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_container_runs_without_the_app_armor_profile_it_asks_for() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    let pod = |context: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: confined}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
             securityContext: {{{context}}}\n  volumes: [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}]\n  \
             containers:\n  - name: c\n    image: kl-test/busybox:1\n    command: [sh, -c, 'cat /proc/self/attr/current > \
             /out/tmp; busybox mv /out/tmp /out/profile; exec sleep 3600']\n    volumeMounts: [{{name: out, mountPath: /out}}]\n",
            out.display()
        )
    };
    let (_, info) = node.dockerd.request("GET", "/info", None).await.unwrap();
    let has_app_armor = info["SecurityOptions"].as_array().unwrap().iter().any(|option| option == "name=apparmor");
    node.declare("confined.yaml", &pod("appArmorProfile: {type: RuntimeDefault}"));
    if has_app_armor {
        let profile = eventually("it has looked", || async { fs::read_to_string(out.join("profile")).ok() }).await;
        assert!(profile.starts_with("docker-default "), "{profile}");
    } else {
        crate::support::say("NOT SEEN with AppArmor: this engine has none");
        let why = "securityContext.appArmorProfile: Cannot enforce AppArmor: this engine has none";
        node.said_of("confined", why).await;
        node.shows("confined", "0/1 CreateContainerConfigError new").await;
        assert!(!has_app(&node).await);
        // Unless it may do without.
        node.declare("confined.yaml", &pod("appArmorProfile: {type: Unconfined}"));
        node.runs("confined", "c").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_container_runs_with_writable_mounts_below_a_read_only_one_that_are_not_to_be() {
    let Some(node) = Node::running().await else { return };
    let host = node.path("host");
    let pod = |mode: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: sealed}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
             volumes: [{{name: host, hostPath: {{path: {}, type: DirectoryOrCreate}}}}]\n  containers:\n  - name: c\n    \
             image: kl-test/busybox:1\n    command: [sleep, '3600']\n    volumeMounts: [{{name: host, mountPath: /host, \
             readOnly: true, recursiveReadOnly: {mode}}}]\n",
            host.display()
        )
    };
    let (_, version) = node.dockerd.request("GET", "/version", None).await.unwrap();
    let api: Vec<u32> = version["ApiVersion"].as_str().unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    node.declare("sealed.yaml", &pod("Enabled"));
    if api >= vec![1, 44] {
        let id = node.runs("sealed", "c").await;
        let (_, found) = node.dockerd.request("GET", &format!("/containers/{id}/json"), None).await.unwrap();
        let mount = &found["HostConfig"]["Mounts"][0];
        assert_eq!(mount["BindOptions"]["ReadOnlyForceRecursive"], true, "{found}");
    } else {
        crate::support::say("NOT SEEN on an engine of API 1.44");
        let why =
            "recursiveReadOnly: this engine would leave the mounts below it writable: upgrade it to Docker Engine 25";
        node.said_of("sealed", why).await;
        node.shows("sealed", "0/1 CreateContainerConfigError new").await;
        assert!(!has_app(&node).await);
        node.declare("sealed.yaml", &pod("IfPossible"));
        node.runs("sealed", "c").await;
    }
}
