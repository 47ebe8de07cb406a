//! Probes and lifecycle hooks.

use super::{env::one_source, names, spec::PodFacts};
use crate::manifest::{findings::Findings, path::Path};
use k8s_openapi::{api::core::v1 as api, apimachinery::pkg::util::intstr::IntOrString};

/// Signals a container may be stopped by (`lifecycle.stopSignal`), on Linux.
const SIGNALS: &[&str] = &[
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

/// Probes and hooks of a container that may have them.
pub fn container(container: &api::Container, facts: &PodFacts, path: &Path, f: &mut Findings) {
    let ports = container.ports.as_deref().unwrap_or_default();
    for (field, probe) in [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ] {
        if let Some(found) = probe {
            self::probe(found, field, ports, &path.field(field), f);
        }
    }
    let Some(lifecycle) = &container.lifecycle else { return };
    let path = path.field("lifecycle");
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(found) = hook {
            self::hook(found, facts, ports, &path.field(field), f);
        }
    }
    if let Some(signal) = lifecycle.stop_signal.as_deref().filter(|s| !s.is_empty()) {
        let path = path.field("stopSignal");
        let real_time = ["SIGRTMIN", "SIGRTMAX"].iter().find_map(|name| signal.strip_prefix(name));
        let counted = real_time.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '-']));
        if facts.os.is_none() {
            f.forbidden(&path, "a stop signal needs os.name: linux in the spec of the pod");
        }
        if !counted && !SIGNALS.contains(&signal) {
            f.not_supported(
                &path,
                signal,
                &["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"],
            );
        }
    }
}

fn probe(probe: &api::Probe, kind: &str, ports: &[api::ContainerPort], path: &Path, f: &mut Findings) {
    let handlers = [
        ("exec", probe.exec.is_some()),
        ("grpc", probe.grpc.is_some()),
        ("httpGet", probe.http_get.is_some()),
        ("tcpSocket", probe.tcp_socket.is_some()),
    ];
    one_source(&handlers, path, f);
    if let Some(exec) = &probe.exec {
        self::exec(exec, &path.field("exec"), f);
    }
    if let Some(http) = &probe.http_get {
        http_get(http, ports, &path.field("httpGet"), f);
    }
    if let Some(tcp) = &probe.tcp_socket {
        let path = path.field("tcpSocket");
        port(&tcp.port, ports, &path.field("port"), f);
    }
    if let Some(grpc) = &probe.grpc {
        let path = path.field("grpc");
        f.range(&path.field("port"), grpc.port.into(), 1, 65535);
    }
    f.not_negative(&path.field("initialDelaySeconds"), probe.initial_delay_seconds);
    f.not_negative(&path.field("timeoutSeconds"), probe.timeout_seconds);
    f.not_negative(&path.field("periodSeconds"), probe.period_seconds);
    f.not_negative(&path.field("successThreshold"), probe.success_threshold);
    f.not_negative(&path.field("failureThreshold"), probe.failure_threshold);
    let success = probe.success_threshold.unwrap_or(1);
    if kind != "readinessProbe" && success > 1 {
        f.invalid(&path.field("successThreshold"), success, "must be 1: only a readiness probe may ask for more");
    }
    if let Some(grace) = probe.termination_grace_period_seconds {
        let path = path.field("terminationGracePeriodSeconds");
        if kind == "readinessProbe" {
            f.forbidden(&path, "a readiness probe ends no container, so it has no grace period");
        } else if grace <= 0 {
            f.invalid(&path, grace, "must be 1 or more");
        }
    }
}

fn hook(hook: &api::LifecycleHandler, facts: &PodFacts, ports: &[api::ContainerPort], path: &Path, f: &mut Findings) {
    let handlers = [
        ("exec", hook.exec.is_some()),
        ("httpGet", hook.http_get.is_some()),
        ("sleep", hook.sleep.is_some()),
        ("tcpSocket", hook.tcp_socket.is_some()),
    ];
    one_source(&handlers, path, f);
    if let Some(exec) = &hook.exec {
        self::exec(exec, &path.field("exec"), f);
    }
    if let Some(http) = &hook.http_get {
        http_get(http, ports, &path.field("httpGet"), f);
    }
    if let Some(tcp) = &hook.tcp_socket {
        let path = path.field("tcpSocket");
        port(&tcp.port, ports, &path.field("port"), f);
    }
    if let Some(sleep) = &hook.sleep {
        let path = path.field("sleep");
        let grace = facts.grace;
        if grace >= 0 && (sleep.seconds < 0 || sleep.seconds > grace) {
            let rule = format!("must be between 0 and {grace}, the pod's terminationGracePeriodSeconds");
            f.invalid(&path.field("seconds"), sleep.seconds, &rule);
        }
    }
}

fn exec(exec: &api::ExecAction, path: &Path, f: &mut Findings) {
    if exec.command.iter().flatten().next().is_none() {
        f.required(&path.field("command"), "");
    }
}

fn http_get(http: &api::HTTPGetAction, ports: &[api::ContainerPort], path: &Path, f: &mut Findings) {
    port(&http.port, ports, &path.field("port"), f);
    f.one_of(&path.field("scheme"), http.scheme.as_deref(), &["HTTP", "HTTPS"]);
    let headers = path.field("httpHeaders");
    for (index, header) in http.http_headers.iter().flatten().enumerate() {
        let path = headers.index(index);
        if header.name.is_empty() {
            f.required(&path.field("name"), "");
        } else {
            f.text_rule(&path.field("name"), Some(&header.name), names::header_name);
        }
    }
}

/// A port by number, or by the name one of the container's ports has. The API only looks at how the
/// name is made; one that no port has can never be reached.
fn port(port: &IntOrString, ports: &[api::ContainerPort], path: &Path, f: &mut Findings) {
    match port {
        IntOrString::Int(number) => f.range(path, (*number).into(), 1, 65535),
        IntOrString::String(name) if name.is_empty() => {
            f.required(path, "");
        }
        IntOrString::String(name) if names::port_name(name).is_err() => {
            let finding = f.invalid_text(path, name, "must be a number, or the name of one of the container's ports");
            if name.parse::<u16>().is_ok() {
                finding.suggest("remove the quotes");
            }
        }
        IntOrString::String(name) => {
            let known: Vec<&str> = ports.iter().filter_map(|p| p.name.as_deref()).collect();
            if !known.contains(&name.as_str()) {
                f.not_found(path, name, "port", known);
            }
        }
    }
}
