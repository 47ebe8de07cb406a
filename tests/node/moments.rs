//! Pods that note when things happen to them, in a directory of the host that they see as `/log`.

use crate::{node::Node, support::eventually};
use nix::sys::signal::Signal;
use std::{fs, path::PathBuf, time::SystemTime};

/// A pod of busybox containers that see the node's scratch directory as `/log`.
pub struct Written {
    pub name: &'static str,
    pub grace: u32,
    pub policy: &'static str,
    pub init: Vec<String>,
    pub containers: Vec<String>,
}

impl Written {
    pub fn manifest(&self, node: &Node) -> String {
        let list = |field: &str, all: &[String]| match all {
            [] => String::new(),
            all => format!("  {field}:\n{}", all.concat()),
        };
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec:\n  restartPolicy: {}\n  \
             terminationGracePeriodSeconds: {}\n  volumes: [{{name: log, hostPath: {{path: {}}}}}]\n{}{}",
            self.name,
            self.policy,
            self.grace,
            node.path("").display(),
            list("initContainers", &self.init),
            list("containers", &self.containers)
        )
    }
}

/// A busybox container that runs a script; `more` is more of its fields.
pub fn busybox(name: &str, script: &str, more: &str) -> String {
    format!(
        "  - name: {name}\n    image: kl-test/busybox:1\n    command: [sh, -c, \"{script}\"]\n    \
         volumeMounts: [{{name: log, mountPath: /log}}]\n{more}"
    )
}

/// Notes the moment of its stop signal in `NAME.term`, and that it lives in `NAME.alive`.
pub fn stubborn(name: &str) -> String {
    format!(
        "trap 'cat /proc/uptime >> /log/{name}.term' TERM; while true; do cat /proc/uptime >> /log/{name}.alive; \
         sleep 0.1; done"
    )
}

/// Seconds since the boot, as containers see them too.
pub fn uptime() -> f64 {
    seconds(&fs::read_to_string("/proc/uptime").unwrap())[0]
}

pub fn seconds(text: &str) -> Vec<f64> {
    text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// The moments noted in a file, once there is one.
pub async fn noted(node: &Node, file: &str) -> Vec<f64> {
    let path: PathBuf = node.path(file);
    eventually(&format!("{file} is written"), || async {
        let moments = seconds(&fs::read_to_string(&path).ok()?);
        (!moments.is_empty()).then_some(moments)
    })
    .await
}

/// When the engine first sent a container this signal, in seconds since the boot.
pub async fn signalled(node: &Node, id: &str, signal: Signal) -> f64 {
    let sent = eventually(&format!("{id} gets {signal}"), || node.dockerd.signalled(id, signal)).await;
    // Both clocks at one moment.
    loop {
        let (before, now) = (uptime(), SystemTime::UNIX_EPOCH.elapsed().unwrap());
        if uptime() - before < 0.03 {
            return before - (now.as_secs_f64() - sent.as_secs_f64());
        }
    }
}

#[track_caller]
pub fn assert_at_least(what: &str, value: f64, least: f64) {
    assert!(value >= least, "{what}: {value:.2} s is less than {least}");
}

#[track_caller]
pub fn assert_between(what: &str, value: f64, from: f64, to: f64) {
    assert!((from..=to).contains(&value), "{what}: {value:.2} s is not between {from} and {to}");
}
