//! Manifests of the model, and edits of them.

use super::{model::Tape, *};

/// A manifest as the operator sees it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) policy: &'static str,
    pub(super) grace: u8,
    /// What the sandbox depends on.
    pub(super) sandbox: u8,
    /// Whether the manifest names its uid, which then stays.
    pub(super) given_uid: bool,
    /// Before the apps: whether it is a sidecar.
    pub(super) init: Vec<bool>,
    /// Name and revision of each app.
    pub(super) apps: Vec<(u8, u8)>,
    /// Which probes, hooks and rules they and the sidecars have, bit by bit.
    pub(super) asked: u8,
}

impl Wanted {
    /// As the directory yields it.
    pub(super) fn pod(&self) -> Arc<Pod> {
        let uid = if self.given_uid { "given".to_owned() } else { format!("uid{}", self.sandbox) };
        let container = |name: String, image: String| self.asked(new_container(&name, &image));
        let init = self.init.iter().enumerate().map(|(i, sidecar)| {
            let (name, image) = (format!("init{i}"), format!("init{i}:1"));
            match sidecar {
                true => api::Container { restart_policy: Some("Always".into()), ..container(name, image) },
                false => new_container(&name, &image),
            }
        });
        let apps = self.apps.iter().map(|(n, revision)| container(format!("app{n}"), format!("app{n}:{revision}")));
        resolve(&api::Pod {
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                name: Some("web".into()),
                uid: Some(uid),
                ..Default::default()
            },
            spec: Some(api::PodSpec {
                restart_policy: Some(self.policy.into()),
                termination_grace_period_seconds: Some(self.grace.into()),
                hostname: Some(format!("host{}", self.sandbox)),
                init_containers: Some(init.collect()),
                containers: apps.collect(),
                ..Default::default()
            }),
            status: None,
        })
    }

    fn asked(&self, container: api::Container) -> api::Container {
        let has = |bit: u8| self.asked & (1 << bit) != 0;
        let probe = |bit| has(bit).then(api::Probe::default);
        let hook = |bit| has(bit).then(api::LifecycleHandler::default);
        let lifecycle = api::Lifecycle { post_start: hook(3), pre_stop: hook(4), stop_signal: None };
        api::Container {
            startup_probe: probe(0),
            liveness_probe: probe(1),
            readiness_probe: probe(2),
            lifecycle: Some(lifecycle),
            restart_policy_rules: has(5).then(|| vec![restart_all(1)]),
            ..container
        }
    }

    /// What an operator may change.
    pub(super) fn edit(&mut self, tape: &mut Tape) {
        match tape.next() % 8 {
            0 | 1 => {}
            2 => self.sandbox = tape.next() % 3,
            3 => self.policy = tape.pick(&["Always", "OnFailure", "Never"]),
            4 => self.grace = tape.pick(&[30, 0, 1, 5]),
            5 if self.apps.len() > 1 => drop(self.apps.remove(0)),
            6 if tape.next() % 2 == 1 => self.asked = tape.next(),
            5 | 6 => self.apps.push((self.apps.iter().map(|(n, _)| n + 1).max().unwrap_or(0), 1)),
            _ => self.apps[0].1 = 1 + tape.next() % 3,
        }
    }
}

/// A rule that restarts all containers of a pod for this exit code.
fn restart_all(code: i32) -> api::ContainerRestartRule {
    api::ContainerRestartRule {
        action: "RestartAllContainers".into(),
        exit_codes: Some(api::ContainerRestartRuleOnExitCodes { operator: "In".into(), values: Some(vec![code]) }),
    }
}
