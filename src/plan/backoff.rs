//! Delays: CrashLoopBackOff from the history on the containers, and the retry of failed actions.

use super::Target;
use crate::time::Timestamp;
use std::time::Duration;

/// First delay of CrashLoopBackOff; the very first restart is immediate.
pub const CRASH_LOOP_INITIAL: Duration = Duration::from_secs(10);
/// Longest delay of CrashLoopBackOff.
pub const MAX_CONTAINER_RESTART_PERIOD: Duration = Duration::from_secs(300);
/// A container that ran longer than this starts its back-off anew.
pub const CRASH_LOOP_RESET_AFTER: Duration = Duration::from_secs(600);
/// First and longest delay between pulls of a missing image, and between tries to make a volume of one.
pub const IMAGE_PULL: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));
/// First and longest delay between tries of any other failed action.
pub const ACTION: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// The delay before the attempt after one that was made after `waited` and ran for `ran_for`:
/// 0, 10, 20, 40 … `cap` seconds.
pub fn crash_loop_delay(waited: Option<Duration>, ran_for: Duration, cap: Duration) -> Duration {
    match waited {
        _ if ran_for > CRASH_LOOP_RESET_AFTER => Duration::ZERO,
        None => Duration::ZERO,
        Some(Duration::ZERO) => CRASH_LOOP_INITIAL.min(cap),
        Some(waited) => waited.saturating_mul(2).min(cap),
    }
}

/// When a container that ended at `finished_at` may start again; never later than `delay` from now.
pub fn due(now: Timestamp, finished_at: Timestamp, delay: Duration) -> Timestamp {
    (finished_at + delay).min(now + delay)
}

/// How soon a failed action is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Like a pull: a try moves a whole image.
    Pull,
    /// Like any other action.
    Action,
}

impl Pace {
    /// That of an action on this target.
    pub fn of(target: &Target) -> Self {
        match target {
            Target::Image(_) => Self::Pull,
            Target::Sandbox(_)
            | Target::Container(..)
            | Target::Instance(_)
            | Target::PostStart(_)
            | Target::PreStop(_) => Self::Action,
        }
    }
}

/// The delay after the `failures`-th failure in a row (from 1) of an action.
pub fn retry_delay(pace: Pace, failures: u32) -> Duration {
    let (first, longest) = match pace {
        Pace::Pull => IMAGE_PULL,
        Pace::Action => ACTION,
    };
    first.saturating_mul(1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::ImageRef;

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn crash_loop_series() {
        let mut waited = None;
        let mut series = Vec::new();
        for _ in 0..8 {
            let delay = crash_loop_delay(waited, seconds(1), MAX_CONTAINER_RESTART_PERIOD);
            series.push(delay.as_secs());
            waited = Some(delay);
        }
        assert_eq!(series, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn crash_loop_resets_after_ten_minutes() {
        let cap = MAX_CONTAINER_RESTART_PERIOD;
        assert_eq!(crash_loop_delay(Some(seconds(160)), seconds(600), cap), seconds(300));
        assert_eq!(crash_loop_delay(Some(seconds(160)), seconds(601), cap), seconds(0));
    }

    #[test]
    fn crash_loop_cap_below_the_first_delay() {
        assert_eq!(crash_loop_delay(Some(Duration::ZERO), seconds(1), seconds(3)), seconds(3));
    }

    #[test]
    fn retries_grow_to_their_limit_and_never_overflow() {
        let image = Pace::of(&Target::Image(ImageRef::new("web:1")));
        let delays: Vec<_> = [1, 2, 3, 5, 6, 60, u32::MAX].map(|n| retry_delay(image, n).as_secs()).into();
        assert_eq!(delays, [10, 20, 40, 160, 300, 300, 300]);
        let sandbox = Pace::of(&Target::Sandbox("u".into()));
        let delays: Vec<_> = [0, 1, 2, 4, 5, 40].map(|n| retry_delay(sandbox, n).as_secs()).into();
        assert_eq!(delays, [1, 1, 2, 8, 10, 10]);
    }
}
