//! Tables of variables.

use super::*;
use crate::convert::testing::{IPS, node, pod, pod_of, sandbox_id};

fn environment_on(pod: &Pod, node: &NodeFacts) -> Result<Vec<String>, ConvertError> {
    let file = |path: &str, read| (("v".to_owned(), path.to_owned()), read);
    let env_files = EnvFiles::from([
        file("good", Ok(Some("K='of a file'\n".to_owned()))),
        file("bad", Ok(Some("hunter2\n".to_owned()))),
        file("unreadable", Err("it is not a regular file".to_owned())),
        file("none", Ok(None)),
    ]);
    let id = sandbox_id();
    let sandbox = SandboxFacts { id: &id, ips: if pod.host_network { &[] } else { &IPS } };
    let subject = Subject { pod: pod.key.clone(), container: None };
    let scope =
        Scope { pod, container: &pod.containers[0], sandbox: &sandbox, env_files: &env_files, node, subject: &subject };
    environment(&scope).map(Environment::into_list)
}

fn of(env: &str) -> Result<Vec<String>, ConvertError> {
    let resources = "resources: {limits: {cpu: 250m, memory: 1Gi}, requests: {cpu: 100m}}";
    let pod = pod(&format!("containers: [{{name: c, image: i, env: [{env}], {resources}}}, {{name: d, image: i}}]"));
    environment_on(&pod, &node())
}

#[test]
fn order_and_references() {
    for (env, expected) in [
        ("{name: A}", vec!["A="]),
        ("{name: A, value: ''}", vec!["A="]),
        ("{name: B, value: '$(A)'}, {name: A, value: a}", vec!["B=$(A)", "A=a"]),
        ("{name: A, value: a}, {name: B, value: 'x$(A)y'}, {name: C, value: '$$(A)'}", vec!["A=a", "B=xay", "C=$(A)"]),
        ("{name: A, value: '1'}, {name: B, value: '$(A)'}, {name: A, value: '2'}", vec!["A=2", "B=1"]),
        ("{name: A, value: '$(A)'}", vec!["A=$(A)"]),
        (
            "{name: A, valueFrom: {fileKeyRef: {key: K, path: good, volumeName: v}}}, {name: B, value: '$(A)!'}, \
             {name: C, valueFrom: {fileKeyRef: {key: K, path: none, volumeName: v, optional: true}}}",
            vec!["A=of a file", "B=of a file!"],
        ),
        ("{name: A, value: 'a=b c'}, {name: 'odd name-1', value: x}", vec!["A=a=b c", "odd name-1=x"]),
        ("{name: PATH, value: '/x:$(PATH)'}", vec!["PATH=/x:$(PATH)"]),
    ] {
        assert_eq!(of(env).expect(env), expected, "{env}");
    }
}

#[test]
fn fields() {
    let yaml = "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: prod, uid: u1, \
        labels: {app: web, 'a/b': \"it's\"}, annotations: {note: n}}, \
        spec: {serviceAccountName: sa, containers: [{name: c, image: i, env: [{name: V, valueFrom: {fieldRef: {fieldPath: FIELD}}}]}]}}";
    let value = |path: &str, yaml: &str| {
        let quoted = serde_json::Value::from(path).to_string();
        environment_on(&pod_of(&yaml.replace("FIELD", &quoted)), &node())
    };
    let hash = pod_of(yaml).config_hash;
    for (path, expected) in [
        ("metadata.name", "web-node1"),
        ("metadata.namespace", "prod"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['a/b']", "it's"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['note']", "n"),
        ("metadata.annotations['kubernetes.io/config.source']", "file"),
        ("spec.nodeName", "node1"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "192.0.2.7"),
        ("status.hostIPs", "192.0.2.7"),
        ("status.podIP", "172.17.0.5"),
        ("status.podIPs", "172.17.0.5"),
    ] {
        assert_eq!(value(path, yaml), Ok(vec![format!("V={expected}")]), "{path}");
    }
    assert_eq!(hash.len(), 32);
    for path in ["metadata.labels", "metadata.labels[app]", "metadata.labels['app'", "status.phase", "", "spec"] {
        let error = value(path, yaml).expect_err(path).to_string();
        assert!(error.contains("env[V].valueFrom.fieldRef.fieldPath: ") && error.contains("metadata.name"), "{error}");
    }
    let host_network = yaml.replace("spec: {", "spec: {hostNetwork: true, ");
    assert_eq!(value("status.podIP", &host_network), Ok(vec!["V=192.0.2.7".to_owned()]));
    let unknown = NodeFacts { node_ips: Vec::new(), ..node() };
    let error = environment_on(&pod_of(&yaml.replace("FIELD", "status.hostIP")), &unknown).expect_err("unknown");
    assert!(
        error.to_string().ends_with("the node's address is not known yet; give it a route, or --node-ip"),
        "{error}"
    );
    let dual = NodeFacts {
        node_ips: ["192.0.2.7", "2001:db8::7"].map(|ip| ip.parse().expect("an address")).to_vec(),
        ..node()
    };
    for (path, yaml, expected) in [
        ("status.hostIP", yaml, "192.0.2.7"),
        ("status.hostIPs", yaml, "192.0.2.7,2001:db8::7"),
        ("status.podIPs", host_network.as_str(), "192.0.2.7,2001:db8::7"),
    ] {
        let found = environment_on(&pod_of(&yaml.replace("FIELD", path)), &dual);
        assert_eq!(found, Ok(vec![format!("V={expected}")]), "{path}");
    }
}

#[test]
fn resources() {
    for (reference, expected) in [
        ("resource: limits.cpu", "1"),
        ("resource: limits.cpu, divisor: 1m", "250"),
        ("resource: limits.cpu, divisor: 0", "1"),
        ("resource: requests.cpu, divisor: 1m", "100"),
        ("resource: limits.memory", "1073741824"),
        ("resource: limits.memory, divisor: 1Mi", "1024"),
        ("resource: limits.memory, divisor: 1G", "2"),
        // Copied from the limit by the API's defaults.
        ("resource: requests.memory, divisor: 1Gi", "1"),
        ("resource: requests.ephemeral-storage", "0"),
        ("resource: limits.hugepages-2Mi", "0"),
        ("resource: limits.cpu, containerName: c, divisor: 1m", "250"),
        // What is not limited may have the whole node.
        ("resource: limits.cpu, containerName: d", "4"),
        ("resource: limits.memory, containerName: d, divisor: 1Gi", "8"),
        ("resource: limits.ephemeral-storage, divisor: 1Gi", "100"),
        ("resource: requests.cpu, containerName: d", "0"),
    ] {
        let env = format!("{{name: V, valueFrom: {{resourceFieldRef: {{{reference}}}}}}}");
        assert_eq!(of(&env).expect(reference), [format!("V={expected}")], "{reference}");
    }
    for (reference, message) in [
        ("resource: limits.disk", "resource \"limits.disk\" is not known"),
        ("resource: cpu", "resource \"cpu\" is not known"),
        ("resource: limits.cpu, containerName: x", "the pod has no container \"x\""),
        ("resource: limits.cpu, divisor: one", "\"one\" is not a quantity"),
    ] {
        let env = format!("{{name: V, valueFrom: {{resourceFieldRef: {{{reference}}}}}}}");
        let error = of(&env).expect_err(reference).to_string();
        assert!(error.contains("env[V].valueFrom.resourceFieldRef: ") && error.contains(message), "{error}");
    }
}

#[test]
fn a_disk_that_nobody_knows_is_no_amount() {
    let yaml = "containers: [{name: c, image: i, env: [{name: V, valueFrom: {resourceFieldRef: {resource: limits.ephemeral-storage}}}]}]";
    let unknown = NodeFacts { ephemeral_storage: None, ..node() };
    let error = environment_on(&pod(yaml), &unknown).expect_err("nobody knows").to_string();
    assert!(error.contains("env[V].valueFrom.resourceFieldRef: ") && error.contains("set one"), "{error}");
}

#[test]
fn what_can_not_be_had_is_refused_by_name() {
    for (env, field) in [
        (
            "{name: A, valueFrom: {fileKeyRef: {key: K, path: none, volumeName: v}}}",
            "env[A].valueFrom.fileKeyRef: volume v has no file \"none\"",
        ),
        (
            "{name: A, valueFrom: {fileKeyRef: {key: k, path: good, volumeName: v}}}",
            "key \"k\" not found in file \"good\"",
        ),
        (
            "{name: A, valueFrom: {fileKeyRef: {key: K, path: bad, volumeName: v, optional: true}}}",
            "couldn't parse env file \"bad\": line 1: a '=' is missing",
        ),
        (
            "{name: A, valueFrom: {fileKeyRef: {key: K, path: unreadable, volumeName: v, optional: true}}}",
            "can not be read: it is not a regular file",
        ),
        ("{name: A, valueFrom: {}}", "env[A].valueFrom: "),
        ("{name: ''}", "env[]: "),
        ("{name: 'A=B'}", "env[A=B]: "),
        ("{name: A, value: \"\\0\"}", "env[A]: "),
    ] {
        let error = of(env).expect_err(env).to_string();
        assert!(error.contains(field), "{error}");
    }
}
