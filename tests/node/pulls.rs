//! Images from a registry: who pulls them, and when.

use crate::{
    node::Node,
    support::{
        images,
        registry::{Registry, USER},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kubelet_lite::engine::Engine;
use std::fs;

fn pod(name: &str, image: &str, policy: &str, extra: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 1\n{extra}  \
         containers:\n  - name: c\n    image: {image}\n    imagePullPolicy: {policy}\n    command: [sleep, '3600']\n"
    )
}

/// A Docker configuration with one user for one place.
fn config(place: &str, (user, password): (&str, &str)) -> String {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    serde_json::json!({ "auths": { place: { "auth": auth } } }).to_string()
}

fn secret(name: &str, config: &str) -> String {
    let data = STANDARD.encode(config);
    format!(
        "---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata: {{name: {name}}}\ndata: \
         {{.dockerconfigjson: {data}}}\n"
    )
}

async fn node_and_registry() -> Option<(Node, Registry)> {
    let node = Node::new().await?;
    let registry = Registry::start(&node.path("")).await;
    Some((node, registry))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_image_is_pulled_with_the_pods_secret() {
    let Some((node, registry)) = node_and_registry().await else { return };
    let image = registry.image("team/app:1");
    node.dockerd.publish(images::BUSYBOX, &image, USER).await;
    node.start();
    // Without the secret the pull is tried, and says what is missing.
    let pod = pod("private", &image, "IfNotPresent", "  imagePullSecrets: [{name: wrong}, {name: right}]\n");
    node.declare("pod.yaml", &pod);
    node.said("Unable to retrieve some image pull secrets (wrong, right)").await;
    node.said("no basic auth credentials").await;
    node.said("ErrImagePull").await;
    // One that the registry does not know, and then another that it does: each is tried.
    let wrong = secret("wrong", &config(&registry.address, ("ann", "wrong-4711")));
    node.declare("secrets.yaml", &wrong);
    node.said("Unable to retrieve some image pull secrets (right)").await;
    node.said("unauthorized").await;
    let right = secret("right", &config(&format!("{}/team", registry.address), USER));
    node.declare("secrets.yaml", &format!("{wrong}{right}"));
    node.runs("private", "c").await;
    node.said(&format!("Successfully pulled image \"{image}\"")).await;
    let encoded = STANDARD.encode(format!("{}:{}", USER.0, USER.1));
    for told in [USER.1, "wrong-4711", &encoded] {
        assert!(!node.log().contains(told), "a secret is in the log");
        let labels = node.containers().await.into_iter().map(|row| row.labels);
        assert!(!format!("{:?}", labels.collect::<Vec<_>>()).contains(told), "a secret is in a label");
    }

    // A broken one is told, but not what is in it.
    let other = registry.image("team/other:1");
    node.dockerd.publish(images::BUSYBOX, &other, USER).await;
    let broken = serde_json::json!({ "auths": { &registry.address: { "auth": "wert-8251" } } }).to_string();
    node.declare("broken.yaml", &secret("broken", &broken));
    node.declare("other.yaml", &self::pod("other", &other, "Always", "  imagePullSecrets: [{name: broken}]\n"));
    node.said("the auth of an entry is not the base64 of USER:PASSWORD").await;
    assert!(!node.log().contains("wert-8251"));

    // What the node knows serves every pod.
    fs::write(node.path("root/config.json"), config(&registry.address, USER)).unwrap();
    node.declare("other.yaml", &self::pod("other", &other, "Always", ""));
    node.runs("other", "c").await;
    node.withdraw("other.yaml");
    node.withdraw("pod.yaml");
    node.nothing_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pull_policy_pulls_when_it_says() {
    let Some((node, registry)) = node_and_registry().await else { return };
    let image = registry.image("app:1");
    node.dockerd.publish(images::BUSYBOX, &image, USER).await;
    fs::create_dir_all(node.path("root")).unwrap();
    fs::write(node.path("root/config.json"), config(&registry.address, USER)).unwrap();
    node.start();
    node.declare("never.yaml", &pod("never", &image, "Never", ""));
    node.said("ErrImageNeverPull").await;
    let pulls = || node.log().matches("Pulling image").count();
    assert_eq!(pulls(), 0, "Never has pulled");
    node.declare("absent.yaml", &pod("absent", &image, "IfNotPresent", ""));
    node.runs("absent", "c").await;
    assert_eq!(pulls(), 1);
    // Now that it is there, Never runs it, too.
    node.runs("never", "c").await;
    node.declare("again.yaml", &pod("again", &image, "IfNotPresent", ""));
    node.runs("again", "c").await;
    assert_eq!(pulls(), 1, "IfNotPresent pulls what is there");

    // Another image of the same name: only Always sees it.
    let old = node.engine.image_inspect(&image).await.unwrap().id;
    node.dockerd.publish(images::SERVER, &registry.image("app:2"), USER).await;
    let newer = images::busybox_as("kl-test/newer:1", "nobody");
    images::load(&node.engine, newer).await;
    node.dockerd.publish("kl-test/newer:1", &image, USER).await;
    node.dockerd.request("POST", &format!("/images/{old}/tag?repo={}&tag=1", registry.image("app")), None).await;
    node.declare("again.yaml", &pod("again", &image, "IfNotPresent", "  hostname: again\n"));
    node.declare("always.yaml", &pod("always", &image, "Always", ""));
    let id = node.runs("always", "c").await;
    let now = node.engine.inspect(&id).await.unwrap().image_id;
    assert_ne!(now, old, "Always runs the old image");
    assert_eq!(node.engine.image_inspect(&image).await.unwrap().id, now);

    // A registry that is away keeps no pod from starting, and that is said.
    drop(registry);
    node.declare("late.yaml", &pod("late", &image, "Always", ""));
    node.runs("late", "c").await;
    node.said("the one on the node is used").await;
}
