//! Tables of shares, quota, QoS and `oom_score_adj`.

use super::*;
use crate::{
    convert::{
        SandboxFacts, container_body,
        testing::{found, image, node, pod, sandbox_id},
    },
    pod::History,
};

fn host_on(pod: &Pod, index: usize, node: &NodeFacts) -> Result<HostConfig, ConvertError> {
    let facts = SandboxFacts { id: &sandbox_id(), ips: &[] };
    let body = container_body(pod, &pod.containers[index], &found(&facts, &image()), &History::default(), node)?;
    Ok(body.host_config.expect("host config"))
}

fn host(pod: &Pod, index: usize) -> HostConfig {
    host_on(pod, index, &node()).expect("body")
}

fn one(resources: &str) -> Pod {
    pod(&format!("containers: [{{name: c, image: i, resources: {resources}}}]"))
}

#[test]
fn cpu() {
    for (resources, shares, quota) in [
        ("{}", 2, None),
        ("{requests: {cpu: 0}}", 2, None),
        ("{requests: {cpu: 1m}}", 2, None),
        ("{requests: {cpu: 100m}}", 102, None),
        ("{requests: {cpu: 1500m}}", 1536, None),
        ("{requests: {cpu: '1000'}}", 262_144, None),
        ("{requests: {cpu: 1e30}}", 262_144, None),
        ("{limits: {cpu: 500m}}", 512, Some(50_000)),
        ("{limits: {cpu: 1m}}", 2, Some(1000)),
        ("{limits: {cpu: 2}, requests: {cpu: 250m}}", 256, Some(200_000)),
        ("{limits: {cpu: 2}, requests: {cpu: 0}}", 2048, Some(200_000)),
        ("{limits: {cpu: 100u}}", 2, Some(1000)),
    ] {
        let host = host(&one(resources), 0);
        assert_eq!((host.cpu_shares, host.cpu_quota), (Some(shares), quota), "{resources}");
        assert_eq!(host.cpu_period, quota.map(|_| 100_000), "{resources}");
    }
}

#[test]
fn memory_means_no_swap_and_what_is_asked_for_is_reserved() {
    const MI: i64 = 1 << 20;
    for (resources, bytes, reserved) in [
        ("{}", None, None),
        ("{requests: {memory: 1Gi}}", None, Some(1024 * MI)),
        ("{requests: {memory: 6Mi}}", None, Some(6 * MI)),
        // Below the engine's least.
        ("{requests: {memory: 6291455}}", None, None),
        ("{requests: {memory: 0}}", None, None),
        ("{limits: {memory: 0}}", None, None),
        // A limit alone is a request too.
        ("{limits: {memory: 64Mi}}", Some(64 * MI), Some(64 * MI)),
        ("{limits: {memory: 64Mi}, requests: {memory: 16Mi}}", Some(64 * MI), Some(16 * MI)),
        ("{limits: {memory: 1.5k}}", Some(1500), None),
    ] {
        let host = host(&one(resources), 0);
        assert_eq!((host.memory, host.memory_swap), (bytes, bytes), "{resources}");
        assert_eq!(host.memory_reservation, reserved, "{resources}");
    }
}

#[test]
fn a_share_of_the_pods_request_is_reserved_below_its_limit() {
    let shares = |of_pod: &str| {
        let pod = pod(&format!("resources: {of_pod}\ncontainers: [{{name: a, image: i}}, {{name: b, image: i}}]"));
        [0, 1].map(|index| (host(&pod, index).memory, host(&pod, index).memory_reservation))
    };
    let mi = |count: i64| Some(count << 20);
    assert_eq!(shares("{requests: {memory: 64Mi}}"), [(None, mi(32)); 2]);
    assert_eq!(shares("{limits: {memory: 128Mi}, requests: {memory: 64Mi}}"), [(mi(128), mi(32)); 2]);
}

#[test]
fn amounts_that_make_no_sense_are_named() {
    for (resources, message) in [
        ("{limits: {memory: lots}}", "resources.limits[memory]: \"lots\" is not a quantity"),
        ("{requests: {cpu: -1}}", "resources.requests[cpu]: it is negative"),
    ] {
        let error = host_on(&one(resources), 0, &node()).expect_err(resources).to_string();
        assert!(error.starts_with("pod default/web-node1, container c: ") && error.contains(message), "{error}");
    }
}

#[test]
fn qos_and_oom_score() {
    use QosClass::{BestEffort, Burstable, Guaranteed};
    let all = "{cpu: 1, memory: 1Gi}";
    // The node has 8 GiB: a request of 1 GiB is 125 thousandths.
    let cases: [(String, QosClass, &[i64]); 12] = [
        ("containers: [{name: a, image: i}]".into(), BestEffort, &[1000]),
        ("containers: [{name: a, image: i, resources: {requests: {cpu: 0}}}]".into(), BestEffort, &[1000]),
        (
            "containers: [{name: a, image: i, resources: {limits: {ephemeral-storage: 1Gi}}}]".into(),
            BestEffort,
            &[1000],
        ),
        (format!("containers: [{{name: a, image: i, resources: {{limits: {all}}}}}]"), Guaranteed, &[-997]),
        (
            format!(
                "containers: [{{name: a, image: i, resources: {{limits: {all}, requests: {{cpu: 1000m, memory: 1024Mi}}}}}}]"
            ),
            Guaranteed,
            &[-997],
        ),
        (
            format!(
                "containers: [{{name: a, image: i, resources: {{limits: {all}, requests: {{cpu: 1}}}}}}, {{name: b, image: i}}]"
            ),
            Burstable,
            &[875, 999],
        ),
        (
            format!("containers: [{{name: a, image: i, resources: {{limits: {all}, requests: {{memory: 512Mi}}}}}}]"),
            Burstable,
            &[938],
        ),
        ("containers: [{name: a, image: i, resources: {limits: {cpu: 1}}}]".into(), Burstable, &[999]),
        ("containers: [{name: a, image: i, resources: {requests: {memory: 1Ki}}}]".into(), Burstable, &[999]),
        ("containers: [{name: a, image: i, resources: {requests: {memory: 80Gi}}}]".into(), Burstable, &[3]),
        (
            format!(
                "initContainers: [{{name: s, image: i, restartPolicy: Always}}, {{name: once, image: i}}]\n\
                 containers: [{{name: a, image: i, resources: {{requests: {all}}}}}, \
                 {{name: b, image: i, resources: {{requests: {{memory: 2Gi}}}}}}]"
            ),
            Burstable,
            // The sidecar has the score of the smallest app, which it outlives.
            &[875, 999, 875, 750],
        ),
        ("priorityClassName: system-node-critical\ncontainers: [{name: a, image: i}]".into(), BestEffort, &[-997]),
    ];
    for (spec, class, scores) in cases {
        let pod = pod(&spec);
        assert_eq!(qos_class(&pod), class, "{spec}");
        let found: Vec<i64> = (0..scores.len()).filter_map(|index| host(&pod, index).oom_score_adj).collect();
        assert_eq!(found, scores, "{spec}");
        let refuses = NodeFacts { negative_oom_score_adj: false, ..node() };
        let found: Vec<i64> =
            (0..scores.len()).filter_map(|index| host_on(&pod, index, &refuses).expect("body").oom_score_adj).collect();
        assert_eq!(found, scores.iter().map(|score| *score.max(&0)).collect::<Vec<_>>(), "{spec}");
    }
}

#[test]
fn a_node_of_unknown_memory_gives_no_share_of_it() {
    let unknown = NodeFacts { memory_total: 0, ..node() };
    let host = host_on(&one("{requests: {memory: 1Gi}}"), 0, &unknown).expect("body");
    assert_eq!(host.oom_score_adj, Some(999));
}
