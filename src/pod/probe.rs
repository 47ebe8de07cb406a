//! Probes as values: which there are, and what is known by them.

use super::ContainerId;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Which question a probe answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProbeKind {
    /// `startupProbe`: has it started?
    Startup,
    /// `livenessProbe`: is it alive, or must it be restarted?
    Liveness,
    /// `readinessProbe`: may it be sent work?
    Readiness,
}

impl ProbeKind {
    /// The word in the messages of event `Unhealthy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

impl fmt::Display for ProbeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the thresholds make of a probe's results so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProbeVerdict {
    /// The success threshold was reached last.
    Success,
    /// The failure threshold was reached last.
    Failure,
}

/// One probe of one instance of a container: a restarted container has none of the old verdicts.
pub type ProbeKey = (ContainerId, ProbeKind);

/// Verdicts by probe. A probe without one has not reached a threshold yet: what that means is said by
/// its kind (not started, alive, not ready).
pub type ProbeVerdicts = BTreeMap<ProbeKey, ProbeVerdict>;
