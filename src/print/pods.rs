//! Pods in a table (`printPod` of Kubernetes' internal printers).

use super::{NONE, since, tabs};
use k8s_openapi::api::core::v1::{self as api, Pod};

/// What `get pods` shows of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodRow {
    /// NAMESPACE.
    pub namespace: String,
    /// NAME.
    pub name: String,
    /// READY: `1/2`.
    pub ready: String,
    /// STATUS: the one word that says most.
    pub status: String,
    /// RESTARTS: `3 (12s ago)`.
    pub restarts: String,
    /// AGE.
    pub age: String,
    /// IP.
    pub ip: String,
    /// NODE.
    pub node: String,
    /// READINESS GATES.
    pub gates: String,
    /// LABELS.
    pub labels: String,
}

/// Which columns a table of pods has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// NAMESPACE.
    pub namespaces: bool,
    /// Those of `-o wide`.
    pub wide: bool,
    /// LABELS.
    pub labels: bool,
    /// EVENT, of a watch.
    pub events: bool,
}

/// The table of `get pods`, whole or, for a watch, row by row.
pub struct PodTable {
    columns: Columns,
    /// Whether the header is still to come.
    header: bool,
    widths: tabs::Widths,
}

impl PodTable {
    /// A table without rows so far.
    pub fn new(columns: Columns, header: bool) -> Self {
        Self { columns, header, widths: tabs::Widths::default() }
    }

    /// The next rows, each with its event, under the header if they are the first.
    pub fn rows<'p>(&mut self, pods: impl IntoIterator<Item = (&'p str, &'p Pod)>, now: jiff::Timestamp) -> String {
        let Columns { namespaces, wide, labels, events } = self.columns;
        let mut names = Vec::new();
        names.extend(events.then_some("EVENT"));
        names.extend(namespaces.then_some("NAMESPACE"));
        names.extend(["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
        if wide {
            names.extend(["IP", "NODE", "NOMINATED NODE", "READINESS GATES"]);
        }
        names.extend(labels.then_some("LABELS"));
        let rows: Vec<Vec<String>> = pods
            .into_iter()
            .map(|(event, pod)| {
                let row = PodRow::of(pod, now);
                let mut cells = Vec::new();
                cells.extend(events.then(|| event.to_owned()));
                cells.extend(namespaces.then_some(row.namespace));
                cells.extend([row.name, row.ready, row.status, row.restarts, row.age]);
                if wide {
                    cells.extend([row.ip, row.node, NONE.to_owned(), row.gates]);
                }
                cells.extend(labels.then_some(row.labels));
                cells
            })
            .collect();
        let header = std::mem::take(&mut self.header).then_some(names.as_slice());
        self.widths.table(header, &rows)
    }
}

/// The table of `get pods`.
pub fn pods(pods: &[Pod], now: jiff::Timestamp, columns: Columns, header: bool) -> String {
    PodTable::new(columns, header).rows(pods.iter().map(|pod| ("", pod)), now)
}

/// What is counted over a pod's containers.
#[derive(Default)]
struct Count {
    ready: usize,
    restarts: i32,
    last_restart: Option<jiff::Timestamp>,
}

impl Count {
    fn add_restarts(&mut self, status: &api::ContainerStatus) {
        self.restarts = self.restarts.saturating_add(status.restart_count);
        let ended = status.last_state.as_ref().and_then(|s| s.terminated.as_ref()).and_then(|t| t.finished_at.as_ref());
        self.last_restart = self.last_restart.max(ended.map(|at| at.0));
    }
}

impl PodRow {
    /// The row of a pod.
    pub fn of(pod: &Pod, now: jiff::Timestamp) -> Self {
        let (spec, status) = (pod.spec.as_ref(), pod.status.clone().unwrap_or_default());
        let sidecars: Vec<&str> = spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten())
            .filter(|c| c.restart_policy.as_deref() == Some("Always"))
            .map(|c| c.name.as_str())
            .collect();
        let total = spec.map_or(0, |spec| spec.containers.len()) + sidecars.len();
        let (word, count) = summary(pod, &status, &sidecars);
        let restarts = match count.last_restart {
            Some(last) if count.restarts > 0 => {
                format!("{} ({} ago)", count.restarts, super::age(now.duration_since(last).as_secs()))
            }
            _ => count.restarts.to_string(),
        };
        let text = |value: Option<&String>| value.filter(|v| !v.is_empty()).cloned().unwrap_or_else(|| NONE.to_owned());
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            ready: format!("{}/{total}", count.ready),
            status: word,
            restarts,
            age: since(pod.metadata.creation_timestamp.as_ref(), now),
            ip: text(status.pod_ip.as_ref()),
            node: text(spec.and_then(|spec| spec.node_name.as_ref())),
            gates: gates(spec, &status),
            labels: labels(pod),
        }
    }
}

fn is_true(status: &api::PodStatus, kind: &str) -> bool {
    status.conditions.iter().flatten().any(|c| c.type_ == kind && c.status == "True")
}

fn gates(spec: Option<&api::PodSpec>, status: &api::PodStatus) -> String {
    let gates: Vec<_> = spec.iter().flat_map(|spec| spec.readiness_gates.iter().flatten()).collect();
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let open = gates.iter().filter(|gate| is_true(status, &gate.condition_type)).count();
    format!("{open}/{}", gates.len())
}

fn labels(pod: &Pod) -> String {
    let labels: Vec<String> =
        pod.metadata.labels.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    if labels.is_empty() { NONE.to_owned() } else { labels.join(",") }
}

/// The STATUS word, and what is counted on the way to it.
fn summary(pod: &Pod, status: &api::PodStatus, sidecars: &[&str]) -> (String, Count) {
    let phase = status.phase.clone().unwrap_or_default();
    let mut word = status.reason.clone().filter(|reason| !reason.is_empty()).unwrap_or_else(|| phase.clone());
    let declared = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref()).map_or(0, Vec::len);
    let mut count = Count::default();
    let mut of_sidecars = Count::default();
    let mut initializing = false;
    for (index, container) in status.init_container_statuses.iter().flatten().enumerate() {
        let is_sidecar = sidecars.contains(&container.name.as_str());
        count.add_restarts(container);
        if is_sidecar {
            of_sidecars.add_restarts(container);
        }
        let state = container.state.clone().unwrap_or_default();
        let waits = state.waiting.as_ref().and_then(|w| w.reason.as_deref()).filter(|reason| !reason.is_empty());
        word = match (&state.terminated, waits) {
            (Some(end), _) if end.exit_code == 0 => continue,
            _ if is_sidecar && container.started == Some(true) => {
                of_sidecars.ready += usize::from(container.ready);
                continue;
            }
            (Some(end), _) => format!("Init:{}", ending(end)),
            (None, Some(reason)) if reason != "PodInitializing" => format!("Init:{reason}"),
            (None, _) => format!("Init:{index}/{declared}"),
        };
        initializing = true;
        break;
    }
    if initializing && !is_true(status, "Initialized") {
        count.ready = of_sidecars.ready;
        return (terminating(pod, &phase).unwrap_or(word), count);
    }
    // Init containers that are done are past.
    let mut count = of_sidecars;
    let mut has_running = false;
    for container in status.container_statuses.iter().flatten().rev() {
        count.add_restarts(container);
        let state = container.state.clone().unwrap_or_default();
        if let Some(reason) = state.waiting.and_then(|w| w.reason).filter(|reason| !reason.is_empty()) {
            word = reason;
        } else if let Some(end) = &state.terminated {
            word = ending(end);
        } else if container.ready && state.running.is_some() {
            has_running = true;
            count.ready += 1;
        }
    }
    if word == "Completed" && has_running {
        word = if is_true(status, "Ready") { "Running" } else { "NotReady" }.to_owned();
    }
    (terminating(pod, &phase).unwrap_or(word), count)
}

fn terminating(pod: &Pod, phase: &str) -> Option<String> {
    let ends = pod.metadata.deletion_timestamp.is_some() && !matches!(phase, "Succeeded" | "Failed");
    ends.then(|| "Terminating".to_owned())
}

/// The word for how a container ended.
fn ending(end: &api::ContainerStateTerminated) -> String {
    match (end.reason.as_deref(), end.signal) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        _ => format!("ExitCode:{}", end.exit_code),
    }
}
