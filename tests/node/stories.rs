//! Old tutorials, as they are published: a log collector and a node exporter, built of Debian packages.

use crate::{
    node::Node,
    support::{debian, eventually, free_port, http_get},
};
use kubelet_lite::engine::Engine;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where a private engine keeps its containers, as `/var/lib/docker/containers` of a usual one.
async fn containers_directory(node: &Node, container: &str) -> PathBuf {
    let (_, inspect) = node.dockerd.request("GET", &format!("/containers/{container}/json"), None).await.unwrap();
    let log = Path::new(inspect["LogPath"].as_str().expect("a log file"));
    log.parent().and_then(Path::parent).expect("a directory").to_owned()
}

/// The pattern of many tutorials, `extensions/v1beta1` and all, with the collector that Debian has.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_collector_of_an_old_tutorial_collects_what_another_pod_says() {
    let Some(node) = Node::new().await else { return };
    let logs = node.path("logs");
    fs::create_dir_all(&logs).unwrap();
    let node = node.flag(format!("--pod-logs-dir={}", logs.join("pods").display()));
    node.start();
    let packages = debian::unpack(&["rsyslog", "libestr0", "libfastjson4"]);
    let mut files = debian::Files::default();
    packages.linked("/usr/sbin/rsyslogd", &mut files);
    let modules = format!("/usr/lib/{}-linux-gnu/rsyslog", std::env::consts::ARCH);
    packages.linked(&format!("{modules}/imfile.so"), &mut files);
    packages.linked(&format!("{modules}/lmnet.so"), &mut files);
    let run = json!({ "Entrypoint": ["/usr/sbin/rsyslogd", "-n", "-f", "/fluentd/etc/fluent.conf", "-i", "/tmp/pid"] });
    node.engine.image_load(files.image("kl-test/collector:1", &run).bytes).await.unwrap();
    node.declare(
        "talker.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: talker}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  \
         - name: talk\n    image: kl-test/busybox:1\n    \
         command: [sh, -c, 'while true; do echo a word from another pod; sleep 1; done']\n",
    );
    let talker = node.runs("talker", "talk").await;
    let containers = containers_directory(&node, &talker).await;
    node.declare(
        "fluentd.yaml",
        &format!(
            r#"
apiVersion: v1
kind: Namespace
metadata: {{name: kube-system}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: fluentd, namespace: kube-system}}
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRole
metadata: {{name: fluentd}}
rules: [{{apiGroups: [''], resources: [pods, namespaces], verbs: [get, list, watch]}}]
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRoleBinding
metadata: {{name: fluentd}}
roleRef: {{kind: ClusterRole, name: fluentd, apiGroup: rbac.authorization.k8s.io}}
subjects: [{{kind: ServiceAccount, name: fluentd, namespace: kube-system}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: fluentd-config, namespace: kube-system}}
data:
  fluent.conf: |
    module(load="imfile" mode="polling" pollingInterval="1")
    input(type="imfile" File="{0}/containers/talker-*_default_talk-*.log" Tag="container")
    action(type="omfile" file="{0}/collected")
---
apiVersion: extensions/v1beta1
kind: DaemonSet
metadata:
  name: fluentd
  namespace: kube-system
  labels: {{k8s-app: fluentd-logging, version: v1, kubernetes.io/cluster-service: 'true'}}
spec:
  template:
    metadata:
      labels: {{k8s-app: fluentd-logging, version: v1, kubernetes.io/cluster-service: 'true'}}
    spec:
      serviceAccountName: fluentd
      tolerations:
      - {{key: node-role.kubernetes.io/master, effect: NoSchedule}}
      containers:
      - name: fluentd
        image: kl-test/collector:1
        env:
        - {{name: FLUENT_ELASTICSEARCH_HOST, value: elasticsearch-logging}}
        - {{name: FLUENT_ELASTICSEARCH_PORT, value: '9200'}}
        resources:
          limits: {{memory: 200Mi}}
          requests: {{cpu: 100m, memory: 200Mi}}
        volumeMounts:
        - {{name: varlog, mountPath: {0}}}
        - {{name: varlibdockercontainers, mountPath: {1}, readOnly: true}}
        - {{name: config-volume, mountPath: /fluentd/etc}}
      terminationGracePeriodSeconds: 5
      volumes:
      - name: config-volume
        configMap: {{name: fluentd-config}}
      - name: varlog
        hostPath: {{path: {0}}}
      - name: varlibdockercontainers
        hostPath: {{path: {1}}}
"#,
            logs.display(),
            containers.display()
        ),
    );
    eventually("a line of the other pod is collected", || async {
        let collected = fs::read_to_string(logs.join("collected")).ok()?;
        collected.contains("a word from another pod").then_some(())
    })
    .await;
    for kind in ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"] {
        let skipped = format!("{kind} means nothing without a cluster and is passed over");
        assert_eq!(node.log().matches(&skipped).count(), 1, "{kind}");
    }
    node.withdraw("fluentd.yaml");
    node.withdraw("talker.yaml");
    node.nothing_left().await;
    assert!(logs.join("collected").exists(), "what a host path holds is the host's");
    let left = |name: &str| fs::read_dir(logs.join(name)).unwrap().count();
    eventually("no link is left", || async { (left("pods") + left("containers") == 0).then_some(()) }).await;
}

/// As published, but for `mountPropagation: HostToContainer`: the engine refuses that where the node's own `/sys`
/// is a private mount, as in a container.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_exporter_answers_with_the_figures_of_the_node() {
    let Some(node) = Node::running().await else { return };
    let packages = debian::unpack(&["prometheus-node-exporter"]);
    let mut files = debian::Files::default();
    packages.linked("/usr/bin/prometheus-node-exporter", &mut files);
    let run = json!({ "Entrypoint": ["/usr/bin/prometheus-node-exporter"], "User": "65534" });
    node.engine.image_load(files.image("kl-test/node-exporter:1", &run).bytes).await.unwrap();
    let port = free_port();
    node.declare(
        "node-exporter.yaml",
        &format!(
            "
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: node-exporter
  namespace: monitoring
  labels: {{app.kubernetes.io/name: node-exporter}}
spec:
  selector: {{matchLabels: {{app.kubernetes.io/name: node-exporter}}}}
  updateStrategy: {{type: RollingUpdate, rollingUpdate: {{maxUnavailable: 10%}}}}
  template:
    metadata:
      annotations: {{kubectl.kubernetes.io/default-container: node-exporter}}
      labels: {{app.kubernetes.io/name: node-exporter}}
    spec:
      automountServiceAccountToken: false
      hostNetwork: true
      hostPID: true
      nodeSelector: {{kubernetes.io/os: linux}}
      priorityClassName: system-cluster-critical
      securityContext: {{runAsNonRoot: true, runAsUser: 65534}}
      tolerations: [{{operator: Exists}}]
      containers:
      - name: node-exporter
        image: kl-test/node-exporter:1
        args:
        - --web.listen-address=127.0.0.1:{port}
        - --path.procfs=/host/proc
        - --path.sysfs=/host/sys
        - --collector.disable-defaults
        - --collector.loadavg
        - --collector.meminfo
        - --collector.uname
        resources:
          limits: {{cpu: 250m, memory: 180Mi}}
          requests: {{cpu: 102m, memory: 180Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {{add: [SYS_TIME], drop: [ALL]}}
          readOnlyRootFilesystem: true
        volumeMounts:
        - {{name: proc, mountPath: /host/proc, readOnly: true}}
        - {{name: sys, mountPath: /host/sys, readOnly: true}}
      volumes:
      - name: proc
        hostPath: {{path: /proc}}
      - name: sys
        hostPath: {{path: /sys}}
"
        ),
    );
    let metrics = eventually("the metrics page answers", || async {
        let (_, metrics) = http_get(("127.0.0.1", port), "/metrics").await?;
        metrics.contains("\nnode_load1 ").then_some(metrics)
    })
    .await;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(metrics.contains("node_memory_MemTotal_bytes") && metrics.contains(kernel.trim()), "{metrics}");
    node.withdraw("node-exporter.yaml");
    node.nothing_left().await;
    assert_eq!(http_get(("127.0.0.1", port), "/metrics").await, None);
}
