//! `status.phase` (`getPhase` of the kubelet).

use super::{
    PodPicture,
    containers::{self, Reading, Shown, exit_code},
};
use crate::pod::ContainerKind;

/// `status.message` of a pod that was not done when `activeDeadlineSeconds` had passed.
pub const DEADLINE_EXCEEDED: &str = "Pod was active on the node longer than the specified deadline";

/// `status.message` of a pod that was ended since the node shuts down.
pub const NODE_SHUTDOWN: &str = "Pod was terminated in response to imminent node shutdown.";

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Something has not started yet.
    Pending,
    /// Everything has started; it may be crash-looping.
    Running,
    /// All containers are done with exit code 0.
    Succeeded,
    /// All containers are done, and not all with exit code 0.
    Failed,
}

impl Phase {
    /// Kubernetes' spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

#[derive(Default)]
struct Count {
    /// Init containers that have not ended.
    pending_init: usize,
    /// Sidecars that have not started.
    pending_sidecars: usize,
    failed_init: usize,
    unknown: usize,
    running: usize,
    waiting: usize,
    stopped: usize,
    succeeded: usize,
}

/// The phase of what is read from `picture`. Whether what has ended runs again was decided by the plan.
pub(super) fn phase(picture: &PodPicture, readings: &[Reading<'_>]) -> Phase {
    let mut count = Count::default();
    for reading in readings {
        count.add(reading);
    }
    let apps_have_started = containers::apps_have_started_here(picture);
    if picture.verdict().is_some() {
        return Phase::Failed;
    }
    // What is let go may still run: sidecars behind the apps, say.
    if picture.finished && count.running > 0 {
        return Phase::Running;
    }
    if picture.finished {
        let failed = count.failed_init > 0 || count.stopped > count.succeeded;
        return if failed { Phase::Failed } else { Phase::Succeeded };
    }
    let sidecars_come_first = count.pending_sidecars > 0 && !apps_have_started;
    if count.pending_init > 0 || sidecars_come_first || count.waiting > 0 {
        return Phase::Pending;
    }
    match (count.running, count.stopped, count.unknown) {
        (1.., _, 0) => Phase::Running,
        // It is to run again.
        (0, 1.., 0) => Phase::Running,
        _ => Phase::Pending,
    }
}

impl Count {
    fn add(&mut self, reading: &Reading<'_>) {
        match reading.kind {
            ContainerKind::Init => self.add_init(reading),
            ContainerKind::Sidecar => self.add_sidecar(reading),
            ContainerKind::App => self.add_app(reading),
        }
    }

    fn add_init(&mut self, reading: &Reading<'_>) {
        let ended = match &reading.shown {
            Shown::Terminated(instance) => Some(*instance),
            Shown::Completed => return,
            Shown::Lost(_) => {
                self.failed_init += 1;
                return;
            }
            Shown::Waiting { .. } => reading.last,
            Shown::Running(_) => None,
        };
        match ended.and_then(exit_code) {
            Some(0) if matches!(reading.shown, Shown::Terminated(_)) => {}
            Some(0) | None => self.pending_init += 1,
            Some(_) => self.failed_init += 1,
        }
    }

    fn add_sidecar(&mut self, reading: &Reading<'_>) {
        match reading.shown {
            Shown::Running(_) => {
                self.running += 1;
                self.pending_sidecars += usize::from(!reading.started);
            }
            Shown::Waiting { .. } if reading.last.is_none() => {
                self.pending_sidecars += 1;
                self.waiting += 1;
            }
            Shown::Lost(_) => self.unknown += 1,
            Shown::Waiting { .. } | Shown::Terminated(_) | Shown::Completed => {}
        }
    }

    fn add_app(&mut self, reading: &Reading<'_>) {
        match &reading.shown {
            Shown::Running(_) => self.running += 1,
            Shown::Waiting { .. } if reading.last.is_none() => self.waiting += 1,
            Shown::Waiting { .. } | Shown::Lost(_) => self.stopped += 1,
            Shown::Terminated(instance) => {
                self.stopped += 1;
                self.succeeded += usize::from(exit_code(instance) == Some(0));
            }
            Shown::Completed => {}
        }
    }
}
