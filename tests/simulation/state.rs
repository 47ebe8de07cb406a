//! Whether a node is as wished: pods run as declared, and nothing else is left.

use crate::node::Node;
use kubelet_lite::{
    engine::{ContainerDetails, EngineState},
    pod::{Container, ContainerKind, Pod, PodKey, RestartPolicy},
    worker::EngineHealth,
};
use std::{cmp::Reverse, collections::BTreeSet};

/// A container of ours in the engine.
struct Seen {
    details: ContainerDetails,
    key: PodKey,
    uid: String,
    name: String,
    attempt: u32,
}

impl Seen {
    fn label(&self, key: &str) -> &str {
        self.details.labels.get(key).map(String::as_str).unwrap_or_default()
    }
    fn is_live(&self) -> bool {
        matches!(self.details.state, EngineState::Running | EngineState::Paused)
    }
    /// Its exit code, if it has ended or could not be started.
    fn ended_with(&self) -> Option<i64> {
        match self.details.state {
            EngineState::Exited => Some(self.details.exit_code),
            EngineState::Created if !self.details.error.is_empty() => Some(self.details.exit_code.max(1)),
            _ => None,
        }
    }
    fn is_sandbox(&self) -> bool {
        self.name == "POD"
    }
}

impl Node {
    /// What is not as wished; nothing, when all is.
    pub fn unlike(&self) -> Vec<String> {
        let mut unlike = Vec::new();
        match self.summary() {
            None => unlike.push("no daemon".into()),
            Some(summary) => {
                if !matches!(summary.engine, EngineHealth::Connected(_)) {
                    unlike.push(format!("engine {:?}", summary.engine));
                }
                let busy = summary.pods.iter().filter(|(_, pod)| !pod.quiet);
                unlike.extend(busy.map(|(key, pod)| format!("{key} is not quiet: {pod:?}")));
            }
        }
        let wished = self.wished();
        let seen = self.seen();
        for pod in wished.values() {
            let own: Vec<&Seen> = seen.iter().filter(|s| s.key == pod.key).collect();
            unlike.extend(unlike_pod(pod, &own).into_iter().map(|what| format!("{}: {what}", pod.key)));
        }
        let stray = seen.iter().filter(|s| !wished.contains_key(&s.key));
        unlike.extend(stray.map(|s| format!("{} is left", s.details.name)));
        let uids: BTreeSet<&str> = wished.values().map(|p| p.uid.as_str()).collect();
        unlike.extend(
            self.directories().iter().filter(|d| !uids.contains(d.as_str())).map(|d| format!("pods/{d} is left")),
        );
        unlike
    }

    /// All containers with our mark, the newest attempt of each name first.
    fn seen(&self) -> Vec<Seen> {
        let mut all: Vec<Seen> = self.engine.containers().into_iter().filter_map(seen).collect();
        all.sort_by(|a, b| (&a.name, Reverse(a.attempt)).cmp(&(&b.name, Reverse(b.attempt))));
        all
    }

    /// Names below `<root>/pods`.
    fn directories(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root().join("pods")).into_iter().flatten();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn seen(details: ContainerDetails) -> Option<Seen> {
    details.labels.get("io.kubelet-lite.managed-by")?;
    let label = |key: &str| details.labels.get(key).cloned().unwrap_or_default();
    Some(Seen {
        key: PodKey::new(label("io.kubernetes.pod.namespace"), label("io.kubernetes.pod.name")),
        uid: label("io.kubernetes.pod.uid"),
        name: label("io.kubernetes.container.name"),
        attempt: label("io.kubelet-lite.attempt").parse().unwrap_or(0),
        details,
    })
}

fn unlike_pod(pod: &Pod, own: &[&Seen]) -> Vec<String> {
    let mut unlike = Vec::new();
    let (ours, others): (Vec<&Seen>, Vec<&Seen>) = own.iter().partition(|s| s.uid == pod.uid.as_str());
    unlike.extend(others.iter().map(|s| format!("{} of another incarnation is left", s.details.name)));
    let newest = |c: &Container| ours.iter().find(|s| s.name == c.name.as_str());
    let failed_init = |c: &Container| {
        c.kind == ContainerKind::Init && newest(c).and_then(|s| s.ended_with()).is_some_and(|code| code != 0)
    };
    let for_good = |c: &Container| newest(c).and_then(|s| s.ended_with()).is_some_and(|code| ends_for_good(pod, code));
    let apps = || pod.containers.iter().filter(|c| c.kind == ContainerKind::App);
    let never = pod.restart_policy == RestartPolicy::Never;
    if apps().all(for_good) || never && pod.containers.iter().any(failed_init) {
        let live = ours.iter().filter(|s| s.is_live());
        unlike.extend(live.map(|s| format!("{} still runs in a pod that is done", s.details.name)));
        return unlike;
    }
    let sandboxes: Vec<&&Seen> = ours.iter().filter(|s| s.is_sandbox()).collect();
    if sandboxes.len() != 1 {
        unlike.push(format!("{} sandboxes", sandboxes.len()));
    }
    let Some(sandbox) = sandboxes.first() else { return unlike };
    if !sandbox.is_live() || sandbox.label("io.kubelet-lite.sandbox-hash") != pod.sandbox_hash.as_str() {
        unlike.push("no sandbox as declared".into());
    }
    for container in pod.containers.iter().filter(|c| c.kind != ContainerKind::Init) {
        if container.kind == ContainerKind::App && for_good(container) {
            continue;
        }
        let runs = newest(container).is_some_and(|s| {
            s.is_live()
                && s.label("io.kubelet-lite.spec-hash") == container.hash.as_str()
                && s.label("io.kubernetes.sandbox.id") == sandbox.details.id
        });
        if !runs {
            unlike.push(format!("container {} does not run as declared", container.name));
        }
    }
    for (at, instance) in ours.iter().enumerate().filter(|(_, s)| !s.is_sandbox()) {
        let declared = pod.containers.iter().any(|c| c.name.as_str() == instance.name);
        let newer = ours[..at].iter().filter(|s| s.name == instance.name).count();
        if !declared || newer > 1 || newer == 1 && instance.is_live() {
            unlike.push(format!("{} is left", instance.details.name));
        }
    }
    unlike
}

fn ends_for_good(pod: &Pod, code: i64) -> bool {
    match pod.restart_policy {
        RestartPolicy::Always => false,
        RestartPolicy::OnFailure => code == 0,
        RestartPolicy::Never => true,
    }
}
