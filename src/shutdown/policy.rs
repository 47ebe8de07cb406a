//! Which pods end together when the node shuts down, and how long that may take. Pure.

use crate::pod::priority::SYSTEM_CRITICAL;
use std::time::Duration;

/// Pods of one range of priorities, which end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownGroup {
    /// The lowest priority of the group; it reaches up to the next group's.
    pub priority: i32,
    /// How long its pods may take; no container has more grace than that.
    pub period: Duration,
}

/// The groups, the least important first. Without groups a shutdown is left to the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownPolicy(Vec<ShutdownGroup>);

impl ShutdownPolicy {
    /// `shutdownGracePeriod` and the part of it that is kept for critical pods
    /// (`shutdownGracePeriodCriticalPods`).
    pub fn from_periods(total: Duration, critical: Duration) -> Self {
        let normal = total.saturating_sub(critical);
        Self::from_groups([
            ShutdownGroup { priority: 0, period: normal },
            ShutdownGroup { priority: SYSTEM_CRITICAL, period: critical },
        ])
    }

    /// `shutdownGracePeriodByPodPriority`, in any order. Groups without time are there all the same: their
    /// pods get the least grace, in their turn.
    pub fn from_groups(groups: impl IntoIterator<Item = ShutdownGroup>) -> Self {
        let mut groups: Vec<ShutdownGroup> = groups.into_iter().collect();
        groups.sort_by_key(|group| group.priority);
        if groups.iter().all(|group| group.period.is_zero()) {
            groups.clear();
        }
        Self(groups)
    }

    /// Whether pods are ended by us at all.
    pub fn is_enabled(&self) -> bool {
        !self.0.is_empty()
    }

    /// How long all groups may take together.
    pub fn total(&self) -> Duration {
        self.0.iter().map(|group| group.period).sum()
    }

    /// The groups, the least important first.
    pub fn groups(&self) -> &[ShutdownGroup] {
        &self.0
    }

    /// The group of a pod: the highest that is not above its priority, else the lowest.
    pub fn group_of(&self, priority: i32) -> usize {
        self.0.iter().rposition(|group| group.priority <= priority).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn group(priority: i32, seconds: u64) -> ShutdownGroup {
        ShutdownGroup { priority, period: Duration::from_secs(seconds) }
    }

    #[test]
    fn two_periods_are_two_groups() {
        let policy = ShutdownPolicy::from_periods(Duration::from_secs(30), Duration::from_secs(10));
        assert_eq!(policy.groups(), [group(0, 20), group(SYSTEM_CRITICAL, 10)]);
        assert_eq!(policy.total(), Duration::from_secs(30));
        assert!(!ShutdownPolicy::from_periods(Duration::ZERO, Duration::ZERO).is_enabled());
    }

    #[test]
    fn a_pod_belongs_to_the_highest_group_not_above_it() {
        let policy = ShutdownPolicy::from_groups([group(1000, 5), group(-10, 60), group(100, 30)]);
        for (priority, expected) in
            [(i32::MIN, 0), (-11, 0), (-10, 0), (0, 0), (99, 0), (100, 1), (999, 1), (1000, 2), (i32::MAX, 2)]
        {
            assert_eq!(policy.group_of(priority), expected, "{priority}");
        }
        assert_eq!(ShutdownPolicy::default().group_of(5), 0);
    }
}
