//! Termination messages: the last words of containers that ended, read when somebody asks.

use crate::{
    engine::Engine,
    pod::{Container, ContainerId, ContainerState, ContainerStatus, ExitReason},
    status::{Messages, PodPicture},
    worker::Shared,
};

/// Most bytes of a message file that are shown: its end.
pub(super) const FILE_LIMIT: usize = 4096;
/// Most lines of a log that stand for a message.
const LOG_LINES: u32 = 80;
/// Most bytes of a log that stand for a message: its end.
const LOG_LIMIT: usize = 2048;
/// Most bytes of all messages of a pod, shared equally by its containers.
const POD_LIMIT: usize = 12 * 1024;

/// The messages of all instances of a pod that are shown as ended.
pub(super) async fn read<E: Engine>(shared: &Shared<E>, picture: &PodPicture) -> Messages {
    let mut messages = Messages::new();
    let Some(pod) = &picture.pod else { return messages };
    let share = POD_LIMIT / pod.containers.len().max(1);
    for container in &pod.containers {
        let ended = picture.containers.iter().filter(|c| c.name == container.name && c.state.is_exited());
        // What is older than the last two is not shown.
        for instance in ended.take(2) {
            let said = message(shared, picture, container, instance).await;
            if let Some(message) = said.filter(|message| !message.is_empty()) {
                messages.insert(ContainerId::clone(&instance.id), tail(message, FILE_LIMIT.min(share)));
            }
        }
    }
    messages
}

async fn message<E: Engine>(
    shared: &Shared<E>,
    picture: &PodPicture,
    container: &Container,
    instance: &ContainerStatus,
) -> Option<String> {
    let (volumes, uid) = (shared.volumes.clone(), picture.uid.clone());
    let (name, attempt) = (container.name.clone(), instance.attempt);
    // Off the runtime's thread: the root directory may lie on a dead network mount.
    let file = tokio::task::spawn_blocking(move || volumes.termination_message(&uid, &name, attempt, FILE_LIMIT));
    let written = file.await.ok().flatten().unwrap_or_default();
    if !written.is_empty() || !falls_back_to_logs(container, instance) {
        return Some(written);
    }
    let logs = shared.engine.logs_tail(instance.id.as_str(), LOG_LINES, LOG_LIMIT).await.ok()?;
    Some(String::from_utf8_lossy(&logs).into_owned())
}

/// Whether the end of the log stands for a message that was not written.
pub(super) fn falls_back_to_logs(container: &Container, instance: &ContainerStatus) -> bool {
    let asked = container.api.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    let failed = match instance.state {
        ContainerState::Exited { code, reason, .. } => code != 0 && reason != ExitReason::ContainerCannotRun,
        ContainerState::Created | ContainerState::Running { .. } | ContainerState::Unknown => false,
    };
    asked && failed
}

/// The last bytes of a text, from a character on.
pub(super) fn tail(mut text: String, limit: usize) -> String {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.split_off(start)
}
