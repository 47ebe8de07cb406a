//! What a Secret holds is for containers, and for nobody else.

use crate::{node::Node, support::eventually};
use kubelet_lite::engine::Engine;

/// A value that must be seen by containers and by nobody else.
pub const SECRET: &str = "hunter2-and-more";

pub fn secret(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\nstringData: {data}\n")
}

/// The secret is nowhere but where containers are meant to see it.
pub async fn tells_nobody(node: &Node, ids: &[&str]) {
    assert!(!node.log().contains(SECRET), "the secret is in the log:\n{}", node.log());
    for id in ids {
        let labels = node.engine.inspect(id).await.unwrap().labels;
        assert!(!format!("{labels:?}").contains(SECRET), "the secret is in a label: {labels:?}");
    }
    for words in [
        "get pods -A -o yaml",
        "get pods -A -o wide",
        "describe pods -A",
        "events -A",
        "get events -A -o yaml",
        "get manifests",
        "get manifests -o yaml",
    ] {
        let answer = node.ask(words);
        assert_eq!(answer.code, 0, "{words}: {}", answer.notes);
        assert!(!format!("{}{}", answer.out, answer.notes).contains(SECRET), "{words} tells it: {}", answer.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engines_error_tells_no_secret() {
    let Some(node) = Node::running().await else { return };
    node.declare("keys.yaml", &secret("keys", &format!("{{password: {SECRET}}}")));
    // The engine names the program that it does not find.
    let pod = |command: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: typo}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - \
             name: c\n    image: kl-test/busybox:1\n    command: {command}\n    env:\n    - {{name: PASSWORD, valueFrom: \
             {{secretKeyRef: {{name: keys, key: password}}}}}}\n    - {{name: PROGRAM, value: '/bin/$(PASSWORD)'}}\n"
        )
    };
    let shown = || node.ask("get pod typo -o yaml").out;
    node.declare("typo.yaml", &pod("['$(PROGRAM)', '--verbose']"));
    node.said_of("typo", "the engine's words are kept back").await;
    let waits = || async { shown().contains("RunContainerError").then_some(()) };
    eventually("it is shown", waits).await;
    tells_nobody(&node, &[]).await;
    // Nor what the engine still knows when another daemon asks.
    node.kill().await;
    node.start();
    node.said("connected to the Docker Engine").await;
    eventually("it is shown", || async { shown().contains("name: typo-n1").then_some(()) }).await;
    tells_nobody(&node, &[]).await;
    // What an argument holds is not in it, and so it is told.
    node.declare("typo.yaml", &pod("[/bin/missing, '$(PASSWORD)']"));
    node.said_of("typo", "/bin/missing").await;
    tells_nobody(&node, &[]).await;
}
