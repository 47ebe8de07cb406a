//! Probes over the network: on the node's own, over IPv6, and after the pod's address has changed.

use crate::{
    node::{Node, server_pod},
    support::{DockerdOptions, eventually, free_port, http_get},
};
use kubelet_lite::engine::Engine;
use std::net::{IpAddr, TcpListener};

/// All kinds of probes that go over the network.
fn probes(port: u16, host: &str) -> String {
    format!(
        "    startupProbe: {{tcpSocket: {{port: {port}{host}}}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 600}}\n    \
         livenessProbe: {{httpGet: {{path: /healthz, port: {port}{host}}}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 2}}\n    \
         readinessProbe: {{httpGet: {{path: /readyz, port: {port}{host}}}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 1}}\n"
    )
}

/// Makes the server at this address fail its health checks.
async fn fail(address: &str) {
    tell(address, "healthz=500").await;
}

/// Tells the server at this address what to answer from now on.
pub async fn tell(address: &str, answer: &str) {
    let told = || async {
        let (head, _) = http_get(address, &format!("/set?{answer}")).await?;
        head.contains(" 200 ").then_some(())
    };
    eventually("the server is told what to answer", told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_on_the_nodes_network_are_asked_there() {
    let Some(node) = Node::new().await else { return };
    // The node's address, which pods on its network are asked at unless they say otherwise.
    let node = node.flag("--node-ip=127.0.0.2");
    node.start();
    let (own, local, six) = (free_port(), free_port(), free_port());
    let on_host = |name: &str, port: u16, host: &str| {
        server_pod(name, &format!("--port, '{port}'"), &probes(port, host), "  hostNetwork: true\n")
    };
    // It listens at the node's address and nowhere else.
    node.declare("own.yaml", &on_host("own", own, "").replace("args: [", "args: [--host, '127.0.0.2', "));
    node.declare("local.yaml", &on_host("local", local, ", host: 127.0.0.1"));
    node.shows("own", "1/1 Running new").await;
    node.shows("local", "1/1 Running new").await;
    let id = node.runs("own", "server").await;
    fail(&format!("127.0.0.2:{own}")).await;
    node.replaced("own", "server", &id).await;
    // A host of IPv6, if this kernel has it.
    if TcpListener::bind("[::1]:0").is_err() {
        crate::support::say("NOT ASKED over IPv6: this kernel has no ::1");
        return;
    }
    node.declare("six.yaml", &on_host("six", six, ", host: '::1'").replace("args: [", "args: [--host, '::1', "));
    node.shows("six", "1/1 Running new").await;
    let id = node.runs("six", "server").await;
    fail(&format!("[::1]:{six}")).await;
    node.replaced("six", "server", &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_asked_at_the_address_of_its_present_sandbox() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", &probes(8080, ""), ""));
    node.shows("web", "1/1 Running new").await;
    let address = async || node.engine.inspect(&node.runs("web", "POD").await).await.unwrap().ips[0];
    let (sandbox, before) = (node.runs("web", "POD").await, address().await);
    // The engine gives the lowest free address: somebody else takes the old one meanwhile.
    node.kill().await;
    node.engine.kill(&sandbox, "SIGKILL").await.unwrap();
    eventually("the sandbox has ended", || async { node.find("web", "POD").await.is_none().then_some(()) }).await;
    let mut squatters = 0;
    let taken = loop {
        let name = format!("squatter-{squatters}");
        let body = serde_json::json!({ "Image": "kl-test/busybox:1", "Cmd": ["sleep", "100000"] });
        let (status, _) =
            node.dockerd.request("POST", &format!("/containers/create?name={name}"), Some(&body)).await.unwrap();
        assert_eq!(status, 201);
        node.dockerd.request("POST", &format!("/containers/{name}/start"), None).await.unwrap();
        let ips = node.engine.inspect(&name).await.unwrap().ips;
        squatters += 1;
        if ips.contains(&before) || squatters == 5 {
            break ips.contains(&before);
        }
    };
    node.start();
    let rebuilt = node.replaced("web", "POD", &sandbox).await;
    assert_ne!(rebuilt, sandbox);
    let after = address().await;
    assert!(!taken || after != before, "two containers have one address");
    node.shows("web", "1/1 Running restarted").await;
    let id = node.runs("web", "server").await;
    fail(&format!("{after}:8080")).await;
    node.replaced("web", "server", &id).await;
    node.shows("web", "1/1 Running restarted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_asked_over_ipv6() {
    // Whether this kernel can give containers addresses of IPv6.
    if !std::path::Path::new("/proc/sys/net/ipv6").exists() {
        crate::support::say("NOT RUN, because this kernel has no IPv6: a_pod_is_asked_over_ipv6");
        return;
    }
    let args = ["--ipv6", "--fixed-cidr-v6", "fd00:6b6c::/64", "--ip6tables=false"].map(str::to_owned).to_vec();
    let Some(node) = Node::with(DockerdOptions { args, ..DockerdOptions::default() }).await else { return };
    node.start();
    node.declare("web.yaml", &server_pod("web", "--host, '::'", "", ""));
    let sandbox = node.runs("web", "POD").await;
    let ips = node.engine.inspect(&sandbox).await.unwrap().ips;
    let Some(six) = ips.iter().find_map(|ip| match ip {
        IpAddr::V6(six) => Some(*six),
        IpAddr::V4(_) => None,
    }) else {
        panic!("the engine gave no address of IPv6: {ips:?}");
    };
    assert!(ips[0].is_ipv4(), "{ips:?}");
    let with = |host: &str| server_pod("web", "--host, '::'", &probes(8080, host), "");
    node.declare("web.yaml", &with(&format!(", host: '{six}'")));
    node.shows("web", "1/1 Running new").await;
    let id = node.runs("web", "server").await;
    fail(&format!("[{six}]:8080")).await;
    node.replaced("web", "server", &id).await;
    node.said_of("web", "HTTP probe failed with statuscode: 500").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resolvers_follow_the_nodes() {
    let Some(node) = Node::new().await else { return };
    let (out, conf) = (node.path("out"), node.path("resolv.conf"));
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(&conf, "nameserver 192.0.2.1\nsearch first.example\noptions edns0\n").unwrap();
    let node = node.flag(format!("--resolv-conf={}", conf.display()));
    node.start();
    let pod = |name: &str, more: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{terminationGracePeriodSeconds: 2, {more} \
             volumes: [{{name: out, hostPath: {{path: {}}}}}], containers: [{{name: c, image: 'kl-test/busybox:1', command: \
             [sh, -c, 'cat /etc/resolv.conf > /out/{name}.tmp; busybox mv /out/{name}.tmp /out/{name}; exec sleep 3600'], \
             volumeMounts: [{{name: out, mountPath: /out}}]}}]}}}}",
            out.display()
        )
    };
    let seen = async |name: &str| {
        let text = eventually(name, || async { std::fs::read_to_string(out.join(name)).ok() }).await;
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        // Engines differ in what they write first.
        let order = ["nameserver", "search", "options"];
        lines.sort_by_key(|line| order.iter().position(|word| line.starts_with(word)));
        lines.join("; ")
    };
    node.declare("plain.yaml", &pod("plain", ""));
    assert_eq!(seen("plain").await, "nameserver 192.0.2.1; search first.example; options edns0");
    // A change reaches what is made after it.
    std::fs::write(&conf, "nameserver 192.0.2.2\n").unwrap();
    let dns = "dnsConfig: {nameservers: [192.0.2.3, 192.0.2.4, 192.0.2.5], options: [{name: ndots, value: '2'}]},";
    node.declare("more.yaml", &pod("more", dns));
    let more = seen("more").await;
    assert!(more.starts_with("nameserver 192.0.2.2; nameserver 192.0.2.3; nameserver 192.0.2.4; "), "{more}");
    assert!(more.ends_with("options ndots:2") && !more.contains("192.0.2.5"), "{more}");
    node.said_of("more", "the applied nameserver line is: 192.0.2.2 192.0.2.3 192.0.2.4").await;
    node.declare("host.yaml", &pod("host", &format!("hostNetwork: true, {dns}")));
    let host = seen("host").await;
    assert!(host.starts_with("nameserver 192.0.2.2; nameserver 192.0.2.3; "), "{host}");
    std::fs::remove_file(&conf).unwrap();
    node.declare("late.yaml", &pod("late", ""));
    node.said_of("late", "the file of --resolv-conf can not be read").await;
    node.said_of("late", "FailedCreatePodSandBox").await;
    std::fs::write(&conf, "nameserver 192.0.2.6\n").unwrap();
    assert!(seen("late").await.starts_with("nameserver 192.0.2.6"));
    // The node's own, as the engine sees it, and as it is handed on.
    node.kill().await;
    let node = node.without_flags();
    node.start();
    node.declare("own.yaml", &pod("own", ""));
    node.declare("options.yaml", &pod("options", "dnsConfig: {options: [{name: ndots, value: '1'}]},"));
    let servers =
        |text: &str| text.split("; ").filter(|l| l.starts_with("nameserver")).map(str::to_owned).collect::<Vec<_>>();
    let own = seen("own").await;
    assert_eq!(servers(&seen("options").await), servers(&own), "the same servers with an option and without");
    assert!(!own.contains(" 127."), "a pod can ask no server on its own address: {own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_on_the_nodes_network_has_the_nodes_name_and_hosts() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    let pod = |name: &str, more: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{terminationGracePeriodSeconds: 2, {more} \
             hostAliases: [{{ip: 192.0.2.1, hostnames: [alias.example]}}], volumes: [{{name: out, hostPath: {{path: {}, type: \
             DirectoryOrCreate}}}}], containers: [{{name: c, image: 'kl-test/busybox:1', command: [sh, -c, '(hostname; cat \
             /etc/hosts) > /out/{name}.tmp; busybox mv /out/{name}.tmp /out/{name}; exec sleep 3600'], volumeMounts: \
             [{{name: out, mountPath: /out}}]}}]}}}}",
            out.display()
        )
    };
    let seen = async |name: &str| eventually(name, || async { std::fs::read_to_string(out.join(name)).ok() }).await;
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap();
    node.declare("host.yaml", &pod("host", "hostNetwork: true,"));
    let host = seen("host").await;
    assert_eq!(host.lines().next(), Some(nix::unistd::gethostname().unwrap().to_str().unwrap()));
    assert!(host.contains("# Kubernetes-managed hosts file (host network).\n") && host.contains(&hosts), "{host}");
    assert!(host.contains("192.0.2.1\talias.example\n"), "{host}");
    node.declare("own.yaml", &pod("own", ""));
    let own = seen("own").await;
    let address = node.engine.inspect(&node.runs("own", "POD").await).await.unwrap().ips[0];
    assert_eq!(own.lines().next(), Some("own-n1"));
    assert!(own.contains("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"), "{own}");
    assert!(own.contains(&format!("{address}\town-n1\n")) && own.contains("192.0.2.1\talias.example\n"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_taken_off_its_network_is_made_anew() {
    let Some(node) = Node::running().await else { return };
    node.declare("web.yaml", &server_pod("web", "", &probes(8080, ""), ""));
    node.shows("web", "1/1 Running new").await;
    let sandbox = node.runs("web", "POD").await;
    let body = serde_json::json!({ "Container": sandbox, "Force": true });
    let (status, _) = node.dockerd.request("POST", "/networks/bridge/disconnect", Some(&body)).await.unwrap();
    assert_eq!(status, 200);
    // A list tells of it, and a reload lists.
    node.signal(nix::sys::signal::Signal::SIGHUP);
    let rebuilt = node.replaced("web", "POD", &sandbox).await;
    assert!(!node.engine.inspect(&rebuilt).await.unwrap().ips.is_empty());
    node.shows("web", "1/1 Running restarted").await;
    node.said("Pod sandbox changed, it will be killed and re-created.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_gets_its_address_late_is_waited_for() {
    let Some(node) = Node::new().await else { return };
    let node = node.offline().flag("--sync-frequency=2s");
    node.start();
    let out = node.path("out");
    node.declare(
        "late.yaml",
        &format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: late}}, spec: {{terminationGracePeriodSeconds: 2, volumes: [{{name: \
             out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}], containers: [{{name: c, image: 'kl-test/busybox:1', command: \
             [sh, -c, 'echo $HOST > /out/late.tmp; busybox mv /out/late.tmp /out/late; exec sleep 3600'], env: [{{name: HOST, \
             valueFrom: {{fieldRef: {{fieldPath: status.hostIP}}}}}}], volumeMounts: [{{name: out, mountPath: /out}}]}}]}}}}",
            out.display()
        ),
    );
    node.said_of("late", "the node's address is not known yet").await;
    for words in [
        "link add kl0 type bridge",
        "address add 198.51.100.7/24 dev kl0",
        "link set kl0 up",
        "route add default dev kl0",
    ] {
        node.ip(words);
    }
    let seen = eventually("it starts", || async { std::fs::read_to_string(out.join("late")).ok() }).await;
    assert_eq!(seen, "198.51.100.7\n");
    // Without a way to the world it is still the node's address.
    node.ip("link set kl0 down");
    node.said("connected to the Docker Engine").await;
    let described = || async { node.ask("describe pod late").out.contains("n1/198.51.100.7").then_some(()) };
    eventually("it is shown", described).await;
}
