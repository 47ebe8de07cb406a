//! How important a pod is, for the orders in which pods start and end. Pure.

use k8s_openapi::api::core::v1::PodSpec;

/// From here on a pod is critical (Kubernetes' `SystemCriticalPriority`).
pub const SYSTEM_CRITICAL: i32 = 2_000_000_000;

/// `spec.priority`; where that is not written, the priority of a class that every cluster has, else 0.
///
/// Other classes are objects of an API server, so their numbers are not known here.
pub fn priority(spec: &PodSpec) -> i32 {
    let of_class = || match spec.priority_class_name.as_deref() {
        Some("system-node-critical") => SYSTEM_CRITICAL + 1000,
        Some("system-cluster-critical") => SYSTEM_CRITICAL,
        Some(_) | None => 0,
    };
    spec.priority.unwrap_or_else(of_class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_counts_more_than_the_class() {
        for (number, class, expected) in [
            (None, None, 0),
            (Some(-5), None, -5),
            (Some(7), Some("system-node-critical"), 7),
            (None, Some("system-node-critical"), 2_000_001_000),
            (None, Some("system-cluster-critical"), 2_000_000_000),
            (None, Some("ours"), 0),
        ] {
            let spec =
                PodSpec { priority: number, priority_class_name: class.map(str::to_owned), ..PodSpec::default() };
            assert_eq!(priority(&spec), expected, "{number:?} {class:?}");
        }
    }
}
