//! How far a shutdown has come: whose turn it is, and until when. Pure.

use super::ShutdownPolicy;
use crate::time::Timestamp;
use std::time::Duration;

/// A shutdown under way. Groups end one after the other; the next one's turn comes when everything of
/// those before it has ended, or their time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownProgress {
    policy: ShutdownPolicy,
    /// Whose turn it is; the number of groups when all had theirs.
    group: usize,
    since: Timestamp,
}

/// A pod, as far as a shutdown is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownPod {
    /// See [`crate::pod::priority::priority`].
    pub priority: i32,
    /// Nothing of it runs.
    pub has_ended: bool,
}

impl ShutdownProgress {
    /// The first group's turn begins now.
    pub fn begin(policy: ShutdownPolicy, now: Timestamp) -> Self {
        Self { policy, group: 0, since: now }
    }

    /// Passes the turn on as far as it goes; groups without pods take no time. True if it went on.
    pub fn advance(&mut self, now: Timestamp, pods: &[ShutdownPod]) -> bool {
        let before = self.group;
        while let Some(group) = self.policy.groups().get(self.group) {
            let is_busy = pods.iter().any(|p| !p.has_ended && self.policy.group_of(p.priority) == self.group);
            if is_busy && now < self.since + group.period {
                break;
            }
            self.group += 1;
            self.since = now;
        }
        self.group != before
    }

    /// The longest grace of a pod whose turn has come; `None` if it has not.
    pub fn grace(&self, priority: i32) -> Option<Duration> {
        let group = self.policy.group_of(priority);
        (group <= self.group).then(|| self.policy.groups().get(group).map_or(Duration::ZERO, |g| g.period))
    }

    /// When the present group's time is over.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.policy.groups().get(self.group).map(|group| self.since + group.period)
    }

    /// All groups had their turn.
    pub fn is_over(&self) -> bool {
        self.group >= self.policy.groups().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::ShutdownGroup;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_duration(Duration::from_secs(seconds))
    }

    fn progress() -> ShutdownProgress {
        let groups = [(0, 20), (100, 5), (1000, 10)]
            .map(|(priority, seconds)| ShutdownGroup { priority, period: Duration::from_secs(seconds) });
        ShutdownProgress::begin(ShutdownPolicy::from_groups(groups), at(50))
    }

    fn pods(states: &[(i32, bool)]) -> Vec<ShutdownPod> {
        states.iter().map(|&(priority, has_ended)| ShutdownPod { priority, has_ended }).collect()
    }

    #[test]
    fn a_group_waits_for_those_before_it() {
        let mut progress = progress();
        assert!(!progress.advance(at(50), &pods(&[(0, false), (7, false), (1000, false)])));
        assert_eq!(progress.grace(7), Some(Duration::from_secs(20)));
        assert_eq!(progress.grace(1000), None);
        assert_eq!(progress.deadline(), Some(at(70)));
        assert!(!progress.advance(at(60), &pods(&[(0, true), (7, false), (1000, false)])));
        // The group in between is empty.
        assert!(progress.advance(at(61), &pods(&[(0, true), (7, true), (1000, false)])));
        assert_eq!(progress.grace(1000), Some(Duration::from_secs(10)));
        assert_eq!(progress.grace(100), Some(Duration::from_secs(5)));
        assert_eq!(progress.deadline(), Some(at(71)));
        assert!(!progress.is_over());
        assert!(progress.advance(at(62), &pods(&[(0, true), (7, true), (1000, true)])));
        assert!(progress.is_over());
        assert_eq!(progress.deadline(), None);
    }

    #[test]
    fn what_does_not_end_holds_nobody_up_for_longer_than_its_period() {
        let mut progress = progress();
        let states = pods(&[(0, false), (1000, false)]);
        assert!(!progress.advance(at(69), &states));
        assert!(progress.advance(at(70), &states));
        assert_eq!(progress.deadline(), Some(at(80)));
        assert!(!progress.advance(at(79), &states));
        assert!(progress.advance(at(80), &states));
        assert!(progress.is_over());
    }

    #[test]
    fn a_node_without_pods_is_ready_at_once() {
        let mut progress = progress();
        assert!(progress.advance(at(50), &[]));
        assert!(progress.is_over());
        assert_eq!(progress.grace(5), Some(Duration::from_secs(20)));
    }
}
