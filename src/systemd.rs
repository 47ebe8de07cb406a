//! What systemd is told: READY, STATUS, WATCHDOG, STOPPING. Without systemd nothing happens.

use crate::worker::{EngineHealth, NodeSummary};
use sd_notify::NotifyState;
use std::time::Duration;

/// Tells the service manager, if there is one. A failure to tell is of no consequence.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

/// The first scan of the manifests is done.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A text for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The daemon is leaving.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The main loop turns, and the pod manager.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to look whether [`watchdog`] can be told, if the unit has `WatchdogSec`: a quarter of that, so that one
/// beat may be late.
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 4)
}

/// `7/8 pods ready, default/web-1-node1 CrashLoopBackOff`.
pub fn status_text(node: &NodeSummary) -> String {
    let total = node.pods.len();
    let is_ready = |p: &&crate::worker::PodSummary| p.finished || (!p.terminating && p.ready);
    let ready = node.pods.values().filter(is_ready).count();
    let mut text = format!("{ready}/{total} pods ready");
    let troubled = node.pods.iter().filter_map(|(key, pod)| Some((key, pod.waiting.as_ref()?)));
    let telling: Vec<String> = troubled
        .filter(|(_, (_, reason))| !matches!(*reason, "ContainerCreating" | "PodInitializing"))
        .map(|(key, (_, reason))| format!("{key} {reason}"))
        .collect();
    for trouble in telling.iter().take(3) {
        text.push_str(", ");
        text.push_str(trouble);
    }
    if telling.len() > 3 {
        text.push_str(&format!(" and {} more", telling.len() - 3));
    }
    match &node.engine {
        EngineHealth::Connected(_) => {}
        EngineHealth::Unknown => text.push_str("; the Docker Engine was not reached yet"),
        EngineHealth::Waiting(why) => text.push_str(&format!("; waiting for the Docker Engine: {why}")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pod::PodKey, worker::PodSummary};

    #[test]
    fn status_names_what_is_wrong() {
        let good = PodSummary { ready: true, ..PodSummary::default() };
        let bad = PodSummary { waiting: Some(("c".into(), "CrashLoopBackOff")), ..PodSummary::default() };
        let mut node = NodeSummary { engine: EngineHealth::Connected("20.10".into()), ..NodeSummary::default() };
        assert_eq!(status_text(&node), "0/0 pods ready");
        node.pods.insert(PodKey::new("default", "web-n"), good);
        node.pods.insert(PodKey::new("default", "bad-n"), bad.clone());
        assert_eq!(status_text(&node), "1/2 pods ready, default/bad-n CrashLoopBackOff");
        for name in ["b1", "b2", "b3"] {
            node.pods.insert(PodKey::new("default", name), bad.clone());
        }
        node.engine = EngineHealth::Waiting("connection refused".into());
        assert_eq!(
            status_text(&node),
            "1/5 pods ready, default/b1 CrashLoopBackOff, default/b2 CrashLoopBackOff, default/b3 CrashLoopBackOff \
             and 1 more; waiting for the Docker Engine: connection refused"
        );
    }
}
