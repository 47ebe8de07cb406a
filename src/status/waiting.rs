//! `state.waiting`: why a container that should run does not, in the kubelet's words.

use crate::{
    plan::{Failure, LastResults, Target, WaitingReason},
    pod::{Container, Pod},
};
use std::time::Duration;

/// `ContainerStateWaiting`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// As in `CrashLoopBackOff`. `None`: on its way, for which the word depends on the pod.
    pub reason: Option<&'static str>,
    /// The whole story; may be empty.
    pub message: String,
}

/// What is shown of a container that waits. `results` are the failures since the last success: while a
/// failed action is under way again, its failure still is what is known of it.
pub fn waiting(pod: &Pod, container: &Container, reason: &WaitingReason, results: &LastResults) -> Waiting {
    match reason {
        WaitingReason::ContainerCreating | WaitingReason::PodInitializing => {
            match failure(pod, container, results, None) {
                Some((target, failure)) => failed(container, failure.reason, false, Some((target, failure))),
                None => Waiting { reason: None, message: String::new() },
            }
        }
        WaitingReason::CrashLoopBackOff { delay, .. } => Waiting {
            reason: Some("CrashLoopBackOff"),
            message: format!(
                "back-off {} restarting failed container={} pod={}_{}({})",
                go_duration(*delay),
                container.name,
                pod.key.name,
                pod.key.namespace,
                pod.uid
            ),
        },
        WaitingReason::Missing { reason, message } if is_of_the_container(reason) => {
            Waiting { reason: Some(reason), message: message.clone() }
        }
        WaitingReason::Missing { reason, message } => Waiting { reason: None, message: format!("{reason}: {message}") },
        // The kubelet refuses such a pod for good; here it waits, and says so in its containers.
        WaitingReason::NodeMismatch(mismatch) => {
            Waiting { reason: Some(mismatch.reason), message: mismatch.message.clone() }
        }
        WaitingReason::StartAfter(others) => {
            let names: Vec<String> = others.iter().map(ToString::to_string).collect();
            let message =
                format!("starts when {} {} ready", names.join(", "), if names.len() == 1 { "is" } else { "are" });
            Waiting { reason: Some("StartAfter"), message }
        }
        // With a reason it is told of a pod that goes on as it was, too.
        WaitingReason::SameUid(same) => {
            Waiting { reason: same.is_mutual.then_some("SameUid"), message: same.to_string() }
        }
        WaitingReason::Failed { reason, .. } => {
            failed(container, reason, true, failure(pod, container, results, Some(reason)))
        }
    }
}

/// The failure that a container waits for: one of its images', its own, its sandbox's.
fn failure<'a>(
    pod: &Pod,
    container: &Container,
    results: &'a LastResults,
    reason: Option<&str>,
) -> Option<(&'a Target, &'a Failure)> {
    let own = [Target::Container(pod.uid.clone(), container.name.clone()), Target::Sandbox(pod.uid.clone())];
    let targets = container.images().map(|(image, _)| Target::Image(image.clone())).chain(own);
    let mut known = targets.filter_map(|target| results.get_key_value(&target));
    known.find(|(_, failure)| reason.is_none_or(|reason| failure.reason == reason))
}

fn failed(
    container: &Container,
    reason: &'static str,
    backing_off: bool,
    failure: Option<(&Target, &Failure)>,
) -> Waiting {
    let message = failure.map(|(_, f)| f.message.as_str()).unwrap_or_default();
    match reason {
        "ErrImagePull" if backing_off => {
            let image = match failure {
                Some((Target::Image(image), _)) => image,
                _ => &container.image,
            };
            let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {message}");
            Waiting { reason: Some("ImagePullBackOff"), message }
        }
        reason if is_of_the_container(reason) => Waiting { reason: Some(reason), message: message.to_owned() },
        // The kubelet shows what fails for the pod as a whole in its events only.
        reason => Waiting { reason: None, message: format!("{reason}: {message}") },
    }
}

/// Whether a failure's word is one of those for a container's `state.waiting`.
fn is_of_the_container(reason: &str) -> bool {
    !matches!(reason, "FailedCreatePodSandBox" | "FailedMount" | "KillPodSandboxError" | "KillContainerError")
}

/// A duration as Go prints it: `10s`, `1m20s`, `5m0s`.
pub(super) fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}
