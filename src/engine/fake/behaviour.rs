//! What the programs in the fake's containers do.

use crate::engine::ContainerCreateBody;
use std::{collections::BTreeMap, time::Duration};

/// What one run of a container does, from its start on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    pub(super) start: StartOutcome,
    /// Exit code and time after which it ends by itself.
    pub(super) end: Option<(i64, Duration)>,
    pub(super) oom: bool,
    /// Exit code, and time from the signal to the exit; `None` ignores the signal.
    pub(super) on_stop_signal: Option<(i64, Duration)>,
    /// What it prints at its start.
    pub(super) prints: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StartOutcome {
    Runs,
    Fails { status: u16, exit_code: i64, message: String },
}

impl Behaviour {
    /// Runs for ever; ends at once with 143 at its stop signal.
    pub fn runs() -> Self {
        Self {
            start: StartOutcome::Runs,
            end: None,
            oom: false,
            on_stop_signal: Some((143, Duration::ZERO)),
            prints: Vec::new(),
        }
    }

    /// Ends by itself with `code`, `after` its start.
    pub fn exits(code: i64, after: Duration) -> Self {
        Self { end: Some((code, after)), ..Self::runs() }
    }

    /// Is ended by the kernel for want of memory (137), `after` its start.
    pub fn out_of_memory(after: Duration) -> Self {
        Self { end: Some((137, after)), oom: true, ..Self::runs() }
    }

    /// Can not be started for want of its program: the engine answers 400 with `message`, and the
    /// container stays `created` with exit code 127.
    pub fn fails_to_start(message: &str) -> Self {
        Self::fails_to_start_with(400, 127, message)
    }

    /// Can not be started: status of the answer, exit code it keeps, text. What runc refuses, a negative
    /// `oom_score_adj` without the privilege for instance, is 500 and 128.
    pub fn fails_to_start_with(status: u16, exit_code: i64, message: &str) -> Self {
        Self { start: StartOutcome::Fails { status, exit_code, message: message.to_owned() }, ..Self::runs() }
    }

    /// Never ends at its stop signal: only SIGKILL ends it.
    #[must_use]
    pub fn ignoring_sigterm(self) -> Self {
        Self { on_stop_signal: None, ..self }
    }

    /// Prints this at its start.
    #[must_use]
    pub fn printing(self, text: &str) -> Self {
        Self { prints: text.into(), ..self }
    }

    /// Ends with `code`, `after` its stop signal.
    #[must_use]
    pub fn on_sigterm(self, code: i64, after: Duration) -> Self {
        Self { on_stop_signal: Some((code, after)), ..self }
    }
}

/// What a rule is asked about: one start of one container.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Name in the engine, as in `k8s_web_web-node1_default_…_0`.
    pub name: &'a str,
    /// Label `io.kubernetes.container.name`, `POD` for a sandbox; the engine's name where it is missing.
    pub container: &'a str,
    /// Label `io.kubernetes.pod.name`, or empty.
    pub pod: &'a str,
    /// The number after the last `_` of the name: the attempt. 0 where there is none.
    pub attempt: u32,
    /// Image reference it was made from.
    pub image: &'a str,
    /// How often this very container was started before.
    pub restarts: u32,
    /// All labels.
    pub labels: &'a BTreeMap<String, String>,
    /// What it was made from.
    pub body: &'a ContainerCreateBody,
}

/// Chooses what a container does each time it is started. Must not call the engine.
pub(super) type Rule = Box<dyn FnMut(&Launch<'_>) -> Behaviour + Send>;

/// A sandbox ends at once with 0 at SIGTERM, as the pause program does; all else [`Behaviour::runs`].
pub(super) fn default_rule(launch: &Launch<'_>) -> Behaviour {
    if launch.container == "POD" { Behaviour::runs().on_sigterm(0, Duration::ZERO) } else { Behaviour::runs() }
}

impl<'a> Launch<'a> {
    pub(super) fn new(
        name: &'a str,
        labels: &'a BTreeMap<String, String>,
        body: &'a ContainerCreateBody,
        restarts: u32,
    ) -> Self {
        let label = |key: &str| labels.get(key).map(String::as_str);
        Self {
            name,
            container: label("io.kubernetes.container.name").unwrap_or(name),
            pod: label("io.kubernetes.pod.name").unwrap_or_default(),
            attempt: name.rsplit_once('_').and_then(|(_, n)| n.parse().ok()).unwrap_or(0),
            image: body.image.as_deref().unwrap_or_default(),
            restarts,
            labels,
            body,
        }
    }
}
