//! The only caller of a clock.
//!
//! Decisions are made on [`Timestamp`]s, which never go backwards: the time since the daemon's
//! [`Clock`] was made. Wall-clock times (RFC 3339, from the engine) are turned into timestamps once,
//! when they are observed, so that a jump of the wall clock can neither hold a pod back for hours
//! nor restart it early. Under `tokio::time::pause` the whole daemon lives in simulated time.

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A point in time on the daemon's own monotonic axis. Zero is [`Clock::EPOCH`] before the clock was
/// made, so that what happened before the daemon's start has a timestamp too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(Duration);

impl Timestamp {
    /// A timestamp `since_zero` after the axis' zero; for tests and tables.
    pub const fn from_duration(since_zero: Duration) -> Self {
        Self(since_zero)
    }

    /// Time elapsed from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This timestamp moved into the past, stopping at the axis' zero.
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }

    /// The time since the axis' zero.
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "t+{:?}", self.0)
    }
}

/// Source of the present, monotonic and wall.
#[derive(Clone, Debug)]
pub struct Clock {
    made: tokio::time::Instant,
    wall: Wall,
    boot_id: Arc<str>,
}

/// A moment on the machine's own axis: it means the same to the next daemon, whatever becomes of the
/// wall clock, as long as the machine is not booted anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Uptime {
    /// The kernel's name for this boot.
    pub boot_id: Arc<str>,
    /// Milliseconds since the boot; of a moment before it, 0.
    pub milliseconds: u64,
}

#[derive(Clone, Debug)]
enum Wall {
    System,
    /// Wall time when the clock was made; it advances with the runtime's (paused) time.
    Simulated(jiff::Timestamp),
}

impl Clock {
    /// How far before its making a clock's zero lies: older events are all "long ago".
    pub const EPOCH: Duration = Duration::from_secs(30 * 24 * 3600);

    /// The machine's clock.
    pub fn system() -> Self {
        // A kernel always has one. Without it no moment of another daemon is understood.
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { made: tokio::time::Instant::now(), wall: Wall::System, boot_id: boot_id.trim().into() }
    }

    /// A clock whose wall time is `wall` now and advances with the runtime's time: for simulation.
    pub fn simulated(wall: jiff::Timestamp) -> Self {
        Self { made: tokio::time::Instant::now(), wall: Wall::Simulated(wall), boot_id: "simulated".into() }
    }

    /// Whether its wall time is simulated, so that nothing may take real time.
    pub fn is_simulated(&self) -> bool {
        matches!(self.wall, Wall::Simulated(_))
    }

    /// The present on the monotonic axis.
    pub fn now(&self) -> Timestamp {
        Timestamp(Self::EPOCH + self.made.elapsed())
    }

    /// The present as wall-clock time.
    pub fn wall(&self) -> jiff::Timestamp {
        match &self.wall {
            Wall::System => jiff::Timestamp::now(),
            Wall::Simulated(base) => *base + jiff::SignedDuration::try_from(self.made.elapsed()).unwrap_or_default(),
        }
    }

    /// The time since the machine was booted; simulated, since 1970.
    fn since_boot(&self) -> Duration {
        match &self.wall {
            // The axis of the runtime's own clock. That it can not be read is not known to happen.
            Wall::System => clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default(),
            Wall::Simulated(_) => Duration::try_from(self.wall().as_duration()).unwrap_or_default(),
        }
    }

    /// A moment for the next daemon to understand.
    pub fn uptime_of(&self, at: Timestamp) -> Uptime {
        let (now, since_boot) = (self.now(), self.since_boot());
        let then = since_boot.saturating_add(at.since(now)).saturating_sub(now.since(at));
        Uptime { boot_id: self.boot_id.clone(), milliseconds: u64::try_from(then.as_millis()).unwrap_or(u64::MAX) }
    }

    /// Where a moment that another daemon has noted lies; `None` if it was before this boot, or can not
    /// be told.
    pub fn timestamp_of_uptime(&self, noted: &Uptime) -> Option<Timestamp> {
        let is_known = noted.boot_id == self.boot_id && !self.boot_id.is_empty();
        let (now, since_boot) = (self.now(), self.since_boot());
        let then = Duration::from_millis(noted.milliseconds);
        is_known.then(|| (now + then.saturating_sub(since_boot)).before(since_boot.saturating_sub(then)))
    }

    /// Where a wall-clock moment lies on the monotonic axis. A moment in the future (the wall clock
    /// went backwards) counts as now.
    ///
    /// Exact to a millisecond as long as the wall clock is not set in between, so that the order of
    /// what the engine saw within a pod is kept.
    pub fn timestamp_of(&self, wall: jiff::Timestamp) -> Timestamp {
        let (now, wall_now) = self.both();
        let ago = Duration::try_from(wall_now.duration_since(wall)).unwrap_or_default();
        now.before(ago)
    }

    /// One moment on both axes. The thread may be held up between the two readings, so they are
    /// repeated until they lie close together.
    fn both(&self) -> (Timestamp, jiff::Timestamp) {
        const CLOSE: Duration = Duration::from_millis(1);
        const TRIES: usize = 10;
        let read = || {
            let before = self.now();
            let wall = self.wall();
            (self.now().since(before), before, wall)
        };
        let mut best = read();
        for _ in 1..TRIES {
            if best.0 < CLOSE {
                break;
            }
            let next = read();
            if next.0 < best.0 {
                best = next;
            }
        }
        (best.1, best.2)
    }

    /// Waits until `at`; at once if that is past.
    pub async fn sleep_until(&self, at: Timestamp) {
        // A grace of any length may be asked for.
        match self.made.checked_add(at.since(Timestamp(Self::EPOCH))) {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wall_times_lie_where_they_were() {
        let wall = jiff::Timestamp::UNIX_EPOCH;
        let clock = Clock::simulated(wall);
        tokio::time::advance(Duration::from_secs(60)).await;
        let at = |seconds| clock.timestamp_of(wall + jiff::SignedDuration::from_secs(seconds));
        assert_eq!(at(60), clock.now());
        assert_eq!(at(45), clock.now().before(Duration::from_secs(15)));
        assert_eq!(at(3600), clock.now(), "a moment in the future counts as now");
        assert_eq!(at(-i64::from(u32::MAX)), Timestamp::default(), "long ago is long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_daemon_understands_what_was_noted() {
        let wall = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24);
        let clock = Clock::simulated(wall);
        let deadline = clock.now() + Duration::from_secs(30);
        let noted = clock.uptime_of(deadline);
        tokio::time::advance(Duration::from_secs(10)).await;
        let next = Clock::simulated(clock.wall());
        assert_eq!(next.timestamp_of_uptime(&noted), Some(next.now() + Duration::from_secs(20)));
        tokio::time::advance(Duration::from_secs(25)).await;
        assert_eq!(next.timestamp_of_uptime(&noted), Some(next.now().before(Duration::from_secs(5))));
        let before_the_boot = Uptime { boot_id: "another".into(), ..noted };
        assert_eq!(next.timestamp_of_uptime(&before_the_boot), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_that_never_comes_is_waited_for() {
        let clock = Clock::simulated(jiff::Timestamp::UNIX_EPOCH);
        let never = clock.now() + Duration::from_secs(i64::MAX.unsigned_abs());
        assert!(tokio::time::timeout(Duration::from_secs(3600), clock.sleep_until(never)).await.is_err());
        assert!(clock.uptime_of(never).milliseconds > u64::MAX / 4);
    }

    #[tokio::test]
    async fn the_kernel_knows_its_boot() {
        let (first, second) = (Clock::system(), Clock::system());
        let noted = first.uptime_of(first.now() + Duration::from_secs(60));
        let read = second.timestamp_of_uptime(&noted).unwrap();
        let left = read.since(second.now());
        assert!(left > Duration::from_secs(30) && left <= Duration::from_millis(60_001), "{left:?}");
    }
}
