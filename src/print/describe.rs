//! One pod at length (`kubectl describe pod`).

use super::{NONE, events::last_seen, since, sorted, tabs};
use k8s_openapi::{
    api::core::v1::{self as api, Event, Pod},
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Time, util::intstr::IntOrString},
};
use std::collections::BTreeMap;

/// Lines in the making: an indentation, cells that end with tabs, and a rest.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, level: usize, text: &str) {
        self.0.push_str(&"  ".repeat(level));
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// `Name:  value`.
    fn field(&mut self, level: usize, name: &str, value: &str) {
        self.add(level, &format!("{name}:\t{}", plain(value)));
    }

    /// A field with one value a line.
    fn list(&mut self, level: usize, name: &str, values: &[String]) {
        match values.split_first() {
            None => self.field(level, name, NONE),
            Some((first, rest)) => {
                self.field(level, name, first);
                rest.iter().for_each(|value| self.add(level, &format!("\t{}", plain(value))));
            }
        }
    }
}

/// Text of others without what would break the layout or the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The description of a pod, with the events about it.
pub fn describe(pod: &Pod, events: &[Event], now: jiff::Timestamp) -> String {
    let mut lines = Lines::default();
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.clone().unwrap_or_default();
    head(&mut lines, pod, &spec, &status, now);
    let init_statuses = status.init_container_statuses.clone().unwrap_or_default();
    containers(&mut lines, "Init Containers", &spec.init_containers.clone().unwrap_or_default(), &init_statuses);
    containers(&mut lines, "Containers", &spec.containers, &status.container_statuses.clone().unwrap_or_default());
    conditions(&mut lines, &status);
    volumes(&mut lines, &spec);
    lines.field(0, "QoS Class", status.qos_class.as_deref().unwrap_or(NONE));
    lines.list(0, "Node-Selectors", &pairs(spec.node_selector.as_ref(), "="));
    lines.list(0, "Tolerations", &spec.tolerations.iter().flatten().map(toleration).collect::<Vec<_>>());
    told(&mut lines, events, now);
    tabs::aligned(&lines.0, tabs::DESCRIPTION)
}

fn pairs(map: Option<&BTreeMap<String, String>>, between: &str) -> Vec<String> {
    map.into_iter().flatten().map(|(key, value)| format!("{key}{between}{value}")).collect()
}

fn head(lines: &mut Lines, pod: &Pod, spec: &api::PodSpec, status: &api::PodStatus, now: jiff::Timestamp) {
    let metadata = &pod.metadata;
    lines.field(0, "Name", metadata.name.as_deref().unwrap_or_default());
    lines.field(0, "Namespace", metadata.namespace.as_deref().unwrap_or_default());
    lines.field(0, "Priority", &spec.priority.unwrap_or(0).to_string());
    if let Some(class) = &spec.priority_class_name {
        lines.field(0, "Priority Class Name", class);
    }
    let node = spec.node_name.as_deref().unwrap_or(NONE);
    let address = status.host_ip.as_ref().map(|ip| format!("/{ip}")).unwrap_or_default();
    lines.field(0, "Node", &format!("{node}{address}"));
    if let Some(start) = &status.start_time {
        lines.field(0, "Start Time", &moment(start));
    }
    lines.list(0, "Labels", &pairs(metadata.labels.as_ref(), "="));
    lines.list(0, "Annotations", &pairs(metadata.annotations.as_ref(), ": "));
    match &metadata.deletion_timestamp {
        Some(deadline) => {
            let grace = metadata.deletion_grace_period_seconds.unwrap_or(0);
            // The timestamp is that of the deadline.
            let began = Time(deadline.0.checked_sub(jiff::SignedDuration::from_secs(grace)).unwrap_or(deadline.0));
            lines.field(0, "Status", &format!("Terminating (lasts {})", since(Some(&began), now)));
            lines.field(0, "Termination Grace Period", &format!("{grace}s"));
        }
        None => lines.field(0, "Status", status.phase.as_deref().unwrap_or_default()),
    }
    for (name, text) in [("Reason", &status.reason), ("Message", &status.message)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            lines.field(0, name, text);
        }
    }
    lines.field(0, "IP", status.pod_ip.as_deref().unwrap_or_default());
    match status.pod_ips.as_deref().unwrap_or_default() {
        [] => lines.field(0, "IPs", NONE),
        ips => {
            lines.add(0, "IPs:");
            ips.iter().for_each(|ip| lines.field(1, "IP", &ip.ip));
        }
    }
    for owner in metadata.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true)) {
        lines.field(0, "Controlled By", &format!("{}/{}", owner.kind, owner.name));
    }
}

fn moment(at: &Time) -> String {
    at.0.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn containers(lines: &mut Lines, title: &str, all: &[api::Container], statuses: &[api::ContainerStatus]) {
    if all.is_empty() {
        return;
    }
    lines.add(0, &format!("{title}:"));
    for container in all {
        lines.add(1, &format!("{}:", container.name));
        let status = statuses.iter().find(|status| status.name == container.name);
        container_head(lines, container, status);
        if let Some(status) = status {
            state(lines, "State", status.state.as_ref());
            if status.last_state.is_some() {
                state(lines, "Last State", status.last_state.as_ref());
            }
            lines.field(2, "Ready", if status.ready { "True" } else { "False" });
            lines.field(2, "Restart Count", &status.restart_count.to_string());
        }
        let resources = container.resources.clone().unwrap_or_default();
        quantities(lines, "Limits", resources.limits.as_ref());
        quantities(lines, "Requests", resources.requests.as_ref());
        for (name, asked) in [
            ("Liveness", &container.liveness_probe),
            ("Readiness", &container.readiness_probe),
            ("Startup", &container.startup_probe),
        ] {
            if let Some(asked) = asked {
                lines.field(2, name, &probe(asked));
            }
        }
        environment(lines, container);
        mounts(lines, container);
    }
}

fn container_head(lines: &mut Lines, container: &api::Container, status: Option<&api::ContainerStatus>) {
    lines.field(2, "Container ID", status.and_then(|s| s.container_id.as_deref()).unwrap_or_default());
    lines.field(2, "Image", container.image.as_deref().unwrap_or_default());
    lines.field(2, "Image ID", status.map(|s| s.image_id.as_str()).unwrap_or_default());
    let ports: Vec<&api::ContainerPort> = container.ports.iter().flatten().collect();
    let joined = |number: &dyn Fn(&api::ContainerPort) -> i32| {
        let text = |port: &&api::ContainerPort| {
            let name = port.name.as_ref().filter(|n| !n.is_empty()).map(|n| format!(" ({n})")).unwrap_or_default();
            format!("{}/{}{name}", number(port), port.protocol.as_deref().unwrap_or("TCP"))
        };
        if ports.is_empty() { NONE.to_owned() } else { ports.iter().map(text).collect::<Vec<_>>().join(", ") }
    };
    let plural = if ports.len() > 1 { "s" } else { "" };
    lines.field(2, &format!("Port{plural}"), &joined(&|port| port.container_port));
    lines.field(2, &format!("Host Port{plural}"), &joined(&|port| port.host_port.unwrap_or(0)));
    for (name, words) in [("Command", &container.command), ("Args", &container.args)] {
        if let Some(words) = words.as_ref().filter(|words| !words.is_empty()) {
            lines.add(2, &format!("{name}:"));
            words.iter().flat_map(|word| word.split('\n')).for_each(|word| lines.add(3, &plain(word)));
        }
    }
}

fn state(lines: &mut Lines, title: &str, state: Option<&api::ContainerState>) {
    let state = state.cloned().unwrap_or_default();
    let text = |lines: &mut Lines, name: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.field(3, name, value);
        }
    };
    if let Some(running) = &state.running {
        lines.field(2, title, "Running");
        lines.field(3, "Started", &running.started_at.as_ref().map(moment).unwrap_or_default());
    } else if let Some(ended) = &state.terminated {
        lines.field(2, title, "Terminated");
        text(lines, "Reason", ended.reason.as_ref());
        text(lines, "Message", ended.message.as_ref());
        lines.field(3, "Exit Code", &ended.exit_code.to_string());
        lines.field(3, "Started", &ended.started_at.as_ref().map(moment).unwrap_or_default());
        lines.field(3, "Finished", &ended.finished_at.as_ref().map(moment).unwrap_or_default());
    } else {
        lines.field(2, title, "Waiting");
        let waiting = state.waiting.unwrap_or_default();
        text(lines, "Reason", waiting.reason.as_ref());
        text(lines, "Message", waiting.message.as_ref());
    }
}

fn quantities(lines: &mut Lines, title: &str, amounts: Option<&BTreeMap<String, Quantity>>) {
    let Some(amounts) = amounts.filter(|amounts| !amounts.is_empty()) else { return };
    lines.add(2, &format!("{title}:"));
    amounts.iter().for_each(|(name, amount)| lines.field(3, name, &amount.0));
}

fn environment(lines: &mut Lines, container: &api::Container) {
    let sources = container.env_from.as_deref().unwrap_or_default();
    if !sources.is_empty() {
        lines.add(2, "Environment Variables from:");
        for source in sources {
            let (name, kind, optional) = match (&source.config_map_ref, &source.secret_ref) {
                (Some(map), _) => (&map.name, "ConfigMap", map.optional),
                (None, Some(secret)) => (&secret.name, "Secret", secret.optional),
                (None, None) => continue,
            };
            lines.add(3, &format!("{name}\t{kind}\tOptional: {}", optional == Some(true)));
        }
    }
    let variables = container.env.as_deref().unwrap_or_default();
    if variables.is_empty() {
        lines.field(2, "Environment", NONE);
        return;
    }
    lines.add(2, "Environment:");
    for variable in variables {
        let value = match &variable.value_from {
            None => variable.value.clone().unwrap_or_default(),
            Some(from) => value_from(from),
        };
        lines.field(3, &variable.name, &value);
    }
}

fn value_from(from: &api::EnvVarSource) -> String {
    let key = |key: &str, kind: &str, name: &str, optional: Option<bool>| {
        format!("<set to the key '{key}' in {kind} '{name}'>\tOptional: {}", optional == Some(true)).replace('\t', "  ")
    };
    if let Some(field) = &from.field_ref {
        format!("({}:{})", field.api_version.as_deref().unwrap_or("v1"), field.field_path)
    } else if let Some(field) = &from.resource_field_ref {
        field.resource.clone()
    } else if let Some(secret) = &from.secret_key_ref {
        key(&secret.key, "secret", &secret.name, secret.optional)
    } else if let Some(map) = &from.config_map_key_ref {
        key(&map.key, "config map", &map.name, map.optional)
    } else {
        NONE.to_owned()
    }
}

fn mounts(lines: &mut Lines, container: &api::Container) {
    let mut mounts: Vec<&api::VolumeMount> = container.volume_mounts.iter().flatten().collect();
    if mounts.is_empty() {
        lines.field(2, "Mounts", NONE);
        return;
    }
    mounts.sort_by(|a, b| a.mount_path.cmp(&b.mount_path));
    lines.add(2, "Mounts:");
    for mount in mounts {
        let access = if mount.read_only == Some(true) { "ro" } else { "rw" };
        let part = mount.sub_path.as_ref().filter(|p| !p.is_empty()).map(|p| format!(",path=\"{p}\""));
        let part = part.unwrap_or_default();
        lines.add(3, &plain(&format!("{} from {} ({access}{part})", mount.mount_path, mount.name)));
    }
}

/// `http-get http://:80/ delay=0s timeout=1s period=10s #success=1 #failure=3`.
fn probe(probe: &api::Probe) -> String {
    let port = |port: &IntOrString| match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    };
    let handler = if let Some(exec) = &probe.exec {
        format!("exec [{}]", exec.command.clone().unwrap_or_default().join(" "))
    } else if let Some(http) = &probe.http_get {
        let scheme = http.scheme.as_deref().unwrap_or("HTTP").to_lowercase();
        let (host, path) = (http.host.as_deref().unwrap_or_default(), http.path.as_deref().unwrap_or_default());
        format!("http-get {scheme}://{host}:{}{path}", port(&http.port))
    } else if let Some(tcp) = &probe.tcp_socket {
        format!("tcp-socket {}:{}", tcp.host.as_deref().unwrap_or_default(), port(&tcp.port))
    } else if let Some(grpc) = &probe.grpc {
        format!("grpc <pod>:{} {}", grpc.port, grpc.service.as_deref().unwrap_or_default())
    } else {
        "unknown".to_owned()
    };
    format!(
        "{handler} delay={}s timeout={}s period={}s #success={} #failure={}",
        probe.initial_delay_seconds.unwrap_or(0),
        probe.timeout_seconds.unwrap_or(0),
        probe.period_seconds.unwrap_or(0),
        probe.success_threshold.unwrap_or(0),
        probe.failure_threshold.unwrap_or(0)
    )
}

fn conditions(lines: &mut Lines, status: &api::PodStatus) {
    let conditions = status.conditions.as_deref().unwrap_or_default();
    if conditions.is_empty() {
        return;
    }
    lines.add(0, "Conditions:");
    lines.add(1, "Type\tStatus\tReason\tMessage");
    for condition in conditions {
        let (reason, message) = (condition.reason.as_deref(), condition.message.as_deref());
        let told = [reason, message].map(|text| text.map(plain).unwrap_or_default());
        lines.add(1, &format!("{}\t{}\t{}\t{}", condition.type_, condition.status, told[0], told[1]));
    }
}

fn volumes(lines: &mut Lines, spec: &api::PodSpec) {
    let volumes = spec.volumes.as_deref().unwrap_or_default();
    if volumes.is_empty() {
        lines.field(0, "Volumes", NONE);
        return;
    }
    lines.add(0, "Volumes:");
    for volume in volumes {
        lines.add(1, &format!("{}:", volume.name));
        let optional = |yes: Option<bool>| (yes == Some(true)).to_string();
        if let Some(path) = &volume.host_path {
            lines.field(2, "Type", "HostPath (bare host directory volume)");
            lines.field(2, "Path", &path.path);
            lines.field(2, "HostPathType", path.type_.as_deref().unwrap_or_default());
        } else if let Some(dir) = &volume.empty_dir {
            lines.field(2, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)");
            lines.field(2, "Medium", dir.medium.as_deref().unwrap_or_default());
            lines.field(2, "SizeLimit", dir.size_limit.as_ref().map_or("<unset>", |q| q.0.as_str()));
        } else if let Some(map) = &volume.config_map {
            lines.field(2, "Type", "ConfigMap (a volume populated by a ConfigMap)");
            lines.field(2, "Name", &map.name);
            lines.field(2, "Optional", &optional(map.optional));
        } else if let Some(secret) = &volume.secret {
            lines.field(2, "Type", "Secret (a volume populated by a Secret)");
            lines.field(2, "SecretName", secret.secret_name.as_deref().unwrap_or_default());
            lines.field(2, "Optional", &optional(secret.optional));
        } else if volume.downward_api.is_some() {
            lines.field(2, "Type", "DownwardAPI (a volume populated by information about the pod)");
        } else if volume.projected.is_some() {
            lines.field(2, "Type", "Projected (a volume that contains injected data from multiple sources)");
        } else if let Some(claim) = &volume.persistent_volume_claim {
            lines.field(
                2,
                "Type",
                "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
            );
            lines.field(2, "ClaimName", &claim.claim_name);
            lines.field(2, "ReadOnly", &optional(claim.read_only));
        } else {
            lines.field(2, "Type", "<unknown>");
        }
    }
}

/// `key=value:effect op=Exists for 300s`.
fn toleration(toleration: &api::Toleration) -> String {
    let mut text = toleration.key.clone().unwrap_or_default();
    if let Some(value) = toleration.value.as_ref().filter(|value| !value.is_empty()) {
        text.push_str(&format!("={value}"));
    }
    if let Some(effect) = toleration.effect.as_ref().filter(|effect| !effect.is_empty()) {
        text.push_str(&format!(":{effect}"));
    }
    if toleration.operator.as_deref() == Some("Exists") && toleration.value.is_none() {
        text.push_str(" op=Exists");
    }
    if let Some(seconds) = toleration.toleration_seconds {
        text.push_str(&format!(" for {seconds}s"));
    }
    text.trim_start().to_owned()
}

fn told(lines: &mut Lines, events: &[Event], now: jiff::Timestamp) {
    if events.is_empty() {
        lines.field(0, "Events", NONE);
        return;
    }
    lines.add(0, "Events:");
    lines.add(1, "Type\tReason\tAge\tFrom\tMessage");
    lines.add(1, "----\t------\t----\t----\t-------");
    for event in sorted(events.to_vec()) {
        let from = event.source.as_ref().and_then(|s| s.component.clone()).unwrap_or_default();
        let text = |value: &Option<String>| value.as_deref().map(plain).unwrap_or_default();
        let (kind, reason, message) = (text(&event.type_), text(&event.reason), text(&event.message));
        lines.add(1, &format!("{kind}\t{reason}\t{}\t{from}\t{}", last_seen(&event, now), message.trim()));
    }
}
