//! Whether the engine can set a negative `oom_score_adj`. One that lacks CAP_SYS_RESOURCE (a nested
//! engine) can not, and some runtimes do not even say so: the start just fails. So it is found out by
//! what starts succeed. Pure.

/// What is known of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OomSupport {
    /// No container with a negative value was started yet.
    #[default]
    Untried,
    /// It can.
    Proven,
    /// A start failed, and the value may be why: the next try is without.
    Suspected,
    /// It can not.
    Refused,
}

/// How a start ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// It runs.
    Succeeded,
    /// The runtime named `oom_score_adj` as the cause.
    RefusedValue,
    /// The runtime failed without a cause of the container's own.
    RuntimeFailed,
    /// Anything else: a missing program, a taken port.
    FailedOtherwise,
}

impl OomSupport {
    /// Whether containers are made with negative values.
    pub(super) fn negative_is_tried(self) -> bool {
        matches!(self, Self::Untried | Self::Proven)
    }

    /// What is known after a container, made with a negative value or not, was started.
    pub(super) fn after(self, negative: bool, start: Start) -> Self {
        match (self, negative, start) {
            (Self::Proven, _, _) | (_, true, Start::Succeeded) => Self::Proven,
            (_, true, Start::RefusedValue) | (Self::Suspected, false, Start::Succeeded) => Self::Refused,
            (Self::Untried, true, Start::RuntimeFailed) => Self::Suspected,
            // It failed without the value too: that was not why.
            (Self::Suspected, false, Start::RuntimeFailed) => Self::Untried,
            (known, _, _) => known,
        }
    }

    /// Whether a container whose start failed is worth making anew, without the value.
    pub(super) fn retry_without(self, negative: bool, start: Start) -> bool {
        negative
            && matches!(self, Self::Suspected | Self::Refused)
            && matches!(start, Start::RefusedValue | Start::RuntimeFailed)
    }
}

/// What a start error says.
pub(super) fn classify(error: &crate::engine::EngineError) -> Start {
    match error {
        crate::engine::EngineError::Refused { message, .. } if message.contains("oom_score_adj") => Start::RefusedValue,
        // runc up to 1.1 writes the value where it can not report an error: its parent sees only the end.
        crate::engine::EngineError::Refused { message, .. } if message.contains("final child's PID from pipe") => {
            Start::RuntimeFailed
        }
        _ => Start::FailedOtherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_judged_by_its_starts() {
        use OomSupport::{Proven, Refused, Suspected, Untried};
        use Start::{FailedOtherwise, RefusedValue, RuntimeFailed, Succeeded};
        for (before, negative, start, after, retry) in [
            (Untried, true, Succeeded, Proven, false),
            (Untried, true, RefusedValue, Refused, true),
            (Untried, true, RuntimeFailed, Suspected, true),
            (Untried, true, FailedOtherwise, Untried, false),
            (Untried, false, Succeeded, Untried, false),
            (Suspected, false, Succeeded, Refused, false),
            (Suspected, false, RuntimeFailed, Untried, false),
            (Suspected, true, RuntimeFailed, Suspected, true),
            (Refused, true, RuntimeFailed, Refused, true),
            (Refused, false, RuntimeFailed, Refused, false),
            (Proven, true, RuntimeFailed, Proven, false),
        ] {
            let found = before.after(negative, start);
            assert_eq!(found, after, "{before:?} {negative} {start:?}");
            assert_eq!(found.retry_without(negative, start), retry, "{before:?} {negative} {start:?}");
        }
    }
}
