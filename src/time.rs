//! The only caller of a clock.
//!
//! Decisions are made on [`Timestamp`]s, which never go backwards: the time since the daemon's
//! [`Clock`] was made. Wall-clock times (RFC 3339, from the engine) are turned into timestamps once,
//! when they are observed, so that a jump of the wall clock can neither hold a pod back for hours
//! nor restart it early. Under `tokio::time::pause` the whole daemon lives in simulated time.

use std::time::Duration;

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
        Self { made: tokio::time::Instant::now(), wall: Wall::System }
    }

    /// A clock whose wall time is `wall` now and advances with the runtime's time: for simulation.
    pub fn simulated(wall: jiff::Timestamp) -> Self {
        Self { made: tokio::time::Instant::now(), wall: Wall::Simulated(wall) }
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
        tokio::time::sleep_until(self.made + at.since(Timestamp(Self::EPOCH))).await;
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
}
