//! What results mean: counters and thresholds of one probe of one instance of a container. Pure.

use super::{Outcome, Probe};
use crate::pod::{ProbeKind, ProbeVerdict};

/// Results so far. A new instance of a container starts from the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter {
    /// The last result and how often it came in a row.
    run: Option<(ProbeVerdict, u32)>,
    verdict: Option<ProbeVerdict>,
    /// Ran before this daemon did, and has not passed since.
    adopted: bool,
}

/// What to do after a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask again when the time has come.
    Ask,
    /// Nothing more to ask this instance: a startup probe that passed is over, and after a failure of
    /// liveness or startup the container is to be replaced.
    Done,
}

impl Counter {
    /// The counter of a container that was found running. It may have had its verdict from a daemon
    /// before, so its first success needs no run of them.
    pub fn adopted() -> Self {
        Self { adopted: true, ..Self::default() }
    }

    /// The threshold that was reached last.
    pub fn verdict(&self) -> Option<ProbeVerdict> {
        self.verdict
    }

    /// Counts a result. The verdict is given when it is new.
    pub fn record(&mut self, probe: &Probe, outcome: &Outcome) -> (Option<ProbeVerdict>, Next) {
        let result = match outcome {
            Outcome::Success(_) | Outcome::Warning(_) => ProbeVerdict::Success,
            Outcome::Failure(_) => ProbeVerdict::Failure,
            // Says nothing about the container.
            Outcome::Error(_) => return (None, Next::Ask),
        };
        let run = match self.run {
            Some((last, run)) if last == result => run.saturating_add(1),
            _ => 1,
        };
        self.run = Some((result, run));
        let threshold = match result {
            ProbeVerdict::Success if std::mem::take(&mut self.adopted) => 1,
            ProbeVerdict::Success => probe.success_threshold,
            ProbeVerdict::Failure => probe.failure_threshold,
        };
        if run < threshold {
            return (None, Next::Ask);
        }
        let new = (self.verdict != Some(result)).then_some(result);
        self.verdict = Some(result);
        let next = match (probe.kind, result) {
            (ProbeKind::Startup, _) | (ProbeKind::Liveness, ProbeVerdict::Failure) => Next::Done,
            (ProbeKind::Liveness | ProbeKind::Readiness, _) => Next::Ask,
        };
        (new, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::InvalidHandler;
    use std::time::Duration;

    fn probe(kind: ProbeKind, success: u32, failure: u32) -> Probe {
        Probe {
            kind,
            handler: Err(InvalidHandler::Unsupported("not asked here")),
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            success_threshold: success,
            failure_threshold: failure,
            grace: None,
        }
    }

    /// Results as letters (success, warning, failure, error) and after each what came of it: a new
    /// verdict (S, F) or none (.), with `!` when that was the last word.
    fn play(mut counter: Counter, probe: &Probe, results: &str) -> String {
        let mut came = String::new();
        for letter in results.chars() {
            let text = String::new();
            let outcome = match letter {
                's' => Outcome::Success(text),
                'w' => Outcome::Warning(text),
                'f' => Outcome::Failure(text),
                _ => Outcome::Error(text),
            };
            let (verdict, next) = counter.record(probe, &outcome);
            came.push(match verdict {
                Some(ProbeVerdict::Success) => 'S',
                Some(ProbeVerdict::Failure) => 'F',
                None => '.',
            });
            if next == Next::Done {
                came.push('!');
                break;
            }
        }
        came
    }

    #[test]
    fn thresholds() {
        use ProbeKind::{Liveness, Readiness, Startup};
        for (kind, success, failure, results, came) in [
            // Readiness goes to and fro for ever.
            (Readiness, 1, 3, "s", "S"),
            (Readiness, 1, 3, "ss", "S."),
            (Readiness, 1, 3, "fff", "..F"),
            (Readiness, 1, 3, "sfffs", "S..FS"),
            (Readiness, 1, 3, "ffsfff", "..S..F"),
            (Readiness, 3, 1, "sss", "..S"),
            (Readiness, 3, 1, "ssfsss", "..F..S"),
            (Readiness, 2, 2, "sfsfsfss", ".......S"),
            (Readiness, 1, 1, "sfsf", "SFSF"),
            // A failure in between breaks a run of successes, and the other way round.
            (Readiness, 3, 3, "ssfsss", ".....S"),
            (Readiness, 1, 2, "sffsff", "S.FS.F"),
            // A warning passes.
            (Readiness, 2, 3, "sw", ".S"),
            // An error neither counts nor breaks a run.
            (Readiness, 1, 3, "eeee", "...."),
            (Readiness, 1, 3, "fefef", "....F"),
            (Readiness, 2, 3, "ses", "..S"),
            // Liveness is held after its failure: the container is to be replaced.
            (Liveness, 1, 3, "fff", "..F!"),
            (Liveness, 1, 3, "sffsfff", "S.....F!"),
            (Liveness, 1, 1, "f", "F!"),
            (Liveness, 1, 3, "ssss", "S..."),
            // Startup is held after either.
            (Startup, 1, 3, "ffs", "..S!"),
            (Startup, 1, 3, "fff", "..F!"),
            (Startup, 1, 3, "feff", "...F!"),
            (Startup, 1, 30, "s", "S!"),
        ] {
            let case = format!("{kind} {success} {failure} {results}");
            assert_eq!(play(Counter::default(), &probe(kind, success, failure), results), came, "{case}");
        }
    }

    #[test]
    fn the_first_success_of_an_adopted_container_is_enough() {
        use ProbeKind::{Liveness, Readiness, Startup};
        for (kind, success, failure, results, came) in [
            (Readiness, 3, 1, "s", "S"),
            (Readiness, 3, 1, "sfss", "SF.."),
            (Readiness, 3, 1, "sfsss", "SF..S"),
            (Readiness, 3, 3, "ffs", "..S"),
            (Readiness, 3, 3, "fff", "..F"),
            (Liveness, 1, 3, "fff", "..F!"),
            (Startup, 1, 3, "s", "S!"),
        ] {
            let case = format!("{kind} {success} {failure} {results}");
            assert_eq!(play(Counter::adopted(), &probe(kind, success, failure), results), came, "{case}");
        }
    }
}
