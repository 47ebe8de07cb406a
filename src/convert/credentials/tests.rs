//! Tables of registries, secrets and images.

use super::*;
use crate::{
    convert::testing::pod,
    pod::{
        ManifestSource,
        objects::{Content, Declared, ObjectId, ObjectKind, Secret},
    },
};
use std::sync::Arc;

const PASSWORD: &str = "hunter2";

fn secret(type_: &str, key: &str, value: &str) -> Secret {
    Secret { type_: type_.into(), data: BTreeMap::from([(key.into(), Confidential::new(value.as_bytes()))]) }
}

fn objects(secrets: &[(&str, Secret)]) -> Objects {
    let declared = |secret: &Secret| {
        let source = ManifestSource { path: "/m".into(), document: 0 };
        Arc::new(Declared { source, content: Content::Secret(secret.clone()) })
    };
    let id = |name: &str| ObjectId { kind: ObjectKind::Secret, namespace: "default".into(), name: name.into() };
    secrets.iter().map(|(name, secret)| (id(name), declared(secret))).collect()
}

fn user(name: &str) -> RegistryAuth {
    RegistryAuth { username: name.into(), password: PASSWORD.into(), identity_token: None }
}

/// Names of the users as which an image is pulled, given entries of one secret: place and user.
fn users(image: &str, entries: &[(&str, &str)]) -> Vec<String> {
    let auths: serde_json::Map<String, serde_json::Value> = entries
        .iter()
        .map(|(place, user)| ((*place).to_owned(), serde_json::json!({ "username": user, "password": PASSWORD })))
        .collect();
    let config = serde_json::json!({ "auths": auths }).to_string();
    let objects = objects(&[("s", secret(JSON_TYPE, JSON_KEY, &config))]);
    let pod = pod("imagePullSecrets: [{name: s}]\ncontainers: [{name: c, image: i}]");
    let found = pull_secrets(&pod, &ImageRef::new(image), &objects, None).expect("credentials");
    found.credentials.into_iter().map(|auth| auth.username).collect()
}

#[test]
fn entries_fit_images_as_on_a_kubelet() {
    let hub: &[_] = &[("https://index.docker.io/v1/", "hub")];
    let own: &[_] = &[("registry.example.org", "all"), ("registry.example.org/team", "team"), ("other.org", "other")];
    let globs: &[_] = &[("*.example.org", "star"), ("*.example.org:5000", "port"), ("reg*.example.com", "some")];
    for (image, entries, expected) in [
        ("nginx", hub, &["hub"][..]),
        ("nginx:1.25", hub, &["hub"]),
        ("library/nginx", hub, &["hub"]),
        ("someone/nginx@sha256:0123", hub, &["hub"]),
        ("docker.io/someone/nginx:1", hub, &["hub"]),
        ("index.docker.io/someone/nginx:1", hub, &["hub"]),
        ("registry.example.org/nginx", hub, &[]),
        ("localhost/nginx", hub, &[]),
        ("localhost:5000/nginx", hub, &[]),
        ("nginx", &[("docker.io", "bare")], &["bare"]),
        ("nginx", &[("docker.io/library", "library"), ("docker.io/someone", "someone")], &["library"]),
        // The host, and the beginning of the path: the longer key first.
        ("registry.example.org/team/app:1", own, &["team", "all"]),
        ("registry.example.org/app:1", own, &["all"]),
        ("registry.example.org:5000/app", own, &[]),
        ("example.org/app", own, &[]),
        // As upstream: a path fits by its letters.
        ("registry.example.org/teammate/app", own, &["team", "all"]),
        ("registry.example.org/app", &[("http://registry.example.org/v2/", "api")], &["api"]),
        ("registry.example.org/team/app", &[("https://registry.example.org/v2/team", "api")], &["api"]),
        ("registry.example.org/app", &[("https://somebody@registry.example.org?x=1", "url")], &["url"]),
        // One star is one part of the name.
        ("registry.example.org/app", globs, &["star"]),
        ("registry.example.org:5000/app", globs, &["port"]),
        ("deep.registry.example.org/app", globs, &[]),
        ("reg1.example.com/app", globs, &["some"]),
        ("rag1.example.com/app", globs, &[]),
        ("127.0.0.1:5000/app", &[("127.0.0.1:5000", "address")], &["address"]),
        ("registry.example.org/app", &[("[.example.org", "bad")], &[]),
    ] {
        assert_eq!(users(image, entries), expected, "{image} of {entries:?}");
    }
}

#[test]
fn secrets_are_read_in_all_their_forms() {
    let with_token = RegistryAuth { identity_token: Some("t".into()), ..user("ann") };
    let entry = |entry: &str| secret(JSON_TYPE, JSON_KEY, &format!("{{\"auths\": {{\"r.org\": {entry}}}}}"));
    for (secret, expected) in [
        (entry(r#"{"username": "ann", "password": "hunter2", "email": "a@r.org"}"#), vec![user("ann")]),
        // base64 of ann:hunter2 and, padded, of ann.b:hunter2: they win over the plain ones.
        (entry(r#"{"auth": "YW5uOmh1bnRlcjI"}"#), vec![user("ann")]),
        (entry(r#"{"auth": "YW5uLmI6aHVudGVyMg==", "username": "no"}"#), vec![user("ann.b")]),
        (entry(r#"{"username": "ann", "password": "hunter2", "identitytoken": "t"}"#), vec![with_token]),
        (secret(OLD_TYPE, OLD_KEY, r#"{"r.org": {"auth": "YW5uOmh1bnRlcjI"}}"#), vec![user("ann")]),
        (secret("Opaque", JSON_KEY, r#"{"auths": {"r.org": {"username": "no"}}}"#), vec![]),
        (secret(JSON_TYPE, JSON_KEY, "{}"), vec![]),
    ] {
        let pod = pod("imagePullSecrets: [{name: s}, {name: gone}]\ncontainers: [{name: c, image: r.org/i}]");
        let found = pull_secrets(&pod, &pod.containers[0].image, &objects(&[("s", secret)]), None).expect("read");
        assert_eq!(found, PullSecrets { credentials: expected, missing: vec!["gone".into()] });
    }
}

#[test]
fn the_pods_secrets_come_before_the_nodes_configuration() {
    let config = |name: &str| format!(r#"{{"auths": {{"r.org": {{"username": "{name}", "password": "hunter2"}}}}}}"#);
    let objects = objects(&[
        ("a", secret(JSON_TYPE, JSON_KEY, &config("ann"))),
        ("b", secret(JSON_TYPE, JSON_KEY, &config("bob"))),
    ]);
    let node = Confidential::new(config("node").as_bytes());
    let image = ImageRef::new("r.org/i");
    let of = |spec: &str| {
        let pod = pod(&format!("{spec}\ncontainers: [{{name: c, image: i}}]"));
        pull_secrets(&pod, &image, &objects, Some(&node)).expect("read").credentials
    };
    let both = of("imagePullSecrets: [{name: b}, {name: a}]");
    assert_eq!(both, [user("bob"), user("ann"), user("node")]);
    assert_eq!(of("hostname: x"), [user("node")]);
}

#[test]
fn what_can_not_be_read_is_named_without_a_word_of_it() {
    for (type_, key, value) in [
        (JSON_TYPE, JSON_KEY, "hunter2"),
        (JSON_TYPE, JSON_KEY, r#"{"auths": "hunter2"}"#),
        (JSON_TYPE, JSON_KEY, r#"{"auths": {"r.org": {"auth": "hunter2!"}}}"#),
        // base64 of hunter2: no colon.
        (JSON_TYPE, JSON_KEY, r#"{"auths": {"r.org": {"auth": "aHVudGVyMg=="}}}"#),
        (OLD_TYPE, OLD_KEY, r#"{"r.org": "hunter2"}"#),
    ] {
        let pod = pod("imagePullSecrets: [{name: s}]\ncontainers: [{name: c, image: r.org/i}]");
        let objects = objects(&[("s", secret(type_, key, value))]);
        let error = pull_secrets(&pod, &pod.containers[0].image, &objects, None).expect_err(value);
        let said = format!("{error} {error:?}");
        assert!(said.contains("Secret default/s") && !said.contains("unter2") && !said.contains("r.org"), "{said}");
    }
    assert_eq!(format!("{:?}", user("ann")), "(hidden)");
}
