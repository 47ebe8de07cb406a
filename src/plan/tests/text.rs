//! A plan as lines of text, every field of it.

use super::*;

/// All of a plan: actions in their order, then what waits, ends and wakes.
pub(super) fn plan(plan: &PodPlan) -> Vec<String> {
    // Taken apart by name, so that a new field can not be forgotten here.
    let PodPlan { actions, waiting, terminating, endings, probes, wake_at, stale, finished, deadline_exceeded, done } =
        plan;
    let mut lines: Vec<String> = actions.iter().map(action).collect();
    lines.extend(waiting.iter().map(|(name, reason)| format!("{name} waits: {}", waiting_reason(reason))));
    lines.extend(terminating.iter().map(|uid| format!("terminating {uid}")));
    lines.extend(endings.iter().filter_map(|(id, ending)| unsaid(actions, id, ending)));
    lines.extend(probes.iter().map(|(id, kind)| format!("probe {id} {kind}")));
    lines.extend(wake_at.map(|at| format!("wake {}", time(at))));
    lines.extend(stale.iter().map(|name| format!("{name} is stale")));
    lines.extend(finished.then(|| "finished".to_owned()));
    lines.extend(deadline_exceeded.then(|| "deadline exceeded".to_owned()));
    lines.extend(done.then(|| "done".to_owned()));
    lines
}

/// An end that begins, unless the action on the container says the same.
fn unsaid(actions: &[PodAction], id: &ContainerId, ending: &Ending) -> Option<String> {
    let Ending { deadline, reason, progress } = ending;
    let said = actions.iter().any(|action| {
        matches!(action, PodAction::StopContainer { id: of, grace, reason: why, .. }
            if of == id && why == reason && NOW + *grace == (*deadline).max(NOW + seconds(2)))
    });
    let progress = if *progress == EndingProgress::Over { ", over" } else { "" };
    (!said).then(|| format!("ends {id} {}, {reason:?}{progress}", time(*deadline)))
}

pub(super) fn action(action: &PodAction) -> String {
    let verb = action.verb();
    match action {
        PodAction::EnsureImage { image, policy } => format!("{verb} {image} {policy:?}"),
        PodAction::CreateSandbox { uid, attempt } => format!("{verb} {uid} #{attempt}"),
        PodAction::StartSandbox { uid, id } => format!("{verb} {uid} {id}"),
        PodAction::StopSandbox { id } => format!("{verb} {id}"),
        PodAction::RemoveSandbox { uid, id, volumes } => format!("{verb} {uid} {id}, volumes: {volumes:?}"),
        PodAction::UpdateVolumes { uid } | PodAction::RemoveVolumes { uid } => format!("{verb} {uid}"),
        PodAction::CreateContainer { uid, sandbox, name, history: History { attempt, backoff, round } } => {
            let backoff = backoff.map_or("no back-off".to_owned(), |b| format!("back-off {b:?}"));
            let round = if *round > 0 { format!(", round {round}") } else { String::new() };
            format!("{verb} {uid} {name} #{attempt} in {sandbox}, {backoff}{round}")
        }
        PodAction::StartContainer { uid, name, id } => format!("{verb} {uid} {name} {id}"),
        PodAction::StopContainer { id, name, grace, reason } => format!("{verb} {name} {id}, {grace:?}, {reason:?}"),
        PodAction::RunPostStart { id, name } | PodAction::RunPreStop { id, name } => format!("{verb} {name} {id}"),
        PodAction::RemoveContainer { id, name } => format!("{verb} {name} {id}"),
    }
}

fn waiting_reason(reason: &WaitingReason) -> String {
    match reason {
        WaitingReason::ContainerCreating | WaitingReason::PodInitializing => format!("{reason:?}"),
        WaitingReason::CrashLoopBackOff { delay, until } => {
            format!("CrashLoopBackOff {delay:?} until {}", time(*until))
        }
        WaitingReason::Missing { reason, message } => format!("{reason} {message}"),
        WaitingReason::NodeMismatch(mismatch) => mismatch.reason.to_owned(),
        WaitingReason::StartAfter(others) => {
            format!("StartAfter {}", others.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        WaitingReason::SameUid(same) => format!("SameUid {}", same.other),
        WaitingReason::Failed { reason, until } => format!("{reason} until {}", time(*until)),
    }
}

/// A time as seen from the present.
fn time(at: Timestamp) -> String {
    if at < NOW { format!("-{:?}", NOW.since(at)) } else { format!("+{:?}", at.since(NOW)) }
}
