//! Exact create bodies of representative pods, and tables of names, hosts and refusals.

use super::{
    testing::{IPS, STARTED, bodies, bodies_on, found, image, node, pod, pod_of, resolv_conf, sandbox_id},
    *,
};
use crate::pod::{Attempt, ContainerName, History, Pod};
use serde_json::Value;
use std::time::Duration;

/// A body without what every body of the kind has; the first snapshots show that.
fn short(mut bodies: Value) -> Value {
    let strip = |body: &mut Value| {
        if let Value::Object(body) = body {
            body.retain(|key, _| !matches!(key.as_str(), "Labels" | "Healthcheck"));
            if let Some(Value::Object(host)) = body.get_mut("HostConfig") {
                host.retain(|key, _| !matches!(key.as_str(), "LogConfig" | "RestartPolicy"));
            }
        }
    };
    strip(&mut bodies["sandbox"]);
    if let Some(containers) = bodies["containers"].as_object_mut() {
        containers.values_mut().for_each(strip);
    }
    bodies
}

fn short_of(spec: &str) -> Value {
    short(bodies(&pod(spec)))
}

#[test]
fn simplest() {
    insta::assert_json_snapshot!(bodies(&pod("containers: [{name: web, image: 'web:1'}]")));
}

#[test]
fn everyday() {
    let pod = pod_of(
        "
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: prod
  uid: 0c5b
  labels: {app: web, tier: front}
  annotations: {note: kept in the manifest}
spec:
  terminationGracePeriodSeconds: 45
  initContainers:
  - {name: setup, image: 'setup:1', args: [migrate]}
  - {name: proxy, image: 'proxy:1', restartPolicy: Always}
  containers:
  - name: web
    image: web:1
    command: [/bin/web, '--name=$(NAME)']
    args: [--listen, '0.0.0.0:80', '$(UNSET)']
    workingDir: /srv
    env:
    - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: GREETING, value: 'hello from $(NAME)'}
    ports:
    - {name: http, containerPort: 80, hostPort: 8080}
    resources: {requests: {cpu: 250m, memory: 256Mi}, limits: {cpu: 500m, memory: 512Mi}}
    lifecycle: {stopSignal: SIGQUIT}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: config, mountPath: /etc/web, readOnly: true}
  volumes:
  - {name: data, emptyDir: {}}
  - {name: config, hostPath: {path: /etc/web, type: Directory}}
",
    );
    insta::assert_json_snapshot!(bodies(&pod));
}

#[test]
fn host_namespaces() {
    insta::assert_json_snapshot!(short_of(
        "hostNetwork: true\nhostPID: true\nhostIPC: true\n\
         containers: [{name: agent, image: 'agent:1', ports: [{containerPort: 9100}]}]"
    ));
}

#[test]
fn shared_processes_and_terminal() {
    insta::assert_json_snapshot!(short_of(
        "shareProcessNamespace: true\n\
         containers: [{name: shell, image: 'shell:1', stdin: true, stdinOnce: true, tty: true}, {name: other, image: 'o:1'}]"
    ));
}

#[test]
fn ports() {
    insta::assert_json_snapshot!(
        short_of(
            "initContainers: [{name: early, image: 'e:1', ports: [{containerPort: 1, hostPort: 1}]}]\n\
         containers:\n\
         - {name: a, image: 'a:1', ports: [{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}]}\n\
         - {name: b, image: 'b:1', ports: [{containerPort: 53, hostPort: 53, protocol: UDP}, \
            {containerPort: 36412, hostPort: 36412, protocol: SCTP}, {containerPort: 9000}]}"
        )["sandbox"]
    );
}

#[test]
fn hardened() {
    insta::assert_json_snapshot!(short_of(
        "
securityContext:
  runAsUser: 1000
  runAsGroup: 2000
  runAsNonRoot: true
  fsGroup: 3000
  supplementalGroups: [4000, 5000]
  seccompProfile: {type: RuntimeDefault}
  sysctls: [{name: net/ipv4/ip_unprivileged_port_start, value: '0'}]
  seLinuxOptions: {level: 's0:c123,c456'}
containers:
- name: web
  image: web:1
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
"
    ));
}

#[test]
fn privileged() {
    insta::assert_json_snapshot!(short_of(
        "containers: [{name: root, image: 'root:1', securityContext: {privileged: true, procMount: Unmasked, \
         seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}}]"
    ));
}

#[test]
fn mounts() {
    insta::assert_json_snapshot!(
        short_of(
            "
containers:
- name: c
  image: c:1
  terminationMessagePath: /run/last-words
  env: [{name: WHO, value: me}]
  volumeMounts:
  - {name: memory, mountPath: relative/path}
  - {name: host, mountPath: /host, readOnly: true, mountPropagation: HostToContainer}
  - {name: host, mountPath: /both, mountPropagation: Bidirectional}
  - {name: host, mountPath: /deep, readOnly: true, recursiveReadOnly: IfPossible}
  - {name: host, mountPath: '/part:1', subPath: a/b, readOnly: true}
  - {name: memory, mountPath: /mine, subPathExpr: 'users/$(WHO)'}
  - {name: files, mountPath: /files, readOnly: true, recursiveReadOnly: IfPossible}
  - {name: files, mountPath: /bin, subPath: usr/bin}
  - {name: hosts, mountPath: /etc/hosts}
volumes:
- {name: memory, emptyDir: {medium: Memory}}
- {name: host, hostPath: {path: '/srv/odd:name'}}
- {name: hosts, hostPath: {path: /etc/hosts, type: File}}
- {name: files, image: {reference: 'files:1'}}
"
        )["containers"]["c"]["HostConfig"]["Mounts"]
    );
}

#[test]
fn no_extra_mounts() {
    let pod = pod(
        "containers: [{name: c, image: 'c:1', terminationMessagePath: /log/x, volumeMounts: [{name: v, mountPath: /log/x/}]}]\nvolumes: [{name: v}]",
    );
    let facts = SandboxFacts { id: &sandbox_id(), ips: &[] };
    let body =
        container_body(&pod, &pod.containers[0], &found(&facts, &image()), &History::default(), &node()).expect("body");
    let mounts = body.host_config.and_then(|h| h.mounts).expect("mounts");
    let targets: Vec<_> = mounts.iter().filter_map(|m| m.target.as_deref()).collect();
    // No address, so no hosts; a volume lies where the termination message would.
    assert_eq!(targets, ["/log/x/"]);
}

#[test]
fn dns_and_names() {
    insta::assert_json_snapshot!(
        short_of(
            "hostname: front\nsubdomain: shop\nsetHostnameAsFQDN: true\ndnsPolicy: None\n\
         dnsConfig: {nameservers: [192.0.2.1], searches: [shop.example], options: [{name: ndots, value: '2'}]}\n\
         containers: [{name: c, image: 'c:1'}]"
        )["sandbox"]
    );
}

#[test]
fn other_engines() {
    let facts = NodeFacts {
        negative_oom_score_adj: false,
        bound_logs: false,
        seccomp_default: false,
        network: "pods".into(),
        ..node()
    };
    let pod = pod("containers: [{name: c, image: 'c:1', resources: {limits: {cpu: 1, memory: 1Gi}}}]");
    insta::assert_json_snapshot!(bodies_on(&pod, &facts));
}

#[test]
fn a_restart() {
    let pod = pod("containers: [{name: c, image: 'c:1'}]");
    let facts = SandboxFacts { id: &sandbox_id(), ips: &IPS };
    let backoff = Some(Duration::from_secs(80));
    let body = container_body(
        &pod,
        &pod.containers[0],
        &found(&facts, &image()),
        &History { attempt: Attempt(4), backoff, round: 1 },
        &node(),
    )
    .expect("body");
    insta::assert_json_snapshot!(
        body.labels.map(|labels| labels.into_iter().collect::<std::collections::BTreeMap<_, _>>())
    );
    let sources: Vec<_> =
        body.host_config.and_then(|h| h.mounts).into_iter().flatten().filter_map(|m| m.source).collect();
    assert_eq!(sources[1], "/var/lib/kubelet-lite/pods/u1/containers/c/4");
}

#[test]
fn names() {
    let pod = pod_of(
        "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: prod, uid: u-1}, spec: {containers: [{name: c, image: i}]}}",
    );
    assert_eq!(sandbox_name(&pod.key, &pod.uid, Attempt(2)), "k8s_POD_web-node1_prod_u-1_2");
    assert_eq!(container_name(&pod.key, &pod.uid, &ContainerName::new("c"), Attempt(0)), "k8s_c_web-node1_prod_u-1_0");
    let odd = Pod { uid: crate::pod::PodUid::new("../?x=1"), ..pod };
    assert_eq!(sandbox_name(&odd.key, &odd.uid, Attempt(0)), "k8s_POD_web-node1_prod_..--x-1_0");
}

#[test]
fn identities_that_would_lead_astray_make_no_container() {
    let good = pod("containers: [{name: c, image: i}]");
    for uid in ["..", "a/b", "", "u 1", "x:y"] {
        let pod = Pod { uid: crate::pod::PodUid::new(uid), ..good.clone() };
        let error = sandbox_body(&pod, Attempt(0), STARTED, &resolv_conf(), &node()).expect_err(uid);
        assert!(matches!(&error, ConvertError::Name { field, .. } if field == "metadata.uid"), "{error:?}");
        let facts = SandboxFacts { id: &sandbox_id(), ips: &[] };
        let body = container_body(&pod, &pod.containers[0], &found(&facts, &image()), &History::default(), &node());
        assert!(matches!(body, Err(ConvertError::Name { .. })));
    }
}

#[test]
fn hostnames() {
    let long = "x".repeat(62);
    let spec = "spec: {containers: [{name: c, image: i}]";
    for (metadata, extra, expected) in [
        ("name: web", "", ("web-node1".to_owned(), None)),
        ("name: web", ", hostname: h", ("h".to_owned(), None)),
        ("name: web, namespace: ns", ", subdomain: s", ("web-node1".to_owned(), Some("s.ns.svc.cluster.local"))),
        ("name: web", ", hostname: h, subdomain: s", ("h".to_owned(), Some("s.default.svc.cluster.local"))),
        ("name: web", ", hostname: h, subdomain: s, hostnameOverride: o.example", ("o.example".to_owned(), None)),
        (&format!("name: {long}"), "", (long.clone(), None)),
        (&format!("name: {long}y"), "", (format!("{long}y"), None)),
    ] {
        let pod = pod_of(&format!("{{apiVersion: v1, kind: Pod, metadata: {{{metadata}}}, {spec}{extra}}}}}"));
        let (hostname, domain) = hostname(&pod, "cluster.local");
        assert_eq!((hostname, domain.as_deref()), expected, "{metadata} {extra}");
    }
    let fqdn = pod(
        "setHostnameAsFQDN: true\nsubdomain: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ncontainers: [{name: c, image: i}]",
    );
    let error = sandbox_body(&fqdn, Attempt(0), STARTED, &resolv_conf(), &node()).expect_err("too long").to_string();
    assert!(error.contains("longer than the 64 characters"), "{error}");
}

#[test]
fn hosts() {
    let own = pod(
        "hostname: web\nsubdomain: shop\nhostAliases: [{ip: 192.0.2.1, hostnames: [a, b]}, {ip: '2001:db8::1', hostnames: [c]}]\ncontainers: [{name: c, image: i}]",
    );
    let ips = ["172.17.0.5".parse().expect("ip"), "2001:db8::5".parse().expect("ip")];
    insta::assert_snapshot!(hosts_file(&own, &ips, "ignored", "cluster.local"));
    let node = pod("hostNetwork: true\ncontainers: [{name: c, image: i}]");
    insta::assert_snapshot!(hosts_file(&node, &[], "127.0.0.1 localhost\n192.0.2.7 node1", "cluster.local"));
}

#[test]
fn mounts_that_make_no_sense_are_named() {
    for (mount, message) in [
        ("name: none, mountPath: /x", "volumeMounts[0].name: the pod has no volume \"none\""),
        ("name: config, mountPath: /x", "volumeMounts[0].name: volume \"config\" is of a kind that is not built yet"),
        ("name: v, mountPath: /x, subPath: ../y", "volumeMounts[0].subPath: \"../y\" may lead out"),
        ("name: v, mountPath: /x, subPath: /y", "volumeMounts[0].subPath: \"/y\" may lead out"),
        ("name: v, mountPath: /x, subPath: a/../../y", "may lead out"),
        ("name: v, mountPath: /x, subPathExpr: '$(UP)'", "volumeMounts[0].subPathExpr: \"..\" may lead out"),
        ("name: v, mountPath: /x, subPathExpr: 'a/$(EMPTY)'", "variable \"EMPTY\" is not set or empty"),
        ("name: v, mountPath: /x, subPathExpr: '$(NONE)'", "variable \"NONE\" is not set or empty"),
        (
            "name: v, mountPath: /x, mountPropagation: Both",
            "\"Both\" is not one of None, HostToContainer, Bidirectional",
        ),
        ("name: v, mountPath: /x, readOnly: true, recursiveReadOnly: Enabled", "write IfPossible"),
        ("name: v, mountPath: /x, recursiveReadOnly: Yes!", "\"Yes!\" is not one of Disabled, IfPossible, Enabled"),
    ] {
        let pod = pod(&format!(
            "containers: [{{name: c, image: i, env: [{{name: UP, value: ..}}, {{name: EMPTY}}], volumeMounts: [{{{mount}}}]}}]\n\
             volumes: [{{name: v}}, {{name: config, nfs: {{server: s, path: /}}}}]"
        ));
        let facts = SandboxFacts { id: &sandbox_id(), ips: &IPS };
        let error = container_body(&pod, &pod.containers[0], &found(&facts, &image()), &History::default(), &node());
        let error = error.expect_err(mount).to_string();
        assert!(error.starts_with("pod default/web-node1, container c: ") && error.contains(message), "{error}");
    }
}

#[test]
fn sub_paths_name_source_and_target() {
    let pod =
        pod("containers: [{name: c, image: i, env: [{name: A, value: x/y}], volumeMounts: [{name: v, mountPath: /1}, \
         {name: v, mountPath: /2, subPathExpr: '$(A)/z'}, {name: h, mountPath: /3, subPath: s}]}]\n\
         volumes: [{name: v}, {name: h, hostPath: {path: /srv}}]");
    let facts = SandboxFacts { id: &sandbox_id(), ips: &IPS };
    let found = sub_paths(&pod, &pod.containers[0], &facts, &Default::default(), &node()).expect("sub-paths");
    let root = "/var/lib/kubelet-lite/pods/u1";
    assert_eq!(
        found,
        [
            SubPath {
                volume: "v".into(),
                root: format!("{root}/volumes/kubernetes.io~empty-dir/v").into(),
                path: "x/y/z".into(),
                shown: "x/y/z".into(),
                target: format!("{root}/volume-subpaths/v/c/1").into(),
                must_exist: false,
            },
            SubPath {
                volume: "h".into(),
                root: "/srv".into(),
                path: "s".into(),
                shown: "s".into(),
                target: format!("{root}/volume-subpaths/h/c/2").into(),
                must_exist: false,
            },
        ]
    );
}

#[test]
fn a_runtime_of_its_own() {
    let body = short_of("runtimeClassName: gvisor\ncontainers: [{name: c, image: 'c:1'}]");
    for host in [&body["sandbox"]["HostConfig"], &body["containers"]["c"]["HostConfig"]] {
        assert_eq!(host["Runtime"], "gvisor");
    }
}

#[test]
fn recursive_read_only_mounts_of_newer_engines() {
    let pod = pod("containers: [{name: c, image: 'c:1', volumeMounts: [\
         {name: v, mountPath: /a, readOnly: true, recursiveReadOnly: Enabled}, \
         {name: v, mountPath: /b, readOnly: true, recursiveReadOnly: IfPossible}, \
         {name: v, mountPath: /c, readOnly: true}]}]\nvolumes: [{name: v, hostPath: {path: /srv}}]");
    let newer = NodeFacts { engine_api: (1, 44), ..node() };
    let mounts = &short(bodies_on(&pod, &newer))["containers"]["c"]["HostConfig"]["Mounts"];
    let options: Vec<&Value> = (0..3).map(|index| &mounts[index]["BindOptions"]).collect();
    assert_eq!(
        options,
        [
            &serde_json::json!({ "ReadOnlyForceRecursive": true }),
            &Value::Null,
            &serde_json::json!({ "ReadOnlyNonRecursive": true })
        ]
    );
}

#[test]
fn resources_of_a_whole_pod() {
    let pod = pod("resources: {limits: {cpu: 2, memory: 1Gi}, requests: {cpu: 1, memory: 512Mi}}\n\
         initContainers: [{name: setup, image: 's:1'}, {name: mesh, image: 'm:1', restartPolicy: Always, resources: {requests: {cpu: 200m}}}]\n\
         containers: [{name: a, image: 'a:1', resources: {limits: {cpu: 500m}, requests: {memory: 128Mi}}}, {name: b, image: 'b:1'}]");
    let limited = NodeFacts { pod_max_pids: Some(64), ..node() };
    let containers = &short(bodies_on(&pod, &limited))["containers"];
    let figures = |name: &str| {
        let host = &containers[name]["HostConfig"];
        ["CpuShares", "CpuQuota", "Memory", "MemorySwap", "OomScoreAdj", "PidsLimit"].map(|field| host[field].as_i64())
    };
    let gi = Some(1 << 30);
    // 1 CPU is requested: 200m by the sidecar and 500m by `a`, so 300m are left for `b`; an init
    // container has what its sidecars leave. Of 512 MiB `a` takes 128, and two containers share the rest.
    assert_eq!(figures("setup"), [Some(819), Some(200_000), gi, gi, Some(969), Some(64)]);
    assert_eq!(figures("mesh"), [Some(204), Some(200_000), gi, gi, Some(977), Some(64)]);
    assert_eq!(figures("a"), [Some(512), Some(50_000), gi, gi, Some(985), Some(64)]);
    assert_eq!(figures("b"), [Some(307), Some(200_000), gi, gi, Some(977), Some(64)]);
}

#[test]
fn a_claim_is_bound_where_docker_has_no_such_option_for_volumes() {
    let pod = pod("volumes: [{name: d, persistentVolumeClaim: {claimName: c}}]\ncontainers: [{name: c, image: i, \
                   volumeMounts: [{name: d, mountPath: /s, mountPropagation: HostToContainer}, {name: d, mountPath: /r, \
                   readOnly: true, recursiveReadOnly: IfPossible}, {name: d, mountPath: /n, mountPropagation: None, \
                   recursiveReadOnly: Disabled}]}]");
    assert_eq!(claims_in_parts(&pod, &pod.containers[0], &node()).len(), 1);
    let id = sandbox_id();
    let (facts, image) = (SandboxFacts { id: &id, ips: &IPS }, image());
    let body = |claims: ClaimDirectories| {
        let disk = DiskFacts { claims, ..DiskFacts::default() };
        let found = ContainerFacts { disk: &disk, ..found(&facts, &image) };
        container_body(&pod, &pod.containers[0], &found, &History::default(), &node())
    };
    let known = ClaimDirectories::from([("d".into(), "/volumes/c".into())]);
    let mounts = body(known).expect("a body").host_config.and_then(|host| host.mounts).expect("mounts");
    assert_eq!(
        serde_json::to_value(&mounts[..3]).expect("json"),
        serde_json::json!([
            { "Target": "/s", "Source": "/volumes/c", "Type": "bind", "BindOptions": { "Propagation": "rslave" } },
            { "Target": "/r", "Source": "/volumes/c", "Type": "bind", "ReadOnly": true },
            serde_json::to_value(&mounts[2]).expect("json"),
        ])
    );
    assert_eq!(mounts[2].source.as_deref(), Some("k8s_default_c"));
    let error = body(ClaimDirectories::new()).expect_err("it lies elsewhere").to_string();
    assert!(error.contains("volumeMounts[0].mountPropagation: ") && error.contains("as a whole"), "{error}");
}

#[test]
fn claims_are_volumes_that_the_sandbox_holds_and_parts_of_them_are_bound() {
    let pod = pod(
        "securityContext: {fsGroup: 7}\nvolumes: [{name: d, persistentVolumeClaim: {claimName: c}}, {name: r, \
                   persistentVolumeClaim: {claimName: other, readOnly: true}}]\ncontainers: [{name: c, image: i, volumeMounts: \
                   [{name: d, mountPath: /whole}, {name: d, mountPath: /part, subPath: a/b}, {name: r, mountPath: /r, subPath: x}]}]",
    );
    let bodies = bodies(&pod);
    let mounts = |body: &serde_json::Value| -> Vec<String> {
        let list = body["HostConfig"]["Mounts"].as_array().cloned().unwrap_or_default();
        let line = |m: &serde_json::Value| format!("{} {} {} {}", m["Type"], m["Source"], m["Target"], m["ReadOnly"]);
        list.iter().map(|mount| line(mount).replace('"', "")).filter(|line| !line.contains("/etc/hosts")).collect()
    };
    assert_eq!(
        mounts(&bodies["sandbox"]),
        ["volume k8s_default_c /claims/d true", "volume k8s_default_other /claims/r true"]
    );
    let of_container = mounts(&bodies["containers"]["c"]);
    assert_eq!(
        of_container[..3],
        [
            "volume k8s_default_c /whole null",
            "bind /var/lib/kubelet-lite/pods/u1/volume-subpaths/d/c/1 /part null",
            "bind /var/lib/kubelet-lite/pods/u1/volume-subpaths/r/c/2 /r true",
        ]
    );
    let names = |claims: Vec<ClaimVolume>| claims.into_iter().map(|c| (c.volume, c.name)).collect::<Vec<_>>();
    let (d, r) = (("d".to_owned(), "k8s_default_c".to_owned()), ("r".to_owned(), "k8s_default_other".to_owned()));
    assert_eq!(names(claims_of_group(&pod, &node())), std::slice::from_ref(&d), "what is read-only stays as it is");
    assert_eq!(names(claims_in_parts(&pod, &pod.containers[0], &node())), [d, r]);

    let id = sandbox_id();
    let facts = SandboxFacts { id: &id, ips: &IPS };
    let found = |claims: &ClaimDirectories| {
        let disk = DiskFacts { claims: claims.clone(), ..DiskFacts::default() };
        sub_paths(&pod, &pod.containers[0], &facts, &disk, &node())
    };
    let known = ClaimDirectories::from([("d".into(), "/volumes/c".into()), ("r".into(), "/volumes/o".into())]);
    let roots: Vec<_> = found(&known).expect("sub-paths").into_iter().map(|s| (s.root, s.path)).collect();
    assert_eq!(roots, [("/volumes/c".into(), PathBuf::from("a/b")), ("/volumes/o".into(), "x".into())]);
    let error = found(&ClaimDirectories::new()).expect_err("it lies elsewhere").to_string();
    assert!(error.contains("volumeMounts[1].subPath") && error.contains("only be mounted as a whole"), "{error}");
}
