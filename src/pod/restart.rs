//! Whether a container that has ended is started again: its own rules first, then its own policy,
//! else its pod's.

use super::{ContainerKind, spec::ResolveError};
use k8s_openapi::api::core::v1 as api;

/// `restartPolicy` of a pod or of one of its containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Restart after every exit.
    Always,
    /// Restart after a failure.
    OnFailure,
    /// Never restart.
    Never,
}

impl RestartPolicy {
    /// Reads one of the API's words; `field` is for the error.
    pub(super) fn parse(field: &'static str, word: &str) -> Result<Self, ResolveError> {
        match word {
            "Always" => Ok(Self::Always),
            "OnFailure" => Ok(Self::OnFailure),
            "Never" => Ok(Self::Never),
            other => {
                Err(ResolveError::Unknown { field, value: other.to_owned(), expected: "Always, OnFailure, Never" })
            }
        }
    }
}

/// What counts for one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The container's own policy, else its pod's; always `Always` for a sidecar.
    pub policy: RestartPolicy,
    /// `restartPolicyRules`: the first that matches an exit code wins over the policy.
    pub rules: Vec<RestartRule>,
}

/// What a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAction {
    /// The container starts again.
    Restart,
    /// All containers of its pod start over in their sandbox, init containers first.
    RestartAllContainers,
}

/// One of `restartPolicyRules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRule {
    action: RestartAction,
    /// Whether the codes are those that match, or those that do not.
    operator: Operator,
    /// Exit codes.
    values: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
}

impl Restart {
    /// What counts for `container` in a pod with this policy.
    pub(super) fn resolve(
        kind: ContainerKind,
        container: &api::Container,
        of_pod: RestartPolicy,
    ) -> Result<Self, ResolveError> {
        let own = container.restart_policy.as_deref().filter(|word| !word.is_empty());
        let policy = match (kind, own) {
            (ContainerKind::Sidecar, _) => RestartPolicy::Always,
            (ContainerKind::Init | ContainerKind::App, None) => of_pod,
            (ContainerKind::Init | ContainerKind::App, Some(word)) => RestartPolicy::parse("restartPolicy", word)?,
        };
        let rules = container.restart_policy_rules.iter().flatten().map(RestartRule::resolve);
        Ok(Self { policy, rules: rules.collect::<Result<_, _>>()? })
    }

    /// What the first rule for this exit code asks for, whatever the policy says.
    pub fn ruled(&self, code: i64) -> Option<RestartAction> {
        self.rules.iter().find(|rule| rule.matches(code)).map(|rule| rule.action)
    }
}

impl RestartRule {
    fn resolve(written: &api::ContainerRestartRule) -> Result<Self, ResolveError> {
        let unknown = |field, value: &str, expected| ResolveError::Unknown { field, value: value.to_owned(), expected };
        let action = match written.action.as_str() {
            "Restart" => RestartAction::Restart,
            "RestartAllContainers" => RestartAction::RestartAllContainers,
            other => return Err(unknown("restartPolicyRules.action", other, "Restart, RestartAllContainers")),
        };
        let codes = written.exit_codes.as_ref().ok_or(ResolveError::Missing("restartPolicyRules.exitCodes"))?;
        let operator = match codes.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            other => return Err(unknown("restartPolicyRules.exitCodes.operator", other, "In, NotIn")),
        };
        Ok(Self { action, operator, values: codes.values.iter().flatten().map(|code| i64::from(*code)).collect() })
    }

    fn matches(&self, code: i64) -> bool {
        self.values.contains(&code) == (self.operator == Operator::In)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        kind: ContainerKind,
        own: Option<&str>,
        rules: &[(&str, &str, &[i32])],
    ) -> Result<Restart, ResolveError> {
        let rules = rules.iter().map(|(action, operator, values)| api::ContainerRestartRule {
            action: (*action).to_owned(),
            exit_codes: Some(api::ContainerRestartRuleOnExitCodes {
                operator: (*operator).to_owned(),
                values: Some(values.to_vec()),
            }),
        });
        let container = api::Container {
            restart_policy: own.map(str::to_owned),
            restart_policy_rules: Some(rules.collect()),
            ..api::Container::default()
        };
        Restart::resolve(kind, &container, RestartPolicy::OnFailure)
    }

    #[test]
    fn the_containers_own_policy_wins_over_the_pods() {
        use ContainerKind::{App, Init, Sidecar};
        for (kind, own, policy) in [
            (App, None, RestartPolicy::OnFailure),
            (App, Some(""), RestartPolicy::OnFailure),
            (App, Some("Never"), RestartPolicy::Never),
            (Init, Some("Never"), RestartPolicy::Never),
            (Init, None, RestartPolicy::OnFailure),
            (Sidecar, Some("Always"), RestartPolicy::Always),
        ] {
            assert_eq!(resolve(kind, own, &[]).map(|r| r.policy), Ok(policy), "{kind:?} {own:?}");
        }
        assert!(resolve(App, Some("Sometimes"), &[]).is_err());
    }

    #[test]
    fn the_first_rule_that_matches_an_exit_code_counts() {
        const ONE: Option<RestartAction> = Some(RestartAction::Restart);
        const ALL: Option<RestartAction> = Some(RestartAction::RestartAllContainers);
        let rules = |rules: &[(&str, &str, &[i32])]| resolve(ContainerKind::App, Some("Never"), rules).unwrap();
        let retryable = rules(&[("Restart", "In", &[42, 43])]);
        assert_eq!([0, 1, 42, 43, 44].map(|code| retryable.ruled(code)), [None, None, ONE, ONE, None]);
        let others = rules(&[("Restart", "NotIn", &[0, 2])]);
        assert_eq!([0, 1, 2, 137].map(|code| others.ruled(code)), [None, ONE, None, ONE]);
        let both = rules(&[("Restart", "In", &[7]), ("RestartAllContainers", "NotIn", &[0])]);
        assert_eq!([0, 7, 8].map(|code| both.ruled(code)), [None, ONE, ALL]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in [("Reboot", "In"), ("", "In"), ("Restart", "Above")] {
            let (action, operator) = rule;
            assert!(resolve(ContainerKind::App, Some("Never"), &[(action, operator, &[1])]).is_err(), "{rule:?}");
        }
    }
}
