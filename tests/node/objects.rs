//! ConfigMaps, Secrets and claims beside the pods, as their containers see them.

use crate::{node::Node, support::eventually};
use kubelet_lite::engine::Engine;
use std::{fs, path::Path};

/// A value that must be seen by containers and by nobody else.
const SECRET: &str = "hunter2-and-more";

fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n")
}

fn secret(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {data}\n")
}

/// A pod whose container writes its environment to `out` and sleeps.
fn env_pod(out: &Path, metadata: &str, env: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: env{metadata}}}\nspec:\n  terminationGracePeriodSeconds: 1\n  \
         volumes: [{{name: out, hostPath: {{path: {}, type: DirectoryOrCreate}}}}]\n  containers:\n  - name: see\n    image: \
         kl-test/busybox:1\n    command: [sh, -c, 'env > /out/env.tmp; mv /out/env.tmp /out/env; exec sleep 3600']\n    \
         volumeMounts: [{{name: out, mountPath: /out}}]\n{env}",
        out.display()
    )
}

const ENV: &str = "    envFrom: [{prefix: CFG_, configMapRef: {name: settings}}]\n    env:\n    - {name: PASSWORD, valueFrom: \
                   {secretKeyRef: {name: keys, key: password}}}\n    - {name: URL, value: 'x://$(PASSWORD)@$(CFG_host)'}\n    \
                   - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: none, optional: true}}}\n";

/// Waits until the container has written an environment with these lines.
async fn sees(out: &Path, lines: &[&str]) {
    eventually(&format!("the container sees {lines:?}"), || async {
        let text = fs::read_to_string(out.join("env")).ok()?;
        lines.iter().all(|line| text.lines().any(|l| l == *line)).then_some(())
    })
    .await;
}

/// The secret is nowhere but where containers are meant to see it.
async fn tells_nobody(node: &Node, ids: &[&str]) {
    assert!(!node.log().contains(SECRET), "the secret is in the log:\n{}", node.log());
    for id in ids {
        let labels = node.engine.inspect(id).await.unwrap().labels;
        assert!(!format!("{labels:?}").contains(SECRET), "the secret is in a label: {labels:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_of_objects_waits_for_them_and_is_told_when_it_is_stale() {
    let Some(node) = Node::running().await else { return };
    let out = node.path("out");
    node.declare("pod.yaml", &env_pod(&out, "", ENV));
    node.said("configmap \"settings\" not found").await;
    assert!(node.find("env", "see").await.is_none());
    // In any order, in a file of their own or together.
    node.declare("settings.yaml", &config_map("settings", "{host: example.org}"));
    node.said("secret \"keys\" not found").await;
    let missing = node.log().matches("not found").count();
    node.declare("keys.yaml", &secret("keys", &format!("{{password: {SECRET}}}")));
    let id = node.runs("env", "see").await;
    let url = format!("URL=x://{SECRET}@example.org");
    sees(&out, &["CFG_host=example.org", &format!("PASSWORD={SECRET}"), &url]).await;
    assert!(!fs::read_to_string(out.join("env")).unwrap().contains("NONE="));
    assert_eq!(node.log().matches("not found").count(), missing, "it waited without asking again and again");
    let sandbox = node.runs("env", "POD").await;
    tells_nobody(&node, &[&id, &sandbox]).await;

    // A change restarts nothing, and is told, also by the next daemon.
    node.declare("settings.yaml", &config_map("settings", "{host: example.com}"));
    node.said("EnvironmentStale").await;
    node.kill().await;
    node.start();
    node.said("EnvironmentStale").await;
    assert_eq!(node.runs("env", "see").await, id);

    // Until the pod says that it should.
    let annotated = env_pod(&out, ", annotations: {kubelet-lite.io/restart-on-change: 'true'}", ENV);
    node.declare("pod.yaml", &annotated);
    let new = node.replaced("env", "see", &id).await;
    sees(&out, &["CFG_host=example.com"]).await;
    assert_eq!(node.runs("env", "POD").await, sandbox);
    // What is gone takes nothing along.
    node.withdraw("keys.yaml");
    node.said("keys.yaml").await;
    assert_eq!(node.runs("env", "see").await, new);
    node.withdraw("pod.yaml");
    node.nothing_left().await;
    tells_nobody(&node, &[]).await;
}
