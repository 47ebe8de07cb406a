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

/// One of `restartPolicyRules`, whose action is `Restart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRule {
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

    /// Whether a rule asks for a restart after this exit code, whatever the policy says.
    pub fn is_ruled(&self, code: i64) -> bool {
        self.rules.iter().any(|rule| rule.matches(code))
    }
}

impl RestartRule {
    fn resolve(written: &api::ContainerRestartRule) -> Result<Self, ResolveError> {
        let unknown = |field, value: &str, expected| ResolveError::Unknown { field, value: value.to_owned(), expected };
        if written.action != "Restart" {
            return Err(unknown("restartPolicyRules.action", &written.action, "Restart"));
        }
        let codes = written.exit_codes.as_ref().ok_or(ResolveError::Missing("restartPolicyRules.exitCodes"))?;
        let operator = match codes.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            other => return Err(unknown("restartPolicyRules.exitCodes.operator", other, "In, NotIn")),
        };
        Ok(Self { operator, values: codes.values.iter().flatten().map(|code| i64::from(*code)).collect() })
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
    fn rules_match_by_exit_code() {
        let rules = |rules: &[(&str, &str, &[i32])]| resolve(ContainerKind::App, Some("Never"), rules).unwrap();
        let retryable = rules(&[("Restart", "In", &[42, 43])]);
        assert_eq!([0, 1, 42, 43, 44].map(|code| retryable.is_ruled(code)), [false, false, true, true, false]);
        let others = rules(&[("Restart", "NotIn", &[0, 2])]);
        assert_eq!([0, 1, 2, 137].map(|code| others.is_ruled(code)), [false, true, false, true]);
        let both = rules(&[("Restart", "In", &[7]), ("Restart", "In", &[8])]);
        assert_eq!([7, 8, 9].map(|code| both.is_ruled(code)), [true, true, false]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in [("Reboot", "In"), ("RestartAllContainers", "In"), ("Restart", "Above")] {
            let (action, operator) = rule;
            assert!(resolve(ContainerKind::App, Some("Never"), &[(action, operator, &[1])]).is_err(), "{rule:?}");
        }
    }
}
