//! Published examples of probes and hooks, as they are, with images of our own in the place of theirs. They
//! are not part of this repository: KUBELET_LITE_CORPUS names their directory. What they show is held to by
//! the stories of [`crate::asked`] and [`crate::ending`] too, which always run.

use crate::{
    moments::{assert_between, uptime},
    network::tell,
    node::Node,
    support::{images, say},
};
use kubelet_lite::engine::Engine;
use std::{fs, path::PathBuf};

/// The example's directory, if there is one here.
fn examples(test: &str) -> Option<PathBuf> {
    let corpus = std::env::var_os("KUBELET_LITE_CORPUS").map(|root| PathBuf::from(root).join("pods"));
    if corpus.is_none() {
        say(&format!("NOT RUN, because KUBELET_LITE_CORPUS is not set: {test}"));
    }
    corpus
}

/// Serves until it is told to quit, as nginx does.
const NGINX: &str = "if [ \"$1\" = -s ]; then kill -QUIT 1; exit; fi\ntrap 'exit 0' QUIT TERM\n\
                     if [ -d /usr/share/nginx/html ]; then httpd -f -p 80 -h /usr/share/nginx/html & fi\n\
                     while true; do sleep 0.1; done\n";
const QUOTES: &str =
    "trap 'exit 0' TERM\necho Festina lente. > /var/local/output/quote\nwhile true; do sleep 0.1; done\n";

#[tokio::test(flavor = "multi_thread")]
async fn published_examples_of_probes_and_hooks_run() {
    let Some(examples) = examples("published_examples_of_probes_and_hooks_run") else { return };
    let Some(node) = Node::running().await else { return };
    for image in [
        images::program("nginx:latest", "nginx", NGINX, &["usr", "usr/share"]),
        images::program("nginx:alpine", "nginx", NGINX, &["usr", "usr/share"]),
        images::program("registry.k8s.io/nginx:1.7.9", "nginx", &format!("touch /probe\n{NGINX}"), &[]),
        images::program("luksa/quote-writer:0.1", "quote-writer", QUOTES, &[]),
        images::program("busybox:latest", "sh", "", &[]),
        images::server_as("registry.k8s.io/goproxy:0.1"),
        images::server_as("luksa/kubia:latest"),
        images::grpc_server_as("registry.k8s.io/etcd:3.5.1-0", "/usr/local/bin/etcd", 2379),
    ] {
        // Some differ by their names alone.
        node.engine.image_load(image.bytes).await.unwrap();
    }
    let pods = [
        ("website--pods--lifecycle-events.yaml", "lifecycle-demo", "1/1"),
        ("website--pods--probe--tcp-liveness-readiness.yaml", "goproxy", "1/1"),
        ("luksa-kubernetes-in-action--Chapter17--pre-stop-hook-httpget.yaml", "pod-with-prestop-hook", "1/1"),
        ("luksa-kubernetes-in-action-2nd-edition--Chapter13--SETUP--quote--pod.quote-003.yaml", "quote-003", "2/2"),
        ("openshift-microshift--k8s--hack--testdata--pod-with-metadata-and-probes.yaml", "target", "1/1"),
        ("website-kyaml--pods--probe--grpc-liveness.yaml", "etcd-with-grpc", "1/1"),
    ];
    for (file, _, _) in pods {
        node.declare(file, &fs::read_to_string(examples.join(file)).unwrap());
    }
    for (_, pod, ready) in pods {
        node.shows(pod, &format!("{ready} Running new")).await;
    }
    let demo = node.runs("lifecycle-demo", "lifecycle-demo-container").await;
    let message = node.engine.copy_file(&demo, "/usr/share/message").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&message), "Hello from the postStart handler\n");
    // A failing probe of each kind; the first is asked after 10 s, every 10 s.
    let (etcd, sandbox) = (node.runs("etcd-with-grpc", "etcd").await, node.runs("etcd-with-grpc", "POD").await);
    let ip = node.engine.inspect(&sandbox).await.unwrap().ips[0];
    tell(&format!("{ip}:8080"), "grpc=2").await;
    let target = node.runs("target", "target").await;
    node.run_in(&target, &["rm", "/probe"]).await;
    node.replaced("target", "target", &target).await;
    node.said_of("target", "Liveness probe failed").await;
    node.said_of("etcd-with-grpc", "Liveness probe failed").await;
    node.replaced("etcd-with-grpc", "etcd", &etcd).await;
    // Their graces are the default of 30 s, and their hooks end them sooner.
    let asked = uptime();
    for (file, _, _) in pods {
        node.withdraw(file);
    }
    node.nothing_left().await;
    assert_between("the end of all", uptime() - asked, 0.0, 28.0);
}
