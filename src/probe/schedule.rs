//! When a probe is asked. Pure.
//!
//! The first asking comes when the initial delay is over, counted from the container's start; the
//! next ones a period apart. Where many would fall on one instant they are spread by each probe's
//! own share of a period: liveness, for whose first answer nobody waits, begins that much later;
//! readiness and startup are asked at once and take their place from the second asking on. The time
//! between two askings is never shorter than a period, unless the first of them outlasted it.

use super::Probe;
use crate::{
    pod::{ContainerId, ProbeKind},
    time::Timestamp,
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// Probes of longer periods are not spread further than this: it is far enough apart.
pub const LONGEST_SPREAD: Duration = Duration::from_secs(10);

/// A probe's place in its period, the same whenever it is asked for: from 0 to just below 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(f64);

impl Share {
    /// The place of a probe of an instance of a container.
    pub fn of(container: &ContainerId, kind: ProbeKind) -> Self {
        let mut hasher = DefaultHasher::new();
        (container, kind).hash(&mut hasher);
        let bits = u32::try_from(hasher.finish() >> 32).unwrap_or(0);
        Self(f64::from(bits) / (f64::from(u32::MAX) + 1.0))
    }

    fn of_period(self, period: Duration) -> Duration {
        let exact = period.min(LONGEST_SPREAD).mul_f64(self.0);
        // Timers know no finer time.
        Duration::from_millis(exact.as_millis().try_into().unwrap_or(0))
    }
}

/// When the first asking is due.
pub fn first(probe: &Probe, started_at: Timestamp, now: Timestamp, share: Share) -> Timestamp {
    let may = now.max(started_at + probe.initial_delay);
    match probe.kind {
        ProbeKind::Liveness => may + share.of_period(probe.period),
        ProbeKind::Readiness | ProbeKind::Startup => may,
    }
}

/// When the second asking is due. Containers found running are asked all at once when the daemon
/// starts, so they take their places over a whole period; else a tenth is enough.
pub fn second(probe: &Probe, first: Timestamp, ended: Timestamp, adopted: bool, share: Share) -> Timestamp {
    let spread = match probe.kind {
        ProbeKind::Liveness => Duration::ZERO,
        ProbeKind::Readiness | ProbeKind::Startup if adopted => share.of_period(probe.period),
        ProbeKind::Readiness | ProbeKind::Startup => share.of_period(probe.period / 10),
    };
    next(probe, first + spread, ended)
}

/// When the asking after one that was due at `due` and ended at `ended` is due. Those missed meanwhile
/// become one, which is due at once.
pub fn next(probe: &Probe, due: Timestamp, ended: Timestamp) -> Timestamp {
    let period = probe.period.max(Duration::from_secs(1));
    let passed = ended.since(due).as_nanos() / period.as_nanos();
    due + period.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::InvalidHandler;

    const S: Duration = Duration::from_secs(1);

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_duration(Duration::from_secs_f64(seconds))
    }

    fn probe(kind: ProbeKind, delay: u64, period: u64) -> Probe {
        Probe {
            kind,
            handler: Err(InvalidHandler::Unsupported("not asked here")),
            initial_delay: Duration::from_secs(delay),
            period: Duration::from_secs(period),
            timeout: S,
            success_threshold: 1,
            failure_threshold: 3,
            grace: None,
        }
    }

    #[test]
    fn the_first_asking() {
        use ProbeKind::{Liveness, Readiness, Startup};
        for (kind, delay, period, started, now, share, due) in [
            (Readiness, 0, 10, 100.0, 100.5, 0.5, 100.5),
            (Startup, 0, 10, 100.0, 100.5, 0.5, 100.5),
            // The delay counts from the container's start, to the moment.
            (Readiness, 5, 10, 100.0, 100.5, 0.5, 105.0),
            (Readiness, 5, 10, 100.0, 130.0, 0.5, 130.0),
            (Startup, 5, 10, 100.0, 103.25, 0.9, 105.0),
            // Nobody waits for the first success of liveness.
            (Liveness, 0, 10, 100.0, 100.0, 0.5, 105.0),
            (Liveness, 5, 10, 100.0, 100.0, 0.25, 107.5),
            (Liveness, 5, 2, 100.0, 500.0, 0.5, 501.0),
            (Liveness, 0, 3600, 100.0, 100.0, 0.5, 105.0),
            // A clock that was set back: the start lies in the future for no longer than its delay.
            (Readiness, 5, 10, 100.0, 90.0, 0.0, 105.0),
        ] {
            let seen = first(&probe(kind, delay, period), at(started), at(now), Share(share));
            assert_eq!(seen, at(due), "{kind} {delay} {period} {started} {now} {share}");
        }
    }

    #[test]
    fn the_second_asking_takes_the_probes_own_place() {
        use ProbeKind::{Liveness, Readiness, Startup};
        for (kind, adopted, due, ended, second_due) in [
            (Readiness, true, 100.0, 100.1, 115.0),
            (Startup, true, 100.0, 100.1, 115.0),
            (Readiness, false, 100.0, 100.1, 110.5),
            (Startup, false, 100.0, 100.1, 110.5),
            (Liveness, true, 105.0, 105.1, 115.0),
            (Liveness, false, 105.0, 105.1, 115.0),
        ] {
            let seen = second(&probe(kind, 0, 10), at(due), at(ended), adopted, Share(0.5));
            assert_eq!(seen, at(second_due), "{kind} {adopted}");
        }
    }

    #[test]
    fn missed_askings_become_one() {
        for (period, due, ended, next_due) in [
            (10, 100.0, 100.0, 110.0),
            (10, 100.0, 109.9, 110.0),
            // Exactly at the next one, or a little later: at once, and the one after keeps its place.
            (10, 100.0, 110.0, 110.0),
            (10, 100.0, 112.0, 110.0),
            (10, 100.0, 119.9, 110.0),
            (10, 100.0, 120.0, 120.0),
            (10, 100.0, 157.0, 150.0),
            (1, 100.0, 3700.5, 3700.0),
            // Ended before it was due: no clock does that, and it does no harm.
            (10, 100.0, 50.0, 110.0),
        ] {
            assert_eq!(next(&probe(ProbeKind::Liveness, 0, period), at(due), at(ended)), at(next_due), "{due} {ended}");
        }
        let mut endless = probe(ProbeKind::Liveness, 0, 0);
        endless.period = Duration::MAX;
        assert_eq!(next(&endless, at(1.0), at(2.0)).as_duration(), Duration::MAX);
    }

    #[test]
    fn shares_are_spread_evenly_and_stay_the_same() {
        let shares: Vec<f64> =
            (0..110).map(|n| Share::of(&ContainerId::new(format!("{n:064x}")), ProbeKind::Liveness).0).collect();
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let within = shares.iter().filter(|s| (low..low + 0.1).contains(*s)).count();
            assert!((3..=25).contains(&within), "{within} of 110 in the tenth from {low}");
        }
        let id = ContainerId::new("7f");
        assert_eq!(Share::of(&id, ProbeKind::Startup), Share::of(&id, ProbeKind::Startup));
        assert_ne!(Share::of(&id, ProbeKind::Startup), Share::of(&id, ProbeKind::Liveness));
    }
}
