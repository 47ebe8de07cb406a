//! Containers of every kind.

use super::{Role, env, given, handlers, names, ports, resources, security, spec::PodFacts, volumes};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::api::core::v1 as api;
use std::collections::HashMap;

/// What a list of containers is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Init,
    Regular,
}

/// Judges all containers of a pod.
pub fn all(spec: &api::PodSpec, facts: &PodFacts, role: Role, path: &Path, f: &mut Findings) {
    let regular = path.field("containers");
    if spec.containers.is_empty() {
        f.required(&regular, "a pod has at least one container");
    }
    let mut names: HashMap<&str, (&str, usize)> = HashMap::new();
    let init = path.field("initContainers");
    let lists =
        [(Place::Regular, &regular, Some(&spec.containers)), (Place::Init, &init, spec.init_containers.as_ref())];
    for (place, list, containers) in lists {
        for (index, container) in containers.into_iter().flatten().enumerate() {
            let path = list.index(index);
            let field = if place == Place::Init { "initContainers" } else { "containers" };
            match names.get(container.name.as_str()) {
                Some(&(list, first)) if !container.name.is_empty() => {
                    let (spec_path, name) = (path.parent().and_then(|p| p.parent()), path.field("name"));
                    let spec_path = spec_path.unwrap_or(Path::ROOT);
                    let first_list = spec_path.field(list);
                    f.duplicate(&name, &container.name, &first_list.index(first).field("name"));
                }
                _ => {
                    names.insert(&container.name, (field, index));
                }
            }
            one(container, place, facts, role, &path, f);
        }
    }
    ports::host_ports(spec, path, f);
    if spec.ephemeral_containers.iter().flatten().next().is_some() {
        f.forbidden(
            &path.field("ephemeralContainers"),
            "ephemeral containers are added to running pods by `kubectl debug` only",
        );
    }
}

fn one(container: &api::Container, place: Place, facts: &PodFacts, role: Role, path: &Path, f: &mut Findings) {
    let name = path.field("name");
    if container.name.is_empty() {
        f.required(&name, "");
    } else {
        f.rule(&name, Some(&container.name), names::dns_label);
    }
    let image = path.field("image");
    match given(container.image.as_ref()) {
        None => {
            f.required(&image, "");
        }
        Some(text) if text.trim() != text && role == Role::Pod => {
            f.invalid_text(&image, text, "must not begin or end with white space");
        }
        Some(text) => image_reference(text, &image, f),
    }
    let policy = container.termination_message_policy.as_deref();
    f.one_of(&path.field("terminationMessagePolicy"), policy, &["FallbackToLogsOnError", "File"]);
    let pull = container.image_pull_policy.as_deref();
    f.one_of(&path.field("imagePullPolicy"), pull, &["Always", "IfNotPresent", "Never"]);
    ports::container(container, &path.field("ports"), f);
    env::env(container, facts, path, f);
    volumes::mounts(container, facts, path, f);
    resources::container(container.resources.as_ref(), facts, &path.field("resources"), f);
    resize_policy(container, facts, &path.field("resizePolicy"), f);
    security::container(container.security_context.as_ref(), facts, &path.field("securityContext"), f);
    restart_policy(container, path, f);
    if place == Place::Regular || container.restart_policy.as_deref() == Some("Always") {
        handlers::container(container, facts, path, f);
    } else {
        let why = "an init container has none of this, unless it is a sidecar (restartPolicy: Always)";
        for (field, present) in [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ] {
            if present {
                let path = path.field(field);
                f.forbidden(&path, why).at_key(&path);
            }
        }
    }
}

/// What no engine takes for an image. The API lets everything pass; the pod would wait for ever with
/// `InvalidImageName`.
pub(super) fn image_reference(image: &str, path: &Path, f: &mut Findings) {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest[slash..].split_once(':') {
        Some((last, tag)) => (&rest[..slash + last.len()], Some(tag)),
        None => (rest, None),
    };
    let tag_ok = tag.is_none_or(|tag| {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        tag.len() <= 128
            && tag.bytes().next().is_some_and(word)
            && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
    });
    if !tag_ok {
        f.invalid_text(path, image, "has a tag that is none: a tag has letters, digits, `_`, `.` and `-`");
        return;
    }
    let digest_ok = digest.is_none_or(|digest| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit())
        })
    });
    if !digest_ok {
        f.invalid_text(path, image, "has a digest that is none: it is sha256: and 64 hex digits");
        return;
    }
    let mut parts = name.split('/').peekable();
    let first = parts.peek().copied().unwrap_or_default();
    let is_host = name.contains('/') && (first.contains(['.', ':']) || first == "localhost" || first.starts_with('['));
    if is_host {
        parts.next();
    }
    let component = |part: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(part.bytes().next())
            && edge(part.bytes().last())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    if !parts.all(component) {
        let lower = name.to_ascii_lowercase();
        let finding = f.invalid_text(path, image, "is not the name of an image");
        if lower != name {
            finding.suggest("names of images are lower case");
        }
    }
}

fn resize_policy(container: &api::Container, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let policies = container.resize_policy.iter().flatten();
    for (index, policy) in policies.clone().enumerate() {
        let path = path.index(index);
        let (name, restart) = (path.field("resourceName"), path.field("restartPolicy"));
        f.one_of(&name, Some(&policy.resource_name), &["cpu", "memory"]);
        f.one_of(&restart, Some(&policy.restart_policy), &["NotRequired", "RestartContainer"]);
        if facts.restart_policy == "Never" && policy.restart_policy == "RestartContainer" {
            f.invalid_text(
                &restart,
                &policy.restart_policy,
                "must be NotRequired, since the pod's restartPolicy is Never",
            );
        }
        let first = policies.clone().take(index).position(|p| p.resource_name == policy.resource_name);
        if let Some(first) = first.filter(|_| index < 8) {
            let all = path.parent().unwrap_or(Path::ROOT);
            f.duplicate(&name, &policy.resource_name, &all.index(first));
        }
    }
}

/// `restartPolicy` and `restartPolicyRules` of a container.
fn restart_policy(container: &api::Container, path: &Path, f: &mut Findings) {
    let field = path.field("restartPolicy");
    f.one_of(&field, container.restart_policy.as_deref(), &["Always", "OnFailure", "Never"]);
    let rules = path.field("restartPolicyRules");
    let Some(list) = container.restart_policy_rules.as_ref().filter(|list| !list.is_empty()) else { return };
    if container.restart_policy.is_none() {
        f.required(&field, "it says what happens when no rule matches");
    }
    if list.len() > 20 {
        f.error("too-many", &rules, "at most 20 rules may be given");
    }
    for (index, rule) in list.iter().enumerate() {
        let path = rules.index(index);
        f.one_of(&path.field("action"), Some(&rule.action), &["Restart", "RestartAllContainers"]);
        let codes = path.field("exitCodes");
        match &rule.exit_codes {
            None => {
                f.required(&codes, "");
            }
            Some(found) => {
                f.one_of(&codes.field("operator"), Some(&found.operator), &["In", "NotIn"]);
                let count = found.values.iter().flatten().count();
                if count == 0 || count > 255 {
                    f.invalid(&codes.field("values"), format!("{count} values"), "must be between 1 and 255");
                }
            }
        }
    }
}
